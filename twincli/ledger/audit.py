"""Checking a ledger again, trusting nothing that is stored: ids, signatures, links, blocks.

A large ledger is cut into as many slices as there are cores. Each slice is checked by a process
of its own, because the threads of one Python hand the interpreter to each other for every
signature and gain nothing. A slice takes what came before it as committed; the slice that holds
it checks that. Memory stays bounded: pages of transactions, a bounded cache of outputs.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from twincli.crypto import merkle
from twincli.errors import InvalidError
from twincli.ledger.ledger import Ledger, Located, Report, app_hash
from twincli.rules import validity
from twincli.rules.structure import Checked, check
from twincli.rules.validity import Known

if TYPE_CHECKING:
    from twincli.ledger.store import Row, Store

Finding = tuple[str, str, str]

SMALLEST_SLICE = 4000


def verify(ledger: Ledger, asset_id: str | None, workers: int) -> Report:
    """See ``Ledger.verify``."""
    store = ledger._store
    asset = None
    if asset_id is not None:
        asset = ledger._seq(asset_id)
        if asset is None:
            return Report(0, 0, [(asset_id, "not_found", "there is no such asset")], [])
    cuts = _cuts(store, asset, workers or os.cpu_count() or 1)
    helpers = [
        _start(ledger.path, asset, first, last)
        for first, last in pairwise(cuts[1:])
    ]
    problems: list[Finding] = []
    deviations: list[Finding] = []
    try:
        count = _verify_slice(ledger, asset, cuts[0], cuts[1], problems, deviations)
        blocks = _verify_blocks(store, cuts[-1], problems) if asset is None else 0
        for helper in helpers:
            done = _result(helper)
            count += done["transactions"]
            problems += map(tuple, done["problems"])
            deviations += map(tuple, done["deviations"])
    finally:
        for helper in helpers:
            if helper.poll() is None:
                helper.kill()
                helper.communicate()
    return Report(count, blocks, problems, deviations)


def _cuts(store: Store, asset: int | None, workers: int) -> list[int]:
    """Return the positions between slices: each goes from above one to the next, inclusive."""
    last = store.tip().last_seq
    count = last if asset is None else store.count(asset)
    if store.path == ":memory:":
        workers = 1
    slices = max(1, min(workers, count // SMALLEST_SLICE))
    inner = [
        count * number // slices if asset is None else store.nth(asset, count * number // slices)
        for number in range(1, slices)
    ]
    return [0, *inner, last]


def _start(path: str, asset: int | None, first: int, last: int) -> subprocess.Popen[bytes]:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from twincli.ledger.audit import main; main()"
    )
    arguments = [root, os.path.abspath(path), str(asset or 0), str(first), str(last)]
    return subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )


def _result(helper: subprocess.Popen[bytes]) -> dict[str, Any]:
    output, _ = helper.communicate()
    if helper.returncode != 0:
        raise RuntimeError(f"a verifying process ended with status {helper.returncode}")
    result: dict[str, Any] = json.loads(output)
    return result


def main() -> None:
    """Check one slice in a process of its own; arguments as ``_start`` gives them."""
    path, asset, first, last = sys.argv[2], *map(int, sys.argv[3:6])
    problems: list[Finding] = []
    deviations: list[Finding] = []
    with Ledger.open(path, create=False, read_only=True) as ledger:
        count = _verify_slice(ledger, asset or None, first, last, problems, deviations)
    json.dump(
        {"transactions": count, "problems": problems, "deviations": deviations},
        sys.stdout,
    )


def _verify_slice(
    ledger: Ledger,
    asset: int | None,
    first: int,
    last: int,
    problems: list[Finding],
    deviations: list[Finding],
) -> int:
    """Check the transactions above ``first`` up to ``last``; return how many there were."""
    view = _Past(ledger)
    count = 0
    # Nothing here makes cycles, and a collection looks at every object of the cache.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for row in ledger._store.rows(asset=asset, after=first, until=last):
            count += 1
            tx_id = row.id.hex()
            try:
                checked = check(json.loads(row.body))
            except InvalidError as error:
                problems.append((tx_id, error.code, error.message))
                continue
            except ValueError as error:
                problems.append((tx_id, "damaged_ledger", f"the stored body is not JSON: {error}"))
                continue
            view.begin(row.seq)
            if checked.body != row.body or checked.id != tx_id:
                problems.append(
                    (tx_id, "invalid_hash", "the stored text is not this transaction's")
                )
            try:
                validity.judge(checked, view, ledger.profile)
            except InvalidError as error:
                problems.append((tx_id, error.code, error.message))
            if view.unmarked is not None:
                problems.append((tx_id, "double_spend", f"{view.unmarked} is not marked as spent"))
            if checked.deviations:
                deviations += [(tx_id, item.code, item.message) for item in checked.deviations]
            view.remember(tx_id, row, checked)
    finally:
        if collecting:
            gc.enable()
    return count


class _Past:
    """The ledger as it was before transaction ``seq``.

    Attributes:
        seq: Position of the transaction under judgement.
        unmarked: An output it spends that the ledger does not record as spent by it, or None.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.store: Store = ledger._store
        self.seq = 0
        self.unmarked: str | None = None
        self.recent: dict[str, Located] = {}
        self.spenders: dict[tuple[int, int], int] = {}
        self.read_up_to = 0

    def begin(self, seq: int) -> None:
        """Turn to the transaction at ``seq``."""
        self.seq = seq
        self.unmarked = None

    def _locate(self, tx_id: str) -> Located | None:
        located = self.recent.get(tx_id) or self.ledger._locate(tx_id)
        return located if located is not None and located.seq < self.seq else None

    def known(self, tx_id: str) -> Known | None:
        """See ``validity.View``."""
        located = self._locate(tx_id)
        return None if located is None else located.known

    def spender(self, tx_id: str, output_index: int) -> str | None:
        """See ``validity.View``; a spender that comes later does not count."""
        located = self._locate(tx_id)
        if located is None:
            return None
        seq = self._spender_seq(located.seq, output_index)
        if seq == self.seq:
            return None
        self.unmarked = f"output {output_index} of {tx_id}"
        return None if seq is None or seq > self.seq else self.ledger._id_at(seq)

    def _spender_seq(self, seq: int, output_index: int) -> int | None:
        """Return the position of an output's spender; read ahead, as most are spent in order."""
        if seq > self.read_up_to:
            self.read_up_to = seq + 2000
            self.spenders = self.store.spenders_between(seq, self.read_up_to)
        found = self.spenders.get((seq, output_index))
        return found if found is not None else self.store.spender(seq, output_index)

    def remember(self, tx_id: str, row: Row, checked: Checked) -> None:
        """Keep what was just checked; most transactions spend the one before."""
        if len(self.recent) > 2000:
            self.recent.clear()
        self.recent[tx_id] = Located(row.seq, row.asset, Known(checked.asset_id, checked.outputs))


