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
from twincli.model.transaction import asset_of, signers_of
from twincli.node.pages import parts, thing
from twincli.node.pages.excerpt import LONGEST_NAME, cut, excerpt
from twincli.node.pages.html import ROOT, Html, Tag, document, facts, join, section, table
from twincli.node.pages.source import Shelf, Source
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twincli.ledger import Ledger
    from twincli.ledger.reading import Entry

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
        show = {"block": _block, "tx": _transaction, "asset": thing.page, "owner": _owner}.get(name)
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
        if create is None or parts.kind_of(create) not in NO_THINGS:
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
        parts.kind_of(create) or "",
        owner,
        join(parts.both_times(last), " ", parts.kind(last.tx)),
    )


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
