"""What a command returns and the one place that prints it.

stdout carries the result and nothing else. A terminal gets a table, a pipe tab-separated whole
values, ``--json`` one object, ``--jsonl`` one object a line, ``--get PATH`` one value. Text from
the ledger is data: control characters, and characters that reorder a line, are never passed on
to a terminal, and come as escapes everywhere else but in ``--get`` to a pipe.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice

from twincli.cli.result import Column, Mode, Result
from twincli.errors import NotFoundError, TwinError
from twincli.model.text import in_json, one_line, separated, visible
from twincli.values import Any

_encoder = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False, allow_nan=False
)
_encode_indented = json.JSONEncoder(
    ensure_ascii=False, indent=2, check_circular=False, allow_nan=False
).encode

_BATCH = 65536


def render(result: Result, mode: Mode) -> int:
    """Print a result and return the exit status.

    Raises:
        NotFoundError: ``no_such_path`` of ``--get``.
        TwinError: ``output_failed``: stdout cannot be written, for example a full disk.
        BrokenPipeError: The reader has closed the pipe.
    """
    if result.said:
        return int(result.exit_code)
    if mode.form == "json":
        _write_all(_json(_with_warnings(result), result.listing, mode), live=result.live)
    elif mode.form == "jsonl":
        _write_all(_json_lines(result), live=result.live)
        if result.listing is not None:
            _warn(result.warnings)
    elif mode.form == "get":
        _write_all(iter((_got(result, mode),)), live=False)
        _chatter(result, mode)
    else:
        if result.listing is not None and result.text is None and not result.live:
            result = _noted(result, result.listing, mode)
        _chatter(result, mode)
        if result.text is not None:
            pieces: Iterator[str] = iter((result.text,))
        elif mode.terminal and result.listing is not None and result.terminal is None:
            pieces = _grid(result, mode)
        elif mode.terminal:
            pieces = iter((_table(result, mode),))
        else:
            pieces = _separated(result)
        _write_all(pieces, live=result.live or mode.terminal)
    return int(result.exit_code)


# ---------------------------------------------------------------- streams


def _write_all(pieces: Iterator[str], *, live: bool) -> None:
    """Write text in large blocks; with ``live`` each piece at once."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if live or size >= _BATCH:
            write("".join(held))
            held.clear()
            size = 0
            if live:
                flush()
    write("".join(held))
    flush()


def write(text: str) -> None:
    """Write text to stdout as UTF-8, whatever the locale says."""
    stream = sys.stdout
    if stream is not None and text and getattr(stream, "buffer", None) is None:
        try:
            stream.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise unwritten(error) from error
    else:
        write_bytes(text.encode("utf-8", "backslashreplace"))


