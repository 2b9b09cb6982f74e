"""Files that a record names: stored before anything is said of them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import pytest

from tests.services.rooms import Rooms, opened
from twincli.content.store import Blobs
from twincli.crypto import cid
from twincli.errors import ConfigError, InvalidError, UsageError
from twincli.model import bodies
from twincli.services.record.attachments import (
    Attachment,
    Brought,
    Stores,
    attached,
    media_type,
)

REPORT = b"%PDF a report\n"


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(Blobs(str(tmp_path / "content")))


def brought(name: str = "report.pdf", data: bytes = REPORT) -> Brought:
    return Brought(name, name, lambda: nullcontext(io.BytesIO(data)))


def test_a_file_is_stored_and_stated(rooms: Rooms, stores: Stores) -> None:
    warnings: list[str] = []
    given = [Attachment(brought(), "maintenance-report"), Attachment(brought("notes"))]
    first, second = attached(rooms.workspace, stores, given, warnings)
    assert first == {
        "cid": cid.of(REPORT).text,
        "name": "report.pdf",
        "size": len(REPORT),
        "media_type": "application/pdf",
        "type": "maintenance-report",
        "profile": "raw-leaves-256k",
    }
    assert second.keys() == {"cid", "name", "size", "profile"}
    assert bodies.checked("event", {"type": "x", "attachments": [first, second]})
    with stores.blobs.open(first["cid"]) as stream:
        assert stream.read() == REPORT
    assert not warnings


def test_a_dry_run_keeps_nothing(rooms: Rooms, stores: Stores) -> None:
    dry = rooms.workspace._replace(dry_run=True)
    (made,) = attached(dry, stores, [Attachment(brought())], [])
    assert made["cid"] == cid.of(REPORT).text
    assert not stores.blobs.has(made["cid"])


def test_no_file_touches_nothing(rooms: Rooms, stores: Stores, tmp_path: Path) -> None:
    assert attached(rooms.workspace, stores, [], []) == []
    assert not (tmp_path / "content").exists()


def test_what_is_wrong_is_said_before_anything_is_kept(rooms: Rooms, stores: Stores) -> None:
    with pytest.raises(InvalidError, match=r"the type of report.pdf"):
        attached(rooms.workspace, stores, [Attachment(brought(), "a\nb")], [])
    with pytest.raises(UsageError, match="at most 100 files, not 101"):
        attached(rooms.workspace, stores, [Attachment(brought())] * 101, [])
    assert not stores.blobs.has(cid.of(REPORT).text)


class Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:  # noqa: ARG002
        raise OSError(5, "Input/output error")


def test_a_file_that_cannot_be_read_is_named(rooms: Rooms, stores: Stores) -> None:
    def broken() -> Any:
        found: IO[bytes] = Broken()
        return nullcontext(found)

    with pytest.raises(ConfigError, match=r"bad.pdf"):
        attached(rooms.workspace, stores, [Attachment(Brought("bad.pdf", "bad.pdf", broken))], [])


@pytest.mark.parametrize(
    ("name", "found"),
    [("a.pdf", "application/pdf"), ("a.JPG", "image/jpeg"), ("a:b.png", "image/png"), ("a", None)],
)
def test_the_media_type_is_that_of_the_ending(name: str, found: str | None) -> None:
    assert media_type(name) == found
