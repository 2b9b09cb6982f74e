"""One line asked on the terminal, never on stdin."""

from __future__ import annotations

import os

from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    pass

TERMINAL = "/dev/tty"
"""The controlling terminal; tests put another one here."""

LONGEST = 4096


def ask(prompt: str, *, echo: bool) -> bytes | None:
    """Ask one line on the terminal.

    Returns:
        The bytes typed, without the line end; None where there is no terminal.
    """
    descriptor = open_terminal()
    if descriptor is None:
        return None
    try:
        return _line(descriptor, prompt) if echo else _hidden_line(descriptor, prompt)
    finally:
        os.close(descriptor)


def open_terminal() -> int | None:
    """Return a descriptor of the controlling terminal, None where there is none."""
    try:
        return os.open(TERMINAL, os.O_RDWR | getattr(os, "O_NOCTTY", 0))
    except OSError:
        return None


def _hidden_line(descriptor: int, prompt: str) -> bytes | None:
    import termios

    try:
        before = termios.tcgetattr(descriptor)
    except termios.error:
        return None
    silent = [*before]
    silent[3] = int(silent[3]) & ~termios.ECHO
    try:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
        return _line(descriptor, prompt)
    finally:
        # Also after Ctrl-C: a terminal left without echo looks broken.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        os.write(descriptor, b"\n")


def _line(descriptor: int, prompt: str) -> bytes:
    from twincli.model.text import visible

    os.write(descriptor, visible(prompt).encode())
    data = b""
    while not data.endswith(b"\n") and len(data) <= LONGEST:
        piece = os.read(descriptor, 1024)
        if not piece:
            break
        data += piece
    return data.removesuffix(b"\n").removesuffix(b"\r")
