"""Writes to assets that exist: plan, sign, submit, and again when another writer was faster.

A kind of write is a small class, see ``Write``. It is planned against the tip as it is found; when
another writer won meanwhile it is planned again (dotted paths included), unless ``if_tip`` forbids.
"""

from __future__ import annotations

from twincli import BUILD_TIME_MS
from twincli.errors import (
    ConflictError,
    InvalidError,
    LockedError,
    NotFoundError,
    PartialError,
    TwinError,
)
from twincli.model import edits as _edits
from twincli.model import record, times
from twincli.model import transaction as _transaction
from twincli.rules.data import check_data
from twincli.rules.replay import Replay, corrected_by
from twincli.services import resolve
from twincli.services.asset import document
from twincli.services.asset.write_options import Writing, checked_at
from twincli.services.signers import keys_to_spend, unlock
from twincli.values import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.crypto.ed25519 import Signer
    from twincli.keystore.keyfile import KeyInfo
    from twincli.ledger.rows import PrimaryId, Spendable
    from twincli.rules.replay import Pin
    from twincli.services.catalogue import Model
    from twincli.services.documents import WrittenAsset
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace

ATTEMPTS = 200


class Target(NamedTuple):
    """What a write is about.

    Attributes:
        workspace: Rooms.
        ref: What the user calls the asset.
        asset_id: Its id.
        writing: W.
    """

    workspace: Workspace
    ref: str
    asset_id: str
    writing: Writing

    @classmethod
    def find(cls, workspace: Workspace, ref: str, writing: Writing) -> Target:
        """Find the asset that ``ref`` names.

        Raises:
            NotFoundError, ConflictError, InvalidError: As ``resolve.asset_id_of``.
        """
        return cls(workspace, ref, resolve.asset_id_of(workspace, ref), writing)


class Along(NamedTuple):
    """A transaction of another asset that is committed with a write.

    Attributes:
        tx: Unsigned.
        infos: The keys that sign it.
    """

    tx: dict[str, Any]
    infos: list[KeyInfo]


class Attempt(NamedTuple):
    """What a write does to the tip it found.

    Attributes:
        spends: Outputs to spend.
        outputs: New outputs.
        written: Members to write into the metadata.
        kind, body, corrects: Of the envelope.
        along: More transactions to commit, before this one.
        stated: More of the envelope, such as what was given in other units.
        warnings: To be passed on.
        identity: What the twin has to itself from now on, where that changes.
    """

    spends: list[Spendable]
    outputs: list[_transaction.Output]
    written: dict[str, Any]
    kind: str
    body: dict[str, Any] | None = None
    corrects: str | None = None
    along: tuple[Along, ...] = ()
    stated: dict[str, Any] = {}  # noqa: RUF012 - never changed
    warnings: tuple[str, ...] = ()
    identity: PrimaryId | None = None


class Write(Protocol):
    """One kind of write."""

    def plan(self, target: Target, replay: Replay, unspent: list[Spendable]) -> Attempt:
        """Say what to do to an asset that stands so; called again after every lost race."""

    def is_same(self, target: Target, tx: dict[str, Any]) -> bool:
        """Say whether ``tx``, made with the same once token, did what is wanted now."""


def perform(target: Target, write: Write) -> WrittenAsset | Prepared:
    """Plan, sign and submit a write until it holds.

    Raises:
        ConflictError: ``tip_moved``, ``once_mismatch``, ``busy``; what ``plan`` raises.
        LockedError: ``no_key``, ``locked``, ``bad_passphrase``.
        InvalidError: A rule is broken, named before anything is signed.
    """
    workspace, ref, asset_id, writing = target
    writing.check()
    warnings: list[str] = []
    unlocked: dict[str, Signer] = {}
    for number in range(ATTEMPTS):
        # In this order: if another writer commits between the two, the output is spent already and
        # the submission fails. The other way round a dotted path would be written on an old state.
        unspent = workspace.client.unspent(asset_id)
        replay = workspace.client.replay(asset_id)
        if replay is None:
            raise NotFoundError(f"there is no asset {asset_id} on this ledger")
        if writing.once is not None:
            first = first_of_once(target, writing.once, write)
            if first is not None:
                return document.written(workspace, asset_id, first, warnings)
        attempt = write.plan(target, replay, unspent)
        if attempt.kind != record.UNFREEZE:
            check_not_frozen(ref, replay)
        _check_tip(target, replay, attempt)
        infos: list[KeyInfo] = []
        if not writing.prepare:
            conditions = [item.output["condition"]["details"] for item in attempt.spends]
            infos = keys_to_spend(workspace, conditions, ref)
        warnings = [*attempt.warnings, *_edits.type_changes(replay.common, attempt.written)]
        if "suspect" in attempt.stated:
            from twincli.services.asset import fitting

            warnings += fitting.doubts(attempt.stated)
        metadata = _metadata(target, replay, attempt, warnings)
        check_data(None, metadata)
        spends = [_transaction.Spend.of_output(*item) for item in attempt.spends]
        tx = _transaction.transfer(spends, attempt.outputs, asset_id, metadata)
        if writing.prepare:
            from twincli.services.tx import cosign

            made = cosign.prepared(workspace, tx, warnings)
            return made._replace(
                along=tuple(cosign.along(workspace, item.tx) for item in attempt.along)
            )
        if workspace.dry_run:
            return document.unsigned(
                workspace, ref, tx, [info.public_key for info in infos], warnings
            )
        *before, signed = _signed(workspace, [*attempt.along, Along(tx, infos)], unlocked)
        try:
            if attempt.identity is not None:
                height = workspace.client.submit(signed, attempt.identity)
            else:
                height = workspace.client.submit_many([*before, signed])
        except (InvalidError, PartialError) as error:
            if _reason(error) != "double_spend":
                raise
            if writing.if_tip is not None:
                raise _tip_moved(writing.if_tip) from error
            _give_way(workspace, number)
            continue
        try:
            if height is None:
                return document.sent(workspace, ref, signed, warnings)
            return document.written(workspace, asset_id, signed["id"], warnings)
        except TwinError as error:
            raise recorded_all_the_same(signed["id"], error)  # noqa: B904 - it is the same error
    raise ConflictError(
        f"{ref}: other writers were faster {ATTEMPTS} times", code="busy", retryable=True
    )


