"""Every answer of BigchainDB 2.2.2 that was captured, asked of our node.

Source: the routes of server 2.2.2, their parameters, statuses and bodies, as its own code answered
over HTTP. Ids and keys stand for those of the transactions made here.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ledger.chains import ALICE, BOB, create, owned, spend
from tests.node.running import HASH, Answer, Running
from twincli.crypto import base58
from twincli.ledger import Ledger
from twincli.model import transaction
from twincli.node.answers import Answer as Answered
from twincli.node.writing.committer import commit

DOCS = "https://docs.bigchaindb.com/projects/server/en/v2.2.2/"
MISSING = "Missing required parameter in the JSON body or the post body or the query string"
BOOLEAN = 'Boolean value must be "true" or "false" (lowercase)'
PAGE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<title>404 Not Found</title>
<h1>Not Found</h1>
<p>The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.</p>
"""  # noqa: E501
NOT_FOUND = {"message": "Not found", "status": 404}
STRANGER = "23S3sGCijjA6YnLw7hP6yB7YWYUaFmhrT63suJDgR1fy"


class Story(NamedTuple):
    """What the captured answers are about: a bicycle with ten shares, three of them sold."""

    node: Running
    bicycle: dict[str, Any]
    sale: dict[str, Any]
    others: list[dict[str, Any]]


@pytest.fixture
def story(node: Running) -> Story:
    bicycle = create(
        outputs=[owned(ALICE, amount=10)],
        data={"bicycle": {"manufacturer": "Acme", "color": "red"}},
        metadata={"planet": "earth"},
    )
    sale = spend(
        (bicycle, 0),
        outputs=[owned(BOB, amount=3), owned(ALICE, amount=7)],
        metadata={"price": "seven coins"},
    )
    others = [
        create(data={"kind": "bicycle"}, metadata={"ct": 1}),
        create(data={"kind": "bicycle"}, metadata={"as": 1}),
    ]
    assert node.post(bicycle).json == bicycle
    answer = node.ask("POST", "/api/v1/transactions/?mode=sync", json.dumps(sale).encode())
    assert (answer.status, answer.json) == (202, sale)
    body = json.dumps(others[0]).encode()
    answer = node.ask("POST", "/api/v1/transactions", body, {"content-type": "text/plain"})
    assert (answer.status, answer.json) == (202, others[0])
    assert node.post(others[1], "async").status == 202
    return Story(node, bicycle, sale, others)


def links(prefix: str, ws_url: str) -> dict[str, str]:
    found = {
        name: f"{prefix}/{name}/"
        for name in ("assets", "blocks", "metadata", "outputs", "transactions")
    }
    return found | {
        "docs": f"{DOCS}http-client-server-api.html",
        "streams": f"{ws_url}/api/v1/streams/valid_transactions",
        "validators": f"{prefix}/validators",
    }


def test_the_root_and_the_api(node: Running) -> None:
    expected = {
        "api": {"v1": links("/api/v1", node.ws_url)},
        "docs": DOCS,
        "software": "BigchainDB",
        "version": "2.2.2",
    }
    said = node.get("/").json
    twin = said.pop("twin")  # beside what BigchainDB says
    assert said == expected
    assert set(twin) == {
        "ledger",
        "height",
        "public_key",
        "former_keys",
        "profile",
        "offers",
    }
    assert twin["offers"] == ["block_time", "listing", "log", "status"]
    assert len(twin["ledger"]) == 64
    for path in ("/api/v1", "/api/v1/"):
        answer = node.get(path)
        assert (answer.status, answer.json) == (200, links("", node.ws_url))
        assert "access-control-allow-origin" not in answer.headers


def test_an_empty_chain(node: Running) -> None:
    with Ledger.open(node.path) as ledger:
        value = base64.b64encode(base58.decode(ledger.public_key)).decode()
    for path in ("/api/v1/validators", "/api/v1/validators/"):
        assert node.get(path).json == [
            {"public_key": {"type": "ed25519-base64", "value": value}, "voting_power": 10}
        ]
    assert node.get("/api/v1/blocks/0").json == {"height": 0, "transactions": []}
    answer = node.get("/api/v1/blocks/1")
    assert (answer.status, answer.json) == (404, NOT_FOUND)


BICYCLE, SALE, CT, AS = range(4)
OUTPUTS = [(BICYCLE, 0), (SALE, 1), (CT, 0), (AS, 0)]

