"""The routes of BigchainDB 2.2.2, of the pages, and for operators.

A path with and without a slash at the end is one route; nothing is redirected.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from twincli.crypto import base58
from twincli.errors import UsageError
from twincli.node import (
    answers,
    content,
    events,
    finding,
    histories,
    log,
    openapi,
    queries,
    status,
    twins,
)
from twincli.node.answers import Answer, Streamed
from twincli.node.pages import explorer, html
from twincli.node.pages.source import Shelf
from twincli.node.queries import Parameter
from twincli.node.writing.bodies import CLOSE, busy
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.ledger import Ledger
    from twincli.node.node import Node
    from twincli.node.request import Handler, Request

_DOCS = "https://docs.bigchaindb.com/projects/server/en/v2.2.2/"


class Route(NamedTuple):
    """A path and its handlers.

    Attributes:
        path: With ``{name}`` as the last part where it is variable.
        methods: Handlers by method; HEAD and OPTIONS are implied.
        is_stream: It is a WebSocket.
        is_open: Answered without a token.
    """

    path: str
    methods: dict[str, Handler]
    is_stream: bool = False
    is_open: bool = False

    @property
    def allowed(self) -> bytes:
        """The methods, for the header ``Allow``."""
        own = [*self.methods, "HEAD"] if "GET" in self.methods else [*self.methods]
        return ", ".join(sorted([*own, "OPTIONS"])).encode()


# --- BigchainDB ---------------------------------------------------------------------------------


async def root(node: Node, request: Request) -> Answer:
    """Answer with a description and the API's links; a browser gets a page."""
    accepted = (value for name, value in request.scope["headers"] if name == b"accept")
    if b"text/html" in b"".join(accepted):
        return await pages(node, request)
    found: dict[str, Any] = {
        "api": {"v1": _links(node, request, "/api/v1")},
        "docs": _DOCS,
        "software": "BigchainDB",
        "version": "2.2.2",
        # An addition to BigchainDB's: clients bind names and their copies to it.
        "twin": {
            "ledger": node.ledger.id,
            "height": node.height(),
            "public_key": node.ledger.public_key,
            "former_keys": node.ledger.former_keys,
            "profile": node.ledger.profile,
            "offers": [
                *twins.OFFERS,
                *log.OFFERS,
                status.OFFER,
                *(() if node.options.content is None else ("content",)),
            ],
        },
    }
    if node.witness is not None:
        found["twin"][log.WITNESS] = node.witness.key.text
    return answers.of(found)._replace(headers=(_BY_ACCEPT,))


async def api(node: Node, request: Request) -> Answer:
    """Answer with the links of the API."""
    return answers.of(_links(node, request, ""))


def _links(node: Node, request: Request, prefix: str) -> dict[str, str]:
    return {
        "assets": f"{prefix}/assets/",
        "blocks": f"{prefix}/blocks/",
        "docs": f"{_DOCS}http-client-server-api.html",
        "metadata": f"{prefix}/metadata/",
        "outputs": f"{prefix}/outputs/",
        "streams": node.stream_url(request.scope) + events.TRANSACTIONS,
        "transactions": f"{prefix}/transactions/",
        "validators": f"{prefix}/validators",
    }


async def validators(node: Node, request: Request) -> Answer:  # noqa: ARG001
    """Answer with the ledger as its one validator."""
    key = base64.b64encode(base58.decode(node.ledger.public_key)).decode()
    public_key = {"type": "ed25519-base64", "value": key}
    return answers.of([{"public_key": public_key, "voting_power": 10}])


async def transaction(node: Node, request: Request) -> Answer:
    """Answer with a transaction, as it is stored."""
    body = node.ledger.body(request.last)
    return answers.NOT_FOUND if body is None else Answer(200, body.encode())


_OF_ASSET = (
    Parameter("operation", queries.operation),
    Parameter("asset_id", queries.transaction_id, required=True),
    Parameter("last_tx", queries.boolean),
)


async def transactions(node: Node, request: Request) -> Streamed:  # noqa: ARG001
    """Answer with the transactions of an asset."""
    query = request.query(*_OF_ASSET)
    asset_id, operation = query["asset_id"], query["operation"]
    last = bool(query["last_tx"])
    return Streamed(lambda ledger: ledger.bodies(asset_id, operation, last=last))


