"""Running a verification and showing its answer, for all commands that verify."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twincli.cli import file_arguments
from twincli.cli.commands.proof import proving
from twincli.cli.opened import is_file
from twincli.cli.result import Column, Result
from twincli.errors import TwinError, UsageError
from twincli.model.text import one_line
from twincli.services.proof.evidence import GROWTH, LEDGER, PROOF
from twincli.services.proof.report import (
    ATTACHMENTS,
    AUDIT_TRAIL,
    AUTHORITY,
    DATA,
    FAILED,
    LEDGER_PROOF,
    NOT_CHECKED,
    PARTS,
    REFERENCES,
    UNDETERMINED,
)
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.cli.context import Context
    from twincli.services.documents import Verification
    from twincli.services.proof.anchors import Anchors

EXITS = {"verified": 0, "consistent": 0, "failed": 3, "undetermined": 11}
_STYLES = {
    "verified": "bold green",
    "consistent": "bold",
    "failed": "bold red",
    "undetermined": "bold yellow",
    "ok": "green",
    "not_checked": "dim",
}
_MEANS = {
    "verified": "everything fits, and so does what you know from elsewhere",
    "consistent": "true to itself, but anybody could have made it: nothing anchors it",
    "failed": "something was altered, or is not what you know",
    "undetermined": "nothing was altered as far as could be told; something is missing",
}
_NOTHING_READ = "nothing in it can be verified"
_COUNTED = {
    DATA: ("transaction", "transactions"),
    LEDGER_PROOF: ("proof or checkpoint", "proofs and checkpoints"),
    ATTACHMENTS: ("file or chunk", "files and chunks"),
    AUTHORITY: ("statement", "statements"),
    REFERENCES: ("reference", "references"),
    AUDIT_TRAIL: ("entry", "entries"),
}
"""What is counted of each part, one and several."""
_BLOCKS = ("block or checkpoint", "blocks and checkpoints")
"""The same of the proof of a whole ledger."""
_SHOWN = 5
_NARROW = 60


class Given(NamedTuple):
    """The anchors of a command line, as they were typed."""

    asset: str | None = None
    issuer: str | None = None
    checkpoint: str | None = None
    root: str | None = None
    ledger_key: str | None = None
    not_before: str | None = None

    def read(self, now_ms: int) -> Anchors:
        """Return them.

        Raises:
            UsageError: One is malformed.
            NotFoundError: The file of the checkpoint is missing.
        """
        from twincli.model import times
        from twincli.services.proof import anchors

        asset = issuer = None
        if self.asset is not None:
            asset = anchors.asset_of(self.asset)
        if self.issuer is not None:
            issuer = anchors.issuer_of(self.issuer)
        moment = None if self.not_before is None else times.parse(self.not_before, now_ms)
        return anchors.Anchors(
            asset=asset,
            issuer=issuer,
            checkpoint=None if self.checkpoint is None else _bytes(self.checkpoint),
            root=None if self.root is None else _root(self.root),
            ledger_key=None
            if self.ledger_key is None
            else anchors.public_key_of(self.ledger_key, "--ledger-key"),
            not_before_ms=moment,
        )


def _bytes(path: str) -> bytes:
    from twincli.crypto import notes

    return file_arguments.beginning(path, notes.MAX_BYTES + 1)


def _root(text: str) -> bytes:
    folded = text.strip().lower().removeprefix("0x")
    if len(folded) != 64 or set(folded) - set("0123456789abcdef"):
        raise UsageError("--root takes 64 hex digits", hint="twin ledger info --get root")
    return bytes.fromhex(folded)


def is_evidence(word: str) -> bool:
    """Say whether an argument means a file, not a name: it is one, or is written like one."""
    return os.path.isfile(word) or os.path.exists(f"{word}/ledger.db") or _is_path(word)


def _is_path(word: str) -> bool:
    return file_arguments.is_file(word) or word.endswith((".twin", ".db", ".html"))


def run(
    context: Context,
    what: str | None,
    twin: str | None,
    given: Given,
    *,
    strict: bool = False,
    incremental: bool = False,
    index: bool = False,
) -> Result:
    """Verify what the words of a command line mean."""
    from twincli.cli.showing import progress
    from twincli.services.proof.anchors import asset_of
    from twincli.services.proof.evidence import is_checkpoint, is_proof
    from twincli.services.proof.grown import is_growth
    from twincli.services.proof.verify import verify_file, verify_growth, verify_proof
    from twincli.services.workspace import now_ms

    anchors = given.read(now_ms())
    if incremental and (anchors.checkpoint is None or twin is not None):
        raise UsageError(
            "--incremental goes on from a checkpoint, with a whole ledger",
            hint="twin ledger verify --checkpoint FILE --incremental",
        )
    path = None
    if is_file(context.node):
        if twin is not None:
            raise UsageError("--node names the file already: twin verify --node file:PATH [ID]")
        path, twin = context.node.removeprefix("file:"), what
    elif what is not None and is_evidence(what):
        path = what
    how = {"strict": strict, "incremental": incremental}
    if path is None:
        if twin is not None:
            raise UsageError("a second word is for files: twin verify LEDGER-FILE ID")
        if context.network is not None:
            if index or incremental or what is None:
                raise UsageError(
                    "over a network one twin is verified, not the whole ledger",
                    code="not_supported",
                    hint="twin verify NAME; add --node local to verify the ledger of this home",
                )
            return result(_of_network(context, what, anchors, strict=strict))
        how["index"] = index
        return result(_of_home(context, what, anchors, how))
    if path == "-":
        raise UsageError("evidence is a file, not stdin", hint="twin verify FILE")
    if is_checkpoint(path):
        raise UsageError(
            f"{path} is a checkpoint; name what to check against it",
            hint=f"twin verify FILE --checkpoint {path}",
        )
    if index:
        raise UsageError("--index compares the index of this home, not of a file")
    if is_proof(path):
        if twin is None:
            raise UsageError("of which transaction?", hint=f"twin verify {path} TX|FILE")
        whole = file_arguments.read(twin) if file_arguments.is_file(twin) else twin
        return result(verify_proof(path, whole, anchors))
    if is_growth(path):
        if twin is not None:
            raise UsageError("a proof that a ledger grew is not about one transaction")
        return result(verify_growth(path, anchors))
    asset_id = None if twin is None else asset_of(twin)
    with progress.shown(context, "verifying") as report:
        return result(verify_file(path, asset_id, anchors, **how, progress=report))


def _of_home(
    context: Context, name: str | None, anchors: Anchors, how: dict[str, bool]
) -> Verification:
    from twincli.cli.showing import progress
    from twincli.content.store import Blobs
    from twincli.services.proof.auditing import trail_of
    from twincli.services.proof.verify import Here, verify_home

    def opened() -> Here:
        ledger = context.ledger if name is not None else proving.own_ledger(context)
        asset_id, held = _named(context, name, anchors)
        key = _key_of(context)
        if key is not None and held.ledger_key is None:
            held = held._replace(ledger_key=key, pinned=held.pinned | {"ledger_key"})
        trail = trail_of(context.paths.audit)
        return Here(ledger, asset_id, held, Blobs(context.paths.content), trail)

    context.need_home()
    source = context.paths.ledger if name is None else name
    with progress.shown(context, "verifying") as report:
        return verify_home(source, opened, **how, progress=report)


def _of_network(context: Context, name: str, anchors: Anchors, *, strict: bool) -> Verification:
    from twincli.cli.commands.file import content
    from twincli.cli.showing import progress
    from twincli.services.bundle.over_network import verify
    from twincli.services.proof.auditing import trail_of

    def named() -> tuple[str, Anchors]:
        asset_id, held = _named(context, name, anchors)
        assert asset_id is not None
        return asset_id, held

    workspace, blobs = context.workspace(), content.blobs(context)
    with progress.shown(context, "verifying") as report:
        return verify(
            name,
            workspace,
            blobs,
            content.elsewhere(context),
            named,
            strict=strict,
            trail=trail_of(context.paths.audit),
            progress=report,
        )


def _named(context: Context, name: str | None, anchors: Anchors) -> tuple[str | None, Anchors]:
    """Return the twin that is asked about, and the anchors; a name that it has here is one."""
    from twincli.services import resolve

    if name is None:
        return None, anchors
    workspace = context.workspace()
    bare, exists = name.removeprefix("asset:"), resolve.exists(workspace)
    known = workspace.book.lookup(workspace.client.ledger_id, bare, exists)
    if known is None:
        return resolve.asset_id_of(workspace, name), anchors
    if anchors.asset is None:
        anchors = anchors._replace(asset=known, pinned=anchors.pinned | {"asset"})
    return known, anchors


def _key_of(context: Context) -> str | None:
    """Return the key of this home's ledger, None where it is missing."""
    from twincli.ledger.files import locate, read_key

    try:
        return read_key(locate(context.paths.ledger).key).public_key
    except TwinError:
        return None