# A GET, and the items of its answer: transactions or outputs by their numbers above.
LISTS: list[tuple[str, list[Any]]] = [
    ("transactions?asset_id=ID", [BICYCLE, SALE]),
    ("transactions/?asset_id=ID", [BICYCLE, SALE]),
    ("transactions?asset_id=ID&operation=CREATE", [BICYCLE]),
    ("transactions?asset_id=ID&operation=transfer", [SALE]),
    ("transactions?asset_id=ID&last_tx=true", [SALE]),
    ("transactions?asset_id=ID&last_tx=TRUE", [SALE]),
    ("transactions?asset_id=ID&last_tx=false", [BICYCLE, SALE]),
    ("transactions?asset_id=ID&operation=CREATE&last_tx=true", [BICYCLE]),
    ("transactions?asset_id=ID&operation=TRANSFER&last_tx=True", [SALE]),
    ("transactions?asset_id=UPPER&x=1", [BICYCLE, SALE]),
    ("transactions?asset_id=ID&asset_id=NONE", [BICYCLE, SALE]),
    ("transactions?asset_id=CT&operation=TRANSFER", []),
    ("transactions?asset_id=CT&operation=TRANSFER&last_tx=true", []),
    ("transactions?asset_id=NONE", []),
    ("transactions?asset_id=NONE&last_tx=true", []),
    ("transactions?asset_id=SALE", []),
    ("outputs?public_key=ALICE", OUTPUTS),
    ("outputs/?public_key=ALICE", OUTPUTS),
    ("outputs?public_key=ALICE&spent=true", [(BICYCLE, 0)]),
    ("outputs?public_key=ALICE&spent=TRUE", [(BICYCLE, 0)]),
    ("outputs/?public_key=ALICE&spent=True", [(BICYCLE, 0)]),
    ("outputs?public_key=ALICE&spent=false", OUTPUTS[1:]),
    ("outputs?public_key=STRANGER", []),
]


def filled(path: str, story: Story) -> str:
    for word, value in {
        "UPPER": story.bicycle["id"].upper(),
        "=ID": "=" + story.bicycle["id"],
        "/ID": "/" + story.bicycle["id"],
        "=CT": "=" + story.others[0]["id"],
        "SALE": story.sale["id"],
        "NONE": HASH,
        "ALICE": ALICE.public_key,
        "STRANGER": STRANGER,
    }.items():
        path = path.replace(word, value)
    return f"/api/v1/{path}"


def test_lists(story: Story) -> None:
    txs = [story.bicycle, story.sale, *story.others]
    for path, items in LISTS:
        answer = story.node.get(filled(path, story))
        expected = [
            txs[item]
            if isinstance(item, int)
            else {"transaction_id": txs[item[0]]["id"], "output_index": item[1]}
            for item in items
        ]
        assert (path, answer.status, answer.json) == (path, 200, expected)


# A GET, the status and the body, "page" for the page of HTML.
CASES: list[tuple[str, int, Any]] = [
    ("transactions/NONE", 404, NOT_FOUND),
    ("transactions/xyz", 404, NOT_FOUND),
    ("transactions/UPPER", 404, NOT_FOUND),
    ("transactions", 400, {"message": {"asset_id": MISSING}}),
    ("transactions?asset_id=abc", 400, {"message": {"asset_id": "Invalid hash"}}),
    ("transactions?asset_id=ID%0A", 400, {"message": {"asset_id": "Invalid hash"}}),
    (
        "transactions?operation=VOTE&asset_id=ID",
        400,
        {"message": {"operation": 'Operation must be "CREATE" or "TRANSFER"'}},
    ),
    ("transactions?last_tx=yes&asset_id=ID", 400, {"message": {"last_tx": BOOLEAN}}),
    ("outputs", 400, {"message": {"public_key": MISSING}}),
    ("outputs?foo=1", 400, {"message": {"public_key": MISSING}}),
    ("outputs?public_key=abc", 400, {"message": {"public_key": "Invalid base58 ed25519 key"}}),
    ("outputs?spent=maybe&public_key=ALICE", 400, {"message": {"spent": BOOLEAN}}),
    ("outputs?foo=1&public_key=ALICE", 400, {"message": "Unknown arguments: foo"}),
    ("assets", 400, {"message": {"search": MISSING}}),
    ("assets?search=", 400, {"message": "text_search cannot be empty", "status": 400}),
    ("assets?search=%20", 200, []),
    (
        "assets?search=acme&limit=x",
        400,
        {"message": {"limit": "invalid literal for int() with base 10: 'x'"}},
    ),
    (
        "assets?search=acme&limit=" + "9" * 6000,
        400,
        {"message": {"limit": f"invalid literal for int() with base 10: '{'9' * 1000}...'"}},
    ),
    ("assets?search=acme&limit=-1", 400, {"message": {"limit": "limit must be 0 (all) or more"}}),
    ("assets?search=zebra", 200, []),
    ("assets/ID", 404, "page"),
    ("metadata", 400, {"message": {"search": MISSING}}),
    ("blocks/99", 404, NOT_FOUND),
    ("blocks/99999999999999999999999999", 404, NOT_FOUND),
    ("blocks/" + "9" * 6000, 404, NOT_FOUND),
    ("blocks/" + "0" * 30 + "99", 404, NOT_FOUND),
    ("blocks/latest", 404, "page"),
    ("blocks/-1", 404, "page"),
    ("blocks", 400, {"message": {"transaction_id": MISSING}}),
    ("blocks?transaction_id=ID", 200, [1]),
    ("blocks?transaction_id=NONE", 200, []),
    ("blocks?transaction_id=xyz", 200, []),
    ("blocks?transaction_id=x&status=VALID", 400, {"message": "Unknown arguments: status"}),
    ("nowhere", 404, "page"),
    ("transactions/a/b", 404, "page"),
    ("transactions//", 404, "page"),
]


