"""What can be said of a transaction in a bundle by itself: its form, its signatures, its proof."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twincli.crypto import merkle
from twincli.errors import InvalidError
from twincli.rules.structure import check
from twincli.rules.texts import check_append
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.rules.structure import Checked
    from twincli.services.proof.evidence import Recorded


class Alone(NamedTuple):
    """A transaction that was looked at by itself.

    Attributes:
        item: Where it is said to stand, and its text.
        tx_id: Its id, as it says; None: it is not JSON, or has none.
        tx: As parsed; None: it was not needed, or it is not JSON.
        checked: It, with the signatures of keys verified; None: it breaks a rule.
        is_proven: Whether its proof leads to the root.
    """

    item: Recorded
    tx_id: str | None
    tx: Any
    checked: Checked | None
    is_proven: bool = False

    @property
    def is_append(self) -> bool:
        """Whether it was known for an append by its text."""
        return self.checked is not None and self.tx is None


def look(item: Recorded, inclusions: merkle.Inclusions) -> Alone:
    """Look at a transaction.

    Args:
        item: The transaction.
        inclusions: The tree; asked in the order of the leaves it is fast.
    """
    checked = None
    with suppress(UnicodeDecodeError):
        checked = check_append(item.body.decode())
    if checked is not None:
        checked.verify()
        proven = _is_proven(item, checked.id, inclusions)
        return Alone(item, checked.id, None, checked, proven)
    found = parsed(item)
    # Others `strict` refuses anyway, and strangers choose how long those take.
    if found.checked is not None and found.checked.only_keys:
        found.checked.verify()
    return found._replace(is_proven=_is_proven(item, found.tx_id, inclusions))


def parsed(item: Recorded, *, is_proven: bool = False) -> Alone:
    """Look at a transaction, but not at its signatures and its proof."""
    try:
        # What names a member twice, or is no JSON to others, has another canonical text.
        tx = json.loads(item.body.decode())
        tx_id = tx["id"]
        bytes.fromhex(tx_id)
    except (TypeError, KeyError, ValueError, RecursionError):
        return Alone(item, None, None, None, is_proven)
    checked = None
    with suppress(InvalidError):  # raised again where it is judged
        checked = check(tx)
    return Alone(item, tx_id, tx, checked, is_proven)


def _is_proven(item: Recorded, tx_id: str | None, inclusions: merkle.Inclusions) -> bool:
    digest = b"" if tx_id is None else bytes.fromhex(tx_id)
    if len(digest) != merkle.HASH_BYTES:
        return False
    leaf = merkle.leaf_hash(merkle.ledger_leaf(item.height, item.time_ms, digest))
    return inclusions.check(leaf, item.leaf, item.path or b"")
