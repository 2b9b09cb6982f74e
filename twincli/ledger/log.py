"""The write-ahead log beside a ledger's file, checked for what SQLite passes over.

SQLite reads the log up to the first frame whose sum is wrong, and takes no notice of the rest:
after a crash that is right. So one changed byte takes the ledger back to an earlier state, true to
itself. But each sum goes on from the one before, as it is written in the log: where a later frame
fits the one before it, both were written, and what lies before them was altered since.

Source: https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import struct
import time
from typing import IO

from twincli import files
from twincli.values import NamedTuple

_HEAD = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_ORDERS = {0x377F0682: "<", 0x377F0683: ">"}
_SIZES = frozenset(1 << power for power in range(9, 17))
_SUMMED = 24
_TRIES = 4
_PAUSE = 0.05
"""Seconds after which what another process is writing is written."""

_Sum = tuple[int, int]


class Fault(NamedTuple):
    """What is wrong with a log.

    Attributes:
        message: For people.
        is_altered: False: a loss of power may have done it.
    """

    message: str
    is_altered: bool


def fault(path: str) -> Fault | None:
    """Return what is wrong with a log; None: nothing, or there is none.

    Args:
        path: The log. Others may write to it meanwhile.
    """
    before = None
    for _ in range(_TRIES):
        try:
            with files.regular(path, path) as stream:
                head = stream.read(_HEAD.size)
                found = _fault(head, stream)
                stream.seek(0)
                is_same = stream.read(_HEAD.size) == head  # else it was begun again meanwhile
        except FileNotFoundError:
            return None
        if is_same and (found is None or found == before):
            return found
        before = found
        time.sleep(_PAUSE)
    return None


def _fault(head: bytes, stream: IO[bytes]) -> Fault | None:
    if not head:
        return None
    seed = None
    if len(head) == _HEAD.size:
        magic, _, page, _, *salts, one, two = _HEAD.unpack(head)
        order = _ORDERS.get(magic, "<")
        seed = _sum(head[:_SUMMED], order, (0, 0))
        if magic not in _ORDERS or page not in _SIZES or seed != (one, two):
            seed = None
    if seed is None:
        message = "the head of its log was altered, so that nothing in the log is read"
        return Fault(message, is_altered=bool(stream.read(1)))
    return _of_frames(stream, page, tuple(salts), order, seed)


def _of_frames(
    stream: IO[bytes], page: int, salts: tuple[int, ...], order: str, seed: _Sum
) -> Fault | None:
    number, broken, torn = 0, 0, False
    before = seed
    while frame := stream.read(_FRAME.size + page):
        number += 1
        if len(frame) < _FRAME.size + page:
            torn = torn or not broken
            break
        _, _, *held, one, two = _FRAME.unpack_from(frame)
        # Those with other salts are left from before the log was begun again.
        if tuple(held) == salts:
            fits = _sum(frame[:8] + frame[_FRAME.size :], order, before) == (one, two)
            if fits and broken:
                message = f"frame {broken} of its log was altered, so that what follows is not read"
                return Fault(message, is_altered=True)
            if not fits and not broken:
                torn = True
        if not broken and (torn or tuple(held) != salts):
            broken = number
        before = one, two
    if torn:
        message = f"frame {broken or number} ends its log, and was altered or not written whole"
        return Fault(message, is_altered=False)
    return None


def _sum(data: bytes, order: str, seed: _Sum) -> _Sum:
    """Return SQLite's sum over some words, going on from another one."""
    one, two = seed
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
