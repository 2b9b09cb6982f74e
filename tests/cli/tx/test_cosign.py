"""``--prepare`` on every write, and ``twin tx`` of what it wrote."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bigchaindb_driver import BigchainDB

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke
from twincli.cli.showing import partial
from twincli.crypto import canonical
from twincli.model import transaction
from twincli.services.tx import cosign

Terminal = Callable[[str], Callable[[], str]]

SIGNING = [
    "schema",
    "body_digest",
    "operation",
    "kind",
    "asset_id",
    "asset_name",
    "title",
    "ledger",
    "data",
    "written",
    "stated",
    "inputs",
    "outputs",
    "signed_by",
    "missing",
    "names",
    "complete",
    "transaction_id",
    "standing",
    "warnings",
    "file",
]


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    """Return the command, in a home with jack and kelly, who own a boat together."""
    run = quietly(invoke)
    for name in ("jack", "kelly"):
        run("keys", "new", name, "--no-passphrase")
    run("asset", "create", "boat", "--owner", "all:jack,kelly", "--masts", "2")
    return run


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "some.json")


# ------------------------------------------------------------ preparing


def test_without_key_nothing_is_signed(twin: Twin, file: str) -> None:
    document = twin("asset", "append", "boat", "--speed", "7", "--prepare", file)
    assert list(document) == SIGNING
    assert document["signed_by"] == []
    assert document["transaction_id"] is None
    assert document["written"] == {"speed": 7}
    assert document["standing"] == "open"
    assert document["inputs"][0]["needed"] == 2
    assert set(document["names"].values()) == {"jack", "kelly"}
    assert len(twin("history", "boat")["transactions"]) == 1
    written = json.loads(Path(file).read_text())
    assert written["schema"] == "twin.partial/1"
    assert written["signatures"] == []
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600


def test_key_signs_at_once(twin: Twin, file: str) -> None:
    jack = twin("keys", "show", "jack")["public_key"]
    document = twin("asset", "append", "boat", "--a", "1", "--prepare", file, "--key", "jack")
    assert document["signed_by"] == [jack]
    again = twin("tx", "sign", file, "--yes")
    assert again["complete"]
    assert twin("tx", "submit", file)["transaction_id"] == again["transaction_id"]
    assert twin("asset", "show", "boat")["state"] == {"a": 1}


def test_a_key_that_is_not_asked_cannot_prepare(invoke: Invoke, twin: Twin, file: str) -> None:
    twin("keys", "new", "eve", "--no-passphrase")
    run = invoke("asset", "append", "boat", "--a", "1", "--prepare", file, "--key", "eve", "--json")
    assert run.status == 6
    assert run.error["code"] == "no_key"
    assert not os.path.exists(file)


@pytest.mark.parametrize(
    ("words", "after"),
    [
        (("asset", "transfer", "boat", "--to", "kelly"), ["kelly"]),
        (("asset", "transfer", "boat", "--out", "1:jack", "--in", "TX:0"), ["jack"]),
        (("asset", "burn", "boat"), ["burned"]),
        (("asset", "append", "boat", "--x.y", "1", "--once", "t", "--at", "2024-01-20"), None),
        (("asset", "append", "boat", "--x", "1", "--bare"), None),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else None,
)
def test_every_write_can_be_prepared(
    twin: Twin, file: str, words: tuple[str, ...], after: list[str] | None
) -> None:
    boat = twin("asset", "show", "boat")["id"]
    words = tuple(word.replace("TX", boat) for word in words)
    assert not twin(*words, "--prepare", file)["complete"]
    twin("tx", "sign", file, "--yes", "--key", "kelly", "--key", "jack")
    twin("tx", "submit", file)
    assert twin("asset", "show", "boat")["owner_names"] == (after or ["jack", "kelly"])


def test_a_create_with_an_issuer_who_is_elsewhere(twin: Twin, file: str, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    liz = twin("keys", "new", "liz", "--no-passphrase", "--home", elsewhere)["public_key"]
    twin("name", "set", "liz", liz)
    twin("keys", "new", "tag", "--no-passphrase")
    document = twin(
        *("asset", "create", "deed", "--acres", "3", "--owner", "any:jack,liz", "--entity", "tag"),
        *("--key", "jack", "--key", "liz", "--prepare", file),
    )
    assert document["operation"] == "CREATE"
    assert document["missing"] == [liz]
    assert document["asset_id"] is None
    assert document["title"] == "deed"
    signed = twin("tx", "sign", file, "--yes", "--home", elsewhere)
    assert signed["standing"] is None  # liz has never seen that ledger
    made = twin("tx", "submit", file)
    assert made["created"] is True
    assert twin("tx", "submit", file)["created"] is False
    shown = twin("asset", "show", made["transaction_id"])
    assert shown["data"] == {"acres": 3}
    assert shown["entity_standing"] == "proved"
    assert shown["name"] is None  # a name comes from its owner, not from a file


def test_an_identity_of_several(twin: Twin, file: str) -> None:
    twin("did", "new", "club", "--owner", "all:jack,kelly", "--no-passphrase", "--prepare", file)
    # The issuer is one of the owners; it is for them to sign.
    twin("tx", "sign", file, "--yes")
    made = twin("tx", "submit", file)
    assert twin("asset", "show", made["transaction_id"])["kind"] == "identity"


def test_a_dry_run_writes_no_file_and_unlocks_nothing(
    invoke: Invoke, twin: Twin, file: str, tmp_path: Path
) -> None:
    passphrase = tmp_path / "p"
    passphrase.write_text("open\n")
    twin("keys", "new", "ann", "--passphrase-file", str(passphrase))
    twin("asset", "create", "house", "--owner", "any:ann,jack", "--key", "jack")
    words = ("asset", "append", "house", "--b", "1", "--prepare", file, "--key", "ann")
    document = twin(*words, "--dry-run")
    assert document["signed_by"] == []
    assert not os.path.exists(file)
    run = invoke(*words, "--json")
    assert run.status == 6
    assert not os.path.exists(file)


def test_a_file_that_is_there_stops_it_before_anything_is_done(
    invoke: Invoke, twin: Twin, file: str
) -> None:
    Path(file).write_text("mine")
    for words in (
        ("asset", "append", "boat", "--a", "1", "--prepare", file),
        ("asset", "create", "car", "--prepare", file),
        ("asset", "transfer", "boat", "--to", "jack", "--prepare", file),
        ("asset", "burn", "boat", "--prepare", file),
        ("did", "new", "somebody", "--no-passphrase", "--prepare", file),
        ("tx", "combine", file, "-o", file),
    ):
        run = invoke(*words, "--json")
        assert run.status == 5, words
        assert run.error["code"] == "exists"
    assert Path(file).read_text() == "mine"
    assert [key["name"] for key in twin("keys", "list")["keys"]] == ["jack", "kelly"]


@pytest.mark.usefixtures("twin")
def test_many_appends_are_not_prepared(invoke: Invoke, file: str) -> None:
    run = invoke("asset", "append", "boat", "--jsonl", "-", "--prepare", file, stdin='{"a":1}\n')
    assert run.status == 2
    assert not os.path.exists(file)


@pytest.mark.parametrize(
    "words",
    [
        ("append", "boat", "--km", "1"),
        ("transfer", "boat", "--to", "jack"),
        ("burn", "boat", "--yes"),
    ],
)
def test_what_once_has_done_before_is_shown_and_not_prepared(
    words: tuple[str, ...], invoke: Invoke, twin: Twin, file: str
) -> None:
    done = twin("asset", *words, "--once", "trip-1")["transaction_id"]
    run = invoke("asset", *words, "--once", "trip-1", "--prepare", file, "--json")
    assert (run.status, run.json["schema"]) == (0, "twin.asset/1"), run.stderr
    assert run.json["transaction_id"] == done
    said = invoke("asset", *words, "--once", "trip-1", "--prepare", file).stderr
    assert f"{file} was not written" in said
    assert not Path(file).exists()


def test_a_dash_passes_the_file_through_a_pipe(invoke: Invoke, twin: Twin) -> None:
    first = invoke("asset", "append", "boat", "--a", "1.0", "--prepare", "-", "--key", "jack")
    assert first.status == 0
    second = invoke("tx", "sign", "-", "--yes", stdin=first.stdout)
    assert second.status == 0
    assert json.loads(second.stdout)["schema"] == "twin.partial/1"
    assert invoke("tx", "submit", "-", stdin=second.stdout).status == 0
    assert twin("asset", "show", "boat")["state"] == {"a": 1.0}


# ------------------------------------------------------------ an official driver's


def test_what_an_official_driver_prepared_can_be_signed_here(twin: Twin, file: str) -> None:
    jack = twin("keys", "show", "jack")["public_key"]
    driver = BigchainDB("http://localhost:9984")
    tx = driver.transactions.prepare(
        operation="CREATE", signers=jack, asset={"data": {"made": "elsewhere"}}, metadata={"n": 1}
    )
    Path(file).write_text(json.dumps(tx))
    out = file + ".signed.json"
    assert twin("tx", "sign", file, "--yes", "-o", out)["complete"]
    made = twin("tx", "submit", out)
    assert twin("tx", "show", made["transaction_id"])["signers"] == [jack]
    give = driver.transactions.prepare(
        operation="TRANSFER",
        asset={"id": made["transaction_id"]},
        recipients=twin("keys", "show", "kelly")["public_key"],
        inputs={
            "fulfillment": tx["outputs"][0]["condition"]["details"],
            "fulfills": {"output_index": 0, "transaction_id": made["transaction_id"]},
            "owners_before": [jack],
        },
    )
    Path(file).write_text(json.dumps(give))
    assert twin("tx", "sign", file, "--yes")["complete"]
    assert twin("tx", "submit", file)["created"]


def test_what_spends_something_unknown_is_not_signed(invoke: Invoke, twin: Twin, file: str) -> None:
    jack = twin("keys", "show", "jack")["public_key"]
    tx = BigchainDB("http://localhost:9984").transactions.prepare(
        operation="TRANSFER",
        asset={"id": "ab" * 32},
        recipients=jack,
        inputs={
            "fulfillment": {"type": "ed25519-sha-256", "public_key": jack},
            "fulfills": {"output_index": 0, "transaction_id": "ab" * 32},
            "owners_before": [jack],
        },
    )
    Path(file).write_text(json.dumps(tx))
    run = invoke("tx", "sign", file, "--yes", "--json")
    assert (run.status, run.error["code"]) == (4, "not_found")


# ------------------------------------------------------------ asking


def test_on_a_terminal_it_says_what_it_does_and_asks(
    invoke: Invoke, twin: Twin, file: str, terminal: Terminal
) -> None:
    twin("asset", "append", "boat", "--speed", "7", "--prepare", file)
    before = Path(file).read_bytes()
    shown = terminal("n\n")
    run = invoke("tx", "sign", file, "--key", "jack", "--json")
    assert run.status == 1
    assert run.error["code"] == "declined"
    assert Path(file).read_bytes() == before
    said = shown()
    for text in ("asset: boat ", "from: 1 of all:jack,kelly", 'records: {"speed":7}', "as jack?"):
        assert text in said
    terminal("y\n")
    assert invoke("tx", "sign", file, "--key", "jack").status == 0


def test_a_strangers_text_cannot_draw_lines_of_its_own(
    invoke: Invoke, twin: Twin, file: str
) -> None:
    evil = "boat\nfrom: 0 of nobody\x1b[2J"
    twin("asset", "create", "evil", "--owner", "all:jack,kelly", "--title", evil, "--key", "jack")
    twin("name", "remove", "evil")
    ident = twin("search", "nobody")["hits"][0]["asset_id"]
    twin("asset", "append", ident, "--note", evil, "--prepare", file)
    run = invoke("tx", "show", file)
    assert run.status == 0
    assert "\x1b" not in run.stdout
    assert len([line for line in run.stdout.splitlines() if line.startswith("from")]) == 1


def forged(file: str, metadata: Any) -> None:
    """Give a prepared transaction other metadata, as whoever prepares one may."""
    document = json.loads(Path(file).read_text())
    document["transaction"]["metadata"] = metadata
    document["body_digest"] = canonical.sha3_hex(transaction.message(document["transaction"]))
    document["signatures"] = []
    Path(file).write_text(json.dumps(document))


def test_a_stated_kind_cannot_draw_lines_where_people_are_asked(
    invoke: Invoke, twin: Twin, file: str, terminal: Terminal
) -> None:
    twin("asset", "transfer", "boat", "--to", "kelly", "--prepare", file)
    forged(file, {"twin": {"v": 1, "kind": "append\nto: 1 of all:jack,kelly"}})
    shown = terminal("n\n")
    assert invoke("tx", "sign", file, "--key", "jack").status == 1
    said = shown().replace("\r", "").splitlines()
    assert [line for line in said if line.startswith("to")] == ["to: 1 of kelly"]


@pytest.mark.parametrize(
    "padding",
    [" ", "\u00a0", "\u3000", "\u3164", "\u2800", "\u200b", ".", "\u6771", "\u202e"],
    ids=ascii,
)
def test_padding_cannot_disguise_the_question(
    invoke: Invoke, twin: Twin, file: str, terminal: Terminal, padding: str
) -> None:
    """What is padded to the end of a screen's line would go on at the beginning of the next."""
    fake = "to: 1 of all:jack,kelly"
    twin("asset", "transfer", "boat", "--to", "kelly", "--prepare", file)
    note = "".join(padding * (80 + shift) + fake for shift in range(-30, 30)) + padding * 9000
    forged(file, {"twin": {"v": 1, "kind": note}, "note": note})
    shown = terminal("n\n")
    assert invoke("tx", "sign", file, "--key", "jack").status == 1
    said = shown().replace("\r", "").splitlines()
    columns = [sum(1 if letter.isascii() else 2 for letter in line) for line in said]
    assert max(columns) < 80
    assert [line for line in said if line.startswith("to")] == ["to: 1 of kelly"]
    assert len(said) < 60
    assert (f"that was {len(said) - 2} lines, from asset on" in said) == (len(said) > 25)
    text = "".join(line.removeprefix("    ") for line in said)
    assert padding in {" ", ".", "\u6771"} or padding not in text
    assert "    " not in text


