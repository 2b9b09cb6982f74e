"""Local names: what stands for an asset on a ledger, and for somebody else's key or DID.

A name of an asset holds on one ledger, a name of a party everywhere; keys have names of their own
in the key store. The book keeps them. A CREATE may state a name too, but that is its author's word:
it stands for nothing until somebody takes it into the book.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import base58, ed25519
from twincli.errors import ConflictError, InvalidError, NotFoundError, TwinError, UsageError
from twincli.model import did, record
from twincli.model.names import MIN_PREFIX, check, disguise, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twincli.book.store import Book
    from twincli.keystore.keyfile import KeyInfo
    from twincli.keystore.store import KeyStore
    from twincli.services.workspace import Workspace

Document = dict[str, Any]

ASSET = "asset"
PARTY = "party"

_HEX = frozenset("0123456789abcdefABCDEF")


def set_name(
    open_workspace: Callable[[], Workspace],
    book: Book,
    keystore: KeyStore,
    name: str,
    value: str,
    *,
    dry_run: bool = False,
) -> Document:
    """Give a name to an asset, or to somebody else's key or DID.

    Args:
        open_workspace: Opens the ledger; called only for an asset.
        book: The names.
        keystore: My keys, whose names stand for themselves.
        name: What to call it.
        value: An id (or the beginning of one) or DID of an asset on the ledger; a base58 public
            key; any other DID.
        dry_run: Check, change nothing.

    Returns:
        ``twin.name/1``: ``name kind value did ledger changed``.

    Raises:
        ConflictError: ``exists``: the name stands for something else, or is that of another key.
        NotFoundError: The asset is not on the ledger.
        InvalidError: ``invalid_name``, ``invalid_did``, ``not_a_curve_point``.
        UsageError: ``bad_value``: nothing of the kind.
    """
    if _is_asset(value):
        return _set_asset(open_workspace(), name, value, dry_run=dry_run)
    party = _party(value)
    _refuse_own_key(keystore, name, party)
    changed = _check_party(book, name, party) if dry_run else book.set_party(name, party)
    return {"schema": "twin.name/1", **_party_document(name, party), "changed": changed}


def _is_asset(value: str) -> bool:
    if value.startswith("did:"):
        return did.parse(value).kind in {"asset", "tutorial", "orm"}
    return MIN_PREFIX <= len(value) <= 64 and set(value) <= _HEX and not base58.is_key(value)


def _party(value: str) -> str:
    """Return what the book keeps: a public key in base58, or a DID that is no key of ours."""
    if value.startswith("did:"):
        public_key = did.parse(value).public_key
        if public_key is None:
            return value
    elif base58.is_key(value):
        public_key = value
    else:
        raise UsageError(
            f"{value!r} is neither an id nor a DID nor a public key",
            code="bad_value",
            hint="twin name set NAME VALUE, the name first",
        )
    if not ed25519.is_point(base58.decode_key(public_key)):
        raise InvalidError(
            f"no private key has the public key {public_key}",
            code="not_a_curve_point",
            hint="a character was lost or changed",
        )
    return public_key


def _refuse_own_key(keystore: KeyStore, name: str, party: str) -> None:
    """Refuse the name of another key: owner expressions would go on to mean the key."""
    try:
        info = keystore.get(name)
    except (NotFoundError, InvalidError):  # no such key, or no name a key could have
        return
    if info.public_key != party:
        raise _own_key(info)


def _own_key(info: KeyInfo) -> ConflictError:
    return ConflictError(
        f"{info.name} is the name of a key of yours, {info.public_key}",
        code="exists",
        hint=f"choose another name, or rename the key: twin keys rename {info.name} NEW",
    )


def _check_party(book: Book, name: str, party: str) -> bool:
    check(name, PARTY)
    held = book.party(name)
    if held is not None and held != party:
        raise _taken(name, held)
    return held is None


def _set_asset(workspace: Workspace, name: str, value: str, *, dry_run: bool) -> Document:
    from twincli.services import resolve

    ledger = workspace.client.ledger_id
    check(name, ASSET)
    asset_id = resolve.asset_id_of(workspace, f"asset:{value}")
    held = workspace.book.lookup(ledger, name, resolve.exists(workspace))
    if held is not None and held != asset_id:
        raise _taken(name, held)
    if not dry_run:
        workspace.book.set_asset(ledger, name, asset_id)
    return {
        "schema": "twin.name/1",
        **_asset_document(ledger, name, asset_id),
        "changed": held is None,
    }


def _taken(name: str, held: str) -> ConflictError:
    return ConflictError(
        f"the name {name} stands for {held}",
        code="exists",
        hint=f"forget it first with `twin name remove {name}`",
    )


def _refuse_disguise(name: str, value: str) -> None:
    why = disguise(name)
    if why is not None:
        raise InvalidError(
            f"{name} may be taken for another name: {why}",
            code="look_alike",
            hint=f"if it is meant so: twin name set {name} {value}",
        )


def list_names(workspace: Workspace) -> Document:
    """Return the names of assets on this ledger, and of parties.

    Returns:
        ``twin.names/1`` with ``names``, in alphabetical order: ``name kind value did ledger``.
    """
    parties = workspace.book.list_parties()
    found = [_party_document(party.name, party.value) for party in parties]
    found += _assets(workspace)
    found.sort(key=lambda entry: (str(entry["name"]).casefold(), entry["kind"]))
    return {"schema": "twin.names/1", "names": found}


def _assets(workspace: Workspace) -> Iterator[Document]:
    ledger = workspace.client.ledger_id
    for entry in workspace.book.list_assets(ledger):
        # A reservation whose asset never came to be is no name.
        if not entry.reserved or workspace.client.entry(entry.asset_id) is not None:
            yield _asset_document(ledger, entry.name, entry.asset_id)


def remove(workspace: Workspace, name: str) -> Document:
    """Forget a name; the asset or the key itself is not touched.

    Args:
        workspace: Ledger and names.
        name: The name; ``asset:`` or ``key:`` before it tells the two kinds apart.

    Returns:
        ``twin.name/1`` of what it stood for.

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
            f"{bare} is the name of an asset and of somebody else's key",
            code="ambiguous",
            hint=f"twin name remove asset:{bare}, or key:{bare}",
        )
    if asset_id is not None:
        if not workspace.dry_run:
            book.remove_asset(ledger, bare)
        return {"schema": "twin.name/1", **_asset_document(ledger, bare, asset_id)}
    if party is not None:
        if not workspace.dry_run:
            book.remove_party(bare)
        return {"schema": "twin.name/1", **_party_document(bare, party)}
    known = [entry["name"] for entry in list_names(workspace)["names"]]
    raise NotFoundError(
        f"there is no name {bare!r}",
        hint=resolve.near(bare, known)
        or "twin name list shows them; names of keys are changed by twin keys rename and remove",
    )


