"""Pages for people: what they show, that nothing of a stranger's is markup, that links lead on."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.node.running import count_reads
from twincli.crypto import cid
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConfigError
from twincli.ledger import Ledger
from twincli.model import did, owners, record, transaction
from twincli.model.transaction import Output, Spend
from twincli.node.pages import explorer, source

ALICE, BOB = (KeyPair.from_seed(bytes((number,)) * 32) for number in (1, 2))
EVIL = "</style></pre><script>alert(1)</script>\u202e\x1b[2J<img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Reads a page: its elements, its links, its words; notes what is not closed."""

    VOID = frozenset({"meta", "input", "polyline", "polygon", "circle", "line", "rect"})

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
    assert "There are no blocks yet" in shown(ledger, "/explorer").words


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
    read = count_reads(monkeypatch)
    assert "and 297 more" in shown(ledger, "/explorer").words
    links = [*shown(ledger, "/explorer/block/2").links]
    assert "/explorer/block/2?after=200" in links
    links += shown(ledger, "/explorer/block/2", after="200").links
    found = [link.rpartition("/")[2] for link in links if "/tx/" in link]
    assert found == [tx["id"] for tx in ledger.iter_transactions(car["id"])][1:]
    assert explorer.page(ledger, "/explorer/block/2", {"after": "300"}).status == 404
    assert 0 < max(read) <= explorer.LISTED


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


@pytest.mark.parametrize(
    "values", [[1, 1], [-1e308, 1e308], [1.5], [5e-324, 0.0], [True, False], [2**63 - 1, 0]]
)
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
    assert "There is nothing here" in Reader(page.html).words


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


# --- What happened when ---------------------------------------------------------------------------


def at(moment: str, **members: Any) -> dict[str, Any]:
    return {**members, "twin": record.envelope("append", at=moment)}


def test_charts_go_by_when_it_happened(ledger: Ledger) -> None:
    """Readings that a device pushed late, and in another order."""
    car = made(ledger, {"a": 1})
    tip = appended(ledger, car, at("2030-01-02T00:00:00Z", n=5))
    tip = appended(ledger, tip, at("2030-01-01T00:00:00Z", n=7))
    tip = appended(ledger, tip, at("yesterday", n=6))  # not a time: the block's counts
    reader = shown(ledger, f"/explorer/asset/{car['id']}")
    (label,) = [
        str(value)
        for name, value in reader.attributes
        if name == "aria-label" and "n:" in str(value)
    ]
    assert "from 2030-01-01T00:00:00.000Z to 2030-03-17T" in label
    assert "last 6" in label
    (points,) = [str(value) for name, value in reader.attributes if name == "points"]
    across = [float(point.partition(",")[0]) for point in points.split()]
    assert across == sorted(across)


def test_both_times_are_shown_where_they_differ(ledger: Ledger) -> None:
    car = made(ledger, {"a": 1})
    late = appended(ledger, car, at("2020-05-05T05:05:05Z", n=1))
    appended(ledger, late, at("2030-03-17T17:46:50Z", n=2))
    words = shown(ledger, f"/explorer/asset/{car['id']}").words.partition("History")[2]
    assert "2020-05-05T05:05:05.000Zrecorded 2030-03-17T17:46:" in words
    assert "17:46:50.000Z" not in words  # a few seconds are no difference
    assert "happened2020-05-05T05:05:05.000Z" in shown(ledger, f"/explorer/tx/{late['id']}").words


# --- Things, parts, owners ------------------------------------------------------------------------


def signed(ledger: Ledger, key: KeyPair, **fields: Any) -> dict[str, Any]:
    """Create an asset with an envelope by a key of its own."""
    data = {"twin": record.envelope(fields.pop("kind", "asset"), nonce=str(fields), **fields)}
    output = Output(owners.of_keys([key.public_key]), 1)
    tx = transaction.sign(transaction.create([key.public_key], [output], data, None), [key])
    ledger.submit(tx)
    return tx


