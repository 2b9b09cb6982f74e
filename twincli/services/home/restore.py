"""A home, brought back from a backup."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from twincli import files
from twincli.book.store import Book
from twincli.client import profiles
from twincli.crypto import base58, sealing
from twincli.errors import ConfigError, ConflictError, InvalidError
from twincli.keystore import keyfile
from twincli.keystore.files import read_private
from twincli.keystore.store import KeyStore
from twincli.ledger.ledger import Ledger
from twincli.model import ids, names
from twincli.services.home.archive import (
    BOOK,
    CONTENT,
    KEYS,
    LEDGER,
    MAX_SMALL,
    NODES,
    REMOVED,
    SETTINGS,
    Archive,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from twincli.services.documents import Document, Restored


from twincli.services.home.backup import (
    DAMAGE,
    count_keys,
    ledger_document,
    ledger_members,
    place_of,
    refuse_problems,
    settings_of,
)


def restore(
    stream: IO[bytes],
    what: str,
    home: str,
    settings: str,
    *,
    dry_run: bool = False,
    trusted: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Restored:
    """Verify a backup, all of it, and make it the home.

    Nothing is put in place before all of it is verified. A process killed on the way
    leaves at most a directory ``HOME.restore-...`` beside the home, which nothing reads.

    Args:
        stream: The backup, read front to back.
        what: What errors call it.
        home: A directory that is empty or not there.
        settings: Where the settings file goes.
        dry_run: Only verify, whatever the home holds.
        trusted: Keep what the backup says about nodes, their headers and certificates, and files of
            passphrases. Without it these settings are left out, each with a warning that says how
            to set it: a stranger's backup could send secrets to a stranger's node.
        progress: Called while the ledger is verified, with how much is done and how much there is.

    Returns:
        ``twin.restore/1``: ``home restored created ledger height transactions ledger_key keys
        names size sha256 warnings``; ``ledger_key`` is the ledger's new public key, null without
        ledger and in a dry run.

    Raises:
        ConflictError: ``exists``: there is something in the home, or another settings file.
        InvalidError: ``not_a_backup``, ``damaged_backup``.
        ConfigError: ``newer_version``, ``newer_schema``, ``cannot_write``, ``mount_point``.
    """
    home = os.path.realpath(home)
    settings = os.path.realpath(settings)
    if not dry_run:
        _check_free(home)
    with _staging(None if dry_run else home) as place:
        archive = Archive(stream, what)
        manifest = _unpack(archive, place)
        digest = archive.end()
        _verify(archive, manifest, place, progress)
        warnings = [*_programs(place), *_costs(place)]
        if not trusted:
            warnings += _set_aside(place)
        key = None
        if not dry_run:
            key = _renew_ledger_key(place)
            _settle(place, home, settings)
    return {
        "schema": "twin.restore/1",
        "home": home,
        "restored": not dry_run,
        "created": manifest["created"],
        **ledger_members(manifest["ledger"]),
        "ledger_key": key,
        "keys": count_keys(entry["name"] for entry in manifest["files"]),
        "names": manifest["names"],
        "size": archive.size,
        "sha256": digest,
        "warnings": [*warnings, *_left_behind(home)],
    }


def _check_free(home: str) -> None:
    try:
        held = os.listdir(home)
    except FileNotFoundError:
        return
    except OSError as error:
        raise files.cannot("read", home, error) from error
    if held:
        raise _taken(home)
    if os.path.ismount(home):
        raise ConfigError(
            f"{home} is a mount point, so it cannot be replaced in one step",
            code="mount_point",
            hint=f"restore into a directory on it: --home {os.path.join(home, 'twin')}",
        )


def _taken(home: str) -> ConflictError:
    return ConflictError(
        f"{home} is not empty, and a backup can only be restored into an empty home",
        code="exists",
        hint="restore it elsewhere with --home DIR, or move the contents away",
    )


@contextmanager
def _staging(home: str | None) -> Iterator[str]:
    """Make a directory to unpack into, and remove it in the end if it is still there.

    Args:
        home: What it is to become; None: nothing, so any disk will do.
    """
    if home is None:
        place = tempfile.mkdtemp(prefix="twin-restore-")
    else:
        files.make_directory(os.path.dirname(home))
        place = f"{home}.restore-{os.urandom(8).hex()}"
        files.make_directory(place)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _left_behind(home: str) -> list[str]:
    """Return a warning for each unfinished restore: it holds keys."""
    directory, name = os.path.split(home)
    entries = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    return [
        f"{os.path.join(directory, entry)} is left from a restore that was stopped, or is"
        " still running; it holds keys: remove it"
        for entry in entries
        if entry.startswith(f"{name}.restore-")
    ]


def _unpack(archive: Archive, place: str) -> Document:
    """Write the files of an archive, each as the manifest has it; return the manifest."""
    manifest = archive.manifest()
    for directory in (KEYS, REMOVED, os.path.dirname(LEDGER)):
        if any(entry["name"].startswith(f"{directory}/") for entry in manifest["files"]):
            files.make_directory(place_of(place, directory))
    for shelf in sorted({entry["name"].rpartition("/")[0] for entry in manifest["files"]}):
        if shelf.startswith(f"{CONTENT}/"):
            files.make_directory(place_of(place, shelf))
    for entry in manifest["files"]:
        name, size = entry["name"], entry["size"]
        if archive.header() != (name, size):
            raise archive.damaged(f"{name} is not where it should be")
        digest = sha256()
        with _new_file(place_of(place, name)) as write:
            for data in archive.content(size):
                digest.update(data)
                write(data)
        if digest.hexdigest() != entry["sha256"]:
            raise archive.damaged(f"{name} was altered")
    return manifest


@contextmanager
def _new_file(path: str) -> Iterator[Callable[[bytes], object]]:
    """Write a private file durably, in a directory that nobody else uses."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags, 0o600), "wb") as stream:
            yield stream.write
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise files.cannot("write", path, error) from error