async def post(node: Node, request: Request) -> Answer:
    """Commit a transaction; answer when it is durable, whatever the mode."""
    if node.options.read_only:
        return answers.failure(403, "this node is read-only", CLOSE)
    request.query(Parameter("mode", queries.mode))
    body = await node.bodies.read(request.scope["headers"], request.receive)
    return await node.writer.submit(body, request.scope["state"]["is_gone"])


_OF_KEY = (
    Parameter("public_key", queries.public_key, required=True),
    Parameter("spent", queries.boolean),
)


async def outputs(node: Node, request: Request) -> Streamed:  # noqa: ARG001
    """Answer with the outputs of a key."""
    query = request.query(*_OF_KEY, strict=True)
    key, spent = query["public_key"], query["spent"]

    def texts(ledger: Ledger) -> Iterator[str]:
        for ref in ledger.iter_outputs(key, spent):
            yield (
                f'{{"transaction_id":"{ref["transaction_id"]}",'
                f'"output_index":{ref["output_index"]}}}'
            )

    return Streamed(texts)


_OF_TEXT = (Parameter("search", required=True), Parameter("limit", queries.count))


async def assets(node: Node, request: Request) -> Answer | Streamed:  # noqa: ARG001
    """Answer with the assets that hold a text."""
    return _search(request, "iter_assets")


async def metadata(node: Node, request: Request) -> Answer | Streamed:  # noqa: ARG001
    """Answer with the metadata that hold a text."""
    return _search(request, "iter_metadata")


def _search(request: Request, method: str) -> Answer | Streamed:
    query = request.query(*_OF_TEXT)
    text, limit = query["search"], query["limit"] or 0
    if not text:
        return answers.failure(400, "text_search cannot be empty")

    def texts(ledger: Ledger) -> Iterator[str]:
        try:
            yield from map(answers.text_of, getattr(ledger, method)(text, limit))
        except UsageError as error:
            # Without a letter or digit there is nothing to search for.
            if error.code != "empty_search":
                raise

    return Streamed(texts)


async def block(node: Node, request: Request) -> Answer | Streamed:
    """Answer with a block and its transactions."""
    try:
        height = queries.height(request.last)
    except ValueError:
        return answers.NO_SUCH_PAGE
    if height > node.height():
        return answers.NOT_FOUND
    before = f'{{"height":{height},"transactions":['.encode()
    return Streamed(lambda ledger: ledger.block_bodies(height) or iter(()), before, b"]}")


async def blocks(node: Node, request: Request) -> Answer:
    """Answer with the heights of the blocks that hold a transaction."""
    query = request.query(Parameter("transaction_id", required=True), strict=True)
    return answers.of(node.ledger.blocks_of(query["transaction_id"]))


async def stream(node: Node, request: Request) -> Answer:  # noqa: ARG001
    """Answer a plain GET of a WebSocket."""
    return answers.failure(426, "this is a WebSocket", (b"upgrade", b"websocket"))


FROM_HEIGHT = Parameter("from_height", queries.height)


# --- For people ---------------------------------------------------------------------------------

