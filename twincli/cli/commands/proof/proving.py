"""``twin ledger checkpoint|prove|witness``: the ledger as a transparency log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli import files
from twincli.cli import file_arguments
from twincli.cli.asking import sinks
from twincli.cli.context import Context
from twincli.cli.parsing import candidates
from twincli.cli.result import Result
from twincli.errors import ExitCode, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.client.logs import Log
    from twincli.crypto.notes import Note
    from twincli.ledger.ledger import Ledger

_STDOUT = "-"

Out = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="New file; default: stdout."),
]


def checkpoint(context: Context, out: Out = None) -> Result:
    """Sign what the ledger holds now: its size and the root of its tree.

    Keep it elsewhere to notice when the ledger is rolled back or altered. To check a ledger
    against it: twin verify LEDGER-FILE --checkpoint FILE
    """
    from twincli.services.proof import log

    _check_free(out)
    if context.network is not None:
        found = _log(context)
        document = log.checkpoint_of(found.stated, found.note)
    else:
        document = log.checkpoint(own_ledger(context))
    return _written(context, document, document["note"], out)


def prove(
    context: Context,
    ref: Annotated[
        str | None,
        typer.Argument(
            metavar="TX|NAME",
            help="The transaction; a name is its CREATE.",
            autocompletion=candidates.assets,
        ),
    ] = None,
    earlier: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="FILE", help="Prove that the ledger grew from this checkpoint."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="Checkpoint to prove the transaction against; default: a new one.",
        ),
    ] = None,
    out: Out = None,
) -> Result:
    """Prove that a transaction is on the ledger, or that the ledger only grew.

    The proof and the transaction suffice to check it offline:
    twin verify F.tlog-proof TX --ledger-key KEY
    """
    from twincli.services.proof import log

    if (ref is None) == (earlier is None) or (earlier is not None and against is not None):
        raise UsageError(
            "what is to be proved: a transaction, or the growth since a checkpoint?",
            hint="twin ledger prove TX, or twin ledger prove --from FILE",
        )
    _check_free(out)
    note = _note(against if earlier is None else earlier)
    remote = None if context.network is None else _log(context)
    if ref is None:
        assert note is not None
        if remote is None:
            ledger = own_ledger(context)
            _prepare(context, ledger)
            growth = log.growth(ledger, note)
        else:
            growth = log.growth_remotely(remote, note)
        return _written(context, growth, growth["proof"], out)
    if remote is None:
        ledger = own_ledger(context)
        tx_id = log.transaction_of(context.workspace(), ref)
        _prepare(context, ledger)
        made = log.prove(ledger, tx_id, note)
    else:
        tx_id = log.transaction_of(context.workspace(), ref)
        made = log.prove_remotely(context.client, remote, tx_id, note)
    return _written(context, made, made["proof"], out)


def witness(
    context: Context,
    urls: Annotated[
        list[str],
        typer.Argument(
            metavar="URL...", help="Witnesses: nodes of twincli, or URLs before /add-checkpoint."
        ),
    ],
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--witness-key",
            metavar="KEY",
            help="Verifier key of a witness; may be repeated. Default: the one that a node states.",
        ),
    ] = None,
    out: Out = None,
) -> Result:
    """Have witnesses cosign a checkpoint: they saw this ledger, and no other in its place.

    Each witness cosigns only what follows the last checkpoint that it cosigned. Their signatures
    are kept beside the ledger and go into the checkpoints and proofs of this state.
    """
    from twincli.crypto import notes
    from twincli.services.proof import witnesses

    _check_free(out)
    trusted = [notes.parse_key(key) for key in keys or ()]
    ledger = own_ledger(context)
    _prepare(context, ledger)
    asked = witnesses.Asked(
        tuple(urls), tuple(trusted), float(context.settings.timeout.value), context.tls
    )
    document = witnesses.collect(ledger, asked, dry_run=context.dry_run)
    failed = [item for item in document["witnesses"] if item["status"] != witnesses.COSIGNED]
    result = _written(context, document, document["note"], out)
    said = [_told(item) for item in document["witnesses"]]
    return result._replace(
        notes=(*said, *result.notes),
        exit_code=ExitCode.PARTIAL if failed and not context.dry_run else ExitCode.OK,
    )


def _told(item: Any) -> str:
    """Return in words what a witness did."""
    if item["status"] == "cosigned":
        return f"{item['url']}: cosigned as {item['name']}"
    return f"{item['url']}: {item['message']}"


def _log(context: Context) -> Log:
    """Return the log of the network that ``--node`` names.

    Raises:
        UsageError: ``not_supported``: it has none.
    """
    from twincli.cli.commands.file import content
    from twincli.client import PROOFS, lacking
    from twincli.services.proof import remote

    found = remote.newest(content.logs(context), context.client.ledger_id)
    if found is None:
        raise lacking(PROOFS)
    return found


def own_ledger(context: Context) -> Ledger:
    """Return the ledger; refuse the empty stand-in that is used until the first asset."""
    ledger = context.ledger
    if ledger.path == ":memory:":
        raise NotFoundError(
            f"there is no ledger at {context.paths.ledger} yet",
            code="no_ledger",
            hint="the first asset creates it: twin asset create NAME",
        )
    return ledger


def _prepare(context: Context, ledger: Ledger) -> None:
    """Make what proofs are read from, and show how far that is."""
    from twincli.cli.showing import progress
    from twincli.proof import proofs

    with progress.shown(context, "hashing") as report:
        proofs.prepare(ledger, report)


def _note(file: str | None) -> Note | None:
    """Return the checkpoint of a file."""
    from twincli.crypto import notes

    if file is None:
        return None
    return notes.parse(file_arguments.beginning(file, notes.MAX_BYTES + 1))


def _check_free(out: str | None) -> None:
    if out is not None and out != _STDOUT:
        files.check_free(out)


def _written(context: Context, document: Mapping[str, Any], text: str, out: str | None) -> Result:
    """Return a result whose text goes to a file, or to stdout."""
    if out is None or out == _STDOUT:
        return Result(document, text=text)
    if not context.dry_run:
        sinks.file_sink(context, out, mode=0o644)(text)
    verb = "would write" if context.dry_run else "wrote"
    return Result({**document, "file": out}, text="", notes=(f"{verb} {out}",))
