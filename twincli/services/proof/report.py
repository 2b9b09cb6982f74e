"""The answer to a verification: its parts, and one word for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.services.proof.evidence import Finding
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twincli.services.documents import (
        Verification,
        VerificationAnchor,
        VerificationPart,
        VerificationProblem,
    )
    from twincli.services.proof.anchors import Anchored, Anchors
    from twincli.services.proof.evidence import Evidence

VERIFIED, CONSISTENT, FAILED, UNDETERMINED = (
    "verified",
    "consistent",
    "failed",
    "undetermined",
)
OK, NOT_CHECKED = "ok", "not_checked"

DATA, LEDGER_PROOF, ATTACHMENTS = "data_integrity", "ledger_proof", "attachment_hashes"
AUTHORITY, REFERENCES, AUDIT_TRAIL = "authority", "references", "audit_trail"
PARTS = (DATA, LEDGER_PROOF, ATTACHMENTS, AUTHORITY, REFERENCES, AUDIT_TRAIL)

MOST = 1000
"""Problems of a part that are listed; all are counted."""


class Part:
    """One of the parts of a verification, in the making.

    Attributes:
        checked: How many things were looked at.
        altered: What cannot be so.
        missing: What could not be told.
        noted: What is so, and worth knowing.
        is_checked: Whether anything was asked at all.
    """

    def __init__(self) -> None:
        self.checked = 0
        self.altered: list[Finding] = []
        self.missing: list[Finding] = []
        self.noted: list[Finding] = []
        self.is_checked = False

    def look(self, count: int = 1) -> None:
        """Count what was looked at."""
        self.checked += count
        self.is_checked = True

    @property
    def status(self) -> str:
        """One word: what was altered weighs more than what is missing."""
        if self.altered:
            return FAILED
        if self.missing:
            return UNDETERMINED
        return OK if self.is_checked else NOT_CHECKED

    def be_strict(self) -> None:
        """Take what was only noted for a problem."""
        self.altered += self.noted
        self.noted = []


class Report(NamedTuple):
    """What was found out.

    Attributes:
        status: ``verified``, ``consistent``, ``failed`` or ``undetermined``.
        source: What was judged.
        kind: ``ledger``, ``bundle``, ``network`` ...; None where it could not be read.
        ledger_id: The ledger that it says it is from, or None.
        asset_id: The twin that it is about; None: all.
        size: Transactions of the whole ledger, as it says, or None.
        root: Over them, hex, or None.
        anchors: How what is known from elsewhere stands.
        pinned: Names of those anchors that the home knows.
        parts: By name.
    """

    status: str
    source: str
    kind: str | None
    ledger_id: str | None
    asset_id: str | None
    size: int | None
    root: str | None
    anchors: Sequence[Anchored]
    pinned: frozenset[str]
    parts: Mapping[str, Part]

    @property
    def first(self) -> Finding | None:
        """The problem to look at first: the first that was altered, else that is missing."""
        for name in PARTS:
            if self.parts[name].altered:
                return self.parts[name].altered[0]
        for one in self.anchors:
            if one.matched is False:
                return Finding("anchor_mismatch", one.anchor, one.message)
        for name in PARTS:
            if self.parts[name].missing:
                return self.parts[name].missing[0]
        for one in self.anchors:
            if one.matched is None:
                return Finding("anchor_undetermined", one.anchor, one.message)
        return None


def empty() -> dict[str, Part]:
    """Return the parts before anything was looked at."""
    return {name: Part() for name in PARTS}


def word(parts: Mapping[str, Part], anchored: Sequence[Anchored]) -> str:
    """Return the answer in one word."""
    found = {part.status for part in parts.values()}
    matches = {one.matched for one in anchored}
    if FAILED in found or False in matches:
        return FAILED
    if UNDETERMINED in found or None in matches:
        return UNDETERMINED
    return VERIFIED if matches else CONSISTENT


def report(
    evidence: Evidence,
    anchors: Anchors,
    anchored: Sequence[Anchored],
    parts: Mapping[str, Part],
) -> Report:
    """Return what was found out about evidence that could be read."""
    has_tree = evidence.unlogged is None
    return Report(
        word(parts, anchored),
        evidence.source,
        evidence.kind,
        evidence.claims.ledger_id,
        evidence.asset_id,
        evidence.claims.size if has_tree else None,
        evidence.claims.root.hex() if has_tree else None,
        anchored,
        anchors.pinned,
        parts,
    )


def unreadable(source: str, kind: str | None, fault: Finding) -> Report:
    """Return the report on what nothing could be read of."""
    parts = empty()
    parts[DATA].look(0)
    parts[DATA].altered.append(fault)
    return Report(FAILED, source, kind, None, None, None, None, (), frozenset(), parts)


def document(made: Report) -> Verification:
    """Return ``twin.verification/1``."""
    first = made.first
    return {
        "schema": "twin.verification/1",
        "status": made.status,
        "source": made.source,
        "kind": made.kind,
        "ledger": made.ledger_id,
        "asset_id": made.asset_id,
        "size": made.size,
        "root": made.root,
        "problem": None if first is None else problem_document(first),
        "anchors": [_anchor(one, made.pinned) for one in made.anchors],
        "parts": {name: part_document(made.parts[name]) for name in PARTS},
    }


def _anchor(one: Anchored, pinned: frozenset[str]) -> VerificationAnchor:
    return {
        "anchor": one.anchor,
        "value": one.value,
        "pinned": one.anchor in pinned,
        "matched": one.matched,
        "message": one.message,
    }


def part_document(part: Part) -> VerificationPart:
    """Return a part of ``twin.verification/1``."""
    problems = [*part.altered, *part.missing]
    return {
        "status": part.status,
        "checked": part.checked,
        "problems": [problem_document(item) for item in problems[:MOST]],
        "problem_count": len(problems),
        "notes": [problem_document(item) for item in part.noted[:MOST]],
        "note_count": len(part.noted),
    }


def problem_document(found: Finding) -> VerificationProblem:
    """Return a problem of ``twin.verification/1``."""
    return {"code": found.code, "where": found.where, "message": found.message}
