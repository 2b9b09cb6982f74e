"""``twin keys sign`` and ``verify``: over a text of their own, and openssl agrees."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Invoke
from tests.plugins.tools import require_tool
from twincli.crypto import base58, ed25519
from twincli.crypto.ed25519 import KeyPair
from twincli.services.keys import signatures

ALICE = "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o"
SEED = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
CHECK = "schema valid reason public_key did name by digest warnings"


@pytest.fixture
def here(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have two keys, a file and alice's signature of it."""
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.chdir(path)
    (path / "file").write_bytes(b"what is signed\n" * 1000)
    for words in (
        ("keys", "import", "alice", "-", "--no-passphrase"),
        ("keys", "new", "bob", "--no-passphrase"),
        ("keys", "sign", "alice", "file", "-o", "sig"),
    ):
        assert invoke(*words, stdin=SEED).status == 0
    return path


def test_the_document(invoke: Invoke, here: Path) -> None:
    made = json.loads((here / "sig").read_text())
    assert list(made) == ["schema", "public_key", "did", "digest", "signature"]
    assert made["schema"] == "twin.signature/1"
    assert made["public_key"] == ALICE
    data = (here / "file").read_bytes()
    assert made["digest"] == hashlib.sha512(data).hexdigest()
    assert invoke("keys", "sign", "alice", "file", "--json").json == made
    assert invoke("keys", "sign", "alice", "-", stdin=data).stdout == (here / "sig").read_text()
    planned = invoke("keys", "sign", "alice", "file", "-o", "none", "--dry-run", "--json").json
    assert planned == {**made, "signature": None}
    assert not (here / "none").exists()
    again = invoke("keys", "sign", "alice", "file", "-o", "sig", "--json")
    assert (again.status, again.error["code"]) == (5, "exists")


