"""Say something about a twin: an append by its owner, a statement by anybody else.

What the owner says is a TRANSFER to itself whose envelope has ``kind`` and ``body``; the state is
untouched. Somebody who cannot fulfil the twin's output says it in a CREATE of their own, kind
``statement``, whose envelope has ``about`` (the twin), ``says`` (the kind) and ``body``; that of a
certificate is of kind ``certificate``.
"""

from __future__ import annotations

from twincli.client import BLOCK_TIME
from twincli.errors import InvalidError, LockedError, NotFoundError, UsageError
from twincli.model import record, times
from twincli.model import transaction as _transaction
from twincli.rules.authority import AUTHORISED, OWNER, Verdict, topic_of
from twincli.services import resolve
from twincli.services.asset import choose_outputs
from twincli.services.asset.attempt import (
    Attempt,
    Target,
    check_not_frozen,
    is_record,
    once_mismatch,
    perform,
)
from twincli.services.asset.write_options import PLAIN, Writing, checked_at
from twincli.services.signers import keys_to_create
from twincli.services.standing import Speakers, owners_now
from twincli.services.tx.prepared import Prepared
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from twincli.keystore.keyfile import KeyInfo
    from twincli.ledger.rows import Spendable
    from twincli.rules.authority import Topic
    from twincli.rules.replay import Replay
    from twincli.services.documents import Said
    from twincli.services.workspace import Workspace

APPENDED = "append"
STATED = "statement"
"""The two forms of a record."""


class Saying:
    """The write of a record by the twin's owner.

    Args:
        kind: What kind of record.
        body: What it says.
        check: Called before each attempt with the twin as it stands; raises where that forbids it,
            or returns what it adds to the body.
        adds: The members that it may add.

    Attributes:
        body: What was said: as planned last, or as it was recorded with the same once token.
    """

    def __init__(
        self,
        kind: str,
        body: dict[str, Any],
        check: Callable[[Replay], Mapping[str, Any] | None] | None = None,
        adds: Collection[str] = (),
    ) -> None:
        self.kind = kind
        self.body = self._told = body
        self._check = check
        self._adds = frozenset(adds)

    def plan(self, target: Target, replay: Replay, unspent: list[Spendable]) -> Attempt:
        """See ``attempt.Write``."""
        if self._check is not None:
            self.body = {**self._told, **(self._check(replay) or {})}
        item = choose_outputs.mine(target, unspent)[0]
        same_owner = _transaction.Output(
            item.output["condition"]["details"], int(item.output["amount"])
        )
        return Attempt([item], [same_owner], {}, self.kind, self.body)

    def is_same(self, target: Target, tx: dict[str, Any]) -> bool:  # noqa: ARG002
        """See ``attempt.Write``."""
        body = (record.envelope_of(tx["metadata"]) or {}).get("body")
        if self._adds and isinstance(body, dict) and is_record(tx, self.kind, {}):
            if self._plain(body) != self._plain(self._told):
                return False
            self.body = body
            return True
        return is_record(tx, self.kind, {}, body=self._told)

    def _plain(self, body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name not in self._adds}


