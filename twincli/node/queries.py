"""The query string, read as BigchainDB 2.2.2 reads it.

Each parameter is converted in the order of the table; the first fault is the answer. Given several
times, all values must be good and the first one counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from twincli.node.answers import RefusedError, bad, bare
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_FIELDS = 100
MAX_NUMBER = 2**63 - 1
DIGITS = 1000
"""Longer ones are refused here; Python's own refusal advises programmers."""

_HASH = re.compile(r"[a-fA-F0-9]{64}")
_KEY = re.compile(r"[1-9a-zA-Z^OIl]{43,44}")


class Parameter(NamedTuple):
    """One parameter of a route.

    Attributes:
        name: In the query string.
        convert: Converts the text; raises ``ValueError`` with the reason.
        required: Whether it must be given.
    """

    name: str
    convert: Callable[[str], Any] = str
    required: bool = False


def parse(query: bytes, parameters: Sequence[Parameter], *, strict: bool = False) -> dict[str, Any]:
    """Return the values of the parameters, None for missing ones.

    Args:
        query: What follows the ``?``.
        parameters: Those of the route.
        strict: Refuse others.

    Raises:
        RefusedError: 400.
    """
    given: dict[str, list[str]] = {}
    if query:
        try:
            pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=100)
        except ValueError:
            raise RefusedError(bare(f"more than {MAX_FIELDS} arguments")) from None
        for name, text in pairs:
            given.setdefault(name, []).append(text)
    values: dict[str, Any] = {}
    for name, convert, required in parameters:
        texts = given.pop(name, None)
        if texts is None:
            if required:
                raise bad(
                    name,
                    "Missing required parameter in the JSON body or the post body or the query"
                    " string",
                )
            values[name] = None
            continue
        try:
            values[name], *_ = [convert(text) for text in texts]
        except ValueError as error:
            raise bad(name, str(error)) from None
    if strict and given:
        raise RefusedError(bare(f"Unknown arguments: {', '.join(given)}"))
    return values


def transaction_id(text: str) -> str:
    """Return a hash in lower case."""
    if not _HASH.fullmatch(text):
        raise ValueError("Invalid hash")
    return text.lower()


def public_key(text: str) -> str:
    """Return a text that has the form of a public key."""
    if not _KEY.fullmatch(text):
        raise ValueError("Invalid base58 ed25519 key")
    return text


def boolean(text: str) -> bool:
    """Return a boolean, written in any case, though the message says otherwise."""
    if text.lower() not in {"true", "false"}:
        raise ValueError('Boolean value must be "true" or "false" (lowercase)')
    return text.lower() == "true"


def operation(text: str) -> str:
    """Return the operation in upper case."""
    if text.upper() not in {"CREATE", "TRANSFER"}:
        raise ValueError('Operation must be "CREATE" or "TRANSFER"')
    return text.upper()


def mode(text: str) -> str:
    """Return the mode of a POST: what it waits for."""
    if text not in {"async", "sync", "commit"}:
        raise ValueError('Mode must be "async", "sync" or "commit"')
    return text


def count(text: str) -> int:
    """Return a limit; a negative one, which MongoDB takes for something else, is refused."""
    if len(text) > DIGITS:
        raise ValueError(f"invalid literal for int() with base 10: '{text[:DIGITS]}...'")
    number = int(text)
    if number < 0:
        raise ValueError("limit must be 0 (all) or more")
    return min(number, MAX_NUMBER)


def height(text: str) -> int:
    """Return the height of a block."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("the height of a block is a whole number from 0")
    return min(int(text.lstrip("0")[:20] or "0"), MAX_NUMBER)
