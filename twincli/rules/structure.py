"""The rules a transaction can be judged by alone: form, keys of the data, encodings, id.

A transaction that passes becomes a ``Checked``: its canonical text, parsed fulfillments and
conditions, and the deviations that BigchainDB 2.2.2 tolerates and ``strict`` refuses. Signatures
are verified by ``Checked.verify``, so that a caller can spread them over threads.

Source: bigchaindb 2.2.2, schemas and ``Transaction.from_dict``, rules 3 to 32 as measured. The
JSON Schemas are written out by hand: a validator costs 300 µs a transaction, this about 15.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha3_256
from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.crypto import base58, canonical, conditions, ed25519
from twincli.errors import InvalidError
from twincli.model.owners import BURN_ADDRESS
from twincli.model.transaction import CREATE, MAX_AMOUNT, TRANSFER, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STRICT = "strict"
SERVER = "server-2.2.2"
PROFILES = (STRICT, SERVER)

MAX_NESTING = 500
"""So far below Python's own limit of about 1000 frames that the verdict does not depend on how deep
in a program it is asked for, as long as that is less than 400 frames. MongoDB, where a network
keeps its transactions, takes 100."""
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)

# bigchaindb 2.2.2 VALID_LANGUAGES
LANGUAGES = frozenset(
    {
        *("danish", "dutch", "english", "finnish", "french", "german", "hungarian", "italian"),
        *("norwegian", "portuguese", "romanian", "russian", "spanish", "swedish", "turkish"),
        *("da", "nl", "en", "fi", "fr", "de", "hu", "it", "nb", "pt", "ro", "ru", "es", "sv", "tr"),
        "none",
    }
)

_UNSUPPORTED = ("VALIDATOR_ELECTION", "CHAIN_MIGRATION_ELECTION", "VOTE")
_FIELDS = frozenset({"id", "inputs", "outputs", "operation", "metadata", "asset", "version"})
_INPUT_FIELDS = frozenset({"owners_before", "fulfillment", "fulfills"})
_FULFILLS_FIELDS = frozenset({"transaction_id", "output_index"})
_OUTPUT_FIELDS = frozenset({"amount", "condition", "public_keys"})

_HEX64 = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[1-9a-zA-Z^OIl]{43,44}")
_AMOUNT = re.compile(r"[0-9]{1,20}")
_FULFILLMENT = re.compile(r"[a-zA-Z0-9_-]*")
_URI = re.compile(
    r"ni:///sha-256;([a-zA-Z0-9_-]{0,86})[?]"
    r"(fpt=(ed25519|threshold)-sha-256(&)?|cost=[0-9]+(&)?|subtypes=ed25519-sha-256(&)?){2,3}"
)
_SCALARS = frozenset({str, int, float, bool, type(None)})


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
        tx: The transaction as given.
        body: Its canonical text with the id.
        message: The canonical text that signatures cover.
        deviations: What ``strict`` would refuse; empty under ``strict``.
    """

    __slots__ = (
        "asset_id",
        "body",
        "deviations",
        "id",
        "inputs",
        "message",
        "operation",
        "outputs",
        "signed",
        "tx",
    )

    def __init__(
        self,
        tx: dict[str, Any],
        inputs: Sequence[CheckedInput],
        outputs: Sequence[CheckedOutput],
        body: str,
        message: bytes,
        deviations: Sequence[Deviation],
    ) -> None:
        self.tx = tx
        self.id: str = tx["id"]
        self.operation: str = tx["operation"]
        self.asset_id: str = self.id if self.operation == CREATE else tx["asset"]["id"]
        self.inputs = inputs
        self.outputs = outputs
        self.body = body
        self.message = message
        self.deviations = deviations
        self.signed: bool | None = None

    def verify(self) -> bool:
        """Say whether every fulfillment is good over this transaction; remembers the answer.

        Whether they fulfil the right conditions is for ``validity.judge``.
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
            f"the id {stated!r} is not the hash of the body, which is {actual}",
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
        raise _schema(min(map(str, tx.keys() - _FIELDS)), "is no field of a transaction")
    version = tx["version"]
    if version != VERSION and not (isinstance(version, str) and _seen(version) == VERSION):
        raise _schema("version", f"is {version!r}, not '2.0'")
    operation = tx["operation"]
    if operation not in (CREATE, TRANSFER):
        if operation in _UNSUPPORTED:
            raise InvalidError(
                f"operation {operation} is not supported: this ledger has no validators to elect",
                code="operation_unsupported",
            )
        raise _schema("operation", f"is {operation!r}, not CREATE or TRANSFER")
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
        deviations.append(Deviation("version_mismatch", f"version is {version!r}, not '2.0'"))
    inputs = [_parse_input(entry, deviations, index) for index, entry in enumerate(tx["inputs"])]
    outputs = [
        _parse_output(entry, simple, deviations, index)
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
    return Checked(tx, inputs, outputs, body, message, deviations)


def _schema(path: str, what: str) -> InvalidError:
    return InvalidError(f"{path} {what}", code="schema_validation_error")


def _seen(text: str) -> str:
    """Return what the server's schemas see of a text: their patterns look no further than NUL."""
    return text.partition("\0")[0]


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
    if not isinstance(value, str) or not _HEX64.search(_seen(value)):
        raise _schema(path, "is not the id of a transaction, 64 hex digits in lower case")
    return f'"{value}"' if len(value) == 64 else _text(value)


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
            if not _FULFILLMENT.fullmatch(fulfillment):
                if not _FULFILLMENT.fullmatch(_seen(fulfillment)):
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
        if type(key) is str and _plain_uri(key) is not None:
            continue
        if not isinstance(key, str) or not _KEY.search(_seen(key)):
            raise _schema(f"{path}[{index}]", "is not a base58 public key of 43 or 44 characters")
        # The pattern is not anchored, as on the server, so other characters may stand around.
        clean = clean and _KEY.fullmatch(key) is not None
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
        if not isinstance(amount, str) or not _AMOUNT.fullmatch(_seen(amount)):
            raise _schema(f"{path}.amount", f"is {amount!r}, not text of 1 to 20 digits")
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
        if not isinstance(uri, str) or not _URI.fullmatch(_seen(uri)):
            raise _schema(f"{path}.condition.uri", "is not the ni URI of a condition")
        _check_details(details, f"{path}.condition.details")
        simple.append(None)
    return simple


