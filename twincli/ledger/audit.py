"""Checking a ledger again, trusting nothing that is stored: ids, signatures, links, blocks.

A large ledger is cut into as many slices as there are cores. Each slice is checked by a process
of its own, because the threads of one Python hand the interpreter to each other for every
signature and gain nothing. A slice takes what came before it as committed; the slice that holds
it checks that. Memory stays bounded: pages of transactions, a bounded cache of outputs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from twincli import errors
from twincli.crypto import merkle
from twincli.errors import ConfigError, InvalidError, TwinError
from twincli.ledger.block import app_hash, once_token, signers_text, signing_keys, uncollected
from twincli.ledger.checking import cores
from twincli.ledger.reading import Located, Reader
from twincli.ledger.store import Store
from twincli.model import record
from twincli.model.transaction import CREATE
from twincli.rules import validity
from twincli.rules.texts import check_text
from twincli.rules.validity import Known
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twincli.ledger.rows import Row
    from twincli.rules.structure import Checked

Finding = tuple[str, str, str]


class Report(NamedTuple):
    """The result of ``Ledger.verify``.

    Attributes:
        transactions: How many were checked.
        blocks: How many blocks; 0 when only one asset was asked for.
        problems: Transaction id or ``block N``, code, message.
        deviations: The same for what the profile accepts and ``strict`` would not.
        speaking: Positions of the assets that say more than their state: records, or what another
            asset or a template has to do with.
    """

    transactions: int
    blocks: int
    problems: list[Finding]
    deviations: list[Finding]
    speaking: frozenset[int] = frozenset()


class Found(NamedTuple):
    """What a slice adds to; see ``Report``."""

    problems: list[Finding]
    deviations: list[Finding]
    speaking: set[int]


SMALLEST_SLICE = 4000
TOLD_EVERY = 500

_BESIDES = 0.075
"""Cost of a transaction outside its slice, relative to one inside."""

# Errors of a reader that takes an altered body for a transaction.
_UNREADABLE = (TwinError, ValueError, KeyError, TypeError, IndexError, AttributeError)


class Totals(NamedTuple):
    """Totals over some transactions, which the tables beside them must match.

    Attributes:
        transactions: The amount, for things that are counted.
        inputs: Inputs that spend.
        outputs: Outputs.
        tokens: Transactions that are the first with their once token.
    """

    transactions: int = 0
    inputs: int = 0
    outputs: int = 0
    tokens: int = 0

    def plus(self, other: Iterable[int]) -> Totals:
        """Return the sum."""
        return Totals(*map(sum, zip(self, other, strict=True)))


def verify(
    ledger: Reader,
    asset_id: str | None,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
    trusted: int = 0,
) -> Report:
    """See ``Ledger.verify``."""
    store = ledger.store
    asset = None
    if asset_id is not None:
        asset = ledger.seq(asset_id)
        if asset is None:
            return Report(0, 0, [(asset_id, "not_found", "there is no such asset")], [])
    cuts = _cuts(store, asset, workers or cores(), trusted)
    helpers = [_start(store, asset, first, last) for first, last in pairwise(cuts[1:])]
    problems: list[Finding] = []
    deviations: list[Finding] = []
    speaking: set[int] = set()
    try:
        faults = store.faults() if asset is None else []
        if faults:
            return Report(0, 0, [("ledger.db", "damaged_ledger", text) for text in faults], [])
        found = Found(problems, deviations, speaking)
        totals = _hash_slice(store, trusted, found) if trusted else Totals()
        totals = totals.plus(_verify_slice(ledger, asset, cuts[0], cuts[1], found, progress))
        blocks = _verify_blocks(store, cuts[-1], problems) if asset is None else 0
        for helper in helpers:
            done = _result(helper)
            totals = totals.plus(done["totals"])
            problems += map(tuple, done["problems"])
            deviations += map(tuple, done["deviations"])
            speaking.update(done["speaking"])
        if asset is None:
            _verify_tables(store, totals, cuts[-1], problems)
    finally:
        for helper in helpers:
            if helper.poll() is None:
                helper.kill()
                helper.communicate()
    return Report(totals.transactions, blocks, problems, deviations, frozenset(speaking))


def verify_blocks(ledger: Reader) -> Report:
    """See ``Ledger.verify_blocks``."""
    problems: list[Finding] = []
    blocks = _verify_blocks(ledger.store, ledger.store.tip().last_seq, problems)
    return Report(0, blocks, problems, [])


def verify_last(ledger: Reader, count: int) -> Report:
    """See ``Ledger.verify_last``."""
    last = ledger.store.tip().last_seq
    problems: list[Finding] = [
        ("ledger.db", "damaged_ledger", text) for text in ledger.store.strange_parts()
    ]
    deviations: list[Finding] = []
    ledger.tree()  # raises where it does not end with the last block
    found = Found(problems, deviations, set())
    done = _verify_slice(ledger, None, max(0, last - count), last, found)
    return Report(done.transactions, 0, problems, deviations)


def past(ledger: Reader, tx_id: str) -> validity.View:
    """See ``Ledger.view``."""
    view = _Past(ledger)
    seq = ledger.seq(tx_id)
    view.begin(ledger.store.tip().last_seq + 1 if seq is None else seq)
    return view


def _cuts(store: Store, asset: int | None, workers: int, trusted: int = 0) -> list[int]:
    """Return the positions between slices: each goes from above one to the next, inclusive."""
    last = store.tip().last_seq
    count = last - trusted if asset is None else store.count(asset)
    if store.path == ":memory:":
        workers = 1
    slices = max(1, min(workers, count // SMALLEST_SLICE))
    # The first process has the file, the blocks and the tables besides, so it gets a shorter slice.
    share = count * (1 + (_BESIDES if asset is None else 0)) / slices
    ends = [count - round(share * number) for number in range(slices - 1, 0, -1)]
    inner = [trusted + end for end in ends]
    if asset is not None:
        inner = [store.nth(asset, end) for end in ends]
    return [trusted, *inner, last]


def _start(store: Store, asset: int | None, first: int, last: int) -> subprocess.Popen[bytes]:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from twincli.ledger.audit import main; main()"
    )
    place = os.path.abspath(store.opened_path)
    how = "" if store.is_shared else "read-only"
    arguments = [root, place, str(asset or 0), str(first), str(last), how]
    return subprocess.Popen(  # noqa: S603 - our own interpreter and code
        # -P: a module in the directory one stands in must not be taken for ours.
        [sys.executable, "-P", "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )


def _result(helper: subprocess.Popen[bytes]) -> dict[str, Any]:
    output, _ = helper.communicate()
    if helper.returncode != 0:
        raise RuntimeError(f"a verifying process ended with status {helper.returncode}")
    result: dict[str, Any] = json.loads(output)
    if "error" in result:
        raise _error(**result["error"])
    return result


def _error(kind: str, message: str, **more: Any) -> TwinError:
    """Return the error that ended another process."""
    made: TwinError = getattr(errors, kind)(message, **more)
    return made


def main() -> None:
    """Check one slice in a process of its own; arguments as ``_start`` gives them."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted parent ends this process
    path, asset, first, last = sys.argv[2], *map(int, sys.argv[3:6])
    is_read_only = bool(sys.argv[6])
    found = Found([], [], set())
    result: dict[str, Any]
    try:
        with closing(Store(path, read_only=is_read_only)) as store:
            slice_of = Reader(store, ":memory:")
            totals = _verify_slice(slice_of, asset or None, first, last, found)
        result = {"totals": totals, **found._asdict(), "speaking": sorted(found.speaking)}
    except TwinError as error:
        why = {name: getattr(error, name) for name in ("message", "code", "hint", "retryable")}
        result = {"error": {"kind": type(error).__name__, **why}}
    json.dump(result, sys.stdout)


