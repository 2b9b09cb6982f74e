"""Files of age: encrypted to recipients, opened with an identity.

A recipient is a public X25519 key, ``age1...``; an identity its secret, ``AGE-SECRET-KEY-1...``.
Holders of Ed25519 keys have both: the curve is the same.

Source: C2SP age v1. ``pyrage`` does the work (``pip install "twincli[proof]"``).
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from twincli.crypto import bech32, x25519
from twincli.errors import ConfigError, InvalidError, LockedError, cut
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_RECIPIENT = 200
MAX_IDENTITIES = 1 << 16
"""Bytes of a file of identities."""
FIRST_LINE = b"age-encryption.org/v1\n"
"""What every file of age begins with."""


class Identity(NamedTuple):
    """A key pair of age.

    Attributes:
        secret: ``AGE-SECRET-KEY-1...``; not shown by ``repr``.
        recipient: ``age1...``
    """

    secret: str
    recipient: str

    def __repr__(self) -> str:
        return f"Identity({self.recipient})"


def load() -> Any:
    """Return pyrage.

    Raises:
        ConfigError: ``missing_extra``.
    """
    try:
        import pyrage
    except ImportError as error:
        raise ConfigError(
            "what is encrypted needs an extra package, pyrage",
            code="missing_extra",
            hint='pip install "twincli[proof]"',
        ) from error
    return pyrage


def generate(random: Callable[[int], bytes] = os.urandom) -> Identity:
    """Return a new identity.

    Args:
        random: Gives that many unpredictable bytes.
    """
    return _identity(random(32))


def of_seed(seed: bytes) -> Identity:
    """Return the identity of the holder of an Ed25519 key.

    Args:
        seed: 32 bytes.
    """
    return _identity(x25519.secret_from_seed(seed))


def of_public_key(public_key: bytes) -> str:
    """Return the recipient that the holder of an Ed25519 key can open.

    Args:
        public_key: 32 bytes.

    Raises:
        InvalidError: ``invalid_public_key``.
    """
    return bech32.encode("age", x25519.public_from_ed25519(public_key))


def _identity(secret: bytes) -> Identity:
    recipient = bech32.encode("age", x25519.public_from_secret(secret))
    return Identity(bech32.encode("age-secret-key-", secret).upper(), recipient)


def check_recipient(text: str) -> str:
    """Return a recipient that this version can encrypt to.

    Raises:
        InvalidError: ``invalid_recipient``.
        ConfigError: ``missing_extra``.
    """
    pyrage = load()
    try:
        return str(pyrage.x25519.Recipient.from_str(text[:MAX_RECIPIENT]))
    except pyrage.RecipientError:
        raise InvalidError(
            f"{cut(repr(text))} is not a recipient of age",
            code="invalid_recipient",
            hint="it begins with age1 and has 62 characters; age-keygen prints it",
        ) from None


def identities(data: bytes) -> tuple[str, ...]:
    """Return the identities in a file as age-keygen writes it: one a line, and comments.

    Raises:
        InvalidError: ``invalid_identity``: none, or something else is in it.
        ConfigError: ``missing_extra``.
    """
    pyrage = load()
    hint = "age-keygen writes such a file; identities of plugins and of ssh cannot be used"
    if data.startswith((FIRST_LINE, b"-----BEGIN AGE")):
        raise InvalidError(
            "the identity file is encrypted itself",
            code="invalid_identity",
            hint="age -d opens it into a pipe: --identity -",
        )
    if len(data) > MAX_IDENTITIES:
        raise InvalidError("the identity file is too large", code="invalid_identity", hint=hint)
    found: list[str] = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            pyrage.x25519.Identity.from_str(text)
        except pyrage.IdentityError:  # without what stands there: it may be a secret
            raise InvalidError(
                f"line {number} of the identity file is not an identity of age",
                code="invalid_identity",
                hint=hint,
            ) from None
        found.append(text)
    if not found:
        raise InvalidError("the identity file is empty", code="invalid_identity", hint=hint)
    return tuple(dict.fromkeys(found))


def seal(data: bytes, recipient: str) -> bytes:
    """Return bytes encrypted to a recipient.

    Raises:
        InvalidError: ``invalid_recipient``.
        ConfigError: ``missing_extra``.
    """
    pyrage = load()
    known = pyrage.x25519.Recipient.from_str(check_recipient(recipient))
    sealed: bytes = pyrage.encrypt(data, [known])
    return sealed


def seal_stream(plain: Any, out: Any, recipient: str) -> None:
    """Encrypt what a file has to a recipient, into another file.

    Raises:
        InvalidError: ``invalid_recipient``.
        ConfigError: ``missing_extra``; ``cannot_write``: one of the files failed.
        OSError: One of them failed.
    """
    pyrage = load()
    known = pyrage.x25519.Recipient.from_str(check_recipient(recipient))
    try:
        pyrage.encrypt_io(plain, out, [known])
    except pyrage.EncryptError as error:  # which has swallowed the fault of a file
        raise ConfigError(f"cannot encrypt: {error}", code="cannot_write") from None


def open_stream(data: Any, out: Any, secrets: Iterable[str]) -> None:
    """Write what was encrypted into another file.

    Raises:
        LockedError, InvalidError, ConfigError: As `open_sealed`; of an altered file a part is
            written before that is seen.
        OSError: From either file.
    """
    with _opening(secrets) as (pyrage, known):
        try:
            pyrage.decrypt_io(data, out, known)
        except OSError as error:
            if error.errno is None:  # not a fault of a file
                raise _damaged(error) from None
            raise


def open_sealed(data: bytes, secrets: Iterable[str]) -> bytes:
    """Return what was encrypted.

    Args:
        data: The whole file.
        secrets: Identities, of which one has to fit.

    Raises:
        LockedError: ``no_grant``: none fits.
        InvalidError: ``damaged_content``: it is not a file of age, or was altered.
        ConfigError: ``missing_extra``.
    """
    with _opening(secrets) as (pyrage, known):
        opened: bytes = pyrage.decrypt(data, known)
    return opened


@contextmanager
def _opening(secrets: Iterable[str]) -> Iterator[tuple[Any, list[Any]]]:
    """Yield pyrage and identities, and raise what pyrage raises as errors of ours."""
    pyrage = load()
    try:
        known = [pyrage.x25519.Identity.from_str(secret) for secret in secrets]
    except pyrage.IdentityError:
        raise InvalidError("an identity of age is malformed", code="damaged_content") from None
    try:
        yield pyrage, known
    except pyrage.DecryptError as error:
        if str(error) == _NO_MATCH:
            raise LockedError("no key here opens it", code="no_grant") from None
        raise _damaged(error) from None


def _damaged(error: Exception) -> InvalidError:
    return InvalidError(f"cannot open what is encrypted: {error}", code="damaged_content")


_NO_MATCH = "No matching keys found"
"""What pyrage says where each key is a wrong one."""
