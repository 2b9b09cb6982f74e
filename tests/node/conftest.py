"""A node for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.running import Running, running


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Running]:
    """Return a node over an empty ledger."""
    with running(tmp_path / "ledger") as found:
        yield found