# --- Many at once --------------------------------------------------------------------------------


class _Import:
    """Names to be given in one change, judged one by one against the book and each other."""

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
        """Give a name to an asset that is on the ledger.

        Raises:
            ConflictError: ``exists``.
            InvalidError: ``invalid_name``, ``look_alike``.
        """
        name = check(name, ASSET)
        ledger = self._workspace.client.ledger_id
        self._give(self._assets, _asset_document(ledger, name, asset_id))

    def party(self, name: str, value: str) -> None:
        """Give a name to somebody else's key or DID.

        Raises:
            ConflictError, InvalidError, UsageError: As ``set_name``; ``look_alike``.
        """
        name, value = check(name, PARTY), _party(value)
        own = self._keys.get(fold(name))
        if own is not None and own.public_key != value:
            raise _own_key(own)
        self._give(self._parties, _party_document(name, value))

    def _give(self, held: dict[str, str], document: Document) -> None:
        name, value = document["name"], document["value"]
        before = held.get(fold(name))
        if before is None:
            _refuse_disguise(name, value)
            held[fold(name)] = value
            self._given.append(document)
        elif before == value:
            self.unchanged += 1
        else:
            raise _taken(name, before)

    def means_somebody(self, name: str) -> bool:
        """Say whether a name is that of a key or a party."""
        return fold(name) in self._keys or fold(name) in self._parties

    def skip(self, number: int | None, name: Any, value: Any, why: TwinError) -> None:
        """Note what is not taken, and why."""
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
        """Write what is new into the book, in one change; return ``twin.name-import/1``."""
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
    """Give the names that ``list_names`` listed elsewhere; none is taken from what has it.

    They are other people's, so a name that may be made to look like another one is left to
    ``set_name``, whose user types it.

    Args:
        workspace: Ledger, keys and names.
        documents: ``twin.names/1``, or ``twin.name/1`` one by one; an error stands for a line that
            is neither.

    Returns:
        ``twin.name-import/1``: ``ledger``, ``names`` that were given (as in ``twin.names/1``),
        ``unchanged`` (how many there were already), ``skipped``: ``{"number", "name", "value",
        "code", "message"}``.

    Raises:
        ConflictError: ``exists`` or ``refused``: none could be taken.
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
            f"none of {count} names was taken; the last: {last.message}"
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
            f"this is no name: {member} is missing or not text",
            code="bad_entry",
            hint="twin name export shows the form",
        )
    return value


def _asset_id(workspace: Workspace, entry: Document) -> str:
    """Return the id of an asset on this ledger: its name is good there and nowhere else."""
    if entry["kind"] != ASSET:
        raise InvalidError(f"{entry['kind']!r} is neither asset nor party", code="bad_entry")
    ledger, here = entry.get("ledger"), workspace.client.ledger_id
    if ledger != here:
        raise ConflictError(
            f"{entry['name']!r} names an asset on the ledger {str(ledger)[:16]},"
            f" this one is {here[:16]}",
            code="other_ledger",
            hint="open that ledger for it: --node file:PATH",
        )
    found = workspace.client.entry(entry["value"])
    if found is None or found.tx["operation"] != "CREATE":
        raise NotFoundError(f"there is no asset {entry['value']!r} on this ledger")
    return str(found.tx["id"])


def import_owned(workspace: Workspace, owner: str) -> Document:
    """Give the assets that somebody owns the names that their CREATEs state.

    Whoever made an asset wrote what it states, so a name is taken only if it may be one, is free,
    and no other of these assets states it. What a stranger made is not given a name that means a
    key or a party here. Assets that have a name keep it.

    Args:
        workspace: Ledger, keys and names.
        owner: A key or a party, by name, DID or public key.

    Returns:
        As ``import_names``.

    Raises:
        NotFoundError: ``owner`` is not known.
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
                raise NotFoundError("it states no name", code="no_name")
            if stating[fold(stated)] > 1:
                raise ConflictError(
                    f"{stating[fold(stated)]} of these assets state the name {stated!r}",
                    code="ambiguous",
                )
            if taken.means_somebody(stated) and not _made_by(tx, key):
                raise ConflictError(
                    f"{stated!r} is the name of a key or a party here, and somebody else made this",
                    code="exists",
                )
            taken.asset(stated, tx["id"])
        except TwinError as error:
            taken.skip(None, stated, tx["id"], error)
    return taken.done()


