"""The bundle of a twin: its transactions, their proofs and its content in one file.

A bundle is a ZIP of which every byte follows from its entries: nothing is compressed, names are
sorted, dates are the same, and there is nothing between, before or behind. So a reader makes
headers and directory from the manifest and compares; ZIP's many ways to say two things at once
are all the same mistake. ``manifest.json`` comes first and names every other entry with its size
and SHA-256. Nothing is ever unpacked under a name that a bundle states.

Anybody can write one. What an entry claims is found out by who judges the transactions; here is
only the form.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any

from twincli.crypto import base58, canonical, cid
from twincli.errors import ConfigError, ConflictError, InvalidError, cut, shown
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

SCHEMA = "twin.bundle/1"
MANIFEST = "manifest.json"
TRANSACTIONS = "transactions.jsonl"
PROOFS = "proofs.jsonl"
CHECKPOINT = "checkpoint"
PAGE = "index.html"
CONTENT = "content/"

MAX_ENTRIES = 65_534
"""With one more, ZIP needs its second form, which some readers take for another file."""
MAX_BYTES = 0xFFFF_FFFE
MAX_MANIFEST = 1 << 24
MAX_CHECKPOINT = 1 << 16
MAX_PAGE = 1 << 23
MAX_LEFT_OUT = 100_000
MAX_NAME = 200
MAX_LINE = 1 << 25
"""Bytes of a transaction."""

LEFT_OUT = ("stream", "file", "missing")
"""Why content is not in a bundle: readings or a file that were left out, or were not there."""

_PIECE = 1 << 20
_STRETCH = 500
_MAX_PROOF = 5000
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION = 20
_DATE = 0x0021  # 1980-01-01
_HEX = re.compile("[0-9a-f]{64}")
_NUMBER = b"(0|[1-9][0-9]{0,14})"
_PROOF_HEAD = re.compile(b'\\{"height":%s,"index":%s,"path":\\[' % (_NUMBER, _NUMBER))
_PROOF_TAIL = re.compile(b'\\],"time_ms":%s\\}\\Z' % _NUMBER)
_MAX_TAIL = len('],"time_ms":}') + 15
_MAX_PATH = 63
_WRITTEN = 67
"""Bytes of a hash in quotes, with a comma."""
_LOW = (2, 4, 8)


class LeftOut(NamedTuple):
    """Content that transactions commit to and that is not in the bundle.

    Attributes:
        what: One of `LEFT_OUT`.
        stream: Name of the stream whose readings these are, None for a file.
        cid: Of the file, None for readings.
        since: Beginning of the readings that were left out, as it was asked for, or None.
        until: Their end.
        number: How many files or chunks.
    """

    what: str
    stream: str | None = None
    cid: str | None = None
    since: str | None = None
    until: str | None = None
    number: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the member of the manifest."""
        members = {
            "what": self.what,
            "stream": self.stream,
            "cid": self.cid,
            "from": self.since,
            "to": self.until,
            "count": self.number,
        }
        return {name: value for name, value in members.items() if value is not None}


class Listed(NamedTuple):
    """What the manifest says of an entry.

    Attributes:
        size: Bytes.
        sha256: Hex.
    """

    size: int
    sha256: str


