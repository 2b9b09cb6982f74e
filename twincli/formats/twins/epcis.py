"""What happened to a twin as EPCIS 2.0 events, each with its event hash id.

Making and losing are ADD and DELETE, everything in between OBSERVE. A transfer is `accepting`, with
who owned it before and since; a stage is a business step of its own name where the Core Business
Vocabulary has it, else one named by a URN. A part that joins is an AggregationEvent. What a stage
says beside its place, and every value of the state, is left out.

Source: GS1 EPCIS 2.0 and CBV 2.0; the event hash id is CBV 2.0, section 8.9, in the form that
``epcis-event-hash-generator`` 1.9 computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twincli.crypto.digests import sha256
from twincli.formats.twins.portrait import (
    BURNED,
    CREATED,
    EVENT,
    MAINTENANCE,
    STAGE,
    TRANSFERRED,
    Happening,
    Loss,
    Portrait,
    Written,
    urn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
_NAMESPACE: Final = "urn:x-twincli:epcis:"
_WEB: Final = "https://ref.gs1.org/cbv/"
_OWNING = "owning_party"

_STEPS = """
accepting arriving assembling collecting commissioning consigning creating_class_instance
cycle_counting decommissioning departing destroying disassembling dispensing encoding
entering_exiting holding inspecting installing killing loading other packing picking receiving
removing repackaging repairing replacing reserving retail_selling sampling sensor_reporting shipping
staging_outbound stock_taking stocking storing transporting unloading unpacking void_shipping
"""
STEPS = frozenset(_STEPS.split())
"""Business steps of CBV 2.0."""


def write(found: Portrait) -> Written:
    """Return the events of a twin as an EPCIS document."""
    events = [_event(found, each) for each in found.happenings]
    events += _joined(found)
    events.sort(key=lambda event: str(event["eventTime"]))
    for event in events:
        event["eventID"] = event_id(event)
    losses = []
    if found.state:
        losses.append(Loss("state", "EPCIS has events: values that changed are left out"))
    if found.facts:
        losses.append(Loss("data", "EPCIS has events: facts are left out"))
    document = {
        "@context": [CONTEXT, {"twin": _NAMESPACE}],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": found.changed,
        "epcisBody": {"eventList": events},
    }
    return Written(document, tuple(losses))


def _event(found: Portrait, happened: Happening) -> dict[str, Any]:
    action = {CREATED: "ADD", BURNED: "DELETE"}.get(happened.kind, "OBSERVE")
    event: dict[str, Any] = {
        "type": "ObjectEvent",
        "eventTime": happened.at,
        "eventTimeZoneOffset": "+00:00",
        "epcList": [found.did],
        "action": action,
        "bizStep": _step(happened),
        "twin:transaction": f"{found.did}#{happened.transaction}",
    }
    if happened.kind == CREATED:
        event["disposition"] = "active"
    if happened.location is not None:
        event["readPoint"] = {"id": urn("place", happened.location)}
    if happened.kind == TRANSFERRED:
        event["sourceList"] = [
            {"type": _OWNING, "source": owner} for owner in happened.owners_before
        ]
        event["destinationList"] = [
            {"type": _OWNING, "destination": owner} for owner in happened.owners
        ]
    return {name: value for name, value in event.items() if value != []}


def _step(happened: Happening) -> str:
    known = {
        CREATED: "commissioning",
        TRANSFERRED: "accepting",
        BURNED: "decommissioning",
        MAINTENANCE: "repairing",
    }
    if happened.kind in known:
        return known[happened.kind]
    if happened.kind in {STAGE, EVENT} and happened.what in STEPS:
        return happened.what
    return urn(happened.kind, happened.what)


def _joined(found: Portrait) -> Iterator[dict[str, Any]]:
    for part in found.parts:
        yield {
            "type": "AggregationEvent",
            "eventTime": part.at,
            "eventTimeZoneOffset": "+00:00",
            "parentID": found.did,
            "childEPCs": [part.did],
            "action": "ADD",
            "bizStep": "assembling",
            "twin:transaction": f"{found.did}#{part.transaction}",
        }


# --- The event hash id ---------------------------------------------------------------------------


def event_id(event: dict[str, Any]) -> str:
    """Return the event hash id of an event as it is written here.

    Members that events of twins do not have are not known to it. ``eventID`` itself is not hashed.
    """
    return f"ni:///sha-256;{sha256(pre_hash(event).encode()).hexdigest()}?ver=CBV2.0"


def pre_hash(event: dict[str, Any]) -> str:
    """Return the text that is hashed: names and values in the order of the standard."""
    parts = [f"eventType={event['type']}"]
    parts += [f"{name}={event[name]}" for name in ("eventTime", "eventTimeZoneOffset")]
    if "parentID" in event:
        parts.append(f"parentID={event['parentID']}")
    for name in ("epcList", "childEPCs"):
        if name in event:
            parts.append(name + "".join(sorted(f"epc={epc}" for epc in event[name])))
    parts.append(f"action={event['action']}")
    step = event["bizStep"]
    parts.append(f"bizStep={_WEB}BizStep-{step}" if step in STEPS else f"bizStep={step}")
    if "disposition" in event:
        parts.append(f"disposition={_WEB}Disp-{event['disposition']}")
    if "readPoint" in event:
        parts.append(f"readPointid={event['readPoint']['id']}")
    for name in ("destination", "source"):
        parties = event.get(f"{name}List", ())
        if parties:
            listed = sorted(f"type={_WEB}SDT-{one['type']}{name}={one[name]}" for one in parties)
            parts.append(f"{name}List" + "".join(listed))
    parts.append(f"{{{_NAMESPACE}}}transaction={event['twin:transaction']}")
    return "".join(parts)
