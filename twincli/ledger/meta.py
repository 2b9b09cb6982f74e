"""What a ledger records about itself in block 0, signed by its own key.

Binding it into the hash of block 0 would change every hash that a BigchainDB server gives.
"""

from __future__ import annotations

from twincli.crypto import base58, canonical, ed25519
from twincli.errors import InvalidError
from twincli.ledger.faults import damaged
from twincli.rules import validity
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from twincli.crypto.ed25519 import KeyPair

_PURPOSE = "twincli ledger meta"


class Meta(NamedTuple):
    """What block 0 records.

    Attributes:
        ledger_id: 64 hex digits.
        created_ms: When it was made, milliseconds since the epoch.
        profile: Of the rules.
        public_key: The ledger's own key, base58.
        former_keys: Keys that it had before.
        began_ms: Time of block 0.
    """

    ledger_id: str
    created_ms: int
    profile: str
    public_key: str
    former_keys: tuple[str, ...]
    began_ms: int

    @property
    def message(self) -> bytes:
        """The bytes that are signed."""
        return canonical.encode({"purpose": _PURPOSE, **self._asdict()})

    def rows(self, key: KeyPair) -> dict[str, Any]:
        """Return the rows of the table, signed."""
        rows: dict[str, Any] = {
            "ledger_id": bytes.fromhex(self.ledger_id),
            "created_ms": self.created_ms,
            "profile": self.profile,
            "public_key": self.public_key,
            "signature": key.sign(self.message),
        }
        if self.former_keys:
            rows["former_keys"] = ",".join(self.former_keys)
        return rows


def read(rows: dict[str, Any], began_ms: int, *, is_signed: bool) -> Meta:
    """Return what the table holds.

    Args:
        rows: Of the table.
        began_ms: Time of block 0.
        is_signed: Whether its schema has the signature.

    Raises:
        ConfigError: ``damaged_ledger``: it is missing, malformed, or not what the key signed.
    """
    rows = dict(rows)
    signature = rows.pop("signature", None)
    former = rows.pop("former_keys", "")
    try:
        meta = Meta(
            rows.pop("ledger_id").hex(),
            rows.pop("created_ms"),
            rows.pop("profile"),
            rows.pop("public_key"),
            tuple(former.split(",")) if former else (),
            began_ms,
        )
        well_formed = len(meta.ledger_id) == 64 and type(meta.created_ms) is int and not rows
        key = base58.decode_key(meta.public_key)
    except (KeyError, AttributeError, TypeError, InvalidError) as error:
        raise damaged("the record in block 0 is missing or malformed") from error
    if not well_formed:
        raise damaged("the record in block 0 is malformed")
    if meta.profile not in validity.PROFILES:
        raise damaged(f"it has the unknown rules profile {meta.profile!r}")
    if is_signed:
        try:
            good = ed25519.verify(key, meta.message, signature)
        except (TypeError, ValueError, InvalidError):
            good = False
        if not good:
            raise damaged("the record in block 0 is not the one that the ledger's key signed")
    return meta
