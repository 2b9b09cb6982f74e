"""Make private grants, and renew their wraps when the twin has new epochs."""

from __future__ import annotations

from twincli.crypto import age
from twincli.errors import LockedError, TwinError, UsageError
from twincli.keystore import keyfile
from twincli.model import private, record
from twincli.model.private import Renewal, Secret
from twincli.rules.authority import holds
from twincli.services.access import Access
from twincli.services.privacy import locks, opening, wrapping
from twincli.services.privacy import private as grants
from twincli.services.privacy.shelf import Shelf
from twincli.services.record.say import is_for_us, say
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.model.encryption import Wrap
    from twincli.services.privacy.locks import Lock
    from twincli.services.privacy.private import Hidden
    from twincli.services.record.attachments import Stores
    from twincli.services.workspace import Workspace


def begin(
    workspace: Workspace,
    stores: Stores,
    twin_id: str,
    parties: Mapping[str, str | None],
    scope: dict[str, list[str]],
) -> tuple[dict[str, Any], list[Lock]]:
    """Return what a private grant states in place of its scope, and what could not be opened.

    Args:
        workspace: Rooms; in a dry run nothing is opened or kept.
        stores: Where wraps are, and go.
        twin_id: The twin.
        parties: Whom it is to, each with the recipient of age that it is wrapped for, or None.
        scope: The members that hold the scope; empty: everything.

    Raises:
        UsageError: ``bad_scope``: it has too many words.
        LockedError: ``cannot_decrypt``: no key of the twin's holders could open it again.
    """
    words = private.words(scope)
    if len(words) > private.HASHES:
        raise UsageError(
            f"a private scope has at most {private.HASHES} words, not {len(words)}",
            code="bad_scope",
            hint="make several grants",
        )
    salt = workspace.random(private.SALT)
    hashes = {private.hash_of(salt, word) for word in words}
    hashes |= {workspace.random(32).hex() for _ in range(private.HASHES - len(hashes))}
    if workspace.dry_run:
        return private.member(hashes, ()), []
    secret, closed = _secret(workspace, stores, twin_id, salt, scope)
    wraps = _wrapped(workspace, stores, twin_id, secret, parties)
    return private.member(hashes, wraps), closed


def _wrapped(
    workspace: Workspace,
    stores: Stores,
    twin_id: str,
    secret: Secret,
    parties: Mapping[str, str | None],
) -> tuple[Wrap, ...]:
    """Encrypt what a private grant hides to its parties, and to those who hold the twin."""
    holders = locks.holders(workspace, twin_id)
    able = {key: None for key in holders if wrapping.can_open(workspace, key)}
    if not able:
        raise wrapping.cannot_decrypt(workspace, holders[0] if holders else "")
    return wrapping.wrapped(workspace, stores, private.encode(secret).decode(), {**able, **parties})


def _secret(
    workspace: Workspace,
    stores: Stores,
    twin_id: str,
    salt: bytes,
    scope: dict[str, list[str]],
    shredded: str | None = None,
) -> tuple[Secret, list[Lock]]:
    """Return what a wrap holds now, and what of the scope could not be opened."""
    found: dict[tuple[str, int], str] = {}
    closed: list[Lock] = []
    made = Secret(salt, scope, found, "")
    wanted = grants.scope_of(made)
    epochs: list[tuple[str, int]] = []
    for lock in locks.of_twin(workspace, twin_id):
        history = locks.history(workspace, lock)
        epochs += [(lock.what, epoch.number) for epoch in history.epochs]
        if lock.what == shredded or not holds(wanted, lock.topic):
            continue
        secrets: dict[int, str] = {}
        try:
            secrets = opening.keyring(workspace, Shelf(stores.blobs, stores.nodes), lock).secrets
        except LockedError as error:
            if error.code not in {"no_grant", "missing_wrap"}:
                raise
        found.update({(lock.what, number): secret for number, secret in secrets.items()})
        if len(secrets) < len(history.epochs):
            closed.append(lock)
    return made._replace(seen=private.fingerprint(epochs)), closed


def renew(
    workspace: Workspace, stores: Stores, twin_id: str, *, shredded: str | None = None
) -> bool:
    """Give all private grants that are in force new wraps, where the twin has new epochs.

    All of them at once, whatever their scopes: so it does not show which of them it is for. Only
    who holds the twin can.

    Args:
        workspace: Rooms.
        stores: Where wraps are, and go.
        twin_id: The twin.
        shredded: What none of them shall open any more; then also where nothing is new.

    Returns:
        Whether it did.
    """
    hidden = grants.of_twin(workspace, twin_id)
    if not hidden or workspace.dry_run:
        return False
    from twincli.services.asset.attempt import Target
    from twincli.services.asset.write_options import PLAIN

    if not is_for_us(Target.find(workspace, twin_id, PLAIN)):
        return False
    access, now_ms = Access(workspace, twin_id), workspace.now()
    present = access.present(now_ms)
    parties: dict[str, dict[str, str | None]] = {}
    for given, each in grants.of_given(access, hidden):
        if grants.is_in_force(access, given, present, now_ms):
            recipient = record.text(each.body.get("recipient"))
            parties.setdefault(given.tx_id, {})[str(given.public_key)] = recipient
    opened = {tx_id: _own(workspace, stores, hidden[tx_id], twin_id) for tx_id in parties}
    # Of those of a former owner nobody here knows what the scope is.
    known = {tx_id: secret for tx_id, secret in opened.items() if secret is not None}
    made = {
        tx_id: _secret(workspace, stores, twin_id, secret.salt, secret.scope, shredded)[0]
        for tx_id, secret in known.items()
    }
    is_new = any(each.seen != known[tx_id].seen for tx_id, each in made.items())
    if not made or not (is_new or shredded):
        return False
    renewed = [
        Renewal(tx_id, _wrapped(workspace, stores, twin_id, each, parties[tx_id]))
        for tx_id, each in made.items()
    ]
    try:
        for at in range(0, len(renewed), private.MAX_RENEWED):
            some = renewed[at : at + private.MAX_RENEWED]
            body = {private.RENEWS: [private.renewal(each) for each in some]}
            say(workspace, twin_id, record.GRANT, body, is_owners=True)
    except TwinError as error:
        if error.code == "frozen":
            return False
        raise
    return True


def _own(workspace: Workspace, stores: Stores, hidden: Hidden, twin_id: str) -> Secret | None:
    """Return what a private grant hides, opened with a key that is here.

    Those of present holders come first; after a rotation it is the one that held the twin before.
    """
    holders = set(locks.holders(workspace, twin_id))
    shelf = Shelf(stores.blobs, stores.nodes)
    able = {made.wrap.public_key for made in hidden.made}
    infos = [info for info in workspace.keystore.scan()[0] if info.provider == keyfile.FILE]
    for info in sorted(infos, key=lambda info: info.public_key not in holders):
        if info.public_key not in able:
            continue
        try:
            key = workspace.keystore.unlock(info.name, workspace.secrets)
        except LockedError:
            continue
        found = hidden.opened(shelf, info.public_key, age.of_seed(key.keypair.seed).secret)
        if found is not None:
            return found
    return None
