"""Streams that take up older ones, and sources whose readings count only if a key signs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke
from twincli.cli.context import Context
from twincli.cli.options import Options
from twincli.services.record.say import say

NOON = "2024-01-20T12:00:00Z"


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    for name in ("alice", "old", "new", "thief"):
        run("keys", "new", name, "--no-passphrase")
    run("asset", "create", "car", "--owner", "alice")
    return run


def lines(count: int, start: int, **more: Any) -> str:
    return "".join(
        json.dumps({"timestamp": start + number, "value": start + number + 0.5, **more}) + "\n"
        for number in range(count)
    )


def rows(twin: Twin, stream: str, *words: str) -> list[float]:
    found = twin("query", "car", "--stream", stream, *words)["rows"]
    return [row["value"] for row in found]


def replaced(twin: Twin, name: str) -> None:
    """Make a stream of the old device with records and a chunk, and one that continues it."""
    twin("stream", "create", "car", "heat", "--owner", "old")
    twin("stream", "push", "car", "heat", "-", "--key", "old", stdin=lines(150, 1000))
    twin("stream", "push", "car", "heat", "-", "--key", "old", stdin=lines(3, 2000))
    twin("stream", "create", "car", name, "--owner", "new", "--continues", "heat")
    twin("stream", "push", "car", name, "-", "--key", "new", stdin=lines(140, 3000))


@pytest.mark.parametrize("name", ["heat", "warmth"])
def test_a_stream_takes_up_an_older_one(
    twin: Twin, invoke: Invoke, name: str, tmp_path: Path
) -> None:
    replaced(twin, name)
    values = [*range(1000, 1150), *range(2000, 2003), *range(3000, 3140)]
    suspect = ("--suspect",)  # their clocks were never set
    assert rows(twin, name, *suspect) == [value + 0.5 for value in values]
    counted = ("--every", "1d", "--agg", "count", *suspect)
    assert rows(twin, name, *counted) == [293]
    sql = ("query", "car", "--sql", f"select count(*) as value from {name}", *suspect)
    assert twin(*sql)["rows"] == [{"value": 293}]
    shown = twin("stream", "show", "car", name)
    assert (shown["readings"], shown["chunks"], shown["inline"]) == (293, 2, 3)
    assert shown["first_at"] == "1970-01-01T00:16:40.000Z"
    listed = {
        (each["stream"], each["continues"]) for each in twin("stream", "list", "car")["streams"]
    }
    older = shown["continues"]
    assert listed == {("heat", None), (name, older)}
    twin("plot", "car", "--stream", name, "-o", str(tmp_path / "a.svg"), *suspect)
    latest = {each["stream"]: each["values"] for each in twin("asset", "show", "car")["streams"]}
    assert latest[name] == {"value": 3139.5}
    # Its series stay what they were.
    run = invoke("stream", "push", "car", name, "--value", "warm", "--key", "new")
    assert run.status == 7


def test_what_comes_later_into_the_older_one_stays_there(twin: Twin, invoke: Invoke) -> None:
    replaced(twin, "warmth")
    words = ("stream", "push", "car", "heat", "--key", "old", "--at", NOON)
    twin(*words, "--value", "9.5", "--humidity", "3")
    run = invoke("query", "car", "--stream", "warmth", "--suspect", "--json")
    assert len(run.json["rows"]) == 293
    assert "came after it was made" in run.json["warnings"][0]
    assert "humidity" not in twin("stream", "show", "car", "warmth")["series"]
    assert twin("stream", "show", "car", "warmth")["readings"] == 293
    assert twin("stream", "show", "car", "heat")["readings"] == 154
    twin("stream", "create", "car", "third", "--continues", "warmth")
    twin("stream", "push", "car", "third", "--value", "1.5", "--at", NOON)
    assert len(rows(twin, "third", "--suspect")) == 294


def test_whom_a_stream_may_continue(twin: Twin, invoke: Invoke) -> None:
    replaced(twin, "heat")
    words = ("stream", "create", "car")
    assert invoke(*words, "x", "--continues", "nothing").status == 4
    assert invoke(*words, "x", "--continues", "heat", "--key", "thief").status == 6
    older = twin("stream", "show", "car", "heat")["continues"]
    run = invoke(*words, "x", "--continues", older, "--json")
    assert (run.status, run.error["code"]) == (5, "exists")
    twin("stream", "create", "car", "heat", "--continues", older, "--owner", "new", "--if-missing")
    assert invoke(*words, "heat", "--continues", older).status == 5
    again = (*words, "heat", "--continues", "heat", "--if-missing", "--owner")
    assert twin(*again, "new")["created"] is False
    assert twin(*again, "old")["created"] is True  # another device
    assert twin(*again, "old")["created"] is False
    assert len(rows(twin, "heat", "--suspect")) == 293
    twin("asset", "create", "van", "--owner", "alice")
    heat = twin("stream", "show", "car", "heat")["asset_id"]
    assert invoke("stream", "create", "van", "heat", "--continues", heat).status == 4


def test_what_a_stranger_continues_does_not_count(twin: Twin, home: Path) -> None:
    replaced(twin, "heat")
    heat = twin("stream", "show", "car", "heat")["asset_id"]
    car = twin("asset", "show", "car")["id"]
    with Context(Options(home=str(home), key=("thief",))) as context:
        from twincli.model import record
        from twincli.services.asset.create import Definition, create

        stated = {"continues": heat}
        wanted = Definition({}, kind=record.STREAM, parent=car, title="heat", stated=stated)
        create(context.workspace(), None, wanted)
    assert len(rows(twin, "heat", "--suspect")) == 293
    (*_, strange) = twin("stream", "list", "car")["streams"]
    assert (strange["standing"], strange["continues"], strange["readings"]) == (
        "unauthorised",
        heat,
        0,
    )


def test_a_source_counts_only_with_its_key(twin: Twin, invoke: Invoke, home: Path) -> None:
    made = ("stream", "create", "car", "heat", "--owner", "any:old,new")
    twin(*made, "--source", "box=old", "--source", "other=new")
    words = ("stream", "push", "car", "heat", "--at", NOON, "--value", "1.5", "--source")
    run = invoke(*words, "box", "--key", "new", "--json")
    assert (run.status, run.error["code"]) == (6, "wrong_source")
    assert "--key old" in run.error["hint"]
    assert twin(*words, "box")["count"] == 1  # its key is here, and is taken
    assert twin(*words, "free", "--key", "new")["count"] == 1
    many = lines(150, 1_700_000_000, source="other")
    refused = invoke("stream", "push", "car", "heat", "-", "--key", "old", "--json", stdin=many)
    assert (refused.status, refused.json["refused"][0]["code"]) == (7, "wrong_source")
    twin("stream", "push", "car", "heat", "-", "--key", "new", stdin=many)
    assert len(rows(twin, "heat")) == 152
    # Another program may sign what it likes.
    shown = twin("stream", "show", "car", "heat")
    names = {each["source"]: each["key_name"] for each in shown["bound_sources"]}
    assert names == {"box": "old", "other": "new"}
    stolen = {"timestamp": "2024-01-21T00:00:00Z", "source": "box", "data": {"value": 66.5}}
    with Context(Options(home=str(home), key=("new",))) as context:
        body = {"readings": [stolen]}
        say(context.workspace(), shown["asset_id"], "reading", body, is_owners=True)
    run = invoke("query", "car", "--stream", "heat", "--json")
    assert len(run.json["rows"]) == 152
    assert "not signed by the key of their source" in run.json["warnings"][0]
    (latest,) = twin("stream", "show", "car", "heat")["latest"]
    assert (latest["value"], latest["source_signed"]) == (66.5, False)
    assert "streams" not in twin("asset", "show", "car")
    assert "box (bound to old)" in invoke("stream", "show", "car", "heat").stdout


def test_chunks_of_a_bound_source_count_only_with_its_key(twin: Twin, home: Path) -> None:
    """A chunk that the wrong key anchored keeps its free readings."""
    twin("stream", "create", "car", "free", "--owner", "any:old,new")
    many = lines(120, 1_700_000_000, source="box") + lines(100, 1_700_000_000, source="free")
    made = twin("stream", "push", "car", "free", "-", "--key", "new", stdin=many)
    shown = twin("stream", "show", "car", "free")
    twin("stream", "create", "car", "bound", "--owner", "any:old,new", "--source", "box=old")
    bound = twin("stream", "show", "car", "bound")["asset_id"]
    with Context(Options(home=str(home), key=("new",))) as context:
        workspace = context.workspace()
        entry = workspace.client.required(made["transaction_id"])
        body = entry.tx["metadata"]["twin"]["body"]
        say(workspace, bound, "chunk", body, is_owners=True)
    assert shown["readings"] == 220
    assert rows(twin, "free", "--every", "1d", "--agg", "count") == [220]
    # It names another stream: the whole record is malformed there.
    found = twin("query", "car", "--stream", "bound")
    assert found["rows"] == []
    assert "malformed" in found["warnings"][0]
    # The same stream, from now on bound.
    twin(
        "stream",
        "create",
        "car",
        "free",
        "--continues",
        "free",
        "--source",
        "box=old",
        "--owner",
        "new",
    )
    assert rows(twin, "free", "--every", "1d", "--agg", "count") == [220]


@pytest.mark.usefixtures("twin")
@pytest.mark.parametrize(
    ("text", "status"),
    [("box", 2), ("=old", 2), ("box=", 2), ("box=nobody", 4), ("x" * 300 + "=old", 2)],
)
def test_sources_that_are_malformed(invoke: Invoke, text: str, status: int) -> None:
    assert invoke("stream", "create", "car", "heat", "--source", text).status == status
    twice = ("--source", "a=old", "--source", "a=new")
    assert invoke("stream", "create", "car", "heat", *twice).status == 2