def test_openssl_verifies_what_is_signed(invoke: Invoke, here: Path) -> None:
    openssl = require_tool("openssl")
    made = json.loads((here / "sig").read_text())
    shown = subprocess.run(
        [openssl, "dgst", "-sha512", "-r", "file"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    digest = shown.stdout.split()[0]
    (here / "message").write_text(f"twin.signature/1\nsha512 {digest}\n")
    (here / "raw").write_bytes(base58.decode(made["signature"]))
    invoke("keys", "export", "alice", "alice.pem", "--format", "pem")
    check = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", "alice.pem", "-rawin"]
    subprocess.run([*check, "-in", "message", "-sigfile", "raw"], check=True, capture_output=True)
    (here / "message").write_text(f"twin.signature/1\nsha512 {digest}")
    wrong = subprocess.run(
        [*check, "-in", "message", "-sigfile", "raw"], check=False, capture_output=True
    )
    assert wrong.returncode == 1


def test_a_signature_that_openssl_makes_is_right(invoke: Invoke, here: Path) -> None:
    openssl = require_tool("openssl")
    secret = ("--secret", "-o", "alice.pem", "--format", "pem")
    invoke("keys", "export", "alice", *secret)
    made = json.loads((here / "sig").read_text())
    (here / "message").write_bytes(signatures.message_of(made["digest"]))
    sign = [openssl, "pkeyutl", "-sign", "-inkey", "alice.pem", "-rawin", "-in", "message"]
    raw = subprocess.run(sign, check=True, capture_output=True).stdout
    assert base58.encode(raw) == made["signature"]


@pytest.mark.parametrize(
    ("words", "status", "reason", "by"),
    [
        ("file sig", 0, None, None),
        ("file sig --by alice", 0, None, ALICE),
        ("file sig --by key:alice", 0, None, ALICE),
        (f"file sig --by {ALICE}", 0, None, ALICE),
        ("file sig --by DID", 0, None, ALICE),
        ("file sig --by bob", 3, "other_signer", "BOB"),
        ("other sig", 3, "hash_mismatch", None),
        ("other sig --by alice", 3, "hash_mismatch", ALICE),
        ("file bent", 3, "bad_signature", None),
        ("file odd --by alice", 3, "bad_signature", ALICE),
        ("file long", 3, "bad_signature", None),
        ("file stolen --by bob", 3, "bad_signature", "BOB"),
    ],
)
def test_verify(
    invoke: Invoke, here: Path, words: str, status: int, reason: str | None, by: str | None
) -> None:
    made = json.loads((here / "sig").read_text())
    bob = invoke("keys", "show", "bob", "--json").json
    (here / "other").write_bytes(b"something else")
    raw = bytearray(base58.decode(made["signature"]))
    raw[7] ^= 1
    for name, changes in (
        ("bent", {"signature": base58.encode(bytes(raw))}),
        ("odd", {"signature": "0"}),
        ("long", {"signature": "z" * 5000}),
        ("stolen", {"public_key": bob["public_key"], "did": bob["did"]}),
    ):
        (here / name).write_text(json.dumps({**made, **changes}))
    argv = words.replace("DID", made["did"]).split()
    run = invoke("keys", "verify", *argv, "--json")
    assert run.status == status
    assert list(run.json) == CHECK.split()
    assert (run.json["valid"], run.json["reason"]) == (reason is None, reason)
    assert run.json["by"] == (bob["public_key"] if by == "BOB" else by)
    assert run.json["name"] == ("bob" if "stolen" in words else "alice")
    unasked = reason is None and by is None
    assert bool(run.json["warnings"]) == unasked


def test_a_signature_needs_no_home_to_be_checked(
    invoke: Invoke, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_HOME", str(here / "nowhere"))
    run = invoke("keys", "verify", "file", "sig", "--by", ALICE, "--json")
    assert (run.status, run.json["name"]) == (0, None)
    run = invoke("keys", "verify", "file", "sig", "--by", "alice", "--json")
    assert (run.status, run.error["code"]) == (4, "not_found")
    assert not (here / "nowhere").exists()


@pytest.mark.usefixtures("here")
def test_a_party_of_the_book_is_known_by_name(invoke: Invoke) -> None:
    invoke("keys", "remove", "alice", "--yes")
    invoke("name", "set", "ally", ALICE)
    run = invoke("keys", "verify", "file", "sig", "--by", "ally", "--json")
    assert (run.status, run.json["name"]) == (0, "ally")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        ("{", 7, "invalid_signature_file"),
        ("[]", 7, "invalid_signature_file"),
        ({"schema": "twin.signature/2"}, 7, "invalid_signature_file"),
        ({"signature": None}, 7, "invalid_signature_file"),
        ({"public_key": "0"}, 7, "invalid_signature_file"),
        ({"did": "did:key:z6Mk"}, 7, "invalid_signature_file"),
        ("x" * 70000, 7, "invalid_signature_file"),
        (None, 4, "no_file"),
    ],
)
def test_signatures_that_cannot_be_read(
    invoke: Invoke, here: Path, content: Any, status: int, code: str
) -> None:
    made = json.loads((here / "sig").read_text())
    if content is not None:
        text = content if isinstance(content, str) else json.dumps({**made, **content})
        (here / "bad").write_text(text)
    run = invoke("keys", "verify", "file", "bad", "--json")
    assert (run.status, run.stdout, run.error["code"]) == (status, "", code)


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ("sign alice none", 4, "no_file"),
        ("sign alice .", 9, "cannot_read"),
        ("sign carol file", 4, "not_found"),
        ("sign carol file -o out", 4, "not_found"),
        ("sign alice none -o out", 4, "no_file"),
        ("verify . sig", 9, "cannot_read"),
        ("verify - -", 2, "usage"),
        ("verify file sig --by carol", 4, "not_found"),
    ],
)
def test_refusals(invoke: Invoke, here: Path, words: str, status: int, code: str) -> None:
    run = invoke("keys", *words.split(), "--json")
    assert (run.status, run.stdout, run.error["code"]) == (status, "", code)
    assert not (here / "out").exists()


def test_a_big_file_is_read_in_pieces() -> None:
    class Big(io.RawIOBase):
        """Sixty-four pieces, of which only one is ever asked for."""

        left = 64

        def read(self, size: int = -1) -> bytes:
            assert 0 < size <= 1 << 20
            if not self.left:
                return b""
            self.left -= 1
            return bytes(size)

    file: Any = Big()
    assert signatures.digest_of(file) == hashlib.sha512(bytes(64 << 20)).hexdigest()


def test_it_is_no_signature_of_a_transaction(invoke: Invoke, here: Path) -> None:
    """Signing the very bytes that a transaction's input signs gives nothing that fulfils it."""
    digest = hashlib.sha3_256(b"a transaction that gives the car away").digest()
    (here / "trap").write_bytes(digest)
    made = invoke("keys", "sign", "alice", "trap", "--json").json
    raw = base58.decode(made["signature"])
    public_key = base58.decode(ALICE)
    assert not ed25519.verify(public_key, digest, raw)
    assert ed25519.verify(public_key, signatures.message_of(made["digest"]), raw)
    assert raw != KeyPair.from_seed(bytes.fromhex(SEED)).sign(digest)
    assert len(signatures.message_of(made["digest"])) > 32
