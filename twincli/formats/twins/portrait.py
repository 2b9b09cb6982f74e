"""A twin as the writers of foreign formats see it, and what they could not carry over."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from twincli.model.text import one_line
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twincli.model.template import Field

MAX_NESTING: Final = 32
"""Objects deeper than this are written as JSON texts."""
MAX_PATH: Final = 256
"""Characters of a path that is written again for each member below it."""

CREATED = "created"
TRANSFERRED = "transferred"
BURNED = "burned"
STAGE = "stage"
STATE = "state"
EVENT = "event"
MAINTENANCE = "maintenance"


class Happening(NamedTuple):
    """Something that happened to a twin, signed by who may say so.

    Attributes:
        kind: One of the kinds above.
        at: When it happened: RFC 3339, UTC, milliseconds.
        what: Name of the stage, state or type of event; empty where there is none.
        location: Where, in words; None: nothing is said.
        transaction: Its id.
        signers: DIDs.
        owners_before: DIDs of the owners until then, of a transfer.
        owners: DIDs of the owners since then, of a creation or a transfer.
    """

    kind: str
    at: str
    what: str
    location: str | None
    transaction: str
    signers: tuple[str, ...]
    owners_before: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


class Part(NamedTuple):
    """A part of a twin.

    Attributes:
        did: Of the part.
        at: When it became one, as ``Happening.at``.
        transaction: What says so.
        present: Whether it still is one.
    """

    did: str
    at: str
    transaction: str
    present: bool


class Portrait(NamedTuple):
    """A twin.

    Attributes:
        did: Of the twin.
        id: 64 hex digits.
        name: What it is called.
        kind: Type of thing, such as ``vehicle``; None: nothing is said.
        template: Id of its template, or None.
        facts: What was stated when it was created.
        state: What changes, with the latest readings of its streams.
        declared: Fields of the template by name.
        streams: Names of the members of ``state`` that come from streams.
        events: Types of events that the template names.
        owners: DIDs.
        created: When, as ``Happening.at``.
        changed: When the newest transaction was made.
        parts: What is or was a part of it, in order.
        happenings: In the order in which they happened.
        untold: What else there is of it that no format has a place for, by what it is called.
    """

    did: str
    id: str
    name: str
    kind: str | None
    template: str | None
    facts: dict[str, Any]
    state: dict[str, Any]
    declared: Mapping[str, Field]
    streams: frozenset[str]
    events: tuple[str, ...]
    owners: tuple[str, ...]
    created: str
    changed: str
    parts: tuple[Part, ...]
    happenings: tuple[Happening, ...]
    untold: tuple[tuple[str, str], ...] = ()

    def present_parts(self) -> list[str]:
        """Return the DIDs of its parts now."""
        return [part.did for part in self.parts if part.present]

    def members(self) -> Iterator[tuple[str, Any, Field | None, bool]]:
        """Yield all there is to describe: name, value, field of the template, whether it changes.

        A declared field without a value has None.
        """
        for name, value in self.facts.items():
            yield name, value, self.declared.get(name), False
        for name, value in self.state.items():
            if name not in self.facts:
                yield name, value, self.declared.get(name), True
        for name, field in self.declared.items():
            if name not in self.facts and name not in self.state:
                yield name, None, field, True


class Loss(NamedTuple):
    """Something of a twin that the format has no place for.

    Attributes:
        path: Of the twin, dotted.
        why: Why it is left out or written otherwise.
    """

    path: str
    why: str


class Written(NamedTuple):
    """A twin in a foreign format.

    Attributes:
        document: JSON.
        losses: What was not carried over.
    """

    document: Any
    losses: tuple[Loss, ...]


def urn(kind: str, what: str) -> str:
    """Return a URN for a word of a user, such as the name of a stage or a place."""
    return f"urn:x-twincli:{kind}:{quote(what, safe='')}"


_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Words:
    """Names that a format allows, for names that users gave; each is given out once."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._used: set[str] = set()
        self._next: dict[str, int] = {}

    def name(self, wanted: str) -> str:
        """Return the wanted name, or the nearest one that begins with a letter and is free."""
        word = re.sub(r"[^A-Za-z0-9_]+", "_", wanted).strip("_")[: self._longest] or "member"
        if not _WORD.match(word):
            word = f"m_{word}"[: self._longest]
        word = word.rstrip("_")
        # Where many become one word, each goes on counting where the last one ended.
        found, number = word, self._next.get(word.casefold(), 2)
        while found.casefold() in self._used:
            tail = f"_{number}"
            found, number = word[: self._longest - len(tail)] + tail, number + 1
        self._used.add(found.casefold())
        self._next[word.casefold()] = number
        return found


def line(text: str, longest: int) -> str:
    """Return a text as one printable line of bounded length."""
    return one_line(text)[:longest]
