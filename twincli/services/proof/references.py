"""What twins refer to and are held to: templates, states, credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, NotFoundError, TwinError, UsageError, shown
from twincli.formats.credentials import proofs
from twincli.model import bodies, fields, identity, record
from twincli.model.transaction import CREATE
from twincli.rules.replay import Replay, corrected_by
from twincli.services import catalogue
from twincli.services.asset import fitting
from twincli.services.care.gather import Gatherer
from twincli.services.cert import certificates
from twincli.services.life import states as moving
from twincli.services.proof.evidence import Finding
from twincli.services.proof.report import REFERENCES
from twincli.services.record.say import APPENDED
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from twincli.ledger.rows import PrimaryId
    from twincli.services.catalogue import Model
    from twincli.services.proof.report import Part
    from twincli.services.workspace import Workspace

MOST_HITS = 20
"""Twins that name an identifier, of those that are compared: strangers may name it, too."""


def check(
    workspace: Workspace, asset_ids: Iterable[str], parts: Mapping[str, Part], *, are_all: bool
) -> None:
    """Check what assets refer to and are held to.

    Args:
        workspace: The ledger.
        asset_ids: The assets.
        parts: Take what is found.
        are_all: Whether these are all that there are, so that no others need to be looked for.
    """
    part = parts[REFERENCES]
    part.look(0)
    identified: dict[PrimaryId, str] = {}
    for asset_id in asset_ids:
        found = _templates(workspace, asset_id, part)
        if found is not None:
            others = None if are_all else workspace
            _identity(asset_id, found, identified, others, part)
        _states(workspace, asset_id, part)
        _credentials(workspace, asset_id, part)


class _Followed(NamedTuple):
    """The template that a twin follows now.

    Attributes:
        model: It.
        create: The twin's CREATE.
    """

    model: Model
    create: dict[str, Any]


def _templates(workspace: Workspace, asset_id: str, part: Part) -> _Followed | None:
    """Check the values of a twin against the template that it followed when they were written."""
    client = workspace.client
    create = client.required(asset_id).tx
    if catalogue.pinned_by(create) is None and not any(client.records(asset_id, (record.MIGRATE,))):
        return None
    replay = Replay(corrected_by(client.corrections(asset_id)))
    models: dict[str, Model | None] = {}
    for entry in client.entries(asset_id):
        written = replay.add(entry.tx).written
        pin = replay.pin
        if pin is None:
            continue
        if pin.cid not in models:
            part.look()
            models[pin.cid] = _model(workspace, replay, entry.tx["id"], part)
        model = models[pin.cid]
        if model is None:
            continue
        part.look()
        fault = _fault(model, entry.tx, written)
        if fault is not None:
            part.altered.append(Finding(fault.code, entry.tx["id"], fault.message))
    for path, why in Gatherer(workspace).plans(replay).malformed:
        part.noted.append(Finding("malformed_schedule", asset_id, f"{path}: {why}"))
    model = None if replay.pin is None else models.get(replay.pin.cid)
    return None if model is None else _Followed(model, create)


def _identity(
    asset_id: str,
    followed: _Followed,
    identified: dict[PrimaryId, str],
    others: Workspace | None,
    part: Part,
) -> None:
    """Note another twin of the same family, identifier and first owner: one thing has one twin.

    Only who writes to one ledger is kept from making it, so it is nobody's forgery.
    """
    form = followed.model.template
    try:
        text = identity.identifier(form, followed.create["asset"]["data"], asset_id)
    except InvalidError:
        return  # others made it without
    mine = fitting.primary_id(form, text, followed.create)
    alike = identified.setdefault(mine, asset_id)
    if alike == asset_id and others is not None:
        alike = next(_alike(others, asset_id, mine), asset_id)
    if alike != asset_id:
        said = f"{alike} has the identifier {shown(text)} of {form.family}, too, and the same owner"
        part.noted.append(Finding("duplicate_twin", asset_id, said))


def _alike(workspace: Workspace, asset_id: str, mine: PrimaryId) -> Iterator[str]:
    """Yield other twins of the same identity, of those that name its identifier."""
    if '"' in mine.identifier:
        return
    try:
        hits = workspace.client.search_assets(f'"{mine.identifier}"', MOST_HITS)
    except UsageError:  # nothing in it is a word
        return
    for hit in hits:
        if hit["id"] == asset_id:
            continue
        tx = workspace.client.required(hit["id"]).tx
        pin = catalogue.pinned_by(tx)
        try:
            model = None if pin is None else catalogue.of_twin(workspace, pin)
            if model is None:
                continue
            text = identity.identifier(model.template, tx["asset"]["data"], hit["id"])
        except (NotFoundError, InvalidError):
            continue
        if fitting.primary_id(model.template, text, tx) == mine:
            yield hit["id"]


def _model(workspace: Workspace, replay: Replay, tx_id: str, part: Part) -> Model | None:
    try:
        return catalogue.of_twin(workspace, replay.pin)
    except NotFoundError as error:
        part.missing.append(Finding(error.code, tx_id, error.message))
    except InvalidError as error:
        part.altered.append(Finding(error.code, tx_id, error.message))
    return None


def _fault(model: Model, tx: dict[str, Any], written: Mapping[str, Any]) -> InvalidError | None:
    """Return what a transaction wrote that the template does not have, None where it fits."""
    form = model.template
    stated = record.envelope_of(tx["metadata"]) or {}
    is_create = tx["operation"] == CREATE
    if is_create:
        stated = record.creating_envelope(tx)
    elif stated.get("kind") == record.BURN and written == record.BURNED_STATUS:
        return None
    doubted = stated.get("suspect")
    suspect = doubted if isinstance(doubted, list) else []
    try:
        found = fields.check(form.fields, written, model.units, additional=form.additional)
        outside = [*found.outside]
        if is_create:
            facts = record.without_envelope(tx["asset"].get("data"))
            outside += fields.check(form.facts, facts, model.units, additional=True).outside
    except InvalidError as error:
        return error
    for path, allowed in outside:
        if path not in suspect:
            return InvalidError(f"{path} is not {allowed}", code="out_of_range")
    return None


def _states(workspace: Workspace, asset_id: str, part: Part) -> None:
    """Follow the moves of a twin; one that its template does not allow moved nothing."""
    if not any(workspace.client.records(asset_id, (bodies.STATE,))):
        return
    replay = workspace.client.replay(asset_id)
    if replay is None or replay.pin is None:
        return
    try:
        for moved in moving.moves(workspace, asset_id, replay):
            part.look()
            if moved.fault is not None:
                said = f"this move of the state does not count: {moved.fault}"
                part.noted.append(Finding("invalid_move", moved.entry.tx["id"], said))
    except TwinError:
        return  # the template is missing, which is reported already


def _credentials(workspace: Workspace, asset_id: str, part: Part) -> None:
    for one in certificates.certificates(workspace, asset_id):
        part.look()
        tx_id = one.record.tx_id
        right = proofs.is_right(one.document)
        if right is False:
            said = "the certificate is not what its issuer signed"
            # Anybody can record one about a twin; that of its owners is theirs to answer for.
            found = part.altered if one.record.form == APPENDED else part.noted
            found.append(Finding("bad_credential", tx_id, said))
        elif right is None:
            said = "who issued the certificate could not be told offline"
            part.noted.append(Finding("unknown_issuer", tx_id, said))
        elif one.revoked is not None:
            said = "the certificate was revoked"
            part.noted.append(Finding("revoked", tx_id, said))
