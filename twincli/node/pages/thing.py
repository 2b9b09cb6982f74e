"""The page of a thing: its card, who owned it when, what is certified, what happened, its parts.

All of it costs what it shows: a long history is read as far as a page does, and says so.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError
from twincli.formats.credentials import proofs
from twincli.model import card, links, record, times
from twincli.model import credential as _credential
from twincli.model.ids import is_id
from twincli.model.telling import Naming, in_words
from twincli.model.transaction import asset_of, signers_of
from twincli.node.pages import parts, streams
from twincli.node.pages.charts import Series, chart
from twincli.node.pages.excerpt import LONGEST_NAME, cut
from twincli.node.pages.html import Html, Tag, document, facts, join, section, table
from twincli.node.pages.source import BELONGING, UNCHECKED, Owners, name_of
from twincli.node.pages.streams import Told
from twincli.rules import attested
from twincli.rules.authority import AUTHORISED, CLAIMED, Topic, topic_of
from twincli.rules.replay import corrected_by
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twincli.ledger.reading import Entry
    from twincli.model.card import Card
    from twincli.model.template import Template
    from twincli.node.pages.source import Source
    from twincli.rules.replay import Replay

HISTORY = 50
LISTED = parts.LISTED
STREAMS = 4
CHARTED = 2000
"""How much a page shows at most; the last is how many transactions it reads of a history."""


class _Past(NamedTuple):
    """What one pass over the start of a thing's history finds.

    Attributes:
        shown: The first entries, one more than the page lists.
        series: The numbers in it.
        doubts: Which values of the card are suspect.
        owners: Who held it when.
        read: How many transactions were read.
        is_whole: All of the history was read.
        children: CREATEs of the first parts and streams that name it as theirs, in order.
    """

    shown: list[Entry]
    series: Series
    doubts: _Doubts
    owners: Owners
    read: int
    is_whole: bool
    children: list[Entry]


class _Doubts:
    """Which values are suspect: those that were marked when they were last written."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = list(paths)
        self._held: dict[str, Any] = {}
        self.found: set[str] = set()

    def add(self, tx: dict[str, Any], members: Mapping[str, Any]) -> None:
        """Take the next transaction, and what it writes."""
        for path in self._paths:
            if path.partition(".")[0] not in members:
                continue
            value = card.at(path, members)
            if path not in self._held or value != self._held[path]:
                self._held[path] = value
                self.found.discard(path)
                if card.is_doubted(path, tx):
                    self.found.add(path)


def _past(
    source: Source,
    asset_id: str,
    corrected: frozenset[str],
    most: int = CHARTED,
    paths: Iterable[str] = (),
) -> _Past:
    shown: list[Entry] = []
    children = _children(source, asset_id)
    series, owners, doubts = Series(), Owners(children), _Doubts(paths)
    count = 0
    for entry in source.entries(asset_id):
        if count <= HISTORY:
            shown.append(entry)
        owners.add(entry)
        if entry.tx["id"] not in corrected:
            members = record.without_envelope(entry.tx["metadata"])
            series.add(parts.happened_ms(entry), members)
            doubts.add(entry.tx, members)
        count += 1
        if count == most:
            break
    is_whole = count == source.ledger.count(asset_id)
    return _Past(shown, series, doubts, owners, count, is_whole, children)


def _children(source: Source, asset_id: str) -> list[Entry]:
    """Return the CREATEs of the first parts and streams that name an asset as theirs."""
    ledger = source.ledger
    found: list[Entry] = []
    for seq in ledger.index.stated("parent", asset_id, 0, LISTED):
        entry = source.entry(ledger.id_at(seq))
        if entry is None:
            break
        found.append(entry)
    return found


