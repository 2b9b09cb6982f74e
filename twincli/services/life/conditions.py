"""What the conditions of moves are checked against: a twin as it is, and what was said of it.

An expression sees the twin's facts and state, as ``asset find`` does, and besides them what is
recorded: ``events`` (the types of its events), ``stages`` (those it has reached), ``certificates``
(what the issuers that its template trusts attest now: types, standards, numbers) and ``facts`` and
``state`` by themselves. A name of these never means a field of the twin, so that nobody meets a
condition by writing a list of that name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError
from twincli.ledger.field_table import document_of
from twincli.ledger.said import Asked
from twincli.model import bodies, expression, fields, record
from twincli.rules.authority import AUTHORISED
from twincli.services.life.stages import passed
from twincli.services.record.records import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.model.expression import Quantity
    from twincli.rules.replay import Replay
    from twincli.services.catalogue import Model
    from twincli.services.workspace import Workspace

EVENTS, STAGES, FACTS, STATE, CERTIFICATES = NAMES = (
    "events",
    "stages",
    "facts",
    "state",
    "certificates",
)


class Evidence:
    """A twin as conditions see it; what none of them looks at is not read.

    Args:
        workspace: Rooms.
        asset_id: The twin.
        replay: As it stands.
        model: Its template.
    """

    def __init__(self, workspace: Workspace, asset_id: str, replay: Replay, model: Model) -> None:
        self._workspace = workspace
        self._asset_id = asset_id
        self._replay = replay
        self._model = model
        self._known: dict[str, Any] = {}

    def holds(self, name: str) -> bool:
        """Say whether the expression of a condition holds; one that cannot be judged does not."""
        try:
            node = expression.parse(self._model.template.conditions[name])
            test = expression.predicate(node, self._convert)
        except InvalidError:  # a unit where no field has one, or another one
            return False
        return test(self._document(node))

    def _convert(self, path: tuple[str, ...], quantity: Quantity) -> float:
        if path[0] in {FACTS, STATE}:
            path = path[1:]
        field = self._model.template.field_at(path)
        if field is None or field.unit is None:
            raise InvalidError(f"{'.'.join(path)} has no unit")
        return fields.convert(quantity.number, quantity.unit, field.unit, self._model.units)

    def _document(self, node: expression.Node) -> dict[str, Any]:
        """Return what an expression looks at, and perhaps more."""
        found = dict(document_of(self._replay))
        made: dict[str, Callable[[], Any]] = {
            STAGES: self._stages,
            FACTS: self._facts,
            STATE: lambda: self._replay.common,
            CERTIFICATES: self._attested,
        }
        for name in {path[0] for path in expression.paths(node)}:
            if name == EVENTS:
                found[name] = self._events(node)
            elif name in made:
                if name not in self._known:
                    self._known[name] = made[name]()
                found[name] = self._known[name]
        return found

    def _facts(self) -> dict[str, Any]:
        assert self._replay.create is not None
        return record.without_envelope(self._replay.create["asset"]["data"])

    def _attested(self) -> list[str]:
        from twincli.services.cert import certificates

        trusted = self._model.template.trusted
        return certificates.names_of(self._workspace, self._asset_id, trusted)

    def _stages(self) -> list[str] | None:
        found = passed(self._workspace, self._asset_id, self._replay)
        if found.plan is None:
            return None
        return [found.plan.stages[place] for place in sorted(found.reached)] or None

    def _events(self, node: expression.Node) -> list[str | None] | None:
        """Return those types that an expression names of which there is an event that counts."""
        wanted: tuple[str | None, ...] = (*_texts(node), None)  # None: of any type
        return [text for text in wanted if self._has_event(text)] or None

    def _has_event(self, kind: str | None) -> bool:
        found = told(self._workspace, self._asset_id, Asked(bodies.EVENT, kind))
        return any(each.standing == AUTHORISED for each in found)


def _texts(node: expression.Node) -> set[str]:
    """Return the texts that an expression compares with."""
    if isinstance(node, expression.And | expression.Or):
        return set().union(*map(_texts, node.parts))
    if isinstance(node, expression.Not):
        return _texts(node.part)
    if isinstance(node, expression.Exists):
        return set()
    return {value.text for value in node.values if isinstance(value, expression.Text)}
