"""Whether the bytes of a CSV file are so plain that an engine's own types read them as we do.

An engine that reads times and numbers itself is three times as fast as one that is asked about the
text of every cell, but takes more than we do: ``2024-1-1``, ``007``, ``5.``, `` 1``. None of that
can be where all bytes are digits, signs, points, separators and line ends, in the right places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.model.batch import load_numpy

if TYPE_CHECKING:
    from twincli.model.batch import Array

BLOCK = 1 << 16
"""Bytes that are looked at together: larger arrays cost fresh pages at every step."""

_CLOCK = "dddd-dd-ddTdd:dd:dd"
_FIRST = {0: "19", 5: "01", 8: "03", 11: "02", 14: "05", 17: "05"}
"""What the first digits of the parts of a time are."""


def is_plain(path: str, delimiter: str) -> bool:
    """Say whether a table holds times of one form in its first column, and plain numbers.

    Args:
        path: The file. Its first line, the header, is not looked at but for quotes.
        delimiter: Between cells.
    """
    with open(path, "rb") as stream:
        header = stream.readline()
        if b'"' in header or not header.endswith(b"\n"):
            return False
        form: _Form | None = None
        rest = b""
        while data := stream.read(BLOCK):
            end = data.rfind(b"\n") + 1
            if not end:
                return False
            lines, rest = rest + data[:end], data[end:]
            form = form or _Form.of(lines, delimiter)
            if form is None or not form.fits(lines):
                return False
        if rest:
            form = form or _Form.of(rest, delimiter)
            return form is not None and form.fits(rest + b"\n")
        return form is not None


class _Form:
    """The form of the lines: that of the first one."""

    def __init__(self, clock: str, delimiter: int) -> None:
        np = load_numpy()
        self._delimiter = delimiter
        lows = ["0" if mark == "d" else mark for mark in clock]
        highs = ["9" if mark == "d" else mark for mark in clock]
        for at, span in _FIRST.items():
            lows[at], highs[at] = span[0], span[1]
        self._width = len(clock)
        self._lows = np.frombuffer("".join(lows).encode(), dtype=np.uint8)
        self._spans = np.frombuffer("".join(highs).encode(), dtype=np.uint8) - self._lows
        # Of as many lines as a block can have, one behind the other.
        self._all_lows = np.tile(self._lows, 2 * BLOCK // self._width)
        self._all_spans = np.tile(self._spans, 2 * BLOCK // self._width)

    @classmethod
    def of(cls, lines: bytes, delimiter: str) -> _Form | None:
        """Return the form of the first line, None where its first cell is not as long as a time."""
        cell = lines.partition(delimiter.encode())[0]
        digits = len(cell) - len(_CLOCK) - 2
        clock = _CLOCK + ("Z" if digits < 0 else "." + "d" * digits + "Z")
        if digits > 6 or len(clock) != len(cell):
            return None
        return cls(clock + delimiter, ord(delimiter))

    def fits(self, lines: bytes) -> bool:
        """Say whether lines are of this form."""
        np = load_numpy()
        data = np.frombuffer(lines, dtype=np.uint8)
        is_end = data == ord("\n")
        ends = np.flatnonzero(is_end)
        begins = np.concatenate([[0], ends[:-1] + 1])
        if int((ends - begins).min()) < self._width:
            return False
        windows = np.ndarray(  # as values of that many bytes each, which are copied at once
            len(data) - self._width + 1, dtype=f"V{self._width}", buffer=lines, strides=(1,)
        )
        flat = windows[begins].view(np.uint8)
        lows, spans = self._all_lows[: len(flat)], self._all_spans[: len(flat)]
        if not (flat - lows <= spans).all():
            return False
        times = flat.reshape(-1, self._width)
        if ((times[:, 11] == ord("2")) & (times[:, 12] > ord("3"))).any():
            return False
        return self._has_numbers(data, is_end, times)

    def _has_numbers(self, data: Array, is_end: Array, times: Array) -> bool:
        """Say whether all cells but the times are empty or numbers.

        The times are among the bytes, but what they add to each count is known.
        """
        np = load_numpy()
        count = np.count_nonzero
        rows = len(times)
        points = rows if self._width > len(_CLOCK) + 2 else 0
        digit = data - ord("0") <= 9  # of unsigned bytes: what is less wraps around
        dash, point, zero = data == ord("-"), data == ord("."), data == ord("0")
        apart = is_end | (data == self._delimiter)
        known = count(digit) + count(dash) + count(point) + count(apart)
        # ``T``, ``Z`` and two colons of each time are all that is left.
        if known + 4 * rows != len(data):
            return False
        dashes, all_points = count(dash), count(point)
        begun = apart | dash
        leading = count(begun[:-2] & zero[1:-1] & digit[2:])
        in_times = count(times[:, 5] == ord("0")) + count(times[:, 8] == ord("0"))
        return bool(
            all_points >= points
            and count(dash[1:] & digit[:-1]) == 2 * rows
            and count(dash[1:] & apart[:-1]) == dashes - 2 * rows
            and count(dash[:-1] & digit[1:]) == dashes
            and count(point[1:] & digit[:-1]) == all_points
            and count(point[:-1] & digit[1:]) == all_points
            and leading == in_times
        )
