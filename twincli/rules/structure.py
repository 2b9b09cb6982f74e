"""The rules a transaction can be judged by alone: form, keys of the data, encodings, id.

A transaction that passes becomes a ``Checked``: its canonical text, parsed fulfillments and
conditions, and the deviations that BigchainDB 2.2.2 tolerates and ``strict`` refuses. Signatures
are verified by ``Checked.verify``, so that a caller can spread them over threads.

Source: bigchaindb 2.2.2, schemas and ``Transaction.from_dict``, rules 3 to 32 as measured. The
JSON Schemas are written out by hand: a validator costs 300 µs a transaction, this about 15.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from twincli.crypto import base58, canonical, conditions, ed25519
from twincli.crypto.digests import sha3_256
from twincli.errors import InvalidError, cut, shown
from twincli.model.owners import BURN_ADDRESS
from twincli.model.transaction import CREATE, MAX_AMOUNT, TRANSFER, VERSION
from twincli.rules.data import MAX_INTEGER, check_data
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

STRICT = "strict"
SERVER = "server-2.2.2"
PROFILES = (STRICT, SERVER)

_UNSUPPORTED = ("VALIDATOR_ELECTION", "CHAIN_MIGRATION_ELECTION", "VOTE")
_FIELDS = frozenset({"id", "inputs", "outputs", "operation", "metadata", "asset", "version"})
_INPUT_FIELDS = frozenset({"owners_before", "fulfillment", "fulfills"})
_FULFILLS_FIELDS = frozenset({"transaction_id", "output_index"})
_OUTPUT_FIELDS = frozenset({"amount", "condition", "public_keys"})

# The server's patterns for ids and keys are not anchored: other characters may surround them. A
# search begins where a run of the right characters does: elsewhere it would find the same, and
# take 64 times as long for a stranger's text without a match. They are compiled when first needed,
# which is rare: the usual id, key and fulfillment consist of the right characters alone.
_HEX64 = r"(?<![0-9a-f])[0-9a-f]{64}"
_KEY = r"(?<![1-9a-zA-Z^])[1-9a-zA-Z^]{43}"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HEX_CHARACTERS = b"0123456789abcdef"
_KEY_CHARACTERS = f"123456789{_LETTERS}^".encode()
_BASE64URL_CHARACTERS = f"0123456789{_LETTERS}_-".encode()
_URI = (
    r"ni:///sha-256;([a-zA-Z0-9_-]{0,86})[?]"
    r"(fpt=(ed25519|threshold)-sha-256(&)?|cost=[0-9]+(&)?|subtypes=ed25519-sha-256(&)?){2,3}"
)


Owners = tuple[int, int, tuple[str, ...]]
"""Keys that have to be points: after how many deviations, in which output, which."""


class Deviation(NamedTuple):
    """Something BigchainDB 2.2.2 accepts and ``strict`` refuses."""

    code: str
    message: str


class CheckedInput(NamedTuple):
    """One input.

    Attributes:
        owners_before: Public keys, base58.
        fulfillment: None while it is unsigned.
        spends: Transaction id and output index, or None on a CREATE.
    """

    owners_before: tuple[str, ...]
    fulfillment: conditions.Fulfillment | None
    spends: tuple[str, int] | None


class CheckedOutput(NamedTuple):
    """One output."""

    amount: int
    condition: conditions.Condition
    public_keys: tuple[str, ...]


class Checked:
    """A transaction that is well formed.

    Attributes:
        id: 64 hex digits.
        operation: ``CREATE`` or ``TRANSFER``.
        asset_id: Id of the CREATE, its own for a CREATE.
        inputs, outputs: Parsed.
        metadata: As given.
        body: Its canonical text with the id.
        message: The canonical text that signatures cover.
        only_keys: Whether nothing but Ed25519 keys signed, alone and in thresholds.
    """

    __slots__ = (
        "_deviations",
        "_owners",
        "_seen",
        "_tx",
        "asset_id",
        "body",
        "id",
        "inputs",
        "message",
        "metadata",
        "only_keys",
        "operation",
        "outputs",
        "signed",
    )

    def __init__(
        self,
        tx_id: str,
        operation: str,
        asset_id: str,
        metadata: Any,
        inputs: Sequence[CheckedInput],
        outputs: Sequence[CheckedOutput],
        body: str,
        message: bytes,
        deviations: Sequence[Deviation],
        owners: Sequence[Owners],
        tx: dict[str, Any] | None = None,
    ) -> None:
        self._tx = tx
        self.id = tx_id
        self.operation = operation
        self.asset_id = asset_id
        self.metadata = metadata
        self.inputs = inputs
        self.outputs = outputs
        self.body = body
        self.message = message
        self.only_keys = not deviations or all(
            each.code != "unsupported_fulfillment" for each in deviations
        )
        self.signed: bool | None = None
        self._seen = deviations
        self._owners = owners
        self._deviations: Sequence[Deviation] | None = None

    @property
    def tx(self) -> dict[str, Any]:
        """The transaction as given."""
        if self._tx is None:
            self._tx = json.loads(self.body)
        return self._tx

    @property
    def deviations(self) -> Sequence[Deviation]:
        """What ``strict`` would refuse, in the order of the transaction.

        Whether new owners can exist takes almost as long as verifying a signature, so it is looked
        at here, and by ``verify``, which callers spread over threads.
        """
        if self._deviations is None:
            found = list(self._seen)
            for before, index, keys in reversed(self._owners):
                for key in keys:
                    if not is_owner(key):
                        fault = f"outputs[{index}]: no private key belongs to {key}"
                        found.insert(before, Deviation("not_a_curve_point", fault))
                        break
            self._deviations = found
        return self._deviations

    def verify(self) -> bool:
        """Say whether every fulfillment is good over this transaction; remembers the answer.

        Whether they fulfil the right conditions is for ``validity.judge``. Looks at the points of
        new owners on the way, see ``deviations``.
        """
        if self.signed is None:
            text = sha3_256(self.message)
            for entry in self.inputs:
                if entry.fulfillment is None:
                    self.signed = False
                    break
                digest = text
                if entry.spends is not None:
                    if len(self.inputs) > 1:
                        digest = text.copy()
                    digest.update(f"{entry.spends[0]}{entry.spends[1]}".encode())
                if not entry.fulfillment.verify(digest.digest()):
                    self.signed = False
                    break
            else:
                self.signed = True
                self.deviations  # noqa: B018 - looked up while other threads run
        return self.signed


def check(tx: Any) -> Checked:
    """Check all that needs nothing but the transaction itself, except signatures.

    Args:
        tx: As parsed from JSON.

    Raises:
        InvalidError: The first rule broken, in the server's order: ``invalid_hash``,
            ``schema_validation_error``, ``operation_unsupported``, ``validation_error``,
            ``overflow_error``, ``invalid_signature``, ``threshold_too_deep``, ``amount_error``,
            ``unencodable``.
    """
    try:
        return _check(tx)
    except InvalidError as error:
        # The server looks at the id before it looks at anything else.
        if error.code != "invalid_hash" and isinstance(tx, dict):
            try:
                data = canonical.encode({**tx, "id": None})
            except InvalidError:
                raise error from None
            _check_id(tx, data)
        raise


def _check_id(tx: dict[str, Any], data: bytes) -> None:
    stated = tx.get("id")
    if stated is None or stated == "":
        raise InvalidError("the transaction has no id", code="invalid_hash")
    actual = canonical.sha3_hex(data)
    if stated != actual:
        raise InvalidError(
            f"the id {shown(stated)} is not the hash of the body, which is {actual}",
            code="invalid_hash",
            hint="the transaction was changed, or another tool wrote its numbers differently"
            " (1e-7 for 1e-07, 1 for 1.0)",
        )


def _check(tx: Any) -> Checked:
    if not isinstance(tx, dict):
        raise _schema("the transaction", "is not an object")
    if tx.keys() != _FIELDS:
        missing = sorted(_FIELDS - tx.keys())
        if missing:
            raise _schema(missing[0], "is missing")
        # The first by name, not of a set, whose order differs from process to process.
        raise _schema(cut(min(map(str, tx.keys() - _FIELDS))), "is not a field of a transaction")
    version = tx["version"]
    if version != VERSION and not (isinstance(version, str) and _seen(version) == VERSION):
        raise _schema("version", f"is {shown(version)}, not '2.0'")
    operation = tx["operation"]
    if operation not in (CREATE, TRANSFER):
        if operation in _UNSUPPORTED:
            raise InvalidError(
                f"operation {operation} is not supported: this ledger has no validators to elect",
                code="operation_unsupported",
            )
        raise _schema("operation", f"is {shown(operation)}, not CREATE or TRANSFER")
    metadata = tx["metadata"]
    if metadata is not None and (not isinstance(metadata, dict) or not metadata):
        raise _schema("metadata", "is neither null nor an object with at least one key")
    is_create = operation == CREATE
    asset_text = _check_asset(tx["asset"], is_create=is_create)
    shapes = _check_input_shapes(tx["inputs"], is_create=is_create)
    output_shapes = _check_output_shapes(tx["outputs"])
    check_data(tx["asset"].get("data"), metadata)
    deviations: list[Deviation] = []
    version_text = f'"{VERSION}"'
    if version != VERSION:
        version_text = _text(version)
        deviations.append(Deviation("version_mismatch", f"version is {shown(version)}, not '2.0'"))
    owners: list[Owners] = []
    inputs = [_parse_input(entry, deviations, index) for index, entry in enumerate(tx["inputs"])]
    outputs = [
        _parse_output(entry, simple, deviations, owners, index)
        for index, (entry, simple) in enumerate(zip(tx["outputs"], output_shapes))  # noqa: B905
    ]
    if not outputs:
        deviations.append(Deviation("no_outputs", "the transaction has no outputs"))
    if is_create:
        _check_issuer(inputs[0], deviations)
    if asset_text is None:
        asset_text = f'{{"data":{canonical.text_of(tx["asset"]["data"])}}}'
    metadata_text = "null" if metadata is None else canonical.text_of(metadata)
    tail = (
        f'],"metadata":{metadata_text},"operation":"{operation}","outputs":'
        f'{_outputs_text(tx["outputs"], output_shapes)},"version":{version_text}}}'
    )
    unsigned = ",".join([head + "null" + rest for head, _, rest in shapes])
    signed = ",".join([head + fulfillment + rest for head, fulfillment, rest in shapes])
    try:
        message = f'{{"asset":{asset_text},"id":null,"inputs":[{unsigned}{tail}'.encode()
        data = f'{{"asset":{asset_text},"id":null,"inputs":[{signed}{tail}'.encode()
    except UnicodeEncodeError as error:
        canonical.encode(tx)  # names the path
        raise AssertionError("unreachable") from error  # pragma: no cover - just refused
    _check_id(tx, data)
    body = f'{{"asset":{asset_text},"id":"{tx["id"]}","inputs":[{signed}{tail}'
    tx_id = tx["id"]
    asset_id = tx_id if is_create else tx["asset"]["id"]
    return Checked(
        tx_id,
        operation,
        asset_id,
        metadata,
        inputs,
        outputs,
        body,
        message,
        deviations,
        owners,
        tx,
    )


def _schema(path: str, what: str) -> InvalidError:
    return InvalidError(f"{path} {what}", code="schema_validation_error")


def _seen(text: str) -> str:
    """Return what the server's schemas see of a text: their patterns look no further than NUL."""
    return text.partition("\0")[0]


