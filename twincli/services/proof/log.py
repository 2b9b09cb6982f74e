"""``twin ledger checkpoint|prove``: what a ledger says and proves about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import tlog
from twincli.errors import NotFoundError
from twincli.model import times
from twincli.model.ids import is_prefix
from twincli.model.transaction import asset_of
from twincli.proof import checkpoints, proofs
from twincli.services import resolve
from twincli.services.proof import remote

if TYPE_CHECKING:
    from twincli.client import LedgerClient
    from twincli.client.logs import Log, Stated
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


def checkpoint_of(ledger: Ledger | Stated, note: Note) -> CheckpointMade:
    """Return a checkpoint of a ledger as ``twin.checkpoint/1``.

    Args:
        ledger: The ledger, or what a node says about it.
        note: The checkpoint.
    """
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
    tx = ledger.get(tx_id)
    assert tx is not None
    return _proof(ledger.id, tx, proof)


def prove_remotely(client: LedgerClient, log: Log, tx_id: str, note: Note | None) -> ProofMade:
    """Prove that a transaction is on the ledger of a node; see `prove`.

    Args:
        client: Of its network.
        log: Its log.
        tx_id: The whole id.
        note: An earlier checkpoint; None: the newest.

    Raises:
        NotFoundError: It is not there.
        ConflictError, NotVerifiedError: See ``remote``.
    """
    entry = client.entry(tx_id)
    if entry is None:
        raise NotFoundError(f"there is no transaction {tx_id}")
    held = log if note is None else remote.own(log, note)
    return _proof(client.ledger_id, entry.tx, remote.proof_of(held, entry))


def _proof(ledger_id: str, tx: dict[str, Any], proof: tlog.Proof) -> ProofMade:
    height, time_ms = tlog.place_of(proof.extra)
    return {
        "schema": "twin.proof/1",
        "ledger": ledger_id,
        "transaction_id": tx["id"],
        "asset_id": asset_of(tx),
        "index": proof.leaf,
        "height": height,
        "time": times.to_text(time_ms),
        "size": proof.checkpoint.size,
        "root": proof.checkpoint.root.hex(),
        "path": [part.hex() for part in proof.path],
        "signatures": _signatures(proof.note),
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
    return _growth(ledger.id, old, made)


def growth_remotely(log: Log, earlier: Note) -> ConsistencyMade:
    """Prove that the ledger of a node grew; see `growth`."""
    old = tlog.parse_checkpoint(earlier.text)
    return _growth(log.stated.id, old, remote.growth(log, earlier))


def _growth(ledger_id: str, old: tlog.Checkpoint, made: tlog.Submission) -> ConsistencyMade:
    new = made.checkpoint
    return {
        "schema": "twin.consistency/1",
        "ledger": ledger_id,
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
