"""Where readings come from: files, stdin, a command that is run again and again."""

from __future__ import annotations

import io
import os
import queue
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING

from twincli import files
from twincli.cli import file_arguments
from twincli.cli.options import not_a_choice
from twincli.content.memory import MemoryFile
from twincli.errors import InvalidError, NotFoundError, UsageError
from twincli.formats.readings import jsonl
from twincli.formats.readings.lines import Refused, check_text
from twincli.model import times
from twincli.services.stream import importing
from twincli.services.stream.follow import Flush
from twincli.services.stream.push import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from twincli.cli.context import Context
    from twincli.formats.mapping import Map
    from twincli.services.asset.write_options import Writing

LONGEST = 60.0
"""Seconds that a command may take."""
MAX_OUTPUT = 1 << 24
MAX_STDIN = 8 << 30
"""Bytes of stdin, or of a pipe, that are written to a passing file."""
MAX_MEMORY = 1 << 30
"""The same, where they stay in memory."""
_POLL = 0.2
_LONGEST_SPAN = 366 * 86_400
_ENDINGS = {".ndjson": "jsonl", ".json": "jsonl", ".tsv": "csv", ".log": "nmea"}


def many(context: Context) -> Writing:
    """Return how to write many readings.

    Raises:
        UsageError: Options of a single write.
    """
    writing = context.writes.writing()
    if writing.bare:
        raise UsageError("--bare writes no envelope, in which readings are", hint="leave it out")
    if writing.prepare or writing.if_tip or writing.once:
        raise UsageError("--prepare, --if-tip and --once are for a single reading")
    return writing


def how(
    file: str,
    form: str | None,
    zone: str | None,
    delimiter: str | None,
    encoding: str | None,
    decimal: str | None,
    on_invalid: str,
) -> importing.How:
    """Return how a file is read.

    Raises:
        UsageError: A choice that there is not; a format that the name does not say.
        InvalidError: ``not_text``: the name does not say it, as the file is packed.
        NotFoundError: ``no_file``.
    """
    if form is None:
        ending = file[file.rfind(".") :].lower() if "." in file else ""
        form = _ENDINGS.get(ending, ending[1:])
        if form not in importing.FORMATS:
            if file != "-" and (os.path.isfile(file) or not os.path.exists(file)):
                check_text(file_arguments.beginning(file, 16))  # "log.csv.gz" is packed
            raise UsageError(
                f"{file_arguments.what(file)} does not say its format",
                hint=f"add --format {' or '.join(importing.FORMATS)}",
            )
    for name, value, known in (
        ("format", form, importing.FORMATS),
        ("on-invalid", on_invalid, importing.ON_INVALID),
        ("decimal", decimal or ".", (".", ",")),
    ):
        if value not in known:
            raise not_a_choice(name, value, known)
    mark = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    if mark is not None and (len(mark) != 1 or not mark.isascii() or mark in '"\r\n'):
        raise UsageError(f"--delimiter {delimiter!r} is not a single mark")
    return importing.How(form, _zone(zone), mark, encoding, decimal, on_invalid)


def plan(file: str, map_file: str, form: str) -> Map:
    """Return the map of an import.

    Raises:
        UsageError: The format has no columns.
        InvalidError: ``invalid_map``.
    """
    if form not in importing.MAPPED:
        raise UsageError(f"--map is for {' and '.join(importing.MAPPED)}, not for {form}")
    return read_map(file, map_file)


def read_map(file: str, map_file: str) -> Map:
    """Return the map in a file.

    Args:
        file: What it is for.
        map_file: The map.

    Raises:
        UsageError: Both are stdin.
        InvalidError: ``invalid_map``.
    """
    from twincli.formats import mapping

    if file == map_file == "-":
        raise UsageError("stdin cannot be both the file and its map")
    data = file_arguments.beginning(map_file, (1 << 20) + 1)
    return mapping.read(data, file_arguments.what(map_file))


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        raise UsageError(
            f"there is no zone {name!r}", hint="such as Europe/Berlin, or UTC"
        ) from None


def is_passing(word: str) -> bool:
    """Say whether what a word of the command line means can be read only once."""
    if word == "-":
        return True
    try:
        return stat.S_ISFIFO(os.stat(word).st_mode)
    except (OSError, ValueError):
        return False  # opening it says why


