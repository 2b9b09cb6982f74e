"""The transactions of a bundle, each looked at by itself, by as many processes as there are cores.

No line needs another one for that, and it is most of the work. So the lines of a large bundle are
shared out, some at a time. Of what is as it should be another process says so, and it is put
together again here from the same text; of anything else only the slowest answer is taken from it,
whether the signatures are good.
"""

from __future__ import annotations

import marshal
import os
import queue
import struct
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from twincli.crypto import merkle
from twincli.errors import InvalidError
from twincli.formats.bundle import TRANSACTIONS, Stretch, follows
from twincli.ledger.block import uncollected
from twincli.ledger.checking import cores
from twincli.rules.texts import append_of
from twincli.services.proof.alone import Alone, look, parsed
from twincli.services.proof.bundled import BundleEvidence, opened, recorded
from twincli.services.proof.evidence import Recorded
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from twincli.formats.bundle import Bundle
    from twincli.services.proof.evidence import Claims, Evidence

LARGE = 4_000_000
"""Bytes of transactions from which on another process is worth its start."""

_AHEAD = 3
"""Stretches that wait for each process."""

_ASKED = struct.Struct("<6Q")
_SIZE = 8
_Row = tuple[int, int, int, bool, bool | None, bool, Any]
"""What is said of a line: where it is said to stand; whether its proof is right; whether its
signatures are, None where nobody asked; whether it is an append; then its metadata."""


def looked_at(
    evidence: Evidence, progress: Callable[[int, int], None] | None = None
) -> Generator[Alone]:
    """Yield the transactions of a bundle in their order, looked at.

    Args:
        evidence: The bundle.
        progress: Called with how many bytes of transactions are done, and how many there are.

    Raises:
        InvalidError: ``damaged_bundle``: a line cannot be read; those before it came already.
    """
    claims = evidence.claims
    if not isinstance(evidence, BundleEvidence):
        inclusions = merkle.Inclusions(claims.size, claims.root)
        for item in evidence.transactions():
            yield look(item, inclusions)
        return
    read = evidence.bundle
    whole = read.places[TRANSACTIONS].size
    with _helpers(read, whole) as helpers:
        for stretch, found in _Sharing(read, claims, helpers).stretches():
            yield from found
            if progress is not None:
                progress(stretch.at + stretch.size, whole)


class _Given(NamedTuple):
    """A stretch that is being looked at.

    Attributes:
        stretch: Which.
        helper: The process that does it; None: it was done here.
        done: What was found here.
        fault: What ended that.
    """

    stretch: Stretch
    helper: Helper | None
    done: Sequence[Alone] = ()
    fault: InvalidError | None = None


class _Sharing:
    """The stretches of a bundle in their order, done here and elsewhere.

    Args:
        read: The bundle.
        claims: What it says about its ledger.
        helpers: The other processes.
    """

    def __init__(self, read: Bundle, claims: Claims, helpers: Sequence[Helper]) -> None:
        self._read = read
        self._inclusions = merkle.Inclusions(claims.size, claims.root)
        self._helpers = helpers
        self._left = read.stretches()
        self._fault: InvalidError | None = None
        self._given: deque[_Given] = deque()
        self._before: Recorded | None = None

    def stretches(self) -> Iterator[tuple[Stretch, Iterator[Alone]]]:
        """Yield them, each with its transactions, which are to be taken before the next."""
        while True:
            for helper in self._helpers:
                while helper.waiting < _AHEAD and (stretch := self._next()) is not None:
                    helper.ask(stretch)
                    self._given.append(_Given(stretch, helper))
            first = self._given[0] if self._given else None
            if first is None or (first.helper is not None and not first.helper.has_answered):
                # While the first is not done elsewhere, one behind it is done here.
                stretch = self._next()
                if stretch is not None:
                    self._given.append(self._done(stretch))
                    continue
            if first is None:
                break
            self._given.popleft()
            yield first.stretch, self._taken(first)
        if self._fault is not None:
            raise self._fault

    def _next(self) -> Stretch | None:
        """Return the next stretch; none follows one that cannot be read."""
        if self._fault is None and len(self._given) < _AHEAD * (len(self._helpers) + 1):
            try:
                return next(self._left, None)
            except InvalidError as error:
                self._fault = error
        return None

    def _done(self, stretch: Stretch) -> _Given:
        """Look at a stretch here."""
        done: list[Alone] = []
        try:
            for line in self._read.lines_in(stretch):
                done.append(look(recorded(line), self._inclusions))  # noqa: PERF401 - some stay
        except InvalidError as error:
            return _Given(stretch, None, done, error)
        return _Given(stretch, None, done)

    def _taken(self, given: _Given) -> Iterator[Alone]:
        """Yield what was found, wherever it was."""
        stretch = given.stretch
        rows = None if given.helper is None else given.helper.answer()
        if rows is not None:
            found: Iterator[Alone] = map(self._again, self._read.bodies(stretch), rows)
        else:
            if given.helper is not None:
                given = self._done(stretch)
            found = iter(given.done)
        for number, one in enumerate(found, stretch.first):
            item = one.item
            if self._before is not None and not follows(self._before[:3], item[:3]):
                raise self._read.out_of_order(number)
            self._before = item
            yield one
        if given.fault is not None:
            raise given.fault

    def _again(self, body: bytes, row: _Row) -> Alone:
        """Put together again what another process found in a line."""
        leaf, height, time_ms, is_proven, is_signed, is_append, metadata = row
        item = Recorded(leaf, height, time_ms, body)
        if is_append:
            checked = append_of(body.decode(), metadata)
            if checked is None:
                raise self._read.changed()
            found = Alone(item, checked.id, None, checked, is_proven)
        else:
            found = parsed(item, is_proven=is_proven)
        if found.checked is not None:
            found.checked.signed = is_signed
        return found


