"""Encrypted files, and shredding what opens them or a stream."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.services.privacy.sealed import Vault
from tests.services.rooms import opened
from twincli.errors import InvalidError, LockedError, NotFoundError, TwinError, UsageError
from twincli.model import record
from twincli.services.asset.write_options import Writing
from twincli.services.file import attach, attached, shred
from twincli.services.privacy import files, opening
from twincli.services.privacy.shelf import Shelf
from twincli.services.record.attachments import Brought
from twincli.services.record.say import say

SECRET = b"the recipe is secret " * 10_000


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with opened(tmp_path) as rooms:
        yield Vault(rooms, tmp_path)


def brought(name: str = "recipe.txt", *, is_car: bool = False) -> Brought:
    return Brought(name, name, lambda: nullcontext(io.BytesIO(SECRET)), is_car)


def attach_one(vault: Vault, *keys: str, **more: Any) -> Any:
    workspace = vault.rooms.using(*keys)
    return attach.attach(workspace, vault.stores, "car", [brought()], encrypt=True, **more)


def read(vault: Vault, *keys: str, download: bool = True) -> bytes:
    workspace = vault.rooms.using(*keys)
    twin_id = vault.twin_id
    item = attached.one(attached.of_twin(workspace, vault.blobs, twin_id), "car", "recipe.txt")
    lock = attached.lock_of(workspace, item)
    assert lock is not None
    ring = opening.keyring(workspace, Shelf(vault.blobs), lock, by="test", download=download)
    found: list[bytes] = []
    size = files.copy(vault.blobs, lock.what, ring, found.append)
    assert size == len(SECRET)
    return b"".join(found)


def refused(vault: Vault, *keys: str, code: str = "no_grant") -> str:
    with pytest.raises(LockedError) as error:
        read(vault, *keys)
    assert error.value.code == code
    return f"{error.value.message} {error.value.hint}"


def test_a_file_is_read_by_whom_it_is_granted_to(vault: Vault) -> None:
    made = attach_one(vault)
    (item,) = made["files"]
    assert item["encrypted"]
    assert read(vault) == SECRET
    assert not vault.holds("recipe is secret")
    assert "grant add car --to viewer" in refused(vault, "viewer")
    vault.grant(deny=["download"])
    assert "denies downloads" in refused(vault, "viewer")
    assert read(vault, "viewer", download=False) == SECRET
    vault.grant(scope=["file"])
    assert read(vault, "viewer") == SECRET
    vault.revoke()
    refused(vault, "viewer")


def test_what_cannot_be_attached_encrypted(vault: Vault) -> None:
    with pytest.raises(UsageError, match="never the same"):
        attach_one(vault, writing=Writing(once="x"))
    with pytest.raises(LockedError):  # not the owner
        attach_one(vault, "viewer")
    car = [brought("x", is_car=True)]
    with pytest.raises(UsageError, match="CAR"):
        attach.attach(vault.rooms.workspace, vault.stores, "car", car, encrypt=True)


def test_a_file_that_is_altered_or_malformed_is_not_opened(vault: Vault) -> None:
    made = attach_one(vault)
    path = Path(vault.blobs.path(made["files"][0]["cid"]))
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidError) as error:
        read(vault)
    assert error.value.code == "damaged_content"
    body = {**made["files"][0], "encryption": {"epoch": 0}, "name": "recipe.txt"}
    say(vault.rooms.workspace, "car", record.FILE, body)
    with pytest.raises(InvalidError) as malformed:
        read(vault)
    assert malformed.value.code == "invalid_encryption"


def test_what_is_shredded_opens_no_more_and_a_stream_goes_on(vault: Vault) -> None:
    workspace, blobs = vault.rooms.workspace, vault.blobs
    vault.stream("recipe")
    vault.push("recipe", secret="one")
    vault.grant()
    attach_one(vault)
    lock = shred.lock_of(workspace, blobs, "car", stream="recipe", file=None)
    dry = shred.shred(workspace._replace(dry_run=True), blobs, lock)
    assert len(dry["erased"]) == 2
    assert vault.ask("recipe", "viewer") == [{"secret": "one"}]
    done = shred.shred(workspace, blobs, lock)
    assert (done["erased"], done["absent"]) == (dry["erased"], [])
    assert shred.shred(workspace, blobs, lock)["erased"] == []
    for keys in ((), ("viewer",)):
        with pytest.raises(LockedError) as error:
            vault.ask("recipe", *keys)
        assert error.value.code == "missing_wrap"
    vault.push("recipe", secret="two")  # in a new epoch, which can be opened
    rows, warnings = vault.asked("recipe")
    assert rows == [{"secret": "two"}]
    assert any("no key here opens" in warning for warning in warnings)
    file = shred.lock_of(workspace, blobs, "car", stream=None, file="recipe.txt")
    shred.shred(workspace, blobs, file)
    refused(vault, code="missing_wrap")


def test_what_is_not_encrypted_cannot_be_shredded(vault: Vault) -> None:
    workspace, blobs = vault.rooms.workspace, vault.blobs
    vault.push("plain", v=1)
    attach.attach(workspace, vault.stores, "car", [brought()])
    for what in ({"stream": "plain", "file": None}, {"stream": None, "file": "recipe.txt"}):
        with pytest.raises(UsageError) as error:
            shred.lock_of(workspace, blobs, "car", **what)
        assert error.value.code == "not_encrypted"
    for name in ("recipe", "pla"):
        with pytest.raises(TwinError) as missing:
            shred.lock_of(workspace, blobs, "car", stream=name, file=None)
        assert isinstance(missing.value, NotFoundError)
