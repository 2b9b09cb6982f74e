"""Secrets under a passphrase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twincli.crypto import sealing
from twincli.errors import ConfigError, InvalidError, LockedError, TwinError

VECTORS = Path(__file__).parents[1] / "vectors"
KDF: dict[str, Any] = json.loads((VECTORS / "keystore_kdf.json").read_text())
CHEAP = sealing.Cost(operations=1, memory=8192)
HEADER = {"public_key": "abc", "path": None}

ONE_LANE = [
    case
    for case in KDF["argon2id_generated"] + KDF["argon2id_reference"]
    if case["p"] == 1 and len(case.get("salt_hex", "")) == 32
]


def test_there_are_vectors() -> None:
    assert len(ONE_LANE) >= 2


@pytest.mark.parametrize("case", ONE_LANE, ids=lambda case: case["phc"])
def test_argon2id(case: dict[str, Any]) -> None:
    cost = sealing.Cost(case["t"], case["m_kib"] * 1024)
    key = sealing.derive(case["password"].encode(), bytes.fromhex(case["salt_hex"]), cost)
    assert key.hex() == case["tag"]


@settings(max_examples=50)
@given(st.binary(max_size=300), st.binary(min_size=1, max_size=80))
def test_what_is_sealed_opens(secret: bytes, passphrase: bytes) -> None:
    document = sealing.seal(secret, passphrase, header=HEADER, cost=CHEAP)
    document = json.loads(json.dumps(document))
    assert sealing.open_sealed(document, passphrase, header=HEADER) == secret
    if len(secret) > 3:
        assert secret.hex() not in json.dumps(document)


def test_sealing_twice_differs() -> None:
    first, second = (sealing.seal(b"secret", b"pass", cost=CHEAP) for _ in range(2))
    assert first["salt"] != second["salt"]
    assert first["nonce"] != second["nonce"]


@pytest.mark.parametrize("passphrase", [b"", b"Pass", b"pass ", b"pass\0"])
def test_a_wrong_passphrase_is_told_from_damage(passphrase: bytes) -> None:
    document = sealing.seal(b"secret", b"pass", cost=CHEAP)
    with pytest.raises(LockedError) as caught:
        sealing.open_sealed(document, passphrase)
    assert caught.value.code == "bad_passphrase"


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(LockedError) as caught:
        sealing.seal(b"secret", b"", cost=CHEAP)
    assert caught.value.code == "empty_passphrase"


@pytest.mark.parametrize("field", ["salt", "nonce", "ciphertext"])
def test_any_changed_byte_is_damage(field: str) -> None:
    document = sealing.seal(b"secret", b"pass", cost=CHEAP)
    for index in range(len(document[field]) // 2):
        data = bytearray.fromhex(document[field])
        data[index] ^= 1
        with pytest.raises(InvalidError) as caught:
            sealing.open_sealed({**document, field: data.hex()}, b"pass")
        assert caught.value.code == "damaged_key"


def _with_digest(document: dict[str, Any], header: dict[str, Any]) -> dict[str, Any]:
    bound = sealing._bound(document, header)
    ciphertext = bytes.fromhex(document["ciphertext"])
    return {**document, "digest": sealing._digest(bound, ciphertext)}


@pytest.mark.parametrize("field", ["salt", "nonce", "ciphertext", "operations", "memory"])
def test_a_change_that_mends_the_digest_is_refused_too(field: str) -> None:
    document = sealing.seal(b"secret", b"pass", cost=CHEAP)
    value = document[field]
    if isinstance(value, int):
        document[field] = value + (1024 if field == "memory" else 1)
    else:
        document[field] = ("1" if value[0] == "0" else "0") + value[1:]
    with pytest.raises(LockedError):
        sealing.open_sealed(_with_digest(document, {}), b"pass")


def test_the_header_is_bound() -> None:
    document = sealing.seal(b"secret", b"pass", header=HEADER, cost=CHEAP)
    other = {**HEADER, "public_key": "abd"}
    with pytest.raises(InvalidError):
        sealing.open_sealed(document, b"pass", header=other)
    with pytest.raises(LockedError):
        sealing.open_sealed(_with_digest(document, other), b"pass", header=other)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kdf": "scrypt"}, "unknown_algorithm"),
        ({"kdf": None}, "unknown_algorithm"),
        ({"cipher": "aes-256-gcm"}, "unknown_algorithm"),
        ({"operations": 11}, "cost_out_of_bounds"),
        ({"operations": 0}, "cost_out_of_bounds"),
        ({"operations": 2**70}, "cost_out_of_bounds"),
        ({"memory": (1 << 30) + 1}, "cost_out_of_bounds"),
        ({"memory": 8191}, "cost_out_of_bounds"),
        ({"memory": True}, "damaged_key"),
        ({"memory": 8192.0}, "damaged_key"),
        ({"operations": "1"}, "damaged_key"),
        ({"salt": "00"}, "damaged_key"),
        ({"salt": "g" * 32}, "damaged_key"),
        ({"nonce": "0" * 46}, "damaged_key"),
        ({"nonce": 5}, "damaged_key"),
        ({"ciphertext": ""}, "damaged_key"),
        ({"ciphertext": "000"}, "damaged_key"),
        ({"ciphertext": "AA" * 30}, "damaged_key"),
        ({"digest": None}, "damaged_key"),
        ({"digest": "\u00e9"}, "damaged_key"),
    ],
)
def test_refused_before_deriving(
    change: dict[str, Any], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {**sealing.seal(b"secret", b"pass", cost=CHEAP), **change}

    def derive(*_: object) -> bytes:
        pytest.fail("the passphrase was used")

    monkeypatch.setattr(sealing, "derive", derive)
    with pytest.raises(InvalidError) as caught:
        sealing.open_sealed(document, b"pass")
    assert caught.value.code == code


@pytest.mark.parametrize(
    "field", ["kdf", "operations", "memory", "salt", "cipher", "nonce", "ciphertext", "digest"]
)
def test_a_missing_field_is_refused(field: str) -> None:
    document = sealing.seal(b"secret", b"pass", cost=CHEAP)
    del document[field]
    with pytest.raises(InvalidError) as caught:
        sealing.open_sealed(document, b"pass")
    wanted = "unknown_algorithm" if field in {"kdf", "cipher"} else "damaged_key"
    assert caught.value.code == wanted


def test_what_a_guess_of_a_passphrase_costs() -> None:
    """As docs/concepts/trust.md states it: 3 passes over 64 MiB, unless another cost is named."""
    document = sealing.seal(b"secret", b"pass")
    assert (document["kdf"], document["operations"], document["memory"]) == (
        "argon2id",
        3,
        64 * 1024 * 1024,
    )
    assert sealing.open_sealed(document, b"pass") == b"secret"
    trust = (Path(__file__).parents[2] / "docs" / "concepts" / "trust.md").read_text()
    assert "Argon2id, 64 MiB and 3 passes a guess" in trust


def test_seal_keeps_to_the_bound() -> None:
    for operations, memory in ((11, 8192), (0, 8192), (1, 8191), (1, (1 << 30) + 1)):
        with pytest.raises(InvalidError) as caught:
            sealing.seal(b"secret", b"pass", cost=sealing.Cost(operations, memory))
        assert caught.value.code == "cost_out_of_bounds"
    sealing.seal(b"secret", b"pass", cost=sealing.Cost(10, 8192))


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import nacl.bindings
    import nacl.exceptions

    def exhausted(*_: object) -> bytes:
        raise nacl.exceptions.RuntimeError("Unexpected failure in key derivation")

    monkeypatch.setattr(nacl.bindings, "crypto_pwhash_alg", exhausted)
    with pytest.raises(ConfigError) as caught:
        sealing.seal(b"secret", b"pass")
    assert caught.value.code == "not_enough_memory"


def test_no_error_shows_the_secret_or_the_passphrase() -> None:
    document = sealing.seal(b"hushhush", b"opensesame", cost=CHEAP)
    for change in ({"salt": "00"}, {"kdf": "x"}, {}):
        with pytest.raises(TwinError) as caught:
            sealing.open_sealed({**document, **change}, b"opensesames")
        error: BaseException | None = caught.value
        while error is not None:
            assert "sesame" not in repr(error)
            assert "hush" not in repr(error)
            error = error.__context__