def say(
    workspace: Workspace,
    ref: str,
    kind: str,
    body: Mapping[str, Any],
    writing: Writing = PLAIN,
    *,
    check: Callable[[Replay], Mapping[str, Any] | None] | None = None,
    adds: Collection[str] = (),
    before: Callable[[str], None] | None = None,
    is_owners: bool = False,
    although_frozen: bool = False,
) -> Said | Prepared:
    """Say something about a twin.

    Args:
        workspace: Rooms.
        ref: The twin.
        kind: One of ``record.RECORD_KINDS``.
        body: What is said.
        writing: W, without ``bare``.
        check: Called before each attempt with the twin as it stands; raises where that forbids it,
            or returns what it adds to the body.
        adds: The members that it may add; a retry with the same once token may find others.
        before: Told what should be known before anything is written; it may raise.
        is_owners: Whether only the twin's owner can say such a thing.
        although_frozen: Whether the owner of a frozen twin says it beside the twin, as others do:
            they take back their own word, and the twin stays as it was frozen.

    Returns:
        ``twin.record/1``.

    Raises:
        UsageError: ``--bare``; ``--if-tip`` where a statement is written.
        ConflictError: ``tip_moved``, ``once_mismatch``, ``busy``.
        InvalidError, LockedError, NotFoundError: About keys, names and data.
    """
    assert kind in record.RECORD_KINDS
    if writing.bare:
        raise UsageError(
            f"--bare leaves out the envelope, which a record of kind {kind} needs",
            hint="leave --bare out",
        )
    writing.check()
    target = Target.find(workspace, ref, writing)
    told = dict(body)
    is_beside = although_frozen and _is_frozen(target)
    if not is_beside and (is_owners or is_for_us(target)):
        saying = Saying(kind, told, check, adds)
        done = perform(target, saying)
        if isinstance(done, Prepared):
            return done
        return _said(target, APPENDED, kind, saying.body, done, OWNER)
    if check is not None:
        replay = workspace.client.replay(target.asset_id)
        if replay is None:
            raise NotFoundError(f"there is no asset {target.asset_id} on this ledger")
        told = {**told, **(check(replay) or {})}
    return _state(target, kind, told, before)


def is_for_us(target: Target) -> bool:
    """Say whether keys of ours can append to the twin."""
    try:
        choose_outputs.mine(target, target.workspace.client.unspent(target.asset_id))
    except LockedError:
        return False
    except InvalidError as error:
        if error.code != "burned":
            raise
        return False
    return True


def _state(
    target: Target, kind: str, body: dict[str, Any], before: Callable[[str], None] | None
) -> Said | Prepared:
    """Write a statement."""
    workspace, ref, asset_id, writing = target
    if writing.if_tip is not None:
        raise UsageError(
            f"--if-tip is for those who can append to {ref}; others write a statement of their own",
            hint="leave --if-tip out",
        )
    if writing.prepare and workspace.keys:
        keys = [resolve.public_key_of(workspace, name) for name in workspace.keys]
    else:
        infos = _speakers(target, topic_of(kind, body))
        workspace = workspace._replace(keys=tuple(info.name for info in infos))
        keys = [info.public_key for info in infos]
    is_certificate = kind == record.CERTIFICATE
    verdict = OWNER if is_certificate else _now(target, keys, topic_of(kind, body))
    if verdict.standing == AUTHORISED and not is_certificate:
        # It would change what the twin's owner froze; a certifier's word is not the owner's.
        replay = workspace.client.replay(asset_id)
        if replay is not None:
            check_not_frozen(ref, replay)
    is_frozen = _is_frozen(target)
    warnings = [*_about_standing(target, kind, keys, verdict)]
    if is_frozen:  # that binds nobody who speaks for themselves
        warnings.append(f"{ref} is frozen: the record will be shown as said while it was")
    if before is not None:
        for warning in warnings:
            before(warning)
    says = {} if is_certificate else {"says": kind}
    stated = {"about": asset_id, **says, "body": body}
    create_kind = kind if is_certificate else record.STATEMENT
    if writing.once is not None:
        first = _first_of_once(target, keys, {"kind": create_kind, **stated})
        if first is not None:
            return _found(target, first)
    elif writing.at is None and BLOCK_TIME not in workspace.client.capabilities:
        # Nobody but the signer says when it was.
        writing = writing._replace(at=times.to_text(workspace.now()))
    from twincli.services.asset.create import Definition, create

    made = create(workspace, None, Definition({}, kind=create_kind, stated=stated), writing)
    if isinstance(made, Prepared):
        return made
    assert "written" in made
    made["warnings"] = [*warnings, *made["warnings"]]
    return _said(target, STATED, kind, body, made, verdict, while_frozen=is_frozen)


def _now(target: Target, keys: Sequence[str], topic: Topic) -> Verdict:
    """Say whether a statement of these keys would count now."""
    workspace, _, asset_id, writing = target
    now_ms = workspace.now()
    at_ms = now_ms if writing.at is None else checked_at(writing.at, now_ms)
    return Speakers(workspace.client).now(asset_id, keys, topic, now_ms, at_ms)


