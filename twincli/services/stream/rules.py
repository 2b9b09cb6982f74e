"""What a twin's template says about the readings of a stream.

A stream that is called like a field is held to that field: one of coordinates or members as a
whole, any other by its ``value``. In other streams each value is held to the field of its name.
"""

from __future__ import annotations

from twincli.errors import InvalidError
from twincli.model import fields, reading
from twincli.model.batch import load_numpy
from twincli.model.fields import Given
from twincli.model.inline import Inline
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.model.batch import Batch, Column
    from twincli.model.fields import Checked
    from twincli.model.reading import Observation
    from twincli.model.template import Field
    from twincli.services.catalogue import Model
    from twincli.services.workspace import Workspace

_WHOLE = ("coordinates", "object")


class Rules(NamedTuple):
    """The rules of one stream.

    Attributes:
        stream: Its name.
        model: The twin's template, or None.
    """

    stream: str
    model: Model | None

    @property
    def field(self) -> Field | None:
        """The field that is called like the stream, or None."""
        return None if self.model is None else self.model.template.fields.get(self.stream)

    @property
    def kinds(self) -> dict[str, str]:
        """What the template says that each path holds."""
        if self.model is None:
            return {}
        field, name = self.field, self.stream
        if field is None:
            return reading.kinds_of_fields(self.model.template.fields)
        if field.type == "object":
            return reading.kinds_of_fields(field.fields or {})
        found = reading.kinds_of_fields({name: field})
        if field.type == "coordinates":
            return {path.removeprefix(f"{name}."): kind for path, kind in found.items()}
        return dict.fromkeys(("value", name), found[name])

    @property
    def units(self) -> dict[str, str]:
        """The unit in which the template has the values of each path, where it has one."""
        if self.model is None:
            return {}
        field = self.field
        if field is None:
            return _units(self.model.template.fields)
        if field.type in _WHOLE:
            return _units(field.fields or {})
        return {} if field.unit is None else {"value": field.unit}


def _units(fields: Mapping[str, Field], prefix: str = "") -> dict[str, str]:
    found = {}
    for name, field in fields.items():
        if field.unit is not None:
            found[prefix + name] = field.unit
        found |= _units(field.fields or {}, f"{prefix}{name}.")
    return found


def of_stream(workspace: Workspace, twin_id: str, stream: str) -> Rules:
    """Return the rules of a stream of a twin.

    Raises:
        NotFoundError: ``missing_template``.
    """
    replay = workspace.client.replay(twin_id)
    if replay is None or replay.pin is None:
        return Rules(stream, None)
    from twincli.services import catalogue

    return Rules(stream, catalogue.of_twin(workspace, replay.pin))


def hold(rules: Rules, found: Observation, on_invalid: str | None = None) -> Inline:
    """Return an observation as the template takes it, with what it says of its values.

    Args:
        rules: Of its stream.
        found: The observation.
        on_invalid: ``reject`` or ``suspect``, see ``fitting.judged``.

    Raises:
        InvalidError: ``invalid_value``, ``unit_mismatch``, ``out_of_range``, ``unknown_field``,
            ``invalid_reading``.
    """
    if rules.model is None:
        return Inline(found)
    from twincli.services.asset import fitting

    units = dict(found.units)
    members = reading.nest(
        (path, {"value": value, "unit": units[path]} if path in units else value)
        for path, value in found.leaves.items()
    )
    held, field, name = rules.model, rules.field, rules.stream
    known: Mapping[str, Field]
    prefix = ""
    if field is None:
        known = held.template.fields
        checked = fields.check(known, members, held.units, additional=True)
        values = checked.values
    elif field.type in _WHOLE:
        known, prefix = {name: field}, f"{name}."
        checked = fields.check(known, {name: members}, held.units, additional=True)
        values = checked.values[name]
    else:
        key = next((key for key in ("value", name) if key in members), None)
        if key is None:
            raise InvalidError(
                f"the stream {name} holds one {field.type}, and there is no value",
                code="invalid_reading",
                hint="give it with --value",
            )
        known = {key: field}
        checked = fields.check(known, members, held.units, additional=True)
        values = checked.values
    stated = fitting.judged(known, _shortened(checked, prefix), on_invalid, creating=True)
    made = reading.parse({"data": values})
    return Inline(
        found._replace(leaves=made.leaves, units=made.units),
        tuple(Given(**each) for each in stated.get("given", ())),
        tuple(stated.get("suspect", ())),
    )


