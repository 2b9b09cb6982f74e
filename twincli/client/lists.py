"""Status lists of credentials, wherever their issuers keep them.

The URL is a stranger's: one request, no redirect, a bounded answer.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from twincli.client.content import Place
from twincli.client.untrusted import stated_offers
from twincli.errors import UnreachableError, UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.client.tls import Tls

OFFER = "status"
"""What a node that serves the status of certificates states at its root."""

PATH = "/twin/v1/status/"
"""Where a node serves the status of a certificate."""

LARGEST = 1 << 19
"""Bytes of a list."""

_LONGEST_URL = 2048


def fetch(url: str, timeout: float, tls: Tls | None = None) -> bytes:
    """Return what is at a URL.

    Raises:
        UnreachableError: ``node_error``: it is not there, or is too large.
    """
    from http.client import InvalidURL
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError
        if parts.username is not None or parts.scheme not in {"http", "https"}:
            raise ValueError
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        place = Place(f"{parts.scheme}://{parts.netloc}", timeout=timeout, tls=tls)
        asked = place.request("GET", target, headers={"accept": "application/json, */*"})
    except (ValueError, InvalidURL, UsageError) as error:
        raise UnreachableError(
            f"{shown(url)} is not the URL of a list", code="node_error"
        ) from error
    with closing(asked) as response:
        if response.status != 200:
            raise UnreachableError(f"{url} answers {response.status}", code="node_error")
        pieces: list[bytes] = []
        while piece := response.read(1 << 16):
            pieces.append(piece)
            if sum(map(len, pieces)) > LARGEST:
                raise UnreachableError(f"{url} has more than {LARGEST} bytes", code="node_error")
        if response.is_cut:
            raise UnreachableError(f"{url} ended too early", code="node_error", retryable=True)
    return b"".join(pieces)


def serves_status(
    url: str, headers: Mapping[str, str], timeout: float, tls: Tls | None = None
) -> bool:
    """Say whether a node serves the status of certificates.

    Raises:
        UnreachableError: ``node_error``.
    """
    return OFFER in stated_offers(Place(url, headers, timeout, tls).info())
