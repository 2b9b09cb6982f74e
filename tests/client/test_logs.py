"""The log of a node, read by one who does not trust it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.ledger.chains import ALICE, BOB, create
from twincli.client import logs
from twincli.client.content import NodeContent, Place
from twincli.client.logs import Log, LogPlace, Stated
from twincli.client.witnesses import WitnessPlace
from twincli.crypto import base58, merkle, notes, tiles, tlog
from twincli.errors import InvalidError, NotVerifiedError, UnreachableError
from twincli.ledger import Ledger
from twincli.ledger import tiles as stored
from twincli.proof import checkpoints
from twincli.services.proof import remote

SIZE = 600


class Served(LogPlace):
    """A log that is asked in this process.

    Attributes:
        asked: What was asked for.
        change: What becomes of an answer, given its name.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__("http://node.example")
        self.ledger = ledger
        self.asked: list[str] = []
        self.change: Callable[[str, bytes], bytes] = lambda _, data: data
        self.note = checkpoints.make(ledger).to_bytes()

    def stated(self) -> Stated | None:
        ledger = self.ledger
        return Stated(ledger.id, ledger.public_key, (BOB.public_key,), ledger.profile)

    def checkpoint(self) -> bytes:
        return self.change("checkpoint", self.note)

    def tile(self, level: int | str, number: int, width: int) -> bytes:
        name = tiles.path_of(level, number, width)
        self.asked.append(name)
        if level == "entries":
            return self.change(name, stored.entries(self.ledger, number, width))
        stored.catch_up(self.ledger, SIZE // tiles.WIDTH)
        return self.change(name, stored.hashes(self.ledger, int(level), number, width))

    def log(self) -> Log:
        found = remote.newest([self], self.ledger.id)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger.open(tmp_path_factory.mktemp("log") / "ledger") as made:
        for start, end in ((0, 1), (1, 3), (3, 400), (400, 401), (401, SIZE)):
            made.submit_many([create(n) for n in range(start, end)])
        yield made


@pytest.fixture
def served(ledger: Ledger) -> Served:
    return Served(ledger)


def rows(ledger: Ledger) -> list[Any]:
    return list(ledger.store.rows())


def test_every_transaction_is_found_and_proved(ledger: Ledger, served: Served) -> None:
    log = served.log()
    assert (log.size, log.root) == (SIZE, ledger.tip().root)
    for row in rows(ledger)[::7]:
        tx_id = row.id.hex()
        leaf = log.find([tx_id], row.height).get(tx_id)
        assert leaf is not None
        assert leaf == row.seq - 1
        path = log.proved(leaf, row.height, ledger.time_of(row.height), tx_id)
        assert path is not None
        hashed = merkle.leaf_hash(merkle.ledger_leaf(*log.leaf(leaf)))
        assert merkle.verify_inclusion(hashed, leaf, SIZE, path, log.root)
        assert log.find([tx_id], row.height + 1) == {}
        assert log.find(["0" * 64], row.height) == {}
        assert log.proved(leaf, row.height, 0, tx_id) is None
    # Each tile is asked for once.
    assert len(served.asked) == len(set(served.asked))


@pytest.mark.parametrize("old", [0, 1, 2, 255, 256, 257, 512, SIZE - 1, SIZE])
def test_earlier_trees_are_those_of_the_ledger(ledger: Ledger, served: Served, old: int) -> None:
    log = served.log()
    assert log.root_at(old) == ledger.root_at(old)
    path = log.growth(old)
    assert merkle.verify_consistency(old, SIZE, path, ledger.root_at(old), log.root)


def test_the_tiles_of_a_block_are_read_once(
    ledger: Ledger, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "KEPT", 1)
    log = served.log()
    block = [row for row in rows(ledger) if row.height == 3]
    assert len(block) > tiles.WIDTH
    asked = [row.id.hex() for row in reversed(block)]
    assert log.find(asked, 3) == {row.id.hex(): row.seq - 1 for row in block}
    assert len(served.asked) < 6


def test_a_block_that_never_ends_is_found_out(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaves = (b"\0\x30" + (7).to_bytes(8, "big") + bytes(40)) * tiles.WIDTH
    monkeypatch.setattr(logs, "MOST_TILES", 40)
    log = served.log()
    log.size = 1 << 50
    monkeypatch.setattr(served, "tile", lambda *_: leaves)
    with pytest.raises(NotVerifiedError) as caught:
        log.find(["ab" * 32], 7)
    assert caught.value.code == "wrong_log"


def test_there_is_no_later_tree(served: Served) -> None:
    with pytest.raises(InvalidError) as caught:
        served.log().root_at(SIZE + 1)
    assert caught.value.code == "out_of_range"


def found(log: Log, row: Any, time_ms: int) -> int | str | None:
    """Return where a transaction is proved to be, or the code of an error."""
    tx_id = row.id.hex()
    try:
        leaf = log.find([tx_id], row.height).get(tx_id)
        is_proved = leaf is not None and log.proved(leaf, row.height, time_ms, tx_id) is not None
    except NotVerifiedError as error:
        return error.code
    return leaf if is_proved else None


CHANGES: list[Callable[[bytes], bytes]] = [
    lambda data: data[:-1],
    lambda data: data + b"\0" * 32,
    lambda _: b"",
    lambda data: data[50:] + data[:50],
    lambda data: bytes(len(data)),
    lambda data: data[:-1] + bytes([data[-1] ^ 1]),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("of", ["tile/entries/", "tile/0/", "tile/1/"])
def test_what_was_altered_proves_nothing(
    ledger: Ledger, served: Served, of: str, change: Callable[[bytes], bytes]
) -> None:
    log = served.log()
    served.change = lambda name, data: change(data) if name.startswith(of) else data
    said: list[int | str | None] = []
    held = rows(ledger)
    for row in (*held[::40], held[255], held[511], held[-1]):
        said.append(found(log, row, ledger.time_of(row.height)))
        # What is proved in spite of it is true.
        assert said[-1] in {row.seq - 1, None, "wrong_log"}
    for old in (100, 300, 590):
        try:
            assert log.root_at(old) == ledger.root_at(old)
        except NotVerifiedError as error:
            said.append(error.code)
    assert {None, "wrong_log"}.intersection(said)


def signed(ledger: Ledger, size: int, root: bytes, origin: str | None = None) -> bytes:
    made = tlog.Checkpoint(origin or tlog.origin_of(ledger.id), size, root)
    return checkpoints.signed(made, checkpoints.signer_of(ledger)).to_bytes()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda ledger, _: signed(ledger, 1, bytes(32), tlog.origin_of("0" * 64)), "wrong_log"),
        (lambda _, note: note.replace(b"\n600\n", b"\n601\n"), "bad_note_signature"),
        (lambda _, note: note.split(b"\n\n")[0] + b"\n\n", "wrong_log"),
        (lambda *_: b"hello", "wrong_log"),
        (lambda *_: b"\xff\xfe", "wrong_log"),
        (
            lambda ledger, _: checkpoints.signed(
                tlog.Checkpoint(tlog.origin_of(ledger.id), 1, bytes(32)), ALICE
            ).to_bytes(),
            "wrong_log",
        ),
    ],
)
def test_a_checkpoint_that_is_not_the_ledgers(
    ledger: Ledger, served: Served, change: Callable[[Ledger, bytes], bytes], code: str
) -> None:
    served.change = lambda name, data: change(ledger, data) if name == "checkpoint" else data
    with pytest.raises(NotVerifiedError) as caught:
        served.log()
    assert caught.value.code == code


