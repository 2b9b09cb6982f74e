"""Where the lines of a batch come from: JSON Lines, JSON, CSV, spreadsheets."""

from __future__ import annotations

from contextlib import closing
from typing import IO, TYPE_CHECKING, Any

from twincli.crypto import canonical
from twincli.errors import InvalidError, TwinError, UsageError, shown
from twincli.services.batch import lines
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from twincli.formats.mapping import Map
    from twincli.formats.tables import Table
    from twincli.services.batch.lines import Line

JSONL, JSON, CSV, XLSX, ODS = FORMATS = ("jsonl", "json", "csv", "xlsx", "ods")
MAX_JSON = 64 << 20
"""Bytes of a JSON document, which is read whole."""


class Item(NamedTuple):
    """What a file has at one place.

    Attributes:
        number: Of the line, the row, or the item of a document, from 1.
        line: What it does, or why that is not known.
        where: Its path in a document, or None.
        key: What tells it from the other rows of a table, or None.
        raw: The verb and the twin that a refused line names, as far as it does.
    """

    number: int
    line: Line | TwinError
    where: str | None = None
    key: str | None = None
    raw: tuple[Any, Any] = (None, None)


class Source(NamedTuple):
    """A file.

    Attributes:
        path: It.
        what: What errors call it.
        format: One of `FORMATS`.
        map: What its columns mean; None: its lines are ours.
        tell: Told what a table looks like, where that was found.
    """

    path: str
    what: str
    format: str
    map: Map | None = None
    tell: Callable[[str], None] = lambda _text: None


def items(source: Source) -> Iterator[Item]:
    """Yield what is in a file.

    Raises:
        UsageError: A table without a map.
        InvalidError: ``invalid_table``, ``invalid_json``, ``invalid_map``, ``too_large``.
        ConfigError: ``missing_extra``.
    """
    form = source.format
    if form not in {JSONL, JSON} and source.map is None:
        raise UsageError(
            f"a table needs a map that says what its columns mean: {source.what}",
            hint="add --map map.yaml; the format: docs/reference/map-format.md",
        )
    if form in {XLSX, ODS}:
        from twincli.formats import tables

        assert source.map is not None
        yield from _rows(source, tables.read_sheet(source.path, source.what, source.map.sheet))
        return
    with open(source.path, "rb") as stream:
        if form == JSONL:
            yield from _jsonl(stream, source.map)
        elif form == JSON:
            yield from _json(stream, source)
        else:
            from twincli.formats import tables

            assert source.map is not None
            delimiter = source.map.delimiter
            if delimiter is None and source.path.endswith(".tsv"):
                delimiter = "\t"
            yield from _rows(
                source, tables.read_csv(stream, source.what, delimiter, source.map.encoding)
            )


def _rows(source: Source, table: Table) -> Iterator[Item]:
    assert source.map is not None
    with closing(table.rows) as rows:
        source.map.check_columns(table.header)
        if table.found:
            source.tell(table.found)
        for number, record in rows:
            if isinstance(record, InvalidError):
                yield Item(number, record)
            else:
                yield _mapped(number, source.map, record)


def _mapped(number: int, found: Map, record: Mapping[str, Any], where: str | None = None) -> Item:
    try:
        line, key = lines.mapped(found, record)
    except InvalidError as error:
        return Item(number, error, where, raw=(found.do, found.name_of(record)))
    return Item(number, line, where, key)


def _jsonl(stream: IO[bytes], found: Map | None) -> Iterator[Item]:
    from twincli.formats.readings.lines import Lines

    texts = Lines(stream)
    for number, text in texts:
        if text is None:
            yield Item(number, texts.why_not())
        elif text.strip():
            try:
                value = lines.decoded(text)
            except InvalidError as error:
                yield Item(number, error)
                continue
            yield _item(number, value, found)


def _item(number: int, value: Any, found: Map | None, where: str | None = None) -> Item:
    """Return a line of ours, or a document of others by a map."""
    raw = (None, None)
    if isinstance(value, dict):
        raw = (value.get("do"), value.get(lines.ASSET))
    if found is not None:
        if not isinstance(value, dict):
            wrong = InvalidError(f"{shown(value)} is not an object", code="invalid_line")
            return Item(number, wrong, where)
        return _mapped(number, found, found.record(value), where)
    try:
        return Item(number, lines.parse(value), where, raw=raw)
    except InvalidError as error:
        return Item(number, error, where, raw=raw)


def _json(stream: IO[bytes], source: Source) -> Iterator[Item]:
    """Yield the lines of a document: a list of lines, or of twins with their updates."""
    data = stream.read(MAX_JSON + 1)
    if len(data) > MAX_JSON:
        raise InvalidError(
            f"{source.what} is larger than {MAX_JSON >> 20} MiB",
            code="too_large",
            hint="write it as JSON Lines, which are read one by one",
        )
    whole = canonical.decode(data, what=source.what)
    if isinstance(whole, dict):
        whole = [whole]
    if not isinstance(whole, list):
        raise InvalidError(
            f"{source.what} is {shown(whole)}, not a list of lines", code="invalid_table"
        )
    number = 0
    for place, value in enumerate(whole):
        if source.map is None and isinstance(value, dict) and "updates" in value:
            for inner, where in _updates(value, f"[{place}]"):
                number += 1
                if isinstance(inner, InvalidError):
                    yield Item(number, inner, where)
                else:
                    yield _item(number, inner, None, where)
            continue
        number += 1
        yield _item(number, value, source.map, f"[{place}]")


def _updates(value: dict[str, Any], where: str) -> Iterator[tuple[Any, str]]:
    """Yield the lines of ``{vaultId, updates: [{stream, data}]}``."""
    names = [name for name in ("vaultId", lines.ASSET) if name in value]
    others = value.keys() - {"vaultId", lines.ASSET, "updates"}
    updates = value["updates"]
    if len(names) != 1 or others or not isinstance(updates, list):
        yield (
            InvalidError(
                "it is not of the form {vaultId, updates: [{stream, data}]}", code="invalid_line"
            ),
            where,
        )
        return
    for place, update in enumerate(updates):
        inner = f"{where}.updates[{place}]"
        if not isinstance(update, dict) or lines.ASSET in update:
            yield InvalidError(f"{shown(update)} is not an update", code="invalid_line"), inner
            continue
        do = update.get("do") or ("reading" if "stream" in update else "append")
        line = {**update, "do": do, lines.ASSET: value[names[0]]}
        if "timestamp" in line and "at" not in line:
            line["at"] = line.pop("timestamp")
        yield line, inner


def format_of(name: str, told: str | None) -> str:
    """Return the format of a file.

    Raises:
        UsageError: Its name does not say.
    """
    if told is not None:
        return told
    if name == "-":
        return JSONL
    ending = name[name.rfind(".") + 1 :].lower() if "." in name else ""
    found = {"ndjson": JSONL, "tsv": CSV, "txt": CSV}.get(ending, ending)
    if found not in FORMATS:
        raise UsageError(
            f"{name} does not say its format", hint=f"add --format {' or '.join(FORMATS)}"
        )
    return found
