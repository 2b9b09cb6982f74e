"""Transactions that several people sign: preparing, reading, signing, combining, submitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import conditions
from twincli.errors import ConflictError, InvalidError, LockedError, NotFoundError
from twincli.model import owners, record
from twincli.model import transaction as _transaction
from twincli.model.ids import is_hex
from twincli.rules import partial as _partial
from twincli.services import resolve, signers
from twincli.services.tx.prepared import Prepared

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.client import LedgerClient
    from twincli.keystore.keyfile import KeyInfo
    from twincli.rules.partial import Partial
    from twincli.services.documents import Json, Signing, SigningInput
    from twincli.services.workspace import Workspace


OPEN = "open"
STALE = "stale"
SUBMITTED = "submitted"


# --- Preparing ---------------------------------------------------------------------------------


def prepared(workspace: Workspace, tx: dict[str, Any], warnings: Sequence[str] = ()) -> Prepared:
    """Prepare a transaction for others to sign, with the signatures of ``--key``."""
    partial = from_unsigned(workspace.client, tx)
    infos = [_local(workspace, name) for name in dict.fromkeys(workspace.keys)]
    mine = [info for info in infos if info is not None]
    if not workspace.dry_run:
        partial = _partial.sign(partial, signers.unlock(workspace, mine))
    return Prepared(describe(partial, workspace, warnings), _partial.document(partial))


def along(workspace: Workspace, tx: dict[str, Any]) -> Prepared:
    """Prepare a transaction that belongs to another one, with the signatures of those asked."""
    asked = {key for given in tx["inputs"] for key in conditions.leaf_keys(given["fulfillment"])}
    infos = [_local(workspace, name) for name in dict.fromkeys(workspace.keys)]
    keys = tuple(info.name for info in infos if info is not None and info.public_key in asked)
    return prepared(workspace._replace(keys=keys), tx)


def is_meant(workspace: Workspace, there: Partial, wanted: dict[str, Any]) -> bool:
    """Say whether a file made before still does what is wanted: with its signatures it goes on.

    Args:
        workspace: Rooms.
        there: What the file holds.
        wanted: A transaction that would be prepared now.
    """
    tx = there.tx
    moves = [
        (
            each["operation"],
            each["asset"],
            [given["fulfills"] for given in each["inputs"]],
            each["outputs"],
            _but_its_time(each["metadata"]),
        )
        for each in (tx, wanted)
    ]
    return moves[0] == moves[1] and standing(there, workspace.client) == OPEN


def _but_its_time(metadata: Any) -> Any:
    envelope = record.envelope_of(metadata)
    if envelope is None:
        return metadata
    rest = {name: value for name, value in envelope.items() if name not in {"at", "clock"}}
    return {**metadata, record.KEY: rest}


def _local(workspace: Workspace, name: str) -> KeyInfo | None:
    """Return a key named by ``--key``; None if it is somebody else's, who signs later."""
    try:
        return workspace.keystore.get(name)
    except NotFoundError:
        return workspace.keystore.find(resolve.public_key_of(workspace, name))


def from_unsigned(client: LedgerClient, tx: dict[str, Any]) -> Partial:
    """Return an unsigned transaction, a driver's too, together with the transactions it spends.

    Raises:
        NotFoundError: ``not_found``: a transaction it spends is not on this ledger.
        InvalidError: It is malformed.
    """
    inputs = tx.get("inputs")
    asset = tx.get("asset")
    needed: dict[str, None] = {}
    for entry in inputs if isinstance(inputs, list) else ():
        fulfills = entry.get("fulfills") if isinstance(entry, dict) else None
        if isinstance(fulfills, dict) and isinstance(fulfills.get("transaction_id"), str):
            needed[fulfills["transaction_id"]] = None
    if needed and isinstance(asset, dict) and isinstance(asset.get("id"), str):
        needed[asset["id"]] = None
    carried = []
    for tx_id in needed:
        entry = client.entry(tx_id)
        if entry is None:
            raise NotFoundError(
                f"the transaction {tx_id}, spent by this one, is not on this ledger",
                hint="prepare it on the right ledger",
            )
        carried.append(entry.tx)
    return _partial.prepare(tx, carried, client.ledger_id)


