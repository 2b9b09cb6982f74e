"""Whether the transactions are what they say, and where they say: ids, signatures, links, tree.

A whole ledger is checked where it lies. What a bundle has is put into a ledger in memory, block
by block, so that the one set of rules judges both; proofs say where in its own ledger each stands.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from twincli.crypto import notes, tlog
from twincli.errors import InvalidError, NotVerifiedError
from twincli.formats import bundle
from twincli.ledger.audit import speaks
from twincli.ledger.ledger import Ledger
from twincli.rules import validity
from twincli.services.proof import anchors
from twincli.services.proof.evidence import Finding
from twincli.services.proof.report import ATTACHMENTS, DATA, LEDGER_PROOF
from twincli.services.proof.sharing import looked_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from twincli.services.proof.alone import Alone
    from twincli.services.proof.evidence import Evidence
    from twincli.services.proof.report import Part

_OF_BLOCKS = frozenset(("block_order", "app_hash_mismatch", "root_mismatch"))
NOT_IN_LOG = "not_in_log"
"""Of a fault that a reader of evidence met: a transaction that the log does not have."""

_CONTENT = "content/"
_TOGETHER = 1 << 19
_OF_PROOF = (bundle.PROOFS, bundle.CHECKPOINT)
_NOT_HERE = "input_does_not_exist"


def of_ledger(
    evidence: Evidence,
    ledger: Ledger,
    asset_ids: Iterable[str] | None,
    parts: Mapping[str, Part],
    progress: Callable[[int, int], None] | None = None,
    trusted: int = 0,
) -> list[str]:
    """Check a ledger, from the bytes up; return the assets that say more than their state.

    Args:
        evidence: The ledger as evidence.
        ledger: The ledger.
        asset_ids: Assets whose transactions are checked; None: all. Blocks and tree always are.
        parts: Take what is found.
        progress: Called with how much is done, and how much there is.
        trusted: Of all: how many of the first transactions need no more than their ids.
    """
    data, proof = parts[DATA], parts[LEDGER_PROOF]
    fault = ledger.store.log_fault()
    if fault is not None:
        found = data.altered if fault.is_altered else data.missing
        found.append(Finding("damaged_ledger", "ledger.db-wal", fault.message))
    if asset_ids is None:
        reports = [ledger.verify(progress=progress, trusted=trusted)]
    else:
        reports = [ledger.verify_blocks(), *(ledger.verify(one) for one in asset_ids)]
    for one in reports:
        data.look(one.transactions)
        proof.look(one.blocks)
        for where, code, message in one.problems:
            part = proof if code in _OF_BLOCKS else data
            part.altered.append(Finding(code, where, message))
        for where, code, message in one.deviations:
            data.noted.append(Finding(code, where, message))
    if not data.altered and ledger.tree_size() != ledger.tip().last_seq:
        said = "the tree has another number of leaves than there are transactions"
        proof.altered.append(Finding("root_mismatch", "tree", said))
    check_notes(evidence, proof)
    if data.altered:
        return []
    return ledger.store.ids_at(sorted({seq for one in reports for seq in one.speaking}))


@contextmanager
def of_bundle(
    evidence: Evidence,
    parts: Mapping[str, Part],
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Ledger, list[str]]]:
    """Check what a bundle has.

    Args:
        evidence: The bundle.
        parts: Take what is found.
        progress: Called with how much is done, and how much there is.

    Yields:
        It as a ledger in memory, and the assets that say more than their state.
    """
    for fault in evidence.faults:
        name = ATTACHMENTS if fault.where.startswith(_CONTENT) else DATA
        if fault.code == NOT_IN_LOG or fault.where in _OF_PROOF:
            name = LEDGER_PROOF
        parts[name].altered.append(fault)
    proof = parts[LEDGER_PROOF]
    if evidence.unlogged is not None:
        said = "the network keeps no log, so nothing proves that nothing was left out"
        proof.missing.append(Finding("no_log", evidence.source, said))
    elif not check_notes(evidence, proof):
        said = "there is no checkpoint that the ledger's key signed"
        proof.missing.append(Finding("no_checkpoint", "checkpoint", said))
    taking = _Taking(evidence, parts)
    with taking.ledger as ledger:
        with closing(looked_at(evidence, progress)) as found:
            for blocks in _some(_blocks(found, taking)):
                taking.take(blocks)
        yield ledger, list(taking.speaking)


def _blocks(found: Iterable[Alone], taking: _Taking) -> Iterator[list[Alone]]:
    """Yield the transactions by their blocks; those that cannot be read are reported."""
    before: Alone | None = None
    block: list[Alone] = []
    for one in found:
        if before is not None and one.item.height != before.item.height and block:
            yield block
            block = []
        if taking.reads(one, before):
            block.append(one)
        before = one
    if block:
        yield block


def _some(blocks: Iterable[list[Alone]]) -> Iterator[list[list[Alone]]]:
    """Yield blocks a few at a time: one by one costs more than what is in them."""
    some: list[list[Alone]] = []
    size = 0
    for block in blocks:
        some.append(block)
        size += sum(len(one.item.body) for one in block)
        if size > _TOGETHER:
            yield some
            some, size = [], 0
    if some:
        yield some


class _Taking:
    """Puts the transactions of a bundle into a ledger in memory."""

    def __init__(self, evidence: Evidence, parts: Mapping[str, Part]) -> None:
        self._evidence = evidence
        self._data, self._proof = parts[DATA], parts[LEDGER_PROOF]
        self.ledger = Ledger.open(":memory:", profile=evidence.claims.profile, clock=lambda: 0)
        self.speaking: dict[str, None] = {}
        self._refused: set[str] = set()
        self._data.look(0)
        self._proof.look(0)

    def reads(self, one: Alone, before: Alone | None) -> bool:
        """Report what is wrong with a transaction alone; say whether it is one at all."""
        item = one.item
        self._data.look()
        if one.tx_id is None:
            said = "it is not JSON, or has no id"
            self._data.altered.append(Finding("invalid_json", f"transaction {item.leaf}", said))
            return False
        if self._evidence.unlogged is not None:
            return True
        self._proof.look()
        if not one.is_proven:
            said = f"its proof does not lead from leaf {item.leaf} to the root of the checkpoint"
            self._proof.altered.append(Finding("inclusion_mismatch", one.tx_id, said))
        if before is not None and not bundle.follows(before.item[:3], item[:3]):
            said = "its place, height or time does not follow the transaction before it"
            self._proof.altered.append(Finding("block_order", one.tx_id, said))
        return True

    def take(self, blocks: Sequence[Sequence[Alone]]) -> None:
        """Judge the transactions of some blocks against those before them."""
        ledger = self.ledger
        tip = ledger.tip()
        time_ms, applied = tip.time_ms, []
        for block in blocks:
            # Out of order is reported already; here it must not hide what else is wrong.
            time_ms = max(block[0].item.time_ms, time_ms)
            applied.append((time_ms, [one.checked or one.tx for one in block]))
        verdicts = chain.from_iterable(ledger.apply_blocks(tip.height + 1, applied))
        for one, verdict in zip(chain.from_iterable(blocks), verdicts, strict=True):
            taken, tx_id = one.checked, str(one.tx_id)
            if isinstance(verdict, InvalidError):
                self._refuse(tx_id, one.tx if taken is None else taken.tx, verdict)
                continue
            assert taken is not None
            if speaks(taken):
                self.speaking[taken.asset_id] = None
            if taken.body != one.item.body.decode():
                said = "its text is not the canonical one"
                self._data.altered.append(Finding("not_canonical", tx_id, said))
            if ledger.profile != validity.STRICT:
                for found in taken.deviations:
                    self._data.noted.append(Finding(found.code, tx_id, found.message))

    def _refuse(self, tx_id: str, tx: Any, verdict: InvalidError) -> None:
        """Say why a transaction was not taken; those that follow from others only once."""
        self._refused.add(tx_id)
        found = Finding(verdict.code, tx_id, verdict.message)
        if verdict.code != _NOT_HERE:
            self._data.altered.append(found)
            return
        spent = {entry["fulfills"]["transaction_id"] for entry in tx["inputs"]}
        if spent.isdisjoint(self._refused):
            said = "a transaction that it spends is not in the evidence"
            self._data.missing.append(Finding("missing_transaction", tx_id, said))


def check_notes(evidence: Evidence, part: Part) -> bool:
    """Check the checkpoints that came with evidence; say whether one is signed and of its tree.

    One that the ledger's key signed and that says otherwise shows that somebody forked it.
    """
    claims, good = evidence.claims, False
    keys = anchors.keys_of(claims)
    for data in evidence.notes:
        part.look()
        try:
            note = notes.parse(data)
            made = tlog.parse_checkpoint(note.text)
            signed = notes.verify(note, keys)
        except (InvalidError, NotVerifiedError) as error:
            part.altered.append(Finding(error.code, "checkpoint", error.message))
            continue
        if made.origin != tlog.origin_of(claims.ledger_id):
            said = "the checkpoint is of another ledger"
            part.altered.append(Finding("checkpoint_mismatch", "checkpoint", said))
        elif not signed:
            said = "the checkpoint is not signed by the key of this ledger"
            part.altered.append(Finding("checkpoint_mismatch", "checkpoint", said))
        elif made.size > claims.size:
            said = f"the checkpoint has {made.size} transactions, the evidence {claims.size}"
            part.altered.append(Finding("checkpoint_mismatch", "checkpoint", said))
        elif (there := evidence.root_at(made.size)) is None:
            said = f"a checkpoint of {made.size} transactions cannot be compared"
            part.missing.append(Finding("no_checkpoint", "checkpoint", said))
        elif there != made.root:
            said = f"the root of the first {made.size} transactions is not that of the checkpoint"
            part.altered.append(Finding("root_mismatch", "checkpoint", said))
        else:
            good = True
    return good
