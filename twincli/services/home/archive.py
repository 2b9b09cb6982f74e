"""The format of a backup: a tar archive, written and read front to back.

``manifest.json`` comes first and lists what follows, laid out as in a home: names, sizes, SHA-256.
It carries its own SHA-256, so that any change to what is restored is found. Anybody can write an
archive, though, so a reader takes only names that a home has, and no more bytes than announced.
"""

from __future__ import annotations

import re
import tarfile
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twincli import files
from twincli.crypto import canonical
from twincli.errors import ConfigError, InvalidError
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from twincli.services.documents import Document


SCHEMA = "twin.backup-manifest/1"
MANIFEST = "manifest.json"
SETTINGS = "config.json"
NODES = "nodes.json"
BOOK = "book.db"
LEDGER = "ledger/ledger.db"
KEYS = "keys"
REMOVED = "keys/removed"
CONTENT = "content"

MAX_SMALL = 1 << 16
"""Bytes of a key file; the settings are smaller still."""

_CONTENT_FILE = re.compile(r"content/([a-z2-7]{2})/b[a-z2-7]{20,120}")
_KEY_FILE = re.compile(r"keys/(removed/)?[a-z0-9][a-z0-9._-]{0,79}\.json")
_BLOCK = tarfile.BLOCKSIZE
_PIECE = 1 << 20
_MAX_MANIFEST = 1 << 25


class Part(NamedTuple):
    """A file of a home.

    Attributes:
        name: Its place in the home, with slashes.
        size: Bytes.
        digest: SHA-256 in hex.
        content: Its bytes, or the path of a copy that holds them.
    """

    name: str
    size: int
    digest: str
    content: bytes | str


def in_memory(name: str, data: bytes) -> Part:
    """Return a part whose content is known."""
    return Part(name, len(data), sha256(data).hexdigest(), data)


def on_disk(name: str, path: str, progress: Callable[[int], None]) -> Part:
    """Return a part whose content is read from a file, once for its sum and once to be packed."""
    digest, size = sha256(), 0
    with open(path, "rb") as stream:
        while data := stream.read(_PIECE):
            digest.update(data)
            size += len(data)
            progress(len(data))
    return Part(name, size, digest.hexdigest(), path)


def is_key_file(name: str) -> bool:
    """Say whether a place in the home is that of a key, present or removed."""
    return _KEY_FILE.fullmatch(name) is not None


def is_content(name: str) -> bool:
    """Say whether a place in the home is that of content."""
    found = _CONTENT_FILE.fullmatch(name)
    return found is not None and name.endswith(found[1])


def digest_of(manifest: Document) -> str:
    """Return the SHA-256 of a manifest without its own."""
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    return sha256(canonical.encode(rest)).hexdigest()


def pack(
    about: Document,
    parts: list[Part],
    time: int,
    write: Callable[[bytes], object],
    progress: Callable[[int], None],
) -> tuple[int, str]:
    """Write an archive.

    Args:
        about: What the manifest says beside the list of files.
        parts: The files.
        time: Seconds since the epoch, for those who list it.
        write: Takes the bytes.
        progress: Called with the size of each piece that was written.

    Returns:
        Its size and SHA-256.
    """
    listed = [{"name": part.name, "size": part.size, "sha256": part.digest} for part in parts]
    manifest = {"schema": SCHEMA, **about, "files": listed}
    manifest["sha256"] = digest_of(manifest)
    digest, size = sha256(), 0
    for data in _pieces([in_memory(MANIFEST, canonical.encode(manifest)), *parts], time):
        digest.update(data)
        size += len(data)
        write(data)
        progress(len(data))
    return size, digest.hexdigest()


def _pieces(parts: list[Part], time: int) -> Iterator[bytes]:
    for part in parts:
        info = tarfile.TarInfo(part.name)
        info.size, info.mtime, info.mode = part.size, time, 0o600
        yield info.tobuf(tarfile.GNU_FORMAT)  # it has no bound on sizes
        if isinstance(part.content, bytes):
            yield part.content
        else:
            with open(part.content, "rb") as stream:
                while data := stream.read(_PIECE):
                    yield data
        yield bytes(-part.size % _BLOCK)
    yield bytes(2 * _BLOCK)


