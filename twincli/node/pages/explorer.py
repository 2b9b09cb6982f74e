"""Pages for people: things, blocks, transactions, an asset's history and state, owners, search.

Made on the server, without scripts, pictures or anything from elsewhere, so they can be read with
JavaScript off, by keyboard, and on a phone. All text of the ledger is a stranger's: ``html``
escapes it, and the policy sent along forbids what might slip through.
"""

from __future__ import annotations

import re
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from twincli.crypto import base58
from twincli.errors import UsageError
from twincli.ledger.index import split_search
from twincli.model import excerpt as excerpts
from twincli.model import record
from twincli.model.ids import is_id
from twincli.model.telling import in_words
from twincli.model.transaction import asset_of, signers_of
from twincli.node.pages import parts, streams
from twincli.node.pages.charts import Series, chart
from twincli.node.pages.excerpt import LONGEST_NAME, cut, excerpt
from twincli.node.pages.html import ROOT, Html, Tag, document, facts, join, section, table
from twincli.node.pages.source import Owners, Shelf, Source, name_of
from twincli.node.pages.streams import Told
from twincli.rules.authority import AUTHORISED, CLAIMED
from twincli.rules.replay import corrected_by
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twincli.ledger import Ledger
    from twincli.ledger.reading import Entry
    from twincli.rules.replay import Replay

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of every page."""

THINGS = 20
LOOKED_AT = 5 * THINGS
"""Assets that are looked at for them."""
NO_THINGS = frozenset((record.STREAM, record.STATEMENT, record.CERTIFICATE, record.TEMPLATE))
"""Kinds of assets that are about things."""
BLOCKS = 20
NAMED = 3
HISTORY = 50
LISTED = parts.LISTED
HITS = 50
_AROUND = 180
STREAMS = 4
CHARTED = 2000
"""How much a page shows at most; the last is how many transactions a chart looks at."""

_PREFIX = re.compile(r"[0-9a-f]{8,63}")


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


def page(ledger: Ledger, path: str, query: Mapping[str, str], shelf: Shelf | None = None) -> Page:
    """Return the page at a path below ``ROOT``.

    Args:
        ledger: What it shows.
        path: Such as ``/explorer/tx/<id>``, decoded.
        query: The parameters, the first value of each.
        shelf: What is kept of chunks.
    """
    source = Source(ledger, shelf or Shelf())
    words = [word for word in path.removeprefix(ROOT).split("/") if word]
    name, argument = [*words, "", ""][:2]
    if len(words) <= 2:
        if not words:
            return Page(200, _home(source, query))
        if words == ["search"]:
            return _search(source, query.get("q", "").strip())
        show = {"block": _block, "tx": _transaction, "asset": _asset, "owner": _owner}.get(name)
        if show is not None and argument:
            html = show(source, argument, query)
            if html is not None:
                return Page(200, html)
    return Page(404, document("not found", "not found", Tag("p")("There is nothing here.")))


def _number(text: str | None, otherwise: int) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 16):
        return otherwise
    return int(text)


# --- Things and blocks -------------------------------------------------------------------------


def _home(source: Source, query: Mapping[str, str]) -> str:
    ledger = source.ledger
    tip, counts = ledger.tip(), ledger.counts()
    return document(
        "twin node",
        "twin node",
        parts.quiet("ledger ", Tag("code")(ledger.id)),
        facts(
            (
                ("height", parts.count(tip.height)),
                ("newest block", parts.time(tip.time_ms)),
                ("transactions", parts.count(counts["transactions"])),
                ("assets", parts.count(counts["assets"])),
            )
        ),
        "" if "to" in query else _things(source, query.get("before")),
        "" if "before" in query else _blocks(source, _number(query.get("to"), tip.height)),
    )


def _things(source: Source, before: str | None) -> Html:
    """Return the things that were created last, newest first; what others say is on their pages."""
    known = before if before is not None and is_id(before) else None
    ids = source.ledger.newest_assets(LOOKED_AT + 1, known)
    rows: list[Sequence[str]] = []
    last = None
    for asset_id in ids[:LOOKED_AT]:
        if len(rows) == THINGS:
            break
        last = asset_id
        create = source.tx(asset_id)
        if create is None or _kind_of(create) not in NO_THINGS:
            rows.append(_thing(source, asset_id))
    is_whole = last is None or (last == ids[-1] and len(ids) <= LOOKED_AT)
    older = "" if is_whole else parts.more("", "Older things", before=str(last))
    headers = ("name", "kind", "owned by", "last happened")
    none = "Nothing but streams and statements here." if older else "There is nothing yet."
    return join(section("Things", table(headers, rows, none)), older)


def _thing(source: Source, asset_id: str) -> Sequence[str]:
    create, last = source.tx(asset_id), source.last(asset_id)
    if create is None or last is None:
        return parts.short("asset", asset_id), "", "", ""
    outputs = last.tx["outputs"]
    owner = parts.owner(source, outputs[0], whole=False) if len(outputs) == 1 else "several"
    return (
        parts.named(source, asset_id),
        _kind_of(create) or "",
        owner,
        join(parts.both_times(last), " ", parts.kind(last.tx)),
    )


def _kind_of(create: dict[str, Any]) -> str | None:
    kind = record.text(record.creating_envelope(create).get("kind"))
    return None if kind is None else cut(kind, LONGEST_NAME)


def _blocks(source: Source, to: int) -> Html:
    ledger = source.ledger
    highest = min(to, ledger.tip().height)
    lowest = max(highest - BLOCKS, 0)
    rows = []
    for height in range(highest, lowest, -1):
        (commit,) = ledger.commits(height - 1, 1, NAMED)
        lines = [Tag("p")(_line(source, tx_id, asset_id)) for tx_id, asset_id in commit.ids]
        if commit.size > NAMED:
            lines.append(parts.quiet(f"and {commit.size - NAMED:,} more"))
        rows.append((parts.link("block", str(height)), parts.time(commit.time_ms), join(*lines)))
    return join(
        section(
            "Blocks",
            table(("height", "committed", "transactions"), rows, "There are no blocks yet."),
        ),
        parts.more("", "Older blocks", to=str(lowest)) if lowest > 0 else "",
    )


def _line(source: Source, tx_id: str, asset_id: str) -> Html:
    """Return a line about a transaction: what it does, to which asset, which one it is."""
    if tx_id == asset_id:
        return join("create ", parts.named(source, asset_id))
    tx = source.tx(tx_id)
    kind = "transfer" if tx is None else parts.kind(tx)
    return join(kind, " ", parts.short("tx", tx_id), " of ", parts.named(source, asset_id))


def _block(source: Source, argument: str, query: Mapping[str, str]) -> str | None:
    ledger = source.ledger
    height = _number(argument, -1)
    commits = ledger.commits(height - 1, 1, 0) if height >= 0 else []
    if not commits:
        return None
    count, after = commits[0].size, _number(query.get("after"), 0)
    if after and after >= count:
        return None
    rows = [
        (
            parts.link("tx", tx_id),
            "CREATE" if tx_id == asset_id else "TRANSFER",
            parts.named(source, asset_id),
        )
        for tx_id, asset_id in ledger.block_ids(height, after, LISTED)
    ]
    later = ""
    if count > after + LISTED:
        where = str(after + LISTED)
        later = parts.more(f"/block/{height}", "Later transactions", after=where)
    title = f"block {height}"
    committed = parts.time(commits[0].time_ms)
    return document(
        title,
        title,
        parts.quiet("committed ", committed, ", transactions: ", parts.count(count)),
        table(("transaction", "operation", "asset"), rows, "It holds no transactions."),
        later,
        Tag("nav", aria_label="blocks")(
            parts.link("block", str(height - 1), "previous") if height > 0 else "",
            " ",
            parts.link("block", str(height + 1), "next") if height < ledger.tip().height else "",
        ),
    )


# --- Transactions ------------------------------------------------------------------------------


def _transaction(source: Source, argument: str, query: Mapping[str, str]) -> str | None:
    del query
    entry = source.entry(argument) if is_id(argument) else None
    if entry is None:
        return None
    tx = entry.tx
    happened = parts.happened_ms(entry)
    return document(
        f"tx {argument}",
        parts.kind(tx),
        parts.quiet("transaction ", Tag("code")(argument)),
        facts(
            (
                ("operation", tx["operation"]),
                ("asset", parts.named(source, asset_of(tx))),
                ("block", parts.link("block", str(entry.height))),
                ("happened", parts.time(happened) if happened != entry.time_ms else None),
                ("committed", parts.time(entry.time_ms)),
                ("signed by", parts.keys(source, sorted(signers_of(tx)))),
            )
        ),
        section("Inputs", _inputs(source, tx)),
        section("Outputs", _outputs(source, entry)),
        section("Facts", parts.value(tx["asset"]["data"])) if "data" in tx["asset"] else "",
        section("Metadata", parts.value(tx["metadata"])),
    )


def _inputs(source: Source, tx: Mapping[str, Any]) -> Html:
    rows = []
    for entry in tx["inputs"][:LISTED]:
        fulfills = entry["fulfills"]
        spent: str = "nothing: it creates"
        if fulfills is not None:
            where = parts.link("tx", fulfills["transaction_id"])
            spent = join(where, f":{fulfills['output_index']}")
        rows.append((spent, parts.keys(source, entry["owners_before"] or ())))
    return join(table(("spends", "owned by"), rows, ""), _unlisted(tx["inputs"], "inputs"))


def _outputs(source: Source, entry: Entry) -> Html:
    rows = []
    for index, output in enumerate(entry.tx["outputs"][:LISTED]):
        spender = entry.spent_by.get(index)
        state: str = parts.link("tx", spender) if spender else "unspent"
        amount = parts.count(output["amount"])
        rows.append((str(index), amount, parts.owner(source, output), state))
    shown = table(("output", "amount", "owners", "spent by"), rows, "It has none.")
    return join(shown, _unlisted(entry.tx["outputs"], "outputs"))


def _unlisted(items: Sequence[Any], what: str) -> Html:
    others = len(items) - LISTED
    return parts.quiet(f"{others:,} more {what} are not listed.") if others > 0 else Html()


# --- Assets ------------------------------------------------------------------------------------


class _Past(NamedTuple):
    """What one pass over the start of an asset's history finds.

    Attributes:
        shown: The entries that the page lists.
        has_more: There are later ones.
        files: Those in which its owners attached a file.
        charts: Of the numbers in it.
        owners: Who held it when.
        is_whole: All of the history was read.
        streams: CREATEs of some streams that name it as theirs, in order.
    """

    shown: list[Entry]
    has_more: bool
    files: list[Entry]
    charts: Html
    owners: Owners
    is_whole: bool
    streams: list[Entry]


def _past(source: Source, asset_id: str, corrected: frozenset[str], most: int = CHARTED) -> _Past:
    shown: list[Entry] = []
    files: list[Entry] = []
    fed = _fed(source, asset_id)
    series, owners = Series(), Owners(fed)
    count = 0
    for entry in source.entries(asset_id):
        if count < HISTORY:
            shown.append(entry)
        owners.add(entry)
        if len(files) < LISTED and record.kind_of(entry.tx["metadata"]) == record.FILE:
            files.append(entry)
        if entry.tx["id"] not in corrected:
            members = record.without_envelope(entry.tx["metadata"])
            series.add(parts.happened_ms(entry), members)
        count += 1
        if count == most:
            break
    is_whole = count == source.ledger.count(asset_id)
    drawn = [chart(name, points) for name, points in series.drawn()]
    note = f"Of the first {count:,} transactions." if drawn and not is_whole else ""
    charts = join(*drawn, parts.quiet(note) if note else "")
    return _Past(shown, count > HISTORY or not is_whole, files, charts, owners, is_whole, fed)


def _fed(source: Source, asset_id: str) -> list[Entry]:
    """Return the CREATEs of the first streams that name an asset as theirs."""
    ledger = source.ledger
    found: list[Entry] = []
    for seq in ledger.index.stated("parent", asset_id)[:LISTED]:
        entry = source.entry(ledger.id_at(seq))
        if entry is None or len(found) == STREAMS:
            break
        if streams.name_of(entry) is not None:
            found.append(entry)
    return found


def _asset(source: Source, argument: str, query: Mapping[str, str]) -> str | None:
    ledger = source.ledger
    if not is_id(argument):
        return None
    first = source.entry(argument)
    if first is None or first.tx["operation"] != "CREATE":
        return None
    name = name_of(first.tx)
    title, heading = f"{name or 'asset'} {argument}", name or "asset"
    after = query.get("after")
    if after is not None:
        if not (is_id(after) and _belongs(source, after, argument)):
            return None
        entries = list(islice(source.entries(argument, after), HISTORY + 1))
        more = len(entries) > HISTORY or bool(entries and entries[-1].spent_by)
        shown = entries[:HISTORY]
        where = parts.quiet("asset ", parts.link("asset", argument))
        return document(title, heading, where, _history(source, argument, shown, has_more=more))
    corrected = corrected_by(_corrections(source, argument))
    # What a stream holds is drawn by itself.
    most = CHARTED if streams.name_of(first) is None else HISTORY + 1
    past = _past(source, argument, corrected, most)
    replay = source.replay(argument)
    above = _above(source, first)
    return document(
        title,
        heading,
        parts.quiet("asset ", Tag("code")(argument)),
        facts(
            (
                ("kind", _kind_of(first.tx)),
                ("created", parts.both_times(first)),
                ("transactions", parts.count(ledger.count(argument))),
                ("part of", _parent(source, first, above)),
            )
        ),
        _state(source, replay),
        _stream(source, first, above, query),
        past.charts,
        _streams(source, past, replay),
        _of_creation(record.without_envelope(first.tx["asset"]["data"])),
        _files(source, argument, past, replay),
        _parts(source, argument, past, replay),
        _history(
            source, argument, past.shown[:HISTORY], has_more=past.has_more, corrected=corrected
        ),
    )


def _corrections(source: Source, asset_id: str) -> list[dict[str, Any]]:
    """Return what corrects, unless there is more of it than a page reads."""
    found = source.ledger.store.corrections_size(source.ledger.seq(asset_id) or 0)
    source.left -= found
    return source.ledger.corrections(asset_id) if source.left > 0 else []


def _state(source: Source, replay: Replay | None) -> Html:
    if replay is None:
        return parts.quiet("The state is too large for a page: twin asset show")
    held = [_held(source, place) for place in islice(replay.outputs, LISTED)]
    others = len(replay.outputs) - len(held)
    return join(
        section("State", parts.members(replay.common)) if replay.common else "",
        section("Held by", table(("amount", "owners", "output"), held, "Nobody holds it.")),
        Tag("p")(f"{others:,} more outputs are not listed.") if others else "",
    )


def _of_creation(data: Any) -> str:
    return section("Facts", parts.members(data)) if data else ""


def _belongs(source: Source, tx_id: str, asset_id: str) -> bool:
    entry = source.entry(tx_id)
    return entry is not None and asset_of(entry.tx) == asset_id


def _held(source: Source, place: tuple[str, int]) -> tuple[str, str, str]:
    tx = source.kept_tx(place[0])
    where = join(parts.short("tx", place[0]), f":{place[1]}")
    if tx is None:
        return "", "", where
    output = tx["outputs"][place[1]]
    return parts.count(output["amount"]), parts.owner(source, output), where


class _Above(NamedTuple):
    """What a thing says it is a part of.

    Attributes:
        asset_id: It.
        owners: Who held it when, and may speak for it.
        is_whole: Whether these know all of its history.
        replay: Of it, to its tip; None: it was too large.
    """

    asset_id: str
    owners: Owners
    is_whole: bool
    replay: Replay | None


def _above(source: Source, part: Entry) -> _Above | None:
    """Return what a thing says it is a part of, read as far as a page does."""
    value = record.creating_envelope(part.tx).get("parent")
    if not isinstance(value, str) or not is_id(value):
        return None
    is_stream = streams.name_of(part) is not None
    owners, is_whole, count = Owners([part] if is_stream else []), True, 0
    for entry in source.entries(value):
        # Of a stream, what it holds is judged, too, and that came later.
        if not is_stream and (entry.time_ms or 0) > (part.time_ms or 0):
            break
        owners.add(entry)
        count += 1
        if count == CHARTED:
            is_whole = False
            break
    else:
        is_whole = count == source.ledger.count(value)
    replay = source.replay(value) if count and is_whole else None
    return _Above(value, owners, is_whole, replay)


def _parent(source: Source, part: Entry, above: _Above | None) -> str | None:
    """Return what a thing says it is a part of, and whether its word counts."""
    if above is None:
        return None
    standing = above.owners.standing(part, above.replay, is_whole=above.is_whole)
    return join(parts.named(source, above.asset_id), " ", _mark(standing))


def _stream(source: Source, create: Entry, above: _Above | None, query: Mapping[str, str]) -> str:
    """Return the charts of a stream; nothing of what is not one."""
    name = streams.name_of(create)
    if name is None or above is None:
        return ""
    told = Told(create, name, above.owners, above.is_whole)
    return streams.charts_of(source, told, query)


def _streams(source: Source, past: _Past, replay: Replay | None) -> str:
    """Return the latest of the streams of a thing that count, as charts."""
    shown = []
    for create in past.streams:
        name = streams.name_of(create)
        standing = past.owners.standing(create, replay, is_whole=past.is_whole)
        if name is not None and standing == AUTHORISED:
            told = Told(create, name, past.owners, past.is_whole)
            lead = Tag("h3")(parts.link("asset", create.tx["id"], name))
            shown.append(join(lead, streams.short_of(source, told)))
    return section("Streams", *shown) if shown else ""


def _mark(standing: str) -> Html:
    if standing == AUTHORISED:
        return Html()
    return parts.warning("claimed by its own key" if standing == CLAIMED else standing)


def _parts(source: Source, asset_id: str, past: _Past, replay: Replay | None) -> str:
    """Return what says it is a part of a thing, and whose word that is."""
    ledger = source.ledger
    stated = ledger.index.stated("parent", asset_id)
    rows = []
    for seq in stated[:LISTED]:
        part = source.entry(ledger.id_at(seq))
        if part is None:
            break
        standing = past.owners.standing(part, replay, is_whole=past.is_whole)
        name = parts.named(source, part.tx["id"])
        rows.append((name, _kind_of(part.tx) or "", _mark(standing)))
    others = len(stated) - len(rows)
    if not stated:
        return ""
    return join(
        section("Parts", table(("name", "kind", "standing"), rows, "")),
        parts.quiet(f"{others:,} more parts are not listed.") if others else "",
    )


def _files(source: Source, asset_id: str, past: _Past, replay: Replay | None) -> str:
    """Return the files of a thing, as downloads, and whose word it is that they are."""
    ledger = source.ledger
    found: list[tuple[Any, Any, Html]] = [
        (record.FILE, record.envelope_of(entry.tx["metadata"]), Html()) for entry in past.files
    ]
    stated = ledger.index.stated("about", asset_id)
    for seq in stated[:LISTED]:
        statement = source.entry(ledger.id_at(seq))
        if statement is None:
            break
        said = record.creating_envelope(statement.tx)
        standing = past.owners.standing(statement, replay, is_whole=past.is_whole, kind=record.FILE)
        found.append((said.get("says"), said, _mark(standing)))
    rows = []
    for says, envelope, mark in found:
        body = (envelope or {}).get("body")
        if says == record.FILE and isinstance(body, dict):
            rows.append((*parts.download(body), mark))
    if not rows:
        return ""
    others = len(stated) > LISTED or len(past.files) == LISTED
    return join(
        section("Files", table(("name", "type", "bytes", "standing"), rows, "")),
        parts.quiet("More files are not listed: twin file list") if others else "",
    )


def _history(
    source: Source,
    asset_id: str,
    entries: list[Entry],
    *,
    has_more: bool,
    corrected: frozenset[str] | None = None,
) -> Html:
    if corrected is None:
        corrected = corrected_by(_corrections(source, asset_id))
    rows = [_happened(source, entry, corrected) for entry in entries]
    headers = ("when", "transaction", "kind", "recorded")
    shown = section("History", table(headers, rows, "Nothing has happened yet."))
    if not (has_more and entries):
        return shown
    last = entries[-1].tx["id"]
    return join(shown, parts.more(f"/asset/{asset_id}", "Later transactions", after=last))


def _happened(source: Source, entry: Entry, corrected: frozenset[str]) -> tuple[str, str, str, str]:
    tx = entry.tx
    members = record.without_envelope(tx["metadata"])
    written: str = parts.value(members) if members else ""
    envelope = record.envelope_of(tx["metadata"]) or {}
    if tx["operation"] == "TRANSFER" and not members:
        said = record.text(envelope.get("kind")) or ""
        told = in_words(said, envelope.get("body"), lambda found: source.name(found) or found[:10])
        written = cut(told, LONGEST_NAME * 2)
    if tx["id"] in corrected:
        written = join(Tag("div", class_="struck")(written), "corrected later")
    return parts.both_times(entry), parts.short("tx", tx["id"]), parts.kind(tx), written


# --- Owners and search -------------------------------------------------------------------------


def _owner(source: Source, argument: str, query: Mapping[str, str]) -> str | None:
    del query
    if not base58.is_key(argument):
        return None
    refs = list(islice(source.ledger.iter_outputs(argument, spent=False), LISTED + 1))
    rows = []
    for ref in refs[:LISTED]:
        tx = source.kept_tx(ref["transaction_id"])
        where = join(parts.short("tx", ref["transaction_id"]), f":{ref['output_index']}")
        if tx is None:
            rows.append(("", "", where))
            continue
        output = tx["outputs"][ref["output_index"]]
        rows.append((parts.named(source, asset_of(tx)), parts.count(output["amount"]), where))
    more = f"Only the first {LISTED} are listed." if len(refs) > LISTED else ""
    name = source.key_name(argument)
    return document(
        f"owner {argument}",
        name or "owner",
        parts.quiet("public key ", Tag("code")(argument)),
        section("Holds", table(("asset", "amount", "output"), rows, "It holds nothing.")),
        parts.quiet(more) if more else "",
    )


def _search(source: Source, text: str) -> Page:
    location = _location(source, text)
    if location is not None:
        return Page(303, location=location)
    phrases, words, _ = split_search(text)
    wanted = excerpts.pattern(phrases or words)
    hits: dict[str, tuple[str, str]] = {}
    others: dict[str, int] = {}
    for where, tx in _hits(source, text):
        asset_id = asset_of(tx)
        if asset_id in hits:
            others[asset_id] = others.get(asset_id, 0) + 1
        else:
            hits[asset_id] = (where, _matching(where, tx, wanted))
    rows = []
    for asset_id, (where, shown) in hits.items():
        more = f" and {others[asset_id]:,} more" if asset_id in others else ""
        rows.append((parts.named(source, asset_id), join(where, more), shown))
    title = f"search: {cut(text, LONGEST_NAME)}" if text else "search"
    return Page(200, document(title, title, table(_HIT, rows, "Nothing was found.")))


_HIT: Sequence[str] = ("asset", "in", "text")


def _location(source: Source, text: str) -> str | None:
    """Return the page of an id, of the start of one, or of a key."""
    folded = text.lower()
    known = [folded] if is_id(folded) else []
    if _PREFIX.fullmatch(folded):
        known = source.ledger.find_prefix(folded, 2)
    if len(known) == 1 and (tx := source.tx(known[0])) is not None:
        return f"{ROOT}/{'asset' if tx['operation'] == 'CREATE' else 'tx'}/{known[0]}"
    return f"{ROOT}/owner/{text}" if base58.is_key(text) else None


def _matching(where: str, tx: dict[str, Any], wanted: re.Pattern[str] | None) -> str:
    """Return the text that was found, else what is there beside the envelope."""
    whole = tx["asset"].get("data") if where == "facts" else tx["metadata"]
    users = record.without_envelope(whole if isinstance(whole, dict) else None)
    hit = excerpts.found(users, wanted, _AROUND)
    if hit is None and not users and isinstance(whole, str):
        hit = excerpts.found(whole, wanted, _AROUND)
    if hit is not None:
        return f"{hit.member}: {hit.text}" if hit.member else hit.text
    return Tag("pre")(excerpt(users, 200)) if users else ""


def _hits(source: Source, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    index = source.ledger.index
    try:
        places = merge(
            ((seq, "facts") for seq in islice(index.search("asset_text", text), HITS)),
            ((seq, "state") for seq in islice(index.search("metadata_text", text), HITS)),
        )
        for seq, where in islice(places, HITS):
            tx = source.tx(source.ledger.id_at(seq))
            if tx is None:
                return
            # Ids are searched with the metadata; where there are none, only the asset is a hit.
            if where == "facts" or tx["metadata"] is not None:
                yield where, tx
    except UsageError as error:
        # Without a letter or digit there is nothing to look for, hence nothing to find.
        if error.code != "empty_search":
            raise
