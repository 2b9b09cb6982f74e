"""States: a machine of a template that a twin goes through, move by move, as its guards allow.

`Machine` is the template's part. `follow` says what one recorded move does to a twin in a state:
where a reader and a writer go by the same rules, no order of writes leads to a state that the
template forbids, since a move that does not begin where the twin is moves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.model import bodies
from twincli.model.bodies import ASSERTED, CHECKED, UNMET
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from twincli.model.template import Template, Transition

MALFORMED, ELSEWHERE, NO_MOVE, UNMET_GUARD = FAULTS = (
    "malformed",
    "elsewhere",
    "no_such_move",
    "unmet",
)
"""Why a recorded move moves nothing: it is not well formed; the twin is not where it begins; the
template has no such move; a required condition is not met."""


class Condition(NamedTuple):
    """A condition of a move, and how it stands.

    Attributes:
        name: Its name.
        required: Whether the move needs it.
        standing: One of ``bodies.STANDINGS``.
    """

    name: str
    required: bool
    standing: str


class Machine(NamedTuple):
    """The states of a template.

    Attributes:
        initial: Where a new twin is.
        states: All, in the order in which the template names them.
        transitions: The moves that exist, by where they begin and end.
        expressions: Of the conditions that are checked, by name.
    """

    initial: str
    states: tuple[str, ...]
    transitions: Mapping[tuple[str, str], Transition]
    expressions: Mapping[str, str]

    def moves(self, state: str) -> list[Transition]:
        """Return the moves that begin in a state."""
        return [move for (start, _), move in self.transitions.items() if start == state]


def machine_of(template: Template | None) -> Machine | None:
    """Return the states of a template, None where it has none."""
    if template is None or template.initial is None:
        return None
    ends = (end for move in template.transitions for end in (move.start, move.end))
    return Machine(
        template.initial,
        tuple(dict.fromkeys((template.initial, *ends))),
        {(move.start, move.end): move for move in template.transitions},
        template.conditions,
    )


def guards(
    machine: Machine, move: Transition, meets: Collection[str], holds: Callable[[str], bool]
) -> list[Condition]:
    """Return how the conditions of a move stand.

    A name that the template binds to an expression is checked, whatever the signer says; any
    other is the signer's word.

    Args:
        machine: The states.
        move: One of its moves.
        meets: The names that the signer says are met.
        holds: Says whether the expression of a name holds.
    """
    found: dict[str, Condition] = {}
    for required, names in ((True, move.required), (False, move.optional)):
        for name in names:
            if name in found:
                continue
            if name in machine.expressions:
                standing = CHECKED if holds(name) else UNMET
            else:
                standing = ASSERTED if name in meets else UNMET
            found[name] = Condition(name, required, standing)
    return list(found.values())


def follow(machine: Machine, state: str, body: Any) -> tuple[str, str | None]:
    """Return the state after a recorded move, and why it moves nothing, or None.

    Args:
        machine: The states of the template that held then.
        state: Where the twin is.
        body: What somebody recorded.
    """
    found = bodies.read(bodies.STATE, body).stated
    if not {"from", "to"} <= found.keys():
        return state, MALFORMED
    if found["from"] != state:
        return state, ELSEWHERE
    move = machine.transitions.get((state, found["to"]))
    if move is None:
        return state, NO_MOVE
    stated = {each["name"]: each["standing"] for each in found.get("conditions", ())}
    for name in move.required:
        wanted = {CHECKED} if name in machine.expressions else {CHECKED, ASSERTED}
        if stated.get(name) not in wanted:
            return state, UNMET_GUARD
    return move.end, None
