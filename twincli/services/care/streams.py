"""What the streams of twins read, for schedules that go by use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError, InvalidError, NotVerifiedError, UndeterminedError
from twincli.model import reading, times
from twincli.model.due import UnreadError
from twincli.model.schedules import exact
from twincli.rules.authority import AUTHORISED
from twincli.services.stream import show
from twincli.services.stream import streams as _streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.services.documents import StreamValues
    from twincli.services.query.feed import Feed
    from twincli.services.stream.known import Room

_FAULTS = (ConfigError, InvalidError, NotVerifiedError, UndeterminedError)


class TwinStreams:
    """The streams of twins; see ``meters.Streams``.

    Args:
        room: Makes what streams are worked on with, once a twin has one.
        feed: Makes what reads chunks.
    """

    def __init__(self, room: Callable[[], Room], feed: Callable[[], Feed]) -> None:
        self._room_of, self._feed_of = room, feed
        self._room: Room | None = None
        self._feed: Feed | None = None
        self._of: str | None = None
        self._names: frozenset[str] = frozenset()
        self._latest: list[StreamValues] | None = None

    def paths(self, twin_id: str) -> list[str]:
        """See ``meters.Streams``."""
        found = []
        for each in self._newest(self._at(twin_id), twin_id):
            name = each["stream"]
            for path, value in reading.flatten(each["values"]).items():
                if exact(value) is not None:
                    found.append(name if path in {"value", name} else f"{name}.{path}")
        return found

    def value(self, twin_id: str, name: str, at_ms: int | None) -> Any:
        """See ``meters.Streams``."""
        room = self._at(twin_id)
        if name not in self._names:
            return None
        try:
            if at_ms is not None:
                return self._then(room, twin_id, name, at_ms)
            values = [v["values"] for v in self._newest(room, twin_id) if v["stream"] == name]
        except _FAULTS as error:
            raise UnreadError(error.message) from error
        return values[0] if values else None

    def _at(self, twin_id: str) -> Room:
        """Turn to a twin, and return what its streams are worked on with."""
        if self._room is None:
            self._room = self._room_of()
        if self._of != twin_id:
            found = _streams.of_twin(self._room.workspace, twin_id)
            self._of, self._latest = twin_id, None
            self._names = frozenset(each.name for each in found if each.standing == AUTHORISED)
        return self._room

    def _newest(self, room: Room, twin_id: str) -> list[StreamValues]:
        if self._latest is None:
            self._latest = show.latest(room, twin_id)
        return self._latest

    def _then(self, room: Room, twin_id: str, name: str, at_ms: int) -> Any:
        from twincli.services.query import query
        from twincli.services.query.asked import Typed

        if self._feed is None:
            self._feed = self._feed_of()
        # The end of a range is not in it.
        typed = Typed((name,), until=times.to_text(at_ms + 1), limit=1, reverse=True)
        found = query.query(room.workspace, self._feed, twin_id, typed)
        for row in found.rows():
            return reading.nest((path, value) for path, value in row.items())
        return None
