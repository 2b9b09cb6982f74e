"""What coverage leaves alone: drawn examples, where no line needs them to be covered.

The tracer makes such a test three to five times as slow. Where every branch has to be covered, the
examples of a few files are what covers the last of them; those are traced.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TRACED = {
    "crypto": {"containers", "derivation", "merkle", "vault"},
    "model": {
        *("bodies", "did", "expression", "ids", "leaves", "reading", "record", "template", "text"),
        *("transaction", "words"),
    },
    "rules": {"structure"},
}
"""Files of tests whose drawn examples are traced, by the room."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the others for pytest-cov."""
    for item in items:
        room, *_ = item.path.relative_to(TESTS).parts
        is_traced = item.path.stem.removeprefix("test_") in TRACED.get(room, ())
        if not is_traced and hasattr(getattr(item, "obj", None), "hypothesis"):
            item.add_marker("no_cover")
