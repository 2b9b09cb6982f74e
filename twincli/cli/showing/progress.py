"""How far a long piece of work is, on a terminal: one line on stderr, removed in the end."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager

from twincli.cli.context import is_terminal
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twincli.cli.context import Context

FIRST_SECONDS = 1.0
"""Nothing is shown of work that is shorter."""

EVERY_SECONDS = 0.2

_CLEAR = "\r\x1b[K"


@contextmanager
def shown(context: Context, what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show progress while something runs.

    Args:
        context: The command.
        what: What is done, such as ``verifying``.

    Yields:
        What is called with how much is done and how much there is; None where nothing is to be
        shown: stderr is not a terminal, or ``--json``, ``--jsonl``, ``--get`` or ``--quiet``.
    """
    if context.mode.form != "auto" or context.mode.quiet or not is_terminal(sys.stderr):
        yield None
        return
    line = Line(what, time.monotonic, sys.stderr.write, sys.stderr.flush)
    try:
        yield line.show
    finally:
        line.clear()


class Line:
    """The line.

    Args:
        what: What is done.
        clock: Seconds that never go back.
        write: Writes to the terminal.
        flush: Sends what was written.
    """

    def __init__(
        self,
        what: str,
        clock: Callable[[], float],
        write: Callable[[str], object],
        flush: Callable[[], object],
    ) -> None:
        self._what = what
        self._clock = clock
        self._write = write
        self._flush = flush
        self._begun: tuple[float, int] | None = None
        self._next = 0.0
        self._is_shown = False

    def show(self, done: int, total: int) -> None:
        """Show how far it is, not more often than one can read."""
        now = self._clock()
        if self._begun is None:
            # Timed from here: what came before, such as checking the file, went at another rate.
            self._begun = now, done
            self._next = now + FIRST_SECONDS
        begun, first = self._begun
        if now < self._next or done <= first:
            return
        self._next = now + EVERY_SECONDS
        left = (now - begun) * max(total - done, 0) / (done - first)
        self._write(f"{_CLEAR}{self._what}: {done * 100 // total} %, {_duration(left)} left")
        self._flush()
        self._is_shown = True

    def clear(self) -> None:
        """Remove the line."""
        if self._is_shown:
            self._write(_CLEAR)
            self._flush()
            self._is_shown = False


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
