"""Move a twin to another template.

A migration is a self-TRANSFER of kind ``migrate`` whose envelope pins the template. Values that the
new template has in another unit are converted and written along; everything else stays as it is,
and what does not fit is said. Facts never change. While an asset is split nobody can move it: what
the holder of a part says does not bind the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, InvalidError, NotFoundError, UsageError, cut
from twincli.model import fields, identity, record
from twincli.model import transaction as _transaction
from twincli.services import catalogue
from twincli.services.asset import choose_outputs, fitting
from twincli.services.asset.attempt import Attempt, Target, perform, state_of
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.ledger.rows import Spendable
    from twincli.model.template import Field
    from twincli.rules.replay import Replay
    from twincli.services.catalogue import Model
    from twincli.services.documents import WrittenAsset
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace

MOST_WARNINGS = 50
"""Of one migration; a state may have thousands of members."""


def migrate(
    workspace: Workspace, ref: str, template_ref: str, writing: Writing = PLAIN
) -> WrittenAsset | Prepared:
    """Move a twin to another template, or give one to a twin that has none.

    Args:
        workspace: Rooms.
        ref: The twin.
        template_ref: Id of the template, or of the asset that registers it.
        writing: W.

    Returns:
        The asset after it; its ``warnings`` say what no longer fits.

    Raises:
        NotFoundError: ``missing_template``.
        ConflictError: ``same_template``: the twin follows it; ``several_outputs``: it is split;
            ``duplicate_twin``: another twin of the family has its identifier.
        InvalidError: ``missing_identifier``: its facts do not say what the template identifies
            its twins by; ``not_a_twin``: it is a template itself.
    """
    if writing.bare:
        raise UsageError("the template is written into the envelope, which --bare leaves out")
    target = Target.find(workspace, ref, writing)
    return perform(target, Migrate(catalogue.find(workspace, template_ref)))


class Migrate(NamedTuple):
    """The write of ``migrate``.

    Attributes:
        model: The new template.
    """

    model: Model

    def plan(self, target: Target, replay: Replay, unspent: list[Spendable]) -> Attempt:
        """See ``attempt.Write``."""
        form, pin = self.model.template, replay.pin
        assert replay.create is not None
        if record.creating_envelope(replay.create).get("kind") == record.TEMPLATE:
            raise InvalidError(
                f"{target.ref} registers a template and follows none", code="not_a_twin"
            )
        if pin is not None and (pin.template, pin.cid) == (form.id, self.model.cid):
            raise ConflictError(
                f"{target.ref} already follows {form.id}",
                code="same_template",
                hint="twin template list shows others",
            )
        item = choose_outputs.one(target, unspent)
        if len(unspent) > 1:
            raise ConflictError(
                f"{target.ref} is split over {len(unspent)} outputs, so its template stays as it"
                " is",
                code="several_outputs",
                hint=f"one owner of everything can join them: twin asset transfer {target.ref}"
                " --to OWNER",
            )
        fit = _Fit(self.model, _former(target.workspace, replay))
        facts = record.without_envelope(replay.create["asset"]["data"])
        fit.facts(facts)
        fit.state(state_of(replay, item))
        same_owner = _transaction.Output(
            item.output["condition"]["details"], int(item.output["amount"])
        )
        try:
            identifier = identity.identifier(form, replay.create["asset"]["data"], target.asset_id)
        except InvalidError as error:
            if error.code != "missing_identifier":
                raise
            raise InvalidError(
                f"{form.id} identifies its twins by {form.primary}, which is not among the facts of"
                f" {target.ref}",
                code="missing_identifier",
                hint="facts never change; create it again:"
                f" twin asset create NAME --template {form.id} --str {form.primary}=TEXT",
            ) from error
        return Attempt(
            [item],
            [same_owner],
            fit.written,
            record.MIGRATE,
            stated={"template": form.id, "template_cid": self.model.cid, **fit.stated()},
            warnings=fit.told(),
            identity=fitting.primary_id(form, identifier, replay.create),
        )

    def is_same(self, target: Target, tx: dict[str, Any]) -> bool:  # noqa: ARG002
        """See ``attempt.Write``."""
        envelope = record.envelope_of(tx["metadata"]) or {}
        stated = envelope.get("template"), envelope.get("template_cid")
        return envelope.get("kind") == record.MIGRATE and stated == (
            self.model.template.id,
            self.model.cid,
        )


def _former(workspace: Workspace, replay: Replay) -> Model | str | None:
    """Return the template that a twin followed, its id where it is not at hand, None without."""
    if replay.pin is None:
        return None
    try:
        return catalogue.of_twin(workspace, replay.pin)
    except (NotFoundError, InvalidError):
        return replay.pin.template  # to move away from it is the way out


class _Fit:
    """What a twin's facts and state are under another template.

    Args:
        model: The template.
        former: The one before; its id where it is not at hand; None without one.

    Attributes:
        written: Members of the state to write, converted.
    """

    def __init__(self, model: Model, former: Model | str | None) -> None:
        self.written: dict[str, Any] = {}
        self._model = model
        self._former = former if isinstance(former, catalogue.Model) else None
        self._given: list[dict[str, str]] = []
        self._suspect: list[str] = []
        self._warnings: list[str] = []
        if isinstance(former, str):
            self._warnings.append(f"the template {former} is not here, so units were not compared")

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Compare the facts, which stay as they are."""
        form = self._model.template
        old = {} if self._former is None else self._former.template.facts
        for name in fields.missing(form.facts.values(), facts):
            if name != form.primary:
                self._warn(f"{form.id} requires the fact {name}, which is missing")
        for name, value in facts.items():
            field = form.facts.get(name)
            if name in form.fields:
                self._warn(f"{name} is a fact here, and changes in {form.id}: append its value")
            if field is None or value is None:
                continue
            try:
                checked = fields.check(
                    {name: field}, {name: value}, self._model.units, additional=False
                )
            except InvalidError as error:
                self._warn(f"fact {error.message}")
                continue
            for path, allowed in checked.outside:
                self._warn(f"fact {path} is not {allowed}")
            for path, before, after in _units(old.get(name), field, name):
                self._warn(f"fact {path} was written in {before}, and {form.id} has it in {after}")

    def state(self, state: Mapping[str, Any]) -> None:
        """Compare the state, and convert what is in other units."""
        form = self._model.template
        old = {} if self._former is None else self._former.template.fields
        for name in fields.missing(form.fields.values(), state):
            self._warn(f"{form.id} requires {name}, which is missing: append it")
        for name, value in state.items():
            if value is None:
                continue
            field = form.fields.get(name)
            if field is not None:
                self._member(old.get(name), field, value)
            elif not form.additional:
                self._warn(f"{form.id} has no field {name}: it stays, and cannot be written again")

    def _member(self, old: Field | None, field: Field, value: Any) -> None:
        name = field.name
        try:
            checked = fields.check(
                {name: field},
                {name: _with_units(old, field, value)},
                self._model.units,
                additional=False,
            )
        except InvalidError as error:
            self._warn(f"{error.message}: it stays as it is, so append it again")
            return
        for path, allowed in checked.outside:
            self._warn(f"{path} is not {allowed}")
        told = {given.path for given in checked.given}
        for given in checked.given:
            self._given.append(given._asdict())
            self._warn(
                f"{given.path} was {cut(given.value)} {given.unit} and is converted:"
                f" {_at(checked.values, given.path)}"
            )
        for path, before, after in _units(old, field, name):
            if path not in told and "[" not in path and _at({name: value}, path) is not None:
                self._warn(f"{path} was in {before} and is read in {after} now")
        if checked.values[name] != value:
            self.written[name] = checked.values[name]
            self._suspect += [*(path for path, _ in checked.outside), *checked.suspect]

    def stated(self) -> dict[str, Any]:
        """Return what the envelope says of the values that are written."""
        made: dict[str, Any] = {}
        if self._given:
            made["given"] = self._given
        if self._suspect:
            made["suspect"] = list(dict.fromkeys(self._suspect))
        return made

    def told(self) -> tuple[str, ...]:
        """Return the warnings, of very many the first."""
        rest = len(self._warnings) - MOST_WARNINGS
        more = [f"{rest} more things do not fit"] if rest > 0 else []
        return (*self._warnings[:MOST_WARNINGS], *more)

    def _warn(self, text: str) -> None:
        self._warnings.append(text)


def _with_units(old: Field | None, field: Field, value: Any) -> Any:
    """Return a value whose numbers say the unit that they were in, where it is another one."""
    if old is None:
        return value
    if isinstance(value, dict) and old.fields is not None and field.fields is not None:
        return {
            name: _with_units(old.fields.get(name), field.fields[name], item)
            if name in field.fields
            else item
            for name, item in value.items()
        }
    if isinstance(value, list) and old.items is not None and field.items is not None:
        return [_with_units(old.items, field.items, item) for item in value]
    if old.unit is None or field.unit in {None, old.unit} or type(value) not in {int, float}:
        return value
    return {"value": value, "unit": old.unit}


def _units(old: Field | None, field: Field, path: str) -> list[tuple[str, str, str]]:
    """Return where two fields have different units: path, before, after."""
    if old is None:
        return []
    found = []
    if old.unit != field.unit:
        found.append((path, old.unit or "no unit", field.unit or "no unit"))
    for name, part in (field.fields or {}).items():
        found += _units((old.fields or {}).get(name), part, f"{path}.{name}")
    if field.items is not None:
        found += _units(old.items, field.items, f"{path}[]")
    return found


def _at(values: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path such as ``doors[0].width``, None where there is none."""
    value: Any = values
    for name in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
