"""What can be checked of transactions before the ledger is asked."""

from __future__ import annotations

import os
from contextlib import suppress

from twincli.errors import InvalidError
from twincli.rules import validity
from twincli.rules.structure import Checked
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def check_all(txs: Iterable[dict[str, Any] | Checked]) -> list[Checked | InvalidError]:
    """Check what can be checked without the ledger, signatures included."""
    checked: list[Checked | InvalidError] = []
    for tx in txs:
        try:
            checked.append(tx if isinstance(tx, Checked) else validity.check_structure(tx))
        except InvalidError as error:
            checked.append(error)
    _verify(checked)
    return checked


def raise_first(items: Sequence[object]) -> None:
    """Raise the first fault among checked transactions or verdicts, with its number."""
    for number, item in enumerate(items, 1):
        if isinstance(item, InvalidError):
            if len(items) == 1:
                raise item
            raise InvalidError(
                f"transaction {number} of {len(items)}: {item.message}",
                code=item.code,
                hint=item.hint,
            ) from item


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _verify(items: Sequence[Checked | InvalidError]) -> None:
    """Verify all signatures, on all cores when there are many: libsodium runs without the GIL."""
    todo = [
        item
        for item in items
        if isinstance(item, Checked) and item.signed is None and item.only_keys
    ]
    if len(todo) >= 64 and cores() > 1:
        from concurrent.futures import ThreadPoolExecutor

        slices = [todo[at : at + 64] for at in range(0, len(todo), 64)]
        with ThreadPoolExecutor(cores()) as pool, suppress(RuntimeError):  # no thread may be had
            for _ in pool.map(_verify_slice, slices):
                pass
    _verify_slice(todo)  # what is verified already says so again


def _verify_slice(items: list[Checked]) -> None:
    for item in items:
        item.verify()
