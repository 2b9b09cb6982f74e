"""Keys in the forms that other programs read and write.

============  ==================================================  =================================
format        public                                              secret
============  ==================================================  =================================
``seed``      base58, as BigchainDB writes keys                   the 32 bytes, 64 hex digits
``base58``    the same                                            a JSON pair, as the official
                                                                  drivers' ``generate_keypair`` has
``pem``       ``SubjectPublicKeyInfo``                            PKCS#8, encrypted or not
``openssh``   a line for ``authorized_keys``                      ``openssh-key-v1``, likewise
``mnemonic``  none                                                the phrase: see ``mnemonic``
============  ==================================================  =================================

PEM and OpenSSH are the work of the library ``cryptography``, which is imported only for them (the
extra ``keyfiles``). No error quotes what it was given, nor is one chained to an error that might.

Source: RFC 8410, RFC 5958, OpenSSH's PROTOCOL.key; vectors in ``tests/vectors/keystore_kdf.json``,
and the programs ``openssl`` and ``ssh-keygen``.
"""

from __future__ import annotations

import json
import re
from hmac import compare_digest
from itertools import takewhile
from math import prod
from typing import TYPE_CHECKING, Any

from twincli.crypto import base58, canonical, der, ed25519
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConfigError, ConflictError, InvalidError, LockedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMATS = ("seed", "base58", "pem", "openssh", "mnemonic")
ENCRYPTED = ("pem", "openssh")
"""Formats whose secret form can have a passphrase of its own."""

MAX_ROUNDS = 4096
"""Of bcrypt, in an OpenSSH key: ssh-keygen makes 24, ``-a`` sets others. 4096 take a minute."""

MAX_ITERATIONS = 10_000_000
"""Of a hash, in an encrypted PEM key: OpenSSL makes 2048, others up to a million. 10 s."""

MAX_BLOCKS = 1 << 23
"""Of scrypt, N times r times p in an encrypted PEM key: OpenSSL makes 2^17. 1 GiB, some seconds."""

_ROUNDS = 24
"""Of bcrypt, in an exported OpenSSH key: what ssh-keygen makes."""
_LABEL = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_SEALED_PEM = "ENCRYPTED PRIVATE KEY"
_BCRYPT = b"\x00\x00\x00\x06bcrypt"
_SCRYPT = bytes.fromhex("2b06010401da47040b")
_INTEGER, _IDENTIFIER = 0x02, 0x06
_WORDS = (12, 15, 18, 21, 24)
_LONGEST_BARE = 200
_LONGEST_KEY = 64


def public_text(public_key: bytes, form: str, comment: str) -> str:
    """Return a public key in a format, with a line end.

    Args:
        public_key: 32 bytes.
        form: One of ``FORMATS``.
        comment: Who it is, for ``openssh``.

    Raises:
        UsageError: ``no_public_form``: a phrase is only ever secret.
        ConfigError: ``missing_extra``.
    """
    if form == "mnemonic":
        raise UsageError(
            "a phrase has no public form",
            code="no_public_form",
            hint="the public key: --format base58; the phrase itself: --secret -o FILE",
        )
    if form in {"seed", "base58"}:
        return base58.encode(public_key) + "\n"
    serialization, library = _library()
    key = library.Ed25519PublicKey.from_public_bytes(public_key)
    if form == "pem":
        data: bytes = key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return data.decode()
    data = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{data.decode()} {comment}\n"


def secret_text(pair: KeyPair, form: str, passphrase: bytes | None = None) -> str:
    """Return a secret key in a format, with a line end.

    Args:
        pair: The key.
        form: One of ``FORMATS`` but ``mnemonic``, which a key pair cannot give.
        passphrase: Encrypts it; only where ``form`` is one of ``ENCRYPTED``.

    Raises:
        InvalidError: ``passphrase_too_long``: PEM takes 1023 bytes.
        ConfigError: ``missing_extra``.
    """
    if form == "seed":
        return pair.seed.hex() + "\n"
    if form == "base58":
        return json.dumps({"public_key": pair.public_key, "private_key": pair.private_key}) + "\n"
    serialization, library = _library()
    if passphrase is not None and form == "openssh":
        _need_bcrypt()
    key = library.Ed25519PrivateKey.from_private_bytes(pair.seed)
    layout = serialization.PrivateFormat
    try:
        encryption: Any = serialization.NoEncryption()
        if passphrase is not None and form == "openssh":
            encryption = layout.OpenSSH.encryption_builder().kdf_rounds(_ROUNDS).build(passphrase)
        elif passphrase is not None:
            encryption = serialization.BestAvailableEncryption(passphrase)
        data: bytes = key.private_bytes(
            serialization.Encoding.PEM,
            layout.OpenSSH if form == "openssh" else layout.PKCS8,
            encryption,
        )
    except ValueError:
        raise InvalidError(
            f"the passphrase is too long for {form}",
            code="passphrase_too_long",
            hint="PEM takes 1023 bytes, OpenSSH by older libraries 72",
        ) from None
    return data.decode()


