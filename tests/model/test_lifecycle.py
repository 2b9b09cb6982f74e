"""The lifecycle that a twin is given: what holds, and what is refused with its path."""

from __future__ import annotations

from typing import Any

import pytest

from twincli.errors import InvalidError
from twincli.model import lifecycle

SEED = {
    "stages": [
        *("design", "manufacturing", "testing", "shipping"),
        *("retail", "customer", "service", "disposal"),
    ],
    "currentStage": "manufacturing",
}
KNOWN = tuple(SEED["stages"])


@pytest.mark.parametrize(
    ("found", "known"),
    [
        (SEED, ()),
        (SEED, KNOWN),
        ({"stages": ["testing", "disposal"]}, KNOWN),
        ({"currentStage": "testing"}, KNOWN),
        ({"stages": ["a b", "ä"], "currentStage": "ä", "note": 1}, ()),
        ("five years", ()),
        ({"years": 5}, KNOWN),
        (None, ()),
    ],
)
def test_what_holds(found: Any, known: tuple[str, ...]) -> None:
    lifecycle.check({"lifecycle": found}, known)
    lifecycle.check({}, known)


@pytest.mark.parametrize(
    ("found", "known", "part"),
    [
        ({"stages": "design"}, (), "lifecycle.stages: 'design' is not a list"),
        ({"stages": []}, (), "lifecycle.stages"),
        ({"stages": None, "currentStage": "a"}, (), "lifecycle.stages"),
        ({"stages": {"a": 1}}, (), "lifecycle.stages"),
        ({"stages": ["a", 7]}, (), r"lifecycle.stages\[1\]: 7"),
        ({"stages": ["a", ""]}, (), r"lifecycle.stages\[1\]"),
        ({"stages": ["a", " b"]}, (), r"lifecycle.stages\[1\]"),
        ({"stages": ["a\nb"]}, (), r"lifecycle.stages\[0\]"),
        ({"stages": ["a", "b", "a"]}, (), r"lifecycle.stages\[2\]: 'a' stands there twice"),
        ({"stages": ["x" * 201]}, (), "201 characters"),
        ({"stages": [str(number) for number in range(1001)]}, (), "1001 stages"),
        ({"stages": ["a"], "currentStage": "b"}, (), "lifecycle.currentStage: 'b'"),
        ({"stages": ["a"], "currentStage": ["a"]}, (), "lifecycle.currentStage"),
        ({"stages": ["a"], "currentStage": None}, (), "lifecycle.currentStage"),
        ({"currentStage": "a"}, (), "lifecycle.stages is missing"),
        ({"currentStage": "a"}, KNOWN, "lifecycle.currentStage: 'a'"),
        ({"stages": ["design", "sale"]}, KNOWN, r"lifecycle.stages\[1\]: the template has no"),
        ({"stages": ["retail", "design"]}, KNOWN, r"lifecycle.stages\[1\]: 'design' comes before"),
    ],
)
def test_what_is_refused(found: Any, known: tuple[str, ...], part: str) -> None:
    with pytest.raises(InvalidError, match=part) as caught:
        lifecycle.check({"lifecycle": found}, known)
    assert caught.value.code == "invalid_lifecycle"
    assert caught.value.hint
