"""The embedded ledger as a ``LedgerClient``."""

from __future__ import annotations

from twincli.client import BLOCK_TIME, LISTING, PROOFS, UNDOING, present
from twincli.ledger.ledger import Ledger
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Container,
        Iterable,
        Iterator,
        Mapping,
    )

    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.ledger import Verdict
    from twincli.ledger.reading import Entry
    from twincli.ledger.rows import Held, Linked, PrimaryId, Spendable, Standing
    from twincli.ledger.said import Asked
    from twincli.ledger.state import Stretch
    from twincli.ledger.together import Together
    from twincli.model import expression
    from twincli.rules.replay import Replay
    from twincli.rules.validity import View


class EmbeddedClient:
    """Reads a ledger file.

    Args:
        ledger: Closed with this object.

    Attributes:
        before_write: Called with the ledger before the first write, which it may refuse.
    """

    capabilities = frozenset({LISTING, BLOCK_TIME, PROOFS, UNDOING})

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.before_write: Callable[[Ledger], None] | None = None
        self._is_untouched = False

    @classmethod
    def open(cls, path: str, *, create: bool = False, read_only: bool = False) -> EmbeddedClient:
        """Open the ledger at ``path``; see ``Ledger.open``.

        Args:
            path: Its directory or file.
            create: Make it when it is missing.
            read_only: Write nothing, not even beside it, until something is submitted.
        """
        client = cls(Ledger.open(path, create=create, read_only=read_only))
        client._is_untouched = read_only
        return client

    def for_writing(self) -> Ledger:
        """Return the ledger, opened again if it was opened to write nothing."""
        if self.before_write is not None:
            self.before_write(self.ledger)
            self.before_write = None
        if self._is_untouched:
            path = self.ledger.path
            self.ledger.close()
            self.ledger = Ledger.open(path, create=False)
            self._is_untouched = False
        return self.ledger

    @property
    def ledger_id(self) -> str:
        """See ``LedgerClient``; likewise for all that follow."""
        return self.ledger.id

    @property
    def profile(self) -> str:
        return self.ledger.profile

    def close(self) -> None:
        self.ledger.close()

    def submit(self, tx: dict[str, Any], identity: PrimaryId | None = None) -> int | None:
        return self.for_writing().submit(tx, identity)

    def submit_many(self, txs: Iterable[dict[str, Any]]) -> int | None:
        return self.for_writing().submit_many(txs)

    def submit_each(self, txs: Iterable[dict[str, Any]]) -> list[Verdict]:
        return self.for_writing().submit_each(txs)

    def judge_each(self, txs: Iterable[dict[str, Any]]) -> list[Verdict]:
        return self.ledger.judge_each(txs)

    def append_many(
        self, signer: Signer, asset_id: str, metadatas: Iterable[dict[str, Any] | None]
    ) -> list[str]:
        return self.for_writing().append_many(signer, asset_id, metadatas)

    def together(self, *, keep: bool = True) -> Together:
        return self.for_writing().together(keep=keep)

    def refresh(self) -> None:
        pass  # a file is read every time

    def prepare(self, tx_ids: Iterable[str]) -> None:
        pass  # a file is at hand

    def entry(self, tx_id: str) -> Entry | None:
        return self.ledger.entry(tx_id)

    def required(self, tx_id: str) -> Entry:
        return present(self.ledger.entry(tx_id), tx_id)

    def entries(self, asset_id: str, after: str | None = None) -> Iterator[Entry]:
        return self.ledger.entries(asset_id, after)

    def records(self, asset_id: str, kinds: Collection[str]) -> Iterator[Entry]:
        return self.ledger.records(asset_id, kinds)

    def said(self, asset_id: str, asked: Asked) -> Iterator[Entry]:
        return self.ledger.said(asset_id, asked)

    def transactions(self, asset_id: str, after: str | None = None) -> Iterator[dict[str, Any]]:
        return self.ledger.iter_transactions(asset_id, after)

    def corrections(self, asset_id: str) -> list[dict[str, Any]]:
        return self.ledger.corrections(asset_id)

    def view(self, tx_id: str) -> View:
        return self.ledger.view(tx_id)

    def last(self, asset_id: str) -> Entry | None:
        return self.ledger.last(asset_id)

    def replay(self, asset_id: str, as_of_ms: int | None = None) -> Replay | None:
        return self.ledger.replay(asset_id, as_of_ms)

    def replay_to(self, asset_id: str, tx_id: str | None) -> Replay:
        return self.ledger.replay_to(asset_id, tx_id)

    def stretches(self, asset_id: str) -> list[Stretch]:
        return self.ledger.stretches(asset_id)

    def find(
        self,
        node: expression.Node,
        *,
        after: str | None = None,
        template_cid: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[str]:
        return self.ledger.find(node, after=after, template_cid=template_cid, progress=progress)

    def identified(self, identifier: str) -> list[str]:
        return self.ledger.identified(identifier)

    def claim(self, identities: Iterable[tuple[str, PrimaryId]]) -> dict[str, str]:
        return self.for_writing().claim(identities)

    def pinned(self) -> list[tuple[str, str]]:
        return [pin[:2] for pin in self.ledger.pinned()]

    def unspent(self, asset_id: str) -> list[Spendable]:
        return self.ledger.unspent(asset_id)

    def held_by(self, public_keys: Iterable[str], *, ever: bool = False) -> list[str]:
        return self.ledger.held_by(public_keys, ever=ever)

    def in_order(self, asset_ids: Iterable[str]) -> list[str]:
        return self.ledger.in_order(asset_ids)

    def standings(self, asset_ids: Iterable[str]) -> Iterator[Standing]:
        return self.ledger.standings(asset_ids)

    def linking(
        self,
        asset_ids: Iterable[str],
        what: str,
        other: str | None = None,
        known: Container[int] = (),
    ) -> list[Linked]:
        return self.ledger.linking(asset_ids, what, other, known)

    def held(
        self, asset_ids: Iterable[str], known: Mapping[int, dict[str, Any]]
    ) -> dict[str, Held]:
        return self.ledger.held(asset_ids, known)

    def replays(self, asset_ids: Iterable[str]) -> Iterator[tuple[str, Replay, int]]:
        return self.ledger.replays(asset_ids)

    def spoken_of(self) -> set[str]:
        return self.ledger.spoken_of()

    def notes(self, kind: str) -> tuple[int, dict[str, str]]:
        return self.ledger.notes(kind)

    def keep_notes(self, kind: str, until: int, made: Mapping[str, str]) -> None:
        self.ledger.keep_notes(kind, until, made)

    def outputs(self, public_key: str, spent: bool | None = None) -> list[dict[str, Any]]:
        return self.ledger.outputs(public_key, spent)

    def knows(self, public_key: str) -> bool:
        return bool(self.ledger.outputs(public_key))

    def once(self, asset_id: str, token: str) -> list[tuple[frozenset[str], str]]:
        return self.ledger.once(asset_id, token)

    def find_prefix(self, prefix: str, limit: int = 2) -> list[str]:
        return self.ledger.find_prefix(prefix, limit)

    def asset_ids(self) -> Iterator[str]:
        return self.ledger.asset_ids()

    def assets_with(self, name: str, value: str) -> list[str]:
        return self.ledger.assets_with(name, value)

    def search_assets(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        return self.ledger.search_assets(text, limit)

    def search(self, text: str, limit: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
        return self.ledger.search(text, limit)

    def search_metadata(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        return self.ledger.search_metadata(text, limit)
