"""Write the bundle of a twin: the same twin at the same height of the ledger gives the same bytes.

The order of work is that of the ledger: its tip is read first, and nothing that comes later is
looked at. What belongs in a bundle says `gather`.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from hashlib import sha256
from typing import IO, TYPE_CHECKING

from twincli.client import PROOFS, lacking
from twincli.client.embedded import EmbeddedClient
from twincli.client.network import NetworkClient
from twincli.content.store import Blobs
from twincli.errors import LockedError, UndeterminedError
from twincli.formats import bundle, pages
from twincli.formats.bundle import LeftOut, Manifest, Part
from twincli.model import record, times
from twincli.services import resolve
from twincli.services.audit import trail
from twincli.services.bundle.gather import Chosen, gather
from twincli.services.bundle.sources import OfLedger, OfLog
from twincli.services.file import contents
from twincli.services.proof import remote
from twincli.services.proof.bundled import name_of
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from twincli.client import LedgerClient
    from twincli.client.content import NodeContent
    from twincli.client.logs import LogPlace
    from twincli.crypto.ed25519 import Signer
    from twincli.services.bundle.gather import Gathered
    from twincli.services.bundle.sources import Proving
    from twincli.services.documents import BundleExport
    from twincli.services.workspace import Workspace

_EVERYTHING = Chosen()


class Elsewhere(NamedTuple):
    """What a network has beyond the transactions.

    Attributes:
        logs: Its nodes, which may have a log.
        nodes: Those of them that keep content.
    """

    logs: Sequence[LogPlace] = ()
    nodes: Sequence[NodeContent] = ()


_NOWHERE_ELSE = Elsewhere()


class Prepared(NamedTuple):
    """A bundle that is ready to be written.

    Attributes:
        about: Its manifest, without entries.
        parts: What is in it.
        gathered: Where it is from.
        height: Of the last block.
    """

    about: Manifest
    parts: list[Part]
    gathered: Gathered
    height: int

    def write(
        self, put: Callable[[bytes], object], progress: Callable[[int], object] | None = None
    ) -> Manifest:
        """Write it; return its manifest."""
        return bundle.write(self.about, self.parts, put, progress)


def prepare(
    workspace: Workspace,
    blobs: Blobs,
    ref: str,
    scratch: IO[bytes],
    proofs: IO[bytes],
    chosen: Chosen = _EVERYTHING,
    signer: Signer | None = None,
    elsewhere: Elsewhere = _NOWHERE_ELSE,
    fetched: Blobs | None = None,
) -> Prepared:
    """Collect all that belongs in a twin's bundle.

    Args:
        workspace: Rooms.
        blobs: Content.
        ref: The twin.
        scratch: An empty file for transactions, removed by its opener.
        proofs: Another one, for proofs.
        chosen: What of its content is wanted.
        signer: Signs the checkpoint; None: the ledger's own key.
        elsewhere: What a network has.
        fetched: Takes content that is fetched from there; None: ``blobs``.

    Raises:
        NotFoundError: There is no such asset, stream or file.
        UsageError: ``not_supported``: a network does not provide proofs.
        ConfigError: ``damaged_key``, ``damaged_ledger``.
        NotVerifiedError: ``wrong_log``, ``cid_mismatch``: what a node sent is not what it says.
        UnreachableError: ``node_error``.
    """
    fetched = fetched or blobs
    source = _source(workspace.client, elsewhere.logs)
    asset_id = resolve.asset_id_of(workspace, ref)
    gathered = gather(workspace, source, blobs, asset_id, chosen)
    for line in source.lines(gathered.seqs):
        scratch.write(line.body + b"\n")
        proofs.write(line.proof())
    parts = [
        _of_file(bundle.TRANSACTIONS, scratch),
        _of_file(bundle.PROOFS, proofs),
        bundle.in_memory(bundle.CHECKPOINT, source.checkpoint(signer)),
        bundle.in_memory(bundle.PAGE, pages.page()),
    ]
    left_out = list(gathered.left_out)
    for cid in gathered.content:
        held = _held(cid, blobs, fetched, elsewhere.nodes)
        if held is None:
            left_out.append(LeftOut("missing", cid=cid))
        else:
            parts.append(_of_store(cid, held))
    for cid, data in gathered.made.items():
        parts.append(bundle.in_memory(bundle.CONTENT + cid, data))
    claims = source.claims
    about = Manifest(
        asset_id,
        _name(workspace, asset_id),
        claims.ledger_id,
        claims.ledger_key if signer is None else signer.public_key,
        claims.profile,
        claims.size,
        claims.root.hex(),
        {},
        tuple(sorted(left_out, key=_order)),
    )
    return Prepared(about, parts, gathered, source.height)


def _source(client: LedgerClient, logs: Sequence[LogPlace]) -> Proving:
    """Return the ledger as it is now.

    Raises:
        UsageError: ``not_supported``: it does not provide proofs.
    """
    if isinstance(client, EmbeddedClient):
        return OfLedger(client.ledger)
    log = remote.newest(logs, client.ledger_id)
    if log is None or not isinstance(client, NetworkClient):
        raise lacking(PROOFS)
    return OfLog(client, log)


def _held(cid: str, blobs: Blobs, fetched: Blobs, nodes: Sequence[NodeContent]) -> Blobs | None:
    """Return the store that has some content, fetched where nodes have it; None: nobody has it."""
    if blobs.has(cid):
        return blobs
    if not nodes:
        return None
    try:
        contents.bring(fetched, nodes, cid)
    except (UndeterminedError, LockedError):
        return None
    return fetched


def _order(item: LeftOut) -> tuple[str, str, str]:
    return item.what, item.stream or item.cid or "", item.since or ""


def _name(workspace: Workspace, asset_id: str) -> str | None:
    """Return what the CREATE calls a twin: a local name would differ from home to home."""
    envelope = record.creating_envelope(workspace.client.required(asset_id).tx)
    return name_of(envelope.get("name"))


def _of_file(name: str, stream: IO[bytes]) -> Part:
    @contextmanager
    def again() -> Iterator[IO[bytes]]:
        stream.seek(0)
        yield stream

    return Part(name, again)


def _of_store(cid: str, blobs: Blobs) -> Part:
    return Part(bundle.CONTENT + cid, lambda: blobs.open(cid))


def export(
    workspace: Workspace,
    blobs: Blobs,
    ref: str,
    file: str,
    chosen: Chosen = _EVERYTHING,
    *,
    write: Callable[[bytes], object] | None = None,
    embed: bool = False,
    progress: Callable[[int, int], None] | None = None,
    signer: Signer | None = None,
    elsewhere: Elsewhere = _NOWHERE_ELSE,
) -> BundleExport:
    """Write the bundle of a twin, or the page with the bundle inside.

    Args:
        workspace: Rooms.
        blobs: Content.
        ref: The twin.
        file: What the document calls the file.
        chosen: What of its content is wanted.
        write: Takes the bytes; None: nothing is kept.
        embed: Write one page, with the bundle inside.
        progress: Called with how many bytes were read, and how many are to be.
        signer: Signs the checkpoint; None: the ledger's own key.
        elsewhere: What a network has; content that is fetched from there is kept with the bundle.

    Returns:
        ``twin.bundle-export/1``.

    Raises:
        InvalidError: ``bundle_too_large``.
        NotFoundError, UsageError, ConfigError: See `prepare`.
    """
    with (
        tempfile.TemporaryFile() as scratch,
        tempfile.TemporaryFile() as proofs,
        tempfile.TemporaryDirectory() as place,
    ):
        fetched = blobs if write is not None else Blobs(place)
        ready = prepare(workspace, blobs, ref, scratch, proofs, chosen, signer, elsewhere, fetched)
        told = _telling(ready, (blobs, fetched), progress)
        digest, size = sha256(), 0
        put = write or _nowhere
        if write is not None:
            asset_id = ready.about.asset_id
            trail.note(
                workspace,
                trail.EXPORTED,
                twin=asset_id,
                reason=_told(chosen),
                by="bundle export",
            )

        def count(data: bytes) -> None:
            nonlocal size
            digest.update(data)
            size += len(data)
            put(data)

        if embed:
            with tempfile.TemporaryFile() as whole:
                about = ready.write(whole.write, told)
                length = whole.tell()
                whole.seek(0)
                for piece in pages.embedded(iter(lambda: whole.read(1 << 20), b""), length):
                    count(piece)
        else:
            about = ready.write(count, told)
    return _document(ready, about, file, size, digest.hexdigest())


def _told(chosen: Chosen) -> str:
    """Return what of a twin's content is exported, for the audit log."""
    said = [
        f"all {what}"
        if names is None
        else f"{what}: {', '.join(sorted(names))}"
        if names
        else f"no {what}"
        for what, names in (("streams", chosen.streams), ("files", chosen.files))
    ]
    for word, time_us in (("from", chosen.since_us), ("before", chosen.until_us)):
        if time_us is not None:
            said.append(f"{word} {times.microseconds_text(time_us, 6)}")
    return "; ".join(said)