@contextmanager
def as_file(word: str, *, in_memory: bool = False) -> Iterator[str]:
    """Yield the path of a file; stdin and pipes become a passing one, of bounded size.

    Args:
        word: Of the command line.
        in_memory: Whether nothing of what passes may be on a disk.

    Raises:
        InvalidError: ``too_large``: more than `MAX_STDIN` comes, `MAX_MEMORY` if in memory.
        ConfigError: ``cannot_read``; ``cannot_write``: the disk is full.
    """
    if not is_passing(word):
        with file_arguments.opened(word):
            yield word
        return
    with ExitStack() as stack:
        if in_memory:
            memory = stack.enter_context(MemoryFile())
            copy: IO[bytes] = stack.enter_context(open(memory.path, "wb", buffering=0))
            path, where, most = memory.path, "memory", MAX_MEMORY
        else:
            where, most = tempfile.gettempdir(), MAX_STDIN
            try:
                passing = stack.enter_context(tempfile.NamedTemporaryFile(buffering=0))
            except OSError as error:
                raise files.cannot("write", where, error) from error
            path, copy = passing.name, passing.file
        with file_arguments.opened(word) as stream:
            size = 0
            while piece := _piece(stream, word):
                size += len(piece)
                if size > most:
                    raise InvalidError(
                        f"{file_arguments.what(word)} brings more than {most >> 30} GB",
                        code="too_large",
                        hint="write it to a file, and name that",
                    )
                _put(copy, piece, where)
        yield path


def _put(copy: IO[bytes], piece: bytes, where: str) -> None:
    try:
        view = memoryview(piece)
        while view:  # it is not buffered, and may take a part only
            view = view[copy.write(view) :]
    except OSError as error:
        raise files.cannot("write", where, error) from error


def _piece(stream: IO[bytes], word: str) -> bytes:
    try:
        return stream.read(1 << 20)
    except OSError as error:
        raise files.cannot("read", file_arguments.what(word), error) from error


def seconds(name: str, text: str) -> float:
    """Return a span of the command line in seconds."""
    found = times.length(text, name) / 1_000_000
    if found > _LONGEST_SPAN:
        raise UsageError(f"--{name}: {text} is more than a year", code="bad_time")
    return found


def flush_of(text: str) -> Flush:
    """Return when readings are recorded: ``100``, ``60s`` or ``100,60s``.

    Raises:
        UsageError: It is none of them.
    """
    count, span = None, None
    for part in text.split(","):
        if part.isascii() and part.isdigit() and count is None:
            count = int(part[:9])
        elif span is None:
            span = seconds("flush", part)
        else:
            raise UsageError(f"--flush {text!r} is not a count, a span, or both")
    if count == 0:
        raise UsageError("--flush 0 would record nothing")
    if count is None:
        return Flush(seconds=span or 60.0)
    return Flush(count, 86_400.0 if span is None else span)


def asked(command: str, every: float, stopped: threading.Event) -> Iterator[Line | None]:
    """Yield what a command prints, run again and again."""
    number = 0
    due = time.monotonic()
    while not stopped.is_set():
        for line in _run(command):
            number += 1
            yield line._replace(number=number)
        due = max(due + every, time.monotonic())
        while not stopped.wait(min(max(0.0, due - time.monotonic()), 1.0)):
            yield None
            if time.monotonic() >= due:
                break


def _run(command: str) -> Iterator[Line]:
    try:
        done = subprocess.run(  # noqa: S602 - it is the user's own command line
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=LONGEST,
            check=False,
            start_new_session=True,  # Ctrl-C is for us; what it reads is recorded
        )
    except subprocess.TimeoutExpired:
        yield Line(0, None, InvalidError(f"the command took more than {LONGEST:.0f} seconds"))
        return
    except OSError as error:
        raise NotFoundError(f"cannot run {command}: {error.strerror}", code="no_file") from error
    if done.returncode:
        yield Line(0, None, InvalidError(f"the command ended with status {done.returncode}"))
    yield from _lines(done.stdout[:MAX_OUTPUT])


def _lines(data: bytes) -> Iterator[Line]:
    for item in jsonl.read(io.BytesIO(data), timed=False):
        if isinstance(item, Refused):
            yield Line(item.line, None, InvalidError(item.reason, code=item.code))
        else:
            yield Line(item.line, item.observation)


def stdin(stopped: threading.Event) -> Iterator[Line | None]:
    """Yield what stdin brings, and None while it brings nothing."""
    arrived: queue.Queue[bytes | None] = queue.Queue(1000)

    def read() -> None:
        with file_arguments.opened("-") as stream:
            while line := stream.readline(MAX_OUTPUT):
                arrived.put(line)
        arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    number = 0
    while not stopped.is_set():
        try:
            data = arrived.get(timeout=_POLL)
        except queue.Empty:
            yield None
            continue
        if data is None:
            return
        number += 1
        for line in _lines(data):
            yield line._replace(number=number)


def tell(text: str) -> None:
    """Say on stderr why a reading is left out, while the command goes on, even if it is quiet."""
    sys.stderr.write(f"twin: warning: {text}\n")
    sys.stderr.flush()
