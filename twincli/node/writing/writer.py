"""The way of a transaction to the process that commits it, and of its answer back."""

from __future__ import annotations

import asyncio
import pickle
import sys
from typing import TYPE_CHECKING, cast

from twincli.errors import ConfigError, TwinError
from twincli.node.answers import Answer, RefusedError, failure
from twincli.node.writing import committer
from twincli.node.writing.bodies import CLOSE, LARGE, MAX_HELD, Room, busy
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from twincli.node.metrics import Metrics

IN_FLIGHT = 1 << 20
"""Bytes sent to the process and not yet answered; the rest waits here, where it can be dropped.

It is more than makes the largest batch of usual transactions, so the process never idles.
"""
END_SECONDS = 5.0
"""How long a process may take to end once nobody waits for it."""


def _never() -> bool:
    return False


class Writer:
    """The way to the processes that commit; see ``committer``.

    There are two of them, because large transactions take long to judge: each lane has its own
    queue and its own bound, so large transactions neither delay small ones nor displace them.

    Args:
        path: The ledger's file.
        metrics: Counts every block.
        committed: Called after every block that this node commits.
    """

    def __init__(self, path: str, metrics: Metrics, committed: Callable[[], None]) -> None:
        self._metrics = metrics
        self._committed = committed
        self.small = Lane(path, self._done)
        self.large = Lane(path, self._done)
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many transactions wait for their answer."""
        return len(self.small.waiting) + len(self.large.waiting)

    async def start(self) -> None:
        """Start a process now, so that the first transaction need not wait for it."""
        await self.small.process()

    async def submit(self, body: bytes, is_gone: Callable[[], bool] = _never) -> Answer:
        """Have a transaction judged and committed durably.

        Args:
            body: Of the request.
            is_gone: Says whether the client disconnected; then it is dropped while it still waits.

        Returns:
            202 and the transaction, or the refusal.

        Raises:
            RefusedError: 503: too much waits, or the node is stopping. 400: the client is gone.
            TwinError: The ledger cannot be written; nothing was committed. ``writer_ended``: it
                may be committed or not.
        """
        if self._closing:
            raise RefusedError(busy("the node is stopping"))
        lane = self.small if len(body) <= LARGE else self.large
        return await lane.submit(body, is_gone)

    def _done(self, batch: Sequence[Answer]) -> None:
        accepted = sum(answer.status == committer.ACCEPTED for answer in batch)
        self._metrics.committed(accepted, len(batch) - accepted)
        if accepted:
            self._committed()

    async def close(self, *, at_once: bool = False) -> None:
        """Commit what waits, then end the processes.

        Args:
            at_once: End them without that; it is not known then what was committed.
        """
        self._closing = True
        lanes = (self.small, self.large)
        await asyncio.gather(*(lane.close(at_once=at_once) for lane in lanes))


class _Queued(NamedTuple):
    body: bytes
    is_gone: Callable[[], bool]


class Lane:
    """One process that commits, started when it is needed and again after it ended.

    Args:
        path: The ledger's file.
        done: Called with the answers of every batch.

    Attributes:
        waiting: By its number, what takes the answer.
        room: Bytes of what waits.
    """

    def __init__(self, path: str, done: Callable[[Sequence[Answer]], None]) -> None:
        self.waiting: dict[int, asyncio.Future[Answer]] = {}
        self.room = Room(MAX_HELD)
        self._path = path
        self._file = committer.identity(path)
        self._batch_done = done
        self._starting: asyncio.Task[Process] | None = None
        self._last = 0
        self._held: dict[int, int] = {}
        self._queue: dict[int, _Queued] = {}
        self._sent: dict[int, int] = {}
        self._in_flight = 0

    @property
    def pid(self) -> int | None:
        """The id of the process; None where none runs yet, or any more."""
        if self._starting is None or not self._starting.done():
            return None
        return int(self._starting.result().transport.get_pid())

    async def process(self) -> Process:
        """Return the process, which may have to be started."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        return await asyncio.shield(self._starting)

    async def _start(self) -> Process:
        try:
            _, process = await asyncio.get_running_loop().subprocess_exec(
                lambda: Process(self._done, self._ended),
                sys.executable,
                "-c",  # with -m what it sends would be of the module __main__
                # Modules come from where ours do, not from the current directory.
                f"import sys; sys.path[:] = {sys.path!r};"
                f" from {committer.__name__} import main; main()",
                self._path,
                self._file,
                stderr=None,
            )
        except OSError as error:
            self._starting = None
            why = (error.strerror or str(error)).lower()
            raise ConfigError(f"the writer cannot be started: {why}", code="no_writer") from error
        return process

    async def submit(self, body: bytes, is_gone: Callable[[], bool]) -> Answer:
        """Have a transaction judged and committed; see ``Writer.submit``."""
        if not self.room.has(len(body)):
            self._drop_gone()
        if not self.room.has(len(body)):
            raise RefusedError(busy("too many transactions are waiting to be committed"))
        self._last += 1
        number = self._last
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting[number] = future  # before there is a process, which may end at once
        self.room.used += len(body)
        self._held[number] = len(body)
        try:
            process = await self.process()
            self._queue[number] = _Queued(body, is_gone)
            self._send_next(process)
            return await future
        finally:
            self._give_back(number)
            self.waiting.pop(number, None)
            self._queue.pop(number, None)

    def _send_next(self, process: Process) -> None:
        """Send waiting transactions, in order, while the process has little to do."""
        while self._queue:
            number, (body, is_gone) = next(iter(self._queue.items()))
            if self._in_flight and self._in_flight + len(body) > IN_FLIGHT:
                return
            del self._queue[number]
            if is_gone():
                self._fail([number], _gone())
            elif not self.waiting[number].done():
                self._sent[number] = len(body)
                self._in_flight += len(body)
                process.send(committer.numbered(number, body))

    def _drop_gone(self) -> None:
        """Make room: drop the transactions of clients that went away."""
        gone = [number for number, queued in self._queue.items() if queued.is_gone()]
        for number in gone:
            del self._queue[number]
            self._give_back(number)
        self._fail(gone, _gone())

    def _give_back(self, number: int) -> None:
        self.room.used -= self._held.pop(number, 0)

    def _done(self, process: Process, done: committer.Done) -> None:
        """Hand the answers of a batch to those who wait."""
        self._in_flight -= sum(self._sent.pop(number, 0) for number in done.numbers)
        self._send_next(process)
        if done.fault is not None:
            code, message = done.fault
            self._fail(done.numbers, ConfigError(message, code=code))
            return
        for number, answer in zip(done.numbers, done.answers, strict=True):
            future = self.waiting.get(number)
            if future is not None and not future.done():  # else its request was cancelled
                future.set_result(answer)
        self._batch_done(done.answers)

    def _ended(self) -> None:
        """Answer those who wait for a process that ended; the next transaction starts another."""
        self._starting = None
        self._queue.clear()
        self._sent.clear()
        self._in_flight = 0
        fault = TwinError(
            "the writer ended before it answered", code="writer_ended", retryable=True
        )
        self._fail([*self.waiting], fault)

    def _fail(self, numbers: Iterable[int], fault: Exception) -> None:
        for number in numbers:
            future = self.waiting.get(number)
            if future is not None and not future.done():
                future.set_exception(fault)

    async def close(self, *, at_once: bool) -> None:
        """Let the process finish and end, or end it at once."""
        if self._starting is None:
            return
        try:
            process = await self._starting
        except ConfigError:
            return  # there is none; those who needed it were answered
        if self.waiting and not at_once:
            await asyncio.wait([*self.waiting.values()])
        await process.end(0 if at_once else END_SECONDS)


