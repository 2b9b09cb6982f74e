"""The agent: unlocking keys for a while, and locking them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import LockedError, NotFoundError, UsageError
from twincli.keystore import agent, keyfile
from twincli.model import times

if TYPE_CHECKING:
    from twincli.keystore.keyfile import KeyInfo
    from twincli.keystore.store import UnlockedKey
    from twincli.services.documents import Agent
    from twincli.services.workspace import Workspace


def start(workspace: Workspace, *, ttl: int) -> Agent:
    """Unlock keys, start the agent if none runs, and have it hold the keys.

    Keys that it already holds get the new time limit. The agent is started only after at least one
    key was unlocked. A dry run checks the names and starts nothing.

    Args:
        workspace: Rooms. Its ``keys`` are held; empty: all that have a passphrase, and those that
            do not open are left out with a warning, as long as at least one does.
        ttl: Seconds until the agent forgets the keys.

    Returns:
        As ``status``.

    Raises:
        UsageError: ``ttl`` is longer than a year; ``not_supported``: a key whose secret is not in
            its file.
        NotFoundError: There is no such key, or none with a passphrase.
        LockedError: The passphrase is missing or wrong.
        ConflictError: ``agent_full``: the keys before that one are held.
        ConfigError, UnreachableError: The agent cannot be started or used.
    """
    if ttl > agent.MAX_TTL:
        raise UsageError(
            "an agent holds keys for at most a year",
            hint="a key that signs unattended for longer needs no passphrase: twin keys passwd NAME"
            " --no-passphrase",
        )
    infos = _chosen(workspace)
    warnings: list[str] = []
    if not workspace.dry_run:
        unlocked = _unlocked(workspace, infos, warnings)
        from twincli.keystore import agent_server

        directory = workspace.keystore.directory
        agent_server.launch(directory)
        for key in unlocked:
            agent.ask(directory, "add", key.keypair.seed, ttl=ttl)
    document = status(workspace)
    document["warnings"] += warnings
    return document


def _chosen(workspace: Workspace) -> list[KeyInfo]:
    store = workspace.keystore
    if not workspace.keys:
        infos = [
            info for info in store.scan()[0] if info.passphrase and info.provider == keyfile.FILE
        ]
        if not infos:
            raise NotFoundError(
                "there is no key with a passphrase that an agent could hold",
                hint="twin keys list; keys without a passphrase need no agent",
            )
        return infos
    infos = [store.get(name) for name in dict.fromkeys(workspace.keys)]
    for info in infos:
        if info.provider != keyfile.FILE:
            raise UsageError(
                f"the secret of the key {info.name} is not in its file ({info.provider}),"
                " so an agent cannot hold it",
                code="not_supported",
            )
    return infos


def _unlocked(workspace: Workspace, infos: list[KeyInfo], warnings: list[str]) -> list[UnlockedKey]:
    unlocked = []
    first: LockedError | None = None
    for info in infos:
        try:
            unlocked.append(workspace.keystore.unlock(info.name, workspace.secrets))
        except LockedError as error:
            if workspace.keys:
                raise
            first = first or error
            warnings.append(f"not unlocked: {error.message}")
    if first is not None and not unlocked:
        raise first
    return unlocked


def status(workspace: Workspace) -> Agent:
    """Return whether an agent runs, its keys and how its memory is protected.

    Returns:
        ``twin.agent/1``: ``running pid socket started_at keys hardening warnings``. ``keys`` have
        ``name public_key expires_at``; ``name`` is null for a key that is no longer here.
        ``hardening`` has ``core_dumps_off not_dumpable memory_locked``. Where no agent runs, the
        rest is null.

    Raises:
        ConfigError: ``foreign_agent``: another user's process is at the agent's place.
        UnreachableError: ``agent_failed``.
    """
    store = workspace.keystore
    found = agent.status(store.directory)
    document: Agent = {
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
            f"the agent's memory is less protected than it could be: {name} is off"
            for name, holds in found["hardening"].items()
            if not holds
        ]
    return document


def lock(workspace: Workspace) -> Agent:
    """Have the agent forget its keys and keep running; nothing where none runs.

    Returns:
        As ``status``.
    """
    if not workspace.dry_run:
        agent.ask(workspace.keystore.directory, "lock")
    return status(workspace)


def stop(workspace: Workspace) -> Agent:
    """Have the agent forget its keys and end; nothing where none runs.

    Returns:
        As ``status``.
    """
    if not workspace.dry_run:
        agent.ask(workspace.keystore.directory, "stop")
    return status(workspace)
