"""Watch a twin: what is committed about it, in order, from any transaction on.

A transaction's id is the place from which a watch resumes, so nothing is kept for it anywhere. The
order is that of the blocks; inside a block the twin's own chain comes first, then what stands in
its streams and what others state, by their ids.
"""

from __future__ import annotations

import time
from heapq import merge
from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, NotFoundError, UnreachableError
from twincli.model import inline, manifest, record, times
from twincli.model.transaction import signers_of
from twincli.rules.authority import OWNER, Topic, topic_of
from twincli.services import resolve
from twincli.services.asset.document import claimed
from twincli.services.standing import Speakers
from twincli.services.stream import streams
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from twincli.ledger.reading import Entry
    from twincli.rules.authority import Verdict
    from twincli.services.documents import WatchItem
    from twincli.services.workspace import Workspace

    _State = tuple[str | None, ...]

LONGEST_WAIT = 30.0
"""Seconds between two tries to reach a node that is away."""

_TWIN = ""


class Watched(NamedTuple):
    """A chain that is watched.

    Attributes:
        asset_id: The asset.
        stream: The name of the stream that it is, or None.
        is_statement: Whether only its CREATE says something, which is about the twin.
    """

    asset_id: str
    stream: str | None = None
    is_statement: bool = False


class _Place(NamedTuple):
    """A place in the order of events; what is told comes after it."""

    height: int
    chain: str


