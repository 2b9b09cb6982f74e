"""The process that commits: it validates transactions and writes them, in its own interpreter.

Validating is most of the cost of a POST, HTTP most of the rest. In one interpreter they would take
turns; in two they run in parallel, and no read waits for a signature. The node sends numbered
bodies down one pipe and gets numbered answers back through the other. While one block is being
committed, what arrives makes the next one, so many clients share one fsync (group commit) and a
single one waits for nobody.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import signal
import sys
from typing import TYPE_CHECKING, Any

from twincli.crypto import canonical
from twincli.errors import ConfigError, InvalidError, TwinError
from twincli.ledger import Ledger
from twincli.node.answers import NOT_JSON, Answer, RefusedError, failure
from twincli.node.writing.identities import Identities
from twincli.rules.structure import Checked, check
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.ledger.ledger import Verdict
    from twincli.ledger.rows import PrimaryId

MAX_BATCH = 500
READ_BYTES = 1 << 20
COLLECT_EVERY = 250
"""Transactions after which garbage is collected."""
ACCEPTED = 202


class Done(NamedTuple):
    """The outcome of one batch, as it travels back.

    Attributes:
        answers: For each of the numbers status, body, kind and headers of its answer.
        fault: Code and message, if the ledger could not be written; then nothing was committed
            and the answers are empty.
    """

    numbers: Sequence[int]
    answers: Sequence[Answer]
    fault: tuple[str, str] | None = None


# --- Frames --------------------------------------------------------------------------------------


def frame(payload: bytes) -> bytes:
    """Return a payload as it is sent: its length in 4 bytes, then itself."""
    return len(payload).to_bytes(4, "big") + payload


def numbered(number: int, body: bytes) -> bytes:
    """Return the frame of a body."""
    return frame(number.to_bytes(8, "big") + body)


class Frames:
    """Extracts payloads from data that arrives in pieces."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads that are complete."""
        held = self._held
        held += data
        found = []
        at = 0
        while len(held) - at >= 4:
            end = at + 4 + int.from_bytes(held[at : at + 4], "big")
            if end > len(held):
                break
            found.append(bytes(held[at + 4 : end]))
            at = end
        del held[:at]
        return found


# --- Judging -------------------------------------------------------------------------------------


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


def commit(
    ledger: Ledger, bodies: Iterable[bytes], identities: Identities | None = None
) -> list[Answer]:
    """Validate a batch and commit what is valid, durably and in one block.

    Args:
        ledger: To commit to.
        bodies: Of the requests.
        identities: Says what twins have to themselves; kept from one batch to the next.

    Returns:
        For each body 202 and the transaction, or the refusal.

    Raises:
        ConfigError, TwinError: The ledger cannot be written; nothing was committed.
    """
    identities = identities or Identities(ledger)
    found = [_checked(body) for body in bodies]
    own: list[tuple[int, PrimaryId]] = []
    good: list[Checked] = []
    for place, item in enumerate(found):
        if isinstance(item, Answer):
            continue
        try:
            identity = identities.of(item)
        except InvalidError as error:
            found[place] = refusal(error, item.tx)
            continue
        if identity is not None:
            own.append((len(good), identity))
        good.append(item)
    verdicts = iter(ledger.submit_each(good, own) if good else ())
    return [item if isinstance(item, Answer) else _answer(item, next(verdicts)) for item in found]


def _checked(body: bytes) -> Checked | Answer:
    try:
        return checked(body)
    except RefusedError as refused:
        return refused.answer


def _answer(item: Checked, verdict: Verdict) -> Answer:
    if isinstance(verdict, InvalidError):
        return refusal(verdict, item.tx)
    return Answer(ACCEPTED, item.body.encode())


def refusal(error: InvalidError, tx: Any) -> Answer:
    """Return the answer for a transaction that breaks a rule, in the server's words."""
    if error.code == "schema_validation_error":
        return failure(400, f"Invalid transaction schema: {error.message}")
    name = "".join(part.capitalize() for part in error.code.split("_"))
    status = 409 if error.code == "duplicate_twin" else 400
    return failure(status, f"Invalid transaction ({name}): {_wording(error, tx)}")


def _wording(error: InvalidError, tx: Any) -> str:
    """Return the server's own sentence where it is as precise as ours."""
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


# --- The process ---------------------------------------------------------------------------------


def identity(path: str) -> str:
    """Return what identifies a file, even if another takes its path; empty if it is missing."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}"


def tidy() -> None:
    """Collect garbage, and never look again at what is left.

    What the ledger remembers grows to hundreds of thousands of objects without a cycle among them.
    Python's own collector goes through all of them now and then, which takes a quarter of a second
    while every client waits.
    """
    gc.collect()
    gc.freeze()


def serve(path: str, file: str, source: int, target: int) -> None:
    """Commit what is sent, until the other end is closed.

    Args:
        path: The ledger's file.
        file: Its ``identity``, as the node that reads it has found it.
        source: Descriptor to read bodies from.
        target: Descriptor to write answers to.
    """
    frames = Frames()
    ledger = identities = None
    transactions = 0
    while data := os.read(source, READ_BYTES):
        arrived = frames.feed(data)
        for at in range(0, len(arrived), MAX_BATCH):
            batch = arrived[at : at + MAX_BATCH]
            numbers = [int.from_bytes(payload[:8], "big") for payload in batch]
            try:
                if identity(path) != file:
                    raise ConfigError(
                        f"{path} was moved or replaced; restart the node", code="moved_ledger"
                    )
                if ledger is None:
                    ledger = Ledger.open(path, create=False)
                    identities = Identities(ledger)
                bodies = [payload[8:] for payload in batch]
                done = Done(numbers, commit(ledger, bodies, identities))
            except TwinError as error:
                done = Done(numbers, (), (error.code, error.message))
            view = memoryview(frame(pickle.dumps(done, pickle.HIGHEST_PROTOCOL)))
            try:
                while view:
                    view = view[os.write(target, view) :]
            except BrokenPipeError:
                break  # the node was killed; what it sent last is still committed
            transactions += len(batch)
            if transactions >= COLLECT_EVERY:
                transactions = 0
                tidy()
    if ledger is not None:
        ledger.close()


def main() -> None:
    """Serve the node that started this process; the arguments are those of ``serve``."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # They go to the whole group; the node stops this process by closing the pipe.
        signal.signal(number, signal.SIG_IGN)
    gc.disable()  # see ``tidy``
    out = os.dup(1)
    os.dup2(2, 1)  # accidental output must not get between the frames
    serve(sys.argv[1], sys.argv[2], 0, out)
