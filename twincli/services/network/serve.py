"""``twin node start``: serve a ledger over BigchainDB's HTTP API."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit, urlunsplit

from twincli.errors import UsageError
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.crypto.notes import VerifierKey
    from twincli.node.access import Guard, Hosts
    from twincli.node.server import Server
    from twincli.services.documents import Document, ServedNode


class Start(NamedTuple):
    """The options of a node.

    Attributes:
        host, port, ws_port, tls_cert, tls_key, tls_client_ca: See ``node.server.Listening``.
        token_file: Private file of tokens, one a line; None: clients need none.
        open: Serve other machines without authentication.
        read_only: Accept no transactions.
        max_body: Bytes of a transaction; None: the default.
        rate: Requests a second from one address; 0: unlimited.
        max_file: Bytes of a file; None: the default, at most ``max_content``.
        max_content: Bytes of all files together; None: the default.
        max_streams: Event streams at once; None: the default.
        allow_origins: Web pages that may use it besides those of this machine, such as
            ``https://app.example``; ``*`` for all.
        advertise: URL at which clients reach it; None: where it listens.
        witness: File of the logs whose checkpoints it cosigns; None: of none.
        behind_proxy: Trust what a proxy says about its clients.
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
    max_file: int | None = None
    max_content: int | None = None
    max_streams: int | None = None
    allow_origins: tuple[str, ...] = ()
    advertise: str | None = None
    witness: str | None = None
    behind_proxy: bool = False


MAX_FILE = 1 << 30
"""Bytes of the largest file that a node accepts by default."""
MAX_CONTENT = 16 << 30
"""Bytes of all files that a node keeps by default."""


def start(
    path: str,
    content: str,
    wanted: Start,
    ready: Callable[[ServedNode], None],
    log: Callable[[Document], None] | None = None,
    *,
    minutes: str | None = None,
    guard: Guard | None = None,
) -> bool:
    """Serve a ledger until a signal asks to stop.

    Args:
        path: The ledger's directory or file; created if missing, unless ``read_only``.
        content: Directory of files by their CID.
        wanted: The options.
        ready: Called once the node listens, with ``twin.node/1``: ``url ws_url ledger pid
            read_only``.
        log: Called with an entry for each request.
        minutes: The file of the minutes of chunks, for the explorer's charts.
        guard: Judges who may have what is encrypted.

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
        return Ledger.open(path, create=not wanted.read_only)

    with open_ledger() as ledger:
        ledger_id = ledger.id
    origins = _origins(wanted)
    advertise = _advertised(wanted)
    logs = _logs(wanted)
    server = _server(wanted)
    most = wanted.max_content or MAX_CONTENT
    options = node.Options(
        tokens=tokens,
        read_only=wanted.read_only,
        max_body=wanted.max_body or node.Options().max_body,
        rate=wanted.rate,
        max_streams=wanted.max_streams or node.Options().max_streams,
        ws_port=server.ws_port,
        log=log,
        content=Blobs(content, limit=wanted.max_file or min(MAX_FILE, most)),
        guard=guard,
        max_content=most,
        minutes=minutes,
        origins=origins,
        hosts=_hosts(wanted, origins, advertise),
        advertise=advertise,
        logs=logs,
        behind_proxy=wanted.behind_proxy,
    )
    document = _document(server, wanted, ledger_id, os.getpid())
    try:
        return server.serve(lambda: node.Node(open_ledger, options), lambda: ready(document))
    finally:
        server.close()
        with open_ledger() as ledger:
            ledger.checkpoint()


def check(path: str, wanted: Start) -> ServedNode:
    """Check everything that ``start`` checks, without serving or writing.

    Returns:
        ``twin.node/1``; ``ledger`` is null if it does not exist yet, ``pid`` is null.
    """
    from twincli.errors import NotFoundError
    from twincli.ledger import Ledger

    _admission(wanted)
    _origins(wanted)
    _advertised(wanted)
    _logs(wanted)
    try:
        with Ledger.open(path, create=False) as ledger:
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

    bounds = {"body": wanted.max_body, "file": wanted.max_file, "content": wanted.max_content}
    for name, most in bounds.items():
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


def _origins(wanted: Start) -> tuple[str, ...]:
    """Return the web pages that may use the node, in lower case; an open node serves all."""
    found = []
    for origin in wanted.allow_origins:
        url = _url(origin)
        if origin in {"*", "null"}:
            found.append(origin)
        elif url is None or url.path.strip("/") or not _is_origin(url.scheme):
            raise UsageError(
                f"{origin!r} is not an origin", hint="--allow-origin https://app.example"
            )
        else:
            port = "" if url.port in {None, _PORTS.get(url.scheme)} else f":{url.port}"
            host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
            found.append(f"{url.scheme}://{host}{port}")
    return tuple(found) or (("*",) if wanted.open else ())


_PORTS = {"http": 80, "https": 443}


def _is_origin(scheme: str) -> bool:
    """Say whether pages have origins of this scheme: http, https, or that of an extension."""
    return scheme in _PORTS or scheme.endswith("-extension")


def _advertised(wanted: Start) -> str | None:
    if wanted.advertise is None:
        return None
    url = _url(wanted.advertise)
    if url is None or url.scheme not in _PORTS:
        raise UsageError(
            f"{wanted.advertise!r} is not the URL of a node",
            hint="--advertise https://node.example",
        )
    return urlunsplit((url.scheme, url.netloc, url.path.rstrip("/"), "", ""))


def _logs(wanted: Start) -> dict[str, tuple[VerifierKey, ...]]:
    from twincli.proof import witness

    return {} if wanted.witness is None else witness.read_logs(wanted.witness)


def _url(text: str) -> SplitResult | None:
    """Return a URL of a place, without credentials, query and fragment; None: it is not one."""
    try:
        url = urlsplit(text)
        is_port = url.port is None or url.port > 0
    except ValueError:
        return None
    odd = url.username is not None or url.query or url.fragment or not text.isprintable()
    return url if url.hostname and is_port and not odd and " " not in text else None


def _hosts(wanted: Start, origins: tuple[str, ...], advertise: str | None) -> Hosts | None:
    """Return what the node is called; None: anything, as a rebound page could do nothing.

    It knows no token, has no certificate for the node's TLS, and with ``*`` may ask anyway.
    """
    from twincli.node import access, server

    if wanted.token_file or wanted.tls_cert or access.ANY in origins:
        return None
    named = [urlsplit(url).hostname for url in (*origins, advertise or "")]
    names = {wanted.host.lower().strip("[]"), *filter(None, named)}
    everywhere = server.listens_everywhere(wanted.host)
    if everywhere:
        names.add(socket.gethostname().lower())
    return access.Hosts(frozenset(names), everywhere)


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
            0 if wanted.behind_proxy else server.PER_ADDRESS,
        )
    )


def _document(server: Server, wanted: Start, ledger_id: str | None, pid: int | None) -> ServedNode:
    return {
        "schema": "twin.node/1",
        "url": server.url,
        "ws_url": server.ws_url,
        "ledger": ledger_id,
        "pid": pid,
        "read_only": wanted.read_only,
    }
