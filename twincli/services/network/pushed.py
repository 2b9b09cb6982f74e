"""How much was pushed where, so that ``twin status`` can report the rest without asking a node."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from twincli import files
from twincli.model import times

if TYPE_CHECKING:
    from twincli.ledger.ledger import Ledger
    from twincli.services.documents import Document


FILE = "pushed.json"
"""In the directory of the copies of networks; if it is lost, the next push writes it again."""


def note(
    directory: str,
    other: str,
    node: str,
    ledger: Ledger,
    now_ms: int,
    *,
    added: int,
    whole: int | None,
) -> None:
    """Remember how many of a ledger's transactions another one has.

    A node that serves this very ledger does not count as another one.

    Args:
        directory: See ``FILE``.
        other: Id of the other one, the same whatever URL it is reached by.
        node: What the user calls it.
        ledger: The one that was pushed from, or pulled to.
        now_ms: The current time.
        added: How many were sent or fetched.
        whole: How many there were when the push of all began; None: only some were sent.
    """
    if other == ledger.id:
        return
    marks = _load(directory)
    before = marks.get(other, {})
    count = before["transactions"] if before.get("ledger") == ledger.id else 0
    marks[other] = {
        "node": node,
        "ledger": ledger.id,
        "transactions": count + added if whole is None else whole,
        "at": times.to_text(now_ms),
    }
    files.make_directory(directory)
    files.replace(os.path.join(directory, FILE), json.dumps(marks, indent=2).encode() + b"\n")


def unpushed(directory: str, ledger: Ledger | None) -> list[Document]:
    """Return how much of a ledger was not pushed yet.

    Returns:
        ``{"node", "transactions", "pushed_at"}`` for each ledger it was ever pushed to; ``node`` is
        the name last used for it.
    """
    if ledger is None:
        return []
    total = ledger.counts()["transactions"]
    return [
        {
            "node": mark["node"],
            "transactions": max(0, total - mark["transactions"]),
            "pushed_at": mark["at"],
        }
        for mark in sorted(_load(directory).values(), key=lambda mark: str(mark["node"]))
        if mark["ledger"] == ledger.id
    ]


def unpushed_to(directory: str, ledger: Ledger, node: str, other: str | None) -> int:
    """Return how many of a ledger's transactions another one lacks, as far as is known here.

    Args:
        directory: See ``FILE``.
        ledger: The one that is pushed from.
        node: What the user calls the other one.
        other: Its id; None where it is unknown.
    """
    total: int = ledger.counts()["transactions"]
    if other == ledger.id:
        return 0
    marks = [mark for mark in _load(directory).items() if mark[1]["ledger"] == ledger.id]
    for known, mark in marks:
        if known == other or (other is None and mark["node"] == node):
            return max(0, total - int(mark["transactions"]))
    return total


def _load(directory: str) -> dict[str, Document]:
    """Return the marks; an unreadable file counts as empty and is written again."""
    try:
        with open(os.path.join(directory, FILE), "rb") as file:
            marks = json.loads(file.read())
        return {
            other: mark
            for other, mark in marks.items()
            if isinstance(mark["transactions"], int)
            and isinstance(mark["node"], str)
            and isinstance(mark["ledger"], str)
            and isinstance(mark["at"], str)
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
