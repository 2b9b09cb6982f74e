"""BigchainDB transactions, spec 2.0: build, digest, sign, identify.

A transaction is a plain ``dict`` shaped as on the wire. An unsigned input carries, as with the
official drivers, the details of the condition it must fulfil in ``fulfillment``; ``sign``
replaces them by the fulfillment URI and sets the id.

Source: BigchainDB transaction spec 2.0; equal byte for byte to bigchaindb-driver 0.6.2.
"""

from __future__ import annotations

from twincli.crypto import canonical, conditions
from twincli.crypto.digests import sha3_256
from twincli.errors import InvalidError, LockedError
from twincli.model import owners as _owners
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from twincli.crypto.ed25519 import Signer

CREATE = "CREATE"
TRANSFER = "TRANSFER"
VERSION = "2.0"
MAX_AMOUNT = 9_000_000_000_000_000_000


class Output(NamedTuple):
    """An amount and the condition to spend it.

    Attributes:
        details: Condition details; ``owners.of_keys([key])`` for one key.
        amount: 1 to 9*10^18.
    """

    details: dict[str, Any]
    amount: int = 1


class Spend(NamedTuple):
    """An output to be spent.

    Attributes:
        transaction_id: 64 hex digits.
        output_index: From 0.
        details: The condition details of that output.
        public_keys: Its ``public_keys``, the spender's ``owners_before``.
    """

    transaction_id: str
    output_index: int
    details: dict[str, Any]
    public_keys: tuple[str, ...]

    @classmethod
    def of(cls, tx: Mapping[str, Any], output_index: int = 0) -> Spend:
        """Return output ``output_index`` of a stored transaction as something to spend."""
        return cls.of_output(tx["id"], output_index, tx["outputs"][output_index])

    @classmethod
    def of_output(cls, transaction_id: str, output_index: int, output: Mapping[str, Any]) -> Spend:
        """Return a stored output as something to spend; a network's may name no keys."""
        keys = tuple(output["public_keys"] or ())
        return cls(transaction_id, output_index, output["condition"]["details"], keys)


def _output(output: Output) -> dict[str, Any]:
    condition = conditions.from_details(output.details)
    return {
        "amount": str(output.amount),
        "condition": {"details": output.details, "uri": condition.uri},
        "public_keys": list(conditions.leaf_keys(output.details)),
    }