def test_the_first_page_lists_things_newest_first(ledger: Ledger) -> None:
    names = [f"machine {number}" for number in range(25)]
    for name in names:
        signed(ledger, ALICE, name=name)
    reader = shown(ledger, "/explorer")
    things = reader.words.partition("Things")[2].partition("Blocks")[0]
    assert re.findall(r"machine \d+", things) == names[:4:-1]
    (older,) = [link for link in reader.links if "before=" in link]
    query = dict(parse_qsl(urlsplit(older).query))
    words = shown(ledger, "/explorer", **query).words
    assert re.findall(r"machine \d+", words) == names[4::-1]
    for odd in ("x", "0" * 64):
        assert "machine 24" in shown(ledger, "/explorer", before=odd).words


def test_what_is_about_things_is_not_among_them(ledger: Ledger) -> None:
    press = signed(ledger, ALICE, name="press")
    for number in range(120):
        signed(ledger, ALICE, kind="stream", name=f"stream {number}", parent=press["id"])
    reader = shown(ledger, "/explorer")
    things = reader.words.partition("Things")[2].partition("Blocks")[0]
    assert "Nothing but streams and statements here." in things
    (older,) = [link for link in reader.links if "before=" in link]
    query = dict(parse_qsl(urlsplit(older).query))
    words = shown(ledger, "/explorer", **query).words
    assert "press" in words
    assert "stream" not in words
    assert "Older things" not in words


def test_parts_and_whose_word_they_are(ledger: Ledger) -> None:
    entity = KeyPair.from_seed(bytes((3,)) * 32)
    press = signed(ledger, ALICE, name="press", entity=entity.public_key)
    mine = signed(ledger, ALICE, name="motor", parent=press["id"])
    own = signed(ledger, entity, name="sensor", parent=press["id"])
    theirs = signed(ledger, BOB, name="fake", parent=press["id"])
    output = Output(owners.of_keys([BOB.public_key]), 1)
    given = transaction.transfer([Spend.of(press)], [output], press["id"], None)
    ledger.submit(transaction.sign(given, [ALICE]))
    later = signed(ledger, BOB, name="wheel", parent=press["id"])
    former = signed(ledger, ALICE, name="ghost", parent=press["id"])
    words = shown(ledger, f"/explorer/asset/{press['id']}").words
    listed = words.partition("Parts")[2].partition("History")[0]
    for tx, name, standing in (
        (mine, "motor", ""),
        (own, "sensor", "claimed by its own key"),
        (theirs, "fake", "unauthorised"),
        (later, "wheel", ""),
        (former, "ghost", "unauthorised"),
    ):
        row = re.search(
            rf"{name} {tx['id'][:10]}\u2026asset(claimed by its own key|unauthorised)?", listed
        )
        assert row is not None
        assert (row[1] or "") == standing, name
        part = shown(ledger, f"/explorer/asset/{tx['id']}").words
        assert part.partition("part of")[2].partition("History")[0].count("unauthorised") == (
            standing == "unauthorised"
        )


def test_a_part_by_a_grant_counts_until_it_is_revoked(ledger: Ledger) -> None:
    press = signed(ledger, ALICE, name="press")
    tip = press

    def write(kind: str, body: dict[str, Any]) -> None:
        nonlocal tip
        output = Output(owners.of_keys([ALICE.public_key]), 1)
        metadata = {"twin": record.envelope(kind, body=body)}
        tx = transaction.transfer([Spend.of(tip)], [output], press["id"], metadata)
        tip = transaction.sign(tx, [ALICE])
        ledger.submit(tip)

    write("grant", {"to": [did.key_did(BOB.public_key)], "role": "writer"})
    signed(ledger, BOB, name="granted", parent=press["id"])
    write("revoke", {"all": True})
    signed(ledger, BOB, name="taken", parent=press["id"])
    words = shown(ledger, f"/explorer/asset/{press['id']}").words
    listed = words.partition("Parts")[2].partition("History")[0]
    assert re.search(r"granted \w+\u2026asset(?!revoked|unauthorised)", listed)
    assert re.search(r"taken \w+\u2026assetrevoked", listed)


