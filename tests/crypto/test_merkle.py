"""The RFC 6962 tree: known roots and paths, and the recursive definition."""

from __future__ import annotations

from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import merkle
from twincli.errors import InvalidError

# The inputs and roots that the Certificate Transparency reference implementations test with
# (certificate-transparency/cpp/merkletree/merkle_tree_test.cc, Apache-2.0).
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

leaf_lists = st.lists(st.binary(max_size=8).map(merkle.leaf_hash), max_size=40)


def naive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word, over leaf hashes."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    half = split(len(hashes))
    return sha256(b"\x01" + naive_root(hashes[:half]) + naive_root(hashes[half:])).digest()


def naive_path(index: int, hashes: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1: PATH(m, D[n])."""
    if len(hashes) == 1:
        return []
    half = split(len(hashes))
    if index < half:
        return [*naive_path(index, hashes[:half]), naive_root(hashes[half:])]
    return [*naive_path(index - half, hashes[half:]), naive_root(hashes[:half])]


def naive_proof(old: int, hashes: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2: SUBPROOF(m, D[n], b)."""
    if old == len(hashes):
        return [] if whole else [naive_root(hashes)]
    half = split(len(hashes))
    if old <= half:
        return [*naive_proof(old, hashes[:half], whole=whole), naive_root(hashes[half:])]
    return [*naive_proof(old - half, hashes[half:], whole=False), naive_root(hashes[:half])]


def split(size: int) -> int:
    half = 1
    while half * 2 < size:
        half *= 2
    return half


def test_empty_tree() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.CompactRange().root().hex() == empty
    assert merkle.root_of([]).hex() == empty


@pytest.mark.parametrize("size", range(1, 9))
def test_certificate_transparency_roots(size: int) -> None:
    leaves = [merkle.leaf_hash(data) for data in CT_LEAVES[:size]]
    assert merkle.root_of(leaves).hex() == CT_ROOTS[size - 1]


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ],
)
def test_certificate_transparency_paths(index: int, size: int, path: list[str]) -> None:
    leaves = [merkle.leaf_hash(data) for data in CT_LEAVES[:size]]
    assert [part.hex() for part in merkle.inclusion_path(leaves, index)] == path


def test_certificate_transparency_consistency() -> None:
    leaves = [merkle.leaf_hash(data) for data in CT_LEAVES]
    assert merkle.consistency_path(leaves, 8) == []
    assert [part.hex() for part in merkle.consistency_path(leaves, 1)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [part.hex() for part in merkle.consistency_path(leaves, 6)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(leaf_lists)
def test_root_is_the_definition(leaves: list[bytes]) -> None:
    assert merkle.root_of(leaves) == naive_root(leaves)


@given(leaf_lists, st.data())
def test_a_stored_range_goes_on_as_if_never_stored(
    leaves: list[bytes], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(leaves)))
    tree = merkle.CompactRange()
    for leaf in leaves[:cut]:
        tree.append(leaf)
    stored = tree.to_bytes()
    assert len(stored) == 8 + 32 * cut.bit_count()
    tree = merkle.CompactRange.from_bytes(stored)
    assert (tree.size, tree.root()) == (cut, naive_root(leaves[:cut]))
    for leaf in leaves[cut:]:
        tree.append(leaf)
    assert tree.root() == naive_root(leaves)


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""]
)
def test_damaged_state_is_refused(change: object) -> None:
    tree = merkle.CompactRange()
    for data in CT_LEAVES[:7]:
        tree.append(merkle.leaf_hash(data))
    assert callable(change)
    with pytest.raises(InvalidError) as caught:
        merkle.CompactRange.from_bytes(change(tree.to_bytes()))
    assert caught.value.code == "invalid_tree_state"