# --- Reading -----------------------------------------------------------------------------------


def describe(
    partial: Partial, workspace: Workspace | None, warnings: Sequence[str] = ()
) -> Signing:
    """Describe what a transaction would do, and who has signed it.

    Args:
        partial: The transaction.
        workspace: For names and for the state of the outputs; None: without both.
        warnings: Of the document.
    """
    tx = partial.tx
    is_create = tx["operation"] == _transaction.CREATE
    asset_id = None if is_create else tx["asset"]["id"]
    facts = _facts(partial)
    envelope = record.envelope_of(facts if is_create else tx["metadata"]) or {}
    inputs = [_input(partial, workspace, number) for number in range(len(tx["inputs"]))]
    complete = all(entry["needed"] == 0 for entry in inputs)
    found = None if workspace is None else standing(partial, workspace.client)
    signed, missing = (
        _each(entry[which] for entry in inputs) for which in ("signed_by", "missing")
    )
    return {
        "schema": "twin.signing/1",
        "body_digest": partial.body_digest,
        "operation": tx["operation"],
        "kind": record.text(envelope.get("kind")),
        "asset_id": asset_id,
        "asset_name": (resolve.asset_name(workspace, asset_id) if workspace and asset_id else None),
        "title": record.text((record.envelope_of(facts) or {}).get("name")),
        "ledger": partial.ledger,
        "data": record.without_envelope(facts),
        "written": record.without_envelope(tx["metadata"]),
        "stated": _stated(tx),
        "inputs": inputs,
        "outputs": [
            {
                "amount": output["amount"],
                "owners": _owners_text(workspace, output["condition"]["details"]),
            }
            for output in tx["outputs"]
        ],
        "signed_by": signed,
        "missing": missing,
        "names": _names(workspace, [*signed, *missing]),
        "complete": complete,
        "transaction_id": _partial.finish(partial)["id"] if complete else None,
        "standing": found,
        "warnings": list(warnings),
    }


def _names(workspace: Workspace | None, keys: list[str]) -> dict[str, str]:
    """Return the local names of those keys that have one."""
    if workspace is None:
        return {}
    named = zip(keys, resolve.names_of(workspace, keys), strict=True)
    return {key: name for key, name in named if name is not None}


def _facts(partial: Partial) -> dict[str, Any] | None:
    """Return ``asset.data`` of the CREATE, None if the file does not contain it."""
    tx = partial.tx
    create = (
        tx if tx["operation"] == _transaction.CREATE else partial.carried.get(tx["asset"]["id"])
    )
    data = create["asset"].get("data") if create is not None else None
    return data if isinstance(data, dict) else None


def _stated(tx: dict[str, Any]) -> Json:
    """Return the envelopes without kind, title and nonce, because all of it will be signed."""
    stated = dict(record.envelope_of(tx["metadata"]) or {})
    if tx["operation"] == _transaction.CREATE:
        # Our envelope is in the facts; a stranger's in the metadata of a CREATE is shown too.
        beside = {"metadata": stated} if stated else {}
        stated = {**(record.envelope_of(tx["asset"].get("data")) or {}), **beside}
        nonce = stated.get("nonce")
        if isinstance(nonce, str) and len(nonce) <= 64 and is_hex(nonce):
            del stated["nonce"]
        if isinstance(stated.get("name"), str):
            del stated["name"]
    if stated.get("v") == record.VERSION:
        del stated["v"]
    if isinstance(stated.get("kind"), str):
        del stated["kind"]
    return stated


def _each(lists: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(key for keys in lists for key in keys))


