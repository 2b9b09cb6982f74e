"""The last resort: what is said and kept when twincli itself has failed.

The report can be sent to strangers: it names places in the program and nothing of what was worked
on, no values, no names, no messages of exceptions, no paths of this machine.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from twincli.errors import ConfigError, TwinError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def explained(words: Sequence[str], error: Exception) -> TwinError:
    """Return what to tell of an exception that nobody expected.

    Args:
        words: The command line.
        error: The exception.
    """
    if isinstance(error, OSError) and not _has_directory():
        return ConfigError(
            "the working directory no longer exists",
            code="no_directory",
            hint="change to one that exists: cd",
        )
    if isinstance(error, MemoryError):
        return TwinError("not enough memory", code="out_of_memory")
    what = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        what += f" ({error.strerror.lower()})"
    place = _places(error)[-1:]
    where = f" at {place[0]}" if place else ""
    path = _kept("\n".join(_report(words, error)) + "\n")
    return TwinError(
        f"twincli failed, which is a bug: {what}{where}",
        code="bug",
        hint=None
        if path is None
        else f"please report it with {path}, which contains none of your data",
    )


def _has_directory() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _report(words: Sequence[str], error: Exception) -> Iterator[str]:
    from twincli import __version__

    yield f"twincli {__version__}, Python {sys.version.split()[0]}, {sys.platform}"
    yield f"command: {' '.join(_known(words)) or 'none'}"
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield f"{type(cause).__module__}.{type(cause).__qualname__}"
        yield from (f"  {place}" for place in _places(cause))
        cause = cause.__cause__ or cause.__context__


def _known(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command line that are the program's own: commands and its options."""
    from twincli.cli import table
    from twincli.cli.options import GLOBAL, WRITE

    known = {*table.NOUNS, *table.BARE, *table.NOUN_ALIASES, *table.MEANT, *table.VERB_ALIASES}
    options = {f"--{option.name}" for option in (*GLOBAL, *WRITE)}
    commands = 0
    for word in words:
        name = word.partition("=")[0]
        is_command = commands < 2 and word in known
        commands += is_command
        if is_command or name in options:
            yield name


def _places(error: BaseException) -> list[str]:
    """Return where an exception went through, the innermost place last."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        parts = code.co_filename.replace(os.sep, "/").split("/")
        # From the package on, so that nobody's directories are in it.
        start = next((at for at in range(len(parts) - 1, -1, -1) if parts[at] == "twincli"), -2)
        found.append(f"{'/'.join(parts[start:])}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    return found


def _kept(text: str) -> str | None:
    """Write a report to a new file that only its owner reads; return its path, None without."""
    import tempfile

    try:
        descriptor, path = tempfile.mkstemp(prefix="twin-report-", suffix=".txt")
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return None
    return path
