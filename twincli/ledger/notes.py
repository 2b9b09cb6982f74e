"""Notes: what somebody has worked out about assets, kept until something touches them.

A note of a kind is about one asset. It holds until a transaction of that asset, of a part of it, or
one that is about it is committed. Like the rest of the index, notes cost an append nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.model import record
from twincli.model.ids import is_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.ledger.reading import Reader

PAGE = 500
_MANY = 20_000
"""When more assets were touched, all notes are made again."""


def notes(ledger: Reader, kind: str) -> tuple[int, dict[str, str]]:
    """Return the notes of a kind that hold, by the ids of their assets.

    Args:
        ledger: Where the assets are.
        kind: What they are about, with the version of their form.

    Returns:
        Up to which position they hold, for `keep`, and the notes.
    """
    index = ledger.plain_index
    while True:
        until = index.catch_up()
        reached = index.noted_until(kind)
        if reached is not None and reached >= until:
            return reached, index.noted(kind)
        stale = None if reached is None else _touched(ledger, reached, until)
        if index.forget_notes(kind, reached, until, stale):
            return until, {} if stale is None else index.noted(kind)


def keep(ledger: Reader, kind: str, until: int, made: Mapping[str, str]) -> None:
    """Keep notes, where nothing was committed since `notes` was asked.

    Args:
        ledger: Where the assets are.
        kind: As for `notes`.
        until: As `notes` returned it.
        made: Notes by the ids of their assets, in ASCII: not every text is in UTF-8.
    """
    found = ledger.store.seqs_of(list(made))
    rows = [(seq, asset_id, made[asset_id]) for asset_id, seq in found.items()]
    ledger.plain_index.keep_notes(kind, until, rows)


def _touched(ledger: Reader, after: int, until: int) -> list[int] | None:
    """Return the assets that something was said of in a range, None for many."""
    touched = ledger.store.touched(after, until)
    if len(touched) > _MANY:
        return None
    named: set[str] = set()
    for at in range(0, len(touched), PAGE):
        for row in ledger.store.rows_at(touched[at : at + PAGE]):
            envelope = record.creating_envelope(row.unproven_tx)
            stated = [record.text(envelope.get(name)) for name in _OTHERS]
            named.update(text for text in stated if text is not None and is_id(text))
    return [*touched, *ledger.store.seqs_of(sorted(named)).values()]


_OTHERS = ("about", "parent")
"""What a CREATE states of another asset."""