def test_owners_by_name(ledger: Ledger) -> None:
    """By the name that the key itself gave, and not by what others call it."""
    signed(ledger, BOB, kind="identity", name="mallory", entity=ALICE.public_key)
    car = made(ledger, {"a": 1})
    for path in (f"/explorer/owner/{ALICE.public_key}", f"/explorer/asset/{car['id']}"):
        assert "mallory" not in shown(ledger, path).words
    signed(ledger, ALICE, kind="identity", name="alice", entity=ALICE.public_key)
    assert f"alice {ALICE.public_key[:10]}" in shown(ledger, f"/explorer/asset/{car['id']}").words
    assert "alice" in shown(ledger, f"/explorer/tx/{car['id']}").words
    assert "mallory" not in shown(ledger, f"/explorer/asset/{car['id']}").words


def test_search_shows_what_was_found_and_no_envelope(ledger: Ledger) -> None:
    data = {
        "note": {"place": "x" * 500 + " a crimson door " + "y" * 500},
        "twin": record.envelope("asset", name="gate", nonce="abcdef"),
    }
    gate = made(ledger, data)
    tip = gate
    for number in range(3):
        tip = appended(
            ledger, tip, {"seen": f"Crimson {number}", "twin": record.envelope("append")}
        )
    reader = shown(ledger, "/explorer/search", q="crimson")
    assert "gate" in reader.words
    assert "note.place: \u2026" in reader.words
    assert "a crimson door" in reader.words
    assert "and 3 more" in reader.words
    assert '"twin"' not in reader.words
    assert "abcdef" not in reader.words
    assert reader.links.count(f"/explorer/asset/{gate['id']}") == 1
    assert "gate" in shown(ledger, "/explorer/search", q="gate").words
    for text in (gate["id"][:8], gate["id"][:12].upper()):
        page = explorer.page(ledger, "/explorer/search", {"q": text})
        assert (page.status, page.location) == (303, f"/explorer/asset/{gate['id']}")


def test_search_shows_what_was_found_in_another_form(ledger: Ledger) -> None:
    made(ledger, {"note": "Ü, " * 100 + "die Große Straße", "serial": 4711, "city": "東京都庁"})
    for asked, words in (
        ("strasse", "note: \u2026"),
        ("STRASSE", "die Große Straße"),
        ("4711", "serial: 4711"),
        ("京都", "city: 東京都庁"),
    ):
        assert words in shown(ledger, "/explorer/search", q=asked).words


# --- What a page costs ----------------------------------------------------------------------------


def nested(depth: int) -> Any:
    found: Any = [1] * 50_000
    for _ in range(depth):
        found = {"a": found}
    return found


LARGE = {
    "a long key over many numbers": {"k" * 400_000: dict.fromkeys(map(str, range(40_000)), 1)},
    "deep": nested(200),
    "many numbers": {"n": dict.fromkeys(map(str, range(60_000)), 1)},
    "many names": dict.fromkeys(map(str, range(60_000)), 1),
    "a long text": {"text": "\u202e" * 200_000},
    "a long kind": {"twin": record.envelope("k" * 500_000)},
    "many lists": {"l": [[]] * 200_000},
}
ONE_OF_A_KIND = {"deep", "a long text", "a long kind"}
"""Those that a plain run tries; the others take longer and are much alike."""


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(LARGE[name], id=name, marks=[] if name in ONE_OF_A_KIND else pytest.mark.ci)
        for name in LARGE
    ],
)
def test_a_page_costs_what_it_shows(metadata: dict[str, Any], ledger: Ledger) -> None:
    """Memory says it: what is made for a page beyond parsing what it reads."""
    import tracemalloc

    tip = car = made(ledger, {"a": 1})
    for _ in range(3):
        tip = appended(ledger, tip, metadata)
    signed(ledger, ALICE, parent=car["id"], name="part")
    ledger.index  # noqa: B018 - catches up
    for path, query in (
        (f"/explorer/asset/{car['id']}", {}),
        (f"/explorer/asset/{car['id']}", {"after": car["id"]}),
        (f"/explorer/tx/{tip['id']}", {}),
        ("/explorer", {}),
        ("/explorer/block/5", {}),
        ("/explorer/search", {"q": "k a 1"}),
        (f"/explorer/owner/{ALICE.public_key}", {}),
    ):
        tracemalloc.start()
        page = explorer.page(ledger, path, query)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert page.status == 200
        assert len(page.html) < 400_000, path
        assert most < 100_000_000, (path, most)


