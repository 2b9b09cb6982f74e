"""A network whose nodes fail, fall silent, lose answers and lie."""

from __future__ import annotations

import copy
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Thread, Timer
from typing import Any

import pytest

from tests.client.conftest import Connect
from tests.client.fakenode import API, Answer, FakeNode, serving
from tests.ledger.chains import ALICE, BOB, chain, create, owned, spend
from twincli.client import network
from twincli.client.nodes import Nodes
from twincli.client.profiles import of_urls
from twincli.errors import (
    ConfigError,
    InvalidError,
    NotVerifiedError,
    PartialError,
    TwinError,
    UnreachableError,
    UsageError,
)
from twincli.ledger import Ledger
from twincli.model import transaction

LIST = f"{API}/transactions"
Change = Callable[[Answer], Answer | bytes]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "PATIENCE", (0.0,))
    monkeypatch.setattr(network, "FRESH_SECONDS", 0.0)


@pytest.fixture
def second(node: FakeNode) -> Iterator[FakeNode]:
    """Another node of the same network."""
    with serving(node.ledger) as made:
        yield made


def always(answer: Answer | bytes) -> Change:
    return lambda _: answer


# --- Failover ----------------------------------------------------------------------------------


def test_a_silent_node_is_left_for_the_next(
    node: FakeNode, second: FakeNode, connect: Connect
) -> None:
    tx = create()
    second.ledger.submit(tx)
    node.silent = True
    client = connect(node, second, timeout=0.4)
    entry = client.entry(tx["id"])
    assert entry is not None
    assert entry.tx == tx
    # It is waited for once, and asked last from then on.
    assert len(node.asked) == 1
    assert len(second.asked) > 2


def test_a_node_that_refuses_connections_is_not_waited_for(
    node: FakeNode, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.ledger.submit(create())
    client = connect("http://127.0.0.1:1", node, timeout=20)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it was waited for"))
    assert client.entry(create()["id"]) is not None


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"message": "Internal Server Error"}),
        (503, {"message": "busy", "status": 503}),
        (404, "<html>no such route</html>"),
        (301, "moved"),
        b"",
        b"nonsense",
        b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n[",
        (200, "<html>hello</html>"),
    ],
    ids=str,
)
def test_a_node_with_a_fault_is_left_for_the_next(
    answer: Answer | bytes, node: FakeNode, second: FakeNode, connect: Connect
) -> None:
    tx = create()
    node.ledger.submit(tx)
    node.answers["*"] = always(answer)
    client = connect(node, second)
    assert client.entry(tx["id"]) is not None


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_node_is_waited_for(status: int, node: FakeNode, connect: Connect) -> None:
    tx = create()
    times = 4

    def busy(answer: Answer) -> Answer:
        nonlocal times
        times -= 1
        return (status, {"message": "slower", "status": status}) if times >= 0 else answer

    node.answers[f"{LIST}/*"] = busy
    node.ledger.submit(tx)
    assert connect(node).entry(tx["id"]) is not None
    times = 100
    with pytest.raises(UnreachableError, match="slower"):
        connect(node, timeout=0.1).entry("0" * 64)


