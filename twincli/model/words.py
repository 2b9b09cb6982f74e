"""The words of a text as searches see them: one form for what is stored and what is asked.

Case is folded as Unicode says in full (``STRASSE`` is ``Straße``), compatibility forms become what
they stand for, accents do not count, digits of every script are the same digits. What is written
without spaces (Chinese, Japanese, Thai and others, and Korean with its endings) is kept letter by
letter: a run of letters is then a phrase, so any part of it is found.
"""

from __future__ import annotations

import re
import unicodedata

from twincli.values import Any

# Patterns are text: re compiles and keeps them when they are first used, not at start-up.
# The letters that stand alone, with the marks that follow each of them.
_ALONE = (
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u312f"
    "\u3131-\u31ff\u3400-\u9fff\ua960-\ua97f\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff"
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff][^\\w\\s]*"
)
# What decomposing took apart and is one letter to its readers. Pair by pair, because normalising
# a whole text takes the square of its marks.
_APART = "[\u3041-\u30ff][\u3099\u309a]|[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?"
_INVISIBLE = "[\u115f\u1160\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
_KEPT_AT_MOST = 20_000


class _Forms(dict[int, str]):
    """The form of each character, worked out when it is met first."""

    def __missing__(self, code: int) -> str:
        form = _form(chr(code))
        if len(self) < _KEPT_AT_MOST:
            self[code] = form
        return form


def _form(character: str) -> str:
    if character.isascii():
        return _part(character).lower()
    if re.match(_INVISIBLE, character):
        return ""
    decomposed = unicodedata.normalize("NFKD", character).casefold()
    # Folding may give what can be decomposed once more, and the other way round.
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", decomposed).casefold())
    return "".join(map(_part, parts))


def _part(character: str) -> str:
    if character.isascii():
        return character if character.isalnum() else " "
    kind = unicodedata.category(character)
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    if kind[0] == "M":
        return "" if _is_accent(character) else character
    if kind == "Cf":  # a soft hyphen, a joiner, a direction
        return ""
    return character if kind[0] in "LN" or kind == "Co" else " "


def _is_accent(mark: str) -> bool:
    """Say whether a mark may be left out; the vowels of Indian and Thai scripts may not."""
    place = unicodedata.combining(mark)
    return place == 1 or 10 <= place <= 36 or place >= 200


_FORMS = _Forms()


def fold(text: str) -> str:
    """Return a text in the form that the index keeps: parts of words, and blanks."""
    folded = text.translate(_FORMS)
    if text.isascii():
        return folded
    folded = re.sub(_APART, lambda pair: unicodedata.normalize("NFC", pair[0]), folded)
    return re.sub(_ALONE, r" \g<0> ", folded)


def is_empty(text: str) -> bool:
    """Say whether nothing of a text can be found."""
    return not fold(text).strip()


def count_letters(text: str) -> int:
    """Return how many letters and marks a text is made of; as many once it is folded."""
    return len(text.translate(_FORMS).replace(" ", ""))


def values(document: Any) -> tuple[list[str], list[str]]:
    """Return the texts and the numbers in a document as the index keeps them, without its keys."""
    texts: list[str] = []
    numbers: list[str] = []
    stack = [document]
    while stack:
        item = stack.pop()
        kind = type(item)  # as JSON gives them: one comparison each
        if kind is str:
            texts.append(fold(item))
        elif kind is dict:
            stack += reversed(item.values())
        elif kind is list:
            stack += reversed(item)
        elif kind is int or kind is float:
            numbers.append(repr(item))
    return texts, numbers