def test_cases(story: Story) -> None:
    for path, status, expected in CASES:
        answer = story.node.get(filled(path, story))
        assert (path, answer.status) == (path, status)
        if expected == "page":
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.body.decode() == PAGE
        else:
            assert (path, answer.json) == (path, expected)


def test_one_transaction_in_both_forms(story: Story) -> None:
    for path in ("transactions/ID", "transactions/ID/"):
        answer = story.node.get(filled(path, story))
        assert (answer.status, answer.json) == (200, story.bicycle)
        head = story.node.ask("HEAD", filled(path, story))
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(answer.body))


def test_blocks(story: Story) -> None:
    for height, tx in enumerate([story.bicycle, story.sale, *story.others], 1):
        for path in (f"blocks/{height}", f"blocks/{height}/"):
            found = story.node.get(filled(path, story)).json
            assert found == {"height": height, "transactions": [tx]}


@pytest.mark.parametrize(
    "path",
    [
        "assets?search=acme",
        "assets/?search=acme&limit=0",
        "assets?limit=10&search=ACME",
        "assets?search=acme&limit=1",
        "assets?limit=99999999999999999999999&search=acme",
        "assets?search=%22acme%22",
        "assets?search=acme%20zebra",
        "assets?search=acme+zebra",
        "assets/?search=ID",
    ],
)
def test_searching_assets(path: str, story: Story) -> None:
    expected = [{"data": story.bicycle["asset"]["data"], "id": story.bicycle["id"]}]
    assert story.node.get(filled(path, story)).json == expected


def test_searching_metadata(story: Story) -> None:
    sold = {"id": story.sale["id"], "metadata": {"price": "seven coins"}}
    made = {"id": story.bicycle["id"], "metadata": {"planet": "earth"}}
    assert story.node.get("/api/v1/metadata?search=coins").json == [sold]
    assert story.node.get("/api/v1/metadata/?search=earth&limit=2").json == [made]
    both = story.node.get("/api/v1/metadata?search=earth%20coins").json
    assert both == [made, sold]
    assert story.node.get("/api/v1/metadata?search=earth%20coins&limit=1").json == [made]


def refused(answer: Answer, kind: str, text: str) -> bool:
    message = f"Invalid transaction ({kind}): {text}"
    return (answer.status, answer.json) == (400, {"message": message, "status": 400})


def test_refusals(story: Story) -> None:
    node, tx = story.node, story.bicycle
    tx_id = tx["id"]
    text = f"transaction `{tx_id}` already exists"
    assert refused(node.post(tx), "DuplicateTransaction", text)
    again = spend((tx, 0), outputs=[owned(BOB, amount=10)])
    assert refused(node.post(again), "DoubleSpend", f"input `{tx_id}` was already spent")
    altered = {**tx, "metadata": {"planet": "mars"}}
    text = (
        f"The transaction's id '{tx_id}' isn't equal to the hash of its body, i.e. it's not valid."
    )
    assert refused(node.post(altered), "InvalidHash", text)
    assert refused(node.post({**tx, "id": None}), "InvalidHash", "No transaction id found!")
    rehashed = {**altered, "id": transaction.transaction_id(altered)}
    assert refused(node.post(rehashed), "InvalidSignature", "Transaction signature is invalid.")
    unknown = spend((create(99), 0))
    text = f"input `{unknown['inputs'][0]['fulfills']['transaction_id']}` doesn't exist"
    assert refused(node.post(unknown), "InputDoesNotExist", text)
    old = {**tx, "version": "1.0"}
    old["id"] = transaction.transaction_id(old)
    answer = node.post(old)
    assert answer.status == 400
    assert answer.json["message"].startswith("Invalid transaction schema: version is '1.0'")
    named = create(data={"a": 1}, metadata={"$a": 1})
    answer = node.post(named)
    assert answer.json["message"].startswith("Invalid transaction (ValidationError): metadata.$a")


