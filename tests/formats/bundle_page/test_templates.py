"""The page holds values to templates as Python does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.bundle_page.conftest import Ask
from tests.formats.bundle_page.making import made, placed
from tests.formats.changed import changed
from twincli.crypto import canonical, cid
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import InvalidError
from twincli.formats import pages, shipped
from twincli.model import fields, record, template, transaction
from twincli.model.owners import of_keys
from twincli.services.proof.verify import verify_file

ALICE = KeyPair.from_seed(bytes(32))
UNITS: dict[str, Any] = {
    "km": {"km": [1, 1, 0, 1], "miles": [1609344, 1000000, 0, 1], "m": [1, 1000, 0, 1]},
    "C": {"C": [1, 1, 0, 1], "F": [5, 9, -160, 9], "K": [1, 1, -27315, 100]},
}
DOCUMENT: dict[str, Any] = {
    "id": "thing-v1",
    "name": "Thing",
    "assetType": "thing",
    "identifiers": {"primary": "serial", "secondary": ["plate"]},
    "facts": [{"name": "serial", "type": "text", "required": True}],
    "trackingFields": [
        {"name": "way", "type": "number", "unit": "km", "min": 0, "max": 1e6, "access": "public"},
        {"name": "heat", "type": "number", "unit": "C", "min": -40, "quality": {"max": 90.5}},
        {"name": "count", "type": "integer", "max": 5, "realTime": True},
        {"name": "length", "type": "integer", "unit": "km", "ownUnit": True},
        {"name": "age", "type": "duration", "unit": "km", "label": "Age"},
        {"name": "note", "type": "text"},
        {"name": "on", "type": "boolean"},
        {"name": "color", "type": "enum", "values": ["red", "blue"]},
        {"name": "when", "type": "datetime"},
        {"name": "place", "type": "coordinates"},
        {"name": "free", "type": "object"},
        {"name": "any", "type": "list"},
        {"name": "marks", "type": "list", "items": {"type": "number", "min": 1}},
        {
            "name": "size",
            "type": "object",
            "additionalFields": False,
            "fields": [
                {"name": "x", "type": "integer", "required": True, "min": 1},
                {"name": "y", "type": "list", "items": {"type": "object", "fields": []}},
            ],
        },
    ],
}
NAMES = [item["name"] for item in DOCUMENT["trackingFields"]]

NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
PLACED = st.dictionaries(
    st.sampled_from(["latitude", "longitude", "lat", "lon", "altitude", "accuracy", "x", "y"]),
    st.integers(-200, 200) | st.floats(-91, 91) | st.none(),
)
VALUES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-3, 8)
    | NUMBERS
    | st.sampled_from(
        ["red", "blue", "2024-02-30", "2024-02-29", "2024-01-01T00:00:00Z", "30d", ""]
    )
    | st.from_regex(r"[+-]?[0-9]{1,4}(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})? ?(km|m|miles|C|F|e5)?")
    | st.builds(lambda value, unit: {"value": value, "unit": unit}, NUMBERS, st.text(max_size=2))
    | st.builds(
        lambda value, unit: {"value": value, "unit": unit},
        NUMBERS | st.integers(0, 9),
        st.sampled_from(["km", "miles", "F", "K"]),
    )
    | PLACED
    | st.lists(st.integers(-91, 91) | st.just("x"), max_size=4)
    | st.fixed_dictionaries({"x": st.integers(-1, 2) | st.none()}, optional={"y": st.just([{}])})
    | st.text(max_size=5)
)


def _judged(compiled: bytes, facts: dict[str, Any], written: dict[str, Any]) -> str | None:
    """Return the code of what Python finds."""
    try:
        form, units = template.of_compiled(compiled)
    except InvalidError:
        return "missing_template"
    try:
        found = fields.check(form.fields, written, units, additional=form.additional)
        outside = found.outside + fields.check(form.facts, facts, units, additional=True).outside
    except InvalidError as error:
        return error.code
    return "out_of_range" if outside else None


def _asked(ask: Ask, compiled: bytes, facts: dict[str, Any], written: dict[str, Any]) -> Any:
    entry = {"isCreate": True, "envelope": None, "metadata": None, "data": facts}
    return ask(
        "fits",
        compiled=compiled.decode(),
        id=json.loads(compiled)["template"].get("id"),
        entry=json.dumps(entry),
        written=json.dumps(written),
    )["code"]


@given(st.dictionaries(st.sampled_from([*NAMES, "other"]), VALUES, min_size=1, max_size=2), VALUES)
def test_values_fit_alike(ask: Ask, written: dict[str, Any], serial: Any) -> None:
    compiled = template.compiled(DOCUMENT, UNITS)
    facts = {"serial": serial if isinstance(serial, str) else "7", "free": serial}
    assert _asked(ask, compiled, facts, written) == _judged(compiled, facts, written), written


@pytest.mark.parametrize(
    "written",
    [
        {"way": "12 miles"},
        {"way": "1e6\u00a0km "},
        {"way": "1000000.0000000001 km"},
        {"way": "621371.192237334 miles"},
        {"way": "621371.19223733397 miles"},
        {"way": "1e400 km"},
        {"way": "12\u2028km"},
        {"way": "12 k\nm"},
        {"way": {"value": 10**400, "unit": "m"}},
        {"way": {"value": 5, "unit": 5}},
        {"heat": "-40 F"},
        {"heat": "-40.00000000000001 F"},
        {"heat": -40.00000000000001},
        {"length": "7 km"},
        {"length": "7.5 km"},
        {"length": {"value": 7.0, "unit": "km"}},
        {"count": 5.0},
        {"count": True},
        {"place": [91, 0]},
        {"place": [90, -180.0]},
        {"place": {"lat": 1, "latitude": 1, "lon": 2}},
        {"place": {"lat": 1, "lng": 2, "accuracy": -1}},
        {"size": {"x": 1, "z": 1}},
        {"size": {"y": [{}]}},
        {"size": {"x": 1, "y": [{"a": 1}]}},
        {"marks": [1, 0]},
        {"color": "RED"},
        {"when": "2024-01-20T09:00:00"},
        {"when": "9999-12-31T23:59:59-01:00"},
    ],
    ids=str,
)
def test_values_at_the_bounds_fit_alike(ask: Ask, written: dict[str, Any]) -> None:
    compiled = template.compiled(DOCUMENT, UNITS)
    assert _asked(ask, compiled, {}, written) == _judged(compiled, {}, written)


@given(st.lists(st.tuples(st.integers(), st.integers(1)), max_size=20), st.integers(0, 1100))
def test_fractions_are_rounded_alike(ask: Ask, pairs: list[tuple[int, int]], power: int) -> None:
    listed = [*pairs, *((top, bottom * 10 ** (power % 340)) for top, bottom in pairs)]
    listed += [(top, bottom << power) for top, bottom in pairs]
    expected = [repr(top / bottom if top else 0.0) for top, bottom in listed]
    pairs_of_texts = [[str(top), str(bottom)] for top, bottom in listed]
    found = ask("divided", pairs=pairs_of_texts)
    assert found == expected


ODD: st.SearchStrategy[Any] = VALUES | st.sampled_from(
    [
        *template.TYPES,
        *NAMES,
        2**63,
        "x" * 65,
        "\u2003",
        "\u00fc",
        "a b",
        "twin",
        "v-v1",
        "a-v0",
        [],
    ]
)


@given(st.data())
def test_templates_are_read_alike(ask: Ask, data: st.DataObject) -> None:
    whole = {"format": 1, "template": DOCUMENT, "units": UNITS}
    document = changed(data, whole, ODD)
    if not isinstance(document.get("template"), dict):
        return
    compiled = canonical.encode(document)
    expected = _judged(compiled, {}, {})
    assert _asked(ask, compiled, {}, {}) == expected, document


def test_templates_in_the_package_are_read(ask: Ask) -> None:
    for name in shipped.ids():
        compiled = shipped.data(name)
        assert compiled is not None
        assert _asked(ask, compiled, {}, {}) is None, name


def _registered(document: dict[str, Any]) -> dict[str, Any]:
    compiled = json.loads(template.compiled(document, UNITS))
    envelope = record.envelope("template", template=document["id"])
    output = transaction.Output(of_keys([ALICE.public_key]))
    tx = transaction.create([ALICE.public_key], [output], {**compiled, "twin": envelope})
    return transaction.sign(tx, [ALICE])


def _twin(pin: tuple[str, bytes], writes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a twin that is held to a template, and what it writes."""
    named, compiled = pin
    output = transaction.Output(of_keys([ALICE.public_key]))
    envelope = record.envelope(
        "asset", name="car", template=named, template_cid=cid.of(compiled).text
    )
    create = transaction.create(
        [ALICE.public_key], [output], {"serial": "7", "twin": envelope}, metadata=writes[0]
    )
    txs = [transaction.sign(create, [ALICE])]
    for written in writes[1:]:
        spend = transaction.Spend.of(txs[-1])
        tx = transaction.transfer([spend], [output], txs[0]["id"], written)
        txs.append(transaction.sign(tx, [ALICE]))
    return txs


