"""Resolving what people write (names, DIDs, ids, prefixes, keys) to what the ledger knows.

An asset is given by local name, DID, id, or unique prefix of its id; a party by local key, local
name, did:key or base58 key. ``key:car`` and ``asset:car`` select the namespace.
"""

from __future__ import annotations

from twincli.crypto import base58, conditions
from twincli.errors import ConflictError, InvalidError, NotFoundError, UsageError
from twincli.model import names as _names
from twincli.model import owners, record
from twincli.model.ids import MIN_PREFIX, is_prefix
from twincli.model.transaction import signers_of
from twincli.values import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twincli.book.store import Book
    from twincli.keystore.keyfile import KeyInfo
    from twincli.keystore.store import KeyStore
    from twincli.services.workspace import Workspace


MOST_HITS = 100
"""Assets with a text that are looked at for one that it identifies."""


class Parties(Protocol):
    """Where keys and parties have names: a ``Workspace``, or less where no ledger is needed."""

    @property
    def keystore(self) -> KeyStore:
        """The keys of this home."""

    @property
    def book(self) -> Book:
        """The local names."""


def exists(workspace: Workspace) -> Callable[[str], bool]:
    """Return a function that checks whether an asset is on the ledger."""
    return lambda asset_id: workspace.client.entry(asset_id) is not None


def asset_id_of(workspace: Workspace, ref: str) -> str:
    """Return the id of the asset that ``ref`` names.

    Raises:
        NotFoundError: ``not_found``, with near names.
        ConflictError: ``ambiguous``: a prefix of several.
        InvalidError: A DID of another kind.
    """
    found = asset_id_or_none(workspace, ref)
    if found is None:
        bare = ref.removeprefix("asset:")
        raise NotFoundError(
            f"there is no asset {bare!r} on this ledger", hint=_near_asset(workspace, bare)
        )
    return found


def asset_id_or_none(workspace: Workspace, ref: str) -> str | None:
    """Return the id of the asset that ``ref`` names, None where there is none.

    Raises:
        ConflictError, InvalidError: As `asset_id_of`.
        NotFoundError: A DID, or the id of a transaction, that is not of an asset here.
    """
    if ref.startswith("key:"):
        raise UsageError(f"{ref!r} names a key, but an asset is needed")
    bare = ref.removeprefix("asset:")
    found = workspace.book.lookup(workspace.client.ledger_id, bare, exists(workspace))
    if found is not None:
        return found
    if bare.startswith("did:"):
        return _by_did(workspace, bare)
    folded = bare.lower()
    if is_prefix(bare):
        ids = workspace.client.find_prefix(folded)
        if len(ids) > 1:
            raise ConflictError(
                f"several ids start with {bare}: {', '.join(ids)}",
                code="ambiguous",
                hint="give more digits",
            )
        if ids:
            return _asset_of(workspace, ids[0])
    identified = _by_identifier(workspace, bare)
    if len(identified) > 1:
        raise ConflictError(
            f"{bare} identifies several twins: {', '.join(identified)}",
            code="ambiguous",
            hint="give the id of one",
        )
    return identified[0] if identified else None


def _by_identifier(workspace: Workspace, text: str) -> list[str]:
    """Return the twins of that primary identifier that are mine, or whose issuer I have named."""
    from twincli.model import fields

    try:
        wanted = fields.identifier(text, "it")
    except InvalidError:
        return []
    client = workspace.client
    kept = client.identified(wanted)
    if kept is None and '"' not in text:
        found = [hit["id"] for hit in client.search_assets(f'"{text}"', MOST_HITS)]
    else:
        found = kept or []
    if not found:
        return []
    names = Names(workspace)
    mine = {info.public_key for info in workspace.keystore.scan()[0]}
    held = set(client.held_by(sorted(mine)))
    known = [
        asset_id
        for asset_id in found
        if asset_id in held or any(map(names.of_key, signers_of(client.required(asset_id).tx)))
    ]
    if kept is not None:
        return known
    return [asset_id for asset_id in known if _identifier(workspace, asset_id) == wanted]


def _identifier(workspace: Workspace, asset_id: str) -> str | None:
    """Return the primary identifier that a twin has by its template, if that is at hand."""
    from twincli.model import identity
    from twincli.services import catalogue

    replay = workspace.client.replay(asset_id)
    if replay is None or replay.create is None:
        return None
    try:
        model = catalogue.of_twin(workspace, replay.pin)
        if model is None:
            return None
        return identity.identifier(model.template, replay.create["asset"]["data"], asset_id)
    except (NotFoundError, InvalidError):
        return None


