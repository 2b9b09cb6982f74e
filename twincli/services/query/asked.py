"""What a query asks for, as it was typed and as it is answered."""

from __future__ import annotations

import re

from twincli.analysis.summary import FROM_VALUES, MERGEABLE, SAMPLES
from twincli.errors import InvalidError, UsageError, cut
from twincli.model import expression, times
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import tzinfo

    from twincli.model.expression import Node

AGGREGATES = (*MERGEABLE, *FROM_VALUES, *SAMPLES)
FILLS = ("null", "previous", "linear")
HAPPENED, RECORDED = BY = ("happened", "recorded")
DAY_US = 86_400_000_000
MAX_POINTS = 1_000_000

_AGO = r"[0-9]+(s|m|h|d|w)"


class Typed(NamedTuple):
    """The options of a query as they were typed."""

    streams: tuple[str, ...]
    fields: str | None = None
    since: str | None = None
    until: str | None = None
    limit: int | None = None
    reverse: bool = False
    by: str = HAPPENED
    every: str | None = None
    aggregates: str | None = None
    points: int | None = None
    fill: str | None = None
    origin: str | None = None
    zone: str | None = None
    suspect: bool = False
    where: str | None = None


class Asked(NamedTuple):
    """What a query asks for.

    Attributes:
        streams: Names, in the order in which they were given.
        fields: Paths; empty: all.
        since_us, until_us: The range; its end is not in it.
        limit: Rows at most.
        reverse: Newest first.
        by: ``happened`` or ``recorded``.
        every_us: How long a bucket is; None: rows, or as ``points`` says.
        days: How many days a bucket has, where the days of a zone count.
        zone: Whose days.
        origin_us: A time at which a bucket begins.
        aggregates: What is computed of each bucket.
        points: How many buckets, or rows of a sample, the range is to have.
        fill: What empty buckets get; None: they are left out.
        suspect: Whether suspect readings count.
        where: What holds for each observation.
    """

    streams: tuple[str, ...]
    fields: tuple[str, ...] = ()
    since_us: int | None = None
    until_us: int | None = None
    limit: int | None = None
    reverse: bool = False
    by: str = HAPPENED
    every_us: int | None = None
    days: int | None = None
    zone: tzinfo | None = None
    origin_us: int = 0
    aggregates: tuple[str, ...] = ()
    points: int | None = None
    fill: str | None = None
    suspect: bool = False
    where: Node | None = None


def read(typed: Typed, now_ms: int) -> Asked:
    """Return what was typed as it is answered.

    Raises:
        UsageError: Something is malformed, or two options do not go together.
    """
    fields = _several(typed.fields, "fields")
    aggregates = _several(typed.aggregates, "agg")
    for name in aggregates:
        if name not in AGGREGATES:
            raise UsageError(f"--agg: {cut(repr(name))} is not one of {', '.join(AGGREGATES)}")
    if typed.by not in BY:
        raise UsageError(f"--by: {cut(repr(typed.by))} is not one of {', '.join(BY)}")
    if typed.fill is not None and typed.fill not in FILLS:
        raise UsageError(f"--fill: {cut(repr(typed.fill))} is not one of {', '.join(FILLS)}")
    if typed.limit is not None and typed.limit < 1:
        raise UsageError(f"--limit takes a whole number from 1, not {typed.limit}")
    if typed.points is not None and not 3 <= typed.points <= MAX_POINTS:
        raise UsageError(f"--points takes a whole number from 3 to {MAX_POINTS}")
    every = None if typed.every is None else times.length(typed.every, "every")
    if every is not None and typed.points is not None:
        raise UsageError("--every and --points cannot be given together")
    if every is None and typed.points is None:
        for option, value in (("agg", aggregates), ("fill", typed.fill)):
            if value:
                raise UsageError(
                    f"--{option} needs buckets", hint="add --every 1m, or --points 100"
                )
    elif not aggregates:
        aggregates = ("lttb",) if every is None else ("average",)
    asked = Asked(
        typed.streams,
        fields,
        _time(typed.since, now_ms),
        _time(typed.until, now_ms),
        typed.limit,
        typed.reverse,
        typed.by,
        every,
        origin_us=_time(typed.origin, now_ms) or 0,
        aggregates=aggregates,
        points=typed.points,
        fill=typed.fill,
        suspect=typed.suspect,
        where=_where(typed.where),
    )
    since, until = asked.since_us, asked.until_us
    if since is not None and until is not None and since >= until:
        raise UsageError("--since is not before --until, so nothing is in between")
    return _sampled(_zoned(asked, typed.zone))


def _sampled(asked: Asked) -> Asked:
    """Refuse what does not go together with samples, or with the order of the ledger."""
    chosen = [name for name in asked.aggregates if name in SAMPLES]
    if chosen:
        if len(asked.aggregates) > 1:
            raise UsageError(f"--agg {chosen[0]} chooses rows, so it stands alone")
        if asked.fill is not None:
            raise UsageError(f"--fill has nothing to fill: --agg {chosen[0]} chooses rows")
        if chosen[0] == "lttb" and asked.points is None:
            raise UsageError("--agg lttb needs the number of rows", hint="add --points 500")
    if asked.by == RECORDED and asked.aggregates:
        raise UsageError("--by recorded is for rows; buckets go by when it happened")
    return asked


def _zoned(asked: Asked, name: str | None) -> Asked:
    if name is None:
        return asked
    if asked.every_us is None or asked.every_us % DAY_US:
        raise UsageError("--tz is for buckets of whole days", hint="add --every 1d")
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"--tz: {cut(repr(name))} is not a zone", hint="such as Europe/Berlin, or UTC"
        ) from None
    return asked._replace(zone=zone, days=asked.every_us // DAY_US)


def _several(text: str | None, option: str) -> tuple[str, ...]:
    if text is None:
        return ()
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise UsageError(f"--{option}: one of the names is empty")
    return tuple(dict.fromkeys(parts))


def _time(text: str | None, now_ms: int) -> int | None:
    if text is None:
        return None
    if re.fullmatch(_AGO, text):
        return times.parse(text, now_ms) * 1000
    try:
        return times.to_microseconds(text)
    except InvalidError as error:
        raise UsageError(error.message, code=error.code, hint=error.hint) from None


def _where(text: str | None) -> Node | None:
    if text is None:
        return None
    try:
        node = expression.parse(text)
    except InvalidError as error:
        raise UsageError(error.message, code=error.code, hint=error.hint) from None
    if expression.has_quantity(node):
        raise UsageError(
            "--where compares numbers in the unit in which they are kept",
            code="not_supported",
            hint="leave the unit out",
        )
    return node