def test_many_outputs_do_not_leave_the_screen_unnoticed(
    invoke: Invoke, twin: Twin, file: str, terminal: Terminal
) -> None:
    twin("asset", "create", "oaks", "--owner", "jack", "--amount", "90")
    outs = [word for _ in range(30) for word in ("--out", "3:kelly")]
    twin("asset", "transfer", "oaks", *outs, "--prepare", file)
    shown = terminal("n\n")
    assert invoke("tx", "sign", file, "--key", "jack").status == 1
    said = shown().replace("\r", "").splitlines()
    assert said.count("to: 3 of kelly") == 30
    assert said[-2] == f"that was {len(said) - 2} lines, from asset on"


def test_what_gives_something_away_is_not_shown_as_an_append(
    invoke: Invoke, twin: Twin, file: str
) -> None:
    twin("asset", "transfer", "boat", "--to", "kelly", "--prepare", file)
    forged(file, {"twin": {"v": 1, "kind": "append"}})
    assert 'operation\ttransfer, called "append"\n' in invoke("tx", "show", file).stdout


def test_a_key_called_burned_is_not_shown_as_nobody(twin: Twin, file: str) -> None:
    key = twin("keys", "new", "burned", "--no-passphrase")["public_key"]
    shown = twin("asset", "transfer", "boat", "--to", "burned", "--prepare", file)
    assert shown["outputs"] == [{"amount": "1", "owners": key}]


