"""Pages for people: blocks, transactions, an asset's history and state, owners, search.

Made on the server, without scripts, pictures or anything from elsewhere, so they can be read with
JavaScript off, by keyboard, and on a phone. All text of the ledger is a stranger's: ``html``
escapes it, and the policy sent along forbids whatever might slip by.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from twincli.crypto import base58, conditions
from twincli.errors import UsageError
from twincli.model import owners, record, times
from twincli.model.ids import is_id
from twincli.model.transaction import asset_of
from twincli.node.pages.charts import chart
from twincli.node.pages.html import ROOT, Html, Tag, document, facts, join, section, table
from twincli.rules.replay import corrected_by, is_burned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twincli.ledger import Ledger
    from twincli.ledger.reading import Entry

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
"""The Content-Security-Policy of every page."""

BLOCKS = 20
NAMED = 3
HISTORY = 50
LISTED = 200
HITS = 50
LONGEST_VALUE = 2000
LONGEST_NAME = 80
ONE_LINE = 60
CHARTED = 2000
"""How much a page shows at most; the last is how many transactions a chart looks at."""


class Page(NamedTuple):
    """What a browser gets.

    Attributes:
        status: 200, 303 or 404.
        html: The page; empty for 303.
        location: Where 303 leads.
    """

    status: int
    html: str = ""
    location: str | None = None


def page(ledger: Ledger, path: str, query: Mapping[str, str]) -> Page:
    """Return the page at a path below ``ROOT``.

    Args:
        ledger: What it shows.
        path: Such as ``/explorer/tx/<id>``, decoded.
        query: The parameters, the first value of each.
    """
    words = [word for word in path.removeprefix(ROOT).split("/") if word]
    name, argument = [*words, "", ""][:2]
    if len(words) <= 2:
        if not words:
            return Page(200, _home(ledger, query))
        if words == ["search"]:
            return _search(ledger, query.get("q", "").strip())
        show = {"block": _block, "tx": _transaction, "asset": _asset, "owner": _owner}.get(name)
        if show is not None and argument:
            html = show(ledger, argument, query)
            if html is not None:
                return Page(200, html)
    return Page(404, document("not found", "not found", Tag("p")("Nothing is there.")))


# --- Parts of pages ----------------------------------------------------------------------------


def _link(kind: str, argument: str, text: str | None = None) -> Html:
    """Return a link to a page; without a text its argument is shown, whole."""
    shown = Tag("code")(argument) if text is None else text
    return Tag("a", href=f"{ROOT}/{kind}/{quote(argument, safe='')}")(shown)


def _short(kind: str, argument: str) -> Html:
    """Return a link with the beginning of an id or a key; pointing at it shows the whole."""
    return _link(kind, argument, _start(argument))


def _start(argument: str) -> Html:
    return Tag("code", title=argument)(f"{argument[:10]}\u2026")


def _more(where: str, text: str, **query: str) -> Html:
    return Tag("p")(Tag("a", href=f"{ROOT}{where}?{urlencode(query)}")(text))


def _quiet(*parts: str) -> Html:
    return Tag("p", class_="quiet")(*parts)


def _json(value: Any) -> Html:
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > ONE_LINE:
        text = json.dumps(value, ensure_ascii=False, indent=1)
    return Tag("pre")(_cut(text))


def _cut(text: str, longest: int = LONGEST_VALUE) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\u2026 ({len(text):,} characters)"


def _time(time_ms: int | None) -> Html:
    assert time_ms is not None  # an embedded ledger knows it
    text = times.to_text(time_ms)
    return Tag("time", datetime=text)(text)


def _count(number: int | str) -> Html:
    return Tag("span", class_="number")(f"{int(number):,}")


def _keys(keys: Iterable[str]) -> Html:
    return join(*(join(_link("owner", key), " ") for key in dict.fromkeys(keys)))


def _owners(output: Mapping[str, Any]) -> str:
    """Return who can spend an output: a rule over keys, each a link."""
    if is_burned(dict(output)):
        return "burned"
    details = output["condition"]["details"]
    if details["type"] == "ed25519-sha-256":
        return _link("owner", details["public_key"])
    rule = owners.to_text(details, str)
    return join(Tag("code")(rule), " ", _keys(conditions.leaf_keys(details)))


def _named(ledger: Ledger, asset_id: str) -> Html:
    """Return a link to an asset, by the name that whoever created it gave."""
    first = ledger.entry(asset_id)
    name = None if first is None else _name(first.tx)
    if name is None:
        return _short("asset", asset_id)
    return join(_link("asset", asset_id, name), " ", _start(asset_id))


def _name(create: dict[str, Any]) -> str | None:
    name = _plain(record.creating_envelope(create).get("name"))
    return _cut(name, LONGEST_NAME) if name is not None and name.strip() else None


def _plain(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _kind(tx: Mapping[str, Any]) -> str:
    """Return what a transaction does: its envelope's word, else its operation."""
    if tx["operation"] == "CREATE":
        return "create"
    envelope = record.envelope_of(tx["metadata"]) or {}
    return _plain(envelope.get("kind")) or "transfer"


