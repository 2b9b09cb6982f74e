"""Checkpoints: what a ledger holds at a moment, signed by its own key.

Who keeps one, or has it cosigned by others, notices when the ledger is rolled back or shown
differently to somebody else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twincli.crypto import base58, notes, tlog
from twincli.errors import ConfigError, InvalidError
from twincli.files import read_regular, replace
from twincli.ledger import files

if TYPE_CHECKING:
    from twincli.crypto.ed25519 import KeyPair, Signer
    from twincli.crypto.notes import Note, VerifierKey
    from twincli.crypto.tlog import Checkpoint
    from twincli.ledger.ledger import Ledger


def key_of(ledger_id: str, public_key: str) -> VerifierKey:
    """Return the key that a ledger signs checkpoints with.

    Args:
        ledger_id: 64 hex digits.
        public_key: The ledger's own key, base58.

    Raises:
        InvalidError: ``invalid_public_key``.
    """
    raw = base58.decode_key(public_key)
    return notes.VerifierKey(tlog.origin_of(ledger_id), notes.ED25519, raw)


def witness_key_of(ledger_id: str, public_key: str) -> VerifierKey:
    """Return the key that the node of a ledger cosigns the checkpoints of others with."""
    return key_of(ledger_id, public_key)._replace(kind=notes.COSIGNATURE)


def signer_of(ledger: Ledger) -> KeyPair:
    """Return the ledger's own key, from the file beside it.

    Raises:
        ConfigError: ``damaged_key``: it is missing, damaged, or the key of another ledger.
    """
    where = files.locate(ledger.path)
    if not where.key:
        raise ConfigError("a ledger in memory has no key file", code="damaged_key")
    files.check_key(where.key, ledger.public_key)
    return files.read_key(where.key)


def make(ledger: Ledger) -> Note:
    """Return a checkpoint of all that a ledger holds, signed by its key.

    Raises:
        ConfigError: ``damaged_key``: the key is missing or damaged.
    """
    tip = ledger.tip()
    checkpoint = tlog.Checkpoint(tlog.origin_of(ledger.id), tip.last_seq, tip.root)
    return signed(checkpoint, signer_of(ledger))


def signed(checkpoint: Checkpoint, signer: Signer) -> Note:
    """Return a checkpoint as a note signed by the key of its ledger."""
    text = checkpoint.text
    return notes.Note(text, (notes.sign(text, checkpoint.origin, signer),))


def newest(ledger: Ledger) -> Note:
    """Return a checkpoint of all that a ledger holds, with the cosignatures that it was given.

    Raises:
        ConfigError: ``damaged_key``.
    """
    return with_cosignatures(ledger, make(ledger))


def with_cosignatures(ledger: Ledger, note: Note) -> Note:
    """Return a checkpoint of a ledger with the cosignatures that the same one was given."""
    kept = cosigned(ledger)
    return note if kept is None or kept.text != note.text else note.with_signatures(kept.signatures)


def cosigned(ledger: Ledger) -> Note | None:
    """Return the checkpoint that witnesses cosigned last, as it is kept beside the ledger.

    None: there is none, or it is not one of this ledger.
    """
    path = files.locate(ledger.path).checkpoint
    if not path or not os.path.exists(path):
        return None
    try:
        note = notes.parse(read_regular(path, notes.MAX_BYTES, "a checkpoint"))
        found = tlog.parse_checkpoint(note.text)
    except InvalidError:
        return None
    return note if found.origin == tlog.origin_of(ledger.id) else None


def keep(ledger: Ledger, note: Note) -> None:
    """Keep a checkpoint with the cosignatures of witnesses, beside the ledger.

    Raises:
        ConfigError: ``cannot_write``, ``disk_full``.
    """
    path = files.locate(ledger.path).checkpoint
    if path:
        replace(path, note.to_bytes())


def read(data: bytes) -> tuple[Note, Checkpoint]:
    """Return the checkpoint of a file.

    Raises:
        InvalidError: ``invalid_note``, ``invalid_checkpoint``.
    """
    note = notes.parse(data)
    return note, tlog.parse_checkpoint(note.text)