def _plain_uri(key: str) -> str | None:
    """Return the URI for a key that passes as one, else None."""
    return _known_uri(key) if 43 <= len(key) <= 44 else None


@lru_cache(maxsize=65536)  # of short texts only: strangers choose them
def _known_uri(key: str) -> str | None:
    if not _KEY.fullmatch(key):
        return None
    try:
        return conditions.key_uri(key)
    except InvalidError:
        return None


def _check_details(details: Any, path: str, depth: int = 0) -> None:
    if depth > conditions.MAX_DEPTH:  # deeper is threshold_too_deep, said when it is parsed
        return
    kind = details.get("type") if isinstance(details, dict) else None
    if kind == "ed25519-sha-256" and details.keys() == {"type", "public_key"}:
        key = details["public_key"]
        if not isinstance(key, str) or not _KEY.search(_seen(key)):
            raise _schema(f"{path}.public_key", "is not base58 of 43 or 44 characters")
    elif kind == "threshold-sha-256" and details.keys() == {
        "type",
        "threshold",
        "subconditions",
    }:
        threshold, parts = details["threshold"], details["subconditions"]
        if type(threshold) is not int or not 1 <= threshold <= conditions.MAX_THRESHOLD:
            raise _schema(f"{path}.threshold", "is not a whole number from 1 to 100")
        if not isinstance(parts, list):
            raise _schema(f"{path}.subconditions", "is not a list")
        for index, part in enumerate(parts):
            _check_details(part, f"{path}.subconditions[{index}]", depth + 1)
    else:
        raise _schema(path, "is neither an ed25519-sha-256 nor a threshold-sha-256 condition")


def _outputs_text(outputs: list[dict[str, Any]], simple: Sequence[str | None]) -> str:
    texts = [
        _text(entry) if key is None else plain_output_text(key, entry["amount"])
        for entry, key in zip(outputs, simple)  # noqa: B905 - made of each other
    ]
    return "[" + ",".join(texts) + "]"


@lru_cache(maxsize=65536)
def plain_output_text(key: str, amount: str) -> str:
    """Return the canonical text of an output that one key may spend."""
    return (
        f'{{"amount":"{amount}","condition":{{"details":{{"public_key":"{key}",'
        f'"type":"ed25519-sha-256"}},"uri":"{conditions.key_uri(key)}"}},"public_keys":["{key}"]}}'
    )


# --- Keys and values of the data ---------------------------------------------------------------


