"""A proof that a ledger grew from a checkpoint, judged without the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import tlog
from twincli.errors import InvalidError
from twincli.services.proof import anchors as _anchors
from twincli.services.proof import report
from twincli.services.proof.anchors import Anchored
from twincli.services.proof.evidence import GROWTH, Finding, begins_with
from twincli.services.proof.report import LEDGER_PROOF, Report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.services.proof.anchors import Anchors

_BEGINNING = b"old "


def is_growth(path: str) -> bool:
    """Say whether a file is the proof that a ledger grew."""
    return begins_with(path, _BEGINNING)


def judge(source: str, data: bytes, anchors: Anchors) -> Report:
    """Judge whether the later checkpoint follows an earlier one, which has to be known.

    Args:
        source: What to call the proof.
        data: What ``twin ledger prove --from`` wrote.
        anchors: What is known from elsewhere, the earlier checkpoint or its root among it.

    Raises:
        UsageError: The earlier checkpoint cannot be read.
    """
    parts = report.empty()
    part = parts[LEDGER_PROOF]
    part.look()
    try:
        growth = tlog.parse_submission(data)
    except InvalidError as error:
        return report.unreadable(source, GROWTH, Finding(error.code, source, error.message))
    root = _earlier(anchors, growth)
    if root is None:
        said = f"the checkpoint of {growth.old_size} transactions was not given, or another one"
        part.missing.append(Finding("no_checkpoint", "--checkpoint", said))
    elif not growth.is_consistent(root):
        said = "the proof does not lead from the earlier checkpoint to the later one"
        part.altered.append(Finding("forked_log", source, said))
    held = list(_held(growth, root, anchors))
    tree = growth.checkpoint
    return Report(
        report.word(parts, held),
        source,
        GROWTH,
        tree.origin.removeprefix(tlog.ORIGIN),
        None,
        tree.size,
        tree.root.hex(),
        held,
        frozenset(),
        parts,
    )


def _earlier(anchors: Anchors, growth: tlog.Submission) -> bytes | None:
    """Return the root of the earlier tree, None where it is not known."""
    if anchors.checkpoint is None:
        return anchors.root
    _, kept = _anchors.checkpoint_of(anchors.checkpoint)
    fits = (kept.origin, kept.size) == (growth.checkpoint.origin, growth.old_size)
    return kept.root if fits else None


def _held(growth: tlog.Submission, root: bytes | None, anchors: Anchors) -> Iterator[Anchored]:
    """Yield how each anchor stands; those of twins cannot be told."""
    follows = None if root is None else growth.is_consistent(root)
    told = {
        True: "the proof leads from it",
        False: "the proof does not lead from it",
        None: f"the proof leads from a checkpoint of {growth.old_size} transactions",
    }
    if anchors.checkpoint is not None:
        _, kept = _anchors.checkpoint_of(anchors.checkpoint)
        name = f"{kept.size} {kept.root.hex()}"
        yield Anchored(_anchors.CHECKPOINT, name, matched=follows, message=told[follows])
    if anchors.root is not None:
        same = follows if anchors.root == root else None
        yield Anchored(_anchors.ROOT, anchors.root.hex(), matched=same, message=told[same])
    if anchors.ledger_key is not None:
        tree = growth.checkpoint
        yield _anchors.key_of_note(
            anchors.ledger_key, growth.note, tree.origin, "the later checkpoint"
        )
    untold = "a proof that a ledger grew does not say this"
    if anchors.asset is not None:
        yield Anchored(_anchors.ASSET, anchors.asset, matched=None, message=untold)
    if anchors.issuer is not None:
        yield Anchored(_anchors.ISSUER, anchors.issuer, matched=None, message=untold)
    if anchors.not_before_ms is not None:
        yield _anchors.not_before(anchors.not_before_ms, None)
