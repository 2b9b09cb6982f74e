"""Assets taken apart: their facts and states as rows of the index, and expressions as SQL.

A row is a leaf of an asset's document, which is its facts with its state over them. What would
make too many rows is not taken apart; such an asset is looked at whole.
"""

from __future__ import annotations

import math

from twincli.model import expression, record
from twincli.model.expression import And, Compare, Exists, Not, Number, Or, Text, Truth
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.rules.replay import Replay

SCHEMA = """
CREATE TABLE found_until (seq INTEGER NOT NULL);
INSERT INTO found_until VALUES (0);
CREATE TABLE field_path (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE field (
    path INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    value,
    asset INTEGER NOT NULL,
    folded TEXT,
    moment INTEGER,
    PRIMARY KEY (path, kind, value, asset)
) WITHOUT ROWID;
CREATE INDEX field_asset ON field (asset);
CREATE INDEX field_moment ON field (path, kind, moment) WHERE moment IS NOT NULL;
CREATE TABLE field_of (
    asset INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    is_whole INTEGER NOT NULL,
    template TEXT NOT NULL,
    template_cid TEXT NOT NULL
);
CREATE INDEX field_of_rest ON field_of (asset) WHERE NOT is_whole
"""
"""``field_of`` has the assets that are taken apart, up to which transaction of theirs, and whether
``field`` has all of their leaves. ``moment`` is what a text is as a time, ``folded`` what ``~``
compares where that differs."""

NUMBER, TEXT, TRUTH, OTHER = range(4)
"""Kinds of rows: a value, or an object or list of which it is known that it is there."""
ELEMENT = 4
"""Added to the kind of what is in a list."""

MAX_ROWS = 1000
MAX_CHARACTERS = 64 * 1024
"""Of the rows of one asset, texts and paths together."""
_LARGEST = 2**63

Row = tuple[str, int, Any, str | None, int | None]


class Leaves(NamedTuple):
    """What is taken of an asset.

    Attributes:
        rows: Path, kind, value, folded text, time in milliseconds.
        is_whole: Whether that is all.
    """

    rows: list[Row]
    is_whole: bool


def document_of(replay: Replay) -> dict[str, Any]:
    """Return what expressions about an asset are about: its facts, with its state over them.

    After a split that is the state that all parts have in common.
    """
    assert replay.create is not None
    data = replay.create["asset"].get("data")
    facts = record.without_envelope(data) if isinstance(data, dict) else {}
    return {**facts, **replay.common}


def pin_of(replay: Replay) -> tuple[str, str]:
    """Return the id and CID of the template that an asset is held to, both empty without one."""
    pin = replay.pin
    if pin is None or not is_text(pin.template + pin.cid):
        return "", ""
    return pin.template, pin.cid


def leaves(document: Mapping[str, Any]) -> Leaves:
    """Take a document apart."""
    rows: list[Row] = []
    left = MAX_CHARACTERS
    stack: list[tuple[str, Any]] = [("", document)]
    while stack:
        path, value = stack.pop()
        kind = type(value)  # as JSON gives them: one comparison each
        items: list[Any] | None = None
        if kind is dict:
            left -= len(path) * len(value)
            if left < 0 or len(rows) + len(value) > MAX_ROWS:
                return Leaves([], is_whole=False)
            # An expression cannot name a member that has a dot in its name, or none.
            before = f"{path}." if path else ""
            for name, member in value.items():
                if name and "." not in name and member is not None:
                    stack.append((before + name, member))
            if not path:
                continue
        elif kind is list:
            if len(rows) + len(value) > MAX_ROWS:
                return Leaves([], is_whole=False)
            items = [one for one in value if _is_plain(one)]
        left -= len(path) + (len(value) if kind is str else 0)
        made = _row(path, 0, value)
        if made is None or left < 0 or len(rows) == MAX_ROWS:
            return Leaves([], is_whole=False)
        rows.append(made)
        for one in items or ():
            left -= len(path) + (len(one) if isinstance(one, str) else 0)
            made = _row(path, ELEMENT, one)
            if made is None or left < 0 or len(rows) == MAX_ROWS:
                return Leaves([], is_whole=False)
            rows.append(made)
    return Leaves(rows, is_whole=True)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | bool | int | float)