def _only(text: str, characters: bytes) -> bool:
    """Say whether a text consists of ASCII ``characters`` alone."""
    return text.isascii() and not text.encode().translate(None, characters)


def _is_amount(text: str) -> bool:
    return 1 <= len(text) <= 20 and text.isascii() and text.isdigit()


def _text(value: Any) -> str:
    """Return the canonical text of something that need not be clean."""
    return canonical.encode(value).decode()


# --- Form --------------------------------------------------------------------------------------


def _check_asset(asset: Any, *, is_create: bool) -> str | None:
    """Check ``asset``; return its canonical text for a TRANSFER."""
    if not isinstance(asset, dict):
        raise _schema("asset", "is not an object")
    if is_create:
        if asset.keys() != {"data"}:
            raise _schema("asset", "of a CREATE has exactly the field data")
        if asset["data"] is not None and not isinstance(asset["data"], dict):
            raise _schema("asset.data", "is neither null nor an object")
        return None
    if asset.keys() != {"id"}:
        raise _schema("asset", "of a TRANSFER has exactly the field id")
    return f'{{"id":{_hash_text(asset["id"], "asset.id")}}}'


def _hash_text(value: Any, path: str) -> str:
    if type(value) is str and len(value) == 64 and _only(value, _HEX_CHARACTERS):
        return f'"{value}"'
    if not isinstance(value, str) or not re.search(_HEX64, _seen(value)):
        raise _schema(path, "is not the id of a transaction, 64 hex digits in lower case")
    return _text(value)