def test_a_further_name_burned_does_not_hide_a_partys_other_name(
    twin: Twin, file: str, tmp_path: Path
) -> None:
    key = twin("keys", "new", "liz", "--no-passphrase", "--home", str(tmp_path / "hers"))
    for name in ("burned", "liz"):
        twin("name", "set", name, key["public_key"])
    shown = twin("asset", "transfer", "boat", "--to", "liz", "--prepare", file)
    assert shown["outputs"] == [{"amount": "1", "owners": "liz"}]


def test_all_of_the_envelope_that_is_signed_is_shown(
    invoke: Invoke, twin: Twin, file: str, tmp_path: Path
) -> None:
    twin("asset", "transfer", "boat", "--to", "kelly", "--prepare", file)
    hidden = {"corrects": "ab" * 32, "body": {"entity": "x"}, "grant": "all"}
    forged(file, {"twin": {"v": 1, "kind": "transfer", **hidden}})
    assert twin("tx", "show", file)["stated"] == hidden
    assert f"states\t{json.dumps(hidden, separators=(',', ':'))}\n" in (
        invoke("tx", "show", file).stdout
    )
    made = str(tmp_path / "made.json")
    words = ("--owner", "jack", "--entity", "kelly", "--parent", "boat", "--title", "an oar")
    stated = twin("asset", "create", "oar", *words, "--prepare", made)["stated"]
    assert list(stated) == ["entity", "parent", "entity_proof"]


