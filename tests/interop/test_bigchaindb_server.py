"""The server's own code, from PyPI, and ours give the same verdicts.

Installing it needs PyPI, so this runs in CI only (``pytest -m ci``).
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.interop import mutations
from tests.plugins import published
from tests.plugins.published import Published
from tests.plugins.tools import require_tool
from tests.rules.committed import Committed, Tx
from twincli.errors import InvalidError
from twincli.rules import structure, validity
from twincli.rules.validity import SERVER, STRICT

pytestmark = pytest.mark.ci

VECTORS = Path(__file__).parents[1] / "vectors"
OWN_CODES = {"overflow_error", "operation_unsupported"}
"""Refused under both profiles, whatever else is wrong; the README says so."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    uv = require_tool("uv")
    try:
        python = published.install(uv, tmp_path_factory.mktemp("bigchaindb"))
    except published.NotInstalledError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    with published.started(python) as running:
        yield running


def ours(tx: Any, committed: Committed, profile: str) -> tuple[str | None, Sequence[Any]]:
    """Return the code that a transaction is refused with, or None, and its deviations."""
    try:
        return None, validity.judge(structure.check(tx), committed, profile)
    except InvalidError as error:
        return error.code, ()


def compared(text: str, theirs: tuple[str, bool] | None, committed: Committed) -> str:
    """Hold our verdicts against the server's; return what kind of case it was."""
    code, deviations = ours(json.loads(text), committed, SERVER)
    strict, _ = ours(json.loads(text), committed, STRICT)
    if theirs is None:
        if code == "operation_unsupported":  # a vote is a transfer to the server
            return code
        assert code is None, text
        assert strict == (deviations[0].code if deviations else None), text
        return strict or "accepted"
    name, crashed = theirs
    assert code is not None, text
    # Strict does not verify fulfillments of types that it refuses anyway: they may cost a lot.
    if strict != "unsupported_fulfillment" or code != "invalid_signature":
        assert strict == code, text
    # What JSON does not have is no text to the one and to the other NaN, with another hash.
    if not crashed and code not in OWN_CODES and "NaN" not in text and "Infinity" not in text:
        assert code == re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), text
    return "crashed" if crashed else code


def cases() -> Iterator[tuple[str, list[Tx], str]]:
    """Yield name, transactions before, and body, of all vectors with verdicts."""
    _, *lines = (VECTORS / "validation_sample.jsonl").read_text().splitlines()
    for case in map(json.loads, lines):
        yield case["name"], case["setup"], json.dumps(case["tx"])
    steps = {}
    for file in ("driver_transactions", "driver_transactions_differ"):
        for scenario in json.loads((VECTORS / f"{file}.json").read_text())["scenarios"]:
            before: list[Tx] = []
            for step in scenario["steps"]:
                vector = step if "transaction_json" in step else step["python"]
                text = vector["transaction_json"]
                yield f"{scenario['name']}/{step['name']}", list(before), text
                steps[scenario["name"], step["name"]] = json.loads(text)
                if vector["server_2_2_2"]["status"] == 202:
                    before.append(json.loads(text))
    for case in json.loads((VECTORS / "driver_transactions_refused.json").read_text())["cases"]:
        after = [steps[ref["scenario"], ref["step"]] for ref in case["after"]]
        yield case["name"], after, case["transaction_json"]


def test_vectors(server: Published) -> None:
    kinds: Counter[str] = Counter()
    for _, before, text in cases():
        (theirs,) = server.judge(before, [text]).verdicts
        kinds[compared(text, theirs, Committed(*before, profile=SERVER))] += 1
    assert kinds["accepted"] > 50
    assert len(kinds) > 10


@pytest.mark.parametrize("seed", range(4))
def test_mutations(server: Published, seed: int) -> None:
    scene = mutations.scene()
    committed = Committed(*scene.before, profile=SERVER)
    texts = [json.dumps(tx) for tx in scene.right]
    assert server.judge(scene.before, texts).verdicts == [None] * len(texts)
    texts += mutations.texts(seed, 700, scene)
    kinds = Counter(
        compared(text, theirs, committed)
        for text, theirs in zip(texts, server.judge(scene.before, texts).verdicts, strict=True)
    )
    assert min(kinds["accepted"], kinds["schema_validation_error"], kinds["crashed"]) > 5
    assert len(kinds) > 12
