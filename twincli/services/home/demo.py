"""The tutorial's story: the commands, and what is checked before and after them.

A car, its owner Alice and its GPS box, each with a key of its own. The tutorial has the mileage
appended with the car's key; that is valid on the GPS box, which the car owns, and refused on the
car, which is Alice's. Both are shown.

Source: BigchainDB's digital-twin tutorial; the data, `bithday` included, are its own.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from twincli.errors import ConflictError
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.services.documents import Document

NAMES = ("alice", "car", "gps")
USER = {"name": "Alice", "bithday": "03/08/1910"}
MILEAGES = (1200, 1250, 1301)


class Step(NamedTuple):
    """One command of the story.

    Attributes:
        title: What it is about; commands in a row may share one.
        words: The command line after ``twin``.
        get: What of its document is worth seeing, by ``--get``; None: all of it.
        uses_ledger: Whether it takes ``--node``.
        status: The exit status that belongs to the story.
    """

    title: str
    words: tuple[str, ...]
    get: str | None = None
    uses_ledger: bool = True
    status: int = 0


def story(*, kept: bool, pulled: bool) -> Iterator[Step]:
    """Yield the commands.

    Args:
        kept: Whether the home stays: then its keys have no phrase that was on a screen.
        pulled: Whether the story is told on a network: then all of it is fetched at the end.
    """
    for name in NAMES:
        if kept:
            words = ("keys", "new", name, "--no-passphrase")
            yield Step("A key for each of them", words, "did", uses_ledger=False)
        else:
            phrase = ("--mnemonic", "--words", "12", "--no-passphrase")
            title = "A key for each of them, from a phrase of its own"
            yield Step(title, ("keys", "new", name, *phrase), "mnemonic", uses_ledger=False)
    yield Step(
        "Alice's identity, owned by herself",
        ("did", "new", "alice", "--data", json.dumps(USER)),
        "id",
    )
    yield Step(
        "The car has a key, too, but belongs to Alice",
        (
            *("asset", "create", "car", "--owner", "alice", "--entity", "car"),
            *("--value", "6sd8f68sd67", "--str", "power.engine=2.5", "--power.hp", "220 hp"),
            *("--consumption", "10.8 l"),
        ),
    )
    yield Step(
        "The GPS box belongs to the car",
        (
            *("asset", "create", "gps", "--owner", "car", "--entity", "gps", "--parent", "car"),
            *("--gps_identifier", "a32bc2440da012"),
        ),
    )
    yield Step("Each of them has a DID that needs no registry", ("did", "list"))
    for mileage in MILEAGES:
        yield Step(
            "The car drives; its key signs what the GPS box measures",
            ("asset", "append", "gps", "--mileage", str(mileage), "--quiet"),
            "state.mileage",
        )
    yield Step("Nothing is overwritten", ("history", "gps"))
    yield Step(
        "The car's key cannot write on the car: that is Alice's",
        ("asset", "append", "car", "--mileage", str(MILEAGES[-1]), "--key", "car"),
        status=6,
    )
    yield Step("Who owns what", ("asset", "tree"))
    if pulled:
        yield Step("All of it, on a ledger of one's own", ("pull",), "transactions")
    local = ("--node", "local") if pulled else ()
    yield Step(
        "Everything is checked again: ids, signatures, links, blocks",
        ("doctor", "--full", *local),
        "ok",
        uses_ledger=not pulled,
    )


def check_unused(home: str) -> None:
    """Refuse a home with a ledger or a key.

    Raises:
        ConflictError: ``exists``.
    """
    from twincli.keystore.store import KeyStore

    ledger = os.path.join(home, "ledger", "ledger.db")
    if os.path.exists(ledger) or KeyStore(os.path.join(home, "keys")).list():
        raise ConflictError(
            f"{home} is in use; the demo needs a home of its own",
            code="exists",
            hint="leave --keep out for a temporary one, or name a new one: twin demo --keep"
            " --home DIR",
        )


def verified(home: str) -> tuple[str, Document]:
    """Verify the ledger of a home.

    Returns:
        Its id, and ``transactions`` with ``problems``.
    """
    from twincli.ledger.ledger import Ledger

    with Ledger.open(os.path.join(home, "ledger"), create=False) as ledger:
        report = ledger.verify()
        problems = [
            {"where": where, "code": code, "message": message}
            for where, code, message in report.problems
        ]
        return ledger.id, {"transactions": report.transactions, "problems": problems}