def _input(partial: Partial, workspace: Workspace | None, number: int) -> SigningInput:
    entry = partial.tx["inputs"][number]
    details, fulfills = entry["fulfillment"], entry["fulfills"]
    signed = _partial.signed_by(partial, number)
    needed = _partial.needed(details, signed)
    tx_id = index = amount = None
    if fulfills is not None:
        tx_id, index = fulfills["transaction_id"], fulfills["output_index"]
        amount = partial.carried[tx_id]["outputs"][index]["amount"]
    return {
        "transaction_id": tx_id,
        "output_index": index,
        "amount": amount,
        "owners": _owners_text(workspace, details),
        "signed_by": signed,
        "missing": _useful(details, signed) if needed else [],
        "needed": needed,
    }


def _useful(details: dict[str, Any], signed: Iterable[str]) -> list[str]:
    """Return the keys whose signatures would still help, in the order of the condition."""
    have = set(signed)
    if details["type"] == "ed25519-sha-256":
        key = details["public_key"]
        return [] if key in have or key == owners.BURN_ADDRESS else [key]
    if _partial.needed(details, have) == 0:
        return []
    return _each(_useful(part, have) for part in details["subconditions"])


def _owners_text(workspace: Workspace | None, details: dict[str, Any]) -> str:
    if workspace is not None:
        return resolve.owners_text(workspace, details)
    return owners.to_text(details, str)


def standing(partial: Partial, client: LedgerClient) -> str | None:
    """Return its state on a ledger: ``open``, ``stale``, ``submitted``; None: unknown there."""
    if _partial.is_complete(partial) and client.entry(_partial.finish(partial)["id"]) is not None:
        return SUBMITTED
    if partial.tx["operation"] == _transaction.CREATE:
        return OPEN if partial.ledger == client.ledger_id else None
    for entry in partial.tx["inputs"]:
        spent = client.entry(entry["fulfills"]["transaction_id"])
        if spent is None:
            return None
        spender = spent.spent_by.get(entry["fulfills"]["output_index"])
        if spender is not None:
            return SUBMITTED if _is_this(partial, client, spender) else STALE
    return OPEN


def _is_this(partial: Partial, client: LedgerClient, tx_id: str) -> bool:
    """Say whether a committed transaction is this one, with whatever signatures."""
    entry = client.required(tx_id)
    return _partial.digest_of(entry.tx) == partial.body_digest


# --- Signing -----------------------------------------------------------------------------------


def keys_for(workspace: Workspace, partial: Partial) -> list[KeyInfo]:
    """Return my keys that sign now: those of ``--key``, else as many as are still needed.

    Raises:
        LockedError: ``no_key``: no key here is needed, or one of ``--key`` is not.
        ConflictError: ``signed``: my keys have signed all they can.
    """
    asked = [entry["fulfillment"] for entry in partial.tx["inputs"]]
    invited = dict.fromkeys(key for details in asked for key in conditions.leaf_keys(details))
    if workspace.keys:
        infos = [workspace.keystore.get(name) for name in dict.fromkeys(workspace.keys)]
        for info in infos:
            if info.public_key not in invited:
                raise _not_asked(
                    workspace, f"the key {info.name} is not among the signers of this", asked
                )
        return infos
    mine = {info.public_key for info in workspace.keystore.scan()[0]} & invited.keys()
    if not mine:
        raise _not_asked(workspace, "no key here is among the signers of this", asked)
    chosen: dict[str, KeyInfo] = {}
    for number, details in enumerate(asked):
        signed = _partial.signed_by(partial, number)
        for info in signers.keys_to_help(workspace, details, signed):
            chosen[info.public_key] = info
    if not chosen:
        raise ConflictError(
            "no key here has anything left to sign",
            code="signed",
            hint="to see who is missing: twin tx show FILE; once nobody is: twin tx submit FILE",
        )
    return list(chosen.values())


def _not_asked(workspace: Workspace, message: str, asked: Sequence[dict[str, Any]]) -> LockedError:
    texts = dict.fromkeys(resolve.owners_text(workspace, details) for details in asked)
    return LockedError(message, code="no_key", hint=f"its signers are {'; '.join(texts)}")


