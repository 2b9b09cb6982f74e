"""What was handed over is read as it is, and nothing is written beside it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.ledger.chains import ALICE, create
from twincli.content.store import Blobs
from twincli.errors import ConfigError, NotFoundError, NotVerifiedError
from twincli.ledger import Ledger
from twincli.services.proof import evidence

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ledger")
    with Ledger.open(place) as ledger:
        first = create()
        ledger.submit(first)
        ledger.append_many(ALICE, first["id"], [{"n": n} for n in range(5)])
    return place


def test_a_ledger_is_read_in_its_order(made: Path) -> None:
    with evidence.of_ledger(str(made)) as found:
        listed = list(found.transactions())
        assert found.kind == evidence.LEDGER
        assert found.ledger is not None
        assert found.claims.size == len(listed) == 6
        assert found.claims.root.hex() == found.ledger.block(2)["root"]  # type: ignore[index]
    assert [item.leaf for item in listed] == [*range(6)]
    assert [item.height for item in listed] == [1, 2, 2, 2, 2, 2]
    assert all(item.path is None for item in listed)


def test_nothing_is_written_beside_a_file(made: Path, tmp_path: Path) -> None:
    lone = tmp_path / "lone.db"
    for name in ("ledger.db", "ledger.db-wal"):
        if (made / name).exists():
            shutil.copy(made / name, str(lone) + name.removeprefix("ledger.db"))
    before = sorted(os.listdir(tmp_path))
    with evidence.of_ledger(str(lone)) as found:
        assert found.ledger is not None
        assert len(list(found.transactions())) == 6
        assert list(found.ledger.asset_ids())
        assert found.ledger.replay(next(found.ledger.asset_ids()))
    assert sorted(os.listdir(tmp_path)) == before


def test_content_is_there_or_missing_or_never_promised(made: Path, tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path / "content"))
    (tmp_path / "f").write_bytes(b"text")
    with (tmp_path / "f").open("rb") as stream:
        cid = blobs.put(stream).cid
    with evidence.of_ledger(str(made), blobs=blobs) as found:
        opened = found.content(cid)
        assert opened is not None
        with opened:
            assert opened.read() == b"text"
        blobs.remove(cid)
        assert found.holds_content
        assert found.content(cid) is None
    with evidence.of_ledger(str(made)) as found:
        assert not found.holds_content
        assert found.content(cid) is None


def test_a_file_is_known_by_its_bytes(made: Path, tmp_path: Path) -> None:
    with Ledger.open(made) as ledger:
        ledger.checkpoint()
    data = (made / "ledger.db").read_bytes()
    one = tmp_path / "one"
    for text, kind in [
        (data, evidence.LEDGER),
        (b"X" + data[1:], evidence.LEDGER),
        (data[:68] + b"X" + data[69:], evidence.LEDGER),
        (b"PK\3\4" + bytes(30), evidence.BUNDLE),
        (bytes(30) + b"PK\5\6" + bytes(18), evidence.BUNDLE),
    ]:
        one.write_bytes(text)
        assert evidence.kind_of(str(one)) == kind
    assert evidence.kind_of(str(made)) == evidence.LEDGER
    for text in (b"", b"PK", b"hello"):
        one.write_bytes(text)
        with pytest.raises(NotVerifiedError) as refused:
            evidence.kind_of(str(one))
        assert refused.value.code == "unknown_evidence"
    with pytest.raises(NotFoundError):
        evidence.kind_of(str(tmp_path / "none"))
    os.mkfifo(tmp_path / "pipe")
    for endless in ("/dev/zero", str(tmp_path / "pipe")):
        with pytest.raises(ConfigError, match="not a regular file"):
            evidence.kind_of(endless)
