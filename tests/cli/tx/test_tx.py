"""``twin tx``: showing, judging and submitting transactions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import garage, quietly
from tests.conftest import Invoke
from tests.ledger.chains import ALICE, BOB, create, owned
from twincli.model import transaction
from twincli.model.transaction import Output, Spend
from twincli.services.tx import transactions, validate

TX = [
    "schema",
    "id",
    "operation",
    "asset_id",
    "height",
    "committed_at",
    "signers",
    "spent_by",
    "transaction",
]
VALIDATION = ["schema", "valid", "id", "profile", "error", "deviations"]


@pytest.fixture
def made(invoke: Invoke) -> dict[str, Any]:
    return garage(invoke)


def give(tx: dict[str, Any], *outputs: Output, number: int = 0, signer: Any = ALICE) -> Any:
    """Return a signed TRANSFER of output 0."""
    spend = Spend.of(tx, 0)
    asset_id = tx["id"] if tx["operation"] == "CREATE" else tx["asset"]["id"]
    made = transaction.transfer([spend], outputs or [owned(ALICE)], asset_id, {"n": number})
    return transaction.sign(made, [signer])


def in_file(directory: Path, *txs: Any, name: str = "some.json") -> str:
    path = directory / name
    path.write_text("".join(json.dumps(tx) + "\n" for tx in txs))
    return str(path)


# --- show --------------------------------------------------------------------------------------


def test_show_by_id_and_prefix(invoke: Invoke, made: dict[str, Any]) -> None:
    twin = quietly(invoke)
    document = twin("tx", "show", made["first"]["transaction_id"])
    assert list(document) == TX
    assert document["spent_by"] == [made["wrong"]["transaction_id"]]
    assert document["height"] == made["first"]["height"]
    assert document["committed_at"] == made["first"]["committed_at"]
    assert document["signers"] == made["first"]["signed_by"]
    assert document["asset_id"] == made["car"]["id"]
    assert document["transaction"]["metadata"]["mileage"] == 1200
    assert twin("tx", "show", document["id"][:12]) == document
    run = invoke("tx", "show", "0" * 64, "--json")
    assert (run.status, run.error["code"]) == (4, "not_found")


def test_show_of_a_file(invoke: Invoke, made: dict[str, Any], tmp_path: Path) -> None:
    twin = quietly(invoke)
    known = twin("tx", "show", made["first"]["transaction_id"])
    assert twin("tx", "show", in_file(tmp_path, known["transaction"])) == known
    assert twin("tx", "show", in_file(tmp_path, known)) == known  # the document itself
    assert twin("tx", "show", "-", stdin=json.dumps(known, indent=2)) == known
    strange = twin("tx", "show", in_file(tmp_path, create()))
    assert (strange["height"], strange["committed_at"], strange["spent_by"]) == (None, None, [None])
    run = invoke("tx", "show", in_file(tmp_path, {**create(), "metadata": {"a": 1}}), "--json")
    assert (run.status, run.error["code"]) == (7, "invalid_hash")
    run = invoke("tx", "show", "-", "--json", stdin='{"a": 1, "a": 2}')
    assert (run.status, run.error["code"]) == (7, "invalid_json")
    run = invoke("tx", "show", str(tmp_path / "none.json"), "--json")
    assert (run.status, run.error["code"]) == (4, "no_file")
    run = invoke("tx", "show", f"{tmp_path}/", "--json")
    assert (run.status, run.error["code"]) == (9, "cannot_read")


def test_show_of_a_file_needs_no_home(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    assert invoke("tx", "show", in_file(tmp_path, create()), "--get", "height").stdout == "null\n"
    assert not home.exists()


def test_show_of_several(invoke: Invoke, made: dict[str, Any]) -> None:
    ids = [made["first"]["transaction_id"], made["wrong"]["transaction_id"]]
    document = quietly(invoke)("tx", "show", *ids)
    assert document["schema"] == "twin.transactions/1"
    assert [tx["id"] for tx in document["transactions"]] == ids
    rows = invoke("tx", "show", *ids).stdout.splitlines()
    assert rows[0] == "id\toperation\tasset_id\theight\tcommitted_at"
    assert [row.split("\t")[0] for row in rows[1:]] == ids


# --- validate ----------------------------------------------------------------------------------


def rules(document: dict[str, Any]) -> dict[str, Any]:
    assert [row["rule"] for row in document["rules"]] == [rule.name for rule in validate.RULES]
    assert all(set(row) == {"rule", "ok", "message"} for row in document["rules"])
    return {row["rule"]: row["ok"] for row in document["rules"]}


def test_what_is_on_the_ledger_is_judged_by_what_came_before_it(
    invoke: Invoke, made: dict[str, Any]
) -> None:
    twin = quietly(invoke)
    for name in ("car", "first", "wrong", "right", "clips"):
        document = twin("tx", "validate", made[name]["transaction_id"], "--explain")
        assert list(document) == [*VALIDATION, "rules"]
        assert (document["valid"], document["error"], document["deviations"]) == (True, None, [])
        found = rules(document)
        only = {"duplicate"} if name in {"car", "clips"} else {"inputs", "unspent", "asset", "sums"}
        both = {"json", "id", "form", "data", "fulfillments", "outputs", "signatures", "strict"}
        assert {rule for rule, ok in found.items() if ok} == only | both
        assert False not in found.values()


def test_a_create_needs_no_home_a_transfer_does(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    first = create()
    document = quietly(invoke)("tx", "validate", in_file(tmp_path, first))
    assert list(document) == VALIDATION
    assert document["valid"] is True
    assert document["profile"] == "strict"
    run = invoke("tx", "validate", in_file(tmp_path, give(first)), "--json")
    assert (run.status, run.error["code"]) == (4, "no_home")
    assert not home.exists()


def broken() -> Iterator[tuple[str, str, Any]]:
    """Yield the rule, the code and the transaction."""
    first = create()
    wrong_amount = transaction.sign(
        transaction.transfer(
            [Spend.of(give(first), 0)], [owned(ALICE, amount=2)], first["id"], None
        ),
        [ALICE],
    )
    yield "json", "invalid_json", "{"
    yield "json", "schema_validation_error", []
    yield "id", "invalid_hash", {**first, "metadata": {"a": 1}}
    yield "form", "schema_validation_error", signed_again({**first, "version": "3.0"})
    yield "form", "operation_unsupported", signed_again({**first, "operation": "VOTE"})
    yield "data", "validation_error", signed_again({**first, "metadata": {"a.b": 1}})
    yield "data", "overflow_error", signed_again({**first, "metadata": {"a": 2**63}})
    yield "fulfillments", "invalid_signature", with_fulfillment(first, "pGSA")
    yield "outputs", "amount_error", with_amount(first, "0")
    yield "inputs", "input_does_not_exist", give(create(number=99))
    yield "unspent", "double_spend", give(first, number=7)
    yield "sums", "amount_error", wrong_amount
    yield "signatures", "invalid_signature", forged(create(number=5))
    yield "strict", "amount_leading_zero", with_amount(create(number=6), "01", sign=True)


def signed_again(tx: dict[str, Any]) -> dict[str, Any]:
    """Return a changed transaction with the id that belongs to it."""
    from twincli.crypto import canonical

    return {**tx, "id": canonical.sha3_hex(canonical.encode({**tx, "id": None}))}


def with_fulfillment(tx: dict[str, Any], uri: str) -> dict[str, Any]:
    return signed_again({**tx, "inputs": [{**tx["inputs"][0], "fulfillment": uri}]})


def with_amount(tx: dict[str, Any], amount: str, *, sign: bool = False) -> dict[str, Any]:
    changed = {**tx, "outputs": [{**tx["outputs"][0], "amount": amount}]}
    if sign:
        bare = transaction.create([ALICE.public_key], [owned(ALICE)], tx["asset"]["data"], None)
        bare["outputs"] = changed["outputs"]
        return transaction.sign(bare, [ALICE])
    return signed_again(changed)


def forged(tx: dict[str, Any]) -> dict[str, Any]:
    """Return a transaction with the signature of another one."""
    other = create(number=4)["inputs"][0]["fulfillment"]
    return with_fulfillment(tx, other)


@pytest.mark.parametrize(
    ("rule", "code", "tx"), [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in broken()]
)
def test_the_first_broken_rule_is_named(rule: str, code: str, tx: Any, invoke: Invoke) -> None:
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    first = create()
    lines = "".join(json.dumps(item) + "\n" for item in (first, give(first)))
    assert twin("tx", "submit", "-", stdin=lines)["created"] == 2
    text = tx if isinstance(tx, str) else json.dumps(tx)
    if code == "double_spend":
        text = json.dumps(give(first, owned(BOB)))
    run = invoke("tx", "validate", "-", "--explain", "--json", stdin=text)
    assert (run.status, run.stderr) == (3, "")
    document = run.json
    assert document["valid"] is False
    assert set(document["error"]) == {"code", "message", "hint"}
    assert document["error"]["code"] == code
    found = rules(document)
    names = list(found)
    at = names.index(rule)
    assert found[rule] is False
    assert False not in list(found.values())[:at]
    assert set(list(found.values())[at + 1 :]) <= {None}
    # The rows of a pipe say the same.
    run = invoke("tx", "validate", "-", "--explain", stdin=text)
    assert run.status == 3
    assert f"\n{rule}\tNO " in run.stdout


def test_the_profile_of_the_server_tolerates_and_says_what(invoke: Invoke, tmp_path: Path) -> None:
    path = in_file(tmp_path, with_amount(create(), "01", sign=True))
    strict = invoke("tx", "validate", path, "--json").json
    assert [item["code"] for item in strict["deviations"]] == ["amount_leading_zero"]
    run = invoke("tx", "validate", path, "--profile", "server-2.2.2", "--explain", "--json")
    assert run.status == 0
    assert run.json["valid"] is True
    assert run.json["deviations"] == strict["deviations"]
    assert rules(run.json)["strict"] is None
    assert invoke("tx", "validate", path, "--profile", "lax").status == 2


# --- submit ------------------------------------------------------------------------------------


@pytest.fixture
def there(invoke: Invoke) -> Any:
    """A home without a ledger."""
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    return twin


def test_submit_one(invoke: Invoke, there: Any, tmp_path: Path) -> None:
    tx = create()
    path = in_file(tmp_path, tx)
    dry = there("tx", "submit", path, "--dry-run")
    assert (dry["height"], dry["created"]) == (None, True)
    assert there("status")["ledger"] is None
    document = there("tx", "submit", path)
    assert list(document) == [
        "schema",
        "ledger",
        "transaction_id",
        "asset_id",
        "height",
        "committed_at",
        "created",
        "signed_by",
        "warnings",
    ]
    assert document["schema"] == "twin.submission/1"
    assert (document["transaction_id"], document["created"]) == (tx["id"], True)
    assert document["signed_by"] == [ALICE.public_key]
    again = there("tx", "submit", path)
    assert again == {**document, "created": False}
    assert there("tx", "show", tx["id"])["height"] == 1
    run = invoke("tx", "submit", path)
    assert "already on the ledger" in run.stderr


def test_submit_of_a_bad_one_fails_with_its_rule(
    invoke: Invoke, there: Any, tmp_path: Path
) -> None:
    tx = create()
    there("tx", "submit", in_file(tmp_path, tx))
    for bad, code in [
        ({**tx, "metadata": {"a": 1}}, "invalid_hash"),
        (forged(create(number=5)), "invalid_signature"),
        (give(create(number=9)), "input_does_not_exist"),
    ]:
        run = invoke("tx", "submit", in_file(tmp_path, bad), "--json")
        assert (run.status, run.stdout, run.error["code"]) == (7, "", code)
    there("tx", "submit", in_file(tmp_path, give(tx)))
    run = invoke("tx", "submit", in_file(tmp_path, give(tx, owned(BOB))), "--json")
    assert (run.status, run.error["code"]) == (7, "double_spend")
    again = there("tx", "submit", in_file(tmp_path, give(tx)))
    assert again["created"] is False
    assert invoke("tx", "submit", "-", stdin="").status == 7


def test_submit_several(there: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "CHUNK", 2)
    first = create()
    second = give(first)
    third = give(second, number=3)
    path = in_file(tmp_path, first, second, third, name="many.jsonl")
    dry = there("tx", "submit", path, "--dry-run")
    assert (dry["count"], dry["created"], dry["failed"]) == (3, 3, 0)
    assert there("status")["ledger"] is None
    document = there("tx", "submit", path)
    assert list(document) == [
        "schema",
        "ledger",
        "count",
        "created",
        "existing",
        "failed",
        "errors",
        "warnings",
    ]
    assert document["schema"] == "twin.submissions/1"
    assert (document["count"], document["created"], document["errors"]) == (3, 3, [])
    again = there("tx", "submit", path)
    assert (again["created"], again["existing"], again["failed"]) == (0, 3, 0)


def test_submit_of_several_with_faults_is_partial(invoke: Invoke, there: Any) -> None:
    first = create()
    lines = [
        json.dumps(first),
        "{nonsense",
        json.dumps({**first, "metadata": {"a": 1}}),
        "[]",
        json.dumps(create(number=2)),
    ]
    run = invoke("tx", "submit", "-", "--json", stdin="\n\n".join(lines))
    assert (run.status, run.stderr) == (10, "")
    document = run.json
    assert (document["count"], document["created"], document["failed"]) == (5, 2, 3)
    assert [(item["number"], item["code"]) for item in document["errors"]] == [
        (2, "invalid_json"),
        (3, "invalid_hash"),
        (4, "schema_validation_error"),
    ]
    assert all(
        set(item) == {"number", "transaction_id", "code", "message", "hint"}
        for item in document["errors"]
    )
    run = invoke("tx", "submit", "-", stdin="\n".join(lines))
    assert run.status == 10
    assert "2: invalid_json" in run.stderr
    assert there("status")["ledger"]["transactions"] == 2


def test_submit_makes_no_home(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    run = invoke("tx", "submit", in_file(tmp_path, create()), "--json")
    assert (run.status, run.error["code"]) == (4, "no_home")
    assert not home.exists()
