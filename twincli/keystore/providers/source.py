"""The interface of a key provider, and helpers for its settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from twincli.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Environment = Callable[[], Mapping[str, str]]


_PROOF = b"twincli: a key that shall be used shows that it signs\n"


class Source(Protocol):
    """A maker of unverified signatures: a key in a chip, or a program."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message``."""

    def close(self) -> None:
        """Release what was opened; a chip is logged out when its last key is closed."""


def proof_message() -> bytes:
    """Return a message to sign that cannot occur in a transaction or any other use."""
    return _PROOF + os.urandom(32)


def text_of(name: str, settings: Mapping[str, Any], field: str) -> str | None:
    """Return a text from a key's settings, None if missing.

    Raises:
        ConfigError: ``bad_settings``: it is something else.
    """
    value = settings.get(field)
    if value is not None and not isinstance(value, str):
        raise bad_settings(name, f"{field} is not text")
    return value


def bad_settings(name: str, why: str) -> ConfigError:
    """Return the error of a key file whose settings cannot be used."""
    return ConfigError(
        f"the settings of the key {name} cannot be used: {why}",
        code="bad_settings",
        hint=f"twin keys show {name}; make it again after twin keys remove {name}",
    )
