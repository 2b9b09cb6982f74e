"""CSV by DuckDB's own reader: the same result as `table.read` for files without a fault, faster.

Every cell is held to our rules in the engine, but where the bytes of the file show that it reads
numbers and times as we do (`plain`). At the first doubt (a cell that is not what its
column is, a time without a zone, coordinates, spaces around a text) nothing is taken and
`table.read` has to say what is wrong where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError
from twincli.formats.readings import plain, table
from twincli.model import batch as batches
from twincli.model import reading, times
from twincli.model.batch import Batch, Column, load_numpy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twincli.formats.readings.table import Layout

BLOCK = 1 << 20
"""Rows of a batch."""

_SPACES = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)"
_CLOCK = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_TIME = _CLOCK + r"(?:\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_COORDINATES = frozenset({"latitude", "longitude", "lat", "lng", "lon"})
_TYPES = {"f64": "DOUBLE", "i64": "BIGINT", "bool": "BOOLEAN", "text": "VARCHAR"}


class Table:
    """A CSV file that was read whole, without a fault. Close it.

    Attributes:
        rows: How many observations it has.
        kinds: What each path holds.
    """

    def __init__(
        self, connection: Any, stream: str, names: Mapping[str, str], kinds: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._names = names
        self.kinds = kinds
        (self.rows,) = connection.execute("SELECT count(*) FROM readings").fetchone()

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def batches(self) -> Iterator[Batch]:
        """Yield the observations, in the order of the file."""
        np = load_numpy()
        chosen = ", ".join(("time", *self._names.values()))
        for begin in range(0, self.rows, BLOCK):
            found = self._connection.execute(
                f"SELECT {chosen} FROM readings WHERE rowid >= ? AND rowid < ?",  # noqa: S608
                [begin, begin + BLOCK],
            ).fetchnumpy()
            count = len(found["time"])
            columns = []
            for path, name in self._names.items():
                values, valid = found[name], None
                if isinstance(values, np.ma.MaskedArray):
                    valid = ~np.ma.getmaskarray(values)
                    values = values.filled(_FILL[self.kinds[path]])
                    valid = None if valid.all() else valid
                columns.append(Column(f"{self._stream}.{path}", self.kinds[path], values, valid))
            yield Batch(
                np.asarray(found["time"]),
                batches.same_label("", count),
                np.zeros(count, dtype=np.int64),
                batches.same_label(reading.GOOD, count),
                tuple(columns),
            )


_HELD = {"whole": "i64", "number": "f64", "bool": "bool", "text": "text"}
_FILL = {"f64": 0.0, "i64": 0, "bool": False, "text": ""}


def read(
    path: str,
    layout: Layout,
    stream: str,
    known: Mapping[str, str],
    *,
    threads: int = 2,
    scratch: str | None = None,
) -> Table | None:
    """Return a file's readings, or None where `table.read` has to look at it.

    Args:
        path: The file.
        layout: What `table.look` found.
        stream: The stream that the readings are for.
        known: What each path of the stream holds already.
        threads: How many the engine may use.
        scratch: A file for what does not fit into memory, removed by the caller; None: memory.
    """
    paths = _paths(layout)
    if paths is None:
        return None
    load_numpy()
    import duckdb  # who calls this has seen that it is there

    kinds: dict[str, str] = {}
    for name, kind in zip(layout.header, layout.kinds, strict=True):
        if kind not in {"time", "empty"}:
            held = known.get(name, _HELD[kind])
            if held not in ({"f64", "i64"} if kind in {"whole", "number"} else {kind}):
                return None
            kinds[name] = held
    free = {name for name, kind in kinds.items() if kind == "i64" and name not in known}
    if layout.time == layout.header[0] and not layout.numeric_time and "f64" in kinds.values():
        is_plain = plain.is_plain(path, layout.delimiter)
    else:
        is_plain = False
    connection = duckdb.connect(scratch or ":memory:", config={"threads": str(threads)})
    try:
        # A progress bar would go to stdout.
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        wrong = _load(connection, path, layout, kinds, is_plain=is_plain)
        if wrong is not None and wrong and wrong <= free:
            # The first row decides, but none of them is stored yet: these are of doubles.
            kinds |= dict.fromkeys(wrong, "f64")
            wrong = _load(connection, path, layout, kinds, is_plain=is_plain)
        if wrong is None or wrong:
            connection.close()
            return None
        names = {name: f"c{layout.header.index(name)}" for name in kinds}
        return Table(connection, stream, names, kinds)
    except duckdb.Error:
        connection.close()
        return None


def _paths(layout: Layout) -> tuple[str, ...] | None:
    """Return the paths of the columns; None if our rules have more to say about them."""
    plain = layout.encoding in {"utf-8", "utf-8-sig"} and layout.decimal == "." and layout.zoned
    paths = tuple(name for name in layout.header if name != layout.time)
    last = {path.rpartition(".")[2] for path in paths}
    if not plain or not paths or (last & _COORDINATES) or reading.RESERVED_LEAVES & set(paths):
        return None
    try:
        flat = reading.flatten(dict.fromkeys(paths, 0))
    except InvalidError:
        return None
    return paths if tuple(flat) == paths else None


def _load(
    connection: Any, path: str, layout: Layout, kinds: Mapping[str, str], *, is_plain: bool
) -> set[str] | None:
    """Read the file into a table; return the paths that are not of their kind, None if more is."""
    cells = {name: f"c{at}" for at, name in enumerate(layout.header)}
    types = dict.fromkeys(cells.values(), "VARCHAR")
    time = cells[layout.time]
    if is_plain:
        types[time] = "TIMESTAMP"
        made = f"epoch_us({time})"
        good = "true"
    elif layout.numeric_time:
        whole = f"TRY_CAST({time} AS BIGINT)"
        factor = f"CASE WHEN abs({whole}) < {10**11} THEN 1000000 "
        factor += f"WHEN abs({whole}) < {10**14} THEN 1000 ELSE 1 END"
        made = f"{whole} * ({factor})"
        good = f"regexp_full_match({time}, '{table.WHOLE}') AND abs({whole}) < {10**17}"
    else:
        made = f"epoch_us(TRY_CAST({time} AS TIMESTAMPTZ))"
        good = f"regexp_full_match({time}, '{_TIME}')"
    good += f" AND {made} BETWEEN {times.EARLIEST_US} AND {times.LATEST_US}"
    chosen = [f"{made} AS time"]
    tests = {"": f"({good}) IS NOT TRUE"}
    for name, cell in cells.items():
        kind = kinds.get(name)
        if name == layout.time:
            continue
        if kind is None:
            tests[""] += f" OR {cell} IS NOT NULL"
            continue
        if is_plain and kind == "f64":
            types[cell] = "DOUBLE"
            chosen.append(cell)
            tests[name] = f"abs({cell}) > {1 << 53}"  # whether it is whole was not looked at
            continue
        value = f"TRY_CAST({cell} AS {_TYPES[kind]})"
        chosen.append(f"{value} AS {cell}")
        tests[name] = f"{cell} IS NOT NULL AND ({_rule(kind, cell, value)}) IS NOT TRUE"
    some = " OR ".join(f"{cells[name]} IS NOT NULL" for name in kinds)
    tests[""] += f" OR NOT ({some})"
    wrongs = [f"({test}) AS w{at}" for at, test in enumerate(tests.values())]
    struct = ", ".join(f"'{cell}': '{its}'" for cell, its in types.items())
    connection.execute(
        f"CREATE OR REPLACE TABLE readings AS SELECT {', '.join(chosen + wrongs)} "  # noqa: S608
        f"FROM read_csv($path, auto_detect = false, header = false, skip = 1, delim = $delim, "
        f"quote = '\"', escape = '\"', nullstr = '', columns = {{{struct}}}, strict_mode = true, "
        "max_line_size = 1048576)",
        {"path": path, "delim": layout.delimiter},
    )
    sums = ", ".join(f"bool_or(w{at})" for at in range(len(tests)))
    found = connection.execute(f"SELECT {sums} FROM readings").fetchone()  # noqa: S608
    wrong = {name for name, each in zip(tests, found, strict=True) if each}
    return None if "" in wrong else wrong


def _rule(kind: str, cell: str, value: str) -> str:
    if kind == "f64":
        return (  # whether it is whole is asked of large numbers only
            f"regexp_full_match({cell}, '{table.NUMBER}') AND CASE WHEN abs({value}) <= {1 << 53}"
            f" THEN true ELSE isfinite({value}) AND"
            f" NOT regexp_full_match({cell}, '{table.WHOLE}') END"
        )
    if kind == "i64":
        return f"regexp_full_match({cell}, '{table.WHOLE}') AND {value} IS NOT NULL"
    if kind == "bool":
        return f"{cell} IN ('true', 'false')"
    return (
        f"{cell} = trim({cell}, {_SPACES}) AND length({cell}) <= {reading.MAX_TEXT}"
        f" AND NOT contains({cell}, chr(0))"
    )
