"""Pages for people: blocks, transactions, an asset's history and state, owners, search.

Made on the server, without scripts, pictures or anything from elsewhere, so they can be read with
JavaScript off, by keyboard, and on a phone. All text of the ledger is a stranger's: it is escaped
here and nowhere else (``_Html.text``), and the policy sent along forbids whatever might slip by.
"""

from __future__ import annotations

import json
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from twincli.crypto import base58, conditions
from twincli.errors import InvalidError, UsageError
from twincli.model import owners, record, times
from twincli.rules.replay import corrected_by, is_burned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twincli.ledger import Ledger
    from twincli.ledger.reading import Entry

ROOT = "/explorer"
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
CHARTED = 2000
"""How much a page shows at most; the last is how many transactions a chart looks at."""

_HEX = frozenset("0123456789abcdef")


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


class Html(str):
    """Text that is HTML already, and is not escaped again."""

    __slots__ = ()


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
            return _found("twin node", _home(ledger, query))
        if words == ["search"]:
            return _search(ledger, query.get("q", "").strip())
        show = {"block": _block, "tx": _transaction, "asset": _asset, "owner": _owner}.get(name)
        if show is not None and argument:
            body = show(ledger, argument, query)
            if body is not None:
                return _found(f"{name} {argument}", body)
    return Page(404, _document("not found", _Tag("p")("Nothing is there.")))


def _found(title: str, body: Html) -> Page:
    return Page(200, _document(title, body))


# --- HTML --------------------------------------------------------------------------------------


class _Tag:
    """Makes an element: ``_Tag("a", href=...)("text")``; text is escaped, ``Html`` is not."""

    def __init__(self, name: str, **attributes: str) -> None:
        named = "".join(
            f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
            for key, value in attributes.items()
        )
        self._start, self._end = f"<{name}{named}>", f"</{name}>"

    def __call__(self, *children: str) -> Html:
        return Html(self._start + "".join(map(_text, children)) + self._end)


def _text(value: str) -> str:
    """Escape text; what reorders or hides a line is shown as its number."""
    if isinstance(value, Html):
        return value
    return escape("".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in value))


def _join(parts: Iterable[str]) -> Html:
    return Html("".join(map(_text, parts)))


_STYLE = """
:root{color-scheme:light dark;--line:#8884}
*{box-sizing:border-box}
body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:0 1rem 3rem}
a{color:LinkText}a:focus-visible,input:focus-visible,button:focus-visible{outline:3px solid}
header{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;padding:1rem 0}
header a{font-weight:bold;text-decoration:none}form{display:flex;flex:1;min-width:14rem;gap:.5rem}
input{flex:1;min-width:0;font:inherit;padding:.4rem}button{font:inherit;padding:.4rem 1rem}
h1{font-size:1.3rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2rem 0 .5rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;
border-bottom:1px solid var(--line)}th,time{font-weight:600;white-space:nowrap}
time{font-weight:inherit}td{overflow-wrap:break-word}
code,pre{font:.9em/1.45 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap;margin:0}
.struck{text-decoration:line-through}svg{width:100%;height:auto;max-height:16rem}
polyline{fill:none;stroke:currentColor;stroke-width:2}circle{fill:currentColor}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}
"""


def _document(title: str, body: str) -> str:
    search = _join(
        (
            _Tag("label", for_="q", class_="skip")("Search"),
            Html('<input id="q" name="q" type="search" placeholder="words, an id or a key">'),
            _Tag("button")("Search"),
        )
    )
    form = _Tag("form", action=f"{ROOT}/search", role="search")(search)
    head = _join(
        (
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width,initial-scale=1">'),
            Html('<meta name="referrer" content="no-referrer">'),
            _Tag("title")(title),
            _Tag("style")(Html(_STYLE)),
        )
    )
    skip = _Tag("a", href="#main", class_="skip")("To the content")
    header = _Tag("header")(_Tag("a", href=ROOT)("twin"), form)
    main = _Tag("main", id="main")(_Tag("h1")(title), body)
    html = _Tag("html", lang="en")(_Tag("head")(head), _Tag("body")(skip, header, main))
    return f"<!doctype html>{html}"


def _link(kind: str, argument: str, text: str | None = None) -> Html:
    return _Tag("a", href=f"{ROOT}/{kind}/{quote(argument, safe='')}")(
        _Tag("code")(text or argument)
    )


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> Html:
    lines = [_Tag("tr")(*(_Tag("td")(cell) for cell in row)) for row in rows]
    if not lines:
        return _Tag("p")(empty)
    first = _Tag("tr")(*(_Tag("th", scope="col")(header) for header in headers))
    # A region that scrolls must be reached by keyboard, too.
    return _Tag("div", class_="scroll", tabindex="0", role="region", aria_label=", ".join(headers))(
        _Tag("table")(_Tag("thead")(first), _Tag("tbody")(*lines))
    )


