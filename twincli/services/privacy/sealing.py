"""Begin epochs, and wrap their identities for those who may read."""

from __future__ import annotations

import io

from twincli.crypto import age
from twincli.errors import InvalidError, LockedError, TwinError
from twincli.model import encryption, manifest, record
from twincli.model.encryption import Epoch, Item, Sealed
from twincli.model.transaction import asset_of
from twincli.services import resolve
from twincli.services.access import Access
from twincli.services.privacy import hiding, locks, opening, private, wrapping
from twincli.services.privacy.shelf import Shelf
from twincli.services.record.attachments import Stores, upload
from twincli.services.record.say import say
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from twincli.keystore.keyfile import KeyInfo
    from twincli.model.manifest import Entry
    from twincli.services.privacy.locks import Lock
    from twincli.services.workspace import Workspace


def begin(
    workspace: Workspace, stores: Stores, readers: Mapping[str, str | None], number: int = 0
) -> Epoch:
    """Make an epoch; its identity is nowhere but in the wraps.

    Args:
        workspace: Rooms; in a dry run nothing is kept.
        stores: Where wraps go.
        readers: Who may read; see `locks.readers`.
        number: Of the epoch.

    Raises:
        LockedError: ``cannot_decrypt``: no key of these could open it.
        ConfigError: ``missing_extra``, ``cannot_write``.
    """
    made = age.generate(workspace.random)
    able = {
        key: to
        for key, to in readers.items()
        if to is not None or wrapping.can_open(workspace, key)
    }
    if not able:
        raise wrapping.cannot_decrypt(workspace, next(iter(readers), ""))
    wraps = wrapping.wrapped(workspace, stores, made.secret, able)
    return Epoch(number, made.recipient, wraps)


def current(workspace: Workspace, stores: Stores, lock: Lock) -> Epoch:
    """Return the epoch to encrypt to; the twin's controller begins a new one where that is due.

    It is due when somebody whose grant is over can open the present one, when a holder of the
    twin cannot, or when what opens it was shredded.
    """
    epoch = locks.history(workspace, lock).current
    readers = locks.readers(workspace, lock.twin_id, lock.topic)
    if workspace.dry_run or not _is_due(workspace, stores, lock.twin_id, epoch, readers):
        return epoch
    from twincli.services.asset.attempt import Target
    from twincli.services.asset.write_options import PLAIN
    from twincli.services.record.say import is_for_us

    if not is_for_us(Target.find(workspace, lock.twin_id, PLAIN)):
        return epoch  # a device goes on; the controller begins a new one when it comes by
    made = begin(workspace, stores, readers, epoch.number + 1)
    item = Item(lock.what, made.number, made.recipient, made.wraps)
    body = {encryption.EPOCHS: [encryption.item(lock.kind, item)]}
    try:
        say(workspace, lock.twin_id, record.GRANT, body, is_owners=True)
    except TwinError as error:
        if error.code == "frozen":
            return epoch
        raise
    hiding.renew(workspace, stores, lock.twin_id)
    return locks.history(workspace, lock).current


def _is_due(
    workspace: Workspace,
    stores: Stores,
    twin_id: str,
    epoch: Epoch,
    readers: Mapping[str, str | None],
) -> bool:
    able = {wrap.public_key for wrap in epoch.wraps}
    if able - readers.keys():
        return True
    hidden = private.of_twin(workspace, twin_id)
    if hidden and private.is_known_to_others(workspace, Access(workspace, twin_id), hidden, epoch):
        return True
    holders = [
        key for key, to in readers.items() if to is not None or wrapping.can_open(workspace, key)
    ]
    if any(key not in able for key in holders):
        return True
    mine = {info.public_key for info in workspace.keystore.scan()[0]} & readers.keys()
    wraps = [wrap.cid for key in mine for wrap in epoch.wraps_of(key)]
    shelf = Shelf(stores.blobs, stores.nodes)
    return bool(wraps) and all(shelf.wrap(cid) is None for cid in wraps)


def is_left_open(workspace: Workspace, twin_id: str, party: str | None = None) -> bool:
    """Say whether what is written next still opens to somebody whose grant is over.

    An epoch is due then, and nobody began it yet: a device writes, and the controller does not.

    Args:
        workspace: Rooms.
        twin_id: The twin.
        party: Only this party; None: anybody.
    """
    hidden = private.of_twin(workspace, twin_id)
    access = Access(workspace, twin_id)
    for lock in locks.of_twin(workspace, twin_id):
        if lock.kind != locks.STREAM:
            continue
        epoch = locks.history(workspace, lock).current
        readers = locks.readers(workspace, twin_id, lock.topic)
        over = {wrap.public_key for wrap in epoch.wraps} - readers.keys()
        if over if party is None else party in over:
            return True
        if private.is_known_to_others(workspace, access, hidden, epoch, party):
            return True
    return False


def tend(workspace: Workspace, stores: Stores, twin_id: str) -> int:
    """Do what is due for the encrypted streams of a twin, as its controller.

    Epochs begin where a grant is over, and chunks are encrypted again that somebody encrypted to an
    epoch that had ended, as a device does that was offline. What stands in their place is read from
    then on; their own bytes stay, as the ledger names them.

    Returns:
        How many chunks were encrypted again.
    """
    if workspace.dry_run:
        return 0
    count = 0
    for lock in locks.of_twin(workspace, twin_id):
        if lock.kind == locks.STREAM:
            epoch = current(workspace, stores, lock)
            count += _seal_again(workspace, stores, lock, epoch)
    hiding.renew(workspace, stores, twin_id)
    return count


