"""Files that a record names: their content is durable here, and on the nodes, before it is said.

`attached` stores the files of ``--attach FILE:TYPE`` and returns what a record says of them.
"""

from __future__ import annotations

from contextlib import contextmanager

from twincli.content.store import PIECE_BYTES
from twincli.crypto import cid as _cid
from twincli.errors import InvalidError, UsageError
from twincli.files import cannot
from twincli.model import bodies
from twincli.values import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from twincli.client.content import NodeContent
    from twincli.content.store import Blobs, Readable
    from twincli.services.workspace import Workspace


class Brought(NamedTuple):
    """A file to attach.

    Attributes:
        name: What it is called.
        what: What errors call it.
        opened: Opens it.
        is_car: Whether it is a CAR, from which the file is taken.
    """

    name: str
    what: str
    opened: Callable[[], AbstractContextManager[IO[bytes]]]
    is_car: bool = False


class Stores(NamedTuple):
    """Where content goes.

    Attributes:
        blobs: On this machine.
        nodes: Nodes of twincli that get it before it is anchored.
    """

    blobs: Blobs
    nodes: Sequence[NodeContent] = ()


class Kept(NamedTuple):
    """A file whose content was stored.

    Attributes:
        cid: Of its content.
        size: In bytes.
        name: What it is called.
        profile: How its CID was made.
    """

    cid: str
    size: int
    name: str
    profile: str


class Attachment(NamedTuple):
    """A file to name in a record.

    Attributes:
        brought: The file.
        type: What it is, such as ``maintenance-report``, or None.
    """

    brought: Brought
    type: str | None = None


def attached(
    workspace: Workspace, stores: Stores, given: Sequence[Attachment], warnings: list[str]
) -> list[dict[str, Any]]:
    """Store files, upload them, and return what a record says of each, in order.

    Args:
        workspace: Rooms; in a dry run nothing is kept.
        stores: Where content goes.
        given: The files.
        warnings: Gets what should be known, such as a CAR whose root no profile of ours makes.

    Raises:
        UsageError: Too many files.
        InvalidError: A type is malformed.
        NotFoundError: ``no_file``.
        ConfigError: ``cannot_read``, ``cannot_write``: nothing is on the ledger.
    """
    if not given:
        return []
    if len(given) > bodies.MAX_ITEMS:
        raise UsageError(
            f"a record names at most {bodies.MAX_ITEMS} files, not {len(given)}",
            hint="attach the others with: twin file attach TWIN FILE...",
        )
    for one in given:
        if one.type is not None:
            bodies.check_name(one.type, f"the type of {one.brought.what}")
    kept = store(workspace, stores, [one.brought for one in given], _cid.USUAL, warnings)
    upload(workspace, stores, [found.cid for found in kept])
    return [_stated(found, one.type) for found, one in zip(kept, given, strict=True)]


def _stated(kept: Kept, kind: str | None) -> dict[str, Any]:
    stated = {
        "cid": kept.cid,
        "name": kept.name,
        "size": kept.size,
        "media_type": media_type(kept.name),
        "type": kind,
        "profile": kept.profile,
    }
    return {name: value for name, value in stated.items() if value is not None}


def media_type(name: str) -> str | None:
    """Return the media type that the ending of a name stands for, the same on every machine."""
    from mimetypes import MimeTypes

    return MimeTypes().guess_type(name.replace(":", "_"), strict=True)[0]


def store(
    workspace: Workspace,
    stores: Stores,
    brought: Sequence[Brought],
    profile: _cid.Profile,
    warnings: list[str],
) -> list[Kept]:
    """Store files with one sync for all; in a dry run they are only read.

    Args:
        workspace: Rooms.
        stores: Where content goes.
        brought: The files.
        profile: How their CIDs are made.
        warnings: Gets what should be known, such as a CAR whose root no profile of ours makes.
    """
    found: list[Kept] = []
    if workspace.dry_run:
        for item in brought:
            with _reading(item, profile, warnings) as (stream, used):
                hasher = _cid.Hasher(used)
                while piece := stream.read(PIECE_BYTES):
                    hasher.update(piece)
            found.append(Kept(hasher.cid().text, hasher.size, item.name, used.name))
        return found
    with stores.blobs.batch() as batch:
        for item in brought:
            with _reading(item, profile, warnings) as (stream, used):
                kept = batch.put(stream, used)
            found.append(Kept(kept.cid, kept.size, item.name, used.name))
    return found


@contextmanager
def _reading(
    item: Brought, profile: _cid.Profile, warnings: list[str]
) -> Iterator[tuple[Readable, _cid.Profile]]:
    """Open a file; what is in a CAR keeps the profile that its root was made with."""
    with item.opened() as stream:
        if not item.is_car:
            yield _Named(item.what, stream), profile
            return
        from twincli.content import car

        try:
            found = car.FileInCar(stream)
            hashers = [_cid.Hasher(used) for used in (profile, *_cid.PROFILES.values())]
            while piece := found.read(PIECE_BYTES):
                for hasher in hashers:
                    hasher.update(piece)
            same = [hasher.profile for hasher in hashers if hasher.cid().encoded == found.root]
            if not same:
                theirs = _cid.Cid(found.root[1], found.root[4:]).text
                warnings.append(
                    f"{item.what}: the CAR was made with other settings, so the file gets another"
                    f" CID: {hashers[0].cid().text} instead of {theirs}"
                )
            yield car.FileInCar(stream), same[0] if same else profile
        except OSError as error:
            raise cannot("read", item.what, error) from error
        except InvalidError as error:
            raise error.within(item.what)  # noqa: B904 - it is the same error


class _Named:
    """A stream whose faults name the file."""

    def __init__(self, what: str, stream: IO[bytes]) -> None:
        self._what = what
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes."""
        try:
            return self._stream.read(size)
        except OSError as error:
            raise cannot("read", self._what, error) from error


def upload(workspace: Workspace, stores: Stores, cids: Sequence[str]) -> list[str]:
    """Give the content to the nodes that do not have it; return which have it now."""
    if workspace.dry_run:
        return []
    for node in stores.nodes:
        for cid in cids:
            if not node.has(cid):
                with stores.blobs.open(cid) as stream:
                    node.put(stream, cid)
    return [node.url for node in stores.nodes]
