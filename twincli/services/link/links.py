"""Link assets, take links back, and list them from either end.

The owner of the end that a link goes out from says it; the owner of the other end confirms it with
the same command. A part or stream whose CREATE the twin's owner signed (``--parent``) is linked by
that. Only ``part`` and ``stream`` let the holder of the other asset speak for the twin.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from twincli.crypto.conditions import can_fulfil
from twincli.errors import ConflictError, NotFoundError, PartialError, TwinError, UsageError
from twincli.model import links, names, record, times
from twincli.model.links import SOURCE, TARGET, Said
from twincli.rules.authority import AUTHORISED, topic_of
from twincli.services import catalogue, resolve
from twincli.services.asset.attempt import Target
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.record.say import is_for_us, say
from twincli.services.relations import ACTIVE, BOTH, PROPOSED, Relations, above, end_of
from twincli.services.standing import Speakers, owners_now
from twincli.services.tx.prepared import Prepared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.formats.relationships import Relationship
    from twincli.services import documents
    from twincli.services.documents import LinkItem, Links
    from twincli.services.relations import Link
    from twincli.services.workspace import Workspace


def add(
    workspace: Workspace, ref: str, verb: str, other: str, writing: Writing = PLAIN
) -> documents.Said | Prepared:
    """Say that an asset is linked to another one, or confirm that others said so.

    Args:
        workspace: Rooms.
        ref: The asset that the link goes out from: ``REF is_component_of OTHER``.
        verb: One of ``links.VERBS``, or of the template of the asset.
        other: The other asset.
        writing: W.

    Raises:
        UsageError: An unknown verb; an asset and itself.
        ConflictError: ``exists``; ``circle``.
        LockedError: ``no_key``: no key here owns either end.
    """
    said = _meant(workspace, ref, verb, other)
    source, target = (Target.find(workspace, name, writing) for name in (ref, other))
    place, body, is_owners = _where(source, target, said)
    if writing.once is None:
        _check_new(_between(workspace, said), ref, verb, other, is_confirming=place == target)

    def check(_replay: object) -> None:
        # What the verbs of a template mean is not known here: they may lead round.
        if verb in links.VERBS:
            _check_circle(workspace, said, ref, verb, other)

    made = say(workspace, place.ref, record.LINK, body, writing, check=check, is_owners=is_owners)
    if not isinstance(made, Prepared) and not workspace.dry_run:
        made["warnings"] += _unconfirmed(workspace, said, ref, verb, other)
    return made


def _meant(workspace: Workspace, ref: str, verb: str, other: str) -> Said:
    source, target = resolve.asset_id_of(workspace, ref), resolve.asset_id_of(workspace, other)
    if source == target:
        raise UsageError(f"{ref} cannot be linked to itself")
    known = [*links.VERBS]
    if verb not in known:
        known += _template_verbs(workspace, source)
    if verb not in known:
        raise UsageError(
            f"{verb!r} is not a verb of links: {', '.join(known)}",
            hint=f"twin link add {ref} {names.near(verb, known) or links.PART} {other}",
        )
    return Said(source, verb, target, SOURCE)


def _template_verbs(workspace: Workspace, asset_id: str) -> tuple[str, ...]:
    """Return the verbs that an asset has by its template."""
    replay = workspace.client.replay(asset_id)
    model = None if replay is None else catalogue.of_twin(workspace, replay.pin)
    return () if model is None else model.template.links


def _between(workspace: Workspace, said: Said) -> list[Link]:
    """Return the links in force, or proposed, with both ends and the verb of a link."""
    found = Relations(workspace).of([said.source], other=said.target)
    return [
        link for link in found if link.said[:3] == said[:3] and link.state in {ACTIVE, PROPOSED}
    ]


def _where(source: Target, target: Target, said: Said) -> tuple[Target, dict[str, str], bool]:
    """Return on which end a link is to be said, with what body, and whether only by its owner."""
    forwards = {"verb": said.verb, "to": said.target}
    if is_for_us(source):
        return source, forwards, True
    if is_for_us(target):
        return target, {"verb": said.verb, "from": said.source}, True
    is_allowed = said.verb not in links.POWERS and _is_allowed(source, forwards)
    return source, forwards, not is_allowed


def _is_allowed(source: Target, body: dict[str, str]) -> bool:
    """Say whether a key here was granted to link an asset of others."""
    workspace = source.workspace
    if workspace.keys:
        keys = [resolve.public_key_of(workspace, name) for name in workspace.keys]
    else:
        keys = [info.public_key for info in workspace.keystore.scan()[0]]
    now_ms = workspace.now()
    topic = topic_of(record.LINK, body)
    verdict = Speakers(workspace.client).now(source.asset_id, keys, topic, now_ms, now_ms)
    return verdict.standing == AUTHORISED


def _check_new(
    present: Sequence[Link], ref: str, verb: str, other: str, *, is_confirming: bool
) -> None:
    taken = {BOTH, TARGET if is_confirming else SOURCE}
    if any(link.by in taken for link in present):
        raise ConflictError(
            f"it is already said that {ref} {verb} {other}",
            code="exists",
            hint=f"twin link list {ref}",
        )


def _check_circle(workspace: Workspace, said: Said, ref: str, verb: str, other: str) -> None:
    kind, lower, upper = links.upwards(said)
    if links.comes_round(upper, lower, partial(above, Relations(workspace), kind)):
        raise ConflictError(
            f"{ref} {verb} {other} would close a circle: {other} already leads back to {ref}"
            if said.source == lower
            else f"{ref} {verb} {other} would close a circle: {ref} already is below {other}",
            code="circle",
            hint=f"twin link graph {ref}",
        )


def _unconfirmed(workspace: Workspace, said: Said, ref: str, verb: str, other: str) -> list[str]:
    """Return a warning where the owner of one end has not said it."""
    present = _between(workspace, said)
    if any(link.by == BOTH for link in present):
        return []
    is_source = any(link.state == ACTIVE for link in present)
    end, name = (said.target, other) if is_source else (said.source, ref)
    held = owners_now(workspace.client, end)
    owner = "; ".join(map(resolve.Names(workspace).owner, held))
    mine = [
        info.name
        for info in workspace.keystore.scan()[0]
        if any(can_fulfil(details, [info.public_key]) for details in held)
    ]
    key = f" --key {mine[0]}" if mine else ""
    command = f"twin link add {ref} {verb} {other}{key}"
    return [f"not confirmed yet: the owner of {name}, {owner}, can do it: {command}"]


def add_all(
    workspace: Workspace, listed: Sequence[Relationship], writing: Writing = PLAIN
) -> documents.AddedLinks:
    """Add many links: all that can be known to fail does so before the first is written.

    What is linked already is passed over, so that an interrupted run is finished by another one.

    Raises:
        UsageError, NotFoundError, ConflictError: As ``add``, naming the relationship.
        PartialError: Some were written; the message says how many.
    """
    for number, item in enumerate(listed, 1):
        try:
            _meant(workspace, item.source, item.verb, item.target)
        except TwinError as error:
            raise error.within(f"relationship {number}") from None
    made: list[documents.Said] = []
    existing = 0
    for number, item in enumerate(listed, 1):
        try:
            done = add(workspace, item.source, item.verb, item.target, writing)
        except TwinError as error:
            if error.code == "exists":
                existing += 1
                continue
            failed = error.within(f"relationship {number}")
            if not made:
                raise failed from None
            raise PartialError(
                f"{len(made)} of {len(listed)} links were written, then: {failed.message}",
                hint="mend it and run the same command again; it goes on from there",
            ) from error
        assert not isinstance(done, Prepared)
        made.append(done)
    return {
        "schema": "twin.links-added/1",
        "ledger": workspace.client.ledger_id,
        "count": len(made),
        "existing": existing,
        "links": made,
        "warnings": [warning for done in made for warning in done["warnings"]],
    }


def remove(
    workspace: Workspace, ref: str, verb: str, other: str, writing: Writing = PLAIN
) -> documents.Said | Prepared:
    """Take back links with a verb from an asset to another, or what the other end said of it.

    Raises:
        NotFoundError: There is none that still counts.
        LockedError: ``no_key``: no key here owns the end that said it.
    """
    said = Said(
        resolve.asset_id_of(workspace, ref), verb, resolve.asset_id_of(workspace, other), SOURCE
    )
    source, target = (Target.find(workspace, name, writing) for name in (ref, other))
    present = _between(workspace, said)
    if not is_for_us(source) and is_for_us(target):
        ours = Relations(workspace).said_by_target(said)
        if not ours:
            raise _not_linked(ref, verb, other)
        body = {"grant": ours[-1]}
        return say(workspace, other, record.REVOKE, body, writing, is_owners=True)
    if writing.once is None and not any(link.state == ACTIVE for link in present):
        raise _not_linked(ref, verb, other)
    body = {"grant": said.target, "verb": verb}
    return say(workspace, ref, record.REVOKE, body, writing, is_owners=True)


def _not_linked(ref: str, verb: str, other: str) -> NotFoundError:
    return NotFoundError(
        f"there is no link {ref} {verb} {other} that could be taken back",
        hint=f"twin link list {ref}",
    )


def list_links(workspace: Workspace, ref: str, *, everything: bool = False) -> Links:
    """Return the links of an asset, those that go out from it and those that lead to it.

    Args:
        workspace: Rooms.
        ref: The asset.
        everything: Those that are over as well.

    Returns:
        ``twin.links/1``.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    relations = Relations(workspace)
    owners, asset_names = resolve.Names(workspace), resolve.asset_names(workspace)

    def item(link: Link) -> LinkItem:
        source, verb, target, _ = link.said
        is_outgoing = source == asset_id
        held = relations.held(target if is_outgoing else source)
        return {
            "id": link.tx_id,
            "source": source,
            "source_name": asset_names.get(source),
            "verb": verb,
            "target": target,
            "target_name": asset_names.get(target),
            "direction": "outgoing" if is_outgoing else "incoming",
            "owner": None if held is None else "; ".join(map(owners.owner, held.details)),
            "end": end_of(held),
            "state": link.state,
            "standing": link.standing,
            "said_by": link.by,
            "confirmed": link.by == BOTH,
            "linked_at": times.told(link.time_ms),
        }

    listed = relations.of([asset_id])
    return {
        "schema": "twin.links/1",
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "links": [item(link) for link in listed if everything or link.state in {ACTIVE, PROPOSED}],
    }
