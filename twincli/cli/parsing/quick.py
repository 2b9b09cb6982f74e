"""Plain command lines of ``twin query``, read without Typer, which takes as long as the answer.

Only what is exactly right is read here: known long options, each once and with its value in a word
of its own. Everything else is left to Typer: help, short forms, and every mistake.
"""

from __future__ import annotations

from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXTS = {
    "agg": "aggregates",
    "by": "by",
    "every": "every",
    "fields": "fields",
    "fill": "fill",
    "format": "form",
    "origin": "origin",
    "output": "out",
    "since": "since",
    "sql": "sql",
    "tz": "zone",
    "until": "until",
    "where": "where",
}
"""Options with a text, and what they are called in the program."""
NUMBERS = ("limit", "points")
FLAGS = ("reverse", "suspect", "gzip")
SHARED_FLAGS = ("json", "jsonl", "quiet")
HOME = "home"


class Line(NamedTuple):
    """A command line.

    Attributes:
        name: The twin.
        values: The options, by their names in the program; absent ones are absent.
        shared: The shared options.
    """

    name: str
    values: dict[str, Any]
    shared: dict[str, Any]


def read(words: Sequence[str]) -> Line | None:
    """Return what the words after ``query`` say, None where Typer has to look at them."""
    name = None
    values: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        option = "output" if word == "-o" else word[2:] if word.startswith("--") else None
        if option is None:
            if name is not None or not _is_plain(word):
                return None
            name = word
            continue
        into = shared if option in SHARED_FLAGS or option == HOME else values
        if option in FLAGS or option in SHARED_FLAGS:
            if option in into:
                return None
            into[option] = True
            continue
        value = next(rest, "")
        if not _is_plain(value):
            return None
        if option == "stream":
            values.setdefault("stream", []).append(value)
            continue
        key = TEXTS.get(option, option)
        if key in into or not (option in TEXTS or option == HOME or option in NUMBERS):
            return None
        if option in NUMBERS:
            if not (value.isascii() and value.isdigit() and len(value) <= 9):
                return None
            into[key] = int(value)
        else:
            into[key] = value
    return None if name is None else Line(name, values, shared)


def _is_plain(word: str) -> bool:
    """Say whether a word is neither empty, an option, nor something else than text."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return word != "" and not word.startswith("-")