def _speakers(target: Target, topic: Topic) -> list[KeyInfo]:
    """Return the keys that make a statement: those of ``--key``, else one of mine that may."""
    workspace = target.workspace
    chosen = keys_to_create(workspace, None)
    if workspace.keys:
        return chosen
    mine = sorted(workspace.keystore.scan()[0], key=lambda info: info.passphrase)
    for info in (*chosen, *mine):
        if _now(target, [info.public_key], topic).standing == AUTHORISED:
            return [info]
    return chosen


def _about_standing(
    target: Target, kind: str, keys: Sequence[str], verdict: Verdict
) -> Iterator[str]:
    """Yield a warning where what is said will not count, with the way in which it would."""
    if verdict.standing == AUTHORISED or kind == record.CERTIFICATE:
        return
    names = resolve.Names(target.workspace)
    who = " and ".join(names.of_key(key) or key for key in keys)
    shown = verdict.standing.replace("_", " ")
    why = _WHY.get(verdict.why)
    because = f" ({why})" if why else ""
    held = owners_now(target.workspace.client, target.asset_id)
    owner = "; ".join(names.owner(details) for details in held)
    to = "".join(f" --to {names.of_key(key) or key}" for key in keys)
    yield (
        f"{who} may not write {kind} records about {target.ref}{because}: it will be shown as"
        f" {shown}; its owner, {owner}, can write it, or allow it:"
        f" twin grant add {target.ref}{to} --role writer --scope {kind}"
    )


def _is_frozen(target: Target) -> bool:
    replay = target.workspace.client.replay(target.asset_id)
    return replay is not None and replay.frozen is not None


_WHY = {
    "revoked": "what allowed it was revoked",
    "expired": "the grant is expired",
    "ended": "the grant ended when the twin changed hands",
    "scope": "no grant holds this kind",
    "no_block_time": "this network has no time of its own to judge the grant by",
    "unknown_record": "the twin has a record that this version does not know",
}
"""What a verdict's ``why`` means, where that is not plain."""


def _first_of_once(target: Target, keys: Sequence[str], stated: dict[str, Any]) -> str | None:
    """Return the statement about this twin that these keys made with the token, or None.

    Raises:
        ConflictError: ``once_mismatch``: it says something else.
    """
    client, token = target.workspace.client, target.writing.once
    assert token is not None
    for found in client.assets_with("nonce", record.once_nonce(token, list(keys))):
        envelope = record.creating_envelope(client.required(found).tx)
        if envelope.get("about") != target.asset_id:
            continue
        if all(envelope.get(name) == value for name, value in stated.items()):
            return found
        raise once_mismatch(token, found)
    return None


def _found(target: Target, tx_id: str) -> Said:
    """Return the record that was written before, with the same token."""
    from twincli.services.asset import document

    client = target.workspace.client
    made = document.written(target.workspace, tx_id, tx_id, ())
    entry = client.required(tx_id)
    envelope = record.creating_envelope(entry.tx)
    kind, body = envelope.get("says", envelope["kind"]), envelope["body"]
    verdict = Speakers(client).of(target.asset_id, entry, topic_of(kind, body))
    is_frozen = _is_frozen(target)
    return _said(target, STATED, kind, body, made, verdict, while_frozen=is_frozen)


def _said(
    target: Target,
    form: str,
    kind: str,
    body: dict[str, Any],
    made: Mapping[str, Any],
    verdict: Verdict,
    *,
    while_frozen: bool = False,
) -> Said:
    workspace, _, asset_id, _ = target
    return {
        "schema": "twin.record/1",
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "ledger": workspace.client.ledger_id,
        "transaction_id": made["transaction_id"],
        "form": form,
        "kind": kind,
        "body": body,
        "height": made["height"],
        "at": made["at"],
        "committed_at": made["committed_at"],
        "signers": made["signed_by"],
        "signer_names": resolve.Names(workspace).of_keys(made["signed_by"]),
        "standing": None if kind == record.CERTIFICATE else verdict.standing,
        "via": verdict.via,
        "while_frozen": while_frozen,
        "warnings": list(made["warnings"]),
    }
