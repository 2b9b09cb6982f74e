"""Where tables are published: a directory, and an object store."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import obstore.store
import pytest

from twincli.client import tables
from twincli.client.tables import Place
from twincli.errors import ConfigError, TwinError, UnreachableError, UsageError

Opened = Callable[[], Place]


@pytest.fixture(params=["directory", "file", "objects"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param != "objects":
        where = str(tmp_path / "lake")
        return tables.opened(f"file://{where}" if request.param == "file" else where)
    store = obstore.store.MemoryStore()
    monkeypatch.setattr(obstore.store, "from_url", lambda _: store)
    return tables.opened("s3://bucket/lake/", {"AWS_ACCESS_KEY_ID"})


def test_files_appear_and_stay(place: Place, tmp_path: Path) -> None:
    assert place.is_empty()
    assert place.names("log") == {}
    assert place.put_new("log/0.json", b"first")
    assert not place.put_new("log/0.json", b"second")
    assert place.read("log/0.json") == b"first"
    source = tmp_path / "source"
    source.write_bytes(b"x" * 1000)
    place.copy("data/a.parquet", str(source))
    place.copy("data/a.parquet", str(source))
    place.put("views", b"1")
    place.put("views", b"22")
    assert place.read("views") == b"22"
    assert place.names("data") == {"a.parquet": 1000}
    assert place.names("log") == {"0.json": 5}
    assert not place.is_empty()
    assert not place.location.endswith("/")
    with pytest.raises(TwinError):
        place.read("log/1.json")


def test_what_cannot_be_used_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="not a URL"):
        tables.opened("ftp://shop/lake")
    (tmp_path / "file").write_text("")
    with pytest.raises(TwinError, match="not a directory"):
        tables.opened(str(tmp_path / "file"))
    inside = tables.opened(str(tmp_path / "file" / "lake"))
    for action in (
        lambda: inside.names("log"),
        inside.is_empty,
        lambda: inside.put("a/b", b""),
    ):
        with pytest.raises(ConfigError):
            action()
    with pytest.raises(UsageError, match="cannot be used"):
        tables.opened("s3://")

    def failing(*_: object, **__: object) -> None:
        raise obstore.exceptions.GenericError("no route\nDebug source: ...")

    monkeypatch.setattr(obstore, "put", failing)
    monkeypatch.setattr(obstore.store, "from_url", lambda _: obstore.store.MemoryStore())
    with pytest.raises(UnreachableError, match=r"no route$"):
        tables.opened("az://lake", {"AZURE_STORAGE_ACCOUNT_KEY"}).put("a", b"")
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigError) as error:
        tables.opened("gs://lake")
    assert error.value.code == "missing_extra"


@pytest.mark.parametrize("scheme", tables.SCHEMES)
def test_a_store_without_credentials_is_not_asked(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(obstore.store, "from_url", lambda _: obstore.store.MemoryStore())
    for variables in (set(), {"AWS_REGION", "AZURE_STORAGE_ACCOUNT_NAME", "GOOGLE_BUCKET"}):
        with pytest.raises(ConfigError) as error:
            tables.opened(f"{scheme}://lake", variables)
        assert error.value.code == "no_credentials"
    for name in tables.CREDENTIALS[scheme]:
        assert tables.opened(f"{scheme}://lake", {name}).is_empty()
    known = tmp_path / ".config" / "gcloud" / "application_default_credentials.json"
    known.parent.mkdir(parents=True)
    known.write_text("{}")
    if scheme == "gs":
        assert tables.opened("gs://lake").is_empty()
