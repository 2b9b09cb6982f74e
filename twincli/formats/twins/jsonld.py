"""A twin as linked data: schema.org for what it is, PROV for what happened to it.

Every value is a ``PropertyValue`` by its path, so no name that a user chose is taken for a term.

Source: https://schema.org/PropertyValue, https://www.w3.org/TR/prov-o/
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twincli.formats.twins.portrait import MAX_NESTING, MAX_PATH, Portrait, Written, urn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twincli.model.template import Field

_CONTEXT = {
    "@version": 1.1,
    "schema": "https://schema.org/",
    "prov": "http://www.w3.org/ns/prov#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "twin": "urn:x-twincli:",
}


def write(found: Portrait) -> Written:
    """Return a twin as JSON-LD 1.1; its context is inside, so nothing is fetched to read it."""
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "@id": found.did,
        "@type": ["schema:Product", "prov:Entity"],
        "schema:name": found.name,
        "schema:identifier": found.id,
        "prov:generatedAtTime": _time(found.created),
        "prov:wasAttributedTo": [{"@id": owner} for owner in found.owners],
        "schema:additionalProperty": [
            *_values(found, found.facts, "fact"),
            *_values(found, found.state, "state"),
        ],
    }
    if found.kind is not None:
        document["schema:category"] = found.kind
    if found.template is not None:
        document["schema:model"] = {"@id": urn("template", found.template)}
    parts = found.present_parts()
    if parts:
        document["schema:hasPart"] = [{"@id": part} for part in parts]
    document["prov:wasInfluencedBy"] = [_activity(found, each) for each in found.happenings]
    return Written(document, ())


def _time(text: str) -> dict[str, str]:
    return {"@type": "xsd:dateTime", "@value": text}


def _activity(found: Portrait, happened: Any) -> dict[str, Any]:
    activity: dict[str, Any] = {
        "@id": f"{found.did}#{happened.transaction}",
        "@type": "prov:Activity",
        "schema:additionalType": {"@id": f"twin:{happened.kind}"},
        "prov:endedAtTime": _time(happened.at),
        "prov:wasAssociatedWith": [{"@id": signer} for signer in happened.signers],
    }
    if happened.what:
        activity["schema:name"] = happened.what
    if happened.location is not None:
        activity["prov:atLocation"] = {
            "@type": ["prov:Location", "schema:Place"],
            "schema:name": happened.location,
        }
    if happened.owners_before:
        activity["twin:from"] = [{"@id": owner} for owner in happened.owners_before]
    if happened.owners:
        activity["twin:to"] = [{"@id": owner} for owner in happened.owners]
    return activity


def _values(found: Portrait, members: Mapping[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    for path, value, field in _leaves(members, found.declared, "", 1):
        item = {
            "@type": "schema:PropertyValue",
            "schema:propertyID": path,
            "schema:value": value,
            "twin:kind": kind,
        }
        if field is not None and field.unit is not None:
            item["schema:unitText"] = field.unit
        yield item


def _leaves(
    members: Mapping[str, Any], declared: Mapping[str, Field], prefix: str, depth: int
) -> Iterator[tuple[str, Any, Field | None]]:
    """Yield dotted paths, values and fields; what JSON-LD has no value for is a JSON literal."""
    for name, value in members.items():
        field = declared.get(name)
        is_short = depth < MAX_NESTING and len(prefix) + len(name) < MAX_PATH
        if isinstance(value, dict) and value and is_short:
            inner = (field.fields if field is not None else None) or {}
            yield from _leaves(value, inner, f"{prefix}{name}.", depth + 1)
        elif isinstance(value, (dict, list)) or value is None:
            yield f"{prefix}{name}", {"@type": "@json", "@value": value}, field
        elif isinstance(value, float):
            # A bare number without a fraction would come back as an integer.
            typed = {"@type": "xsd:double", "@value": json.dumps(value)}
            yield f"{prefix}{name}", typed, field
        else:
            yield f"{prefix}{name}", value, field