# --- Other processes -----------------------------------------------------------------------------


class Helper:
    """Another process that looks at stretches of a bundle."""

    def __init__(self, path: str, stamp: str) -> None:
        root = os.path.abspath(__file__)
        for _ in range(4):
            root = os.path.dirname(root)
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]);"
            " from twincli.services.proof.sharing import main; main()"
        )
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            # -P: a module in the directory one stands in must not be taken for ours.
            [sys.executable, "-P", "-c", code, root, path, stamp],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # A thread, because not every system can ask a pipe whether something is in it.
        self._receiving = threading.Thread(target=self._receive, daemon=True)
        self._receiving.start()
        self.waiting = 0

    def _receive(self) -> None:
        """Take the answers as they come; they must not fill the pipe."""
        assert self._process.stdout is not None
        while len(head := self._process.stdout.read(_SIZE)) == _SIZE:
            size = int.from_bytes(head, "big")
            data = self._process.stdout.read(size)
            if len(data) < size:  # it ended in the middle
                break
            self._answers.put(data)
        self._answers.put(None)

    @property
    def has_answered(self) -> bool:
        """Whether the next answer is here."""
        return not self._answers.empty()

    def ask(self, stretch: Stretch) -> None:
        """Hand over a stretch."""
        assert self._process.stdin is not None
        self.waiting += 1
        with suppress(OSError):  # it ended, and so do its answers
            self._process.stdin.write(_ASKED.pack(*stretch))
            self._process.stdin.flush()

    def answer(self) -> list[_Row] | None:
        """Return what was found in the stretch that was handed over first, of those that wait.

        None: it has to be done here.
        """
        self.waiting -= 1
        data = self._answers.get()
        if data is None:
            self._answers.put(None)  # nor does it answer what else waits
            status = self._process.wait()
            if status < 0:  # somebody killed it, or the memory was short
                return None
            raise RuntimeError(f"a verifying process ended with status {status}")
        rows: list[_Row] | None = marshal.loads(data)  # noqa: S302 - from our own process
        return rows

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._receiving.join()
        self._process.communicate()


@contextmanager
def _helpers(read: Bundle, size: int) -> Iterator[list[Helper]]:
    """Start other processes where they are worth it."""
    made: list[Helper] = []
    stamp = read.stamp()
    try:
        if stamp is not None and size >= LARGE:
            with suppress(OSError):  # no more processes are allowed; the work is done here
                for _ in range(cores() - 1):
                    made.append(Helper(os.path.abspath(read.what), stamp))  # noqa: PERF401
        yield made
    finally:
        for helper in made:
            helper.close()


def main() -> None:
    """Look at stretches in a process of its own; arguments as ``Helper`` gives them."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted parent ends this process
    path, stamp = sys.argv[2:4]
    with opened(path) as read, uncollected():
        about = read.manifest
        is_same = read.stamp() == stamp
        inclusions = merkle.Inclusions(about.size, bytes.fromhex(about.root))
        while asked := sys.stdin.buffer.read(_ASKED.size):
            stretch = Stretch(*_ASKED.unpack(asked))
            data = marshal.dumps(rows_of(read, stretch, inclusions) if is_same else None)
            sys.stdout.buffer.write(len(data).to_bytes(_SIZE, "big") + data)
            sys.stdout.buffer.flush()


def rows_of(read: Bundle, stretch: Stretch, inclusions: merkle.Inclusions) -> list[_Row] | None:
    """Return what is found in a stretch, None where a line cannot be read."""
    rows: list[_Row] = []
    try:
        for line in read.lines_in(stretch):
            found = look(recorded(line), inclusions)
            checked = found.checked
            rows.append(
                (
                    *line[:3],
                    found.is_proven,
                    None if checked is None else checked.signed,
                    found.is_append,
                    checked.metadata if checked is not None and found.is_append else None,
                )
            )
    except InvalidError:
        return None
    return rows
