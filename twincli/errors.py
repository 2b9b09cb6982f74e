"""The error tree and the exit codes.

::

    TwinError                 anything a user or a caller can act on
    ├── UsageError            2   the command line or the call is wrong
    ├── NotVerifiedError      3   the question was answered, and the answer is no
    ├── NotFoundError         4   no such key, asset, transaction, home
    ├── ConflictError         5   exists, ambiguous, the tip moved, the same token for other content
    ├── LockedError           6   a passphrase is missing or wrong; no key to sign with
    ├── InvalidError          7   a document or a transaction breaks the rules
    ├── UnreachableError      8   a node was unreachable, timed out or failed
    ├── ConfigError           9   settings contradictory, a file unusable, an extra missing
    ├── PartialError         10   some items of a batch failed
    ├── UndeterminedError    11   evidence is missing: neither yes nor no
    └── InterruptedWriteError 130  stopped half-way; the message says how far it came

What is not a ``TwinError`` is a bug and ends in a traceback.
"""

from __future__ import annotations

from enum import IntEnum

from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self


class ExitCode(IntEnum):
    """The exit statuses of ``twin``, a promise to scripts."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_VERIFIED = 3
    NOT_FOUND = 4
    CONFLICT = 5
    LOCKED = 6
    INVALID = 7
    UNREACHABLE = 8
    CONFIG = 9
    PARTIAL = 10
    UNDETERMINED = 11
    INTERRUPTED = 130


_LONGEST = 100


def cut(text: str) -> str:
    """Return a stranger's text, short enough for a message."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def shown(value: object) -> str:
    """Return a stranger's JSON value for a message: short, and quoted where it is text."""
    if isinstance(value, str):
        return repr(cut(value))
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 64:  # Python may refuse to write it
        return "a number of more than 64 bits"
    return cut(repr(value))


def place(path: Sequence[str | int]) -> str:
    """Return the path of a member of a stranger's document for a message, short."""
    parts = [*path[:10], "(...)", *path[-10:]] if len(path) > 20 else path
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{cut(part)}" if text else cut(part)
    return text


class TwinError(Exception):
    """Something a user can act on.

    Args:
        message: One sentence for people, lower case, no full stop.
        code: Stable snake_case name for programs; each class has a default.
        hint: What to do next, often a command to type.
        retryable: Whether the same call may succeed later unchanged.
    """

    exit_code: ExitCode = ExitCode.FAILURE
    default_code = "failure"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.retryable = retryable

    def within(self, where: str, *, hint: str | None = None) -> Self:
        """Return this error, its message saying where it happened.

        Args:
            where: A file, a line, an option; put before the message.
            hint: Takes the place of the hint; None keeps it.
        """
        return self.reworded(f"{where}: {self.message}", hint=hint)

    def reworded(self, message: str, *, hint: str | None = None) -> Self:
        """Return this error with another message, for a caller that knows better what it means."""
        self.message = message
        self.args = (message,)
        self.hint = hint or self.hint
        return self


class UsageError(TwinError):
    """The command line or the call is wrong."""

    exit_code = ExitCode.USAGE
    default_code = "usage"


class NotVerifiedError(TwinError):
    """The question was answered, and the answer is no."""

    exit_code = ExitCode.NOT_VERIFIED
    default_code = "not_verified"


class NotFoundError(TwinError):
    """There is no such key, name, asset, transaction or home."""

    exit_code = ExitCode.NOT_FOUND
    default_code = "not_found"


class ConflictError(TwinError):
    """Something else is already there, or several things fit."""

    exit_code = ExitCode.CONFLICT
    default_code = "conflict"


class LockedError(TwinError):
    """A passphrase is missing or wrong, or no key here may sign."""

    exit_code = ExitCode.LOCKED
    default_code = "locked"


class InvalidError(TwinError):
    """A document or a transaction breaks the rules.

    For transactions the code is the BigchainDB server's exception class in snake case
    (``invalid_hash``, ``double_spend``), or the name of the stricter rule.
    """

    exit_code = ExitCode.INVALID
    default_code = "invalid"


class UnreachableError(TwinError):
    """A node was not reached, timed out or failed."""

    exit_code = ExitCode.UNREACHABLE
    default_code = "unreachable"


class ConfigError(TwinError):
    """Settings contradict each other, a file cannot be read or written, or an extra is missing."""

    exit_code = ExitCode.CONFIG
    default_code = "config"


class PartialError(TwinError):
    """Some items of a batch failed."""

    exit_code = ExitCode.PARTIAL
    default_code = "partial"


class InterruptedWriteError(TwinError):
    """Somebody stopped a write of many; a part of it is on the ledger."""

    exit_code = ExitCode.INTERRUPTED
    default_code = "interrupted"


class UndeterminedError(TwinError):
    """Evidence is missing or out of reach: neither yes nor no."""

    exit_code = ExitCode.UNDETERMINED
    default_code = "undetermined"
