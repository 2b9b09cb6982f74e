"""The Merkle tree of a transparency log: roots, inclusion and consistency.

A ledger appends through a ``CompactRange``, which keeps one hash for every bit set in the size.
Proofs are made when somebody asks, here of all leaf hashes; ``tiles`` makes them of stored ones.

Source: RFC 6962 section 2.1; the verifying algorithms are those of RFC 9162 sections 2.1.3.2 and
2.1.4.2, which describes the same tree.
"""

from __future__ import annotations

from twincli.crypto.digests import sha256
from twincli.errors import InvalidError
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

_SIZE_BYTES = 8


def leaf_hash(data: bytes) -> bytes:
    """Return the 32-byte hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def ledger_leaf(height: int, time_ms: int, tx_id: bytes) -> bytes:
    """Return the leaf of a transaction on a ledger: 48 bytes, numbers big-endian.

    Args:
        height: Height of its block.
        time_ms: Time of its block, milliseconds since 1970.
        tx_id: The transaction id, 32 bytes.
    """
    return height.to_bytes(8, "big") + time_ms.to_bytes(8, "big") + tx_id


class CompactRange:
    """What is needed to append to a tree and to name its root.

    Attributes:
        size: Number of leaves.
        frontier: Roots of the perfect subtrees that the leaves fall into, the largest first: one
            for every bit set in ``size``.
    """

    __slots__ = ("frontier", "size")

    def __init__(self, size: int = 0, frontier: Iterable[bytes] = ()) -> None:
        self.size = size
        self.frontier = list(frontier)

    def append(self, leaf: bytes) -> None:
        """Add a leaf, given its 32-byte hash."""
        frontier = self.frontier
        size = self.size
        self.size = size + 1
        while size & 1:  # the last subtree has a twin now
            leaf = sha256(b"\x01" + frontier.pop() + leaf).digest()
            size >>= 1
        frontier.append(leaf)

    def root(self) -> bytes:
        """Return the 32-byte root."""
        if not self.frontier:
            return EMPTY_ROOT
        root = self.frontier[-1]
        for left in self.frontier[-2::-1]:
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """Return the state: the size in 8 bytes, big-endian, then the frontier."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.frontier)

    @classmethod
    def from_bytes(cls, data: bytes) -> CompactRange:
        """Return the range that ``to_bytes`` wrote.

        Raises:
            InvalidError: ``invalid_tree_state``: the length does not fit the size.
        """
        size = int.from_bytes(data[:_SIZE_BYTES], "big")
        if len(data) != _SIZE_BYTES + HASH_BYTES * size.bit_count():
            raise InvalidError("the stored tree state is damaged", code="invalid_tree_state")
        starts = range(_SIZE_BYTES, len(data), HASH_BYTES)
        return cls(size, [data[start : start + HASH_BYTES] for start in starts])


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from a leaf to the root, the lowest first.

    Args:
        leaves: All leaf hashes.
        index: Which leaf, from 0.

    Raises:
        InvalidError: ``out_of_range``: the tree has no such leaf.
    """
    return [root_of(leaves[start:end]) for start, end in inclusion_ranges(index, len(leaves))]


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Return which leaves the hashes of an inclusion path are over, the lowest first.

    Args:
        index: Which leaf, from 0.
        size: Number of leaves.

    Returns:
        The first leaf of each, and the one behind the last.

    Raises:
        InvalidError: ``out_of_range``: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise _out_of_range(f"leaf {index}", size)
    ranges = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    ranges.reverse()
    return ranges


def consistency_path(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the hashes that show the tree of the first ``old_size`` leaves within the whole.

    Args:
        leaves: All leaf hashes.
        old_size: Size of the earlier tree. The path is empty for 0 and for the whole.

    Raises:
        InvalidError: ``out_of_range``: the tree never had that size.
    """
    return [root_of(leaves[start:end]) for start, end in consistency_ranges(old_size, len(leaves))]