def test_a_history_too_large_for_a_page_says_so(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PARSED", 100_000)
    monkeypatch.setattr(source, "KEPT_FOR_NAMES", 25_000)
    tip = car = made(ledger, {"a": 1})
    for number in range(20):
        tip = appended(ledger, tip, {"n": number, "text": "x" * 8_000})
    reader = shown(ledger, f"/explorer/asset/{car['id']}")
    assert "The state is too large for a page" in reader.words
    assert "Of the first" in reader.words
    listed = 0
    links = [f"/explorer/asset/{car['id']}"]
    while links:
        query = dict(parse_qsl(urlsplit(links[0]).query))
        reader = shown(ledger, f"/explorer/asset/{car['id']}", **query)
        listed += len(re.findall(r"append|transfer|create", reader.words.partition("History")[2]))
        links = [link for link in reader.links if "after=" in link]
    assert listed == 21


def test_of_many_owners_and_inputs_some_are_shown(ledger: Ledger) -> None:
    keys = [KeyPair.from_seed(bytes((9, number)) * 16).public_key for number in range(100)]
    tx = transaction.create([ALICE.public_key], [Output(owners.of_keys(keys), 1)], {"a": 1}, None)
    tx = transaction.sign(tx, [ALICE])
    ledger.submit(tx)
    page = explorer.page(ledger, f"/explorer/asset/{tx['id']}", {})
    assert "and 80 more" in Reader(page.html).words
    assert len(page.html) < 30_000


@pytest.mark.parametrize("which", [0, 3, 11])
def test_an_altered_past_is_not_shown(which: int, tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        tip = car = made(ledger, {"speed": 100000}, {"speed": 100000})
        txs = [car]
        for number in range(11):
            tip = appended(ledger, tip, {"speed": 100001 + number})
            txs.append(tip)
    with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as file:
        sql = "UPDATE tx SET body = replace(body, ?, '999999') WHERE id = ?"
        values = (str(100000 + which), bytes.fromhex(txs[which]["id"]))
        assert file.execute(sql, values).rowcount == 1
    file.close()
    with Ledger.open(tmp_path) as ledger:
        for path in (f"asset/{car['id']}", f"tx/{txs[which]['id']}"):
            with pytest.raises(ConfigError) as caught:
                explorer.page(ledger, f"/explorer/{path}", {})
            assert caught.value.code == "damaged_ledger"
        with pytest.raises(ConfigError):
            list(ledger.entries(car["id"]))


def test_files_are_downloads(ledger: Ledger) -> None:
    thing = made(ledger, {"name": "car"})
    text = cid.of(b"x").text
    bodies: list[Any] = [
        {"cid": text, "size": 1234, "name": EVIL, "type": EVIL},
        {"cid": "javascript:alert(1)", "size": "x", "name": 7},
        {},
        [],
    ]
    last = thing
    for body in bodies:
        last = appended(ledger, last, {"twin": {"v": 1, "kind": "file", "body": body}})
    said = {"v": 1, "kind": "statement", "about": thing["id"], "says": "file"}
    made(ledger, {"twin": {**said, "body": {**bodies[0], "name": "of a stranger"}}})
    page = shown(ledger, f"/explorer/asset/{thing['id']}")
    content = [link for link in page.links if "content" in link]
    assert content == [f"/twin/v1/content/{text}"] * 2
    assert "1,234" in page.words
    assert "of a stranger" in page.words
    assert not {"script", "img"} & set(page.tags)
    assert "Files" not in shown(ledger, f"/explorer/asset/{made(ledger, None)['id']}").words