def test_a_former_key_may_have_signed(ledger: Ledger, served: Served) -> None:
    tree = tlog.Checkpoint(tlog.origin_of(ledger.id), SIZE, ledger.tip().root)
    served.note = checkpoints.signed(tree, BOB).to_bytes()
    assert served.log().size == SIZE


def test_the_first_node_with_a_log_of_this_ledger_is_read(ledger: Ledger, served: Served) -> None:
    class Silent(Served):
        def stated(self) -> Stated | None:
            raise self.failed("connection refused")

    class Plain(Served):
        def stated(self) -> Stated | None:
            return None

    others = [Silent(ledger), Plain(ledger)]
    found = remote.newest([*others, served], ledger.id)
    assert found is not None
    assert found.place is served
    assert remote.newest([served], "0" * 64) is None
    assert remote.newest([Plain(ledger)], ledger.id) is None
    assert remote.newest([], ledger.id) is None
    with pytest.raises(UnreachableError):
        remote.newest(others, ledger.id)


# --- What a node says -----------------------------------------------------------------------------

KEY, ID = ALICE.public_key, "ab" * 32


class Response:
    def __init__(self, status: int, body: bytes) -> None:
        self.status, self._left = status, body

    def read(self, size: int) -> bytes:
        size = min(size, 1000)  # an answer may come in pieces
        found, self._left = self._left[:size], self._left[size:]
        return found

    def close(self) -> None:
        pass


