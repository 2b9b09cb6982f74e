"""Creating twins: build the CREATE, prove the entity, keep the name, submit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.crypto import base58
from twincli.errors import ConflictError, InvalidError, LockedError, UsageError
from twincli.model import names, owners, record, times
from twincli.model import transaction as _transaction
from twincli.rules.data import check_data
from twincli.services import resolve
from twincli.services.asset import document
from twincli.services.asset.write_options import PLAIN, Writing, checked_at
from twincli.services.signers import entity_key, keys_to_create, unlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.crypto.ed25519 import Signer
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace


class Definition(NamedTuple):
    """What is to be created.

    Attributes:
        data: Facts, immutable.
        state: Initial state, or None.
        owner: Owner expression; None: the signer.
        entity: The thing's own key.
        parent: The asset it is part of.
        amount: How many there are.
        title: A title for people.
        model: Written in the JavaScript ORM's form, for this model.
        kind: ``asset`` or ``identity``.
    """

    data: dict[str, Any]
    state: dict[str, Any] | None = None
    owner: str | None = None
    entity: str | None = None
    parent: str | None = None
    amount: int = 1
    title: str | None = None
    model: str | None = None
    kind: str = record.ASSET


def create(
    workspace: Workspace,
    name: str,
    wanted: Definition,
    writing: Writing = PLAIN,
    *,
    if_missing: bool = False,
) -> Document:
    """Create an asset and name it.

    The name is written down before the asset is submitted, so that a crash in between loses
    nothing; a name whose asset never came is free again.

    Args:
        workspace: Rooms.
        name: Its local name.
        wanted: The definition.
        writing: W.
        if_missing: The same asset under that name is success, ``"created": false``.

    Returns:
        ``twin.asset/1`` with ``created``.

    Raises:
        ConflictError: ``exists``.
        InvalidError: A rule is broken, named before anything is signed.
        LockedError, UsageError, NotFoundError: About keys and names.
    """
    writing.check()
    if writing.if_tip is not None:
        raise UsageError("--if-tip is for what is there already")
    name = names.check(name, "asset")
    if not 1 <= wanted.amount <= _transaction.MAX_AMOUNT:
        raise InvalidError(
            f"the amount {wanted.amount} is not from 1 to {_transaction.MAX_AMOUNT}",
            code="amount_error",
        )
    book, client = workspace.book, workspace.client
    present = book.lookup(client.ledger_id, name, resolve.exists(workspace))
    owner = None if wanted.owner is None else resolve.owner_details(workspace, wanted.owner)
    if present is not None and not if_missing and writing.once is None:
        raise _taken(name, present)
    if writing.prepare and workspace.keys:
        # Some of them may be other people's, who sign later.
        issuers = []
        keys = (resolve.public_key_of(workspace, ref) for ref in workspace.keys)
        signer_keys = list(dict.fromkeys(keys))
    else:
        issuers = keys_to_create(workspace, owner)
        signer_keys = [info.public_key for info in issuers]
    details = owner or owners.of_keys(signer_keys)
    tx, warnings = _created(workspace, name, wanted, writing, signer_keys, details)
    if present is not None and if_missing:
        _check_same(workspace, name, present, tx)
        return {**document.show(workspace, present), "created": False, "warnings": []}
    if writing.prepare:
        from twincli.services.tx import cosign

        if not workspace.dry_run:
            _prove_entity(workspace, tx, (), warnings)
        return cosign.prepared(workspace, tx, warnings)
    if workspace.dry_run:
        return {**document.unsigned(workspace, name, tx, issuers, warnings), "created": True}
    signers = unlock(workspace, issuers)
    _prove_entity(workspace, tx, signers, warnings)
    tx = _transaction.sign(tx, signers)
    known = client.entry(tx["id"]) is not None
    if present is not None and present != tx["id"]:
        if writing.once is not None:
            _check_token(workspace, present, tx, writing.once)
        raise _taken(name, present)
    try:
        book.reserve(client.ledger_id, name, tx["id"], resolve.exists(workspace))
    except ConflictError:
        other = _arriving(workspace, name) if if_missing else None
        if other is None:
            raise
        _check_same(workspace, name, other, tx)
        return {**document.show(workspace, other), "created": False, "warnings": []}
    height: int | None = 0
    if not known:
        try:
            height = client.submit(tx)
        except InvalidError as error:
            # Another process may have submitted the very same one (--once).
            if error.code != "duplicate_transaction":
                book.release(client.ledger_id, name, tx["id"])
                raise
            known = True
    if not book.confirm(client.ledger_id, name, tx["id"]):
        warnings.append(f"the name {name} was taken by another asset meanwhile; name this one anew")
    if height is None:
        return {**document.sent(workspace, name, tx, warnings), "created": True}
    return {**document.written(workspace, tx["id"], tx["id"], warnings), "created": not known}


def _arriving(workspace: Workspace, name: str) -> str | None:
    """Return the asset that another process is making under a name, once it is there, or None."""
    import time

    for _ in range(100):
        found = workspace.book.lookup(workspace.client.ledger_id, name, resolve.exists(workspace))
        if found is not None:
            return found
        time.sleep(0.02)
    return None


def _created(
    workspace: Workspace,
    name: str,
    wanted: Definition,
    writing: Writing,
    signer_keys: list[str],
    details: dict[str, Any],
) -> tuple[dict[str, Any], list[str]]:
    """Return the unsigned CREATE and warnings."""
    warnings: list[str] = []
    if record.KEY in wanted.data or record.KEY in (wanted.state or {}):
        raise InvalidError(
            f"the name {record.KEY!r} belongs to twincli at the top level", code="reserved_key"
        )
    facts, state = dict(wanted.data), wanted.state
    if wanted.model is not None:
        state = {**facts, **(state or {})}
        nonce = _nonce(workspace, writing, signer_keys)
        facts = {"schema": "", "id": f"id:global:{wanted.model}:{_uuid(nonce)}"}
    if not writing.bare:
        parent = None
        if wanted.parent is not None:
            parent = resolve.asset_id_of(workspace, wanted.parent)
        entity = None
        if wanted.entity is not None:
            entity = entity_key(workspace, wanted.entity)[0]
        at = None
        if writing.at is not None:
            at = times.to_text(checked_at(writing.at, workspace.now()))
        facts[record.KEY] = record.envelope(
            wanted.kind,
            name=wanted.title or name,
            entity=entity,
            parent=parent,
            at=at,
            nonce=_nonce(workspace, writing, signer_keys),
        )
    elif wanted.parent is not None or wanted.entity is not None or wanted.title is not None:
        raise UsageError("--bare writes no envelope, so --parent, --entity and --title have none")
    check_data(facts, state)
    tx = _transaction.create(
        signer_keys, [_transaction.Output(details, wanted.amount)], facts or None, state or None
    )
    return tx, warnings


def _nonce(workspace: Workspace, writing: Writing, signers: list[str]) -> str:
    if writing.once is not None:
        return record.once_nonce(writing.once, signers)
    return workspace.random(16).hex()


def _uuid(nonce: str) -> str:
    """Return a version 4 UUID made of a nonce's first digits."""
    digits = nonce[:12] + "4" + nonce[13:16] + "89ab"[int(nonce[16], 16) % 4] + nonce[17:32]
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _prove_entity(
    workspace: Workspace, tx: dict[str, Any], signers: Sequence[Signer], warnings: list[str]
) -> None:
    """Add the entity's own signature over the facts, when its key is at hand."""
    data = tx["asset"]["data"]
    envelope = record.envelope_of(data) or {}
    entity = envelope.get("entity")
    if entity is None:
        return
    info = workspace.keystore.find(entity)
    by_key = {signer.public_key: signer for signer in signers}
    signer = by_key.get(entity)
    if signer is None and info is not None:
        try:
            signer = unlock(workspace, [info])[0]
        except LockedError as error:
            if error.code == "bad_passphrase":
                raise
            warnings.append(f"the key {info.name} is locked, so it is only claimed as the entity")
    elif signer is None:
        warnings.append(f"the key {entity} is not here, so it is only claimed as the entity")
    if signer is not None:
        envelope["entity_proof"] = base58.encode(signer.sign(record.entity_message(data)))