def _number(text: str | None, otherwise: int) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 16):
        return otherwise
    return int(text)


# --- Blocks ------------------------------------------------------------------------------------


def _home(ledger: Ledger, query: Mapping[str, str]) -> str:
    tip, counts = ledger.tip(), ledger.counts()
    highest = min(_number(query.get("to"), tip.height), tip.height)
    lowest = max(highest - BLOCKS, 0)
    newest_first = range(highest, lowest, -1)
    commits = [ledger.commits(height - 1, 1, NAMED)[0] for height in newest_first]
    rows = []
    for commit in commits:
        lines = [Tag("p")(_told(ledger, tx_id, asset_id)) for tx_id, asset_id in commit.ids]
        if commit.size > NAMED:
            lines.append(_quiet(f"and {commit.size - NAMED:,} more"))
        rows.append((_link("block", str(commit.height)), _time(commit.time_ms), join(*lines)))
    return document(
        "twin node",
        "twin node",
        _quiet("ledger ", Tag("code")(ledger.id)),
        facts(
            (
                ("height", _count(tip.height)),
                ("newest block", _time(tip.time_ms)),
                ("transactions", _count(counts["transactions"])),
                ("assets", _count(counts["assets"])),
            )
        ),
        section(
            "Blocks",
            table(("height", "committed", "transactions"), rows, "There is no block yet."),
        ),
        _more("", "Older blocks", to=str(lowest)) if lowest > 0 else "",
    )


def _told(ledger: Ledger, tx_id: str, asset_id: str) -> Html:
    """Return a line about a transaction: what it does, to which asset, which one it is."""
    entry = ledger.entry(tx_id)
    assert entry is not None
    if tx_id == asset_id:
        return join("create ", _named(ledger, asset_id))
    return join(_kind(entry.tx), " ", _short("tx", tx_id), " of ", _named(ledger, asset_id))


def _block(ledger: Ledger, argument: str, query: Mapping[str, str]) -> str | None:
    height = _number(argument, -1)
    commits = ledger.commits(height - 1, 1, 0) if height >= 0 else []
    if not commits:
        return None
    count, after = commits[0].size, _number(query.get("after"), 0)
    if after and after >= count:
        return None
    rows = [
        (
            _link("tx", tx_id),
            "CREATE" if tx_id == asset_id else "TRANSFER",
            _named(ledger, asset_id),
        )
        for tx_id, asset_id in ledger.block_ids(height, after, LISTED)
    ]
    more = ""
    if count > after + LISTED:
        more = _more(f"/block/{height}", "Later transactions", after=str(after + LISTED))
    title = f"block {height}"
    return document(
        title,
        title,
        _quiet("committed ", _time(commits[0].time_ms), ", transactions: ", _count(count)),
        table(("transaction", "operation", "asset"), rows, "It holds no transaction."),
        more,
        Tag("nav", aria_label="blocks")(
            _link("block", str(height - 1), "previous") if height > 0 else "",
            " ",
            _link("block", str(height + 1), "next") if height < ledger.tip().height else "",
        ),
    )


# --- Transactions ------------------------------------------------------------------------------


