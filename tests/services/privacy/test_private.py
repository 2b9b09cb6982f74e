"""Grants whose scope is private: who reads what, and that the ledger does not say it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.privacy.sealed import Vault
from tests.services.rooms import opened
from twincli.client.embedded import EmbeddedClient
from twincli.crypto import age
from twincli.errors import LockedError, UsageError
from twincli.model import did, encryption, record, times
from twincli.model import private as model
from twincli.services.documents import WrittenGrants
from twincli.services.file import shred
from twincli.services.grant import grants
from twincli.services.keys import rotate
from twincli.services.network.guard import anchored
from twincli.services.privacy import hiding, locks, private, sealing
from twincli.services.privacy.shelf import Shelf
from twincli.services.stream import streams


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with opened(tmp_path) as rooms:
        made = Vault(rooms, tmp_path)
        for name in ("recipe", "quality"):
            made.stream(name)
            made.push(name, value=f"{name} one")
        yield made


def allow(vault: Vault, to: str = "viewer", *scope: str, **more: object) -> WrittenGrants:
    reading = grants.Reading(vault.stores, is_private=True)
    made = grants.add(
        vault.rooms.workspace,
        "car",
        [to],
        role="viewer",
        scope=scope,
        reading=reading,
        **more,  # type: ignore[arg-type]
    )
    assert isinstance(made, dict)
    return made


def refused(vault: Vault, name: str, key: str = "viewer") -> str:
    with pytest.raises(LockedError) as error:
        vault.ask(name, key)
    assert error.value.code == "no_grant"
    return error.value.message


def bodies(vault: Vault) -> list[dict[str, object]]:
    """Return what the grants and revocations of the twin state."""
    client = vault.rooms.workspace.client
    found = client.records(vault.twin_id, locks.CARRIERS)
    return [(record.envelope_of(entry.tx["metadata"]) or {})["body"] for entry in found]


def test_who_is_let_in_reads_what_is_in_scope_and_the_ledger_does_not_say_it(vault: Vault) -> None:
    made = allow(vault, "viewer", "recipe")
    assert (made["warnings"], made["grants"][0]["private"]) == ([], True)
    assert made["grants"][0]["scope"] == {"fields": None, "kinds": None, "streams": ["recipe"]}
    assert vault.ask("recipe", "viewer") == [{"value": "recipe one"}]
    assert "does not include it" in refused(vault, "quality")
    assert "cannot open it" in refused(vault, "recipe", "device")
    (body,) = bodies(vault)
    assert set(body) == {"to", "role", "private"}
    told = str(body)
    workspace = vault.rooms.workspace
    ids = [streams.find(workspace, "car", name).asset_id for name in ("recipe", "quality")]
    assert not any(word in told for word in ("recipe", "quality", "stream", "reading", *ids))
    # A scope of everything looks the same.
    other = allow(vault, "device")["body"]["private"]
    assert len(other["hashes"]) == model.HASHES
    sizes = {
        vault.blobs.size(wrap["cid"])
        for wrap in (*other["wraps"], *made["body"]["private"]["wraps"])
    }
    assert max(sizes) < 2 * 4096  # the padding, and what age adds by chance
    assert vault.ask("quality", "device") == [{"value": "quality one"}]
    listed = grants.list_grants(workspace, "car")["grants"]
    assert [(row["private"], row["scope"], row["state"]) for row in listed] == [
        (True, None, "active"),
        (True, None, "active"),
    ]
    rows = grants.effective(workspace, "car")["speakers"]
    assert [(row["private"], row["scope"]) for row in rows if row["why"] == "grant"] == [
        (True, None),
        (True, None),
    ]


def test_new_epochs_and_streams_reach_it_and_nobody_sees_which(vault: Vault) -> None:
    allow(vault, "viewer", "recipe")
    allow(vault, "device", "quality")
    vault.grant("device", scope=["recipe"])
    vault.revoke("device")
    vault.push("recipe", value="recipe two")
    vault.push("quality", value="quality two")
    assert [row["value"] for row in vault.ask("recipe", "viewer")] == ["recipe one", "recipe two"]
    assert "revoked" in refused(vault, "quality", "device")
    assert "revoked" in refused(vault, "recipe", "device")
    vault.stream("third")
    vault.push("third", value="three")
    assert "does not include it" in refused(vault, "third")
    renewed = [list(model.renewals(body)) for body in bodies(vault) if "renews" in body]
    assert len(renewed) >= 2  # after the epochs, and after the stream outside of all scopes
    key = vault.rooms.workspace.keystore.get("device").public_key
    assert all(wrap.public_key != key for each in renewed[-1] for wrap in each.wraps)
    for body in bodies(vault):
        for item in encryption.items(body):
            viewer = vault.rooms.workspace.keystore.get("viewer").public_key
            assert all(wrap.public_key != viewer for wrap in item.wraps)
    assert not hiding.renew(vault.rooms.workspace, vault.stores, vault.twin_id)
    assert not hiding.renew(vault.rooms.using("viewer"), vault.stores, "0" * 64)


def test_more_grants_than_a_record_renews_are_renewed_by_several(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "MAX_RENEWED", 1)
    allow(vault, "viewer", "recipe")
    allow(vault, "device")
    vault.stream("third")
    vault.push("third", value=3)
    assert vault.ask("third", "device") == [{"value": 3}]
    renewed = [body[model.RENEWS] for body in bodies(vault) if model.RENEWS in body]
    assert len(renewed) == 2


def test_it_ends_exactly_at_its_bound_and_everything_gets_a_new_epoch(vault: Vault) -> None:
    rooms = vault.rooms
    end = rooms.now_ms + 60_000
    allow(vault, "viewer", "recipe", expires=times.to_text(end))
    rooms.now_ms = end - 1
    assert vault.ask("recipe", "viewer") == [{"value": "recipe one"}]
    vault.push("recipe", value="recipe two")
    rooms.now_ms = end
    assert "over" in refused(vault, "recipe")
    for name in ("recipe", "quality"):
        vault.push(name, value=f"{name} late")
        vault.push(name, value=f"{name} later")
        lock = streams.find(rooms.workspace, "car", name).lock
        assert lock is not None
        assert len(locks.history(rooms.workspace, lock).epochs) == 2
    # What was in its wraps opens none of the new epochs.
    key = rooms.workspace.keystore.unlock("viewer", None)
    secret = age.of_seed(key.keypair.seed).secret
    (hidden,) = private.of_twin(rooms.workspace, vault.twin_id).values()
    held = hidden.opened(Shelf(vault.blobs), key.keypair.public_key, secret)
    assert held is not None
    assert {number for _, number in held.identities} == {0}


def test_downloads_can_be_denied(vault: Vault) -> None:
    made = allow(vault, "viewer", "recipe", deny=["download"])
    assert made["grants"][0]["deny"] == ["download"]
    assert len(vault.ask("recipe", "viewer")) == 1


def test_what_is_shredded_opens_by_no_private_grant(vault: Vault) -> None:
    allow(vault, "viewer", "recipe,quality")
    workspace = vault.rooms.workspace
    lock = shred.lock_of(workspace, vault.blobs, "car", stream="recipe", file=None)
    dry = shred.shred(workspace._replace(dry_run=True), vault.blobs, lock)
    done = shred.shred(workspace, vault.blobs, lock, vault.stores)
    assert dry["erased"] == done["erased"]
    assert len(done["erased"]) == 3  # the owner's, and both wraps of the grant
    with pytest.raises(LockedError):
        vault.ask("recipe", "viewer")
    assert vault.ask("quality", "viewer") == [{"value": "quality one"}]


def test_a_wrap_is_served_to_its_party_only(vault: Vault) -> None:
    body = allow(vault, "viewer", "recipe")["body"]["private"]
    client = vault.rooms.workspace.client
    assert isinstance(client, EmbeddedClient)
    for wrap in body["wraps"]:
        found = anchored(client, wrap["cid"])
        assert found is not None
        assert found.twin_id == vault.twin_id
        assert did.key_did(str(found.to)) == wrap["to"]


def test_what_makes_no_sense_is_refused(vault: Vault) -> None:
    workspace = vault.rooms.workspace
    hide = grants.Reading(vault.stores, is_private=True)
    with pytest.raises(UsageError, match="readers"):
        grants.add(workspace, "car", ["viewer"], reading=hide)
    with pytest.raises(UsageError, match="at most 16 words"):
        allow(vault, "viewer", *(f"stream:s{number}" for number in range(17)))
    dry = grants.add(
        workspace._replace(dry_run=True), "car", ["viewer"], role="viewer", reading=hide
    )
    assert isinstance(dry, dict)
    assert dry["body"]["private"]["wraps"] == []
    assert bodies(vault) == []


def test_a_rotation_opens_everything_to_the_new_key(vault: Vault) -> None:
    rooms = vault.rooms
    allow(vault, "viewer", "recipe")
    vault.push("recipe", value="recipe two")
    new = rooms.key("maker2")
    old = rooms.workspace.keystore.get("maker")
    assert list(sealing.hand_over(rooms.workspace, vault.stores, old, new)) == []
    rotate.rotate(rooms.workspace, old, new)
    assert len(vault.ask("recipe", "maker2")) == 2
    refused(vault, "recipe", "maker")
    vault.push("recipe", "maker2", value="recipe three")
    assert len(vault.ask("recipe", "maker2")) == len(vault.ask("recipe", "viewer")) == 3
    refused(vault, "quality")
    assert list(sealing.hand_over(rooms.workspace, vault.stores, old, new)) == []


def test_a_key_that_cannot_decrypt_reads_with_an_identity(vault: Vault) -> None:
    workspace = vault.rooms.workspace
    other = age.generate()
    reading = grants.Reading(vault.stores, other.recipient, is_private=True)
    grants.add(workspace, "car", ["viewer"], role="viewer", scope=["recipe"], reading=reading)
    vault.grant("device", scope=["quality"], recipient=other.recipient)
    assert "could not be opened here" in refused(vault, "recipe")
    refused(vault, "quality", "device")
    vault.rooms.workspace = workspace._replace(identities=(age.generate().secret, other.secret))
    assert vault.ask("recipe", "viewer") == [{"value": "recipe one"}]
    assert vault.ask("quality", "device") == [{"value": "quality one"}]
    assert "does not include it" in refused(vault, "quality")  # the identity alone allows nothing