def _owned_creates(workspace: Workspace, key: str) -> list[Document]:
    """Return the CREATEs of the assets that a key holds an output of."""
    from twincli.services.asset.documents import asset_of

    found: dict[str, Document] = {}
    for ref in workspace.client.outputs(key, spent=False):
        entry = workspace.client.entry(ref["transaction_id"])
        assert entry is not None
        asset_id = asset_of(entry.tx)
        if asset_id not in found:
            first = workspace.client.entry(asset_id)
            assert first is not None
            found[asset_id] = first.tx
    return list(found.values())


def _stated(tx: Document) -> str | None:
    stated = record.creating_envelope(tx).get("name")
    return stated if isinstance(stated, str) else None


def _made_by(tx: Document, key: str) -> bool:
    from twincli.services import signers

    return signers.signers_of(tx) == [key]


def _asset_document(ledger: str, name: str, asset_id: str) -> Document:
    return {
        "name": name,
        "kind": ASSET,
        "value": asset_id,
        "did": did.asset_did(asset_id, ledger),
        "ledger": ledger,
    }


def _party_document(name: str, value: str) -> Document:
    return {
        "name": name,
        "kind": PARTY,
        "value": value,
        "did": value if value.startswith("did:") else did.key_did(value),
        "ledger": None,
    }
