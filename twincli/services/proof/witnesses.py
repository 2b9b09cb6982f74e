"""Asking witnesses to cosign the checkpoint of a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.client.witnesses import WitnessPlace
from twincli.crypto import notes
from twincli.crypto.notes import COSIGNATURE
from twincli.errors import NotVerifiedError, TwinError, UnreachableError
from twincli.model import times
from twincli.proof import checkpoints, proofs
from twincli.services.proof import log
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.client.tls import Tls
    from twincli.crypto.notes import Note, Signature, Verified, VerifierKey
    from twincli.ledger.ledger import Ledger
    from twincli.services.documents import CheckpointCosigned, WitnessAsked

COSIGNED, REFUSED, WOULD_ASK = "cosigned", "refused", "not_asked"
ROUNDS = 3
"""Times that a witness is asked: others may have it cosign in between."""


class Asked(NamedTuple):
    """Which witnesses are asked, and how.

    Attributes:
        urls: Nodes of twincli, or prefixes of ``add-checkpoint``.
        keys: Those of witnesses that are trusted; empty: those that the nodes state.
        timeout: Seconds to wait for an answer.
        tls: Certificates.
    """

    urls: tuple[str, ...]
    keys: tuple[VerifierKey, ...]
    timeout: float
    tls: Tls


def collect(ledger: Ledger, asked: Asked, *, dry_run: bool = False) -> CheckpointCosigned:
    """Have witnesses cosign a checkpoint of a ledger, and keep what they signed beside it.

    Args:
        ledger: Whose.
        asked: Which witnesses.
        dry_run: Make the checkpoint, ask nobody.

    Returns:
        ``twin.cosigned/1``: ``ledger size root witnesses signatures note``; of each witness
        ``url status name key time code message``.

    Raises:
        TwinError: The only witness did not cosign, or none of several; the first one's reason.
    """
    note = checkpoints.newest(ledger)
    listed: list[WitnessAsked] = []
    faults: list[TwinError] = []
    for url in dict.fromkeys(asked.urls):
        if dry_run:
            listed.append(_item(url, WOULD_ASK, message="would be asked to cosign"))
            continue
        place = WitnessPlace(url, timeout=asked.timeout, tls=asked.tls)
        try:
            signatures, verified = _cosigned(ledger, place, note, asked.keys)
        except TwinError as error:
            faults.append(error)
            why = error.message.removeprefix(f"{place.url} ")
            listed.append(_item(url, REFUSED, code=error.code, message=why))
            continue
        note = note.with_signatures(signatures)
        checkpoints.keep(ledger, note)
        listed += [_item(url, COSIGNED, found=one) for one in verified]
    if faults and len(faults) == len(listed):
        raise faults[0]
    document = log.checkpoint_of(ledger, note)
    return {
        "schema": "twin.cosigned/1",
        "ledger": ledger.id,
        "size": document["size"],
        "root": document["root"],
        "witnesses": listed,
        "signatures": document["signatures"],
        "note": document["note"],
    }


def _cosigned(
    ledger: Ledger, place: WitnessPlace, note: Note, trusted: tuple[VerifierKey, ...]
) -> tuple[list[Signature], list[Verified]]:
    """Return the cosignatures of a witness, those of known keys alone, and what they say."""
    prefix, stated = place.find()
    keys = trusted or (() if stated is None else (stated,))
    if not keys:
        raise NotVerifiedError(
            f"{place.url} does not state the key that it cosigns with",
            code="unknown_witness",
            hint="give the key that the witness published: --witness-key NAME+ID+KEY",
        )
    old_size = 0
    for _ in range(ROUNDS):
        sent = proofs.growth(ledger, old_size, None, note)
        answer = place.add_checkpoint(prefix, sent.to_bytes())
        if answer.size is None:
            break
        if answer.size == old_size:
            raise NotVerifiedError(
                f"{place.url} did not cosign: it knows another ledger of {old_size} transactions",
                code="not_cosigned",
                hint="keep what both say as evidence: somebody altered the ledger",
            )
        old_size = answer.size
    else:
        raise UnreachableError(
            f"{place.url} failed: others keep asking it about this log",
            code="node_error",
            retryable=True,
        )
    own = {(key.name, key.id) for key in keys if key.kind == COSIGNATURE}
    known = [line for line in answer.signatures if (line.name, line.key_id) in own]
    verified = notes.verify(notes.Note(note.text, tuple(known)), keys)
    if not verified:
        raise NotVerifiedError(
            f"{place.url} answered without a cosignature of a known key",
            code="unknown_witness",
            hint="--witness-key NAME+ID+KEY: is it the key of this witness?",
        )
    return known, verified


def _item(
    url: str,
    status: str,
    *,
    found: Verified | None = None,
    code: str | None = None,
    message: str | None = None,
) -> WitnessAsked:
    return {
        "url": url,
        "status": status,
        "name": None if found is None else found.key.name,
        "key": None if found is None else found.key.text,
        "time": None if found is None else times.told((found.seconds or 0) * 1000),
        "code": code,
        "message": message,
    }
