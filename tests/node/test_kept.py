"""How much content a node keeps."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.node.running import Answer, Running, running
from twincli.content.store import Blobs
from twincli.crypto import cid
from twincli.node import kept
from twincli.node.kept import FullError, Kept
from twincli.node.node import Options

MOST = 10_000


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "content"), limit=MOST)


@pytest.fixture
def node(tmp_path: Path, blobs: Blobs) -> Iterator[Running]:
    with running(tmp_path / "l", Options(content=blobs, max_content=MOST)) as found:
        yield found


def put(node: Running, data: bytes) -> Answer:
    return node.ask("PUT", f"/twin/v1/content/{cid.of(data).text}", data)


def test_all_files_together_are_bounded(node: Running, blobs: Blobs) -> None:
    blobs.put(io.BytesIO(b"a" * 3_000))  # what was there before counts
    assert put(node, b"b" * 4_000).status == 201
    refused = put(node, b"c" * 3_001)
    assert (refused.status, refused.json["status"]) == (507, 507)
    assert refused.json["message"] == "this node keeps at most 10000 bytes of content"
    assert not blobs.has(cid.of(b"c" * 3_001).text)
    assert put(node, b"c" * 3_000).status == 201
    assert put(node, b"").status == 201
    assert put(node, b"d").status == 507
    assert put(node, b"x" * (MOST + 1)).status == 413


def test_what_is_not_kept_takes_no_room(node: Running, blobs: Blobs) -> None:
    data = b"b" * 4_000
    for status in (201, 200, 200, 200):
        assert put(node, data).status == status
    for _ in range(3):
        wrong = node.ask("PUT", f"/twin/v1/content/{cid.of(b'other').text}", b"x" * 4_000)
        assert wrong.status == 400
    assert put(node, b"c" * 6_000).status == 201
    assert put(node, b"d").status == 507
    assert len(list(blobs.cids())) == 2


def test_chunks_are_counted_as_they_come(node: Running, blobs: Blobs) -> None:
    data = b"z" * 9_000
    assert put(node, b"y" * 2_000).status == 201
    path = f"/twin/v1/content/{cid.of(data).text}"
    body = b"".join(b"%x\r\n%s\r\n" % (900, data[at : at + 900]) for at in range(0, 9_000, 900))
    chunked = {"transfer-encoding": "chunked"}
    assert node.ask("PUT", path, body + b"0\r\n\r\n", chunked).status == 507
    files = [name for _, _, names in os.walk(blobs.directory) for name in names]
    assert files == [cid.of(b"y" * 2_000).text]


def test_uploads_at_once_do_not_share_room(node: Running) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: put(node, bytes([n]) * 4_000).status, range(8)))
    assert sorted(found) == [201] * 2 + [507] * 6


class Usage(NamedTuple):
    free: int


def test_some_of_the_disk_stays_free(node: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    free = kept.LEFT_FREE + 999
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free))
    assert put(node, b"a" * 999).status == 201
    refused = put(node, b"b" * 1_000)
    assert (refused.status, refused.json["message"]) == (
        507,
        "the disk of this node is nearly full",
    )


def test_files_of_others_are_counted_after_a_while(blobs: Blobs) -> None:
    now = [0.0]
    found = Kept(blobs, MOST, lambda: now[0])
    found.take(4_000)
    found.finish(4_000, is_kept=False)
    blobs.put(io.BytesIO(b"a" * 8_000))
    now[0] += kept.COUNT_SECONDS + 1
    with pytest.raises(FullError):
        found.take(4_000)
    found.take(2_000)
