"""The way of a transaction to the process that commits it, and of its answer back."""

from __future__ import annotations

import asyncio
import pickle
import sys
from typing import TYPE_CHECKING, cast

from twincli.errors import ConfigError, TwinError
from twincli.node.answers import Answer, RefusedError
from twincli.node.writing import committer
from twincli.node.writing.bodies import MAX_HELD, busy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from twincli.node.metrics import Metrics

LARGE = 16_384
"""Bytes above which a transaction waits only for other large ones, and small ones not for it."""
END_SECONDS = 5.0
"""So long may a process take to end, once nobody waits for it."""


class Writer:
    """The way to the processes that commit; see ``committer``.

    There are two of them: large transactions take long to judge, and the others do not wait for
    them.

    Args:
        path: The ledger's file.
        metrics: Told about every block.
        committed: Called after every block that this node commits.
    """

    def __init__(self, path: str, metrics: Metrics, committed: Callable[[], None]) -> None:
        self._metrics = metrics
        self._committed = committed
        self._small = _Lane(path, self._done)
        self._large = _Lane(path, self._done)
        self._bytes = 0
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many transactions wait for their answer."""
        return len(self._small.waiting) + len(self._large.waiting)

    async def start(self) -> None:
        """Be ready, so that the first transaction does not wait for a process to start."""
        await self._small.process()

    async def submit(self, body: bytes) -> Answer:
        """Have a transaction judged and committed durably.

        Args:
            body: Of the request.

        Returns:
            202 and the transaction, or the refusal.

        Raises:
            RefusedError: 503: too much waits, or the node is stopping.
            TwinError: The ledger cannot be written; nothing was committed. ``writer_ended``: it
                may be committed or not.
        """
        if self._closing:
            raise RefusedError(busy("the node is stopping"))
        if self._bytes + len(body) > MAX_HELD:
            raise RefusedError(busy("too many transactions wait to be committed"))
        self._bytes += len(body)
        try:
            lane = self._small if len(body) <= LARGE else self._large
            return await lane.submit(body)
        finally:
            self._bytes -= len(body)

    def _done(self, batch: Sequence[Answer]) -> None:
        accepted = sum(answer.status == committer.ACCEPTED for answer in batch)
        self._metrics.committed(accepted, len(batch) - accepted)
        if accepted:
            self._committed()

    async def close(self, *, at_once: bool = False) -> None:
        """Commit what waits, then end the processes.

        Args:
            at_once: End them without that; whether it is committed is not known then.
        """
        self._closing = True
        lanes = (self._small, self._large)
        await asyncio.gather(*(lane.close(at_once=at_once) for lane in lanes))


class _Lane:
    """One process that commits, started when it is needed and again when it is gone.

    Args:
        path: The ledger's file.
        done: Called with the answers of every batch.

    Attributes:
        waiting: By its number, what takes the answer.
    """

    def __init__(self, path: str, done: Callable[[Sequence[Answer]], None]) -> None:
        self.waiting: dict[int, asyncio.Future[Answer]] = {}
        self._path = path
        self._file = committer.identity(path)
        self._batch_done = done
        self._starting: asyncio.Task[_Process] | None = None
        self._last = 0

    async def process(self) -> _Process:
        """Return the process, which may have to be started."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        return await asyncio.shield(self._starting)

    async def _start(self) -> _Process:
        try:
            _, process = await asyncio.get_running_loop().subprocess_exec(
                lambda: _Process(self._done, self._ended),
                sys.executable,
                "-c",  # with -m what it sends would be of the module __main__
                # Modules come from where ours do, not from the directory one stands in.
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

    async def submit(self, body: bytes) -> Answer:
        self._last += 1
        number = self._last
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting[number] = future  # before the process is there, which may end at once
        try:
            process = await self.process()
            process.send(committer.numbered(number, body))
            return await future
        finally:
            self.waiting.pop(number, None)

    def _done(self, done: committer.Done) -> None:
        """Hand the answers of a batch to those who wait."""
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
        """Answer those who wait for a process that is gone; the next transaction starts another."""
        self._starting = None
        fault = TwinError(
            "the writer ended before it answered", code="writer_ended", retryable=True
        )
        self._fail([*self.waiting], fault)

    def _fail(self, numbers: Iterable[int], fault: TwinError) -> None:
        for number in numbers:
            future = self.waiting.get(number)
            if future is not None and not future.done():
                future.set_exception(fault)

    async def close(self, *, at_once: bool) -> None:
        """Let it finish and end, or only end."""
        if self._starting is None:
            return
        try:
            process = await self._starting
        except ConfigError:
            return  # there is none; whoever wanted it is told why
        if self.waiting and not at_once:
            await asyncio.wait([*self.waiting.values()])
        await process.end(0 if at_once else END_SECONDS)


class _Process(asyncio.SubprocessProtocol):
    """One process that commits.

    Args:
        done: Called for every batch.
        ended: Called once, when it is gone.
    """

    def __init__(self, done: Callable[[committer.Done], None], ended: Callable[[], None]) -> None:
        self._done = done
        self._ended = ended
        self._frames = committer.Frames()
        self._unsent: list[bytes] = []
        self._gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._pipe = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))

    def send(self, data: bytes) -> None:
        """Send a frame, with all the others of this round of the event loop."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(data)

    def _flush(self) -> None:
        if not self._pipe.is_closing():  # else it is gone, and those who wait are told so
            self._pipe.write(b"".join(self._unsent))
        self._unsent.clear()

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - there is one
        for payload in self._frames.feed(data):
            self._done(pickle.loads(payload))  # noqa: S301 - from our own process

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        if fd == 1:  # until here answers may come
            self._ended()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport.close()
        self._gone.set()

    async def end(self, seconds: float) -> None:
        """Let it end, and see that it does within some seconds."""
        self._pipe.close()
        try:
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        except TimeoutError:
            self._transport.kill()
            self._transport.close()
