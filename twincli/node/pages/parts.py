"""Parts of pages: links, times, owners, values."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from twincli.crypto import cid as _cid
from twincli.crypto import conditions
from twincli.errors import InvalidError
from twincli.model import encryption, owners, record, times
from twincli.node.pages.excerpt import LONGEST_NAME, cut, excerpt
from twincli.node.pages.html import ROOT, Html, Tag, facts, join
from twincli.rules.replay import is_burned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twincli.ledger.reading import Entry
    from twincli.node.pages.source import Source

LISTED = 200
KEYS = 20
APART_MS = 60_000
"""When something happened and when it was recorded are shown both if they differ by more."""


def link(kind: str, argument: str, text: str | None = None) -> Html:
    """Return a link to a page; without a text it shows its argument, whole."""
    shown = Tag("code")(argument) if text is None else text
    return Tag("a", href=f"{ROOT}/{kind}/{quote(argument, safe='')}")(shown)


def download(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return name, type and size of a file as its record states them; the name is a download."""
    name, cid, size = (body.get(key) for key in ("name", "cid", "size"))
    shown = cut(name, LONGEST_NAME) if isinstance(name, str) and name else "without a name"
    linked: str = shown
    if encryption.is_stated(dict(body)):
        linked = join(shown, " ", quiet("encrypted"))  # a browser signs no request for it
    elif isinstance(cid, str):
        try:
            linked = Tag("a", href=f"/twin/v1/content/{_cid.parse(cid).text}", download="")(shown)
        except InvalidError:
            linked = shown
    word = body.get("type")
    kind = cut(word, LONGEST_NAME) if isinstance(word, str) else ""
    return linked, kind, f"{size:,}" if type(size) is int and 0 <= size < 1 << 63 else ""


def short(kind: str, argument: str) -> Html:
    """Return a link with the start of an id or a key; pointing at it shows the whole."""
    return link(kind, argument, start(argument))


def start(argument: str) -> Html:
    """Return the start of an id or a key."""
    return Tag("code", title=argument)(f"{argument[:10]}\u2026")


def more(where: str, text: str, **query: str) -> Html:
    """Return a link to the next part of a listing."""
    return Tag("p")(Tag("a", href=f"{ROOT}{where}?{urlencode(query)}")(text))


def quiet(*parts: str) -> Html:
    """Return a paragraph of less weight."""
    return Tag("p", class_="quiet")(*parts)


def warning(text: str) -> Html:
    """Return a word of caution."""
    return Tag("strong", class_="warn")(text)


def time(time_ms: int | None) -> Html:
    """Return a moment."""
    assert time_ms is not None  # an embedded ledger knows it
    text = times.to_text(time_ms)
    return Tag("time", datetime=text)(text)


def happened_ms(entry: Entry) -> int:
    """Return when something happened: as its signer states, else when it was recorded."""
    stated = times.parse_claim(_stated_at(entry.tx))
    assert entry.time_ms is not None
    return entry.time_ms if stated is None else stated


def _stated_at(tx: Mapping[str, Any]) -> Any:
    data = tx["asset"].get("data") if tx["operation"] == "CREATE" else tx["metadata"]
    return (record.envelope_of(data) or {}).get("at")


def both_times(entry: Entry) -> Html:
    """Return when something happened and, if that differs, when it was recorded."""
    happened = happened_ms(entry)
    assert entry.time_ms is not None
    if abs(happened - entry.time_ms) <= APART_MS:
        return time(entry.time_ms)
    return join(time(happened), quiet("recorded ", time(entry.time_ms)))


def count(number: int | str) -> Html:
    """Return a number with separators."""
    return Tag("span", class_="number")(f"{int(number):,}")


def key(source: Source, public_key: str, *, whole: bool = True) -> Html:
    """Return a link to an owner, by name if the key has one."""
    name = source.key_name(public_key)
    if name is not None:
        return join(link("owner", public_key, name), " ", start(public_key))
    return link("owner", public_key) if whole else short("owner", public_key)


def keys(source: Source, found: Iterable[str]) -> Html:
    """Return links to some owners."""
    distinct = list(dict.fromkeys(found))
    shown = [join(key(source, each), " ") for each in distinct[:KEYS]]
    others = len(distinct) - len(shown)
    return join(*shown, f"and {others:,} more" if others > 0 else "")


def owner(source: Source, output: Mapping[str, Any], *, whole: bool = True) -> Html:
    """Return who can spend an output: a rule over keys, each a link."""
    if is_burned(dict(output)):
        return Html("burned")
    details = output["condition"]["details"]
    if details["type"] == "ed25519-sha-256":
        return key(source, details["public_key"], whole=whole)
    leaves = list(conditions.leaf_keys(details))
    names = {each: source.key_name(each) for each in list(dict.fromkeys(leaves))[:KEYS]}
    rule = owners.to_text(details, lambda each: names.get(each) or each)
    return join(Tag("code")(cut(rule)), " ", keys(source, leaves))


def named(source: Source, asset_id: str) -> Html:
    """Return a link to an asset, by the name that its creator gave."""
    name = source.name(asset_id)
    if name is None:
        return short("asset", asset_id)
    return join(link("asset", asset_id, name), " ", start(asset_id))


def kind(tx: Mapping[str, Any]) -> str:
    """Return what a transaction does: its envelope's word, else its operation."""
    if tx["operation"] == "CREATE":
        return "create"
    envelope = record.envelope_of(tx["metadata"]) or {}
    return cut(record.text(envelope.get("kind")) or "transfer", LONGEST_NAME)


def kind_of(create: dict[str, Any]) -> str | None:
    """Return the kind of asset that a CREATE makes, None where it states none."""
    found = record.text(record.creating_envelope(create).get("kind"))
    return None if found is None else cut(found, LONGEST_NAME)


def value(found: Any) -> Html:
    """Return a value as JSON, cut."""
    return Tag("pre")(excerpt(found))


def plain(found: Any) -> Html:
    """Return a value for people: a text as it is, a place by its numbers, all else as JSON."""
    if isinstance(found, str) and found:
        return join(cut(found))
    if isinstance(found, dict) and set(found) == _PLACE:
        pair = [found[name] for name in ("latitude", "longitude")]
        if all(type(number) in {int, float} for number in pair):
            return join(", ".join(map(str, pair)))
    return value(found) if isinstance(found, (dict, list)) else join(excerpt(found))


_PLACE = {"latitude", "longitude"}


def members(found: Any) -> Html:
    """Return an object's members, one a line; what is not an object as JSON."""
    if not isinstance(found, dict):
        return value(found)
    shown = [
        (cut(name, LONGEST_NAME), cut(item) if isinstance(item, str) and item else value(item))
        for name, item in islice(found.items(), LISTED)
    ]
    others = len(found) - len(shown)
    return join(facts(shown), quiet(f"{others:,} more members") if others else "")
