"""``twin file``: documents, pictures and other files of twins, by their content."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli.cli.commands.file import content
from twincli.cli.commands.file.content import CAR
from twincli.cli.context import Context, is_terminal
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.parsing.arguments import Identity, Twin, TwinOrMine
from twincli.cli.result import Result
from twincli.cli.showing import partial
from twincli.errors import ExitCode, UsageError
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from twincli.client.fetching import Source
    from twincli.content.store import Blobs
    from twincli.services.privacy.locks import Lock
    from twincli.services.privacy.opening import Keyring

app = typer_frame.group("file")

KuboUrl = Annotated[
    str | None,
    typer.Option("--kubo", metavar="URL", help="HTTP API of an IPFS node, to fetch it from."),
]


@typer_frame.command(app, "attach", writes=True)
def attach(
    context: Context,
    name: Twin,
    paths: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Files; x.car: the file inside it.")
    ],
    kind: Annotated[
        str | None, typer.Option("--type", metavar="WORD", help="What they are.")
    ] = None,
    issuer: Annotated[str | None, typer.Option(metavar="TEXT", help="Who issued them.")] = None,
    valid_until: Annotated[
        str | None, typer.Option("--valid-until", metavar="TIME", help="A date, or a time.")
    ] = None,
    profile: Annotated[
        str, typer.Option(metavar="NAME", help="How CIDs are made; raw-leaves-1m: larger blocks.")
    ] = "raw-leaves-256k",
    encrypt: Annotated[
        bool,
        typer.Option(
            "--encrypt", help="Encrypt what is in them; name and type stand on the ledger."
        ),
    ] = False,
) -> Result:
    """Attach files to a twin: store their content and record their CIDs."""
    from twincli.cli.options import not_a_choice
    from twincli.crypto import cid
    from twincli.services.file import attach as service
    from twincli.services.file import attached
    from twincli.services.tx.prepared import Prepared

    if profile not in cid.PROFILES:
        raise not_a_choice("profile", profile, tuple(cid.PROFILES))
    prepare = context.writes.prepare
    workspace = partial.begun(context)
    stores, notes = content.stores(context)
    asked: set[str] = set()

    def before(warning: str) -> None:
        if warning not in asked:  # once for all files
            asked.add(warning)
            context.warn_before("attach anyway?", warning)

    document = service.attach(
        workspace,
        stores,
        name,
        [content.brought(path) for path in paths],
        attached.Details(kind, issuer, valid_until),
        context.writes.writing(),
        profile=cid.PROFILES[profile],
        encrypt=encrypt,
        before=before,
    )
    if isinstance(document, Prepared):
        return partial.prepared(context, document, str(prepare))
    made, existing = document["created"], document["existing"]
    said = f"{'would attach' if context.dry_run else 'attached'} {_files(made)}" if made else ""
    if existing:
        said += f"{'; ' if said else ''}{_files(existing)} already attached"
    return Result(
        document,
        listing="files",
        columns=tuple((item, item) for item in ("cid", "size", "name", "type", "created")),
        item_schema="twin.attached-file/1",
        notes=(*partial.not_prepared(prepare), said, *notes),
        warnings=tuple(document["warnings"]),
    )


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


@typer_frame.command(app, "get")
def get(
    context: Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[TWIN] CID|NAME", help="The file; a CID needs no twin."),
    ],
    out: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="New file; x.car: as a CAR."),
    ] = None,
    kubo: KuboUrl = None,
    identity: Identity = None,
) -> Result:
    """Write a file of a twin to a new file or a pipe, verifying its content.

    Of an encrypted one, TWIN and its name give what is in it to whom may read it; its CID alone
    gives the bytes as they are stored.
    """
    from twincli.services.file import contents

    to_stdout = out is None or out == partial.STDOUT
    is_document = context.options.json or context.options.jsonl or context.options.get is not None
    if to_stdout and is_document:
        raise UsageError("the document would be mixed with the file on stdout", hint="add -o FILE")
    if to_stdout and is_terminal(sys.stdout):
        raise UsageError("stdout is a terminal", hint="write it to a file with -o FILE, or pipe it")
    if out is not None and not to_stdout:
        partial.check_free(out)
    context.use_identity(identity)
    blobs = content.blobs(context)
    found = _wanted(context, blobs, words)
    if context.dry_run:
        size = blobs.size(found.cid) if blobs.has(found.cid) else 0
        source = None
    else:
        sources = _sources(context, kubo)
        ring = None if found.lock is None else _ring(context, blobs, sources, found.lock, out)
        held = contents.bring(blobs, sources, found.cid, found.profile)
        source = held.fetched_from
        size = _write(blobs, held, None if to_stdout else out, ring)
    document = {
        "schema": "twin.file/1",
        "cid": found.cid,
        "name": found.name,
        "size": size,
        "file": None if to_stdout else out,
        "fetched_from": source,
    }
    if to_stdout:
        return Result(document, said=True)
    verb = "would write" if context.dry_run else "wrote"
    return Result(document, notes=(f"{verb} {out}",))


class Wanted(NamedTuple):
    """A file that somebody asks for."""

    cid: str
    name: str | None = None
    profile: str | None = None
    lock: Lock | None = None


def _ring(
    context: Context, blobs: Blobs, sources: Sequence[Source], lock: Lock, out: str | None
) -> Keyring:
    """Return what opens an encrypted file."""
    from twincli.services.privacy import opening
    from twincli.services.privacy.shelf import Shelf

    if out is not None and out.endswith(CAR):
        raise UsageError(
            "an encrypted file is not written as a CAR", hint=f"twin file get {lock.what} -o {out}"
        )
    shelf = Shelf(blobs, sources)
    return opening.keyring(context.workspace(), shelf, lock, by="file get", download=True)


def _wanted(context: Context, blobs: Blobs, words: Sequence[str]) -> Wanted:
    """Return the file that the arguments mean: of a twin, or by its CID alone."""
    from twincli.services import resolve
    from twincli.services.file import attached

    if len(words) == 1:
        if not attached.is_cid(words[0]):
            raise UsageError(
                f"{words[0]!r} is not a CID",
                hint="name the twin and its file: twin file get TWIN NAME; "
                "to see them: twin file list TWIN",
            )
        return Wanted(words[0])
    if len(words) != 2:
        raise UsageError("give one twin and one file", hint="twin file get TWIN CID -o FILE")
    workspace = context.workspace()
    asset_id = resolve.asset_id_of(workspace, words[0])
    item = attached.one(attached.of_twin(workspace, blobs, asset_id), words[0], words[1])
    lock = attached.lock_of(workspace, item)
    return Wanted(str(item["cid"]), item["name"], item["profile"], lock)


def _write(blobs: Blobs, held: Any, out: str | None, ring: Keyring | None) -> int:
    """Write content to a new file that is there only when all of it is right, or to stdout."""
    import os

    from twincli import files
    from twincli.services.file import contents
    from twincli.services.privacy import files as private

    def copy(put: Callable[[bytes], None]) -> int:
        if ring is not None:
            return private.copy(blobs, held.cid, ring, put)
        as_car = out is not None and out.endswith(CAR)
        return (contents.copy_as_car if as_car else contents.copy)(blobs, held, put)

    if out is None:
        from twincli.cli.showing import output

        size = copy(output.write_bytes)
        output.flush()
        return size
    place = os.path.abspath(out)
    with files.incoming(os.path.dirname(place), mode=0o644, overwrite=False) as file:
        size = copy(file.write)
        file.path = place
    return size


@typer_frame.command(app, "list")
def list_files(
    context: Context,
    name: TwinOrMine = None,
) -> Result:
    """List the files of a twin, and whose word each is."""
    return Result(
        {"schema": "twin.files/1", "files": _items(context, name)},
        empty=_none(name),
        listing="files",
        columns=(
            *((item, item) for item in ("name", "type", "issuer", "valid_until", "size", "cid")),
            ("here", "here"),
            ("encrypted", _encrypted),
            ("standing", "standing"),
        ),
        item_schema="twin.file-item/1",
    )


def _encrypted(item: Any) -> str | None:
    if not item["encrypted"]:
        return None
    return "yes" if item["wrap_here"] else "yes, wrap missing"


def _none(name: str | None) -> str:
    return "twins of yours have no files" if name is None else f"{name} has no files"


def _items(context: Context, name: str | None) -> Iterator[Any]:
    from twincli.services import resolve
    from twincli.services.file import attached

    workspace, blobs = context.workspace(), content.blobs(context)
    if name is None:
        return attached.of_all(workspace, blobs)
    return attached.of_twin(workspace, blobs, resolve.asset_id_of(workspace, name))


@typer_frame.command(app, "check")
def check(
    context: Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[TWIN]",
            help="Default: all of yours, and all other content here.",
            autocompletion=candidates.assets,
        ),
    ] = None,
) -> Result:
    """Check that the content of files is here and unaltered; reads all of it."""
    from twincli.cli.showing import progress
    from twincli.services.file import contents

    with progress.shown(context, "reading") as report:
        document = contents.check(
            content.blobs(context), _items(context, name), everything=name is None, progress=report
        )
    status = {contents.OK: ExitCode.OK, contents.ALTERED: ExitCode.NOT_VERIFIED}
    return Result(
        document,
        listing="files",
        columns=tuple((item, item) for item in ("status", "name", "size", "cid")),
        item_schema="twin.checked-file/1",
        exit_code=status.get(document["status"], ExitCode.UNDETERMINED),
        notes=(
            f"{document['ok']} ok, {document['altered']} altered, {document['missing']} missing",
        ),
    )


@typer_frame.command(app, "pin")
def pin(
    context: Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="TWIN|CID",
            help="A file, or all files of a twin.",
            autocompletion=candidates.assets,
        ),
    ],
    kubo: Annotated[
        str, typer.Option(metavar="URL", help="HTTP API of the IPFS node.")
    ] = "http://127.0.0.1:5001",
) -> Result:
    """Have an IPFS node (Kubo) keep the content of files."""
    from twincli.services.file import attached, contents

    blobs = content.blobs(context)
    wanted: Iterator[tuple[str, str | None, str | None]]
    if attached.is_cid(name):
        wanted = iter([(name, None, None)])
    else:
        items = attached.counted(_items(context, name))
        wanted = ((str(item["cid"]), item["name"], item["profile"]) for item in items)
    document = contents.pin(blobs, _kubo(context, kubo), wanted, dry_run=context.dry_run)
    found = {item["status"] for item in document["files"]}
    exit_code = ExitCode.OK
    if contents.MISSING in found:
        exit_code = ExitCode.UNDETERMINED
    if contents.ALTERED in found:
        exit_code = ExitCode.NOT_VERIFIED
    return Result(
        document,
        listing="files",
        columns=tuple((item, item) for item in ("status", "name", "cid")),
        item_schema="twin.pinned-file/1",
        exit_code=exit_code,
        empty=_none(name),
    )


# --- Where content is -----------------------------------------------------------------------------


def _sources(context: Context, kubo: str | None) -> list[Source]:
    found: list[Source] = [*content.nodes(context)]
    return found if kubo is None else [_kubo(context, kubo), *found]


def _kubo(context: Context, url: str) -> Any:
    from twincli.client.kubo import Kubo

    return Kubo(url, timeout=float(context.settings.timeout.value), tls=context.tls)
