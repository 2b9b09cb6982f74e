"""A pager for what is longer than the screen: ``less``, or what PAGER names."""

from __future__ import annotations

import os
import sys
from itertools import chain
from typing import TYPE_CHECKING

from twincli import config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

_PROMPT = 2
"""Lines that the shell's prompt takes."""


def paged(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines for stdout; once they exceed the screen, a pager gets all of them instead."""
    height = _height()
    if height is None:
        yield from lines
        return
    held: list[str] = []
    for line in lines:
        held.append(line)
        if len(held) > height:
            break
    else:
        yield from held
        return
    process = _started()
    if process is None:
        yield from held
        yield from lines
        return
    _feed(process, chain(held, lines), len(held))


def _height() -> int | None:
    """Return the lines that fit on the screen, None where there is nobody to page for."""
    try:
        if not (os.isatty(sys.stdin.fileno()) and os.isatty(sys.stdout.fileno())):
            return None
        height = os.get_terminal_size(sys.stdout.fileno()).lines - _PROMPT
    except (AttributeError, OSError, ValueError):
        return None
    return height if height > 0 else None


def _started() -> Popen[bytes] | None:
    import subprocess

    words = config.pager()
    if not words:
        return None
    environment = {"LESS": "FRX", "LESSCHARSET": "utf-8", **config.for_programs()}
    try:
        return subprocess.Popen(words, stdin=subprocess.PIPE, env=environment)  # noqa: S603
    except OSError:
        return None


def _feed(process: Popen[bytes], lines: Iterator[str], begin: int) -> None:
    """Give lines to a pager, the first of them at once, and wait for its end."""
    pipe = process.stdin
    assert pipe is not None
    try:
        for number, line in enumerate(lines, 1):
            pipe.write(line.encode("utf-8", "backslashreplace"))
            if number == begin:
                pipe.flush()
        pipe.close()
    except BrokenPipeError:
        pass  # The reader has seen enough.
    finally:
        while process.poll() is None:
            try:
                process.wait()
            except KeyboardInterrupt:
                continue  # Ctrl-C is for the pager.
