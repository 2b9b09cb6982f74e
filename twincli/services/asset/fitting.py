"""What is written to a twin, held to its template: checked, converted, its identifier found."""

from __future__ import annotations

from twincli.errors import InvalidError
from twincli.model import fields, identity
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twincli.ledger.rows import PrimaryId
    from twincli.model.fields import Checked
    from twincli.model.template import Field, Template
    from twincli.services.catalogue import Model

REJECT = "reject"
SUSPECT = "suspect"


class Fitted(NamedTuple):
    """Members that fit.

    Attributes:
        facts: Of a CREATE.
        state: To be written.
        stated: What the envelope says of it: ``given``, ``suspect``.
        model: The template.
        identifier: What the twin has to itself, in the form that is compared; empty in a change.
    """

    facts: dict[str, Any]
    state: dict[str, Any]
    stated: dict[str, Any]
    model: Model
    identifier: str = ""

    @property
    def pinned(self) -> dict[str, Any]:
        """What the envelope of a CREATE or a migration says of the template."""
        return {"template": self.model.template.id, "template_cid": self.model.cid}


def creation(
    model: Model,
    name: str,
    data: Mapping[str, Any],
    state: Mapping[str, Any] | None,
    on_invalid: str | None = None,
) -> Fitted:
    """Fit what is given at creation: identifiers and facts to the facts, the rest to the state.

    Args:
        model: The template.
        name: The twin's name, its identifier where that is ``assetId``.
        data: What is given; tracking fields among it go to the state.
        state: The state that is given as such.
        on_invalid: ``reject`` or ``suspect``, see ``judged``.

    Raises:
        InvalidError: ``missing_identifier``, ``missing_field``, ``unknown_field``,
            ``invalid_value``, ``unit_mismatch``, ``out_of_range``.
    """
    form = model.template
    facts, moved = fields.split(form, data)
    both = sorted(moved.keys() & (state or {}).keys())
    if both:
        raise InvalidError(
            f"{both[0]} is given twice, among the data and in the state", code="invalid_value"
        )
    own = fields.check(form.facts, facts, model.units, additional=True)
    changing = fields.check(
        form.fields, {**(state or {}), **moved}, model.units, additional=form.additional
    )
    absent = fields.missing(
        [*form.facts.values(), *form.fields.values()], {**data, **changing.values}
    )
    if absent:
        raise InvalidError(
            f"{form.id} requires {absent[0]}", code="missing_field", hint=f"add --{absent[0]} VALUE"
        )
    for second in form.secondary:
        if own.values.get(second) is not None:
            fields.identifier(own.values[second], second)
    stated = judged(form.facts, own, on_invalid, creating=True)
    for key, items in judged(form.fields, changing, on_invalid, creating=True).items():
        stated[key] = [*stated.get(key, []), *items]
    known = identity.named(form, name, own.values)
    return Fitted(known, changing.values, stated, model, identity.identifier(form, known))


def primary_id(form: Template, identifier: str, create: dict[str, Any]) -> PrimaryId:
    """Return what a twin has to itself: one for each family, identifier and first controller.

    Args:
        form: Its template.
        identifier: As ``identity.identifier`` gave it.
        create: Its CREATE, which need not be signed.
    """
    from twincli.ledger.rows import PrimaryId

    return PrimaryId(form.family, identifier, create["outputs"][0]["condition"]["uri"])


def change(model: Model, written: Mapping[str, Any], on_invalid: str | None = None) -> Fitted:
    """Fit what an append or a transfer writes into the state.

    Raises:
        InvalidError: ``unknown_field``, ``invalid_value``, ``unit_mismatch``, ``out_of_range``.
    """
    form = model.template
    for name in () if form.additional else written:
        if name in {*form.facts, form.primary, *form.secondary} - form.fields.keys():
            raise InvalidError(
                f"{name} is a fact, and facts never change",
                code="unknown_field",
                hint=f"what changes is {', '.join(sorted(form.fields)) or 'nothing'}",
            )
    checked = fields.check(form.fields, written, model.units, additional=form.additional)
    return Fitted({}, checked.values, judged(form.fields, checked, on_invalid), model)


def judged(
    known: Mapping[str, Field],
    checked: Checked,
    on_invalid: str | None,
    *,
    creating: bool = False,
) -> dict[str, Any]:
    """Decide on values beyond a range or a quality rule; return what the envelope says of all.

    Args:
        known: The fields, for the error.
        checked: The values.
        on_invalid: ``reject`` refuses both kinds, ``suspect`` marks both as suspect; None refuses
            what is beyond its range, which cannot be, and marks what is beyond its quality rule.
        creating: Whether the twin is being created, where ``--on-invalid`` can be given.

    Raises:
        InvalidError: ``out_of_range``.
    """
    refused = list(checked.outside) if on_invalid != SUSPECT else []
    if on_invalid == REJECT:
        refused += [(path, "what its quality rule allows") for path in checked.suspect]
    if refused:
        path, allowed = refused[0]
        hint = f"the field is {_described(known, path)}"
        if creating:
            hint += "; --on-invalid suspect records it as suspect"
        raise InvalidError(f"{path} is not {allowed}", code="out_of_range", hint=hint)
    stated: dict[str, Any] = {}
    if checked.given:
        stated["given"] = [given._asdict() for given in checked.given]
    doubted = list(dict.fromkeys([*(path for path, _ in checked.outside), *checked.suspect]))
    if doubted:
        stated["suspect"] = doubted
    return stated


def doubts(stated: Mapping[str, Any]) -> Iterator[str]:
    """Yield the warning about values that are recorded as suspect."""
    paths: list[str] = stated.get("suspect", [])
    if paths:
        shown = ", ".join(paths[:_SHOWN]) + (" ..." if len(paths) > _SHOWN else "")
        verb = "is" if len(paths) == 1 else "are"
        yield f"{shown} {verb} outside the good range and marked as suspect"


_SHOWN = 5


def _described(known: Mapping[str, Field], path: str) -> str:
    field = known.get(path.partition(".")[0].partition("[")[0])
    if field is None:
        return "a number"
    return f"of type {field.type}" + (f" in {field.unit}" if field.unit else "")
