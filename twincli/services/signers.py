"""Choosing the keys that sign: to spend outputs, and to create assets."""

from __future__ import annotations

from twincli.crypto import conditions
from twincli.errors import LockedError, UsageError
from twincli.model import owners
from twincli.services import resolve
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from twincli.crypto.ed25519 import Signer
    from twincli.keystore.keyfile import KeyInfo
    from twincli.services.workspace import Workspace

_SIGNED, _FROM_AGENT, _PLAIN, _ASKS = 0, 1, 2, 10**4
"""Costs of a signature: one passphrase costs more than any number of other keys."""
_NEVER = 10**9


def keys_to_spend(
    workspace: Workspace, details_list: Sequence[dict[str, Any]], what: str
) -> list[KeyInfo]:
    """Return the keys that together fulfil all of some conditions.

    ``--key`` names them. Otherwise keys held by the agent are preferred, then keys without a
    passphrase, then the order of the condition. A threshold gets exactly as many as it needs.

    Args:
        workspace: Keys and names.
        details_list: The condition details of the outputs to spend.
        what: The asset, for the error.

    Raises:
        LockedError: ``no_key``, naming who could sign.
        NotFoundError: A key of ``--key`` does not exist.
    """
    if workspace.keys:
        infos = [workspace.keystore.get(name) for name in dict.fromkeys(workspace.keys)]
    else:
        infos = workspace.keystore.scan()[0]
    by_key = _by_key(infos)
    costs = _costs(workspace, by_key)
    chosen: dict[str, KeyInfo] = {}
    for details in details_list:
        cost, keys = _cheapest(details, costs)
        if cost >= _NEVER:
            raise _no_key(workspace, details, what)
        for key in keys:
            chosen[key] = by_key[key]
    if workspace.keys:
        unused = [info.name for info in infos if info.public_key not in chosen]
        if unused:
            raise LockedError(
                f"these keys are not needed to sign for {what}: {', '.join(unused)}",
                code="no_key",
                hint=f"its owners are {_owners_text(workspace, details_list)};"
                " without --key the right ones are chosen",
            )
    return list(chosen.values())


def keys_to_help(
    workspace: Workspace, details: dict[str, Any], signed: Collection[str]
) -> list[KeyInfo]:
    """Return my keys that help to fulfil a condition.

    As many as are still needed, chosen as by ``keys_to_spend``; if mine do not suffice, all of
    mine that the condition names.

    Args:
        workspace: Keys.
        details: The condition.
        signed: Public keys that have signed it.
    """
    by_key = _by_key(workspace.keystore.scan()[0])
    costs = {**_costs(workspace, by_key), **dict.fromkeys(signed, _SIGNED)}
    cost, keys = _cheapest(details, costs)
    if cost >= _NEVER:
        keys = list(dict.fromkeys(conditions.leaf_keys(details)))
    return [by_key[key] for key in keys if key in by_key and key not in signed]


def _by_key(infos: Iterable[KeyInfo]) -> dict[str, KeyInfo]:
    """Return keys by public key; of two files with the same key, the one without passphrase."""
    return {info.public_key: info for info in sorted(infos, key=lambda i: not i.passphrase)}


def _costs(workspace: Workspace, by_key: dict[str, KeyInfo]) -> dict[str, int]:
    """Return the cost of a signature by each key."""
    # The agent is asked only if it matters: a round trip, and a long one if the agent hangs.
    matters = len(by_key) > 1 and any(info.passphrase for info in by_key.values())
    held = workspace.keystore.held() if matters else frozenset[str]()
    return {
        key: _FROM_AGENT if key in held else _ASKS if info.passphrase else _PLAIN
        for key, info in by_key.items()
    }


def _cheapest(details: dict[str, Any], costs: dict[str, int]) -> tuple[int, list[str]]:
    """Return the cost of the cheapest choice of signers, and their keys."""
    if details["type"] == "ed25519-sha-256":
        key = details["public_key"]
        return (costs[key], [key]) if key in costs else (_NEVER, [])
    parts = [_cheapest(part, costs) for part in details["subconditions"]]
    order = sorted(range(len(parts)), key=lambda number: (parts[number][0], number))
    picked = order[: details["threshold"]]
    if len(picked) < details["threshold"]:
        return _NEVER, []
    keys = [key for number in sorted(picked) for key in parts[number][1]]
    return min(_NEVER, sum(parts[number][0] for number in picked)), keys


def _owners_text(workspace: Workspace, details_list: Iterable[dict[str, Any]]) -> str:
    texts = [resolve.owners_text(workspace, details) for details in details_list]
    return "; ".join(dict.fromkeys(texts))