def _check_input_shapes(inputs: Any, *, is_create: bool) -> list[tuple[str, str, str]]:
    """Check the form of ``inputs``; return the canonical text of each around its fulfillment."""
    if not isinstance(inputs, list):
        raise _schema("inputs", "is not a list")
    if not inputs:
        raise _schema("inputs", "is empty")
    if is_create and len(inputs) > 1:
        raise _schema("inputs", "of a CREATE has exactly one entry")
    shapes = []
    for index, entry in enumerate(inputs):
        path = f"inputs[{index}]"
        if not isinstance(entry, dict):
            raise _schema(path, "is not an object")
        if entry.keys() != _INPUT_FIELDS:
            missing = {"owners_before", "fulfillment"} - entry.keys()
            if missing:
                raise _schema(f"{path}.{min(missing)}", "is missing")
            if "fulfills" not in entry:
                raise _schema(f"{path}.fulfills", "is missing")
            raise _schema(path, "has a field besides owners_before, fulfills and fulfillment")
        fulfills = entry["fulfills"]
        if is_create:
            if fulfills is not None:
                raise _schema(f"{path}.fulfills", "of a CREATE is null")
            fulfills_text = "null"
        else:
            if not isinstance(fulfills, dict) or fulfills.keys() != _FULFILLS_FIELDS:
                raise _schema(
                    f"{path}.fulfills",
                    "is not an object of transaction_id and output_index",
                )
            spent = _hash_text(fulfills["transaction_id"], f"{path}.fulfills.transaction_id")
            number = fulfills["output_index"]
            if type(number) is not int or not 0 <= number <= MAX_INTEGER:
                raise _schema(f"{path}.fulfills.output_index", "is not a whole number from 0")
            fulfills_text = f'{{"output_index":{number},"transaction_id":{spent}}}'
        owners_text = _keys_text(entry["owners_before"], f"{path}.owners_before")
        fulfillment = entry["fulfillment"]
        if isinstance(fulfillment, str):
            fulfillment_text = f'"{fulfillment}"'
            if not _only(fulfillment, _BASE64URL_CHARACTERS):
                if not _only(_seen(fulfillment), _BASE64URL_CHARACTERS):
                    raise _schema(f"{path}.fulfillment", "has characters outside base64url")
                fulfillment_text = _text(fulfillment)
        else:
            _check_details(fulfillment, f"{path}.fulfillment")
            fulfillment_text = _text(fulfillment)
        shapes.append(
            (
                '{"fulfillment":',
                fulfillment_text,
                f',"fulfills":{fulfills_text},"owners_before":{owners_text}}}',
            )
        )
    return shapes


