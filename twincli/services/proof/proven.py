"""A proof of one transaction judged: with the transaction it suffices, without any ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import canonical, tlog
from twincli.errors import InvalidError, NotVerifiedError, UsageError, cut
from twincli.model import did
from twincli.model.ids import is_id
from twincli.model.transaction import CREATE, signers_of
from twincli.proof import proofs
from twincli.rules.structure import check
from twincli.services.proof import anchors as _anchors
from twincli.services.proof import report
from twincli.services.proof.anchors import Anchored
from twincli.services.proof.evidence import PROOF, Finding
from twincli.services.proof.report import DATA, LEDGER_PROOF, Report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.proof.proofs import Proven
    from twincli.rules.structure import Checked
    from twincli.services.proof.anchors import Anchors
    from twincli.services.proof.report import Part


def judge(source: str, data: bytes, what: str | bytes, anchors: Anchors) -> Report:
    """Judge a proof.

    Args:
        source: What to call it.
        data: The proof.
        what: The id of the transaction, or the transaction as a file has it.
        anchors: What is known from elsewhere.

    Raises:
        UsageError: The transaction is named by something else.
    """
    parts = report.empty()
    checked, tx_id = None, None
    if isinstance(what, str):
        tx_id = what.strip().lower()
        if not is_id(tx_id):
            raise UsageError(
                f"{cut(what)!r} is neither the id of a transaction (64 hex digits) nor its file",
                hint="twin verify FILE.tlog-proof TX",
            )
    else:
        checked = _transaction(what, parts[DATA])
        tx_id = None if checked is None else checked.id
    proof, proven = _proven(data, tx_id, parts[LEDGER_PROOF])
    anchored = [*_held(proof, proven, checked, anchors)] if proof is not None else []
    tree = None if proof is None else proof.checkpoint
    return Report(
        report.word(parts, anchored),
        source,
        PROOF,
        None if tree is None else tree.origin.removeprefix(tlog.ORIGIN),
        None if checked is None else checked.asset_id,
        None if tree is None else tree.size,
        None if tree is None else tree.root.hex(),
        anchored,
        frozenset(),
        parts,
    )


def _transaction(data: bytes, part: Part) -> Checked | None:
    """Check a transaction as far as it can be without the ledger."""
    part.look()
    try:
        tx = canonical.decode(data, what="the transaction")
        if isinstance(tx, dict) and str(tx.get("schema")).startswith("twin.transaction/"):
            tx = tx.get("transaction")
        checked = check(tx)
    except InvalidError as error:
        part.altered.append(Finding(error.code, "transaction", error.message))
        return None
    if not checked.verify():
        said = "a signature does not belong to this transaction"
        part.altered.append(Finding("invalid_signature", checked.id, said))
    if checked.operation != CREATE:
        said = "the proof does not say whether its signers held what it spends"
        part.noted.append(Finding("spent_output_unknown", checked.id, said))
    return checked


def _proven(data: bytes, tx_id: str | None, part: Part) -> tuple[tlog.Proof | None, Proven | None]:
    part.look()
    try:
        proof = tlog.parse_proof(data)
        tlog.place_of(proof.extra)
        _ = proof.checkpoint
    except InvalidError as error:
        part.altered.append(Finding(error.code, "proof", error.message))
        return None, None
    if tx_id is None:
        return proof, None
    try:
        return proof, proofs.check(proof, bytes.fromhex(tx_id), ())
    except NotVerifiedError as error:
        part.altered.append(Finding(error.code, tx_id, error.message))
        return proof, None


def _held(
    proof: tlog.Proof, proven: Proven | None, checked: Checked | None, anchors: Anchors
) -> Iterator[Anchored]:
    """Yield how each anchor stands that says something about one transaction."""
    tree = proof.checkpoint
    if anchors.asset is not None:
        there = None if checked is None else checked.asset_id == anchors.asset
        said = {None: "give the transaction's file", True: "it is of this asset"}
        message = said.get(there, "it is of another asset")
        yield Anchored(_anchors.ASSET, anchors.asset, there, message)
    if anchors.issuer is not None:
        yield _issuer(anchors.issuer, checked)
    if anchors.checkpoint is not None:
        yield _checkpoint(anchors.checkpoint, proof)
    if anchors.root is not None:
        same = True if anchors.root == tree.root else None
        said_of = "it is the root" if same else f"the root of the proof is {tree.root.hex()}"
        yield Anchored(_anchors.ROOT, anchors.root.hex(), same, said_of)
    if anchors.ledger_key is not None:
        yield _anchors.key_of_note(anchors.ledger_key, proof.note, tree.origin, "the checkpoint")
    if anchors.not_before_ms is not None:
        yield _anchors.not_before(anchors.not_before_ms, None if proven is None else proven.time_ms)


def _issuer(text: str, checked: Checked | None) -> Anchored:
    key = did.parse(text).public_key
    if checked is None or key is None or checked.operation != CREATE:
        said = "only the file of a CREATE names the maker, and only a key is compared"
        return Anchored(_anchors.ISSUER, text, matched=None, message=said)
    matched = key in signers_of(checked.tx)
    said = "the issuer made the twin" if matched else "somebody else made the twin"
    return Anchored(_anchors.ISSUER, text, matched=matched, message=said)


def _checkpoint(data: bytes, proof: tlog.Proof) -> Anchored:
    _, kept = _anchors.checkpoint_of(data)
    tree = proof.checkpoint
    name = f"{kept.size} {kept.root.hex()}"
    matched: bool | None = None
    said = "the proof leads to a checkpoint of another size"
    if kept.origin != tree.origin:
        matched, said = False, "the checkpoint is of another ledger"
    elif kept.size == tree.size:
        matched = kept.root == tree.root
        said = "it leads to this checkpoint" if matched else "it leads to another root"
    return Anchored(_anchors.CHECKPOINT, name, matched=matched, message=said)
