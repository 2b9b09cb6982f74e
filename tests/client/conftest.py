"""Ledgers behind every ``LedgerClient``, and the clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.client.fakenode import FakeNode, serving
from twincli.client.network import NetworkClient
from twincli.client.nodes import Nodes
from twincli.client.profiles import of_urls

Connect = Callable[..., NetworkClient]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Return what makes a client of nodes; all have one directory of copies."""
    with ExitStack() as stack:

        def make(
            *nodes: FakeNode | str, timeout: float = 5.0, mode: str = "commit"
        ) -> NetworkClient:
            urls = [node if isinstance(node, str) else node.url for node in nodes]
            profile = of_urls(urls)
            client = NetworkClient(
                Nodes(profile.urls, {}, timeout), str(tmp_path / "copies"), profile.network, mode
            )
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def node() -> Iterator[FakeNode]:
    with serving() as made:
        yield made