def _facts(pairs: Iterable[tuple[str, str | None]]) -> Html:
    rows = [
        _Tag("tr")(_Tag("th", scope="row")(name), _Tag("td")(value))
        for name, value in pairs
        if value is not None
    ]
    return _Tag("div", class_="scroll")(_Tag("table")(_Tag("tbody")(*rows)))


def _json(value: Any) -> Html:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    if len(text) > LONGEST_VALUE:
        text = f"{text[:LONGEST_VALUE]}\n... ({len(text)} characters)"
    return _Tag("pre")(text)


def _section(title: str, body: str) -> Html:
    return _join((_Tag("h2")(title), body))


def _time(time_ms: int | None) -> Html:
    assert time_ms is not None  # an embedded ledger knows it
    text = times.to_text(time_ms)
    return _Tag("time", datetime=text)(text)


# --- Pages -------------------------------------------------------------------------------------


def _home(ledger: Ledger, query: Mapping[str, str]) -> Html:
    tip, counts = ledger.tip(), ledger.counts()
    highest = min(_number(query.get("to"), tip.height), tip.height)
    lowest = max(highest - BLOCKS, 0)
    newest_first = range(highest, lowest, -1)
    commits = [ledger.commits(height - 1, 1, NAMED)[0] for height in newest_first]
    rows = [
        (
            _link("block", str(commit.height)),
            str(commit.size),
            _join(
                (
                    *(_join((_link("tx", tx_id), " ")) for tx_id, _ in commit.ids),
                    "..." if commit.size > NAMED else "",
                )
            ),
        )
        for commit in commits
    ]
    older = (
        _Tag("p")(_Tag("a", href=f"{ROOT}?{urlencode({'to': lowest})}")("Older blocks"))
        if lowest > 0
        else ""
    )
    return _join(
        (
            _facts(
                (
                    ("ledger", _Tag("code")(ledger.id)),
                    ("height", str(tip.height)),
                    ("newest block", _time(tip.time_ms)),
                    ("transactions", f"{counts['transactions']:,}"),
                    ("assets", f"{counts['assets']:,}"),
                )
            ),
            _section(
                "Blocks",
                _table(("height", "transactions", ""), rows, "There is no block yet."),
            ),
            older,
        )
    )


def _number(text: str | None, otherwise: int) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 16):
        return otherwise
    return int(text)


def _block(ledger: Ledger, argument: str, query: Mapping[str, str]) -> Html | None:
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
            _link("asset", asset_id),
        )
        for tx_id, asset_id in ledger.block_ids(height, after, LISTED)
    ]
    more = ""
    if count > after + LISTED:
        where = f"{ROOT}/block/{height}?{urlencode({'after': after + LISTED})}"
        more = _Tag("p")(_Tag("a", href=where)("Later transactions"))
    return _join(
        (
            _table(("transaction", "operation", "asset"), rows, "It holds no transaction."),
            more,
            _Tag("nav", aria_label="blocks")(
                _link("block", str(height - 1), "previous") if height > 0 else "",
                " ",
                _link("block", str(height + 1), "next") if height < ledger.tip().height else "",
            ),
        )
    )


def _asset_of(tx: Mapping[str, Any]) -> str:
    return str(tx["id"] if tx["operation"] == "CREATE" else tx["asset"]["id"])


def _transaction(ledger: Ledger, argument: str, query: Mapping[str, str]) -> Html | None:
    del query
    entry = ledger.entry(argument) if _is_id(argument) else None
    if entry is None:
        return None
    tx = entry.tx
    return _join(
        (
            _facts(
                (
                    ("operation", tx["operation"]),
                    ("asset", _link("asset", _asset_of(tx))),
                    ("block", _link("block", str(entry.height))),
                    ("committed", _time(entry.time_ms)),
                    ("claimed", _claimed(tx)),
                    ("signed by", _keys(_signers(tx))),
                )
            ),
            _section("Inputs", _inputs(tx)),
            _section("Outputs", _outputs(entry)),
            _section("Facts", _json(tx["asset"]["data"])) if "data" in tx["asset"] else "",
            _section("Metadata", _json(tx["metadata"])),
        )
    )


