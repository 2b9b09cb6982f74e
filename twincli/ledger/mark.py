"""How far a ledger came, in a small file beside it: ``ledger.mark``.

A spoiled page of the write-ahead log ends it, and SQLite takes what is before for all there is. So
each commit is noted outside of the log, after it, and without waiting for the disk: the ledger is
never behind its mark, unless something was lost.
"""

from __future__ import annotations

import os
from binascii import crc32
from contextlib import suppress

from twincli.values import NamedTuple


class Mark(NamedTuple):
    """The last commit that was noted.

    Attributes:
        ledger_id: 64 hex digits.
        height: Of its block.
        seq: Position of its last transaction.
        tx_id: That one's id.
    """

    ledger_id: str
    height: int
    seq: int
    tx_id: str


def read(path: str) -> Mark | None:
    """Return what is noted, None where nothing is or it is not readable."""
    try:
        with open(path, "rb") as file:
            text, _, check = file.read(256).decode("ascii").rstrip().rpartition(" ")
        ledger_id, height, seq, tx_id = text.split(" ")
        if int(check, 16) == crc32(text.encode()):
            return Mark(ledger_id, int(height), int(seq), tx_id)
    except (OSError, ValueError):
        pass
    return None


def write(path: str, mark: Mark) -> None:
    """Note a commit; where that is not possible, less is found later."""
    # Of one width, so that it is written in place, in one step.
    text = f"{mark.ledger_id} {mark.height:020} {mark.seq:020} {mark.tx_id}"
    line = f"{text} {crc32(text.encode()):08x}\n".encode()
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def remove(path: str) -> None:
    """Forget what is noted, for another ledger begins."""
    with suppress(OSError):
        os.unlink(path)