def write_bytes(data: bytes) -> None:
    """Write bytes to stdout.

    Raises:
        BrokenPipeError: Nobody reads any more.
        TwinError: ``output_failed``.
    """
    stream = sys.stdout
    if stream is None or not data:
        return
    try:
        stream.flush()
        stream.buffer.write(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritten(error) from error


def flush() -> None:
    """Hand everything written to the system."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritten(error) from error


def unwritten(error: OSError) -> TwinError:
    """Return the error for a stdout that takes nothing more."""
    return TwinError(
        f"the output cannot be written: {(error.strerror or str(error)).lower()}",
        code="output_failed",
    )


def say(text: str) -> None:
    """Write one line to stderr, whatever is in it; a lost stderr loses the line only."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        line = one_line(text) + "\n"
        raw = getattr(stream, "buffer", None)
        if raw is None:
            stream.write(line)
        else:
            stream.flush()
            raw.write(line.encode("utf-8", "backslashreplace"))
        stream.flush()
    except OSError:
        return


def _noted(result: Result, listing: str, mode: Mode) -> Result:
    """Return a listing with the notes that it is empty, or that there are more columns."""
    items = iter(result.document[listing])
    first = list(islice(items, 1))
    notes = result.notes
    if not first:
        notes = notes or (result.empty,)
    elif mode.terminal and result.brief and not mode.wide:
        notes = (*notes, "more columns: --wide")
    return result._replace(document={**result.document, listing: chain(first, items)}, notes=notes)


def _chatter(result: Result, mode: Mode) -> None:
    if not mode.quiet:
        for note in result.notes:
            say(note)
    _warn(result.warnings)


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        say(f"twin: warning: {warning}")


# ---------------------------------------------------------------- escapes


def _prepared() -> Callable[[Any], str]:
    """Return an encoder that is made once: ``JSONEncoder.encode`` makes one for each document."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # no C, as on other Pythons
        return _encoder.encode
    text = json.encoder.encode_basestring
    once = make(None, _encoder.default, text, None, ":", ",", False, False, False)
    return lambda value: "".join(once(value, 0))


_encode = _prepared()


def to_json(value: Any, *, indented: bool = False) -> str:
    """Return a value as JSON that is safe to print: raw UTF-8, odd characters as escapes."""
    return in_json(_encode_indented(value) if indented else _encode(value))


# ---------------------------------------------------------------- JSON


def _with_warnings(result: Result) -> Mapping[str, Any]:
    document = result.document
    if result.warnings:
        known = list(document.get("warnings", ()))
        more = [warning for warning in result.warnings if warning not in known]
        document = {**document, "warnings": known + more}
    return document


def _json(document: Mapping[str, Any], listing: str | None, mode: Mode) -> Iterator[str]:
    items = document.get(listing) if listing else None
    if items is None or isinstance(items, (list, tuple)) or mode.terminal:
        if listing and items is not None:
            document = {**document, listing: list(items)}
        yield to_json(document, indented=mode.terminal) + "\n"
        return
    # The first item is fetched before anything is printed, so that a listing that cannot even
    # begin leaves stdout empty.
    rest = iter(items)
    first = next(rest, None)
    comma = "{"
    for name, value in document.items():
        yield f"{comma}{to_json(name)}:"
        comma = ","
        if name == listing:
            yield "["
            if first is not None:
                yield to_json(first)
                for item in rest:
                    yield "," + to_json(item)
            yield "]"
        else:
            yield to_json(value)
    yield "}\n"


def _json_lines(result: Result) -> Iterator[str]:
    if result.listing is None:
        yield to_json(_with_warnings(result)) + "\n"
        return
    start = '{"schema":' + to_json(result.item_schema or result.document.get("schema"))
    for item in result.document[result.listing]:
        text = to_json(item)
        if "schema" in item:
            yield text + "\n"
        elif len(text) == 2:
            yield start + "}\n"
        else:
            yield f"{start},{text[1:]}\n"


# ---------------------------------------------------------------- --get


def _got(result: Result, mode: Mode) -> str:
    document = _with_warnings(result)
    if result.listing is not None:
        document = {**document, result.listing: list(document[result.listing])}
    value = find(document, mode.path or "")
    if isinstance(value, str):
        return (visible(value) if mode.terminal else value) + "\n"
    return to_json(value, indented=mode.terminal) + "\n"


def find(document: Any, path: str) -> Any:
    """Return the value at a dotted path; whole numbers index lists, from the end if negative.

    Raises:
        NotFoundError: ``no_such_path``, naming what is there instead.
    """
    value = document
    walked = ""
    for name in path.split("."):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, (list, tuple)) and _is_index(name, len(value)):
            value = value[int(name)]
        else:
            where = f"in {walked!r}" if walked else "in the document"
            raise NotFoundError(
                f"--get {path}: there is no {name!r} {where}",
                code="no_such_path",
                hint=_what_is_there(value),
            )
        walked = f"{walked}.{name}" if walked else name
    return value


def _is_index(name: str, length: int) -> bool:
    digits = name.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        return False
    return -length <= int(name) < length


def _what_is_there(value: Any) -> str:
    if isinstance(value, dict):
        return f"available: {', '.join(value)}" if value else "it is an empty object"
    if isinstance(value, (list, tuple)):
        return (
            f"it is a list of {len(value)}: 0 to {len(value) - 1}"
            if value
            else ("it is an empty list")
        )
    return "it is a single value"


# ---------------------------------------------------------------- rows


def _columns(result: Result, first: Any) -> tuple[Column, ...]:
    if result.columns:
        return result.columns
    return tuple((name, name) for name in first) if isinstance(first, dict) else ()


def _cell(item: Any, where: str | Callable[[dict[str, Any]], Any]) -> Any:
    if not isinstance(where, str):
        return where(item)
    value = item
    for name in where.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _text(value: Any) -> str:
    """Return a value as plain text: nothing for null, text as it is, the rest as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else to_json(value)


def _separated(result: Result) -> Iterator[str]:
    if result.listing is None:
        for name, value in _members(result):
            yield f"{separated(name)}\t{separated(_text(value))}\n"
        return
    rest = iter(result.document[result.listing])
    first = next(rest, None)
    columns = _columns(result, first)
    yield "\t".join(separated(header) for header, _ in columns) + "\n"
    if first is not None:
        yield _row(first, columns)
        for item in rest:
            yield _row(item, columns)


def _row(item: Any, columns: tuple[Column, ...]) -> str:
    return "\t".join(separated(_text(_cell(item, where))) for _, where in columns) + "\n"


def _members(result: Result) -> Iterator[tuple[str, Any]]:
    if result.columns:
        for header, where in result.columns:
            yield header, _cell(result.document, where)
        return
    for name, value in result.document.items():
        if name != "schema":
            yield name, value


# ---------------------------------------------------------------- terminal


def _grid(result: Result, mode: Mode) -> Iterator[str]:
    """Return a listing for a terminal, line by line."""
    from twincli.cli.showing import grid, help_page, pager

    items = iter(result.document[str(result.listing)])
    first = next(items, None)
    columns = (not mode.wide and result.brief) or _columns(result, first)
    every: Iterator[Any] = iter(()) if first is None else chain((first,), items)

    def text(value: Any) -> str:
        shown = one_line(_text(value))
        return shown if mode.wide else grid.shortened(shown)

    rows = ([text(_cell(item, where)) for _, where in columns] for item in every)
    headers = [one_line(header) for header, _ in columns]
    lines = grid.lines(headers, rows, help_page.terminal_columns(), color=mode.color)
    drawn = (line.rstrip(" ") + "\n" for line in lines)
    return drawn if result.live else pager.paged(drawn)


def _table(result: Result, mode: Mode) -> str:
    """Return what a terminal shows. Rich is imported here, and only here.

    Drawn into memory first: the bytes then go out as UTF-8 whatever the locale is.
    """
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    memory = io.StringIO()
    console = Console(
        file=memory,
        force_terminal=mode.color,
        color_system="standard" if mode.color else None,
        no_color=not mode.color,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    if result.terminal is not None:
        document = result.document
        if result.listing is not None:
            document = {**document, result.listing: list(document[result.listing])}
        result.terminal(document, console)
        return memory.getvalue()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold" if mode.color else "", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _members(result):
        shown = to_json(value, indented=True) if isinstance(value, dict) else _text(value)
        table.add_row(Text(visible(name)), Text(visible(shown)))
    if table.columns:
        console.print(table)
    return "".join(line.rstrip(" ") + "\n" for line in memory.getvalue().splitlines())
