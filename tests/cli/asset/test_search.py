"""``twin search``: names and ids first, then facts, then what was recorded."""

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
    assert list(asset) == ["asset_id", "name", "transaction_id", "in", "member", "match", "data"]
    assert (asset["in"], asset["name"], asset["asset_id"]) == ("asset", "car", made["car"]["id"])
    assert asset["data"]["color"] == "red"
    assert (asset["member"], asset["match"]) == ("color", "red")
    assert list(recorded[0])[-3:] == ["member", "match", "metadata"]
    assert recorded[0]["transaction_id"] == made["first"]["transaction_id"]
    assert recorded[0]["metadata"]["place"] == "Berlin"
    assert twin("search", "red berlin", "--limit", "1")["hits"] == [asset]
    assert twin("search", "nothing")["hits"] == []


def test_an_id_is_found_once_where_there_is_nothing_recorded(invoke: Invoke) -> None:
    made = garage(invoke)
    whole = made["car"]["id"]
    for text in (whole, whole[:8], whole[:10].upper(), f'"{whole}"'):
        hits = quietly(invoke)("search", text)["hits"]
        assert [(hit["in"], hit["transaction_id"]) for hit in hits] == [("id", whole)], text
        assert (hits[0]["match"], hits[0]["name"]) == (whole, "car")


def test_rows_lines_and_terminal(invoke: Invoke) -> None:
    made = garage(invoke)
    head, row = invoke("search", "red").stdout.splitlines()
    assert head == "name\tasset_id\tin\ttransaction_id\tfound"
    car = made["car"]["id"]
    assert row.split("\t") == ["car", car, "asset", car, "color: red"]
    line = json.loads(invoke("search", "red", "--jsonl").stdout)
    assert next(iter(line)) == "schema"
    text = invoke("search", "berlin", "--color", "never", tty=True).stdout
    assert "place: Berlin" in text.replace("\n", " ")


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


def test_names_come_first_equal_ones_before_others(invoke: Invoke) -> None:
    twin = quietly(invoke)
    invoke("keys", "new", "ops", "--no-passphrase")
    for name in ("red-car", "red", "truck"):
        twin("asset", "create", name)
    twin("asset", "append", "truck", "--str", "note=red as a fire engine")
    plain = twin("asset", "create", "bike", "--str", "color=red")
    hits = twin("search", "RED")["hits"]
    assert [(hit["in"], hit["name"]) for hit in hits] == [
        ("name", "red"),
        ("name", "red-car"),
        ("asset", "bike"),
        ("metadata", "truck"),
    ]
    assert hits[2]["asset_id"] == plain["id"]
    assert [hit["name"] for hit in twin("search", "red", "--limit", "2")["hits"]] == [
        "red",
        "red-car",
    ]
    assert [hit["name"] for hit in twin("search", "red -car")["hits"]] == ["red", "bike", "truck"]


def test_the_excerpt_is_what_is_around_the_match(invoke: Invoke) -> None:
    twin = quietly(invoke)
    invoke("keys", "new", "ops", "--no-passphrase")
    twin("asset", "create", "a", "--str", f"note={'x ' * 500}Müller{' y' * 500}")
    hit = twin("search", "muller")["hits"][0]
    assert hit["member"] == "note"
    assert "Müller" in hit["match"]
    assert len(hit["match"]) == 82
    assert hit["match"].startswith("\N{HORIZONTAL ELLIPSIS}x")
