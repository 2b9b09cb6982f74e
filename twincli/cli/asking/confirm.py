"""Questions that ``--yes`` answers."""

from __future__ import annotations

from collections.abc import Sequence

from twincli.cli.asking.terminal import ask
from twincli.errors import UsageError
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from twincli.cli.asking.run import Run


def retry(run: Run, *addition: str) -> str:
    """Return the command line that was typed with more options, ready to paste."""
    import shlex

    words = list(run.argv)
    # Words after "--" are data, so the addition goes before it.
    at = words.index("--") if "--" in words else len(words)
    return shlex.join(["twin", *words[:at], *addition, *words[at:]])


def confirm(question: str, run: Run, details: Sequence[str] = ()) -> bool:
    """Ask a question that ``--yes`` answers; ``details`` are lines to read before it.

    Raises:
        UsageError: ``confirmation_needed``: there is no terminal to ask on.
    """
    if run.options.yes:
        return True
    answer = ask("\n".join((*details, f"{question} [y/N] ")), echo=True)
    if answer is None:
        raise _unconfirmed(question, run)
    return answer.strip().lower() in {b"y", b"yes"}


def confirm_name(question: str, name: str, run: Run) -> bool:
    """Ask for a name to be typed, for what cannot be undone; ``--yes`` answers it.

    Raises:
        UsageError: ``confirmation_needed``: there is no terminal to ask on.
    """
    if run.options.yes:
        return True
    answer = ask(f"{question} Type {name} to continue: ", echo=True)
    if answer is None:
        raise _unconfirmed(question, run)
    return answer.strip() == name.encode()


def _unconfirmed(question: str, run: Run) -> UsageError:
    return UsageError(
        f"confirmation is required, but there is no terminal to ask on: {question}",
        code="confirmation_needed",
        hint=retry(run, "--yes"),
    )
