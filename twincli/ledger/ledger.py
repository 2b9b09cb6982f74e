"""The ledger: one write path, BigchainDB's verdicts, reads by the same code everywhere.

``apply_block`` is deterministic: no clock, no randomness, no names. ``submit`` and its relatives
are a local sequencer over it, so that a consensus engine can drive the same room later.
"""

from __future__ import annotations

import os

from twincli.crypto import ed25519, merkle
from twincli.errors import ConfigError, ConflictError, InvalidError
from twincli.ledger import lost, mark
from twincli.ledger.block import Applying, uncollected
from twincli.ledger.checking import check_all, raise_first
from twincli.ledger.files import locate, make_directory, write_key
from twincli.ledger.meta import Meta
from twincli.ledger.reading import Reader, now_ms
from twincli.ledger.rows import Block
from twincli.ledger.store import Store
from twincli.rules import validity
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.audit import Report
    from twincli.ledger.files import Files
    from twincli.ledger.rows import PrimaryId
    from twincli.ledger.state import Stretch
    from twincli.ledger.together import Together
    from twincli.model import expression
    from twincli.rules.replay import Replay
    from twincli.rules.structure import Checked


class _Noted(NamedTuple):
    """How far a ledger came, and the file that says so."""

    ledger_id: str
    seq: int
    tx_id: str
    path: str


Verdict = int | InvalidError
"""A height, or why not."""

_NONE: Mapping[int, PrimaryId] = {}


