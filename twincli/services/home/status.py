"""Where one stands: the home, the ledger, the keys, the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli import __version__
from twincli.errors import TwinError
from twincli.services.network import pushed

if TYPE_CHECKING:
    from twincli.keystore.store import KeyStore
    from twincli.ledger.ledger import Ledger
    from twincli.services.documents import Status
    from twincli.services.network.networks import Chosen


def status(
    home: str,
    ledger: Ledger | None,
    keystore: KeyStore | None,
    default_key: str | None,
    networks: str,
    chosen: Chosen | None = None,
) -> Status:
    """Return where one stands.

    Args:
        home: Path of the home.
        ledger: None while there is none.
        keystore: None while there is no home.
        default_key: From the settings.
        networks: Directory of what was fetched from networks.
        chosen: The network that is used, None for a ledger on this machine.

    Returns:
        ``twin.status/1``: ``version home exists ledger default_key keys agent unpushed network``;
        ``ledger`` has ``id path height transactions assets`` or is null; ``default_key`` is the
        one of the settings, else the first made; ``keys`` are names; ``agent`` has ``running``,
        ``keys`` (the names of those it holds) and ``problem``, why it is of no use, or null;
        ``unpushed`` has for each ledger that this one was ever pushed to ``node transactions
        pushed_at``; ``network`` is ``networks.summary`` of ``chosen``, or null.
    """
    from twincli.keystore import agent

    infos = [] if keystore is None else keystore.scan()[0]
    if default_key is None and infos:
        default_key = min(infos, key=lambda info: (info.created, info.name)).name
    answer, problem = None, None
    if keystore is not None:
        try:
            answer = agent.status(keystore.directory)
        except TwinError as error:
            problem = error.message
    unlocked = {key["public_key"] for key in answer["keys"]} if answer is not None else set()
    return {
        "schema": "twin.status/1",
        "version": __version__,
        "home": home,
        "exists": keystore is not None,
        "ledger": None if ledger is None else _ledger(ledger),
        "default_key": default_key,
        "keys": [info.name for info in infos],
        "agent": {
            "running": answer is not None,
            "keys": [info.name for info in infos if info.public_key in unlocked],
            "problem": problem,
        },
        "unpushed": pushed.unpushed(networks, ledger),
        "network": None if chosen is None else _network(chosen, ledger),
    }


def _network(chosen: Chosen, ledger: Ledger | None) -> dict[str, Any]:
    from twincli.services.network import networks  # only then, because it loads much

    return networks.summary(chosen, ledger)


def _ledger(ledger: Ledger) -> dict[str, Any]:
    return {
        "id": ledger.id,
        "path": ledger.path,
        "height": ledger.tip().height,
        **ledger.counts(),
    }
