"""The modules of the page in node, one process for all tests of a file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.tools import require_tool

Ask = Callable[..., Any]

OLDEST = 20
"""The first version of node whose WebCrypto has Ed25519 without a warning that fails."""


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Return a function that asks ``page.mjs``."""
    node = require_tool("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").partition(".")[0]) < OLDEST:
        pytest.skip(f"node {version.stdout.strip()} is older than {OLDEST}")
    script = Path(__file__).with_name("page.mjs")
    with subprocess.Popen(
        [node, "--no-warnings", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said, heard = process.stdin, process.stdout

        def asked(what: str, **question: Any) -> Any:
            said.write(json.dumps({"what": what, **question}) + "\n")
            said.flush()
            answer = json.loads(heard.readline())
            assert "error" not in answer, answer
            return answer["answer"]

        yield asked
        said.close()
