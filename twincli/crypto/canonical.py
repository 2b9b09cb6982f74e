r"""BigchainDB's canonical JSON and its digest.

The reference is ``rapidjson.dumps(value, ensure_ascii=False, sort_keys=True)`` in UTF-8: no
blanks, keys in code point order, non-ASCII written raw, control characters without a short
escape as upper-case ``\u00XX``, floats as Python's ``repr``, integers of any size.

Source: bigchaindb 2.2.2 ``common/utils.py`` and ``common/crypto.py``, measured.
"""

from __future__ import annotations

import json
from math import isfinite

from twincli.crypto.digests import sha3_256
from twincli.errors import InvalidError, cut, place, shown
from twincli.values import Any, NoReturn

_encode_text = json.JSONEncoder(
    ensure_ascii=False,
    sort_keys=True,
    separators=(",", ":"),
    check_circular=False,
    allow_nan=False,
).encode

# The escapes of control characters whose number has a letter.
_LOWER_ESCAPES = tuple(f"\\u{code:04x}" for code in range(0x20) if code % 16 > 9)


def encode(value: Any) -> bytes:
    """Return the canonical form of a JSON value.

    Args:
        value: Nested dict, list, str, int, float, bool, None.

    Raises:
        InvalidError: ``unencodable``: a number that is not finite, a lone surrogate, a key that is
            not text, a type JSON does not have, or nesting too deep for Python.
    """
    try:
        data = text_of(value).encode()
        keys_are_text = b":" not in data or _keys_are_text(value)
    except UnicodeEncodeError as error:
        raise _unencodable(value) from error
    except RecursionError as error:  # the encoder is compiled and goes deeper than Python
        raise _too_deep() from error
    if not keys_are_text:
        raise _unencodable(value)
    return data


def text_of(value: Any) -> str:
    """Return the canonical form as text, for a value whose keys are known to be text.

    Lone surrogates are still in it; they show when it is encoded.

    Raises:
        InvalidError: ``unencodable``.
    """
    try:
        text = _encode_text(value)
    except (ValueError, TypeError) as error:  # ValueError: NaN and infinities
        raise _unencodable(value) from error
    except RecursionError as error:
        raise _too_deep() from error
    return _with_upper_case(text) if "\\u00" in text else text


def _with_upper_case(text: str) -> str:
    # An escaped backslash before "u00" is not an escape. NUL, which JSON never has raw, replaces
    # such pairs for a moment; a pattern would call Python for each of them.
    text = text.replace("\\\\", "\0")
    for escape in _LOWER_ESCAPES:
        text = text.replace(escape, "\\u" + escape[2:].upper())
    return text.replace("\0", "\\\\")


def sha3_hex(data: bytes) -> str:
    """Return the SHA3-256 of ``data`` in lower-case hex, 64 digits."""
    return sha3_256(data).hexdigest()


def _keys_are_text(value: Any) -> bool:
    """Say whether every key is text: json would write ``{True: 1}`` as ``{"true": 1}``."""
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str and not isinstance(key, str):
                return False
            if type(item) not in _SCALARS and not _keys_are_text(item):
                return False
    elif isinstance(value, (list, tuple)):
        for item in value:
            if type(item) not in _SCALARS and not _keys_are_text(item):
                return False
    return True


_SCALARS = frozenset({str, int, float, bool, type(None)})


def _unencodable(value: Any) -> InvalidError:
    """Find the first part of ``value`` that cannot be encoded and name its path."""
    path: list[str | int] = []
    try:
        what = _first_fault(value, path)
    except RecursionError:
        return _too_deep()
    where = place(path[::-1]) or "the document"
    # A value without a fault of its own has a number of more digits than Python writes.
    return InvalidError(f"{where}: {what or 'cannot be written as JSON'}", code="unencodable")


def _too_deep() -> InvalidError:
    return InvalidError("the document is nested too deeply", code="unencodable")


def _first_fault(value: Any, path: list[str | int]) -> str | None:
    """Return what is wrong with the first faulty part, and add its path, the last name first."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"the key {shown(key)} is not text"
            if not _is_unicode(key):
                return "a key contains half of a surrogate pair"
            found = _first_fault(item, path)
            if found:
                path.append(key)
                return found
        return None
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            found = _first_fault(item, path)
            if found:
                path.append(index)
                return found
        return None
    if isinstance(value, float) and not isfinite(value):
        return f"{value!r} is not a JSON number"
    if isinstance(value, str) and not _is_unicode(value):
        return "the text contains half of a surrogate pair"
    if not isinstance(value, (str, int, float, bool, type(None))):
        return f"a {type(value).__name__} is not a JSON value"
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def decode(data: str | bytes, *, what: str = "the document") -> Any:
    """Parse JSON that is going to be hashed or signed.

    Unlike ``json.loads`` it refuses ``NaN``, infinities, numbers too large for a double, lone
    surrogates and an object that names a key twice.

    Args:
        data: Text, or UTF-8 bytes.
        what: Name of the document, for the error.

    Raises:
        InvalidError: ``invalid_json``, with line and column where the parser knows them.
    """
    try:
        text = data.decode() if isinstance(data, (bytes, bytearray)) else data
        if text.startswith("\ufeff"):
            raise _RefusedError("it starts with a byte order mark; save it as UTF-8 without one")
        value = _strict.decode(text)
        if "\\u" in text:  # only an escape can have put half of a surrogate pair there
            encode(value)
    except UnicodeDecodeError as error:
        raise InvalidError(
            f"{what} is not UTF-8: byte {error.start + 1} is invalid", code="invalid_json"
        ) from error
    except json.JSONDecodeError as error:
        raise InvalidError(
            f"{what} is not JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}",
            code="invalid_json",
        ) from error
    except RecursionError as error:
        raise InvalidError(f"{what} is nested too deeply", code="invalid_json") from error
    except _RefusedError as error:
        raise InvalidError(f"{what}: {error}", code="invalid_json") from error
    except ValueError as error:  # more digits than Python converts
        raise InvalidError(f"{what}: a number is too long", code="invalid_json") from error
    return value


class _RefusedError(Exception):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:  # pragma: no branch - one of them occurs twice
            if key in seen:
                raise _RefusedError(f"the key {shown(key)} occurs twice in one object")
            seen.add(key)
    return result


def _constant(text: str) -> NoReturn:
    raise _RefusedError(f"{text} is not a JSON number")


def _float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise _RefusedError(f"{cut(text)} is too large for a double")
    return value


_strict = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)
