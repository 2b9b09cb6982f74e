"""``aics-tlog`` from PyPI checks our checkpoints, cosignatures, tiles and proofs.

It needs Python 3.12 and a virtual environment of its own, so this runs in CI only
(``pytest -m ci``).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.chains import create
from tests.plugins.tools import require_tool
from twincli.crypto import notes, tiles, tlog
from twincli.crypto.ed25519 import KeyPair
from twincli.ledger import Ledger
from twincli.ledger import tiles as stored
from twincli.proof import checkpoints, proofs

pytestmark = pytest.mark.ci

PACKAGE = "aics-tlog==0.2.1"
SIZES = (1, 2, 255, 256, 300)
WITNESS = KeyPair.from_seed(b"w" * 32)
Checker = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Checker:
    """Return what runs the checking script in an environment of its own."""
    uv = require_tool("uv")
    place = tmp_path_factory.mktemp("aics")
    python = place / "venv" / "bin" / "python"
    for words in (
        ["venv", "-q", "--python", _python(), str(place / "venv")],
        ["pip", "install", "-q", "--python", str(python), PACKAGE],
    ):
        done = subprocess.run([uv, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            _unavailable(f"{PACKAGE} cannot be installed: {done.stderr}")
    script = Path(__file__).with_name("aics_tlog_check.py")

    def check(given: dict[str, Any]) -> dict[str, Any]:
        done = subprocess.run(
            [python, script], input=json.dumps(given), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return check


def _python() -> str:
    """Return a Python of 3.12 or later that runs."""
    from shutil import which

    roots = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    named = [which("python3.13"), which("python3.12"), which("python3")]
    for found in (*named, *map(str, Path(roots).glob("versions/3.1[2-9].*/bin/python"))):
        if found is None:
            continue
        ask = "import sys; print(sys.version_info >= (3, 12))"
        done = subprocess.run([found, "-c", ask], capture_output=True, text=True, check=False)
        if done.stdout.strip() == "True":
            return found
    _unavailable("there is no Python 3.12 or later")
    raise AssertionError


def _unavailable(message: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def test_everything_that_a_ledger_proves(checker: Checker, tmp_path: Path) -> None:
    """All of it is accepted, and nothing of it after a change."""
    made: list[dict[str, Any]] = []
    with Ledger.open(tmp_path / "ledger") as ledger:
        earlier: notes.Note | None = None
        for size in SIZES:
            ledger.submit_many([create(n) for n in range(ledger.tip().last_seq, size)])
            note = checkpoints.newest(ledger)
            note = note.with_signatures(
                [notes.cosign(note.text, "w.example", WITNESS, 1_700_000_000)]
            )
            listed = []
            for leaf in sorted({0, size // 2, size - 1}):
                tx_id = ledger.id_at(leaf + 1)
                proof = proofs.proof_of(ledger, tx_id, note)
                data = proof.extra + bytes.fromhex(tx_id)
                path = [notes.base64_of(part) for part in proof.path]
                listed.append({"leaf": leaf, "data": data.hex(), "path": path})
            growth = None
            if earlier is not None:
                old = tlog.parse_checkpoint(earlier.text)
                shown = proofs.growth(ledger, old.size, old.root, note)
                growth = {
                    "size": old.size,
                    "root": old.root.hex(),
                    "path": [notes.base64_of(part) for part in shown.path],
                }
            earlier = note
            made.append(
                {"note": note.to_bytes().decode(), "proofs": listed, "growth": growth, "size": size}
            )
        held = {}
        for level in range(3):
            for number in range(3):
                width = tiles.width_at(SIZES[-1], level, number)
                if width > 0:
                    stored.catch_up(ledger, SIZES[-1] // tiles.WIDTH)
                    data = stored.hashes(ledger, level, number, width)
                    held[tiles.path_of(level, number, width)] = data.hex()
        witness = notes.VerifierKey("w.example", notes.COSIGNATURE, WITNESS.public_bytes)
        answer = checker(
            {
                "log": checkpoints.key_of(ledger.id, ledger.public_key).text,
                "witness": witness.text,
                "checkpoints": made,
                "tiles": held,
            }
        )
    assert answer == {
        "checkpoints": len(SIZES),
        "proofs": sum(len(one["proofs"]) for one in made),
        "growths": len(SIZES) - 1,
        "tiles": 3,
        "refused": len(SIZES) + sum(len(one["proofs"]) for one in made) + len(SIZES) - 1,
    }