P = TypeVar("P", bound=Place)


def answering(status: int, body: bytes, kind: type[P]) -> P:
    place = kind("http://node.example")
    place.request = lambda *_, **__: Response(status, body)  # type: ignore[method-assign,assignment]
    return place


@contextmanager
def failing(words: str) -> Iterator[None]:
    with pytest.raises(UnreachableError, match=words):
        yield


def info(**changes: Any) -> bytes:
    twin = {
        "ledger": ID,
        "offers": ["log"],
        "public_key": KEY,
        "former_keys": [BOB.public_key, 7, "x"],
        "profile": "strict",
    }
    twin.update(changes)
    return json.dumps({"twin": twin}).encode()


def test_what_a_node_states() -> None:
    assert answering(200, info(), LogPlace).stated() == Stated(ID, KEY, (BOB.public_key,), "strict")
    assert answering(200, info(former_keys=7, profile=["x"]), LogPlace).stated() == Stated(
        ID, KEY, (), "server-2.2.2"
    )
    for body in (
        b"",
        b"[" * 100_000,
        b"7",
        b"{}",
        b'{"twin": 7}',
        info(ledger="x"),
        info(offers=7),
        info(offers=["content"]),
        info(public_key=None),
        info(public_key="x"),
        info(public_key=[KEY]),
    ):
        assert answering(200, body, LogPlace).stated() is None, body[:40]
    assert answering(500, info(), LogPlace).stated() is None
    with failing("too long"):
        answering(200, bytes(1 << 19), LogPlace).checkpoint()
    with failing("answers 404 to checkpoint"):
        answering(404, b"", LogPlace).checkpoint()


def test_what_a_node_states_at_length_is_read_whole() -> None:
    offers = ["log", "content"]
    said = info(former_keys=[BOB.public_key] * 1000, offers=offers)
    long = b" " * 70_000 + said
    assert answering(200, long, NodeContent).keeps_content()
    stated = answering(200, long, LogPlace).stated()
    assert stated is not None
    assert len(stated.former_keys) == 1000
    assert not answering(401, long, NodeContent).keeps_content()
    for body in (b"", b"7", b"[" * 100_000, b'{"twin": []}'):
        assert not answering(200, body, NodeContent).keeps_content()
        assert answering(200, body, WitnessPlace).find() == ("", None)
    key = notes.VerifierKey("w", notes.COSIGNATURE, base58.decode_key(KEY))
    assert answering(200, b" " * 70_000 + info(witness=key.text), WitnessPlace).find()[1] == key


def test_a_log_may_be_empty(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger") as made:
        log = Served(made).log()
        assert (log.size, log.root) == (0, merkle.EMPTY_ROOT)
        assert log.find(["0" * 64], 1) == {}
        assert log.root_at(0) == merkle.EMPTY_ROOT