class Ledger(Reader):
    """A BigchainDB ledger in a file. Open one with ``Ledger.open``; it is a context manager.

    One object belongs to one thread at a time; any number of processes may use the same file. How
    to read it is told by ``Reader``.
    """

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        profile: str = validity.STRICT,
        read_only: bool = False,
        durable: bool = True,
        replace_lost: bool = False,
        clock: Callable[[], int] = now_ms,
    ) -> Ledger:
        """Open a ledger.

        Args:
            path: A directory (holding ``ledger.db``), a file, or ``:memory:``.
            create: Make it when it is not there.
            profile: The rules of a new ledger; an old one keeps its own.
            read_only: Write nothing, not even the derived index beside the file. Where its log is
                not empty, file and log are copied to a private place. What other processes write
                from then on is not seen.
            durable: False: a power loss may take the last commits, for copies of other ledgers.
            replace_lost: Begin another even if what is left shows that one was lost.
            clock: Milliseconds since the epoch.

        Raises:
            NotFoundError: ``no_ledger``: not there, and ``create`` is false.
            ConfigError: ``foreign_file``, ``newer_schema``, ``damaged_ledger``, ``read_only``,
                ``disk_full``; ``lost_ledger``: the file is missing, and what is left of the ledger
                shows that there was one.
        """
        if profile not in validity.PROFILES:
            raise ConfigError(f"there is no rules profile {profile!r}", code="unknown_profile")
        files = locate(os.fspath(path))
        if not replace_lost:
            lost.check(files)
        if create and files.ledger_db != ":memory:":
            make_directory(os.path.dirname(os.path.abspath(files.ledger_db)))

        begun: list[str] = []

        def begin() -> tuple[dict[str, Any], Block, bytes]:
            key = ed25519.KeyPair.from_seed(os.urandom(32))
            if files.key:
                write_key(files.key, key, named=False)
                begun.append(files.key)
            mark.remove(files.mark)
            now = clock()
            tree = merkle.CompactRange()
            meta = Meta(os.urandom(32).hex(), now, profile, key.public_key, (), now)
            return meta.rows(key), Block(0, now, 0, b"", tree.root()), tree.to_bytes()

        # First: what is committed from now on may be behind it.
        noted = _noted(files, write_nothing=read_only) if durable else None
        try:
            store = Store(
                files.ledger_db,
                create=begin if create and not read_only else None,
                read_only=read_only,
                durable=durable,
            )
        except BaseException:
            if begun and not os.path.exists(files.ledger_db):
                os.unlink(begun[0])  # alone it would stand for a ledger that was lost
            raise
        try:
            ledger = cls(store, files.index_db, clock)
            if noted is not None and noted.ledger_id == ledger.id:  # else it was replaced
                store.require(noted.seq, noted.tx_id, noted.path)
        except BaseException:
            store.close()
            raise
        return ledger

    def checkpoint(self) -> None:
        """Move the write-ahead log into ``ledger.db``, which alone is then the whole ledger."""
        self.store.checkpoint()

    def close(self) -> None:
        """Close the files; a short write-ahead log stays."""
        self.close_index()
        self.store.close()

    def close_index(self) -> None:
        """Close the index alone, where the store is somebody else's."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def replay(
        self, asset_id: str, as_of_ms: int | None = None, most: int | None = None
    ) -> Replay | None:
        """Return the state of an asset, or None when there is none of that id.

        Args:
            asset_id: Id of the CREATE.
            as_of_ms: Only what was committed up to then, milliseconds since the epoch.
            most: None, too, where more characters of transactions would have to be read.
        """
        from twincli.ledger import state

        return state.replay(self, asset_id, as_of_ms, most)

    def replay_then(self, asset_id: str, tx_id: str | None) -> Replay | None:
        """Return the state of an asset when a transaction was its last; None for an unknown one.

        Args:
            asset_id: Id of the CREATE.
            tx_id: Later ones do not count, not even as corrections; None: none counts.
        """
        from twincli.ledger import state

        return state.replay_then(self, asset_id, tx_id)

    def replay_to(self, asset_id: str, tx_id: str | None) -> Replay:
        """Return the state of an asset up to a transaction, with the corrections known now.

        Args:
            asset_id: Id of the CREATE.
            tx_id: The last transaction to take; None for none.
        """
        from twincli.ledger import state

        return state.replay_to(self, asset_id, tx_id)

    def stretches(self, asset_id: str) -> list[Stretch]:
        """Return the history of an asset in parts, for those who need not read all of it."""
        from twincli.ledger import state

        return state.stretches(self, asset_id)

    def replays(self, asset_ids: Iterable[str]) -> Iterator[tuple[str, Replay, int]]:
        """Yield the states of assets, and when each was made, in commit order; see ``state``."""
        from twincli.ledger import state

        return state.replays_of(self, asset_ids)

    def notes(self, kind: str) -> tuple[int, dict[str, str]]:
        """Return what was noted about assets and holds; see ``notes``."""
        from twincli.ledger import notes

        return notes.notes(self, kind)

    def keep_notes(self, kind: str, until: int, made: Mapping[str, str]) -> None:
        """Keep notes about assets; see ``notes``."""
        from twincli.ledger import notes

        notes.keep(self, kind, until, made)

    def find(
        self,
        node: expression.Node,
        *,
        after: str | None = None,
        template_cid: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[str]:
        """Yield the ids of assets for which an expression holds, in commit order.

        It is asked of their facts with their state over them; what is yielded was read from the
        ledger, whatever the index says.

        Args:
            node: From ``expression.parse``, without quantities.
            after: Begin behind this asset.
            template_cid: Only assets held to this template; empty: only those held to none.
            progress: Called while assets are indexed, with how many are and how many there are.
        """
        from twincli.ledger import find

        start = self._start(after)
        found = find.find(self, node, after=start, template_cid=template_cid, progress=progress)
        return map(self.id_at, found)

    def examined(
        self,
        node: expression.Node,
        *,
        after: str | None = None,
        template_cid: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[tuple[str, bool]]:
        """Yield what ``find`` looks at, and whether it is found.

        For those who may not look for as long as it takes: an asset can be continued from.
        """
        from twincli.ledger import find

        start = self._start(after)
        found = find.examined(self, node, after=start, template_cid=template_cid, progress=progress)
        return ((self.id_at(asset), holds) for asset, holds in found)

    def holding(
        self, asset_ids: Iterable[str], node: expression.Node, template_cid: str | None = None
    ) -> Iterator[str]:
        """Yield those of some assets that ``find`` would find."""
        from twincli.ledger import find

        return find.holding(self, asset_ids, node, template_cid)

    def identified(self, identifier: str) -> list[str]:
        """Return the twins that were given a primary identifier here, whatever their template.

        Args:
            identifier: From ``fields.identifier``.
        """
        return [self.id_at(seq) for seq in self.store.identified(identifier)]

    def pinned(
        self, limit: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[tuple[str, str, str]]:
        """Return id and CID of every template that assets are held to, and the first such asset.

        Args:
            limit: Return at most N.
            progress: See ``find``.
        """
        from twincli.ledger import find

        found = find.pinned(self, limit, progress)
        return [(name, cid, self.id_at(asset)) for name, cid, asset in found]

    # --- Writing --------------------------------------------------------------------------------

    def submit(self, tx: dict[str, Any], identity: PrimaryId | None = None) -> int:
        """Commit one transaction in a block of its own; return the height.

        Args:
            tx: As on the wire.
            identity: What the twin that a CREATE makes, or a TRANSFER moves to another template,
                has to itself on this ledger.

        Raises:
            InvalidError: It breaks a rule.
            ConflictError: ``duplicate_twin``: another twin has that identity.
            ConfigError: The file cannot be written; nothing was committed.
        """
        return self.submit_many([tx], [] if identity is None else [(0, identity)])

    def submit_many(
        self, txs: Iterable[dict[str, Any]], identities: Sequence[tuple[int, PrimaryId]] = ()
    ) -> int:
        """Commit transactions in one block, all or none; return the height.

        Later ones may spend outputs of earlier ones. Without any there is no new block.

        Args:
            txs: As on the wire.
            identities: By their place in ``txs``; see ``submit``.

        Raises:
            ConflictError: ``duplicate_twin``.
            InvalidError: The first that breaks a rule; its message says which one it is.
        """
        with uncollected():
            checked = check_all(txs)
            if not checked:
                return self.store.tip().height
            raise_first(checked)
            with self.store.writing():
                state, verdicts = self._judged(*self.next_block(), checked)
                raise_first(verdicts)
                self._identify(state, identities)
                state.write()
            state.remember()
        return state.height

    def submit_each(
        self,
        txs: Iterable[dict[str, Any] | Checked],
        identities: Sequence[tuple[int, PrimaryId]] = (),
    ) -> list[Verdict]:
        """Commit what is valid in one block; return a height or an ``InvalidError`` for each.

        What ``validity.check_structure`` has taken already is not checked for its form again.

        Args:
            txs: As on the wire.
            identities: By their place in ``txs``; see ``submit``. A second twin gets an
                ``InvalidError`` with the code ``duplicate_twin``.
        """
        with uncollected():
            checked = check_all(txs)
            with self.store.writing():
                state, verdicts = self._judged(*self.next_block(), checked, dict(identities))
                if state.batch.txs:
                    state.write()
            state.remember()
        return verdicts

    def judge_each(self, txs: Iterable[dict[str, Any]]) -> list[Verdict]:
        """Return what ``submit_each`` would, and write nothing."""
        return self._judged(*self.next_block(), check_all(txs))[1]

    def apply_block(
        self, height: int, time_ms: int, txs: Iterable[dict[str, Any] | Checked]
    ) -> list[Verdict]:
        """Commit a block that somebody else ordered.

        The same blocks give the same verdicts, hashes and tree on every machine.

        Args:
            height: One above the tip.
            time_ms: Milliseconds since the epoch, not below the tip's.
            txs: In order; those that break a rule are left out.

        Returns:
            For each transaction its height or an ``InvalidError``.

        Raises:
            ConflictError: ``height_mismatch``, ``time_decreased``.
        """
        return self.apply_blocks(height, [(time_ms, txs)])[0]

    def apply_blocks(
        self, height: int, blocks: Iterable[tuple[int, Iterable[dict[str, Any] | Checked]]]
    ) -> list[list[Verdict]]:
        """Commit blocks that somebody else ordered, all or none; see ``apply_block``.

        Args:
            height: Of the first one.
            blocks: The time of each, and its transactions.
        """
        verdicts: list[list[Verdict]] = []
        with uncollected():
            todo = [(time_ms, check_all(txs)) for time_ms, txs in blocks]
            if not todo:
                return verdicts
            with self.store.writing():
                tip = self.store.tip()
                if height != tip.height + 1:
                    raise ConflictError(
                        f"block {height} does not follow block {tip.height}",
                        code="height_mismatch",
                    )
                state = Applying(self, tip, tip.time_ms)
                for time_ms, items in todo:
                    if time_ms < state.time_ms:
                        raise ConflictError(
                            f"the block's time {time_ms} is before the tip's {state.time_ms}",
                            code="time_decreased",
                        )
                    if verdicts:
                        state.close()
                        state.go_on()
                    state.time_ms = time_ms
                    verdicts.append(self._taken(state, items))
                state.write()
            state.remember()
        return verdicts

    def append_many(
        self,
        signer: Signer,
        asset_id: str,
        metadatas: Iterable[dict[str, Any] | None],
        *,
        commit_every: int = 10_000,
    ) -> list[str]:
        """Append to one asset, one self-TRANSFER for each of ``metadatas``; return their ids.

        Builds the canonical text directly, signs and stores. Only the Ed25519 check of signatures
        that a key in memory has just made is skipped; every other rule runs.

        Args:
            signer: The only owner of the asset's one unspent output.
            asset_id: Id of the CREATE.
            metadatas: What each append records.
            commit_every: How many share a durable commit (and a block).

        Raises:
            NotFoundError: There is no such asset.
            ConflictError: ``several_outputs``.
            InvalidError: A rule is broken; whole commits before it stay.
        """
        from twincli.ledger import bulk

        appends = (bulk.Append(asset_id, metadata) for metadata in metadatas)
        return bulk.append_each(self, signer, appends, commit_every)

    def together(self, *, keep: bool = True) -> Together:
        """Return a context in which all that is submitted is one durable commit.

        Args:
            keep: False: all of it is undone at the end.
        """
        from twincli.ledger.together import Together

        return Together(self, keep=keep)

    def claim(self, identities: Iterable[tuple[str, PrimaryId]]) -> dict[str, str]:
        """Let twins that came from another ledger have what they have to themselves.

        Args:
            identities: The id of each twin, and its identity.

        Returns:
            For those whose identity another twin has already, that one.
        """
        held: dict[str, str] = {}
        if self.schema_version == 1:  # which keeps none
            return held
        with self.store.writing():
            for asset_id, identity in identities:
                asset, found = self.seq(asset_id), self.store.primary_id(identity)
                if found is None and asset is not None:
                    self.store.keep_primary_id(identity, asset)
                elif found is not None and found != asset:
                    held[asset_id] = self.id_at(found)
        return held

    def _identify(self, state: Applying, identities: Sequence[tuple[int, PrimaryId]]) -> None:
        """Record what twins have to themselves, while no other process writes."""
        held: dict[PrimaryId, str] = {}
        for place, identity in identities:
            seq, raw, asset = state.batch.txs[place][:3]
            found = self.store.primary_id(identity)
            if found == asset:
                continue  # moved within the family: it has it already
            other = held.get(identity) if found is None else self.id_at(found)
            if other is not None:
                raise _duplicate(identity, other)
            held[identity] = raw.hex()
            if seq != asset:
                state.batch.moved.append(asset)
            state.batch.primary.append((*identity, asset))

    def _check_free(self, state: Applying, identity: PrimaryId, item: Checked) -> None:
        """Refuse a second twin in a block of which the rest is to be committed."""
        found = self.store.primary_id(identity)
        for row in state.batch.primary:
            if row[:3] == identity:
                found = row[3]
        if found is None:
            return
        last = state.tip.last_seq
        other = self.id_at(found) if found <= last else state.batch.txs[found - last - 1][1].hex()
        if other != item.asset_id:  # else it moves within its family
            error = _duplicate(identity, other)
            raise InvalidError(error.message, code=error.code, hint=error.hint)

    def _judged(
        self,
        tip: Block,
        time_ms: int,
        items: Sequence[Checked | InvalidError],
        identities: Mapping[int, PrimaryId] = _NONE,
    ) -> tuple[Applying, list[Verdict]]:
        """Judge what is to be the block after ``tip``; write nothing."""
        state = Applying(self, tip, time_ms)
        return state, self._taken(state, items, identities)

    def _taken(
        self,
        state: Applying,
        items: Sequence[Checked | InvalidError],
        identities: Mapping[int, PrimaryId] = _NONE,
    ) -> list[Verdict]:
        """Judge transactions and put those that are valid into a block."""
        verdicts: list[Verdict] = []
        for place, item in enumerate(items):
            if isinstance(item, InvalidError):
                verdicts.append(item)
                continue
            identity = identities.get(place)
            try:
                validity.judge(item, state, self.profile)
                if identity is not None:
                    self._check_free(state, identity, item)
            except InvalidError as error:
                verdicts.append(error)
            else:
                state.add(item)
                if identity is not None:
                    self._identify(state, [(len(state.batch.txs) - 1, identity)])
                verdicts.append(state.height)
        return verdicts

    def renew_key(self) -> None:
        """Give this copy of the ledger a key of its own, for copies that go on by themselves.

        Two copies that signed with one key could not be told apart. The id stays, and so do all
        transactions; the key that was recorded before becomes the last of ``former_keys``, so that
        what it signed can still be checked.

        Raises:
            ConfigError: ``read_only``, ``disk_full``.
        """
        key = ed25519.KeyPair.from_seed(os.urandom(32))
        files = locate(self.path)
        former = [*self.former_keys, self.public_key]
        first = self.store.block(0)
        assert first is not None
        meta = Meta(
            self.id, self.created_ms, self.profile, key.public_key, tuple(former), first.time_ms
        )
        with self.store.writing():
            if files.key:
                write_key(files.key, key)
            self.store.set_meta(meta.rows(key))
        self.public_key, self.former_keys = key.public_key, former

    def verify(
        self,
        asset_id: str | None = None,
        *,
        workers: int = 0,
        progress: Callable[[int, int], None] | None = None,
        trusted: int = 0,
    ) -> Report:
        """Check again every id, signature, link and (for the whole ledger) block.

        Args:
            asset_id: Only this asset; None for all, the chain of blocks and the tree included.
            workers: Processes; 0 for one a core.
            progress: Called now and then with how much is done, and how much there is.
            trusted: Of the whole ledger: how many of the first transactions somebody trusted has
                checked; only their ids are computed again.
        """
        from twincli.ledger import audit

        return audit.verify(self, asset_id, workers, progress, trusted)

    def verify_blocks(self) -> Report:
        """Check the chain of blocks and the tree over all ids; no transaction is looked into."""
        from twincli.ledger import audit

        return audit.verify_blocks(self)

    def verify_last(self, count: int) -> Report:
        """Check the last ``count`` transactions again; what came before is taken as committed."""
        from twincli.ledger import audit

        return audit.verify_last(self, count)

    def verify_index(self) -> list[tuple[str, str, str]] | None:
        """Derive again what the index holds, and compare.

        Returns:
            Findings as in ``audit.Report``, with the code ``damaged_index``; None where there is no
            index in a file. What it has not taken in yet, and heights of ``place``, are left out.
        """
        from twincli.ledger import derived

        if self.plain_index.path == ":memory:":
            return None
        return derived.differences(self)

    def view(self, tx_id: str) -> validity.View:
        """Return the ledger as a transaction meets it: as it was before one that is committed."""
        from twincli.ledger import audit

        return audit.past(self, tx_id)


def _noted(files: Files, *, write_nothing: bool) -> _Noted | None:
    """Return how far a ledger came by what lies beside it: its mark, or else its index."""
    noted = mark.read(files.mark)
    if noted is not None:
        return _Noted(noted.ledger_id, noted.seq, noted.tx_id, files.mark)
    indexed = lost.mark(files.index_db, write_nothing=write_nothing)
    if indexed is None or not indexed.seq:
        return None
    return _Noted(*indexed, files.index_db)


def _duplicate(identity: PrimaryId, other: str) -> ConflictError:
    return ConflictError(
        f"{identity.family} already has a twin {identity.identifier!r}: {other}",
        code="duplicate_twin",
        hint=f"twin asset show {other}",
    )