class _Known(NamedTuple):
    """What is known of a thing, for all parts of its page.

    Attributes:
        source: What is read.
        asset_id: The thing.
        form: Its template, None: it has none, or it is not at hand.
        replay: Of its history; None: it was too large.
        past: The start of its history.
        corrected: Transactions that were corrected later.
        said: What others say about it, as far as a page reads.
        is_all_said: Whether that is all.
    """

    source: Source
    asset_id: str
    form: Template | None
    replay: Replay | None
    past: _Past
    corrected: frozenset[str]
    said: list[Entry]
    is_all_said: bool

    @property
    def now(self) -> int:
        """The present, milliseconds since the epoch."""
        return self.source.ledger.now()

    def standing(self, entry: Entry, topic: Topic) -> str:
        """Say whether something counts that was said elsewhere."""
        past = self.past
        return past.owners.standing(entry, self.replay, is_whole=past.is_whole, topic=topic)


def page(source: Source, argument: str, query: Mapping[str, str]) -> str | None:
    """Return the page of an asset, None where there is none.

    Args:
        source: What is read.
        argument: Its id.
        query: The parameters.
    """
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
        where = parts.quiet("asset ", parts.link("asset", argument))
        return document(title, heading, where, _later(source, argument, after))
    replay = source.replay(argument)
    form = _form(source, replay)
    data = record.without_envelope(first.tx["asset"]["data"])
    shown = None
    if form is not None and replay is not None:
        shown = card.card(form, replay.common or {}, data)
    corrected = corrected_by(_corrections(source, argument))
    # What a stream holds is drawn by itself.
    most = CHARTED if streams.name_of(first) is None else HISTORY + 1
    paths = [] if shown is None else [item.path for item in shown.all]
    past = _past(source, argument, corrected, most, paths)
    said, is_all = _said(source, argument, LISTED)
    known = _Known(source, argument, form, replay, past, corrected, said, is_all)
    above = _above(source, first)
    return document(
        title,
        shown.title or heading if shown is not None else heading,
        parts.quiet("asset ", Tag("code")(argument)),
        facts(
            (
                ("name", name if shown is not None and shown.title else None),
                ("kind", _kind(first)),
                ("template", None if form is None else join(form.name, " ", _code(form.id))),
                ("owned by", _owner(source, replay)),
                ("created", parts.both_times(first)),
                ("transactions", parts.count(source.ledger.count(argument))),
                ("part of", _parent(source, first, above)),
            )
        ),
        _card(known, shown, first),
        _state(known, shown),
        _stream(source, first, above, query),
        _of_creation(data, shown),
        _owners(known),
        _certificates(known, data),
        _parts(known),
        _links(known),
        _files(known),
        _charts(known, shown),
        _streams(known),
        _history(known, _merged(source, argument, past.shown, "")),
    )


def _form(source: Source, replay: Replay | None) -> Template | None:
    """Return the template of a thing; None: it has none, or it is not at hand."""
    return None if replay is None or replay.pin is None else source.template(replay.pin)


def _kind(create: Entry) -> str | None:
    kind = parts.kind_of(create.tx)
    return f"{kind}, encrypted" if kind and streams.is_encrypted(create) else kind


def _code(text: str) -> Html:
    return Tag("code")(cut(text, LONGEST_NAME))


def _owner(source: Source, replay: Replay | None) -> str | None:
    """Return who holds all of a thing; None: that takes a table."""
    if replay is None or len(replay.outputs) != 1:
        return None
    (place,) = replay.outputs
    tx = source.kept_tx(place[0])
    return None if tx is None else parts.owner(source, tx["outputs"][place[1]], whole=False)


# --- What it is ------------------------------------------------------------------------------


def _card(known: _Known, shown: Card | None, first: Entry) -> str:
    """Return what the template shows of its twins."""
    if shown is None:
        return ""
    rows, absent = [], []
    for item in shown.all:
        label = cut(item.label, LONGEST_NAME)
        if item.value is None:
            absent.append(label)
            continue
        is_doubted = item.path in known.past.doubts.found
        if not item.in_state:
            is_doubted = card.is_doubted(item.path, first.tx)
        mark = join(" ", parts.warning("suspect")) if is_doubted else ""
        unit = f" {item.unit}" if item.unit else ""
        rows.append((label, join(parts.plain(item.value), unit, mark)))
    lines = [facts(rows)] if rows else []
    if absent:
        lines.append(parts.quiet("Not given: ", ", ".join(absent)))
    return section("Card", *lines) if lines else ""


