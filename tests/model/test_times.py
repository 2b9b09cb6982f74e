"""Times as people write them, and as they are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import UsageError
from twincli.model import times

NOW = 1_705_741_200_000  # 2024-01-20T09:00:00Z


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -1000),
        ("2024-01-20T09:00:00Z", NOW),
        ("2024-01-20t09:00:00z", NOW),
        ("2024-01-20 09:00:00Z", NOW),
        ("2024-01-20T09:00Z", NOW),
        ("2024-01-20T09:00:00.5Z", NOW + 500),
        ("2024-01-20T09:00:00.123999999Z", NOW + 123),
        ("2024-01-20T10:30:00+01:30", NOW),
        ("2024-01-20T04:00:00-05:00", NOW),
        ("2024-01-20", NOW - 9 * 3600 * 1000),
        ("2024-02-29", 1_709_164_800_000),
        ("0s", NOW),
        ("90s", NOW - 90_000),
        ("5m", NOW - 300_000),
        ("2h", NOW - 7_200_000),
        ("30d", NOW - 30 * 86_400_000),
        ("1w", NOW - 7 * 86_400_000),
    ],
)
def test_parse(text: str, ms: int) -> None:
    assert times.parse(text, NOW) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2024",
        "2024-1-2",
        "2024-13-01",
        "2023-02-29",
        "2024-01-20T09:00:00",
        "2024-01-20T25:00:00Z",
        "2024-01-20T09:00:60Z",
        "2024-01-20T09:00:00+99:00",
        "2024-01-20T09:00:00.Z",
        "20240120",
        "-5d",
        "99999999d",
        "9" * 5000 + "s",
        "5y",
        "1.5h",
        " 5m",
        "2024-01-20\n",
        "0000-01-01",
        "\uff130d",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        times.parse(text, NOW)
    assert caught.value.code == "bad_time"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1), ("3600", 3600), ("90s", 90), ("30m", 1800), ("8h", 28800), ("2d", 172800)],
)
def test_span(text: str, seconds: int) -> None:
    assert times.span(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0h", "-1", "1.5h", "8 h", "8H", "h", "9" * 10, "\u0663"]
)
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        times.span(text)
    assert caught.value.code == "bad_time"


@pytest.mark.parametrize(
    ("text", "length"),
    [("1ms", 1000), ("0.5s", 500_000), ("10.5d", 907_200_000_000), ("2w", 1_209_600_000_000)],
)
def test_length(text: str, length: int) -> None:
    assert times.length(text, "within") == length


@pytest.mark.parametrize(
    "text", ["", "0s", "5", "-1d", "1.0000001s", "1e3s", "1 d", "1D", "\u0663d", "9" * 12 + "w"]
)
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(UsageError, match="--within") as caught:
        times.length(text, "within")
    assert caught.value.code == "bad_time"


def test_a_claim_is_taken_only_as_rfc_3339() -> None:
    assert times.parse_claim("2024-01-20T09:00:00Z") == NOW
    for claim in ("30d", "2024-01-20", "2024-13-20T09:00:00Z", "", None, 7, ["x"]):
        assert times.parse_claim(claim) is None


@pytest.mark.parametrize(
    "claim",
    [
        "2024-13-20T09:00:00.000Z",
        "2024-01-20T24:00:00.000Z",
        "2024-01-20T09:00:00,000Z",
        "2024-01-20T09:00:00.000z ",
        "2024_01_20T09:00:00.000Z",
        "2024-01-20T09-00-00.000Z",
        "2024-W03-6T09:00:00.000Z",
        "+024-01-20T09:00:00.000Z",
        "\uff12024-01-20T09:00:00.00Z",
        "2024-01-20T09:00:00.00\uff10Z",
    ],
)
def test_what_only_looks_like_a_time_of_ours_is_no_claim(claim: str) -> None:
    assert times.parse_claim(claim) is None


@given(st.integers(times.EARLIEST_US // 1000, times.LATEST_US // 1000))
def test_a_time_of_ours_is_read_as_it_was_written(time_ms: int) -> None:
    text = times.to_text(time_ms)
    assert times.parse_claim(text) == time_ms


@given(
    st.from_regex(r"[0-9+-]{4}[-_][0-9]{2}[-:][0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
)
def test_what_is_read_as_a_time_of_ours_is_what_we_write(text: str) -> None:
    found = times.parse_claim(text)
    assert found is None or times.to_text(found) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2024-01-20", "2024-01-20"),
        ("2024-01-20T10:00:00+01:00", "2024-01-20T09:00:00.000Z"),
        ("2024-02-30", None),
        ("2024-01-20T10:00:00", None),
        ("soon", None),
    ],
)
def test_a_day_or_a_time(text: str, found: str | None) -> None:
    assert times.day_or_time(text) == found


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (NOW, "2024-01-20T09:00:00.000Z"),
        (NOW + 5, "2024-01-20T09:00:00.005Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        # Of a clock that was wrong; days as in the years 2000 and 1600.
        (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
        (253_407_484_800_000, "+010000-03-01T00:00:00.000Z"),
        (2**63 - 1, "+292278994-08-17T07:12:55.807Z"),
        (-62_135_596_800_001, "+000000-12-31T23:59:59.999Z"),
        (-(2**63), "-292275055-05-16T16:47:04.192Z"),
    ],
)
def test_to_text(ms: int, text: str) -> None:
    assert times.to_text(ms) == text


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_text_and_back(moment: datetime) -> None:
    ms = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert times.parse(times.to_text(ms), 0) == ms
    assert times.parse(moment.isoformat(), 0) == ms


@given(st.integers(0, 4 * NOW), st.integers(-2, 2) | st.integers(-NOW, NOW))
def test_texts_sort_as_times(ms: int, more: int) -> None:
    other = max(0, ms + more)
    assert (times.to_text(ms) < times.to_text(other)) == (ms < other)


@given(st.integers(0, 10**30) | st.integers(0, 4000), st.sampled_from("smhdw"))
def test_whatever_time_is_read_can_be_written(number: int, unit: str) -> None:
    try:
        ms = times.parse(f"{number}{unit}", NOW)
    except UsageError:
        assert number > 50_000
    else:
        assert times.parse(times.to_text(ms), 0) == ms <= NOW


@pytest.mark.parametrize(
    "text",
    [
        *("2024x01-20T09:00:00.000Z", "2024-01x20T09:00:00.000Z", "2024-13-20T09:00:00.000Z"),
        *("2024-01-20T24:00:00.000Z", "2024-01-20T09:60:00.000Z", "2024-01-20T09:00:60.000Z"),
        *("2024-01-20T09:00:00.0x0Z", "2024-01-20T0\u0669:00:00.000Z", "2024-01-20T09:00:00.000X"),
        *("2024-W01-1T09:00:00.000Z", "2024-01-20T09-00:00.000Z", "0000-01-20T09:00:00.000Z"),
        *("2024-02-30T09:00:00.000Z", "2024-01-20T-9:00:00.000Z", "2024-01-20T+9:00:00.000Z"),
        *("2024-01-20T09:00:00.+01Z", "2024-01-20T09:00:00.-01Z", "2024-01-20T09:00:0+.000Z"),
    ],
)
def test_texts_that_look_like_times(text: str) -> None:
    assert times.parse_claim(text) is None


@pytest.mark.parametrize("text", ["1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z"])
def test_times_before_the_epoch(text: str) -> None:
    found = times.parse_claim(text)
    assert found is not None
    assert found < 0
    assert times.to_text(found) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [("3m", "3 minutes"), ("0.5m", "0.5 minutes"), ("1m", "a minute"), ("3ms", ""), ("30d", "")],
)
def test_minutes_to_look_ahead(text: str, said: str) -> None:
    assert said in (times.minutes_ahead(text) or "")
    assert (times.minutes_ahead(text) is None) == (not said)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (172_799, "47 hours"),
        (172_800, "2 days"),
    ],
)
def test_a_length_of_time_in_the_largest_unit_it_has_two_of(seconds: int, text: str) -> None:
    assert times.span_text(seconds * 1000 + 999) == text


def test_a_range_is_open_or_has_a_moment() -> None:
    day = 86_400_000
    assert times.parse_range(None, None, day) == (None, None)
    assert times.parse_range("1d", None, day) == (0, None)
    assert times.parse_range(None, "1970-01-02", 0) == (None, day)
    assert times.parse_range("1970-01-01", "1970-01-02", 0) == (0, day)
    for since in ("1970-01-02", "1970-01-03"):
        with pytest.raises(UsageError) as caught:
            times.parse_range(since, "1970-01-02", 0)
        assert caught.value.code == "empty_range"
