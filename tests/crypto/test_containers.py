"""Keys in the forms of OpenSSL, OpenSSH and the drivers: their own programs judge."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.tools import require_tool
from twincli.crypto import base58, containers, ed25519
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import (
    ConfigError,
    ConflictError,
    InvalidError,
    LockedError,
    TwinError,
    UsageError,
)

VECTORS = Path(__file__).parents[1] / "vectors"
KEY: dict[str, str] = json.loads((VECTORS / "keystore_kdf.json").read_text())[
    "ed25519_key_containers"
]
DRIVER: dict[str, Any] = json.loads((VECTORS / "driver_keypairs.json").read_text())
ALICE = KeyPair.from_seed(bytes.fromhex(KEY["ed25519_seed"]))
BOB = KeyPair.from_seed(b"b" * 32)
SECRET_FORMS = ("seed", "base58", "pem", "openssh")
WHOLE = (ALICE.seed + ALICE.public_bytes).hex()


def password() -> bytes:
    return KEY["password"].encode()


def run(*argv: str, stdin: str = "") -> str:
    require_tool(argv[0])
    done = subprocess.run(argv, input=stdin, capture_output=True, encoding="utf-8", check=True)
    return done.stdout


# --- vectors --------------------------------------------------------------------------------------


def test_the_public_key_of_the_vectors() -> None:
    assert ALICE.public_bytes.hex() == KEY["ed25519_public"]


@pytest.mark.parametrize(
    ("field", "form", "given"),
    [
        ("pkcs8_plain_pem", "pem", None),
        ("pkcs8_encrypted_pem", "pem", password),
        ("openssh_encrypted_pem", "openssh", password),
    ],
)
def test_vectors_of_other_libraries(field: str, form: str, given: Any) -> None:
    assert containers.format_of(KEY[field]) == form
    assert containers.read(KEY[field], form, given).seed == ALICE.seed
    windows = KEY[field].replace("\n", "\r\n")
    assert containers.read(windows, form, given).seed == ALICE.seed


def test_the_plain_pem_is_the_one_of_the_vectors() -> None:
    assert containers.secret_text(ALICE, "pem") == KEY["pkcs8_plain_pem"]


@pytest.mark.parametrize("case", DRIVER["from_phrase"] + DRIVER["from_seed"])
def test_pairs_of_the_drivers(case: dict[str, str]) -> None:
    pair = json.dumps({name: case[name] for name in ("private_key", "public_key")})
    assert containers.format_of(pair) == "base58"
    assert containers.read(pair, "base58").public_key == case["public_key"]
    script = json.dumps({"publicKey": case["public_key"], "privateKey": case["private_key"]})
    assert containers.read(script, "base58").public_key == case["public_key"]
    assert containers.read(f" {case['private_key']}\n", "base58").public_key == case["public_key"]


def test_the_pair_is_the_official_driver_s() -> None:
    from bigchaindb_driver.crypto import generate_keypair

    pair = generate_keypair(ALICE.seed)
    text = containers.secret_text(ALICE, "base58")
    assert json.loads(text) == pair._asdict()
    assert containers.read(json.dumps(pair._asdict()), "base58").seed == ALICE.seed


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", SECRET_FORMS)
@given(seed=st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(form: str, seed: bytes) -> None:
    pair = KeyPair.from_seed(seed)
    text = containers.secret_text(pair, form)
    assert text.endswith("\n")
    assert containers.read(text, form).seed == seed
    ambiguous = form == "seed" and ed25519.is_point(seed)
    if not ambiguous:
        assert containers.format_of(text) == form


@pytest.mark.parametrize("form", containers.ENCRYPTED)
def test_an_encrypted_secret_is_read(form: str) -> None:
    text = containers.secret_text(ALICE, form, b"correct horse")
    assert containers.read(text, form, password).seed == ALICE.seed
    with pytest.raises(LockedError) as caught:
        containers.read(text, form, lambda: b"wrong")
    assert caught.value.code == "bad_passphrase"
    with pytest.raises(LockedError) as caught:
        containers.read(text, form)
    assert caught.value.code == "locked"


def test_a_passphrase_that_is_too_long() -> None:
    assert containers.secret_text(ALICE, "pem", b"x" * 1023)
    with pytest.raises(InvalidError) as caught:
        containers.secret_text(ALICE, "pem", b"x" * 1024)
    assert caught.value.code == "passphrase_too_long"


@pytest.mark.parametrize("text", [WHOLE, WHOLE.upper(), base58.encode(bytes.fromhex(WHOLE))])
def test_a_seed_with_its_public_key(text: str) -> None:
    form = containers.format_of(text)
    assert form == ("seed" if len(text) == 128 else "base58")
    assert containers.read(text, form).seed == ALICE.seed


# --- other programs -------------------------------------------------------------------------------


def test_openssl_reads_what_is_written(tmp_path: Path) -> None:
    secret, public, sealed = (tmp_path / name for name in ("secret", "public", "sealed"))
    secret.write_text(containers.secret_text(ALICE, "pem"))
    public.write_text(containers.public_text(ALICE.public_bytes, "pem", "alice"))
    sealed.write_text(containers.secret_text(ALICE, "pem", b"correct horse"))
    assert run("openssl", "pkey", "-in", str(secret), "-pubout") == public.read_text()
    assert run("openssl", "pkey", "-pubin", "-in", str(public), "-pubout") == public.read_text()
    word = ("-passin", "stdin")
    opened = run("openssl", "pkey", "-in", str(sealed), *word, stdin="correct horse\n")
    assert opened == secret.read_text() == KEY["pkcs8_plain_pem"]


def test_ssh_keygen_reads_what_is_written(tmp_path: Path) -> None:
    secret, public = tmp_path / "secret", tmp_path / "public"
    line = containers.public_text(ALICE.public_bytes, "openssh", "alice")
    assert line.startswith("ssh-ed25519 AAAA")
    assert line.endswith(" alice\n")
    public.write_text(line)
    print_of_public = run("ssh-keygen", "-l", "-f", str(public))
    assert print_of_public.rstrip().endswith("alice (ED25519)")
    for word in (b"", b"correct horse", b"x" * 72):
        secret.unlink(missing_ok=True)
        secret.touch(0o600)
        secret.write_text(containers.secret_text(ALICE, "openssh", word or None))
        shown = run("ssh-keygen", "-y", "-P", word.decode(), "-f", str(secret))
        assert shown.split()[:2] == line.split()[:2]
        assert run("ssh-keygen", "-l", "-f", str(secret)).split()[1] == print_of_public.split()[1]


def test_keys_that_openssl_makes_are_read(tmp_path: Path) -> None:
    plain, sealed, word = tmp_path / "plain", tmp_path / "sealed", tmp_path / "word"
    word.write_text("correct horse\n")
    made = ("openssl", "genpkey", "-algorithm", "ed25519")
    run(*made, "-out", str(plain))
    run(*made, "-aes256", "-pass", f"file:{word}", "-out", str(sealed))
    for path in (plain, sealed):
        pair = containers.read(path.read_text(), "pem", password)
        pem = containers.public_text(pair.public_bytes, "pem", "")
        word_for = ("-passin", f"file:{word}")
        assert run("openssl", "pkey", "-in", str(path), *word_for, "-pubout") == pem
    strong = run("openssl", "pkcs8", "-topk8", "-scrypt", "-in", str(plain), "-passout", "pass:x")
    assert (
        containers.read(strong, "pem", lambda: b"x").seed
        == containers.read(plain.read_text(), "pem").seed
    )


@pytest.mark.parametrize("word", ["", "correct horse"])
def test_keys_that_ssh_keygen_makes_are_read(word: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", word, "-C", "me", "-f", str(path))
    text = path.read_text()
    assert containers.format_of(text) == "openssh"
    pair = containers.read(text, "openssh", password)
    line = containers.public_text(pair.public_bytes, "openssh", "me")
    assert line == path.with_suffix(".pub").read_text()


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"), "RSA"),
        (("openssl", "genpkey", "-algorithm", "ED448"), "Ed448"),
        (("openssl", "genpkey", "-algorithm", "X25519"), "X25519"),
        (("openssl", "ecparam", "-name", "secp256k1", "-genkey"), "EC"),
    ],
)
def test_keys_of_other_algorithms_are_named(argv: tuple[str, ...], name: str) -> None:
    text = run(*argv)
    with pytest.raises(InvalidError) as caught:
        containers.read(text, containers.format_of(text))
    assert caught.value.code == "wrong_algorithm"
    assert f"of {name}" in caught.value.message


def test_ssh_keys_of_other_algorithms_are_named(tmp_path: Path) -> None:
    path = tmp_path / "key"
    run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(path))
    with pytest.raises(InvalidError) as caught:
        containers.read(path.read_text(), "openssh")
    assert caught.value.code == "wrong_algorithm"


def test_a_kind_of_ssh_key_that_the_library_does_not_know() -> None:
    lines = containers.secret_text(ALICE, "openssh").splitlines()
    raw = base64.b64decode("".join(lines[1:-1])).replace(b"ssh-ed25519", b"sk-unheard1")
    text = f"{lines[0]}\n{base64.b64encode(raw).decode()}\n{lines[-1]}\n"
    with pytest.raises(InvalidError) as caught:
        containers.read(text, "openssh")
    assert caught.value.code == "wrong_algorithm"


# --- what is refused ------------------------------------------------------------------------------

PUBLIC_PEM = containers.public_text(ALICE.public_bytes, "pem", "")
PUBLIC_SSH = containers.public_text(ALICE.public_bytes, "openssh", "alice")


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("", InvalidError, "unknown_key_format"),
        ("secret", InvalidError, "unknown_key_format"),
        ("secret words", InvalidError, "unknown_key_format"),
        ("ab" * 33, InvalidError, "unknown_key_format"),
        ("z" * 100_000, InvalidError, "unknown_key_format"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", InvalidError, "unknown_key_format"),
        (PUBLIC_PEM, InvalidError, "public_key_given"),
        (PUBLIC_SSH, InvalidError, "public_key_given"),
        (ALICE.public_key, ConflictError, "ambiguous"),
        (ALICE.public_bytes.hex(), ConflictError, "ambiguous"),
        (KEY["pkcs8_plain_pem"] * 2, ConflictError, "ambiguous"),
    ],
)
def test_formats_that_cannot_be_told(text: str, kind: type[TwinError], code: str) -> None:
    with pytest.raises(kind) as caught:
        containers.format_of(text)
    assert caught.value.code == code
    assert caught.value.hint
    assert text[:40] not in caught.value.message or not text


def test_a_phrase_is_told_by_its_words() -> None:
    assert containers.format_of("  abandon\n" * 11 + "about") == "mnemonic"
    with pytest.raises(InvalidError):
        containers.format_of("abandon " * 13)


def test_no_public_key_is_taken_for_a_private_one() -> None:
    """Of whatever key: each is a point of the curve, and so ambiguous."""
    for number in range(300):
        public_key = KeyPair.from_seed(number.to_bytes(32, "big")).public_key
        with pytest.raises(ConflictError):
            containers.format_of(public_key)


def swapped(pem: str) -> str:
    """Return an OpenSSH key whose outer public key is another's."""
    lines = pem.strip().splitlines()
    raw = base64.b64decode("".join(lines[1:-1]))
    assert ALICE.public_bytes in raw
    raw = raw.replace(ALICE.public_bytes, BOB.public_bytes, 1)
    return f"{lines[0]}\n{base64.b64encode(raw).decode()}\n{lines[-1]}\n"