def _verify(
    archive: Archive,
    manifest: Document,
    place: str,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Check that what was unpacked is in order: keys, names, and every transaction."""
    try:
        _verify_keys(place)
        settings_of(place_of(place, SETTINGS))
        profiles.load(place_of(place, NODES))
        with Book(place_of(place, BOOK)) as book:
            if book.check() != manifest["names"]:
                raise archive.damaged("the number of names differs")
            _verify_names(book)
        if manifest["ledger"] is not None:
            path = place_of(place, LEDGER)
            with Ledger.open(path, create=False) as ledger:
                refuse_problems(ledger.verify(progress=progress), LEDGER)
                if ledger_document(ledger) != manifest["ledger"]:
                    raise archive.damaged("it is another ledger")
    except (ConfigError, InvalidError) as error:
        error.reworded(error.message.replace(place + os.sep, ""))
        if error.code not in DAMAGE:
            raise
        raise archive.damaged(error.message) from error


def _verify_keys(place: str) -> None:
    keystore = KeyStore(place_of(place, KEYS))
    infos, faults = keystore.scan()
    if faults:
        raise faults[0]
    for info in infos:
        if info.provider == keyfile.FILE and not info.passphrase:
            keystore.unlock(info.name, None)


def _verify_names(book: Book) -> None:
    """Refuse names that could not have been given here: an id, a key, invisible characters.

    Raises:
        InvalidError: ``invalid_name``, ``invalid_value``.
    """
    for ledger in book.ledgers():
        for asset in book.list_assets(ledger):
            names.check(asset.name, "asset")
            if not (ids.is_id(ledger) and ids.is_id(asset.asset_id)):
                raise InvalidError(f"{asset.name} stands for no asset", code="invalid_value")
    for party in book.list_parties():
        names.check(party.name, "party")
        if not (party.value.startswith("did:") or base58.is_key(party.value)):
            raise InvalidError(f"{party.name} stands for no key or DID", code="invalid_value")


_ASIDE = ("node", "passphrase_file", "tls_ca", "tls_cert", "tls_key")
"""Settings that let a backup decide what is read, and where it is sent."""


def _set_aside(place: str) -> list[str]:
    """Remove the settings that a stranger's backup must not decide; say how to set them."""
    warnings = []
    path = place_of(place, SETTINGS)
    data = settings_of(path)
    stored = {} if data is None else json.loads(data)
    if isinstance(stored, dict):
        for name in _ASIDE:
            if name in stored and not (name == "node" and stored[name] == "local"):
                value = shlex.quote(str(stored.pop(name)))
                warnings.append(
                    f"the backup's setting {name} is not used; if you trust it:"
                    f" twin config set {name} {value}"
                )
        if warnings:
            files.replace(path, json.dumps(stored, indent=2).encode() + b"\n")
    nodes = profiles.load(place_of(place, NODES))
    changed = False
    for name, profile in nodes.items():
        given = [
            f"--{option.replace('_', '-')} {shlex.quote(value)}"
            for option in ("header_file", "tls_ca", "tls_cert", "tls_key")
            if (value := getattr(profile, option)) is not None
        ]
        if given:
            changed = True
            nodes[name] = profile._replace(
                header_file=None, tls_ca=None, tls_cert=None, tls_key=None
            )
            warnings.append(
                f"the backup's files for the network {name} are not used; if you trust it:"
                f" twin node add {name} {','.join(profile.urls)} {' '.join(given)}"
            )
    if changed:
        profiles.save(place_of(place, NODES), nodes)
    return warnings


_MOST_WORK = 8
"""A key of somebody else's backup may cost this many times what one's own costs to open."""


def _costs(place: str) -> list[str]:
    """Return a warning for each key that is weakly protected.

    Raises:
        InvalidError: ``cost_out_of_bounds``: opening a key would exhaust this machine.
    """
    warnings = []
    own = sealing.DEFAULT_COST
    for info in KeyStore(place_of(place, KEYS)).scan()[0]:
        document = keyfile.parse(
            read_private(place_of(place, f"{KEYS}/{names.fold(info.name)}.json"))
        )
        sealed = document.get("sealed")
        if not isinstance(sealed, dict):
            continue
        passes, memory = sealed.get("operations"), sealed.get("memory")
        if type(passes) is not int or type(memory) is not int:
            continue  # refused when it is opened
        if passes * memory > _MOST_WORK * own.operations * own.memory:
            raise InvalidError(
                f"the key {info.name} of the backup takes {passes} passes over {memory >> 20} MiB"
                " to open",
                code="cost_out_of_bounds",
                hint="the file may have been made to exhaust this machine",
            )
        if passes < own.operations or memory < own.memory:
            warnings.append(
                f"the passphrase of the key {info.name} is easier to guess than that of a new key:"
                f" twin keys passwd {info.name}"
            )
    return warnings


def _programs(place: str) -> list[str]:
    """Return a warning for each key that runs a command when it signs: anybody can write one."""
    warnings = []
    for info in KeyStore(place_of(place, KEYS)).scan()[0]:
        settings = info.settings or {}
        run = settings.get("command") or settings.get("module")
        if run:
            said = " ".join(map(str, run)) if isinstance(run, list) else str(run)
            warnings.append(
                f"the key {info.name} runs a command from the backup when it signs: {said}"
            )
    return warnings


def _renew_ledger_key(place: str) -> str | None:
    """Give a restored ledger its own key; return the public one."""
    path = place_of(place, LEDGER)
    if not os.path.exists(path):
        return None
    with Ledger.open(path, create=False) as ledger:
        ledger.renew_key()
        ledger.checkpoint()
        return ledger.public_key


def _settle(place: str, home: str, settings: str) -> None:
    """Make the unpacked directory the home."""
    inside = place_of(place, SETTINGS)
    if settings != place_of(home, SETTINGS) and os.path.exists(inside):
        with open(inside, "rb") as stream:
            _write_settings(settings, stream.read())
        os.unlink(inside)
    for directory, _, _ in os.walk(place):
        files.sync_directory(directory)
    try:
        if os.path.isdir(home):
            os.rmdir(home)  # it is empty, or this fails
        os.rename(place, home)
    except OSError as error:
        if os.path.isdir(home) and os.listdir(home):  # somebody else was faster
            raise _taken(home) from error
        raise files.cannot("write", home, error) from error
    files.sync_directory(os.path.dirname(home))


def _write_settings(path: str, data: bytes) -> None:
    """Write the settings file of a home that has it elsewhere; the same one may be there."""
    files.make_directory(os.path.dirname(path))
    try:
        files.write_new(path, data)
    except ConflictError as error:
        with open(path, "rb") as stream:
            if stream.read(MAX_SMALL + 1) == data:
                return
        raise ConflictError(
            f"the settings file {path} differs from the backup's",
            code="exists",
            hint="move it away, or restore into --home DIR, which has its own",
        ) from error
