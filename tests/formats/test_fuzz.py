"""Nightly: a million expressions and templates end in an answer or in an error with a position."""

from __future__ import annotations

import copy
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

import twincli
from tests.model.test_template import GUARDED
from twincli.errors import InvalidError
from twincli.model import expression, template
from twincli.services.template import templates

BUILT_IN = [
    json.loads(path.read_text())["template"]
    for path in sorted((Path(twincli.__file__).parent / "model" / "templates").glob("*.json"))
]
WORDS = (
    *("a", "a.b", "facility", "and", "or", "not", "(", ")", "=", "!=", "<", "<=", ">", ">=", "~"),
    *("in", "has", "exists", ",", "200", "1e3", "-5", "200 hp", "250h", "2024-01-20", "'x'", '"'),
    *("true", "null", "é", "\x00", "\u202e", "1e400", "99999999999999999999", ".", "..", "\n", ""),
)
SCRAPS: tuple[Any, ...] = (
    *(None, True, 0, -1, 1 << 70, 1e308, "", "x", "\ud800", "twin", "timestamp", [], {}, [[]]),
    *(
        {"name": "x"},
        {"name": "x", "type": "list"},
        ["x", "x"],
        {"required": ["x"]},
        "a > 3",
        "a >",
    ),
)
DOCUMENT = {"a": {"b": 3}, "facility": "Plant-A", "hp": None, "list": ["x", 1]}


def judge_expression(seed: int) -> None:
    chance = random.Random(seed)
    text = " ".join(chance.choice(WORDS) for _ in range(chance.randrange(1, 20)))
    if chance.random() < 0.2:
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chr(chance.randrange(1, 0x3000)) + text[at:]
    try:
        node = expression.parse(text)
    except InvalidError as error:
        assert re.search(r"at character [0-9]+|characters|is empty", error.message), error.message  # noqa: PT017
        return
    assert isinstance(expression.paths(node), set)
    judged = expression.predicate(node, lambda _path, quantity: len(quantity))
    assert judged(DOCUMENT) in {True, False}


def judge_template(seed: int) -> None:
    chance = random.Random(seed)
    document: Any = copy.deepcopy(chance.choice([GUARDED, *BUILT_IN]))
    for _ in range(chance.randrange(1, 4)):
        place: Any = document
        while True:
            step = chance.choice(sorted(place) if isinstance(place, dict) else range(len(place)))
            inner = place[step]
            if isinstance(inner, (dict, list)) and inner and chance.random() < 0.7:
                place = inner
                continue
            if chance.random() < 0.3:
                del place[step]
            else:
                place[step] = copy.deepcopy(chance.choice(SCRAPS))
            break
        if not document:
            break
    for fault in template.faults(document):
        assert fault.message
        assert fault.right
        assert fault.path or "member" in fault.message


def judge_text(seed: int) -> None:
    """Check a file of which some characters were changed: a document, or an error with a line."""
    chance = random.Random(seed)
    text = templates.skeleton("pump-v1", name="Pump", asset_type="pump", category="x")
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(text))
        scrap = chance.choice(("\t", "\n", "&x ", "*x", "!!int ", "{", "]", ": ", "é", "\x00", "'"))
        text = text[:at] + scrap + text[at + chance.randrange(3) :]
    try:
        document = templates.check(text.encode(), "t.yaml")
    except InvalidError as error:
        assert "t.yaml" in error.message  # noqa: PT017
        return
    assert all(fault["line"] for fault in document["faults"])


@pytest.mark.parametrize("judge", [judge_expression, judge_template, judge_text])
def test_some_end_well(judge: Any) -> None:
    for seed in range(300):
        judge(seed)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(10))
def test_a_million_expressions_and_templates_end_well(part: int) -> None:
    for seed in range(part * 50_000, (part + 1) * 50_000):
        judge_expression(seed)
        judge_template(seed)
        if seed % 10 == 0:
            judge_text(seed)