class Watch:
    """What is told of a twin from a place on.

    Args:
        workspace: Rooms.
        ref: The twin.
        names: Only these streams; empty: everything.
        resume: The id of the transaction after which to begin; None: after the last one.

    Raises:
        NotFoundError: ``not_found``: the twin, a stream, or the transaction.
    """

    def __init__(
        self, workspace: Workspace, ref: str, names: Sequence[str] = (), resume: str | None = None
    ) -> None:
        self._workspace = workspace
        self._client = workspace.client
        self._twin_id = resolve.asset_id_of(workspace, ref)
        self._names = frozenset(names)
        for name in names:
            streams.find(workspace, ref, name)
        self._key_names = resolve.Names(workspace)
        self._chains: dict[str, Watched] = {}
        self._strange: set[str] = set()
        self._told: dict[str, str] = {}
        self._speakers: tuple[_State, Speakers] | None = None
        self._state: _State | None = None
        self._owners: dict[str, frozenset[str]] = {}
        self._look()
        lasts = self._lasts()
        last = max(lasts.values(), key=self._place) if resume is None else self._known(resume)
        self.started_after: str = last.tx["id"]
        self._begin = self._place(last)
        if resume is None:
            self._told = {asset_id: entry.tx["id"] for asset_id, entry in lasts.items()}
        else:
            for asset_id, entry in lasts.items():
                before = self._before(asset_id, entry, last)
                if before is not None:
                    self._told[asset_id] = before

    @property
    def twin_id(self) -> str:
        """The twin."""
        return self._twin_id

    def news(self) -> Iterator[WatchItem]:
        """Yield what was committed since, and was not yielded before."""
        self._client.refresh()
        self._look()
        lasts = self._lasts()
        changed = [
            entry for asset_id, entry in lasts.items() if self._told.get(asset_id) != entry.tx["id"]
        ]
        heights = [entry.height for entry in changed if entry.height is not None]
        if not heights:
            return
        # Whatever stands up to this height can be read now, wherever it stands; what comes later
        # might be seen here before something that was committed earlier.
        bound = max(heights)
        self._client.refresh()
        self._look()
        self._client.prepare(chain.asset_id for chain in self._chains.values())
        self._state = None
        told = [self._after(chain, bound) for chain in list(self._chains.values())]
        for _, _, _, chain, entry in merge(*told):
            self._told[chain.asset_id] = entry.tx["id"]
            self._note(chain, entry)
            if self._is_wanted(chain):
                yield self._item(chain, entry)

    def _is_wanted(self, chain: Watched) -> bool:
        return not self._names or chain.stream in self._names

    # --- Chains -----------------------------------------------------------------------------------

    def _look(self) -> None:
        """Note the twin's streams and what is about it."""
        client, twin_id = self._client, self._twin_id
        self._chains.setdefault(_TWIN, Watched(twin_id))
        for asset_id in client.assets_with("parent", twin_id):
            if asset_id not in self._chains and asset_id not in self._strange:
                name = _stream_of(client.required(asset_id).tx, twin_id)
                if name is None:
                    self._strange.add(asset_id)
                else:
                    self._chains[asset_id] = Watched(asset_id, name)
        for asset_id in client.assets_with("about", twin_id):
            if asset_id not in self._chains and asset_id not in self._strange:
                envelope = record.creating_envelope(client.required(asset_id).tx)
                if envelope.get("about") == twin_id:
                    self._chains[asset_id] = Watched(asset_id, is_statement=True)

    def _lasts(self) -> dict[str, Entry]:
        """Return the last transaction of each chain, as far as it can say something."""
        client = self._client
        client.prepare(chain.asset_id for chain in self._chains.values())
        found = {}
        for asset_id, is_statement in [(c.asset_id, c.is_statement) for c in self._chains.values()]:
            if is_statement and asset_id in self._told:
                continue
            last = client.required(asset_id) if is_statement else client.last(asset_id)
            if last is not None:
                found[asset_id] = last
        return found

    def _after(self, chain: Watched, bound: int) -> Iterator[tuple[int, str, int, Watched, Entry]]:
        """Yield what a chain has up to a height that was not told, with its place in the order."""
        told = self._told.get(chain.asset_id)
        if chain.is_statement and told is not None:
            return
        key = self._key(chain.asset_id)
        for number, entry in enumerate(self._client.entries(chain.asset_id, told)):
            height = entry.height
            if height is None or height > bound:
                return
            if _Place(height, key) >= self._begin:
                yield height, key, number, chain, entry
            if chain.is_statement:
                return

    def _known(self, ref: str) -> Entry:
        entry = self._client.entry(resolve.transaction_id_of(self._workspace, ref))
        if entry is None or entry.height is None:
            raise NotFoundError(
                f"--resume: there is no transaction {ref} on this ledger",
                hint="give the id that came with the last event, or one of twin history",
            )
        return entry

    def _before(self, asset_id: str, tip: Entry, begin: Entry) -> str | None:
        """Return a transaction of a chain up to which all was told, where one is quickly found.

        Args:
            asset_id: The chain.
            tip: Its last transaction.
            begin: The last one that was told, of any chain.
        """
        if asset_id == _asset_of(begin):
            return str(begin.tx["id"])
        if self._place(tip) < self._begin:
            return str(tip.tx["id"])
        found = None
        if begin.time_ms is not None:
            for part in self._client.stretches(asset_id):
                if part.last is None or part.ended_ms is None or part.ended_ms >= begin.time_ms:
                    break
                found = part.last
        return found

    def _place(self, entry: Entry) -> _Place:
        return _Place(entry.height or 0, self._key(_asset_of(entry)))

    def _key(self, asset_id: str) -> str:
        return _TWIN if asset_id == self._twin_id else asset_id

    # --- Events -----------------------------------------------------------------------------------

    def _item(self, chain: Watched, entry: Entry) -> WatchItem:
        tx = entry.tx
        is_create = tx["operation"] == "CREATE"
        envelope = (
            record.creating_envelope(tx) if is_create else record.envelope_of(tx["metadata"])
        ) or {}
        kind = record.text(envelope.get("kind"))
        if kind == record.STATEMENT:
            kind = record.text(envelope.get("says")) or kind
        body = envelope.get("body")
        readings, chunks, fault = _read(chain, kind, body)
        verdict = self._verdict(chain, entry, kind, body)
        return {
            "resume": tx["id"],
            "asset_id": chain.asset_id,
            "stream": chain.stream,
            "operation": tx["operation"],
            "kind": kind,
            "height": entry.height,
            "at": claimed(tx),
            "committed_at": times.told(entry.time_ms),
            "signers": signers_of(tx),
            "signer_names": self._key_names.of_keys(signers_of(tx)),
            "standing": None if kind == record.CERTIFICATE else verdict.standing,
            "via": verdict.via,
            "changes": record.without_envelope(tx["metadata"]) or {},
            "body": body if isinstance(body, dict) and not (readings or chunks) else None,
            "readings": readings,
            "chunks": chunks,
            "fault": fault,
        }

    def _verdict(self, chain: Watched, entry: Entry, kind: str | None, body: Any) -> Verdict:
        if chain.asset_id == self._twin_id:
            return OWNER
        if chain.is_statement:
            topic = topic_of(kind or "", body if isinstance(body, dict) else {})
        elif entry.tx["operation"] == "CREATE":
            topic = Topic(record.STREAM, stream=chain.stream)
        else:
            topic = Topic(kind or record.APPEND, stream=chain.stream)
        return self._able().of(self._twin_id, entry, topic)

    def _note(self, chain: Watched, entry: Entry) -> None:
        """Note who holds a stream; who may speak is read again when that has changed."""
        owners = frozenset(output["condition"]["uri"] for output in entry.tx["outputs"])
        if self._owners.setdefault(chain.asset_id, owners) != owners:
            self._owners[chain.asset_id] = owners
            self._speakers = None

    def _able(self) -> Speakers:
        """Return who may speak; read again only when that may have changed."""
        if self._state is None:
            known = map(self._client.last, (self._twin_id, *sorted(self._strange)))
            self._state = (
                *(None if last is None else str(last.tx["id"]) for last in known),
                *self._chains,
            )
        if self._speakers is None or self._speakers[0] != self._state:
            self._speakers = self._state, Speakers(self._client)
        return self._speakers[1]


