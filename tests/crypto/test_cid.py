"""CIDs against those of the JavaScript importer."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import cid
from twincli.errors import InvalidError

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "ipfs_unixfs.json").read_text()
)
OURS = {"kubo_cidv1_raw_256k": cid.USUAL, "unixfs_v1_2025_1m_1024": cid.LARGE}


@cache
def content(label: str, size: int) -> bytes:
    """Return the bytes of a vector, by the recipe that stands with them."""
    count = -(-size // 32)
    blocks = (sha256(f"{label}:{number}".encode()).digest() for number in range(count))
    return b"".join(blocks)[:size]


@pytest.mark.parametrize("profile", OURS)
@pytest.mark.parametrize("case", VECTORS["files"], ids=lambda case: case["label"])
def test_files(case: dict[str, Any], profile: str) -> None:
    data = content(case["label"], case["size"])
    assert sha256(data).hexdigest() == case["sha256"]
    wanted = case["cid"][profile]
    assert cid.of(data, OURS[profile]).text == wanted
    for stated in (None, "unheard-of", 7, OURS[profile].name):
        matcher = cid.Matcher(wanted, stated)
        matcher.update(data)
        assert matcher.matches
        assert matcher.size == case["size"]
        if stated == OURS[profile].name:
            assert matcher.usual.text == wanted
        matcher.update(b"x")
        assert not matcher.matches


def test_nodes_are_handed_on() -> None:
    case = next(case for case in VECTORS["files"] if case["size"] > 2 * cid.USUAL.chunk)
    blocks: dict[bytes, bytes] = {}
    hasher = cid.Hasher(on_node=blocks.__setitem__)
    hasher.update(content(case["label"], case["size"]))
    root = hasher.cid()
    assert sha256(blocks[root.encoded]).digest() == root.digest


@pytest.mark.ci
def test_a_file_of_more_than_174_chunks_of_chunks() -> None:
    case = VECTORS["slow_file"]
    data = content(case["label"], case["size"])
    for profile, wanted in OURS.items():
        assert cid.of(data, wanted).text == case["cid"][profile]


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", VECTORS["well_known"][0]["cid"]), (b"hello world\n", VECTORS["well_known"][1]["cid"])],
)
def test_well_known(data: bytes, text: str) -> None:
    assert cid.of(data).text == text


@given(st.data())
def test_the_size_of_the_pieces_does_not_matter(data: st.DataObject) -> None:
    whole = content("pieces", 3 * cid.USUAL.chunk + 5)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    hasher = cid.Hasher()
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        hasher.update(whole[start:end])
    assert hasher.size == len(whole)
    assert hasher.cid() == cid.of(whole)


@pytest.mark.parametrize("chunks", [1, 2, 174, 175, 348, 349, 174 * 174, 174 * 174 + 1])
def test_asking_does_not_end_it(chunks: int) -> None:
    """At the edges of levels a CID on the way is that of a file that ends there."""
    tiny = cid.Profile("tiny", 2, 174)
    hasher = cid.Hasher(tiny)
    hasher.update(b"ab" * chunks)
    assert hasher.cid() == cid.of(b"ab" * chunks, tiny)
    hasher.update(b"c")
    assert hasher.cid() == cid.of(b"ab" * chunks + b"c", tiny)
    hasher.update(b"d")
    assert hasher.cid() == cid.of(b"ab" * chunks + b"cd", tiny)


def test_text_and_back() -> None:
    for data in (b"", content("x", 300_000)):
        made = cid.of(data)
        assert cid.parse(made.text) == made
        assert len(made.encoded) == 36


GOOD = cid.of(b"hello world\n").text


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "a",
        GOOD.upper(),
        "z" + GOOD[1:],
        GOOD.replace("f", "1", 1),
        GOOD[:-1] + "j",  # bits that belong to no byte
        "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o",
        cid.Cid(0x71, bytes(32)).text,
        "../../etc/passwd",
        "b" * 59,
        "bé" + GOOD[2:],
    ],
)
def test_what_is_no_cid_here(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        cid.parse(text)
    assert caught.value.code == "invalid_cid"