APPEND = record.envelope("append")
BURN = record.envelope("burn")
DOUBTED = {**APPEND, "suspect": ["way"]}


@pytest.mark.parametrize(
    ("writes", "status"),
    [
        ([{"way": 5}, {"way": 6}], "consistent"),
        ([{"way": -5}], "failed"),
        ([{"way": 5}, {"way": -6}], "failed"),
        ([{"way": 5}, {"way": -6, "twin": DOUBTED}], "consistent"),
        ([{"way": 5}, {"heat": -60, "twin": DOUBTED}], "failed"),
        ([{"way": 5}, {"speed": 6}], "failed"),
        ([{"way": 5}, {"status": "BURNED", "twin": BURN}], "consistent"),
        ([{"way": 5}, {"status": "BURNED", "twin": APPEND}], "failed"),
    ],
    ids=str,
)
def test_bundles_of_twins_with_templates(
    ask: Ask, tmp_path: Path, writes: list[dict[str, Any]], status: str
) -> None:
    registered = _registered(DOCUMENT)
    compiled = template.compiled(DOCUMENT, UNITS)
    path = tmp_path / "car.twin"
    # Its registration stands behind it: where one stands does not matter.
    twin = _twin(("thing-v1", compiled), writes)
    for txs, expected in (
        ([*twin, registered], status),
        (twin, "undetermined"),  # nobody here knows what its values are held to
        ([*_twin(("other-v1", compiled), writes), registered], "undetermined"),
        ([*_twin(("vehicle-tracking-v1", compiled), writes), registered], "undetermined"),
    ):
        path.write_bytes(made(placed(txs), page=pages.page()))
        mine = verify_file(str(path))
        theirs = ask("judge", path=str(path), pages=sorted(pages.known()))
        assert (mine["status"], theirs["status"]) == (expected, expected)
        if mine["problem"] is not None:
            assert theirs["first"]["where"] == mine["problem"]["where"]
            assert theirs["first"]["code"] == mine["problem"]["code"]