def test_a_signature_that_came_while_we_were_asked_stays(
    twin: Twin, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin("asset", "append", "boat", "--speed", "7", "--prepare", file)
    real = cosign.sign
    at_work: list[bool] = []

    def slowly(*args: Any) -> Any:
        if not at_work:
            at_work.append(True)
            twin("tx", "sign", file, "--key", "kelly", "--yes")
        return real(*args)

    monkeypatch.setattr(cosign, "sign", slowly)
    assert twin("tx", "sign", file, "--key", "jack", "--yes")["complete"] is True
    assert twin("tx", "show", file)["complete"] is True


def test_a_file_that_became_another_one_while_we_were_asked_stays(
    invoke: Invoke, twin: Twin, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin("asset", "append", "boat", "--speed", "7", "--prepare", file)
    other = tmp_path / "other.json"
    twin("asset", "append", "boat", "--speed", "8", "--prepare", str(other))
    real = cosign.sign

    def slowly(*args: Any) -> Any:
        Path(file).write_bytes(other.read_bytes())
        return real(*args)

    monkeypatch.setattr(cosign, "sign", slowly)
    run = invoke("tx", "sign", file, "--key", "jack", "--yes", "--json")
    assert run.status == 5
    assert run.error["code"] == "different_transactions"
    assert Path(file).read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--out", "9" * 5000 + ":jack"), "amount_error"),
        (("--to", "jack", "--in", "TX:" + "9" * 5000), "usage"),
    ],
)
def test_a_number_of_thousands_of_digits_is_refused(
    invoke: Invoke, twin: Twin, words: tuple[str, ...], code: str
) -> None:
    tx = twin("history", "boat")["transactions"][0]["id"]
    run = invoke("asset", "transfer", "boat", *(word.replace("TX", tx) for word in words), "--json")
    assert run.error["code"] == code
    assert len(run.error["message"]) < 6000


