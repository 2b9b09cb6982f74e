"""Access to a ledger: services use a ``LedgerClient``.

``embedded`` reads a file, ``network`` asks the nodes of a BigchainDB network.
"""

from __future__ import annotations

from twincli.errors import ConfigError, UsageError
from twincli.values import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Container,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from contextlib import AbstractContextManager

    from twincli.crypto.ed25519 import Signer
    from twincli.errors import InvalidError
    from twincli.ledger.reading import Entry
    from twincli.ledger.rows import Held, Linked, PrimaryId, Spendable, Standing
    from twincli.ledger.said import Asked
    from twincli.ledger.state import Stretch
    from twincli.ledger.together import Together
    from twincli.model import expression
    from twincli.rules.replay import Replay
    from twincli.rules.validity import View

    Outcome = int | InvalidError | None
    """The result for a transaction: its height, None where it is unknown, or why it was refused."""

LISTING = "listing"
BLOCK_TIME = "block_time"
PROOFS = "proofs"
UNDOING = "undoing"

COMMIT, SYNC, ASYNC = WAITS = ("commit", "sync", "async")
"""What a write may wait for; BigchainDB's modes."""

ON_LEDGER = frozenset({"duplicate_transaction", "double_spend"})
"""Codes of refusals that a transaction may get because it is already on the ledger."""

_WAYS_ROUND = {
    LISTING: (
        "a BigchainDB network does not list its assets",
        "twin asset list shows yours, twin search TEXT finds others",
    ),
    BLOCK_TIME: (
        "a BigchainDB network does not report when it committed a transaction",
        "twin history --json shows the time stated by each signer: at",
    ),
    PROOFS: (
        "a BigchainDB network does not provide proofs",
        "twin pull copies an asset to your own ledger, which does",
    ),
    UNDOING: (
        "a network cannot undo what was submitted to it",
        "twin batch apply on your own ledger is atomic; then: twin push",
    ),
}


def lacking(capability: str) -> UsageError:
    """Return the error for what a ledger cannot do: ``not_supported``, with the way round."""
    message, hint = _WAYS_ROUND[capability]
    return UsageError(message, code="not_supported", hint=hint)


def present(entry: Entry | None, tx_id: str) -> Entry:
    """Return a transaction that has to be on the ledger.

    Raises:
        ConfigError: ``damaged_ledger``: it is not.
    """
    if entry is None:
        raise ConfigError(
            f"the ledger is damaged: the transaction {tx_id} is missing",
            code="damaged_ledger",
            hint="restore the ledger from a backup; to see what is wrong: twin doctor --full",
        )
    return entry