_BY_ACCEPT = (b"vary", b"accept")
_PAGE = (
    _BY_ACCEPT,
    (b"content-security-policy", explorer.POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)


async def pages(node: Node, request: Request) -> Answer:
    """Answer with a page of the explorer."""
    path = request.scope["path"]
    parameters = [Parameter(name) for name in _OF_PAGES]
    query = {name: text for name, text in request.query(*parameters).items() if text is not None}
    wanted = html.ROOT if path == "/" else path
    if node.pages.waiting >= MAX_PAGES:
        return busy("too many pages are requested at once")
    is_gone = request.scope["state"]["is_gone"]
    shelf = Shelf(node.options.content, node.options.minutes)

    def made(ledger: Ledger) -> explorer.Page:
        return _ABANDONED if is_gone() else explorer.page(ledger, wanted, query, shelf)

    page = await node.pages.run(made)
    headers: tuple[answers.Header, ...] = _PAGE
    if page.location is not None:
        headers = (*_PAGE, (b"location", page.location.encode()))
    return Answer(page.status, page.html.encode(), answers.HTML, headers)


_OF_PAGES = ("q", "to", "after", "before", "from", "until", "part")
_ABANDONED = explorer.Page(400)
"""For a client that went away while its page waited."""
MAX_PAGES = 16
"""Pages that wait to be made."""


async def icon(node: Node, request: Request) -> Answer:  # noqa: ARG001
    """Answer with the icon that browsers show beside a title."""
    lasting = (b"cache-control", b"public, max-age=86400")
    return Answer(
        200, html.ICON, b"image/svg+xml", (lasting, (b"x-content-type-options", b"nosniff"))
    )


# --- Running it ---------------------------------------------------------------------------------


async def health(node: Node, request: Request) -> Answer:  # noqa: ARG001
    """Answer whether the ledger can be read."""
    if node.stopping:
        return answers.of({"status": "stopping"}, 503)
    return answers.of({"status": "ok", "height": node.height()})


async def metrics(node: Node, request: Request) -> Answer:  # noqa: ARG001
    """Answer with counters for Prometheus."""
    return Answer(200, node.metrics.text(node.gauges()).encode(), answers.PLAIN)


async def description(node: Node, request: Request) -> Answer:  # noqa: ARG001
    """Answer with the OpenAPI description of all this."""
    return answers.of(openapi.document(node.options.max_body))


ROUTES = (
    Route("/", {"GET": root}),
    Route("/api/v1", {"GET": api}),
    Route("/api/v1/validators", {"GET": validators}),
    Route("/api/v1/transactions", {"GET": transactions, "POST": post}),
    Route("/api/v1/transactions/{id}", {"GET": transaction}),
    Route("/api/v1/outputs", {"GET": outputs}),
    Route("/api/v1/assets", {"GET": assets}),
    Route("/api/v1/metadata", {"GET": metadata}),
    Route("/api/v1/blocks", {"GET": blocks}),
    Route("/api/v1/blocks/{height}", {"GET": block}),
    Route(events.TRANSACTIONS, {"GET": stream}, is_stream=True),
    Route(events.BLOCKS, {"GET": stream}, is_stream=True),
    Route("/twin/v1/assets", {"GET": twins.assets}),
    Route("/twin/v1/blocks", {"POST": twins.blocks}),
    Route("/twin/v1/content/{cid}", {"GET": content.get, "PUT": content.put}),
    Route("/twin/v1/find", {"POST": finding.post}),
    Route("/twin/v1/histories", {"POST": histories.post}),
    Route(f"{log.PREFIX}/checkpoint", {"GET": log.checkpoint}),
    Route(f"{log.PREFIX}/proof/{{id}}", {"GET": log.proof}),
    Route(log.TILES + "{tile}", {"GET": log.tile}),
    Route(f"{log.PREFIX}/add-checkpoint", {"POST": log.add_checkpoint}),
    Route("/twin/v1/status/{id}", {"GET": status.get}, is_open=True),
    Route("/twin/v1/templates", {"GET": finding.templates}),
    Route(html.ROOT, {"GET": pages}),
    Route(f"{html.ROOT}/search", {"GET": pages}),
    *(
        Route(f"{html.ROOT}/{kind}/{{argument}}", {"GET": pages})
        for kind in ("asset", "block", "owner", "tx")
    ),
    Route("/favicon.ico", {"GET": icon}, is_open=True),
    Route("/healthz", {"GET": health}, is_open=True),
    Route("/metrics", {"GET": metrics}),
    Route("/openapi.json", {"GET": description}),
)

_FIXED = {route.path: route for route in ROUTES if "{" not in route.path}
_TILES = next(route for route in ROUTES if route.path.startswith(log.TILES))
_VARIABLE = {route.path.rpartition("/")[0]: route for route in ROUTES if "{" in route.path}


def find(path: str) -> tuple[Route | None, str]:
    """Return the route of a path, None if there is none, and the path's variable part."""
    if len(path) > 1 and path.endswith("/"):
        path = path[:-1]
    route = _FIXED.get(path)
    if route is not None:
        return route, ""
    if path.startswith(log.TILES):  # the one variable part that has slashes
        return _TILES, path.removeprefix(log.TILES)
    head, _, last = path.rpartition("/")
    return (_VARIABLE.get(head), last) if last else (None, "")