def _by_did(workspace: Workspace, text: str) -> str:
    from twincli.model import did

    parsed = did.parse(text)
    if parsed.asset_id is not None:
        ledger = parsed.ledger
        if ledger is not None and not workspace.client.ledger_id.startswith(ledger):
            raise NotFoundError(
                f"{text} is on the ledger {ledger}, this one is {workspace.client.ledger_id[:16]}"
            )
        if workspace.client.entry(parsed.asset_id) is None:
            raise NotFoundError(f"there is no asset {parsed.asset_id} on this ledger")
        return _asset_of(workspace, parsed.asset_id)
    if parsed.orm_id is not None:
        hits = [
            hit["id"]
            for hit in workspace.client.search_assets(f'"{parsed.orm_id}"')
            if (hit["data"] or {}).get("id") == parsed.orm_id
        ]
        if len(hits) > 1:
            raise ConflictError(f"several assets state {text}: {', '.join(hits)}", code="ambiguous")
        if hits:
            return str(hits[0])
        raise NotFoundError(f"there is no asset with the id {parsed.orm_id} on this ledger")
    raise InvalidError(
        f"{text} is the DID of a {parsed.kind}, but an asset is needed", code="wrong_did"
    )


def _asset_of(workspace: Workspace, tx_id: str) -> str:
    entry = workspace.client.required(tx_id)
    if entry.tx["operation"] != "CREATE":
        raise NotFoundError(
            f"{tx_id} is a transaction of the asset {entry.tx['asset']['id']}, not an asset",
            hint=f"twin tx show {tx_id}",
        )
    return tx_id


def _near_asset(workspace: Workspace, name: str) -> str:
    known = [entry.name for entry in workspace.book.list_assets(workspace.client.ledger_id)]
    return near(name, known) or (
        "to see those you own: twin asset list"
        if known
        else "give the id of an asset made elsewhere, or make one: twin asset create NAME"
    )


def near(name: str, known: Iterable[str]) -> str | None:
    """Return a hint with the most similar known name, or None."""
    found = _names.near(name, known)
    return f"did you mean {found}?" if found else None


def transaction_id_of(workspace: Workspace, ref: str) -> str:
    """Return the id of the transaction that ``ref`` (an id or a prefix of one) names.

    Raises:
        NotFoundError, ConflictError: As ``asset_id_of``.
    """
    folded = ref.lower()
    if is_prefix(ref):
        ids = workspace.client.find_prefix(folded)
        if len(ids) > 1:
            raise ConflictError(
                f"several ids start with {ref}: {', '.join(ids)}",
                code="ambiguous",
                hint="give more digits",
            )
        if ids:
            return ids[0]
    raise NotFoundError(
        f"there is no transaction {ref} on this ledger",
        hint=f"give its id, or at least its first {MIN_PREFIX} digits",
    )


class PlannedKey(NamedTuple):
    """A key that is not made yet: ``did new`` makes it once the CREATE is known to be valid.

    Attributes:
        name: Its future name.
        public_key: A placeholder; the real one is not known yet.
    """

    name: str
    public_key: str

    @property
    def info(self) -> KeyInfo:
        """The future description of its file, newer than all others."""
        from twincli.keystore.keyfile import KeyInfo

        return KeyInfo(self.name, self.public_key, "9999", False, "random", None, False)  # noqa: FBT003

    def is_called(self, name: str) -> bool:
        """Say whether a name means this key."""
        return _names.fold(name.removeprefix("key:")) == _names.fold(self.name)


def public_key_of(workspace: Parties, ref: str, planned: PlannedKey | None = None) -> str:
    """Return the public key of a key, a named party, a did:key, or base58 itself.

    Args:
        workspace: Keys and names.
        ref: The reference, as written.
        planned: A key that is also known.

    Raises:
        NotFoundError: ``not_found``, with near names.
        InvalidError: A DID without a key.
    """
    if ref.startswith("asset:"):
        raise UsageError(f"{ref!r} names an asset, but a key is needed")
    if planned is not None and planned.is_called(ref):
        return planned.public_key
    bare = ref.removeprefix("key:")
    try:
        return workspace.keystore.get(bare).public_key
    except (NotFoundError, InvalidError):
        pass
    value = bare
    if not bare.startswith("did:"):
        value = workspace.book.party(bare) or bare
    if value.startswith("did:"):
        from twincli.model import did

        parsed = did.parse(value)
        if parsed.public_key is None:
            raise InvalidError(
                f"{value} has no key; only a did:key can own and sign", code="wrong_did"
            )
        return parsed.public_key
    if not base58.is_key(value):
        raise NotFoundError(
            f"there is no key or named party {bare!r}", hint=_near_party(workspace, bare)
        )
    return value


def _near_party(workspace: Parties, name: str) -> str:
    keys, _ = workspace.keystore.scan()
    known = [info.name for info in keys]
    known += [party.name for party in workspace.book.list_parties()]
    return (
        near(name, known)
        or f"make a key: twin keys new {name}; or name one: twin name set {name} KEY"
    )


def name_of(workspace: Parties, public_key: str) -> str | None:
    """Return the local name of a public key, or None."""
    return Names(workspace).of_key(public_key)


