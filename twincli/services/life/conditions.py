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
from twincli.model import bodies, expression, fields, record
from twincli.rules.authority import AUTHORISED
from twincli.services.record.records import records

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
        return test(self._document({path[0] for path in expression.paths(node)}))

    def _convert(self, path: tuple[str, ...], quantity: Quantity) -> float:
        if path[0] in {FACTS, STATE}:
            path = path[1:]
        field = self._model.template.field_at(path)
        if field is None or field.unit is None:
            raise InvalidError(f"{'.'.join(path)} has no unit")
        return fields.convert(quantity.number, quantity.unit, field.unit, self._model.units)

    def _document(self, names: set[str]) -> dict[str, Any]:
        found = dict(document_of(self._replay))
        made: dict[str, Callable[[], Any]] = {
            EVENTS: lambda: self._said(bodies.EVENT, "type"),
            STAGES: lambda: self._said(bodies.STAGE, "stage"),
            FACTS: self._facts,
            STATE: lambda: self._replay.common,
            CERTIFICATES: self._attested,
        }
        for name in names.intersection(made):
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

    def _said(self, kind: str, member: str) -> list[str]:
        """Return what the records of a kind that count state."""
        found: dict[str, None] = {}
        for each in records(self._workspace, self._asset_id, (kind,)):
            stated = bodies.read(kind, each.body).stated.get(member)
            if each.standing == AUTHORISED and stated is not None:
                found[stated] = None
        return list(found)
