"""Anchors: what a verifier knows from elsewhere, against which evidence is held.

Evidence that is true to itself may have been made by anybody. It is `verified` only where
something that did not come with it fits.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from twincli.crypto import base58, notes, tlog
from twincli.errors import InvalidError, NotVerifiedError, UsageError, cut
from twincli.model import did, times
from twincli.model.ids import is_id
from twincli.model.transaction import CREATE, signers_of
from twincli.proof import checkpoints
from twincli.rules.authority import LAST, Place
from twincli.services.proof.evidence import BUNDLE
from twincli.services.standing import Speakers
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.client import LedgerClient
    from twincli.crypto.notes import Note
    from twincli.crypto.tlog import Checkpoint
    from twincli.services.proof.evidence import Claims, Evidence

ASSET, ISSUER, CHECKPOINT, ROOT = "asset", "issuer", "checkpoint", "root"
LEDGER_KEY, NOT_BEFORE = "ledger_key", "not_before"


class Anchors(NamedTuple):
    """What is known from elsewhere; None: not given.

    Attributes:
        asset: Id of the twin's CREATE.
        issuer: A DID or a public key, base58: who made the twin.
        checkpoint: A signed note that was kept.
        root: 32 bytes.
        ledger_key: The ledger's own key, base58.
        not_before_ms: The evidence is at least as new as this.
        pinned: Names of those that come from the home, not from options.
    """

    asset: str | None = None
    issuer: str | None = None
    checkpoint: bytes | None = None
    root: bytes | None = None
    ledger_key: str | None = None
    not_before_ms: int | None = None
    pinned: frozenset[str] = frozenset()


NONE = Anchors()


class Anchored(NamedTuple):
    """How an anchor stands.

    Attributes:
        anchor: Its name.
        value: What was given.
        matched: None: it could not be told.
        message: Why.
    """

    anchor: str
    value: str
    matched: bool | None
    message: str


def asset_of(text: str) -> str:
    """Return the id of an asset that is named by it, or by a DID.

    Raises:
        UsageError: It is neither.
    """
    bare = text.strip().lower()
    if is_id(bare):
        return bare
    named = _did(text)
    found = None if named is None else named.asset_id
    if found is None:
        raise UsageError(
            f"{cut(text)!r} is not the id of an asset: 64 hex digits, or did:bdb:...",
            hint="twin asset show NAME --get id",
        )
    return found


def issuer_of(text: str) -> str:
    """Return the DID of an issuer that is named by it, or by a public key.

    Raises:
        UsageError: It is neither.
    """
    if base58.is_key(text):
        return did.key_did(text)
    named = _did(text)
    if named is not None and (named.public_key is not None or named.asset_id is not None):
        return text
    raise UsageError(
        f"--issuer: {cut(text)!r} is neither a DID of a key or an identity, nor a key",
        hint="twin keys show NAME --get did",
    )


def public_key_of(text: str, option: str) -> str:
    """Return the key that ``did:key:...`` or base58 names.

    Raises:
        UsageError: It names none.
    """
    if base58.is_key(text):
        return text
    named = _did(text)
    found = None if named is None else named.public_key
    if found is None:
        raise UsageError(
            f"{option}: {cut(text)!r} is neither a key nor did:key:...",
            hint="twin ledger info --get public_key; twin keys show NAME --get did",
        )
    return found


def _did(text: str) -> did.Did | None:
    """Return the DID that a text is, None where it is not one."""
    with suppress(InvalidError):
        return did.parse(text)
    return None


def held(
    evidence: Evidence, anchors: Anchors, client: LedgerClient, newest_ms: int | None
) -> Iterator[Anchored]:
    """Yield how each anchor that was given stands.

    Args:
        evidence: What was handed over, its transactions and tree checked already.
        anchors: What is known.
        client: Its transactions.
        newest_ms: Time of its newest transaction, or None.
    """
    if anchors.asset is not None:
        yield _asset(evidence, client, anchors.asset)
    if anchors.issuer is not None:
        yield _issuer(evidence, client, anchors.issuer)
    if evidence.unlogged is not None:
        yield from _without_log(anchors)
    else:
        if anchors.checkpoint is not None:
            yield _kept(evidence, anchors.checkpoint)
        if anchors.root is not None:
            yield _root(evidence, anchors.root)
        if anchors.ledger_key is not None:
            yield _ledger_key(evidence, anchors)
    if anchors.not_before_ms is not None:
        yield not_before(anchors.not_before_ms, newest_ms)


def _without_log(anchors: Anchors) -> Iterator[Anchored]:
    """Yield how those anchors stand that only a log could be compared with."""
    said = "the network keeps no log to compare it with"
    if anchors.checkpoint is not None:
        _, kept = checkpoint_of(anchors.checkpoint)
        name = f"{kept.size} {kept.root.hex()}"
        yield Anchored(CHECKPOINT, name, matched=None, message=said)
    if anchors.root is not None:
        yield Anchored(ROOT, anchors.root.hex(), matched=None, message=said)
    if anchors.ledger_key is not None:
        yield Anchored(LEDGER_KEY, anchors.ledger_key, matched=None, message=said)


def _asset(evidence: Evidence, client: LedgerClient, asset_id: str) -> Anchored:
    asked = evidence.asset_id
    if asked is not None and asked != asset_id:
        return Anchored(ASSET, asset_id, matched=False, message=f"the evidence is about {asked}")
    entry = client.entry(asset_id)
    if entry is None or entry.tx["operation"] != CREATE:
        said = "the evidence does not have this asset"
        return Anchored(ASSET, asset_id, matched=False, message=said)
    return Anchored(ASSET, asset_id, matched=True, message="the evidence is about this asset")


def _issuer(evidence: Evidence, client: LedgerClient, text: str) -> Anchored:
    asset_id = evidence.asset_id
    entry = None if asset_id is None else client.entry(asset_id)
    if entry is None:
        said = "the evidence does not say about which twin it is"
        return Anchored(ISSUER, text, matched=None, message=said)
    keys = signers_of(entry.tx)
    named = did.parse(text)
    if named.public_key is not None:
        matched = named.public_key in keys
    else:
        identity = named.asset_id
        if identity is None or client.entry(identity) is None:
            said = "the evidence does not have the identity that this names"
            return Anchored(ISSUER, text, matched=None, message=said)
        place = Place(LAST if entry.height is None else entry.height, LAST, entry.time_ms)
        matched = Speakers(client).controls(identity, keys, place)
    by = ", ".join(keys)
    said = "the issuer made the twin" if matched else f"the twin was made by {by}"
    return Anchored(ISSUER, text, matched=matched, message=said)


def _kept(evidence: Evidence, data: bytes) -> Anchored:
    """Compare with a checkpoint that was kept, which the ledger's own key signed."""
    note, kept = checkpoint_of(data)
    name = f"{kept.size} {kept.root.hex()}"
    claims = evidence.claims
    if kept.origin != tlog.origin_of(claims.ledger_id):
        said = f"the checkpoint is of {cut(kept.origin)}, the evidence of another ledger"
        return Anchored(CHECKPOINT, name, matched=False, message=said)
    try:
        signed = notes.verify(note, keys_of(claims))
    except NotVerifiedError as error:
        return Anchored(CHECKPOINT, name, matched=False, message=error.message)
    if not signed:
        said = "the checkpoint is not signed by the key of this ledger"
        return Anchored(CHECKPOINT, name, matched=False, message=said)
    if kept.size > claims.size:
        missing = kept.size - claims.size
        if evidence.kind == BUNDLE:
            said = f"the bundle is older than the checkpoint, by {missing} transactions"
            return Anchored(CHECKPOINT, name, matched=None, message=said)
        said = f"the ledger was rolled back: {missing} transactions are missing at its end"
        return Anchored(CHECKPOINT, name, matched=False, message=said)
    there = evidence.root_at(kept.size)
    if there is None:
        said = "the bundle has a later checkpoint, and nothing that leads from this one to it"
        return Anchored(CHECKPOINT, name, matched=None, message=said)
    if there != kept.root:
        said = f"of the first {kept.size} transactions some are not those of the checkpoint"
        return Anchored(CHECKPOINT, name, matched=False, message=said)
    said = f"the first {kept.size} transactions are those of the checkpoint"
    return Anchored(CHECKPOINT, name, matched=True, message=said)