class Manifest(NamedTuple):
    """What a bundle says it is.

    Attributes:
        asset_id: The twin.
        name: What the twin is called, or None.
        ledger_id: 64 hex digits.
        public_key: Of the ledger, base58, as the bundle claims.
        profile: Of the ledger's rules.
        size: Leaves of the tree that the checkpoint and the proofs are of.
        root: Its root, hex.
        entries: What is in the bundle beside the manifest, by name.
        left_out: What is not.
    """

    asset_id: str
    name: str | None
    ledger_id: str
    public_key: str
    profile: str
    size: int
    root: str
    entries: dict[str, Listed]
    left_out: tuple[LeftOut, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the entry ``manifest.json``."""
        return canonical.encode(
            {
                "schema": SCHEMA,
                "twin": {"asset_id": self.asset_id, "name": self.name},
                "ledger": {
                    "id": self.ledger_id,
                    "public_key": self.public_key,
                    "profile": self.profile,
                },
                "checkpoint": {"size": self.size, "root": self.root},
                "entries": {name: entry._asdict() for name, entry in self.entries.items()},
                "left_out": [item.to_dict() for item in self.left_out],
            }
        )


class Place(NamedTuple):
    """Where an entry is.

    Attributes:
        start: Offset of its first byte.
        size: Bytes.
        sha256: As the manifest has it.
        crc: As its header has it.
    """

    start: int
    size: int
    sha256: str
    crc: int


class Line(NamedTuple):
    """A transaction and its place on the ledger, as a bundle states them.

    Attributes:
        position: Of its leaf, from 0.
        height: Of its block.
        time_ms: Of its block.
        path: The hashes that lead from the leaf to the root, the lowest first, 32 bytes each.
        body: The transaction's text.
    """

    position: int
    height: int
    time_ms: int
    path: bytes
    body: bytes

    def proof(self) -> bytes:
        """Return the line of ``proofs.jsonl``, with its end."""
        parts = _written(self.path) if self.path else b""
        return b'{"height":%d,"index":%d,"path":[%s],"time_ms":%d}\n' % (
            self.height,
            self.position,
            parts,
            self.time_ms,
        )


class Stretch(NamedTuple):
    """Some of the lines.

    Attributes:
        first: The number of the first one, from 1.
        number: How many.
        at: Where they begin in ``transactions.jsonl``.
        size: Bytes there.
        proofs_at: Where they begin in ``proofs.jsonl``.
        proofs_size: Bytes there.
    """

    first: int
    number: int
    at: int
    size: int
    proofs_at: int
    proofs_size: int


# --- Writing -------------------------------------------------------------------------------------


class Part(NamedTuple):
    """An entry that is to be written.

    Attributes:
        name: Its name.
        open: Opens it for reading; called twice.
    """

    name: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def write(
    about: Manifest,
    parts: Sequence[Part],
    put: Callable[[bytes], object],
    progress: Callable[[int], object] | None = None,
) -> Manifest:
    """Write a bundle; return its manifest.

    Args:
        about: What it is; its ``entries`` are made from the parts.
        parts: What is in it, in any order.
        put: Takes the next bytes.
        progress: Called with the size of each piece that was read; each part is read twice.

    Raises:
        InvalidError: ``bundle_too_large``.
    """
    parts = sorted(parts, key=lambda part: part.name.encode())
    told = progress or _nothing
    listed: dict[str, Listed] = {}
    sums: dict[str, int] = {}
    total = 0
    for part in parts:
        digest, size, crc = sha256(), 0, 0
        for piece in _pieces(part):
            digest.update(piece)
            crc = zlib.crc32(piece, crc)
            size += len(piece)
            told(len(piece))
        listed[part.name] = Listed(size, digest.hexdigest())
        sums[part.name] = crc
        total += size + len(_local(part.name, size, crc)) + len(_central(part.name, size, crc, 0))
    about = about._replace(entries=listed)
    manifest = about.to_bytes()
    if (
        len(parts) > MAX_ENTRIES - 1
        or total + len(manifest) > MAX_BYTES - 1000
        or len(manifest) > MAX_MANIFEST
        or len(about.left_out) > MAX_LEFT_OUT
    ):
        raise too_large()
    tail = _Tail()
    put(tail.entry(MANIFEST, len(manifest), zlib.crc32(manifest)))
    put(manifest)
    for part in parts:
        entry = listed[part.name]
        put(tail.entry(part.name, entry.size, sums[part.name]))
        left = entry.size
        for piece in _pieces(part):
            left -= len(piece)
            put(piece)
            told(len(piece))
        if left:  # pragma: no cover - the file grew or shrank while it was read
            raise ConflictError(f"{part.name} changed while it was read", code="changed")
    for piece in tail.pieces():
        put(piece)
    return about


def too_large() -> InvalidError:
    """Return the error for a bundle beyond ZIP's first form, which every reader understands."""
    return InvalidError(
        f"the bundle would have more than 4 GiB or more than {MAX_ENTRIES} entries",
        code="bundle_too_large",
        hint="leave some of it out: --since, --until, --streams, --files",
    )


def _nothing(_: int) -> None:
    pass


def _pieces(part: Part) -> Iterator[bytes]:
    with part.open() as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _local(name: str, size: int, crc: int) -> bytes:
    named = name.encode()
    return (
        _LOCAL.pack(b"PK\x03\x04", _VERSION, 0, 0, 0, _DATE, crc, size, size, len(named), 0) + named
    )


def _central(name: str, size: int, crc: int, start: int) -> bytes:
    named = name.encode()
    head = (_VERSION, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(named), 0, 0, 0, 0, 0, start)
    return _CENTRAL.pack(b"PK\x01\x02", *head) + named


class _Tail:
    """The directory at the end of a ZIP, made from the entries as they come."""

    def __init__(self) -> None:
        self.offset = 0
        self._directory: list[bytes] = []

    def entry(self, name: str, size: int, crc: int) -> bytes:
        """Take the next entry; return its header."""
        self._directory.append(_central(name, size, crc, self.offset))
        header = _local(name, size, crc)
        self.offset += len(header) + size
        return header

    def pieces(self) -> Iterator[bytes]:
        """Yield the directory and the end."""
        size = sum(map(len, self._directory))
        yield from self._directory
        count = len(self._directory)
        yield _END.pack(b"PK\x05\x06", 0, 0, count, count, size, self.offset, 0)


# --- Reading -------------------------------------------------------------------------------------


class Bundle:
    """A bundle that is read; its layout was compared, its entries were not hashed yet.

    Args:
        stream: The file; can be sought.
        what: What errors call it.

    Attributes:
        what: What errors call it.
        manifest: What it says it is.
        places: Where its entries are, by name, in their order.
        size: Bytes of the whole.

    Raises:
        InvalidError: ``not_a_bundle``; ``damaged_bundle``: it is not laid out as a bundle is.
        ConfigError: ``newer_version``.
    """

    def __init__(self, stream: IO[bytes], what: str) -> None:
        self.what = what
        self._stream = stream
        self.size = stream.seek(0, io.SEEK_END)
        tail = _Tail()
        start, size, crc = self._first()
        data = self._at(start, size)
        if zlib.crc32(data) != crc:
            raise self.damaged(f"{MANIFEST} was altered")
        self.manifest = self._manifest(data)
        tail.entry(MANIFEST, size, crc)
        self.places: dict[str, Place] = {}
        for name, listed in self.manifest.entries.items():
            self.places[name] = self._place(name, listed, tail)
        at = tail.offset
        for piece in tail.pieces():
            if self._at(at, len(piece)) != piece:
                raise self.damaged("its directory does not list what is in it", at)
            at += len(piece)
        if at != self.size:
            raise self.damaged("something follows its end", at)

    def _at(self, offset: int, size: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(size)

    def damaged(self, why: str, offset: int | None = None) -> InvalidError:
        """Return the error for a bundle that is not as a bundle is written."""
        where = "" if offset is None else f", at byte {offset}"
        return InvalidError(
            f"the bundle {self.what} is damaged: {why}{where}", code="damaged_bundle"
        )

    def _first(self) -> tuple[int, int, int]:
        """Return where the manifest starts, its size and its sum."""
        wanted = _local(MANIFEST, 0, 0)
        found = self._at(0, len(wanted))
        end = self._at(max(0, self.size - _END.size), _END.size)
        if found[:4] != wanted[:4] and end[:4] != b"PK\x05\x06":
            raise InvalidError(
                f"{self.what} is not a bundle",
                code="not_a_bundle",
                hint="twin bundle export TWIN -o F.twin makes one",
            )
        if len(found) < len(wanted):
            raise self.damaged("it ends early")
        crc, size = _LOCAL.unpack_from(found)[6:8]
        if found != _local(MANIFEST, size, crc):
            raise self.damaged(f"it does not begin with {MANIFEST}, stored as it is", 0)
        if size > min(MAX_MANIFEST, self.size):
            raise self.damaged(f"{MANIFEST} is too large")
        return len(found), size, crc

    def _manifest(self, data: bytes) -> Manifest:
        try:
            value = canonical.decode(data)
            is_plain = canonical.encode(value) == data
        except InvalidError as error:
            raise self.damaged(f"{MANIFEST} is not JSON") from error
        schema = value.get("schema") if isinstance(value, dict) else None
        if isinstance(schema, str) and schema.startswith(SCHEMA[:-1]) and schema != SCHEMA:
            raise ConfigError(
                f"the bundle {self.what} was written by a newer twincli",
                code="newer_version",
                hint="upgrade twincli",
            )
        if not is_plain:
            raise self.damaged(f"{MANIFEST} is not canonical")
        try:
            return _manifest(value)
        except _MalformedError as error:
            raise self.damaged(f"{MANIFEST}: {error}") from error

    def _place(self, name: str, listed: Listed, tail: _Tail) -> Place:
        at = tail.offset
        size = len(_local(name, 0, 0))
        found = self._at(at, size)
        if len(found) < size:
            raise self.damaged("it ends early", at)
        crc = _LOCAL.unpack_from(found)[6]
        if found != tail.entry(name, listed.size, crc):
            raise self.damaged(f"{name} does not follow here as the manifest lists it", at)
        if tail.offset > self.size:
            raise self.damaged("it ends early", at)
        return Place(at + size, listed.size, listed.sha256, crc)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield an entry in pieces; others may be read in between."""
        place = self.places[name]
        for at in range(place.start, place.start + place.size, _PIECE):
            yield self._at(at, min(_PIECE, place.start + place.size - at))

    def read(self, name: str) -> bytes:
        """Return a whole entry."""
        place = self.places[name]
        return self._at(place.start, place.size)

    def part(self, place: Place, start: int, size: int) -> bytes:
        """Return some bytes of an entry, as many as there are."""
        return self._at(place.start + start, max(0, min(size, place.size - start)))

    def altered(self, name: str, progress: Callable[[int], object] | None = None) -> bool:
        """Say whether an entry is other than the manifest and its header say.

        Args:
            name: The entry.
            progress: Called with the size of each piece.
        """
        told = progress or _nothing
        digest, crc = sha256(), 0
        for piece in self.pieces(name):
            digest.update(piece)
            crc = zlib.crc32(piece, crc)
            told(len(piece))
        place = self.places[name]
        return digest.hexdigest() != place.sha256 or crc != place.crc

    def contents(self) -> Iterator[str]:
        """Yield the CIDs of the content that is in the bundle."""
        for name in self.places:
            if name.startswith(CONTENT):
                yield name.removeprefix(CONTENT)

    def lines(self) -> Iterator[Line]:
        """Yield the transactions with their places, in the order of the ledger.

        Raises:
            InvalidError: ``damaged_bundle``: a line is malformed or out of order.
        """
        before = None
        for stretch in self.stretches():
            for number, line in enumerate(self.lines_in(stretch), stretch.first):
                if before is not None and not follows(before[:3], line[:3]):
                    raise self.out_of_order(number)
                before = line
                yield line

    def stretches(self) -> Iterator[Stretch]:
        """Yield where the lines are, some at a time, for those who share them out.

        Raises:
            InvalidError: ``damaged_bundle``: a line does not end, or has no proof.
        """
        first = 1
        lines, proofs = _Cutter(self, TRANSACTIONS, MAX_LINE), _Cutter(self, PROOFS, _MAX_PROOF)
        while True:
            number, proved = lines.ready(), proofs.ready()
            if not number or not proved:
                break
            number = proofs.short(min(number, proved))
            if not number:
                raise self._unproven(first)
            yield Stretch(first, number, *lines.cut(number), *proofs.cut(number))
            first += number
        if number:
            raise self._unproven(first)
        if proved:
            raise self.damaged(f"{PROOFS} has more lines than {TRANSACTIONS}")

    def lines_in(self, stretch: Stretch) -> Iterator[Line]:
        """Yield the lines of a stretch; whether each follows the one before is not asked.

        Raises:
            InvalidError: ``damaged_bundle``: a line is malformed.
        """
        size = self.manifest.size
        before = b"", b""
        bodies = self.bodies(stretch)
        proofs = self._cut(PROOFS, stretch.proofs_at, stretch.proofs_size, stretch.number)
        for number, (body, text) in enumerate(zip(bodies, proofs, strict=True), stretch.first):
            head, tail = (
                _PROOF_HEAD.match(text),
                _PROOF_TAIL.search(text, max(0, len(text) - _MAX_TAIL)),
            )
            path = None
            if head is not None and tail is not None:
                written = text[head.end() : tail.start()]
                path = _path(written, before)
            if head is None or tail is None or path is None:
                raise self._unproven(number)
            before = written, path
            height, index = head.groups()
            line = Line(int(index), int(height), int(tail[1]), path, body)
            if not 0 <= line.position < size:
                raise self.damaged(f"line {number} of {PROOFS} is outside the tree")
            yield line

    def bodies(self, stretch: Stretch) -> list[bytes]:
        """Return the texts of the transactions in a stretch."""
        return self._cut(TRANSACTIONS, stretch.at, stretch.size, stretch.number)

    def _cut(self, name: str, at: int, size: int, count: int) -> list[bytes]:
        found = self.part(self.places[name], at, size).split(b"\n")
        if found.pop() or len(found) != count:
            raise self.changed()
        return found

    def changed(self) -> InvalidError:
        """Return the error for a file that somebody wrote to while it was read."""
        return self.damaged("it changed while it was read")

    def out_of_order(self, number: int) -> InvalidError:
        """Return the error for a line that does not follow the one before."""
        return self.damaged(f"line {number} of {PROOFS} is out of order")

    def stamp(self) -> str | None:
        """Return what another process knows the same file by; None: it is not in a file."""
        try:
            found = os.fstat(self._stream.fileno())
        except OSError:  # io.UnsupportedOperation
            return None
        return f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns}"

    def _unproven(self, number: int) -> InvalidError:
        return self.damaged(f"line {number} of {PROOFS} is missing or malformed")


class _Cutter:
    """Cuts the lines off an entry, many at a time."""

    def __init__(self, read: Bundle, name: str, most: int) -> None:
        self._read, self._name, self._most = read, name, most
        self._pieces = read.pieces(name)
        self._data = b""
        self._at = 0

    def ready(self) -> int:
        """Return how many whole lines can be cut off, which are enough for now; 0 at the end."""
        while True:
            count = self._data.count(b"\n")
            if count >= _STRETCH or (count and len(self._data) >= _PIECE):
                return min(count, _STRETCH)
            piece = b"" if not count and len(self._data) > self._most else next(self._pieces, b"")
            if not piece:
                break
            self._data += piece
        if self._data and not count:
            raise self._read.damaged(f"a line of {self._name} is too long or does not end")
        return count

    def short(self, count: int) -> int:
        """Return how many of the next lines come before the first that is too long."""
        sizes = map(len, self._data.split(b"\n", count)[:count])
        return next((at for at, size in enumerate(sizes) if size > self._most), count)

    def cut(self, count: int) -> tuple[int, int]:
        """Cut lines off; return where they begin and their bytes."""
        at, rest = self._at, self._data.split(b"\n", count)[count]
        size = len(self._data) - len(rest)
        self._at, self._data = at + size, rest
        return at, size


def _path(text: bytes, before: tuple[bytes, bytes]) -> bytes | None:
    """Return the hashes of a proof, None where they are not written as they have to be.

    Args:
        text: The proof.
        before: That of the line before, and its hashes; all but the lowest are often the same.
    """
    if not text:
        return b""
    count, rest = divmod(len(text) + 1, _WRITTEN)
    if rest or count > _MAX_PATH:
        return None
    if len(text) == len(before[0]):
        for low in _LOW:
            cut = low * _WRITTEN - 1
            if cut < len(text) and text[cut:] == before[0][cut:]:
                path = _hashes(text[:cut])
                return None if path is None else path + before[1][low * 32 :]
    return _hashes(text)


def _hashes(text: bytes) -> bytes | None:
    try:
        path = bytes.fromhex(text[1:-1].replace(b'","', b"").decode("ascii", "replace"))
    except ValueError:
        return None
    # Written again it is the same: no blanks, no capitals, every hash in quotes of its own.
    return path if len(text) == len(path) // 32 * _WRITTEN - 1 and text == _written(path) else None


def _written(path: bytes) -> bytes:
    return b'"%s"' % path.hex(",", 32).replace(",", '","').encode()


def follows(before: tuple[int, int, int], after: tuple[int, int, int]) -> bool:
    """Say whether one place on a ledger may follow another: leaf, height and time in ms."""
    leaf, height, time_ms = before
    next_leaf, next_height, next_ms = after
    if next_leaf <= leaf or next_height < height:
        return False
    return next_ms == time_ms if next_height == height else next_ms >= time_ms


# --- The manifest of a stranger ------------------------------------------------------------------


class _MalformedError(Exception):
    pass


def _manifest(value: Any) -> Manifest:
    whole = _object(value, "it", {"schema", "twin", "ledger", "checkpoint", "entries", "left_out"})
    if whole["schema"] != SCHEMA:
        raise _MalformedError(f"its schema is not {SCHEMA}")
    twin = _object(whole["twin"], "twin", {"asset_id", "name"})
    ledger = _object(whole["ledger"], "ledger", {"id", "public_key", "profile"})
    checkpoint = _object(whole["checkpoint"], "checkpoint", {"size", "root"})
    name = twin["name"]
    if name is not None and (not isinstance(name, str) or not 0 < len(name) <= MAX_NAME):
        raise _MalformedError("the name of the twin is malformed")
    try:
        base58.decode_key(ledger["public_key"])
    except (InvalidError, TypeError, AttributeError) as error:
        raise _MalformedError("ledger.public_key is malformed") from error
    size = checkpoint["size"]
    if type(size) is not int or not 0 < size < 1 << 48:
        raise _MalformedError("checkpoint.size is malformed")
    return Manifest(
        _hex(twin["asset_id"], "twin.asset_id"),
        name,
        _hex(ledger["id"], "ledger.id"),
        ledger["public_key"],
        _short(ledger["profile"], "ledger.profile"),
        size,
        _hex(checkpoint["root"], "checkpoint.root"),
        _entries(whole["entries"]),
        _left_out(whole["left_out"]),
    )


def _entries(value: Any) -> dict[str, Listed]:
    if not isinstance(value, dict) or not 3 <= len(value) < MAX_ENTRIES:
        raise _MalformedError("entries is not an object of at least 3 members")
    for needed in (TRANSACTIONS, PROOFS, CHECKPOINT):
        if needed not in value:
            raise _MalformedError(f"{needed} is missing")
    listed: dict[str, Listed] = {}
    for name in sorted(value, key=str.encode):
        most = _LARGEST.get(name)
        if most is None:
            most = MAX_BYTES
            if not name.startswith(CONTENT) or not _is_cid(name.removeprefix(CONTENT)):
                raise _MalformedError(f"a bundle has no entry {shown(name)}")
        entry = _object(value[name], f"entry {cut(name)}", {"size", "sha256"})
        size = entry["size"]
        if type(size) is not int or not 0 <= size <= most:
            raise _MalformedError(f"the size of {name} is malformed or too large")
        listed[name] = Listed(size, _hex(entry["sha256"], f"the SHA-256 of {name}"))
    return listed


_LARGEST = {
    TRANSACTIONS: MAX_BYTES,
    PROOFS: MAX_BYTES,
    CHECKPOINT: MAX_CHECKPOINT,
    PAGE: MAX_PAGE,
}


def _left_out(value: Any) -> tuple[LeftOut, ...]:
    if not isinstance(value, list) or len(value) > MAX_LEFT_OUT:
        raise _MalformedError("left_out is not a list, or too long")
    return tuple(map(_one_left_out, value))


def _one_left_out(value: Any) -> LeftOut:
    known = {"what", "stream", "cid", "from", "to", "count"}
    if not isinstance(value, dict) or not {"what", "count"} <= value.keys() <= known:
        raise _MalformedError("an item of left_out is malformed")
    what, count = value["what"], value["count"]
    if what not in LEFT_OUT or type(count) is not int or not 0 < count < 1 << 48:
        raise _MalformedError("an item of left_out is malformed")
    stream, file = value.get("stream"), value.get("cid")
    if (stream is None) == (file is None) or not (file is None or _is_cid(file)):
        raise _MalformedError("an item of left_out names neither a stream nor a file")
    for member in ("stream", "from", "to"):
        if member in value:
            _short(value[member], f"left_out.{member}")
    return LeftOut(what, stream, file, value.get("from"), value.get("to"), count)


def _object(value: Any, what: str, members: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != members:
        raise _MalformedError(
            f"{what} does not have exactly the members {', '.join(sorted(members))}"
        )
    return value


def _hex(value: Any, what: str) -> str:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise _MalformedError(f"{what} is not 64 hex digits")
    return value


def _short(value: Any, what: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 100:
        raise _MalformedError(f"{what} is malformed")
    return value


def _is_cid(value: Any) -> bool:
    try:
        cid.parse(value)
    except (InvalidError, TypeError, AttributeError):
        return False
    return True


def in_memory(name: str, data: bytes) -> Part:
    """Return a part whose content is known."""
    return Part(name, lambda: io.BytesIO(data))