def _signed(
    workspace: Workspace, wanted: Sequence[Along], unlocked: dict[str, Signer]
) -> list[dict[str, Any]]:
    """Return transactions signed; keys are unlocked once, and kept for the next attempt."""
    for info in (info for item in wanted for info in item.infos):
        if info.name not in unlocked:
            unlocked[info.name] = unlock(workspace, [info])[0]
    return [
        _transaction.sign(item.tx, [unlocked[info.name] for info in item.infos]) for item in wanted
    ]


def _reason(error: TwinError) -> str:
    """Return why a submission was refused, also where a network took a part of it."""
    cause = error.__cause__
    is_partly = isinstance(error, PartialError) and isinstance(cause, InvalidError)
    return cause.code if is_partly and isinstance(cause, InvalidError) else error.code


def check_not_frozen(ref: str, replay: Replay) -> None:
    """Refuse to write to a twin that its owner froze.

    Raises:
        LockedError: ``frozen``.
    """
    if replay.frozen is not None:
        raise LockedError(
            f"{ref} is frozen, so nothing is written to it",
            code="frozen",
            hint=f"its owner can lift that: twin asset unfreeze {ref}",
        )


def recorded_all_the_same(tx_id: str, error: TwinError) -> TwinError:
    """Return an error that came after a commit, saying so: the write must not be repeated."""
    return error.reworded(
        f"recorded as {tx_id}, but the result cannot be shown: {error.message}",
        hint=f"do not repeat it; to see it: twin tx show {tx_id}",
    )


def template_of(target: Target, pin: Pin | None) -> Model | None:
    """Return the template of a twin, None where it has none.

    Raises:
        NotFoundError: ``missing_template``.
    """
    if pin is None:
        return None
    from twincli.services import catalogue

    return catalogue.of_twin(target.workspace, pin)


