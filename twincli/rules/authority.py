"""Whether a statement about an asset counts: it depends on the keys that signed it."""

from __future__ import annotations

from twincli.crypto import conditions
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

AUTHORISED = "authorised"
CLAIMED = "claimed_by_entity"
UNAUTHORISED = "unauthorised"


def standing(keys: Collection[str], owners: Iterable[dict[str, Any]], entity: str | None) -> str:
    """Return the standing of a statement about an asset, for example that a part belongs to it.

    Args:
        keys: Public keys that signed the statement.
        owners: Condition details of the asset's unspent outputs when it was made.
        entity: The asset's own key then, or None.

    Returns:
        ``authorised`` if the keys could spend one of the outputs, ``claimed_by_entity`` if the
        asset's own key is among them, else ``unauthorised``.
    """
    if any(conditions.can_fulfil(details, keys) for details in owners):
        return AUTHORISED
    return CLAIMED if entity in keys else UNAUTHORISED


def signers_of(tx: Mapping[str, Any]) -> list[str]:
    """Return the public keys whose signatures a transaction carries, in order."""
    keys: dict[str, None] = {}
    for entry in tx["inputs"]:
        if isinstance(entry["fulfillment"], str):
            made = conditions.parse(entry["fulfillment"], strict=False)
            keys.update(dict.fromkeys(made.keys()))
    return list(keys)