def _keys_text(keys: Any, path: str) -> str:
    if keys is None:
        return "null"
    if not isinstance(keys, list):
        raise _schema(path, "is not a list of public keys")
    clean = True
    for index, key in enumerate(keys):
        if type(key) is str and 43 <= len(key) <= 44 and _only(key, _KEY_CHARACTERS):
            continue
        if not isinstance(key, str) or not re.search(_KEY, _seen(key)):
            raise _schema(f"{path}[{index}]", "is not a base58 public key of 43 or 44 characters")
        clean = False
    return '["' + '","'.join(keys) + '"]' if clean and keys else _text(keys)


def _check_output_shapes(outputs: Any) -> list[str | None]:
    """Check the form of ``outputs``; return for each the one key of a plain output, or None."""
    if not isinstance(outputs, list):
        raise _schema("outputs", "is not a list")
    simple: list[str | None] = []
    for index, entry in enumerate(outputs):
        path = f"outputs[{index}]"
        if not isinstance(entry, dict) or entry.keys() != _OUTPUT_FIELDS:
            raise _schema(path, "is not an object of amount, condition and public_keys")
        amount, condition, keys = (
            entry["amount"],
            entry["condition"],
            entry["public_keys"],
        )
        if not isinstance(amount, str) or not _is_amount(_seen(amount)):
            raise _schema(f"{path}.amount", f"is {shown(amount)}, not text of 1 to 20 digits")
        if not isinstance(condition, dict) or condition.keys() != {"details", "uri"}:
            raise _schema(f"{path}.condition", "is not an object of details and uri")
        details, uri = condition["details"], condition["uri"]
        if (
            type(keys) is list
            and len(keys) == 1
            and type(details) is dict
            and len(details) == 2
            and details.get("type") == "ed25519-sha-256"
            and details.get("public_key") == keys[0]
            and type(keys[0]) is str
            and uri == _plain_uri(keys[0])
        ):
            simple.append(keys[0])
            continue
        _keys_text(keys, f"{path}.public_keys")
        if not isinstance(uri, str) or not re.fullmatch(_URI, _seen(uri)):
            raise _schema(f"{path}.condition.uri", "is not the ni URI of a condition")
        _check_details(details, f"{path}.condition.details")
        simple.append(None)
    return simple


