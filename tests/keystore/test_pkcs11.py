"""Keys in a chip, with SoftHSM as the chip."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pkcs11 import exceptions as faults
from pkcs11.constants import TokenFlag

from tests.keystore import softhsm
from tests.keystore.softhsm import PIN, Chip
from tests.services.rooms import key_room
from twincli.crypto import base58, ed25519
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConfigError, ConflictError, InvalidError, LockedError, NotFoundError
from twincli.keystore.providers import pkcs11 as chips
from twincli.keystore.store import KeyStore
from twincli.services.keys import keys, providers
from twincli.services.keys.keys import NewKey

# RFC 8032, section 7.1, tests 1 and 2.
ONE = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
ONE_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
ONE_SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b4"
    "6bd25bf5f0595bbe24655141438e7a100b"
)
TWO = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")


@pytest.fixture
def chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chip]:
    directory = tmp_path / "chip"
    directory.mkdir()
    with softhsm.opened(directory, monkeypatch) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KeyStore]:
    made = KeyStore(str(tmp_path / "keys"))
    yield made
    made.close()


class Asked:
    """A secret source that counts."""

    def __init__(self, pin: bytes = PIN.encode()) -> None:
        self.pin = pin
        self.names: list[str] = []

    def __call__(self, name: str) -> bytes:
        self.names.append(name)
        return self.pin


def pin(_name: str) -> bytes:
    return PIN.encode()


def new(store: KeyStore, chip: Chip, name: str = "gps", **asked: Any) -> Any:
    secrets = asked.pop("secret_source", pin)
    dry_run = asked.pop("dry_run", False)
    if_missing = asked.pop("if_missing", False)
    room = key_room(store, secrets=secrets, dry_run=dry_run)
    wanted = NewKey(name, None, if_missing)
    return providers.new_pkcs11(room, wanted, **{"module": chip.module, **asked})


# --- a key that is there -------------------------------------------------------------------------


def test_a_key_that_another_program_put_there(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "0a0b")
    asked = Asked()
    made = new(store, chip, secret_source=asked)
    assert asked.names == ["gps"]
    assert made["public_key"] == base58.encode(ONE_PUBLIC)
    assert (made["rule"], made["provider"], made["passphrase"]) == ("external", "pkcs11", True)
    assert made["settings"] == {
        "module": chip.module,
        "token": "car",
        "label": "gps",
        "id": "0a0b",
    }
    assert PIN not in Path(store.directory, "gps.json").read_text()
    signer = store.signer("gps", pin)
    assert signer.public_key == made["public_key"]
    assert signer.sign(b"") == ONE_SIGNATURE
    for message in (b"m" * 32, b"long" * 5000):
        assert signer.sign(message) == KeyPair.from_seed(ONE).sign(message)


def test_a_key_under_another_name(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    made = new(store, chip)
    assert keys.rename(key_room(store), "gps", "tracker") == {**made, "name": "tracker"}
    assert store.signer("tracker", pin).sign(b"") == ONE_SIGNATURE


def test_the_public_key_is_proved_and_not_read_off_a_label(chip: Chip, store: KeyStore) -> None:
    """Two key pairs whose public halves carry each other's label and id."""
    chip.put(ONE, "one", "01")
    chip.put(TWO, "two", "02")
    chip.other("""
one, = objects("one", ObjectClass.PUBLIC_KEY)
two, = objects("two", ObjectClass.PUBLIC_KEY)
for key, label, number in (one, "two", b"\\2"), (two, "one", b"\\1"):
    key[Attribute.LABEL], key[Attribute.ID] = label, number
""")
    assert new(store, chip, label="one")["public_key"] == base58.encode(ONE_PUBLIC)


@pytest.mark.parametrize(
    ("asked", "seed"),
    [
        ({"label": "two"}, TWO),
        ({"key_id": "02"}, TWO),
        ({"key_id": "0x01"}, ONE),
        ({"label": "one", "key_id": "01"}, ONE),
        ({"label": "two", "token": "car"}, TWO),
    ],
)
def test_which_key(chip: Chip, store: KeyStore, asked: dict[str, str], seed: bytes) -> None:
    chip.put(ONE, "one", "01")
    chip.put(TWO, "two", "02")
    made = new(store, chip, **asked)
    assert made["public_key"] == KeyPair.from_seed(seed).public_key
    assert store.signer("gps", pin).public_key == made["public_key"]


