"""What is committed, in memory: the part of a ledger that the rules look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twincli.crypto import canonical
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import InvalidError
from twincli.model import owners, transaction
from twincli.model.transaction import Output, Spend
from twincli.rules import structure, validity

ALICE = KeyPair.from_seed(b"a" * 32)
BOB = KeyPair.from_seed(b"b" * 32)
CAROL = KeyPair.from_seed(b"c" * 32)

Tx = dict[str, Any]


class Committed:
    """Transactions in commit order, as `validity.View` sees them."""

    def __init__(self, *txs: Tx, profile: str = validity.STRICT) -> None:
        self._known: dict[str, validity.Known] = {}
        self._spenders: dict[tuple[str, int], str] = {}
        for tx in txs:
            self.commit(tx, profile)

    def known(self, tx_id: str) -> validity.Known | None:
        return self._known.get(tx_id)

    def spender(self, tx_id: str, output_index: int) -> str | None:
        return self._spenders.get((tx_id, output_index))

    def commit(self, tx: Any, profile: str = validity.STRICT) -> None:
        """Judge a transaction and take it."""
        checked = structure.check(tx)
        validity.judge(checked, self, profile)
        self._known[checked.id] = validity.Known(checked.asset_id, checked.outputs)
        for entry in checked.inputs:
            if entry.spends is not None:
                self._spenders[entry.spends] = checked.id


def verdict(tx: Any, *before: Tx, profile: str = validity.STRICT) -> str | None:
    """Return the code a transaction is refused with, or None; the ones before are accepted."""
    committed = Committed(*before, profile=validity.SERVER)
    try:
        committed.commit(tx, profile)
    except InvalidError as error:
        return error.code
    return None


def output(*keys: KeyPair, amount: int = 1) -> Output:
    return Output(owners.of_keys([key.public_key for key in keys]), amount)


def unsigned_create(
    *outputs: Output, data: Any = None, metadata: Any = None, signer: KeyPair = ALICE
) -> Tx:
    return transaction.create([signer.public_key], outputs or [output(signer)], data, metadata)


def create(*outputs: Output, data: Any = None, metadata: Any = None) -> Tx:
    return transaction.sign(unsigned_create(*outputs, data=data, metadata=metadata), [ALICE])


def unsigned_transfer(
    *spent: tuple[Tx, int], outputs: list[Output] | None = None, metadata: Any = None
) -> Tx:
    first = spent[0][0]
    return transaction.transfer(
        [Spend.of(tx, index) for tx, index in spent],
        outputs or [output(BOB)],
        first["id"] if first["operation"] == "CREATE" else first["asset"]["id"],
        metadata,
    )


def transfer(
    *spent: tuple[Tx, int],
    outputs: list[Output] | None = None,
    metadata: Any = None,
    signers: tuple[KeyPair, ...] = (ALICE, BOB, CAROL),
) -> Tx:
    return transaction.sign(unsigned_transfer(*spent, outputs=outputs, metadata=metadata), signers)


def rehashed(tx: Tx) -> Tx:
    """Return a changed transaction with the id of its body."""
    tx["id"] = canonical.sha3_hex(canonical.encode({**tx, "id": None}))
    return tx


def changed(tx: Tx, change: Callable[[Tx], object]) -> Tx:
    """Return a copy of a transaction with a change, and the id of its new body."""
    copied: Tx = canonical.decode(canonical.encode(tx))
    change(copied)
    return rehashed(copied)


def resigned(tx: Tx, change: Callable[[Tx], object], *signers: KeyPair) -> Tx:
    """Return an unsigned transaction changed, then signed."""
    copied: Tx = canonical.decode(canonical.encode(tx))
    change(copied)
    return transaction.sign(copied, signers or [ALICE])