def _gone() -> RefusedError:
    return RefusedError(failure(400, "the client disconnected", CLOSE))


class Process(asyncio.SubprocessProtocol):
    """One process that commits.

    Args:
        done: Called for every batch, with this process.
        ended: Called once, when it has ended.
    """

    def __init__(
        self, done: Callable[[Process, committer.Done], None], ended: Callable[[], None]
    ) -> None:
        self._done = done
        self._ended = ended
        self._frames = committer.Frames()
        self._unsent: list[bytes] = []
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the pipes."""
        self.transport = cast("asyncio.SubprocessTransport", transport)
        self.pipe = cast("asyncio.WriteTransport", self.transport.get_pipe_transport(0))

    def send(self, data: bytes) -> None:
        """Send a frame, with all the others of this round of the event loop."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(data)

    def _flush(self) -> None:
        if not self.pipe.is_closing():  # else it ended, and those who wait are answered so
            self.pipe.write(b"".join(self._unsent))
        self._unsent.clear()

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - there is one
        """Take answers."""
        for payload in self._frames.feed(data):
            self._done(self, pickle.loads(payload))  # noqa: S301 - from our own process

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        """Expect no more answers."""
        if fd == 1:  # until here answers may come
            self._ended()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Note that it ended."""
        self.transport.close()
        self.gone.set()

    async def end(self, seconds: float) -> None:
        """Let it end; kill it after some seconds."""
        self.pipe.close()
        try:
            async with asyncio.timeout(seconds):
                await self.gone.wait()
        except TimeoutError:
            self.transport.kill()
            self.transport.close()