def format_of(text: str) -> str:
    """Recognise the format of a secret key.

    A base58 text or 64 hex digits may be a private or a public key, and only to take the one for
    the other would be worse than to refuse: a private key made of a public one is a secret that
    everybody knows. A public key is always a point of the curve, a seed is one in sixteen.

    Raises:
        InvalidError: ``unknown_key_format``; ``public_key_given``.
        ConflictError: ``ambiguous``: several keys, or what may be a public key as well.
    """
    label = _label(text)
    if label is not None:
        return "openssh" if label.startswith("OPENSSH") else "pem"
    bare = text.strip()
    if bare.startswith("{"):
        return "base58"
    words = bare.split()
    if len(words) in _WORDS and all(word.isalpha() for word in words):
        return "mnemonic"
    data = _bare(bare)
    if data is None:
        raise InvalidError(
            "the format of the key was not recognised",
            code="unknown_key_format",
            hint=f"if it is one of these, name it: --format {'|'.join(FORMATS)}",
        )
    form = "seed" if _is_hex(_unprefixed(bare)) else "base58"
    if len(data) == ed25519.SEED_BYTES and ed25519.is_point(data):
        raise ConflictError(
            "this may be a private or a public key",
            code="ambiguous",
            hint=f"if it is the private one: --format {form};"
            " a public key gets a name with twin name set NAME KEY",
        )
    return form


def read(text: str, form: str, passphrase: Callable[[], bytes] | None = None) -> KeyPair:
    """Return the key pair of a secret key.

    Args:
        text: What ``secret_text`` or another program wrote.
        form: One of ``FORMATS`` but ``mnemonic``. ``seed`` and ``base58`` may be followed by the
            32 bytes of the public key, as libsodium and the JavaScript libraries have it.
        passphrase: Asked if it is encrypted.

    Raises:
        InvalidError: ``invalid_key_file``; ``wrong_algorithm``: the key of another algorithm;
            ``key_mismatch``: the public key beside it is another's; ``public_key_given``;
            ``cost_out_of_bounds``.
        LockedError: ``locked``: it is encrypted and ``passphrase`` is None; ``bad_passphrase``.
        ConfigError: ``missing_extra``.
    """
    if form in ENCRYPTED:
        if _label(text) is None:
            raise _unreadable(form)
        return KeyPair.from_seed(_foreign(text.strip().encode() + b"\n", form, passphrase))
    bare = _unprefixed(text.strip())
    if form == "base58" and bare.startswith("{"):
        return _pair(bare)
    data = _bare(bare) if _is_hex(bare) == (form == "seed") else None
    if data is None:
        raise _unreadable(form)
    pair = KeyPair.from_seed(data[: ed25519.SEED_BYTES])
    beside = data[ed25519.SEED_BYTES :]
    if beside and not compare_digest(beside, pair.public_bytes):
        raise _mismatch()
    return pair


def _bare(text: str) -> bytes | None:
    """Return the 32 or 64 bytes of hex or base58, else None."""
    text = _unprefixed(text)
    if _is_hex(text):
        data = bytes.fromhex(text)
    elif len(text) > _LONGEST_BARE or not text or not set(text) <= base58.ALPHABET:
        return None
    else:
        data = base58.decode(text)
    whole = ed25519.SEED_BYTES + ed25519.PUBLIC_KEY_BYTES
    return data if len(data) in {ed25519.SEED_BYTES, whole} else None


def _unprefixed(text: str) -> str:
    """Return hex without the ``0x`` that wallets write before it."""
    digits = text.removeprefix("0x").removeprefix("0X")
    return digits if _is_hex(digits) else text


