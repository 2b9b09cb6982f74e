"""The key store: one file a key, public part open, secret sealed, nothing ever overwritten."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from twincli import files
from twincli.crypto import sealing
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import (
    ConfigError,
    ConflictError,
    InvalidError,
    LockedError,
    NotFoundError,
    TwinError,
)
from twincli.files import sweep
from twincli.keystore.store import KeyStore, UnlockedKey

if TYPE_CHECKING:
    from collections.abc import Callable

CHEAP = sealing.Cost(operations=1, memory=8192)
CREATED = "2024-01-20T09:00:00Z"
ALICE = KeyPair.from_seed(b"a" * 32)
BOB = KeyPair.from_seed(b"b" * 32)
PHRASE = "abandon " * 11 + "about"

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(str(tmp_path / "home" / "keys"), cost=CHEAP)


def opens(name: str) -> bytes:
    return b"open " + name.encode()


def never(name: str) -> bytes:
    pytest.fail(f"the passphrase of {name} was asked for")


def file_of(store: KeyStore, name: str) -> Path:
    return Path(store.directory, f"{name}.json")


def edit(store: KeyStore, name: str, /, **changes: Any) -> None:
    path = file_of(store, name)
    document = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in document.items() if v is not ...}))


def both(store: KeyStore) -> None:
    store.create("alice", ALICE, secret_source=opens, created=CREATED, mnemonic=PHRASE)
    store.create("bob", BOB, secret_source=None, created=CREATED)


def test_a_sealed_key_comes_back(store: KeyStore) -> None:
    made = store.create(
        "Alice",
        ALICE,
        secret_source=opens,
        created=CREATED,
        mnemonic=PHRASE,
        rule="slip10",
        path="m/44'",
    )
    assert made == store.get("alice") == store.get("ALICE")
    assert made.name == "Alice"
    assert (made.public_key, made.created) == (ALICE.public_key, CREATED)
    assert made.passphrase
    assert made.has_mnemonic
    assert (made.rule, made.path) == ("slip10", "m/44'")
    text = file_of(store, "alice").read_text()
    assert ALICE.private_key not in text
    assert ALICE.seed.hex() not in text
    assert "abandon" not in text
    key = store.unlock("alice", lambda _: b"open Alice")
    assert key.public_key == ALICE.public_key
    assert key.keypair.seed == ALICE.seed
    assert key.sign(b"x") == ALICE.sign(b"x")
    assert key.mnemonic == PHRASE


def test_a_plain_key_comes_back_without_a_passphrase(store: KeyStore) -> None:
    made = store.create("bob", BOB, secret_source=None, created=CREATED)
    assert not made.passphrase
    assert not made.has_mnemonic
    key = store.unlock("bob", never)
    assert key.sign(b"x") == BOB.sign(b"x")
    assert key.mnemonic is None
    assert store.unlock("bob", None).public_key == BOB.public_key


def test_an_empty_store(store: KeyStore) -> None:
    assert store.list() == []
    assert store.scan() == ([], [])
    assert store.find(ALICE.public_key) is None
    with pytest.raises(NotFoundError) as caught:
        store.get("alice")
    assert "twin keys new" in str(caught.value.hint)
    assert not Path(store.directory).exists()


def test_list_and_find(store: KeyStore) -> None:
    both(store)
    store.create("Aaron", BOB, secret_source=opens, created=CREATED)
    assert [info.name for info in store.list()] == ["Aaron", "alice", "bob"]
    found = store.find(BOB.public_key)
    assert found is not None
    assert found.name == "bob", "the key without a passphrase comes first"
    assert store.find(KeyPair.from_seed(b"c" * 32).public_key) is None


def test_nothing_is_overwritten(store: KeyStore) -> None:
    both(store)
    before = file_of(store, "alice").read_bytes()
    for name in ("alice", "ALICE"):
        with pytest.raises(ConflictError) as caught:
            store.create(name, BOB, secret_source=never, created=CREATED)
        assert caught.value.code == "exists"
    with pytest.raises(ConflictError) as caught:
        store.rename("bob", "Alice")
    assert caught.value.code == "exists"
    assert file_of(store, "alice").read_bytes() == before
    assert store.get("bob").public_key == BOB.public_key


def test_the_file_that_appears_while_the_passphrase_is_typed_is_kept(store: KeyStore) -> None:
    def slow(name: str) -> bytes:
        store.create(name, BOB, secret_source=None, created=CREATED)
        return b"pass"

    with pytest.raises(ConflictError):
        store.create("alice", ALICE, secret_source=slow, created=CREATED)
    assert store.get("alice").public_key == BOB.public_key
    assert sorted(os.listdir(store.directory)) == ["alice.json"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a:b", "con", "x" * 65, "my.car"])
def test_bad_names(store: KeyStore, name: str) -> None:
    both(store)
    with pytest.raises(InvalidError) as caught:
        store.create(name, ALICE, secret_source=never, created=CREATED)
    assert caught.value.code == "invalid_name"
    with pytest.raises(InvalidError):
        store.rename("bob", name)
    for use in (store.get, store.remove, lambda name: store.unlock(name, never)):
        with pytest.raises(NotFoundError):
            use(name)


@pytest.mark.parametrize(
    ("asked", "hint"), [("alise", "did you mean alice?"), ("zzz", "twin keys list")]
)
def test_near_names(store: KeyStore, asked: str, hint: str) -> None:
    both(store)
    with pytest.raises(NotFoundError) as caught:
        store.get(asked)
    assert caught.value.code == "not_found"
    assert hint in str(caught.value.hint)


def test_a_wrong_or_missing_passphrase(store: KeyStore) -> None:
    both(store)
    with pytest.raises(LockedError) as caught:
        store.unlock("alice", lambda _: b"wrong")
    assert caught.value.code == "bad_passphrase"
    assert "alice" in caught.value.message
    with pytest.raises(LockedError) as caught:
        store.unlock("alice", None)
    assert caught.value.code == "locked"

    def refuses(name: str) -> bytes:
        raise LockedError(f"no terminal to ask for {name}")

    with pytest.raises(LockedError, match="no terminal"):
        store.unlock("alice", refuses)
    with pytest.raises(LockedError, match="no terminal"):
        store.create("carol", BOB, secret_source=refuses, created=CREATED)
    with pytest.raises(LockedError, match="empty"):
        store.create("carol", BOB, secret_source=lambda _: b"", created=CREATED)
    assert not file_of(store, "carol").exists()


def test_no_secret_is_shown(store: KeyStore) -> None:
    both(store)
    key = store.unlock("alice", opens)
    assert isinstance(key, UnlockedKey)
    for shown in (repr(key), str(key), repr(key.info), repr([key]), f"{key}"):
        assert ALICE.private_key not in shown
        assert "abandon" not in shown
        assert ALICE.public_key in shown


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_a_swapped_public_key_is_found(store: KeyStore, name: str) -> None:
    both(store)
    other = KeyPair.from_seed(b"m" * 32).public_key
    edit(store, name, public_key=other)
    assert store.get(name).public_key == other
    with pytest.raises(InvalidError) as caught:
        store.unlock(name, opens)
    assert caught.value.code == "damaged_key"


def test_a_swapped_secret_is_found(store: KeyStore) -> None:
    both(store)
    store.create("carol", BOB, secret_source=lambda _: b"open alice", created=CREATED)
    sealed = json.loads(file_of(store, "carol").read_text())["sealed"]
    edit(store, "alice", sealed=sealed)
    with pytest.raises(InvalidError) as caught:
        store.unlock("alice", opens)
    assert caught.value.code == "damaged_key"


@pytest.mark.parametrize(
    "change", [{"created": "2000-01-01T00:00:00Z"}, {"path": "m/0'"}, {"has_mnemonic": False}]
)
def test_the_public_part_is_bound_to_the_secret(store: KeyStore, change: dict[str, Any]) -> None:
    both(store)
    edit(store, "alice", **change)
    with pytest.raises(InvalidError) as caught:
        store.unlock("alice", opens)
    assert caught.value.code == "damaged_key"


def test_a_cost_above_the_bound_is_refused_before_it_is_paid(store: KeyStore) -> None:
    both(store)
    sealed = json.loads(file_of(store, "alice").read_text())["sealed"]
    edit(store, "alice", sealed={**sealed, "memory": 1 << 40})
    with pytest.raises(InvalidError) as caught:
        store.unlock("alice", opens)
    assert caught.value.code == "cost_out_of_bounds"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "damaged_key"),
        ("{", "damaged_key"),
        ("\xff", "damaged_key"),
        ("[]", "damaged_key"),
        ("{}", "damaged_key"),
        ('{"version": true}', "damaged_key"),
        ('{"version": 0}', "damaged_key"),
        ('{"version": 2}', "newer_version"),
        ('{"version": 1, "version": 1}', "damaged_key"),
        ("[" * 100_000, "damaged_key"),
        ('"' + "x" * 100_000 + '"', "damaged_key"),
    ],
    ids=lambda value: value[:24],
)
def test_foreign_and_broken_files(store: KeyStore, content: str, code: str) -> None:
    both(store)
    file_of(store, "alice").write_bytes(content.encode("latin-1"))
    for use in (store.get, lambda name: store.unlock(name, never)):
        with pytest.raises(ConfigError) as caught:
            use("alice")
        assert caught.value.code == code
        assert "alice.json" in caught.value.message
    with pytest.raises(ConfigError):
        store.list()
    keys, faults = store.scan()
    assert [info.name for info in keys] == ["bob"]
    assert [fault.code for fault in faults] == [code]
    found = store.find(BOB.public_key)
    assert found is not None
    with pytest.raises(ConfigError):
        store.find(ALICE.public_key)


@pytest.mark.parametrize("name", ["alice", "bob"])
@pytest.mark.parametrize(
    "field",
    [
        "name",
        "type",
        "provider",
        "public_key",
        "rule",
        "path",
        "created",
        "passphrase",
        "has_mnemonic",
    ],
)
@pytest.mark.parametrize("value", [..., 7])
def test_a_field_that_is_missing_or_of_another_type(
    store: KeyStore, name: str, field: str, value: object
) -> None:
    both(store)
    edit(store, name, **{field: value})
    with pytest.raises(ConfigError) as caught:
        store.get(name)
    assert caught.value.code == "damaged_key"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("alice", {"sealed": ...}),
        ("alice", {"sealed": "x"}),
        ("alice", {"seed": ALICE.private_key}),
        ("alice", {"name": "bob"}),
        ("alice", {"name": "../alice"}),
        ("alice", {"type": "secp256k1"}),
        ("alice", {"provider": "pkcs11"}),
        ("alice", {"public_key": "0OIl"}),
        ("alice", {"public_key": ALICE.public_key + "1"}),
        ("alice", {"passphrase": False}),
        ("bob", {"passphrase": True}),
        ("bob", {"seed": ...}),
        ("bob", {"seed": 7}),
        ("bob", {"mnemonic": 7}),
    ],
)
def test_contradictory_files(store: KeyStore, name: str, change: dict[str, Any]) -> None:
    both(store)
    edit(store, name, **change)
    with pytest.raises(ConfigError) as caught:
        store.get(name)
    assert caught.value.code == "damaged_key"
    assert ALICE.private_key not in caught.value.message


@pytest.mark.parametrize("seed", ["", "hush0", "hush", BOB.private_key[:-1]])
def test_a_bad_seed_is_not_quoted(store: KeyStore, seed: str) -> None:
    both(store)
    edit(store, "bob", seed=seed)
    with pytest.raises(InvalidError) as caught:
        store.unlock("bob", never)
    assert caught.value.code == "damaged_key"
    error: BaseException | None = caught.value
    while error is not None:
        assert not seed or seed not in repr(error)
        error = error.__context__


def test_a_broken_file_is_not_quoted(store: KeyStore) -> None:
    both(store)
    path = file_of(store, "bob")
    path.write_text(path.read_text().replace('"mnemonic"', "mnemonic"))
    with pytest.raises(ConfigError) as caught:
        store.unlock("bob", never)
    assert caught.value.__context__ is None, "the JSON error carries the text with the seed"


def test_a_sealed_secret_that_is_no_secret(store: KeyStore) -> None:
    both(store)
    document = json.loads(file_of(store, "alice").read_text())
    header = {
        field: value
        for field, value in document.items()
        if field not in ("version", "name", "sealed")
    }
    for content in (b"not json", b"[]", b'{"seed": 7}', b'{"seed": "zz", "mnemonic": null}'):
        edit(
            store,
            "alice",
            sealed=sealing.seal(content, b"open alice", header=header, cost=CHEAP),
        )
        with pytest.raises(InvalidError) as caught:
            store.unlock("alice", opens)
        assert caught.value.code == "damaged_key"


# --- renaming and removing


def test_rename(store: KeyStore) -> None:
    both(store)
    assert store.rename("Alice", "carol").name == "carol"
    assert [info.name for info in store.list()] == ["bob", "carol"]
    assert store.unlock("carol", lambda _: b"open alice").keypair.seed == ALICE.seed
    assert store.rename("carol", "Carol").name == "Carol"
    assert [info.name for info in store.list()] == ["bob", "Carol"]
    assert sorted(os.listdir(store.directory)) == ["bob.json", "carol.json"]
    with pytest.raises(NotFoundError):
        store.rename("alice", "dave")


def test_remove_keeps_the_file_aside(store: KeyStore) -> None:
    places = []
    for pair in (ALICE, BOB):
        store.create("Alice", pair, secret_source=None, created=CREATED)
        places.append(store.remove("alice"))
        with pytest.raises(NotFoundError):
            store.get("alice")
    assert [os.path.basename(str(place)) for place in places] == ["alice.1.json", "alice.2.json"]
    for place, pair in zip(places, (ALICE, BOB), strict=True):
        assert json.loads(Path(str(place)).read_text())["seed"] == pair.private_key
    assert store.list() == []
    with pytest.raises(NotFoundError):
        store.remove("alice")


def test_shred_leaves_nothing(store: KeyStore, tmp_path: Path) -> None:
    both(store)
    link = tmp_path / "link"
    os.link(file_of(store, "bob"), link)
    assert store.remove("bob", shred=True) is None
    assert not file_of(store, "bob").exists()
    assert BOB.private_key.encode() not in link.read_bytes()
    with pytest.raises(NotFoundError):
        store.remove("bob", shred=True)


def test_a_broken_file_can_be_removed(store: KeyStore) -> None:
    both(store)
    file_of(store, "alice").write_text("{")
    assert store.remove("alice")
    assert [info.name for info in store.list()] == ["bob"]


# --- permissions, disks


@posix
def test_only_the_owner_can_read(store: KeyStore) -> None:
    previous = os.umask(0)
    try:
        both(store)
        store.rename("bob", "carol")
        kept = store.remove("carol")
    finally:
        os.umask(previous)
    assert kept is not None
    for path in (file_of(store, "alice"), Path(kept)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    home = Path(store.directory)
    for directory in (home, home.parent, Path(kept).parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_file_open_to_others_is_refused(store: KeyStore, mode: int) -> None:
    both(store)
    path = file_of(store, "alice")
    path.chmod(mode)
    for use in (store.get, lambda name: store.unlock(name, never)):
        with pytest.raises(ConfigError) as caught:
            use("alice")
        assert caught.value.code == "insecure_permissions"
        assert caught.value.hint == f"chmod 600 {path}"
    path.chmod(0o400)
    store.get("alice")


@posix
def test_a_directory_open_to_others_is_refused(store: KeyStore) -> None:
    both(store)
    Path(store.directory).chmod(0o770)
    with pytest.raises(ConfigError) as caught:
        store.create("carol", BOB, secret_source=None, created=CREATED)
    assert caught.value.code == "insecure_permissions"
    assert str(caught.value.hint).startswith("chmod 700 ")


@posix
def test_a_pipe_or_directory_in_the_place_of_a_key(store: KeyStore) -> None:
    both(store)
    os.mkfifo(Path(store.directory, "pipe.json"), 0o600)
    Path(store.directory, "folder.json").mkdir(0o700)
    for name in ("pipe", "folder"):
        with pytest.raises(ConfigError):
            store.get(name)
        with pytest.raises(ConflictError):
            store.create(name, BOB, secret_source=None, created=CREATED)


def fails_with(number: int) -> Any:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("call", ["write", "fsync", "link"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_full_or_broken_disk(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    both(store)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails_with(number))
        with pytest.raises(ConfigError) as caught:
            store.create("carol", BOB, secret_source=None, created=CREATED)
        assert caught.value.code == "cannot_write"
        assert os.strerror(number).lower() in caught.value.message
    assert sorted(os.listdir(store.directory)) == ["alice.json", "bob.json"]
    store.create("carol", BOB, secret_source=None, created=CREATED)


@pytest.mark.parametrize("use", ["rename", "remove", "shred", "respell"])
def test_a_read_only_directory(store: KeyStore, monkeypatch: pytest.MonkeyPatch, use: str) -> None:
    both(store)
    with monkeypatch.context() as patch:
        for call in ("link", "unlink", "rename", "replace"):
            patch.setattr(os, call, fails_with(errno.EROFS))
        uses: dict[str, Callable[[], object]] = {
            "rename": lambda: store.rename("alice", "carol"),
            "respell": lambda: store.rename("alice", "Alice"),
            "remove": lambda: store.remove("alice"),
            "shred": lambda: store.remove("alice", shred=True),
        }
        with pytest.raises(ConfigError) as caught:
            uses[use]()
        assert caught.value.code == "cannot_write"
    if use != "shred":
        assert store.unlock("alice", opens).keypair.seed == ALICE.seed


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = KeyStore(str(tmp_path / "file" / "keys"), cost=CHEAP)
    with pytest.raises(ConfigError) as caught:
        store.create("alice", ALICE, secret_source=None, created=CREATED)
    assert caught.value.code == "cannot_write"
    with pytest.raises(ConfigError) as caught:
        store.list()
    assert caught.value.code == "cannot_read"


def test_a_file_system_without_hard_links(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", fails_with(errno.EPERM))
    both(store)
    with pytest.raises(ConflictError):
        store.create("alice", BOB, secret_source=None, created=CREATED)
    path = file_of(store, "alice")
    before = path.read_bytes()
    with pytest.raises(ConflictError):
        files.write_new(str(path), b"other")
    assert path.read_bytes() == before
    store.rename("alice", "carol")
    kept = store.remove("carol")
    assert kept is not None
    assert Path(kept).is_file()
    assert sorted(os.listdir(store.directory)) == ["bob.json", "removed"]
    reserved = Path(store.directory, ".reserved-dave.json")
    reserved.write_text("")
    with pytest.raises(ConflictError) as caught:
        store.create("dave", BOB, secret_source=None, created=CREATED)
    assert caught.value.retryable
    os.utime(reserved, (0, 0))
    store.create("dave", BOB, secret_source=None, created=CREATED)


def test_what_a_killed_process_left_is_ignored_and_swept(store: KeyStore) -> None:
    both(store)
    old = Path(store.directory, ".new-0000000000000000")
    young = Path(store.directory, ".new-1111111111111111")
    for path in (old, young):
        path.write_text('{"version": 1, "seed"')
    os.utime(old, (0, 0))
    assert len(store.list()) == 2
    store.create("carol", BOB, secret_source=None, created=CREATED)
    assert not old.exists()
    assert young.exists(), "it may be another process's, still being written"


def test_a_key_that_takes_the_name_meanwhile_is_kept(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two steps of a rename, another process removes the key and makes a new one.

    So it may be on a file system without locks.
    """
    both(store)
    monkeypatch.setattr(files, "held", lambda _path: contextlib.nullcontext())
    write_new = files.write_new

    def interrupted(path: str, data: bytes) -> None:
        write_new(path, data)
        monkeypatch.setattr(files, "write_new", write_new)
        store.remove("alice")
        store.create("alice", BOB, secret_source=None, created=CREATED)

    monkeypatch.setattr(files, "write_new", interrupted)
    store.rename("alice", "carol")
    assert store.get("carol").public_key == ALICE.public_key
    assert store.get("alice").public_key == BOB.public_key


