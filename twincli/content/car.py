"""CAR version 1: a file as its blocks, the form in which IPFS tools pass files on.

Every block is checked against its CID when a CAR is read, and a file is what its root says.

Source: the CARv1 specification; vectors in ``tests/vectors/ipfs_unixfs.json``.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from twincli.content import dag
from twincli.content.store import PIECE_BYTES
from twincli.crypto import cid as _cid
from twincli.crypto.digests import sha256
from twincli.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_HEADER_BYTES = 1 << 12
_BLOCK_BYTES = 4 << 20
_BLOCKS = 1 << 20
_DEPTH = 32
_EXPANDED = 1 << 30
"""Bytes of a file at most whose CAR is smaller: equal blocks are in it once."""
_PER_REPEAT = 1 << 16
"""A block that is visited again counts as many bytes at least, so that small ones are bounded."""


def write(
    stream: IO[bytes], profile: _cid.Profile, put: Callable[[bytes], object]
) -> tuple[_cid.Cid, int]:
    """Write the CAR of a file, its root first and every block once; return CID and bytes.

    Args:
        stream: The file; read twice.
        profile: How it becomes blocks.
        put: Takes the next bytes.
    """
    blocks: dict[bytes, bytes] = {}
    hasher = _cid.Hasher(profile, blocks.__setitem__)
    start = stream.tell()
    while piece := stream.read(PIECE_BYTES):
        hasher.update(piece)
    root = hasher.cid()
    stream.seek(start)
    header = b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00" + root.encoded + b"\x67version\x01"
    put(_cid.varint(len(header)) + header)
    written: set[bytes] = set()

    def emit(cid: bytes, block: bytes) -> None:
        if cid not in written:
            written.add(cid)
            put(_cid.varint(len(cid) + len(block)) + cid + block)

    def below(cid: bytes) -> None:
        block = blocks.get(cid)
        if block is None:
            leaf = stream.read(profile.chunk)
            if _cid.of(leaf, profile).encoded != cid:
                raise InvalidError("the file changed while it was read", code="cid_mismatch")
            emit(cid, leaf)
            return
        emit(cid, block)
        for link in dag.node(block).links:
            below(link)

    below(root.encoded)
    return root, hasher.size


class FileInCar:
    """The file in a CAR, read in pieces.

    Args:
        stream: The CAR, which can be sought in.

    Attributes:
        root: The CID that the CAR names as its root, in bytes.

    Raises:
        InvalidError: ``invalid_car``.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._places: dict[bytes, tuple[int, int]] = {}
        self._visited: set[bytes] = set()
        stream.seek(0, os.SEEK_END)
        self._size = stream.tell()
        stream.seek(0)
        self.root = self._header()
        self._index()
        self._left = max(_EXPANDED, 2 * self._size)
        self._pieces = self._file(self.root, _DEPTH)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the file."""
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        size = len(self._rest) if size < 0 else size
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _header(self) -> bytes:
        size = self._number()
        if size is None or not 1 <= size <= _HEADER_BYTES:
            raise InvalidError("this is not a CAR", code="invalid_car")
        header = self._stream.read(size)
        found = _header(header)
        if len(header) != size or not isinstance(found, dict) or set(found) != {"roots", "version"}:
            raise InvalidError("this is not a CAR of version 1", code="invalid_car")
        roots = found["roots"]
        if found["version"] != 1 or not isinstance(roots, list):
            raise InvalidError("this is not a CAR of version 1", code="invalid_car")
        if len(roots) != 1 or not isinstance(roots[0], bytes):
            raise dag.malformed(f"{len(roots)} roots; only a single file can be taken")
        return dag.cid_at(roots[0])[0]

    def _index(self) -> None:
        """Note where every block is; each is what its CID says."""
        while (size := self._number()) is not None:
            at = self._stream.tell()
            if not 1 <= size <= _BLOCK_BYTES:
                raise dag.malformed("an empty block, or one that is too large")
            block = self._stream.read(size)
            if len(block) != size:
                raise dag.malformed("a block that is cut short")
            cid, end = dag.cid_at(block)
            if sha256(memoryview(block)[end:]).digest() != cid[-32:]:
                raise dag.malformed("a block that is not what its CID says")
            self._places[cid] = (at + end, size - end)
            if len(self._places) > _BLOCKS:
                raise dag.malformed(f"more than {_BLOCKS} blocks")

    def _number(self) -> int | None:
        """Return the length that comes next, None at the end."""
        data = b""
        while not data or data[-1] > 127:
            byte = self._stream.read(1)
            if not byte and not data:
                return None
            data += byte
            if not byte or len(data) > 9:
                raise dag.malformed("a malformed length")
        return dag.varint(data, 0)[0]

    def _file(self, cid: bytes, depth: int) -> Iterator[bytes]:
        place = self._places.get(cid)
        if place is None:
            raise dag.malformed("not all of its file")
        if depth == 0:
            raise dag.malformed(f"a file of more than {_DEPTH} levels")
        self._left -= max(place[1], _PER_REPEAT if cid in self._visited else 1)
        self._visited.add(cid)
        if self._left < 0:
            raise dag.malformed("a file that is much larger than the CAR")
        self._stream.seek(place[0])
        block = self._stream.read(place[1])
        if len(block) != place[1] or sha256(block).digest() != cid[-32:]:
            raise InvalidError("the CAR changed while it was read", code="invalid_car")
        codec = cid[1]
        if codec == _cid.RAW:
            if block:
                yield block
            return
        if codec != _cid.DAG_PB:
            raise dag.malformed("something other than a file")
        found = dag.node(block)
        if found.data:
            yield found.data
        for link in found.links:
            yield from self._file(dag.cid_at(link)[0], depth - 1)


def _header(data: bytes) -> Any:
    """Return the header of a CAR, DAG-CBOR: None where it is something else."""
    try:
        value, end = _cbor(data, 0, 4)
    except (IndexError, UnicodeDecodeError, ValueError):
        return None
    return value if end == len(data) else None


def _cbor(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """Return what DAG-CBOR says at a place, and where it ends: as much as a header needs."""
    if depth == 0:
        raise ValueError
    major, value = data[at] >> 5, data[at] & 31
    at += 1
    if value >= 24:
        size = {24: 1, 25: 2, 26: 4}.get(value)
        if size is None:
            raise ValueError
        value = int.from_bytes(data[at : at + size])
        at += size
    if major == 0:
        return value, at
    if major in (2, 3):
        if at + value > len(data):
            raise ValueError
        found = data[at : at + value]
        return (found if major == 2 else found.decode()), at + value
    if major == 4:
        items = []
        for _ in range(value):
            item, at = _cbor(data, at, depth - 1)
            items.append(item)
        return items, at
    if major == 5:
        members: dict[Any, Any] = {}
        for _ in range(value):
            key, at = _cbor(data, at, depth - 1)
            item, at = _cbor(data, at, depth - 1)
            if not isinstance(key, str) or key in members:
                raise ValueError
            members[key] = item
        return members, at
    if major == 6 and value == 42:
        link, at = _cbor(data, at, depth - 1)
        if not isinstance(link, bytes) or not link.startswith(b"\x00"):
            raise ValueError
        return link[1:], at
    raise ValueError
