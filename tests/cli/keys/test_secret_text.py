"""Secrets that are read: one line of UTF-8, wherever they come from."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Invoke
from twincli.crypto import sealing
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import LockedError
from twincli.keystore import keyfile
from twincli.keystore.files import read_private
from twincli.keystore.store import KeyStore

BAD = {
    "UTF-16": "secret".encode("utf-16"),
    "UTF-16 without mark": "secret".encode("utf-16-le"),
    "Latin-1": "geheimnis ä".encode("latin-1"),
    "NUL": b"sec\0ret\n",
    "two lines": b"secret\nmore\n",
    "carriage return": b"secret\rmore",
}


def typing(passphrase: bytes) -> Callable[[str], bytes]:
    return lambda _name: passphrase


def private(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_not_one_line_of_text_is_refused(
    invoke: Invoke, tmp_path: Path, home: Path, data: bytes
) -> None:
    file = private(tmp_path / "pass", data)
    commands = [
        ("keys", "new", "alice", "--passphrase-file", file),
        ("keys", "new", "alice", "--mnemonic", "--passphrase-file", f"alice={file}"),
    ]
    phrase = private(tmp_path / "phrase", b"abandon " * 11 + b"about\n")
    recover = ("keys", "recover", "alice", phrase, "--no-passphrase")
    commands.append((*recover, "--bip39-passphrase-file", file))
    for command in commands:
        run = invoke(*command, "--json")
        assert (run.status, run.error["code"]) == (7, "not_text"), command
        assert "secret" not in run.stderr
    descriptor = os.open(file, os.O_RDONLY)
    run = invoke("keys", "new", "alice", "--passphrase-fd", str(descriptor), "--json")
    os.close(descriptor)
    assert run.error["code"] == "not_text"
    assert not (home / "keys" / "alice.json").exists()


@pytest.mark.parametrize("text", ["sec\nret", "secr\u00e9t\nx"])
def test_the_variable_is_one_line_too(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TWIN_PASSPHRASE", text)
    assert invoke("keys", "new", "alice", "--json").error["code"] == "not_text"


def test_a_byte_order_mark_is_not_part_of_a_secret(invoke: Invoke, tmp_path: Path) -> None:
    marked = private(tmp_path / "marked", b"\xef\xbb\xbf" * 2 + b"secret\r\n")
    plain = private(tmp_path / "plain", b"secret")
    assert invoke("keys", "new", "alice", "--passphrase-file", marked).status == 0
    note = private(tmp_path / "note", b"note")
    assert invoke("keys", "sign", "alice", note, "--passphrase-file", plain).status == 0
    phrase = private(tmp_path / "phrase", b"\xef\xbb\xbf" + b"abandon " * 11 + b"about\n")
    keys = [
        invoke(
            *("keys", "recover", f"r{number}", phrase, "--no-passphrase", "--json"),
            *("--bip39-passphrase-file", file),
        ).json["public_key"]
        for number, file in enumerate((marked, plain))
    ]
    assert keys[0] == keys[1]


def test_a_passphrase_file_that_others_read_is_a_warning(invoke: Invoke, tmp_path: Path) -> None:
    file = private(tmp_path / "pass", b"secret\n")
    run = invoke("keys", "new", "alice", "--passphrase-file", file)
    assert "chmod" not in run.stderr
    os.chmod(file, 0o644)
    run = invoke("keys", "new", "bob", "--passphrase-file", file)
    assert run.status == 0
    assert f"chmod 600 {file}" in run.stderr


@pytest.mark.parametrize("sealed", ["NFC", "NFD"])
def test_one_passphrase_in_two_forms(tmp_path: Path, sealed: str) -> None:
    store = KeyStore(str(tmp_path / "keys"), cost=sealing.Cost(1, 8192))
    pair = KeyPair.from_seed(b"s" * 32)
    forms = {form: unicodedata.normalize(form, "Schlüssel é").encode() for form in ("NFC", "NFD")}
    store.create("a", pair, secret_source=lambda _: forms[sealed], created="2024-01-20T09:00:00Z")
    for form in forms.values():
        assert store.unlock("a", typing(form)).public_key == pair.public_key
    # An older file, sealed with what was typed.
    document = keyfile.parse(read_private(str(tmp_path / "keys" / "a.json")))
    document["sealed"] = sealing.seal(
        b'{"mnemonic":null,"seed":"%s"}' % pair.private_key.encode(),
        forms[sealed],
        header=keyfile.header(keyfile.info_of(document)),
        cost=sealing.Cost(1, 8192),
    )
    (tmp_path / "keys" / "a.json").write_bytes(keyfile.to_bytes(document))
    for form in forms.values():
        assert store.unlock("a", typing(form)).public_key == pair.public_key


def test_a_source_that_asks_is_asked_until_it_gives_up(tmp_path: Path) -> None:
    store = KeyStore(str(tmp_path / "keys"), cost=sealing.Cost(1, 8192))
    pair = KeyPair.from_seed(b"s" * 32)
    store.create("a", pair, secret_source=lambda _: b"right", created="2024-01-20T09:00:00Z")

    class Person:
        def __init__(self, *typed: bytes) -> None:
            self.typed = list(typed)

        def __call__(self, _name: str) -> bytes:
            return self.typed.pop(0)

        def wrong(self, _name: str) -> bool:
            return bool(self.typed)

    assert store.unlock("a", Person(b"wrong", b"wrong", b"right")).public_key == pair.public_key
    person = Person(b"wrong", b"wrong", b"wrong")
    with pytest.raises(LockedError) as caught:
        store.unlock("a", person)
    assert caught.value.code == "bad_passphrase"
    assert person.typed == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_uses_only_its_own_keys(invoke: Invoke, home: Path) -> None:
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    os.chown(home / "keys" / "alice.json", 12345, 12345)
    run = invoke("keys", "show", "alice", "--json")
    assert (run.status, run.error["code"]) == (9, "foreign_owner")


def test_a_mistyped_phrase_is_not_taken_without_its_checksum(
    invoke: Invoke, tmp_path: Path
) -> None:
    phrase = private(tmp_path / "phrase", b"abandon " * 11 + b"abuot\n")
    run = invoke("keys", "recover", "alice", phrase, "--no-passphrase", "--json")
    assert run.status == 7
    assert "--no-checksum" not in run.stderr
    text = private(tmp_path / "text", b"seedPhrase\n")
    run = invoke("keys", "recover", "alice", text, "--no-passphrase", "--json")
    assert "--no-checksum" in run.error["hint"]


def test_a_key_in_der_is_named(invoke: Invoke, tmp_path: Path) -> None:
    der = bytes.fromhex("302e020100300506032b657004220420") + b"\xff" * 32
    key = private(tmp_path / "key.der", der)
    run = invoke("keys", "import", "alice", key, "--no-passphrase", "--json")
    assert run.status == 7
    assert "DER" in run.error["message"]
    assert "openssl pkey -inform DER" in run.error["hint"]
