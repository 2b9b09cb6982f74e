"""Listings on a terminal: rows as they come, columns that fit, nothing dropped.

The widths come from the first rows, so that these are shown at once however long the listing is.
Where columns would become too narrow, each row is drawn as lines of its own, one a value.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from twincli.model.ids import is_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SAMPLE = 100
_GAP = 2
_NARROW = 10
_NARROWEST = 8
_BREAKABLE = frozenset({"path", "value", "before", "after", "by"})
_TOKEN = 24
_LONGEST_LABEL = 20
_SHORT_ID = 10

_BOLD, _DIM, _CYAN, _END = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m"


def shortened(text: str) -> str:
    """Return an id by its first digits, which every command takes; other text as it is."""
    return text[:_SHORT_ID] if is_id(text) else text


def lines(
    headers: Sequence[str], rows: Iterator[Sequence[str]], columns: int, *, color: bool = False
) -> Iterator[str]:
    """Yield the lines of a listing.

    Args:
        headers: Of the columns.
        rows: Of single lines of text that is safe to show.
        columns: Of the terminal.
        color: Whether to emphasise: names bold, ids dim, kinds coloured.
    """
    first = list(islice(rows, _SAMPLE))
    if not headers or not first:
        return
    shown = [index for index in range(len(headers)) if any(row[index] for row in first)]
    every: Iterator[Sequence[str]] = chain(first, rows)
    if first and shown and len(shown) < len(headers):
        every = _without_empty(headers, every, shown)
        first = [[row[index] for index in shown] for row in first]
        headers = [headers[index] for index in shown]
    natural = [
        max(cells(header), *(cells(row[index]) for row in first), 1)
        for index, header in enumerate(headers)
    ]
    least = [
        min(width, _NARROWEST)
        if headers[index] in _BREAKABLE
        else min(width, _TOKEN, max(_NARROW, *(_longest_token(row[index]) for row in first), 1))
        for index, width in enumerate(natural)
    ]
    widths = _fitted(natural, least, columns)
    styles = [_style(header) if color else "" for header in headers]
    if widths is None:
        yield from _stacked(headers, every, columns, styles, bold=color)
        return
    # Later rows may be longer than the first: the last column gets what is left.
    widths[-1] = max(widths[-1], columns - sum(widths[:-1]) - _GAP * (len(widths) - 1))
    yield from _row(headers, widths, [_BOLD if color else ""] * len(headers))
    for row in every:
        yield from _row(row, widths, styles)


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text
    )


def _longest_token(text: str) -> int:
    """Return the length of what is better not broken: a name, an id, a time, also among words."""
    if " " not in text:
        return len(text) if len(text) <= _TOKEN else 0
    times = (word for word in text[: _TOKEN * 10].split(" ") if word[:1].isdigit())
    return max((len(word) for word in times if word.endswith("Z")), default=0)


def _without_empty(
    headers: Sequence[str], rows: Iterator[Sequence[str]], shown: list[int]
) -> Iterator[Sequence[str]]:
    """Yield rows without the columns that were empty at first; what comes later is not lost."""
    for row in rows:
        kept = [row[index] for index in shown]
        late = [
            f"{headers[index]} {text}"
            for index, text in enumerate(row)
            if text and index not in shown
        ]
        kept[-1] = "; ".join([kept[-1], *late] if kept[-1] else late)
        yield kept


def _fitted(natural: list[int], least: list[int], columns: int) -> list[int] | None:
    """Return widths that fit, the widest columns made narrower; None where none would do."""
    room = columns - _GAP * (len(natural) - 1)
    if sum(least) > room:
        return None
    # A wider one takes all there is; a stranger's megabyte is not narrowed letter by letter.
    widths = [min(width, columns) for width in natural]
    while sum(widths) > room:
        at = max(
            (index for index in range(len(widths)) if widths[index] > least[index]),
            key=lambda index: widths[index],
        )
        widths[at] -= 1
    return widths


def _row(row: Sequence[str], widths: list[int], styles: list[str]) -> Iterator[str]:
    folded = [list(_folded(text, width)) for text, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, folded))):
        line = ""
        blank = 0
        for parts, width, style in zip(folded, widths, styles, strict=True):
            text = parts[number] if number < len(parts) else ""
            if text:
                line += " " * blank + (f"{style}{text}{_END}" if style else text)
                blank = 0
            blank += width - cells(text) + _GAP
        yield line


def _stacked(
    headers: Sequence[str],
    rows: Iterator[Sequence[str]],
    columns: int,
    styles: list[str],
    *,
    bold: bool,
) -> Iterator[str]:
    label = min(max(map(cells, headers)), _LONGEST_LABEL)
    room = max(columns - label - _GAP, _NARROW)
    for number, row in enumerate(rows):
        if number:
            yield ""
        for header, text, style in zip(headers, row, styles, strict=True):
            if text:
                yield from _row([header, text], [label, room], [_BOLD if bold else "", style])


def _folded(text: str, width: int) -> Iterator[str]:
    """Break a text into lines, at blanks where there are some."""
    at = 0
    while (end := _fitting(text, at, width)) < len(text):
        blank = text.rfind(" ", at + 1, end + 1)
        # A long word is broken, unless it would fit on a line of its own.
        word = text[blank + 1 : blank + 2 + width].partition(" ")[0]
        is_kept = blank > 0 and (blank - at > (end - at) // 2 or cells(word) <= width)
        cut = blank if is_kept else max(end, at + 1)
        yield text[at:cut].rstrip(" ")
        at = cut
        while text.startswith(" ", at):
            at += 1
    yield text[at:]


def _fitting(text: str, at: int, width: int) -> int:
    """Return the first letter from a place on that does not fit, or the length of the text."""
    if text.isascii():
        return min(at + width, len(text))
    for index in range(at, len(text)):
        width -= cells(text[index])
        if width < 0:
            return index
    return len(text)


def _style(header: str) -> str:
    if header == "name":
        return _BOLD
    if header == "kind":
        return _CYAN
    return _DIM if header in {"id", "asset_id", "transaction_id", "spent_by", "public_key"} else ""
