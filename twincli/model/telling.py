"""What records say, in a line for people: of histories, timelines and pages.

Everything may be a stranger's: texts are cut, and are made safe by the code that shows them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, cut
from twincli.model import bodies, did, encryption, private, record
from twincli.model.ids import is_id
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_MEMBERS = 6
"""Values of the data of a record that a line shows."""


class Naming(NamedTuple):
    """How assets and parties are called.

    Attributes:
        asset: Gives an asset's name by its id.
        party: Gives a party's name by its public key.
    """

    asset: Callable[[str], str]
    party: Callable[[str], str]


def in_words(kind: str, body: Any, named: Naming | None = None) -> str:
    """Return what a record says, in a line; empty of kinds that are not told in words.

    Args:
        kind: Of record.
        body: What it says.
        named: Gives names; None: the beginnings of ids and keys.
    """
    plain = _PLAIN.get(kind)
    if plain is not None:
        told = plain(body, named or Naming(_start, _start)) if isinstance(body, dict) else ()
        return "; ".join(filter(None, told)) or "malformed"
    telling = _TELLING.get(kind)
    if telling is None:
        return ""
    stated = bodies.read(kind, body).stated
    found = [part for part in (*telling(stated), *_more(stated)) if part]
    return "; ".join(found) or "malformed"


def _event(stated: dict[str, Any]) -> list[str]:
    return [cut(stated.get("type", ""))]


def _state(stated: dict[str, Any]) -> list[str]:
    if not {"from", "to"} <= stated.keys():
        return []
    by = f"triggered by {cut(stated['triggered_by'])}" if "triggered_by" in stated else ""
    return [f"{cut(stated['from'])} -> {cut(stated['to'])}", cut(stated.get("reason", "")), by]


def _stage(stated: dict[str, Any]) -> list[str]:
    where = f" in {cut(stated['location'])}" if "location" in stated else ""
    left = stated.get("skipped", ())
    skipped = f"skipped {', '.join(map(cut, left[:_MEMBERS]))}" if left else ""
    return [f"{cut(stated['stage'])}{where}" if "stage" in stated else "", skipped]


def _maintenance(stated: dict[str, Any]) -> list[str]:
    who = f" by {cut(stated['technician'])}" if "technician" in stated else ""
    total = " ".join(stated[name] for name in ("total", "currency") if name in stated)
    return [
        f"{cut(stated['type'])}{who}" if "type" in stated else "",
        ", ".join(map(cut, stated.get("work", ())[:_MEMBERS])),
        total if "total" in stated else "",
        f"next {stated['next']}" if "next" in stated else "",
    ]


def _certificate(stated: dict[str, Any]) -> list[str]:
    if "revokes" in stated:
        return [f"revokes {_start(stated['revokes'])}", cut(stated.get("reason", ""))]
    found = stated.get("credential", {})
    subject, issuer = found.get("credentialSubject"), found.get("issuer")
    told = []
    if isinstance(subject, dict):
        words = (subject.get(name) for name in ("certificateType", "standard", "certificateNumber"))
        told.append(" ".join(cut(word) for word in words if isinstance(word, str)))
    if isinstance(issuer, dict):
        told.append(_after("by", issuer.get("name")))
    return [*told, _after("until", found.get("validUntil"))]


_TELLING: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    bodies.EVENT: _event,
    bodies.STATE: _state,
    bodies.STAGE: _stage,
    bodies.MAINTENANCE: _maintenance,
    bodies.CERTIFICATE: _certificate,
}


def _start(asset_id: str) -> str:
    return f"{asset_id[:10]}..."


def _after(word: str, value: Any) -> str:
    """Return a text with a word before it; empty where it is not a text."""
    return f"{word} {cut(value)}" if isinstance(value, str) else ""


def _linked(body: dict[str, Any], named: Naming) -> list[str]:
    verb, end, start = body.get("verb"), body.get("to"), body.get("from")
    if not isinstance(verb, str):
        return []
    if isinstance(end, str) and is_id(end):
        return [f"{cut(verb)} {cut(named.asset(end))}"]
    if isinstance(start, str) and is_id(start):
        return [f"{cut(named.asset(start))} {cut(verb)} this"]
    return []


def _taken_back(body: dict[str, Any], named: Naming) -> list[str]:
    told = ""
    parties, grant, verb = body.get("from"), body.get("grant"), body.get("verb")
    if body.get("all") is True:
        told = "all that was granted"
    elif isinstance(parties, list):
        told = f"from {_parties(parties, named)}"
    elif isinstance(grant, str) and is_id(grant):
        told = f"{cut(verb)} {cut(named.asset(grant))}" if isinstance(verb, str) else _start(grant)
    return [told, _after("because:", body.get("reason")), *_epochs(body, named)]


def _attached(body: dict[str, Any], _: Naming) -> list[str]:
    return [cut(word) for word in (body.get("name"), body.get("type")) if isinstance(word, str)]


def _granted(body: dict[str, Any], named: Naming) -> list[str]:
    role, parties = body.get("role"), body.get("to")
    return [
        cut(role) if isinstance(role, str) else "",
        f"to {_parties(parties, named)}" if isinstance(parties, list) else "",
        _after("until", body.get("until")),
        "private scope" if private.MEMBER in body else "",
        "new wraps of private grants" if private.RENEWS in body else "",
        *_epochs(body, named),
    ]


def _epochs(body: dict[str, Any], named: Naming) -> list[str]:
    """Return which epochs of encrypted streams and files begin, and what is encrypted again."""
    begun: list[str] = []
    again = 0
    for item in encryption.items(body):
        again += len(item.sealed)
        if item.recipient is not None:
            begun.append(named.asset(item.what) if is_id(item.what) else _start(item.what))
    chunks = "1 chunk" if again == 1 else f"{again} chunks"
    return [
        f"new epoch of {_listed(begun)}" if begun else "",
        f"{chunks} encrypted again" if again else "",
    ]


def _parties(words: list[Any], named: Naming) -> str:
    return _listed([_party(word, named) for word in words[: _MEMBERS + 1]])


def _party(word: Any, named: Naming) -> Any:
    try:
        key = did.parse(word).public_key if isinstance(word, str) else None
    except InvalidError:
        return word
    return word if key is None else named.party(key)


def _listed(words: list[Any]) -> str:
    found = [cut(word) for word in words if isinstance(word, str)]
    return ", ".join([*found[:_MEMBERS], *(("...",) if len(found) > _MEMBERS else ())])


_PLAIN: dict[str, Callable[[dict[str, Any], Naming], list[str]]] = {
    record.LINK: _linked,
    record.REVOKE: _taken_back,
    record.FILE: _attached,
    record.GRANT: _granted,
}


def _more(stated: dict[str, Any]) -> list[str]:
    """Return the data and files of a record, each in short."""
    data = list(stated.get("data", {}).items())
    told = [f"{cut(name)} {cut(_text(value))}" for name, value in data[:_MEMBERS]]
    if len(data) > _MEMBERS:
        told.append("...")
    files = [cut(each["name"]) for each in stated.get("attachments", ())[:_MEMBERS]]
    return [", ".join(told), f"with {', '.join(files)}" if files else ""]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
