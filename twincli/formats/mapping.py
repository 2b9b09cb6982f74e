"""Maps: how the columns of a foreign table, or the members of foreign documents, become ours.

One format for batches, imports and everything that reads the tables of other systems, always from
theirs to ours. ``schemas/map-format.json`` in ``twincli/formats`` is the same format as a JSON
Schema; `faults` says more: on which path something is wrong, and what would be right.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, cut, shown
from twincli.formats import cells, marked
from twincli.formats.readings.lines import encoding_of
from twincli.model.names import near
from twincli.model.template import RESERVED, Fault
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import tzinfo

    from twincli.formats.cells import Form

VERBS = (
    *("append", "create", "event", "reading", "state", "stage", "maintenance", "cert", "file"),
    *("link", "grant"),
)
"""What a line of a batch can do."""

TEXT, DROP = UNMAPPED = ("text", "drop")
"""What becomes of columns that no field names: they stay as texts, or are left out."""

MAX_FIELDS = 1000
MAX_FAULTS = 100
MAX_NAME = 200

MEMBERS = (
    *("do", "name", "stream", "key", "time", "set", "fields", "unmapped", "drop", "zone", "csv"),
    "sheet",
)
_FIELD_MEMBERS = ("to", "type", "unit", "format")
_CSV_MEMBERS = ("delimiter", "encoding", "decimal", "thousands", "dates", "times")
_DELIMITERS = {"tab": "\t", "\\t": "\t"}

Pattern = tuple[str, ...]
"""A text with columns in braces, taken apart: text, column, text, column ... text."""


class Field(NamedTuple):
    """What becomes of one of their columns.

    Attributes:
        theirs: The column.
        path: Where it goes.
        type: One of `cells.TYPES`; None: as it comes, a text in CSV.
        unit: In which a number is given.
        form: How dates or times of this column are written, or the words for true and false.
    """

    theirs: str
    path: tuple[str, ...]
    type: str | None = None
    unit: str | None = None
    form: Form | tuple[str, str] | None = None


class Map(NamedTuple):
    """A map that was read.

    Attributes:
        do: What each row does, one of `VERBS`; None: it does not say.
        name: The name of the twin, made of columns.
        stream: The stream, made of columns.
        key: The column that tells the rows apart.
        time: The column that says when it happened.
        set: More members of a batch's line, made of columns.
        fields: By column.
        unmapped: One of `UNMAPPED`.
        drop: Columns that are left out.
        reader: How cells are read.
        delimiter: Between cells of CSV; None: it is found.
        encoding: Of the text; None: it is found.
        decimal: The decimal mark, None where the map does not say.
        sheet: Of a spreadsheet; None: the first.
        lines: The line of each part of the map, see ``marked``.
        what: What errors call the map.
    """

    do: str | None
    name: Pattern | None
    stream: Pattern | None
    key: str | None
    time: str | None
    set: Mapping[str, Pattern]
    fields: Mapping[str, Field]
    unmapped: str
    drop: frozenset[str]
    reader: cells.Reader
    delimiter: str | None
    encoding: str | None
    decimal: str | None
    sheet: str | None
    lines: marked.Marked
    what: str

    @property
    def columns(self) -> dict[str, tuple[str | int, ...]]:
        """The columns that the map names, each with the path at which it does."""
        found: dict[str, tuple[str | int, ...]] = {}
        for name in self.fields:
            found.setdefault(name, ("fields", name))
        for member, named in (("key", self.key), ("time", self.time)):
            if named is not None:
                found.setdefault(named, (member,))
        for member, made in (("name", self.name), ("stream", self.stream)):
            for column in (made or ())[1::2]:
                found.setdefault(column, (member,))
        for name, made in self.set.items():
            for column in made[1::2]:
                found.setdefault(column, ("set", name))
        return found

    def check_columns(self, header: Sequence[str]) -> None:
        """Refuse a table that lacks a column of the map, or has one that cannot be ours.

        Raises:
            InvalidError: ``invalid_map``, naming the line of the map.
        """
        known = set(header)
        for column, path in self.columns.items():
            if column not in known:
                meant = near(column, header)
                right = f"did you mean {meant}?" if meant else f"it has {cut(', '.join(header))}"
                raise self.fault(path, f"the file has no column {shown(column)}", right)
        if self.unmapped == DROP:
            return
        taken = {field.path[0]: name for name, field in self.fields.items()}
        for column in header:
            if column in self.fields or column in self.drop or column == self.time:
                continue
            way = (
                f"fields: {{{_quoted(column)}: NAME}} names it, drop: [{_quoted(column)}] does not"
            )
            if not _is_name(column):
                raise self.fault(("fields",), f"{shown(column)} cannot be a name", way)
            if column in taken:
                raise self.fault(
                    ("fields", taken[column]),
                    f"the column {shown(column)} goes where {shown(taken[column])} does",
                    way,
                )

    def fault(self, path: tuple[str | int, ...], message: str, right: str) -> InvalidError:
        """Return an error that names the line of the map."""
        return _error(self.lines, self.what, Fault(path, message, right))

    def row(self, record: Mapping[str, Any]) -> Row:
        """Return what a row says.

        Args:
            record: Cells by column; columns that were checked by `check_columns`.

        Raises:
            InvalidError: ``invalid_value``, naming the column.
        """
        key = None if self.key is None else self._key(record.get(self.key))
        values: list[tuple[tuple[str, ...], Any]] = []
        for column, cell in record.items():
            field = self.fields.get(column)
            if field is not None:
                value, path = self._value(column, cell, field), field.path
            elif self.unmapped == TEXT and column not in self.drop and column != self.time:
                value, path = _plain(cell), (column,)
            else:
                continue
            if value is not None:
                values.append((path, value))
        at = None if self.time is None else self._time(record.get(self.time))
        return Row(
            self._made(self.name, record, "name"),
            self._made(self.stream, record, "stream"),
            key,
            at,
            {
                name: made
                for name, pattern in self.set.items()
                if (made := self._made(pattern, record, name, empty=True)) is not None
            },
            values,
        )

    def name_of(self, record: Mapping[str, Any]) -> str | None:
        """Return the name of the twin that a row is about, None where it does not say."""
        try:
            return self._made(self.name, record, "name")
        except InvalidError:
            return None

    def record(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a document of JSON as a row: members by name, inner ones by their path."""
        found: dict[str, Any] = {}
        entered = set()
        for column in self.columns:
            if column in document:
                found[column] = document[column]
                continue
            value: Any = document
            for name in column.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            found[column] = value
            entered.add(column.partition(".")[0])
        rest = document.keys() - entered
        return {**{name: document[name] for name in document if name in rest}, **found}

    def _value(self, column: str, cell: Any, field: Field) -> Any:
        try:
            value = (
                _plain(cell)
                if field.type is None
                else self.reader.value(field.type, cell, field.form)
            )
        except InvalidError as error:
            raise error.within(cut(column))  # noqa: B904 - it is the same error
        if value is not None and field.unit is not None:
            return {"value": value, "unit": field.unit}
        return value

    def _time(self, cell: Any) -> int | None:
        assert self.time is not None
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return None
        field = self.fields.get(self.time)
        given = None if field is None else field.form
        try:
            return self.reader.microseconds(cell, given if isinstance(given, cells.Form) else None)
        except InvalidError as error:
            raise error.within(cut(self.time))  # noqa: B904 - it is the same error

    def _key(self, cell: Any) -> str:
        assert self.key is not None
        found = "" if cell is None else cells.text(cell).strip()
        if not found:
            raise InvalidError(f"{cut(self.key)}: the key is empty", code="invalid_value")
        if len(found) > MAX_NAME:
            raise InvalidError(f"{cut(self.key)}: the key is too long", code="invalid_value")
        return found

    def _made(
        self, pattern: Pattern | None, record: Mapping[str, Any], what: str, *, empty: bool = False
    ) -> str | None:
        """Return a text made of columns; None without a pattern, or for an empty optional one."""
        if pattern is None:
            return None
        made = ""
        for number, part in enumerate(pattern):
            if number % 2 == 0:
                made += part
                continue
            cell = record.get(part)
            found = "" if cell is None else cells.text(cell).strip()
            if not found:
                if empty:
                    return None
                raise InvalidError(
                    f"{what}: the column {shown(part)} is empty", code="invalid_value"
                )
            made += found
        return made