def _plain_uri(key: str) -> str | None:
    """Return the URI of the condition for a key that passes as one, else None."""
    if not 43 <= len(key) <= 44:
        return None
    try:
        return conditions.key_condition(key).uri
    except InvalidError:
        return None


def _check_details(details: Any, path: str) -> None:
    fault = _details_fault(details, 0)
    if fault is not None:
        raise _schema(path + "".join(reversed(fault[:-1])), fault[-1])


def _details_fault(details: Any, depth: int) -> list[str] | None:
    """Return what is wrong with condition details: the path, the last name first, and what."""
    if depth > conditions.MAX_DEPTH:  # deeper is threshold_too_deep, raised when it is parsed
        return None
    kind = details.get("type") if isinstance(details, dict) else None
    if kind == "ed25519-sha-256" and details.keys() == {"type", "public_key"}:
        key = details["public_key"]
        if not isinstance(key, str) or not re.search(_KEY, _seen(key)):
            return [".public_key", "is not base58 of 43 or 44 characters"]
    elif kind == "threshold-sha-256" and details.keys() == {
        "type",
        "threshold",
        "subconditions",
    }:
        threshold, parts = details["threshold"], details["subconditions"]
        if type(threshold) is not int or not 1 <= threshold <= conditions.MAX_THRESHOLD:
            return [".threshold", "is not a whole number from 1 to 100"]
        if not isinstance(parts, list):
            return [".subconditions", "is not a list"]
        for index, part in enumerate(parts):
            fault = _details_fault(part, depth + 1)
            if fault is not None:
                fault.insert(-1, f".subconditions[{index}]")
                return fault
    else:
        return ["is neither an ed25519-sha-256 nor a threshold-sha-256 condition"]
    return None


def _outputs_text(outputs: list[dict[str, Any]], simple: Sequence[str | None]) -> str:
    texts = [
        _text(entry) if key is None else plain_output_text(key, entry["amount"])
        for entry, key in zip(outputs, simple)  # noqa: B905 - made of each other
    ]
    return "[" + ",".join(texts) + "]"


def plain_output_text(key: str, amount: str) -> str:
    """Return the canonical text of an output that one key may spend."""
    return (
        f'{{"amount":"{amount}","condition":{{"details":{{"public_key":"{key}",'
        f'"type":"ed25519-sha-256"}},"uri":"{conditions.key_uri(key)}"}},"public_keys":["{key}"]}}'
    )


# --- Fulfillments and conditions ---------------------------------------------------------------


