"""A BigchainDB node for the tests, with faults to order: it drops, stalls, refuses and lies.

Answers as server 2.2.2 was seen to do, over a ledger of ours under its rules.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twincli.errors import InvalidError
from twincli.ledger import Ledger
from twincli.node import finding, histories, twins
from twincli.node.answers import RefusedError
from twincli.rules.validity import SERVER

API = "/api/v1"
HISTORIES = "/twin/v1/histories"
ASSETS = "/twin/v1/assets"
BLOCKS = "/twin/v1/blocks"
FIND = "/twin/v1/find"
TEMPLATES = "/twin/v1/templates"
Answer = tuple[int, Any]


class Server(HTTPServer):
    """Serves one request after the other; with a short queue, those in parallel lose a second."""

    request_queue_size = 64


class FakeNode:
    """One node.

    Attributes:
        ledger: What it serves; several nodes may serve the same.
        states: The id that it states as that of its ledger; None for a plain BigchainDB.
        offers: What it states to have beyond BigchainDB's API.
        drop: So many answers to POST are lost, after the transaction was committed.
        fail: So many answers to POST are lost, before it was.
        silent: It takes requests and answers none.
        answers: For a path, what it answers in place of the truth: given that, returns that.
        asked: Method and path of every request.
        headers: Of the last request.
    """

    def __init__(self, ledger: Ledger, *, states: str | None = None) -> None:
        self.ledger = ledger
        self.states = states
        self.offers = list(twins.OFFERS)
        self.drop = self.fail = 0
        self.silent = False
        self.answers: dict[str, Callable[[Answer], Answer | bytes]] = {}
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.released = threading.Event()
        node = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                node.answer(self, None)

            def do_POST(self) -> None:
                node.answer(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *_: object) -> None:
                return

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes | None) -> None:
        parts = urlsplit(handler.path)
        self.asked.append(f"{handler.command} {handler.path}")
        self.headers = dict(handler.headers)
        if self.silent:
            self.released.wait(10)
            return
        if body is not None and self.fail:
            self.fail -= 1
            return
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path.rstrip("/") or "/"
        found: Answer | bytes
        if body is None:
            found = self.get(path, query)
        else:
            ours = {HISTORIES: self.histories, BLOCKS: self.blocks, FIND: self.find}
            found = ours.get(path, self.post)(body)
        if body is not None and self.drop:
            self.drop -= 1
            return
        key = "POST" if body is not None and not path.startswith("/twin") else path
        for prefix, change in self.answers.items():
            if key == prefix or (prefix.endswith("*") and key.startswith(prefix[:-1])):
                assert not isinstance(found, bytes)
                found = change(found)
                break
        if isinstance(found, bytes):
            handler.wfile.write(found)
            return
        status, content = found
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        handler.send_response(status)
        kind = "text/html" if isinstance(content, str) else "application/json"
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def post(self, body: bytes) -> Answer:
        tx = json.loads(body)
        try:
            self.ledger.submit(tx)
        except InvalidError as error:
            if error.code == "schema_validation_error":
                message = f"Invalid transaction schema: {error.message}"
            else:
                name = "".join(part.capitalize() for part in error.code.split("_"))
                message = f"Invalid transaction ({name}): {error.message}"
            return 400, {"message": message, "status": 400}
        return 202, tx

    def histories(self, body: bytes) -> Answer:
        """Answer as a node of twincli does; a plain BigchainDB has no such route."""
        if self.states is None:
            return 404, "<!DOCTYPE HTML><title>404 Not Found</title>"
        texts = histories.texts(self.ledger, histories.parse(body))
        return 200, [json.loads(text) for text in texts]

    def blocks(self, body: bytes) -> Answer:
        """Answer as a node of twincli does."""
        if self.states is None:
            return 404, "<!DOCTYPE HTML><title>404 Not Found</title>"
        texts = twins.places(self.ledger, twins.parse_ids(body))
        return 200, [json.loads(text) for text in texts]

    def find(self, body: bytes) -> Answer:
        """Answer as a node of twincli does."""
        if self.states is None:
            return 404, "<!DOCTYPE HTML><title>404 Not Found</title>"
        try:
            return 200, finding.page(self.ledger, finding.parse(body))
        except RefusedError as error:
            return error.answer.status, json.loads(error.answer.body)

    def get(self, path: str, query: dict[str, str]) -> Answer:
        ledger = self.ledger
        if path == "/":
            root: dict[str, Any] = {"software": "BigchainDB", "version": "2.2.2", "api": {}}
            if self.states is not None:
                root["twin"] = {
                    "ledger": self.states,
                    "height": ledger.tip().height,
                    "offers": self.offers,
                }
            return 200, root
        missing = 404, {"message": "Not found", "status": 404}
        if path.startswith(f"{API}/transactions/"):
            tx = ledger.get(path.rpartition("/")[2])
            return (200, tx) if tx else missing
        if path == f"{API}/transactions":
            txs = ledger.transactions(query["asset_id"], query.get("operation"))
            return 200, txs[-1:] if query.get("last_tx", "").lower() == "true" else txs
        if path == f"{API}/outputs":
            spent = {"true": True, "false": False}.get(query.get("spent", "").lower())
            return 200, ledger.outputs(query["public_key"], spent)
        if path == f"{API}/assets":
            return 200, ledger.search_assets(query["search"], int(query["limit"]))
        if path == f"{API}/metadata":
            return 200, ledger.search_metadata(query["search"], int(query["limit"]))
        if path == ASSETS and self.states is not None:
            stated = (query["name"], query["value"]) if "name" in query else None
            texts = twins.listed(ledger, stated, query.get("after"))
            return 200, [json.loads(text) for text in texts]
        if path == TEMPLATES and self.states is not None:
            return 200, finding.pinned(ledger)
        if path == f"{API}/blocks":
            return 200, ledger.blocks_of(query["transaction_id"])
        return 404, "<!DOCTYPE HTML><title>404 Not Found</title>"


@contextmanager
def serving(ledger: Ledger | None = None, **options: Any) -> Iterator[FakeNode]:
    """Serve a ledger, by default a new one under the server's own rules."""
    own = ledger or Ledger.open(":memory:", profile=SERVER)
    node = FakeNode(own, **options)
    try:
        yield node
    finally:
        node.close()
        if ledger is None:
            own.close()
