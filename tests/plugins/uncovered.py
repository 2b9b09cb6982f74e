"""What coverage leaves alone: drawn examples outside the rooms that need every branch.

The tracer makes such a test three to five times as slow, and a line that only a drawn example
reaches is not covered by a test: another draw misses it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
COVERED = ("crypto", "model", "rules")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them for pytest-cov."""
    for item in items:
        room = item.path.relative_to(TESTS).parts[0]
        if room not in COVERED and hasattr(getattr(item, "obj", None), "hypothesis"):
            item.add_marker("no_cover")