# ------------------------------------------------------------ combining and submitting


def test_a_signature_that_comes_in_while_it_is_asked_is_kept(
    twin: Twin, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin("asset", "append", "boat", "--km", "1", "--prepare", file)
    real = cosign.sign

    def slow(*args: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(cosign, "sign", real)
            twin("tx", "sign", file, "--yes", "--key", "kelly")
        return real(*args)

    monkeypatch.setattr(cosign, "sign", slow)
    assert twin("tx", "sign", file, "--yes", "--key", "jack")["complete"] is True
    assert len(json.loads(Path(file).read_text())["signatures"]) == 2


def test_files_of_two_transactions_are_not_combined(invoke: Invoke, twin: Twin, file: str) -> None:
    other = file + "2.json"
    twin("asset", "append", "boat", "--a", "1", "--prepare", file)
    twin("asset", "append", "boat", "--a", "2", "--prepare", other)
    run = invoke("tx", "combine", file, other, "--json")
    assert (run.status, run.error["code"]) == (5, "different_transactions")


def test_a_bad_file_is_named(invoke: Invoke, twin: Twin, file: str) -> None:
    twin("asset", "append", "boat", "--a", "1", "--prepare", file, "--key", "jack")
    other = file + "2.json"
    text = Path(file).read_text()
    for content, code in (
        (text.replace('"a": 1', '"a": 2'), "invalid_hash"),
        (text[:-9], "invalid_json"),
        ("{}", "invalid_partial"),
    ):
        Path(other).write_text(content)
        run = invoke("tx", "combine", file, other, "--json")
        assert run.status == 7
        assert run.error["code"] == code
        assert other in run.error["message"]


def test_numbers_written_anew_are_named_as_the_likely_cause(
    invoke: Invoke, twin: Twin, file: str
) -> None:
    twin("asset", "append", "boat", "--price", "1.0", "--prepare", file)
    text = Path(file).read_text()
    Path(file).write_text(text.replace('"price": 1.0', '"price": 1'))
    for words in (("tx", "show"), ("tx", "sign"), ("tx", "submit")):
        run = invoke(*words, file, "--json")
        assert run.error["code"] == "invalid_hash"
        assert "jq" in run.error["hint"]
    run = invoke("tx", "validate", file, "--explain", "--json")
    assert run.status == 3
    rules = {row["rule"]: row["ok"] for row in run.json["rules"]}
    assert rules["id"] is False


def test_validate_explains_that_signatures_are_missing(
    invoke: Invoke, twin: Twin, file: str
) -> None:
    twin("asset", "append", "boat", "--a", "1", "--prepare", file)
    run = invoke("tx", "validate", file, "--explain", "--json")
    assert run.status == 3
    assert run.json["id"] is None
    assert run.json["error"]["code"] == "missing_signature"
    rules = {row["rule"]: row["ok"] for row in run.json["rules"]}
    assert rules["unspent"] is True
    assert rules["sums"] is True
    assert rules["signatures"] is False
    twin("asset", "append", "boat", "--a", "2")
    run = invoke("tx", "validate", file, "--json")
    assert run.json["error"]["code"] == "double_spend"


def test_many_are_submitted_and_those_that_cannot_be_are_listed(invoke: Invoke, twin: Twin) -> None:
    lines = []
    for number in range(3):
        twin("asset", "create", f"crate{number}", "--owner", "all:jack,kelly", "--n", str(number))
        keys = ("--key", "jack", "--key", "kelly")[: 2 if number == 1 else 4]
        words = ("asset", "append", f"crate{number}", "--a", "1", "--prepare", "-", "--json")
        run = invoke(*words, *keys)
        assert run.status == 0
        lines.append(run.stdout)
    run = invoke("tx", "submit", "-", "--json", stdin="".join(lines))
    assert run.status == 10
    document: dict[str, Any] = run.json
    assert (document["created"], document["failed"]) == (2, 1)
    assert document["errors"][0]["code"] == "missing_signature"
    assert document["errors"][0]["number"] == 2


def test_a_tx_show_of_several_lists_them(invoke: Invoke, twin: Twin, file: str) -> None:
    twin("asset", "append", "boat", "--a", "1", "--prepare", file)
    boat = twin("asset", "show", "boat")["id"]
    run = invoke("tx", "show", file, boat, "--json")
    assert [item["schema"] for item in run.json["transactions"]] == [
        "twin.signing/1",
        "twin.transaction/1",
    ]
    digest = run.json["transactions"][0]["body_digest"]
    rows = [line.split("\t") for line in invoke("tx", "show", file, boat).stdout.splitlines()]
    assert [row[0] for row in rows] == ["id", digest, boat]
    assert rows[1][-1] == "open"


def test_equal_documents_are_equal_files(twin: Twin, file: str) -> None:
    twin("asset", "append", "boat", "--a", "1", "--prepare", file)
    names = [f"{file}.{number}.json" for number in range(4)]
    twin("tx", "sign", file, "--yes", "--key", "jack", "-o", names[0])
    twin("tx", "sign", file, "--yes", "--key", "kelly", "-o", names[1])
    twin("tx", "combine", names[0], names[1], "-o", names[2])
    twin("tx", "combine", names[1], names[0], "-o", names[3])
    assert Path(names[2]).read_bytes() == Path(names[3]).read_bytes()
    text = Path(names[2]).read_text()
    assert partial.to_text(json.loads(text)) == text


def test_a_create_is_for_the_ledger_it_was_prepared_on(
    invoke: Invoke, twin: Twin, file: str, tmp_path: Path
) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    twin("keys", "new", "liz", "--no-passphrase", "--home", elsewhere)
    twin("asset", "create", "own", "--home", elsewhere)
    twin("asset", "create", "deed", "--owner", "jack", "--key", "jack", "--prepare", file)
    run = invoke("tx", "submit", file, "--home", elsewhere, "--json")
    assert (run.status, run.error["code"]) == (5, "other_ledger")
    assert twin("tx", "submit", file, "--home", elsewhere, "--yes")["created"]
    assert twin("tx", "submit", file)["created"]


def test_an_issuer_must_not_be_one_of_several(invoke: Invoke, twin: Twin, file: str) -> None:
    keys = [twin("keys", "show", name)["public_key"] for name in ("jack", "kelly")]
    tx = BigchainDB("http://localhost:9984").transactions.prepare(
        operation="CREATE", signers=keys, recipients=keys[0], asset={"data": {"a": 1}}
    )
    tx["inputs"][0]["fulfillment"]["threshold"] = 1
    Path(file).write_text(json.dumps(tx))
    run = invoke("tx", "sign", file, "--yes", "--json")
    assert (run.status, run.error["code"]) == (7, "invalid_partial")


def test_who_may_read_a_file_may_go_on_to(twin: Twin, file: str) -> None:
    twin("asset", "append", "boat", "--a", "1", "--prepare", file)
    os.chmod(file, 0o664)
    twin("tx", "sign", file, "--yes", "--key", "jack")
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o664


def test_a_file_without_a_name_is_refused(invoke: Invoke, twin: Twin) -> None:
    del twin
    assert invoke("asset", "append", "boat", "--a", "1", "--prepare", "").status == 2