def _inputs(tx: Mapping[str, Any]) -> Html:
    rows = []
    for entry in tx["inputs"]:
        fulfills = entry["fulfills"]
        spent: str = "nothing, it creates"
        if fulfills is not None:
            number = f":{fulfills['output_index']}"
            spent = _join((_link("tx", fulfills["transaction_id"]), number))
        rows.append((spent, _keys(entry["owners_before"] or ())))
    return _table(("spends", "owned by"), rows, "")


def _outputs(entry: Entry) -> Html:
    rows = []
    for index, output in enumerate(entry.tx["outputs"]):
        spender = entry.spent_by.get(index)
        state: str = _link("tx", spender) if spender else "unspent"
        rows.append((str(index), output["amount"], _owners(output), state))
    return _table(("output", "amount", "owners", "spent by"), rows, "It has none.")


def _owners(output: Mapping[str, Any]) -> str:
    """Return who can spend an output: a rule over keys, each a link."""
    if is_burned(dict(output)):
        return "burned"
    details = output["condition"]["details"]
    if details["type"] == "ed25519-sha-256":
        return _link("owner", details["public_key"])
    rule = owners.to_text(details, str)
    return _join((_Tag("code")(rule), " ", _keys(conditions.leaf_keys(details))))


def _keys(keys: Iterable[str]) -> Html:
    return _join(_join((_link("owner", key), " ")) for key in dict.fromkeys(keys))


def _signers(tx: Mapping[str, Any]) -> Iterator[str]:
    for entry in tx["inputs"]:
        if isinstance(entry["fulfillment"], str):
            yield from conditions.parse(entry["fulfillment"], strict=False).keys()


def _claimed(tx: Mapping[str, Any]) -> str | None:
    envelope = record.envelope_of(tx["metadata"]) or {}
    at = envelope.get("at")
    return at if isinstance(at, str) else None


def _asset(ledger: Ledger, argument: str, query: Mapping[str, str]) -> Html | None:
    if not _is_id(argument):
        return None
    first = ledger.entry(argument)
    if first is None or first.tx["operation"] != "CREATE":
        return None
    replay = ledger.replay(argument)
    assert replay is not None
    after = query.get("after")
    if after is not None and not (_is_id(after) and _belongs(ledger, after, argument)):
        return None
    entries = list(islice(ledger.entries(argument, after), HISTORY + 1))
    corrected = corrected_by(ledger.corrections(argument))
    envelope = record.creating_envelope(first.tx)
    held = [_held(ledger, place) for place in islice(replay.outputs, LISTED)]
    others = len(replay.outputs) - len(held)
    facts = record.without_envelope(first.tx["asset"]["data"])
    more = ""
    if len(entries) > HISTORY:
        where = f"{ROOT}/asset/{argument}?{urlencode({'after': entries[HISTORY - 1].tx['id']})}"
        more = _Tag("p")(_Tag("a", href=where)("Later transactions"))
    return _join(
        (
            _facts(
                (
                    ("title", _plain(envelope.get("name"))),
                    ("kind", _plain(envelope.get("kind"))),
                    ("transactions", f"{ledger.count(argument):,}"),
                    ("part of", _parent(envelope.get("parent"))),
                )
            ),
            _section(
                "Held by",
                _table(("amount", "owners", "output"), held, "Nobody holds it."),
            ),
            _Tag("p")(f"{others:,} more outputs are not listed.") if others else "",
            _section("Facts", _json(facts)) if facts else "",
            _section("State", _json(replay.common)) if replay.common else "",
            _charts(ledger, argument),
            _section(
                "History",
                _table(
                    ("committed", "transaction", "kind", "recorded"),
                    [_happened(entry, corrected) for entry in entries[:HISTORY]],
                    "Nothing happened.",
                ),
            ),
            more,
        )
    )


def _belongs(ledger: Ledger, tx_id: str, asset_id: str) -> bool:
    entry = ledger.entry(tx_id)
    return entry is not None and _asset_of(entry.tx) == asset_id


def _held(ledger: Ledger, place: tuple[str, int]) -> tuple[str, str, str]:
    entry = ledger.entry(place[0])
    assert entry is not None
    output = entry.tx["outputs"][place[1]]
    return output["amount"], _owners(output), _join((_link("tx", place[0]), f":{place[1]}"))


