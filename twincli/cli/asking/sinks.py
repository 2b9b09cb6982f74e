"""Where a phrase goes: a new file, or the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from twincli.cli.asking.confirm import retry
from twincli.cli.asking.terminal import open_terminal
from twincli.errors import LockedError

if TYPE_CHECKING:
    from twincli.cli.asking.run import Run


def phrase_sink(run: Run, out: str | None) -> Callable[[str], None] | None:
    """Return what shows a phrase to its owner, made ready before any key is made.

    Args:
        run: The run.
        out: The file of ``--mnemonic-out``, made here with mode 0600.

    Returns:
        A callable that takes the phrase; None where it belongs in the JSON document.

    Raises:
        ConflictError: ``exists``: the file already exists.
        LockedError: ``no_terminal``: a plain pipe would get the phrase.
    """
    if out is not None:
        write = file_sink(run, out)
        return lambda phrase: write(phrase + "\n")
    if run.options.json or run.options.jsonl or run.options.get is not None:
        return None
    descriptor = open_terminal()
    if descriptor is None:
        raise LockedError(
            "there is no terminal to show the phrase on",
            code="no_terminal",
            hint=retry(run, "--mnemonic-out", "FILE"),
        )
    os.close(descriptor)

    def show(phrase: str) -> None:
        opened = open_terminal()
        if opened is None:
            raise LockedError("the terminal is gone; the phrase was not shown", code="no_terminal")
        try:
            room = os.get_terminal_size(opened).columns
            os.write(
                opened,
                b"Write these words down, in this order. Anyone who has them has the key:\n\n"
                + numbered(phrase, room).encode()
                + b"\n\n",
            )
        finally:
            os.close(opened)

    return show


def numbered(phrase: str, room: int = 80) -> str:
    """Return the words of a phrase with their numbers, to be read from left to right.

    Args:
        phrase: The phrase.
        room: The columns of the terminal; 0 where it does not say.
    """
    words = phrase.split()
    width = max(map(len, words))
    columns = min(4, max(1, ((room or 80) + 2) // (width + 5)))
    rows = [words[at : at + columns] for at in range(0, len(words), columns)]
    return "\n".join(
        "  ".join(
            f"{number * columns + place:>2} {word:<{width}}" for place, word in enumerate(row, 1)
        ).rstrip()
        for number, row in enumerate(rows)
    )


def file_sink(run: Run, path: str, *, mode: int = 0o600) -> Callable[[str], None]:
    """Return what writes a text to a new file; that it can be made is seen at once.

    Args:
        run: The run; the file is there only with the text.
        path: The file.
        mode: Who may read it; the umask takes more away.

    Raises:
        ConflictError: ``exists``: it already exists.
        ConfigError: ``cannot_write``.
    """
    from contextlib import ExitStack

    from twincli import files

    files.check_free(path)
    place = os.path.abspath(path)
    opened = ExitStack()
    file = opened.enter_context(files.incoming(os.path.dirname(place), mode=mode, overwrite=False))
    run.at_end(opened.close)

    def keep(text: str) -> None:
        file.write(text.encode())
        file.path = place
        opened.close()

    return keep
