"""No input costs much more than an honest one of its size; ratios, in one run."""

from __future__ import annotations

import pytest

from benchmarks import costs
from twincli.errors import TwinError

# What each shape comes to: so a benchmark cannot measure an input that is refused too early.
VERDICTS = {
    "a long key over numbers, one too large": "overflow_error",
    "a long key over numbers and a forbidden key": "validation_error",
    "a long key over numbers and half a surrogate pair": "unencodable",
    "many keys, and one that is forbidden": "validation_error",
    "many languages": "overflow_error",
    "nesting of long keys": "overflow_error",
    "nesting, deeper than allowed": "unencodable",
    "long numbers": "overflow_error",
    "a long version": "invalid_signature",
    "a long operation": "schema_validation_error",
    "a field that is not one": "schema_validation_error",
    "an id of runs of hex": "schema_validation_error",
    "a key of runs of letters": "schema_validation_error",
    "a condition's URI of digits": "schema_validation_error",
    "one owner many times": "condition_uri_mismatch",
    "new owners in one threshold": "condition_uri_mismatch",
    "owners 98 levels deep": "condition_uri_mismatch",
    "owners 98 levels deep, the last wrong": "schema_validation_error",
    "names of new keys": "public_keys_mismatch",
    "a long preimage": "unsupported_fulfillment",
    "a preimage in pieces": "noncanonical_fulfillment",
    "many signatures behind a prefix": "unsupported_fulfillment",
    "prefixes of prefixes": "unsupported_fulfillment",
    "RSA signatures": "unsupported_fulfillment",
    "many unfulfilled conditions": "invalid_signature",
    "fulfillments 90 levels deep": "unsupported_fulfillment",
}


@pytest.mark.ci
def test_no_input_of_strangers_is_dear() -> None:
    figures = costs.figures(quick=True)
    assert len(figures) == len(costs.SHAPES)
    assert [figure for figure in figures if not figure.kept] == []


@pytest.mark.parametrize("shape", costs.SHAPES, ids=lambda shape: shape.name)
def test_a_shape_gets_as_far_as_it_should(shape: costs.Shape) -> None:
    error: TwinError | None = None
    try:
        costs.judge(shape.make(5_000))
    except TwinError as caught:
        error = caught
    assert (error and error.code) == VERDICTS.get(shape.name)
    assert error is None or len(error.message) < 3_000


@pytest.mark.parametrize("kind", costs.HONEST)
def test_the_honest_pass(kind: str) -> None:
    costs.judge(costs.HONEST[kind](5_000))
