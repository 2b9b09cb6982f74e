"""Encrypted streams: who reads what until when, and what is nowhere in the clear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.privacy.sealed import Vault
from tests.services.rooms import opened
from twincli.errors import ConfigError, LockedError, NotFoundError, UsageError
from twincli.model import encryption, record, times
from twincli.services.bundle.gather import Chosen, gather
from twincli.services.bundle.sources import OfLedger
from twincli.services.grant import grants
from twincli.services.privacy import locks, sealing
from twincli.services.privacy.chunks import SealedChunks
from twincli.services.privacy.shelf import Shelf
from twincli.services.stream import show, streams
from twincli.services.workspace import Audit


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with opened(tmp_path) as rooms:
        yield Vault(rooms, tmp_path)


def epochs(vault: Vault, name: str = "recipe") -> tuple[encryption.Epoch, ...]:
    lock = streams.find(vault.rooms.workspace, "car", name).lock
    assert lock is not None
    return locks.history(vault.rooms.workspace, lock).epochs


def refused(vault: Vault, *keys: str, name: str = "recipe") -> str:
    with pytest.raises(LockedError) as error:
        vault.ask(name, *keys)
    assert error.value.code == "no_grant"
    return error.value.message


def test_what_is_pushed_is_read_by_its_owner_and_stands_nowhere(vault: Vault) -> None:
    vault.stream("recipe")
    done = vault.push("recipe", secret="XYZZY-PLUGH", ratio=0.25)
    assert (done["count"], len(done["chunks"]), done["readings"]) == (1, 1, [])
    vault.push("recipe", secret="XYZZY-AGAIN", ratio=1)  # a double, as the series is
    assert vault.ask("recipe") == [
        {"secret": "XYZZY-PLUGH", "ratio": 0.25},
        {"secret": "XYZZY-AGAIN", "ratio": 1.0},
    ]
    assert vault.ask("recipe", aggregates="average", every="1m", fields="ratio") == [
        {"ratio": 0.625}
    ]
    room = vault.room()
    shown = show.show(room, "car", "recipe")
    assert (shown["latest"], shown["sources"]) == ([], [])
    assert show.latest(room, str(shown["twin_id"])) == []
    room.inventory.close()
    client = vault.rooms.workspace.client
    entry = client.last(str(shown["asset_id"]))
    assert entry is not None
    body = (record.envelope_of(entry.tx["metadata"]) or {})["body"]
    assert body["epoch"] == 0
    assert "XYZZY" not in str([each.tx for each in client.entries(str(shown["asset_id"]))])
    assert not vault.holds("XYZZY")
    assert not vault.holds("ratio")


def test_a_stranger_a_writer_and_a_viewer(vault: Vault) -> None:
    vault.stream("recipe")
    vault.push("recipe", secret="one")
    assert "viewer cannot open it" in refused(vault, "viewer")
    vault.grant(role="writer")
    refused(vault, "viewer")
    vault.grant()
    assert vault.ask("recipe", "viewer") == [{"secret": "one"}]
    vault.push("recipe", secret="two")
    assert len(vault.ask("recipe", "viewer")) == 2
    assert len(epochs(vault)) == 1


def test_the_scope_is_a_stream(vault: Vault) -> None:
    for name in ("recipe", "quality"):
        vault.stream(name)
        vault.push(name, value=1)
    made = vault.grant(role="auditor", scope=["quality,certifications"])
    assert made["grants"][0]["scope"] == {
        "fields": None,
        "kinds": ["certificate"],
        "streams": ["quality"],
    }
    assert vault.ask("quality", "viewer") == [{"value": 1}]
    assert "does not include it" in refused(vault, "viewer")
    with pytest.raises(UsageError, match="qualty"):
        vault.grant(scope=["qualty"])


def test_a_grant_ends_exactly_at_its_bound_and_then_an_epoch_begins(vault: Vault) -> None:
    rooms = vault.rooms
    vault.stream("recipe")
    vault.push("recipe", secret="one")
    end = rooms.now_ms + 60_000
    vault.grant(expires=times.to_text(end))
    rooms.now_ms = end - 1
    assert vault.ask("recipe", "viewer") == [{"secret": "one"}]
    vault.push("recipe", secret="two")
    assert len(epochs(vault)) == 1
    rooms.now_ms = end
    assert "over" in refused(vault, "viewer")
    vault.push("recipe", secret="three")
    begun, then = epochs(vault)
    viewer = rooms.workspace.keystore.get("viewer").public_key
    assert begun.wraps_of(viewer)
    assert not then.wraps_of(viewer)
    assert [row["secret"] for row in vault.ask("recipe")] == ["one", "two", "three"]
    # Granted again, it reads all, also what was written in between.
    vault.grant()
    assert len(vault.ask("recipe", "viewer")) == 3


def test_the_same_grant_twice_is_said(vault: Vault) -> None:
    vault.stream("recipe")
    assert vault.grant()["warnings"] == []
    (warning,) = vault.grant()["warnings"]
    assert warning.startswith("viewer had this grant already, since ")
    assert vault.grant(scope=["recipe"])["warnings"] == []
    assert vault.grant(expires="2099-01-01")["warnings"] == []
    vault.revoke()
    assert vault.grant()["warnings"] == []


def test_a_revocation_begins_an_epoch(vault: Vault) -> None:
    vault.stream("recipe")
    vault.push("recipe", secret="one")
    vault.grant()
    vault.revoke(reason="contract ended")
    assert "revoked" in refused(vault, "viewer")
    vault.push("recipe", secret="two")
    assert len(epochs(vault)) == 2
    assert len(vault.ask("recipe")) == 2
    vault.grant("device")
    vault.revoke("device")
    assert len(epochs(vault)) == 3


def test_a_device_writes_and_does_not_read(vault: Vault) -> None:
    vault.stream("gps", owner="device")
    vault.push("gps", "device", home="away", lat=1.5)
    vault.push("gps", "device", home="away", lat=2.5)
    refused(vault, "device", name="gps")
    assert vault.ask("gps", home="other") == [{"lat": 1.5}, {"lat": 2.5}]  # a stranger's chunk
    vault.grant()
    vault.rooms.now_ms += 1000
    vault.revoke()
    room = vault.room("device", home="away")
    assert room.sealed is not None
    vault.push("gps", "device", home="away", lat=3.5)
    assert [row["lat"] for row in vault.ask("gps")] == [1.5, 2.5, 3.5]
    assert len(epochs(vault, "gps")) == 2


def test_what_came_late_is_marked_and_encrypted_again(vault: Vault) -> None:
    rooms = vault.rooms
    vault.stream("gps", owner="device")
    vault.push("gps", "device", home="away", lat=1.5)
    vault.grant()
    lock = streams.find(rooms.workspace, "car", "gps").lock
    assert lock is not None
    offline = locks.history(rooms.workspace, lock).current
    vault.revoke()
    rooms.now_ms += 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "current", lambda *_: offline)  # it does not know yet
        vault.push("gps", "device", home="away", lat=2.5)
    rows, warnings = vault.asked("gps")
    assert rows == [{"lat": 1.5}, {"lat": 2.5}]
    assert any("had ended" in warning for warning in warnings)

    def late() -> int:
        room = vault.room()
        shown = show.show(room, "car", "gps")
        room.inventory.close()
        return shown["late_chunks"]

    assert late() == 1
    assert sealing.tend(rooms.workspace, vault.stores, vault.twin_id) == 1
    assert sealing.tend(rooms.workspace, vault.stores, vault.twin_id) == 0
    assert late() == 0
    rows, warnings = vault.asked("gps")
    assert rows == [{"lat": 1.5}, {"lat": 2.5}]
    assert warnings == ()
    # A bundle has what is read now, not the bytes that the one who was shut out can open.
    source = OfLedger(rooms.ledger)
    found = gather(rooms.workspace, source, vault.blobs, vault.twin_id, Chosen())
    ((of, again),) = locks.history(rooms.workspace, lock).sealed.items()
    assert again.cid in found.content
    assert of not in found.content
    assert [(item.what, item.cid) for item in found.left_out] == [("file", of)]
    none = Chosen(streams=frozenset(), files=frozenset())
    found = gather(rooms.workspace, source, vault.blobs, vault.twin_id, none)
    assert {of, again.cid}.isdisjoint(found.content)
    assert found.content == sorted(found.wraps)


def test_what_is_due_begins_with_the_owners_next_grant(vault: Vault) -> None:
    rooms = vault.rooms
    vault.stream("gps", owner="device")
    vault.grant(expires=times.to_text(rooms.now_ms + 1000))
    rooms.now_ms += 1000
    vault.push("gps", "device", lat=1.5)
    assert len(epochs(vault, "gps")) == 1
    vault.grant("device", scope=["file"])
    assert len(epochs(vault, "gps")) == 2


@pytest.mark.parametrize("is_private", [False, True])
def test_revoking_what_has_expired_begins_what_is_due(vault: Vault, *, is_private: bool) -> None:
    rooms = vault.rooms
    vault.stream("gps", owner="device")
    reading = grants.Reading(vault.stores, is_private=is_private)
    end = times.to_text(rooms.now_ms + 1000)
    grants.add(rooms.workspace, "car", ["viewer"], role="viewer", expires=end, reading=reading)

    def due() -> bool:
        room = vault.room()
        shown = show.show(room, "car", "gps")
        room.inventory.close()
        return shown["epoch_due"]

    assert not due()
    rooms.now_ms += 1000
    vault.push("gps", "device", lat=1.5)
    assert due()
    rooms.key("eve")
    with pytest.raises(NotFoundError):
        vault.revoke("eve")
    vault.revoke("viewer")
    assert not due()
    assert len(epochs(vault, "gps")) == 2
    with pytest.raises(NotFoundError):
        vault.revoke("viewer")


def test_a_home_that_cannot_be_written_opens_nothing_and_says_why(
    vault: Vault, tmp_path: Path
) -> None:
    vault.stream("recipe")
    vault.push("recipe", secret="one")
    (tmp_path / "file").write_text("")
    vault.rooms.workspace = vault.rooms.workspace._replace(audit=Audit(str(tmp_path / "file/log")))
    by = SealedChunks(vault.rooms.workspace, Shelf(vault.blobs), vault.room().copies, "query")
    lock = streams.find(vault.rooms.workspace, "car", "recipe").lock
    assert lock is not None
    with pytest.raises(ConfigError, match="only where the audit log can note it") as error:
        by.ring(lock)
    assert error.value.code == "cannot_write"
    by = SealedChunks(vault.rooms.using("viewer"), Shelf(vault.blobs), vault.room().copies, "query")
    with pytest.raises(LockedError) as refusal:
        by.ring(lock)
    assert refusal.value.code == "no_grant"


def test_a_key_that_cannot_decrypt_is_refused_with_the_way_out(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.stream("recipe")
    vault.push("recipe", secret="one")
    store = vault.rooms.workspace.keystore
    scanned = store.scan

    def in_a_chip() -> object:
        infos, faults = scanned()
        return [
            info._replace(provider="pkcs11") if info.name == "viewer" else info for info in infos
        ], faults

    monkeypatch.setattr(store, "scan", in_a_chip)
    with pytest.raises(LockedError) as error:
        vault.grant()
    assert error.value.code == "cannot_decrypt"
    assert "--recipient" in str(error.value.hint)
    from twincli.crypto import age

    other = age.generate()
    vault.grant(recipient=other.recipient)
    (epoch,) = epochs(vault)
    (wrap,) = epoch.wraps_of(store.get("viewer").public_key)
    with vault.blobs.open(wrap.cid) as file:
        secret = age.open_sealed(file.read(), [other.secret]).decode()
    done = vault.push("recipe", secret="two")
    with vault.blobs.open(done["chunks"][0]) as file:
        assert age.open_sealed(file.read(), [secret]).startswith(b"PAR1")
