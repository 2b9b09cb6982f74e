"""The page in a bundle, and the page that has a bundle in it.

Those who open a page believe it, so only pages that a release of twincli shipped count:
their hashes are listed beside the page. One page with a bundle inside is the shipped page, with
the bundle in base64 between the tags of one empty script.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from twincli.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OPENING = b'<script type="application/octet-stream;base64" id="bundle">'
CLOSING = b"</script>"

MAX_EMBEDDED = 1 << 28
"""Bytes of a bundle in a page: more is more than browsers open."""

_DIRECTORY = os.path.join(os.path.dirname(__file__), "bundle_page")
_PIECE = 3 << 18


def page() -> bytes:
    """Return the page that this version puts into bundles."""
    with open(os.path.join(_DIRECTORY, "index.html"), "rb") as file:
        return file.read()


@lru_cache(maxsize=1)
def known() -> frozenset[str]:
    """Return the SHA-256 of every page that a release had, and of this one's, in hex."""
    with open(os.path.join(_DIRECTORY, "released.txt"), encoding="ascii") as file:
        listed = (line.split("#")[0].strip() for line in file)
        return frozenset(filter(None, listed)) | {sha256(page()).hexdigest()}


def is_page(head: bytes) -> bool:
    """Say whether a file may be a page with a bundle inside, by its first bytes."""
    return head.lstrip()[:9].lower() == b"<!doctype"


def embedded(bundle: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield the page with a bundle inside.

    Args:
        bundle: Its bytes, in pieces.
        size: How many there are.

    Raises:
        InvalidError: ``bundle_too_large``.
    """
    if size > MAX_EMBEDDED:
        raise InvalidError(
            f"the bundle has more than {MAX_EMBEDDED >> 20} MiB, more than a browser opens",
            code="bundle_too_large",
            hint="-o F.twin, or leave some of it out: --since, --until, --streams, --files",
        )
    head, tail = _halves(page())
    yield head
    rest = b""
    for piece in bundle:
        rest += piece
        whole = len(rest) // 3 * 3
        if whole >= _PIECE:
            yield b64encode(rest[:whole])
            rest = rest[whole:]
    yield b64encode(rest)
    yield tail


def extracted(data: bytes, what: str) -> bytes:
    """Return the bundle in a page.

    Args:
        data: The page.
        what: What errors call it.

    Raises:
        InvalidError: ``damaged_bundle``: the page is not one of ours, or the text in it is not
            base64 as it is written.
    """
    start = data.find(OPENING) + len(OPENING)
    end = data.find(CLOSING, start)
    if start < len(OPENING) or end < 0 or end - start > MAX_EMBEDDED * 4 // 3 + 4:
        raise _damaged(what, "the page has no bundle")
    if sha256(data[:start] + data[end:]).hexdigest() not in known():
        raise _damaged(what, "the page around it is not one that a release of twincli had")
    text = data[start:end]
    try:
        found = b64decode(text, validate=True)
    except Base64Error:
        found = b""
    if b64encode(found) != text:
        raise _damaged(what, "the text in the page is not base64")
    return found


def _halves(data: bytes) -> tuple[bytes, bytes]:
    head, _, tail = data.partition(OPENING + CLOSING)
    return head + OPENING, CLOSING + tail


def _damaged(what: str, why: str) -> InvalidError:
    return InvalidError(f"the bundle {what} is damaged: {why}", code="damaged_bundle")
