"""Creating twins: build the CREATE, prove the entity, keep the name, submit."""

from __future__ import annotations

from types import MappingProxyType

from twincli.crypto import base58
from twincli.errors import ConflictError, InvalidError, LockedError, TwinError, UsageError
from twincli.model import lifecycle, names, owners, record, schedules, times
from twincli.model import transaction as _transaction
from twincli.rules.authority import AUTHORISED, CLAIMED
from twincli.rules.data import check_data
from twincli.services import resolve
from twincli.services.asset import document
from twincli.services.asset.attempt import check_not_frozen, recorded_all_the_same
from twincli.services.asset.write_options import PLAIN, Writing, checked_at
from twincli.services.signers import entity_key, keys_to_create, keys_to_spend, unlock
from twincli.services.standing import BELONGING, Speakers, owners_now
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from twincli.crypto.ed25519 import Signer
    from twincli.keystore.keyfile import KeyInfo
    from twincli.ledger.rows import PrimaryId
    from twincli.services.asset.fitting import Fitted
    from twincli.services.documents import CreatedAsset, FoundAsset
    from twincli.services.resolve import PlannedKey
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace


class Definition(NamedTuple):
    """What is to be created.

    Attributes:
        data: Facts, immutable.
        state: Initial state, or None.
        owner: Owner expression; None: the signer.
        entity: The thing's own key.
        parent: The asset it is part of.
        amount: The amount, for things that are counted.
        title: A title for people.
        model: Written in the JavaScript ORM's form, for this model.
        kind: One of ``record.CREATING_KINDS``.
        template: The template that it follows; tracking fields among ``data`` go to the state.
        on_invalid: ``reject`` or ``suspect``, see ``fitting.judged``.
        stated: More of the envelope.
        details: The condition that owns it, where that is known; then ``owner`` is None.
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
    template: str | None = None
    on_invalid: str | None = None
    stated: Mapping[str, Any] = MappingProxyType({})
    details: dict[str, Any] | None = None


def create(
    workspace: Workspace,
    name: str | None,
    wanted: Definition,
    writing: Writing = PLAIN,
    *,
    if_missing: bool = False,
    planned: PlannedKey | None = None,
    before: Callable[[str], None] | None = None,
    later: Callable[[Signed], CreatedAsset] | None = None,
) -> CreatedAsset | FoundAsset | Prepared:
    """Create an asset and name it.

    The name is written down before the asset is submitted, so that a crash in between loses
    nothing; a name whose asset never came is free again.

    Args:
        workspace: Rooms.
        name: Its local name; None: it gets none, such as a statement about a twin.
        wanted: The definition, without a template where there is no name.
        writing: W.
        if_missing: The same asset under that name is success, ``"created": false``.
        planned: A key that is still to be made, and may own, sign or be the entity; only with
            ``dry_run``, and what is returned has a stand-in for its public key.
        before: Told what should be known before anything is written; it may raise.
        later: Takes what is signed and named, in place of submitting it.

    Returns:
        The asset, with ``created``.

    Raises:
        ConflictError: ``exists``.
        InvalidError: A rule is broken, named before anything is signed.
        LockedError, UsageError, NotFoundError: About keys and names.
    """
    writing.check()
    if writing.if_tip is not None:
        raise UsageError("--if-tip is for an asset that already exists")
    if name is not None:
        name = names.check(name, "asset")
    if not 1 <= wanted.amount <= _transaction.MAX_AMOUNT:
        raise InvalidError(
            f"the amount {wanted.amount} is not from 1 to {_transaction.MAX_AMOUNT}",
            code="amount_error",
        )
    fitted = None
    if wanted.template is not None:
        assert name is not None
        wanted, fitted = _fit(workspace, name, wanted, writing)
    if lifecycle.KEY in wanted.data or lifecycle.KEY in (wanted.state or {}):
        stages = () if fitted is None else fitted.model.template.stages
        lifecycle.check(wanted.data, stages)
        lifecycle.check(wanted.state or {}, stages)
    schedules.check(wanted.data)
    schedules.check(wanted.state or {})
    book, client = workspace.book, workspace.client
    present = None
    if name is not None:
        present = book.lookup(client.ledger_id, name, resolve.exists(workspace))
    owner = wanted.details
    if wanted.owner is not None:
        owner = resolve.owner_details(workspace, wanted.owner, planned)
    if name is not None and present is not None and not if_missing and writing.once is None:
        raise _taken(name, present)
    issuers, signer_keys = _issuers(workspace, owner, writing, planned)
    details = owner or owners.of_keys(signer_keys)
    warnings: list[str] = []
    tx = _created(workspace, name, wanted, writing, signer_keys, details, planned)
    if name is not None and present is not None and if_missing:
        _check_same(workspace, name, present, tx)
        return _existing(workspace, present)
    if wanted.parent is not None and present is None:
        warnings += _about_parent(workspace, wanted, signer_keys)
        if before is not None:
            for warning in warnings:
                before(warning)
    if fitted is not None:
        warnings += _about_template(workspace, fitted)
        from twincli.services.asset import fitting

        warnings += fitting.doubts(fitted.stated)
    if writing.prepare:
        from twincli.services.tx import cosign

        if not workspace.dry_run:
            _prove_entity(workspace, tx, (), warnings)
        return cosign.prepared(workspace, tx, warnings)
    if workspace.dry_run:
        return {
            **document.unsigned(workspace, name, tx, signer_keys, warnings, planned),
            "created": True,
        }
    signers = unlock(workspace, issuers)
    _prove_entity(workspace, tx, signers, warnings)
    tx = _transaction.sign(tx, signers)
    if name is not None and present is not None and present != tx["id"]:
        if writing.once is not None:
            _check_token(workspace, present, tx, writing.once)
        raise _taken(name, present)
    try:
        if name is not None:
            book.reserve(client.ledger_id, name, tx["id"], resolve.exists(workspace))
    except ConflictError:
        assert name is not None
        other = _arriving(workspace, name) if if_missing else None
        if other is None:
            raise
        _check_same(workspace, name, other, tx)
        return _existing(workspace, other)
    made = Signed(name, tx, _identity(fitted, tx), warnings)
    return _submitted(workspace, made) if later is None else later(made)


def _issuers(
    workspace: Workspace,
    owner: dict[str, Any] | None,
    writing: Writing,
    planned: PlannedKey | None,
) -> tuple[list[KeyInfo], list[str]]:
    """Return the keys here that sign, and the public keys of all who do."""
    if writing.prepare and workspace.keys:
        # Some of them may be other people's, who sign later.
        keys = (resolve.public_key_of(workspace, ref, planned) for ref in workspace.keys)
        return [], list(dict.fromkeys(keys))
    issuers = keys_to_create(workspace, owner, planned)
    return issuers, [info.public_key for info in issuers]


class Signed(NamedTuple):
    """A signed CREATE whose name is reserved.

    Attributes:
        name: Its name, None where it has none.
        tx: It.
        identity: What the twin has to itself, where it has a template.
        warnings: To be passed on.
    """

    name: str | None
    tx: dict[str, Any]
    identity: PrimaryId | None
    warnings: list[str]


def _submitted(workspace: Workspace, made: Signed) -> CreatedAsset:
    """Submit a CREATE, and confirm its name or set it free."""
    name, tx, identity, warnings = made
    book, client = workspace.book, workspace.client
    known = client.entry(tx["id"]) is not None
    height: int | None = 0
    if not known:
        try:
            height = client.submit(tx, identity)
        except (InvalidError, ConflictError) as error:
            # Another process may have submitted the very same one (--once).
            if error.code != "duplicate_transaction":
                if name is not None:
                    book.release(client.ledger_id, name, tx["id"])
                raise
            known = True
    try:
        if name is not None and not book.confirm(client.ledger_id, name, tx["id"]):
            warnings.append(
                f"the name {name} was taken by another asset meanwhile; give this one another:"
                f" twin name set NAME {tx['id']}"
            )
        if height is None:
            return {**document.sent(workspace, name, tx, warnings), "created": True}
        return {**document.written(workspace, tx["id"], tx["id"], warnings), "created": not known}
    except TwinError as error:
        raise recorded_all_the_same(tx["id"], error)  # noqa: B904 - it is the same error


def _about_template(workspace: Workspace, fitted: Fitted) -> Iterator[str]:
    """Yield a warning where nobody known registered the template, whose units convert values."""
    from twincli.services import catalogue

    found = fitted.model
    entry = workspace.client.entry(found.asset_id) if found.asset_id is not None else None
    if entry is None or catalogue.is_ours(workspace, found):
        return
    names = resolve.Names(workspace)
    keys = sorted(_transaction.signers_of(entry.tx))
    if not any(names.of_key(key) for key in keys):
        yield (
            f"the template {found.template.id} was registered by {' and '.join(keys)}, who has no"
            f" name here; look at it: twin template show {found.asset_id}"
        )


def _about_parent(
    workspace: Workspace, wanted: Definition, signer_keys: list[str]
) -> Iterator[str]:
    """Yield a warning where those who sign may not say what is part of the parent.

    Raises:
        LockedError: ``frozen``: so is the parent.
    """
    assert wanted.parent is not None
    parent, now = resolve.asset_id_of(workspace, wanted.parent), workspace.now()
    replay = workspace.client.replay(parent)
    if replay is not None:
        check_not_frozen(resolve.asset_name(workspace, parent) or wanted.parent, replay)
    found = Speakers(workspace.client).now(parent, signer_keys, BELONGING, now, now)
    if found.standing in {AUTHORISED, CLAIMED}:
        return
    held = owners_now(workspace.client, parent)
    names = resolve.Names(workspace)
    mine = [names.of_key(key) or key for key in signer_keys]
    owners_texts = "; ".join(names.owner(details) for details in held)
    who = " and ".join(mine)
    keys = "".join(f" --key {name}" for name in mine)
    owner = ""
    if wanted.owner is None:
        owner = f" --owner {mine[0]}" if len(mine) == 1 else f" --owner all:{','.join(mine)}"
    try:
        infos = keys_to_spend(workspace._replace(keys=()), held[:1], wanted.parent)
    except LockedError:
        way = f"have it signed by {owners_texts}, too: add --prepare FILE"
    else:
        added = "".join(f" --key {info.name}" for info in infos if info.name not in mine)
        way = f"let its owner sign, too:{keys}{added}{owner}"
    yield (
        f"{who} may not add parts to {wanted.parent}, whose owner is {owners_texts}: this"
        f" part will be shown as {found.standing.replace('_', ' ')}; {way}"
    )


def _fit(
    workspace: Workspace, name: str, wanted: Definition, writing: Writing
) -> tuple[Definition, Fitted]:
    """Hold a definition to the template it names."""
    from twincli.services import catalogue
    from twincli.services.asset import fitting

    assert wanted.template is not None
    if writing.bare or wanted.model is not None:
        other = "--bare" if writing.bare else "--orm-model"
        raise UsageError(f"--template is written into the envelope, which {other} leaves out")
    found = catalogue.find(workspace, wanted.template)
    fitted = fitting.creation(found, name, wanted.data, wanted.state, wanted.on_invalid)
    return (
        wanted._replace(
            data=fitted.facts,
            state=fitted.state,
            stated={**wanted.stated, **fitted.pinned, **fitted.stated},
        ),
        fitted,
    )


def _identity(fitted: Fitted | None, tx: dict[str, Any]) -> PrimaryId | None:
    """Return what a new twin has to itself, where it has a template."""
    if fitted is None:
        return None
    from twincli.services.asset import fitting

    return fitting.primary_id(fitted.model.template, fitted.identifier, tx)


def _existing(workspace: Workspace, asset_id: str) -> FoundAsset:
    """Return the asset that ``--if-missing`` found."""
    return {**document.show(workspace, asset_id), "created": False, "warnings": []}


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
    name: str | None,
    wanted: Definition,
    writing: Writing,
    signer_keys: list[str],
    details: dict[str, Any],
    planned: PlannedKey | None,
) -> dict[str, Any]:
    """Return the unsigned CREATE."""
    if record.KEY in wanted.data or record.KEY in (wanted.state or {}):
        raise InvalidError(
            f"the name {record.KEY!r} is reserved for twincli at the top level", code="reserved_key"
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
            entity = entity_key(workspace, wanted.entity, planned)
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
            **wanted.stated,
        )
    elif wanted.parent is not None or wanted.entity is not None or wanted.title is not None:
        raise UsageError(
            "--bare writes no envelope, so it cannot be used with --parent, --entity or --title"
        )
    check_data(facts, state)
    outputs = [_transaction.Output(details, wanted.amount)]
    return _transaction.create(signer_keys, outputs, facts or None, state or None)


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
        hint=f"choose another name, or free this one: twin name remove {name}; with --if-missing,"
        " an identical asset is not an error",
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
                f"the asset {name} already exists with another {what}",
                code="exists",
                hint=f"twin asset show {name}",
            )


def _owned(tx: dict[str, Any]) -> list[tuple[str, str]]:
    return [(output["amount"], output["condition"]["uri"]) for output in tx["outputs"]]
