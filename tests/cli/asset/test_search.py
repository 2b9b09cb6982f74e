"""``twin search``: hits in commit order, with the names of the twins."""

from __future__ import annotations

import json

from tests.cli.stories import garage, quietly
from tests.conftest import Invoke


def test_the_document(invoke: Invoke) -> None:
    made = garage(invoke)
    twin = quietly(invoke)
    document = twin("search", "RED berlin")
    assert list(document) == ["schema", "hits"]
    assert document["schema"] == "twin.search/1"
    asset, *recorded = document["hits"]
    assert list(asset) == ["asset_id", "name", "transaction_id", "in", "data"]
    assert (asset["in"], asset["name"], asset["asset_id"]) == ("asset", "car", made["car"]["id"])
    assert asset["data"]["color"] == "red"
    assert list(recorded[0]) == ["asset_id", "name", "transaction_id", "in", "metadata"]
    assert recorded[0]["transaction_id"] == made["first"]["transaction_id"]
    assert recorded[0]["metadata"]["place"] == "Berlin"
    assert twin("search", "red berlin", "--limit", "1")["hits"] == [asset]
    assert twin("search", "nothing")["hits"] == []


def test_an_id_is_found_once_where_there_is_nothing_recorded(invoke: Invoke) -> None:
    made = garage(invoke)
    hits = quietly(invoke)("search", made["car"]["id"])["hits"]
    assert [(hit["in"], hit["transaction_id"]) for hit in hits] == [("asset", made["car"]["id"])]


def test_rows_lines_and_terminal(invoke: Invoke) -> None:
    made = garage(invoke)
    head, row = invoke("search", "red").stdout.splitlines()
    assert head == "name\tasset_id\tin\ttransaction_id\tfound"
    assert row.split("\t")[:3] == ["car", made["car"]["id"], "asset"]
    line = json.loads(invoke("search", "red", "--jsonl").stdout)
    assert next(iter(line)) == "schema"
    text = invoke("search", "berlin", "--color", "never", tty=True).stdout
    assert text.startswith("car  recorded by")
    assert made["first"]["transaction_id"] in text.replace("\n", "").replace(" ", "")


def test_user_text_is_never_syntax(invoke: Invoke) -> None:
    garage(invoke)
    for text in ('"', "AND", "body:red", "red*", "(", "NEAR(a b)", "'; DROP TABLE x", "-"):
        assert invoke("search", "--", text).status in {0, 2}
    run = invoke("search", "", "--json")
    assert (run.status, run.error["code"]) == (2, "empty_search")
    assert invoke("search", "red", "--limit", "0").status == 2


def test_a_word_when_nothing_is_found(invoke: Invoke) -> None:
    garage(invoke)
    run = invoke("search", "unicorn")
    assert (run.status, run.stderr) == (0, "nothing found for 'unicorn'\n")
    assert invoke("search", "unicorn", "--quiet").stderr == ""
    assert invoke("search", "red").stderr == ""