NOT_JSON = {
    "message": "The browser (or proxy) sent a request that this server could not understand."
}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", None),
        (b"no JSON", None),
        (b"\xff\xfe", None),
        (b"[" * 200_000, "the body is nested too deeply"),
        (b"{}", "Invalid transaction (InvalidHash): No transaction id found!"),
        (b"[]", "Invalid transaction schema: the transaction is not an object"),
        (b"null", "Invalid transaction schema: the transaction is not an object"),
        (b'{"a":NaN}', "the body: NaN is not a JSON number"),
        (b'{"a":1,"a":2}', "the body: the key 'a' occurs twice in one object"),
        (b"1e400", "the body: 1e400 is too large for a double"),
        (b"1" * 5000, "the body: a number is too long"),
    ],
)
def test_bodies_that_are_no_transaction(node: Running, body: bytes, message: str | None) -> None:
    answer = node.post(body)
    expected = NOT_JSON if message is None else {"message": message, "status": 400}
    assert (answer.status, answer.json) == (400, expected)


def test_parameter_errors_come_before_body_errors(node: Running) -> None:
    answer = node.ask("POST", "/api/v1/transactions?mode=now", b"no JSON")
    expected = {"message": {"mode": 'Mode must be "async", "sync" or "commit"'}}
    assert (answer.status, answer.json) == (400, expected)


def test_other_methods(node: Running) -> None:
    answer = node.ask("PUT", "/api/v1/transactions", b"{}")
    expected = {"message": "The method is not allowed for the requested URL."}
    assert (answer.status, answer.json) == (405, expected)
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    answer = node.ask("OPTIONS", "/api/v1/transactions")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST, OPTIONS"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert node.ask("POST", "/api/v1/outputs", b"").status == 405
    assert node.ask("OPTIONS", "/nowhere").status == 404


VECTORS = Path(__file__).parents[1] / "vectors"
CASES_OF_DRIVERS = json.loads((VECTORS / "driver_transactions_refused.json").read_text())["cases"]


SCENARIOS = json.loads((VECTORS / "driver_transactions.json").read_text())["scenarios"]


def step_of(scenario: str, step: str) -> bytes:
    """Return a transaction that both drivers make."""
    steps = next(item["steps"] for item in SCENARIOS if item["name"] == scenario)
    found: str = next(item["transaction_json"] for item in steps if item["name"] == step)
    return found.encode()


def judged(*bodies: bytes) -> Answered:
    """Return the last answer over a ledger in memory."""
    with Ledger.open(":memory:") as ledger:
        return [commit(ledger, [body])[0] for body in bodies][-1]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES_OF_DRIVERS])
def test_what_the_server_refuses_is_refused_with_its_class(case: dict[str, Any]) -> None:
    """Every transaction that the drivers can be made to send, against the server's verdict."""
    after = [step_of(**before) for before in case["after"]]
    answer = judged(*after, case["transaction_json"].encode())
    theirs = case["server_2_2_2"]
    assert answer.status in {202, 400}
    if theirs["status"] == 202:
        return  # the profile strict refuses some; tests/rules say which
    assert answer.status == 400
    message = theirs.get("message")
    if isinstance(message, str) and message.startswith("Invalid transaction"):
        ours = json.loads(answer.body)["message"]
        assert ours.partition(":")[0] == message.partition(":")[0]
        if not message.startswith(EXPLAINED):
            assert ours == message


# Here our message says more than the server's: which field, and what is wrong with it.
EXPLAINED = (
    "Invalid transaction schema",
    "Invalid transaction (ValidationError)",
    "Invalid transaction (AmountError)",
    "Invalid transaction (AssetIdMismatch)",
    'Invalid transaction (DoubleSpend): tx "',
    "Invalid transaction (InvalidSignature)",
)