def _verify_blocks(store: Store, until: int, problems: list[Finding]) -> int:
    """Check heights, times, the chained hash and the tree; return how many blocks there are."""
    tree = merkle.CompactRange()
    leaves = store.leaves(until)
    leaf = next(leaves, None)
    before = None
    count = 0
    chained = b""
    for block in store.blocks():
        if block.last_seq > until:
            return count  # written since we began
        count += 1
        name = f"block {block.height}"
        if before is not None and (
            block.height != before.height + 1 or block.time_ms < before.time_ms
        ):
            problems.append((name, "block_order", "its height or time does not follow"))
        ids = []
        while leaf is not None and leaf[0] <= block.last_seq:
            _, tx_id, height = leaf
            if height != block.height:
                problems.append((tx_id.hex(), "block_order", f"it is not in {name}"))
            tree.append(merkle.leaf_hash(merkle.ledger_leaf(block.height, block.time_ms, tx_id)))
            ids.append(tx_id.hex())
            leaf = next(leaves, None)
        chained = app_hash(chained, ids)
        if chained != block.app_hash:
            problems.append((name, "app_hash_mismatch", "the chained hash differs"))
        if tree.root() != block.root:
            problems.append((name, "root_mismatch", "the root of the tree differs"))
        before = block
    if leaf is not None:
        problems.append((leaf[1].hex(), "block_order", "it is in no block"))
    if tree.to_bytes() != store.tree():
        problems.append(("tree", "root_mismatch", "the stored state of the tree differs"))
    return count
