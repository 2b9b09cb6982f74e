"""What was handed over with a twin, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import ExitCode
from twincli.model.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.cli.result import Result
    from twincli.services.documents import Handover, HandoverItem

_SHORT = 10


def shown(result: Result, handover: Handover, to: str) -> Result:
    """Return the result of a transfer that also says what belongs to the twin.

    Args:
        result: Of the transfer.
        handover: What happens to all that belongs to it.
        to: The new owner, as it was written.
    """
    status = ExitCode.PARTIAL if handover["remaining"] else result.exit_code
    return result._replace(notes=(*result.notes, *_rows(handover, to)), exit_code=status)


def _rows(handover: Handover, to: str) -> Iterator[str]:
    items = handover["items"]
    width = max((len(item["action"]) for item in items), default=0)
    for item in items:
        yield f"{item['action']:{width}}  {_name(item)}{_why(item)}"
    for item in items:
        if item["action"] == "remains":
            ref = item["name"] or item["id"]
            yield (
                f"{one_line(ref)} needs the signatures of others:"
                f" twin asset transfer {one_line(ref)} --to {to} --prepare FILE"
            )


def _name(item: HandoverItem) -> str:
    name = one_line(item["name"] or f"{item['id'][:_SHORT]}...")
    if item["what"] == "grant":
        return f"grant to {one_line(item['owner'] or '')}"
    return f"link to {name}" if item["what"] == "link" else f"{item['what']} {name}"


def _why(item: HandoverItem) -> str:
    if item["action"] == "stays":
        return f" with {one_line(item['owner'] or '')}"
    if item["action"] == "remains":
        return f": {', '.join(map(one_line, item['signers']))} must sign"
    return " to the new owner already" if item["action"] == "moved" else ""
