"""Judge evidence: all of it from the bytes up, then against what is known from elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twincli.book.store import Book
from twincli.client.embedded import EmbeddedClient
from twincli.errors import ConfigError, InvalidError
from twincli.keystore.store import KeyStore
from twincli.model import record
from twincli.services.proof import anchors as _anchors
from twincli.services.proof import integrity, references, report, statements
from twincli.services.proof.evidence import Finding
from twincli.services.proof.report import ATTACHMENTS, AUDIT_TRAIL, DATA, FAILED, LEDGER_PROOF
from twincli.services.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twincli.client import LedgerClient
    from twincli.ledger.ledger import Ledger
    from twincli.services.proof.anchors import Anchored, Anchors
    from twincli.services.proof.evidence import Evidence
    from twincli.services.proof.report import Part, Report

_NOWHERE = os.path.join(os.devnull, "none")
"""Where no keys and names are: those of a home say nothing about evidence."""

_MOST_RELATED = 100_000


def judge(
    evidence: Evidence,
    anchors: Anchors = _anchors.NONE,
    *,
    strict: bool = False,
    incremental: bool = False,
    trail: Callable[[Part], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Judge evidence.

    Args:
        evidence: What was handed over.
        anchors: What is known from elsewhere.
        strict: Take for a problem what is only worth knowing: statements that do not count, what
            only BigchainDB accepts, content that was left out.
        incremental: Of a whole ledger, verify signatures only after the checkpoint that is given.
        trail: Checks the audit log of a home, where there is one.
        progress: Called with how many transactions are checked, and how many there are.
    """
    parts = report.empty()
    anchored: Sequence[Anchored] = ()
    try:
        trusted = _anchors.trusted(evidence, anchors) if incremental else 0
        anchored = _judge(evidence, anchors, parts, progress, trusted)
    except (ConfigError, InvalidError) as error:
        # What is stored cannot be read on; all that was found until here stays.
        parts[DATA].look(0)
        parts[DATA].altered.append(Finding(error.code, evidence.source, error.message))
    if trail is not None:
        trail(parts[AUDIT_TRAIL])
    if strict:
        for part in parts.values():
            part.be_strict()
    return report.report(evidence, anchors, anchored, parts)


def _judge(
    evidence: Evidence,
    anchors: Anchors,
    parts: dict[str, Part],
    progress: Callable[[int, int], None] | None,
    trusted: int,
) -> list[Anchored]:
    ledger = evidence.ledger
    if ledger is None:
        with integrity.of_bundle(evidence, parts, progress) as (made, speaking):
            # Where blocks have no times, only the network's client knows that they have none.
            known = evidence.unlogged or EmbeddedClient(made)
            asset_ids = _with_others(known, speaking) if speaking else []
            newest = None if evidence.unlogged is not None else _newest(made)
            return _judge_rest(evidence, anchors, parts, known, asset_ids, newest)
    client = EmbeddedClient(ledger)
    asked = evidence.asset_id
    if asked is not None and _is_asset(client, asked):
        asset_ids = below(client, asked)
        needed = [*asset_ids, *_above(client, asset_ids)]
        integrity.of_ledger(evidence, ledger, needed, parts, progress)
    else:
        speaking = integrity.of_ledger(evidence, ledger, None, parts, progress, trusted)
        asset_ids = []
        if asked is None and speaking:
            asset_ids = _with_others(client, speaking)
    return _judge_rest(evidence, anchors, parts, client, asset_ids, _newest(ledger))


def _judge_rest(
    evidence: Evidence,
    anchors: Anchors,
    parts: dict[str, Part],
    client: LedgerClient,
    asset_ids: Sequence[str],
    newest_ms: int | None,
) -> list[Anchored]:
    """Judge what is said in transactions that were checked."""
    if evidence.asset_id is not None and not _is_asset(client, evidence.asset_id):
        said = "the evidence does not have the twin that it is about"
        parts[DATA].missing.append(Finding("not_found", evidence.asset_id, said))
    # What altered transactions say is not asked: it is not what was said, or not then.
    if FAILED not in {parts[DATA].status, parts[LEDGER_PROOF].status}:
        are_all = evidence.asset_id is None
        judge_said(nobody(client), evidence, asset_ids, parts, are_all=are_all)
    return list(_anchors.held(evidence, anchors, client, newest_ms))


def nobody(client: LedgerClient) -> Workspace:
    """Return a workspace around a ledger, of somebody who has no keys and knows no names."""
    return Workspace(client, KeyStore(_NOWHERE), Book(_NOWHERE))


def judge_said(
    workspace: Workspace,
    evidence: Evidence,
    asset_ids: Sequence[str],
    parts: dict[str, Part],
    *,
    are_all: bool = False,
) -> None:
    """Judge what is said about assets, the content that it names, and what it refers to."""
    named = statements.check(workspace, asset_ids, parts)
    statements.contents(evidence, named, parts[ATTACHMENTS])
    references.check(workspace, asset_ids, parts, are_all=are_all)


def _newest(ledger: Ledger) -> int | None:
    tip = ledger.tip()
    return tip.time_ms if tip.last_seq else None


def _is_asset(client: LedgerClient, asset_id: str) -> bool:
    entry = client.entry(asset_id)
    return entry is not None and entry.tx["operation"] == "CREATE"


def _with_others(client: LedgerClient, asset_ids: Sequence[str]) -> list[str]:
    """Return assets, and those that they are about or belong to, in order."""
    found = dict.fromkeys(asset_ids)
    for one in asset_ids:
        envelope = record.creating_envelope(client.required(one).tx)
        for name in ("parent", "about"):
            other = envelope.get(name)
            if isinstance(other, str) and other not in found and _is_asset(client, other):
                found[other] = None
    return client.in_order(found)


def below(client: LedgerClient, asset_id: str) -> list[str]:
    """Return an asset, and what belongs to it or is about it, in order."""
    found = {asset_id: None}
    left = [asset_id]
    while left and len(found) < _MOST_RELATED:
        one = left.pop()
        for name in ("parent", "about"):
            for other in client.assets_with(name, one):
                if other not in found:
                    found[other] = None
                    left.append(other)
    return client.in_order(found)


def _above(client: LedgerClient, asset_ids: Sequence[str]) -> list[str]:
    """Return what assets belong to, are about or are held to, and what that belongs to."""
    known, found = set(asset_ids), dict[str, None]()
    for one in asset_ids:
        envelope = record.creating_envelope(client.required(one).tx)
        for name in ("parent", "about"):
            above = envelope.get(name)
            while isinstance(above, str) and above not in known and _is_asset(client, above):
                known.add(above)
                found[above] = None
                above = record.creating_envelope(client.required(above).tx).get("parent")
        pinned = envelope.get("template_cid")
        if isinstance(pinned, str):
            found.update(dict.fromkeys(client.assets_with("compiled", pinned)[:1]))
    return [one for one in found if one not in asset_ids]
