"""Asking a witness over HTTP; what it answers is bounded, and checked by who asked.

Source: c2sp.org/tlog-witness.
"""

from __future__ import annotations

import io
from contextlib import closing
from typing import TYPE_CHECKING

from twincli.client.content import Place
from twincli.crypto import notes
from twincli.errors import InvalidError, NotVerifiedError, cut
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.crypto.notes import Signature, VerifierKey

NODE_PREFIX = "/twin/v1/log"
"""Where a node of twincli takes checkpoints."""


class Answer(NamedTuple):
    """What a witness answered.

    Attributes:
        signatures: Its lines, unchecked; empty where it wants another proof.
        size: Of the last checkpoint that it cosigned, from which it wants the proof; else None.
    """

    signatures: tuple[Signature, ...]
    size: int | None


class WitnessPlace(Place):
    """A witness; see ``Place``."""

    def find(self) -> tuple[str, VerifierKey | None]:
        """Return the prefix of its requests, and the key that it states, if it is a node.

        Raises:
            UnreachableError: ``node_error``.
        """
        try:
            key = notes.parse_key(self.info()["twin"]["witness"])
        except (TypeError, KeyError, AttributeError, InvalidError):
            return "", None
        return NODE_PREFIX, key

    def add_checkpoint(self, prefix: str, body: bytes) -> Answer:
        """Send a checkpoint with its proof.

        Raises:
            NotVerifiedError: ``not_cosigned``: the witness refused it.
            UnreachableError: ``node_error``.
        """
        sent = (io.BytesIO(body), len(body))
        headers = {"content-type": "text/plain; charset=utf-8"}
        target = f"{prefix}/add-checkpoint"
        with closing(self.request("POST", target, sent, headers)) as response:
            said = self.whole(response).decode(errors="replace")
        if response.status == 409 and said.strip().isdecimal() and len(said) < 25:
            return Answer((), int(said))
        if response.status != 200:
            raise self._refused(response.status, said)
        try:
            lines = said.removesuffix("\n").split("\n")[: notes.MAX_SIGNATURES]
            return Answer(tuple(notes.parse_line(line) for line in lines), None)
        except InvalidError as error:
            raise self.failed(error.message) from error

    def _refused(self, status: int, said: str) -> NotVerifiedError:
        why = _REFUSALS.get(status, f"it answered {status}: {cut(said.strip())}")
        return NotVerifiedError(f"{self.url} did not cosign: {why}", code="not_cosigned")


_REFUSALS = {
    401: "it wants a token",
    403: "it does not accept the ledger's key",
    404: "it is not a witness of this ledger",
    422: "the ledger is not the one that it knows with transactions appended",
}
