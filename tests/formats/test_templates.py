"""The built-in templates, and the format's JSON Schema beside the checker."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import twincli
from docs.tools import template_format
from tests.formats.changed import changed
from tests.model.test_template import GUARDED, VEHICLE
from twincli.crypto import canonical
from twincli.formats import marked, units
from twincli.model import template

MODEL = Path(twincli.__file__).parent / "model"
SCHEMA = jsonschema_rs.Draft202012Validator(
    json.loads((MODEL / "schemas" / "template-format.json").read_text())
)
BUILT_IN = sorted((MODEL / "templates").glob("*.json"))
NAMED = {
    "vehicle-tracking-v1",
    "manufacturing-product-v2",
    "product-lifecycle-v1",
    "construction-equipment-v1",
    "supply-chain-v2",
    "maintenance-tracking-v1",
    "battery-passport-v1",
}


def test_those_named_are_there() -> None:
    assert {path.stem for path in BUILT_IN} >= NAMED


@pytest.mark.parametrize("path", BUILT_IN, ids=lambda path: path.stem)
def test_a_built_in_template(path: Path) -> None:
    text = path.read_bytes()
    document = json.loads(text)
    assert set(document) == {"format", "template", "units"}
    assert text == canonical.encode(document) + b"\n"
    assert template.faults(document["template"]) == []
    assert SCHEMA.is_valid(document["template"])
    found = template.read(document["template"])
    assert found.id == path.stem
    assert found.category
    assert found.view["card"]
    assert json.loads(json.dumps(units.freeze(found))) == document["units"]


@pytest.mark.parametrize("document", [VEHICLE, GUARDED])
def test_the_schema_takes_what_is_valid(document: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(document)


def test_every_member_is_explained_with_an_example_that_is_valid() -> None:
    whole = json.loads((MODEL / "schemas" / "template-format.json").read_text())
    waiting: list[Any] = [whole]
    while waiting:
        part = waiting.pop()
        for name, member in part.get("properties", {}).items():
            if "const" in member or ("enum" in member and "examples" not in member):
                continue  # a condition
            assert member["description"], name
            assert member["examples"], name
        waiting += [inner for inner in part.values() if isinstance(inner, dict)]
    examples = {name: member["examples"][0] for name, member in whole["properties"].items()}
    assert template.faults(examples) == []
    assert SCHEMA.is_valid(examples)
    assert set(template.MEMBERS) == set(examples)
    for name, member in whole["$defs"]["item"]["properties"].items():
        alone = jsonschema_rs.Draft202012Validator({**member, "$defs": whole["$defs"]})
        assert alone.is_valid(member["examples"][0]), name


def test_the_page_of_the_format_has_the_example() -> None:
    text = template_format.page().partition("```yaml\n")[2].partition("```")[0]
    found = marked.read(text.encode(), "the page")
    assert template.faults(found.value) == []


# What the schema does not say: rules between members, sizes in all, words of expressions and
# of schedules.
BESIDES = [
    *("tracking field", "primary identifier", "no stream", "no transition", "too many", "nests"),
    *("wrong at character", "join the two", "min is above", "only a whole field"),
    *("there is no unit", "already", "cannot be reached", "no transition asks", "no fact or field"),
    *("is of type", "no value is good", "more than 64 bits", "has a part"),
    *("is not a schedule", "can mean", "has no number", "is not a number of"),
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab-_1 ", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "type", "every", "min", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.data())
def test_schema_and_checker_agree(data: st.DataObject) -> None:
    document = changed(data, GUARDED, json_values)
    found = [
        fault
        for fault in template.faults(document)
        if not any(part in f"{fault.message}: {fault.right}" for part in BESIDES)
    ]
    assert SCHEMA.is_valid(document) == (not found), (
        found,
        [error.message for error in SCHEMA.iter_errors(document)],
    )


PARAGRAPHS = {
    **{f"VI A {number}": "public" for number in range(1, 11)},
    **{f"XIII 1({letter})": "public" for letter in "bcdefghijklmnopqrs"},
    **{f"XIII 2({letter})": "legitimate_interest" for letter in "abcd"},
    "XIII 3": "authorities",
    **{f"XIII 4({letter})": "legitimate_interest" for letter in "abcd"},
}
"""Of Regulation (EU) 2023/1542, and whom each may be shown to."""


def test_the_passport_of_batteries_has_all_of_annex_xiii() -> None:
    text = (MODEL / "templates" / "battery-passport-v1.json").read_text(encoding="utf-8")
    document = json.loads(text)["template"]
    found: dict[str, set[str]] = {}
    for field in (*document["facts"], *document["trackingFields"]):
        why = field["description"].replace("4(a) and (b)", "4(a), XIII 4(b)")
        for cited in re.findall(r"VI A \d+|XIII \d(?:\([a-z]\))?", why):
            found.setdefault(cited, set()).add(field.get("access", "public"))
    assert found == {cited: {access} for cited, access in PARAGRAPHS.items()}
