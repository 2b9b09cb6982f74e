"""Attach files to a twin: store and upload their content, then say so on the ledger."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from twincli.content.store import PIECE_BYTES
from twincli.crypto import canonical
from twincli.crypto import cid as _cid
from twincli.crypto.digests import sha256
from twincli.errors import InvalidError, UsageError
from twincli.files import cannot
from twincli.model import record
from twincli.rules.authority import AUTHORISED
from twincli.rules.data import check_data
from twincli.services import resolve
from twincli.services.asset.attempt import Target
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.file import attached
from twincli.services.record.many import Thing, bulk_signer, said_before, say_many
from twincli.services.record.say import APPENDED, say
from twincli.services.tx.prepared import Prepared
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from twincli.client.content import NodeContent
    from twincli.content.store import Blobs, Readable
    from twincli.services.documents import Attached, NewFile, Said
    from twincli.services.record.many import BulkSigner
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


def attach(
    workspace: Workspace,
    stores: Stores,
    ref: str,
    brought: Sequence[Brought],
    details: attached.Details = attached.Details(),  # noqa: B008 - a value
    writing: Writing = PLAIN,
    *,
    profile: _cid.Profile = _cid.USUAL,
    before: Callable[[str], None] | None = None,
) -> Attached | Prepared:
    """Attach files to a twin.

    What the same signer has said of the same file before is not said again. Their content is
    durable here, and on the nodes, before the ledger names it.

    Args:
        workspace: Rooms.
        stores: Where content goes.
        ref: The twin.
        brought: The files.
        details: What is said of them.
        writing: W, without ``bare``; with several files a token is numbered.
        profile: How their CIDs are made.
        before: Told what should be known before anything is written.

    Raises:
        UsageError: ``--if-tip`` or ``--prepare`` with several files; see ``say``.
        ConfigError: ``cannot_read``, ``cannot_write``: nothing is on the ledger.
        TwinError: As ``say``.
    """
    details = details.checked()
    writing.check()
    if writing.bare:
        raise UsageError(
            "--bare leaves out the envelope, which names a file", hint="leave --bare out"
        )
    if len(brought) != 1 and (writing.if_tip is not None or writing.prepare):
        raise UsageError("--if-tip and --prepare are for a single file")
    target = Target.find(workspace, ref, writing)
    warnings: list[str] = []
    bodies = _stored(workspace, stores.blobs, brought, details, profile, warnings)
    if before is not None:
        for warning in warnings:
            before(warning)
    uploaded = [] if workspace.dry_run else _uploaded(stores, bodies)
    things = _things(bodies, writing)
    known = said_before(target, record.FILE, things)
    new = [number for number, tx_id in enumerate(known) if tx_id is None]
    signer = bulk_signer(target) if len(new) > 1 else None
    said: Said | None = None
    if signer is not None:
        made = say_many(target, signer, record.FILE, [things[number] for number in new])
        for number, tx_id in zip(new, made, strict=not workspace.dry_run):
            known[number] = tx_id
    else:
        numbers = new or [0]  # what was said before is looked at again
        for number in numbers:
            one = writing._replace(once=things[number].once)
            done = say(workspace, ref, record.FILE, bodies[number], one, before=before)
            if isinstance(done, Prepared):
                return done
            said = done
            known[number] = said["transaction_id"]
    return _document(target, bodies, known, set(new), uploaded, said, signer, warnings)


def _stored(
    workspace: Workspace,
    blobs: Blobs,
    brought: Sequence[Brought],
    details: attached.Details,
    profile: _cid.Profile,
    warnings: list[str],
) -> list[dict[str, Any]]:
    """Store the files, with one sync for all, and return what is said of each, each once.

    A CAR whose root is not made by a profile of ours is warned of.
    """
    bodies: dict[bytes, dict[str, Any]] = {}

    def note(name: str, cid: str, size: int, profile: _cid.Profile) -> None:
        made = attached.body(cid, size, name, profile.name, details)
        check_data(None, {record.KEY: record.envelope(record.FILE, body=made)})
        bodies.setdefault(canonical.encode(made), made)

    if workspace.dry_run:
        for item in brought:
            with _reading(item, profile, warnings) as (stream, used):
                hasher = _cid.Hasher(used)
                while piece := stream.read(PIECE_BYTES):
                    hasher.update(piece)
            note(item.name, hasher.cid().text, hasher.size, used)
    else:
        with blobs.batch() as batch:
            for item in brought:
                with _reading(item, profile, warnings) as (stream, used):
                    kept = batch.put(stream, used)
                note(item.name, kept.cid, kept.size, used)
    return list(bodies.values())


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


def _uploaded(stores: Stores, bodies: Sequence[dict[str, Any]]) -> list[str]:
    """Give the content to the nodes that do not have it; return which have it now."""
    for node in stores.nodes:
        for found in bodies:
            if not node.has(found["cid"]):
                with stores.blobs.open(found["cid"]) as stream:
                    node.put(stream, found["cid"])
    return [node.url for node in stores.nodes]


def _things(bodies: Sequence[dict[str, Any]], writing: Writing) -> list[Thing]:
    """Return each file with a once token: by itself that of what is said, so it is said once."""
    if writing.once is None:
        return [
            Thing(found, f"file:{sha256(canonical.encode(found)).hexdigest()[:32]}")
            for found in bodies
        ]
    if len(bodies) == 1:
        return [Thing(bodies[0], writing.once)]
    return [Thing(found, f"{writing.once}:{number}") for number, found in enumerate(bodies, 1)]


def _document(
    target: Target,
    bodies: Sequence[dict[str, Any]],
    known: Sequence[str | None],
    new: set[int],
    uploaded: list[str],
    said: Said | None,
    signer: BulkSigner | None,
    warnings: Sequence[str],
) -> Attached:
    workspace, _, asset_id, _ = target
    files: list[NewFile] = [
        {
            **attached.of_body(stated),
            "transaction_id": known[number],
            "created": number in new,
        }
        for number, stated in enumerate(bodies)
    ]
    return {
        "schema": "twin.attached/1",
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "ledger": workspace.client.ledger_id,
        "transaction_id": known[-1] if known else None,
        "form": APPENDED if said is None else said["form"],
        "standing": AUTHORISED if said is None else said["standing"],
        "created": len(new),
        "existing": len(bodies) - len(new),
        "files": files,
        "signed_by": [signer.public_key] if signer else said["signers"] if said else [],
        "uploaded_to": uploaded,
        "warnings": [*warnings, *([] if said is None else said["warnings"])],
    }