def check_data(data: Any, metadata: Any) -> None:
    """Check the names and numbers in ``asset.data`` and ``metadata``.

    Raises:
        InvalidError: ``validation_error``: a key that starts with ``$`` or holds ``.`` or NUL, a
            value under ``language`` that BigchainDB does not know; ``overflow_error``: an integer
            beyond 64 bits; ``unencodable``: a key that is not text, nesting too deep.
    """
    if _is_clean(data) and _is_clean(metadata):
        return
    parts = (("asset.data", data), ("metadata", metadata))
    for root, value in parts:
        for path, key, _ in _members(value, root):
            if key is not None and (key.startswith("$") or "." in key or "\0" in key):
                raise InvalidError(
                    f"{path}: a key may not start with '$' nor hold '.' or NUL",
                    code="validation_error",
                    hint="BigchainDB's rule; rename the key",
                )
    for root, value in parts:
        for path, key, item in _members(value, root):
            if key == "language" and not (isinstance(item, str) and item in LANGUAGES):
                raise InvalidError(
                    f"{path}: BigchainDB takes a key named language for its text search"
                    " and knows no such language",
                    code="validation_error",
                    hint=f"rename the key (lang), or use one of {', '.join(sorted(LANGUAGES))}",
                )
    for root, value in parts:
        for path, _, item in _members(value, root):
            if (
                isinstance(item, int)
                and not isinstance(item, bool)
                and not MIN_INTEGER <= item <= MAX_INTEGER
            ):
                raise InvalidError(
                    f"{path}: the integer does not fit 64 bits",
                    code="overflow_error",
                    hint="write it as text",
                )


_clean_keys: set[str] = set()
"""Keys seen to be harmless; the same few come again and again."""


def _is_clean_key(key: Any) -> bool:
    if key.__class__ is not str or "." in key or "\0" in key or key[:1] == "$" or key == "language":
        return False
    if len(_clean_keys) < 10_000 and len(key) < 100:
        _clean_keys.add(key)
    return True


def _is_clean(value: Any) -> bool:
    """Say quickly that nothing in ``value`` needs a closer look."""
    if value is None:
        return True
    level = [value]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_NESTING:
            return False
        below = []
        for item in level:
            if item.__class__ is dict:
                for key, member in item.items():
                    if key not in _clean_keys and not _is_clean_key(key):
                        return False
                    kind = member.__class__
                    if kind is dict or kind is list:
                        below.append(member)
                    elif kind is int:
                        if not MIN_INTEGER <= member <= MAX_INTEGER:
                            return False
                    elif kind not in _SCALARS:
                        return False
            elif item.__class__ is list:
                for member in item:
                    kind = member.__class__
                    if kind is dict or kind is list:
                        below.append(member)
                    elif kind is int:
                        if not MIN_INTEGER <= member <= MAX_INTEGER:
                            return False
                    elif kind not in _SCALARS:
                        return False
            else:
                return False
        level = below
    return True


def _members(value: Any, root: str) -> Iterator[tuple[str, str | None, Any]]:
    """Yield path, key and value of every member, parents first.

    Without recursion, so that the verdict does not depend on the depth of the caller's stack.
    """
    open_levels = [_children(value, root)]
    while open_levels:
        for path, key, item in open_levels[-1]:
            yield path, key, item
            if isinstance(item, (dict, list, tuple)):
                if len(open_levels) >= MAX_NESTING:
                    raise InvalidError(
                        f"the data are nested more than {MAX_NESTING} levels deep",
                        code="unencodable",
                    )
                open_levels.append(_children(item, path))
                break
        else:
            open_levels.pop()


def _children(value: Any, path: str) -> Iterator[tuple[str, str | None, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidError(f"{path}: the key {key!r} is not text", code="unencodable")
            yield f"{path}.{key}", key, item
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", None, item


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
                "inputs[0].owners_before names other keys than those that signed",
            )
        )


def _parse_output(
    entry: dict[str, Any], simple: str | None, deviations: list[Deviation], index: int
) -> CheckedOutput:
    text = entry["amount"]
    if "\0" in text:
        raise InvalidError(f"outputs[{index}].amount is {text!r}, no number", code="amount_error")
    if simple is not None:
        parsed = _plain_output(simple, text)
        if parsed is not None:
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
                f"outputs[{index}].condition asks for more signatures than it names keys",
            )
        )
    if any(key != key.rstrip() for key in leaves):
        deviations.append(
            Deviation("noncanonical_key", f"outputs[{index}].condition has blanks after a key")
        )
    for key in map(str.rstrip, leaves):
        if not _is_owner(key):
            deviations.append(
                Deviation("not_a_curve_point", f"outputs[{index}]: no private key has {key}")
            )
            break
    amount = int(text)
    if amount < 1:
        raise InvalidError(f"outputs[{index}].amount is 0, at least 1", code="amount_error")
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
def _plain_output(key: str, amount: str) -> CheckedOutput | None:
    """Return an output that one key may spend, or None when it needs a closer look."""
    number = int(amount)
    if amount[0] == "0" or number > MAX_AMOUNT or not _is_owner(key):
        return None
    return CheckedOutput(number, conditions.key_condition(key), (key,))


@lru_cache(maxsize=65536)
def _is_owner(key: str) -> bool:
    return key == BURN_ADDRESS or ed25519.is_point(base58.decode_key(key))