def _parse_input(entry: dict[str, Any], deviations: list[Deviation], index: int) -> CheckedInput:
    owners, fulfillment, fulfills = (
        entry["owners_before"],
        entry["fulfillment"],
        entry["fulfills"],
    )
    if owners is None:
        raise _schema(f"inputs[{index}].owners_before", "is null")
    parsed: conditions.Fulfillment | None = None
    if isinstance(fulfillment, str):
        parsed = conditions.parse(fulfillment, strict=False)
        if parsed.__class__ is not conditions.KeyFulfillment or len(fulfillment) != 136:
            if parsed.uri != fulfillment:
                deviations.append(
                    Deviation(
                        "noncanonical_fulfillment",
                        f"inputs[{index}].fulfillment is not in its one canonical encoding",
                    )
                )
            if not _only_keys(parsed):
                deviations.append(
                    Deviation(
                        "unsupported_fulfillment",
                        f"inputs[{index}].fulfillment holds a type other than ed25519-sha-256"
                        " and threshold-sha-256",
                    )
                )
    spends = None
    if fulfills is not None:
        spends = (fulfills["transaction_id"], fulfills["output_index"])
    return CheckedInput(tuple(owners), parsed, spends)


def _only_keys(fulfillment: conditions.Fulfillment) -> bool:
    if isinstance(fulfillment, conditions.ThresholdFulfillment):
        parts = fulfillment.fulfillments
        return bool(parts) and all(_only_keys(part) for part in parts)
    return isinstance(fulfillment, conditions.KeyFulfillment)


def _check_issuer(entry: CheckedInput, deviations: list[Deviation]) -> None:
    if entry.fulfillment is None:
        return
    signers = set(entry.fulfillment.keys())
    if signers != set(entry.owners_before):
        deviations.append(
            Deviation(
                "owners_before_mismatch",
                "inputs[0].owners_before names keys other than those that signed",
            )
        )


def _parse_output(
    entry: dict[str, Any],
    simple: str | None,
    deviations: list[Deviation],
    owners: list[Owners],
    index: int,
) -> CheckedOutput:
    text = entry["amount"]
    if "\0" in text:
        raise InvalidError(
            f"outputs[{index}].amount is {shown(text)}, not a number", code="amount_error"
        )
    if simple is not None:
        parsed = plain_output(simple, text)
        if parsed is not None:
            owners.append((len(deviations), index, parsed.public_keys))
            return parsed
    details = entry["condition"]["details"]
    try:
        condition = conditions.from_details(details)
    except InvalidError as error:
        if error.code != "invalid_public_key":
            raise
        raise _schema(f"outputs[{index}].condition.details", error.message) from error
    keys = tuple(entry["public_keys"] or ())
    leaves = tuple(conditions.leaf_keys(details))
    if set(keys) != set(leaves):
        deviations.append(
            Deviation(
                "public_keys_mismatch",
                f"outputs[{index}].public_keys are not the keys of its condition",
            )
        )
    if entry["condition"]["uri"] != condition.uri:
        deviations.append(
            Deviation(
                "condition_uri_mismatch",
                f"outputs[{index}].condition.uri does not belong to its details",
            )
        )
    if not conditions.is_satisfiable(details):
        deviations.append(
            Deviation(
                "unsatisfiable_threshold",
                f"outputs[{index}].condition asks for more signatures than it has keys",
            )
        )
    if any(key != key.rstrip() for key in leaves):
        deviations.append(
            Deviation("noncanonical_key", f"outputs[{index}].condition has spaces after a key")
        )
    owners.append((len(deviations), index, tuple(map(str.rstrip, leaves))))
    amount = int(text)
    if amount < 1:
        raise InvalidError(f"outputs[{index}].amount is 0; the least is 1", code="amount_error")
    if amount > MAX_AMOUNT:
        raise InvalidError(
            f"outputs[{index}].amount is {text}, more than {MAX_AMOUNT}", code="amount_error"
        )
    if text[0] == "0":
        deviations.append(
            Deviation("amount_leading_zero", f"outputs[{index}].amount {text!r} starts with 0")
        )
    return CheckedOutput(amount, condition, keys)


@lru_cache(maxsize=65536)
def plain_output(key: str, amount: str) -> CheckedOutput | None:
    """Return an output that one key may spend, or None when it needs a closer look."""
    number = int(amount)
    if amount[0] == "0" or number > MAX_AMOUNT:
        return None
    return CheckedOutput(number, conditions.key_condition(key), (key,))


@lru_cache(maxsize=65536)
def is_owner(key: str) -> bool:
    """Say whether a key (43 or 44 characters, checked) may own: a point or the burn address."""
    return key == BURN_ADDRESS or ed25519.is_point(base58.decode_key(key))
