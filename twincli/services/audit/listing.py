"""The audit log, checked and listed: all of it to its owner, to an auditor what their grant has."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, LockedError, UsageError
from twincli.model import did, times
from twincli.rules.authority import AUTHORISED, Scope
from twincli.services import resolve
from twincli.services.audit import log
from twincli.services.standing import Speakers
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.services.documents import AuditEntry, AuditLog
    from twincli.services.workspace import Workspace

_AUDITOR = "auditor"
_HOLDS_ALL = Scope()


class _Wanted(NamedTuple):
    """Which entries are listed.

    Attributes:
        asset_id: Only those about this twin.
        since_ms: Only those of this time or later.
        until_ms: Only earlier ones.
        scopes: Only what one of these holds, for an auditor; None: everything.
        party: The auditor: the entries about them.
    """

    asset_id: str | None
    since_ms: int | None
    until_ms: int | None
    scopes: list[Scope] | None = None
    party: str | None = None

    def holds(self, entry: dict[str, Any]) -> bool:
        if self.asset_id not in {None, entry.get("twin")}:
            return False
        at_ms = times.parse_claim(entry.get("at"))
        if self.since_ms is not None and (at_ms is None or at_ms < self.since_ms):
            return False
        if self.until_ms is not None and (at_ms is None or at_ms >= self.until_ms):
            return False
        if self.scopes is None or entry.get("party") == self.party:
            return True
        return any(_holds(scope, entry) for scope in self.scopes)


def _holds(scope: Scope, entry: dict[str, Any]) -> bool:
    if scope == _HOLDS_ALL:
        return True
    return entry.get("stream") in (scope.streams or ()) or entry.get("kind") in (scope.kinds or ())


def list_entries(
    workspace: Workspace,
    ref: str | None = None,
    *,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    reverse: bool = False,
) -> AuditLog:
    """Check the chain of the whole audit log, and list what it says about a twin, or about all.

    Args:
        workspace: Rooms; with ``--key`` of somebody who does not hold the twin, it lists what an
            auditor with this key may know.
        ref: Only about this twin.
        since: What was noted at this time or later.
        until: What was noted before this time.
        limit: At most N.
        reverse: Newest first.

    Raises:
        UsageError: ``bad_time``, ``empty_range``; ``--limit`` below 1; an auditor names no twin.
        LockedError: ``no_grant``: the key is neither a holder's nor an auditor's.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit takes a whole number from 1, not {limit}")
    asset_id = None if ref is None else resolve.asset_id_of(workspace, ref)
    since_ms, until_ms = times.parse_range(since, until, workspace.now())
    wanted = _as_party(workspace, ref, _Wanted(asset_id, since_ms, until_ms))
    check = log.Check("" if workspace.audit is None else workspace.audit.directory)
    kept: deque[dict[str, Any]] = deque(maxlen=limit if reverse else None)
    for entry in check.entries():
        if wanted.holds(entry) and (reverse or limit is None or len(kept) < limit):
            kept.append(entry)
    if reverse:
        kept.reverse()
    names = resolve.Names(workspace)
    twins = resolve.asset_names(workspace)
    last = check.last
    return {
        "schema": "twin.audit-log/1",
        "asset_id": asset_id,
        "asset_name": None if asset_id is None else twins.get(asset_id),
        "status": "broken" if check.problems else "ok",
        "checked": check.checked,
        "head": {"number": last.number, "hash": last.hash if last.number else None},
        "problems": [problem._asdict() for problem in check.problems],
        "more_problems": check.more,
        "entries": [_item(entry, names, twins) for entry in kept],
    }


def _as_party(workspace: Workspace, ref: str | None, wanted: _Wanted) -> _Wanted:
    """Return what the party that ``--key`` names may know; without it, the home's owner."""
    if not workspace.keys:
        return wanted
    if wanted.asset_id is None or ref is None:
        raise UsageError(
            "an auditor reads the log of one twin",
            hint="name the twin: twin audit log TWIN --key NAME; without --key, all is listed",
        )
    key = resolve.public_key_of(workspace, workspace.keys[0])
    speakers = Speakers(workspace.client)
    found, present = speakers.authority(wanted.asset_id), speakers.present(workspace.now())
    if found.holders.names(key, present.position):
        return wanted
    scopes = [
        given.scope
        for given in found.grants_to(key)
        if given.role == _AUDITOR
        and found.held(given, key, present, workspace.now()).standing == AUTHORISED
    ]
    if not scopes:
        raise LockedError(
            f"{workspace.keys[0]} may not read the audit log of {ref}",
            code="no_grant",
            hint=f"ask its owner: twin grant add {ref} --to {workspace.keys[0]} --role auditor",
        )
    return wanted._replace(scopes=scopes, party=did.key_did(key))


def _item(entry: dict[str, Any], names: resolve.Names, twins: dict[str, str]) -> AuditEntry:
    twin, party = entry.get("twin"), entry.get("party")
    named = None
    if isinstance(party, str):
        try:
            key = did.parse(party).public_key
        except InvalidError:
            key = None
        named = None if key is None else names.of_key(key)
    return {
        "number": entry["n"],
        "at": entry.get("at"),
        "what": entry.get("what"),
        "twin": twin,
        "twin_name": twins.get(twin) if isinstance(twin, str) else None,
        "party": party,
        "party_name": named,
        "stream": entry.get("stream"),
        "kind": entry.get("kind"),
        "cid": entry.get("cid"),
        "transaction_id": entry.get("tx"),
        "reason": entry.get("reason"),
        "by": entry.get("by"),
        "hash": entry["hash"],
    }