class Archive:
    """An archive that is read front to back, no more than announced.

    Attributes:
        what: What errors call it.
        size: Bytes read so far.
    """

    def __init__(self, stream: IO[bytes], what: str) -> None:
        self.what = what
        self.size = 0
        self._stream = stream
        self._digest = sha256()

    def _read(self, count: int) -> bytes:
        data = b""
        try:
            while len(data) < count and (more := self._stream.read(count - len(data))):
                data += more
        except OSError as error:
            raise files.cannot("read", self.what, error) from error
        if len(data) < count:
            raise self.damaged("it ends early")
        self._digest.update(data)
        self.size += count
        return data

    def header(self) -> tuple[str, int]:
        """Return the name and size of the next file."""
        try:
            info = tarfile.TarInfo.frombuf(self._read(_BLOCK), "ascii", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            raise self.damaged("the header of a file is malformed") from error
        if info.type != tarfile.REGTYPE:
            raise self.damaged("it contains something other than files")
        return info.name, info.size

    def content(self, size: int) -> Iterator[bytes]:
        """Yield the next file in pieces."""
        for start in range(0, size, _PIECE):
            yield self._read(min(_PIECE, size - start))
        if any(self._read(-size % _BLOCK)):
            raise self.damaged("there is other data between its files")

    def manifest(self) -> Document:
        """Return the manifest, which is the first file.

        Raises:
            InvalidError: ``not_a_backup``, ``damaged_backup``.
            ConfigError: ``newer_version``.
        """
        try:
            name, size = self.header()
        except InvalidError:
            name, size = "", 0
        if name != MANIFEST or not 0 < size <= _MAX_MANIFEST:
            raise InvalidError(
                f"{self.what} is not a twin backup",
                code="not_a_backup",
                hint="twin backup create -o FILE makes one",
            )
        try:
            manifest = canonical.decode(b"".join(self.content(size)))
        except InvalidError as error:
            raise self.damaged("its manifest is not JSON") from error
        if not isinstance(manifest, dict) or not str(manifest.get("schema")).startswith(
            SCHEMA[:-1]
        ):
            raise self.damaged("its manifest is malformed")
        if manifest["schema"] != SCHEMA:
            raise ConfigError(
                f"the backup {self.what} was written by a newer twincli",
                code="newer_version",
                hint="upgrade twincli",
            )
        # What follows trusts the manifest's form: it is as this version wrote it.
        if manifest.get("sha256") != digest_of(manifest):
            raise self.damaged("its manifest was altered")
        if not _is_sound(manifest):
            raise self.damaged("its manifest lists files that do not belong to a home")
        return manifest

    def end(self) -> str:
        """Check that nothing more comes; return the SHA-256 of the whole."""
        if any(self._read(2 * _BLOCK)) or self._stream.read(1):
            raise self.damaged("it does not end where it should")
        return self._digest.hexdigest()

    def damaged(self, why: str) -> InvalidError:
        """Return the error for an archive that is not as it was written."""
        return InvalidError(f"the backup {self.what} is damaged: {why}", code="damaged_backup")


def _is_sound(manifest: Document) -> bool:
    """Say whether a manifest names only what a home holds; anybody can write one."""
    entries = manifest.get("files")
    if not isinstance(entries, list) or not all(map(_is_part, entries)):
        return False
    listed = [entry["name"] for entry in entries]
    ledger = manifest.get("ledger")
    known = (
        ledger is None
        if LEDGER not in listed
        else isinstance(ledger, dict) and ledger.keys() >= {"id", "height", "transactions", "root"}
    )
    return (
        known
        and len(set(listed)) == len(listed)
        and isinstance(manifest.get("created"), str)
        and type(manifest.get("names")) is int
    )


def _is_part(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.keys() != {"name", "size", "sha256"}:
        return False
    name, size = entry["name"], entry["size"]
    if not isinstance(name, str) or type(size) is not int or size < 0:
        return False
    if name in {BOOK, LEDGER} or is_content(name):
        return True
    return size <= MAX_SMALL and (name in {SETTINGS, NODES} or is_key_file(name))