def _taken(name: str, asset_id: str) -> ConflictError:
    return ConflictError(
        f"the name {name} is taken by the asset {asset_id}",
        code="exists",
        hint=f"choose another name, or free it: twin name remove {name}; --if-missing makes it no"
        " error when it is the same asset",
    )


def _check_token(workspace: Workspace, present: str, tx: dict[str, Any], token: str) -> None:
    """Say so when the asset of that name was made with this token, but otherwise."""
    entry = workspace.client.required(present)
    nonce = record.creating_envelope(tx).get("nonce")
    if record.creating_envelope(entry.tx).get("nonce") == nonce:
        raise ConflictError(
            f"the token {token!r} was used for another definition, by {present}",
            code="once_mismatch",
            hint=f"use another token, or look at it: twin asset show {present}",
        )


def _check_same(workspace: Workspace, name: str, asset_id: str, tx: dict[str, Any]) -> None:
    """Refuse ``--if-missing`` when the asset of that name was defined otherwise."""
    entry = workspace.client.required(asset_id)
    found = entry.tx

    def facts(data: dict[str, Any] | None) -> dict[str, Any]:
        plain = record.without_envelope(data)
        if record.orm_model(plain) is not None:  # its id is random
            plain = {**plain, "id": record.orm_model(plain)}
        return plain

    def envelope(data: dict[str, Any] | None) -> dict[str, Any]:
        kept = ("kind", "entity", "parent", "template")
        return {key: (record.envelope_of(data) or {}).get(key) for key in kept}

    ours, theirs = tx["asset"]["data"], found["asset"]["data"]
    for what, mine, other in (
        ("data", facts(ours), facts(theirs)),
        ("kind, entity or parent", envelope(ours), envelope(theirs)),
        ("initial state", tx["metadata"], found["metadata"]),
        ("owner or amount", _owned(tx), _owned(found)),
    ):
        if mine != other:
            raise ConflictError(
                f"the asset {name} is there, but its {what} differ from what is asked for",
                code="exists",
                hint=f"twin asset show {name}",
            )


def _owned(tx: dict[str, Any]) -> list[tuple[str, str]]:
    return [(output["amount"], output["condition"]["uri"]) for output in tx["outputs"]]
