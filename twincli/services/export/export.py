"""Write a twin in the format of another system."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from twincli.errors import NotFoundError, cut
from twincli.formats.twins import dtdl, epcis, jsonld, wot
from twincli.formats.twins.portrait import (
    BURNED,
    CREATED,
    EVENT,
    MAINTENANCE,
    STAGE,
    STATE,
    TRANSFERRED,
    Happening,
    Loss,
    Part,
    Portrait,
    Written,
)
from twincli.model import bodies, did, record, times
from twincli.model.links import PART, POWERS
from twincli.model.transaction import signers_of
from twincli.rules.authority import AUTHORISED
from twincli.rules.replay import Pin, is_burned
from twincli.services import catalogue
from twincli.services.asset import document as documents
from twincli.services.audit import trail
from twincli.services.link.links import list_links
from twincli.services.record.records import records
from twincli.services.relations import ACTIVE, PROPOSED
from twincli.services.stream import show as streams
from twincli.services.stream import streams as stream_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.ledger.reading import Entry
    from twincli.services.catalogue import Model
    from twincli.services.documents import Asset, AssetExport
    from twincli.services.record.records import Record
    from twincli.services.stream.known import Room
    from twincli.services.workspace import Workspace

_UNTOLD = {
    record.CERTIFICATE: "certificates",
    record.FILE: "files",
    record.GRANT: "grants",
    record.REVOKE: "revocations",
    "freeze": "freezes",
    "unfreeze": "freezes",
}
_WRITTEN = frozenset(("type", "stage", "to", "location", "date"))
FORMATS = ("wot", "aas", "epcis", "dtdl", "jsonld")

_KINDS = {
    bodies.STAGE: (STAGE, "stage"),
    bodies.STATE: (STATE, "to"),
    bodies.EVENT: (EVENT, "type"),
    bodies.MAINTENANCE: (MAINTENANCE, "type"),
}


def export(room: Room, ref: str, form: str) -> AssetExport:
    """Write a twin in a format of others.

    Only what counts is written: what its owner, or somebody the owner allowed, stated.

    Args:
        room: What streams are worked on with.
        ref: The twin.
        form: One of ``FORMATS``.

    Returns:
        ``twin.export/1``, with the document and what the format has no place for.

    Raises:
        NotFoundError: There is no such asset, or its template is not at hand.
        ConfigError: ``missing_extra``.
    """
    shown = documents.show(room.workspace, ref)
    found = _portrait(room, shown)
    made = _write(found, form)
    trail.note(
        room.workspace,
        trail.EXPORTED,
        twin=str(shown["id"]),
        reason=form,
        by="asset export",
    )
    losses = [*made.losses, *(Loss(path, why) for path, why in found.untold)]
    return {
        "schema": "twin.export/1",
        "asset_id": str(shown["id"]),
        "asset_name": shown["name"],
        "format": form,
        "file": None,
        "document": made.document,
        "losses": [{"path": loss.path, "why": loss.why} for loss in losses],
    }


def _write(found: Portrait, form: str) -> Written:
    if form == "aas":
        from twincli.formats.twins import aas

        return aas.write(found)
    write = {"wot": wot.write, "epcis": epcis.write, "dtdl": dtdl.write, "jsonld": jsonld.write}
    return write[form](found)


def _portrait(room: Room, shown: Asset) -> Portrait:
    workspace, asset_id = room.workspace, str(shown["id"])
    model = _model(workspace, shown)
    state = dict(shown["state"])
    streamed: set[str] = set()
    for stream in streams.latest(room, asset_id):
        if stream["stream"] not in state:
            values = stream["values"]
            is_one = values.keys() == {"value"}
            state[stream["stream"]] = values["value"] if is_one else values
            streamed.add(stream["stream"])
    form = None if model is None else model.template
    happenings = sorted(_happenings(workspace, asset_id), key=lambda each: each.at)
    return Portrait(
        did=str(shown["did"]),
        id=asset_id,
        name=shown["title"] or shown["name"] or asset_id,
        kind=None if form is None else form.asset_type,
        template=shown["template"],
        facts=shown["data"],
        state=state,
        declared={} if form is None else {**form.facts, **form.fields},
        streams=frozenset(streamed),
        events=() if form is None else form.events or (),
        owners=_dids(shown["owners"]),
        created=_time(workspace.client.required(asset_id)),
        changed=_time(workspace.client.required(str(shown["transaction_id"]))),
        parts=tuple(_parts(workspace, asset_id)),
        happenings=tuple(happenings),
        untold=tuple(_untold(room, asset_id)),
    )


def _untold(room: Room, asset_id: str) -> Iterator[tuple[str, str]]:
    """Yield what is left out of every format, and why."""
    workspace = room.workspace
    found = records(workspace, asset_id, (*_KINDS, *_UNTOLD))
    counts = Counter(each.kind for each in found)
    for kind in _KINDS:
        more = {name for each in found if each.kind == kind for name in each.body} - _WRITTEN
        if more:
            yield f"{kind} records", f"without {', '.join(sorted(map(cut, more)))}"
    for kind, what in _UNTOLD.items():
        if counts[kind]:
            yield (
                what,
                f"{counts[kind]} {'record is' if counts[kind] == 1 else 'records are'} left out",
            )
    links = [
        link for link in list_links(workspace, asset_id)["links"] if link["verb"] not in POWERS
    ]
    if links:
        yield (
            "links",
            f"{len(links)} of other kinds than part {'is' if len(links) == 1 else 'are'} left out",
        )
    if stream_list.of_twin(workspace, asset_id):
        yield "streams", "of each only the latest values are written"


def _model(workspace: Workspace, shown: Asset) -> Model | None:
    template, cid = shown["template"], shown["template_cid"]
    if template is None or cid is None:
        return None
    try:
        return catalogue.of_twin(workspace, Pin(template, cid, ""))
    except NotFoundError:
        return None  # what it would add is the types and units


def _dids(keys: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(did.key_did(key) for key in keys if key is not None)


def _parts(workspace: Workspace, asset_id: str) -> Iterator[Part]:
    ledger = workspace.client.ledger_id
    for link in list_links(workspace, asset_id, everything=True)["links"]:
        is_part = link["verb"] == PART and link["source"] == asset_id
        if is_part and link["state"] != PROPOSED and link["linked_at"] is not None:
            yield Part(
                did.asset_did(link["target"], ledger),
                link["linked_at"],
                link["id"],
                present=link["state"] == ACTIVE,
            )


def _happenings(workspace: Workspace, asset_id: str) -> Iterator[Happening]:
    held: dict[tuple[str, int], list[str]] = {}
    for entry in workspace.client.entries(asset_id):
        tx = entry.tx
        before: dict[str, None] = {}
        for spent in tx["inputs"]:
            ref = spent["fulfills"]
            if ref is not None:
                owners = held.pop((ref["transaction_id"], ref["output_index"]), [])
                before.update(dict.fromkeys(owners))
        outputs = tx["outputs"]
        after = dict.fromkeys(key for output in outputs for key in output["public_keys"] or ())
        for index, output in enumerate(outputs):
            held[tx["id"], index] = list(output["public_keys"] or ())
        kind = TRANSFERRED
        if tx["operation"] == "CREATE":
            kind = CREATED
        elif all(map(is_burned, outputs)):
            kind = BURNED
        elif before.keys() == after.keys():
            continue
        yield Happening(
            kind=kind,
            at=_time(entry),
            what="",
            location=None,
            transaction=tx["id"],
            signers=_dids(signers_of(tx)),
            owners_before=_dids(before) if kind == TRANSFERRED else (),
            owners=() if kind == BURNED else _dids(after),
        )
    for found in records(workspace, asset_id, tuple(_KINDS)):
        if found.standing == AUTHORISED:
            yield _recorded(found)


def _recorded(found: Record) -> Happening:
    kind, member = _KINDS[found.kind]
    stated = bodies.read(found.kind, found.body).stated
    return Happening(
        kind=kind,
        at=times.to_text(found.happened_ms or 0),
        what=str(stated.get(member) or ""),
        location=record.text(stated.get("location")),
        transaction=found.tx_id,
        signers=_dids(found.signers),
    )


def _time(entry: Entry) -> str:
    """Return when a transaction was made, as its signer states it, else when it was committed."""
    stated = record.stated_ms(entry.tx)
    return times.to_text((entry.time_ms or 0) if stated is None else stated)