def _asset_of(entry: Entry) -> str:
    tx = entry.tx
    return str(tx["id"] if tx["operation"] == "CREATE" else tx["asset"]["id"])


def _stream_of(create: dict[str, Any], twin_id: str) -> str | None:
    """Return the name of the stream of a twin that a CREATE makes, or None."""
    envelope = record.creating_envelope(create)
    name = envelope.get("name")
    if envelope.get("kind") != record.STREAM or envelope.get("parent") != twin_id:
        return None
    try:
        return streams.check_name(name if isinstance(name, str) else "")
    except InvalidError:
        return None


def _read(
    chain: Watched, kind: str | None, body: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str | None]:
    """Return the readings or the chunks of a stream's record, or why it has none."""
    if chain.stream is None or kind not in streams.KINDS:
        return [], [], None
    try:
        if kind == streams.READING:
            inline.read(body)
            return body["readings"], [], None
        if manifest.read(body).stream != chain.stream:
            return [], [], f"it names another stream, {manifest.read(body).stream}"
    except InvalidError as error:
        return [], [], error.message
    return [], body["chunks"], None


def follow(
    watch: Watch,
    every: float,
    seconds: float | None = None,
    complain: Callable[[UnreachableError], None] = lambda _: None,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[WatchItem]:
    """Yield what happens, as it is committed.

    Args:
        watch: What is watched.
        every: Seconds between two looks.
        seconds: End after this time; None: never.
        complain: Called once when a node cannot be reached; it is tried again.
        sleep: Waits.
        clock: Seconds.

    Raises:
        UnreachableError: The time is over, and the node still cannot be reached.
    """
    end = None if seconds is None else clock() + seconds
    wait, away = every, None
    while True:
        begun = clock()
        try:
            yield from watch.news()
            # However many streams strangers make for a twin, this takes half of the time at most.
            wait, away = max(every, clock() - begun), None
        except UnreachableError as error:
            if away is None:
                complain(error)
            wait, away = min(2 * wait, LONGEST_WAIT), error
        left = None if end is None else end - clock()
        if left is not None and left <= 0:
            if away is not None:
                raise away
            return
        sleep(wait if left is None else min(wait, left))
