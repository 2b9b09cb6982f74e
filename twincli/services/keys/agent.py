"""The agent: unlocking keys for a while, and locking them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import LockedError, NotFoundError, UsageError
from twincli.keystore import agent, keyfile
from twincli.model import times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.keystore.keyfile import KeyInfo, SecretSource
    from twincli.keystore.store import KeyStore, UnlockedKey
    from twincli.services.documents import Document


def start(
    store: KeyStore,
    names: Sequence[str],
    secret_source: SecretSource | None,
    *,
    ttl: int,
    dry_run: bool = False,
) -> Document:
    """Unlock keys, start the agent if none runs, and have it hold the keys.

    Keys that it holds already get the new time limit. Nothing is started unless a key could be
    unlocked.

    Args:
        store: The keys.
        names: Which; none means all with a passphrase, and those whose passphrase cannot be had
            are left out with a warning as long as there is one that opens.
        secret_source: Gives the passphrases.
        ttl: Seconds until the agent forgets them.
        dry_run: Check the names, unlock and start nothing.

    Returns:
        As ``status``.

    Raises:
        UsageError: ``ttl`` is longer than a year; ``not_supported``: a key whose secret is not in
            its file.
        NotFoundError: There is no such key, or none with a passphrase.
        LockedError: No passphrase could be had, or it is wrong.
        ConflictError: ``agent_full``: those before it are held.
        ConfigError, UnreachableError: The agent cannot be started or used.
    """
    if ttl > agent.MAX_TTL:
        raise UsageError(
            "an agent holds keys for a year at most",
            hint="a key that is to sign unattended for ever has no passphrase",
        )
    infos = _chosen(store, names)
    warnings: list[str] = []
    if not dry_run:
        unlocked = _unlocked(store, infos, secret_source, warnings, choosing=not names)
        from twincli.keystore import agent_server

        agent_server.launch(store.directory)
        for key in unlocked:
            agent.ask(store.directory, "add", key.keypair.seed, ttl=ttl)
    document = status(store)
    document["warnings"] += warnings
    return document


def _chosen(store: KeyStore, names: Sequence[str]) -> list[KeyInfo]:
    if not names:
        infos = [
            info for info in store.scan()[0] if info.passphrase and info.provider == keyfile.FILE
        ]
        if not infos:
            raise NotFoundError(
                "there is no key with a passphrase that an agent could hold",
                hint="twin keys list; keys without a passphrase need no agent",
            )
        return infos
    infos = [store.get(name) for name in dict.fromkeys(names)]
    for info in infos:
        if info.provider != keyfile.FILE:
            raise UsageError(
                f"the secret of the key {info.name} is not in its file ({info.provider}),"
                " so an agent cannot hold it",
                code="not_supported",
            )
    return infos


def _unlocked(
    store: KeyStore,
    infos: list[KeyInfo],
    secret_source: SecretSource | None,
    warnings: list[str],
    *,
    choosing: bool,
) -> list[UnlockedKey]:
    unlocked = []
    first: LockedError | None = None
    for info in infos:
        try:
            unlocked.append(store.unlock(info.name, secret_source))
        except LockedError as error:
            if not choosing:
                raise
            first = first or error
            warnings.append(f"not unlocked: {error.message}")
    if first is not None and not unlocked:
        raise first
    return unlocked


def status(store: KeyStore) -> Document:
    """Say whether an agent runs, what it holds and how it is protected.

    Returns:
        ``twin.agent/1``: ``running pid socket started_at keys hardening warnings``. ``keys`` have
        ``name public_key expires_at``; ``name`` is null for a key that is no longer here.
        ``hardening`` has ``core_dumps_off not_dumpable memory_locked``. What does not apply where
        none runs is null.

    Raises:
        ConfigError: ``foreign_agent``: another user's process is at the agent's place.
        UnreachableError: ``agent_failed``.
    """
    found = agent.status(store.directory)
    document: Document = {
        "schema": "twin.agent/1",
        "running": found is not None,
        "pid": None,
        "socket": agent.path(store.directory),
        "started_at": None,
        "keys": [],
        "hardening": None,
        "warnings": [],
    }
    if found is not None:
        names = {info.public_key: info.name for info in reversed(store.scan()[0])}
        document["pid"] = found["pid"]
        document["started_at"] = times.to_text(found["started_ms"])
        document["keys"] = [
            {
                "name": names.get(key["public_key"]),
                "public_key": key["public_key"],
                "expires_at": times.to_text(key["expires_ms"]),
            }
            for key in found["keys"]
        ]
        document["hardening"] = found["hardening"]
        document["warnings"] = [
            f"the agent's memory is less protected than it could be: not {name}"
            for name, holds in found["hardening"].items()
            if not holds
        ]
    return document


def lock(store: KeyStore, *, dry_run: bool = False) -> Document:
    """Have the agent forget its keys and run on; nothing where none runs.

    Returns:
        As ``status``.
    """
    if not dry_run:
        agent.ask(store.directory, "lock")
    return status(store)


def stop(store: KeyStore, *, dry_run: bool = False) -> Document:
    """Have the agent forget its keys and end; nothing where none runs.

    Returns:
        As ``status``.
    """
    if not dry_run:
        agent.ask(store.directory, "stop")
    return status(store)