def test_two_keys_of_one_label(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    chip.put(TWO, "gps", "02")
    for asked in ({}, {"label": "gps"}):
        with pytest.raises(ConflictError) as caught:
            new(store, chip, **asked)
        assert caught.value.code == "ambiguous"
        assert "id 01" in caught.value.message
        assert "id 02" in caught.value.message
    assert not Path(store.directory).exists()
    made = new(store, chip, label="gps", key_id="02")
    assert made["public_key"] == KeyPair.from_seed(TWO).public_key


def test_a_key_that_got_a_twin_later(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    chip.put(TWO, "gps", "01")
    with pytest.raises(ConflictError) as caught:
        store.signer("gps", pin)
    assert caught.value.code == "ambiguous"


def test_no_key(chip: Chip, store: KeyStore) -> None:
    with pytest.raises(NotFoundError) as caught:
        new(store, chip)
    assert caught.value.code == "no_key_there"
    chip.put(ONE, "gps", "01")
    for asked in ({"label": "GPS"}, {"key_id": "0101"}, {"label": "gps", "key_id": "02"}):
        with pytest.raises(NotFoundError) as caught:
            new(store, chip, **asked)
        assert caught.value.code == "no_key_there"


def test_a_key_without_its_public_half(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    chip.put(TWO, "other", "02")
    chip.other('objects("gps", ObjectClass.PUBLIC_KEY)[0].destroy()')
    with pytest.raises(ConfigError) as caught:
        new(store, chip, label="gps")
    assert caught.value.code == "no_public_key"
    assert not Path(store.directory).exists()


def test_a_key_whose_public_half_went_later_still_signs(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    chip.other('objects("gps", ObjectClass.PUBLIC_KEY)[0].destroy()')
    assert store.signer("gps", pin).sign(b"") == ONE_SIGNATURE


def test_a_key_that_wants_the_pin_before_every_signature(chip: Chip, store: KeyStore) -> None:
    chip.other('generate("gps", private_template={Attribute.ALWAYS_AUTHENTICATE: True})')
    new(store, chip)
    signer = store.signer("gps", pin)
    public = base58.decode_key(signer.public_key)
    for number in range(3):
        message = bytes([number]) * 32
        assert ed25519.verify(public, message, signer.sign(message))
    assert PIN not in repr(signer)


class Plain:
    """A key of a token too old to know of such keys."""

    def __getitem__(self, _attribute: object) -> object:
        raise faults.AttributeTypeInvalid


def test_a_token_that_knows_no_such_keys(chip: Chip) -> None:
    place = chips.Place(chip.module)
    with chips._logged_in("gps", place, pin, write=False) as login:
        held = chips._held(login, Plain(), "gps", None)
        assert held._pin is None
        held.close()


# --- a key that the chip makes ------------------------------------------------------------------


def test_generate(chip: Chip, store: KeyStore) -> None:
    made = new(store, chip, generate=True)
    assert made["settings"]["label"] == "gps"
    assert len(made["settings"]["id"]) == 16
    said = chip.other("""
key, = objects("gps", ObjectClass.PRIVATE_KEY)
point = objects("gps", ObjectClass.PUBLIC_KEY)[0][Attribute.EC_POINT]
for name in "SENSITIVE EXTRACTABLE NEVER_EXTRACTABLE ALWAYS_SENSITIVE LOCAL PRIVATE SIGN".split():
    print(name, key[Attribute[name]])
try:
    key[Attribute.VALUE]
except pkcs11.AttributeSensitive:
    print("VALUE refused")
print(point.hex(), key.id.hex())
""").splitlines()
    assert said[:-1] == [
        "SENSITIVE True",
        "EXTRACTABLE False",
        "NEVER_EXTRACTABLE True",
        "ALWAYS_SENSITIVE True",
        "LOCAL True",
        "PRIVATE True",
        "SIGN True",
        "VALUE refused",
    ]
    public = base58.decode_key(made["public_key"])
    assert said[-1] == f"0420{public.hex()} {made['settings']['id']}"
    assert ed25519.verify(public, b"m", store.signer("gps", pin).sign(b"m"))


def test_generate_takes_no_ones_place(chip: Chip, store: KeyStore) -> None:
    first = new(store, chip, generate=True, label="gps", key_id="01")
    for asked in ({"label": "gps"}, {"label": "other", "key_id": "01"}):
        with pytest.raises(ConflictError) as caught:
            new(store, chip, "two", generate=True, **asked)
        assert caught.value.code == "exists"
    second = new(store, chip, "two", generate=True)
    assert second["public_key"] != first["public_key"]


def count(chip: Chip) -> int:
    return int(chip.other("print(len(list(session.get_objects())))"))


def test_a_generated_key_is_undone_when_its_file_cannot_be_written(
    chip: Chip, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_info: object) -> None:
        raise ConfigError("no space left on device", code="cannot_write")

    monkeypatch.setattr(store, "create_external", full)
    with pytest.raises(ConfigError, match="no space"):
        new(store, chip, generate=True)
    assert count(chip) == 0


def test_a_name_that_is_taken_makes_nothing_in_the_chip(chip: Chip, store: KeyStore) -> None:
    store.create("gps", KeyPair.from_seed(ONE), secret_source=None, created="2024-01-20T09:00:00Z")
    asked = Asked()
    for if_missing in (False, True):
        with pytest.raises(ConflictError) as caught:
            new(store, chip, generate=True, secret_source=asked, if_missing=if_missing)
        assert caught.value.code == "exists"
    assert asked.names == []
    assert count(chip) == 0


def test_if_missing(chip: Chip, store: KeyStore) -> None:
    made = new(store, chip, generate=True, if_missing=True)
    asked = Asked()
    again = new(store, chip, generate=True, if_missing=True, secret_source=asked)
    assert again == {**made, "created": False}
    assert asked.names == []
    assert count(chip) == 2
    with pytest.raises(ConflictError) as caught:
        new(store, chip, if_missing=True, label="another")
    assert caught.value.code == "exists"


def test_if_missing_when_another_process_was_faster(chip: Chip, store: KeyStore) -> None:
    def slow(name: str) -> bytes:
        # Asked for the PIN, after the name was seen to be free.
        if not store.scan()[0]:
            KeyStore(store.directory).create_external(made)
        return PIN.encode() if name else b""

    chip.put(ONE, "gps", "01")
    document = new(store, chip, "first")
    made = store.get("first")._replace(name="gps")
    store.remove("first", shred=True)
    again = new(store, chip, if_missing=True, secret_source=slow)
    assert (again["created"], again["public_key"]) == (False, document["public_key"])


def test_dry_run_asks_for_nothing(chip: Chip, store: KeyStore) -> None:
    asked = Asked()
    planned = new(store, chip, generate=True, dry_run=True, secret_source=asked)
    assert (planned["public_key"], planned["did"], planned["created"]) == (None, None, None)
    assert planned["settings"]["module"] == chip.module
    with pytest.raises(NotFoundError) as caught:
        new(store, chip, token="nowhere", dry_run=True)
    assert caught.value.code == "no_token"
    assert asked.names == []
    assert not Path(store.directory).exists()
    assert count(chip) == 0


# --- PINs ---------------------------------------------------------------------------------------


class Watched:
    """A token that counts how often somebody tries a PIN, with flags as a test wants them."""

    def __init__(self, token: Any, flags: TokenFlag | None = None) -> None:
        self.token = token
        self.tries: list[Any] = []
        self.slot = token.slot
        if flags is not None:
            self.flags = flags

    def __getattr__(self, name: str) -> Any:
        return getattr(self.token, name)

    def open(self, *, rw: bool, user_pin: Any = None) -> Any:
        if user_pin is not None:
            self.tries.append(user_pin)
        return self.token.open(rw=rw, user_pin=user_pin if isinstance(user_pin, str) else None)


Watch = Callable[..., Watched]


@pytest.fixture
def watch(chip: Chip, monkeypatch: pytest.MonkeyPatch) -> Watch:
    def start(flags: TokenFlag | None = None) -> Watched:
        watched = Watched(chips._token(chips.Place(chip.module)), flags)
        monkeypatch.setattr(chips, "_token", lambda _place: watched)
        return watched

    return start


WANTED = TokenFlag.TOKEN_INITIALIZED | TokenFlag.LOGIN_REQUIRED


@pytest.mark.parametrize("wrong", [b"654321", b"1", b"x" * 300, b"\xff\xfe\xff\xff\xff"])
def test_a_wrong_pin_is_tried_once(chip: Chip, store: KeyStore, watch: Watch, wrong: bytes) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    watched, asked = watch(), Asked(wrong)
    with pytest.raises(LockedError) as caught:
        store.signer("gps", asked)
    assert caught.value.code == "bad_passphrase"
    assert len(asked.names) == 1
    assert len(watched.tries) == (0 if wrong.startswith(b"\xff") else 1)
    error: BaseException | None = caught.value
    while error is not None:
        assert "654321" not in repr(error) + str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    # The right one still works.
    assert store.signer("gps", pin).sign(b"") == ONE_SIGNATURE


def test_few_tries_left_is_said(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    with pytest.raises(LockedError, match="few tries are left"):
        store.signer("gps", Asked(b"654321"))


def test_nobody_to_ask(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    with pytest.raises(LockedError) as caught:
        store.signer("gps", None)
    assert caught.value.code == "locked"


@pytest.mark.parametrize(
    ("flag", "code"),
    [(TokenFlag.USER_PIN_FINAL_TRY, "pin_last_try"), (TokenFlag.USER_PIN_LOCKED, "pin_locked")],
)
def test_a_token_at_its_last_try_is_left_alone(
    chip: Chip, store: KeyStore, watch: Watch, flag: TokenFlag, code: str
) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    watched, asked = watch(WANTED | flag), Asked()
    with pytest.raises(LockedError) as caught:
        store.signer("gps", asked)
    assert caught.value.code == code
    assert (watched.tries, asked.names) == ([], [])


@pytest.mark.parametrize(
    ("flag", "code", "said"),
    [
        (TokenFlag.USER_PIN_FINAL_TRY, "bad_passphrase", "one more wrong PIN locks it"),
        (TokenFlag.USER_PIN_LOCKED, "pin_locked", "has locked itself"),
        (TokenFlag(0), "bad_passphrase", "is wrong"),
    ],
)
def test_what_a_wrong_pin_left(
    chip: Chip, store: KeyStore, watch: Watch, flag: TokenFlag, code: str, said: str
) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    watched = watch(WANTED)
    watched.slot = SimpleNamespace(
        slot_id=watched.slot.slot_id, get_token=lambda: SimpleNamespace(flags=flag)
    )
    with pytest.raises(LockedError, match=said) as caught:
        store.signer("gps", Asked(b"654321"))
    assert caught.value.code == code


def test_a_token_with_a_pin_pad_of_its_own(chip: Chip, store: KeyStore, watch: Watch) -> None:
    watched, asked = watch(WANTED | TokenFlag.PROTECTED_AUTHENTICATION_PATH), Asked()
    with pytest.raises(NotFoundError):
        new(store, chip, secret_source=asked)  # this session is not logged in, so it sees nothing
    assert asked.names == []
    assert len(watched.tries) == 1
    assert not isinstance(watched.tries[0], str)


def test_a_token_that_needs_no_pin(chip: Chip, store: KeyStore, watch: Watch) -> None:
    chip.other('generate("gps", private_template={Attribute.PRIVATE: False})')
    watched, asked = watch(TokenFlag.TOKEN_INITIALIZED), Asked()
    made = new(store, chip, secret_source=asked)
    assert made["passphrase"] is False
    signer = store.signer("gps", None)
    assert ed25519.verify(base58.decode_key(signer.public_key), b"m", signer.sign(b"m"))
    assert (watched.tries, asked.names) == ([], [])


# --- sessions -----------------------------------------------------------------------------------


def test_all_keys_of_a_token_share_one_session(chip: Chip, store: KeyStore, watch: Watch) -> None:
    chip.put(ONE, "one", "01")
    chip.put(TWO, "two", "02")
    new(store, chip, "one", label="one")
    new(store, chip, "two", label="two")
    watched, asked = watch(), Asked()
    signers = [store.signer(name, asked) for name in ("one", "two", "one")]
    for number in range(20):
        for signer in signers:
            signer.sign(bytes([number]))
    assert len(watched.tries) == 1
    assert asked.names == ["one"]
    (login,) = chips._logins.values()
    session = login.session
    store.close()
    assert chips._logins == {}
    with pytest.raises(faults.PKCS11Error):
        session.generate_random(8)


def test_one_store_may_close_while_another_signs(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    other = KeyStore(store.directory)
    signer = other.signer("gps", pin)
    store.signer("gps", None)
    store.close()
    assert signer.sign(b"") == ONE_SIGNATURE
    other.close()


def test_threads_may_sign_at_once(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    signer, pair = store.signer("gps", pin), KeyPair.from_seed(ONE)
    wrong: list[bytes] = []
    done: list[int] = []

    def work(first: int) -> None:
        for number in range(50):
            message = bytes([first, number]) * 16
            if signer.sign(message) != pair.sign(message):
                wrong.append(message)
        done.append(first)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, sorted(done)) == ([], list(range(8)))


# --- what goes away, and what was exchanged -----------------------------------------------------


def test_a_key_removed_from_the_token(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    chip.other('objects("gps", ObjectClass.PRIVATE_KEY)[0].destroy()')
    with pytest.raises(NotFoundError) as caught:
        store.signer("gps", pin)
    assert caught.value.code == "no_key_there"


def test_a_chip_exchanged_for_another(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    for kind in ("PRIVATE_KEY", "PUBLIC_KEY"):
        chip.other(f'objects("gps", ObjectClass.{kind})[0].destroy()')
    chip.put(TWO, "gps", "01")
    signer = store.signer("gps", pin)
    with pytest.raises(InvalidError) as caught:
        signer.sign(b"m" * 32)
    assert caught.value.code == "wrong_signature"


def test_a_session_that_ended(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    signer = store.signer("gps", pin)
    (login,) = chips._logins.values()
    login.session.close()  # as when the token is pulled out
    with pytest.raises(NotFoundError) as caught:
        signer.sign(b"m")
    assert caught.value.code == "no_token"
    store.close()


class Says:
    """A private key of a token that answers with an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def sign(self, *_: object, **__: object) -> bytes:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "code", "said"),
    [
        (faults.MechanismInvalid(), ConfigError, "token_failed", "mechanism invalid"),
        (faults.PKCS11Error("0x80000001"), ConfigError, "token_failed", "0x80000001"),
        (faults.PinLocked(), LockedError, "pin_locked", "locked itself"),
        (faults.PinIncorrect(), LockedError, "bad_passphrase", "is wrong"),
        (faults.DeviceRemoved(), NotFoundError, "no_token", "is gone"),
    ],
)
def test_what_a_token_says(
    chip: Chip, store: KeyStore, error: Exception, kind: type[Exception], code: str, said: str
) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    opened = chips.open_key("gps", store.get("gps").settings or {}, pin)
    opened._key = Says(error)
    with pytest.raises(kind, match=said) as caught:
        opened.sign(b"m")
    assert getattr(caught.value, "code", None) == code
    opened.close()


# --- which token, which module ------------------------------------------------------------------


def test_several_tokens(chip: Chip, store: KeyStore) -> None:
    chip.initialise("boat")
    chip.put(ONE, "gps", "01")
    chip.put(TWO, "gps", "01", token="boat")
    with pytest.raises(ConflictError) as caught:
        new(store, chip)
    assert caught.value.code == "ambiguous"
    assert "boat" in caught.value.message
    serials = {
        token.label: token.serial.decode()
        for token in chips._library(chip.module).get_tokens()
        if token.label
    }
    made = new(store, chip, "car", token="car")
    assert (made["public_key"], made["settings"]["token"]) == (base58.encode(ONE_PUBLIC), "car")
    made = new(store, chip, "boat", token=serials["boat"])
    assert made["public_key"] == KeyPair.from_seed(TWO).public_key
    assert made["settings"]["token"] == serials["boat"]
    # Two tokens, two sessions.
    assert store.signer("car", pin).sign(b"") == ONE_SIGNATURE
    assert store.signer("boat", pin).sign(b"") == KeyPair.from_seed(TWO).sign(b"")
    assert len(chips._logins) == 2
    store.close()
    with pytest.raises(NotFoundError) as missing:
        new(store, chip, "plane", token="plane")
    assert missing.value.code == "no_token"


def test_a_token_that_was_taken_away(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip, token="car")
    store.create_external(
        store.get("gps")._replace(name="lost", settings={"module": chip.module, "token": "boat"})
    )
    with pytest.raises(NotFoundError, match="found: car") as caught:
        store.signer("lost", pin)
    assert caught.value.code == "no_token"


def test_no_module(chip: Chip, store: KeyStore, tmp_path: Path) -> None:
    text = tmp_path / "module.so"
    text.write_text("not a library")
    for module in (str(tmp_path), str(tmp_path / "nothing.so"), str(text)):
        with pytest.raises(ConfigError) as caught:
            new(store, chip, module=module)
        assert caught.value.code == "no_module"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"module": 7},
        {"module": ""},
        {"module": "/m.so", "label": ["gps"]},
        {"module": "/m.so", "id": "xy"},
    ],
)
def test_settings_that_were_altered(chip: Chip, store: KeyStore, settings: dict[str, Any]) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    store.create_external(store.get("gps")._replace(name="odd", settings=settings))
    with pytest.raises(ConfigError) as caught:
        store.signer("odd", pin)
    assert caught.value.code == "bad_settings"


@pytest.mark.parametrize("head", [b"", b"\x04\x20", b"\x03\x21\x00"])
def test_the_forms_of_a_public_key(head: bytes) -> None:
    assert chips._unwrapped(head + ONE_PUBLIC) == ONE_PUBLIC


def test_a_secret_that_is_in_a_chip_cannot_be_unlocked(chip: Chip, store: KeyStore) -> None:
    chip.put(ONE, "gps", "01")
    new(store, chip)
    asked = Asked()
    with pytest.raises(LockedError, match="in a chip") as caught:
        store.unlock("gps", asked)
    assert caught.value.code == "no_secret_here"
    assert asked.names == []