def test_the_patience_for_a_busy_node_is_not_had_again(
    node: FakeNode, second: FakeNode, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    tx = create()
    second.ledger.submit(tx)
    node.answers[f"{LIST}/*"] = always((503, {"message": "slower", "status": 503}))
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    client = connect(node, second)
    assert client.nodes.transaction(tx["id"]) == tx
    assert client.nodes.transaction(tx["id"]) == tx
    assert slept == []


def test_no_node_answers(connect: Connect, node: FakeNode) -> None:
    node.silent = True
    for urls, code, part in (
        (("http://127.0.0.1:1", "http://127.0.0.1:2"), "unreachable", "connection refused"),
        ((node,), "timeout", "does not answer"),
        (("http://no-such-host.invalid",), "unreachable", "no such host"),
    ):
        with pytest.raises(UnreachableError) as caught:
            connect(*urls, timeout=0.2).entry("0" * 64)
        assert caught.value.code == code
        assert part in caught.value.message
        assert caught.value.retryable
        assert caught.value.hint


def test_a_redirect_is_not_followed(node: FakeNode, connect: Connect) -> None:
    with serving() as elsewhere:
        target = f"HTTP/1.0 307 Go\r\nlocation: {elsewhere.url}/\r\ncontent-length: 0\r\n\r\n"
        node.answers["/"] = always(target.encode())
        with pytest.raises(UnreachableError):
            connect(node).nodes.info()
        assert elsewhere.asked == []


def test_an_answer_without_end_is_given_up(
    node: FakeNode, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.client import transport

    monkeypatch.setattr(transport, "LARGEST", 1000)
    node.answers["*"] = always((200, [{"id": "x", "data": "y" * 2000}]))
    with pytest.raises(UnreachableError, match="too large"):
        connect(node).nodes.assets("x")
    # Where one thing is asked for, a long answer is none.
    monkeypatch.setattr(transport, "LARGEST", 1 << 28)
    monkeypatch.setattr(transport, "SMALL", 1000)
    node.answers["*"] = always((200, [{"id": "x", "data": "y" * 2000}]))
    client = connect(node)
    with pytest.raises(UnreachableError, match="too large"):
        client.nodes.info()
    few: list[Callable[[str], Any]] = [
        client.nodes.transaction,
        client.nodes.height,
        client.nodes.last,
    ]
    for ask in few:
        with pytest.raises(UnreachableError, match="too large"):
            ask("x")
    with pytest.raises(UnreachableError, match="too large"):
        client.nodes.post(create())
    assert client.nodes.assets("x") == [{"id": "x", "data": "y" * 2000}]
    assert client.nodes.transactions("x")
    monkeypatch.setattr(transport, "SMALL", 1 << 24)
    node.answers["*"] = always((200, "[" * 900_000))
    with pytest.raises(UnreachableError, match="nested too deeply"):
        connect(node).nodes.info()


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n", b" "),
    ],
)
def test_an_answer_that_comes_byte_by_byte_is_given_up(begin: bytes, drop: bytes) -> None:
    over = Event()

    def tell(listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(begin)
                while not over.wait(0.05):
                    connection.sendall(drop)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        teller = Thread(target=tell, args=(listener,))
        teller.start()
        nodes = Nodes([f"http://127.0.0.1:{listener.getsockname()[1]}"], {}, 0.3)
        safety = Timer(5, over.set)
        safety.start()
        try:
            ((_, said, seconds),) = nodes.one_by_one()
        finally:
            safety.cancel()
            over.set()
            teller.join()
            nodes.close()
    assert isinstance(said, UnreachableError)
    assert said.message == "it answers too slowly"
    assert seconds < 3


@pytest.mark.parametrize("charset", [b"utf-16", b"rot13", b"x\0y", b"utf-8\xff"])
def test_an_answer_is_utf_8_whatever_it_says(
    charset: bytes, node: FakeNode, connect: Connect
) -> None:
    head = b"HTTP/1.0 200 OK\r\ncontent-type: text/plain; charset=" + charset + b"\r\n\r\n"
    node.answers["/"] = always(head + b'{"version": "\xc3\xa9"}')
    assert connect(node).nodes.info() == {"version": "\xe9"}


@pytest.mark.parametrize("status", [401, 403])
def test_a_node_that_asks_for_a_token(status: int, node: FakeNode, connect: Connect) -> None:
    node.answers["*"] = always((status, {"message": "no token", "status": status}))
    client = connect(node)
    for action in (lambda: client.entry("0" * 64), lambda: client.submit(create())):
        with pytest.raises(ConfigError) as caught:
            action()
        assert caught.value.code == "not_allowed"
        assert "no token" in caught.value.message
        assert "--header-file" in str(caught.value.hint)


@pytest.mark.parametrize("status", [400, 401])
def test_a_node_that_refuses_does_not_hide_the_others(
    status: int, node: FakeNode, second: FakeNode, connect: Connect
) -> None:
    node.answers["/"] = always((status, {"message": "no", "status": status}))
    (_, first, _), (_, other, _) = connect(node, second).nodes.one_by_one()
    assert isinstance(first, TwinError)
    assert isinstance(other, dict)


@pytest.mark.parametrize(
    "broken",
    [(400, {"message": "no"}), (403, {"message": "no"}), (200, None), (200, [{"id": 5}]), (200, 7)],
    ids=["400", "403", "null", "wrong list", "number"],
)
def test_a_broken_node_is_left_for_the_next(
    broken: tuple[int, Any], node: FakeNode, second: FakeNode, connect: Connect
) -> None:
    tx = create(data={"word": "findable"})
    second.ledger.submit(tx)
    for path in ("transactions", "assets", "metadata", "outputs", "blocks"):
        node.answers[f"{API}/{path}"] = always(broken)
    nodes = connect(node, second).nodes
    assert [hit["id"] for hit in nodes.assets("findable")] == [tx["id"]]
    assert nodes.outputs(ALICE.public_key) == [(tx["id"], 0)]
    assert [hit["id"] for hit in nodes.metadata("none")] == []
    with pytest.raises(TwinError):
        connect(node).nodes.assets("findable")


def test_a_question_that_is_refused(node: FakeNode, connect: Connect) -> None:
    answer = {"message": "text_search cannot be empty", "status": 400}
    node.answers[f"{API}/assets"] = always((400, answer))
    with pytest.raises(UsageError, match="cannot be empty") as caught:
        connect(node).search_assets("x")
    assert caught.value.code == "refused"


# --- Lost answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["drop", "fail"])
def test_an_answer_that_is_lost_is_found_out(lost: str, node: FakeNode, connect: Connect) -> None:
    client = connect(node)
    first = create()
    for tx in (first, spend((first, 0), metadata={"n": 1})):
        setattr(node, lost, 1)
        assert client.submit(tx) is not None
    assert node.ledger.counts() == {"transactions": 2, "assets": 1}
    sent = [line for line in node.asked if line.startswith("POST")]
    assert len(sent) == 4


def test_an_answer_lost_by_one_node_is_found_at_another(
    node: FakeNode, second: FakeNode, connect: Connect
) -> None:
    client = connect(node, second)
    node.drop = 9
    first = create()
    assert client.submit(first) is not None
    assert client.submit(spend((first, 0))) is not None
    assert node.ledger.counts()["transactions"] == 2


def test_what_may_have_come_through_is_said(node: FakeNode, connect: Connect) -> None:
    tx = create()
    node.drop = 9
    with pytest.raises(UnreachableError) as caught:
        connect(node).submit(tx)
    assert tx["id"] in str(caught.value.hint)
    node.drop = 0
    assert connect(node).entry(tx["id"]) is not None


def test_a_double_spend_of_somebody_else_is_none_of_ours(node: FakeNode, connect: Connect) -> None:
    first = create()
    node.ledger.submit_many([first, spend((first, 0), metadata={"n": 1})])
    node.fail = 1
    with pytest.raises(InvalidError) as caught:
        connect(node).submit(spend((first, 0), metadata={"n": 2}))
    assert caught.value.code == "double_spend"


def test_a_transaction_that_the_node_holds_already_is_waited_for(
    node: FakeNode, connect: Connect
) -> None:
    tx = create()
    node.ledger.submit(tx)
    held = "Internal error - Tx already exists in cache"
    node.answers["POST"] = always((400, {"message": held, "status": 400}))
    assert connect(node).submit(tx) == 1


def test_what_is_taken_and_not_shown(node: FakeNode, connect: Connect) -> None:
    tx = create()
    node.answers.update({LIST: always((200, [])), f"{LIST}/*": always((404, {}))})
    client = connect(node, timeout=0.1)
    with pytest.raises(UnreachableError) as caught:
        client.submit(tx)
    assert caught.value.code == "not_committed"
    node.answers["POST"] = always((202, {"id": "another"}))
    with pytest.raises(UnreachableError, match="did not return the transaction"):
        client.submit(tx)


@pytest.mark.parametrize(
    ("message", "code", "part"),
    [
        ("Invalid transaction (AmountError): too much", "amount_error", "too much"),
        ("Invalid transaction (AssetIdMismatch): ", "asset_id_mismatch", "AssetIdMismatch"),
        ("Invalid transaction schema: '1.0' is wrong", "schema_validation_error", "'1.0' is"),
        ({"mode": "Mode must be"}, "refused", "mode: Mode must be"),
        (None, "refused", "null"),
    ],
)
def test_the_words_of_a_refusal_are_kept(
    message: Any, code: str, part: str, node: FakeNode, connect: Connect
) -> None:
    node.answers["POST"] = always((400, {"message": message, "status": 400}))
    with pytest.raises(InvalidError) as caught:
        connect(node).submit(create())
    assert caught.value.code == code
    assert part in caught.value.message


def test_other_modes_are_not_waited_for(node: FakeNode, connect: Connect) -> None:
    for mode in ("sync", "async"):
        tx = create(data={"mode": mode})
        assert connect(node, mode=mode).submit(tx) is None
        assert node.asked[-1].endswith(f"mode={mode}")
    assert connect(node, mode="async").submit_many([create(7), create(8)]) is None


def test_a_network_knows_no_all_or_none(node: FakeNode, connect: Connect) -> None:
    first = create()
    bad = spend((create(5), 0))
    with pytest.raises(PartialError) as caught:
        connect(node).submit_many([first, bad])
    assert "1 before it are committed" in caught.value.message
    with pytest.raises(InvalidError):
        connect(node).submit_many([bad, create(6)])
    assert node.ledger.counts()["transactions"] == 1


# --- A node that lies --------------------------------------------------------------------------


def caught_lying(action: Callable[[], object]) -> str:
    with pytest.raises(NotVerifiedError) as caught:
        action()
    assert caught.value.hint
    return caught.value.code


@pytest.fixture
def history(node: FakeNode) -> list[dict[str, Any]]:
    txs = chain(4)
    node.ledger.submit_many(txs)
    return txs


def looks(client: network.NetworkClient, asset_id: str) -> list[Callable[[], object]]:
    """Return all ways to look at an asset."""
    return [
        lambda: client.entry(asset_id),
        lambda: list(client.entries(asset_id)),
        lambda: list(client.transactions(asset_id)),
        lambda: client.last(asset_id),
        lambda: client.replay(asset_id),
        lambda: client.unspent(asset_id),
        lambda: client.once(asset_id, "t"),
        lambda: client.corrections(asset_id),
    ]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(
    "change",
    [
        lambda tx: tx | {"metadata": {"n": 99}},
        lambda tx: tx | {"version": "1.0"},
        lambda tx: {name: value for name, value in tx.items() if name != "inputs"},
        lambda tx: tx | {"inputs": [{"fulfills": 7}]},
        lambda tx: tx | {"outputs": []},
    ],
    ids=["metadata", "version", "no inputs", "odd inputs", "no outputs"],
)
def test_an_altered_transaction(
    number: int,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    node: FakeNode,
    history: list[dict[str, Any]],
    connect: Connect,
) -> None:
    shown = [change(tx) if place == number else tx for place, tx in enumerate(history)]
    node.answers[LIST] = always((200, shown))
    client = connect(node)
    # Asked by its id, the CREATE is shown rightly, and is believed from then on.
    for look in looks(client, history[0]["id"])[number == 0 :]:
        assert caught_lying(look) in {"altered_transaction", "history_omitted"}
    node.answers.clear()
    assert list(client.transactions(history[0]["id"])) == history


def test_an_altered_transaction_asked_by_id(
    node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    node.answers[f"{LIST}/*"] = always((200, history[0] | {"metadata": {"n": 5}}))
    assert caught_lying(lambda: connect(node).entry(history[0]["id"])) == "altered_transaction"
    for other in ({}, {"id": history[0]["id"]}, history[1], create(9)):
        node.answers[f"{LIST}/*"] = always((200, other))
        assert caught_lying(lambda: connect(node).entry(history[0]["id"])) == "altered_transaction"


def test_a_forged_transaction(
    node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    """An append that the owner did not sign, well formed and with its right id."""
    mine = owned(BOB)
    stolen = transaction.Spend(history[-1]["id"], 0, mine.details, (BOB.public_key,))
    asset_id = history[0]["id"]
    forged = transaction.sign(transaction.transfer([stolen], [mine], asset_id), [BOB])
    node.answers[LIST] = always((200, [*history, forged]))
    assert caught_lying(lambda: connect(node).replay(history[0]["id"])) == "altered_transaction"


@pytest.mark.parametrize("gone", [[0], [1], [2], [1, 2], [0, 1, 2]], ids=str)
def test_a_history_with_a_gap(
    gone: list[int], node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    shown = [tx for place, tx in enumerate(history) if place not in gone]
    node.answers[LIST] = always((200, shown))
    client = connect(node)
    for look in looks(client, history[0]["id"]):
        assert caught_lying(look) == "history_omitted"


@pytest.mark.parametrize("shown", [0, 1, 2, 3])
def test_a_history_that_became_shorter(
    shown: int, node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    client = connect(node)
    assert client.replay(history[0]["id"]) is not None
    node.answers[LIST] = always((200, history[:shown]))
    for look in looks(client, history[0]["id"])[:-2]:
        assert caught_lying(look) == "history_omitted"
    # It is remembered from one command to the next.
    assert caught_lying(lambda: connect(node).replay(history[0]["id"])) == "history_omitted"


def test_the_history_of_another_asset(
    node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    other = create(5)
    node.ledger.submit(other)
    told: list[list[dict[str, Any]]] = [
        [other],
        [*history, other],
        [*history, spend((other, 0))],
        [{}],
        [{"id": 1}],
    ]
    for shown in told:
        node.answers[LIST] = always((200, shown))
        assert caught_lying(lambda: connect(node).replay(history[0]["id"])) == "wrong_asset"


def test_a_history_told_otherwise_than_before(
    node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    client = connect(node)
    client.replay(history[0]["id"])
    node.answers[LIST] = always((200, [*history, spend((history[2], 0), metadata={"n": "x"})]))
    assert caught_lying(lambda: client.replay(history[0]["id"])) == "forked_history"


def test_a_tip_that_follows_on_nothing_known(
    node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    client = connect(node)
    client.replay(history[0]["id"])
    bad = spend((history[-1], 0), metadata={"n": 9}) | {"metadata": {"n": 10}}
    node.answers[LIST] = always((200, [bad]))
    assert caught_lying(lambda: client.replay(history[0]["id"])) == "altered_transaction"


def test_outputs_of_somebody_else(
    node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    for ref, code in (
        ({"transaction_id": history[0]["id"], "output_index": 0}, "wrong_output"),
        ({"transaction_id": history[0]["id"], "output_index": 3}, "wrong_output"),
        ({"transaction_id": "0" * 64, "output_index": 0}, "history_omitted"),
        ({"transaction_id": "x", "output_index": 0}, "history_omitted"),
    ):
        node.answers[f"{API}/outputs"] = always((200, [ref]))
        client = connect(node)
        assert caught_lying(lambda client=client: client.outputs(BOB.public_key)) == code  # type: ignore[misc]
    odd: list[Any] = [[{}], [7], {}, [{"transaction_id": 1, "output_index": 1}]]
    for answer in odd:
        node.answers[f"{API}/outputs"] = always((200, answer))
        with pytest.raises(UnreachableError) as caught:
            connect(node).outputs(BOB.public_key)
        assert caught.value.code == "node_error"


def test_outputs_that_a_node_leaves_out_are_remembered(
    node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    client = connect(node)
    there = client.outputs(ALICE.public_key, spent=False)
    assert [ref["transaction_id"] for ref in there] == [history[-1]["id"]]
    node.answers[f"{API}/outputs"] = always((200, []))
    assert client.outputs(ALICE.public_key, spent=False) == there
    # And one that it calls unspent, when its spender is known, is not.
    stale = {"transaction_id": history[0]["id"], "output_index": 0}
    node.answers[f"{API}/outputs"] = always((200, [stale]))
    assert client.outputs(ALICE.public_key, spent=False) == there


def test_altered_hits_of_a_search(
    node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    client = connect(node)
    for hit in ({"id": history[0]["id"], "data": {"x": 1}}, {"id": history[1]["id"], "data": None}):
        node.answers[f"{API}/assets"] = always((200, [hit]))
        assert caught_lying(lambda: client.search_assets("x")) == "altered_transaction"
    node.answers[f"{API}/assets"] = always((200, [{"id": "0" * 64, "data": {}}]))
    assert caught_lying(lambda: client.search_assets("x")) == "history_omitted"
    node.answers[f"{API}/metadata"] = always((200, [{"id": history[1]["id"], "metadata": {}}]))
    assert caught_lying(lambda: client.search_metadata("x")) == "altered_transaction"
    node.answers[f"{API}/assets"] = always((200, [{"id": 5}]))
    with pytest.raises(UnreachableError):
        client.search_assets("x")


def test_odd_heights(node: FakeNode, history: list[dict[str, Any]], connect: Connect) -> None:
    node.answers[f"{API}/blocks"] = always((200, ["x"]))
    with pytest.raises(UnreachableError) as caught:
        connect(node).entry(history[0]["id"])
    assert caught.value.code == "node_error"
    node.answers[f"{API}/blocks"] = always((200, []))
    entry = connect(node).entry(history[0]["id"])
    assert entry is not None
    assert entry.height is None


def test_nothing_that_a_liar_says_ends_in_a_traceback(
    node: FakeNode, history: list[dict[str, Any]], connect: Connect
) -> None:
    """Every member of every transaction, replaced by something of another kind."""
    odd: list[Any] = [None, 1, 1.5, True, "x", [], {}, [None], {"a": None}, "\ud800", 10**400]
    gone = object()
    for number in (0, 2):
        for name in history[0]:
            for value in [*odd, gone]:
                shown = copy.deepcopy(history)
                shown[number][name] = value
                if value is gone:
                    del shown[number][name]
                if shown == history:
                    continue
                node.answers[LIST] = always((200, shown))
                node.answers[f"{LIST}/*"] = always((200, shown[number]))
                client = connect(node)
                for look in (client.entry, client.replay):
                    with pytest.raises(TwinError):
                        look(history[number]["id"] if look == client.entry else history[0]["id"])


# --- The copy ----------------------------------------------------------------------------------


def test_a_long_history_is_fetched_once(node: FakeNode, connect: Connect) -> None:
    txs = chain(50)
    node.ledger.submit_many(txs)
    client = connect(node)
    client.replay(txs[0]["id"])
    for number in range(3):
        txs.append(spend((txs[-1], 0), metadata={"more": number}))
        client.submit(txs[-1])
    node.ledger.submit(spend((txs[-1], 0), metadata={"other": "writer"}))
    again = connect(node)
    assert again.replay(txs[0]["id"]) is not None
    whole = [line for line in node.asked if "asset_id" in line and "last_tx" not in line]
    assert len(whole) == 1
    assert len(list(again.transactions(txs[0]["id"]))) == 54


def test_a_list_in_any_order_is_taken(node: FakeNode, connect: Connect) -> None:
    first = create(outputs=[owned(ALICE, amount=2)])
    parts = spend((first, 0), outputs=[owned(ALICE), owned(ALICE)])
    ours, theirs = spend((parts, 0)), spend((parts, 1), metadata={"n": 1})
    whole = spend((ours, 0), (theirs, 0), metadata={"n": 2})
    txs = [first, parts, ours, theirs, whole]
    node.ledger.submit_many(txs)
    node.answers[LIST] = always((200, [*reversed(txs), *txs]))
    client = connect(node)
    replay = client.replay(first["id"])
    assert replay is not None
    assert replay.common == {"n": 2}
    assert {tx["id"] for tx in client.transactions(first["id"])} == {tx["id"] for tx in txs}


def test_two_processes_keep_one_copy(node: FakeNode, connect: Connect) -> None:
    txs = chain(5)
    node.ledger.submit_many(txs)
    first, second = connect(node), connect(node)
    assert first.copy.path == second.copy.path
    second.copy.submit_many(txs)  # while the first is about to store the same
    first._store(txs)
    assert list(first.transactions(txs[0]["id"])) == txs


def test_a_node_that_lags_behind_is_waited_for(
    node: FakeNode, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    txs = chain(3)
    node.ledger.submit_many(txs)
    client = connect(node)
    client.replay(txs[0]["id"])
    node.answers[LIST] = always((200, txs[:2]))

    def catch_up(_: float) -> None:
        node.answers.clear()

    monkeypatch.setattr(time, "sleep", catch_up)
    assert client.replay(txs[0]["id"]) is not None
    assert not node.answers


def test_a_network_that_was_reset_is_told_from_one_that_leaves_things_out(
    node: FakeNode, connect: Connect
) -> None:
    tx = create()
    node.ledger.submit(tx)
    client = connect(node)
    client.entry(tx["id"])
    node.answers[LIST] = always((200, []))
    with pytest.raises(NotVerifiedError) as caught:
        client.unspent(tx["id"])
    assert f"rm -r {client.place}" in str(caught.value.hint)


def test_what_it_is_called(connect: Connect) -> None:
    with Ledger.open(":memory:") as ledger, serving(ledger, states=ledger.id) as ours:
        client = connect(ours)
        assert client.ledger_id == ledger.id
        # Another ledger at the same URL has another id, other names and another copy.
        before = client.place
        ours.states = "ab" * 32
        assert connect(ours).ledger_id == "ab" * 32
        assert connect(ours).place != before
        for odd in ("x", 7, None, "AB" * 32, "é" * 64):
            ours.states = odd  # type: ignore[assignment]
            assert connect(ours).ledger_id == of_urls([ours.url]).network, odd
    with serving() as one, serving(one.ledger) as two:
        assert connect(one, two).ledger_id == connect(two, one).ledger_id
        assert connect(one, two).place == connect(two, one).place


def test_a_copy_in_memory(node: FakeNode) -> None:
    client = network.NetworkClient(Nodes([node.url], {}, 5), None, "00" * 32)
    tx = create()
    assert client.submit(tx) == 1
    assert client.place is None
    node.answers[LIST] = always((200, []))
    assert caught_lying(lambda: client.unspent(tx["id"])) == "history_omitted"
    client.close()


def test_a_key_of_many_assets_is_listed_with_one_question(node: FakeNode, connect: Connect) -> None:
    txs = [create(number) for number in range(20)]
    node.ledger.submit_many(txs)
    client = connect(node)
    assert len(client.outputs(ALICE.public_key, spent=False)) == 20
    before = len(node.asked)
    assert len(client.outputs(ALICE.public_key, spent=False)) == 20
    assert len(node.asked) == before + 1