class Names:
    """Local names of keys and owners; the keys are listed once, however many names are asked for.

    Args:
        workspace: Keys and names.
        planned: A key that is also known.
    """

    def __init__(self, workspace: Parties, planned: PlannedKey | None = None) -> None:
        self._book = workspace.book
        self._keystore = workspace.keystore
        self._mine: dict[str, str] | None = None
        self._known: dict[str, str | None] = {}
        if planned is not None:
            self._known[planned.public_key] = planned.name

    def of_key(self, public_key: str) -> str | None:
        """Return the name of a public key, or None."""
        if public_key in self._known:
            return self._known[public_key]
        if self._mine is None:
            self._mine = {info.public_key: info.name for info in self._keystore.scan()[0]}
        name = self._mine.get(public_key)
        if name is None:
            found = self._book.names_of_party(public_key)
            name = found[0] if found else None
        self._known[public_key] = name
        return name

    def of_owner(self, public_key: str) -> str | None:
        """Return the name of a key in a list of owners: the burn address is ``burned``.

        No other key is shown as ``burned``, even if that is its name.
        """
        if public_key == owners.BURN_ADDRESS:
            return _BURNED
        name = self.of_key(public_key)
        if name != _BURNED:
            return name
        others = [held for held in self._book.names_of_party(public_key) if held != _BURNED]
        return others[0] if others else None

    def of_keys(self, public_keys: Iterable[str]) -> list[str | None]:
        """Return ``of_owner`` of each."""
        return [self.of_owner(key) for key in public_keys]

    def owner(self, details: dict[str, Any]) -> str:
        """Return condition details as an owner expression in local names."""
        if "public_key" in details:  # the common case, kept fast
            key = details["public_key"]
            return self.of_owner(key) or str(key)
        return owners.to_text(details, lambda key: self.of_owner(key) or key)


_BURNED = "burned"


def names_of(workspace: Parties, public_keys: Iterable[str]) -> list[str | None]:
    """Return the local names of public keys, None for those without."""
    return Names(workspace).of_keys(public_keys)


def asset_name(workspace: Workspace, asset_id: str) -> str | None:
    """Return the local name of an asset, or None."""
    found = workspace.book.names_of(workspace.client.ledger_id, asset_id)
    return found[0] if found else None


def asset_names(workspace: Workspace) -> dict[str, str]:
    """Return the local names of all assets on this ledger, by id; for many lookups."""
    names: dict[str, str] = {}
    for entry in workspace.book.list_assets(workspace.client.ledger_id):
        names.setdefault(entry.asset_id, entry.name)
    return names


def owner_details(
    workspace: Workspace, expression: str, planned: PlannedKey | None = None
) -> dict[str, Any]:
    """Return the condition details of an owner expression.

    Args:
        workspace: Keys, names, and the ledger that may know a recipient.
        expression: The owner expression, as written.
        planned: A key that is also known.

    Raises:
        UsageError: ``bad_owners``; ``unknown_recipient``: a key that neither the names nor the
            ledger know, without ``accept_unknown`` (base58 has no checksum).
        NotFoundError: A name is unknown.
        InvalidError: ``not_a_curve_point``: no private key has this public key.
    """
    parsed = owners.parse(expression)
    details = owners.to_details(parsed, lambda ref: public_key_of(workspace, ref, planned))
    check_recipients(workspace, details, planned)
    return details


def require_point(public_key: str) -> None:
    """Refuse a public key that no private key can have.

    Raises:
        InvalidError: ``not_a_curve_point``.
    """
    from twincli.crypto import ed25519

    if not ed25519.is_point(base58.decode_key(public_key)):
        raise InvalidError(
            f"no private key has the public key {public_key}",
            code="not_a_curve_point",
            hint="was a character lost or changed?",
        )


def check_recipients(
    workspace: Workspace, details: dict[str, Any], planned: PlannedKey | None = None
) -> None:
    """Check the keys of condition details; raises as ``owner_details``."""
    for key in dict.fromkeys(conditions.leaf_keys(details)):
        if key == owners.BURN_ADDRESS:
            raise UsageError(
                "this is the burn address: assets sent there are lost",
                hint="to burn an asset: twin asset burn NAME",
            )
        require_point(key)
        if planned is not None and key == planned.public_key:
            continue
        if workspace.accept_unknown or name_of(workspace, key) is not None:
            continue
        if not workspace.client.knows(key):
            raise UsageError(
                f"the recipient {key} is neither among your names nor on this ledger",
                code="unknown_recipient",
                hint=f"check it, then add --yes or: twin name set NAME {key}",
            )


def owners_text(workspace: Parties, details: dict[str, Any]) -> str:
    """Return condition details as an owner expression in local names."""
    return Names(workspace).owner(details)


def asset_kind(tx: dict[str, Any]) -> str | None:
    """Return the kind in the envelope of a CREATE, or None."""
    return record.text(record.creating_envelope(tx).get("kind"))
