"""Pages for people: what they show, that nothing of a stranger's is markup, that links lead on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto.ed25519 import KeyPair
from twincli.ledger import Ledger
from twincli.ledger.store import Store
from twincli.model import owners, record, transaction
from twincli.model.transaction import Output, Spend
from twincli.node.pages import explorer

ALICE, BOB = (KeyPair.from_seed(bytes((number,)) * 32) for number in (1, 2))
EVIL = "</style></pre><script>alert(1)</script>\u202e\x1b[2J<img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Reads a page: its elements, its links, its words; notes what is not closed."""

    VOID = frozenset({"meta", "input", "polyline", "circle", "line"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.links += [value or "" for name, value in attrs if name in {"href", "action", "src"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.open(":memory:", clock=iter(range(1_900_000_000_000, 10**13, 1000)).__next__) as it:
        yield it


def made(ledger: Ledger, data: Any, metadata: Any = None, amount: int = 1) -> dict[str, Any]:
    output = Output(owners.of_keys([ALICE.public_key]), amount)
    tx = transaction.sign(transaction.create([ALICE.public_key], [output], data, metadata), [ALICE])
    ledger.submit(tx)
    return tx


def appended(ledger: Ledger, tx: dict[str, Any], metadata: Any) -> dict[str, Any]:
    asset_id = tx["id"] if tx["operation"] == "CREATE" else tx["asset"]["id"]
    output = Output(owners.of_keys([ALICE.public_key]), int(tx["outputs"][0]["amount"]))
    new = transaction.transfer([Spend.of(tx)], [output], asset_id, metadata)
    signed = transaction.sign(new, [ALICE])
    ledger.submit(signed)
    return signed


def shown(ledger: Ledger, path: str, **query: str) -> Reader:
    page = explorer.page(ledger, path, query)
    assert page.status == 200
    return Reader(page.html)


def test_an_empty_ledger(ledger: Ledger) -> None:
    assert "There is no block yet" in shown(ledger, "/explorer").words


def test_from_the_first_page_every_link_leads_somewhere(ledger: Ledger) -> None:
    car = made(ledger, {"wheels": 4, "twin": record.envelope("asset", name="car", nonce="00")})
    tip = car
    for mileage in range(60):
        tip = appended(ledger, tip, {"mileage": mileage, "place": {"lat": mileage / 2}})
    made(ledger, {"twin": record.envelope("asset", parent=car["id"], nonce="01")}, amount=7)
    seen: set[str] = set()
    todo = ["/explorer"]
    while todo:
        link = todo.pop()
        if link in seen:
            continue
        seen.add(link)
        parts = urlsplit(link)
        page = explorer.page(ledger, unquote(parts.path), dict(parse_qsl(parts.query)))
        assert page.status == 200, link
        reader = Reader(page.html)
        assert all(found.startswith(("/explorer", "#")) for found in reader.links), link
        todo += [found for found in reader.links if found.startswith("/")]
    kinds = {link.split("/")[2] for link in seen if link.count("/") > 2}
    assert kinds == {"block", "tx", "asset", "owner"}
    assert any("after=" in link for link in seen)
    assert any("to=" in link for link in seen)


def test_the_newest_blocks_are_shown_however_much_the_ones_before_hold(ledger: Ledger) -> None:
    car = made(ledger, {"wheels": 4})
    for _ in range(2):
        ledger.append_many(ALICE, car["id"], ({"n": number} for number in range(3000)))
    tip = ledger.last(car["id"])
    assert tip is not None
    appended(ledger, tip.tx, {"n": 0})
    found = [link for link in shown(ledger, "/explorer").links if "/block/" in link]
    assert found == [f"/explorer/block/{height}" for height in (4, 3, 2, 1)]


def test_a_large_block_is_not_read_whole(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    car = made(ledger, {"wheels": 4})
    ledger.append_many(ALICE, car["id"], ({"n": number} for number in range(300)))
    monkeypatch.setattr(ledger, "block", None)
    read = Store._ids

    def read_few(store: Store, after: int, until: int) -> list[tuple[int, bytes, bytes]]:
        found = read(store, after, until)
        assert len(found) <= explorer.LISTED
        return found

    monkeypatch.setattr(Store, "_ids", read_few)
    assert "and 297 more" in shown(ledger, "/explorer").words
    links = [*shown(ledger, "/explorer/block/2").links]
    assert "/explorer/block/2?after=200" in links
    links += shown(ledger, "/explorer/block/2", after="200").links
    found = [link.rpartition("/")[2] for link in links if "/tx/" in link]
    assert found == [tx["id"] for tx in ledger.iter_transactions(car["id"])][1:]
    assert explorer.page(ledger, "/explorer/block/2", {"after": "300"}).status == 404


def test_assets_are_called_by_their_names(ledger: Ledger) -> None:
    car = made(ledger, {"twin": record.envelope("asset", name="<car>", nonce="00")})
    tip = appended(ledger, car, {"note": "", "twin": record.envelope("append")})
    nameless = made(ledger, {"twin": record.envelope("asset", name=" ", nonce="01")})
    long = made(ledger, {"twin": record.envelope("asset", name="x" * 300, nonce="02")})
    words = shown(ledger, "/explorer").words
    assert f"create <car> {car['id'][:10]}\u2026" in words
    assert f"append {tip['id'][:10]}\u2026 of <car> {car['id'][:10]}\u2026" in words
    assert f"create {nameless['id'][:10]}\u2026" in words
    assert "x" * 81 not in words
    assert "(300 characters)" in shown(ledger, f"/explorer/asset/{long['id']}").words
    for path in (f"/explorer/tx/{tip['id']}", f"/explorer/owner/{ALICE.public_key}"):
        assert "<car>" in shown(ledger, path).words
    page = shown(ledger, f"/explorer/asset/{car['id']}")
    assert page.words.startswith(f"<car> {car['id']}")
    # An id that is shown by its beginning is there as a whole, too.
    assert ("title", tip["id"]) in page.attributes


def test_of_many_outputs_some_are_shown(ledger: Ledger) -> None:
    tx = made(ledger, {"shares": True}, amount=250)
    outputs = [Output(owners.of_keys([ALICE.public_key]), 1) for _ in range(250)]
    split = transaction.transfer([Spend.of(tx)], outputs, tx["id"], None)
    ledger.submit(transaction.sign(split, [ALICE]))
    words = shown(ledger, f"/explorer/asset/{tx['id']}").words
    assert "50 more outputs are not listed" in words


def test_an_asset_with_its_state_and_a_chart(ledger: Ledger) -> None:
    car = made(ledger, {"wheels": 4})
    wrong = appended(ledger, appended(ledger, car, {"mileage": 1200}), {"mileage": 99999})
    fixed = {"mileage": 1300, "twin": record.envelope("append", corrects=wrong["id"])}
    appended(ledger, wrong, fixed)
    reader = shown(ledger, f"/explorer/asset/{car['id']}")
    assert "wheels4" in reader.words
    assert "mileage1300" in reader.words
    assert "corrected later" in reader.words
    assert "svg" in reader.tags
    (label,) = [
        value
        for name, value in reader.attributes
        if name == "aria-label" and "mileage" in str(value)
    ]
    assert label is not None
    assert "17:46:41" in reader.words  # the chart's axis
    # The value that was corrected is not in the chart.
    assert "2 values" in label
    assert "highest 1300" in label


@pytest.mark.parametrize("values", [[1, 1], [-1e308, 1e308], [1.5], [True, False], [2**63 - 1, 0]])
def test_charts_of_odd_numbers(ledger: Ledger, values: list[Any]) -> None:
    tip = car = made(ledger, {"a": 1})
    for value in values:
        tip = appended(ledger, tip, {"n": value})
    reader = shown(ledger, f"/explorer/asset/{car['id']}")
    points = [value for name, value in reader.attributes if name == "points"]
    assert len(points) == (0 if len(values) == 1 or values[0] is True else 1)
    for found in points:
        assert re.fullmatch(r"(\d+\.\d,\d+\.\d ?)+", str(found))


@given(st.text(max_size=40), st.text(min_size=1, max_size=20))
def test_text_of_strangers_is_never_markup(text: str, key: str) -> None:
    data = {"note": EVIL + text, "twin": record.envelope("asset", name=EVIL, nonce="00")}
    if not (key.startswith("$") or {".", "\0"} & set(key) or key in {"language", "twin", "note"}):
        data[EVIL.replace(".", "") + key] = [text]
    with Ledger.open(":memory:") as ledger:
        try:
            tx = made(ledger, data, {"state": EVIL, "n": 1})
        except UnicodeEncodeError:  # half of a surrogate pair cannot be signed at all
            return
        appended(ledger, tx, {"state": text, "n": 2})
        for path, query in (
            (f"/explorer/asset/{tx['id']}", {}),
            (f"/explorer/tx/{tx['id']}", {}),
            ("/explorer/search", {"q": EVIL + text}),
        ):
            page = explorer.page(ledger, path, query)
            reader = Reader(page.html)
            assert set(reader.tags).isdisjoint({"script", "img"})
            assert all(name != "onerror" for name, _ in reader.attributes)
            assert reader.tags.count("style") == 1
            assert not {"\u202e", "\x1b"} & set(page.html)


def test_search_finds_words_ids_and_keys(ledger: Ledger) -> None:
    car = made(ledger, {"colour": "crimson"})
    tip = appended(ledger, car, {"place": "Oslo"})
    for text in ("crimson", "oslo"):
        assert f"/explorer/asset/{car['id']}" in shown(ledger, "/explorer/search", q=text).links
    assert "Nothing was found" in shown(ledger, "/explorer/search", q="zebra").words
    for nothing in ("", "?!", '""', "-car"):
        assert "Nothing was found" in shown(ledger, "/explorer/search", q=nothing).words
    for text, where in (
        (car["id"], f"/explorer/asset/{car['id']}"),
        (tip["id"], f"/explorer/tx/{tip['id']}"),
        (BOB.public_key, f"/explorer/owner/{BOB.public_key}"),
    ):
        page = explorer.page(ledger, "/explorer/search", {"q": f" {text} "})
        assert (page.status, page.location) == (303, where)


def test_several_owners_and_what_is_burned(ledger: Ledger) -> None:
    car = made(ledger, {"a": 1}, amount=3)
    both = owners.of_keys([ALICE.public_key, BOB.public_key])
    outputs = [Output(both, 1), Output(owners.of_keys([owners.BURN_ADDRESS]), 2)]
    new = transaction.transfer([Spend.of(car)], outputs, car["id"])
    ledger.submit(transaction.sign(new, [ALICE]))
    words = shown(ledger, f"/explorer/asset/{car['id']}").words
    assert f"all:{ALICE.public_key},{BOB.public_key}" in words
    assert "burned" in words
    links = shown(ledger, f"/explorer/owner/{BOB.public_key}").links
    assert f"/explorer/asset/{car['id']}" in links
    assert (
        "unspent" in shown(ledger, f"/explorer/tx/{ledger.transactions(car['id'])[1]['id']}").words
    )


@pytest.mark.parametrize(
    "path",
    [
        "nowhere",
        "tx",
        "tx/zz",
        f"tx/{'0' * 64}",
        "asset/zz",
        f"asset/{'0' * 64}",
        "owner/zz",
        "owner",
        "block/-1",
        "block/99",
        "block/latest",
        f"block/{'9' * 40}",
        "a/b/c",
        "search/x",
    ],
)
def test_what_is_not_there(ledger: Ledger, path: str) -> None:
    page = explorer.page(ledger, f"/explorer/{path}", {})
    assert page.status == 404
    assert "Nothing is there" in Reader(page.html).words


def test_odd_parameters(ledger: Ledger) -> None:
    car = made(ledger, {"a": 1})
    tip = appended(ledger, car, {"b": 1})
    for to in ("", "x", "-1", "9" * 30):
        assert "Blocks" in shown(ledger, "/explorer", to=to).words
    assert explorer.page(ledger, f"/explorer/asset/{car['id']}", {"after": "x"}).status == 404
    assert explorer.page(ledger, f"/explorer/asset/{tip['id']}", {}).status == 404
    other = made(ledger, {"c": 1})
    query = {"after": other["id"]}
    assert explorer.page(ledger, f"/explorer/asset/{car['id']}", query).status == 404


def test_long_values_are_cut(ledger: Ledger) -> None:
    car = made(ledger, {"text": "x" * 100_000})
    page = explorer.page(ledger, f"/explorer/asset/{car['id']}", {})
    assert len(page.html) < 10_000
    assert "characters)" in page.html