class LedgerClient(Protocol):
    """A ledger as services use it. See ``twincli.ledger.Ledger`` for what each call promises."""

    @property
    def ledger_id(self) -> str:
        """The ledger's id, 64 hex digits."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What not every ledger can do: ``LISTING``, ``BLOCK_TIME``, ``PROOFS``, ``UNDOING``.

        Asking for another raises ``lacking``.
        """

    @property
    def profile(self) -> str:
        """The rules that it judges by: ``strict`` or ``server-2.2.2``."""

    def close(self) -> None:
        """Close it."""

    def submit(self, tx: dict[str, Any], identity: PrimaryId | None = None) -> int | None:
        """Commit a transaction; return its height, None where that was not waited for.

        Args:
            tx: As on the wire.
            identity: What the twin that a CREATE makes has to itself, where the ledger can keep
                it. A node of twincli finds it out by itself; a BigchainDB network cannot keep it.

        Raises:
            ConflictError: ``duplicate_twin``.
        """

    def submit_many(self, txs: Iterable[dict[str, Any]]) -> int | None:
        """Commit transactions, all or none where the ledger can do that, in their order."""

    def submit_each(self, txs: Iterable[dict[str, Any]]) -> Sequence[Outcome]:
        """Commit what is valid; return what became of each."""

    def judge_each(self, txs: Iterable[dict[str, Any]]) -> Sequence[Outcome]:
        """Return what ``submit_each`` would, and write nothing."""

    def append_many(
        self, signer: Signer, asset_id: str, metadatas: Iterable[dict[str, Any] | None]
    ) -> list[str]:
        """Append in bulk; return the ids."""

    def together(self, *, keep: bool = True) -> AbstractContextManager[Together]:
        """Make all that is submitted in a context one durable commit, see ``Ledger.together``.

        Args:
            keep: False: all of it is undone at the end.

        Raises:
            UsageError: ``not_supported``: the ledger has no ``UNDOING``.
        """

    def refresh(self) -> None:
        """Ask again for what was fetched before: others may have written since."""

    def prepare(self, tx_ids: Iterable[str]) -> None:
        """Have the assets of these transactions at hand.

        A network fetches what is new in them together, instead of one by one when asked.
        """

    def entry(self, tx_id: str) -> Entry | None:
        """Return a transaction with its block and spenders, or None."""

    def required(self, tx_id: str) -> Entry:
        """Return a transaction that something on the ledger names: without it it is damaged.

        Raises:
            ConfigError: ``damaged_ledger``.
        """

    def entries(self, asset_id: str, after: str | None = None) -> Iterator[Entry]:
        """Yield an asset's transactions in commit order."""

    def records(self, asset_id: str, kinds: Collection[str]) -> Iterator[Entry]:
        """Yield those TRANSFERs of an asset that are records of some kinds, in commit order."""

    def said(self, asset_id: str, asked: Asked) -> Iterator[Entry]:
        """Yield the records of a kind about an asset, of its owners and of others, in order.

        Who spent their outputs is left out, and of transfers all but what they say and who signed.
        """

    def transactions(self, asset_id: str, after: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield an asset's transactions as on the wire, in commit order."""

    def corrections(self, asset_id: str) -> list[dict[str, Any]]:
        """Return an asset's transactions that may correct others, in commit order."""

    def view(self, tx_id: str) -> View:
        """Return the ledger as a transaction meets it."""

    def last(self, asset_id: str) -> Entry | None:
        """Return the last transaction of an asset."""

    def replay(self, asset_id: str, as_of_ms: int | None = None) -> Replay | None:
        """Return the state of an asset, or None."""

    def replay_to(self, asset_id: str, tx_id: str | None) -> Replay:
        """Return the state of an asset up to a transaction, with the corrections known now."""

    def stretches(self, asset_id: str) -> list[Stretch]:
        """Return the history of an asset in parts, in commit order."""

    def unspent(self, asset_id: str) -> list[Spendable]:
        """Return the unspent outputs of an asset."""

    def held_by(self, public_keys: Iterable[str], *, ever: bool = False) -> list[str]:
        """Return the assets of which keys hold an unspent output, in commit order.

        Args:
            public_keys: base58.
            ever: Those as well of which they once held one.
        """

    def in_order(self, asset_ids: Iterable[str]) -> list[str]:
        """Return those of some assets that are on the ledger, each once, in commit order."""

    def standings(self, asset_ids: Iterable[str]) -> Iterator[Standing]:
        """Yield how assets stand, in the order given; for many, at little cost each."""

    def linking(
        self,
        asset_ids: Iterable[str],
        what: str,
        other: str | None = None,
        known: Container[int] = (),
    ) -> list[Linked]:
        """Return what links any of some assets with others, or takes links of theirs back.

        Args:
            asset_ids: The assets.
            what: ``LINKS``, ``ABOVE`` or ``REVOCATIONS`` of ``model.links``.
            other: Only what links them with this one.
            known: Positions to leave out, see ``Linked``.
        """

    def held(
        self, asset_ids: Iterable[str], known: Mapping[int, dict[str, Any]]
    ) -> dict[str, Held]:
        """Return who holds assets; those that are not on the ledger are left out.

        Args:
            asset_ids: The assets.
            known: Transactions at hand, by their positions, see ``Linked``.
        """

    def replays(self, asset_ids: Iterable[str]) -> Iterator[tuple[str, Replay, int | None]]:
        """Yield the states of assets, and when each was made where that is known.

        Those that are not on the ledger are left out.
        """

    def spoken_of(self) -> set[str] | None:
        """Return the assets that have records, or that another is about; None: not known."""

    def notes(self, kind: str) -> tuple[int, dict[str, str]]:
        """Return what was noted about assets with `keep_notes`, as far as it still holds.

        A note holds until a transaction of its asset, of a part of it, or one that is about it is
        committed. A network keeps none.

        Args:
            kind: What they are about, with the version of their form.

        Returns:
            What `keep_notes` takes, and the notes by the ids of their assets.
        """

    def keep_notes(self, kind: str, until: int, made: Mapping[str, str]) -> None:
        """Keep notes, unless something was committed since `notes` returned ``until``."""

    def outputs(self, public_key: str, spent: bool | None = None) -> list[dict[str, Any]]:
        """Return the outputs that name a key."""

    def knows(self, public_key: str) -> bool:
        """Say whether an output ever named a key."""

    def once(self, asset_id: str, token: str) -> list[tuple[frozenset[str], str]]:
        """Return who signed transactions with a once token, and their ids."""

    def find(
        self,
        node: expression.Node,
        *,
        after: str | None = None,
        template_cid: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[str]:
        """Yield the ids of assets for which an expression without quantities holds.

        Raises:
            UsageError: ``not_supported``.
        """

    def identified(self, identifier: str) -> list[str] | None:
        """Return the twins that were given a primary identifier here, None where none is kept."""

    def claim(self, identities: Iterable[tuple[str, PrimaryId]]) -> dict[str, str]:
        """Let twins from another ledger have their identity; return who has it already."""

    def pinned(self) -> list[tuple[str, str]]:
        """Return the id and CID of every template that assets are held to."""

    def find_prefix(self, prefix: str, limit: int = 2) -> list[str]:
        """Return transaction ids that start with hex digits."""

    def asset_ids(self) -> Iterator[str]:
        """Yield the ids of all assets."""

    def assets_with(self, name: str, value: str) -> list[str]:
        """Return assets whose CREATE states something."""

    def search_assets(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        """Return assets that contain the words of ``text``."""

    def search(self, text: str, limit: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield ``asset`` or ``metadata`` and a transaction that contains the words of ``text``.

        What is found in assets comes before what is found in metadata.
        """

    def search_metadata(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        """Return metadata that contain the words of ``text``."""


__all__ = [
    "ASYNC",
    "BLOCK_TIME",
    "COMMIT",
    "LISTING",
    "ON_LEDGER",
    "PROOFS",
    "SYNC",
    "UNDOING",
    "WAITS",
    "LedgerClient",
    "lacking",
    "present",
]