def _row(path: str, shift: int, value: Any) -> Row | None:
    """Return a row, None for what SQLite does not hold or compares otherwise."""
    if not path.isascii() and not is_text(path):
        return None
    kind = type(value)
    if kind is str:
        if not value.isascii() and not is_text(value):
            return None
        folded = expression.folded(value)
        plain = folded if folded != value else None
        return path, shift + TEXT, value, plain, expression.time_of(value)
    if kind is int:
        return (path, shift + NUMBER, value, None, None) if -_LARGEST <= value < _LARGEST else None
    if kind is float:
        return (path, shift + NUMBER, value, None, None) if math.isfinite(value) else None
    if kind is bool:
        return path, shift + TRUTH, int(value), None, None
    return path, shift + OTHER, 1, None, None


def is_text(text: str) -> bool:
    """Say whether a text has no half of a surrogate pair, which UTF-8 has no form for."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fits(number: float) -> bool:
    if isinstance(number, int):
        return -_LARGEST <= number < _LARGEST
    return math.isfinite(number)


class Taken(NamedTuple):
    """An asset taken apart.

    Attributes:
        asset: Its position.
        seq: Of the last transaction that it shows.
        template: Id of the template that it is held to; empty: none.
        template_cid: Of its bytes.
        leaves: Of its document.
    """

    asset: int
    seq: int
    template: str
    template_cid: str
    leaves: Leaves


# --- SQL ---------------------------------------------------------------------------------------


class _BeyondSqlError(Exception):
    """The expression compares with what SQLite has no value for."""


class Condition(NamedTuple):
    """A condition on ``asset``, and its parameters."""

    sql: str
    values: tuple[Any, ...]


_OF_PATH = (
    "SELECT asset FROM field WHERE path = (SELECT number FROM field_path WHERE text = ?) AND kind"
)


def condition(node: expression.Node) -> Condition | None:
    """Return an expression as SQL, None where SQL cannot say it.

    Args:
        node: Without quantities.
    """
    try:
        return _condition(node)
    except _BeyondSqlError:
        return None


def _condition(node: expression.Node) -> Condition:
    if isinstance(node, And | Or):
        parts = [_condition(part) for part in node.parts]
        word = " AND " if isinstance(node, And) else " OR "
        return Condition(
            f"({word.join(part.sql for part in parts)})",
            tuple(value for part in parts for value in part.values),
        )
    if isinstance(node, Not):
        inner = _condition(node.part)
        return Condition(f"NOT {inner.sql}", inner.values)
    path = ".".join(node.path)
    if not is_text(path):
        raise _BeyondSqlError
    if isinstance(node, Exists):
        return Condition(f"asset IN ({_OF_PATH} < {ELEMENT})", (path,))
    return _compared(path, node)


def _compared(path: str, node: Compare) -> Condition:
    shift = ELEMENT if node.operator == "has" else 0
    operator = {"has": "=", "in": "="}.get(node.operator, node.operator)
    wanted: dict[tuple[str, int], list[Any]] = {}
    for value in node.values:
        if isinstance(value, Number):
            column, kind, made = "value", NUMBER, _bound(value.number)
        elif isinstance(value, Truth):
            column, kind, made = "value", TRUTH, int(value.truth)
        elif isinstance(value, Text):
            column, kind, made = "value", TEXT, _bound(value.text)
        else:
            assert isinstance(value, expression.Time)
            column, kind, made = "moment", TEXT, value.time_ms
        wanted.setdefault((column, kind + shift), []).append(made)
    parts: list[str] = []
    values: list[Any] = []
    for (column, kind), bound in wanted.items():
        values += [path, kind]
        if operator == "~":
            test = "instr(ifnull(folded, value), ?) > 0"
            bound = [expression.folded(one) for one in bound]  # noqa: PLW2901
        elif operator == "=":
            test = f"{column} IN ({', '.join('?' * len(bound))})"
        else:
            test = f"{column} {operator} ?"
        values += bound
        parts.append(f"asset IN ({_OF_PATH} = ? AND {test})")
    return Condition(f"({' OR '.join(parts) or 'FALSE'})", tuple(values))


def _bound(value: str | float) -> str | int | float:
    """Return a value as a parameter.

    Raises:
        _BeyondSqlError: SQLite does not compare it as we do.
    """
    if is_text(value) if isinstance(value, str) else _fits(value):
        return value
    raise _BeyondSqlError