class Row(NamedTuple):
    """What a row of a foreign table says.

    Attributes:
        name: The name of the twin, or None.
        stream: The stream, or None.
        key: What tells it from other rows, or None.
        at_us: When it happened, microseconds since the epoch, or None.
        set: More members.
        values: Paths and values, in the order of the columns; empty cells are left out.
    """

    name: str | None
    stream: str | None
    key: str | None
    at_us: int | None
    set: Mapping[str, str]
    values: Sequence[tuple[tuple[str, ...], Any]]

    @property
    def data(self) -> dict[str, Any]:
        """The values as one object."""
        made: dict[str, Any] = {}
        for path, value in self.values:
            inner = made
            for name in path[:-1]:
                inner = inner.setdefault(name, {})
            inner[path[-1]] = value
        return made


def _plain(cell: Any) -> Any:
    """Return a cell without a type: a text, or what a document of JSON has."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    return cell if isinstance(cell, dict | list) else cells.text(cell)


# --- Reading a map -----------------------------------------------------------------------------


def read(data: bytes, what: str) -> Map:
    """Return the map in a file.

    Args:
        data: YAML or JSON.
        what: What errors call it.

    Raises:
        InvalidError: ``invalid_map``, naming line and path; ``invalid_yaml``, ``invalid_json``,
            ``too_large``.
        ConfigError: ``missing_extra``: YAML without ``pyyaml``.
    """
    found = marked.read(data, what)
    wrong = faults(found.value)
    if wrong:
        more = len(wrong) - 1
        error = _error(found, what, wrong[0])
        raise error.reworded(
            error.message + (f"; {more} more fault{'s' if more > 1 else ''}" if more else "")
        )
    return _made(found, what)


def _error(found: marked.Marked, what: str, fault: Fault) -> InvalidError:
    line = found.line(fault.path)
    where = f", line {line}" if line else ""
    path = f"{fault.where}: " if fault.path else ""
    return InvalidError(
        f"{what}{where}: {path}{fault.message}", code="invalid_map", hint=fault.right
    )


def _made(found: marked.Marked, what: str) -> Map:
    """Return a document without faults as a map."""
    document = found.value
    csv = document.get("csv", {})
    reader = cells.Reader(
        csv.get("decimal", "."),
        csv.get("thousands"),
        cells.form(csv["dates"]) if "dates" in csv else None,
        cells.form(csv["times"]) if "times" in csv else None,
        zone(document["zone"]) if "zone" in document else None,
    )
    name, key = document.get("name"), document.get("key")
    if name is None and key is not None:
        name = f"{{{key}}}"
    delimiter = csv.get("delimiter")
    return Map(
        document.get("do"),
        None if name is None else pattern(name),
        pattern(document["stream"]) if "stream" in document else None,
        key,
        document.get("time"),
        {
            member: pattern(made if isinstance(made, str) else cells.text(made))
            for member, made in document.get("set", {}).items()
        },
        {theirs: _field(theirs, told) for theirs, told in document.get("fields", {}).items()},
        document.get("unmapped", TEXT),
        frozenset(document.get("drop", ())),
        reader,
        _DELIMITERS.get(delimiter, delimiter),
        csv.get("encoding"),
        csv.get("decimal"),
        document.get("sheet"),
        found,
        what,
    )


def _field(theirs: str, told: Any) -> Field:
    members = {"to": told} if isinstance(told, str) else told
    kind = members.get("type")
    given = members.get("format")
    form: Form | tuple[str, str] | None = None
    if given is not None:
        form = cells.words(given) if kind == "boolean" else cells.form(given)
    return Field(
        theirs, tuple(members.get("to", theirs).split(".")), kind, members.get("unit"), form
    )


def pattern(text: str) -> Pattern:
    """Return a text with columns in braces, taken apart; ``{{`` and ``}}`` are braces.

    Raises:
        ValueError: It cannot be; the text says why.
    """
    parts, at, plain = [], 0, ""
    while at < len(text):
        mark = text[at]
        if mark in "{}" and text[at + 1 : at + 2] == mark:
            plain += mark
            at += 2
        elif mark == "{":
            end = text.find("}", at)
            column = text[at + 1 : end] if end > 0 else ""
            if not column or "{" in column:
                raise ValueError("a { without its column and }; {{ writes a brace")
            parts += [plain, column]
            plain, at = "", end + 1
        elif mark == "}":
            raise ValueError("a } without its {; }} writes a brace")
        else:
            plain += mark
            at += 1
    return (*parts, plain)


def zone(name: str) -> tzinfo:
    """Return a zone by its name.

    Raises:
        ValueError: There is none of that name.
    """
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"there is no zone {shown(name)}") from None


# --- Faults --------------------------------------------------------------------------------------


def faults(document: Any) -> list[Fault]:
    """Return what is wrong with a document that is to be a map, in its order."""
    checker = _Checker()
    checker.document(document)
    return checker.found[:MAX_FAULTS]


class _Checker:
    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: tuple[str | int, ...], message: str, right: str) -> None:
        self.found.append(Fault(path, message, right))

    def document(self, value: Any) -> None:
        if not self.members((), value, MEMBERS):
            return
        checks = {
            "do": self.verb,
            "name": self.pattern,
            "stream": self.pattern,
            "key": self.text,
            "time": self.text,
            "set": self.set,
            "fields": self.fields,
            "unmapped": self.unmapped,
            "drop": self.drop,
            "zone": self.zone,
            "csv": self.csv,
            "sheet": self.text,
        }
        for name, check in checks.items():
            if name in value:
                check((name,), value[name])
        if not self.found and not value.keys() & {"fields", "name", "key", "time", "set"}:
            self.add((), "it maps nothing", "fields: {THEIRS: OURS} says what becomes of a column")

    def members(self, path: tuple[str | int, ...], value: Any, known: Iterable[str]) -> bool:
        """Say whether a value is an object; report members that there are not."""
        if not isinstance(value, dict):
            self.add(path, f"{shown(value)} is not an object", "write members in braces")
            return False
        for name in value:
            if name not in known:
                meant = near(name, known)
                right = f"did you mean {meant}?" if meant else f"known are {', '.join(known)}"
                self.add((*path, name), f"there is no member {shown(name)}", right)
        return True

    def text(self, path: tuple[str | int, ...], value: Any) -> bool:
        if not isinstance(value, str) or not value.strip():
            self.add(path, f"{shown(value)} is not a text", "write a text in quotes")
            return False
        if len(value) > MAX_NAME:
            self.add(path, f"it has {len(value)} characters", f"at most {MAX_NAME}")
            return False
        return True

    def choice(self, path: tuple[str | int, ...], value: Any, known: Sequence[str]) -> bool:
        if isinstance(value, str) and value in known:
            return True
        meant = near(value, known) if isinstance(value, str) else None
        right = f"did you mean {meant}?" if meant else f"one of {', '.join(map(_quoted, known))}"
        self.add(path, f"{shown(value)} is not one of these", right)
        return False

    def verb(self, path: tuple[str | int, ...], value: Any) -> None:
        self.choice(path, value, VERBS)

    def unmapped(self, path: tuple[str | int, ...], value: Any) -> None:
        self.choice(path, value, UNMAPPED)

    def pattern(self, path: tuple[str | int, ...], value: Any) -> None:
        if self.text(path, value):
            try:
                pattern(value)
            except ValueError as error:
                self.add(path, str(error), "as in part-{id}")

    def set(self, path: tuple[str | int, ...], value: Any) -> None:
        if not self.members(path, value, value if isinstance(value, dict) else ()):
            return
        for name, made in value.items():
            if name in {"do", "asset", "stream", "data", "at", "once", "key"}:
                self.add(
                    (*path, name),
                    f"{name} cannot be set here",
                    "do, name, stream, fields, time and key of the map say it; --once and --key"
                    " are options",
                )
            elif isinstance(made, bool | int | float):
                continue
            else:
                self.pattern((*path, name), made)

    def drop(self, path: tuple[str | int, ...], value: Any) -> None:
        if not isinstance(value, list) or len(value) > MAX_FIELDS:
            self.add(path, f"{shown(value)} is not a list of columns", "as in [price, stock]")
            return
        for number, item in enumerate(value):
            self.text((*path, number), item)

    def zone(self, path: tuple[str | int, ...], value: Any) -> None:
        if self.text(path, value):
            try:
                zone(value)
            except ValueError as error:
                self.add(path, str(error), "such as Europe/Berlin, or UTC")

    def encoding(self, path: tuple[str | int, ...], value: Any) -> None:
        if self.text(path, value):
            try:
                encoding_of(b"", value)
            except InvalidError as error:
                self.add(path, error.message, error.hint or "")

    def csv(self, path: tuple[str | int, ...], value: Any) -> None:
        if not self.members(path, value, _CSV_MEMBERS):
            return
        if "delimiter" in value:
            mark = value["delimiter"]
            mark = _DELIMITERS.get(mark, mark) if isinstance(mark, str) else None
            if mark is None or len(mark) != 1 or not mark.isascii() or mark in '"\r\n':
                self.add((*path, "delimiter"), "it is not a single mark", 'such as ";", or tab')
        if "encoding" in value:
            self.encoding((*path, "encoding"), value["encoding"])
        if "decimal" in value:
            self.choice((*path, "decimal"), value["decimal"], (".", ","))
        if "thousands" in value:
            where = (*path, "thousands")
            is_mark = self.choice(where, value["thousands"], cells.THOUSANDS)
            if is_mark and value["thousands"] == value.get("decimal", "."):
                self.add(where, "it is the decimal mark, too", "they have to differ")
        for name in ("dates", "times"):
            if name in value:
                self.form((*path, name), value[name], has_time=name == "times")

    def form(self, path: tuple[str | int, ...], value: Any, *, has_time: bool) -> None:
        if not self.text(path, value):
            return
        example = "%d.%m.%Y %H:%M" if has_time else "%d.%m.%Y"
        try:
            found = cells.form(value)
        except ValueError as error:
            self.add(path, str(error), f"such as {example}")
            return
        if found.has_time and not has_time:
            self.add(path, "a date has no hour", f"such as {example}, or type: datetime")
        elif has_time and not found.has_time:
            self.add(path, "a time needs %H", f"such as {example}")

    def fields(self, path: tuple[str | int, ...], value: Any) -> None:
        if not isinstance(value, dict):
            self.add(path, f"{shown(value)} is not an object", "as in {THEIRS: OURS}")
            return
        if len(value) > MAX_FIELDS:
            self.add(path, f"it has {len(value)} fields", f"at most {MAX_FIELDS}")
            return
        taken: dict[tuple[str, ...], str] = {}
        inside: dict[tuple[str, ...], str] = {}
        for theirs, told in value.items():
            where = (*path, theirs)
            names = self.field(where, theirs, told)
            if names is None:
                continue
            other = taken.get(names) or inside.get(names)
            for length in range(1, len(names)):
                other = other or taken.get(names[:length])
            if other is not None:
                self.add(
                    where,
                    f"{shown('.'.join(names))} is where {shown(other)} goes",
                    "each has a place of its own",
                )
                continue
            taken[names] = theirs
            for length in range(1, len(names)):
                inside.setdefault(names[:length], theirs)

    def field(self, path: tuple[str | int, ...], theirs: str, told: Any) -> tuple[str, ...] | None:
        """Check a field; return where it goes."""
        if isinstance(told, str):
            return self.place(path, told)
        if told is None:
            self.add(path, "it says nothing", "name where it goes; drop: [...] leaves columns out")
            return None
        if not self.members(path, told, _FIELD_MEMBERS):
            return None
        kind = told.get("type")
        if "type" in told and not self.choice((*path, "type"), kind, cells.TYPES):
            kind = None
        is_unit = "unit" in told and self.text((*path, "unit"), told["unit"])
        if is_unit and kind not in {"number", "integer"}:
            self.add((*path, "unit"), "only a number has a unit", "add type: number")
        if "format" in told:
            self.given((*path, "format"), kind, told["format"])
        return self.place((*path, "to") if "to" in told else path, told.get("to", theirs))

    def given(self, path: tuple[str | int, ...], kind: Any, value: Any) -> None:
        if kind in {"date", "datetime"}:
            self.form(path, value, has_time=kind == "datetime")
        elif kind == "boolean":
            if self.text(path, value):
                try:
                    cells.words(value)
                except ValueError as error:
                    self.add(path, f"{shown(value)} is not a pair of words", str(error))
        else:
            self.add(path, "only a date, a datetime and a boolean have a format", "add type: date")

    def place(self, path: tuple[str | int, ...], value: Any) -> tuple[str, ...] | None:
        if not self.text(path, value):
            return None
        names = tuple(value.split("."))
        if len(names) > 20 or not all(map(_is_name, names)) or names[0] in RESERVED:
            self.add(
                path,
                f"{shown(value)} cannot be a name",
                "names joined by dots, as in engine.hours; twin and language are reserved",
            )
            return None
        return names


def _is_name(name: str) -> bool:
    """Say whether a name can be that of a member on the ledger, below the top level."""
    return bool(name) and not re.search(r"[$.\0\ud800-\udfff]", name) and name not in RESERVED


def _quoted(text: str) -> str:
    """Return a text as YAML writes it on one line."""
    return text if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) else repr(text)
