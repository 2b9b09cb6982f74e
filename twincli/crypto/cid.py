"""Content identifiers: the CIDv1 that ``ipfs add --cid-version=1 --raw-leaves`` gives a file.

A file of up to 256 KiB is one raw block, its CID the SHA-256 of its bytes. A larger one is cut into
chunks of 256 KiB and put together by a balanced tree of dag-pb nodes with 174 links each, so the
CID of a file depends on this profile, which has a name: ``PROFILE``.

Source: CID and multibase specifications, dag-pb, UnixFS 1.0; vectors made by the JavaScript
importer in ``tests/vectors/ipfs_unixfs.json``.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from binascii import Error as DecodeError

from twincli.crypto.digests import sha256
from twincli.errors import InvalidError
from twincli.values import NamedTuple

PROFILE = "kubo-cidv1-raw-256k"
CHUNK_BYTES = 262_144
LINKS = 174

RAW = 0x55
DAG_PB = 0x70

_SHA256 = b"\x12\x20"
_LONGEST = 59


class Cid(NamedTuple):
    """A CIDv1 with a SHA-256.

    Attributes:
        codec: ``RAW`` or ``DAG_PB``.
        digest: 32 bytes.
    """

    codec: int
    digest: bytes

    @property
    def encoded(self) -> bytes:
        """The CID in bytes."""
        return bytes((1, self.codec)) + _SHA256 + self.digest

    @property
    def text(self) -> str:
        """The CID in base32, as it is written: ``bafkrei...`` or ``bafybei...``."""
        return "b" + b32encode(self.encoded).rstrip(b"=").decode("ascii").lower()


def parse(text: str) -> Cid:
    """Return the CID of a text.

    Raises:
        InvalidError: ``invalid_cid``: it is not a CIDv1 of a raw block or a dag-pb node with a
            SHA-256, written in lower-case base32 in its one canonical form.
    """
    if len(text) == _LONGEST and text.startswith("b"):
        try:
            data = b32decode(text[1:].upper() + "=" * (-(_LONGEST - 1) % 8))
        except (DecodeError, ValueError):
            data = b""
        if len(data) == 36 and data[0] == 1 and data[1] in (RAW, DAG_PB) and data[2:4] == _SHA256:
            cid = Cid(data[1], data[4:])
            if cid.text == text:
                return cid
    raise InvalidError(
        f"{text[:70]!r} is not a supported CID",
        code="invalid_cid",
        hint="it looks like bafkrei... or bafybei...: version 1, base32, SHA-256",
    )


class _Node(NamedTuple):
    """A block or a tree of blocks.

    Attributes:
        cid: In bytes.
        size: Bytes of the file below it.
        total: Bytes of all blocks below it, its own included.
    """

    cid: bytes
    size: int
    total: int


class Hasher:
    """Makes the CID of a file that comes in pieces; it keeps one chunk at a time.

    Attributes:
        size: Bytes taken so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._rest = bytearray()
        self._levels: list[list[_Node]] = [[]]

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self.size += len(data)
        view = memoryview(data)
        if self._rest:
            missing = CHUNK_BYTES - len(self._rest)
            self._rest += view[:missing]
            view = view[missing:]
            if len(self._rest) < CHUNK_BYTES:
                return
            self._add(0, _leaf(self._rest))
            self._rest = bytearray()
        while len(view) >= CHUNK_BYTES:
            self._add(0, _leaf(view[:CHUNK_BYTES]))
            view = view[CHUNK_BYTES:]
        self._rest += view

    def _add(self, level: int, node: _Node) -> None:
        if level == len(self._levels):
            self._levels.append([])
        nodes = self._levels[level]
        if len(nodes) == LINKS:
            # Full, and only now is it known that it is not the last one of its level.
            self._add(level + 1, _parent(nodes))
            nodes.clear()
        nodes.append(node)

    def cid(self) -> Cid:
        """Return the CID of what was taken; more may follow and does not change this one."""
        last = Hasher()
        last._levels = [list(nodes) for nodes in self._levels]
        if self._rest or not self.size:
            last._add(0, _leaf(self._rest))
        level = 0
        while level + 1 < len(last._levels) or len(last._levels[level]) > 1:
            last._add(level + 1, _parent(last._levels[level]))
            level += 1
        root = last._levels[level][0].cid
        return Cid(root[1], root[4:])


def of(data: bytes) -> Cid:
    """Return the CID of a file in memory."""
    hasher = Hasher()
    hasher.update(data)
    return hasher.cid()


def _leaf(data: bytes | bytearray | memoryview) -> _Node:
    return _Node(Cid(RAW, sha256(data).digest()).encoded, len(data), len(data))


def _parent(nodes: list[_Node]) -> _Node:
    """Return the dag-pb node that links to ``nodes``."""
    links = b"".join(_link(node) for node in nodes)
    size = sum(node.size for node in nodes)
    # UnixFS: Type = File, filesize, blocksizes.
    unixfs = b"\x08\x02\x18" + _varint(size)
    unixfs += b"".join(b"\x20" + _varint(node.size) for node in nodes)
    block = links + b"\x0a" + _varint(len(unixfs)) + unixfs
    total = len(block) + sum(node.total for node in nodes)
    return _Node(Cid(DAG_PB, sha256(block).digest()).encoded, size, total)


def _link(node: _Node) -> bytes:
    content = b"\x0a" + _varint(len(node.cid)) + node.cid + b"\x12\x00\x18" + _varint(node.total)
    return b"\x12" + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    data.append(value)
    return bytes(data)
