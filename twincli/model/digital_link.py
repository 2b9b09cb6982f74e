"""GS1 Digital Link: the address of one thing, by the number of its kind and its serial number.

Source: GS1 Digital Link Standard, URI Syntax 1.4; GS1 General Specifications, section 7.9 (check
digits) and figure 7.11-1 (the letters of a serial number).
"""

from __future__ import annotations

from twincli.errors import UsageError

RESOLVER = "https://id.gs1.org"
"""GS1's own; others resolve the same paths."""

_LENGTHS = (8, 12, 13, 14)
_LONGEST_SERIAL = 20
_MOST = 200
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SERIAL = _PLAIN - {"~"} | frozenset("!\"%&'()*+,/:;<=>?")


def gtin_14(text: str) -> str | None:
    """Return a GTIN in its form of 14 digits; None: it is not one, or its check digit is wrong."""
    if len(text) not in _LENGTHS or not text.isascii() or not text.isdigit():
        return None
    digits = text.zfill(14)
    weighted = sum(int(digit) * (1 if at % 2 else 3) for at, digit in enumerate(digits))
    return None if weighted % 10 or not digits.strip("0") else digits


def is_serial(text: str) -> bool:
    """Say whether GS1 allows a serial number: up to 20 of its 82 letters."""
    return 0 < len(text) <= _LONGEST_SERIAL and _SERIAL.issuperset(text)


def link(gtin: str, serial: str | None, resolver: str = RESOLVER) -> str:
    """Return the Digital Link of a thing.

    Args:
        gtin: 14 digits.
        serial: Its serial number, where it has one that GS1 allows.
        resolver: Where the link leads.
    """
    path = f"{resolver.rstrip('/')}/01/{gtin}"
    return path if serial is None else f"{path}/21/{_quoted(serial)}"


def _quoted(text: str) -> str:
    return "".join(letter if letter in _PLAIN else f"%{ord(letter):02X}" for letter in text)


def check_resolver(text: str) -> str:
    """Return the address of a resolver.

    Raises:
        UsageError: It is not a plain web address.
    """
    host = text.partition("://")[2].partition("/")[0]
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(" ?#\"'<>\\")
    if (
        not text.startswith(("https://", "http://"))
        or not host
        or not is_plain
        or len(text) > _MOST
    ):
        raise UsageError(
            f"{text[:_MOST]!r} is not the address of a resolver",
            hint=f"such as {RESOLVER}, or your own: https://id.example.com",
        )
    return text
