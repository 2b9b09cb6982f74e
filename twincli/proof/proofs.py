"""Proofs of a ledger: that a transaction is on it, and that it only ever grew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import merkle, notes, tlog
from twincli.crypto.tiles import WIDTH
from twincli.errors import ConflictError, NotFoundError, NotVerifiedError, cut
from twincli.ledger import tiles
from twincli.proof import checkpoints
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twincli.crypto.notes import Note, Verified, VerifierKey
    from twincli.crypto.tlog import Checkpoint
    from twincli.ledger.ledger import Ledger


def prepare(ledger: Ledger, progress: Callable[[int, int], None] | None) -> None:
    """Make what proofs are read from, which takes a while for the first one of a large ledger.

    Args:
        ledger: Whose.
        progress: Called with how much is done, and how much there is.
    """
    tiles.catch_up(ledger, ledger.tip().last_seq // WIDTH, progress)


def paths(ledger: Ledger, leaves: Iterable[int], checkpoint: Checkpoint) -> Iterator[list[bytes]]:
    """Yield the hashes that lead from transactions to the root of a checkpoint, the lowest first.

    Args:
        ledger: Whose.
        leaves: Positions of transactions, from 0; fast in the order of the ledger.
        checkpoint: Of this ledger.

    Raises:
        InvalidError: ``out_of_range``: the checkpoint is of fewer transactions.
        ConfigError: ``damaged_ledger``.
    """
    return tiles.inclusion_paths(ledger, leaves, checkpoint.size, checkpoint.root)


def proof_of(ledger: Ledger, tx_id: str, note: Note) -> tlog.Proof:
    """Return the proof that a transaction is in the tree of a checkpoint.

    Args:
        ledger: Which.
        tx_id: The whole id.
        note: A checkpoint of this ledger: its newest, or one that ``own`` accepted.

    Raises:
        NotFoundError: The ledger does not have it, or did not have it yet.
        ConfigError: ``damaged_ledger``.
    """
    seq, heights = ledger.seq(tx_id), ledger.blocks_of(tx_id)
    if seq is None or not heights:
        raise NotFoundError(f"there is no transaction {tx_id}")
    tree = tlog.parse_checkpoint(note.text)
    if seq > tree.size:
        raise later(tx_id, tree.size)
    (path,) = paths(ledger, [seq - 1], tree)
    extra = tlog.extra_of(heights[0], ledger.time_of(heights[0]))
    return tlog.Proof(seq - 1, tuple(path), note, extra)


def growth(ledger: Ledger, old_size: int, old_root: bytes | None, note: Note) -> tlog.Submission:
    """Return a checkpoint with the proof that it follows an earlier one.

    Args:
        ledger: Whose.
        old_size: Transactions of the earlier checkpoint, at most those of the later.
        old_root: Its root; None: what the ledger says.
        note: The later checkpoint.

    Raises:
        NotVerifiedError: ``forked_log``, ``rolled_back``.
    """
    new = tlog.parse_checkpoint(note.text)
    if old_size > new.size:
        raise rolled_back(old_size, new.size)
    root = tiles.root_at(ledger, old_size) if old_root is None else old_root
    path = tiles.consistency_path(ledger, old_size, root, new.size, new.root)
    if path is None:
        raise forked(old_size)
    return tlog.Submission(old_size, tuple(path), note)


def own(ledger: Ledger, note: Note) -> Checkpoint:
    """Return a checkpoint of a ledger that the ledger still has.

    Raises:
        ConflictError: ``other_ledger``: the checkpoint is another ledger's.
        NotVerifiedError: ``forked_log``: the ledger had another root at that size;
            ``rolled_back``: it has fewer transactions now; ``bad_note_signature``.
    """
    keys = (ledger.public_key, *ledger.former_keys)
    found = signed_by(note, ledger.id, [checkpoints.key_of(ledger.id, key) for key in keys])
    size = ledger.tip().last_seq
    if found.size > size:
        raise rolled_back(found.size, size)
    if tiles.root_at(ledger, found.size) != found.root:
        raise forked(found.size)
    return found


def signed_by(note: Note, ledger_id: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Return the checkpoint of a note, once it is known to be a ledger's.

    Args:
        note: It.
        ledger_id: Of the ledger.
        keys: Its keys.

    Raises:
        ConflictError: ``other_ledger``: the checkpoint is another ledger's.
        NotVerifiedError: ``bad_note_signature``.
    """
    found = tlog.parse_checkpoint(note.text)
    if found.origin != tlog.origin_of(ledger_id):
        raise ConflictError(
            f"the checkpoint is of another log: {cut(found.origin)}",
            code="other_ledger",
            hint="twin ledger info shows the id of this one",
        )
    notes.verify(note, keys)
    return found


def later(tx_id: str, size: int) -> NotFoundError:
    """Return the error for a transaction that a checkpoint is too old for."""
    return NotFoundError(
        f"transaction {tx_id} is later than the checkpoint, which has {size} transactions",
        hint="leave --checkpoint out to prove it against a new one",
    )


def rolled_back(had: int, has: int) -> NotVerifiedError:
    """Return the error for a ledger that became shorter."""
    return NotVerifiedError(
        f"the checkpoint has {had} transactions, the ledger only {has}: it was rolled back",
        code="rolled_back",
        hint="restore the newest backup, or ask the ledger's operator",
    )


def forked(size: int) -> NotVerifiedError:
    """Return the error for a ledger that has another history."""
    return NotVerifiedError(
        f"the first {size} transactions of the ledger are not those of the checkpoint",
        code="forked_log",
        hint="keep both as evidence: one of them was altered",
    )


# --- Checking, without a ledger -----------------------------------------------------------------


class Proven(NamedTuple):
    """What a proof shows of a transaction.

    Attributes:
        checkpoint: The tree that it is in.
        leaf: Its position on the ledger, from 0.
        height: Of its block.
        time_ms: Of its block.
        signatures: Those of the given keys over the checkpoint.
    """

    checkpoint: Checkpoint
    leaf: int
    height: int
    time_ms: int
    signatures: list[Verified]


def check(proof: tlog.Proof, tx_id: bytes, keys: Iterable[VerifierKey]) -> Proven:
    """Check that a proof leads from a transaction to its checkpoint. Reads nothing else.

    Whether ``signatures`` suffice is the caller's judgement: without keys there are none.

    Args:
        proof: From ``tlog.parse_proof``.
        tx_id: 32 bytes; the transaction's own hash, not what somebody says it is.
        keys: Those that are trusted, of the ledger and of witnesses.

    Raises:
        InvalidError: ``invalid_proof``: it does not say height and time.
        NotVerifiedError: ``not_in_tree``: it does not lead there; ``bad_note_signature``.
    """
    height, time_ms = tlog.place_of(proof.extra)
    checkpoint = proof.checkpoint
    if not proof.leads_to(merkle.ledger_leaf(height, time_ms, tx_id)):
        raise NotVerifiedError(
            f"the proof does not lead from transaction {tx_id.hex()} to the checkpoint",
            code="not_in_tree",
            hint="is it the proof of this transaction? twin ledger prove ID makes one",
        )
    return Proven(checkpoint, proof.leaf, height, time_ms, notes.verify(proof.note, keys))
