"""Lines of files from strangers, and what became of each."""

from __future__ import annotations

import codecs
import io
import re
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from twincli.errors import InvalidError, TwinError, cut
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.model.reading import Observation

_LONGEST_REASON = 400
MAX_LINE = 1 << 20
"""Characters of a line."""
MAX_PASSED = 64 << 20
"""Characters of a line that is passed over as too long; it may have no end, as of /dev/zero."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # it begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


_PACKED = (
    (rb"\x1f\x8b", "compressed with gzip", "gunzip FILE"),
    (rb"\x28\xb5\x2f\xfd", "compressed with zstd", "zstd -d FILE"),
    (rb"BZh[1-9]1AY&SY", "compressed with bzip2", "bunzip2 FILE"),
    (rb"\xfd7zXZ\x00", "compressed with xz", "unxz FILE"),
    (rb"PK\x03\x04", "a ZIP archive, as spreadsheets are", "unpack it, or save it as CSV"),
    (rb"PAR1[\x00-\x08\x0e-\x1f]", "Parquet", "add --format parquet"),
)
"""How files begin that hold no text; a column may be named PAR1."""
_NOT_OF_FILES = frozenset(
    ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "unicode_escape")
)
_MARKING = "twincli.wrong"


def _marked(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\udc80", error.end


codecs.register_error(_MARKING, _marked)


class Read(NamedTuple):
    """An observation.

    Attributes:
        line: Where it began, from 1.
        observation: It.
    """

    line: int
    observation: Observation


class Refused(NamedTuple):
    """Something that is not stored.

    Attributes:
        line: Where it began, from 1.
        code: The error's code.
        reason: Why.
    """

    line: int
    code: str
    reason: str


def refused(line: int, error: TwinError) -> Refused:
    """Return an error as what became of a line."""
    # It shortens what it shows; were that all that is kept, the reason would be lost.
    return Refused(line, error.code, error.message[:_LONGEST_REASON])


class Lines:
    """The lines of a text file, with their numbers.

    Args:
        stream: Binary.
        encoding: As Python calls it; a mark at the beginning decides before it.

    Raises:
        InvalidError: ``unknown_encoding``, ``not_text``.
    """

    def __init__(self, stream: IO[bytes], encoding: str = "utf-8") -> None:
        buffered = io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
        head = peek(buffered, 16)
        check_text(head)
        self.encoding = encoding_of(head, encoding)
        # Wrong bytes become half surrogates, so that they cost a line and not the file.
        self._text = io.TextIOWrapper(buffered, self.encoding, _MARKING, newline="")

    def __iter__(self) -> Iterator[tuple[int, str | None]]:
        """Yield each line with its end; None for one that is too long or of wrong bytes.

        Once.

        Raises:
            InvalidError: ``too_large``: a line is so long that its end is not looked for.
        """
        try:
            yield from self._numbered()
        finally:
            with suppress(ValueError):  # the caller closes the stream, and may have done so
                self._text.detach()

    def _numbered(self) -> Iterator[tuple[int, str | None]]:
        number = 0
        while line := self._text.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE and line[-1] not in "\r\n":
                passed = MAX_LINE
                while (rest := self._text.readline(MAX_LINE)) and rest[-1] not in "\r\n":
                    passed += len(rest)
                    if passed > MAX_PASSED:
                        raise endless(MAX_PASSED, number)
                yield number, None
            elif not line.isascii() and any(0xDC80 <= ord(mark) <= 0xDCFF for mark in line):
                yield number, None
            else:
                yield number, line

    def why_not(self) -> InvalidError:
        """Return why a line is None."""
        return InvalidError(
            f"the line is not {self.encoding}, or longer than {MAX_LINE} characters",
            code="invalid_line",
        )


def endless(size: int, number: int | None = None) -> InvalidError:
    """Return the error of a line whose end is not looked for."""
    line = "a line" if number is None else f"line {number}"
    return InvalidError(
        f"{line} is longer than {size} characters",
        code="too_large",
        hint="is it the right file?",
    )


def peek(stream: IO[bytes], count: int) -> bytes:
    """Return the first bytes of a stream, which stay in it."""
    if stream.seekable():
        here = stream.tell()
        head = stream.read(count)
        stream.seek(here)
        return head
    look = getattr(stream, "peek", None)
    return bytes(look(count)[:count]) if look is not None else b""


def check_text(head: bytes) -> None:
    """Check that a file that begins so is not one of those that hold no text.

    Raises:
        InvalidError: ``not_text``, with what makes a text of it.
    """
    for mark, what, way in _PACKED:
        if re.match(mark, head):
            raise InvalidError(f"the file is {what}, and not text", code="not_text", hint=way)


def encoding_of(head: bytes, told: str) -> str:
    """Return the encoding of a file that begins so.

    Raises:
        InvalidError: ``unknown_encoding``.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    try:
        found = codecs.lookup(told).name
        if found in _NOT_OF_FILES:
            raise LookupError(found)
        # Nothing is decoded by anything; base64 and the like are not encodings of text.
        (head or b" ").decode(found, errors="replace")
        return found
    except (LookupError, ValueError):
        raise InvalidError(
            f"{cut(told)!r} is not an encoding",
            code="unknown_encoding",
            hint="utf-8, utf-16, cp1252, iso-8859-1 are usual",
        ) from None