def _is_hex(text: str) -> bool:
    return len(text) in {64, 128} and bool(re.fullmatch("[0-9a-fA-F]+", text))


def _pair(text: str) -> KeyPair:
    """Return the key pair of JSON: the drivers', BigchainDB's old ``.bigchaindb``, or a JWK.

    JavaScript's drivers spell the names in their own way.
    """
    try:
        document = canonical.decode(text.encode())
    except InvalidError:
        document = None
    if not isinstance(document, dict):
        raise _unreadable("base58")
    if "kty" in document:
        return _jwk(document)
    if isinstance(document.get("keypair"), dict):
        old = document["keypair"]
        document = {"private_key": old.get("private"), "public_key": old.get("public")}
    private = document.get("private_key", document.get("privateKey"))
    public = document.get("public_key", document.get("publicKey"))
    data = _bare(private) if isinstance(private, str) and not _is_hex(private) else None
    if data is None or len(data) != ed25519.SEED_BYTES:
        raise _unreadable("base58")
    pair = KeyPair.from_seed(data)
    if public is not None and public != pair.public_key:
        raise _mismatch()
    return pair


def _jwk(document: dict[str, Any]) -> KeyPair:
    """Return the key pair of a JSON Web Key (RFC 8037)."""
    if document.get("kty") != "OKP" or document.get("crv") != "Ed25519":
        kind = document.get("crv") or document.get("kty")
        raise InvalidError(
            f"the JWK is a key of {str(kind)[:20]}, not of Ed25519", code="wrong_algorithm"
        )
    if "d" not in document:
        raise InvalidError(
            "this JWK is a public key, and only a private key can be imported",
            code="public_key_given",
            hint="name somebody else's key with twin name set NAME KEY",
        )
    seed, public = (_base64url(document.get(member)) for member in ("d", "x"))
    if seed is None:
        raise _unreadable("base58")
    pair = KeyPair.from_seed(seed)
    if "x" in document and public != pair.public_bytes:
        raise _mismatch()
    return pair


def _base64url(text: object) -> bytes | None:
    """Return the 32 bytes of unpadded base64url, or None."""
    from base64 import urlsafe_b64decode

    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]{43}", text):
        return None
    return urlsafe_b64decode(text + "=")


def _label(text: str) -> str | None:
    """Return the label of the one private key in PEM armour, or None without armour."""
    labels = _LABEL.findall(text)
    private = [label for label in labels if label.endswith("PRIVATE KEY")]
    if len(private) > 1:
        raise ConflictError(
            f"there are {len(private)} private keys in it",
            code="ambiguous",
            hint="give each a file of its own",
        )
    if private:
        return str(private[0])
    if any(label.endswith("PUBLIC KEY") for label in labels) or text.lstrip().startswith(
        ("ssh-", "ecdsa-", "sk-")
    ):
        raise InvalidError(
            "this is a public key, and only a private key can be imported",
            code="public_key_given",
            hint="name somebody else's key with twin name set NAME KEY",
        )
    return None


def _foreign(data: bytes, form: str, passphrase: Callable[[], bytes] | None) -> bytes:
    """Return the seed in an armoured key."""
    serialization, library = _library()
    from cryptography.exceptions import UnsupportedAlgorithm

    # What is measured is what the library gets: it would look for the armour in its own way.
    load: Any = serialization.load_pem_private_key
    if form == "openssh":
        load = serialization.load_ssh_private_key
        data = _check_rounds(data)
    elif _label(data.decode()) == _SEALED_PEM:
        load = serialization.load_der_private_key
        data = _check_cost(data)
    asked = False
    try:
        try:
            key = load(data, None)
        except TypeError:  # the library's word for a missing passphrase
            if form == "openssh":
                _need_bcrypt()
            if passphrase is None:
                raise LockedError("the key to be imported needs its passphrase") from None
            given = passphrase()
            asked = True
            key = load(data, given)
    except UnsupportedAlgorithm:
        raise _wrong_algorithm("of an unsupported algorithm") from None
    except ValueError:
        if asked:
            raise LockedError(
                "the passphrase of the key to be imported is wrong, or the key is damaged",
                code="bad_passphrase",
            ) from None
        raise _unreadable(form) from None
    if not isinstance(key, library.Ed25519PrivateKey):
        raise _wrong_algorithm(f"of {type(key).__name__.removesuffix('PrivateKey')}")
    return bytes(key.private_bytes_raw())


