"""Where the wraps of what is encrypted are found."""

from __future__ import annotations

from twincli.errors import NotVerifiedError, UndeterminedError
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.client.fetching import Source
    from twincli.content.store import Blobs

MAX_WRAP = 1 << 20
"""Bytes of a wrap."""


class Shelf(NamedTuple):
    """Where wraps are.

    Attributes:
        blobs: On this machine.
        sources: Where they are fetched from.
    """

    blobs: Blobs
    sources: Sequence[Source] = ()

    def wrap(self, cid: str) -> bytes | None:
        """Return a wrap, None where nobody at hand has it."""
        blobs = self.blobs
        if not blobs.has(cid):
            from twincli.client.fetching import fetch

            for source in self.sources:
                try:
                    fetch(source, blobs, cid)
                except (UndeterminedError, NotVerifiedError):
                    continue
                break
            else:
                return None
        if blobs.size(cid) > MAX_WRAP or not blobs.check(cid):
            return None
        with blobs.open(cid) as stream:
            return stream.read(MAX_WRAP)