def consistency_ranges(old_size: int, size: int) -> list[tuple[int, int]]:
    """Return which leaves the hashes of a consistency path are over, as they stand in it.

    Args:
        old_size: Size of the earlier tree. The path is empty for 0 and for the whole.
        size: Number of leaves.

    Raises:
        InvalidError: ``out_of_range``: the tree never had that size.
    """
    if not 0 <= old_size <= size:
        raise _out_of_range(f"an earlier tree of {old_size}", size)
    ranges: list[tuple[int, int]] = []
    if old_size == 0:
        return ranges
    start, end = 0, size
    while old_size != end:
        middle = start + split(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    # A verifier has the root of the earlier tree; what is left needs saying only if it is a part.
    if start:
        ranges.append((start, end))
    ranges.reverse()
    return ranges


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> bool:
    """Say whether a leaf is in a tree.

    Args:
        leaf: Hash of the leaf.
        index: Which leaf, from 0.
        size: Number of leaves of the tree.
        path: What ``inclusion_path`` gave.
        root: Root of the tree.
    """
    return Inclusions(size, root).check(leaf, index, b"".join(path))


class Inclusions:
    """Checks many proofs of one tree, in the order of their leaves, each hash about once.

    The ways of neighbours meet; from where they do, what was computed for the one before is
    compared. That is as strict as computing it.

    Args:
        size: Number of leaves of the tree.
        root: Its root.
    """

    def __init__(self, size: int, root: bytes) -> None:
        self._size = size
        self._root = root
        self._before: list[tuple[int, int, bytes, bytes]] = []

    def check(self, leaf: bytes, index: int, path: bytes) -> bool:
        """Say whether a leaf is in the tree.

        Args:
            leaf: Hash of the leaf.
            index: Which leaf, from 0.
            path: What ``inclusion_path`` gave, as one.
        """
        if not 0 <= index < self._size or len(path) % HASH_BYTES:
            return False
        position, last = index, self._size - 1
        result = leaf
        before = self._before
        way: list[tuple[int, int, bytes, bytes]] = []
        for level, at in enumerate(range(0, len(path), HASH_BYTES)):
            if last == 0:
                return False
            rest = path[at:]
            here = (position, last, result, rest)
            if level < len(before) and before[level][:2] == here[:2]:
                if before[level] != here:
                    return False
                self._before = way + before[level:]
                return True
            way.append(here)
            part = path[at : at + HASH_BYTES]
            if position & 1 or position == last:
                result = node_hash(part, result)
                while position and not position & 1:
                    position >>= 1
                    last >>= 1
            else:
                result = node_hash(result, part)
            position >>= 1
            last >>= 1
        if last or result != self._root:
            return False
        self._before = way
        return True


def verify_consistency(
    old_size: int, size: int, path: Sequence[bytes], old_root: bytes, root: bytes
) -> bool:
    """Say whether a tree is an earlier one with leaves appended.

    Args:
        old_size: Number of leaves of the earlier tree.
        size: Number of leaves of the later tree.
        path: What ``consistency_path`` gave.
        old_root: Root of the earlier tree.
        root: Root of the later tree.
    """
    if not 0 <= old_size <= size:
        return False
    if old_size == size:
        return not path and old_root == root
    if old_size == 0:
        return not path and old_root == EMPTY_ROOT
    parts = iter(path)
    position, last = old_size - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    # Of an earlier tree that is one perfect subtree the verifier has the root already.
    first = old_root if position == 0 else next(parts, None)
    if first is None:
        return False
    old_result = result = first
    for part in parts:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_result = node_hash(part, old_result)
            result = node_hash(part, result)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            result = node_hash(result, part)
        position >>= 1
        last >>= 1
    return last == 0 and old_result == old_root and result == root


def split(size: int) -> int:
    """Return the largest power of two below ``size``: how many leaves go to the left."""
    return 1 << (size - 1).bit_length() - 1


def _out_of_range(what: str, size: int) -> InvalidError:
    return InvalidError(f"a tree of {size} leaves has no {what}", code="out_of_range")
