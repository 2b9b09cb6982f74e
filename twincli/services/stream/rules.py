"""What a twin's template says about the readings of a stream.

A stream that is called like a field is held to that field: one of coordinates or members as a
whole, any other by its ``value``. In other streams each value is held to the field of its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError
from twincli.model import fields, reading
from twincli.model.fields import Given
from twincli.model.inline import Inline
from twincli.services import catalogue
from twincli.services.asset import fitting
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def of_stream(workspace: Workspace, twin_id: str, stream: str) -> Rules:
    """Return the rules of a stream of a twin.

    Raises:
        NotFoundError: ``missing_template``.
    """
    replay = workspace.client.replay(twin_id)
    pin = None if replay is None else replay.pin
    return Rules(stream, catalogue.of_twin(workspace, pin))


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


def _shortened(checked: Checked, prefix: str) -> Checked:
    """Return it with paths inside the stream."""
    return checked._replace(
        given=tuple(
            given._replace(path=given.path.removeprefix(prefix)) for given in checked.given
        ),
        suspect=tuple(path.removeprefix(prefix) for path in checked.suspect),
        outside=tuple((path.removeprefix(prefix), text) for path, text in checked.outside),
    )


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