def _transaction(ledger: Ledger, argument: str, query: Mapping[str, str]) -> str | None:
    del query
    entry = ledger.entry(argument) if is_id(argument) else None
    if entry is None:
        return None
    tx = entry.tx
    return document(
        f"tx {argument}",
        _kind(tx),
        _quiet("transaction ", Tag("code")(argument)),
        facts(
            (
                ("operation", tx["operation"]),
                ("asset", _named(ledger, asset_of(tx))),
                ("block", _link("block", str(entry.height))),
                ("committed", _time(entry.time_ms)),
                ("claimed", _claimed(tx)),
                ("signed by", _keys(_signers(tx))),
            )
        ),
        section("Inputs", _inputs(tx)),
        section("Outputs", _outputs(entry)),
        section("Facts", _json(tx["asset"]["data"])) if "data" in tx["asset"] else "",
        section("Metadata", _json(tx["metadata"])),
    )


def _inputs(tx: Mapping[str, Any]) -> Html:
    rows = []
    for entry in tx["inputs"]:
        fulfills = entry["fulfills"]
        spent: str = "nothing, it creates"
        if fulfills is not None:
            spent = join(_link("tx", fulfills["transaction_id"]), f":{fulfills['output_index']}")
        rows.append((spent, _keys(entry["owners_before"] or ())))
    return table(("spends", "owned by"), rows, "")


def _outputs(entry: Entry) -> Html:
    rows = []
    for index, output in enumerate(entry.tx["outputs"]):
        spender = entry.spent_by.get(index)
        state: str = _link("tx", spender) if spender else "unspent"
        rows.append((str(index), _count(output["amount"]), _owners(output), state))
    return table(("output", "amount", "owners", "spent by"), rows, "It has none.")


def _signers(tx: Mapping[str, Any]) -> Iterator[str]:
    for entry in tx["inputs"]:
        if isinstance(entry["fulfillment"], str):
            yield from conditions.parse(entry["fulfillment"], strict=False).keys()


def _claimed(tx: Mapping[str, Any]) -> str | None:
    envelope = record.envelope_of(tx["metadata"]) or {}
    return _plain(envelope.get("at"))


# --- Assets ------------------------------------------------------------------------------------


def _asset(ledger: Ledger, argument: str, query: Mapping[str, str]) -> str | None:
    if not is_id(argument):
        return None
    first = ledger.entry(argument)
    if first is None or first.tx["operation"] != "CREATE":
        return None
    replay = ledger.replay(argument)
    assert replay is not None
    after = query.get("after")
    if after is not None and not (is_id(after) and _belongs(ledger, after, argument)):
        return None
    entries = list(islice(ledger.entries(argument, after), HISTORY + 1))
    corrected = corrected_by(ledger.corrections(argument))
    envelope = record.creating_envelope(first.tx)
    held = [_held(ledger, place) for place in islice(replay.outputs, LISTED)]
    others = len(replay.outputs) - len(held)
    more = ""
    if len(entries) > HISTORY:
        last = entries[HISTORY - 1].tx["id"]
        more = _more(f"/asset/{argument}", "Later transactions", after=last)
    name = _name(first.tx)
    return document(
        f"{name or 'asset'} {argument}",
        name or "asset",
        _quiet("asset ", Tag("code")(argument)),
        facts(
            (
                ("kind", _plain(envelope.get("kind"))),
                ("created", _time(first.time_ms)),
                ("transactions", _count(ledger.count(argument))),
                ("part of", _parent(ledger, envelope.get("parent"))),
            )
        ),
        section("State", _members(replay.common)) if replay.common else "",
        _charts(ledger, argument, corrected),
        _of_creation(record.without_envelope(first.tx["asset"]["data"])),
        section("Held by", table(("amount", "owners", "output"), held, "Nobody holds it.")),
        Tag("p")(f"{others:,} more outputs are not listed.") if others else "",
        section(
            "History",
            table(
                ("committed", "transaction", "kind", "recorded"),
                [_happened(entry, corrected) for entry in entries[:HISTORY]],
                "Nothing happened.",
            ),
        ),
        more,
    )


def _of_creation(data: Any) -> str:
    return section("Facts", _members(data)) if data else ""


def _members(value: Any) -> Html:
    """Return an object's members, one a line; what is no object as JSON."""
    if not isinstance(value, dict):
        return _json(value)
    members = [
        (_cut(name, LONGEST_NAME), _cut(item) if isinstance(item, str) and item else _json(item))
        for name, item in islice(value.items(), LISTED)
    ]
    others = len(value) - len(members)
    return join(facts(members), _quiet(f"{others:,} more members") if others else "")


