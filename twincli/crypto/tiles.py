"""A Merkle tree of stored hashes: 256 side by side are a tile, and a proof reads a few tiles.

Tile ``n`` of level 0 holds the hashes of the leaves from ``256 * n``. A tile of a higher level
holds the roots of 256 full tiles of the level below. The last tile of a level may be partial.

Source: c2sp.org/tlog-tiles.
"""

from __future__ import annotations

from collections import OrderedDict

from twincli.crypto import merkle
from twincli.crypto.digests import sha256
from twincli.crypto.merkle import HASH_BYTES
from twincli.errors import InvalidError
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HEIGHT = 8
WIDTH = 1 << HEIGHT
"""Hashes of a full tile."""
KEPT = 64
"""Tiles that a tree keeps in memory."""


class TiledTree:
    """A tree whose hashes are read from tiles.

    Args:
        size: Number of leaves.
        read: Returns the hashes of a tile, given level, number and how many are wanted.
    """

    def __init__(self, size: int, read: Callable[[int, int, int], bytes]) -> None:
        self.size = size
        self._read = read
        self._tiles: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()
        self._before: dict[tuple[int, int], bytes] = {}

    def root(self) -> bytes:
        """Return the root.

        Raises:
            InvalidError: ``invalid_tree_state``: a tile is missing or too short; so in all others.
        """
        return self._over(0, self.size) if self.size else merkle.EMPTY_ROOT

    def root_at(self, size: int) -> bytes:
        """Return the root of the first leaves."""
        return self._over(0, size) if size else merkle.EMPTY_ROOT

    def leaf(self, index: int) -> bytes:
        """Return the hash of a leaf."""
        return self._over(index, index + 1)

    def inclusion_path(self, index: int) -> list[bytes]:
        """Return what ``merkle.inclusion_path`` returns; fast in the order of the leaves.

        Raises:
            InvalidError: ``out_of_range``, too.
        """
        # The paths of neighbours differ in their lowest hashes alone.
        before = self._before
        self._before = {
            found: before.get(found) or self._over(*found)
            for found in merkle.inclusion_ranges(index, self.size)
        }
        return list(self._before.values())

    def consistency_path(self, old_size: int) -> list[bytes]:
        """Return what ``merkle.consistency_path`` returns.

        Raises:
            InvalidError: ``out_of_range``, too.
        """
        return [self._over(*found) for found in merkle.consistency_ranges(old_size, self.size)]

    def _over(self, start: int, end: int) -> bytes:
        """Return the root over some leaves, which begin where a subtree does."""
        count = end - start
        if not count & (count - 1):
            return self._node(count.bit_length() - 1, start // count)
        middle = start + merkle.split(count)
        return merkle.node_hash(self._over(start, middle), self._over(middle, end))

    def _node(self, height: int, number: int) -> bytes:
        """Return the root of a perfect subtree: the ``number``-th of its height."""
        level, above = divmod(height, HEIGHT)
        tile, at = divmod(number, WIDTH >> above)
        return self._tile(level, tile)[above][at]

    def _tile(self, level: int, number: int) -> list[list[bytes]]:
        """Return the hashes of a tile, and above them those of its inner nodes."""
        rows = self._tiles.get((level, number))
        if rows is not None:
            self._tiles.move_to_end((level, number))
            return rows
        width = width_at(self.size, level, number)
        data = self._read(level, number, width)
        if len(data) != width * HASH_BYTES:
            raise InvalidError(
                f"tile {number} of level {level} is damaged", code="invalid_tree_state"
            )
        rows = rows_of(data)
        self._tiles[level, number] = rows
        if len(self._tiles) > KEPT:
            self._tiles.popitem(last=False)
        return rows


def width_at(size: int, level: int, number: int) -> int:
    """Return how many hashes a tile has in a tree of a size; 0 or less: there is none."""
    return min(WIDTH, (size >> (HEIGHT * level)) - number * WIDTH)


def rows_of(data: bytes) -> list[list[bytes]]:
    """Return the hashes of a tile, and above them those of its inner nodes; the root is last."""
    row = [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]
    rows = [row]
    for _ in range(HEIGHT):
        row = [sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in range(0, len(row) - 1, 2)]
        rows.append(row)
    return rows


def path_of(level: int | str, number: int, width: int = WIDTH) -> str:
    """Return where a tile is served, such as ``tile/0/x001/234.p/5``.

    Args:
        level: From 0; ``entries`` for the leaves themselves.
        number: Which one.
        width: How many hashes it has.
    """
    parts = [f"{number % 1000:03}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(reversed(parts))}{partial}"
