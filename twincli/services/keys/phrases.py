"""What else a phrase gives: the keys of many devices, and the keys that a lost disk had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.crypto import derivation, mnemonic
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConflictError, InvalidError, NotFoundError
from twincli.model import names
from twincli.services.keys import exchange, keys

if TYPE_CHECKING:
    from datetime import datetime

    from twincli.book.store import Book
    from twincli.client import LedgerClient
    from twincli.keystore.keyfile import KeyInfo, SecretSource
    from twincli.keystore.store import KeyStore

BRANCH = "m/44'/822'/0'/0'"
"""Where the children of a phrase are, unless another path is asked for: 822 is BigchainDB."""

ACCOUNTS = 20
GAP = 20
"""``scan`` looks at so many accounts, and in each goes on until so many keys in a row own nothing;
the latter is the rule of BIP44."""


def derive(
    store: KeyStore,
    name: str,
    count: int,
    *,
    secret_source: SecretSource | None,
    child_source: SecretSource | None,
    prefix: str | None = None,
    path: str | None = None,
    bip39_passphrase: str = "",
    book: Book | None = None,
    dry_run: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Make keys 0 to ``count`` - 1 of the phrase that a key keeps, at ``path``/0', ``path``/1' ...

    A key that is here already, under whatever name, stays as it is, so that a run that was
    interrupted is simply run again, and ``count`` can grow. A child does not keep the phrase: who
    takes a device has that device.

    Args:
        store: Where the parent is and the children go.
        name: The parent.
        count: How many.
        secret_source: Gives the parent's passphrase.
        child_source: Gives the passphrase of the children; None keeps them in plain.
        prefix: The children are PREFIX-0, PREFIX-1 ...; the parent's name when not given.
        path: Where they are; ``BRANCH`` when not given.
        bip39_passphrase: BIP39's own passphrase, if the parent was made with one.
        book: Names of others, which a child must not take.
        dry_run: Check the names, open nothing; what is not known is null.
        now: Creation time; the present when not given.

    Returns:
        ``twin.derivation/1``: ``name path made keys``; each key a ``twin.key/1``, its ``created``
        False where it was here already.

    Raises:
        NotFoundError: There is no such key; ``no_mnemonic``.
        ConflictError: ``exists``: another key has a child's name; none was made.
        InvalidError: ``invalid_path``, ``invalid_name``; ``other_phrase``: the phrase does not
            give the parent.
        LockedError: ``no_secret_here``; a passphrase is missing or wrong.
    """
    parent = store.get(name)
    exchange.check_in_file(parent)
    if not parent.has_mnemonic:
        raise exchange.no_mnemonic(parent)
    branch = derivation.parse_path(BRANCH if path is None else path)
    wanted = [
        (f"{parent.name if prefix is None else prefix}-{number}", (*branch, number))
        for number in range(count)
    ]
    for child, _ in wanted:
        names.check(child)
    infos = store.scan()[0]
    result: dict[str, Any] = {
        "schema": "twin.derivation/1",
        "name": parent.name,
        "path": derivation.format_path(branch),
        "made": 0,
        "keys": [],
    }
    if dry_run:
        here = {names.fold(info.name): info for info in infos}
        for child, steps in wanted:
            result["keys"].append(_expected(store, book, here, child, steps, child_source))
        return result
    seed = _seed(store, parent, secret_source, bip39_passphrase)
    known = {info.public_key: info for info in infos}
    pairs = [KeyPair.from_seed(derivation.node(seed, steps)[0]) for _, steps in wanted]
    for (child, _), pair in zip(wanted, pairs, strict=True):
        if pair.public_key not in known:
            # All names are looked at before the first key is made.
            keys.check_name(store, book, child, pair.public_key)
    for (child, steps), pair in zip(wanted, pairs, strict=True):
        present = known.get(pair.public_key)
        if present is None:
            made = keys.keep(
                store,
                child,
                pair,
                secret_source=child_source,
                rule="slip10",
                path=derivation.format_path(steps),
                if_missing=True,
                book=book,
                now=now,
            )
            result["made"] += made["created"] is not False
        else:
            made = {**keys.document(present), "created": False}
        result["keys"].append(made)
    return result


