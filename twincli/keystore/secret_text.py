"""The form of a secret that is read: one line of UTF-8 text."""

from __future__ import annotations

import codecs

from twincli.errors import InvalidError


def one_line(data: bytes, where: str) -> bytes:
    """Return a secret without byte order mark and without one line end.

    Args:
        data: Its bytes.
        where: Their source, for errors, which quote none of it.

    Raises:
        InvalidError: ``not_text``: not UTF-8, a NUL (as in UTF-16), more than one line.
    """
    data = checked(data, where).removesuffix(b"\n").removesuffix(b"\r")
    text = data.decode()
    # Some programs end a line at others than these two, such as NEL and U+2028.
    if text.splitlines() not in ([], [text]):
        raise _refused(where, "has more than one line", "write it on a line of its own")
    return data


def checked(data: bytes, where: str) -> bytes:
    """Return a secret of any number of lines without byte order mark.

    Raises:
        InvalidError: ``not_text``: see ``one_line``.
    """
    while data.startswith(codecs.BOM_UTF8):  # two, where two marked files were joined
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        data.decode()
    except UnicodeDecodeError:
        # Not chained: the error would carry the secret.
        if data.startswith(b"\x30"):
            convert = "openssl pkey -inform DER -in FILE -out FILE.pem"
            raise _refused(where, "is DER or another binary format, not text", convert) from None
        raise _refused(where, "is not UTF-8 text", "save it as UTF-8") from None
    if b"\0" in data:
        raise _refused(where, "holds a NUL character", "save it as UTF-8, not as UTF-16")
    return data


def _refused(where: str, why: str, hint: str) -> InvalidError:
    return InvalidError(f"{where} {why}", code="not_text", hint=hint)
