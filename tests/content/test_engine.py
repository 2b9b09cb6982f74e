"""The engine is quiet: what it draws would stand in somebody's pipe."""

from __future__ import annotations

import ast
from pathlib import Path

import twincli


def test_no_engine_draws_a_progress_bar() -> None:
    package = Path(twincli.__file__).parent
    found = [
        path
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("duckdb.connect", "load_duckdb().connect"))
    ]
    assert len(found) == 6
    for path in found:
        assert "enable_progress_bar = false" in path.read_text(), path
