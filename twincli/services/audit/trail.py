"""Noting in the audit log who was given what."""

from __future__ import annotations

from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twincli.services.workspace import Noting

DECRYPTED = "decrypted"
SERVED = "served"
GRANTED = "granted"
REVOKED = "revoked"
EXPORTED = "exported"
REFUSED = "refused"
SHREDDED = "shredded"
READ = "read"
WHATS = (DECRYPTED, SERVED, GRANTED, REVOKED, EXPORTED, REFUSED, SHREDDED, READ)
"""What entries say."""

_LONGEST = 500


def note(
    workspace: Noting,
    what: str,
    *,
    twin: str | None = None,
    party: str | None = None,
    stream: str | None = None,
    kind: str | None = None,
    cid: str | None = None,
    tx: str | None = None,
    reason: str | None = None,
    by: str | None = None,
    durable: bool = True,
) -> None:
    """Append an entry to the audit log of the home; call it before anything is handed out.

    A workspace without a home has no log, and a dry run notes nothing.

    Args:
        workspace: Rooms.
        what: One of ``WHATS``; ``READ``, of what is not encrypted, only where the setting says so.
        twin: The id of the asset that is concerned.
        party: Who got, or was refused something: a public key, or a DID.
        stream: The stream that was read.
        kind: The kind of record, such as ``file``, where it is not a stream.
        cid: The content that was read.
        tx: The transaction that was made.
        reason: Why, for people.
        by: The command or route.
        durable: Whether a power loss may not take it.

    Raises:
        ConfigError: ``cannot_write``: what cannot be noted must not be handed out.
    """
    assert what in WHATS, what
    audit = workspace.audit
    if audit is None or workspace.dry_run or (what == READ and not audit.reads):
        return
    from twincli.model import times
    from twincli.services.audit import log

    told = {
        "what": what,
        "at": times.to_text(workspace.now()),
        "twin": twin,
        "party": None if party is None else _did(party),
        "stream": stream,
        "kind": kind,
        "cid": cid,
        "tx": tx,
        "reason": reason,
        "by": by,
    }
    entry: dict[str, Any] = {
        name: _bounded(text) for name, text in told.items() if text is not None
    }
    log.append(audit.directory, entry, durable=durable)


def note_done(
    workspace: Noting,
    what: str,
    parties: Iterable[str | None],
    *,
    twin: str,
    tx: str | None,
    reason: str | None,
    by: str,
) -> list[str]:
    """Note for each party what is on the ledger already; return warnings where that fails."""
    from twincli.errors import ConfigError

    try:
        for party in parties:
            note(workspace, what, party=party, twin=twin, tx=tx, reason=reason, by=by)
    except ConfigError as error:
        return [f"the audit log was not written: {error.message}"]
    return []


def _did(party: str) -> str:
    if party.startswith("did:"):
        return party
    from twincli.model import did

    return did.key_did(party)


def _bounded(text: str) -> str:
    """Return text that fits a line, without what no canonical form has."""
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return short.encode("utf-8", "replace").decode()