@given(leaf_lists.filter(bool), st.data())
def test_inclusion(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    root = naive_root(leaves)
    path = merkle.inclusion_path(leaves, index)
    assert path == naive_path(index, leaves)
    assert merkle.verify_inclusion(leaves[index], index, size, path, root)

    other = merkle.leaf_hash(b"another leaf")
    assert not merkle.verify_inclusion(other, index, size, path, root)
    assert not merkle.verify_inclusion(leaves[index], index, size, path, other)
    assert not merkle.verify_inclusion(leaves[index], index, size, [*path, other], root)
    if path:
        assert not merkle.verify_inclusion(leaves[index], index, size, path[:-1], root)
        place = data.draw(st.integers(0, len(path) - 1))
        assert not merkle.verify_inclusion(
            leaves[index], index, size, [*path[:place], other, *path[place + 1 :]], root
        )
    for wrong in (-1, size):
        assert not merkle.verify_inclusion(leaves[index], wrong, size, path, root)


def test_a_leaf_has_one_place() -> None:
    leaves = [merkle.leaf_hash(data) for data in CT_LEAVES]
    for size in range(1, 9):
        root = merkle.root_of(leaves[:size])
        for index in range(size):
            path = merkle.inclusion_path(leaves[:size], index)
            places = [
                place
                for place in range(size)
                if merkle.verify_inclusion(leaves[index], place, size, path, root)
            ]
            assert places == [index]


@given(leaf_lists, st.data())
def test_consistency(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    old = data.draw(st.integers(0, size))
    root, old_root = naive_root(leaves), naive_root(leaves[:old])
    path = merkle.consistency_path(leaves, old)
    assert path == (naive_proof(old, leaves) if old else [])
    assert merkle.verify_consistency(old, size, path, old_root, root)

    other = merkle.leaf_hash(b"another leaf")
    assert not merkle.verify_consistency(old, size, path, other, root)
    assert not merkle.verify_consistency(old, size, [*path, other], old_root, root)
    assert not merkle.verify_consistency(size + 1, size, path, old_root, root)
    assert not merkle.verify_consistency(-1, size, path, old_root, root)
    if old:  # every tree is the empty one with leaves appended
        assert not merkle.verify_consistency(old, size, path, old_root, other)
    if path:
        assert not merkle.verify_consistency(old, size, path[:-1], old_root, root)
        place = data.draw(st.integers(0, len(path) - 1))
        assert not merkle.verify_consistency(
            old, size, [*path[:place], other, *path[place + 1 :]], old_root, root
        )


def test_proofs_of_a_wrong_length() -> None:
    leaves = [merkle.leaf_hash(data) for data in CT_LEAVES]
    other = leaves[0]
    for size in range(1, 9):
        root = merkle.root_of(leaves[:size])
        for old in range(1, size):
            old_root = merkle.root_of(leaves[:old])
            path = merkle.consistency_path(leaves[:size], old)
            for wrong in ([], path[:-1], path[1:], [*path, other], [other, *path]):
                assert not merkle.verify_consistency(old, size, wrong, old_root, root)
        for index in range(size):
            path = merkle.inclusion_path(leaves[:size], index)
            for wrong in ([*path, other], [other, *path]):
                assert not merkle.verify_inclusion(leaves[index], index, size, wrong, root)


def test_a_rewritten_history_is_not_consistent() -> None:
    leaves = [merkle.leaf_hash(data) for data in CT_LEAVES]
    forged = [merkle.leaf_hash(b"forged"), *leaves[1:]]
    for old in range(1, 8):
        path = merkle.consistency_path(forged, old)
        old_root, root = merkle.root_of(leaves[:old]), merkle.root_of(forged)
        assert not merkle.verify_consistency(old, 8, path, old_root, root)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3)])
def test_no_such_leaf(index: int, size: int) -> None:
    leaves = [merkle.leaf_hash(data) for data in CT_LEAVES[:size]]
    with pytest.raises(InvalidError) as caught:
        merkle.inclusion_path(leaves, index)
    assert caught.value.code == "out_of_range"


@pytest.mark.parametrize("old", [-1, 4])
def test_no_such_earlier_tree(old: int) -> None:
    leaves = [merkle.leaf_hash(data) for data in CT_LEAVES[:3]]
    with pytest.raises(InvalidError) as caught:
        merkle.consistency_path(leaves, old)
    assert caught.value.code == "out_of_range"


def test_ledger_leaf() -> None:
    leaf = merkle.ledger_leaf(258, 1_700_000_000_000, bytes(range(32)))
    assert leaf.hex() == "0000000000000102" + "0000018bcfe56800" + bytes(range(32)).hex()


@pytest.mark.parametrize("size", [*range(1, 35), 63, 64, 65, 100])
def test_many_proofs_are_checked_in_their_order(size: int) -> None:
    leaves = [merkle.leaf_hash(b"%d" % number) for number in range(size)]
    checks = merkle.Inclusions(size, merkle.root_of(leaves))
    for index, leaf in enumerate(leaves):
        assert checks.check(leaf, index, b"".join(merkle.inclusion_path(leaves, index)))
    for index in (-1, size):
        assert not checks.check(leaves[0], index, b"".join(merkle.inclusion_path(leaves, 0)))


def test_checking_many_proofs_is_as_strict_as_checking_each() -> None:
    random = Random(14)
    for size in (2, 3, 7, 8, 13, 64, 77):
        leaves = [merkle.leaf_hash(b"%d" % number) for number in range(size)]
        root = merkle.root_of(leaves)
        for _ in range(60):
            checks = merkle.Inclusions(size, root)
            for index in sorted(random.sample(range(size), min(size, 6))):
                leaf, path = (
                    leaves[index],
                    bytearray(b"".join(merkle.inclusion_path(leaves, index))),
                )
                change = random.randrange(6)
                if change == 0:
                    path[random.randrange(len(path))] ^= 1 << random.randrange(8)
                elif change == 1:
                    leaf = merkle.leaf_hash(b"another")
                elif change == 2:
                    path += bytes(32)
                elif change == 3:
                    path = path[:-32]
                parts = [bytes(path[at : at + 32]) for at in range(0, len(path), 32)]
                alone = merkle.verify_inclusion(leaf, index, size, parts, root)
                assert checks.check(leaf, index, bytes(path)) == alone
                assert not checks.check(leaf, index, bytes(path) + b"x")
