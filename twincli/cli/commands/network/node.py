"""``twin node``: serve the ledger as a BigchainDB node."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from twincli.cli.commands.network import networks
from twincli.cli.context import Context
from twincli.cli.opened import ANY_LEDGER
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.cli.showing import output
from twincli.files import cannot

if TYPE_CHECKING:
    from twincli.services.documents import ServedNode

app = typer_frame.group("node")


@typer_frame.command(app, "start", creates=ANY_LEDGER)
def start(
    context: Context,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port; 0 picks a free one.", min=0, max=65535)
    ] = 9984,
    ws_port: Annotated[
        int | None,
        typer.Option(
            "--ws-port",
            metavar="PORT",
            help="Port for event streams, if separate.",
            min=0,
            max=65535,
        ),
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option("--token-file", metavar="FILE", help="Require one of the tokens in FILE."),
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate, PEM.")
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option("--tls-key", metavar="FILE", help="Its key, PEM.")
    ] = None,
    tls_client_ca: Annotated[
        str | None,
        typer.Option(
            "--tls-client-ca",
            metavar="FILE",
            help="Require a client certificate from these authorities.",
        ),
    ] = None,
    is_open: Annotated[
        bool, typer.Option("--open", help="Serve other machines without authentication.")
    ] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Accept no transactions.")] = False,
    max_body: Annotated[
        int | None,
        typer.Option("--max-body", metavar="BYTES", help="Maximum size of a transaction."),
    ] = None,
    max_file: Annotated[
        int | None,
        typer.Option("--max-file", metavar="BYTES", help="Maximum size of a file."),
    ] = None,
    max_content: Annotated[
        int | None,
        typer.Option("--max-content", metavar="BYTES", help="Maximum size of all files together."),
    ] = None,
    max_streams: Annotated[
        int | None,
        typer.Option("--max-streams", metavar="N", help="Maximum number of event streams."),
    ] = None,
    rate: Annotated[
        float,
        typer.Option(
            metavar="N", help="Maximum requests per second from one address.", show_default=False
        ),
    ] = 0.0,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin", metavar="URL", help="Allow web pages from this origin; * allows all."
        ),
    ] = None,
    advertise: Annotated[
        str | None,
        typer.Option("--advertise", metavar="URL", help="URL at which clients reach it."),
    ] = None,
    witness: Annotated[
        str | None,
        typer.Option(
            "--witness",
            metavar="FILE",
            help="Cosign the checkpoints of the logs in FILE, a verifier key a line.",
        ),
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="Trust the X-Forwarded headers of a proxy.")
    ] = False,
    log: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Log each request as a JSON line; - is stderr."),
    ] = None,
) -> Result:
    """Serve this ledger to every BigchainDB driver, until Ctrl-C or SIGTERM."""
    from twincli.services.network import serve

    wanted = serve.Start(
        host=host,
        port=port,
        ws_port=ws_port,
        token_file=token_file,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        open=is_open,
        read_only=read_only,
        max_body=max_body,
        rate=rate,
        max_file=max_file,
        max_content=max_content,
        max_streams=max_streams,
        allow_origins=tuple(allow_origin or ()),
        advertise=advertise,
        witness=witness,
        behind_proxy=behind_proxy,
    )

    if context.dry_run:
        document = serve.check(context.ledger_path, wanted)
        return Result(document, notes=(f"would listen at {document['url']}",))

    def ready(document: ServedNode) -> None:
        output.say(f"twin: node: listening at {document['url']}")
        # Browsers send no tokens.
        where = "" if token_file else f"in a browser: {_shown(advertise or document['url'])}; "
        output.say(f"twin: node: {where}stop with Ctrl-C")
        if context.mode.form != "auto":
            output.render(Result(document), context.mode)

    ledger = context.ledger_path
    # A ledger elsewhere has its content beside it.
    is_local = ledger == context.paths.ledger
    content = context.paths.content if is_local else os.path.join(ledger, "content")
    minutes = context.paths.rollups if is_local else None
    from twincli.services.network.guard import Guard

    guard = Guard(context.audit)
    if not serve.start(
        ledger,
        content,
        wanted,
        ready,
        _logger(context, log),
        minutes=minutes,
        guard=guard,
    ):
        raise KeyboardInterrupt
    return Result({}, said=True)


def _shown(url: str) -> str:
    """Return where a browser on this machine finds the explorer."""
    for everywhere in ("//0.0.0.0:", "//[::]:"):
        url = url.replace(everywhere, "//localhost:")
    return url.rstrip("/") + "/explorer"


def _logger(context: Context, path: str | None) -> Callable[[dict[str, Any]], None] | None:
    """Return a function that logs a request."""
    if path is None:
        return None
    if path == "-":
        return lambda entry: output.say(json.dumps(entry))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise cannot("write", path, error) from error
    file: IO[str] = os.fdopen(descriptor, "a", encoding="utf-8", buffering=1)
    log = _Log(file)
    context.at_end(log.close)
    return log.write


class _Log:
    """A log of requests; a failure to write it is reported once."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._is_reported = False

    def write(self, entry: dict[str, Any]) -> None:
        """Add a line."""
        try:
            print(json.dumps(entry), file=self._file)
        except OSError as error:
            self._report(error)

    def close(self) -> None:
        """Close the file."""
        try:
            self._file.close()
        except OSError as error:
            self._report(error)

    def _report(self, error: OSError) -> None:
        if not self._is_reported:
            self._is_reported = True
            why = (error.strerror or str(error)).lower()
            output.say(f"twin: node: the log cannot be written: {why}")


typer_frame.command(app, "info")(networks.info)
typer_frame.command(app, "list")(networks.list_networks)
typer_frame.command(app, "add", refuses=("node",))(networks.add)
typer_frame.command(app, "use", refuses=("node",))(networks.use)
typer_frame.command(app, "remove", refuses=("node",))(networks.remove)