def _seal_again(workspace: Workspace, stores: Stores, lock: Lock, epoch: Epoch) -> int:
    late = list(_late(workspace, stores, lock))[: encryption.MAX_SEALED]
    if not late:
        return 0
    try:
        ring = opening.keyring(workspace, Shelf(stores.blobs, stores.nodes), lock)
    except LockedError:
        return 0
    sealed = []
    for entry in late:
        with stores.blobs.open(entry.cid) as file:
            data = file.read()
        try:
            again = age.seal(ring.open(data), epoch.recipient)
        except (LockedError, InvalidError):  # of an epoch that no key here opens, or altered
            continue
        kept = stores.blobs.put(io.BytesIO(again))
        sealed.append(Sealed(entry.cid, kept.cid, kept.size))
    if sealed:
        upload(workspace, stores, [each.cid for each in sealed])
        item = Item(lock.what, epoch.number, None, (), tuple(sealed))
        body = {encryption.EPOCHS: [encryption.item(lock.kind, item)]}
        say(workspace, lock.twin_id, record.GRANT, body, is_owners=True)
    return len(sealed)


def _late(workspace: Workspace, stores: Stores, lock: Lock) -> Iterator[Entry]:
    """Yield the chunks that are here and of an epoch that had ended, and not encrypted again."""
    history = locks.history(workspace, lock)
    if len(history.epochs) < 2:
        return
    for entry in workspace.client.records(lock.what, {"chunk"}):
        body = (record.envelope_of(entry.tx["metadata"]) or {}).get("body")
        try:
            found = manifest.read(body)
        except InvalidError:
            continue
        if history.is_late(found.epoch, entry.height):
            for each in found.chunks:
                if each.cid not in history.sealed and stores.blobs.has(each.cid):
                    yield each


def hand_over(workspace: Workspace, stores: Stores, old: KeyInfo, new_key: str) -> Iterator[str]:
    """Open what is encrypted of all that a key holds to the key that takes its place.

    Args:
        workspace: Rooms; in a dry run nothing is opened.
        stores: Where wraps are, and go.
        old: The key that holds it still.
        new_key: The public key that follows.

    Yields:
        Warnings of what does not open to it.
    """
    client = workspace.client
    held = list(client.outputs(old.public_key, spent=False))
    ids = dict.fromkeys(asset_of(client.required(ref["transaction_id"]).tx) for ref in held)
    by_old = workspace._replace(keys=(old.name,))
    for twin_id in () if workspace.dry_run else ids:
        if next(locks.of_twin(workspace, twin_id), None) is None:
            continue
        name = resolve.asset_name(workspace, twin_id) or twin_id
        if not wrapping.can_open(workspace, new_key):
            yield f"what is encrypted of {name} does not open to the new key, which cannot decrypt"
            continue
        try:
            closed = open_to(by_old, stores, twin_id, new_key)
        except TwinError as error:
            yield f"what is encrypted of {name} was not opened to the new key: {error.message}"
            continue
        for lock in closed:
            yield f"some of the {lock.kind} {lock.name} of {name} does not open to the new key"


def open_to(workspace: Workspace, stores: Stores, twin_id: str, new_holder: str) -> list[Lock]:
    """Make wraps of all that is encrypted of a twin for the key that it goes to.

    Args:
        workspace: Rooms, whose key holds the twin still.
        stores: Where wraps are, and go.
        twin_id: The twin.
        new_holder: The public key.

    Returns:
        What could not be opened.

    Raises:
        TwinError: As ``say``.
    """
    wanted = [
        lock
        for lock in locks.of_twin(workspace, twin_id)
        if not all(each.wraps_of(new_holder) for each in locks.history(workspace, lock).epochs)
    ]
    if not wanted:
        return []
    items, closed = more_wraps(workspace, stores, {new_holder: None}, wanted)
    if items:
        kinds = {lock.what: lock.kind for lock in wanted}
        told = [encryption.item(kinds[item.what], item) for item in items]
        say(workspace, twin_id, record.GRANT, {encryption.EPOCHS: told}, is_owners=True)
    return closed


def more_wraps(
    workspace: Workspace,
    stores: Stores,
    readers: Mapping[str, str | None],
    wanted: Iterable[Lock],
) -> tuple[list[Item], list[Lock]]:
    """Return wraps of all epochs of streams and files for new readers.

    Returns:
        What a grant says of epochs, and what could not be opened here.
    """
    items: list[Item] = []
    closed: list[Lock] = []
    shelf = Shelf(stores.blobs, stores.nodes)
    for lock in wanted:
        try:
            held = opening.keyring(workspace, shelf, lock)
        except LockedError as error:
            if error.code not in {"no_grant", "missing_wrap"}:
                raise
            closed.append(lock)
            continue
        for epoch in held.history.epochs:
            secret = held.secrets.get(epoch.number)
            if secret is not None:
                wraps = wrapping.wrapped(workspace, stores, secret, readers)
                items.append(Item(lock.what, epoch.number, None, wraps))
        if len(held.secrets) < len(held.history.epochs):
            closed.append(lock)
    return items, closed