MIXED = json.dumps({"public_key": BOB.public_key, "private_key": ALICE.private_key})
OTHER = (ALICE.seed + BOB.public_bytes).hex()


@pytest.mark.parametrize(
    ("text", "form", "code"),
    [
        (MIXED, "base58", "key_mismatch"),
        (MIXED.replace("_key", "Key"), "base58", "key_mismatch"),
        (OTHER, "seed", "key_mismatch"),
        (base58.encode(bytes.fromhex(OTHER)), "base58", "key_mismatch"),
        (swapped(containers.secret_text(ALICE, "openssh")), "openssh", "invalid_key_file"),
        ("{", "base58", "invalid_key_file"),
        ("{}", "base58", "invalid_key_file"),
        ('{"private_key": 5}', "base58", "invalid_key_file"),
        (f'{{"private_key": "{"11" * 32}"}}', "base58", "invalid_key_file"),
        (f'{{"private_key": "{base58.encode(b"x" * 64)}"}}', "base58", "invalid_key_file"),
        (ALICE.seed.hex(), "base58", "invalid_key_file"),
        (ALICE.private_key, "seed", "invalid_key_file"),
        ("secret", "pem", "invalid_key_file"),
        (PUBLIC_PEM, "pem", "public_key_given"),
        (PUBLIC_SSH, "openssh", "public_key_given"),
        (KEY["pkcs8_plain_pem"].replace("M", "N", 1), "pem", "invalid_key_file"),
        (KEY["openssh_encrypted_pem"], "pem", "invalid_key_file"),
        (KEY["pkcs8_plain_pem"], "openssh", "invalid_key_file"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nA\n-----END-----", "openssh", "invalid_key_file"),
        (KEY["openssh_encrypted_pem"].replace("b3Bl", "b3B", 1), "openssh", "invalid_key_file"),
    ],
)
def test_keys_that_are_refused(text: str, form: str, code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        containers.read(text, form, password)
    error: BaseException | None = caught.value
    assert caught.value.code == code
    while error is not None:
        assert ALICE.private_key not in str(error)
        assert ALICE.seed.hex() not in str(error)
        error = error.__cause__
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_pair_without_its_public_key() -> None:
    text = json.dumps({"private_key": ALICE.private_key})
    assert containers.read(text, "base58").seed == ALICE.seed


@pytest.mark.parametrize("before", ["", "a letter\n", "a\n\n", "ab\ncd\n"])
def test_a_cost_that_takes_days_is_refused_before_it_is_paid(before: str) -> None:
    lines = KEY["openssh_encrypted_pem"].strip().splitlines()
    raw = base64.b64decode("".join(lines[1:-1]))
    at = raw.index(b"\x00\x00\x00\x06bcrypt") + 10 + 4 + 4 + 16
    raw = raw[:at] + b"\xff\xff\xff\xff" + raw[at + 4 :]
    text = f"{before}{lines[0]}\n{base64.b64encode(raw).decode()}\n{lines[-1]}\n"
    with pytest.raises(InvalidError) as caught:
        containers.read(text, "openssh", never)
    assert caught.value.code == "cost_out_of_bounds"


def never() -> bytes:
    pytest.fail("the passphrase was asked for")


def der(tag: int, *parts: bytes) -> bytes:
    """Return a DER value of less than 128 bytes."""
    value = b"".join(parts)
    return bytes([tag, len(value)]) + value


def sealed_pem(function: str, *numbers: int, salt: bytes | None = None) -> str:
    """Return an encrypted PEM key with these parameters of its key derivation."""
    octets = der(4, b"saltsalt") if salt is None else salt
    digits = (number.to_bytes(number.bit_length() // 8 + 1) for number in numbers)
    parameters = der(0x30, octets, *(der(2, number) for number in digits))
    kdf = der(0x30, der(6, bytes.fromhex(function)), parameters)
    scheme = der(0x30, der(6, bytes.fromhex("60864801650304012a")), der(4, bytes(16)))
    pbes2 = der(0x30, der(6, bytes.fromhex("2a864886f70d01050d")), der(0x30, kdf, scheme))
    text = base64.b64encode(der(0x30, pbes2, der(4, bytes(16)))).decode()
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{text}\n-----END ENCRYPTED PRIVATE KEY-----\n"


PBKDF2, SCRYPT = "2a864886f70d01050c", "2b06010401da47040b"


@pytest.mark.parametrize(
    "text",
    [
        sealed_pem(PBKDF2, 2**31 - 1),
        sealed_pem(PBKDF2, 10_000_001),
        sealed_pem(PBKDF2, 2048, 2**31),
        sealed_pem(PBKDF2, 2**31, salt=der(0x24, der(4, b"salt"), der(4, b"salt"))),
        sealed_pem(SCRYPT, 2**30, 8, 1),
        sealed_pem(SCRYPT, 2, 2**20, 2**20),
        sealed_pem(SCRYPT, 2**14, 8, 2**20),
        sealed_pem(SCRYPT, 2**14, 8, 1, 2**31),
        "a letter\n" + sealed_pem(PBKDF2, 2**31 - 1),
    ],
)
def test_a_pem_key_that_costs_too_much_is_refused_before_it_is_paid(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        containers.read(text, "pem", never)
    assert caught.value.code == "cost_out_of_bounds"


@pytest.mark.parametrize(
    "text", [sealed_pem(PBKDF2, 10_000_000 // 50, 32), sealed_pem(SCRYPT, 2**14, 8, 1, 32)]
)
def test_what_costs_no_more_than_that_is_tried(text: str) -> None:
    with pytest.raises(LockedError) as caught:
        containers.read(text, "pem", password)
    assert caught.value.code == "bad_passphrase"


@pytest.mark.parametrize("inside", [b"", b"\x30", b"\x30\x84", b"\x30\x05\x04", b"\x30\x02" * 3000])
def test_what_is_no_der_is_no_key(inside: bytes) -> None:
    text = base64.b64encode(inside).decode()
    sealed = f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{text}\n-----END ENCRYPTED PRIVATE KEY-----\n"
    with pytest.raises(InvalidError) as caught:
        containers.read(sealed, "pem", never)
    assert caught.value.code == "invalid_key_file"


def test_a_phrase_has_no_public_form() -> None:
    with pytest.raises(UsageError) as caught:
        containers.public_text(ALICE.public_bytes, "mnemonic", "alice")
    assert caught.value.code == "no_public_form"
    assert "--secret -o" in str(caught.value.hint)


@pytest.mark.parametrize("form", ["seed", "base58"])
def test_the_short_public_forms_are_the_public_key(form: str) -> None:
    assert containers.public_text(ALICE.public_bytes, form, "alice") == ALICE.public_key + "\n"


# --- the extra ------------------------------------------------------------------------------------


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    sealed = KEY["openssh_encrypted_pem"]
    for use in (
        lambda: containers.secret_text(ALICE, "openssh", b"x"),
        lambda: containers.read(sealed, "openssh", password),
    ):
        with pytest.raises(ConfigError) as caught:
            use()
        assert caught.value.code == "missing_extra"
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    for use in (
        lambda: containers.secret_text(ALICE, "pem"),
        lambda: containers.public_text(ALICE.public_bytes, "openssh", ""),
        lambda: containers.read(KEY["pkcs8_plain_pem"], "pem"),
    ):
        with pytest.raises(ConfigError) as caught:
            use()
        assert caught.value.code == "missing_extra"
        assert 'pip install "twincli[keyfiles]"' in str(caught.value.hint)
    assert containers.read(ALICE.seed.hex(), "seed").seed == ALICE.seed


def test_what_a_guess_of_an_exported_passphrase_costs() -> None:
    """24 rounds of bcrypt, as docs/guide/keys.md states it."""
    text = containers.secret_text(ALICE, "openssh", b"pass")
    raw = base64.b64decode("".join(text.splitlines()[1:-1]))
    assert raw.startswith(b"openssh-key-v1\0")
    options = raw.partition(b"\0\0\0\x06bcrypt")[2]
    length = int.from_bytes(options[4:8])
    assert length >= 16
    assert int.from_bytes(options[8 + length : 12 + length]) == 24
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "keys.md").read_text()
    assert "24 rounds of bcrypt" in guide


SEED = bytes(range(32))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "0x" + SEED.hex(),
        "0X" + SEED.hex().upper(),
        json.dumps({"kty": "OKP", "crv": "Ed25519", "d": _b64(SEED)}),
        json.dumps(
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "d": _b64(SEED),
                "x": _b64(KeyPair.from_seed(SEED).public_bytes),
                "kid": "1",
            }
        ),
        json.dumps(
            {
                "server": {"bind": "localhost:9984"},
                "keypair": {
                    "public": KeyPair.from_seed(SEED).public_key,
                    "private": base58.encode(SEED),
                },
            }
        ),
    ],
)
def test_more_forms_that_other_programs_write(text: str) -> None:
    try:
        form = containers.format_of(text)
    except ConflictError:  # 32 bytes of hex may be a point, too
        form = "seed"
    assert containers.read(text, form).seed == SEED


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"kty": "EC", "crv": "P-256", "d": "x"}, "wrong_algorithm"),
        ({"kty": "RSA"}, "wrong_algorithm"),
        ({"kty": "OKP", "crv": "Ed25519", "x": _b64(SEED)}, "public_key_given"),
        ({"kty": "OKP", "crv": "Ed25519", "d": "short"}, "invalid_key_file"),
        ({"kty": "OKP", "crv": "Ed25519", "d": _b64(SEED), "x": _b64(SEED)}, "key_mismatch"),
        ({"keypair": {"public": "x", "private": None}}, "invalid_key_file"),
    ],
)
def test_keys_in_json_that_are_refused(document: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        containers.read(json.dumps(document), "base58")
    assert caught.value.code == code


@pytest.mark.parametrize("form", ["pem", "openssh"])
def test_strange_characters_in_a_sealed_key_are_refused(form: str) -> None:
    text = containers.secret_text(ALICE, form, b"horse")
    lines = text.splitlines()
    broken = "\n".join([lines[0], "!" + lines[1], *lines[2:]]) + "\n"
    with pytest.raises(InvalidError) as caught:
        containers.read(broken, form, lambda: b"horse")
    assert caught.value.code == "invalid_key_file"