def create(
    signers: Sequence[str],
    outputs: Sequence[Output],
    data: dict[str, Any] | None,
    metadata: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an unsigned CREATE.

    Args:
        signers: Public keys of the issuers; several must all sign, in one input.
        outputs: Who owns how much at first.
        data: ``asset.data``, the immutable facts.
        metadata: The initial state, or None; BigchainDB refuses an empty object.
    """
    return _unsigned(
        CREATE,
        {"data": data},
        [
            {
                "fulfillment": _owners.of_keys(list(signers)),
                "fulfills": None,
                "owners_before": list(signers),
            }
        ],
        outputs,
        metadata,
    )


def transfer(
    inputs: Sequence[Spend],
    outputs: Sequence[Output],
    asset_id: str,
    metadata: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an unsigned TRANSFER that spends ``inputs``.

    Args:
        inputs: Outputs to spend, all of one asset.
        outputs: The new outputs; amounts must add up to those spent.
        asset_id: Id of the CREATE.
        metadata: What this transaction records, or None.
    """
    return _unsigned(
        TRANSFER,
        {"id": asset_id},
        [
            {
                "fulfillment": spend.details,
                "fulfills": {
                    "output_index": spend.output_index,
                    "transaction_id": spend.transaction_id,
                },
                "owners_before": list(spend.public_keys),
            }
            for spend in inputs
        ],
        outputs,
        metadata,
    )


def _unsigned(
    operation: str,
    asset: dict[str, Any],
    inputs: list[dict[str, Any]],
    outputs: Sequence[Output],
    metadata: dict[str, Any] | None,
) -> dict[str, Any]:
    return {
        "asset": asset,
        "id": None,
        "inputs": inputs,
        "metadata": metadata,
        "operation": operation,
        "outputs": [_output(output) for output in outputs],
        "version": VERSION,
    }


def message(tx: Mapping[str, Any]) -> bytes:
    """Return the canonical text that signatures cover: without id and fulfillments."""
    body = dict(tx)
    body["id"] = None
    body["inputs"] = [{**entry, "fulfillment": None} for entry in tx["inputs"]]
    return canonical.encode(body)


def input_digest(text: bytes, fulfills: Mapping[str, Any] | None) -> bytes:
    """Return the 32 bytes that an input's keys sign.

    Args:
        text: From ``message``.
        fulfills: The output spent, or None for a CREATE.
    """
    digest = sha3_256(text)
    if fulfills is not None:
        digest.update(f"{fulfills['transaction_id']}{fulfills['output_index']}".encode())
    return digest.digest()


def transaction_id(tx: Mapping[str, Any]) -> str:
    """Return the id a transaction has by its body, fulfillments included: 64 hex digits."""
    body = dict(tx)
    body["id"] = None
    return canonical.sha3_hex(canonical.encode(body))


def sign(tx: Mapping[str, Any], signers: Iterable[Signer]) -> dict[str, Any]:
    """Return ``tx`` signed, with its id.

    Every input whose ``fulfillment`` is still condition details is fulfilled, a threshold with
    exactly as many signatures as it asks, the first that ``signers`` can give.

    Raises:
        LockedError: ``missing_signature``: the signers do not suffice; it names keys that could.
        InvalidError: ``invalid_signature``: a signer returned something other than 64 bytes.
    """
    by_key = {signer.public_key: signer for signer in signers}

    def signature_of(number: int, public_key: str, digest: bytes) -> bytes | None:
        del number
        signer = by_key.get(public_key)
        return None if signer is None else signed(signer, digest)

    return fulfil(tx, signature_of)


def signed(signer: Signer, digest: bytes) -> bytes:
    """Return a signer's signature, checked for its length.

    Raises:
        InvalidError: ``invalid_signature``: it is not 64 bytes long.
    """
    made = signer.sign(digest)
    if len(made) != 64:
        raise InvalidError(
            f"the signer of {signer.public_key} gave {len(made)} bytes, but a signature has 64",
            code="invalid_signature",
        )
    return made


def fulfil(
    tx: Mapping[str, Any], signature_of: Callable[[int, str, bytes], bytes | None]
) -> dict[str, Any]:
    """Return ``tx`` with its inputs fulfilled, and its id.

    Args:
        tx: Unsigned; inputs that are fulfilled already stay as they are.
        signature_of: Given the number of an input, a public key and the 32 bytes that the keys of
            that input sign, returns the signature of that key, or None.

    Raises:
        LockedError: ``missing_signature``, naming the keys that could sign.
    """
    text = message(tx)
    inputs = []
    for number, entry in enumerate(tx["inputs"]):
        details = entry["fulfillment"]
        if not isinstance(details, dict):
            inputs.append(dict(entry))
            continue
        digest = input_digest(text, entry["fulfills"])
        fulfillment = conditions.fulfill(
            details,
            lambda key, number=number, digest=digest: signature_of(number, key, digest),  # type: ignore[misc]
        )
        if fulfillment is None:
            wanted = ", ".join(dict.fromkeys(conditions.leaf_keys(details)))
            raise LockedError(
                f"signatures are missing: this needs {_owners.to_text(details, str)}",
                code="missing_signature",
                hint=f"sign with the keys of {wanted}",
            )
        inputs.append({**entry, "fulfillment": fulfillment.uri})
    made = {**tx, "id": None, "inputs": inputs}
    made["id"] = transaction_id(made)
    return made


def signers_of(tx: Mapping[str, Any]) -> list[str]:
    """Return the public keys whose signatures a transaction carries, in order."""
    keys: dict[str, None] = {}
    for entry in tx["inputs"]:
        if isinstance(entry["fulfillment"], str):
            made = conditions.parse(entry["fulfillment"], strict=False)
            keys.update(dict.fromkeys(made.keys()))
    return list(keys)


class Signers:
    """Reads who signed many transactions; each key of its own is read once."""

    def __init__(self) -> None:
        self._heads: dict[str, str] = {}

    def of(self, tx: Mapping[str, Any]) -> list[str]:
        """Return the public keys whose signatures a transaction carries, in order.

        The first 48 characters of the fulfillment of one key are exactly its header and the key.
        """
        inputs = tx["inputs"]
        fulfillment = inputs[0]["fulfillment"]
        if len(inputs) > 1 or not isinstance(fulfillment, str) or len(fulfillment) != _PLAIN_URI:
            return signers_of(tx)
        head = fulfillment[:_PLAIN_HEAD]
        key = self._heads.get(head)
        if key is None:
            signers = signers_of(tx)
            if len(signers) != 1:
                return signers
            key = self._heads[head] = signers[0]
        return [key]


_PLAIN_URI = 136
_PLAIN_HEAD = 48


def asset_of(tx: dict[str, Any]) -> str:
    """Return the asset that a transaction belongs to."""
    return str(tx["id"] if tx["operation"] == "CREATE" else tx["asset"]["id"])
