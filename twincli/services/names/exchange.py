"""Importing names: exported by other homes, or stated on the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, InvalidError, NotFoundError, TwinError
from twincli.model import record
from twincli.model.names import check, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace

from twincli.services.names.names import (
    ASSET,
    PARTY,
    asset_document,
    own_key_error,
    party_document,
    party_of,
    refuse_disguise,
    taken_error,
)


class _Import:
    """Names to be added in one change, each checked against the book and the others."""

    def __init__(self, workspace: Workspace) -> None:
        book, ledger = workspace.book, workspace.client.ledger_id
        self._workspace = workspace
        self._keys = {fold(info.name): info for info in workspace.keystore.scan()[0]}
        self._assets = {fold(held.name): held.asset_id for held in book.list_assets(ledger)}
        self._parties = {fold(held.name): held.value for held in book.list_parties()}
        self._given: list[Document] = []
        self._skipped: list[Document] = []
        self.unchanged = 0

    def asset(self, name: str, asset_id: str) -> None:
        """Name an asset that is on the ledger.

        Raises:
            ConflictError: ``exists``.
            InvalidError: ``invalid_name``, ``look_alike``.
        """
        name = check(name, ASSET)
        ledger = self._workspace.client.ledger_id
        self._give(self._assets, asset_document(ledger, name, asset_id))

    def party(self, name: str, value: str) -> None:
        """Name somebody else's key or DID.

        Raises:
            ConflictError, InvalidError, UsageError: As ``set_name``; ``look_alike``.
        """
        name, value = check(name, PARTY), party_of(value)
        own = self._keys.get(fold(name))
        if own is not None and own.public_key != value:
            raise own_key_error(own)
        self._give(self._parties, party_document(name, value))

    def _give(self, held: dict[str, str], document: Document) -> None:
        name, value = document["name"], document["value"]
        before = held.get(fold(name))
        if before is None:
            refuse_disguise(name, value)
            held[fold(name)] = value
            self._given.append(document)
        elif before == value:
            self.unchanged += 1
        else:
            raise taken_error(name, before)

    def means_somebody(self, name: str) -> bool:
        """Say whether a key or a party has this name."""
        return fold(name) in self._keys or fold(name) in self._parties

    def skip(self, number: int | None, name: Any, value: Any, why: TwinError) -> None:
        """Record an entry that is not imported, and why."""
        self._skipped.append(
            {
                "number": number,
                "name": name if isinstance(name, str) else None,
                "value": value if isinstance(value, str) else None,
                "code": why.code,
                "message": why.message,
            }
        )

    def done(self) -> Document:
        """Write the new names to the book, in one change; return ``twin.name-import/1``."""
        workspace = self._workspace
        ledger = workspace.client.ledger_id
        pairs: dict[str, list[tuple[str, str]]] = {ASSET: [], PARTY: []}
        for document in self._given:
            pairs[document["kind"]].append((document["name"], document["value"]))
        if self._given and not workspace.dry_run:
            workspace.book.set_all(ledger, pairs[ASSET], pairs[PARTY])
        return {
            "schema": "twin.name-import/1",
            "ledger": ledger,
            "names": self._given,
            "unchanged": self.unchanged,
            "skipped": self._skipped,
        }


def import_names(workspace: Workspace, documents: Iterable[Any]) -> Document:
    """Import names that ``list_names`` listed elsewhere; names in use here are kept.

    They come from other people, so a name that could pass for another one is refused;
    ``set_name`` accepts it, because there the user types it.

    Args:
        workspace: Ledger, keys and names.
        documents: ``twin.names/1``, or ``twin.name/1`` one by one; an error in place of a line
            that is neither.

    Returns:
        ``twin.name-import/1``: ``ledger``, ``names`` that were added (as in ``twin.names/1``),
        ``unchanged`` (the number that already existed), ``skipped``: ``{"number", "name", "value",
        "code", "message"}``.

    Raises:
        ConflictError: ``exists`` or ``refused``: none was imported.
    """
    taken = _Import(workspace)
    count, last = 0, None
    for count, entry in enumerate(_entries(documents), 1):
        name = value = None
        try:
            if isinstance(entry, TwinError):
                raise entry
            name, value = _text_of(entry, "name"), _text_of(entry, "value")
            if _text_of(entry, "kind") == PARTY:
                taken.party(name, value)
            else:
                taken.asset(name, _asset_id(workspace, entry))
        except TwinError as error:
            taken.skip(count, name, value, error)
            last = error
    document = taken.done()
    if last is not None and count == len(document["skipped"]):
        codes = {skipped["code"] for skipped in document["skipped"]}
        raise ConflictError(
            f"none of {count} names was imported; the last: {last.message}"
            if count > 1
            else last.message,
            code=codes.pop() if len(codes) == 1 else "refused",
            hint=last.hint,
        )
    return document


def _entries(documents: Iterable[Any]) -> Iterator[Any]:
    for document in documents:
        if isinstance(document, dict) and isinstance(document.get("names"), list):
            yield from document["names"]
        else:
            yield document


def _text_of(entry: Any, member: str) -> str:
    value = entry.get(member) if isinstance(entry, dict) else None
    if not isinstance(value, str):
        raise InvalidError(
            f"this is not a name: {member} is missing or not text",
            code="bad_entry",
            hint="to see the format: twin name export",
        )
    return value


def _asset_id(workspace: Workspace, entry: Document) -> str:
    """Return the id of an asset, whose name is valid on this ledger only."""
    if entry["kind"] != ASSET:
        raise InvalidError(
            f"unknown kind {entry['kind']!r}: it must be asset or party", code="bad_entry"
        )
    ledger, here = entry.get("ledger"), workspace.client.ledger_id
    if ledger != here:
        raise ConflictError(
            f"{entry['name']!r} names an asset on the ledger {str(ledger)[:16]},"
            f" this one is {here[:16]}",
            code="other_ledger",
            hint="to import it there: --node file:PATH",
        )
    found = workspace.client.entry(entry["value"])
    if found is None or found.tx["operation"] != "CREATE":
        raise NotFoundError(f"there is no asset {entry['value']!r} on this ledger")
    return str(found.tx["id"])


def import_owned(workspace: Workspace, owner: str) -> Document:
    """Name the assets that somebody owns as their CREATEs state.

    The name is the word of the asset's maker, so it is taken only if it is valid, free, and stated
    by no other of these assets. A stranger's asset does not get the name of a key or a party here.
    Assets that have a name keep it.

    Args:
        workspace: Ledger, keys and names.
        owner: A key or a party, by name, DID or public key.

    Returns:
        As ``import_names``.

    Raises:
        NotFoundError: ``owner`` is unknown.
    """
    from twincli.services import resolve

    key = resolve.public_key_of(workspace, owner)
    taken = _Import(workspace)
    ledger = workspace.client.ledger_id
    named = {held.asset_id for held in workspace.book.list_assets(ledger)}
    creates = _owned_creates(workspace, key)
    stating: dict[str, int] = {}
    for tx in creates:
        folded = fold(_stated(tx) or "")
        stating[folded] = stating.get(folded, 0) + 1
    for tx in creates:
        stated = _stated(tx)
        if tx["id"] in named:
            taken.unchanged += 1
            continue
        try:
            if stated is None:
                raise NotFoundError("the asset states no name", code="no_name")
            if stating[fold(stated)] > 1:
                raise ConflictError(
                    f"{stating[fold(stated)]} of these assets state the name {stated!r}",
                    code="ambiguous",
                )
            if taken.means_somebody(stated) and not _made_by(tx, key):
                raise ConflictError(
                    f"{stated!r} is the name of a key or a party here; a stranger made this asset",
                    code="exists",
                )
            taken.asset(stated, tx["id"])
        except TwinError as error:
            taken.skip(None, stated, tx["id"], error)
    return taken.done()


def _owned_creates(workspace: Workspace, key: str) -> list[Document]:
    """Return the CREATEs of the assets of which a key holds an output."""
    from twincli.model.transaction import asset_of

    found: dict[str, Document] = {}
    for ref in workspace.client.outputs(key, spent=False):
        entry = workspace.client.required(ref["transaction_id"])
        asset_id = asset_of(entry.tx)
        if asset_id not in found:
            first = workspace.client.required(asset_id)
            found[asset_id] = first.tx
    return list(found.values())


def _stated(tx: Document) -> str | None:
    return record.text(record.creating_envelope(tx).get("name"))


def _made_by(tx: Document, key: str) -> bool:
    from twincli.model.transaction import signers_of

    return signers_of(tx) == [key]
