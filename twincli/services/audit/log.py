"""The file of the audit log: lines that each carry the hash of the one before.

A line is the canonical JSON of an entry with ``n``, its number from 1, ``prev``, the hash of the
entry before, and ``hash``, that of the entry without this member. Beside the file, ``head`` names
the number and hash of the last entry, so that a cut end is found, too. An entry is written before
the head, both under a lock: a writer that is killed in between leaves a log that is one entry
longer than its head says, or an unfinished line, which the next writer removes.

A writer continues from the head, also where the file does not hold it any more: what was cut or
changed stays visible behind what is written later. Somebody who can write these files can replace
them all; only a head that was noted elsewhere shows that.
"""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress

from twincli import files
from twincli.crypto import canonical
from twincli.crypto.digests import sha256
from twincli.errors import ConfigError, InvalidError
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

LOG, HEAD = "log.jsonl", "head"

LONGEST = 8192
"""Bytes of a line."""

MOST_PROBLEMS = 100
"""Problems that are listed; more are counted."""

_BEGINNING = "0" * 64
_HEAD = re.compile(rb"(0|[1-9][0-9]{0,15}) ([0-9a-f]{64})\n")
_HASH = re.compile(r"[0-9a-f]{64}")


class Head(NamedTuple):
    """The last entry of a log.

    Attributes:
        number: Its number; 0: there is none.
        hash: Its hash.
    """

    number: int = 0
    hash: str = _BEGINNING


class Problem(NamedTuple):
    """What is wrong with a log.

    Attributes:
        line: The line of the file where it shows.
        entry: The number of the entry that is concerned.
        code: ``malformed``, ``changed``, ``cut``, ``moved`` or ``head``.
        message: For people.
    """

    line: int
    entry: int
    code: str
    message: str


def append(directory: str, entry: dict[str, Any], *, durable: bool = True) -> Head:
    """Append an entry; several processes may do so at once.

    Args:
        directory: Of the log; made where it is missing.
        entry: What is noted, without ``n``, ``prev`` and ``hash``.
        durable: Whether a power loss may not take it.

    Raises:
        ConfigError: ``cannot_write``.
    """
    files.make_directory(directory)
    path = os.path.join(directory, LOG)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise files.cannot("write", path, error) from error
    try:
        with files.held(path):
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"cannot write {path}: not a regular file", code="cannot_write")
            try:
                before = _last(descriptor, read_head(directory))
                line, after = _line(entry, before)
                _write(descriptor, line)
                if durable:
                    os.fsync(descriptor)
            except OSError as error:
                raise files.cannot("write", path, error) from error
            text = f"{after.number} {after.hash}\n".encode()
            files.replace(os.path.join(directory, HEAD), text, durable=durable)
    finally:
        os.close(descriptor)
    return after


def _line(entry: dict[str, Any], before: Head) -> tuple[bytes, Head]:
    numbered = {**entry, "n": before.number + 1, "prev": before.hash}
    made = sha256(canonical.encode(numbered)).hexdigest()
    line = canonical.encode({**numbered, "hash": made}) + b"\n"
    assert len(line) <= LONGEST, "callers bound the texts of an entry"
    return line, Head(before.number + 1, made)


def _write(descriptor: int, line: bytes) -> None:
    view = memoryview(line)
    while view:
        view = view[os.write(descriptor, view) :]


