"""Content identifiers: the CIDv1 that ``ipfs add --cid-version=1 --raw-leaves`` gives a file.

A file of one chunk is one raw block, its CID the SHA-256 of its bytes. A larger one is cut into
chunks and put together by a balanced tree of dag-pb nodes, so the CID of a file depends on how
large a chunk is and how many links a node has: its profile. Files are stored under the CIDs of
``USUAL``; those of ``LARGE``, which newer IPFS tools make, are understood, too.

Source: CID and multibase specifications, dag-pb, UnixFS 1.0; vectors made by the JavaScript
importer in ``tests/vectors/ipfs_unixfs.json``.
"""

from __future__ import annotations

from functools import lru_cache

from twincli.crypto.digests import sha256
from twincli.errors import InvalidError
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Profile(NamedTuple):
    """How a file becomes blocks.

    Attributes:
        name: As it is recorded.
        chunk: Bytes of a block of the file at most.
        links: Links of a node at most.
    """

    name: str
    chunk: int
    links: int


USUAL = Profile("raw-leaves-256k", 262_144, 174)
LARGE = Profile("raw-leaves-1m", 1 << 20, 1024)
"""The profile of IPIP-499, ``unixfs-v1-2025``."""
PROFILES = {profile.name: profile for profile in (USUAL, LARGE)}

RAW = 0x55
DAG_PB = 0x70

_SHA256 = b"\x12\x20"
_LENGTH = 59  # of the text: 36 bytes in base32, behind the letter of that
_ALPHABET = b"abcdefghijklmnopqrstuvwxyz234567"
# As digits that Python reads; whatever else there is becomes none.
_DIGITS = bytes(
    b"0123456789abcdefghijklmnopqrstuv"[_ALPHABET.index(code)] if code in _ALPHABET else 0x7E
    for code in range(256)
)


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
        number = int.from_bytes(self.encoded) << 2  # 290 bits, ten to a pair of letters
        pairs = _pairs()
        return "b" + "".join([pairs[number >> shift & 1023] for shift in range(280, -1, -10)])


@lru_cache(maxsize=1)
def _pairs() -> list[str]:
    letters = _ALPHABET.decode("ascii")
    return [first + second for first in letters for second in letters]


@lru_cache(maxsize=1024)
def parse(text: str) -> Cid:
    """Return the CID of a text.

    Raises:
        InvalidError: ``invalid_cid``: it is not a CIDv1 of a raw block or a dag-pb node with a
            SHA-256, written in lower-case base32 in its one canonical form.
    """
    if len(text) == _LENGTH and text.startswith("b") and text.isascii():
        try:
            number = int(text[1:].encode("ascii").translate(_DIGITS), 32)
        except ValueError:
            number = 0
        data = (number >> 2).to_bytes(36)
        # Two bits are left over: in the one canonical form they are 0.
        if not number & 3 and data[:1] == b"\x01" and data[2:4] == _SHA256:
            codec = data[1]
            if codec in (RAW, DAG_PB):
                return Cid(codec, data[4:])
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

    Args:
        profile: How the file becomes blocks.
        on_node: Called with each finished node of the tree: its CID and its block, in bytes.

    Attributes:
        size: Bytes taken so far.
    """

    def __init__(
        self, profile: Profile = USUAL, on_node: Callable[[bytes, bytes], None] | None = None
    ) -> None:
        self.profile = profile
        self.size = 0
        self._on_node = on_node
        self._rest = bytearray()
        self._levels: list[list[_Node]] = [[]]

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        chunk = self.profile.chunk
        self.size += len(data)
        view = memoryview(data)
        if self._rest:
            missing = chunk - len(self._rest)
            self._rest += view[:missing]
            view = view[missing:]
            if len(self._rest) < chunk:
                return
            self._add(0, _leaf(self._rest))
            self._rest = bytearray()
        while len(view) >= chunk:
            self._add(0, _leaf(view[:chunk]))
            view = view[chunk:]
        self._rest += view

    def _add(self, level: int, node: _Node) -> None:
        if level == len(self._levels):
            self._levels.append([])
        nodes = self._levels[level]
        if len(nodes) == self.profile.links:
            # Full, and only now is it known that it is not the last one of its level.
            self._add(level + 1, self._parent(nodes))
            nodes.clear()
        nodes.append(node)

    def cid(self) -> Cid:
        """Return the CID of what was taken; more may follow and does not change this one."""
        last = Hasher(self.profile, self._on_node)
        last._levels = [list(nodes) for nodes in self._levels]
        if self._rest or not self.size:
            last._add(0, _leaf(self._rest))
        level = 0
        while level + 1 < len(last._levels) or len(last._levels[level]) > 1:
            last._add(level + 1, last._parent(last._levels[level]))
            level += 1
        root = last._levels[level][0].cid
        return Cid(root[1], root[4:])

    def _parent(self, nodes: list[_Node]) -> _Node:
        node, block = _parent(nodes)
        if self._on_node is not None:
            self._on_node(node.cid, block)
        return node


class Matcher:
    """Says whether a file that comes in pieces has a CID, in whichever profile that was made.

    Args:
        cid: The CID, text.
        profile: The name of its profile, where somebody stated one; that one is then tried alone.

    Attributes:
        size: Bytes taken so far.

    Raises:
        InvalidError: ``invalid_cid``.
    """

    def __init__(self, cid: str, profile: object = None) -> None:
        self._cid = parse(cid)
        stated = PROFILES.get(profile) if isinstance(profile, str) else None
        wanted: Iterable[Profile] = PROFILES.values() if stated is None else (stated,)
        self._hashers = [Hasher(item) for item in wanted]

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._hashers[0].size

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        for hasher in self._hashers:
            hasher.update(data)

    @property
    def usual(self) -> Cid:
        """The CID of what was taken, in the profile that was stated, else in the usual one."""
        return self._hashers[0].cid()

    @property
    def matches(self) -> bool:
        """Whether what was taken has the CID."""
        return any(hasher.cid() == self._cid for hasher in self._hashers)


def of(data: bytes, profile: Profile = USUAL) -> Cid:
    """Return the CID of a file in memory."""
    if len(data) <= profile.chunk:
        return Cid(RAW, sha256(data).digest())
    hasher = Hasher(profile)
    hasher.update(data)
    return hasher.cid()


def _leaf(data: bytes | bytearray | memoryview) -> _Node:
    return _Node(Cid(RAW, sha256(data).digest()).encoded, len(data), len(data))


def _parent(nodes: list[_Node]) -> tuple[_Node, bytes]:
    """Return the dag-pb node that links to ``nodes``, and its block."""
    links = b"".join(_link(node) for node in nodes)
    size = sum(node.size for node in nodes)
    # UnixFS: Type = File, filesize, blocksizes.
    unixfs = b"\x08\x02\x18" + varint(size)
    unixfs += b"".join(b"\x20" + varint(node.size) for node in nodes)
    block = links + b"\x0a" + varint(len(unixfs)) + unixfs
    total = len(block) + sum(node.total for node in nodes)
    return _Node(Cid(DAG_PB, sha256(block).digest()).encoded, size, total), block


def _link(node: _Node) -> bytes:
    content = b"\x0a" + varint(len(node.cid)) + node.cid + b"\x12\x00\x18" + varint(node.total)
    return b"\x12" + varint(len(content)) + content


def varint(value: int) -> bytes:
    """Return a number as multiformats and protobuf write it."""
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    data.append(value)
    return bytes(data)