def held_to(
    found: Model | None, target: Target, written: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is to be written, as the twin's template takes it.

    Args:
        found: The template.
        target: The twin.
        written: Members, each whole.

    Returns:
        The members in the units of their fields, and what the envelope says of them.

    Raises:
        InvalidError: ``unknown_field``, ``invalid_value``, ``unit_mismatch``, ``out_of_range``;
            ``bare_template``: without an envelope nothing can be said of units;
            ``invalid_schedule``.
    """
    if any(_holds_schedules(member) for member in (written, *written.values())):
        from twincli.model import schedules

        schedules.check(written)
    if found is None:
        return written, {}
    from twincli.services.asset import fitting

    fitted = fitting.change(found, written)
    if fitted.stated and target.writing.bare:
        raise InvalidError(
            "--bare writes no envelope, which has to say what was converted or is suspect",
            code="bare_template",
            hint="leave --bare out",
        )
    return fitted.state, fitted.stated


def _holds_schedules(value: Any) -> bool:
    return isinstance(value, dict) and "maintenanceSchedule" in value


def held_to_template(
    target: Target, replay: Replay, written: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is to be written to a twin that stands so, see `held_to`."""
    return held_to(template_of(target, replay.pin), target, written)


def _give_way(workspace: Workspace, number: int) -> None:
    """Let other writers through, longer each time, not in step with them."""
    import time

    time.sleep(workspace.random(1)[0] / 255 * min(0.2, 0.002 * (number + 1)))


def _check_tip(target: Target, replay: Replay, attempt: Attempt) -> None:
    if_tip = target.writing.if_tip
    if if_tip is None:
        return
    wanted = resolve.transaction_id_of(target.workspace, if_tip)
    assert replay.last is not None
    if wanted not in {item.transaction_id for item in attempt.spends}:
        raise _tip_moved(if_tip, replay.last["id"])


def _tip_moved(wanted: str, tip: str | None = None) -> ConflictError:
    now = f", which is now {tip}" if tip else ""
    return ConflictError(
        f"{wanted} is not the tip of this asset{now}",
        code="tip_moved",
        hint="look at what was appended since, then decide again",
    )


def _metadata(
    target: Target, replay: Replay, attempt: Attempt, warnings: list[str]
) -> dict[str, Any] | None:
    writing = target.writing
    if writing.bare:
        return attempt.written or None
    now = target.workspace.now()
    at_ms, clock = now, None
    if writing.at is not None:
        at_ms = checked_at(writing.at, now)
    elif now < BUILD_TIME_MS or now < (last_claim(replay) or 0):
        clock = "unsynced"
        warnings.append("this machine's clock is behind the previous entry; the new one says so")
    return {
        **attempt.written,
        record.KEY: record.envelope(
            attempt.kind,
            at=times.to_text(at_ms),
            clock=clock,
            once=writing.once,
            corrects=attempt.corrects,
            body=attempt.body,
            **attempt.stated,
        ),
    }


def last_claim(replay: Replay) -> int | None:
    """Return the time that the last entry of an asset claims, None where its clock was wrong."""
    assert replay.last is not None
    envelope = record.envelope_of(replay.last["metadata"]) or {}
    return None if envelope.get("clock") else times.parse_claim(envelope.get("at"))


def first_of_once(target: Target, token: str, write: Write) -> str | None:
    """Return the transaction that keys of mine already made with a once token, or None.

    Raises:
        ConflictError: ``once_mismatch``: it did something else.
    """
    workspace = target.workspace
    made = workspace.client.once(target.asset_id, token)
    if not made:
        return None
    if workspace.keys:
        mine = {workspace.keystore.get(name).public_key for name in workspace.keys}
    else:
        mine = {info.public_key for info in workspace.keystore.scan()[0]}
    for signers, found in made:
        if not signers <= mine:
            continue
        if write.is_same(target, workspace.client.required(found).tx):
            return found
        raise once_mismatch(token, found)
    return None


def once_mismatch(token: str, tx_id: str) -> ConflictError:
    """Return the error of a once token that was used for something else."""
    return ConflictError(
        f"the token {token!r} was used for something else, by {tx_id}",
        code="once_mismatch",
        hint=f"use another token, or look at it: twin tx show {tx_id}",
    )


def is_record(tx: dict[str, Any], kind: str, written: dict[str, Any], **fields: Any) -> bool:
    """Say whether a transaction's envelope and data are those."""
    envelope = record.envelope_of(tx["metadata"]) or {}
    return (
        envelope.get("kind") == kind
        and record.without_envelope(tx["metadata"]) == written
        and all(envelope.get(name) == value for name, value in fields.items())
    )


def met(target: Target, tx: dict[str, Any]) -> Replay:
    """Return an asset as a committed transaction found it."""
    before = []
    for other in target.workspace.client.transactions(target.asset_id):
        if other["id"] == tx["id"]:
            break
        before.append(other)
    replay = Replay(corrected_by(before))
    for other in before:
        replay.add(other)
    return replay


def state_met(replay: Replay, tx: dict[str, Any]) -> dict[str, Any]:
    """Return the state of what a committed transaction spent, in what `met` returned."""
    spent = tx["inputs"][0]["fulfills"]
    return replay.outputs[spent["transaction_id"], spent["output_index"]]


def is_written(
    target: Target,
    tx: dict[str, Any],
    kind: str,
    base: dict[str, Any],
    changes: tuple[_edits.Edit, ...],
    **fields: Any,
) -> bool:
    """Say whether a transaction records these data, held to the template that it met."""
    if not changes and is_record(tx, kind, base, **fields):
        return True  # nothing had to be converted
    now = target.workspace.client.replay(target.asset_id)
    assert now is not None
    # What it met matters where a dotted path was written, and after a migration.
    is_moved = now.pin is not None and now.pin.by != target.asset_id
    found = met(target, tx) if changes or is_moved else now
    state = state_met(found, tx) if changes else {}
    written, _ = held_to_template(target, found, _edits.write_set(state, base, changes))
    return is_record(tx, kind, written, **fields)


def state_of(replay: Replay, item: Spendable) -> dict[str, Any]:
    """Return the state along the path of an unspent output."""
    return replay.outputs.get((item.transaction_id, item.output_index), replay.common)
