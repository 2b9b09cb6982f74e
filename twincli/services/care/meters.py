"""What the meters of a twin read: fields of its state, and streams of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.model import record, schedules
from twincli.model.template import NUMERIC
from twincli.rules.replay import corrected_by
from twincli.services.asset.moments import LATE_MS, happened_ms
from twincli.values import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from twincli.ledger.reading import Entry
    from twincli.model.due import Meter, Work
    from twincli.model.template import Field
    from twincli.rules.replay import Replay
    from twincli.services.catalogue import Model
    from twincli.services.workspace import Workspace

MAX_DEPTH = 3


class Streams(Protocol):
    """The streams of twins; what cannot be found out here is a ``due.UnreadError``."""

    def paths(self, twin_id: str) -> list[str]:
        """Return the dotted paths of the numbers that the streams of a twin hold."""

    def value(self, twin_id: str, name: str, at_ms: int | None) -> Any:
        """Return the last value of a stream, nested as it was pushed, None where there is none.

        Args:
            twin_id: The twin.
            name: Of the stream.
            at_ms: As it was at this time; None: the newest.
        """


class TwinMeters:
    """The meters of one twin; see ``due.Meters``.

    Args:
        workspace: Rooms.
        asset_id: The twin.
        replay: As it stands.
        model: Its template, or None.
        streams: Its streams, None where they are not asked.
        works: What was done to it, in the order in which it happened; they may state readings.
        until_ms: Only readings up to this time; None: all.
    """

    def __init__(
        self,
        workspace: Workspace,
        asset_id: str,
        replay: Replay,
        model: Model | None,
        streams: Streams | None,
        works: Sequence[Work] = (),
        until_ms: int | None = None,
    ) -> None:
        self._client = workspace.client
        self._asset_id = asset_id
        self._replay = replay
        self._model = model
        self._streams = streams
        self._works = works
        self._until_ms = until_ms
        self._fields: dict[str, list[str]] = {}
        self._has_parts: bool | None = None
        self._written: list[tuple[int, dict[str, Any]]] | None = None

    def fields(self, counter: str) -> list[str]:
        """See ``due.Meters``: by their unit, of several by their name; else by their name alone."""
        if counter not in self._fields:
            self._fields[counter] = self._found(counter)
        return self._fields[counter]

    def _found(self, counter: str) -> list[str]:
        known = {} if self._model is None else dict(_numbers(self._model.template.fields))
        fitting = [path for path, field in known.items() if self._fits(field, counter)]
        if not fitting:
            fitting = [path for path, field in known.items() if field.unit is None]
            fitting = _named(counter, fitting)
        elif len(fitting) > 1:
            fitting = _named(counter, fitting) or fitting
        if not fitting:
            free = dict.fromkeys(_leaves(self._replay.common))
            if self._streams is not None and self._has_streams():
                free.update(dict.fromkeys(self._streams.paths(self._asset_id)))
            fitting = _named(counter, [path for path in free if path not in known])
        if not fitting and counter in schedules.DISTANCES:
            # Hours that a work states may be those of the technician.
            told = dict.fromkeys(path for work in self._works for path in _leaves(work.data))
            fitting = _named(counter, list(told))
        return fitting

    def _fits(self, field: Field, counter: str) -> bool:
        return field.unit is not None and (
            field.unit == counter or counter in self._units(field.unit)
        )

    def _units(self, unit: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = {} if self._model is None else self._model.units.get(unit, {})
        return found

    def now(self, meter: Meter) -> Fraction | None:
        """See ``due.Meters``."""
        if self._until_ms is not None:
            return self._read(meter, self._until_ms)
        found = self._of(meter, self._replay.common, self._streamed(meter, None))
        return self._stated(meter, None) if found is None else found

    def at(self, meter: Meter, work: Work) -> Fraction | None:
        """See ``due.Meters``: what the work says itself, else what was known at its time."""
        stated = self._exact(meter, _at(work.data, meter.field))
        if stated is not None:
            return stated
        assert work.happened_ms is not None
        streamed = self._streamed(meter, work.happened_ms)
        if streamed is None:
            entry = self._client.required(work.tx_id)
            recorded = entry.time_ms
            is_ours = entry.tx["operation"] == "TRANSFER"
            if is_ours and recorded is not None and recorded - work.happened_ms <= LATE_MS:
                state = self._client.replay_to(self._asset_id, work.tx_id).common
                reading = self._exact(meter, _at(state, meter.field))
                if reading is not None:
                    return reading
        return self._read(meter, work.happened_ms)

    def _read(self, meter: Meter, at_ms: int) -> Fraction | None:
        """Return what a meter had read at a time, by what was appended and pushed until then."""
        found = self._of(meter, self._state_at(at_ms), self._streamed(meter, at_ms))
        return self._stated(meter, at_ms) if found is None else found

    def _stated(self, meter: Meter, at_ms: int | None) -> Fraction | None:
        """Return the last reading that a work states itself, up to a time."""
        for work in reversed(self._works):
            if at_ms is None or (work.happened_ms is not None and work.happened_ms <= at_ms):
                reading = self._exact(meter, _at(work.data, meter.field))
                if reading is not None:
                    return reading
        return None

    def _of(self, meter: Meter, state: Mapping[str, Any], streamed: Any) -> Fraction | None:
        """Return the reading: that of the stream, where there is one."""
        found = self._exact(meter, streamed)
        return self._exact(meter, _at(state, meter.field)) if found is None else found

    def _streamed(self, meter: Meter, at_ms: int | None) -> Any:
        if self._streams is None or not self._has_streams():
            return None
        name, _, rest = meter.field.partition(".")
        value = self._streams.value(self._asset_id, name, at_ms)
        if rest:
            return _at(value, rest)
        return value.get("value", value.get(name)) if isinstance(value, dict) else value

    def _has_streams(self) -> bool:
        if self._has_parts is None:
            self._has_parts = bool(self._client.assets_with("parent", self._asset_id))
        return self._has_parts

    def _state_at(self, at_ms: int) -> dict[str, Any]:
        """Return the state by when things happened, however late they were recorded."""
        if self._written is None:
            self._written = sorted(self._writes(), key=lambda write: write[0])
        state: dict[str, Any] = {}
        for happened, members in self._written:
            if happened <= at_ms:
                state.update(members)
        return state

    def _writes(self) -> Iterator[tuple[int, dict[str, Any]]]:
        corrected = corrected_by(self._client.corrections(self._asset_id))
        for entry in self._client.entries(self._asset_id):
            moment = happened_ms(entry)
            if moment is not None and entry.tx["id"] not in corrected:
                yield moment, _members(entry)

    def _exact(self, meter: Meter, value: Any) -> Fraction | None:
        """Return a reading in the unit of the counter."""
        from fractions import Fraction

        reading = schedules.exact(value)
        field = None
        if self._model is not None:
            field = self._model.template.field_at(tuple(meter.field.split(".")))
        if reading is None or field is None or field.unit is None or field.unit == meter.counter:
            return reading
        worth = self._units(field.unit).get(meter.counter)
        if worth is None:
            return reading
        top, bottom, more, of = worth
        return (reading - Fraction(more, of)) / Fraction(top, bottom) if top else reading


def _members(entry: Entry) -> dict[str, Any]:
    return record.without_envelope(entry.tx["metadata"])


def _numbers(fields: Mapping[str, Field], before: str = "") -> Iterator[tuple[str, Field]]:
    """Yield the fields that hold numbers, those in objects by their dotted path."""
    for name, field in fields.items():
        if field.type in NUMERIC:
            yield before + name, field
        elif field.fields:
            yield from _numbers(field.fields, f"{before}{name}.")


def _leaves(value: Mapping[str, Any], before: str = "", depth: int = 1) -> Iterator[str]:
    """Yield the dotted paths of the numbers in a state."""
    for name, part in value.items():
        if isinstance(part, dict):
            if depth < MAX_DEPTH:
                yield from _leaves(part, f"{before}{name}.", depth + 1)
        elif schedules.exact(part) is not None:
            yield before + name


def _named(counter: str, paths: list[str]) -> list[str]:
    return [path for path in paths if schedules.counts(counter, path.rpartition(".")[2])]


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