def _beside(members: Mapping[str, Any], shown: Card | None) -> dict[str, Any]:
    """Return what a card does not show whole."""
    paths = set() if shown is None else {item.path for item in shown.all}
    return {name: value for name, value in members.items() if name not in paths}


def _state(known: _Known, shown: Card | None) -> Html:
    replay, source = known.replay, known.source
    if replay is None:
        return parts.quiet("The state is too large for a page: twin asset show")
    rest = _beside(replay.common or {}, shown)
    state = section("State", parts.members(rest)) if rest else Html()
    if len(replay.outputs) == 1:
        return state
    held = [_held(source, place) for place in islice(replay.outputs, LISTED)]
    others = len(replay.outputs) - len(held)
    return join(
        state,
        section("Held by", table(("amount", "owners", "output"), held, "Nobody holds it.")),
        Tag("p")(f"{others:,} more outputs are not listed.") if others else "",
    )


def _of_creation(data: Mapping[str, Any], shown: Card | None) -> str:
    rest = _beside(data, shown)
    return section("Facts", parts.members(rest)) if rest else ""


def _charts(known: _Known, shown: Card | None) -> Html:
    """Return the numbers of a history as charts, those that the template names first."""
    past, form = known.past, known.form
    drawn = []
    for name, points in past.series.drawn(() if shown is None else shown.charts):
        unit = None if form is None else card.field(form, name).get("unit")
        drawn.append(chart(f"{name} ({unit})" if unit else name, points))
    note = f"Of the first {past.read:,} transactions." if drawn and not past.is_whole else ""
    return join(*drawn, parts.quiet(note) if note else "")


def _owners(known: _Known) -> str:
    """Return who held a thing when, the last first."""
    past = known.past
    terms = past.owners.terms
    if len(terms) < 2 and past.is_whole:
        return ""
    rows = []
    for term in reversed(terms[-LISTED:]):
        until = "" if term.until is None else parts.both_times(term.until)
        owner = parts.owner(known.source, term.output, whole=False)
        rows.append((owner, parts.both_times(term.since), until))
    notes = []
    if len(terms) > LISTED:
        notes.append(f"{len(terms) - LISTED:,} earlier owners are not listed.")
    if not past.is_whole:
        notes.append(f"Of the first {past.read:,} transactions.")
    listed = table(("owned by", "from", "until"), rows, "")
    return join(section("Owners", listed), *map(parts.quiet, notes))


def _corrections(source: Source, asset_id: str) -> list[dict[str, Any]]:
    """Return what corrects, unless there is more of it than a page reads."""
    found = source.ledger.store.corrections_size(source.ledger.seq(asset_id) or 0)
    source.left -= found
    return source.ledger.corrections(asset_id) if source.left > 0 else []


# --- What is certified -----------------------------------------------------------------------


class _Record(NamedTuple):
    """A record about a thing; see ``attested.Held``."""

    tx_id: str
    form: str
    kind: str
    body: Mapping[str, Any]
    signers: Sequence[str]
    at: str | None
    committed_at: str | None
    happened_ms: int | None
    tx: dict[str, Any]
    height: int | None


def _record(entry: Entry) -> _Record:
    """Return what a transaction says about a thing."""
    tx = entry.tx
    is_own = tx["operation"] == "TRANSFER"
    stated = record.envelope_of(tx["metadata"]) if is_own else record.creating_envelope(tx)
    envelope = stated or {}
    kind, body = envelope.get("kind"), envelope.get("body")
    if not is_own and kind == record.STATEMENT:
        kind = envelope.get("says")
    return _Record(
        tx["id"],
        attested.APPENDED if is_own else record.STATEMENT,
        kind if isinstance(kind, str) else "",
        body if isinstance(body, dict) else {},
        signers_of(tx),
        record.text(envelope.get("at")),
        times.told(entry.time_ms),
        parts.happened_ms(entry),
        tx,
        entry.height,
    )


