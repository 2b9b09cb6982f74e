"""Replay of a twin: from its transactions, in commit order, to what is true now.

State is the shallow merge of metadata from CREATE to tip, without the envelope; facts
(``asset.data``) stand apart. While one unspent output holds everything there is one state; after
a split each output has its own along its path, and the common state is frozen at the split.
An append that ``corrects`` another takes that one's values out; both stay in the history.
The template is that of the CREATE, or of the last ``migrate`` that met one output and left one:
what the holder of a part says does not bind the others. The same
is so of ``freeze``, which ends with a split: then each holder may do as it likes.
"""

from __future__ import annotations

from twincli.model import record
from twincli.model.owners import BURN_ADDRESS
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Ref = tuple[str, int]
"""Transaction id and output index."""


class Step(NamedTuple):
    """What one transaction did.

    Attributes:
        written: The members it wrote, the envelope left out.
        before: The state it met.
        after: The state it left.
        corrected: Whether a later append takes its values out.
    """

    written: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    corrected: bool


class Pin(NamedTuple):
    """The template that a twin is held to.

    Attributes:
        template: Its id.
        cid: Of its compiled bytes.
        by: Id of the transaction that says so.
    """

    template: str
    cid: str
    by: str


class Replay:
    """The state of one asset, fed transaction by transaction.

    Args:
        corrected: Ids of the transactions whose values do not count, from ``corrected_by``.

    Attributes:
        create: The CREATE, once seen.
        outputs: Unspent outputs and the state along the path of each.
        common: The state while it was last held by one output.
        entity: The thing's own public key, as its controllers last stated it, or None.
        is_split: Whether several unspent outputs hold the asset now.
        last: The last transaction.
        pin: The template, or None.
        frozen: Id of the record that froze it, or None.
    """

    __slots__ = ("common", "corrected", "create", "entity", "frozen", "last", "outputs", "pin")

    def __init__(self, corrected: frozenset[str] = frozenset()) -> None:
        self.corrected = corrected
        self.create: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
        self.outputs: dict[Ref, dict[str, Any]] = {}
        self.common: dict[str, Any] = {}
        self.entity: str | None = None
        self.pin: Pin | None = None
        self.frozen: str | None = None

    @property
    def is_split(self) -> bool:
        """Whether several unspent outputs hold the asset now."""
        return len(self.outputs) > 1

    def add(self, tx: dict[str, Any]) -> Step:
        """Take the next transaction."""
        before: dict[str, Any] = {}
        written = tx["metadata"] or {}
        envelope = record.envelope_of(written)
        if envelope is not None:
            written = written.copy()
            del written[record.KEY]
        if tx["operation"] == "CREATE":
            self.create = tx
            stated = record.creating_envelope(tx)
            self.entity = record.text(stated.get("entity"))
            if stated.get("kind") != record.TEMPLATE:
                self.pin = _pin(tx, stated)
        else:
            if envelope is not None and envelope.get("kind") == record.TRANSFER:
                self.entity = _new_entity(envelope) or self.entity
            for entry in tx["inputs"]:
                fulfills = entry["fulfills"]
                path = self.outputs.pop((fulfills["transaction_id"], fulfills["output_index"]), {})
                before = {**before, **path} if before else path
        is_corrected = tx["id"] in self.corrected
        after = {**before, **written} if written and not is_corrected else before
        for index in range(len(tx["outputs"])):
            self.outputs[tx["id"], index] = after
        if len(self.outputs) == 1:
            self.common = after
            kind = None if envelope is None else envelope.get("kind")
            if envelope is not None and kind == record.MIGRATE:
                self.pin = _pin(tx, envelope) or self.pin
            elif kind == record.FREEZE:
                self.frozen = tx["id"]
            elif kind == record.UNFREEZE:
                self.frozen = None
        else:
            self.frozen = None
        self.last = tx
        return Step(written, before, after, is_corrected)


def _pin(tx: dict[str, Any], envelope: dict[str, Any]) -> Pin | None:
    template, cid = envelope.get("template"), envelope.get("template_cid")
    if isinstance(template, str) and isinstance(cid, str):
        return Pin(template, cid, tx["id"])
    return None


def _new_entity(envelope: dict[str, Any]) -> str | None:
    """Return the entity that the envelope of a transfer states, or None."""
    body = envelope.get("body")
    return record.text(body.get("entity")) if isinstance(body, dict) else None


def corrected_by(txs: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Return the ids of transactions that a later one corrects.

    A correction that was itself corrected does not count.

    Args:
        txs: Transactions of one asset in commit order.
    """
    corrections = []
    for tx in txs:
        target = corrects(tx)
        if target is not None:
            corrections.append((tx["id"], target))
    found: set[str] = set()
    for tx_id, target in reversed(corrections):
        if tx_id not in found:
            found.add(target)
    return frozenset(found)


def corrects(tx: dict[str, Any]) -> str | None:
    """Return the id of the transaction that ``tx`` corrects, or None."""
    envelope = record.envelope_of(tx["metadata"])
    target = envelope.get("corrects") if envelope else None
    return target if isinstance(target, str) else None


def is_burned(output: dict[str, Any]) -> bool:
    """Say whether an output pays to the burn address."""
    return bool(output["public_keys"] == [BURN_ADDRESS])
