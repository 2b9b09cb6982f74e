"""What the ledger says about encrypted streams and files: their epochs, and who can open them.

Each stream or file has epochs from 0 on. An epoch has an identity of age of its own; its recipient
stands on the ledger, so that a device writes without reading. The identity is nowhere but in wraps:
files of age, each encrypted to one party, of which the ledger has the CID.

Epoch 0 stands where the stream or file is made, ``encryption: {epoch, recipient, wraps}``; what
comes later in records of kind ``grant`` and ``revoke`` of the twin, ``body.epochs: [{stream | file,
epoch, recipient?, wraps, sealed?}]``: with a recipient a new epoch, without one more wraps of an
epoch that is there. ``sealed`` names chunks that were encrypted again: ``[{of, cid, size}]``.
"""

from __future__ import annotations

from twincli.crypto import cid as cids
from twincli.errors import InvalidError
from twincli.model import did, ids
from twincli.model.manifest import MAX_EPOCHS
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MEMBER = "encryption"
EPOCHS = "epochs"
MAX_WRAPS = 1000
"""Wraps of one item; more parties take more items."""
MAX_ITEMS = 1000
MAX_SEALED = 1000
MAX_BYTES = (1 << 26) + (1 << 20)
"""The largest chunk, encrypted."""
_RECIPIENT = "age1"
_MAX_RECIPIENT = 200


class Wrap(NamedTuple):
    """The identity of an epoch, encrypted to a party.

    Attributes:
        public_key: Whose.
        cid: Of the wrap.
    """

    public_key: str
    cid: str


class Sealed(NamedTuple):
    """A chunk that was encrypted again.

    Attributes:
        of: The CID that its record names.
        cid: Of what stands in its place.
        size: Of that.
    """

    of: str
    cid: str
    size: int


class Item(NamedTuple):
    """What a record says of an epoch.

    Attributes:
        what: The id of the stream, or the CID of the file.
        epoch: Its number.
        recipient: Of a new epoch; None: of one that is there.
        wraps: Who can open it.
        sealed: Chunks that were encrypted to it again.
    """

    what: str
    epoch: int
    recipient: str | None
    wraps: tuple[Wrap, ...] = ()
    sealed: tuple[Sealed, ...] = ()


class Epoch(NamedTuple):
    """An epoch, with all that was said of it.

    Attributes:
        number: From 0.
        recipient: To whom one encrypts in it.
        wraps: Who can open it, in the order in which they were made.
        height: Of the block that began it, or None.
    """

    number: int
    recipient: str
    wraps: tuple[Wrap, ...]
    height: int | None = None

    def wraps_of(self, public_key: str) -> list[Wrap]:
        """Return the wraps of a party, the newest first."""
        return [wrap for wrap in reversed(self.wraps) if wrap.public_key == public_key]


class History(NamedTuple):
    """What is known of the epochs of a stream or file.

    Attributes:
        epochs: By number.
        sealed: The chunks that were encrypted again, by the CID that their record names.
    """

    epochs: tuple[Epoch, ...]
    sealed: dict[str, Sealed]

    def is_late(self, number: int | None, height: int | None) -> bool:
        """Say whether a chunk was encrypted to an epoch that had ended: its writer did not know.

        Args:
            number: The epoch that its record states.
            height: Of the block of that, None where nobody reports it.
        """
        if number is None or number + 1 >= len(self.epochs):
            return False
        ended = self.epochs[number + 1].height
        return height is None or (ended is not None and height > ended)

    @property
    def current(self) -> Epoch:
        """The last epoch."""
        return self.epochs[-1]


def member(epoch: Epoch) -> dict[str, Any]:
    """Return what stands where a stream or file is made."""
    return {
        "epoch": epoch.number,
        "recipient": epoch.recipient,
        "wraps": wraps_member(epoch.wraps),
    }


def item(kind: str, told: Item) -> dict[str, Any]:
    """Return what a record says of an epoch.

    Args:
        kind: ``stream`` or ``file``.
        told: What it says.
    """
    made: dict[str, Any] = {kind: told.what, "epoch": told.epoch}
    if told.recipient is not None:
        made["recipient"] = told.recipient
    made["wraps"] = wraps_member(told.wraps)
    if told.sealed:
        made["sealed"] = [each._asdict() for each in told.sealed]
    return made


