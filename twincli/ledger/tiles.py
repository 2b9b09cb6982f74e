"""The hashes of a ledger's tree, kept in the index as tiles, so that a proof reads a few of them.

Like the rest of the index they cost an append nothing and are caught up when somebody asks. What is
made of them is compared with the roots of the blocks before it is believed, and where it differs
they are made again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from twincli.crypto import merkle, tiles
from twincli.crypto.tiles import WIDTH, TiledTree
from twincli.errors import InvalidError
from twincli.ledger.faults import damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twincli.ledger.reading import Reader

T = TypeVar("T")

BATCH = 64
"""Tiles of level 0 that are made at once."""

_FULL = WIDTH * merkle.HASH_BYTES


def inclusion_paths(
    ledger: Reader, leaves: Iterable[int], size: int, root: bytes
) -> Iterator[list[bytes]]:
    """Yield the paths that lead from leaves to a root, the lowest hash first.

    Args:
        ledger: Whose.
        leaves: Which ones, from 0; fast in their order.
        size: Of the tree.
        root: Its root.

    Raises:
        InvalidError: ``out_of_range``.
        ConfigError: ``damaged_ledger``: the ledger does not lead there.
    """
    tree = tree_of(ledger, size)
    inclusions = merkle.Inclusions(size, root)
    is_new = False
    for leaf in leaves:
        hashed = leaf_hash(ledger, leaf)
        path = _made(partial(tree.inclusion_path, leaf))
        if path is None or not inclusions.check(hashed, leaf, b"".join(path)):
            if not is_new:
                forget(ledger)
                tree, is_new = tree_of(ledger, size), True
            path = tree.inclusion_path(leaf)
            if not inclusions.check(hashed, leaf, b"".join(path)):
                raise damaged(f"transaction {leaf + 1} does not lead to the root of the tree")
        yield path


def consistency_path(
    ledger: Reader, old_size: int, old_root: bytes, size: int, root: bytes
) -> list[bytes] | None:
    """Return the hashes that show an earlier tree within a later one.

    Args:
        ledger: Whose.
        old_size: Leaves of the earlier tree.
        old_root: Its root.
        size: Leaves of the later tree.
        root: Its root.

    Returns:
        The hashes; None: the ledger never had the earlier root.

    Raises:
        ConfigError: ``damaged_ledger``: the ledger does not have the later root.
    """
    path: list[bytes] | None = None
    for _ in range(2):
        tree = tree_of(ledger, size)
        path = _made(partial(tree.consistency_path, old_size))
        if path is not None and merkle.verify_consistency(old_size, size, path, old_root, root):
            return path
        if path is not None and tree.root() == root and tree.root_at(old_size) != old_root:
            return None
        forget(ledger)
    raise damaged("its transactions do not lead to the root of the tree")


def root_at(ledger: Reader, size: int) -> bytes:
    """Return the root of the tree over the first transactions.

    Raises:
        InvalidError: ``out_of_range``: there are fewer.
        ConfigError: ``damaged_ledger``.
    """
    tip = ledger.tip()
    if size == tip.last_seq:
        return tip.root
    merkle.consistency_ranges(size, tip.last_seq)
    for _ in range(2):
        tree = tree_of(ledger, tip.last_seq)
        root = _made(partial(tree.root_at, size))
        path = _made(partial(tree.consistency_path, size))
        if (
            root is not None
            and path is not None
            and merkle.verify_consistency(size, tip.last_seq, path, root, tip.root)
        ):
            return root
        forget(ledger)
    raise damaged("its transactions do not lead to the root of the tree")


def tree_of(ledger: Reader, size: int) -> TiledTree:
    """Return the tree over the first transactions, its tiles made; not compared yet."""
    catch_up(ledger, size // WIDTH)
    return TiledTree(size, partial(hashes, ledger))


def hashes(ledger: Reader, level: int, number: int, width: int) -> bytes:
    """Return the hashes of a tile; fewer than wanted where it is damaged.

    Args:
        ledger: Whose.
        level: From 0.
        number: Which one of the level.
        width: How many; what the ledger has.
    """
    kept = ledger.plain_index.fetched(
        "SELECT hashes FROM tile WHERE level = ? AND number = ?", (level, number)
    )
    if kept and isinstance(kept[0][0], bytes):
        return kept[0][0][: width * merkle.HASH_BYTES]
    if level or width == WIDTH:
        return b""
    start = number * WIDTH
    return b"".join(_leaf_hashes(ledger, start, start + width))


def leaf_hash(ledger: Reader, leaf: int) -> bytes:
    """Return the hash of a leaf, from its transaction.

    Raises:
        ConfigError: ``damaged_ledger``: there is none.
    """
    return _leaf_hashes(ledger, leaf, leaf + 1)[0]


def entries(ledger: Reader, number: int, width: int) -> bytes:
    """Return the leaves of a tile of level 0, each behind its length in two bytes."""
    start = number * WIDTH
    leaves = [merkle.ledger_leaf(*row) for row in _leaves(ledger, start, start + width)]
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def forget(ledger: Reader) -> None:
    """Forget all tiles; they are made again when they are needed."""
    ledger.plain_index.change(lambda run: run("DELETE FROM tile"))


def catch_up(
    ledger: Reader, until: int, progress: Callable[[int, int], None] | None = None
) -> None:
    """Make the tiles up to a number of full ones of level 0.

    Args:
        ledger: Whose.
        until: How many.
        progress: Called with how many there are, and ``until``.

    Raises:
        TwinError: ``interrupted``; what was made stays.
    """
    index = ledger.plain_index
    while (there := _first_missing(index.fetched)) < until:
        if progress is not None:
            progress(there, until)
        index.change(partial(_grow, ledger, until))
        index.check_interrupted()


def _first_missing(run: Callable[..., Any]) -> int:
    ((last,),) = run("SELECT max(number) FROM tile WHERE level = 0")
    return 0 if last is None else int(last) + 1


def _grow(ledger: Reader, until: int, run: Callable[..., Any]) -> None:
    """Make the next tiles, in a change of the index."""
    first = _first_missing(run)  # another process may have been here
    last = min(until, first + BATCH)
    for (level, number), data in _grown(ledger, first, last, partial(_kept, run)).items():
        run("INSERT OR REPLACE INTO tile VALUES (?, ?, ?)", (level, number, data))


def _grown(
    ledger: Reader, first: int, last: int, kept: Callable[[int, int], bytes]
) -> dict[tuple[int, int], bytes]:
    """Return full tiles of level 0, and what becomes of those above, by level and number.

    Args:
        ledger: Whose.
        first: The first of level 0.
        last: The one behind the last.
        kept: Returns what there is of a tile above.
    """
    leaves = _leaf_hashes(ledger, first * WIDTH, last * WIDTH) if first < last else []
    grown: dict[tuple[int, int], bytes] = {}
    for number in range(first, last):
        start = (number - first) * WIDTH
        level, child = 0, number
        data = grown[0, number] = b"".join(leaves[start : start + WIDTH])
        while len(data) == _FULL:
            root = tiles.rows_of(data)[-1][0]
            level += 1
            tile, at = divmod(child, WIDTH)
            data = grown.get((level, tile)) or kept(level, tile)
            data = grown[level, tile] = data[: at * merkle.HASH_BYTES] + root
            child = tile
    return grown


def count_altered(ledger: Reader) -> int:
    """Return how many of the tiles that are kept are not what the ledger's transactions give."""
    run = ledger.plain_index.fetched
    above: dict[tuple[int, int], bytes] = {}
    until = _first_missing(run)
    altered = 0
    for first in range(0, until, BATCH):
        last = min(until, first + BATCH)
        grown = _grown(ledger, first, last, lambda level, tile: above.get((level, tile), b""))
        above.update({key: data for key, data in grown.items() if key[0]})
        own = run(
            "SELECT number, hashes FROM tile WHERE level = 0 AND number >= ? AND number < ?",
            (first, last),
        )
        right = [number for number, data in own if grown[0, number] == data]
        altered += last - first - len(right)
    held = {
        (level, number): data
        for level, number, data in run("SELECT level, number, hashes FROM tile WHERE level != 0")
    }
    differing = [key for key in {*held, *above} if held.get(key) != above.get(key)]
    return altered + len(differing)


def _kept(run: Callable[..., Any], level: int, number: int) -> bytes:
    found = run(
        "SELECT CAST(hashes AS BLOB) FROM tile WHERE level = ? AND number = ?", (level, number)
    ).fetchone()
    return b"" if found is None else bytes(found[0])


def _leaf_hashes(ledger: Reader, start: int, end: int) -> list[bytes]:
    return [merkle.leaf_hash(merkle.ledger_leaf(*row)) for row in _leaves(ledger, start, end)]


def _leaves(ledger: Reader, start: int, end: int) -> list[tuple[int, int, bytes]]:
    """Return height, time and id of transactions."""
    rows = ledger.store.leaves_between(start, end)
    if len(rows) != end - start:
        raise damaged(f"transactions between positions {start + 1} and {end} are missing")
    return rows


def _made(make: Callable[[], T]) -> T | None:
    """Return what is made of tiles; None where one of them is damaged."""
    try:
        return make()
    except InvalidError as error:
        if error.code != "invalid_tree_state":
            raise
        return None