def _armoured(data: bytes, label: str, form: str) -> bytes:
    """Return the bytes in PEM armour."""
    import base64
    import binascii

    text = data.decode().partition(f"-----BEGIN {label}-----")[2]
    text = text.partition(f"-----END {label}-----")[0]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise _unreadable(form) from None


def _check_rounds(data: bytes) -> bytes:
    """Return an OpenSSH key, if its passphrase would not take days to check.

    The library knows no bound.
    """
    import base64

    raw = _armoured(data, "OPENSSH PRIVATE KEY", "openssh")
    options = raw.partition(_BCRYPT)[2]
    salt = int.from_bytes(options[4:8])
    rounds = int.from_bytes(options[8 + salt : 12 + salt])
    if rounds > MAX_ROUNDS:
        raise _too_costly(f"{rounds} rounds", str(MAX_ROUNDS))
    label = b"OPENSSH PRIVATE KEY-----"
    return b"-----BEGIN %s\n%s-----END %s\n" % (label, base64.encodebytes(raw), label)


def _check_cost(data: bytes) -> bytes:
    """Return an encrypted PKCS#8 key as DER, if its passphrase would not take days to check.

    All schemes (PBES1, PBES2 with PBKDF2 or scrypt, PKCS#12) begin with what function makes the
    key, the salt, then its numbers: one of iterations or three of scrypt's, and maybe a length.
    """
    key = _armoured(data, _SEALED_PEM, "pem")
    try:
        leaves = list(_leaves(key, 0, len(key)))
    except (ValueError, RecursionError):
        raise _unreadable("pem") from None
    tags = [tag for tag, _ in leaves]
    first = tags.index(_INTEGER) if _INTEGER in tags else len(tags)
    run = takewhile(lambda leaf: leaf[0] == _INTEGER, leaves[first:])
    numbers = [int.from_bytes(value) for _, value in run]
    by_scrypt = (_IDENTIFIER, _SCRYPT) in leaves[:first]
    counted, most = (3, MAX_BLOCKS) if by_scrypt else (1, MAX_ITERATIONS)
    cost = prod(numbers[:counted])
    if cost > most or any(length > _LONGEST_KEY for length in numbers[counted:]):
        raise _too_costly(f"{cost} steps", str(most))
    return key


def _leaves(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield tag and value of each item in DER, in order, constructed values taken apart.

    Raises:
        ValueError: It is cut short, or not DER.
    """
    while at < end:
        tag, start, at = der.item(data, at, end)
        if tag & der.CONSTRUCTED:
            yield from _leaves(data, start, at)
        else:
            yield tag, data[start:at]


def _too_costly(what: str, most: str) -> InvalidError:
    return InvalidError(
        f"a passphrase check of {what} is out of bounds: at most {most}",
        code="cost_out_of_bounds",
        hint="the file may have been altered to exhaust this machine",
    )


def _library() -> tuple[Any, Any]:
    """Return the modules of ``cryptography`` that know formats and Ed25519."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519 as library
    except ImportError as error:
        raise _missing("PEM and OpenSSH keys need") from error
    return serialization, library


def _need_bcrypt() -> None:
    try:
        import bcrypt  # noqa: F401 - the library uses it
    except ImportError as error:
        raise _missing("the passphrase of an OpenSSH key needs") from error


def _missing(what: str) -> ConfigError:
    return ConfigError(
        f"{what} an extra that is not installed",
        code="missing_extra",
        hint='pip install "twincli[keyfiles]"',
    )


def _unreadable(form: str) -> InvalidError:
    return InvalidError(f"this is not a private key in the format {form}", code="invalid_key_file")


def _mismatch() -> InvalidError:
    return InvalidError(
        "the public key with it belongs to another private key",
        code="key_mismatch",
        hint="the file was altered, or made from two keys",
    )


def _wrong_algorithm(what: str) -> InvalidError:
    return InvalidError(
        f"this key is {what}, and BigchainDB supports only Ed25519",
        code="wrong_algorithm",
        hint="make one with twin keys new NAME, or ssh-keygen -t ed25519",
    )
