"""BigchainDB's canonical JSON."""

from __future__ import annotations

import ast
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import rapidjson
from hypothesis import example, given
from hypothesis import strategies as st

from twincli.crypto import canonical
from twincli.errors import InvalidError

VECTORS = Path(__file__).parent.parent / "vectors"
CASES = json.loads((VECTORS / "canonical_json.json").read_text())["cases"]

texts = st.text(st.characters(exclude_categories=["Cs"]))
# Control characters and backslashes are where encoders differ, so they come often.
awkward = st.text(st.sampled_from('\\"/u001fabAB\0\x01\x0b\x1f\x7f\u2028\uffff\U0001f600'))
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | awkward,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts | awkward, inner, max_size=5),
    max_leaves=12,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["python"])
def test_measured_on_a_server(case: dict[str, str]) -> None:
    data = canonical.encode(ast.literal_eval(case["python"]))
    assert data.decode() == case["canonical"]
    assert canonical.sha3_hex(data) == case["sha3_256"]


def test_sha3() -> None:
    # NIST CSRC, SHA3-256 of the empty message and of "abc".
    empty = "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"
    assert canonical.sha3_hex(b"") == empty
    abc = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"
    assert canonical.sha3_hex(b"abc") == abc


@given(values)
@example("\\u001f\x1f\\\\u001f\\\x1f")
@example({"\x1f": "\\u001f"})
def test_equals_what_the_server_calls(value: Any) -> None:
    expected = rapidjson.dumps(value, ensure_ascii=False, sort_keys=True)
    assert canonical.encode(value) == expected.encode()
    assert canonical.text_of(value) == expected


@given(values)
def test_decodes_to_the_same_value(value: Any) -> None:
    data = canonical.encode(value)
    decoded = canonical.decode(data)
    assert canonical.encode(decoded) == data
    assert canonical.decode(data.decode()) == decoded


def test_tuples_are_lists() -> None:
    assert canonical.encode({"a": (1, [2], ({"b": 3},))}) == b'{"a":[1,[2],[{"b":3}]]}'


def nested(depth: int, value: Any = 1) -> Any:
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (float("nan"), "^the document: nan is not a JSON number"),
        ({"a": {"b": [0, float("inf")]}}, r"^a\.b\[1\]: inf is not a JSON number"),
        ({"a": [{"b": -float("inf")}]}, r"^a\[0\]\.b: -inf is not a JSON number"),
        ("\ud800", "^the document: the text contains half of a surrogate pair"),
        ({"a": ["x", "\udfff"]}, r"^a\[1\]: the text contains half"),
        ({"a": {"\ud800": 1}}, "^a: a key contains half"),
        ({"\ud800": 1}, "^the document: a key contains half"),
        ({1: 2}, "^the document: the key 1 is not text"),
        ({True: 2}, "^the document: the key true is not text"),
        ({None: 2}, "^the document: the key null is not text"),
        ({"a": [{"b": {1.5: 2}}]}, r"^a\[0\]\.b: the key 1.5 is not text"),
        ({"a": ({"b": 1}, {3: 4})}, r"^a\[1\]: the key 3 is not text"),
        ({"a": {"x", "y"}}, "^a: a set is not a JSON value"),
        ({"a": b"bytes"}, "^a: a bytes is not a JSON value"),
        ({"a": 1, 2: 3}, "^the document: the key 2 is not text"),
        (object(), "^the document: a object is not a JSON value"),
        ({"a": ["x", [1]], "b": float("nan")}, "^b: nan is not a JSON number"),
        (OrderedDict({1: 2}), "^the document: the key 1 is not text"),
        ({"a": [OrderedDict({1: 2})]}, r"^a\[0\]: the key 1 is not text"),
        ({"a": 10**5000}, "^the document: cannot be written as JSON"),
        (nested(100_000), "nested too deeply"),
        # Deep enough for one of the walks but not for the other, whichever it is.
        *[({"a": nested(depth)}, "nested too deeply") for depth in (999, 3000, 20_000)],
        *[
            (nested(depth, float("nan")), "nested too deeply|not a JSON number")
            for depth in (400, 900)
        ],
    ],
)
def test_what_has_no_canonical_form(value: Any, part: str) -> None:
    with pytest.raises(InvalidError, match=part) as caught:
        canonical.encode(value)
    assert caught.value.code == "unencodable"


def test_deep_documents() -> None:
    for value in ({"a": nested(300)}, nested(300, {"a": 1})):
        assert canonical.encode(value).count(b"[") == 300


def test_a_compiled_encoder_may_go_deeper_than_python(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = {"a": nested(20_000, {"b": 1})}
    monkeypatch.setattr(canonical, "_encode_text", lambda _: '{"a":1}')
    with pytest.raises(InvalidError, match="nested too deeply"):
        canonical.encode(deep)

    def refuse(_: object) -> str:
        raise ValueError

    monkeypatch.setattr(canonical, "_encode_text", refuse)
    with pytest.raises(InvalidError, match="nested too deeply"):
        canonical.encode(deep)


def test_a_colon_in_a_text() -> None:
    assert canonical.encode("a:b") == b'"a:b"'


class Text(str):
    __slots__ = ()


def test_a_text_of_another_class_is_text() -> None:
    assert canonical.encode({Text("a"): Text("b")}) == b'{"a":"b"}'


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' occurs twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[-Infinity]", "-Infinity is not a JSON number"),
        ("[1e400]", "1e400 is too large for a double"),
        ("[-1e400]", "-1e400 is too large"),
        ('{"a": }', "expecting value at line 1, column 7"),
        ('{"a": 1,\n "b" 2}', "expecting ':' delimiter at line 2, column 6"),
        ("", "expecting value at line 1, column 1"),
        ("1 2", "extra data at line 1, column 3"),
        (b'{"a": "\xff"}', "is not UTF-8: byte 8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5000, "a number is too long"),
    ],
)
def test_refused_json(data: str | bytes, part: str) -> None:
    with pytest.raises(InvalidError, match=part) as caught:
        canonical.decode(data, what="the metadata")
    assert caught.value.code == "invalid_json"
    assert "the metadata" in caught.value.message


def test_half_a_surrogate_pair_in_an_escape() -> None:
    with pytest.raises(InvalidError, match="half of a surrogate pair"):
        canonical.decode(r'{"a": "\ud800"}')


def test_a_number_keeps_its_kind() -> None:
    assert canonical.encode(canonical.decode("[1E16,10000000000000000,-0,-0.0,1.0,1]")) == (
        b"[1e+16,10000000000000000,0,-0.0,1.0,1]"
    )
