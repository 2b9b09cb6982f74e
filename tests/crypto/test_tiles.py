"""A tree of tiles gives what the tree of all leaf hashes gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import merkle, tiles
from twincli.crypto.tiles import TiledTree
from twincli.errors import InvalidError

LEAVES = [merkle.leaf_hash(b"%d" % n) for n in range(70_000)]


def laid_out(leaves: list[bytes]) -> dict[tuple[int, int], bytes]:
    """Return all tiles, made level by level, as the specification words it."""
    made, level = {}, 0
    while leaves:
        for start in range(0, len(leaves), 256):
            made[level, start // 256] = b"".join(leaves[start : start + 256])
        full = range(0, len(leaves) - 255, 256)
        leaves = [merkle.root_of(leaves[start : start + 256]) for start in full]
        level += 1
    return made


def tree_of(size: int, made: dict[tuple[int, int], bytes] | None = None) -> TiledTree:
    held = laid_out(LEAVES[:size]) if made is None else made
    return TiledTree(size, lambda level, number, width: held[level, number][: 32 * width])


ALL = laid_out(LEAVES)
SIZES = (0, 1, 2, 3, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000)


def test_the_tiles_of_a_tree_of_70000() -> None:
    """The example of the specification."""
    assert len(ALL) == 274 + 2 + 1
    assert [tiles.width_at(70_000, 0, n) for n in (0, 272, 273, 274)] == [256, 256, 112, -144]
    assert [tiles.width_at(70_000, 1, n) for n in (0, 1)] == [256, 17]
    assert [tiles.width_at(70_000, level, 0) for level in (2, 3, 63)] == [1, 0, 0]
    assert (tiles.width_at(256, 0, 0), tiles.width_at(256, 1, 0)) == (256, 1)
    assert len(ALL[0, 273]) == 112 * 32


@pytest.mark.parametrize("size", SIZES)
def test_roots(size: int) -> None:
    root = merkle.root_of(LEAVES[:size])
    assert tree_of(size).root() == root
    assert tree_of(70_000, ALL).root_at(size) == root


@given(st.integers(1, 1200), st.data())
def test_paths_are_those_of_the_whole(size: int, data: st.DataObject) -> None:
    tree, leaves = tree_of(size, ALL), LEAVES[:size]
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    assert tree.inclusion_path(index) == merkle.inclusion_path(leaves, index)
    assert tree.consistency_path(old) == merkle.consistency_path(leaves, old)
    assert tree.leaf(index) == leaves[index]


@pytest.mark.parametrize("size", [65_536, 65_537, 70_000])
def test_paths_in_large_trees(size: int) -> None:
    tree, root = tree_of(size, ALL), merkle.root_of(LEAVES[:size])
    for index in (0, 255, 256, 65_279, 65_535, size - 1):
        path = tree.inclusion_path(index)
        assert merkle.verify_inclusion(LEAVES[index], index, size, path, root)
    for old in (1, 256, 300, 65_536, size):
        path = tree.consistency_path(old)
        old_root = merkle.root_of(LEAVES[:old])
        assert merkle.verify_consistency(old, size, path, old_root, root)


def test_a_proof_reads_a_few_tiles_and_keeps_a_few() -> None:
    asked = []

    def read(level: int, number: int, width: int) -> bytes:
        asked.append((level, number))
        return ALL[level, number][: 32 * width]

    tree = TiledTree(70_000, read)
    tree.inclusion_path(12_345)
    assert len(asked) == len(set(asked)) <= 5
    for index in range(0, 256 * (tiles.KEPT + 10), 256):
        tree.leaf(index)
    assert len(tree._tiles) == tiles.KEPT


def test_what_the_tree_does_not_have() -> None:
    tree = tree_of(5, ALL)
    for ask, size in ((tree.inclusion_path, 5), (tree.consistency_path, 6)):
        with pytest.raises(InvalidError) as caught:
            ask(size)
        assert caught.value.code == "out_of_range"
    with pytest.raises(InvalidError, match="tile 0 of level 0 is damaged"):
        TiledTree(5, lambda *_: bytes(31)).root()


@pytest.mark.parametrize(
    ("number", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (999, 1, "tile/0/999.p/1"),
        (1000, 255, "tile/0/x001/000.p/255"),
        (1234067, 256, "tile/0/x001/x234/067"),
    ],
)
def test_where_tiles_are_served(number: int, width: int, path: str) -> None:
    assert tiles.path_of(0, number, width) == path