def wraps_member(wraps: Iterable[Wrap]) -> list[dict[str, str]]:
    """Return wraps as a record lists them."""
    return [{"to": did.key_did(wrap.public_key), "cid": wrap.cid} for wrap in wraps]


def first(value: Any, height: int | None = None) -> Epoch | None:
    """Return epoch 0 as a stranger states it; None: it is not encrypted, or malformed.

    What claims to be encrypted and is malformed cannot be written to; see `is_stated`.
    """
    if not isinstance(value, dict) or _number(value.get("epoch")) != 0:
        return None
    recipient = _recipient(value.get("recipient"))
    if recipient is None:
        return None
    return Epoch(0, recipient, tuple(wraps_of(value.get("wraps"))), height)


def is_stated(envelope_or_body: dict[str, Any]) -> bool:
    """Say whether somebody states that it is encrypted, well formed or not."""
    return envelope_or_body.get(MEMBER) is not None


def items(body: dict[str, Any]) -> Iterator[Item]:
    """Yield what a record says of epochs; what is malformed says nothing."""
    listed = body.get(EPOCHS)
    for value in (listed if isinstance(listed, list) else [])[:MAX_ITEMS]:
        found = _item(value)
        if found is not None:
            yield found


def _item(value: Any) -> Item | None:
    if not isinstance(value, dict) or ("stream" in value) == ("file" in value):
        return None
    what = value.get("stream", value.get("file"))
    is_known = ids.is_id(what) if "stream" in value and isinstance(what, str) else _is_cid(what)
    epoch = _number(value.get("epoch"))
    if not is_known or epoch is None or not isinstance(what, str):
        return None
    recipient = _recipient(value.get("recipient"))
    if recipient is None and "recipient" in value:
        return None
    wraps = tuple(wraps_of(value.get("wraps")))
    return Item(what, epoch, recipient, wraps, tuple(_sealed(value.get("sealed"))))


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < MAX_EPOCHS else None


def _recipient(value: Any) -> str | None:
    is_one = isinstance(value, str) and value.startswith(_RECIPIENT) and value.isascii()
    return value if is_one and len(value) <= _MAX_RECIPIENT else None


def wraps_of(value: Any) -> Iterator[Wrap]:
    """Yield the wraps that a record lists; what is malformed is passed over."""
    for each in (value if isinstance(value, list) else [])[:MAX_WRAPS]:
        if not isinstance(each, dict) or not _is_cid(each.get("cid")):
            continue
        try:
            named = did.parse(each["to"] if isinstance(each.get("to"), str) else "")
        except InvalidError:
            continue
        if named.public_key is not None:
            yield Wrap(named.public_key, each["cid"])


def _sealed(value: Any) -> Iterator[Sealed]:
    for each in (value if isinstance(value, list) else [])[:MAX_SEALED]:
        if not isinstance(each, dict):
            continue
        of: Any = each.get("of")
        cid: Any = each.get("cid")
        size = each.get("size")
        if _is_cid(of) and _is_cid(cid) and type(size) is int and 0 < size <= MAX_BYTES:
            yield Sealed(of, cid, size)


def _is_cid(value: Any) -> bool:
    try:
        cids.parse(value if isinstance(value, str) else "")
    except InvalidError:
        return False
    return True


def history(begun: Epoch, told: Iterable[tuple[Item, int | None]]) -> History:
    """Return the epochs of a stream or file.

    A new epoch follows the last one; others with its number, and wraps of epochs that are not
    there, say nothing.

    Args:
        begun: Epoch 0.
        told: What records say of it, in their order, with the heights of their blocks.
    """
    epochs, sealed = [begun], dict[str, Sealed]()
    for each, height in told:
        if each.recipient is not None:
            if each.epoch == len(epochs):
                epochs.append(Epoch(each.epoch, each.recipient, each.wraps, height))
        elif each.epoch < len(epochs):
            there = epochs[each.epoch]
            epochs[each.epoch] = there._replace(wraps=(*there.wraps, *each.wraps))
            sealed |= {one.of: one for one in each.sealed}
    return History(tuple(epochs), sealed)
