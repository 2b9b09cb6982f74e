"""The page with a bundle inside, in headless Chromium, from a file and without network."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.formats.bundle_page.making import made, placed
from tests.plugins.tools import require_tool
from twincli.crypto.ed25519 import KeyPair
from twincli.formats import pages
from twincli.model import record, transaction
from twincli.model.owners import of_keys

pytestmark = pytest.mark.ci

ALICE = KeyPair.from_seed(bytes(32))
EVIL = "<img src=x onerror=document.title='broken'>"


def _bundle() -> bytes:
    output = transaction.Output(of_keys([ALICE.public_key]))
    facts = {"note": EVIL, "twin": record.envelope("asset", name="car")}
    create = transaction.create([ALICE.public_key], [output], facts)
    return made(placed([transaction.sign(create, [ALICE])]), page=pages.page())


def _shown(folder: Path, data: bytes, anchors: str = "") -> str:
    """Return the document that a browser makes of the page around a bundle."""
    path = folder / "car.html"
    path.write_bytes(b"".join(pages.embedded([data], len(data))))
    words = [
        *(require_tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu"),
        *("--disable-background-networking", f"--user-data-dir={folder / 'profile'}"),
        *("--virtual-time-budget=10000", "--dump-dom", f"{path.as_uri()}{anchors}"),
    ]
    made_ = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return re.sub(r"<script.*?</script>", "", made_.stdout, flags=re.DOTALL)


def test_it_says_yes_and_after_one_changed_byte_no_and_where(tmp_path: Path) -> None:
    data = _bundle()
    text = _shown(tmp_path, data, f"#issuer={ALICE.public_key}")
    assert 'data-status="verified"' in text
    assert "onerror" in text
    assert "<img" not in text
    at = data.index(b'"note"') + 2
    text = _shown(tmp_path, data[:at] + b"x" + data[at + 1 :], f"#issuer={ALICE.public_key}")
    assert 'data-status="failed"' in text
    assert "transactions.jsonl" in text