def _said(source: Source, asset_id: str, most: int, after: int = 0) -> tuple[list[Entry], bool]:
    """Return what others say about a thing, and whether that is all of it."""
    seqs = source.ledger.index.stated("about", asset_id, after, most + 1)
    found: list[Entry] = []
    for seq in seqs[:most]:
        entry = source.entry(source.ledger.id_at(seq))
        if entry is None:
            return found, False
        if record.creating_envelope(entry.tx).get("about") == asset_id:
            found.append(entry)
    return found, len(seqs) <= most


def _own(known: _Known, kind: str) -> tuple[list[Entry], bool]:
    """Return the records of a kind that the owners of a thing wrote, and whether these are all."""
    found = list(islice(known.source.records(known.asset_id, {kind}), LISTED + 1))
    is_all = len(found) <= LISTED and known.source.left > 0
    return found[:LISTED], is_all


def _certificates(known: _Known, data: Mapping[str, Any]) -> str:
    """Return the certificates of a thing, with how they stand now."""
    own, is_all_own = _own(known, record.CERTIFICATE)
    entries = {entry.tx["id"]: entry for entry in (*own, *known.said)}
    held = [_record(entry) for entry in entries.values()]

    def controls(key: str, one: attested.Held) -> bool:
        return known.past.owners.controls(key, entries[one.tx_id])

    is_all = is_all_own and known.is_all_said
    found = attested.of_records(known.asset_id, held, known.source.key_name, controls)
    rows = [_certificate(known, one, is_all=is_all) for one in found[:LISTED]]
    rows += [
        (cut(label, LONGEST_NAME), "", "", parts.warning("unproven: nobody signed it"))
        for label in _labels(known, data)
    ]
    if not rows:
        return ""
    headers = ("certificate", "issued by", "valid", "standing")
    more = "" if is_all else parts.quiet("More certificates are not listed: twin cert list")
    return join(section("Certificates", table(headers, rows, "")), more)


def _certificate(
    known: _Known, one: attested.Certificate, *, is_all: bool
) -> tuple[str, str, str, str]:
    claims, source = one.claims, known.source
    words = [word for word in (claims.kind, claims.standard, claims.number) if word is not None]
    label = cut(" ".join(words) or claims.topic or claims.id or "a credential", LONGEST_NAME)
    name = claims.declared_issuer or claims.issuer_name
    called = f"\u201c{cut(name, LONGEST_NAME)}\u201d" if name is not None else ""
    by: str = called or cut(claims.issuer or "", LONGEST_NAME)
    if one.issuer_key is not None and one.form != attested.SELF_DECLARED:
        by = join(parts.key(source, one.issuer_key, whole=False), " ", called)
    ends = (cut(word or "", LONGEST_NAME) for word in (claims.valid_from, claims.valid_until))
    span = " to ".join(ends)
    return (
        parts.link("tx", one.record.tx_id, label),
        by,
        span if claims.valid_from or claims.valid_until else "",
        _worth(known, one, is_all=is_all),
    )


def _worth(known: _Known, one: attested.Certificate, *, is_all: bool) -> Html:
    """Return how a certificate stands, in words."""
    is_valid = _is_right(one.document)
    status = attested.standing(one, known.now, is_valid=is_valid)
    told = [status.replace("-", " ")]
    if one.revoked is not None and one.revoked.reason is not None:
        told = [f"{told[0]}: {cut(one.revoked.reason, LONGEST_NAME)}"]
    if one.form == attested.SELF_DECLARED:
        told = [*(told if status != _credential.VALID else ()), "self-declared, not verified"]
    elif is_valid is None:
        told.append("proof not checked here")
    if one.about is None:
        told.append("does not name this thing")
    if known.form is not None and attested.is_trusted(one, known.form.trusted) is False:
        told.append("not by an issuer that the template trusts")
    # What revokes it may be among what was not read.
    if status == _credential.VALID and not (is_all and known.past.is_whole):
        told.append("revocations not checked")
    text = ", ".join(told)
    return Html(text) if text == _credential.VALID else parts.warning(text)


def _is_right(document: dict[str, Any]) -> bool | None:
    """Say whether the proof of a certificate is right; None: a page does not find out."""
    try:
        return proofs.is_right(document, quickly=True)
    except ConfigError as error:
        if error.code != "missing_extra":
            raise
        return None  # a node serves pages without the packages that check certificates


