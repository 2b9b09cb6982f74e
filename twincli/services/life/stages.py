"""The stages that a twin passes: those of its own lifecycle, else of its template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, NotFoundError, cut
from twincli.model import bodies, record, stages, times
from twincli.model.names import near
from twincli.services import catalogue, resolve
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.record.listed import ALL, Wanted, items
from twincli.services.record.say import say
from twincli.services.tx.prepared import Prepared
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.model.stages import Plan
    from twincli.rules.replay import Replay
    from twincli.services.documents import PlannedStage, Said, Stages
    from twincli.services.workspace import Workspace

PASSED, CURRENT, SKIPPED, AHEAD = ("passed", "current", "skipped", "ahead")
"""How a stage of the plan stands."""

SKIPS = ("skipped",)
"""The member of a body that follows from where the twin is."""

_SHOWN = 20
_ZONES_MS = 14 * 3_600_000
"""How far the calendar of the easternmost zone is ahead of UTC."""


class Passed(NamedTuple):
    """The stages that a twin has passed.

    Attributes:
        plan: All of its stages, or None.
        place: Where it is, ``stages.BEGIN`` before the first.
        reached: The places that were recorded, or where the twin was at the beginning.
        faults: Why a recorded stage counts for nothing, by transaction.
    """

    plan: Plan | None
    place: int
    reached: frozenset[int]
    faults: dict[str, str]


def passed(workspace: Workspace, asset_id: str, replay: Replay) -> Passed:
    """Return the stages that a twin's owners recorded, in commit order.

    Raises:
        NotFoundError: ``missing_template``.
    """
    plan = _plan(workspace, replay)
    if plan is None:
        return Passed(None, stages.BEGIN, frozenset(), {})
    place = plan.begin
    reached = set(range(place + 1))  # nothing says that it left any of those out
    faults: dict[str, str] = {}
    for entry in workspace.client.records(asset_id, (bodies.STAGE,)):
        body = (record.envelope_of(entry.tx["metadata"]) or {}).get("body")
        place, fault = stages.follow(plan, place, body)
        if fault is None:
            reached.add(place)
        else:
            faults[entry.tx["id"]] = fault
    return Passed(plan, place, frozenset(reached), faults)


def _plan(workspace: Workspace, replay: Replay) -> Plan | None:
    model = catalogue.of_twin(workspace, replay.pin)
    assert replay.create is not None
    facts = record.without_envelope(replay.create["asset"].get("data"))
    begun = record.without_envelope(replay.create["metadata"])
    return stages.plan_of(() if model is None else model.template.stages, facts, begun)


def add(
    workspace: Workspace,
    ref: str,
    stage: str,
    more: Mapping[str, Any],
    writing: Writing = PLAIN,
) -> Said | Prepared:
    """Say that a twin has reached a stage, which lies ahead of the one it is in.

    Without a time of its own it happened on its date.

    Args:
        workspace: Rooms.
        ref: The twin.
        stage: One of its stages.
        more: Other members of the body: ``location date data attachments``.
        writing: W, without ``bare``.

    Returns:
        ``twin.record/1``, with a warning of what is skipped.

    Raises:
        InvalidError: ``no_stages``, ``unknown_stage``, ``not_forward``, ``time_ahead``.
        LockedError: ``no_key``: only who can append to the twin can say it.
        TwinError: As `say`.
    """
    body = bodies.checked(bodies.STAGE, {**more, "stage": stage})
    asset_id = resolve.asset_id_of(workspace, ref)

    def check(replay: Replay) -> dict[str, Any]:
        return _planned(workspace, ref, asset_id, replay, stage)

    made = say(
        workspace,
        ref,
        bodies.STAGE,
        body,
        _dated(workspace, body.get("date"), writing),
        check=check,
        adds=SKIPS,
        is_owners=True,
    )
    if not isinstance(made, Prepared):
        left = made["body"].get("skipped")
        if left:
            made["warnings"].append(f"skipped: {', '.join(left)}")
    return made


def _dated(workspace: Workspace, date: str | None, writing: Writing) -> Writing:
    """Return how to write what happened on a date, where no time is given besides."""
    if date is None or writing.at is not None:
        return writing
    now = workspace.now()
    is_today_somewhere = len(date) == len("2024-01-10") and (
        now < times.parse(date, now) <= now + _ZONES_MS
    )
    return writing if is_today_somewhere else writing._replace(at=date)


def check_stage(workspace: Workspace, ref: str, stage: str) -> None:
    """Refuse a stage that a twin cannot reach now, before anything is done for it.

    Raises:
        InvalidError, NotFoundError: As `add`.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    _planned(workspace, ref, asset_id, _replay(workspace, asset_id), stage)


def _planned(
    workspace: Workspace, ref: str, asset_id: str, replay: Replay, stage: str
) -> dict[str, Any]:
    """Return what a stage's body says of those that are skipped."""
    found = passed(workspace, asset_id, replay)
    plan = found.plan
    if plan is None:
        raise InvalidError(
            f"{ref} has no stages",
            code="no_stages",
            hint="a twin gets them when it is created, from its template or from its own"
            ' lifecycle: --set \'lifecycle.stages=["design","testing"]\'',
        )
    if stage not in plan.stages:
        meant = near(stage, plan.stages)
        more = " ..." if len(plan.stages) > _SHOWN else ""
        raise InvalidError(
            f"{cut(stage)!r} is not one of the stages of {ref}",
            code="unknown_stage",
            hint=f"did you mean {meant}?"
            if meant
            else f"one of {', '.join(plan.stages[:_SHOWN])}{more}",
        )
    if plan.stages.index(stage) <= found.place:
        ahead = plan.stages[found.place + 1 :]
        where = "already in" if plan.stages[found.place] == stage else "past"
        raise InvalidError(
            f"{ref} is {where} the stage {stage}"
            + (f": it is in {plan.stages[found.place]}" if where == "past" else ""),
            code="not_forward",
            hint=f"stages go forward only; next: {ahead[0]}" if ahead else "it is in the last one",
        )
    left = stages.skipped(plan, found.place, stage)
    return {"skipped": [*left]} if left else {}


def list_stages(workspace: Workspace, ref: str, wanted: Wanted = ALL) -> Stages:
    """Return the stages of a twin: what it passed and when, where it is, what lies ahead.

    Returns:
        ``twin.stages/1`` with ``stages``, an iterator of what was recorded, and ``plan``.

    Raises:
        UsageError: As `Wanted` is malformed.
        NotFoundError: There is no such twin; ``missing_template``.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    found = passed(workspace, asset_id, _replay(workspace, asset_id))
    plan = found.plan
    listed = items(workspace, asset_id, bodies.STAGE, wanted)
    told = ({**item, "fault": found.faults.get(item["transaction_id"])} for item in listed)
    known = () if plan is None else plan.stages
    return {
        "schema": "twin.stages/1",
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "current": known[found.place] if found.place > stages.BEGIN else None,
        "plan": [_stands(found, at, name) for at, name in enumerate(known)],
        "stages": told,  # type: ignore[typeddict-item]
    }


def _stands(found: Passed, at: int, name: str) -> PlannedStage:
    if at > found.place:
        standing = AHEAD
    elif at == found.place:
        standing = CURRENT
    else:
        standing = PASSED if at in found.reached else SKIPPED
    return {"stage": name, "standing": standing}


def _replay(workspace: Workspace, asset_id: str) -> Replay:
    replay = workspace.client.replay(asset_id)
    if replay is None:
        raise NotFoundError(f"there is no asset {asset_id} on this ledger")
    return replay