def _nowhere(_: bytes) -> None:
    pass


def _telling(
    ready: Prepared, stores: Sequence[Blobs], progress: Callable[[int, int], None] | None
) -> Callable[[int], object] | None:
    if progress is None:
        return None
    whole = 0
    for part in ready.parts:
        cid = part.name.removeprefix(bundle.CONTENT)
        held = cid != part.name and next((one for one in stores if one.has(cid)), None)
        if held:  # a template is in none, and small
            whole += held.size(cid)
    done = 0

    def told(size: int) -> None:
        nonlocal done
        done += size
        progress(done, max(done, 2 * whole))

    return told


def _document(ready: Prepared, about: Manifest, file: str, size: int, digest: str) -> BundleExport:
    held = [entry for name, entry in about.entries.items() if name.startswith(bundle.CONTENT)]
    absent = [item.cid for item in about.left_out if item.what == "missing"]
    wraps = sum(1 for cid in absent if cid in ready.gathered.wraps)
    missing = len(absent) - wraps
    warnings = []
    if missing:
        what = "a file or chunk is" if missing == 1 else f"{missing} files and chunks are"
        warnings.append(f"{what} not here, and so not in the bundle; twin pull, or twin file get")
    if wraps:
        what = "a wrap is" if wraps == 1 else f"{wraps} wraps are"
        them = "it opens" if wraps == 1 else "they open"
        warnings.append(f"{what} not here: what only {them} stays closed to readers of the bundle")
    return {
        "schema": "twin.bundle-export/1",
        "file": file,
        "asset_id": about.asset_id,
        "asset_name": about.name,
        "ledger": about.ledger_id,
        "height": ready.height,
        "transactions": len(ready.gathered.seqs),
        "contents": len(held),
        "checkpoint": {"size": about.size, "root": about.root},
        "left_out": [item.to_dict() for item in about.left_out],  # type: ignore[misc]
        "size": size,
        "sha256": digest,
        "warnings": warnings,
    }