def _last(descriptor: int, head: Head | None) -> Head:
    """Return what the next entry continues, and see that it begins a line."""
    size = os.fstat(descriptor).st_size
    os.lseek(descriptor, max(0, size - 2 * LONGEST), os.SEEK_SET)
    tail = b""
    while piece := os.read(descriptor, 2 * LONGEST):
        tail += piece
    whole, newline, torn = tail.rpartition(b"\n")
    found = _parsed(whole[whole.rfind(b"\n") + 1 :] + newline)
    last = Head() if found is None else Head(found["n"], found["hash"])
    # Of what the head names, nothing may be missing: what follows must show it.
    is_whole = head is None or last.number >= head.number
    if torn and is_whole and len(torn) <= LONGEST:
        os.ftruncate(descriptor, size - len(torn))  # its writer was killed
    elif torn:
        _write(descriptor, b"\n")  # it stays, to be found
    return last if head is None or last.number > head.number else head


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return an entry whose form is right, None where it is not."""
    if not line.endswith(b"\n") or len(line) > LONGEST:
        return None
    try:
        found = json.loads(line)
        if not isinstance(found, dict) or canonical.encode(found) + b"\n" != line:
            return None
    except (ValueError, RecursionError, InvalidError):
        return None
    number, texts = found.get("n"), (found.get("hash"), found.get("prev"))
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 10**15:
        return None
    if not all(isinstance(text, str) and _HASH.fullmatch(text) for text in texts):
        return None
    return found


def read_head(directory: str) -> Head | None:
    """Return what the file beside the log says, None where it is missing or malformed.

    Raises:
        ConfigError: ``cannot_read``.
    """
    path = os.path.join(directory, HEAD)
    try:
        data = files.read_regular(path, 128, path)
    except FileNotFoundError:
        return None
    found = _HEAD.fullmatch(data)
    return None if found is None else Head(int(found[1]), found[2].decode())


# --- Checking ----------------------------------------------------------------------------------


class Check:
    """Reads a log from its beginning and says what is wrong with it.

    Attributes:
        checked: Entries that were read.
        last: The last of them.
        problems: The first of those that were found.
        more: How many more there are.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.checked = 0
        self.last = Head()
        self.problems: list[Problem] = []
        self.more = 0

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entries in their order, also those that do not continue the chain.

        What is malformed is a problem, and no entry. When all were taken, ``problems`` is complete.

        Raises:
            ConfigError: ``cannot_read``.
        """
        path = os.path.join(self._directory, LOG)
        # What is written meanwhile is not read: it would be judged by a head that is older.
        with files.held(path):
            head, size = read_head(self._directory), 0
            with suppress(FileNotFoundError):
                size = os.stat(path).st_size
        lines = 0
        if size:
            try:
                with open(path, "rb", opener=files.open_at_once) as file:
                    for line in _lines(file, size):
                        if not line.endswith(b"\n"):
                            break  # its writer was killed, or it was cut: the head knows
                        lines += 1
                        found = self._take(lines, line)
                        if found is not None:
                            yield found
            except OSError as error:
                raise files.cannot("read", path, error) from error
        self._judge_end(head, lines)

    def _take(self, line: int, data: bytes) -> dict[str, Any] | None:
        found, expected = _parsed(data), self.last.number + 1
        if found is None:
            self._add(line, expected, "malformed", f"line {line} is malformed")
            self.last = Head(expected, "")  # what follows is believed to continue it
            return None
        self.checked += 1
        count, stated = found["n"], found.pop("hash")
        known = stated
        if sha256(canonical.encode(found)).hexdigest() != stated:
            message = f"line {line} was changed: its hash is not that of its content"
            self._add(line, count, "changed", message)
            self.last = Head(count, "")
            return {**found, "hash": stated}
        if count > expected:
            gone = _entries(expected, count - 1)
            self._add(line, expected, "cut", f"{gone} missing before line {line}")
        elif count < expected:
            after = f"entry {count}, and stands after entry {expected - 1}"
            self._add(line, count, "moved", f"line {line} is {after}")
        elif self.last.hash not in {"", found["prev"]}:
            which, why = line - 1, f"line {line} continues another one"
            if line == 1:
                which, why, known = 1, "it does not begin a log", ""
            self._add(which, which, "changed", f"line {which} was changed: {why}")
        self.last = Head(count, known)
        return {**found, "hash": stated}

    def _judge_end(self, head: Head | None, lines: int) -> None:
        last = self.last
        if head is None and lines:
            message = f"the file {HEAD} beside the log, which names the last entry, is missing"
            self._add(lines, last.number, "head", message)
        elif head is not None and last.number < head.number:
            gone = _entries(last.number + 1, head.number)
            self._add(lines + 1, last.number + 1, "cut", f"{gone} missing at the end")
        elif head is not None and last.number == head.number and last.hash not in {"", head.hash}:
            message = f"line {lines} was changed: it is not the entry that was written last"
            self._add(lines, head.number, "changed", message)

    def _add(self, line: int, entry: int, code: str, message: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(line, entry, code, message))
        else:
            self.more += 1


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


def _lines(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the lines among the first bytes of a file; of one that is too long its beginning."""
    begun = b""
    while size > 0:
        piece = file.readline(min(LONGEST, size))
        if not piece:
            break
        size -= len(piece)
        if len(begun) <= LONGEST:
            begun += piece
        if piece.endswith(b"\n"):
            yield begun if begun.endswith(b"\n") else begun + b"\n"
            begun = b""
    if begun:
        yield begun