def _no_key(workspace: Workspace, details: dict[str, Any], what: str) -> LockedError:
    owner = resolve.owners_text(workspace, details)
    if owner == "burned":
        return LockedError(
            f"{what} is burned; nobody can sign for it", code="burned", hint=f"twin history {what}"
        )
    leaves = set(conditions.leaf_keys(details))
    here = [workspace.keystore.get(name) for name in workspace.keys] or (
        workspace.keystore.scan()[0]
    )
    some = list(dict.fromkeys(info.name for info in here if info.public_key in leaves))
    if some:
        return LockedError(
            f"{' and '.join(some)} alone cannot sign for {what}: its owner is {owner}",
            code="no_key",
            hint=f"add --prepare {_file_name(what)}, then send the file to the others to sign"
            f" with: twin tx sign {_file_name(what)}",
        )
    if workspace.keys:
        named = ", ".join(workspace.keys)
        if len(workspace.keys) > 1:
            return LockedError(
                f"the keys {named} cannot sign for {what}: its owner is {owner}",
                code="no_key",
                hint=f"sign as {owner}; without --key the right keys are chosen",
            )
        # The tutorial contradicts itself here: Alice owns the car, yet the car's key appends.
        return LockedError(
            f"the key {named} cannot sign for {what}: its owner is {owner}",
            code="no_key",
            hint=f"sign with --key {owner.split(':')[-1].split(',')[0].strip('()')}; or let the"
            f" device own a child of its own: twin asset create NAME --owner {named}"
            f" --parent {what}; or share ownership: twin asset transfer {what}"
            f" --to any:{owner},{named}"
            if ":" not in owner
            else f"sign as {owner}; a device can own a child of its own:"
            f" twin asset create NAME --owner {named} --parent {what}",
        )
    infos, faults = workspace.keystore.scan()
    mine = ", ".join(info.name for info in infos) or "none"
    # The key may be here, in a file that is not used because something is wrong with it.
    unused = "".join(
        f"; {fault.message}" + (f": {fault.hint}" if fault.hint else "") for fault in faults
    )
    return LockedError(
        f"no key here can sign for {what}: its owner is {owner}",
        code="no_key",
        hint=f"your keys: {mine}; import or recover the owner's key, or ask the owner{unused}",
    )


def _file_name(what: str) -> str:
    """Return a name for the file of a prepared transaction about an asset."""
    stem = what.rpartition(":")[2] if what.startswith(("asset:", "did:")) else what
    return f"{stem[:32]}.json"


def keys_to_create(
    workspace: Workspace,
    owner: dict[str, Any] | None,
    planned: resolve.PlannedKey | None = None,
) -> list[KeyInfo]:
    """Return the keys that sign a CREATE: those of ``--key``, else the owner's, else the default.

    Args:
        workspace: Keys.
        owner: Condition details of the owner, or None.
        planned: A key that is not made yet.

    Raises:
        UsageError: ``no_signer``: there is no key.
    """

    def get(name: str) -> KeyInfo:
        if planned is not None and planned.is_called(name):
            return planned.info
        return workspace.keystore.get(name)

    if workspace.keys:
        # Two names may be one key, which must not count twice.
        return list({info.public_key: info for info in map(get, workspace.keys)}.values())
    infos, faults = workspace.keystore.scan()
    if planned is not None:
        infos = [*infos, planned.info]
    if owner is not None:
        fitting = _by_key(infos)
        for key in conditions.leaf_keys(owner):
            if key in fitting:
                return [fitting[key]]
    if workspace.default_key is not None:
        return [get(workspace.default_key)]
    if infos:
        return [min(infos, key=lambda info: (info.created, info.name))]
    if faults:
        raise faults[0]
    raise UsageError(
        "there is no key to sign with",
        code="no_signer",
        hint="make one: twin keys new NAME",
    )


def unlock(workspace: Workspace, infos: Sequence[KeyInfo]) -> list[Signer]:
    """Unlock keys for signing.

    Raises:
        LockedError: ``locked``, ``bad_passphrase``.
    """
    return [workspace.keystore.signer(info.name, workspace.secrets) for info in infos]


def entity_key(workspace: Workspace, ref: str, planned: resolve.PlannedKey | None = None) -> str:
    """Return the public key of an entity."""
    public_key = resolve.public_key_of(workspace, ref, planned)
    if public_key == owners.BURN_ADDRESS:
        raise UsageError("the burn address has no private key")
    return public_key


MOST_ASKING = 8
"""Keys that a node is asked with, one after the other."""


def to_ask(workspace: Workspace) -> Iterator[Signer]:
    """Yield what signs requests to nodes: by ``--key``, else by the keys at hand.

    Those that cost no passphrase come first. Nothing is unlocked before it is taken.

    Raises:
        LockedError: ``locked``, ``bad_passphrase``.
    """
    if workspace.keys:
        infos = [workspace.keystore.get(name) for name in dict.fromkeys(workspace.keys)]
    else:
        by_key = _by_key(workspace.keystore.scan()[0])
        costs = _costs(workspace, by_key)
        infos = sorted(by_key.values(), key=lambda info: costs[info.public_key])
    for info in infos[:MOST_ASKING]:
        yield workspace.keystore.signer(info.name, workspace.secrets)
