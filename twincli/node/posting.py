"""Taking transactions: the body of a POST, the one writer, what is answered to a refusal.

A body is read where the request runs and waits for the writer. While one block is being
committed, all that arrives makes the next one, so that many clients share one fsync (group commit)
and a single one waits for nobody.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from twincli.crypto import canonical
from twincli.errors import InvalidError
from twincli.node.answers import NOT_JSON, Answer, RefusedError, failure
from twincli.rules.structure import Checked, check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from twincli.ledger import Ledger
    from twincli.ledger.ledger import Verdict
    from twincli.node.metrics import Metrics

    Receive = Callable[[], Awaitable[dict[str, Any]]]

MAX_BODY = 1 << 20
"""Bytes of a transaction, unless the node is told otherwise."""
MAX_HELD = 64 << 20
"""Bytes of all bodies that are being read at once."""
MAX_BATCH = 500
GATHER_SECONDS = 0.0003
GATHER_TIMES = 5
"""A batch of several waits so long for more, and so often as more has come: the clients that were
just answered are about to ask again, and larger batches cost less each."""
ACCEPTED = 202

CLOSE = (b"connection", b"close")


class Bodies:
    """Reads bodies within limits.

    Args:
        largest: Bytes of one.
    """

    def __init__(self, largest: int = MAX_BODY) -> None:
        self.largest = largest
        self._held = 0

    async def read(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes:
        """Return the body of a request.

        Raises:
            RefusedError: 413 too large, 503 too many at once, 400 cut off.
        """
        for name, value in headers:
            if name == b"content-length" and int(value) > self.largest:
                raise self._too_large()
        pieces: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError(failure(400, "the body ended before its end", CLOSE))
                piece = message.get("body", b"")
                size += len(piece)
                self._held += len(piece)
                pieces.append(piece)
                if size > self.largest:
                    raise self._too_large()
                if self._held > MAX_HELD:
                    raise RefusedError(busy("too many bodies are being sent at once"))
                if not message.get("more_body"):
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        finally:
            self._held -= size

    def _too_large(self) -> RefusedError:
        text = f"the body is larger than {self.largest} bytes"
        return RefusedError(failure(413, text, CLOSE))


def busy(message: str) -> Answer:
    """Return the answer for what may succeed a moment later."""
    return failure(503, message, (b"retry-after", b"1"), CLOSE)


def checked(body: bytes) -> Checked:
    """Parse a transaction and check its form.

    Raises:
        RefusedError: 400.
    """
    try:
        tx = canonical.decode(body, what="the body")
    except InvalidError as error:
        if isinstance(error.__cause__, (json.JSONDecodeError, UnicodeDecodeError)):
            raise RefusedError(NOT_JSON) from None
        raise RefusedError(failure(400, error.message)) from None
    try:
        return check(tx)
    except InvalidError as error:
        raise RefusedError(refusal(error, tx)) from None


class Writer:
    """The one that commits.

    Its thread does all the work on a transaction, one batch after the other: the interpreter lets
    one thread run at a time, and two that both had much to do would hand it over at every
    signature and every row.

    Args:
        ledger: Used by nobody else.
        metrics: Told about every commit.
        committed: Called after every block that this node commits.
    """

    def __init__(self, ledger: Ledger, metrics: Metrics, committed: Callable[[], None]) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._committed = committed
        self._thread = ThreadPoolExecutor(1, "twin-writer")
        self._waiting: list[tuple[bytes | Checked, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many transactions wait for the next block."""
        return len(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether a block is being made."""
        return self._running is not None and not self._running.done()

    async def submit(self, item: bytes | Checked) -> Answer:
        """Have a transaction judged and committed durably.

        Args:
            item: The body of the request, or what ``checked`` has made of it.

        Returns:
            202 and the transaction, or the refusal.

        Raises:
            ConfigError, TwinError: The ledger cannot be written; nothing was committed.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if not self.is_busy:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await self._gather()
            batch = self._waiting[:MAX_BATCH]
            del self._waiting[:MAX_BATCH]
            items = [item for item, _ in batch]
            outcome = loop.run_in_executor(self._thread, self._commit, items)
            await asyncio.wait((outcome,))
            fault = outcome.exception()
            found = [] if fault else outcome.result()
            for number, (_, future) in enumerate(batch):
                if future.done():
                    continue  # its request was cancelled; the block holds it all the same
                if fault is not None:
                    future.set_exception(fault)
                else:
                    future.set_result(found[number])
            accepted = sum(answer.status == ACCEPTED for answer in found)
            self._metrics.committed(accepted, len(found) - accepted)
            if accepted:
                self._committed()

    async def _gather(self) -> None:
        """Let those that are on their way join the batch; one that is alone does not wait."""
        seen = 1
        for _ in range(GATHER_TIMES):
            if len(self._waiting) <= seen:
                return
            seen = len(self._waiting)
            await asyncio.sleep(GATHER_SECONDS)

    def _commit(self, items: list[bytes | Checked]) -> list[Answer]:
        """Judge a batch and commit what is valid, in one block; in the thread."""
        found: list[Answer | Checked] = []
        for item in items:
            try:
                found.append(item if isinstance(item, Checked) else checked(item))
            except RefusedError as refused:
                found.append(refused.answer)
        good = [item for item in found if isinstance(item, Checked)]
        verdicts = iter(self._ledger.submit_each(good) if good else ())
        return [
            item if isinstance(item, Answer) else _answer(item, next(verdicts)) for item in found
        ]

    async def close(self) -> None:
        """Commit what waits, then close the ledger."""
        if self._running is not None:
            await self._running
        self._thread.shutdown()
        self._ledger.close()


def _answer(item: Checked, verdict: Verdict) -> Answer:
    if isinstance(verdict, InvalidError):
        return refusal(verdict, item.tx)
    return Answer(ACCEPTED, item.body.encode())


def refusal(error: InvalidError, tx: Any) -> Answer:
    """Return the answer for a transaction that breaks a rule, in the server's words."""
    if error.code == "schema_validation_error":
        return failure(400, f"Invalid transaction schema: {error.message}")
    name = "".join(part.capitalize() for part in error.code.split("_"))
    return failure(400, f"Invalid transaction ({name}): {_wording(error, tx)}")


def _wording(error: InvalidError, tx: Any) -> str:
    """Return the server's own sentence where it says as much as ours."""
    if error.code == "invalid_hash":
        if not tx.get("id"):
            return "No transaction id found!"
        return (
            f"The transaction's id '{tx['id']}' isn't equal to the hash of its body, i.e. it's not"
            " valid."
        )
    if error.code == "duplicate_transaction":
        return f"transaction `{tx['id']}` already exists"
    if (
        error.code in _OF_ONE_INPUT
        and len(tx["inputs"]) == 1
        and "has no output" not in error.message
    ):
        spent = tx["inputs"][0]["fulfills"]["transaction_id"]
        return f"input `{spent}` {_OF_ONE_INPUT[error.code]}"
    if error.code == "invalid_signature" and "signature" in error.message:
        return "Transaction signature is invalid."
    return error.message


_OF_ONE_INPUT = {"double_spend": "was already spent", "input_does_not_exist": "doesn't exist"}