def _seed(
    store: KeyStore, parent: KeyInfo, secret_source: SecretSource | None, bip39_passphrase: str
) -> bytes:
    """Return the BIP39 seed that the parent was made of."""
    key = store.unlock(parent.name, secret_source)
    assert key.mnemonic is not None
    seed = exchange.seed_of(key, key.mnemonic, bip39_passphrase)
    if seed is None:
        raise InvalidError(
            f"the phrase of the key {parent.name} does not give this key",
            code="other_phrase",
            hint="BIP39's own passphrase belongs to it: --bip39-passphrase-file FILE"
            if not bip39_passphrase
            else "BIP39's own passphrase is another one",
        )
    return seed


def _expected(
    store: KeyStore,
    book: Book | None,
    here: dict[str, KeyInfo],
    child: str,
    steps: tuple[int, ...],
    child_source: SecretSource | None,
) -> dict[str, Any]:
    path = derivation.format_path(steps)
    present = here.get(names.fold(child))
    if present is not None and present.path == path:
        return {**keys.document(present), "created": False}
    keys.check_name(store, book, child)
    return keys.planned(child, "slip10", path, child_source, has_mnemonic=False)


class Found(NamedTuple):
    """A key of a phrase that a ledger knows.

    Attributes:
        path: SLIP-0010 path, None for the tutorial's rule.
        public_key: base58.
        outputs: How many outputs name it, spent or not.
    """

    path: str | None
    public_key: str
    outputs: int


def scan(
    client: LedgerClient, phrase: str, *, checksum: bool = True, bip39_passphrase: str = ""
) -> Found:
    """Find the key of a phrase that owns something on a ledger, or ever did.

    Tried are the tutorial's rule and m/44'/822'/account'/0'/number'.

    Args:
        client: The ledger.
        phrase: As ``keys.recover`` takes it; likewise ``checksum`` and ``bip39_passphrase``.
        checksum: See above.
        bip39_passphrase: See above.

    Raises:
        InvalidError: ``invalid_mnemonic``.
        NotFoundError: ``nothing_found``, with how many were tried.
        ConflictError: ``ambiguous``, naming the path of each.
    """
    seed = mnemonic.to_seed(keys.phrase_of(phrase, checksum=checksum), bip39_passphrase)
    found = []
    tutorial = derivation.tutorial(seed).public_key
    outputs = len(client.outputs(tutorial))
    if outputs:
        found.append(Found(None, tutorial, outputs))
    tried = 1
    for account in range(ACCOUNTS):
        number = unused = 0
        while unused < GAP:
            path = f"m/44'/822'/{account}'/0'/{number}'"
            public_key = derivation.slip10(seed, path).public_key
            outputs = len(client.outputs(public_key))
            if outputs:
                found.append(Found(path, public_key, outputs))
            unused = 0 if outputs else unused + 1
            number += 1
            tried += 1
    if not found:
        raise NotFoundError(
            f"none of {tried} keys of this phrase ever owned anything on this ledger",
            code="nothing_found",
            hint="another ledger: --node; BIP39's own passphrase: --bip39-passphrase-file;"
            " without --scan the tutorial's key is made all the same",
        )
    if len(found) > 1:
        raise ConflictError(
            f"{len(found)} keys of this phrase own something on this ledger: " + _listed(found),
            code="ambiguous",
            hint="recover each under a name of its own: --path PATH instead of --scan,"
            " and neither of them for the tutorial's rule;"
            " twin keys derive makes all the keys of one path",
        )
    return found[0]


_SHOWN = 20


def _listed(found: list[Found]) -> str:
    lines = [
        f"{entry.path or 'by the tutorial rule'} {entry.public_key} ({entry.outputs} outputs)"
        for entry in found[:_SHOWN]
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(lines) + more
