"""Fetch files from elsewhere into the store; an interrupted transfer goes on where it stopped."""

from __future__ import annotations

from contextlib import closing

from twincli.content.store import PIECE_BYTES
from twincli.errors import NotVerifiedError, UnreachableError
from twincli.values import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from twincli.client.content import Response
    from twincli.content.store import Blobs, Partial

ATTEMPTS = 5
"""Times that a transfer is continued, as long as each brings something."""


class Source(Protocol):
    """Where files are fetched from, such as ``NodeContent`` and ``Kubo``."""

    url: str
    largest: int

    def begin(self, cid: str, start: int) -> tuple[int, Response]:
        """See ``NodeContent.begin``."""


def fetch(source: Source, blobs: Blobs, cid: str, profile: object = None) -> int:
    """Bring a file into the store; return how many bytes were there from an earlier attempt.

    Args:
        source: Where it is.
        blobs: Where it goes.
        cid: Its CID.
        profile: The name of its profile, where somebody stated one.

    Raises:
        UndeterminedError: ``missing_content``.
        NotVerifiedError: ``cid_mismatch``: what was sent is not the file.
        UnreachableError: ``node_error``.
        ConfigError: ``cannot_write``.
    """
    with blobs.resuming(cid, profile) as partial:
        kept = partial.size
        for attempt in range(ATTEMPTS):
            before = partial.size
            try:
                _take(source, partial, cid)
            except UnreachableError as error:
                if partial.size > before and attempt + 1 < ATTEMPTS and error.retryable:
                    continue
                raise
            if partial.finish():
                return kept
            # Either what came now is not the file, or what was kept from before never was.
            partial.clear()
            if not before:
                break
            kept = 0
    raise NotVerifiedError(
        f"the content that {source.url} sent is not {cid}",
        code="cid_mismatch",
        hint="it was cut short or altered; ask another node",
    )


def _take(source: Source, partial: Partial, cid: str) -> None:
    start, response = source.begin(cid, partial.size)
    with closing(response):
        if start != partial.size:
            partial.clear()
        while piece := response.read(PIECE_BYTES):
            if partial.size + len(piece) > source.largest:
                partial.clear()
                raise UnreachableError(
                    f"{source.url} failed: the file is larger than {source.largest} bytes",
                    code="node_error",
                )
            partial.write(piece)
        if response.is_cut:
            raise UnreachableError(
                f"{source.url} failed: it sent a part of the file",
                code="node_error",
                retryable=True,
            )
