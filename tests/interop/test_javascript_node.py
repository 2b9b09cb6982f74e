"""The official JavaScript driver and ORM, from npm, against our node.

Installing them needs the npm registry, so this runs in CI only (``pytest -m ci``).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.node.running import running
from tests.plugins.tools import require_tool

pytestmark = pytest.mark.ci

PACKAGES = (
    "bigchaindb-driver@4.3.0",
    "bigchaindb-orm@3.0.3",
    "babel-runtime@6.26.0",  # the ORM needs it and does not say so
    "ws@8.18.0",
)


def test_the_driver_the_orm_and_a_stream(tmp_path: Path) -> None:
    node, npm = require_tool("node"), require_tool("npm")
    (tmp_path / "package.json").write_text('{"private": true}')
    subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--silent", *PACKAGES],
        cwd=tmp_path,
        check=True,
        timeout=300,
    )
    with running(tmp_path / "ledger") as ours:
        program = str(Path(__file__).with_name("node.js"))
        done = subprocess.run(
            [node, program, str(tmp_path), ours.url],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        height = ours.get("/healthz").json["height"]
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["driver"] == {
        "made": True,
        "one": True,
        "history": 2,
        "transfers": 1,
        "spent": 1,
        "unspent": 1,
        "assets": 1,
        "metadata": 0,  # numbers are not searched
        "blocks": [2],
        "block": 1,
        "doubleSpend": "400 Bad Request (DoubleSpend)",
        "wrongKey": "400 Bad Request (InvalidSignature)",
        "badSignature": "400 Bad Request (InvalidSignature)",
    }
    assert seen["orm"] == {
        "created": {"entity": "car", "km": 0},
        "appended": {"entity": "car", "km": 7},
        "burned": {"entity": "car", "km": 7, "status": "BURNED"},
        "found": 1,
        "all": 1,
        "history": 3,
    }
    assert seen["stream"] == {
        "keys": ["height", "asset_id", "transaction_id"],
        "ids": True,
        "asset": True,
        "resumed": True,
    }
    assert height == 7
