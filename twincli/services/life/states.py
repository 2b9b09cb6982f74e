"""The state of a twin: where it is in the machine of its template, and its moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, InvalidError, NotFoundError, cut
from twincli.model import bodies, record, states, times
from twincli.model.names import near
from twincli.model.transaction import signers_of
from twincli.rules.replay import Replay
from twincli.services import catalogue, resolve
from twincli.services.asset.document import claimed
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.life.conditions import Evidence
from twincli.services.record.say import say
from twincli.services.tx.prepared import Prepared
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from twincli.ledger.reading import Entry
    from twincli.model.states import Machine
    from twincli.model.template import Transition
    from twincli.rules.replay import Pin
    from twincli.services.catalogue import Model
    from twincli.services.documents import Said, State, StateMove
    from twincli.services.workspace import Workspace

COMPUTED = ("from", "conditions")
"""Members of a move's body that follow from where the twin is."""


class Moved(NamedTuple):
    """A recorded move, and what it did.

    Attributes:
        entry: The transaction.
        state: Where the twin was after it.
        fault: Why it moved nothing, one of ``states.FAULTS``; None: it moved the twin.
    """

    entry: Entry
    state: str | None
    fault: str | None


class Where(NamedTuple):
    """Where a twin is.

    Attributes:
        model: Its template, or None.
        machine: The states of its template, or None.
        state: Where it is; None without states.
        last: The move that brought it there; None: it is where it began.
    """

    model: Model | None
    machine: Machine | None
    state: str | None
    last: Entry | None


def where(workspace: Workspace, asset_id: str, replay: Replay) -> Where:
    """Return where a twin is, in states of the template that it follows now.

    Raises:
        NotFoundError: ``missing_template``.
    """
    model = catalogue.of_twin(workspace, replay.pin)
    machine = states.machine_of(None if model is None else model.template)
    if machine is None:
        return Where(model, None, None, None)
    state, last = None, None
    for moved in moves(workspace, asset_id, replay):
        if moved.fault is None:
            last = moved.entry
        state = moved.state
    if state is None or state not in machine.states:
        return Where(model, machine, machine.initial, None)
    return Where(model, machine, state, last)


def moves(workspace: Workspace, asset_id: str, replay: Replay) -> Iterator[Moved]:
    """Yield the moves that a twin's owners recorded, in commit order, and what each did.

    Each is judged by the template that the twin followed then. A template without the state that
    the twin is in lets it begin again.
    """
    machines = _Machines(workspace)
    state: str | None = None
    for entry, pin in _pinned(workspace, asset_id, replay):
        machine = machines.of(pin)
        if machine is None:
            yield Moved(entry, state, states.NO_MOVE)
            continue
        if state not in machine.states:
            state = machine.initial
        assert state is not None
        body = (record.envelope_of(entry.tx["metadata"]) or {}).get("body")
        state, fault = states.follow(machine, state, body)
        yield Moved(entry, state, fault)


class _Machines:
    """The machines of the templates that a twin followed, each read once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known: dict[tuple[str, str], Machine | None] = {}

    def of(self, pin: Pin | None) -> Machine | None:
        if pin is None:
            return None
        key = pin.template, pin.cid
        if key not in self._known:
            model = catalogue.of_twin(self._workspace, pin)
            self._known[key] = states.machine_of(None if model is None else model.template)
        return self._known[key]


def _pinned(
    workspace: Workspace, asset_id: str, replay: Replay
) -> Iterable[tuple[Entry, Pin | None]]:
    """Yield the records of kind state, each with the template that the twin followed then."""
    pin = replay.pin
    if pin is None or pin.by == asset_id:
        for entry in workspace.client.records(asset_id, (bodies.STATE,)):
            yield entry, pin
        return
    passed = Replay()
    for entry in workspace.client.entries(asset_id):
        passed.add(entry.tx)
        is_move = record.kind_of(entry.tx["metadata"]) == bodies.STATE
        if entry.tx["operation"] == "TRANSFER" and is_move:
            yield entry, passed.pin


def show(workspace: Workspace, ref: str) -> State:
    """Return where a twin is, and where it may go.

    Returns:
        ``twin.state/1``.

    Raises:
        InvalidError: ``no_states``.
        NotFoundError: There is no such twin; ``missing_template``.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    replay = _replay(workspace, asset_id)
    found = where(workspace, asset_id, replay)
    machine, model, last = found.machine, found.model, found.last
    if machine is None or model is None or found.state is None:
        raise _no_states(ref, model)
    evidence = Evidence(workspace, asset_id, replay, model)
    names = resolve.Names(workspace)
    signers = [] if last is None else signers_of(last.tx)
    return {
        "schema": "twin.state/1",
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "template": model.template.id,
        "state": found.state,
        "at": None if last is None else claimed(last.tx),
        "committed_at": None if last is None else times.told(last.time_ms),
        "transaction_id": None if last is None else last.tx["id"],
        "signers": [*signers],
        "signer_names": names.of_keys(signers),
        "moves": [_move(machine, each, evidence) for each in machine.moves(found.state)],
        "states": list(machine.states),
    }


def _move(machine: Machine, move: Transition, evidence: Evidence) -> StateMove:
    return {
        "to": move.end,
        "conditions": [
            {
                "name": each.name,
                "required": each.required,
                "expression": machine.expressions.get(each.name),
                "holds": each.standing == bodies.CHECKED
                if each.name in machine.expressions
                else None,
            }
            for each in states.guards(machine, move, (), evidence.holds)
        ],
    }


