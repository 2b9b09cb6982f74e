"""A witness of other logs: it cosigns what follows the last checkpoint that it cosigned.

What it cosigned is kept durably, one file a log, before a cosignature leaves; the
cosignature on a checkpoint says that no other history was shown to the witness.

Source: c2sp.org/tlog-witness.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twincli.crypto import merkle, notes, tlog
from twincli.crypto.digests import sha256
from twincli.errors import ConfigError, InvalidError, NotVerifiedError
from twincli.files import held, make_directory, read_regular, replace
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.crypto.ed25519 import Signer
    from twincli.crypto.notes import VerifierKey
    from twincli.crypto.tlog import Checkpoint, Submission

MAX_LOGS = 1000
SIZE_TYPE = "text/x.tlog.size"
"""What an answer is that states the size of the last checkpoint."""


class Answer(NamedTuple):
    """What a witness answers.

    Attributes:
        status: Of HTTP.
        text: Signature lines; for 409 the size of the last checkpoint; else what is wrong.
    """

    status: int
    text: str


class Witness:
    """Cosigns the checkpoints of some logs.

    Args:
        key: Its key.
        signer: Signs for it.
        logs: The keys of each log by its origin; see ``read_logs``.
        directory: Where the last checkpoint of each is kept.
    """

    def __init__(
        self,
        key: VerifierKey,
        signer: Signer,
        logs: Mapping[str, tuple[VerifierKey, ...]],
        directory: str,
    ) -> None:
        self.key = key
        self._signer = signer
        self._logs = logs
        self._directory = directory

    def add_checkpoint(self, body: bytes, seconds: int) -> Answer:
        """Answer a request ``add-checkpoint``.

        Args:
            body: Of the request.
            seconds: The time, since the epoch.

        Raises:
            ConfigError: ``damaged_checkpoint``: what was kept cannot be read; ``cannot_write``.
        """
        try:
            asked = tlog.parse_submission(body)
        except InvalidError as error:
            return Answer(400, error.message)
        checkpoint = asked.checkpoint
        keys = self._logs.get(checkpoint.origin)
        if keys is None:
            return Answer(404, "this witness does not know the log")
        try:
            signed = {(entry.key.name, entry.key.id) for entry in notes.verify(asked.note, keys)}
        except NotVerifiedError as error:
            return Answer(403, error.message)
        if not signed:
            return Answer(403, "no key of the log signed the checkpoint")
        if asked.old_size > checkpoint.size:
            return Answer(400, "the checkpoint has fewer leaves than the earlier one")
        make_directory(self._directory)
        with held(self._directory):
            refusal = _refusal(asked, checkpoint, self.last(checkpoint.origin))
            if refusal is not None:
                return refusal
            # Lines of others are not vouched for, so they are not kept.
            own = [line for line in asked.note.signatures if (line.name, line.key_id) in signed]
            made = notes.cosign(asked.note.text, self.key.name, self._signer, seconds)
            kept = notes.Note(asked.note.text, ()).with_signatures([*own, made])
            replace(self._path(checkpoint.origin), kept.to_bytes())
        return Answer(200, made.line)

    def last(self, origin: str) -> Checkpoint | None:
        """Return the last checkpoint of a log that was cosigned, or None.

        Raises:
            ConfigError: ``damaged_checkpoint``: it cannot be read, so nothing may be cosigned.
        """
        path = self._path(origin)
        try:
            note = notes.parse(read_regular(path, notes.MAX_BYTES + 1, "a checkpoint"))
            found = tlog.parse_checkpoint(note.text)
        except FileNotFoundError:
            return None
        except InvalidError as error:
            raise _damaged(path) from error
        if found.origin != origin:
            raise _damaged(path)
        return found

    def _path(self, origin: str) -> str:
        name = sha256(origin.encode()).hexdigest()
        return os.path.join(self._directory, f"{name}.checkpoint")


def _refusal(asked: Submission, new: Checkpoint, last: Checkpoint | None) -> Answer | None:
    """Return why a checkpoint may not be cosigned after the last one; None: it may."""
    size, root = (0, merkle.EMPTY_ROOT) if last is None else (last.size, last.root)
    if asked.old_size != size or (new.size == size and new.root != root):
        return Answer(409, f"{size}\n")
    if not asked.is_consistent(root):
        return Answer(422, "the proof does not lead from the last checkpoint to this one")
    return None


def read_logs(path: str) -> dict[str, tuple[VerifierKey, ...]]:
    """Return the logs of a file: a verifier key a line, and the origin if it is not its name.

    Empty lines and those that begin with ``#`` are passed over.

    Raises:
        ConfigError: ``bad_logs``: the file is missing, or names no log; ``cannot_read``.
    """
    try:
        data = read_regular(path, 1 << 20, path)
    except FileNotFoundError as error:
        raise _bad_logs(path, "does not exist") from error
    found: dict[str, tuple[VerifierKey, ...]] = {}
    for number, line in enumerate(data.decode(errors="replace").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        text, _, origin = line.strip().partition(" ")
        try:
            key = notes.parse_key(text)
        except InvalidError as error:
            raise _bad_logs(path, f"cannot be used: line {number}: {error.message}") from error
        name = origin.strip() or key.name
        found[name] = (*found.get(name, ()), key)
        if len(found) > MAX_LOGS:
            raise _bad_logs(path, f"names more than {MAX_LOGS} logs")
    if not found:
        raise _bad_logs(path, "names no log")
    return found


def _bad_logs(path: str, why: str) -> ConfigError:
    return ConfigError(
        f"the file of logs {path} {why}",
        code="bad_logs",
        hint=f"twin ledger checkpoint --get key >> {path}, where the log's ledger is",
    )


def _damaged(path: str) -> ConfigError:
    return ConfigError(
        f"the checkpoint that was cosigned last, {path}, is damaged",
        code="damaged_checkpoint",
        hint="put a copy of it back: without it the witness could cosign a fork",
    )