def _plain(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _parent(value: Any) -> str | None:
    return _link("asset", value) if isinstance(value, str) and _is_id(value) else None


def _happened(entry: Entry, corrected: frozenset[str]) -> tuple[str, str, str, str]:
    tx = entry.tx
    envelope = record.envelope_of(tx["metadata"]) or {}
    kind = _plain(envelope.get("kind")) or tx["operation"].lower()
    members = record.without_envelope(tx["metadata"])
    written: str = _json(members) if members else ""
    if tx["id"] in corrected:
        written = _join((_Tag("span", class_="struck")(written), " corrected later"))
    return _time(entry.time_ms), _link("tx", tx["id"]), kind, written


def _owner(ledger: Ledger, argument: str, query: Mapping[str, str]) -> Html | None:
    del query
    if not _is_key(argument):
        return None
    found = list(islice(ledger.iter_outputs(argument, spent=False), LISTED + 1))
    rows = []
    for ref in found[:LISTED]:
        entry = ledger.entry(ref["transaction_id"])
        assert entry is not None
        output = entry.tx["outputs"][ref["output_index"]]
        rows.append(
            (
                _link("asset", _asset_of(entry.tx)),
                output["amount"],
                _join((_link("tx", ref["transaction_id"]), f":{ref['output_index']}")),
            )
        )
    more = f"Only the first {LISTED} are listed." if len(found) > LISTED else ""
    return _section(
        "Holds",
        _join((_table(("asset", "amount", "output"), rows, "It holds nothing."), _Tag("p")(more))),
    )


def _search(ledger: Ledger, text: str) -> Page:
    if _is_id(text):
        entry = ledger.entry(text)
        if entry is not None:
            kind = "asset" if entry.tx["operation"] == "CREATE" else "tx"
            return Page(303, location=f"{ROOT}/{kind}/{text}")
    if _is_key(text):
        return Page(303, location=f"{ROOT}/owner/{text}")
    rows = []
    for where, tx in _hits(ledger, text):
        shown = tx["asset"].get("data") if where == "asset" else tx["metadata"]
        rows.append((_link("asset", _asset_of(tx)), where, _json(shown)))
    title = f"search: {text}" if text else "search"
    return _found(title, _table(("asset", "in", "text"), rows, "Nothing was found."))


def _hits(ledger: Ledger, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        yield from islice(ledger.search(text, HITS), HITS)
    except UsageError as error:
        # Without a letter or digit there is nothing to look for, hence nothing to find.
        if error.code != "empty_search":
            raise


def _is_id(text: str) -> bool:
    return len(text) == 64 and set(text) <= _HEX


def _is_key(text: str) -> bool:
    try:
        base58.decode_key(text)
    except InvalidError:
        return False
    return True


# --- Charts ------------------------------------------------------------------------------------


def _charts(ledger: Ledger, asset_id: str) -> Html:
    """Return a chart for each number of the state, over the time of commitment."""
    corrected = corrected_by(ledger.corrections(asset_id))
    series: dict[str, list[tuple[int, float]]] = {}
    entries = ledger.entries(asset_id)
    for entry in islice(entries, CHARTED):
        if entry.tx["id"] not in corrected:
            for name, value in _numbers(record.without_envelope(entry.tx["metadata"])):
                assert entry.time_ms is not None
                series.setdefault(name, []).append((entry.time_ms, value))
    cut = next(entries, None) is not None
    drawn = [_chart(name, points) for name, points in islice(series.items(), 8) if len(points) > 1]
    note = f"Of the first {CHARTED:,} transactions." if cut and drawn else ""
    return _join((*drawn, _Tag("p")(note) if note else ""))


def _numbers(value: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and prefix:
        try:
            yield prefix, float(value)
        except OverflowError:
            return


_WIDTH, _HEIGHT, _EDGE = 600, 160, 10


def _chart(name: str, points: Sequence[tuple[int, float]]) -> Html:
    low, high = min(value for _, value in points), max(value for _, value in points)
    start, end = points[0][0], points[-1][0]

    def place(point: tuple[int, float]) -> tuple[float, float]:
        across = (point[0] - start) / (end - start) if end > start else 0.5
        up = (point[1] / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        return (
            _EDGE + across * (_WIDTH - 2 * _EDGE),
            _HEIGHT - _EDGE - up * (_HEIGHT - 2 * _EDGE),
        )

    placed = [place(point) for point in points]
    line = Html(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in placed)}"/>')
    dots = [Html(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>') for x, y in placed[-1:]]
    said = (
        f"{name}: {len(points)} values from {times.to_text(start)} to {times.to_text(end)},"
        f" lowest {low:g}, highest {high:g}, last {points[-1][1]:g}"
    )
    svg = _Tag("svg", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=said)(line, *dots)
    return _section(name, _Tag("figure", style="margin:0")(svg, _Tag("figcaption")(said)))
