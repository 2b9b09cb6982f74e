"""The whole home in one file, and back.

Derived data (``index.db``, what is kept of streams) is left out, and so is the ledger's private
key: two copies of a ledger must not sign with one key, so a restored ledger gets a new one. A
restore reads the archive front to back, into a directory beside the home, and only what was found
whole and in order becomes the home, in one rename.
"""

from __future__ import annotations

import codecs
import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from twincli import __version__, files
from twincli.book.store import Book
from twincli.content.store import Blobs
from twincli.crypto import canonical
from twincli.errors import ConfigError, InvalidError, TwinError
from twincli.keystore import keyfile
from twincli.keystore.files import read_private
from twincli.keystore.store import KeyStore
from twincli.ledger import store
from twincli.ledger.ledger import Ledger
from twincli.model import times
from twincli.services.home.archive import (
    BOOK,
    CONTENT,
    KEYS,
    LEDGER,
    MAX_SMALL,
    NODES,
    REMOVED,
    SETTINGS,
    Part,
    in_memory,
    is_content,
    is_key_file,
    on_disk,
    pack,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twincli.ledger.audit import Report
    from twincli.services.documents import BackedUpLedger, Backup, Document


RECENT = 1000
"""Transactions of the copy that are verified before it is kept; a restore verifies all."""

_DISK = frozenset({"disk_full", "disk_error", "read_only"})
DAMAGE = frozenset(
    {
        "invalid_name",
        "invalid_value",
        "damaged_key",
        "damaged_ledger",
        "damaged_book",
        "foreign_file",
        "config",
    }
)


# --- Making one ----------------------------------------------------------------------------------


def create(
    home: str,
    settings: str,
    file: str,
    *,
    now_ms: int,
    write: Callable[[bytes], object] | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Backup:
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
        progress: Called with how many bytes were read and how many are to be: each byte twice.

    Returns:
        ``twin.backup/1``: ``file created ledger height transactions keys names size sha256
        left_out warnings``; ``ledger`` and ``height`` are null where there is no ledger yet,
        ``left_out`` lists the files of the home that are not in the backup.

    Raises:
        ConflictError: ``exists``: the file already exists.
        ConfigError: A key or the ledger is damaged; ``cannot_write``, ``disk_full``.
    """
    if write is None:
        files.check_free(file)
    beside = file if write is None else os.path.join(home, BOOK)
    created = times.to_text(now_ms)
    with ExitStack() as stack:
        add = _nowhere if progress is None else files.adding_up(progress, 2 * _size(home))
        parts, ledger, names = _parts(stack, home, settings, beside, add)
        about = {"created": created, "twincli": __version__, "ledger": ledger, "names": names}
        if dry_run:
            write = _nowhere
        elif write is None:
            write = stack.enter_context(files.new_file(file))
        size, digest = pack(about, parts, now_ms // 1000, write, add)
    return {
        "schema": "twin.backup/1",
        "file": file,
        "created": created,
        **ledger_members(ledger),
        "keys": count_keys(part.name for part in parts),
        "names": names,
        "size": size,
        "sha256": digest,
        "left_out": _left_out(home, {part.name for part in parts}, file),
        "warnings": _warnings(parts),
    }


def _nowhere(_: object) -> None:
    return


def _size(home: str) -> int:
    """Return about how many bytes of a home are in files that may be large."""
    blobs = Blobs(place_of(home, CONTENT))
    databases = [path for name in (BOOK, LEDGER) if os.path.exists(path := place_of(home, name))]
    return sum(map(os.path.getsize, databases)) + blobs.total(blobs.cids())


def _parts(
    stack: ExitStack, home: str, settings: str, beside: str, progress: Callable[[int], None]
) -> tuple[list[Part], Document | None, int]:
    """Return the files of a home, what its ledger is, and how many names it has."""
    small = ((SETTINGS, settings_of(settings)), (NODES, settings_of(os.path.join(home, NODES))))
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
        parts.append(on_disk(BOOK, copy, progress))
    path = os.path.join(home, *LEDGER.split("/"))
    if os.path.exists(path):
        copy = stack.enter_context(_empty_copy(beside))
        with _named(path, copy):
            store.backup(path, copy)
            with Ledger.open(copy, create=False) as opened:
                refuse_problems(opened.verify_last(RECENT), path)
                ledger = ledger_document(opened)
        parts.append(on_disk(LEDGER, copy, progress))
    parts += _keys(home)
    parts += _content(home, progress)
    return parts, ledger, names


def _content(home: str, progress: Callable[[int], None]) -> Iterator[Part]:
    """Yield the files of twins and streams; they never change, so nothing is copied first."""
    blobs = Blobs(place_of(home, CONTENT))
    for cid in sorted(blobs.cids()):
        path = blobs.path(cid)
        name = f"{CONTENT}/{cid[-2:]}/{cid}"
        if is_content(name) and os.path.isfile(path) and not os.path.islink(path):
            try:
                yield on_disk(name, path, progress)
            except OSError as error:
                raise files.cannot("read", path, error) from error


def settings_of(path: str) -> bytes | None:
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
            error.reworded(error.message.replace(copy, path))
        elif error.code == "disk_full":  # nothing else is written to
            for name in (copy, path):
                error.reworded(error.message.replace(name, os.path.dirname(copy) or "."))
        raise


def _keys(home: str) -> list[Part]:
    """Return the files of keys, those that were removed included, as they are at one moment."""
    _, faults = KeyStore(os.path.join(home, KEYS)).scan()
    if faults:
        raise faults[0]
    # No key gets another name meanwhile, under both of which it might be missed.
    with files.held(place_of(home, KEYS)):
        parts: dict[str, Part] = {}
        for _ in range(1000):
            found = _key_names(home)
            unread = [name for name in found if name not in parts]
            if not unread:
                return [parts[name] for name in found]
            # Where the system has no such lock, one may be gone again; then they are listed again.
            for name in unread:
                with suppress(FileNotFoundError):
                    parts[name] = in_memory(name, read_private(place_of(home, name)))
    raise TwinError("the keys keep changing", code="busy", hint="try again", retryable=True)


def _key_names(home: str) -> list[str]:
    found = []
    for directory in (KEYS, REMOVED):
        try:
            entries = os.listdir(place_of(home, directory))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise files.cannot("read", place_of(home, directory), error) from error
        found += [f"{directory}/{entry}" for entry in sorted(entries)]
    return [name for name in found if is_key_file(name)]


def place_of(home: str, name: str) -> str:
    """Return the place in a home for an entry of a backup."""
    return os.path.join(home, *name.split("/"))


def ledger_document(ledger: Ledger) -> Document:
    """Return what a backup records of its ledger."""
    tip = ledger.tip()
    return {
        "id": ledger.id,
        "height": tip.height,
        "transactions": tip.last_seq,
        "root": tip.root.hex(),
    }


def ledger_members(ledger: Document | None) -> BackedUpLedger:
    """Return the part of it for the command's document."""
    known = ledger or {"id": None, "height": None, "transactions": 0}
    return {
        "ledger": known["id"],
        "height": known["height"],
        "transactions": known["transactions"],
    }


def refuse_problems(report: Report, what: str) -> None:
    """Raise the first problem of a verification."""
    if report.problems:
        name, code, message = report.problems[0]
        raise ConfigError(
            f"{what} is damaged: {name}: {code}: {message}",
            code="damaged_ledger",
            hint="twin doctor --full shows what is wrong",
        )


def count_keys(names: Iterable[str]) -> int:
    """Return how many of some file names are those of keys."""
    return sum(name.startswith(f"{KEYS}/") and not name.startswith(f"{REMOVED}/") for name in names)


def _left_out(home: str, taken: set[str], file: str) -> list[str]:
    found = []
    for directory, _, entries in os.walk(home):
        for entry in entries:
            path = os.path.join(directory, entry)
            name = os.path.relpath(path, home).replace(os.sep, "/")
            # A database is copied together with its log.
            held = name.removesuffix("-wal").removesuffix("-shm") in taken
            if not held and path != os.path.abspath(file):
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
            f"the backup holds the secret of {_listed(plain)} without a passphrase, as the home"
            " does: keep the file where nobody else can read it"
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
