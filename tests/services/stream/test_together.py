"""Many readings as columns: held to the template as each would be alone."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from twincli.errors import TwinError
from twincli.formats.readings import columns
from twincli.model import batch as batches
from twincli.model import reading, template
from twincli.services.catalogue import Model
from twincli.services.stream import ingest, rules
from twincli.services.stream.rules import Rules

FORM = {
    "id": "test-v1",
    "name": "Test",
    "assetType": "test",
    "identifiers": {"primary": "serial"},
    "trackingFields": [
        {
            "name": "temperature",
            "type": "number",
            "min": -40,
            "max": 80.5,
            "quality": {"min": -10, "max": 60},
        },
        {"name": "count", "type": "integer", "min": 0, "max": 100, "quality": {"max": 90}},
        {"name": "share", "type": "integer", "min": 0.5},
        {"name": "label", "type": "text"},
        {"name": "on", "type": "boolean"},
        {"name": "mode", "type": "enum", "values": ["a", "b"]},
        {"name": "place", "type": "coordinates"},
        {"name": "when", "type": "datetime"},
        {"name": "inner", "type": "object"},
    ],
}
MODEL = Model(template.read(FORM), {}, "cid", "file")
T = 1_700_000_000

VALUES: dict[str, list[Any]] = {
    "temperature": [20.5, 20, -9.99, -10, 60.0, 80.5, 81, -40, -41.0, None, "hot", True],
    "value": [20.5, 3, 60, 90, "a", None],
    "count": [1, 0, 100, 101, -1, 90, 89, None, 1.0],
    "share": [0, 1],
    "label": ["x", "", None, 7],
    "on": [True, False, None, 1],
    "mode": ["a", "b", None, "c"],
    "when": ["2024-01-01", "x"],
    "other": [1, 2.5, None],
    "lat": [1.5, 90, 91],
    "lng": [2.5, -180],
    "accuracy": [3, -1],
    "alt": [3],
    "place": [
        {"latitude": 1, "longitude": 2.5},
        {"lat": 1, "lng": 2.5, "accuracy": 2},
        {"latitude": 1.0, "longitude": 2, "metadata": {"speed": 1}},
        {"altitude": 1},
        {"latitude": 1, "longitude": 2, "accuracy": -1},
        {"latitude": 1, "longitude": 2, "alt": 1},
    ],
    "inner": [{"a": 1}],
}


def alone(held: Rules, data: bytes, on_invalid: str | None) -> batches.Batch | None:
    """Return what comes of holding each observation, None where one is refused."""
    found = [reading.parse(json.loads(line)) for line in data.splitlines()]
    try:
        items = [rules.hold(held, each, on_invalid) for each in found]
        return ingest.gathered(items, held.stream, dict(held.kinds))
    except TwinError:
        return None


def told(batch: batches.Batch) -> Any:
    return {
        column.series: (
            column.kind,
            [repr(value) for value in column.values.tolist()],
            None if column.valid is None else column.valid.tolist(),
            [] if column.suspect is None else column.suspect.tolist(),
        )
        for column in batch.columns
    }


@pytest.mark.parametrize("stream", ["all", "temperature", "count", "place", "mode", "inner"])
@pytest.mark.parametrize("on_invalid", [None, "suspect", "reject"])
def test_as_each_alone(stream: str, on_invalid: str | None) -> None:
    pick = random.Random(stream)
    held = Rules(stream, MODEL)
    taken = 0
    for _ in range(400):
        names = [each for each in VALUES if pick.random() < 0.25]
        if pick.random() < 0.5:
            names = pick.sample([stream if stream in VALUES else "temperature", "value", "lat"], 1)
            names += ["lng"] * (names == ["lat"])
        most = pick.choice([1, 2, 4, 12])
        rows = [
            {"timestamp": T + at, **{each: pick.choice(VALUES[each][:most]) for each in names}}
            for at in range(3)
        ]
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        batch = columns.read(data, stream, held.kinds)
        if batch is None:
            continue
        quick = rules.hold_batch(held, batch, on_invalid)
        if quick is None:
            continue
        taken += 1
        slow = alone(held, data, on_invalid)
        assert slow is not None, rows
        assert told(quick) == told(slow), rows
    assert taken > 20 or stream == "inner"


def test_without_a_template_all_is_taken() -> None:
    batch = columns.read(b'{"timestamp":1,"v":1}\n', "s", {})
    assert batch is not None
    assert rules.hold_batch(Rules("s", None), batch) is batch
