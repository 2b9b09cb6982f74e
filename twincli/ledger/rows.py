"""What stands in the tables of a ledger."""

from __future__ import annotations

import json

from twincli.crypto import canonical
from twincli.ledger.faults import damaged
from twincli.values import Any, NamedTuple

_MEMBERS = {"asset", "id", "inputs", "metadata", "operation", "outputs"}
_decode = json.JSONDecoder().raw_decode
_OUTPUTS = '"outputs":['
_TRANSFER = '{"asset":{"id":"'
_ID = '"},"id":"'
_METADATA = '"metadata":'
_FULFILLMENT = '"fulfillment":"'


def decoded(body: str, tx_id: str | None = None) -> dict[str, Any]:
    """Return the transaction of a stored text.

    Args:
        body: The text.
        tx_id: The id that it is stored under, where that is known.

    Raises:
        ConfigError: ``damaged_ledger``: it is no transaction, or not that one.
    """
    try:
        tx, end = _decode(body)  # json.loads would look for blanks, of which there are none
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(f"the stored text of {tx_id or 'a transaction'} is not JSON") from error
    if type(tx) is not dict or end != len(body) or not tx.keys() >= _MEMBERS:
        raise damaged(f"the stored text of {tx_id or 'a transaction'} is not a transaction")
    if tx_id is not None and tx["id"] != tx_id:
        raise damaged(f"the stored text of {tx_id} is another transaction")
    return tx


def said(body: str, tx_id: str) -> dict[str, Any]:
    """Return what a stored transaction says and who signed it, without all the rest.

    Of a transfer it has ``asset``, ``id``, ``inputs`` with their fulfillments alone, ``metadata``
    and ``operation``: parsing the rest would cost more than these. Others are whole.

    Raises:
        ConfigError: ``damaged_ledger``: as `decoded`.
    """
    # Members are sorted, and in a text a quotation mark has a backslash: before the metadata are
    # only ids, keys and signatures. Where it may be otherwise, all is parsed.
    begin = body.find(_METADATA) + len(_METADATA)
    signed = body.find(_FULFILLMENT) + len(_FULFILLMENT)
    is_plain = (
        body.startswith(_TRANSFER)
        and body.find(_ID, 80, 89) == 80
        and body.find(_METADATA, begin) < 0
        and body.find(_FULFILLMENT, signed) < 0
        and body[89:153] == tx_id
        and len(_FULFILLMENT) <= signed < begin
    )
    if not is_plain:
        return decoded(body, tx_id)
    try:
        metadata = _decode(body, begin)[0]
    except (ValueError, RecursionError) as error:
        raise damaged(f"the stored text of {tx_id} is not JSON") from error
    return {
        "asset": {"id": body[16:80]},
        "id": tx_id,
        "inputs": [{"fulfillment": body[signed : body.index('"', signed)]}],
        "metadata": metadata,
        "operation": "TRANSFER",
    }


def prove(body: str, tx_id: str) -> None:
    """Check that a stored text is that of its id, which is the hash of the text without it.

    Raises:
        ConfigError: ``damaged_ledger``.
    """
    try:
        text = body.replace(f'"id":"{tx_id}"', '"id":null', 1)
        good = canonical.sha3_hex(text.encode()) == tx_id
    except (AttributeError, UnicodeEncodeError):  # in a damaged file it may be anything
        good = False
    # Another member called id may be null: then the one that was cut out must be the right one.
    if not good or ('"id":null' in body and decoded(body, tx_id)["id"] != tx_id):
        raise damaged(f"the stored text of {tx_id} was altered")


