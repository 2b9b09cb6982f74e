"""A transaction on its way from signer to signer: ``twin.partial/1``.

The file has the unsigned transaction, the signatures so far, and the transactions it spends
together with the CREATE of its asset, so that a signer can read offline what is given by whom to
whom. Nothing in it is believed: ids are computed again, what an input asks for is
compared with the output it spends, and every signature is verified when the file is read. ::

    {"schema": "twin.partial/1", "body_digest", "ledger", "transaction",
     "signatures": [{"input", "public_key", "signature"}], "transactions": [...]}

``body_digest`` is the SHA3-256 (hex) of the canonical transaction without id and fulfillments: it
stays the same while signatures arrive, so people can compare it. ``signature`` is base58. The id of
a transaction covers its fulfillments, so it is known only when everybody has signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import base58, canonical, conditions, ed25519
from twincli.errors import ConflictError, InvalidError
from twincli.model import transaction as _transaction
from twincli.rules import structure
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twincli.crypto.ed25519 import Signer

SCHEMA = "twin.partial/1"

Signatures = dict[tuple[int, str], bytes]
"""By number of the input and public key."""


class Partial(NamedTuple):
    """An unsigned transaction and what belongs to it.

    Attributes:
        tx: With condition details in the place of every fulfillment, and no id.
        carried: What it spends, and the CREATE of its asset where that is at hand, by id.
        ledger: Id of the ledger it was prepared on, or None.
        body_digest: 64 hex digits.
        digests: For every input the 32 bytes that its keys sign.
        invited: For every input the keys that may sign it.
        signatures: Those made so far, all verified.
    """

    tx: dict[str, Any]
    carried: dict[str, dict[str, Any]]
    ledger: str | None
    body_digest: str
    digests: tuple[bytes, ...]
    invited: tuple[frozenset[str], ...]
    signatures: Signatures


def prepare(
    tx: Mapping[str, Any], carried: Iterable[dict[str, Any]], ledger: str | None
) -> Partial:
    """Return an unsigned transaction in the form that is handed round.

    Args:
        tx: Unsigned, from ``model.transaction`` or from an official driver.
        carried: The transactions it spends and the CREATE of its asset.
        ledger: Id of the ledger.

    Raises:
        InvalidError: ``invalid_partial`` and the codes of ``structure``: it is not well formed, or
            its inputs are not what the outputs they spend ask for; ``asset_id_mismatch``,
            ``amount_error``.
    """
    by_id = {}
    for item in carried:
        checked = structure.check(item)
        by_id[checked.id] = checked.tx
    message = _check(tx, by_id)
    return Partial(
        {**tx, "id": None},
        by_id,
        ledger,
        canonical.sha3_hex(message),
        tuple(_transaction.input_digest(message, entry["fulfills"]) for entry in tx["inputs"]),
        tuple(frozenset(conditions.leaf_keys(entry["fulfillment"])) for entry in tx["inputs"]),
        {},
    )


def is_partial(value: Any) -> bool:
    """Say whether a JSON value claims to be a partly signed transaction, of any version."""
    schema = value.get("schema") if isinstance(value, dict) else None
    return isinstance(schema, str) and schema.startswith("twin.partial/")


def read(value: Any, known: Partial | None = None) -> Partial:
    """Return the partly signed transaction in a JSON value.

    Args:
        value: As parsed by ``canonical.decode``.
        known: One that was read before; what is the same in both is not checked again.

    Raises:
        InvalidError: ``unsupported_version``; ``invalid_hash``: the body is not the one that was
            prepared; ``invalid_signature``: a signature does not fit the body;
            ``uninvited_signature``: of a key that was not asked; others as ``prepare``.
    """
    assert is_partial(value)
    if value["schema"] != SCHEMA:
        raise InvalidError(
            f"this version does not know {value['schema']}",
            code="unsupported_version",
            hint="a newer twincli may read it",
        )
    tx, ledger, carried = (value.get(name) for name in ("transaction", "ledger", "transactions"))
    if known is not None and (known.tx, known.ledger, _carried(known)) == (tx, ledger, carried):
        partial = known
    else:
        if not (ledger is None or isinstance(ledger, str)):
            raise _bad("ledger is neither text nor null")
        if not isinstance(carried, list):
            raise _bad("transactions is not a list")
        if not isinstance(tx, dict):
            raise _bad("transaction is not an object")
        partial = prepare(tx, carried, ledger)
    if value.get("body_digest") != partial.body_digest:
        raise InvalidError(
            "the transaction in this file is not the one that was prepared",
            code="invalid_hash",
            hint="it was altered, or a tool that read and wrote the file changed its"
            " numbers (jq makes 1.0 into 1): pass the file on as it is",
        )
    return partial._replace(signatures=_signatures(partial, value.get("signatures")))


def document(partial: Partial) -> dict[str, Any]:
    """Return the JSON value to write; equal for equal content, in any order of signing."""
    return {
        "schema": SCHEMA,
        "body_digest": partial.body_digest,
        "ledger": partial.ledger,
        "transaction": partial.tx,
        "signatures": [
            {"input": number, "public_key": key, "signature": base58.encode(signature)}
            for (number, key), signature in sorted(partial.signatures.items())
        ],
        "transactions": _carried(partial),
    }


def _carried(partial: Partial) -> list[dict[str, Any]]:
    return [partial.carried[tx_id] for tx_id in sorted(partial.carried)]


def digest_of(tx: Mapping[str, Any]) -> str:
    """Return the ``body_digest`` of a transaction that is signed and committed."""
    return canonical.sha3_hex(_transaction.message(tx))


def sign(partial: Partial, signers: Iterable[Signer]) -> Partial:
    """Return it with the signatures of ``signers`` on every input that asks for them.

    Raises:
        InvalidError: ``uninvited_signature``: no input asks for a signer; ``invalid_signature``.
    """
    made = dict(partial.signatures)
    for signer in signers:
        numbers = [n for n, keys in enumerate(partial.invited) if signer.public_key in keys]
        if not numbers:
            raise _uninvited(signer.public_key)
        for number in numbers:
            made[number, signer.public_key] = _transaction.signed(signer, partial.digests[number])
    return partial._replace(signatures=made)


def combine(partials: Sequence[Partial]) -> Partial:
    """Return one with the signatures of all, which must be of one transaction.

    The result does not depend on the order: of two signatures of one key, both good, the smaller
    stays, and so does the smaller of two ledgers; what any of them carries is carried.

    Raises:
        ConflictError: ``different_transactions``.
    """
    first = partials[0]
    signatures: Signatures = {}
    carried: dict[str, dict[str, Any]] = {}
    for partial in partials:
        carried |= partial.carried
        if partial.body_digest != first.body_digest:
            raise ConflictError(
                f"these are different transactions: {first.body_digest} and {partial.body_digest}",
                code="different_transactions",
                hint="combine files that come from one prepared transaction",
            )
        for place, signature in partial.signatures.items():
            signatures[place] = min(signature, signatures.get(place, signature))
    ledger = min((partial.ledger for partial in partials if partial.ledger), default=None)
    return first._replace(signatures=signatures, carried=carried, ledger=ledger)


def needed(details: Mapping[str, Any], signed: Iterable[str]) -> int:
    """Return how many signatures are still needed at least.

    Args:
        details: Condition details, already checked.
        signed: The public keys that have signed.
    """
    have = frozenset(signed)
    if details["type"] == "ed25519-sha-256":
        return 0 if details["public_key"] in have else 1
    parts = sorted(needed(part, have) for part in details["subconditions"])
    return sum(parts[: details["threshold"]])


def signed_by(partial: Partial, number: int) -> list[str]:
    """Return the keys that have signed an input, in the order of its condition."""
    details = partial.tx["inputs"][number]["fulfillment"]
    keys = dict.fromkeys(conditions.leaf_keys(details))
    return [key for key in keys if (number, key) in partial.signatures]


def is_complete(partial: Partial) -> bool:
    """Say whether there are enough signatures."""
    return all(
        needed(entry["fulfillment"], signed_by(partial, number)) == 0
        for number, entry in enumerate(partial.tx["inputs"])
    )


def finish(partial: Partial) -> dict[str, Any]:
    """Return the signed transaction.

    A threshold gets exactly as many signatures as it asks, the first there are in the order of
    the condition, so the id does not depend on the order of signing.

    Raises:
        LockedError: ``missing_signature``.
    """
    return _transaction.fulfil(
        partial.tx, lambda number, key, _digest: partial.signatures.get((number, key))
    )


# --- Checking ----------------------------------------------------------------------------------


def _signatures(partial: Partial, listed: Any) -> Signatures:
    if not isinstance(listed, list):
        raise _bad("signatures is not a list")
    invited = partial.invited
    found: Signatures = {}
    for item in listed:
        number, key, text = (
            (item.get("input"), item.get("public_key"), item.get("signature"))
            if isinstance(item, dict)
            else (None, None, None)
        )
        if type(number) is not int or not isinstance(key, str) or not isinstance(text, str):
            raise _bad("a signature is not an object with input, public_key and signature")
        if not 0 <= number < len(invited) or key not in invited[number]:
            raise _uninvited(key)
        if len(text) > 88 or not ed25519.verify(
            base58.decode_key(key), partial.digests[number], base58.decode(text)
        ):
            raise InvalidError(
                f"the signature of {key} does not belong to this transaction",
                code="invalid_signature",
                hint="the file was altered after it was signed, or damaged on its way",
            )
        found[number, key] = base58.decode(text)
    return found


def _check(tx: Mapping[str, Any], carried: Mapping[str, dict[str, Any]]) -> bytes:
    """Check an unsigned transaction as the ledger will; return the text that signatures cover."""
    checked = structure.check({**tx, "id": _transaction.transaction_id(tx)})
    if checked.deviations:
        raise InvalidError(checked.deviations[0].message, code=checked.deviations[0].code)
    total = 0
    for number, entry in enumerate(checked.tx["inputs"]):
        details = entry["fulfillment"]
        if not isinstance(details, dict):
            raise _bad(f"its input {number} is already fulfilled")
        conditions.from_details(details)
        if entry["fulfills"] is None:
            keys = set(conditions.leaf_keys(details))
            needed = conditions.indispensable_keys(details)
            if keys != set(entry["owners_before"]) or needed not in (None, keys):
                # A ledger wants every issuer's signature, and others would give other ids.
                raise _bad("the issuers of a CREATE are not the keys that must all sign it")
            continue
        output = _spent(checked.asset_id, entry["fulfills"], carried)
        if details != output["condition"]["details"] or set(entry["owners_before"]) != set(
            output["public_keys"] or ()
        ):
            raise _bad(f"its input {number} does not match the output it spends")
        total += int(output["amount"])
    places = {entry.spends for entry in checked.inputs}
    if len(places) != len(checked.inputs):
        raise InvalidError("one output is spent twice by the inputs", code="double_spend")
    given = sum(output.amount for output in checked.outputs)
    if checked.operation != _transaction.CREATE and total != given:
        raise InvalidError(
            f"the inputs hold {total}, the outputs {given}; they must be equal",
            code="amount_error",
        )
    return checked.message


def _spent(
    asset_id: str, fulfills: Mapping[str, Any], carried: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the output that an input spends."""
    tx_id, index = fulfills["transaction_id"], fulfills["output_index"]
    spent = carried.get(tx_id)
    if spent is None:
        raise _bad(f"the transaction {tx_id}, which it spends, is not in the file")
    if index >= len(spent["outputs"]):
        raise _bad(f"the transaction {tx_id} has no output {index}")
    found = spent["id"] if spent["operation"] == _transaction.CREATE else spent["asset"]["id"]
    if found != asset_id:
        raise InvalidError(
            f"asset.id is {asset_id}, an input belongs to {found}",
            code="asset_id_mismatch",
            hint="only outputs of one divisible asset can be combined, not similar assets",
        )
    output: dict[str, Any] = spent["outputs"][index]
    return output


def _uninvited(key: str) -> InvalidError:
    return InvalidError(
        f"{key} was not asked to sign this",
        code="uninvited_signature",
        hint="its signature does not count; to see who is asked: twin tx show FILE",
    )


def _bad(why: str) -> InvalidError:
    return InvalidError(f"this is not a partly signed transaction: {why}", code="invalid_partial")
