"""Answers of nodes, in whatever form, and the errors for those that do not verify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, NotVerifiedError
from twincli.model.ids import is_id

if TYPE_CHECKING:
    from collections.abc import Iterator


def stated_id(info: dict[str, Any]) -> str | None:
    """Return the ledger's id that a node of twincli states at its root, or None."""
    twin = info.get("twin")
    stated = twin.get("ledger") if isinstance(twin, dict) else None
    return stated if isinstance(stated, str) and is_id(stated) else None


def stated_offers(info: dict[str, Any]) -> frozenset[str]:
    """Return what a node of twincli says at its root that it has beyond BigchainDB's API."""
    twin = info.get("twin")
    offers = twin.get("offers") if isinstance(twin, dict) else None
    return frozenset(
        offer for offer in (offers if isinstance(offers, list) else ()) if isinstance(offer, str)
    )


def asset_of(tx: dict[str, Any]) -> str:
    """Return the asset of a transaction of unknown form; empty if it has none."""
    asset = tx.get("asset")
    found = (
        tx.get("id")
        if tx.get("operation") == "CREATE"
        else (asset.get("id") if isinstance(asset, dict) else None)
    )
    return found if isinstance(found, str) else ""


def spends(tx: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the outputs that a transaction of unknown form spends."""
    entries = tx.get("inputs")
    found = []
    for entry in entries if isinstance(entries, list) else ():
        spent = entry.get("fulfills") if isinstance(entry, dict) else None
        if isinstance(spent, dict):
            tx_id, index = spent.get("transaction_id"), spent.get("output_index")
            if isinstance(tx_id, str) and type(index) is int:
                found.append((tx_id, index))
    return found


def named_by(tx: Any) -> Iterator[str]:
    """Yield the ids that a transaction of unknown form depends on, and its own."""
    if isinstance(tx, dict):
        if isinstance(tx.get("id"), str):
            yield tx["id"]
        for tx_id, _ in spends(tx):
            yield tx_id


def in_order(txs: list[dict[str, Any]], known: set[str]) -> Iterator[dict[str, Any]]:
    """Yield transactions in the given order, but none before one that it spends.

    Raises:
        NotVerifiedError: ``history_omitted``: a spent one is neither here nor known.
    """
    by_id = {tx["id"]: tx for tx in txs}
    begun: set[str] = set()
    placed = set(known)
    for first in txs:
        todo = [first]
        while todo:
            tx = todo[-1]
            before = [source for source, _ in spends(tx) if source not in placed]
            if tx["id"] in placed:
                todo.pop()
            elif not before:
                placed.add(tx["id"])
                todo.pop()
                yield tx
            elif tx["id"] in begun or not all(source in by_id for source in before):
                raise lie(
                    "history_omitted",
                    f"a node omits {before[0]}, which {tx['id']} spends, from the history",
                )
            else:
                begun.add(tx["id"])
                todo += [by_id[source] for source in before]


_FORKED = frozenset({"double_spend"})


def unverified(tx: dict[str, Any], verdict: InvalidError) -> NotVerifiedError:
    """Return the error for a transaction that the copy refuses."""
    if verdict.code in _FORKED:
        return lie("forked_history", f"a node shows another history than before: {verdict.message}")
    if verdict.code == "input_does_not_exist":
        return lie("history_omitted", f"a node omits the transaction that {tx['id']} spends")
    return lie(
        "altered_transaction",
        f"a node shows an altered transaction {tx['id']}: {verdict.message}",
    )


def lie(code: str, message: str, hint: str | None = None) -> NotVerifiedError:
    """Return the error for a node whose answer is false or incomplete."""
    return NotVerifiedError(
        message, code=code, hint=hint or "nothing of it was stored; ask another node of the network"
    )