def trusted(evidence: Evidence, anchors: Anchors) -> int:
    """Return how many of the first transactions a checkpoint vouches for, 0 where none does."""
    if anchors.checkpoint is None or not _kept(evidence, anchors.checkpoint).matched:
        return 0
    return checkpoint_of(anchors.checkpoint)[1].size


def checkpoint_of(data: bytes) -> tuple[Note, Checkpoint]:
    """Return a checkpoint that was kept.

    Raises:
        UsageError: It is malformed.
    """
    try:
        return checkpoints.read(data)
    except InvalidError as error:
        raise UsageError(
            f"--checkpoint: {error.message}",
            code=error.code,
            hint="twin ledger checkpoint -o FILE writes one",
        ) from error


def keys_of(claims: Claims) -> list[notes.VerifierKey]:
    """Return the keys that a ledger says it signs its checkpoints with, or once did."""
    keys = (claims.ledger_key, *claims.former_keys)
    return [checkpoints.key_of(claims.ledger_id, key) for key in keys]


def _root(evidence: Evidence, root: bytes) -> Anchored:
    text = root.hex()
    if root == evidence.claims.root:
        return Anchored(ROOT, text, matched=True, message="it is the root of the evidence")
    if evidence.ledger is None:
        said = f"the root of the {evidence.kind} is {evidence.claims.root.hex()}"
        return Anchored(ROOT, text, matched=None, message=said)
    height = evidence.ledger.height_of_root(root)
    if height is None:
        return Anchored(ROOT, text, matched=False, message="the ledger never had this root")
    return Anchored(ROOT, text, matched=True, message=f"the ledger had it at height {height}")


