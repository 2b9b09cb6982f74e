"""JSON and YAML with line numbers, and what of YAML is not read."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import ConfigError, InvalidError
from twincli.formats import marked

TEXT = """\
# a comment
id: car-v1
fields:
  - name: mileage
    unit: "km"
  - {name: on, at: 12:30, day: 2024-01-15}
more: null
"""


def test_values_and_their_lines() -> None:
    found = marked.read(TEXT.encode(), "x.yaml")
    assert found.value == {
        "id": "car-v1",
        "fields": [
            {"name": "mileage", "unit": "km"},
            {"name": "on", "at": "12:30", "day": "2024-01-15"},
        ],
        "more": None,
    }
    assert found.line(("fields", 0, "unit")) == 5
    assert found.line(("fields", 1, "day")) == 6
    assert found.line(("fields", 1, "missing")) == 6
    assert found.line(()) == 2
    assert marked.Marked(None, {}).line(("a",)) is None


def test_json_has_lines_too() -> None:
    found = marked.read(b'{"a": 1,\n "b": [1,\n2]}', "x.json")
    assert found.value == {"a": 1, "b": [1, 2]}
    assert found.line(("b", 1)) == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: on", "on"),
        ("a: no", "no"),
        ("a: ~", None),
        ("a:", None),
        ("a: true", True),
        ("a: 'true'", "true"),
        ("a: -5", -5),
        ("a: 1.0", 1.0),
        ("a: 1e3", 1000.0),
        ("a: 007", "007"),
        ("a: .5", ".5"),
        ("a: 0x10", "0x10"),
        ("a: |\n  b\n", "b\n"),
        ("\ufeffa: 1", 1),
        ("a: 1 # why", 1),
        ("a: {}", {}),
        ("a: []", []),
    ],
)
def test_plain_scalars_are_json_where_they_are_json(text: str, value: Any) -> None:
    found = marked.read(text.encode(), "x").value["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: &x 1\nb: *x", "line 1: aliases"),
        ("a: 1\nb: *x", "line 2"),
        ("a: !!python/object:os.system x", "line 1: the tag"),
        ("a: !x 1", "line 1: the tag"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' stands here twice"),
        ("---\na: 1\n---\nb: 1", "second document"),
        ("", "is empty"),
        ("# nothing", "is empty"),
        ("a: [1", "line"),
        ("a: {b: 1", "line"),
        ("? [1]\n: x", "a key is not a text"),
        ("? &x a\n: x", "a key has neither"),
        ("<<: {a: 1}", "<< merges nothing"),
        ("a: b: c", "line 1: a text with a colon"),
        ("a:\n\t- b", "line 2: a tab cannot indent YAML"),
        ("a:\n  \tb: 1\n  c: 2", "line 2: a tab cannot indent YAML"),
        ("a: @b", "line 1: found character"),
        ("a:\n  - 1\n b: 2", "line"),
        ("a: \x00", "not YAML"),
        ("- " * 60 + "x", "too much"),
        ("{", "JSON"),
        ('{"a": 1, "a": 2}', "a"),
    ],
)
def test_what_is_not_read(text: str, part: str) -> None:
    with pytest.raises(InvalidError) as caught:
        marked.read(text.encode(), "x.yaml")
    assert part in caught.value.message
    assert "x.yaml" in caught.value.message


def test_other_encodings_and_sizes() -> None:
    with pytest.raises(InvalidError, match="not UTF-8"):
        marked.read("é: 1".encode("latin-1"), "x")
    with pytest.raises(InvalidError, match="larger than 1 MiB"):
        marked.read(b"x" * (marked.MAX_BYTES + 1), "x")
    with pytest.raises(InvalidError, match="too much"):
        marked.read(b"- 1\n" * (marked.MAX_VALUES + 1), "x")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert marked.read(b'{"a": 1}', "x") == marked.Marked({"a": 1}, {})
    with pytest.raises(ConfigError) as caught:
        marked.read(b"a: 1", "x")
    assert caught.value.code == "missing_extra"


def test_json_that_is_no_yaml_is_read_without_lines() -> None:
    assert marked.read(b'{"a":\t"\\/"}', "x").value == {"a": "/"}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcd", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=9,
)


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=4), values, max_size=4))
def test_what_is_written_as_json_is_read(document: dict[str, Any]) -> None:
    assert marked.read(json.dumps(document).encode(), "x").value == document
    assert marked.read(b"x: " + json.dumps(document, ensure_ascii=False).encode(), "x").value == {
        "x": document
    }


@given(st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@` \n?,<=~1"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = marked.read(text.encode(), "x")
    except InvalidError as error:
        fault = error
    else:
        assert found.lines
        return
    assert "x" in fault.message


def test_the_safe_loader_agrees_on_what_both_read() -> None:
    assert yaml.safe_load(TEXT)["fields"][0] == marked.read(TEXT.encode(), "x").value["fields"][0]


def test_what_cannot_be_in_a_text_is_one_line() -> None:
    with pytest.raises(InvalidError) as caught:
        marked.read(b"id: a\x00b\n", "t.yaml")
    assert caught.value.code == "invalid_yaml"
    assert "\n" not in caught.value.message
