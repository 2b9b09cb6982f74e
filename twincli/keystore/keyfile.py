"""The format of a key file: its members, and the faults of one that was altered.

A file holds ``version name type provider public_key rule path created has_mnemonic passphrase`` for
all to read who may read the file at all (its owner). A key of the provider ``file`` has its secret
beside that: under ``sealed`` when there is a passphrase, else as plain ``seed`` (base58) and
``mnemonic``. A key that lives elsewhere has ``settings``, which say where, and no secret.
"""

from __future__ import annotations

from collections.abc import Callable

from twincli.crypto import base58, canonical
from twincli.crypto.ed25519 import SEED_BYTES
from twincli.errors import InvalidError, LockedError
from twincli.model import names
from twincli.values import Any, NamedTuple

SecretSource = Callable[[str], bytes]
"""Given the name of a key, returns its passphrase or PIN, or raises ``LockedError``."""

VERSION = 1
FILE = "file"
PROVIDERS = (FILE, "pkcs11", "command")
"""Where a secret may be: in the file itself, in a chip, behind a program."""

RULES = ("random", "tutorial", "slip10", "imported", "external")

DAMAGED_HINT = "restore the file from a backup, or recover the key from its phrase"


class KeyInfo(NamedTuple):
    """The public part of a key file.

    Attributes:
        name: As its owner wrote it.
        public_key: base58.
        created: RFC 3339, UTC.
        passphrase: Whether using it asks for a secret: the secret is sealed, or a chip has a PIN.
        rule: How the seed came to be: ``random``, ``tutorial`` (first 32 bytes of the BIP39
            seed), ``slip10``; ``imported`` where another program made it; ``external`` if it
            was never here.
        path: Derivation path, of ``slip10``.
        has_mnemonic: Whether the phrase is kept with the secret.
        provider: One of ``PROVIDERS``.
        settings: Where an external key is found; a JSON object of its provider's, holding no
            secret. None for ``file``.
    """

    name: str
    public_key: str
    created: str
    passphrase: bool
    rule: str
    path: str | None
    has_mnemonic: bool
    provider: str = FILE
    settings: dict[str, Any] | None = None


def header(info: KeyInfo) -> dict[str, Any]:
    """Return the members bound to the sealed secret: all but the name, which may change."""
    return {
        "type": "ed25519",
        "provider": info.provider,
        "public_key": info.public_key,
        "rule": info.rule,
        "path": info.path,
        "created": info.created,
        "has_mnemonic": info.has_mnemonic,
        "passphrase": info.passphrase,
    }


def head(info: KeyInfo) -> dict[str, Any]:
    """Return the public part of a key's document."""
    document = {"version": VERSION, "name": info.name, **header(info)}
    if info.settings is not None:
        document["settings"] = info.settings
    return document


def to_bytes(document: dict[str, Any]) -> bytes:
    """Return the bytes of a key file."""
    import json

    return (json.dumps(document, indent=1) + "\n").encode()


def info_of(document: dict[str, Any]) -> KeyInfo:
    """Return the public part of a document without ``fault``."""
    return KeyInfo(
        name=document["name"],
        public_key=document["public_key"],
        created=document["created"],
        passphrase=document["passphrase"],
        rule=document["rule"],
        path=document["path"],
        has_mnemonic=document["has_mnemonic"],
        provider=document["provider"],
        settings=document.get("settings"),
    )


def fault(document: Any, stem: str) -> str | None:
    """Say what is wrong with a key file, without quoting any of it; ``newer`` is a newer version.

    Args:
        document: The JSON value of the file.
        stem: The file's name without its ending.
    """
    if not isinstance(document, dict):
        return "it is not a JSON object"
    version = document.get("version")
    if type(version) is not int or version < 1:
        return "it has no version"
    if version > VERSION:
        return "newer"
    for field in ("name", "public_key", "created", "rule", "provider", "type"):
        if not isinstance(document.get(field), str):
            return f"{field} is missing or not text"
    for field in ("passphrase", "has_mnemonic"):
        if not isinstance(document.get(field), bool):
            return f"{field} is missing or not true or false"
    if document["type"] != "ed25519" or document["provider"] not in PROVIDERS:
        return "its type or provider is not known"
    path = document.get("path", 0)
    if path is not None and not isinstance(path, str):
        return "path is missing or not text"
    if not is_name(document["name"]) or names.fold(document["name"]) != stem:
        return "its name is not that of the file"
    if not base58.is_key(document["public_key"]):
        return "public_key is not a public key"
    return _secret_fault(document)


def _secret_fault(document: dict[str, Any]) -> str | None:
    if document["provider"] != FILE:
        if not isinstance(document.get("settings"), dict):
            return "settings are missing"
        if document.keys() & {"seed", "sealed", "mnemonic"}:
            return "a key that lives elsewhere has no secret here"
        return None
    if "settings" in document:
        return "a key in a file has no settings"
    if document["passphrase"]:
        if not isinstance(document.get("sealed"), dict) or "seed" in document:
            return "the sealed secret is missing or not sealed"
        return None
    if not isinstance(document.get("seed"), str) or "sealed" in document:
        return "the seed is missing"
    mnemonic = document.get("mnemonic", 0)
    if mnemonic is not None and not isinstance(mnemonic, str):
        return "mnemonic is missing or not text"
    return None


def parse(data: bytes) -> Any:
    """Return the JSON value of a file that may hold a secret, or None.

    The decoder's errors quote or carry the text, so they end here and are not chained.
    """
    try:
        return canonical.decode(data)
    except InvalidError:
        return None


def forms(passphrase: bytes) -> list[bytes]:
    """Return the bytes that a passphrase may have been sealed with, those of new keys first.

    Keyboards and systems give one text in composed or decomposed form; new keys are sealed with
    the composed one (NFC), and older files with what was typed.
    """
    if passphrase.isascii():
        return [passphrase]
    import unicodedata

    try:
        text = passphrase.decode()
    except UnicodeDecodeError:
        return [passphrase]
    composed, decomposed = (unicodedata.normalize(form, text).encode() for form in ("NFC", "NFD"))
    return list(dict.fromkeys((composed, passphrase, decomposed)))


def seed_of(text: str) -> bytes | None:
    """Return the 32 bytes of a base58 seed, or None: errors quote it, a cache would keep it."""
    try:
        data = base58.decode(text)
    except InvalidError:
        return None
    return data if len(data) == SEED_BYTES else None


def is_name(text: str) -> bool:
    """Say whether a key can have this name."""
    try:
        names.check(text)
    except InvalidError:
        return False
    return True


def no_secret_here(info: KeyInfo) -> LockedError:
    """Return the error for needing the secret of a key that lives elsewhere."""
    where = "in a chip" if info.provider == "pkcs11" else "behind a program"
    return LockedError(
        f"the secret of the key {info.name} is not here: it is {where}",
        code="no_secret_here",
        hint=f"the key can only sign there; see: twin keys show {info.name}",
    )


def damaged(name: str, why: str) -> InvalidError:
    """Return the error for a key file that is damaged."""
    return InvalidError(f"the key {name} is damaged: {why}", code="damaged_key", hint=DAMAGED_HINT)
