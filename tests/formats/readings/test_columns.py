"""JSON Lines as columns: the same observations as line by line, or no answer."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twincli.formats.readings import columns, jsonl
from twincli.formats.readings.lines import Read
from twincli.model import batch as batches
from twincli.model.batch import Batch

T = "2024-01-01T00:00:00Z"


def told(batch: Batch) -> tuple[Any, ...]:
    """Return a batch as something to compare."""
    return (
        batch.time.tolist(),
        [batch.source.names[code] for code in batch.source.codes],
        batch.seq.tolist(),
        [batch.quality.names[code] for code in batch.quality.codes],
        {
            column.series: (
                column.kind,
                column.values.dtype,
                [
                    repr(value) if there else None
                    for value, there in zip(
                        column.values.tolist(),
                        [True] * len(batch.time) if column.valid is None else column.valid,
                        strict=True,
                    )
                ],
            )
            for column in batch.columns
        },
    )


def slowly(data: bytes, known: dict[str, str]) -> Batch | None:
    """Return what reading line by line gives, None where a line is refused."""
    items = list(jsonl.read(io.BytesIO(data)))
    found = [item.observation for item in items if isinstance(item, Read)]
    if len(found) < len(items) or any(each.units or each.stream for each in found):
        return None
    return batches.gather(found, "s", dict(known))


def both(lines: list[Any], known: dict[str, str] | None = None) -> Batch | None:
    data = b"".join(
        line if isinstance(line, bytes) else (json.dumps(line, ensure_ascii=False) + "\n").encode()
        for line in lines
    )
    quick = columns.read(data, "s", known or {})
    if quick is not None:
        slow = slowly(data, known or {})
        assert slow is not None
        assert told(quick) == told(slow)
    return quick


GOOD: list[list[Any]] = [
    [{"timestamp": T, "value": 1.5}, {"timestamp": "2024-02-29 23:59:59.5Z", "value": -2.0}],
    [{"timestamp": 1_700_000_000, "value": 1}, {"timestamp": 1_700_000_000_123, "value": 2}],
    [{"timestamp": 1_700_000_000_123_456, "a": 1, "b": True}, {"timestamp": 0, "a": 2, "b": False}],
    [{"timestamp": T, "v": 1}, {"timestamp": T, "v": 2.5}],
    [{"timestamp": T, "v": 1, "w": "ß"}, {"v": 2, "timestamp": T}, {"timestamp": T, "w": "x"}],
    [{"timestamp": T, "v": None, "w": 1}, {"timestamp": T, "v": 2.5, "w": None}],
    [{"timestamp": T, "source": "a", "seq": 3, "quality": "odd", "x": {"y": {"z": 1}}}] * 2,
    [{"timestamp": T, "source": "", "quality": "", "x.y": 1.0, "x": {"z": 2}}],
    [{"timestamp": T, "lat": 52, "lng": -13.4, "altitude": 3, "m": {"speed": 4}}] * 3,
    [{"timestamp": T, "at": {"latitude": -90, "longitude": 180.0}, "n": 1}] * 2,
    [{"timestamp": "2024-01-01T00:00:00+05:30", "v": 1}, {"timestamp": T, "v": 1}],
    [{"timestamp": "2024-01-01T00:00:00.123456-23:59", "v": 1}],
    [{"timestamp": "0001-01-01T00:00:00Z", "v": 1}, {"timestamp": "9999-12-31T23:59:59Z", "v": 1}],
    [{"timestamp": T, "v": 1}, b'{"timestamp":"2024-01-01T00:00:00Z","v":2}\r\n'],
    [{"timestamp": T, "v": -0.0}, {"timestamp": T, "v": 5e-324}, {"timestamp": T, "v": 1e300}],
    [{"timestamp": T, "v": 2**63 - 1}, {"timestamp": T, "v": -(2**63)}],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":2}'],
]


@pytest.mark.parametrize("lines", GOOD)
def test_as_line_by_line(lines: list[Any]) -> None:
    assert both(lines) is not None


def test_what_is_known_decides() -> None:
    lines = [{"timestamp": T, "v": 1}, {"timestamp": T, "v": 2}]
    assert both(lines, {"v": "f64"}) is not None
    assert both(lines, {"v": "text"}) is None
    assert both([{"timestamp": T, "v": 1.5}], {"v": "i64"}) is None


DOUBTS: list[list[Any]] = [
    [{"value": 1}],
    [{"timestamp": T, "v": 1}, {"v": 2}],
    [{"timestamp": "2024-01-01T00:00:00", "v": 1}],
    [{"timestamp": "2024-01-01", "v": 1}],
    [{"timestamp": "2023-02-29T00:00:00Z", "v": 1}],
    [{"timestamp": "2024-13-01T00:00:00Z", "v": 1}],
    [{"timestamp": "2024-00-01T00:00:00Z", "v": 1}],
    [{"timestamp": "2024-01-00T00:00:00Z", "v": 1}],
    [{"timestamp": "2024-01-01T24:00:00Z", "v": 1}],
    [{"timestamp": "2024-01-01T00:60:00Z", "v": 1}],
    [{"timestamp": "2024-01-01T00:00:60Z", "v": 1}],
    [{"timestamp": "2024-01-01T00:00:00.Z", "v": 1}],
    [{"timestamp": "2024-01-01T00:00:00.1234567Z", "v": 1}],
    [{"timestamp": "2024-01-01T00:00:00z", "v": 1}],
    [{"timestamp": "2024-01-01t00:00:00Z", "v": 1}],
    [{"timestamp": "2024-01-01T00:00:00+24:00", "v": 1}],
    [{"timestamp": "2024-01-01T00:00:00 01:00", "v": 1}],
    [{"timestamp": "0000-01-01T00:00:00Z", "v": 1}],
    [{"timestamp": "0001-01-01T00:00:00+01:00", "v": 1}],
    [{"timestamp": "२०२४-01-01T00:00:00Z", "v": 1}],
    [{"timestamp": T, "v": 1}, {"timestamp": "x", "v": 1}],
    [{"timestamp": 1.5, "v": 1}],
    [{"timestamp": True, "v": 1}],
    [{"timestamp": 10**17, "v": 1}],
    [{"timestamp": None, "v": 1}],
    [{"timestamp": T}],
    [{"timestamp": T, "v": None}],
    [{"timestamp": T, "v": [1]}],
    [{"timestamp": T, "v": {}}],
    [{"timestamp": T, "v": {"a": 1}}, {"timestamp": T, "v": 1}],
    [{"timestamp": T, "v": {"a": 1}}, {"timestamp": T, "v": {"b": 1}}],
    [{"timestamp": T, "v": {"value": 1, "unit": "C"}}],
    [{"timestamp": T, "value": 1, "unit": "C"}],
    [{"timestamp": T, "value": 1, "stream": "s"}],
    [{"timestamp": T, "deviceId": 1, "readings": {"a": 1}}],
    [{"timestamp": T, "data": {"a": 1}}],
    [{"timestamp": T, "v": 1, "source": 7}],
    [{"timestamp": T, "v": 1, "source": "x" * 201}],
    [{"timestamp": T, "v": 1, "quality": None}],
    [{"timestamp": T, "v": 1, "seq": -1}],
    [{"timestamp": T, "v": 1, "seq": 2**63}],
    [{"timestamp": T, "v": 1, "seq": 1.0}],
    [{"timestamp": T, "v": 2**63}],
    [{"timestamp": T, "v": 2**53 + 1}, {"timestamp": T, "v": 1.5}],
    [{"timestamp": T, "v": "x" * 65_537}],
    [{"timestamp": T, "v": True}, {"timestamp": T, "v": 1}],
    [{"timestamp": T, "latitude": 1}],
    [{"timestamp": T, "lat": 91, "lng": 0}],
    [{"timestamp": T, "lat": 1, "lng": None}],
    [{"timestamp": T, "lat": 1, "lng": "x"}],
    [{"timestamp": T, "a..b": 1}],
    [{"timestamp": T, "a.b": 1, "a": {"b": 2}}],
    [{"timestamp": T, "a.b": 1, "a": 2}],
    [{"timestamp": T, "": 1}],
    [{"timestamp": T, "x" * 201: 1}],
    [{f"v{at}": 1, "timestamp": T} for at in range(40)],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":1,"v":2}\n'],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":NaN}\n'],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":1e400}\n'],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":"\\ud800"}\n'],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":"\xff"}\n'],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":1} \n'],
    [b' {"timestamp":"2024-01-01T00:00:00Z","v":1}\n'],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":1},{"v":2}\n'],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":1}\r{"v":2}\n'],
    [b'{"timestamp":"2024-01-01T00:00:00Z",\n"v":1}\n'],
    [b'{"v":' + b"9" * 5000 + b"}\n"],
    [b'{"v":' + b'{"a":' * 5000 + b"1" + b"}" * 5001 + b"\n"],
    [b"[1]\n"],
    [b"1\n"],
    [b"\n"],
    [b""],
    [b"{}\n"],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":1,"source":{"x":null,"lat":null}}\n'],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":1,"quality":{"x":"good"}}\n'],
    [b'{"timestamp":"2024-01-01T00:00:00Z","v":1,"seq":{"x":1}}\n'],
]


@pytest.mark.parametrize("lines", DOUBTS)
def test_doubts(lines: list[Any]) -> None:
    assert both(lines) is None


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
)
members = st.dictionaries(
    st.sampled_from(["v", "w", "lat", "lng", "altitude", "a.b", "value", "unit", "source", "seq"]),
    values | st.dictionaries(st.sampled_from(["x", "lat", "lng", "value", "unit"]), values),
    max_size=4,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(members, min_size=1, max_size=4), st.booleans())
def test_never_another_answer(lines: list[dict[str, Any]], same: bool) -> None:
    if same:
        lines = [{**lines[0], "v": 1.5} for _ in lines]
    both([{"timestamp": T, **line} for line in lines])


@given(
    st.datetimes(timezones=st.just(None)),
    st.sampled_from(["Z", "+00:00", "-11:30", "+23:59"]),
    st.integers(0, 6),
)
def test_times(moment: Any, zone: str, digits: int) -> None:
    text = moment.isoformat(timespec="microseconds")
    text = text[:19] if digits == 0 else text[: 20 + digits]
    both([{"timestamp": text + zone, "v": 1}, {"timestamp": T, "v": 1}])


def test_days_of_four_centuries() -> None:
    days = np.arange(0, 146_097 * 2, 13)
    lines = [{"timestamp": f"{day}T00:00:00Z", "v": 1} for day in days.astype("M8[D]").astype(str)]
    batch = both(lines)
    assert batch is not None
    assert (batch.time // 86_400_000_000 == days).all()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1 << 23])
def test_blocks(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", size)
    monkeypatch.setattr(jsonl, "LONGEST", 20)
    for text in ("", "a", "a\n", "a\r\nb\n", "a\rb\r\n\n\rc", "ab\n" * 9, "x\r\n" * 9, "\r" * 9):
        data = text.encode()
        found = list(jsonl.blocks(io.BytesIO(data)))
        lines = b"".join(part for part, _ in found).decode()
        assert lines == text + ("" if text.endswith("\n") or not text else "\n")
        assert sum(count for _, count in found) == len(
            list(io.TextIOWrapper(io.BytesIO(lines.encode()), newline=""))
        )
    for end in ("\n", "\r", "\r\n"):
        text = end.join(["a", "x" * 500, "b", "y" * 500])
        found = list(jsonl.blocks(io.BytesIO(text.encode())))
        lines = "".join(part.decode() for part, _ in found)
        kept = [
            line for line in lines.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line
        ]
        assert [(line[0], len(line) > 10) for line in kept] == [
            ("a", False),
            ("x", True),
            ("b", False),
            ("y", True),
        ]
