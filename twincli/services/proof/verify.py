"""``twin verify``: evidence opened, judged, and reported, whatever is wrong with it."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

from twincli.errors import ConfigError, InvalidError, NotFoundError, NotVerifiedError
from twincli.model.transaction import CREATE
from twincli.services.proof import evidence as _evidence
from twincli.services.proof import report
from twincli.services.proof.anchors import NONE
from twincli.services.proof.evidence import Finding
from twincli.services.proof.judge import judge
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.content.store import Blobs
    from twincli.ledger.ledger import Ledger
    from twincli.services.documents import Verification
    from twincli.services.proof.anchors import Anchors
    from twincli.services.proof.evidence import Evidence
    from twincli.services.proof.report import Part, Report

_UNREADABLE = (NotVerifiedError, InvalidError, ConfigError)
_ALTERED = ("damaged_ledger", "foreign_file", "lost_ledger")
"""Errors of a ledger that cannot be opened because of what is in it."""


def verify_file(
    path: str,
    asset_id: str | None = None,
    anchors: Anchors = NONE,
    *,
    strict: bool = False,
    incremental: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Judge a bundle or a ledger's file. No home is read and nothing is written.

    Args:
        path: The file.
        asset_id: The twin of a ledger that is asked about; None: all.
        anchors: What is known from elsewhere.
        strict: See ``judge``.
        incremental: See ``judge``.
        progress: See ``judge``.

    Raises:
        NotFoundError: ``not_found``, ``no_ledger``: no such file, or no such twin in it.
    """
    return report.document(
        _of_file(path, asset_id, anchors, strict=strict, incremental=incremental, progress=progress)
    )


def _of_file(
    path: str,
    asset_id: str | None,
    anchors: Anchors,
    *,
    strict: bool,
    incremental: bool,
    progress: Callable[[int, int], None] | None,
) -> Report:
    kind: str | None = None
    with ExitStack() as opened:
        try:
            kind = _evidence.kind_of(path)
            found = opened.enter_context(_of_kind(kind, path, asset_id))
        except _UNREADABLE as error:
            if isinstance(error, ConfigError) and error.code not in _ALTERED:
                raise
            return report.unreadable(path, kind, Finding(error.code, path, error.message))
        if asset_id is not None:
            _check_asset(found, asset_id)
        return judge(found, anchors, strict=strict, incremental=incremental, progress=progress)


def verify_proof(path: str, what: str | bytes, anchors: Anchors = NONE) -> Verification:
    """Judge the proof of a transaction, a file ``.tlog-proof``.

    Args:
        path: The file.
        what: The id of the transaction, or its own file's content.
        anchors: What is known from elsewhere.
    """
    from twincli.crypto import tlog
    from twincli.services.proof import proven

    with open(path, "rb") as stream:
        data = stream.read(tlog.MAX_PROOF + 1)
    return report.document(proven.judge(path, data, what, anchors))


def verify_growth(path: str, anchors: Anchors = NONE) -> Verification:
    """Judge the proof that a ledger grew; see ``grown``.

    Args:
        path: The file.
        anchors: What is known from elsewhere.
    """
    from twincli.crypto import tlog
    from twincli.services.proof import grown

    with open(path, "rb") as stream:
        data = stream.read(tlog.MAX_PROOF + 1)
    return report.document(grown.judge(path, data, anchors))


def _check_asset(found: Evidence, asset_id: str) -> None:
    """Refuse to judge a twin that the evidence is not about."""
    there = found.asset_id == asset_id
    if found.ledger is not None:
        entry = found.ledger.entry(asset_id)
        there = entry is not None and entry.tx["operation"] == CREATE
    if not there:
        raise NotFoundError(f"{found.source} is not about {asset_id}", code="not_found")


def _of_kind(kind: str, path: str, asset_id: str | None) -> AbstractContextManager[Evidence]:
    if kind == _evidence.LEDGER:
        return _evidence.of_ledger(path, asset_id)
    from twincli.services.proof.bundled import of_bundle

    return of_bundle(path)


class Here(NamedTuple):
    """What a home has of what is asked about.

    Attributes:
        ledger: Its ledger.
        asset_id: The twin; None: all.
        anchors: What is known, by options and by the home.
        blobs: The content that is here.
        trail: See ``judge``.
    """

    ledger: Ledger
    asset_id: str | None
    anchors: Anchors
    blobs: Blobs
    trail: Callable[[Part], None] | None = None


def verify_home(
    source: str,
    opened: Callable[[], Here],
    *,
    strict: bool = False,
    incremental: bool = False,
    index: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Judge a twin of a home, or its whole ledger, with what the home remembers of it.

    Args:
        source: What to call it.
        opened: Opens the home; a ledger that was altered may not let itself be opened.
        strict: See ``judge``.
        incremental: See ``judge``.
        index: Compare the index of the home, too, which everything is found by.
        progress: See ``judge``.
    """
    try:
        here = opened()
        with _evidence.unindexed(here.ledger.store) as ledger:
            found = _evidence.LedgerEvidence(ledger, source, here.asset_id, here.blobs)
            made = judge(
                found,
                here.anchors,
                strict=strict,
                incremental=incremental,
                trail=here.trail,
                progress=progress,
            )
        if index:
            _compare_index(here.ledger, made.parts[report.DATA])
            made = made._replace(status=report.word(made.parts, made.anchors))
    except ConfigError as error:
        if error.code not in _ALTERED:
            raise
        fault = Finding(error.code, source, error.message)
        made = report.unreadable(source, _evidence.LEDGER, fault)
    return report.document(made)


def _compare_index(ledger: Ledger, part: Part) -> None:
    part.look()
    for where, code, message in ledger.verify_index() or ():
        part.altered.append(Finding(code, where, message))
