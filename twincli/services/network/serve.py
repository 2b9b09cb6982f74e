"""``twin node start``: serve a ledger over BigchainDB's HTTP API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.node.server import Server

    Document = dict[str, Any]


class Start(NamedTuple):
    """The options of a node.

    Attributes:
        host, port, ws_port, tls_cert, tls_key, tls_client_ca: See ``node.server.Listening``.
        token_file: Private file of tokens, one a line; None: clients need none.
        open: Serve other machines without authentication.
        read_only: Accept no transactions.
        max_body: Bytes of a transaction; None: the default.
        rate: Requests a second from one address; 0: unlimited.
        max_content: Bytes of a file; None: the default.
        max_streams: Event streams at once; None: the default.
    """

    host: str = "127.0.0.1"
    port: int = 9984
    ws_port: int | None = None
    token_file: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    open: bool = False
    read_only: bool = False
    max_body: int | None = None
    rate: float = 0.0
    max_content: int | None = None
    max_streams: int | None = None


MAX_CONTENT = 1 << 30
"""Bytes of the largest file that a node accepts by default."""


def start(
    path: str,
    content: str,
    wanted: Start,
    ready: Callable[[Document], None],
    log: Callable[[Document], None] | None = None,
) -> bool:
    """Serve a ledger until a signal asks to stop.

    Args:
        path: The ledger's directory or file; created if missing, unless ``read_only``.
        content: Directory of files by their CID.
        wanted: The options.
        ready: Called once the node listens, with ``twin.node/1``: ``url ws_url ledger pid
            read_only``.
        log: Called with an entry for each request.

    Returns:
        Whether it stopped in order; False if a second Ctrl-C ended it at once.

    Raises:
        UsageError: Other machines could reach it, and no option allows that.
        ConfigError, ConflictError: See ``node.server.Server``, ``node.access.read_tokens``,
            ``Ledger.open``.
    """
    from twincli.content.store import Blobs
    from twincli.ledger import Ledger
    from twincli.node import node

    tokens = _admission(wanted)

    def open_ledger() -> Ledger:
        return Ledger.open(path, create=not wanted.read_only, read_only=wanted.read_only)

    with open_ledger() as ledger:
        ledger_id = ledger.id
    server = _server(wanted)
    options = node.Options(
        tokens=tokens,
        read_only=wanted.read_only,
        max_body=wanted.max_body or node.Options().max_body,
        rate=wanted.rate,
        max_streams=wanted.max_streams or node.Options().max_streams,
        ws_port=server.ws_port,
        log=log,
        content=Blobs(content, limit=wanted.max_content or MAX_CONTENT),
    )
    document = _document(server, wanted, ledger_id, os.getpid())
    try:
        return server.serve(lambda: node.Node(open_ledger, options), lambda: ready(document))
    finally:
        server.close()


def check(path: str, wanted: Start) -> Document:
    """Check everything that ``start`` checks, without serving or writing.

    Returns:
        ``twin.node/1``; ``ledger`` is null if it does not exist yet, ``pid`` is null.
    """
    from twincli.errors import NotFoundError
    from twincli.ledger import Ledger

    _admission(wanted)
    try:
        with Ledger.open(path, create=False, read_only=True) as ledger:
            ledger_id: str | None = ledger.id
    except NotFoundError:
        if wanted.read_only:
            raise
        ledger_id = None
    server = _server(wanted)
    server.close()
    return _document(server, wanted, ledger_id, None)


def _admission(wanted: Start) -> tuple[bytes, ...]:
    """Return the tokens; refuse options that would let strangers in by mistake."""
    from twincli.node import access, server

    for name, most in (("body", wanted.max_body), ("content", wanted.max_content)):
        if most is not None and most < 1024:
            raise UsageError(f"--max-{name} must be at least 1024 bytes")
    if wanted.max_streams is not None and wanted.max_streams < 1:
        raise UsageError("--max-streams must be at least 1")
    if not 0 <= wanted.rate < 1e6:
        raise UsageError("--rate must be a number of requests a second; 0 means unlimited")
    if wanted.tls_cert is None and (wanted.tls_key or wanted.tls_client_ca):
        raise UsageError("--tls-key and --tls-client-ca need --tls-cert")
    guarded = wanted.token_file or wanted.tls_client_ca or wanted.open
    if not guarded and not server.is_loopback(wanted.host):
        raise UsageError(
            f"other machines could read and write this ledger through {wanted.host}",
            code="unguarded",
            hint="add --token-file FILE, or --tls-cert FILE --tls-client-ca FILE; or let anybody"
            " in: --open",
        )
    return access.read_tokens(wanted.token_file) if wanted.token_file else ()


def _server(wanted: Start) -> Server:
    from twincli.node import server

    return server.Server(
        server.Listening(
            wanted.host,
            wanted.port,
            wanted.ws_port,
            wanted.tls_cert,
            wanted.tls_key,
            wanted.tls_client_ca,
        )
    )


def _document(server: Server, wanted: Start, ledger_id: str | None, pid: int | None) -> Document:
    return {
        "schema": "twin.node/1",
        "url": server.url,
        "ws_url": server.ws_url,
        "ledger": ledger_id,
        "pid": pid,
        "read_only": wanted.read_only,
    }
