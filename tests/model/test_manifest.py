"""What an anchor says about its chunks."""

from __future__ import annotations

from typing import Any

import pytest

from twincli.crypto import cid as cids
from twincli.errors import InvalidError
from twincli.model import manifest
from twincli.model.manifest import Entry, Manifest, body, read

T = 1_704_067_200_000_000


def cid(number: int = 1) -> str:
    return cids.Cid(cids.RAW, number.to_bytes(32, "big")).text


ENTRY = Entry(cid(), 100, 5, T, T + 1)
GOOD = {
    "stream": "s",
    "chunks": [
        {
            "cid": cid(),
            "size": 100,
            "count": 5,
            "from": "2024-01-01T00:00:00.000000Z",
            "to": "2024-01-01T00:00:00.000001Z",
        }
    ],
    "prev": None,
}


def test_a_body_reads_back() -> None:
    assert body(Manifest("s", (ENTRY,))) == GOOD
    assert read(GOOD) == Manifest("s", (ENTRY,))
    more = Manifest("s", (ENTRY, ENTRY._replace(cid=cid(2))), "ab" * 32, 0)
    assert read(body(more)) == more
    assert list(body(more)) == ["stream", "epoch", "chunks", "prev"]


def test_a_thousand_chunks_an_anchor() -> None:
    entries = [ENTRY._replace(cid=cid(number)) for number in range(2500)]
    assert [len(part) for part in manifest.batches(entries)] == [1000, 1000, 500]
    assert len(body(Manifest("s", tuple(entries[:1000])))["chunks"]) == 1000
    with pytest.raises(InvalidError, match="1 to 1000 chunks"):
        body(Manifest("s", tuple(entries[:1001])))


def changed(**members: Any) -> dict[str, Any]:
    return {**GOOD, **members}


def chunk(**members: Any) -> dict[str, Any]:
    return changed(chunks=[{**GOOD["chunks"][0], **members}])  # type: ignore[index,dict-item]


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ([], "other members"),
        (changed(more=1), "other members"),
        ({"stream": "s"}, "other members"),
        (changed(stream=5), "stream: 5"),
        (changed(stream=""), "stream"),
        (changed(stream="a.b"), "stream"),
        (changed(stream="a" * 201), "stream"),
        *((changed(epoch=value), "epoch") for value in (None, "0", -1, True, 10**9)),
        (changed(prev="x"), "prev"),
        (changed(prev=5), "prev"),
        (changed(chunks={}), "1 to 1000"),
        (changed(chunks=[]), "1 to 1000"),
        (changed(chunks=[5]), r"chunks\[0\] has other"),
        (changed(chunks=[*GOOD["chunks"], *GOOD["chunks"]]), "twice"),  # type: ignore[misc]
        (chunk(more=1), "other members"),
        (chunk(cid=5), "not a CID"),
        (chunk(cid="bafy"), "not a CID"),
        (chunk(size=0), "size: 0"),
        (chunk(size=True), "size: true"),
        (chunk(size=manifest.MAX_BYTES + 1), "size"),
        (chunk(count=65_537), "count"),
        (chunk(count=1.0), "count"),
        (chunk(to="2023-01-01T00:00:00.000000Z"), "ends before"),
        (chunk(to="2024-01-01T00:00:00.001Z"), "six digits"),
        (chunk(to="2024-01-01T01:00:00.000000+01:00"), "six digits"),
        (chunk(**{"from": "noon"}), r"from: 'noon'"),
        (chunk(**{"from": 5}), "from: 5"),
    ],
)
def test_what_is_malformed(value: Any, part: str) -> None:
    with pytest.raises(InvalidError, match=part) as refused:
        read(value)
    assert refused.value.code == "invalid_manifest"
