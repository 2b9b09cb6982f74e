"""The body of an anchor: the chunks of one batch of readings, under one signature.

``{"stream": NAME, "epoch": ..., "chunks": [{"cid", "size", "count", "from", "to"}], "prev": ID}``:
``from`` and ``to`` are the times of the first and the last reading, ``prev`` the anchor before, or
null. Names of series stand in the chunks only.
"""

from __future__ import annotations

from twincli.crypto import cid as cids
from twincli.errors import InvalidError, shown
from twincli.model import ids, times
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CHUNKS = 1000
MAX_ROWS = 65_536
MAX_BYTES = 1 << 26
"""The largest chunk: 64 MiB."""
MAX_NAME = 200
MAX_EPOCHS = 100_000

_MEMBERS = {"stream", "chunks", "prev"}
_OF_A_CHUNK = {"cid", "size", "count", "from", "to"}


class Entry(NamedTuple):
    """One chunk.

    Attributes:
        cid: Its CID.
        size: Bytes of the file.
        rows: Readings in it.
        first_us, last_us: The times of the first and the last one.
    """

    cid: str
    size: int
    rows: int
    first_us: int
    last_us: int


class Manifest(NamedTuple):
    """The chunks of one batch.

    Attributes:
        stream: The stream's name.
        chunks: At least one.
        prev: The id of the anchor before this one, or None.
        epoch: The number of the epoch to which they are encrypted, or None: they are not.
    """

    stream: str
    chunks: tuple[Entry, ...]
    prev: str | None = None
    epoch: int | None = None


def batches(entries: Sequence[Entry]) -> list[tuple[Entry, ...]]:
    """Return chunks in parts that one anchor takes each."""
    return [
        tuple(entries[begin : begin + MAX_CHUNKS]) for begin in range(0, len(entries), MAX_CHUNKS)
    ]


def body(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as it is signed.

    Raises:
        InvalidError: See `read`.
    """
    made: dict[str, Any] = {"stream": manifest.stream}
    if manifest.epoch is not None:
        made["epoch"] = manifest.epoch
    made["chunks"] = [
        {
            "cid": entry.cid,
            "size": entry.size,
            "count": entry.rows,
            "from": times.microseconds_text(entry.first_us, 6),
            "to": times.microseconds_text(entry.last_us, 6),
        }
        for entry in manifest.chunks
    ]
    made["prev"] = manifest.prev
    read(made)
    return made


def read(value: Any) -> Manifest:
    """Return the manifest that somebody signed.

    Raises:
        InvalidError: ``invalid_manifest``.
    """
    if not isinstance(value, dict) or value.keys() - {"epoch"} != _MEMBERS:
        raise _wrong("it has other members than stream, epoch, chunks and prev")
    stream, chunks, prev = value["stream"], value["chunks"], value["prev"]
    epoch = value.get("epoch")
    if not isinstance(stream, str) or not 0 < len(stream) <= MAX_NAME or "." in stream:
        raise _wrong(f"stream: {shown(stream)} is not a name of a stream")
    if "epoch" in value and (type(epoch) is not int or not 0 <= epoch < MAX_EPOCHS):
        raise _wrong(f"epoch: {shown(epoch)} is not the number of one")
    if prev is not None and not (isinstance(prev, str) and ids.is_id(prev)):
        raise _wrong(f"prev: {shown(prev)} is not the id of a transaction")
    if not isinstance(chunks, list) or not 0 < len(chunks) <= MAX_CHUNKS:
        raise _wrong(f"it has 1 to {MAX_CHUNKS} chunks")
    entries = tuple(_entry(item, at) for at, item in enumerate(chunks))
    if len({entry.cid for entry in entries}) < len(entries):
        raise _wrong("it names a chunk twice")
    return Manifest(stream, entries, prev, epoch)


def _entry(value: Any, at: int) -> Entry:
    where = f"chunks[{at}]"
    if not isinstance(value, dict) or value.keys() != _OF_A_CHUNK:
        raise _wrong(f"{where} has other members than cid, size, count, from and to")
    cid = value["cid"]
    try:
        cids.parse(cid if isinstance(cid, str) else "")
    except InvalidError:
        raise _wrong(f"{where}.cid: {shown(cid)} is not a CID") from None
    for name, most in (("size", MAX_BYTES), ("count", MAX_ROWS)):
        number = value[name]
        if type(number) is not int or not 0 < number <= most:
            raise _wrong(f"{where}.{name}: {shown(number)} is not a number from 1 to {most}")
    first, last = (_time(value[name], f"{where}.{name}") for name in ("from", "to"))
    if first > last:
        raise _wrong(f"{where} ends before it begins")
    return Entry(cid, value["size"], value["count"], first, last)


def _time(value: Any, where: str) -> int:
    if isinstance(value, str):
        try:
            time_us = times.to_microseconds(value)
        except InvalidError:
            time_us = None
        # One form only: what reads the same is the same.
        if time_us is not None and times.microseconds_text(time_us, 6) == value:
            return time_us
    raise _wrong(f"{where}: {shown(value)} is not a time with six digits")


def _wrong(why: str) -> InvalidError:
    return InvalidError(f"the list of chunks is malformed: {why}", code="invalid_manifest")
