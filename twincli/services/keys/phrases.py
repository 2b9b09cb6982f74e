"""More uses of a phrase: keys for many devices, and a search for the keys of a lost disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import derivation, mnemonic
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConflictError, InvalidError, NotFoundError
from twincli.model import names
from twincli.services.keys import exchange, keys
from twincli.services.keys.keys import NewKey
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.keystore.keyfile import KeyInfo, SecretSource
    from twincli.services.documents import Derivation, Key
    from twincli.services.workspace import Workspace

BRANCH = "m/44'/822'/0'/0'"
"""Where the children of a phrase are, unless another path is asked for: 822 is BigchainDB."""

ACCOUNTS = 20
GAP = 20
"""``scan`` looks at ``ACCOUNTS`` accounts, in each until ``GAP`` keys in a row own nothing, which
is BIP44's rule."""


def derive(
    workspace: Workspace,
    name: str,
    count: int,
    *,
    child_source: SecretSource | None,
    prefix: str | None = None,
    path: str | None = None,
    bip39_passphrase: str = "",
) -> Derivation:
    """Make keys 0 to ``count`` - 1 of the phrase that a key keeps, at ``path``/0', ``path``/1' ...

    A key that already exists, under whatever name, stays as it is: an interrupted run is simply
    run again, and ``count`` can grow. A child does not keep the phrase: a stolen device is that
    device only. A dry run checks the names and opens nothing; unknown values are null.

    Args:
        workspace: Rooms; its ``secrets`` give the parent's passphrase.
        name: The parent.
        count: Number of keys.
        child_source: Returns the passphrase of the children; None stores them in plain.
        prefix: The children are PREFIX-0, PREFIX-1 ...; the parent's name when not given.
        path: Their branch; ``BRANCH`` when not given.
        bip39_passphrase: BIP39's own passphrase, if the parent was made with one.

    Returns:
        ``twin.derivation/1``: ``name path made keys``; each key a ``twin.key/1``, its ``created``
        False where it already existed.

    Raises:
        NotFoundError: There is no such key; ``no_mnemonic``.
        ConflictError: ``exists``: another key has a child's name; none was made.
        InvalidError: ``invalid_path``, ``invalid_name``; ``other_phrase``: the phrase does not
            give the parent.
        LockedError: ``no_secret_here``; a passphrase is missing or wrong.
    """
    store = workspace.keystore
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
    result: Derivation = {
        "schema": "twin.derivation/1",
        "name": parent.name,
        "path": derivation.format_path(branch),
        "made": 0,
        "keys": [],
    }
    if workspace.dry_run:
        here = {names.fold(info.name): info for info in infos}
        for child, steps in wanted:
            result["keys"].append(_expected(workspace, here, NewKey(child, child_source), steps))
        return result
    seed = _seed(workspace, parent, bip39_passphrase)
    known = {info.public_key: info for info in infos}
    pairs = [KeyPair.from_seed(derivation.node(seed, steps)[0]) for _, steps in wanted]
    for (child, _), pair in zip(wanted, pairs, strict=True):
        if pair.public_key not in known:
            # All names are looked at before the first key is made.
            keys.check_name(workspace, child, pair.public_key)
    for (child, steps), pair in zip(wanted, pairs, strict=True):
        present = known.get(pair.public_key)
        if present is None:
            made = keys.keep(
                workspace,
                NewKey(child, child_source, if_missing=True),
                pair,
                rule="slip10",
                path=derivation.format_path(steps),
            )
            result["made"] += made["created"] is not False
        else:
            made = {**keys.document(present), "created": False}
        result["keys"].append(made)
    return result


def _seed(workspace: Workspace, parent: KeyInfo, bip39_passphrase: str) -> bytes:
    """Return the BIP39 seed that the parent was made of."""
    key = workspace.keystore.unlock(parent.name, workspace.secrets)
    assert key.mnemonic is not None
    seed = exchange.seed_of(key, key.mnemonic, bip39_passphrase)
    if seed is None:
        raise InvalidError(
            f"the phrase of the key {parent.name} does not give this key",
            code="other_phrase",
            hint="it was made with BIP39's own passphrase: --bip39-passphrase-file FILE"
            if not bip39_passphrase
            else "it was made with another BIP39 passphrase",
        )
    return seed


def _expected(
    workspace: Workspace, here: dict[str, KeyInfo], wanted: NewKey, steps: tuple[int, ...]
) -> Key:
    path = derivation.format_path(steps)
    present = here.get(names.fold(wanted.name))
    if present is not None and present.path == path:
        return {**keys.document(present), "created": False}
    keys.check_name(workspace, wanted.name)
    return keys.planned(wanted, "slip10", path, has_mnemonic=False)


class Found(NamedTuple):
    """A key of a phrase that a ledger knows.

    Attributes:
        path: SLIP-0010 path, None for the tutorial's rule.
        public_key: base58.
        outputs: Number of outputs that name it, spent or not.
    """

    path: str | None
    public_key: str
    outputs: int


def scan(
    workspace: Workspace, phrase: str, *, checksum: bool = True, bip39_passphrase: str = ""
) -> Found:
    """Find the key of a phrase that owns something on a ledger, or ever did.

    It tries the tutorial's rule and m/44'/822'/account'/0'/number'.

    Args:
        workspace: Rooms, with the ledger.
        phrase: As ``keys.recover`` takes it; likewise ``checksum`` and ``bip39_passphrase``.
        checksum: See above.
        bip39_passphrase: See above.

    Raises:
        InvalidError: ``invalid_mnemonic``.
        NotFoundError: ``nothing_found``, with how many were tried.
        ConflictError: ``ambiguous``, naming the path of each.
    """
    client = workspace.client
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
            hint="for another ledger add --node, for BIP39's own passphrase"
            " --bip39-passphrase-file; without --scan the tutorial's key is made anyway",
        )
    if len(found) > 1:
        raise ConflictError(
            f"{len(found)} keys of this phrase own something on this ledger: " + _listed(found),
            code="ambiguous",
            hint="recover each under its own name, with --path PATH instead of --scan, or without"
            " both for the tutorial's rule; twin keys derive makes all the keys of one path",
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
