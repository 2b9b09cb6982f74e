"""Local names, kept in the book: of assets on a ledger, and of other people's keys and DIDs.

The name of an asset is valid on one ledger, the name of a party everywhere; the names of my own
keys are in the key store. A CREATE may state a name too, but that is its author's word: it means
nothing here until it is added to the book.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import base58
from twincli.errors import ConflictError, InvalidError, NotFoundError, UsageError
from twincli.model import did
from twincli.model.ids import is_prefix
from twincli.model.names import check, disguise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twincli.book.store import Book
    from twincli.keystore.keyfile import KeyInfo
    from twincli.keystore.store import KeyStore
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace


ASSET = "asset"
PARTY = "party"


def set_name(
    open_workspace: Callable[[], Workspace],
    book: Book,
    keystore: KeyStore,
    name: str,
    value: str,
    *,
    dry_run: bool = False,
) -> Document:
    """Name an asset, or somebody else's key or DID.

    Args:
        open_workspace: Opens the ledger; called only for an asset.
        book: The names.
        keystore: My keys; their names are taken.
        name: The new name.
        value: An id (or the beginning of one) or DID of an asset on the ledger; a base58 public
            key; any other DID.
        dry_run: Check, change nothing.

    Returns:
        ``twin.name/1``: ``name kind value did ledger changed``.

    Raises:
        ConflictError: ``exists``: the name is taken.
        NotFoundError: The asset is not on the ledger.
        InvalidError: ``invalid_name``, ``invalid_did``, ``not_a_curve_point``.
        UsageError: ``bad_value``: none of these.
    """
    if _is_asset(value):
        return _set_asset(open_workspace(), name, value, dry_run=dry_run)
    party = party_of(value)
    _refuse_own_key(keystore, name, party)
    changed = _check_party(book, name, party) if dry_run else book.set_party(name, party)
    return {"schema": "twin.name/1", **party_document(name, party), "changed": changed}


def _is_asset(value: str) -> bool:
    if value.startswith("did:"):
        return did.parse(value).kind in {"asset", "tutorial", "orm"}
    return is_prefix(value) and not base58.is_key(value)


def party_of(value: str) -> str:
    """Return a party as the book keeps it: a public key in base58, or a DID without a key."""
    from twincli.services import resolve

    if value.startswith("did:"):
        named = did.parse(value)
        if named.public_key is None:
            return named.text
        public_key = named.public_key
    elif base58.is_key(value):
        public_key = value
    else:
        raise UsageError(
            f"{value!r} is not an id, a DID or a public key",
            code="bad_value",
            hint="the name comes first: twin name set NAME VALUE",
        )
    resolve.require_point(public_key)
    return public_key


def _refuse_own_key(keystore: KeyStore, name: str, party: str) -> None:
    """Refuse the name of another key of mine: owner expressions would still mean that key."""
    try:
        info = keystore.get(name)
    except (NotFoundError, InvalidError):  # no such key, or not a valid name of a key
        return
    if info.public_key != party:
        raise own_key_error(info)


def own_key_error(info: KeyInfo) -> ConflictError:
    """Return the error for a name that a key of this home has."""
    return ConflictError(
        f"{info.name} is the name of your key {info.public_key}",
        code="exists",
        hint=f"choose another name, or rename the key: twin keys rename {info.name} NEW",
    )


def _check_party(book: Book, name: str, party: str) -> bool:
    check(name, PARTY)
    held = book.party(name)
    if held is not None and held != party:
        raise taken_error(name, held)
    return held is None


def _set_asset(workspace: Workspace, name: str, value: str, *, dry_run: bool) -> Document:
    from twincli.services import resolve

    ledger = workspace.client.ledger_id
    check(name, ASSET)
    asset_id = resolve.asset_id_of(workspace, f"asset:{value}")
    held = workspace.book.lookup(ledger, name, resolve.exists(workspace))
    if held is not None and held != asset_id:
        raise taken_error(name, held)
    if not dry_run:
        workspace.book.set_asset(ledger, name, asset_id)
    return {
        "schema": "twin.name/1",
        **asset_document(ledger, name, asset_id),
        "changed": held is None,
    }


def taken_error(name: str, held: str) -> ConflictError:
    """Return the error for a name that stands for something else."""
    return ConflictError(
        f"the name {name} stands for {held}",
        code="exists",
        hint=f"to free it: twin name remove {name}",
    )


def refuse_disguise(name: str, value: str) -> None:
    """Refuse a name that looks like another one."""
    why = disguise(name)
    if why is not None:
        raise InvalidError(
            f"{name} could be mistaken for another name: {why}",
            code="look_alike",
            hint=f"to use it anyway: twin name set {name} {value}",
        )


def list_names(workspace: Workspace) -> Document:
    """Return the names of assets on this ledger, and of parties.

    Returns:
        ``twin.names/1`` with ``names``, in alphabetical order: ``name kind value did ledger``.
    """
    parties = workspace.book.list_parties()
    found = [party_document(party.name, party.value) for party in parties]
    found += _assets(workspace)
    found.sort(key=lambda entry: (str(entry["name"]).casefold(), entry["kind"]))
    return {"schema": "twin.names/1", "names": found}


def _assets(workspace: Workspace) -> Iterator[Document]:
    ledger = workspace.client.ledger_id
    for entry in workspace.book.list_assets(ledger):
        # A reservation without its asset on the ledger is not a name.
        if not entry.reserved or workspace.client.entry(entry.asset_id) is not None:
            yield asset_document(ledger, entry.name, entry.asset_id)


def remove(workspace: Workspace, name: str) -> Document:
    """Forget a name; the asset or the key itself stays.

    Args:
        workspace: Ledger and names.
        name: The name; ``asset:`` or ``key:`` before it selects the kind.

    Returns:
        ``twin.name/1`` of the removed name.

    Raises:
        NotFoundError: ``not_found``, with a near name.
        ConflictError: ``ambiguous``: an asset and a party have the name.
    """
    from twincli.services import resolve

    book, ledger = workspace.book, workspace.client.ledger_id
    bare = name.removeprefix("asset:").removeprefix("key:")
    asset_id = party = None
    if not name.startswith("key:"):
        asset_id = book.lookup(ledger, bare, resolve.exists(workspace))
    if not name.startswith("asset:"):
        party = book.party(bare)
    if asset_id is not None and party is not None:
        raise ConflictError(
            f"both an asset and a party are named {bare}",
            code="ambiguous",
            hint=f"twin name remove asset:{bare}, or: twin name remove key:{bare}",
        )
    if asset_id is not None:
        if not workspace.dry_run:
            book.remove_asset(ledger, bare)
        return {"schema": "twin.name/1", **asset_document(ledger, bare, asset_id)}
    if party is not None:
        if not workspace.dry_run:
            book.remove_party(bare)
        return {"schema": "twin.name/1", **party_document(bare, party)}
    known = [entry["name"] for entry in list_names(workspace)["names"]]
    raise NotFoundError(
        f"there is no name {bare!r}",
        hint=resolve.near(bare, known)
        or "to see all: twin name list; to rename a key: twin keys rename",
    )


# --- Documents -----------------------------------------------------------------------------------


def asset_document(ledger: str, name: str, asset_id: str) -> Document:
    """Return the document of an asset's name."""
    return {
        "name": name,
        "kind": ASSET,
        "value": asset_id,
        "did": did.asset_did(asset_id, ledger),
        "ledger": ledger,
    }


def party_document(name: str, value: str) -> Document:
    """Return the document of a party's name."""
    return {
        "name": name,
        "kind": PARTY,
        "value": value,
        "did": value if value.startswith("did:") else did.key_did(value),
        "ledger": None,
    }
