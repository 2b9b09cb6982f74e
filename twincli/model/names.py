"""Names that people give to keys, twins and others on their own machine."""

from __future__ import annotations

from twincli.crypto import base58
from twincli.errors import InvalidError
from twincli.model import ids
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH = 64
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_CHARACTERS = _LETTERS | frozenset("._-")
# Letters to Unicode, and nothing to the eye.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")
# Scripts that share shapes with each other, as the names of their letters begin.
_ALIKE = frozenset(["LATIN", "GREEK", "CYRILLIC", "COPTIC", "ARMENIAN", "CHEROKEE", "LISU"])
_WINDOWS = frozenset(
    ["con", "prn", "aux", "nul"] + [f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)]
)
FILE_ENDINGS = (
    *(".twin", ".json", ".jsonl", ".csv", ".tx", ".car", ".yaml", ".yml", ".db", ".parquet"),
    *(".gpx", ".nmea", ".xlsx", ".ods", ".tlog-proof"),
)
"""An argument with one of these endings is a file, by the grammar of the command line."""


def check(name: str, kind: str = "key") -> str:
    """Return ``name`` if it may be given, in the one form in which it is kept (NFC).

    Letters and digits, ``.``, ``_`` and ``-``, at most 64 of them, the first a letter or a digit;
    nothing that reads as a public key, an id, the beginning of an id, or a file. So a name always
    means itself in an owner expression.

    Args:
        name: The name to check.
        kind: ``key``: the name is a file's as well, so letters and digits are those of ASCII and
            what Windows reserves is refused. Otherwise (``asset``, ``party``) any alphabet.

    Raises:
        InvalidError: ``invalid_name``, saying why.
    """
    if not name:
        raise _bad(name, "it is empty")
    name = _composed(name)
    if len(name) > MAX_LENGTH:
        raise _bad(name[:MAX_LENGTH] + "...", f"it is longer than {MAX_LENGTH} characters")
    is_key = kind == "key"
    for character in name:
        if character not in _CHARACTERS and (
            is_key or not character.isalnum() or character in _BLANK_LETTERS
        ):
            raise _bad(name, f"the character {character!r} is not allowed")
    if name[0] in "._-":
        raise _bad(name, "it does not start with a letter or a digit")
    folded = fold(name)
    if is_key and (folded.split(".")[0] in _WINDOWS or name.endswith(".")):
        raise _bad(name, "Windows does not allow a file of that name")
    if folded.endswith(FILE_ENDINGS):
        raise _bad(name, f"it reads as a file because it ends in .{folded.rsplit('.')[-1]}")
    if _is_key(name):
        raise _bad(name, "it reads as a public key")
    if ids.is_prefix(name):
        beginning = "" if len(name) == MAX_LENGTH else "the beginning of "
        raise _bad(name, f"it reads as {beginning}a transaction id")
    return name


def is_valid(name: str, kind: str = "key") -> bool:
    """Return whether a name may be given; see ``check``."""
    try:
        check(name, kind)
    except InvalidError:
        return False
    return True


def fold(name: str) -> str:
    """Return the form in which equal names are equal: case does not distinguish them."""
    return name.lower() if name.isascii() else _composed(_composed(name).casefold())


def near(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a wrong one most likely meant, as it is written, or None."""
    from difflib import get_close_matches

    by_fold = {fold(item): item for item in known}
    found = get_close_matches(fold(name), by_fold, n=1)
    return by_fold[found[0]] if found else None


def disguise(name: str) -> str | None:
    """Return why a name may be mistaken for another by its looks, or None.

    It looks for letters of several scripts that share shapes, and for variants of characters, such
    as wide ones. A name in one other script passes: its looks depend on the font.
    """
    if name.isascii():
        return None
    import unicodedata

    scripts = {
        unicodedata.name(letter, "").partition(" ")[0] for letter in name if letter.isalpha()
    }
    mixed = sorted(scripts & _ALIKE)
    if len(mixed) > 1:
        return f"it mixes {' and '.join(map(str.title, mixed))} letters: {name!a}"
    plain = unicodedata.normalize("NFKC", name)
    if plain != name:
        return f"it looks like {plain} and is {name!a}"
    return None


def _composed(name: str) -> str:
    if name.isascii():
        return name
    from unicodedata import normalize  # loaded only when needed

    return normalize("NFC", name)


def _is_key(name: str) -> bool:
    # 32 bytes are 32 to 44 characters of base58
    return 32 <= len(name) <= 44 and set(name) <= base58.ALPHABET and len(base58.decode(name)) == 32


def _bad(name: str, why: str) -> InvalidError:
    return InvalidError(
        f"{name!r} cannot be a name: {why}",
        code="invalid_name",
        hint="use letters, digits, '.', '_' and '-', as in car-7",
    )
