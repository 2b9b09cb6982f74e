"""The whole home in one file, and back.

What can be made anew (``index.db``) is left out, and so is the ledger's private key: two copies of
a ledger must not sign with one key, so a restored ledger gets a new one. A restore reads the
archive front to back, into a directory beside the home, and only what was found whole and in order
becomes the home, in one rename.
"""

from __future__ import annotations

import codecs
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twincli import __version__, files
from twincli.book.store import Book
from twincli.client import profiles
from twincli.crypto import canonical
from twincli.errors import ConfigError, ConflictError, InvalidError, TwinError
from twincli.keystore import keyfile
from twincli.keystore.files import read_private
from twincli.keystore.store import KeyStore
from twincli.ledger import store
from twincli.ledger.ledger import Ledger
from twincli.model import times
from twincli.services.home.archive import (
    BOOK,
    KEYS,
    LEDGER,
    MAX_SMALL,
    NODES,
    REMOVED,
    SETTINGS,
    Archive,
    Part,
    in_memory,
    is_key_file,
    on_disk,
    pack,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

    from twincli.ledger.audit import Report

Document = dict[str, Any]

RECENT = 1000
"""Transactions of the copy that are verified before it is kept; a restore verifies all."""

_DISK = frozenset({"disk_full", "disk_error", "read_only"})
_DAMAGE = frozenset({"damaged_key", "damaged_ledger", "damaged_book", "foreign_file", "config"})


# --- Making one ----------------------------------------------------------------------------------


def create(
    home: str,
    settings: str,
    file: str,
    *,
    now_ms: int,
    write: Callable[[bytes], object] | None = None,
    dry_run: bool = False,
) -> Document:
    """Write a backup of a home while it may be in use.

    What is read later never needs what is read earlier: names before the ledger whose assets they
    name, the ledger before the keys that own in it.

    Args:
        home: The home.
        settings: The settings file, wherever it is.
        file: The new file; ``-`` when ``write`` takes the bytes.
        now_ms: The present.
        write: Takes the bytes in place of a file.
        dry_run: Do all of it but keep nothing.

    Returns:
        ``twin.backup/1``: ``file created ledger height transactions keys names size sha256
        left_out warnings``; ``ledger`` and ``height`` are null where there is no ledger yet,
        ``left_out`` lists the files of the home that are not in the backup.

    Raises:
        ConflictError: ``exists``: the file is there already.
        ConfigError: A key or the ledger is damaged; ``cannot_write``, ``disk_full``.
    """
    if write is None:
        files.check_free(file)
    beside = file if write is None else os.path.join(home, BOOK)
    created = times.to_text(now_ms)
    with ExitStack() as stack:
        parts, ledger, names = _parts(stack, home, settings, beside)
        about = {"created": created, "twincli": __version__, "ledger": ledger, "names": names}
        if dry_run:
            write = _nowhere
        elif write is None:
            write = stack.enter_context(files.new_file(file))
        size, digest = pack(about, parts, now_ms // 1000, write)
    return {
        "schema": "twin.backup/1",
        "file": file,
        "created": created,
        **_ledger_members(ledger),
        "keys": _count_keys(part.name for part in parts),
        "names": names,
        "size": size,
        "sha256": digest,
        "left_out": _left_out(home, {part.name for part in parts}, file),
        "warnings": _warnings(parts),
    }


def _nowhere(_: bytes) -> None:
    return


def _parts(
    stack: ExitStack, home: str, settings: str, beside: str
) -> tuple[list[Part], Document | None, int]:
    """Return the files of a home, what its ledger is, and how many names it has."""
    small = ((SETTINGS, _settings(settings)), (NODES, _settings(os.path.join(home, NODES))))
    parts = [in_memory(name, data) for name, data in small if data is not None]
    names, ledger = 0, None
    path = os.path.join(home, BOOK)
    if os.path.exists(path) and os.path.getsize(path):
        copy = stack.enter_context(_empty_copy(beside))
        with _named(path, copy):
            with Book(path) as book:
                book.copy(copy)
            with Book(copy) as book:
                names = book.check()
        parts.append(on_disk(BOOK, copy))
    path = os.path.join(home, *LEDGER.split("/"))
    if os.path.exists(path):
        copy = stack.enter_context(_empty_copy(beside))
        with _named(path, copy):
            store.backup(path, copy)
            with Ledger.open(copy, create=False, read_only=True) as opened:
                _refuse_problems(opened.verify_last(RECENT), path)
                ledger = _ledger_document(opened)
        parts.append(on_disk(LEDGER, copy))
    parts += _keys(home)
    return parts, ledger, names


def _settings(path: str) -> bytes | None:
    """Return what a settings file holds, None without one; a restore would refuse other than JSON.

    Raises:
        ConfigError: ``cannot_read``, ``config``.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_SMALL + 1).removeprefix(codecs.BOM_UTF8)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise files.cannot("read", path, error) from error
    if len(data) > MAX_SMALL:
        raise ConfigError(f"the settings file {path} is too large")
    try:
        canonical.decode(data, what=f"the settings file {path}")
    except InvalidError as error:
        raise ConfigError(error.message) from error
    return data


@contextmanager
def _empty_copy(beside: str) -> Iterator[str]:
    """Make an empty file that only its owner reads, to be copied into; it is removed in the end."""
    path = files.temporary_beside(beside) + ".db"
    files.sweep(os.path.dirname(path))
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise files.cannot("write", beside, error) from error
    try:
        yield path
    finally:
        for name in (path, f"{path}-wal", f"{path}-shm", f"{path}-journal"):
            if os.path.exists(name):
                os.unlink(name)


@contextmanager
def _named(path: str, copy: str) -> Iterator[None]:
    """Let errors about a copy name what it is a copy of; its disk may be another one, though."""
    try:
        yield
    except ConfigError as error:
        if error.code not in _DISK:
            error.message = error.message.replace(copy, path)
        elif error.code == "disk_full":  # nothing else is written to
            for name in (copy, path):
                error.message = error.message.replace(name, os.path.dirname(copy) or ".")
        raise


def _keys(home: str) -> list[Part]:
    """Return the files of keys, those that were removed included.

    A key that is given another name while we look may be missed under both, so this goes on until
    nothing new is seen twice; what was read before is not read again.
    """
    _, faults = KeyStore(os.path.join(home, KEYS)).scan()
    if faults:
        raise faults[0]
    parts: dict[str, Part] = {}
    quiet = 0
    for _ in range(1000):
        found = _key_names(home)
        unread = [name for name in found if name not in parts]
        for name in unread:
            with suppress(FileNotFoundError):
                parts[name] = in_memory(name, read_private(_place(home, name)))
        quiet = 0 if unread else quiet + 1
        if quiet == 2:
            return [parts[name] for name in found]
    raise TwinError("the keys do not stop changing", code="busy", hint="try again", retryable=True)


def _key_names(home: str) -> list[str]:
    found = []
    for directory in (KEYS, REMOVED):
        try:
            entries = os.listdir(_place(home, directory))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise files.cannot("read", _place(home, directory), error) from error
        found += [f"{directory}/{entry}" for entry in sorted(entries)]
    return [name for name in found if is_key_file(name)]


def _place(home: str, name: str) -> str:
    return os.path.join(home, *name.split("/"))


def _ledger_document(ledger: Ledger) -> Document:
    tip = ledger.tip()
    return {
        "id": ledger.id,
        "height": tip.height,
        "transactions": tip.last_seq,
        "root": tip.root.hex(),
    }


def _ledger_members(ledger: Document | None) -> Document:
    known = ledger or {"id": None, "height": None, "transactions": 0}
    return {
        "ledger": known["id"],
        "height": known["height"],
        "transactions": known["transactions"],
    }


def _refuse_problems(report: Report, what: str) -> None:
    if report.problems:
        name, code, message = report.problems[0]
        raise ConfigError(
            f"{what} is damaged: {name}: {code}: {message}",
            code="damaged_ledger",
            hint="twin doctor --full says what is wrong",
        )


def _count_keys(names: Iterable[str]) -> int:
    return sum(name.startswith(f"{KEYS}/") and not name.startswith(f"{REMOVED}/") for name in names)


def _left_out(home: str, taken: set[str], file: str) -> list[str]:
    found = []
    for directory, _, entries in os.walk(home):
        for entry in entries:
            path = os.path.join(directory, entry)
            name = os.path.relpath(path, home).replace(os.sep, "/")
            if name not in taken and path != os.path.abspath(file):
                found.append(name)
    return sorted(found)


def _warnings(parts: list[Part]) -> list[str]:
    plain, elsewhere = [], []
    for part in parts:
        document = keyfile.parse(part.content) if isinstance(part.content, bytes) else None
        if not part.name.startswith(f"{KEYS}/") or not isinstance(document, dict):
            continue
        name = part.name.removeprefix(f"{KEYS}/").removesuffix(".json")
        if "seed" in document:
            plain.append(name)
        elif "settings" in document:
            elsewhere.append(name)
    warnings = []
    if plain:
        warnings.append(
            f"the secret of {_listed(plain)} is in the backup as it is in the home, without a"
            " passphrase: keep the file where nobody else reads it"
        )
    if elsewhere:
        warnings.append(
            f"the secret of {_listed(elsewhere)} is not in the home, so it is not in the backup"
        )
    return warnings


_LISTED = 8


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


# --- Putting one in place ------------------------------------------------------------------------


def restore(
    stream: IO[bytes], what: str, home: str, settings: str, *, dry_run: bool = False
) -> Document:
    """Verify a backup, all of it, and make it the home.

    Nothing is in place before all of it is. A process killed on the way leaves at most a directory
    ``HOME.restore-...`` beside the home, which nothing reads.

    Args:
        stream: The backup, read front to back.
        what: What errors call it.
        home: A directory that is empty or not there.
        settings: Where the settings file goes.
        dry_run: Only verify, whatever the home holds.

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
        _verify(archive, manifest, place)
        programs = _programs(place)
        key = None
        if not dry_run:
            key = _renew_ledger_key(place)
            _settle(place, home, settings)
    return {
        "schema": "twin.restore/1",
        "home": home,
        "restored": not dry_run,
        "created": manifest["created"],
        **_ledger_members(manifest["ledger"]),
        "ledger_key": key,
        "keys": _count_keys(entry["name"] for entry in manifest["files"]),
        "names": manifest["names"],
        "size": archive.size,
        "sha256": digest,
        "warnings": [*programs, *_left_behind(home)],
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
            f"{home} is where another disk begins, so nothing can become it in one step",
            code="mount_point",
            hint=f"restore into a directory on it: --home {os.path.join(home, 'twin')}",
        )


def _taken(home: str) -> ConflictError:
    return ConflictError(
        f"{home} is not empty, and a backup is restored into an empty home only",
        code="exists",
        hint="restore it elsewhere with --home DIR, or move what is there away",
    )


@contextmanager
def _staging(home: str | None) -> Iterator[str]:
    """Make a directory to unpack into, and remove what is left of it in the end.

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
    """Return a warning for each restore that did not come to its end: it holds keys."""
    directory, name = os.path.split(home)
    entries = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    return [
        f"{os.path.join(directory, entry)} is of a restore that was stopped or still runs; it holds"
        " keys: remove it"
        for entry in entries
        if entry.startswith(f"{name}.restore-")
    ]


def _unpack(archive: Archive, place: str) -> Document:
    """Write the files of an archive, each as the manifest has it; return the manifest."""
    manifest = archive.manifest()
    for directory in (KEYS, REMOVED, os.path.dirname(LEDGER)):
        if any(entry["name"].startswith(f"{directory}/") for entry in manifest["files"]):
            files.make_directory(_place(place, directory))
    for entry in manifest["files"]:
        name, size = entry["name"], entry["size"]
        if archive.header() != (name, size):
            raise archive.damaged(f"{name} is not where it should be")
        digest = sha256()
        with _new_file(_place(place, name)) as write:
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


def _verify(archive: Archive, manifest: Document, place: str) -> None:
    """Check that what was unpacked is in order: keys, names, and every transaction."""
    try:
        _verify_keys(place)
        _settings(_place(place, SETTINGS))
        profiles.load(_place(place, NODES))
        with Book(_place(place, BOOK)) as book:
            if book.check() != manifest["names"]:
                raise archive.damaged("the number of names is another")
        if manifest["ledger"] is not None:
            path = _place(place, LEDGER)
            with Ledger.open(path, create=False, read_only=True) as ledger:
                _refuse_problems(ledger.verify(), LEDGER)
                if _ledger_document(ledger) != manifest["ledger"]:
                    raise archive.damaged("its ledger is another one")
    except (ConfigError, InvalidError) as error:
        error.message = error.message.replace(place + os.sep, "")
        if error.code not in _DAMAGE:
            raise
        raise archive.damaged(error.message) from error


def _verify_keys(place: str) -> None:
    keystore = KeyStore(_place(place, KEYS))
    infos, faults = keystore.scan()
    if faults:
        raise faults[0]
    for info in infos:
        if info.provider == keyfile.FILE and not info.passphrase:
            keystore.unlock(info.name, None)


def _programs(place: str) -> list[str]:
    """Return a warning for each key that has something run when it signs: anybody can write one."""
    warnings = []
    for info in KeyStore(_place(place, KEYS)).scan()[0]:
        settings = info.settings or {}
        run = settings.get("command") or settings.get("module")
        if run:
            said = " ".join(map(str, run)) if isinstance(run, list) else str(run)
            warnings.append(f"the key {info.name} runs what the backup says when it signs: {said}")
    return warnings


def _renew_ledger_key(place: str) -> str | None:
    """Give a restored ledger its own key; return the public one."""
    path = _place(place, LEDGER)
    if not os.path.exists(path):
        return None
    with Ledger.open(path, create=False) as ledger:
        ledger.renew_key()
        return ledger.public_key


def _settle(place: str, home: str, settings: str) -> None:
    """Make the unpacked directory the home."""
    inside = _place(place, SETTINGS)
    if settings != _place(home, SETTINGS) and os.path.exists(inside):
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
            f"the settings file {path} is another one than the backup's",
            code="exists",
            hint="move it away, or restore into --home DIR, which has its own",
        ) from error
