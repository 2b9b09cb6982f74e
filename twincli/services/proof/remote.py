"""The log of a network's node: its checkpoint, and proofs that are checked where they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.client.logs import Log
from twincli.client.untrusted import lie
from twincli.crypto import merkle, tlog
from twincli.errors import InvalidError, UnreachableError
from twincli.proof import proofs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.client.logs import LogPlace
    from twincli.crypto.notes import Note
    from twincli.ledger.reading import Entry


def newest(places: Sequence[LogPlace], ledger_id: str) -> Log | None:
    """Return the log of the first node that has one, at its newest checkpoint; None: none has.

    Args:
        places: The nodes of a network.
        ledger_id: 64 hex digits that it states.

    Raises:
        NotVerifiedError: ``wrong_log``, ``bad_note_signature``: the checkpoint is not the ledger's.
        UnreachableError: ``node_error``: no node has one, and one did not answer.
    """
    silent: UnreachableError | None = None
    for place in places:
        try:
            stated = place.stated()
            if stated is None or stated.id != ledger_id:
                continue
            return Log(place, stated, place.checkpoint())
        except UnreachableError as error:
            silent = silent or error
        except InvalidError as error:
            said = f"what {place.url} shows is not a checkpoint: {error.message}"
            raise lie("wrong_log", said) from error
    if silent is not None:
        raise silent
    return None


def own(log: Log, note: Note) -> Log:
    """Return the log at a checkpoint that was kept.

    Raises:
        ConflictError: ``other_ledger``.
        NotVerifiedError: ``bad_note_signature``, ``rolled_back``, ``forked_log``, ``wrong_log``.
    """
    found = proofs.signed_by(note, log.stated.id, log.keys)
    if found.size > log.size:
        raise proofs.rolled_back(found.size, log.size)
    if log.root_at(found.size) != found.root:
        raise proofs.forked(found.size)
    return Log(log.place, log.stated, note.to_bytes())


def proof_of(log: Log, entry: Entry) -> tlog.Proof:
    """Return the proof that a transaction is in the log.

    Raises:
        NotFoundError: It was not yet committed.
        NotVerifiedError: ``wrong_log``: the log does not have it where the node says.
    """
    tx_id, height, time_ms = entry.tx["id"], entry.height, entry.time_ms
    if height is None or time_ms is None or not log.size or height > log.leaf(log.size - 1).height:
        raise proofs.later(tx_id, log.size)
    leaf = log.find((tx_id,), height).get(tx_id)
    path = None if leaf is None else log.proved(leaf, height, time_ms, tx_id)
    if leaf is None or path is None:
        raise log.lacking(tx_id)
    return tlog.Proof(leaf, tuple(path), log.note, tlog.extra_of(height, time_ms))


def growth(log: Log, earlier: Note) -> tlog.Submission:
    """Return the newest checkpoint with the proof that it follows an earlier one.

    Raises:
        ConflictError, NotVerifiedError: See `own`.
    """
    old = own(log, earlier)
    path = log.growth(old.size)
    if not merkle.verify_consistency(old.size, log.size, path, old.root, log.root):
        raise proofs.forked(old.size)
    return tlog.Submission(old.size, tuple(path), log.note)