def result(document: Verification) -> Result:
    """Return the answer as it is printed."""
    return Result(document, columns=_COLUMNS, terminal=draw, exit_code=EXITS[document["status"]])


def _first(document: dict[str, Any]) -> str:
    found = document["problem"]
    return "" if found is None else _said(found)


def _said(finding: dict[str, Any]) -> str:
    """Return where, what and the code of a finding, none of them twice."""
    where, message, code = (str(finding[key]) for key in ("where", "message", "code"))
    before = "" if where in message else f"{where}: "
    after = "" if message.endswith(code) else f" ({code})"
    return f"{before}{message}{after}"


def _anchors(document: dict[str, Any]) -> str:
    return ", ".join(f"{one['anchor']} {_MARKS[one['matched']]}" for one in document["anchors"])


_MARKS = {True: "ok", False: FAILED, None: UNDETERMINED}
_COLUMNS: tuple[Column, ...] = (
    ("status", "status"),
    ("problem", _first),
    *((name, name) for name in ("source", "kind", "ledger", "asset_id", "size", "root")),
    ("anchors", _anchors),
    *((name, f"parts.{name}.status") for name in PARTS),
)


def draw(document: dict[str, Any], console: Any) -> None:
    """Draw the answer: the word first, then why."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    status = document["status"]
    is_read = status != FAILED or document["size"] is not None
    meaning = _MEANS[status] if is_read else _NOTHING_READ
    console.print(Text.assemble((status, _STYLES[status]), f": {meaning}"))
    first = document["problem"]
    if first is not None:
        before = "first: " if is_read else ""
        console.print(Text(one_line(f"{before}{_said(first)}"), style=_STYLES[status]))
    if not is_read:
        return
    if status == "consistent":
        known = "--ledger-key KEY" if document["asset_id"] is None else "--issuer DID"
        console.print(Text(f"add what you know from elsewhere, such as {known}: twin help verify"))
    rows = [
        (one["anchor"], _MARKS[one["matched"]], [one_line(one["message"])])
        for one in document["anchors"]
    ]
    rows += [
        (name, part["status"], [_amount(name, document), *_findings(part)])
        for name, part in document["parts"].items()
    ]
    if console.width < _NARROW:
        for name, word, lines in rows:
            console.print(Text(f"{name}: {word}".replace("_", " "), style=_STYLES[word]))
            for line in lines:
                console.print(Padding(Text(line, overflow="fold"), (0, 0, 0, 2), expand=False))
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, word, lines in rows:
        mark = Text(word.replace("_", " "), style=_STYLES[word])
        table.add_row(name.replace("_", " "), mark, Text("\n".join(lines)))
    console.print(table)


def _amount(name: str, document: dict[str, Any]) -> str:
    """Say how much of a part was checked, or why nothing was."""
    part, kind = document["parts"][name], document["kind"]
    if part["status"] == NOT_CHECKED:
        return _unasked(name, document)
    one, several = _BLOCKS if (name, kind) == (LEDGER_PROOF, LEDGER) else _COUNTED[name]
    count = part["checked"]
    return f"{count} {one if count == 1 else several}" if count else "nothing to check"


def _unasked(name: str, document: dict[str, Any]) -> str:
    if name == AUDIT_TRAIL:
        return "no audit log here: it belongs to a home"
    if document["kind"] in (PROOF, GROWTH):
        return "not in a proof"
    if FAILED in (document["parts"][before]["status"] for before in (DATA, LEDGER_PROOF)):
        return "something above failed"
    if document["kind"] == LEDGER:
        return "no file or chunk here; a ledger's file has none"
    return "no file or chunk here"


def _findings(part: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for items, count in (("problems", "problem_count"), ("notes", "note_count")):
        for item in part[items][:_SHOWN]:
            mark = "" if items == "problems" else "note: "
            lines.append(one_line(f"{mark}{_said(item)}"))
        more = part[count] - min(part[count], _SHOWN)
        if more:
            lines.append(f"and {more} more: --json lists them")
    return lines