def _verify_slice(
    ledger: Reader,
    asset: int | None,
    first: int,
    last: int,
    found: Found,
    progress: Callable[[int, int], None] | None = None,
) -> Totals:
    """Check the transactions above ``first`` up to ``last``; return their totals.

    ``progress`` is called with how far that is, in this slice: the others go on as fast.
    """
    problems, deviations, speaking = found
    view = _Past(ledger)
    count = inputs = outputs = tokens = 0
    with uncollected():
        for row in ledger.store.rows(asset=asset, after=first, until=last):
            count += 1
            if progress is not None and (count % TOLD_EVERY == 0 or row.seq == last):
                progress(row.seq - first, last - first)
            tx_id = row.id.hex()
            try:
                checked = check_text(row.body)
            except InvalidError as error:
                problems.append((tx_id, error.code, error.message))
                continue
            except (ValueError, TypeError, RecursionError) as error:
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
            outputs += len(checked.outputs)
            if checked.operation == CREATE:
                asset_seq: int | None = row.seq
            else:
                inputs += len(checked.inputs)
                asset_seq = view.seq_of(checked.asset_id)
                token = once_token(checked.metadata)
                if token is not None:
                    tokens += _verify_token(ledger.store, row, token, checked, problems)
            if speaks(checked):
                speaking.add(row.asset)
            if asset_seq != row.asset:
                problems.append((tx_id, "asset_mismatch", "it is filed under another asset"))
            view.remember(tx_id, row, checked)
    return Totals(count, inputs, outputs, tokens)