@pytest.mark.parametrize("use", ["rename", "remove", "shred"])
def test_a_key_that_goes_away_meanwhile(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    both(store)
    path = file_of(store, "alice")
    if use == "rename":
        write_new = files.write_new

        def interrupted(path_: str, data: bytes) -> None:
            write_new(path_, data)
            path.unlink()

        monkeypatch.setattr(files, "write_new", interrupted)
        assert store.rename("alice", "carol").name == "carol"
    else:
        path.unlink()
        monkeypatch.setattr(os.path, "lexists", lambda _: True)
        with pytest.raises(NotFoundError):
            store.remove("alice", shred=use == "shred")
    leftovers = [name for name in os.listdir(store.directory) if name.startswith(".")]
    assert leftovers == []


def test_a_key_removed_while_the_store_is_listed(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    both(store)
    monkeypatch.setattr(os, "listdir", lambda _: ["alice.json", "bob.json", "gone.json"])
    assert [info.name for info in store.list()] == ["alice", "bob"]


def test_a_file_that_cannot_be_read(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    both(store)
    for call in ("open", "read"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fails_with(errno.EACCES))
            with pytest.raises(ConfigError) as caught:
                store.get("alice")
        assert caught.value.code == "cannot_read"


def test_a_reserved_name_stops_a_rename_too(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", fails_with(errno.EPERM))
    both(store)
    Path(store.directory, ".reserved-carol.json").write_text("")
    with pytest.raises(ConflictError) as caught:
        store.rename("alice", "carol")
    assert caught.value.retryable
    assert store.get("alice").public_key == ALICE.public_key


def test_a_file_system_without_directory_sync(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    number = errno.EINVAL
    both(store)
    number = errno.EIO
    with pytest.raises(ConfigError) as caught:
        store.create("carol", BOB, secret_source=None, created=CREATED)
    assert caught.value.code == "cannot_write"


# --- several processes

CREATE = """
import sys
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConflictError
from twincli.keystore.store import KeyStore
store = KeyStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
pair = KeyPair.from_seed(sys.argv[2].encode() * 32)
try:
    store.create(sys.argv[3], pair, secret_source=None, created="2024-01-20T09:00:00Z")
except ConflictError as error:
    print(error.code)
else:
    print("created", pair.public_key)
"""

MANY = """
import sys
from twincli.crypto.ed25519 import KeyPair
from twincli.keystore.store import KeyStore
store = KeyStore(sys.argv[1])
number = int(sys.argv[2])
while True:
    pair = KeyPair.from_seed(number.to_bytes(32, "big"))
    store.create(f"k{number}", pair, secret_source=None, created="2024-01-20T09:00:00Z")
    print(number, flush=True)
    number += 1
"""


def test_of_several_processes_exactly_one_creates_a_name(store: KeyStore) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE, store.directory, letter, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for letter, name in zip("stuvwx", ["car", "Car", "CAR"] * 2, strict=True)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].split() for process in processes]
    winners = [answer[1] for answer in answers if answer[0] == "created"]
    assert len(winners) == 1
    assert sorted(answer[0] for answer in answers) == ["created", *["exists"] * 5]
    assert [info.public_key for info in store.list()] == winners
    assert os.listdir(store.directory) == ["car.json"]


def test_a_killed_process_leaves_no_half_key(store: KeyStore) -> None:
    start = 0
    for round_ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", MANY, store.directory, str(start)],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            acknowledged = [int(process.stdout.readline()) for _ in range(1 + 3 * round_)]
            process.kill()
            acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
        keys, faults = store.scan()
        assert faults == []
        assert {f"k{number}" for number in acknowledged} <= {info.name for info in keys}
        for info in keys:
            number = int(info.name[1:])
            assert store.unlock(info.name, never).keypair.seed == number.to_bytes(32, "big")
        start = max(int(info.name[1:]) for info in keys) + 1


def test_reading_a_plain_key_is_light() -> None:
    """What ``asset append`` loads must not bring in what only making keys needs."""
    heavy = (
        "mnemonic nacl.bindings nacl.pwhash dataclasses inspect pathlib logging tempfile shutil"
        " subprocess uuid argparse asyncio typer rich difflib datetime secrets"
    )
    code = (
        "import sys\nbefore = set(sys.modules)\n"
        "import twincli.keystore.store, twincli.model.did\n"
        f"print(sorted(set({heavy.split()!r}) & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_stale_files_that_cannot_be_swept_do_no_harm(store: KeyStore) -> None:
    both(store)
    stale = Path(store.directory, ".new-0000000000000000")
    stale.mkdir()
    os.utime(stale, (0, 0))
    sweep(str(Path(store.directory, "nowhere")))
    store.create("carol", BOB, secret_source=None, created=CREATED)
    assert len(store.list()) == 3


def test_every_error_is_ours(store: KeyStore) -> None:
    """Whatever bytes a key file holds, reading it ends in a ``TwinError`` or works."""
    both(store)
    for name in ("alice", "bob"):
        whole = file_of(store, name).read_bytes()
        for index in range(0, len(whole), 7):
            damaged = bytearray(whole)
            damaged[index] ^= 4
            file_of(store, name).write_bytes(bytes(damaged))
            try:
                key = store.unlock(name, opens)
            except TwinError:
                continue
            assert key.keypair.public_key == store.get(name).public_key
        file_of(store, name).write_bytes(whole)


def test_a_settled_store_asks_for_a_passphrase_once(store: KeyStore) -> None:
    both(store)
    asked: list[str] = []

    def source(name: str) -> bytes:
        asked.append(name)
        return opens(name)

    def wrong(_name: str) -> bytes:
        return b"wrong"

    settled = KeyStore(store.directory, cost=CHEAP, settled=True)
    with pytest.raises(LockedError):
        settled.unlock("alice", wrong)
    for _ in range(3):
        assert settled.unlock("alice", source).mnemonic == PHRASE
        assert settled.signer("alice", never).public_key == ALICE.public_key
        assert settled.unlock("bob", never).keypair.public_key == BOB.public_key
    assert asked == ["alice"]
    # What opened one file opens no other that takes its place.
    edit(store, "alice", created="2025-01-20T09:00:00Z")
    with pytest.raises(InvalidError):
        settled.unlock("alice", source)
    asked.clear()
    edit(store, "alice", created=CREATED)
    for _ in range(2):
        store.unlock("alice", source)
    assert asked == ["alice", "alice"]


def test_a_settled_store_reads_its_directory_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = str(tmp_path / "keys")
    other = KeyStore(directory)
    for name in ("a", "b"):
        pair = KeyPair.from_seed(name.encode() * 32)
        other.create(name, pair, secret_source=None, created="2024-01-20T09:00:00Z")
    looked: list[str] = []
    listdir = os.listdir

    def look(path: str) -> list[str]:
        looked.append(path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", look)
    store = KeyStore(directory, settled=True)
    for _ in range(5):
        assert [info.name for info in store.list()] == ["a", "b"]
    assert looked == [directory]
    store.list().clear()
    pair = KeyPair.from_seed(b"c" * 32)
    store.create("c", pair, secret_source=None, created="2024-01-20T09:00:00Z")
    assert [info.name for info in store.list()] == ["a", "b", "c"]
    store.rename("c", "d")
    assert [info.name for info in store.list()] == ["a", "b", "d"]
    store.remove("d")
    assert [info.name for info in store.list()] == ["a", "b"]


def test_a_temporary_file_is_no_key(tmp_path: Path) -> None:
    store = KeyStore(str(tmp_path / "keys"))
    pair = KeyPair.from_seed(b"a" * 32)
    store.create("a", pair, secret_source=None, created="2024-01-20T09:00:00Z")
    data = (tmp_path / "keys" / "a.json").read_bytes()
    for name in (".new-0123456789abcdef", ".new-0123456789abcdef.json", ".reserved-b.json"):
        (tmp_path / "keys" / name).write_bytes(data)
        (tmp_path / "keys" / name).chmod(0o600)
    keys, faults = store.scan()
    assert ([info.name for info in keys], faults) == (["a"], [])
