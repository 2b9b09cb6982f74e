"""Files of partly signed transactions, and how such a transaction is shown.

Light on purpose: ``asset append`` uses it, too.
"""

from __future__ import annotations

import os
import re

from twincli import files
from twincli.cli.result import Result
from twincli.cli.showing import output
from twincli.errors import UsageError
from twincli.model.owners import BURN_ADDRESS
from twincli.model.text import one_line
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.cli.context import Context
    from twincli.cli.result import Column
    from twincli.services.documents import Said, Signing, SigningInput, SigningOutput
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace

STDOUT = "-"

_LONGEST = 1000
_COLUMNS = 78
_SCREEN = 24
_INDENT = "    "
_LONGEST_TITLE = 100


def check_free(path: str) -> None:
    """Refuse to write over a file, before anything is done for it.

    Raises:
        ConflictError: ``exists``.
    """
    if not path:
        raise UsageError("the name of the file is empty")
    if path != STDOUT:
        files.check_free(path)


def begun(context: Context) -> Workspace:
    """Return what to work with; refuse what cannot be written before anything is done."""
    if context.writes.prepare is not None:
        check_free(context.writes.prepare)
    return context.workspace()


def prepared(context: Context, made: Prepared, path: str) -> Result:
    """Write the file of ``--prepare`` and return the result of the command."""
    if context.dry_run:
        return shown(made.document, notes=(f"would write {path}",))
    return saved(made.document, made.file, path)


def not_prepared(path: str | None) -> tuple[str, ...]:
    """Return what to say where ``--prepare`` met what ``--once`` had done before."""
    return () if path is None else (f"already done before; {path} was not written",)


RECORDED: tuple[Column, ...] = (
    ("twin", lambda made: made["asset_name"] or made["asset_id"]),
    ("kind", "kind"),
    ("body", lambda made: output.to_json(made["body"])),
    ("standing", "standing"),
    ("transaction_id", "transaction_id"),
    ("height", "height"),
    ("committed_at", "committed_at"),
    ("signers", "signer_names"),
)
"""What a record that was written shows; ``--json`` has all the rest."""


def recorded(
    context: Context,
    made: Said | Prepared,
    what: str,
    notes: tuple[str, ...] = (),
    columns: tuple[Column, ...] = RECORDED,
) -> Result:
    """Return the result of writing a record, or write the file of ``--prepare``.

    Args:
        context: The command.
        made: What the service did.
        what: Was recorded, in words, such as ``the event fell of car``.
        notes: What there is to say beside that.
        columns: What is shown of the record.
    """
    from twincli.services.tx.prepared import Prepared

    prepare = context.writes.prepare
    if isinstance(made, Prepared):
        return prepared(context, made, str(prepare))
    said = f"{'would record' if context.dry_run else 'recorded'} {what}"
    return Result(
        made,
        columns=columns,
        notes=(*(not_prepared(prepare) or (said,)), *notes),
        warnings=tuple(made["warnings"]),
    )


def saved(document: Signing, whole: dict[str, Any], path: str, *, in_place: bool = False) -> Result:
    """Write a partly signed transaction and return what to print.

    Args:
        document: ``twin.signing/1``.
        whole: The content of the file.
        path: Where to. ``-``: stdout gets the file instead of the document.
        in_place: Put it in the place of the file that is there, for whom that was.

    Raises:
        ConflictError: ``exists``.
        ConfigError: ``cannot_write``.
    """
    text = to_text(whole)
    if path == STDOUT:
        return Result(whole, text=text, warnings=tuple(document["warnings"]))
    if in_place:
        files.replace(os.path.realpath(path), text.encode(), keep_mode=True)
    else:
        files.write_new(os.path.abspath(path), text.encode())
    return shown({**document, "file": path}, notes=(next_step(document, path),))


def to_text(whole: dict[str, Any]) -> str:
    """Return the content of a file; equal documents give equal bytes."""
    import json

    return json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def next_step(document: Signing, path: str) -> str:
    """Return what to do with a file."""
    if document["complete"]:
        return f"complete; submit it: twin tx submit {path}"
    count = sum(entry["needed"] for entry in document["inputs"])
    more = "one more signature" if count == 1 else f"{count} more signatures"
    return f"{more} needed; pass {path} on, to be signed with: twin tx sign {path}"


