"""Keys that live elsewhere: a chip signs, or a program does, and neither is trusted.

A provider's module finds the key that a file's ``settings`` describe and returns a ``Source``.
Every signature is verified with the public key of the file before anybody gets it, so a chip that
was swapped or a program that lies ends in an error and never in a transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import base58, ed25519
from twincli.errors import ConfigError, InvalidError

if TYPE_CHECKING:
    from twincli.keystore.keyfile import KeyInfo, SecretSource
    from twincli.keystore.providers.source import Environment, Source


class ExternalSigner:
    """Signs with a key that lives elsewhere; a wrong signature does not leave it.

    Attributes:
        info: The public part of the key's file.
    """

    __slots__ = ("_public", "_source", "info")

    def __init__(self, info: KeyInfo, source: Source) -> None:
        self.info = info
        self._public = base58.decode_key(info.public_key)
        self._source = source

    @property
    def public_key(self) -> str:
        """The public key, base58."""
        return self.info.public_key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message``.

        Raises:
            InvalidError: ``wrong_signature``: the signature is not by this key.
            TwinError: What the provider raises.
        """
        signature = self._source.sign(message)
        if not ed25519.verify(self._public, message, signature):
            raise InvalidError(
                f"the signature made for the key {self.info.name} does not match its public key"
                f" {self.info.public_key}; it was not used",
                code="wrong_signature",
                hint="is this the chip or program the key was made with?"
                f" twin keys show {self.info.name}",
            )
        return signature

    def close(self) -> None:
        """Release the chip."""
        self._source.close()


def open_signer(
    info: KeyInfo, secret_source: SecretSource | None, environment: Environment
) -> ExternalSigner:
    """Return what signs with a key that lives elsewhere.

    Args:
        info: Its public part.
        secret_source: Asked for the PIN if there is one.
        environment: Gives the variables that a program gets.

    Raises:
        ConfigError: ``bad_settings``, ``missing_extra``; what the provider raises.
        LockedError: ``locked``, ``bad_passphrase``, ``pin_locked``, ``pin_last_try``.
        NotFoundError: ``no_token``, ``no_key_there``.
    """
    settings = info.settings or {}
    source: Source
    if info.provider == "pkcs11":
        source = pkcs11().open_key(info.name, settings, secret_source)
    else:
        from twincli.keystore.providers import command

        source = command.Program.of(info.name, settings, environment, info.public_key)
    return ExternalSigner(info, source)


def look(info: KeyInfo) -> str:
    """Check that what holds a key is there, without a PIN and without signing.

    Returns:
        Where the key is, for people.

    Raises:
        TwinError: It is not there; as ``open_signer``.
    """
    settings = info.settings or {}
    if info.provider == "pkcs11":
        return f"in the token {pkcs11().look(info.name, settings)}"
    from twincli.keystore.providers import command

    return f"behind the program {command.look(info.name, settings)}"


def pkcs11() -> Any:
    """Return the module for chips.

    Raises:
        ConfigError: ``missing_extra``.
    """
    try:
        from twincli.keystore.providers import pkcs11 as chips
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {"pkcs11", "asn1crypto"}:
            raise
        raise ConfigError(
            "keys in a chip need the package python-pkcs11, which is not installed",
            code="missing_extra",
            hint='pip install "twincli[pkcs11]"',
        ) from error
    return chips
