"""What was said about twins, in the order in which it happened: a table of the index.

It has the records that are listed by time: a page of 100,000 events is found without reading the
others, also where only those of one type are asked for.
"""

from __future__ import annotations

from twincli.ledger.field_table import is_text
from twincli.model import bodies, record
from twincli.model.ids import is_id
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

LABELS = {
    bodies.EVENT: "type",
    bodies.STATE: "to",
    bodies.STAGE: "stage",
    bodies.MAINTENANCE: "type",
}
"""The kinds that the table has, and the member of a body that it finds them by."""

SCHEMA = """
CREATE TABLE said (
    twin INTEGER NOT NULL,
    kind TEXT NOT NULL,
    happened INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (twin, kind, happened, seq)
) WITHOUT ROWID;
CREATE INDEX said_by_label ON said (twin, kind, label, happened, seq);
"""

PAGE = 2000
"""Positions that are fetched at a time."""

COUNTED = (
    "SELECT count(*), sum(seq) FROM said WHERE twin = CAST(:value AS INTEGER)"
    " AND kind = substr(:name, 6)"
)
"""What the index compares with its tally of these rows, see `tallied`."""


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        twin: The beginning of the id of what it is about.
        kind: Of record.
        happened: As its signer states, else when it was committed; milliseconds.
        seq: Its position.
        label: What it is found by, empty where it states nothing.
    """

    twin: int
    kind: str
    happened: int
    seq: int
    label: str


class Asked(NamedTuple):
    """Which records are asked for.

    Attributes:
        kind: One of `LABELS`.
        label: Only those that state this; None: all.
        since_ms, until_ms: When they happened; None: at any time.
        reverse: The last one first.
        by_block: In commit order, and the times are those of the blocks.
    """

    kind: str
    label: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    reverse: bool = False
    by_block: bool = False

    def covers(self, time_ms: int | None) -> bool:
        """Say whether a time is asked for; one that is not known only where any is."""
        since_ms, until_ms = self.since_ms, self.until_ms
        if time_ms is None:
            return since_ms is None and until_ms is None
        return (since_ms is None or since_ms <= time_ms) and (
            until_ms is None or time_ms < until_ms
        )


def tallied(twin: int, kind: str) -> tuple[str, str]:
    """Return name and value under which the index tallies the rows of a twin and a kind."""
    return f"said {kind}", str(twin)


def begin_of(asset_id: str) -> int:
    """Return the beginning of an id as a number; ids that share it are told apart when read."""
    return int.from_bytes(bytes.fromhex(asset_id[:16]), signed=True)


def row_of(tx: dict[str, Any], seq: int, committed: Callable[[], int]) -> Row | None:
    """Return the row of a transaction, None where the table has none of it.

    Args:
        tx: As on the wire.
        seq: Its position.
        committed: Returns the time of its block, where its signer states none.
    """
    if tx["operation"] == "CREATE":
        envelope = record.creating_envelope(tx)
        kind, about = envelope.get("says"), envelope.get("about")
        if envelope.get("kind") != record.STATEMENT:
            return None
    else:
        envelope = record.envelope_of(tx["metadata"]) or {}
        kind, about = envelope.get("kind"), tx["asset"].get("id")
    member = LABELS.get(kind) if isinstance(kind, str) else None
    if member is None or not isinstance(about, str) or not is_id(about):
        return None
    body = envelope.get("body")
    label = body.get(member) if isinstance(body, dict) else None
    if not isinstance(label, str) or len(label) > bodies.MAX_NAME or not is_text(label):
        label = ""
    stated = record.stated_ms(tx)
    return Row(
        begin_of(about),
        str(kind),
        committed() if stated is None else stated,
        seq,
        label,
    )


def query(
    asset_id: str, asked: Asked, after: tuple[int, int] | None = None
) -> tuple[str, tuple[Any, ...]]:
    """Return SQL that gives when and where what is asked for stands, in order, and its values.

    Args:
        asset_id: What it is about.
        asked: What is asked for; in commit order it comes whole, else a page of it.
        after: The last of the page before.
    """
    wheres = ["twin = ?", "kind = ?"]
    values: list[Any] = [begin_of(asset_id), asked.kind]
    if asked.label is not None:
        wheres.append("label = ?")
        values.append(asked.label)
    down = " DESC" if asked.reverse else ""
    if asked.by_block:
        where = " AND ".join(wheres)
        sql = f"SELECT happened, seq FROM said WHERE {where} ORDER BY seq{down}"  # noqa: S608
        return sql, tuple(values)
    for test, bound in ((">=", asked.since_ms), ("<", asked.until_ms)):
        if bound is not None:
            wheres.append(f"happened {test} ?")
            values.append(bound)
    if after is not None:
        wheres.append(f"(happened, seq) {'<' if asked.reverse else '>'} (?, ?)")
        values += after
    sql = (
        f"SELECT happened, seq FROM said WHERE {' AND '.join(wheres)}"  # noqa: S608
        f" ORDER BY happened{down}, seq{down} LIMIT {PAGE}"
    )
    return sql, tuple(values)