def _ledger_key(evidence: Evidence, anchors: Anchors) -> Anchored:
    """Ask whether a key signed the tree of the evidence, or a part of it.

    What the evidence says of its own key proves nothing: anybody can copy that.
    """
    key = str(anchors.ledger_key)
    claims = evidence.claims
    if key not in {claims.ledger_key, *claims.former_keys}:
        said = f"the evidence names the key {claims.ledger_key}"
        return Anchored(LEDGER_KEY, key, matched=False, message=said)
    if LEDGER_KEY in anchors.pinned:
        said = "this home has the key that the ledger was begun with"
        return Anchored(LEDGER_KEY, key, matched=True, message=said)
    wanted = checkpoints.key_of(claims.ledger_id, key)
    offered = [*evidence.notes, *(() if anchors.checkpoint is None else (anchors.checkpoint,))]
    for data in offered:
        try:
            note, made = checkpoints.read(data)
            signed = notes.verify(note, [wanted])
        except (InvalidError, NotVerifiedError):
            continue
        if not signed or made.origin != wanted.name or made.size > claims.size:
            continue
        if evidence.root_at(made.size) == made.root:
            said = f"it signed the tree of {made.size} transactions"
            return Anchored(LEDGER_KEY, key, matched=True, message=said)
    said = "nothing that this key signed leads to these transactions; give --checkpoint, too"
    return Anchored(LEDGER_KEY, key, matched=None, message=said)


def key_of_note(key: str, note: Note, origin: str, what: str) -> Anchored:
    """Return whether a ledger's key signed a checkpoint.

    Args:
        key: The key, base58.
        note: The checkpoint.
        origin: Of its log.
        what: What to call it.
    """
    wanted = notes.VerifierKey(origin, notes.ED25519, base58.decode_key(key))
    try:
        matched = bool(notes.verify(note, [wanted]))
    except NotVerifiedError as error:
        return Anchored(LEDGER_KEY, key, matched=False, message=error.message)
    said = f"it signed {what}" if matched else f"it did not sign {what}"
    return Anchored(LEDGER_KEY, key, matched=matched, message=said)


def not_before(wanted_ms: int, newest_ms: int | None) -> Anchored:
    """Return whether something is as new as somebody wants it."""
    text = times.to_text(wanted_ms)
    if newest_ms is not None and newest_ms >= wanted_ms:
        said = f"its newest transaction is of {times.to_text(newest_ms)}"
        return Anchored(NOT_BEFORE, text, matched=True, message=said)
    said = "nothing in it is as new as that"
    if newest_ms is not None:
        said += f": its newest transaction is of {times.to_text(newest_ms)}"
    return Anchored(NOT_BEFORE, text, matched=None, message=said)
