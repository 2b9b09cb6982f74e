"""Files on an IPFS node, through the HTTP API of Kubo.

A file is added with the settings that its CID was made with, and pinned. What a node sends is
checked by the caller.
"""

from __future__ import annotations

import io
import json
import os
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any

from twincli.client.content import Place
from twincli.content.store import PIECE_BYTES
from twincli.crypto import cid as _cid
from twincli.errors import ConfigError, InvalidError, UndeterminedError
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.client.content import Response
    from twincli.errors import UnreachableError

USUAL = "http://127.0.0.1:5001"
"""Where Kubo listens on the machine that it runs on."""

_LONGEST_ANSWER = 1 << 20
_ABSENT = ("not pinned", "not found", "could not find", "offline")


class Pinned(NamedTuple):
    """A file that an IPFS node keeps.

    Attributes:
        cid: Its CID.
        created: Whether it was not pinned before.
    """

    cid: str
    created: bool


class Kubo(Place):
    """An IPFS node; see ``Place``."""

    def failed(self, why: str | Exception) -> UnreachableError:
        """See ``Place``."""
        error = super().failed(why)
        if isinstance(why, ConnectionRefusedError):
            error.hint = "ipfs daemon starts it; to use another: --kubo URL"
        return error

    def pin(self, stream: IO[bytes], cid: str, size: int, profile: _cid.Profile) -> Pinned:
        """Have a file added and pinned; what is pinned is not sent again.

        Args:
            stream: The file.
            cid: Its CID.
            size: Its bytes.
            profile: How its CID was made.

        Raises:
            InvalidError: ``cid_mismatch``: the node adds it under another CID.
            ConfigError: ``not_allowed``: the API needs credentials.
            UnreachableError: ``node_error``.
        """
        if self.has(cid):
            return Pinned(cid, created=False)
        query = (
            f"pin=true&cid-version=1&raw-leaves=true&hash=sha2-256&chunker=size-{profile.chunk}"
            f"&trickle=false&inline=false&wrap-with-directory=false&nocopy=false&progress=false"
        )
        if profile is not _cid.USUAL:
            query += f"&max-file-links={profile.links}"  # older ones do not know it
        boundary = os.urandom(16).hex()
        head = (
            f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{cid}"\r\n'
            "content-type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        body: Any = _Joined([io.BytesIO(head), stream, io.BytesIO(tail)])
        response = self.request(
            "POST",
            f"/api/v0/add?{query}",
            (body, len(head) + size + len(tail)),
            {"content-type": f"multipart/form-data; boundary={boundary}"},
        )
        found = None
        for line in self._answer(response).splitlines():
            found = _member(line, "Hash") or found
        if found != cid:
            raise InvalidError(
                f"{self.url} added it as {found}, not as {cid}",
                code="cid_mismatch",
                hint="its importer has other settings, or the file was altered on its way",
            )
        return Pinned(cid, created=True)

    def has(self, cid: str) -> bool:
        """Say whether a file is pinned.

        Raises:
            UnreachableError: ``node_error``.
        """
        _cid.parse(cid)
        try:
            self._answer(self.request("POST", f"/api/v0/pin/ls?arg={cid}&type=recursive"))
        except UndeterminedError:
            return False
        return True

    def begin(self, cid: str, start: int) -> tuple[int, Response]:
        """See ``NodeContent.begin``."""
        _cid.parse(cid)
        response = self.request("POST", f"/api/v0/cat?arg={cid}&offset={start}&progress=false")
        if response.status != 200:
            self._answer(response)
        return start, response

    def _answer(self, response: Response) -> bytes:
        """Return the body of a response and close it.

        Raises:
            UndeterminedError: ``missing_content``.
            ConfigError: ``not_allowed``.
            UnreachableError: ``node_error``.
        """
        parts: list[bytes] = []
        left = _LONGEST_ANSWER
        with closing(response):
            while left > 0 and (piece := response.read(min(left, PIECE_BYTES))):
                parts.append(piece)
                left -= len(piece)
        data = b"".join(parts)
        if response.status == 200:
            return data
        said = _member(data, "Message") or f"status {response.status}"
        if response.status in {401, 403}:
            raise ConfigError(f"{self.url} denies access: {said}", code="not_allowed")
        if response.status == 500 and any(word in said for word in _ABSENT):
            raise UndeterminedError(f"{self.url} does not have it: {said}", code="missing_content")
        raise self.failed(said)


class _Joined:
    """Streams that are read one after the other."""

    def __init__(self, streams: list[IO[bytes]]) -> None:
        self._streams = streams

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes."""
        while self._streams:
            if data := self._streams[0].read(size):
                return data
            self._streams.pop(0)
        return b""


def _member(data: bytes, name: str) -> str | None:
    """Return a text member of a JSON object that a node sent, short."""
    try:
        found = json.loads(data).get(name)
    except (ValueError, AttributeError, RecursionError):
        return None
    return found[:200] if isinstance(found, str) else None
