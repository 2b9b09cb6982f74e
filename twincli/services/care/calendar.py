"""What is due as a calendar that other programs show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto.digests import sha256
from twincli.formats import ical
from twincli.model import due

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.services.documents import DueItem, Maintained

_UNDATED = (due.OVERDUE, due.DUE)


def calendar(document: Maintained, ledger_id: str) -> bytes:
    """Return what is due as a calendar; what is due by use alone stands on the day it is asked.

    What lies ahead by use alone has no day, and a warranty that is over needs none.
    """
    return ical.calendar("Maintenance", _events(document, ledger_id))


def _events(document: Maintained, ledger_id: str) -> Iterator[ical.Event]:
    today = document["as_of"][:10]
    for item in document["due"]:
        when = item["due"]
        if when is None or (item["usage"] and item["standing"] == due.OVERDUE):
            if item["standing"] not in _UNDATED:
                continue
            when = today if when is None else min(when, today)
        if item["standing"] == due.EXPIRED:
            continue
        yield ical.Event(
            _uid(item, ledger_id),
            item["since"] or document["as_of"],
            when,
            f"{item['asset_name'] or item['asset_id'][:10]}: {_what(item)}",
            _details(item),
            (item["reason"],),
        )


def _uid(item: DueItem, ledger_id: str) -> str:
    """Name an entry: the next work of a schedule takes the place of the last."""
    parts = [item["asset_id"], item["reason"], item["name"]]
    if item["reason"] in {due.NEXT, due.FILE, due.CERTIFICATE}:
        parts.append(item["transaction_id"] or "")
    # Each with its length, so that no two lists read the same.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    digest = sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{digest[:32]}@{ledger_id[:16]}.twincli"


def _what(item: DueItem) -> str:
    ends = {due.WARRANTY: "warranty ends", due.CERTIFICATE: "certificate ends"}
    if item["reason"] == due.FILE:
        return f"{item['name']} ends"
    if item["reason"] in ends:
        return f"{ends[item['reason']]} ({item['name']})"
    return item["name"]


def _details(item: DueItem) -> str:
    lines = []
    if item["every"] is not None:
        lines.append(item["every"])
    for usage in item["usage"]:
        read = "nothing is read yet" if usage["reading"] is None else f"now {usage['reading']:g}"
        lines.append(f"due at {usage['due']:g} {usage['counter']}, {read}")
    if item["last"] is not None:
        lines.append(f"last done {item['last']}")
    lines.append(f"twin {item['asset_id']}")
    return "\n".join(lines)