def unproven_outputs(body: str, tx_id: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the asset and the outputs of a stored text, taken for what they are stored as.

    Only the outputs are parsed: a small transaction may spend from many large ones.

    Raises:
        ConfigError: ``damaged_ledger``.
    """
    # Members are sorted, and behind the outputs is only the version; in a text a quotation mark
    # has a backslash.
    try:
        start = body.rindex(_OUTPUTS) + len(_OUTPUTS) - 1
        outputs: list[dict[str, Any]] = _decode(body, start)[0]
    except (ValueError, TypeError, RecursionError, AttributeError) as error:
        raise damaged(f"the stored text of {tx_id} is not a transaction") from error
    begin = len(_TRANSFER)
    return body[begin : begin + 64] if body.startswith(_TRANSFER) else tx_id, outputs


class Row(NamedTuple):
    """A stored transaction."""

    seq: int
    id: bytes
    asset: int
    height: int
    body: str

    @property
    def unproven_tx(self) -> dict[str, Any]:
        """The transaction, taken for what it is stored as: for what is derived, not for answers.

        Raises:
            ConfigError: ``damaged_ledger``: the stored text is no transaction.
        """
        return decoded(self.body, self.id.hex())

    @property
    def tx(self) -> dict[str, Any]:
        """The transaction as on the wire, its id computed again.

        Raises:
            ConfigError: ``damaged_ledger``: the stored text is not that transaction.
        """
        tx_id = self.id.hex()
        tx = decoded(self.body, tx_id)
        prove(self.body, tx_id)
        return tx

    @property
    def said(self) -> dict[str, Any]:
        """What the transaction says and who signed it, see `said`, its id computed again.

        Raises:
            ConfigError: ``damaged_ledger``: the stored text is not that transaction.
        """
        tx_id = self.id.hex()
        prove(self.body, tx_id)
        return said(self.body, tx_id)

    @property
    def text(self) -> str:
        """The canonical text, its id computed again without parsing it.

        Raises:
            ConfigError: ``damaged_ledger``: the stored text is not that transaction.
        """
        prove(self.body, self.id.hex())
        return self.body


class Block(NamedTuple):
    """A commit.

    Attributes:
        height: From 0, where the file began.
        time_ms: Milliseconds since the epoch, never decreasing.
        last_seq: Position of its last transaction.
        app_hash: BigchainDB's chained hash, 32 bytes, or empty before the first transaction.
        root: Root of the RFC 6962 tree over all transactions up to here, 32 bytes.
    """

    height: int
    time_ms: int
    last_seq: int
    app_hash: bytes
    root: bytes


def row_of(values: tuple[Any, ...]) -> Row:
    """Return what was read as a transaction; in a damaged file it may be anything."""
    if values[1].__class__ is not bytes:
        raise damaged(f"the transaction at position {values[0]} has no id")
    return Row._make(values)


def block_of(values: tuple[Any, ...]) -> Block:
    """Return what was read as a block; in a damaged file it may be anything."""
    kinds = (int, int, int, bytes, bytes)
    if not all(map(isinstance, values, kinds)) or min(values[:3]) < 0:
        raise damaged(f"block {values[0]} is malformed")
    return Block._make(values)


class Tallies(NamedTuple):
    """How much the tables hold, to compare with what the transactions give.

    Attributes:
        last_seq: Position of the last transaction.
        spent: Outputs marked as spent.
        unspent: Outputs listed as unspent.
        wrong_unspent: Of these, those that are not there, of another asset, or spent.
        tokens: Once tokens.
    """

    last_seq: int
    spent: int
    unspent: int
    wrong_unspent: int
    tokens: int


class PrimaryId(NamedTuple):
    """What one twin of a template has to itself.

    Attributes:
        family: The template's id without its version.
        identifier: The primary identifier, as it is compared.
        controller: Condition URI of the CREATE's output.
    """

    family: str
    identifier: str
    controller: str


class Batch:
    """Rows of one commit."""

    __slots__ = ("moved", "once", "primary", "spent", "tree", "txs", "unspent")

    def __init__(self) -> None:
        self.txs: list[tuple[int, bytes, int, int, str]] = []
        self.unspent: dict[tuple[int, int], int] = {}
        self.spent: list[tuple[int, int, int]] = []
        self.once: list[tuple[int, str, str, int]] = []
        self.primary: list[tuple[str, str, str, int]] = []
        self.moved: list[int] = []
        self.tree = b""


class Spendable(NamedTuple):
    """An unspent output.

    Attributes:
        transaction_id: 64 hex digits.
        output_index: From 0.
        output: As on the wire: ``amount``, ``condition``, ``public_keys``.
    """

    transaction_id: str
    output_index: int
    output: dict[str, Any]


class Standing(NamedTuple):
    """How an asset stands.

    Attributes:
        create: Its CREATE.
        unspent: Its unspent outputs, oldest first.
    """

    create: dict[str, Any]
    unspent: list[Spendable]


class Linked(NamedTuple):
    """A transaction that links assets, or takes links back; see ``model.links``.

    Attributes:
        seq: Its position, which orders those of one asset.
        tx: As on the wire.
        height: Of its block, None where that is not known.
        time_ms: Of its block, None where the ledger does not report it.
    """

    seq: int
    tx: dict[str, Any]
    height: int | None
    time_ms: int | None


class Held(NamedTuple):
    """Who holds an asset.

    Attributes:
        since: Height of the block with which the last of its unspent outputs came; None: unknown.
        details: The condition of each.
        by: The transactions that made them.
    """

    since: int | None
    details: list[dict[str, Any]]
    by: set[str]