def move(
    workspace: Workspace,
    ref: str,
    state: str,
    more: Mapping[str, Any],
    writing: Writing = PLAIN,
    *,
    start: str | None = None,
) -> Said | Prepared:
    """Move a twin into another state, as its template allows.

    Args:
        workspace: Rooms.
        ref: The twin.
        state: Where to.
        more: Other members of the body: ``reason meets triggered_by data attachments``.
        writing: W, without ``bare``.
        start: Where the twin has to be.

    Returns:
        ``twin.record/1``, with warnings of what is not met and not needed.

    Raises:
        ConflictError: ``wrong_state``: it is not where ``start`` says.
        InvalidError: ``no_states``, ``unknown_state``, ``no_such_move``, ``condition_unmet``,
            ``split_twin``.
        LockedError: ``no_key``: only who can append to the twin can move it.
        TwinError: As `say`.
    """
    body = bodies.checked(
        bodies.STATE, {**more, "from": state if start is None else start, "to": state}
    )
    meets = tuple(body.get("meets", ()))
    if start is None:
        del body["from"]  # it is where the twin is
    asset_id = resolve.asset_id_of(workspace, ref)

    def check(replay: Replay) -> dict[str, Any]:
        return _planned(workspace, ref, asset_id, replay, (start, state), meets)

    made = say(
        workspace,
        ref,
        bodies.STATE,
        body,
        writing,
        check=check,
        adds=COMPUTED if start is None else COMPUTED[1:],
        is_owners=True,
    )
    if not isinstance(made, Prepared):
        made["warnings"] += _notes(made["body"])
    return made


def _notes(body: Mapping[str, Any]) -> Iterator[str]:
    stated = {each["name"]: each for each in body.get("conditions", ())}
    for name, each in stated.items():
        if each["standing"] == bodies.UNMET:
            yield f"the optional condition {name} is not met"
    for name in body.get("meets", ()):
        if name not in stated:
            yield f"{name} is not a condition of this move; it is recorded as said"


def check_move(workspace: Workspace, ref: str, state: str, start: str | None, meets: Any) -> None:
    """Refuse a move that is not possible now, before anything is done for it.

    Raises:
        ConflictError, InvalidError, NotFoundError: As `move`.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    _planned(workspace, ref, asset_id, _replay(workspace, asset_id), (start, state), meets)


def _planned(
    workspace: Workspace,
    ref: str,
    asset_id: str,
    replay: Replay,
    ends: tuple[str | None, str],
    meets: Iterable[str],
) -> dict[str, Any]:
    """Return what a move's body says of where it begins and of its conditions."""
    found = where(workspace, asset_id, replay)
    machine, model, present = found.machine, found.model, found.state
    if machine is None or model is None or present is None:
        raise _no_states(ref, model)
    if replay.is_split:
        raise InvalidError(
            f"{ref} is split among several outputs, so that its state stays {present}",
            code="split_twin",
            hint=f"join them first: twin asset outputs {ref} --unspent",
        )
    start, end = ends
    if start is not None and start != present:
        raise ConflictError(
            f"{ref} is in the state {present}, not {cut(start)}",
            code="wrong_state",
            hint=f"twin state show {ref}",
        )
    possible = machine.transitions.get((present, end))
    if possible is None:
        raise _no_move(ref, machine, present, end)
    evidence = Evidence(workspace, asset_id, replay, model)
    guards = states.guards(machine, possible, frozenset(meets), evidence.holds)
    missing = [each.name for each in guards if each.required and each.standing == bodies.UNMET]
    if missing:
        raise _unmet(ref, machine, end, missing)
    stated = [each._asdict() for each in guards]
    return {"from": present, **({"conditions": stated} if stated else {})}


def _no_states(ref: str, model: Model | None) -> InvalidError:
    why = (
        "follows no template"
        if model is None
        else f"follows {model.template.id}, which has no states"
    )
    return InvalidError(
        f"{ref} {why}",
        code="no_states",
        hint="states are a part of a template: twin template show ID; stages: twin stage list",
    )


def _no_move(ref: str, machine: Machine, present: str, end: str) -> InvalidError:
    ways = ", ".join(each.end for each in machine.moves(present))
    if end not in machine.states:
        meant = near(end, machine.states)
        return InvalidError(
            f"{cut(end)!r} is not a state of {ref}",
            code="unknown_state",
            hint=f"did you mean {meant}?" if meant else f"one of {', '.join(machine.states)}",
        )
    return InvalidError(
        f"{ref} cannot go from {present} to {end}",
        code="no_such_move",
        hint=f"from {present} it can go to {ways}" if ways else f"no move leaves {present}",
    )


def _unmet(ref: str, machine: Machine, end: str, missing: list[str]) -> InvalidError:
    """Return the error about required conditions; it names each, and how it can be met."""
    bound = [name for name in missing if name in machine.expressions]
    said = [name for name in missing if name not in machine.expressions]
    ways = [f"{name} holds when: {machine.expressions[name]}" for name in bound]
    if said:
        words = "".join(f" --meets {name}" for name in said)
        ways.insert(0, f"if it is so, say it: twin state move {ref} {end}{words}")
    several = "these conditions are" if len(missing) > 1 else "this condition is"
    return InvalidError(
        f"{ref} cannot go to {end}: {several} not met: {', '.join(missing)}",
        code="condition_unmet",
        hint="; ".join(ways),
    )


def _replay(workspace: Workspace, asset_id: str) -> Replay:
    replay = workspace.client.replay(asset_id)
    if replay is None:
        raise NotFoundError(f"there is no asset {asset_id} on this ledger")
    return replay