def _hash_slice(store: Store, until: int, found: Found) -> Totals:
    """Check the ids of transactions that somebody trusted has checked; return their totals."""
    count = inputs = outputs = tokens = 0
    for row in store.rows(until=until):
        count += 1
        try:
            tx = row.tx
        except ConfigError as error:
            found.problems.append((row.id.hex(), "invalid_hash", error.message))
            continue
        if is_speaking(tx):
            found.speaking.add(row.asset)
        outputs += len(tx["outputs"])
        if tx["operation"] != CREATE:
            inputs += len(tx["inputs"])
            token = once_token(tx["metadata"])
            if token is not None:
                tokens += any(seq == row.seq for _, seq in store.once(row.asset, token))
    return Totals(count, inputs, outputs, tokens)


def is_speaking(tx: dict[str, Any]) -> bool:
    """Say whether a transaction says more than values of its own asset."""
    if tx["operation"] == CREATE:
        envelope = record.envelope_of(tx["asset"]["data"])
        if envelope is None:
            return False
        named = envelope.keys() & {"parent", "about", "template"}
        return bool(named) or envelope.get("kind") != record.ASSET
    return _says_more(tx["metadata"])


def speaks(checked: Checked) -> bool:
    """Say the same of a transaction that was checked."""
    if checked.operation == CREATE:
        return is_speaking(checked.tx)
    return _says_more(checked.metadata)


def _says_more(metadata: Any) -> bool:
    envelope = record.envelope_of(metadata)
    return envelope is not None and envelope.get("kind") not in _PLAIN


_PLAIN = (record.APPEND, record.TRANSFER, record.BURN)


def _verify_token(
    store: Store, row: Row, token: str, checked: Checked, problems: list[Finding]
) -> int:
    """Check where a once token is recorded; return 1 for the first transaction that has it."""
    signers = signers_text(signing_keys(checked))
    found = dict(store.once(row.asset, token)).get(signers)
    if found is None or found > row.seq:
        problems.append((row.id.hex(), "once_mismatch", "its once token is not recorded"))
    return int(found == row.seq)


def _verify_tables(store: Store, totals: Totals, until: int, problems: list[Finding]) -> None:
    """Check that the tables hold nothing that the transactions do not imply.

    Each implied row was already found, so counting is enough.
    """
    store.begin_reading()
    try:
        tip = store.tip()
        for row in store.rows(after=until, until=tip.last_seq):  # written since we began
            tx = row.tx
            is_create = tx["operation"] == CREATE
            token = None if is_create else once_token(tx["metadata"])
            first = token is not None and any(
                seq == row.seq for _, seq in store.once(row.asset, token)
            )
            inputs = 0 if is_create else len(tx["inputs"])
            totals = totals.plus((1, inputs, len(tx["outputs"]), first))
        held = store.tallies()
    finally:
        store.end_reading()
    if held.last_seq != tip.last_seq:
        problems.append(("tx", "block_order", "some transactions are in no block"))
    if held.spent != totals.inputs:
        problems.append(("spent", "spent_mismatch", "some outputs are wrongly marked as spent"))
    if held.unspent != totals.outputs - totals.inputs or held.wrong_unspent:
        problems.append(("unspent", "unspent_mismatch", "the list of unspent outputs is wrong"))
    if store.wrong_primary_ids():
        problems.append(("primary_id", "identity_mismatch", "an identifier has no CREATE"))
    if held.tokens != totals.tokens:
        problems.append(("once", "once_mismatch", "some once tokens belong to no transaction"))


class _Past:
    """The ledger as it was before transaction ``seq``.

    Attributes:
        seq: Position of the transaction under judgement.
        unmarked: An output it spends that the ledger does not record as spent by it, or None.
    """

    def __init__(self, ledger: Reader) -> None:
        self.ledger = ledger
        self.store: Store = ledger.store
        self.seq = 0
        self.unmarked: str | None = None
        self.recent: dict[str, Located] = {}
        self.spenders: dict[tuple[int, int], int] = {}
        self.read_up_to = 0

    def begin(self, seq: int) -> None:
        """Turn to the transaction at ``seq``."""
        self.seq = seq
        self.unmarked = None

    def seq_of(self, tx_id: str) -> int | None:
        """Return the position of an earlier transaction, or None."""
        located = self._locate(tx_id)
        return None if located is None else located.seq

    def _locate(self, tx_id: str) -> Located | None:
        located = self.recent.get(tx_id)
        if located is None:
            try:
                located = self.ledger.locate(tx_id)
            except _UNREADABLE:
                return None  # reported where it stands
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
        return None if seq is None or seq > self.seq else self.ledger.id_at(seq)

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
        if before is None:
            follows = block.height == 0 and block.last_seq == 0
        else:
            follows = block.height == before.height + 1 and block.time_ms >= before.time_ms
        if not follows:
            problems.append(
                (name, "block_order", "its height or time does not follow the block before it")
            )
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
