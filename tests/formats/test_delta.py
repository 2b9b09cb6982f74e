"""The log of a Delta table, as text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twincli.errors import ConflictError
from twincli.formats import delta
from twincli.formats.delta import File


def file(path: str, stream: str = "gps", **series: str) -> File:
    partition = {"twin": "a" * 64, "stream": stream, "day": "2024-01-01", "chunk": None}
    return File(path, 10, 2, 5, 9, partition, {f"{stream}.{k}": v for k, v in series.items()})


def log(*commits: list[dict[str, Any]]) -> list[bytes]:
    made = delta.creation("table", "ledger", 1)
    return [delta.commit(actions, "twincli", 1) for actions in (made, *commits)]


def test_a_log_is_replayed() -> None:
    first, second = file("s/a.parquet", lat="f64"), file("s/b.parquet", lat="i64", tag="text")
    found = delta.replay(
        log(
            [delta.added(first, 1), delta.added(second, 1)],
            [delta.removed("s/a.parquet", first.partition, 2)],
        )
    )
    assert (found.version, found.ledger_id) == (2, "ledger")
    assert found.files == {"s/b.parquet": second.partition}
    assert found.series == {"gps": {"gps.lat": "f64", "gps.tag": "text"}}
    other = file("s/c.parquet", lat="text", tag="list", on="bool")
    assert delta.merged(found.series, [other, file("t", "temp", value="i64")]) == {
        "gps": {"gps.lat": "any", "gps.tag": "text", "gps.on": "bool"},
        "temp": {"temp.value": "i64"},
    }


@pytest.mark.parametrize(
    "wrong",
    [
        b"{",
        b"\xff",
        b"[1]\n",
        b'{"add":{"path":"x"}}\n',
        b'{"add":{"path":"x","partitionValues":{},"tags":null}}\n',
        b'{"metaData":{"configuration":{}}}\n',
        b'{"metaData":null}\n',
        b'{"remove":{}}\n',
    ],
)
def test_a_log_of_others_is_refused(wrong: bytes) -> None:
    with pytest.raises(ConflictError) as error:
        delta.replay([*log(), wrong])
    assert error.value.code == "foreign_table"


def test_a_log_without_a_table_is_refused() -> None:
    with pytest.raises(ConflictError):
        delta.replay([])


def test_a_log_is_summed_up() -> None:
    first, second = file("s/a.parquet", lat="f64"), file("s/b.parquet", lat="f64")
    gone = [delta.removed("s/a.parquet", first.partition, 2)]
    commits = log([delta.added(first, 1), delta.added(second, 1)], gone)
    actions = delta.summed(commits, 3)
    kinds = [name for action in actions for name in action]
    assert kinds == ["protocol", "metaData", "remove", "add"]
    assert not any(
        action[name]["dataChange"] for action, name in zip(actions[2:], kinds[2:], strict=True)
    )
    again = b"".join(json.dumps(action).encode() + b"\n" for action in actions)
    assert delta.replay([again])._replace(version=2) == delta.replay(commits)
    later = delta.summed(commits, 9 * 86_400_000)  # nobody reads what was taken out any more
    assert [name for action in later for name in action] == ["protocol", "metaData", "add"]


@pytest.mark.parametrize(
    "strange",
    [
        {"txn": {"appId": "a", "version": 1}},
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["x"]}},
        {"add": {"path": "s/a.parquet", "deletionVector": {}}},
    ],
)
def test_a_log_with_more_than_ours_is_not_summed_up(strange: dict[str, Any]) -> None:
    assert delta.summed(log([strange]), 1) == []


def test_statistics_and_names() -> None:
    action = delta.added(file("s/a.parquet"), 7)["add"]
    assert json.loads(action["stats"])["minValues"] == {"ts": 5}
    assert delta.name_of(3) == "_delta_log/00000000000000000003.json"


def test_views_quote_what_was_named_by_others() -> None:
    text = delta.views(
        "/lake`s",
        {
            "o'clo`ck": {"o'clo`ck.a\\b'c": "f64", "o'clo`ck.time": "text"},
            "twin_readings": {"twin_readings.x": "any"},
            "Temp": {"Temp.X": "bool", "Temp.x": "i64"},
            "temp": {"temp.x": "list"},
        },
    )
    assert "FROM delta.`/lake``s`" in text
    assert "VIEW `o'clo``ck` AS" in text
    assert "series = 'o\\'clo`ck.a\\\\b\\'c') AS `a\\b'c`" in text
    assert "AS `time_`" in text
    assert "VIEW `twin_readings_` AS" in text
    assert "VIEW `Temp` AS" in text
    assert "VIEW `temp_` AS" in text
    assert "AS `x_`" in text
    assert text.count(";\n") == 5
