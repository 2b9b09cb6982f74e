"""Private grants, as the twin's own records state them, and what is in their wraps."""

from __future__ import annotations

from twincli.crypto import age
from twincli.errors import InvalidError, LockedError
from twincli.model import private, record
from twincli.rules.authority import AUTHORISED, Place, Scope
from twincli.services.privacy import locks
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from twincli.model.encryption import Epoch, Wrap
    from twincli.model.private import Secret
    from twincli.rules.authority import Given
    from twincli.services.access import Access
    from twincli.services.privacy.shelf import Shelf
    from twincli.services.workspace import Workspace


class Made(NamedTuple):
    """A wrap, and the height of the block that has it."""

    wrap: Wrap
    height: int | None


class Hidden(NamedTuple):
    """A grant whose scope is private.

    Attributes:
        tx_id: The transaction that made it.
        body: What that states.
        made: Its wraps, the oldest first.
    """

    tx_id: str
    body: dict[str, Any]
    made: list[Made]

    def opened(self, shelf: Shelf, public_key: str, secret: str) -> Secret | None:
        """Return what the newest wrap of a party holds that is at hand and can be opened.

        Args:
            shelf: Where wraps are.
            public_key: The party.
            secret: The identity of age that opens them.
        """
        for each in reversed(self.made):
            data = shelf.wrap(each.wrap.cid) if each.wrap.public_key == public_key else None
            if data is None:
                continue
            try:
                found = private.decode(age.open_sealed(data, [secret]))
            except (LockedError, InvalidError):
                continue
            if found is not None and private.is_committed(self.body, found):
                return found
        return None


def of_twin(workspace: Workspace, twin_id: str) -> dict[str, Hidden]:
    """Return the private grants of a twin, by their transactions, also those that are over."""
    found: dict[str, Hidden] = {}
    for entry in workspace.client.records(twin_id, locks.CARRIERS):
        envelope = record.envelope_of(entry.tx["metadata"]) or {}
        body = envelope.get("body")
        if entry.tx["operation"] == "CREATE" or not isinstance(body, dict):
            continue
        if envelope.get("kind") == record.GRANT and private.MEMBER in body:
            made = [Made(wrap, entry.height) for wrap in private.wraps(body)]
            found[entry.tx["id"]] = Hidden(entry.tx["id"], body, made)
        for renewal in private.renewals(body):
            if renewal.grant in found:
                made = [Made(wrap, entry.height) for wrap in renewal.wraps]
                found[renewal.grant].made.extend(made)
    return found


def scope_of(secret: Secret) -> Scope:
    """Return the scope that is in a wrap, as rules judge it."""
    if not secret.scope:
        return Scope()
    return Scope(*(frozenset(secret.scope.get(name, ())) for name in Scope._fields))


def is_in_force(access: Access, given: Given, place: Place, now_ms: int) -> bool:
    """Say whether a grant holds now, whatever its scope."""
    key = str(given.public_key)
    return access.found.held(given, key, place, now_ms).standing == AUTHORISED


def of_given(access: Access, hidden: dict[str, Hidden]) -> list[tuple[Given, Hidden]]:
    """Return private grants as the rules know them, one for each party."""
    return [
        (given, hidden[given.tx_id])
        for given in access.found.given
        if given.is_private and given.tx_id in hidden
    ]


def is_known_to_others(
    workspace: Workspace,
    access: Access,
    hidden: dict[str, Hidden],
    epoch: Epoch,
    party: str | None = None,
) -> bool:
    """Say whether somebody whose private grant is over may hold the identity of an epoch.

    Nobody but the holders knows what the scope is; so a new epoch begins of all that the twin has.

    Args:
        workspace: The clock.
        access: Judges the grants.
        hidden: All private grants of the twin.
        epoch: The epoch.
        party: Only this party; None: anybody.
    """
    now_ms = workspace.now()
    present = access.present(now_ms)
    for given, each in of_given(access, hidden):
        is_other = party not in {None, given.public_key}
        if is_other or is_in_force(access, given, present, now_ms):
            continue
        for made in each.made:
            is_later = epoch.height is not None and (made.height or 0) >= epoch.height
            if made.wrap.public_key == given.public_key and is_later:
                return True
    return False


def identities(found: Secret, what: str) -> dict[int, str]:
    """Return the identities of the epochs of a stream or file that are in a wrap."""
    return {
        number: identity
        for (named, number), identity in found.identities.items()
        if named == what and _is_identity(identity)
    }


def _is_identity(text: str) -> bool:
    try:
        age.load().x25519.Identity.from_str(text)
    except age.load().IdentityError:
        return False
    return True
