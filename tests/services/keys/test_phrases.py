"""Keys of many devices from one phrase, and the search for a phrase's keys on a ledger."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.rooms import Rooms, opened
from twincli.crypto import derivation, mnemonic
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConflictError, InvalidError, LockedError, NotFoundError
from twincli.keystore.keyfile import KeyInfo
from twincli.model import owners, transaction
from twincli.services.keys import keys, phrases
from twincli.services.keys.keys import NewKey

WALLET: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "wallet_slip0010.json").read_text()
)["vectors"]
ABOUT = "abandon " * 11 + "about"


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        yield made


def fleet(rooms: Rooms, **more: Any) -> Any:
    return keys.recover(rooms.workspace, NewKey("fleet", None), ABOUT, **more)


def derive(rooms: Rooms, count: int, **more: Any) -> Any:
    return phrases.derive(
        rooms.workspace._replace(dry_run=more.pop("dry_run", False)),
        "fleet",
        count,
        child_source=None,
        **more,
    )


def test_children_are_where_the_wallet_has_them(rooms: Rooms) -> None:
    fleet(rooms)
    made = derive(rooms, 3)
    assert made["path"] == phrases.BRANCH
    assert made["made"] == 3
    wanted = {
        entry["path"]: entry["public_key"]
        for vector in WALLET
        if vector["phrase"] == ABOUT and not vector["passphrase"]
        for entry in vector["derivations"]
    }
    for number, child in enumerate(made["keys"]):
        assert child["name"] == f"fleet-{number}"
        assert child["public_key"] == wanted[child["path"]]
        assert (child["rule"], child["has_mnemonic"]) == ("slip10", False)
        text = Path(rooms.workspace.keystore.directory, f"{child['name']}.json").read_text()
        assert "abandon" not in text
    other = derive(rooms, 6, prefix="gps", path="m/44h/822h/1h/0h")
    assert other["keys"][5]["public_key"] == wanted["m/44'/822'/1'/0'/5'"]
    assert other["keys"][5]["name"] == "gps-5"


def test_a_second_run_makes_what_is_missing(rooms: Rooms) -> None:
    fleet(rooms)
    first = derive(rooms, 3)["keys"]
    store = rooms.workspace.keystore
    store.rename("fleet-1", "sensor")
    store.remove("fleet-2")
    again = derive(rooms, 5)
    assert again["made"] == 3
    shown = [(key["name"], key["created"] is False) for key in again["keys"]]
    assert shown == [
        ("fleet-0", True),
        ("sensor", True),
        ("fleet-2", False),
        ("fleet-3", False),
        ("fleet-4", False),
    ]
    assert [key["public_key"] for key in again["keys"][:3]] == [key["public_key"] for key in first]
    assert derive(rooms, 5)["made"] == 0


def test_a_parent_that_is_one_of_the_children_is_not_doubled(rooms: Rooms) -> None:
    fleet(rooms, path=f"{phrases.BRANCH}/0'")
    made = derive(rooms, 2)
    assert [key["name"] for key in made["keys"]] == ["fleet", "fleet-1"]


def test_a_name_that_is_taken_stops_it_before_the_first_key(rooms: Rooms) -> None:
    fleet(rooms)
    rooms.key("fleet-2")
    for dry_run in (True, False):
        with pytest.raises(ConflictError) as caught:
            derive(rooms, 4, dry_run=dry_run)
        assert caught.value.code == "exists"
    rooms.workspace.keystore.remove("fleet-2")
    rooms.workspace.book.set_party("fleet-3", KeyPair.from_seed(b"x" * 32).public_key)
    with pytest.raises(ConflictError):
        derive(rooms, 4)
    assert [info.name for info in rooms.workspace.keystore.list()] == ["fleet"]


def test_a_dry_run_opens_nothing(rooms: Rooms) -> None:
    fleet(rooms)
    derive(rooms, 1)
    planned = derive(rooms, 2, dry_run=True)
    assert planned["made"] == 0
    assert [key["created"] for key in planned["keys"]] == [False, None]
    assert planned["keys"][1]["public_key"] is None
    assert planned["keys"][1]["path"] == f"{phrases.BRANCH}/1'"
    assert len(rooms.workspace.keystore.list()) == 2


def test_what_cannot_have_children(rooms: Rooms) -> None:
    rooms.key("fleet")
    with pytest.raises(NotFoundError) as caught:
        derive(rooms, 1)
    assert caught.value.code == "no_mnemonic"
    rooms.workspace.keystore.remove("fleet")
    rooms.workspace.keystore.create_external(
        KeyInfo(
            name="fleet",
            public_key=KeyPair.from_seed(b"x" * 32).public_key,
            created="2024-01-20T09:00:00Z",
            passphrase=True,
            rule="external",
            path=None,
            has_mnemonic=False,
            provider="pkcs11",
            settings={},
        )
    )
    with pytest.raises(LockedError) as locked:
        derive(rooms, 1)
    assert locked.value.code == "no_secret_here"


@pytest.mark.parametrize(
    ("more", "code"),
    [({"path": "m/44"}, "invalid_path"), ({"prefix": "a/b"}, "invalid_name")],
)
def test_refusals(rooms: Rooms, more: dict[str, str], code: str) -> None:
    fleet(rooms)
    with pytest.raises(InvalidError) as caught:
        derive(rooms, 1, **more)
    assert caught.value.code == code


def test_the_passphrase_of_bip39_is_not_forgotten(rooms: Rooms) -> None:
    fleet(rooms, bip39_passphrase="TREZOR")
    for given in ("", "other"):
        with pytest.raises(InvalidError) as caught:
            derive(rooms, 1, bip39_passphrase=given)
        assert caught.value.code == "other_phrase"
    made = derive(rooms, 1, bip39_passphrase="TREZOR")
    pair = derivation.slip10(mnemonic.to_seed(ABOUT, "TREZOR"), f"{phrases.BRANCH}/0'")
    assert made["keys"][0]["public_key"] == pair.public_key


# --- scan -----------------------------------------------------------------------------------------


def pays(rooms: Rooms, path: str | None, *, then_spends: bool = False) -> None:
    """Have the key at a path own something, and perhaps give it away again."""
    seed = mnemonic.to_seed(ABOUT)
    pair = derivation.tutorial(seed) if path is None else derivation.slip10(seed, path)
    own = owners.of_keys([pair.public_key])
    tx = transaction.create(
        [pair.public_key], [transaction.Output(own)], {"nonce": os.urandom(8).hex()}
    )
    tx = transaction.sign(tx, [pair])
    rooms.ledger.submit(tx)
    if then_spends:
        other = owners.of_keys([KeyPair.from_seed(b"o" * 32).public_key])
        spent = transaction.transfer(
            [transaction.Spend.of(tx)], [transaction.Output(other)], tx["id"]
        )
        rooms.ledger.submit(transaction.sign(spent, [pair]))


@pytest.mark.parametrize(
    ("path", "spent"),
    [
        (None, False),
        (None, True),
        ("m/44'/822'/0'/0'/0'", False),
        ("m/44'/822'/0'/0'/19'", False),
        ("m/44'/822'/19'/0'/19'", True),
    ],
)
def test_scan_finds_the_one_that_owned_something(
    rooms: Rooms, path: str | None, *, spent: bool
) -> None:
    pays(rooms, path, then_spends=spent)
    found = phrases.scan(rooms.workspace, ABOUT.upper())
    assert found.path == path
    assert found.outputs == 1


def test_scan_goes_on_behind_what_it_finds(rooms: Rooms) -> None:
    """Twenty further numbers behind the last that owns something, as BIP44 has it."""
    for number in (19, 39):
        pays(rooms, f"m/44'/822'/0'/0'/{number}'")
    pays(rooms, "m/44'/822'/0'/0'/60'")
    with pytest.raises(ConflictError) as caught:
        phrases.scan(rooms.workspace, ABOUT)
    assert "2 keys" in caught.value.message
    assert "m/44'/822'/0'/0'/39'" in caught.value.message


def test_scan_chooses_none_of_several(rooms: Rooms) -> None:
    pays(rooms, None)
    for number in range(25):
        pays(rooms, f"m/44'/822'/0'/0'/{number}'")
    with pytest.raises(ConflictError) as caught:
        phrases.scan(rooms.workspace, ABOUT)
    assert caught.value.code == "ambiguous"
    assert "by the tutorial rule" in caught.value.message
    assert "and 6 more" in caught.value.message
    assert "abandon" not in caught.value.message


def test_scan_that_finds_nothing_says_how_many_it_tried(rooms: Rooms) -> None:
    with pytest.raises(NotFoundError) as caught:
        phrases.scan(rooms.workspace, ABOUT)
    assert caught.value.code == "nothing_found"
    assert "401 keys" in caught.value.message
    with pytest.raises(InvalidError):
        phrases.scan(rooms.workspace, "no phrase")
    with pytest.raises(NotFoundError):
        phrases.scan(rooms.workspace, "no phrase", checksum=False)
