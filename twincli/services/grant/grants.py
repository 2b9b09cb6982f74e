"""Grants: added, listed, explained and revoked; what they mean is decided by `rules.authority`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import age, conditions
from twincli.errors import NotFoundError, UsageError, shown
from twincli.model import did, encryption, owners, private, record, times
from twincli.rules.authority import (
    AUTHORISED,
    CLAIMED,
    READERS,
    REVOKED,
    UNAUTHORISED,
    WRITER,
    Authority,
    Given,
    Place,
    Scope,
    holds,
)
from twincli.services import catalogue, resolve
from twincli.services.asset.write_options import PLAIN, Writing, checked_at
from twincli.services.audit import trail
from twincli.services.grant import scope as scopes
from twincli.services.privacy import hiding, locks, sealing, wrapping
from twincli.services.record.say import say
from twincli.services.standing import Speakers, owners_now
from twincli.services.tx.prepared import Prepared
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twincli.services.documents import (
        Effective,
        EffectiveItem,
        GrantItem,
        Grants,
        Json,
        Said,
        WrittenGrants,
        WrittenRevocation,
    )
    from twincli.services.privacy.locks import Lock
    from twincli.services.record.attachments import Stores
    from twincli.services.workspace import Workspace

PENDING, ACTIVE, EXPIRED = ("pending", "active", "expired")
"""The states of a grant: not yet on the ledger, in force, over; or ``REVOKED``, taken back."""

ROLES = (WRITER, *READERS)
RESTRICTIONS = ("download", "share")
"""What readers may be asked not to do; nothing can make them obey."""


class Reading(NamedTuple):
    """What a grant to read needs.

    Attributes:
        stores: Where wraps are, and go.
        recipient: Of age, to which they are encrypted in place of the key; None: to the key.
        is_private: Whether the scope stands in wraps only, and not on the ledger.
    """

    stores: Stores
    recipient: str | None = None
    is_private: bool = False


def add(
    workspace: Workspace,
    ref: str,
    to: Sequence[str],
    *,
    role: str = WRITER,
    scope: Sequence[str] = (),
    expires: str | None = None,
    deny: Sequence[str] = (),
    reading: Reading | None = None,
    writing: Writing = PLAIN,
) -> WrittenGrants | Prepared:
    """Allow others to write about a twin, or to read what is encrypted: all of them, or none.

    Args:
        workspace: Rooms.
        ref: The twin.
        to: Names, DIDs or public keys.
        role: One of `ROLES`.
        scope: See ``scope.parse``; empty: everything.
        expires: The first moment at which it no longer holds.
        deny: What readers are asked not to do, of `RESTRICTIONS`.
        reading: Of a role that reads.
        writing: W.

    Raises:
        UsageError: Another role; ``bad_scope``, ``bad_time``, ``unknown_recipient``.
        LockedError: ``no_key``: only the twin's owner can grant; ``cannot_decrypt``.
    """
    if role not in ROLES:
        raise UsageError(f"--role: {shown(role)} is not one of {', '.join(ROLES)}")
    is_reading = role in READERS
    denied = _denied(deny, role)
    recipient = None if reading is None else reading.recipient
    if recipient is not None and (not is_reading or len(to) != 1):
        raise UsageError(
            "--recipient is for one party that reads",
            hint="--to NAME --role viewer --recipient age1...",
        )
    if not to:
        raise UsageError("name whom to allow: --to NAME")
    is_private = reading is not None and reading.is_private
    if is_private and not is_reading:
        raise UsageError(
            "--private is for readers: everybody has to know who may write",
            hint="add --role viewer",
        )
    if is_private and writing.once is not None:
        raise UsageError(
            "--once and --private cannot be given together: what is encrypted is never the same"
        )
    asset_id = resolve.asset_id_of(workspace, ref)
    keys = list(dict.fromkeys(resolve.public_key_of(workspace, name) for name in to))
    resolve.check_recipients(workspace, owners.of_keys(keys))
    body: dict[str, Any] = {"to": [did.key_did(key) for key in keys], "role": role}
    warnings: list[str] = []
    limits: dict[str, list[str]] = {}
    if scope:
        replay = workspace.client.replay(asset_id)
        model = None if replay is None else catalogue.of_twin(workspace, replay.pin)
        template = None if model is None else model.template
        names_of_streams = _streams_of(workspace, asset_id) if is_reading else None
        limits = scopes.parse(scope, template, names_of_streams)
    if not is_private:
        body.update(limits)
    if expires is not None:
        body["until"] = times.to_text(_future(workspace, expires))
    if denied:
        body["deny"] = denied
    if reading is not None and is_reading:
        _check_readers(workspace, reading, keys)
        if reading.recipient is not None:
            body["recipient"] = age.check_recipient(reading.recipient)
    more: dict[str, Any] = {}
    twice: list[str] = []

    def wraps(_replay: object) -> dict[str, Any]:  # not for what --once finds done
        if not twice:
            twice.extend(_twice(_Reading.of(workspace, ref), body, is_private=is_private))
        if reading is not None and is_private and not more:
            parties = dict.fromkeys(keys, reading.recipient)
            stated, closed = hiding.begin(workspace, reading.stores, asset_id, parties, limits)
            more.update({private.MEMBER: stated})
            warnings.extend(map(_closed, closed))
            return more
        # A dry run unlocks nothing, so it opens nothing.
        if reading is not None and is_reading and not more and not workspace.dry_run:
            more.update(_wraps(workspace, reading, asset_id, keys, body, warnings))
        return more

    said = say(
        workspace,
        ref,
        record.GRANT,
        body,
        writing,
        check=wraps,
        adds=(encryption.EPOCHS, private.MEMBER) if is_reading else (),
        is_owners=True,
    )
    if isinstance(said, Prepared):
        return said
    if reading is not None:
        sealing.tend(workspace, reading.stores, asset_id)
    names = resolve.Names(workspace)
    held = owners_now(workspace.client, asset_id)
    already = [
        f"{names.of_key(key) or key} can already write everything about {ref}, as its owner"
        for key in keys
        if any(conditions.can_fulfil(details, [key]) for details in held)
    ]
    noted = trail.note_done(
        workspace,
        trail.GRANTED,
        keys,
        twin=asset_id,
        tx=said["transaction_id"],
        reason=f"{role} of {'a private scope' if is_private else _text(limits)}",
        by="grant add",
    )
    return {
        **said,
        "warnings": [
            *said["warnings"],
            *warnings,
            *([] if is_reading else already),
            *twice,
            *noted,
        ],
        "grants": [_made(said, key, names.of_key(key), limits) for key in keys],
    }


def _text(limits: dict[str, list[str]]) -> str:
    return scopes.text({name: limits.get(name) for name in Scope._fields})


def _closed(lock: Lock) -> str:
    return f"some of the {lock.kind} {lock.name} cannot be opened here, so nobody is let into that"


def _twice(reading: _Reading, body: dict[str, Any], *, is_private: bool) -> Iterator[str]:
    """Yield a warning for each party that holds the same grant already.

    Private scopes are not opened for it: another one may be meant.
    """
    wanted = set(body["to"])
    scope = None if is_private else _scope(_scope_of(body))
    for given in reading.found.given:
        if given.public_key is None or did.key_did(given.public_key) not in wanted:
            continue
        item = reading.item(given)
        held = (item["role"], item["private"], item["scope"], item["until"], item["deny"])
        wants = (body["role"], is_private, scope, body.get("until"), body.get("deny", []))
        if held == wants and item["state"] == ACTIVE:
            wanted.remove(item["to"])
            who, since = item["to_name"] or item["to"], item["granted_at"]
            yield (
                f"{who} had a private grant already, since {since}; their scopes are not compared"
                if is_private
                else f"{who} had this grant already, since {since}; now there are two"
            )


def _denied(deny: Sequence[str], role: str) -> list[str]:
    words = [word.strip() for text in deny for word in text.split(",")]
    for word in words:
        if word not in RESTRICTIONS:
            raise UsageError(f"--deny: {shown(word)} is not one of {', '.join(RESTRICTIONS)}")
    if words and role not in READERS:
        raise UsageError("--deny is for readers", hint="add --role viewer")
    return list(dict.fromkeys(words))


def _streams_of(workspace: Workspace, asset_id: str) -> list[str]:
    """Return the names of the streams that the twin has, encrypted or not."""
    client = workspace.client
    found = (
        record.creating_envelope(client.required(each).tx)
        for each in client.assets_with("parent", asset_id)
    )
    return [
        envelope["name"]
        for envelope in found
        if envelope.get("kind") == record.STREAM and isinstance(envelope.get("name"), str)
    ]


def _check_readers(workspace: Workspace, reading: Reading, keys: Sequence[str]) -> None:
    """Refuse keys that are known to sign only.

    Raises:
        LockedError: ``cannot_decrypt``.
    """
    for key in keys:
        if reading.recipient is None and not wrapping.can_open(workspace, key):
            raise wrapping.cannot_decrypt(workspace, key)


def _wraps(
    workspace: Workspace,
    reading: Reading,
    asset_id: str,
    keys: Sequence[str],
    body: dict[str, Any],
    warnings: list[str],
) -> dict[str, Any]:
    """Return what opens each epoch of what is in the scope of a grant, as it stands there."""
    wanted = [
        lock for lock in locks.of_twin(workspace, asset_id) if holds(_scope_of(body), lock.topic)
    ]
    if not wanted:
        return {}
    to = dict.fromkeys(keys, reading.recipient)
    items, closed = sealing.more_wraps(workspace, reading.stores, to, wanted)
    kinds = {lock.what: lock.kind for lock in wanted}
    warnings.extend(map(_closed, closed))
    made = [encryption.item(kinds[item.what], item) for item in items]
    return {encryption.EPOCHS: made} if made else {}


def _scope_of(body: dict[str, Any]) -> Scope:
    return Scope(*(frozenset(body[name]) if name in body else None for name in Scope._fields))


def _made(said: Said, key: str, name: str | None, limits: dict[str, list[str]]) -> GrantItem:
    """Return the row of a grant that was just written, to one of those whom it names."""
    body = said["body"]
    is_there = said["height"] is not None and said["transaction_id"] is not None
    return {
        "id": said["transaction_id"],
        "to": did.key_did(key),
        "to_name": name,
        "public_key": key,
        "role": body["role"],
        "scope": {name: limits.get(name) for name in Scope._fields},
        "private": private.MEMBER in body,
        "until": body.get("until"),
        "deny": [*body.get("deny", ())],
        "state": ACTIVE if is_there else PENDING,
        "standing": AUTHORISED,
        "granted_at": said["committed_at"] or said["at"],
        "ended_at": None,
        "ended_by": None,
        "reason": None,
    }


def _future(workspace: Workspace, text: str) -> int:
    now = workspace.now()
    hint = "write the first day on which it no longer holds, such as 2031-01-01"
    try:
        until_ms = times.parse(text, now)
    except UsageError as error:
        raise error.reworded(f"--expires: {error.message}", hint=hint) from error
    if until_ms <= now:
        raise UsageError(f"--expires {text} is already past", code="bad_time", hint=hint)
    return until_ms


# --- Reading -----------------------------------------------------------------------------------


class _Reading(NamedTuple):
    """The grants of a twin, being read."""

    workspace: Workspace
    asset_id: str
    speakers: Speakers
    found: Authority
    present: Place
    names: resolve.Names

    @classmethod
    def of(cls, workspace: Workspace, ref: str) -> _Reading:
        asset_id = resolve.asset_id_of(workspace, ref)
        speakers = Speakers(workspace.client)
        return cls(
            workspace,
            asset_id,
            speakers,
            speakers.authority(asset_id),
            speakers.present(workspace.now()),
            resolve.Names(workspace),
        )

    def item(self, given: Given) -> GrantItem:
        key = str(given.public_key)
        verdict = self.found.held(given, key, self.present, self.workspace.now())
        ended_at, ended_by, reason = self.end(given, key)
        state = ACTIVE
        if verdict.standing == REVOKED:
            state = REVOKED
        elif verdict.standing == UNAUTHORISED:
            state = EXPIRED
        entry = self.workspace.client.required(given.tx_id)
        envelope = record.envelope_of(entry.tx["metadata"]) or {}
        moment = times.told(entry.time_ms)
        return {
            "id": given.tx_id,
            "to": did.key_did(key),
            "to_name": self.names.of_key(key),
            "public_key": key,
            "role": given.role,
            "scope": None if given.is_private else _scope(given.scope),
            "private": given.is_private,
            "until": None if given.until_ms is None else times.to_text(given.until_ms),
            "deny": _denials(envelope),
            "state": state,
            "standing": verdict.standing,
            "granted_at": moment if moment is not None else record.text(envelope.get("at")),
            "ended_at": ended_at,
            "ended_by": ended_by,
            "reason": reason,
        }

    def end(self, given: Given, key: str) -> tuple[str | None, str | None, str | None]:
        """Return when, by which transaction and why something ended before its time, or None."""
        revoked = self.found.revocation(given, key)
        if revoked is not None:
            tx = self.workspace.client.required(revoked.tx_id).tx
            envelope = record.envelope_of(tx["metadata"]) or {}
            body = envelope.get("body")
            reason = record.text(body.get("reason")) if isinstance(body, dict) else None
            since_ms = revoked.since_ms
            at = times.told(revoked.place.time_ms) or record.text(envelope.get("at"))
            return at if since_ms is None else times.to_text(since_ms), revoked.tx_id, reason
        if given.ended is not None:
            return times.told(given.ended.time_ms), given.ended_by, "transferred"
        return None, None, None


def _denials(envelope: dict[str, Any]) -> list[str]:
    body = envelope.get("body")
    listed = body.get("deny") if isinstance(body, dict) else None
    return [word for word in RESTRICTIONS if isinstance(listed, list) and word in listed]


def _scope(scope: Scope) -> Json:
    return {
        name: None if members is None else sorted(members)
        for name, members in scope._asdict().items()
    }


def list_grants(workspace: Workspace, ref: str, key: str | None = None) -> Grants:
    """Return all grants of a twin, in the order in which they were made, also those that ended.

    Args:
        workspace: Rooms.
        ref: The twin.
        key: Only those to this party.

    Returns:
        ``twin.grants/1`` with a row for each key that each grant names.
    """
    reading = _Reading.of(workspace, ref)
    wanted = None if key is None else resolve.public_key_of(workspace, key)
    return {
        "schema": "twin.grants/1",
        "asset_id": reading.asset_id,
        "asset_name": resolve.asset_name(workspace, reading.asset_id),
        "grants": [
            reading.item(given)
            for given in reading.found.given
            if given.public_key is not None and wanted in {None, given.public_key}
        ],
    }


def effective(workspace: Workspace, ref: str, key: str | None = None) -> Effective:
    """Return who may say or read what of a twin now, and why; also who no longer may.

    Args:
        workspace: Rooms.
        ref: The twin.
        key: Only this party.
    """
    reading = _Reading.of(workspace, ref)
    wanted = None if key is None else resolve.public_key_of(workspace, key)
    rows = [row for row in _effective(reading) if wanted is None or row["public_key"] == wanted]
    if wanted is not None and not rows:
        rows = [_row(reading, wanted, UNAUTHORISED, "stranger")]
    return {
        "schema": "twin.effective/1",
        "asset_id": reading.asset_id,
        "asset_name": resolve.asset_name(workspace, reading.asset_id),
        "speakers": rows,
    }


def _effective(reading: _Reading) -> Iterator[EffectiveItem]:
    workspace, found, present = reading.workspace, reading.found, reading.present
    for details in owners_now(workspace.client, reading.asset_id):
        for key in dict.fromkeys(conditions.leaf_keys(details)):
            if key == owners.BURN_ADDRESS:
                continue
            alone = conditions.can_fulfil(details, [key])
            why = "owner" if alone else "owner_with_others"
            yield _row(reading, key, AUTHORISED if alone else UNAUTHORISED, why)
    now_ms = workspace.now()
    for given in found.given:
        if given.public_key is not None:
            if given.role in ROLES:
                verdict = found.held(given, given.public_key, present, now_ms)
                yield _row(reading, given.public_key, verdict.standing, verdict.why, given)
            continue
        held = owners_now(workspace.client, str(given.child))
        for key in dict.fromkeys(
            leaf for details in held for leaf in conditions.leaf_keys(details)
        ):
            verdict = found.held(given, key, present, now_ms)
            yield _row(reading, key, verdict.standing, verdict.why, given)
    entity = found.holders.entity
    if entity is not None:
        yield _row(reading, entity, CLAIMED, "entity")


def _row(
    reading: _Reading, key: str, standing: str, why: str, given: Given | None = None
) -> EffectiveItem:
    is_private = given is not None and given.is_private
    may = standing == AUTHORISED and not is_private
    until_ms = None if given is None else given.until_ms
    return {
        "public_key": key,
        "name": reading.names.of_key(key),
        "standing": standing,
        "why": why,
        "via": None if given is None else given.tx_id,
        "child": None if given is None else given.child,
        "role": None if given is None else given.role,
        "scope": _scope(Scope() if given is None else given.scope) if may else None,
        "private": is_private,
        "deny": [] if given is None else [word for word in RESTRICTIONS if word in given.deny],
        "until": None if until_ms is None else times.to_text(until_ms),
    }


# --- Revoking ----------------------------------------------------------------------------------


def revoke(
    workspace: Workspace,
    ref: str,
    whom: Sequence[str] = (),
    *,
    everything: bool = False,
    since: str | None = None,
    reason: str | None = None,
    stores: Stores | None = None,
    writing: Writing = PLAIN,
) -> WrittenRevocation | Prepared:
    """Take back what was granted about a twin, and the word of its linked children.

    Args:
        workspace: Rooms.
        ref: The twin.
        whom: Names, DIDs or public keys; ``asset:NAME`` is a linked child, with any holder.
        everything: All grants and links.
        since: Statements that were committed at this time or later do not count any more.
        reason: For people.
        stores: Where wraps are, and go; what is encrypted and somebody could read begins a new
            epoch. None: the next who writes begins it.
        writing: W.

    Raises:
        UsageError: Neither or both of ``whom`` and ``everything``; ``bad_time``.
        NotFoundError: There is nothing to take back.
        LockedError: ``no_key``: only the twin's owner can revoke.
    """
    if bool(whom) == everything:
        raise UsageError("name whose word no longer counts: --from NAME, or --all")
    body: dict[str, Any] = {}
    if since is not None:
        now = workspace.now()
        since_ms = checked_at(since, now)
        body["since"] = times.to_text(since_ms)
    parties = {name: _party(workspace, name) for name in whom}
    if everything:
        body["all"] = True
    else:
        body["from"] = list(parties.values())
    if reason is not None:
        body["reason"] = reason

    def check(_replay: object) -> None:  # not of what --once finds done
        reading = _Reading.of(workspace, ref)
        is_any = any(_is_open(reading, one, since) for one in reading.found.given)
        if everything and not is_any and not sealing.is_left_open(workspace, asset_id):
            raise _nothing(ref)
        for name in parties:
            _check_party(reading, ref, name, since)

    asset_id = resolve.asset_id_of(workspace, ref)
    gone = {resolve.public_key_of(workspace, name) for name in whom if not _is_child(name)}
    epochs: list[dict[str, Any]] = []

    def closed(replay: object) -> dict[str, Any]:
        check(replay)
        if stores is not None and not epochs:
            epochs.extend(_new_epochs(workspace, stores, asset_id, None if everything else gone))
        return {encryption.EPOCHS: epochs} if epochs else {}

    said = say(
        workspace,
        ref,
        record.REVOKE,
        body,
        writing,
        check=closed,
        adds=(encryption.EPOCHS,),
        is_owners=True,
    )
    if isinstance(said, Prepared):
        return said
    if stores is not None:
        sealing.tend(workspace, stores, asset_id)
    noted = trail.note_done(
        workspace,
        trail.REVOKED,
        parties.values() if parties else (None,),
        twin=said["asset_id"],
        tx=said["transaction_id"],
        reason=reason,
        by="grant revoke",
    )
    return {**said, "warnings": [*said["warnings"], *noted]}


def _new_epochs(
    workspace: Workspace, stores: Stores, asset_id: str, gone: set[str] | None
) -> Iterator[dict[str, Any]]:
    """Yield new epochs of what those can read whose grants are taken back; None: all grants."""
    for lock in locks.of_twin(workspace, asset_id):
        if lock.kind != locks.STREAM:
            continue  # of a file nothing more is written
        epoch = locks.history(workspace, lock).current
        readers = locks.readers(workspace, asset_id, lock.topic)
        holders = locks.holders(workspace, asset_id)
        left = {
            key: to
            for key, to in readers.items()
            if key in holders or (gone is not None and key not in gone)
        }
        if all(wrap.public_key in left for wrap in epoch.wraps):
            continue
        made = sealing.begin(workspace, stores, left, epoch.number + 1)
        item = encryption.Item(lock.what, made.number, made.recipient, made.wraps)
        yield encryption.item(lock.kind, item)


def _is_child(name: str) -> bool:
    return name.startswith("asset:")


def _party(workspace: Workspace, name: str) -> str:
    """Return the DID of a key, or of a child."""
    if _is_child(name):
        return did.asset_did(resolve.asset_id_of(workspace, name))
    return did.key_did(resolve.public_key_of(workspace, name))


def _check_party(reading: _Reading, ref: str, name: str, since: str | None) -> None:
    """Refuse somebody who may not write about the twin anyway.

    Raises:
        NotFoundError: There is nothing to take back from them.
    """
    workspace, found = reading.workspace, reading.found
    if _is_child(name):
        child = resolve.asset_id_of(workspace, name)
        if not any(_is_open(reading, given, since) for given in found.children.get(child, ())):
            raise _nothing(ref, name)
        return
    key = resolve.public_key_of(workspace, name)
    children = reading.speakers.linked(found, [key])
    given = [*found.grants_to(key), *(one for child in children for one in found.children[child])]
    if any(_is_open(reading, one, since, key) for one in given):
        return
    # Of what is over an epoch may be due that only the owner begins.
    if not sealing.is_left_open(workspace, reading.asset_id, key):
        raise _nothing(ref, name)


def _is_open(reading: _Reading, given: Given, since: str | None, key: str | None = None) -> bool:
    """Say whether a revocation would change anything: with ``since`` it may reach further back."""
    if since is not None:
        return True
    whose = key if key is not None else given.public_key or ""
    verdict = reading.found.held(given, whose, reading.present, reading.workspace.now())
    return verdict.standing not in {REVOKED, UNAUTHORISED}


def _nothing(ref: str, who: str | None = None) -> NotFoundError:
    has = (
        f"{who} has no grant for {ref} and holds none of its" if who else f"{ref} has no grants or"
    )
    return NotFoundError(
        f"{has} linked parts to revoke",
        hint=f"twin grant list {ref}",
    )
