"""The evidence in a bundle, read where it lies."""

from __future__ import annotations

import io
import json
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from twincli.errors import ConfigError, InvalidError, NotFoundError
from twincli.files import cannot, open_at_once
from twincli.formats import bundle, pages
from twincli.model import record
from twincli.services.proof.evidence import BUNDLE, Claims, Finding, LeftOut, Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import IO

    from twincli.client import LedgerClient
    from twincli.formats.bundle import Bundle, Line
    from twincli.ledger.ledger import Ledger

_HEAD = 200


def left_out(items: Iterable[bundle.LeftOut]) -> list[LeftOut]:
    """Return what is left out as evidence says it."""
    return [
        LeftOut(item.what, item.stream or item.cid or "", item.since, item.until, item.number)
        for item in items
    ]


def name_of(named: object) -> str | None:
    """Return what a bundle calls a twin, given what its CREATE does."""
    return named if isinstance(named, str) and 0 < len(named) <= bundle.MAX_NAME else None


class BundleEvidence:
    """What a bundle holds.

    Every entry is compared with the manifest here, so that whatever was altered is found even
    where nothing asks for it.

    Args:
        read: The bundle.
        progress: Called with how many bytes were compared, and how many there are.
    """

    kind = BUNDLE
    holds_content = True
    ledger: Ledger | None = None
    unlogged: LedgerClient | None = None

    def __init__(self, read: Bundle, progress: Callable[[int, int], None] | None = None) -> None:
        about = read.manifest
        self.bundle = read
        self.source = read.what
        self.asset_id: str | None = about.asset_id
        self.claims = Claims(
            about.ledger_id,
            about.public_key,
            (),
            about.profile,
            about.size,
            bytes.fromhex(about.root),
        )
        self.left_out: Sequence[LeftOut] = left_out(about.left_out)
        self.faults: Sequence[Finding] = list(self._compared(progress))
        self.notes: Sequence[bytes] = [read.read(bundle.CHECKPOINT)]

    def _compared(self, progress: Callable[[int, int], None] | None) -> Iterator[Finding]:
        places, done = self.bundle.places, 0
        whole = sum(place.size for place in places.values())

        def count(size: int) -> None:
            nonlocal done
            done += size
            if progress is not None:
                progress(done, whole)

        for name in places:
            if self.bundle.altered(name, count):
                yield Finding("altered_entry", name, f"{name} is not what the manifest lists")
        page = places.get(bundle.PAGE)
        if page is not None and page.sha256 not in pages.known():
            said = "the page is not one that a release of twincli had; do not open it"
            yield Finding("unknown_page", bundle.PAGE, said)
        with suppress(InvalidError):  # lines out of order are met again where they are judged
            if self._is_misnamed():
                said = "the manifest calls the twin other than its CREATE does"
                yield Finding("wrong_name", bundle.MANIFEST, said)

    def _is_misnamed(self) -> bool:
        """Say whether the manifest has another name for the twin than its CREATE."""
        about = self.bundle.manifest
        mark = f'"id":"{about.asset_id}"'.encode()
        for line in self.bundle.lines():
            if mark in line.body and b'"operation":"CREATE"' in line.body:
                try:
                    tx = json.loads(line.body.decode())
                    named = record.creating_envelope(tx).get("name")
                    is_its = tx["id"] == about.asset_id
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    return False  # not a transaction, which is reported where it is judged
                if is_its:
                    return about.name != name_of(named)
        return False

    def transactions(self) -> Iterator[Recorded]:
        """See ``Evidence``."""
        yield from map(recorded, self.bundle.lines())

    def root_at(self, size: int) -> bytes | None:
        """See ``Evidence``."""
        return self.claims.root if size == self.claims.size else None

    def content(self, cid: str) -> IO[bytes] | None:
        """See ``Evidence``."""
        name = bundle.CONTENT + cid
        if name not in self.bundle.places:
            return None
        return io.BufferedReader(_Entry(self.bundle, name))

    def cids(self) -> Iterator[str]:
        """See ``Evidence``."""
        yield from self.bundle.contents()


def recorded(line: Line) -> Recorded:
    """Return a line as evidence has it."""
    return Recorded(line.position, line.height, line.time_ms, line.body, line.path)


class _Entry(io.RawIOBase):
    """An entry of a bundle as a file; others may be read in between."""

    def __init__(self, read: Bundle, name: str) -> None:
        self._bundle, self._place, self._at = read, read.places[name], 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = (0, self._at, self._place.size)[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._bundle.part(self._place, self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


@contextmanager
def opened(path: str) -> Iterator[Bundle]:
    """Open a bundle, or a page with one inside.

    Raises:
        NotFoundError: ``no_file``.
        ConfigError: ``cannot_read``, ``newer_version``.
        InvalidError: ``not_a_bundle``, ``damaged_bundle``.
    """
    try:
        stream = open(path, "rb", opener=open_at_once)  # noqa: SIM115 - closed below
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}", code="no_file") from error
    except (OSError, ValueError) as error:
        raise cannot("read", path, error) from error
    with stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):  # a pipe might never end
            raise ConfigError(f"cannot read {path}: not a regular file", code="cannot_read")
        try:
            found = _bundle(stream, path)
        except OSError as error:
            raise cannot("read", path, error) from error
        yield found


def _bundle(stream: IO[bytes], path: str) -> Bundle:
    if pages.is_page(stream.read(_HEAD)):
        stream.seek(0)
        whole = stream.read(2 * pages.MAX_EMBEDDED)
        stream = io.BytesIO(pages.extracted(whole, path))
    return bundle.Bundle(stream, path)


@contextmanager
def of_bundle(
    path: str, progress: Callable[[int, int], None] | None = None
) -> Iterator[BundleEvidence]:
    """Read the evidence in a bundle, or in a page with one inside.

    Args:
        path: The file.
        progress: Called with how many bytes were compared, and how many there are.

    Raises:
        NotFoundError: ``no_file``.
        ConfigError: ``cannot_read``, ``newer_version``.
        InvalidError: ``not_a_bundle``, ``damaged_bundle``: nothing in it can be relied on; lines
            out of order show when `transactions` comes to them.
    """
    with opened(path) as read:
        yield BundleEvidence(read, progress)
