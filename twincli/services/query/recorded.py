"""Ask records like streams: events, states, stages and maintenance, as rows in order of time."""

from __future__ import annotations

import heapq
from itertools import islice
from typing import TYPE_CHECKING, Any

from twincli.errors import UsageError, cut
from twincli.ledger.said import LABELS
from twincli.ledger.said import Asked as Said
from twincli.model import bodies, expression, times
from twincli.model.names import near
from twincli.rules.authority import AUTHORISED
from twincli.services import resolve
from twincli.services.asset.moments import checked_limit
from twincli.services.life import stages, states
from twincli.services.query import answers, asked
from twincli.services.query.answers import Answer, Block, Column
from twincli.services.record.records import strange, told
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from twincli.services.query.asked import Asked
    from twincli.services.record.records import Record
    from twincli.services.workspace import Workspace

STREAMS = {
    "events": bodies.EVENT,
    "states": bodies.STATE,
    "stages": bodies.STAGE,
    "maintenance": bodies.MAINTENANCE,
}
"""The names under which records are asked for, and their kinds."""

RECORDED, SIGNED_BY, TRANSACTION = ("recorded", "signed_by", "transaction_id")
_LONG = ("data", "attachments")
_PIECE = 500
_TEXTS = frozenset(
    (answers.TIMESTAMP, answers.STREAM, SIGNED_BY, RECORDED, TRANSACTION, *LABELS.values(), "from")
)


class Records(NamedTuple):
    """The records that a question is about.

    Attributes:
        twin_id: Whose they are.
        answer: Columns and rows.
        warnings: What is left out.
    """

    twin_id: str
    answer: Answer
    warnings: tuple[str, ...]


def answered(workspace: Workspace, ref: str, question: Asked) -> Records:
    """Answer a question about records of a twin; what does not count is left out.

    Args:
        workspace: Rooms.
        ref: The twin.
        question: All of its streams are in `STREAMS`.

    Raises:
        UsageError: It asks for what records have not: buckets, a member that is not there.
        NotFoundError: There is no such twin.
    """
    names = tuple(dict.fromkeys(question.streams))
    _check(names, question)
    checked_limit(question.limit)
    asset_id = resolve.asset_id_of(workspace, ref)
    warnings: list[str] = []
    rows = [
        _rows(workspace, asset_id, name, question, _left_out(workspace, asset_id, name, warnings))
        for name in names
    ]
    columns = _columns(names, question)
    return Records(
        asset_id, Answer(columns, _blocks(_merged(rows, question), columns)), (*warnings,)
    )


def _check(names: Sequence[str], question: Asked) -> None:
    for option, value in (
        ("every", question.every_us),
        ("points", question.points),
        ("agg", question.aggregates),
        ("suspect", question.suspect),
    ):
        if value:
            raise UsageError(
                f"--{option} is for readings; {names[0]} are records, which are listed one by one",
                code="not_supported",
                hint=f"leave it out; twin query TWIN --stream {names[0]} --format csv",
            )
    known = _known(names)
    looked_at = [] if question.where is None else [p[0] for p in expression.paths(question.where)]
    for path in (*(field.split(".")[0] for field in question.fields), *looked_at):
        if path not in known:
            meant = near(path, known)
            raise UsageError(
                f"{' and '.join(names)} have no {cut(repr(path))}",
                hint=f"did you mean {meant}?" if meant else f"one of {', '.join(known)}",
            )


def _known(names: Sequence[str]) -> list[str]:
    """Return what a row can have, in the order in which it is shown."""
    members = [member.name for name in names for member in bodies.MEMBERS[STREAMS[name]]]
    short = [name for name in members if name not in _LONG]
    first, last = (answers.TIMESTAMP, answers.STREAM), (SIGNED_BY, RECORDED, TRANSACTION)
    return list(dict.fromkeys((*first, *short, *_LONG, *last)))


def _columns(names: Sequence[str], question: Asked) -> tuple[Column, ...]:
    chosen = question.fields or tuple(
        name for name in _known(names) if name != answers.STREAM or len(names) > 1
    )
    return tuple(Column(name, "text" if name in _TEXTS else "any") for name in chosen)


def _left_out(
    workspace: Workspace, asset_id: str, name: str, warnings: list[str]
) -> frozenset[str]:
    """Return the records that count for nothing, and warn of them and of strangers."""
    void: set[str] = set()
    replay = workspace.client.replay(asset_id)
    if replay is not None and name == "states":
        moved = states.moves(workspace, asset_id, replay)
        void = {each.entry.tx["id"] for each in moved if each.fault is not None}
    elif replay is not None and name == "stages":
        void = {*stages.passed(workspace, asset_id, replay).faults}
    strangers = strange(workspace, asset_id, STREAMS[name])
    for count, why in (
        (strangers, "made by others without a grant"),
        (len(void), "against the rules of the template"),
    ):
        if count:
            warnings.append(f"{name}: {count} left out, {why}")
    return frozenset(void)


class _Row(NamedTuple):
    """A row, and what it is sorted by."""

    key: tuple[Any, ...]
    document: dict[str, Any]


def _rows(
    workspace: Workspace, asset_id: str, name: str, question: Asked, void: frozenset[str]
) -> Iterator[_Row]:
    kind = STREAMS[name]
    by_block = question.by == asked.RECORDED
    wanted = Said(
        kind,
        _label(question, kind),
        _ms(question.since_us),
        _ms(question.until_us),
        question.reverse,
        by_block,
    )
    names = resolve.Names(workspace)
    holds = None if question.where is None else expression.predicate(question.where)
    for found in told(workspace, asset_id, wanted):
        if found.standing != AUTHORISED or found.tx_id in void:
            continue
        document = _document(names, name, found)
        if holds is None or holds(document):
            moment = found.height if by_block else found.happened_ms
            yield _Row((moment is None, moment or 0), document)


def _ms(time_us: int | None) -> int | None:
    """Return the first millisecond that is not before a time."""
    return None if time_us is None else -(-time_us // 1000)


def _label(question: Asked, kind: str) -> str | None:
    """Return what the index finds the records by, where the question says it."""
    node = question.where
    parts = node.parts if isinstance(node, expression.And) else (node,)
    for part in parts:
        if (
            isinstance(part, expression.Compare)
            and part.path == (LABELS[kind],)
            and part.operator == "="
            and isinstance(part.values[0], expression.Text)
        ):
            return part.values[0].text
    return None


def _document(names: resolve.Names, stream: str, found: Record) -> dict[str, Any]:
    who = names.of_keys(found.signers)
    return {
        answers.TIMESTAMP: times.told(found.happened_ms),
        answers.STREAM: stream,
        **bodies.read(found.kind, found.body).stated,
        SIGNED_BY: ", ".join(name or key for name, key in zip(who, found.signers, strict=True)),
        RECORDED: found.committed_at,
        TRANSACTION: found.tx_id,
    }


def _merged(rows: Sequence[Iterable[_Row]], question: Asked) -> Iterator[_Row]:
    if len(rows) == 1:
        return iter(rows[0])
    return heapq.merge(*rows, key=lambda row: row.key, reverse=question.reverse)


def _blocks(rows: Iterator[_Row], columns: Sequence[Column]) -> Iterator[Block]:
    getters = [_getter(column.path) for column in columns]
    while part := list(islice(rows, _PIECE)):
        yield Block([0] * len(part), tuple([get(row.document) for row in part] for get in getters))


def _getter(path: str) -> Callable[[dict[str, Any]], Any]:
    names = tuple(path.split("."))
    if len(names) == 1:
        return lambda document: document.get(path)
    return lambda document: expression.value_at(document, names)
