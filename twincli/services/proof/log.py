"""``twin ledger checkpoint|prove``: what a ledger says and proves about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import tlog
from twincli.model import times
from twincli.model.ids import is_prefix
from twincli.model.transaction import asset_of
from twincli.proof import checkpoints, proofs
from twincli.services import resolve

if TYPE_CHECKING:
    from twincli.crypto.notes import Note
    from twincli.ledger.ledger import Ledger
    from twincli.services.documents import (
        CheckpointMade,
        ConsistencyMade,
        NoteSignature,
        ProofMade,
    )
    from twincli.services.workspace import Workspace


def checkpoint(ledger: Ledger) -> CheckpointMade:
    """Make a checkpoint of a ledger.

    Returns:
        ``twin.checkpoint/1``: ``ledger origin size root key signatures note``; ``root`` is hex,
        ``key`` is the verifier key for it, ``note`` is the signed note.

    Raises:
        ConfigError: ``damaged_key``.
    """
    return checkpoint_of(ledger, checkpoints.newest(ledger))


def checkpoint_of(ledger: Ledger, note: Note) -> CheckpointMade:
    """Return a checkpoint of a ledger as ``twin.checkpoint/1``."""
    found = tlog.parse_checkpoint(note.text)
    return {
        "schema": "twin.checkpoint/1",
        "ledger": ledger.id,
        "origin": found.origin,
        "size": found.size,
        "root": found.root.hex(),
        "key": checkpoints.key_of(ledger.id, ledger.public_key).text,
        "signatures": _signatures(note),
        "note": note.to_bytes().decode(),
    }


def transaction_of(workspace: Workspace, ref: str) -> str:
    """Return the id of the transaction that somebody means.

    Args:
        workspace: Rooms.
        ref: An id or the beginning of one; or an asset, which stands for its CREATE.

    Raises:
        NotFoundError, ConflictError: See ``resolve``.
    """
    if is_prefix(ref):
        return resolve.transaction_id_of(workspace, ref)
    return resolve.asset_id_of(workspace, ref)


def prove(ledger: Ledger, tx_id: str, note: Note | None = None) -> ProofMade:
    """Prove that a transaction is on a ledger.

    Args:
        ledger: Which.
        tx_id: The whole id.
        note: An earlier checkpoint that the proof shall lead to; None: a new one.

    Returns:
        ``twin.proof/1``.

    Raises:
        NotFoundError: The ledger does not have it, or did not have it yet.
        ConflictError: ``other_ledger``: the checkpoint is another ledger's.
        NotVerifiedError: ``forked_log``, ``rolled_back``, ``bad_note_signature``.
    """
    if note is None:
        note = checkpoints.newest(ledger)
    else:
        proofs.own(ledger, note)
    proof = proofs.proof_of(ledger, tx_id, note)
    height, time_ms = tlog.place_of(proof.extra)
    tx = ledger.get(tx_id)
    assert tx is not None
    return {
        "schema": "twin.proof/1",
        "ledger": ledger.id,
        "transaction_id": tx_id,
        "asset_id": asset_of(tx),
        "index": proof.leaf,
        "height": height,
        "time": times.to_text(time_ms),
        "size": proof.checkpoint.size,
        "root": proof.checkpoint.root.hex(),
        "path": [part.hex() for part in proof.path],
        "signatures": _signatures(note),
        "proof": proof.to_bytes().decode(),
    }


def growth(ledger: Ledger, earlier: Note) -> ConsistencyMade:
    """Prove that a ledger is the one of an earlier checkpoint with transactions appended.

    Returns:
        ``twin.consistency/1``.

    Raises:
        ConflictError: ``other_ledger``: the checkpoint is another ledger's.
        NotVerifiedError: ``forked_log``, ``rolled_back``, ``bad_note_signature``.
    """
    old = proofs.own(ledger, earlier)
    made = proofs.growth(ledger, old.size, old.root, checkpoints.newest(ledger))
    new = made.checkpoint
    return {
        "schema": "twin.consistency/1",
        "ledger": ledger.id,
        "from_size": old.size,
        "from_root": old.root.hex(),
        "size": new.size,
        "root": new.root.hex(),
        "path": [part.hex() for part in made.path],
        "signatures": _signatures(made.note),
        "proof": made.to_bytes().decode(),
    }


def _signatures(note: Note) -> list[NoteSignature]:
    """Return whose signatures a note has; none of them is checked here."""
    return [{"name": entry.name, "key_id": entry.key_id.hex()} for entry in note.signatures]
