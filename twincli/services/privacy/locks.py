"""What of a twin is encrypted, its epochs as the ledger states them, and who may read it."""

from __future__ import annotations

from twincli.crypto import conditions
from twincli.model import encryption, owners, record
from twincli.rules.authority import AUTHORISED, READERS, Topic
from twincli.services.access import READINGS, Access, Wanted
from twincli.services.standing import owners_now
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.ledger.reading import Entry
    from twincli.model.encryption import Epoch, History, Item
    from twincli.services.workspace import Workspace

STREAM, FILE = ("stream", "file")
"""Kinds of what can be encrypted, as records of epochs name it."""
CARRIERS = frozenset((record.GRANT, record.REVOKE))
"""Kinds of records of a twin that begin epochs and name wraps."""


class Lock(NamedTuple):
    """A stream or file that is encrypted.

    Attributes:
        twin_id: Whose it is.
        kind: ``STREAM`` or ``FILE``.
        what: The id of the stream, or the CID of the file.
        name: What people and scopes call it.
        begun: Epoch 0.
    """

    twin_id: str
    kind: str
    what: str
    name: str
    begun: Epoch

    @property
    def wanted(self) -> Wanted:
        """What somebody wants who wants to read it."""
        return Wanted(self.topic.kind, self.topic.stream)

    @property
    def topic(self) -> Topic:
        """What a grant has to hold, so that it may be read."""
        return topic_of(self.kind, self.name)


def topic_of(kind: str, name: str) -> Topic:
    """Return what a grant has to hold, so that a stream or file may be read."""
    return Topic(READINGS, stream=name) if kind == STREAM else Topic(record.FILE)


def of_stream(entry: Entry) -> Lock | None:
    """Return the lock of a stream, given its CREATE; None: it is not encrypted."""
    envelope = record.creating_envelope(entry.tx)
    name, parent = envelope.get("name"), envelope.get("parent")
    begun = encryption.first(envelope.get(encryption.MEMBER), entry.height)
    if begun is None or not isinstance(name, str) or not isinstance(parent, str):
        return None
    return Lock(parent, STREAM, entry.tx["id"], name, begun)


def of_file(twin_id: str, body: dict[str, Any], height: int | None = None) -> Lock | None:
    """Return the lock of a file, given the body of its record; None: it is not encrypted."""
    begun = encryption.first(body.get(encryption.MEMBER), height)
    cid, name = body.get("cid"), body.get("name")
    if begun is None or not isinstance(cid, str):
        return None
    return Lock(twin_id, FILE, cid, name if isinstance(name, str) else cid, begun)


def of_twin(workspace: Workspace, twin_id: str) -> Iterator[Lock]:
    """Yield what is encrypted of a twin, by the word of those who hold it."""
    client = workspace.client
    for asset_id in client.assets_with("parent", twin_id):
        entry = client.required(asset_id)
        if record.creating_envelope(entry.tx).get("kind") == record.STREAM:
            found = of_stream(entry)
            if found is not None and found.twin_id == twin_id:
                yield found
    seen: set[str] = set()
    for entry in client.records(twin_id, {record.FILE}):
        body = (record.envelope_of(entry.tx["metadata"]) or {}).get("body")
        found = of_file(twin_id, body, entry.height) if isinstance(body, dict) else None
        if found is not None and found.what not in seen:
            seen.add(found.what)
            yield found


def history(workspace: Workspace, lock: Lock) -> History:
    """Return the epochs of a stream or file, as the twin's own records state them."""
    return encryption.history(lock.begun, _told(workspace, lock))


def wraps(workspace: Workspace, twin_id: str) -> dict[str, list[str]]:
    """Return the CIDs of the wraps that were made later, by what they open; of all of a twin."""
    found: dict[str, list[str]] = {}
    for item, _ in _items(workspace, twin_id):
        found.setdefault(item.what, []).extend(wrap.cid for wrap in item.wraps)
    return found


def _told(workspace: Workspace, lock: Lock) -> Iterator[tuple[Item, int | None]]:
    for item, height in _items(workspace, lock.twin_id):
        if item.what == lock.what:
            yield item, height


def _items(workspace: Workspace, twin_id: str) -> Iterator[tuple[Item, int | None]]:
    """Yield what the records of a twin say of epochs, with the heights of their blocks."""
    for entry in workspace.client.records(twin_id, CARRIERS):
        envelope = record.envelope_of(entry.tx["metadata"]) or {}
        body = envelope.get("body")
        if entry.tx["operation"] == "CREATE" or not isinstance(body, dict):
            continue
        for item in encryption.items(body):
            yield item, entry.height


def holders(workspace: Workspace, twin_id: str) -> list[str]:
    """Return the public keys of those who hold a twin, alone or together with others."""
    return [
        key
        for details in owners_now(workspace.client, twin_id)
        for key in conditions.leaf_keys(details)
        if key != owners.BURN_ADDRESS
    ]


def readers(workspace: Workspace, twin_id: str, topic: Topic) -> dict[str, str | None]:
    """Return who may read now: public keys, each with the recipient that it was granted for.

    Those who hold the twin come first; None: the key itself opens what is for it.
    """
    client = workspace.client
    found: dict[str, str | None] = dict.fromkeys(holders(workspace, twin_id))
    access = Access(workspace, twin_id)
    may: dict[str, bool] = {}  # a key may have many grants
    for given in access.found.given:
        key = given.public_key
        if key is None or given.role not in READERS:
            continue
        if key not in may:
            verdict = access.verdict(key, Wanted(topic.kind, topic.stream))
            may[key] = verdict.standing == AUTHORISED
        if may[key]:
            stated = _recipient(client.required(given.tx_id).tx)
            found[key] = stated or found.get(key)
    return found


def _recipient(tx: dict[str, Any]) -> str | None:
    body = (record.envelope_of(tx["metadata"]) or {}).get("body")
    return record.text(body.get("recipient")) if isinstance(body, dict) else None
