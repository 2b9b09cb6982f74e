"""Stages: an ordered list that a twin passes, forward only; what it passes over is noted.

The list is that of the twin's own ``lifecycle``, else that of its template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError
from twincli.model import bodies, lifecycle
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MALFORMED, UNKNOWN, BACKWARDS = FAULTS = ("malformed", "unknown_stage", "not_forward")
"""Why a recorded stage does not count: it is not well formed; it is not in the list; it is not
behind the one that the twin is in."""

BEGIN = -1
"""The place of a twin that is in no stage yet."""


class Plan(NamedTuple):
    """The stages that a twin passes.

    Attributes:
        stages: In their order, each once.
        begin: The place in which the twin was when it was created, or ``BEGIN``.
    """

    stages: tuple[str, ...]
    begin: int = BEGIN


def plan_of(
    known: Sequence[str], facts: Mapping[str, Any], state: Mapping[str, Any]
) -> Plan | None:
    """Return the stages of a twin, None where it has none.

    Args:
        known: The stages of its template.
        facts: What its CREATE says for ever.
        state: The state that its CREATE began with.
    """
    own = next(
        (found for data in (facts, state) if isinstance(found := data.get(lifecycle.KEY), dict)),
        {},
    )
    try:
        lifecycle.check({lifecycle.KEY: own}, known)
    except InvalidError:  # a stranger's, whose template did not hold it to anything
        own = {}
    stages = tuple(own.get(lifecycle.STAGES, known))
    if not stages:
        return None
    current = own.get(lifecycle.CURRENT)
    return Plan(stages, BEGIN if current is None else stages.index(current))


def follow(plan: Plan, place: int, body: Any) -> tuple[int, str | None]:
    """Return the place of a twin after a recorded stage, and why it counts for nothing, or None.

    Args:
        plan: The stages.
        place: Where the twin is.
        body: What somebody recorded.
    """
    stage = bodies.read(bodies.STAGE, body).stated.get("stage")
    if stage is None:
        return place, MALFORMED
    if stage not in plan.stages:
        return place, UNKNOWN
    reached = plan.stages.index(stage)
    return (reached, None) if reached > place else (place, BACKWARDS)


def skipped(plan: Plan, place: int, stage: str) -> tuple[str, ...]:
    """Return the stages between a place and a stage that lies ahead of it."""
    return plan.stages[place + 1 : plan.stages.index(stage)]
