"""Making, recovering, showing, renaming and removing keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.services.rooms import key_room
from twincli.crypto import derivation, mnemonic, sealing
from twincli.errors import ConflictError, InvalidError, LockedError, NotFoundError
from twincli.keystore.store import KeyStore
from twincli.services.documents import Keys
from twincli.services.keys import keys
from twincli.services.keys.keys import NewKey
from twincli.services.workspace import Workspace

NOW = datetime(2024, 1, 20, 9, 0, 0, 123456, tzinfo=UTC)
ABOUT = "abandon " * 11 + "about"
ABOUT_KEY = "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o"
TUTORIAL_KEY = "GEkKQDKFf5qzi7WwY2VzwBd3VyLhCu1aSaWjSAU7dCpo"
WALLET = "m/44'/822'/0'/0'/0'"
WALLET_KEY = "7HkM5R446hKzdYm3wLooH9d1vWnKPswErGWyQMtaTPkb"


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(str(tmp_path / "keys"), cost=sealing.Cost(1, 8192))


def room(store: KeyStore, *, now: datetime | None = None, **more: Any) -> Workspace:
    """Return a workspace around a key store, with a clock that shows ``now``."""
    if now is not None:
        more["now"] = lambda: int(now.timestamp() * 1000)
    return key_room(store, **more)


def passphrase(name: str) -> bytes:
    return f"pass of {name}".encode()


def test_new(store: KeyStore) -> None:
    made = keys.new(room(store, now=NOW), NewKey("alice", passphrase))
    public_key = store.unlock("alice", passphrase).public_key
    assert made == {
        "schema": "twin.key/1",
        "name": "alice",
        "public_key": public_key,
        "did": made["did"],
        "rule": "random",
        "path": None,
        "created": "2024-01-20T09:00:00Z",
        "passphrase": True,
        "has_mnemonic": False,
        "provider": "file",
    }
    assert next(iter(made)) == "schema"
    assert str(made["did"]).startswith("did:key:z6Mk")
    assert keys.show(room(store), "ALICE") == made


def test_the_time_is_utc(store: KeyStore) -> None:
    here = NOW.astimezone(timezone(timedelta(hours=5)))
    made = keys.new(room(store, now=here), NewKey("a", None))
    assert made["created"] == "2024-01-20T09:00:00Z"
    before = datetime.now(UTC).replace(microsecond=0)
    made = keys.new(room(store), NewKey("b", None))
    assert before <= datetime.fromisoformat(str(made["created"])) <= datetime.now(UTC)


@pytest.mark.parametrize("words", [12, 24])
def test_new_with_a_phrase(store: KeyStore, words: int) -> None:
    made = keys.new(room(store), NewKey("alice", passphrase), with_mnemonic=True, words=words)
    phrase = made["mnemonic"]
    assert phrase is not None
    assert len(phrase.split()) == words
    assert mnemonic.check(phrase)
    assert made["rule"] == "tutorial"
    assert derivation.tutorial(mnemonic.to_seed(phrase)).public_key == made["public_key"]
    assert "mnemonic" not in keys.show(room(store), "alice")
    shown = keys.show(room(store, secrets=passphrase), "alice", with_mnemonic=True)
    assert shown["mnemonic"] == phrase
    again = keys.recover(room(store), NewKey("again", None), phrase)
    assert again["public_key"] == made["public_key"]


def test_new_at_a_path(store: KeyStore) -> None:
    made = keys.new(room(store), NewKey("alice", None), path="m/44h/822h/0h/0h/0h")
    assert (made["rule"], made["path"]) == ("slip10", WALLET)
    assert "mnemonic" not in made
    phrase = store.unlock("alice", None).mnemonic
    assert phrase is not None
    pair = derivation.slip10(mnemonic.to_seed(phrase), WALLET)
    assert pair.public_key == made["public_key"]


def test_new_if_missing(store: KeyStore) -> None:
    made = keys.new(room(store, now=NOW), NewKey("alice", None), path=WALLET, with_mnemonic=True)
    again = keys.new(room(store), NewKey("alice", passphrase, if_missing=True), with_mnemonic=True)
    assert again["created"] is False
    assert again["public_key"] == made["public_key"]
    assert "mnemonic" not in again
    same = keys.new(room(store), NewKey("alice", None, if_missing=True), path=WALLET)
    assert same["created"] is False
    with pytest.raises(ConflictError) as caught:
        keys.new(room(store), NewKey("alice", None, if_missing=True), path="m/0'")
    assert caught.value.code == "exists"
    with pytest.raises(ConflictError):
        keys.new(room(store), NewKey("alice", None))
    fresh = keys.new(room(store, now=NOW), NewKey("bob", None, if_missing=True))
    assert fresh["created"] == "2024-01-20T09:00:00Z"


def test_if_missing_when_another_process_was_faster(store: KeyStore) -> None:
    def slow(name: str) -> bytes:
        keys.recover(room(store), NewKey(name, None), ABOUT)
        return b"pass"

    made = keys.new(room(store), NewKey("alice", slow, if_missing=True))
    assert (made["created"], made["public_key"]) == (False, ABOUT_KEY)
    made = keys.recover(room(store), NewKey("bob", slow, if_missing=True), ABOUT)
    assert (made["created"], made["public_key"]) == (False, ABOUT_KEY)
    with pytest.raises(ConflictError):
        keys.new(room(store), NewKey("carol", slow))
    with pytest.raises(ConflictError):
        keys.recover(room(store), NewKey("dave", slow), ABOUT)


@pytest.mark.parametrize(
    ("typed", "path", "public_key"),
    [
        (ABOUT, None, ABOUT_KEY),
        (f"  {ABOUT.upper()}\r\n", None, ABOUT_KEY),
        (ABOUT.replace(" ", "\n"), None, ABOUT_KEY),
        (ABOUT, WALLET, WALLET_KEY),
    ],
)
def test_recover(store: KeyStore, typed: str, path: str | None, public_key: str) -> None:
    made = keys.recover(room(store, now=NOW), NewKey("alice", passphrase), typed, path=path)
    assert made["public_key"] == public_key
    assert made["path"] == path
    assert "mnemonic" not in made
    assert store.unlock("alice", passphrase).mnemonic == ABOUT


def test_recover_with_bip39s_own_passphrase(store: KeyStore) -> None:
    made = keys.recover(room(store), NewKey("alice", None), ABOUT, bip39_passphrase="TREZOR")
    assert made["public_key"] == "6UChi37U4BGomEQR665JZNjTM2PiHcUmBCD3e7TD366v"


@pytest.mark.parametrize("typed", ["seedPhrase", "seedPhrase\n", "seedPhrase\r\n"])
def test_recover_the_tutorials_text(store: KeyStore, typed: str) -> None:
    with pytest.raises(InvalidError) as caught:
        keys.recover(room(store), NewKey("alice", None), typed)
    assert caught.value.code == "invalid_mnemonic"
    assert "--no-checksum" in str(caught.value.hint)
    assert "seedphrase" not in caught.value.message.lower()
    made = keys.recover(room(store), NewKey("alice", None), typed, checksum=False)
    assert made["public_key"] == TUTORIAL_KEY


def test_without_a_checksum_the_text_is_taken_as_it_is(store: KeyStore) -> None:
    made = keys.recover(room(store), NewKey("a", None), ABOUT.upper(), checksum=False)
    assert made["public_key"] != ABOUT_KEY
    with pytest.raises(InvalidError, match="empty"):
        keys.recover(room(store), NewKey("b", None), "\n", checksum=False)


def test_recover_if_missing(store: KeyStore) -> None:
    keys.recover(room(store), NewKey("alice", None), ABOUT)
    again = keys.recover(room(store), NewKey("alice", None, if_missing=True), ABOUT)
    assert again["created"] is False
    with pytest.raises(ConflictError) as caught:
        keys.recover(room(store), NewKey("alice", None, if_missing=True), ABOUT, path=WALLET)
    assert caught.value.code == "exists"


def test_a_bad_path_or_name_writes_nothing(store: KeyStore) -> None:
    for path, name in (("m/44", "alice"), (None, "a:b")):
        with pytest.raises(InvalidError):
            keys.new(room(store), NewKey(name, None), path=path)
        with pytest.raises(InvalidError):
            keys.recover(room(store), NewKey(name, None), ABOUT, path=path)
    assert not Path(store.directory).exists()


def test_the_phrase_needs_the_passphrase(store: KeyStore) -> None:
    keys.new(room(store), NewKey("alice", passphrase), with_mnemonic=True)
    with pytest.raises(LockedError):
        keys.show(room(store), "alice", with_mnemonic=True)
    keys.new(room(store), NewKey("bob", None))
    with pytest.raises(NotFoundError) as caught:
        keys.show(room(store), "bob", with_mnemonic=True)
    assert caught.value.code == "no_mnemonic"


def test_list(store: KeyStore) -> None:
    nothing: Keys = {"schema": "twin.keys/1", "keys": [], "warnings": []}
    assert keys.list_keys(room(store)) == nothing
    keys.new(room(store), NewKey("bob", None))
    keys.new(room(store), NewKey("alice", passphrase))
    Path(store.directory, "carol.json").write_text("{")
    Path(store.directory, "carol.json").chmod(0o600)
    listed = keys.list_keys(room(store))
    assert [entry["name"] for entry in listed["keys"]] == ["alice", "bob"]
    assert [entry["passphrase"] for entry in listed["keys"]] == [True, False]
    assert "schema" not in listed["keys"][0]
    (warning,) = listed["warnings"]
    assert "carol" in warning
    assert "backup" in warning


def test_rename_and_remove(store: KeyStore) -> None:
    made = keys.new(room(store), NewKey("alice", None))
    assert keys.rename(room(store), "alice", "carol") == {**made, "name": "carol"}
    removed = keys.remove(room(store), "Carol")
    assert removed["schema"] == "twin.removal/1"
    assert removed["shredded"] is False
    assert Path(str(removed["kept_at"])).is_file()
    keys.new(room(store), NewKey("dave", None))
    assert keys.remove(room(store), "dave", shred=True) == {
        "schema": "twin.removal/1",
        "name": "dave",
        "kept_at": None,
        "shredded": True,
    }
    with pytest.raises(NotFoundError):
        keys.remove(room(store), "dave")