def _belongs(ledger: Ledger, tx_id: str, asset_id: str) -> bool:
    entry = ledger.entry(tx_id)
    return entry is not None and asset_of(entry.tx) == asset_id


def _held(ledger: Ledger, place: tuple[str, int]) -> tuple[str, str, str]:
    entry = ledger.entry(place[0])
    assert entry is not None
    output = entry.tx["outputs"][place[1]]
    where = join(_short("tx", place[0]), f":{place[1]}")
    return _count(output["amount"]), _owners(output), where


def _parent(ledger: Ledger, value: Any) -> str | None:
    return _named(ledger, value) if isinstance(value, str) and is_id(value) else None


def _happened(entry: Entry, corrected: frozenset[str]) -> tuple[str, str, str, str]:
    tx = entry.tx
    members = record.without_envelope(tx["metadata"])
    written: str = _json(members) if members else ""
    if tx["id"] in corrected:
        written = join(Tag("div", class_="struck")(written), "corrected later")
    return _time(entry.time_ms), _short("tx", tx["id"]), _kind(tx), written


def _charts(ledger: Ledger, asset_id: str, corrected: frozenset[str]) -> Html:
    """Return a chart for each number of the state, over the time of commitment."""
    series: dict[str, list[tuple[int, float]]] = {}
    entries = ledger.entries(asset_id)
    for entry in islice(entries, CHARTED):
        if entry.tx["id"] not in corrected:
            for name, value in _numbers(record.without_envelope(entry.tx["metadata"])):
                assert entry.time_ms is not None
                series.setdefault(name, []).append((entry.time_ms, value))
    cut = next(entries, None) is not None
    drawn = [chart(name, points) for name, points in islice(series.items(), 8) if len(points) > 1]
    note = f"Of the first {CHARTED:,} transactions." if cut and drawn else ""
    return join(*drawn, _quiet(note) if note else "")


def _numbers(value: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and prefix:
        try:
            yield prefix, float(value)
        except OverflowError:
            return


# --- Owners and search -------------------------------------------------------------------------


def _owner(ledger: Ledger, argument: str, query: Mapping[str, str]) -> str | None:
    del query
    if not base58.is_key(argument):
        return None
    found = list(islice(ledger.iter_outputs(argument, spent=False), LISTED + 1))
    rows = []
    for ref in found[:LISTED]:
        entry = ledger.entry(ref["transaction_id"])
        assert entry is not None
        output = entry.tx["outputs"][ref["output_index"]]
        where = join(_short("tx", ref["transaction_id"]), f":{ref['output_index']}")
        rows.append((_named(ledger, asset_of(entry.tx)), _count(output["amount"]), where))
    more = f"Only the first {LISTED} are listed." if len(found) > LISTED else ""
    return document(
        f"owner {argument}",
        "owner",
        _quiet("public key ", Tag("code")(argument)),
        section("Holds", table(("asset", "amount", "output"), rows, "It holds nothing.")),
        _quiet(more) if more else "",
    )


def _search(ledger: Ledger, text: str) -> Page:
    if is_id(text):
        entry = ledger.entry(text)
        if entry is not None:
            kind = "asset" if entry.tx["operation"] == "CREATE" else "tx"
            return Page(303, location=f"{ROOT}/{kind}/{text}")
    if base58.is_key(text):
        return Page(303, location=f"{ROOT}/owner/{text}")
    rows = []
    for where, tx in _hits(ledger, text):
        shown = tx["asset"].get("data") if where == "asset" else tx["metadata"]
        rows.append((_named(ledger, asset_of(tx)), where, _json(shown)))
    title = f"search: {text}" if text else "search"
    return Page(200, document(title, title, table(_HIT, rows, "Nothing was found.")))


_HIT: Sequence[str] = ("asset", "in", "text")


def _hits(ledger: Ledger, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        yield from islice(ledger.search(text, HITS), HITS)
    except UsageError as error:
        # Without a letter or digit there is nothing to look for, hence nothing to find.
        if error.code != "empty_search":
            raise
