"""Nodes that the tests talk to."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from twincli.ledger import Ledger
from twincli.ledger.store import Store
from twincli.node.node import Node, Options
from twincli.node.server import Listening, Server

HASH = "a" * 64


class Answer(NamedTuple):
    """What a node answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


class Running(NamedTuple):
    """A node in a thread of this process."""

    url: str
    ws_url: str
    path: Path
    node: Node

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request over a connection of its own."""
        place = urlsplit(self.url)
        assert place.hostname is not None
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
        try:
            connection.request(method, quote(path, safe="/?=&%+"), body, headers or {})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Send a GET."""
        return self.ask("GET", path, headers=headers)

    def post(self, tx: Any, mode: str = "commit", **headers: str) -> Answer:
        """Send a transaction."""
        body = tx if isinstance(tx, bytes) else json.dumps(tx).encode()
        return self.ask("POST", f"/api/v1/transactions?mode={mode}", body, headers)


@contextmanager
def running(
    path: Path,
    options: Options | None = None,
    listening: Listening | None = None,
    wrap: Callable[[Node], Node] = lambda node: node,
) -> Iterator[Running]:
    """Run a node in a thread until the block ends; what it raises, this raises."""
    server = Server(listening or Listening(port=0))
    made: list[Node] = []
    faults: list[BaseException] = []
    is_ready = threading.Event()
    options = (options or Options())._replace(ws_port=server.ws_port)

    def make() -> Node:
        made.append(wrap(Node(lambda: Ledger.open(path), options)))
        return made[0]

    def serve() -> None:
        try:
            server.serve(make, is_ready.set)
        except BaseException as error:
            faults.append(error)
            raise
        finally:
            is_ready.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert is_ready.wait(20)
        assert not faults
        yield Running(server.url, server.ws_url, path, made[0])
    finally:
        server.stop()
        thread.join(30)
        server.close()
    assert not thread.is_alive()
    assert not faults


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that takes how many transactions each reading of a block's brings."""
    few, whole = Store.ids, Store.commits
    read = []

    def read_ids(store: Store, after: int, until: int) -> Any:
        found = few(store, after, until)
        read.append(len(found))
        return found

    def read_commits(store: Store, after: int, count: int, size: int) -> Any:
        found = whole(store, after, count, size)
        read.append(sum(len(of_block) for _, _, of_block in found))
        return found

    monkeypatch.setattr(Store, "ids", read_ids)
    monkeypatch.setattr(Store, "commits", read_commits)
    return read