def hold_batch(rules: Rules, batch: Batch, on_invalid: str | None = None) -> Batch | None:
    """Return a batch as the template takes it; None where `hold` has to look at each observation.

    Args:
        rules: Of its stream.
        batch: The observations, without units.
        on_invalid: ``reject`` or ``suspect``, see ``fitting.judged``.
    """
    if rules.model is None:
        return batch
    columns = {column.series.partition(".")[2]: column for column in batch.columns}
    held, field, name = rules.model, rules.field, rules.stream
    known: Mapping[str, Field]
    prefix = ""
    if field is None:
        known = held.template.fields
    elif field.type in _WHOLE:
        known, prefix = {name: field}, f"{name}."
    else:
        key = "value" if "value" in columns else name
        if key not in columns or columns[key].valid is not None:
            return None
        known = {key: field}
    made = []
    whole: dict[str, dict[str, Column]] = {}
    for path, column in columns.items():
        first, dot, rest = f"{prefix}{path}".partition(".")
        part = known.get(first)
        if part is None:
            made.append(column)
        elif dot:
            whole.setdefault(first, {})[rest] = column
            made.append(column)
        else:
            fitted = _fitted(part, column, on_invalid)
            if fitted is None:
                return None
            made.append(fitted)
    if not all(_is_place(known[each], parts) for each, parts in whole.items()):
        return None
    return batch._replace(columns=tuple(made))


def _fitted(field: Field, column: Column, on_invalid: str | None) -> Column | None:
    """Return a column held to a field, None where some value is refused or not of its type."""
    np = load_numpy()
    values = column.values if column.valid is None else column.values[column.valid]
    if field.type in {"text", "enum"}:
        is_one = field.type == "text" or {*values.tolist()} <= {*field.values}
        return column if column.kind == "text" and is_one else None
    if field.type == "boolean":
        return column if column.kind == "bool" else None
    if column.kind != {"number": "f64", "duration": "f64", "integer": "i64"}.get(field.type):
        return None
    bounds = (field.low, field.high, field.good_low, field.good_high)
    if column.kind == "i64" and any(type(each) is float for each in bounds):
        return None  # numpy would compare doubles
    beyond = (np.less, np.greater, np.less_equal, np.greater_equal)
    marks = [
        np.zeros(len(column.values), dtype=bool)
        if bound is None
        else is_beyond(column.values, bound)
        for bound, is_beyond in zip(bounds, beyond, strict=True)
    ]
    from twincli.services.asset import fitting

    there = True if column.valid is None else column.valid
    outside, doubted = (marks[0] | marks[1]) & there, (marks[2] | marks[3]) & there
    if (on_invalid != fitting.SUSPECT and outside.any()) or (
        on_invalid == fitting.REJECT and doubted.any()
    ):
        return None
    suspect = outside | doubted
    return column._replace(suspect=suspect) if suspect.any() else column


_PLACE = frozenset(("latitude", "longitude", "altitude", "accuracy"))


def _is_place(field: Field, parts: Mapping[str, Column]) -> bool:
    """Say whether these are coordinates that the field takes; their degrees were checked."""
    if field.type != "coordinates" or parts.keys() & {"lat", "lng", "lon", "alt"}:
        return False
    for name in ("latitude", "longitude"):
        if name not in parts or parts[name].valid is not None:
            return False
    if any(name in parts and parts[name].kind != "f64" for name in _PLACE):
        return False
    accuracy = parts.get("accuracy")
    return accuracy is None or not (accuracy.values < 0).any()


def _shortened(checked: Checked, prefix: str) -> Checked:
    """Return it with paths inside the stream."""
    return checked._replace(
        given=tuple(
            given._replace(path=given.path.removeprefix(prefix)) for given in checked.given
        ),
        suspect=tuple(path.removeprefix(prefix) for path in checked.suspect),
        outside=tuple((path.removeprefix(prefix), text) for path, text in checked.outside),
    )


def check_units(found: Observation, units: dict[str, str]) -> None:
    """Check that an observation is given in the units in which its series are kept.

    Args:
        found: The observation, converted where a template says into what.
        units: Of each path so far; new ones are added.

    Raises:
        InvalidError: ``unit_mismatch``.
    """
    for path, unit in found.units:
        if units.get(path, unit) != unit:
            raise InvalidError(
                f"{path} is given in {unit}, and was in {units[path]} before",
                code="unit_mismatch",
                hint="without a template nothing says into which to convert them",
            )
    units.update(found.units)


def settled(item: Inline, kinds: Mapping[str, str]) -> tuple[Inline, dict[str, str]]:
    """Return an observation as its series keep it, and what the new ones among them are.

    Args:
        item: The observation.
        kinds: What each path holds so far.

    Raises:
        InvalidError: ``type_changed``, ``invalid_value``.
    """
    leaves: dict[str, Any] = {}
    fresh: dict[str, str] = {}
    for path, value in item.observation.leaves.items():
        leaves[path], kind = reading.settle(path, value, kinds.get(path))
        if path not in kinds:
            fresh[path] = kind
    return item._replace(observation=item.observation._replace(leaves=leaves)), fresh
