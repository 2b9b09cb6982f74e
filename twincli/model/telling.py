"""What records say, in a line for people: of histories, timelines and pages.

Everything may be a stranger's: texts are cut, and whoever shows the line makes it safe to show.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twincli.errors import cut
from twincli.model import bodies

if TYPE_CHECKING:
    from collections.abc import Callable

_MEMBERS = 6
"""Values of the data of a record that a line shows."""


def in_words(kind: str, body: Any) -> str:
    """Return what a record says, in a line; empty of kinds that are not told in words.

    Args:
        kind: Of record.
        body: What it says.
    """
    telling = _TELLING.get(kind)
    if telling is None:
        return ""
    stated = bodies.read(kind, body).stated
    found = [part for part in (*telling(stated), *_more(stated)) if part]
    return "; ".join(found) or "malformed"


def _event(stated: dict[str, Any]) -> list[str]:
    return [cut(stated.get("type", ""))]


def _state(stated: dict[str, Any]) -> list[str]:
    if not {"from", "to"} <= stated.keys():
        return []
    by = f"triggered by {cut(stated['triggered_by'])}" if "triggered_by" in stated else ""
    return [f"{cut(stated['from'])} -> {cut(stated['to'])}", cut(stated.get("reason", "")), by]


def _stage(stated: dict[str, Any]) -> list[str]:
    where = f" in {cut(stated['location'])}" if "location" in stated else ""
    left = stated.get("skipped", ())
    skipped = f"skipped {', '.join(map(cut, left[:_MEMBERS]))}" if left else ""
    return [f"{cut(stated['stage'])}{where}" if "stage" in stated else "", skipped]


def _maintenance(stated: dict[str, Any]) -> list[str]:
    who = f" by {cut(stated['technician'])}" if "technician" in stated else ""
    total = " ".join(stated[name] for name in ("total", "currency") if name in stated)
    return [
        f"{cut(stated['type'])}{who}" if "type" in stated else "",
        ", ".join(map(cut, stated.get("work", ())[:_MEMBERS])),
        total if "total" in stated else "",
        f"next {stated['next']}" if "next" in stated else "",
    ]


_TELLING: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    bodies.EVENT: _event,
    bodies.STATE: _state,
    bodies.STAGE: _stage,
    bodies.MAINTENANCE: _maintenance,
}


def _more(stated: dict[str, Any]) -> list[str]:
    """Return the data and files of a record, each in short."""
    data = list(stated.get("data", {}).items())
    told = [f"{cut(name)} {cut(_text(value))}" for name, value in data[:_MEMBERS]]
    if len(data) > _MEMBERS:
        told.append("...")
    files = [cut(each["name"]) for each in stated.get("attachments", ())[:_MEMBERS]]
    return [", ".join(told), f"with {', '.join(files)}" if files else ""]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