def shown(document: Signing, notes: tuple[str, ...] = ()) -> Result:
    """Return the result of looking at a partly signed transaction."""
    return Result(
        document,
        columns=tuple(
            (name, lambda _, text=text: text)  # type: ignore[misc]
            for name, text in summary(document)
            if text is not None
        ),
        notes=notes,
        warnings=tuple(document["warnings"]),
    )


def summary(document: Signing) -> list[tuple[str, str | None]]:
    """Return what a signer has to know, as names and texts: asset, amounts, from, to, signatures.

    The names of local keys are used for keys; everything else is text from the file.
    """
    facts = document["data"] if document["operation"] == "CREATE" else None
    rows: list[tuple[str, str | None]] = [
        ("asset", _asset(document)),
        ("operation", _operation(document)),
        # What strangers can make long comes before what must not scroll away.
        ("facts", output.to_json(facts) if facts else None),
        ("records", output.to_json(document["written"]) if document["written"] else None),
        ("states", output.to_json(document["stated"]) if document["stated"] else None),
    ]
    rows += [("from", _holding(entry)) for entry in document["inputs"] if entry["amount"]]
    rows += [
        (("to" if document["operation"] != "CREATE" else "owner"), _holding(entry))
        for entry in document["outputs"]
    ]
    rows += [("needs", _needs(entry)) for entry in document["inputs"]]
    rows += [
        ("signed by", _keys(document, document["signed_by"])),
        ("missing", _keys(document, document["missing"])),
        ("standing", document["standing"]),
        ("body_digest", document["body_digest"]),
        ("transaction_id", document["transaction_id"]),
    ]
    return rows


def question(document: Signing) -> list[str]:
    """Return the summary as lines to read before a question is answered.

    What strangers wrote can neither begin a line, nor hide as something that nobody sees, nor push
    unnoticed what matters off the screen.
    """
    found = [f"{name}: {text}" for name, text in summary(document) if text is not None]
    lines = [line for text in found for line in _folded(_plain(text))]
    if len(lines) > _SCREEN:
        lines.append(f"that was {len(lines)} lines, from {found[0].partition(':')[0]} on")
    return lines


def _plain(text: str) -> str:
    """Return a text of moderate length in which everything is seen."""
    text = re.sub(r"\s{4,}", lambda blanks: f" ({len(blanks[0])} blanks) ", one_line(text))
    if len(text) > _LONGEST:
        text = (
            f"{text[:_LONGEST]} ... and {len(text) - _LONGEST} more characters: twin tx show FILE"
        )
    return text


def _folded(text: str) -> Iterator[str]:
    """Break a line where a terminal would, the rest moved in, so that it begins no line."""
    line, columns = "", 0
    for letter in text:
        width = 1 if letter.isascii() else 2
        if columns + width > _COLUMNS:
            yield line
            line, columns = _INDENT, len(_INDENT)
        line += letter
        columns += width
    yield line


def _keys(document: Signing, keys: list[str]) -> str | None:
    names = document["names"]
    return ", ".join(names.get(key, key) for key in keys) or None


def _asset(document: Signing) -> str:
    name = document["asset_name"]
    # A title is what strangers wrote; only a local name stands by itself.
    title = f"{_stated(document['title'])} " if document["title"] else ""
    ident = document["asset_id"] or "a new one"
    return f"{name} {ident}" if name else f"{title}{ident}"


def _operation(document: Signing) -> str:
    """Return what it does: its kind only where that is so, since anybody can state any kind."""
    operation, kind = str(document["operation"]).lower(), document["kind"]
    owners = [[entry["owners"] for entry in document[side]] for side in ("inputs", "outputs")]
    if operation == "create":
        holds = kind in {"asset", "identity"}
    elif kind == "append":
        holds = len(owners[0]) == 1 and owners[0] == owners[1]
    elif kind == "burn":
        holds = set(owners[1]) <= {"burned", BURN_ADDRESS}
    else:
        holds = kind == "transfer"
    if kind is None or holds:
        return kind or operation
    return f"{operation}, called {_stated(kind)}"


def _stated(text: str) -> str:
    """Return what a stranger calls something, so short that what follows it is seen."""
    cut = text if len(text) <= _LONGEST_TITLE else f"{text[:_LONGEST_TITLE]}..."
    return output.to_json(cut)


def _holding(entry: SigningInput | SigningOutput) -> str:
    return f"{entry['amount']} of {entry['owners']}"


def _needs(entry: SigningInput) -> str:
    done = len(entry["signed_by"])
    more = "complete" if not entry["needed"] else f"{entry['needed']} more"
    return f"{entry['owners']} ({done} signed, {more})"
