"""Files of age: our keys and theirs, what opens and what does not."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twincli.crypto import age, bech32, x25519
from twincli.errors import ConfigError, InvalidError, LockedError, TwinError

VECTORS = Path(__file__).parents[1] / "vectors"
TESTKIT: dict[str, Any] = json.loads((VECTORS / "age_testkit.json").read_text())
CASES = [case for case in TESTKIT["vectors"] if case["identity"] and not case["armored"]]
KEYS: dict[str, Any] = json.loads((VECTORS / "ed25519.json").read_text())


def test_bech32_of_bip_173() -> None:
    assert bech32.encode("a", b"") == "a12uel5l"
    # The witness program of BIP 173 without its version, which is not a byte.
    assert bech32.encode("age", bytes(range(5))).startswith("age1qqqsyqcy")


def test_keys_as_libsodium_converts_them() -> None:
    for case in KEYS["ed25519_to_x25519"]:
        seed = bytes.fromhex(case["ed25519_seed"])
        secret = x25519.secret_from_seed(seed)
        assert x25519.public_from_secret(secret).hex() == case["x25519_public"]
        assert secret.hex() == case["x25519_private"]
        public = bytes.fromhex(case["ed25519_public"])
        assert age.of_seed(seed).recipient == age.of_public_key(public)


def test_pyrage_derives_the_same_recipient_from_an_identity() -> None:
    for number in range(20):
        found = age.of_seed(bytes([number]) * 32)
        theirs = age.load().x25519.Identity.from_str(found.secret)
        assert (str(theirs), str(theirs.to_public())) == found


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_testkit(case: dict[str, Any]) -> None:
    data = base64.b64decode(case["age_file_base64"])
    # One header that the specification refuses is read as it was meant.
    if case["expect"] == "success" or case["pyrage_1.4.0"] == "wrong payload":
        opened = age.open_sealed(data, case["identity"])
        if case["expect"] == "success":
            assert hashlib.sha256(opened).hexdigest() == case["payload_sha256"]
        return
    with pytest.raises(TwinError) as refused:
        age.open_sealed(data, case["identity"])
    is_other = case["expect"] == "no match"
    assert refused.value.code == ("no_grant" if is_other else "damaged_content")


def test_what_is_sealed_opens_with_its_identity_only() -> None:
    mine, other = age.generate(), age.generate(lambda count: b"\1" * count)
    assert "SECRET" not in repr(mine)
    sealed = age.seal(b"recipe", mine.recipient)
    assert b"recipe" not in sealed
    assert age.open_sealed(sealed, [other.secret, mine.secret]) == b"recipe"
    with pytest.raises(LockedError) as refused:
        age.open_sealed(sealed, [other.secret])
    assert refused.value.code == "no_grant"
    with pytest.raises(LockedError):
        age.open_sealed(sealed, [])
    for damaged in (sealed[:-1], b"", b"recipe", sealed + b"x"):
        with pytest.raises(InvalidError) as wrong:
            age.open_sealed(damaged, [mine.secret])
        assert wrong.value.code == "damaged_content"
    with pytest.raises(InvalidError, match="identity"):
        age.open_sealed(sealed, ["AGE-SECRET-KEY-1X"])


@pytest.mark.parametrize("text", ["", "age1", "ssh-ed25519 AAAA", "age1" + "q" * 500])
def test_what_is_not_a_recipient(text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        age.seal(b"x", text)
    assert refused.value.code == "invalid_recipient"


def test_without_pyrage_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(ConfigError) as missing:
        age.seal(b"x", age.generate().recipient)
    assert missing.value.code == "missing_extra"
    assert missing.value.hint == 'pip install "twincli[proof]"'


@pytest.mark.skipif(shutil.which("age") is None, reason="needs age: apt install age")
def test_the_age_of_debian_opens_ours_and_we_its(tmp_path: Path) -> None:
    mine = age.generate()
    key = tmp_path / "key"
    key.write_text(f"{mine.secret}\n")
    for data in (b"", b"recipe", b"x" * 200_000):
        done = subprocess.run(
            ["age", "-d", "-i", str(key)],
            input=age.seal(data, mine.recipient),
            capture_output=True,
            check=True,
        )
        assert done.stdout == data
        theirs = subprocess.run(
            ["age", "-r", mine.recipient], input=data, capture_output=True, check=True
        )
        assert age.open_sealed(theirs.stdout, [mine.secret]) == data


class Full:
    """A file to which nothing can be written."""

    def write(self, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_files_go_through_piece_by_piece() -> None:
    mine, other = age.generate(), age.generate()
    data = b"the plan " * 100_000
    sealed, opened = io.BytesIO(), io.BytesIO()
    age.seal_stream(io.BytesIO(data), sealed, mine.recipient)
    sealed.seek(0)
    age.open_stream(sealed, opened, [mine.secret])
    assert opened.getvalue() == data
    with pytest.raises(LockedError):
        age.open_stream(io.BytesIO(sealed.getvalue()), io.BytesIO(), [other.secret])
    for damaged in (sealed.getvalue()[:-1], b"plan"):
        with pytest.raises(InvalidError) as wrong:
            age.open_stream(io.BytesIO(damaged), io.BytesIO(), [mine.secret])
        assert wrong.value.code == "damaged_content"
    with pytest.raises(OSError, match="No space"):
        age.open_stream(io.BytesIO(sealed.getvalue()), Full(), [mine.secret])
    with pytest.raises(ConfigError, match="No space"):
        age.seal_stream(io.BytesIO(data), Full(), mine.recipient)


def test_a_file_of_identities() -> None:
    one, two = (age.generate().secret for _ in range(2))
    text = f"# created: today\n# public key: age1...\n{one}\n\n  {two}\r\n{one}\n"
    assert age.identities(text.encode()) == (one, two)
    for data in (
        b"",
        b"# nothing\n",
        b"\xff\xfe",
        b"AGE-PLUGIN-YUBIKEY-1QQQQ\n",
        f"{one}x\n".encode(),
        age.FIRST_LINE + b"-> scrypt",
        b"-----BEGIN AGE ENCRYPTED FILE-----",
        f"{one}\n".encode() * 2000,
    ):
        with pytest.raises(InvalidError) as error:
            age.identities(data)
        assert error.value.code == "invalid_identity"
        assert one not in f"{error.value.message} {error.value.hint}"
