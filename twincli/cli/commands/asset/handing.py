"""What was handed over with a twin, in words."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from twincli import files
from twincli.cli import file_arguments
from twincli.cli.showing import partial
from twincli.crypto import canonical
from twincli.errors import ExitCode, TwinError, UsageError
from twincli.model.text import one_line
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twincli.cli.context import Context
    from twincli.cli.result import Result
    from twincli.rules.partial import Partial
    from twincli.services.documents import Handover, HandoverItem, PreparedPart, Signing
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace

_SHORT = 10
_LONGEST_NAME = 40


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
    if item["signers"]:
        return f": {', '.join(map(one_line, item['signers']))} must sign"
    return " to the new owner already" if item["action"] == "moved" else ""


# --- Prepared for others -----------------------------------------------------------------------


class _File(NamedTuple):
    """A file of ``--prepare``.

    Attributes:
        path: Where it is.
        made: What was prepared now.
        kept: What the file holds from before and still does the same, or None.
        is_old: Whether a file of a transaction that can no longer be submitted is there.
    """

    path: str
    made: Prepared
    kept: Partial | None
    is_old: bool


def prepared(context: Context, made: Prepared, path: str, to: str) -> Result:
    """Write a file for the twin and one for each part; run again, keep those that still hold.

    Args:
        context: The command.
        made: The transfers, and what else belongs to the twin.
        path: Of the file of the twin; those of its parts are beside it.
        to: The new owner, as it was written.
    """
    from twincli.services.tx import cosign

    if path == partial.STDOUT:
        raise UsageError(
            "--prepare - writes one transaction, but --children move prepares several",
            hint="name a file; those of the parts are written beside it",
        )
    assert made.handover is not None
    workspace = context.workspace()
    paths = _beside(path, [each.document for each in made.along])
    found = [
        _found(workspace, each, where)
        for each, where in zip((*made.along, made), (*paths, path), strict=True)
    ]
    for each in found:
        if each.kept is None and not context.dry_run:
            content = partial.to_text(each.made.file).encode()
            if each.is_old:
                files.replace(os.path.realpath(each.path), content, keep_mode=True)
            else:
                files.write_new(os.path.abspath(each.path), content)
    documents = [
        each.made.document if each.kept is None else cosign.describe(each.kept, workspace)
        for each in found
    ]
    shown_twin = partial.shown({**documents[-1], "file": path})
    document = {
        **shown_twin.document,
        "handover": made.handover,
        "prepared": [
            _told(each, signing, is_dry=context.dry_run)
            for each, signing in zip(found, documents, strict=True)
        ],
    }
    notes = [*_rows(made.handover, to)]
    for each, signing in zip(found, documents, strict=True):
        would = "would write " if context.dry_run and each.kept is None else ""
        notes.append(f"{would}{each.path}: {_state(signing, each.path)}")
    if len(found) > 1:
        notes.append("submit the parts first and the twin last")
    is_complete = all(signing["complete"] for signing in documents)
    return shown_twin._replace(
        document=document,
        notes=tuple(notes),
        exit_code=ExitCode.OK if is_complete else ExitCode.PARTIAL,
    )


def _state(signing: Signing, path: str) -> str:
    name = shlex.quote(path)
    if signing["complete"]:
        return f"complete; submit it: twin tx submit {name}"
    names = signing["names"]
    missing = ", ".join(one_line(names.get(key, key)) for key in signing["missing"])
    count = sum(entry["needed"] for entry in signing["inputs"])
    some = f"{count} of " if count < len(signing["missing"]) else ""
    return f"{some}{missing} must sign: twin tx sign {name}"


def _told(file: _File, signing: Signing, *, is_dry: bool) -> PreparedPart:
    return {
        "asset_id": signing["asset_id"],
        "asset_name": signing["asset_name"],
        "file": None if is_dry and file.kept is None else file.path,
        "kept": file.kept is not None,
        "complete": signing["complete"],
        "missing": signing["missing"],
    }


def _beside(path: str, along: Sequence[Signing]) -> list[str]:
    """Return the names of the files of the parts, each its own."""
    start, end = os.path.splitext(path)
    taken = {path}
    found = []
    for document in along:
        name = document["asset_name"] or document["title"] or ""
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:_LONGEST_NAME].strip("-")
        made = f"{start}.{plain}{end}" if plain else ""
        # Several outputs of one part, and parts of one name, are told apart by what is spent.
        if not made or made in taken:
            spent = document["inputs"][0]
            made = f"{start}.{str(spent['transaction_id'])[:_SHORT]}-{spent['output_index']}{end}"
        taken.add(made)
        found.append(made)
    return found


def _found(workspace: Workspace, made: Prepared, path: str) -> _File:
    """Return what is at the place of a file.

    Raises:
        ConflictError: ``exists``: something else.
    """
    from twincli.services.tx import cosign

    if not os.path.lexists(path):
        return _File(path, made, None, is_old=False)
    try:
        there = cosign.read(canonical.decode(file_arguments.read(path)))
    except (TwinError, UnicodeDecodeError):
        there = None
    if there is not None:
        if cosign.is_meant(workspace, there, made.file["transaction"]):
            return _File(path, made, there, is_old=False)
        is_same_thing = there.tx["asset"] == made.file["transaction"]["asset"]
        if is_same_thing and cosign.standing(there, workspace.client) == cosign.STALE:
            return _File(path, made, None, is_old=True)
    partial.check_free(path)
    raise AssertionError  # pragma: no cover - it is there