def _labels(known: _Known, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the bare labels among the facts and the state."""
    state = {} if known.replay is None else known.replay.common or {}
    for members in (data, state):
        listed = members.get(attested.LABELS)
        for each in islice(listed if isinstance(listed, list) else [listed], LISTED):
            if each is not None:
                yield attested.label_of(each)


# --- Where it belongs ------------------------------------------------------------------------


def _belongs(source: Source, tx_id: str, asset_id: str) -> bool:
    entry = source.entry(tx_id)
    if entry is None:
        return False
    is_about = record.creating_envelope(entry.tx).get("about") == asset_id
    return asset_of(entry.tx) == asset_id or is_about


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


def _streams(known: _Known) -> str:
    """Return the latest of the streams of a thing that count, as charts."""
    shown: list[Html] = []
    for create in known.past.children:
        if len(shown) == STREAMS:
            break
        name = streams.name_of(create)
        if name is not None and known.standing(create, BELONGING) == AUTHORISED:
            told = Told(create, name, known.past.owners, known.past.is_whole)
            lead = Tag("h3")(parts.link("asset", create.tx["id"], name))
            shown.append(join(lead, streams.short_of(known.source, told)))
    return section("Streams", *shown) if shown else ""


def _mark(standing: str) -> Html:
    """Return a word of caution about what does not count; nothing about what does."""
    return Html() if standing == AUTHORISED else _standing(standing)


def _standing(standing: str) -> Html:
    """Return how something stands, as a cell of a table."""
    if standing == AUTHORISED:
        return Html(AUTHORISED)
    return parts.warning("claimed by its own key" if standing == CLAIMED else standing)


def _parts(known: _Known) -> str:
    """Return what says it is a part of a thing, and whose word that is."""
    source, past = known.source, known.past
    if not past.children:
        return ""
    rows = []
    for part in past.children:
        part_id = part.tx["id"]
        mark = _standing(known.standing(part, BELONGING))
        if past.is_whole and past.owners.gave(part_id, part_id, known.now) is False:
            mark = parts.warning("ended: the thing changed hands, or its owner took it back")
        rows.append((parts.named(source, part_id), _kind(part) or "", mark))
    others = len(source.ledger.index.stated("parent", known.asset_id)) - len(rows)
    return join(
        section("Parts", table(("name", "kind", "standing"), rows, "")),
        parts.quiet(f"{others:,} more parts are not listed.") if others else "",
    )


def _links(known: _Known) -> str:
    """Return the links of a thing that stand, from both ends, and what one end says alone."""
    source = known.source
    seqs = source.ledger.index.stated(links.LINKS, known.asset_id, 0, LISTED + 1)
    said: dict[tuple[str, str, str], dict[str, Entry]] = {}
    unknown: set[tuple[str, str, str]] = set()
    removals = _Removals(source)
    is_all = len(seqs) <= LISTED
    for seq in seqs[:LISTED]:
        entry = source.entry(source.ledger.id_at(seq))
        if entry is None:
            is_all = False
            break
        found = links.said(entry.tx)
        # Parts that name their whole have a table of their own.
        if found is None or "parent" in record.creating_envelope(entry.tx):
            continue
        is_over = removals.took_back(found, entry.tx["id"], seq)
        if is_over is None:
            unknown.add(found[:3])
        if not is_over:
            said.setdefault(found[:3], {})[found.by] = entry
    rows = []
    for (start, verb, end), by in said.items():
        standing = _standing_of_link(known, start, verb, by)
        if (start, verb, end) in unknown:
            standing = _mark(UNCHECKED)
        if standing is not None:
            ends = [_end(known, one) for one in (start, end)]
            rows.append((ends[0], cut(verb, LONGEST_NAME), ends[1], standing))
    more = "" if is_all else parts.quiet("More links are not listed: twin link list")
    if not rows:
        return more
    return join(section("Links", table(("from", "", "to", "standing"), rows, "")), more)


def _end(known: _Known, asset_id: str) -> Html:
    return Html("this") if asset_id == known.asset_id else parts.named(known.source, asset_id)


class _Removals:
    """What owners of assets took back of their links; those of an asset are read once.

    Args:
        source: What is read.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[str, list[tuple[int, links.Removed | None]] | None] = {}

    def _of(self, owner: str) -> list[tuple[int, links.Removed | None]] | None:
        """Return positions and what was taken back; None: more than a page reads."""
        if owner in self._known:
            return self._known[owner]
        source, ledger = self._source, self._source.ledger
        seqs = ledger.index.stated(links.REVOCATIONS, owner, 0, LISTED + 1)
        made: list[tuple[int, links.Removed | None]] | None = []
        for seq in seqs:
            tx = source.tx(ledger.id_at(seq)) if len(seqs) <= LISTED else None
            if tx is None or made is None:
                made = None
                break
            if asset_of(tx) == owner:
                made.append((seq, links.removed(tx)))
        self._known[owner] = made
        return made

    def took_back(self, said: links.Said, tx_id: str, seq: int) -> bool | None:
        """Say whether the owner of the end that said a link took it back later; None: unknown."""
        owner = said.source if said.by == links.SOURCE else said.target
        found = self._of(owner)
        if found is None:
            return None
        other = said.target if owner == said.source else None
        ends = links.ending(tx_id, said.verb, other)
        return any(later > seq and removed in ends for later, removed in found)


def _standing_of_link(known: _Known, start: str, verb: str, by: Mapping[str, Entry]) -> Html | None:
    """Return what is to be said of a link, None where it does not stand."""
    entry = by.get(links.SOURCE)
    if entry is None:
        return parts.warning("not said by the owner of the first")
    if entry.tx["operation"] == "CREATE":
        if start != known.asset_id or verb in links.POWERS:
            return None
        standing = known.standing(entry, topic_of(record.LINK, _record(entry).body))
        if standing != AUTHORISED:
            return _mark(standing)
    elif verb in links.POWERS and start == known.asset_id:
        end = links.said(entry.tx)
        if end is None or not known.past.owners.gave(entry.tx["id"], end.target, known.now):
            return None if known.past.is_whole else _mark(UNCHECKED)
    if links.TARGET in by:
        return Html("said by both")
    return Tag("span", class_="quiet")("not confirmed")


def _files(known: _Known) -> str:
    """Return the files of a thing, as downloads, and whose word it is that they are."""
    own, is_all_own = _own(known, record.FILE)
    rows = []
    for entry in (*own, *known.said):
        said = _record(entry)
        if said.kind == record.FILE and said.body:
            mark = Html(AUTHORISED)
            if said.form != attested.APPENDED:
                mark = _standing(known.standing(entry, Topic(record.FILE)))
            rows.append((*parts.download(said.body), mark))
    if not rows:
        return ""
    is_all = is_all_own and known.is_all_said
    return join(
        section("Files", table(("name", "type", "bytes", "standing"), rows, "")),
        "" if is_all else parts.quiet("More files are not listed: twin file list"),
    )


# --- What happened ---------------------------------------------------------------------------


class _Timeline(NamedTuple):
    """A stretch of what was recorded about a thing, by its owners and by others."""

    entries: list[Entry]
    has_more: bool


def _merged(source: Source, asset_id: str, own: list[Entry], after: str) -> _Timeline:
    """Return what happened after a transaction, in the order of the ledger.

    Args:
        source: What is read.
        asset_id: The thing.
        own: What its owners wrote after it, at least as much as is shown, or all.
        after: The transaction; empty: none.
    """
    ledger = source.ledger
    start = ledger.seq(after) or 0 if after else 0
    said, is_all_said = _said(source, asset_id, HISTORY + 1, start)
    placed = [(ledger.seq(entry.tx["id"]) or 0, entry) for entry in (*own, *said)]
    placed.sort(key=lambda one: one[0])
    is_all_own = len(own) <= HISTORY and not (own and own[-1].spent_by)
    # Beyond the end of what was read of the one there may be more of it.
    cut_off = [read for read, is_all in ((own, is_all_own), (said, is_all_said)) if not is_all]
    ends = [ledger.seq(read[-1].tx["id"]) or 0 for read in cut_off if read]
    shown = [entry for seq, entry in placed if all(seq <= end for end in ends)]
    return _Timeline(shown[:HISTORY], bool(cut_off) or len(shown) > HISTORY)


def _later(source: Source, asset_id: str, after: str) -> Html:
    """Return a later stretch of what happened."""
    own = list(islice(source.entries(asset_id, after), HISTORY + 1))
    timeline = _merged(source, asset_id, own, after)
    corrected = corrected_by(_corrections(source, asset_id))
    replay = source.replay(asset_id)
    form = _form(source, replay)
    # Whose word counts is asked only of what others say.
    is_judged = any(entry.tx["operation"] == "CREATE" for entry in timeline.entries)
    past = _past(source, asset_id, corrected, CHARTED if is_judged else 1)
    known = _Known(source, asset_id, form, replay, past, corrected, [], is_all_said=False)
    return _history(known, timeline)


def _history(known: _Known, timeline: _Timeline) -> Html:
    rows = [_happened(known, entry) for entry in timeline.entries]
    headers = ("when", "transaction", "kind", "recorded")
    shown = section("History", table(headers, rows, "Nothing has happened yet."))
    if not (timeline.has_more and timeline.entries):
        return shown
    last = timeline.entries[-1].tx["id"]
    where = f"/asset/{known.asset_id}"
    return join(shown, parts.more(where, "Later transactions", after=last))


def _happened(known: _Known, entry: Entry) -> tuple[str, str, str, str]:
    tx, source = entry.tx, known.source
    place = parts.both_times(entry), parts.short("tx", tx["id"])
    if tx["operation"] == "CREATE" and tx["id"] != known.asset_id:
        said = _record(entry)
        mark = ""
        if said.kind != record.CERTIFICATE:  # which weighs what its issuer weighs
            mark = join(" ", _mark(known.standing(entry, topic_of(said.kind, said.body))))
        by = parts.keys(source, said.signers)
        told = _words(known, said.kind, said.body) or parts.value(said.body)
        kind = cut(said.kind, LONGEST_NAME) or "statement"
        return *place, join(kind, " by ", by, mark), told
    written = _written(known, entry)
    if tx["id"] in known.corrected:
        written = join(Tag("div", class_="struck")(written), "corrected later")
    return *place, parts.kind(tx), written


def _words(known: _Known, kind: str, body: Any) -> str:
    source = known.source
    named = Naming(
        lambda found: source.name(found) or found[:10],
        lambda key: source.key_name(key) or f"{key[:10]}\u2026",
    )
    told = in_words(kind, body, named)
    return cut(told, LONGEST_NAME * 2)


def _written(known: _Known, entry: Entry) -> str:
    """Return what the owners of a thing recorded, in words."""
    tx, source = entry.tx, known.source
    members = record.without_envelope(tx["metadata"])
    envelope = record.envelope_of(tx["metadata"]) or {}
    kind = record.text(envelope.get("kind")) or record.TRANSFER
    told: list[str] = []
    if tx["operation"] == "CREATE" or kind == record.TRANSFER:
        told.append(_parties(source, tx))
    elif not members:
        told.append(_words(known, kind, envelope.get("body")))
    told += [_value(known, name, value) for name, value in islice(members.items(), _MEMBERS)]
    others = len(members) - _MEMBERS
    if others > 0:
        told.append(f"{others:,} more")
    lines = [Tag("div")(line) for line in told if line]
    return join(*lines)


_MEMBERS = 12
"""Values of an append that a line of the timeline shows."""


def _parties(source: Source, tx: Mapping[str, Any]) -> str:
    outputs = tx["outputs"]
    shown = [parts.owner(source, output, whole=False) for output in outputs[:_PARTIES]]
    others = len(outputs) - len(shown)
    word = "for " if tx["operation"] == "CREATE" else "to "
    return join(word, Html(", ".join(shown)), f" and {others:,} more" if others else "")


_PARTIES = 3


def _value(known: _Known, name: str, value: Any) -> str:
    unit = None if known.form is None else card.field(known.form, name).get("unit")
    return join(cut(name, LONGEST_NAME), " ", parts.plain(value), f" {unit}" if unit else "")
