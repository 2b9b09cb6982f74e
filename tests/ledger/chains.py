"""Keys, transactions and processes that the tests of the ledger are made of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from twincli.crypto.ed25519 import KeyPair
from twincli.model import owners, transaction
from twincli.model.transaction import Output, Spend

ALICE = KeyPair.from_seed(bytes([1]) * 32)
BOB = KeyPair.from_seed(bytes([2]) * 32)
CAROL = KeyPair.from_seed(bytes([3]) * 32)

Tx = dict[str, Any]


def owned(*keys: KeyPair, amount: int = 1) -> Output:
    """Return an output that all of ``keys`` together may spend."""
    return Output(owners.of_keys([key.public_key for key in keys]), amount)


def create(
    number: int = 0,
    *,
    signer: KeyPair = ALICE,
    outputs: Sequence[Output] | None = None,
    data: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
) -> Tx:
    """Return a signed CREATE; ``number`` tells those without other data apart."""
    tx = transaction.create(
        [signer.public_key],
        outputs or [owned(signer)],
        {"number": number} if data is None else data,
        metadata,
    )
    return transaction.sign(tx, [signer])


def spend(
    *inputs: tuple[Tx, int],
    signers: Sequence[KeyPair] = (ALICE,),
    outputs: Sequence[Output] | None = None,
    metadata: dict[str, Any] | None = None,
) -> Tx:
    """Return a signed TRANSFER; without ``outputs`` everything goes to the first signer."""
    first = inputs[0][0]
    total = sum(int(tx["outputs"][index]["amount"]) for tx, index in inputs)
    tx = transaction.transfer(
        [Spend.of(tx, index) for tx, index in inputs],
        outputs or [owned(signers[0], amount=total)],
        first["id"] if first["operation"] == "CREATE" else first["asset"]["id"],
        metadata,
    )
    return transaction.sign(tx, signers)


def chain(length: int, *, number: int = 0) -> list[Tx]:
    """Return a CREATE and appends by Alice, ``length`` transactions in all."""
    txs = [create(number)]
    while len(txs) < length:
        txs.append(spend((txs[-1], 0), metadata={"n": len(txs)}))
    return txs


def at_once(*commands: list[str]) -> list[tuple[int, str, str]]:
    """Run commands at once, held back until all have started; return status and streams."""
    running = [
        subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    results = []
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        out, err = process.communicate()
        results.append((process.returncode, out, err))
    return results
