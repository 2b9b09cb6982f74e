"""The content of files: found, fetched, checked and pinned."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twincli.client.fetching import fetch
from twincli.content.store import PIECE_BYTES
from twincli.crypto import cid as _cid
from twincli.errors import (
    ConfigError,
    NotVerifiedError,
    TwinError,
    UndeterminedError,
    UnreachableError,
)
from twincli.files import adding_up, cannot
from twincli.services.file import attached
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from twincli.client.fetching import Source
    from twincli.client.kubo import Kubo
    from twincli.content.store import Blobs
    from twincli.services.documents import CheckedFile, FileCheck, FileItem, PinnedFile, Pins

OK, ALTERED, MISSING = "ok", "altered", "missing"


class Held(NamedTuple):
    """A file whose content is here.

    Attributes:
        cid: Its CID.
        profile: The name of its profile, where somebody stated one.
        fetched_from: Where it was fetched from just now; None: it was here.
    """

    cid: str
    profile: str | None
    fetched_from: str | None


def bring(blobs: Blobs, sources: Sequence[Source], cid: str, profile: str | None = None) -> Held:
    """Have the content of a file here: as it is, or fetched from the first source that has it.

    Raises:
        NotVerifiedError: ``altered``: it is here, and not what its CID says; ``cid_mismatch``.
        UndeterminedError: ``missing_content``.
        UnreachableError: ``node_error``: a source that may have it failed.
    """
    worst: TwinError | None = None
    if blobs.has(cid):
        if blobs.check(cid, profile):
            return Held(cid, profile, None)
        worst = altered(cid)
    for source in sources:
        try:
            fetch(source, blobs, cid, profile)
        except FAULTS as error:
            if worst is None or rank(error) > rank(worst):
                worst = error
        else:
            return Held(cid, profile, source.url)
    if worst is None:
        worst = UndeterminedError(
            f"the content {cid} is not here",
            code="missing_content",
            hint=f"a node may have it: twin file get {cid} --node URL -o FILE; so may a backup or"
            " its author",
        )
    raise worst


FAULTS = (UndeterminedError, UnreachableError, ConfigError, NotVerifiedError)
"""Why content cannot be had; see ``rank``."""


def rank(error: TwinError) -> int:
    """Return how much one of `FAULTS` says: altered more than unreachable, that than missing."""
    return [isinstance(error, kind) for kind in FAULTS].index(True)


def altered(cid: str) -> NotVerifiedError:
    """Return the error for content that is no longer what its CID says."""
    return NotVerifiedError(
        f"the content of {cid} on this machine was altered",
        code="altered",
        hint=f"attach the file again, or fetch it again: twin file get {cid} --node URL -o FILE",
    )


def copy(blobs: Blobs, held: Held, write: Callable[[bytes], None]) -> int:
    """Copy content, checking it on the way; return its bytes.

    Raises:
        NotVerifiedError: ``altered``: what was written is not the file.
    """
    matcher = _cid.Matcher(held.cid, held.profile)
    with blobs.open(held.cid) as stream:
        while True:
            try:
                piece = stream.read(PIECE_BYTES)
            except OSError as error:
                raise cannot("read", blobs.path(held.cid), error) from error
            if not piece:
                break
            matcher.update(piece)
            write(piece)
    if not matcher.matches:
        raise altered(held.cid)
    return matcher.size


def copy_as_car(blobs: Blobs, held: Held, write: Callable[[bytes], None]) -> int:
    """Write content as a CAR, checking it on the way; return the bytes of the file.

    Raises:
        NotVerifiedError: ``altered``.
    """
    from twincli.content import car

    with blobs.open(held.cid) as stream:
        root, size = car.write(stream, profile_of(blobs, held.cid, held.profile), write)
    if root.text != held.cid:
        raise altered(held.cid)
    return size


def status(
    blobs: Blobs,
    cid: str,
    profile: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> str:
    """Say whether the content of a file is here, and what its CID says.

    A pipe or a directory in its place is something else than its CID says.
    """
    try:
        return OK if blobs.check(cid, profile, progress) else ALTERED
    except UndeterminedError:
        return ALTERED if os.path.exists(blobs.path(cid)) else MISSING


def check(
    blobs: Blobs,
    items: Iterable[FileItem],
    *,
    everything: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> FileCheck:
    """Check files: read all of their content.

    Args:
        blobs: The content.
        items: The files; those that strangers attached do not count.
        everything: Check content that belongs to none of them, too.
        progress: Called with how many bytes were read and how many there are.
    """
    wanted: dict[str, FileItem | None] = {}
    for item in attached.counted(items):
        wanted.setdefault(str(item["cid"]), item)
    if everything:
        for cid in sorted(blobs.cids()):
            wanted.setdefault(cid, None)
    add = None if progress is None else adding_up(progress, blobs.total(wanted))
    found = [_checked(blobs, cid, named, add) for cid, named in wanted.items()]
    counts = dict.fromkeys((OK, ALTERED, MISSING), 0)
    for checked in found:
        counts[checked["status"]] += 1
    worst = next((word for word in (ALTERED, MISSING) if counts[word]), OK)
    return {
        "schema": "twin.file-check/1",
        "status": worst,
        "ok": counts[OK],
        "altered": counts[ALTERED],
        "missing": counts[MISSING],
        "files": found,
    }


def _checked(
    blobs: Blobs, cid: str, item: FileItem | None, progress: Callable[[int], None] | None
) -> CheckedFile:
    return {
        "cid": cid,
        "name": item and item["name"],
        "size": item and item["size"],
        "asset_id": item and item["asset_id"],
        "asset_name": item and item["asset_name"],
        "status": status(blobs, cid, item and item["profile"], progress),
    }


def pin(
    blobs: Blobs,
    kubo: Kubo,
    wanted: Iterable[tuple[str, str | None, str | None]],
    *,
    dry_run: bool = False,
) -> Pins:
    """Have an IPFS node keep files.

    Args:
        blobs: Their content.
        kubo: The node.
        wanted: CID, name and profile of each.
        dry_run: Look only.

    Raises:
        InvalidError: ``cid_mismatch``.
        UnreachableError: ``node_error``.
    """
    found: dict[str, PinnedFile] = {}
    for cid, name, stated in wanted:
        if cid in found:
            continue
        if kubo.has(cid):
            word = "existing"
        else:
            word = status(blobs, cid, stated)
            if word == OK:
                word = "pinned"
                profile = profile_of(blobs, cid, stated)
                if not dry_run:
                    with blobs.open(cid) as stream:
                        kubo.pin(stream, cid, blobs.size(cid), profile)
        found[cid] = {"cid": cid, "name": name, "status": word}
    return {"schema": "twin.pins/1", "kubo": kubo.url, "files": list(found.values())}


def profile_of(blobs: Blobs, cid: str, stated: str | None) -> _cid.Profile:
    """Return the profile that a CID was made with."""
    if stated in _cid.PROFILES:
        return _cid.PROFILES[str(stated)]
    return _cid.USUAL if blobs.check(cid, _cid.USUAL.name) else _cid.LARGE