def sign(workspace: Workspace, partial: Partial, infos: Sequence[KeyInfo]) -> Partial:
    """Sign it with these keys.

    Raises:
        LockedError: ``locked``, ``bad_passphrase``.
        ConflictError: ``stale``: another transaction has spent its inputs.
    """
    check_open(workspace, partial)
    return _partial.sign(partial, signers.unlock(workspace, infos))


def check_open(workspace: Workspace, partial: Partial) -> None:
    """Refuse a transaction that can no longer be submitted.

    Raises:
        ConflictError: ``stale``; ``submitted``: it is on the ledger, with enough signatures.
    """
    found = standing(partial, workspace.client)
    if found == STALE:
        raise stale_error()
    if found == SUBMITTED:
        raise ConflictError(
            "this transaction is already on the ledger; no more signatures are needed",
            code="submitted",
        )


def stale_error() -> ConflictError:
    """Return the error for a transaction whose inputs another one has spent."""
    return ConflictError(
        "another transaction has already spent the inputs of this one",
        code="stale",
        hint="see: twin history NAME; then prepare it again and collect new signatures",
    )


def submittable(partial: Partial, workspace: Workspace) -> dict[str, Any]:
    """Return the signed transaction; if it is already on the ledger, the committed one.

    Raises:
        LockedError: ``missing_signature``, with the number missing, and whose.
        ConflictError: ``stale``; ``other_ledger``: a CREATE prepared for another ledger, without
            ``accept_unknown``.
    """
    client = workspace.client
    found = standing(partial, client)
    is_create = partial.tx["operation"] == _transaction.CREATE
    elsewhere = partial.ledger not in {None, client.ledger_id}
    if is_create and elsewhere and not workspace.accept_unknown:
        # A TRANSFER is valid on one ledger only; a CREATE is valid everywhere.
        raise ConflictError(
            f"this was prepared for the ledger {partial.ledger}; this one is {client.ledger_id}",
            code="other_ledger",
            hint="submit it there, or add --yes to create the asset here",
        )
    if found == STALE:
        raise stale_error()
    if found == SUBMITTED and not is_create:
        fulfills = partial.tx["inputs"][0]["fulfills"]
        spent = client.required(fulfills["transaction_id"])
        entry = client.required(spent.spent_by[fulfills["output_index"]])
        return entry.tx
    lacking = missing(partial, workspace)
    if lacking is not None:
        raise lacking
    return _partial.finish(partial)


def missing(partial: Partial, workspace: Workspace | None = None) -> LockedError | None:
    """Return the error for missing signatures, saying whose; None if it is complete."""
    for number, entry in enumerate(partial.tx["inputs"]):
        signed = _partial.signed_by(partial, number)
        needed = _partial.needed(entry["fulfillment"], signed)
        if needed:
            useful = _useful(entry["fulfillment"], signed)
            names = _names(workspace, useful)
            keys = ", ".join(names.get(key, key) for key in useful)
            return LockedError(
                f"{needed} more signature{'s' if needed > 1 else ''} needed, from {keys}",
                code="missing_signature",
                hint="one of them signs with: twin tx sign FILE; for details: twin tx show FILE",
            )
    return None


def as_far_as_signed(partial: Partial) -> dict[str, Any]:
    """Return the transaction to judge: signed if it is complete, else unsigned, with an id."""
    if _partial.is_complete(partial):
        return _partial.finish(partial)
    return {**partial.tx, "id": _transaction.transaction_id(partial.tx)}


def read(value: Any, known: Partial | None = None) -> Partial:
    """Return the partly signed transaction in a JSON value; see ``rules.partial.read``.

    Raises:
        InvalidError: ``invalid_partial`` for anything else, and what ``rules.partial`` raises.
    """
    if not _partial.is_partial(value):
        raise InvalidError(
            "this is not a partly signed transaction",
            code="invalid_partial",
            hint="to make one: --prepare FILE on a command that writes",
        )
    return _partial.read(value, known)
