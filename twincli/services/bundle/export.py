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
from twincli.crypto import merkle, tlog
from twincli.errors import UndeterminedError
from twincli.formats import bundle, pages
from twincli.formats.bundle import LeftOut, Line, Manifest, Part
from twincli.ledger.faults import damaged
from twincli.model import record, times
from twincli.proof import checkpoints
from twincli.services import resolve
from twincli.services.audit import trail
from twincli.services.bundle.gather import Chosen, gather
from twincli.services.proof.bundled import name_of
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twincli.content.store import Blobs
    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.ledger import Ledger
    from twincli.services.bundle.gather import Gathered
    from twincli.services.documents import BundleExport
    from twincli.services.workspace import Workspace

_ROWS = 500
_EVERYTHING = Chosen()


class _Tree(NamedTuple):
    """The ledger's tree at some size.

    Attributes:
        kept: The tree.
        root: Its root.
    """

    kept: merkle.Tree
    root: bytes


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

    Raises:
        NotFoundError: There is no such asset, stream or file.
        UsageError: ``not_supported``: a network does not provide proofs.
        ConfigError: ``damaged_key``, ``damaged_ledger``.
    """
    client = workspace.client
    if PROOFS not in client.capabilities or not isinstance(client, EmbeddedClient):
        raise lacking(PROOFS)
    ledger = client.ledger
    asset_id = resolve.asset_id_of(workspace, ref)
    tip = ledger.tip()
    gathered = gather(workspace, ledger, blobs, asset_id, chosen, tip.last_seq)
    tree = _tree(ledger, tip.last_seq)
    if tree.root != tip.root:
        raise damaged("the root of its last block is not that of its transactions")
    for line in _lines(ledger, gathered, tree.kept):
        scratch.write(line.body + b"\n")
        proofs.write(line.proof())
    parts = [
        _of_file(bundle.TRANSACTIONS, scratch),
        _of_file(bundle.PROOFS, proofs),
        bundle.in_memory(bundle.CHECKPOINT, _checkpoint(ledger, tip.last_seq, tree.root, signer)),
        bundle.in_memory(bundle.PAGE, pages.page()),
    ]
    left_out = list(gathered.left_out)
    for cid in gathered.content:
        if blobs.has(cid):
            parts.append(_of_store(cid, blobs))
        else:
            left_out.append(LeftOut("missing", cid=cid))
    for cid, data in gathered.made.items():
        parts.append(bundle.in_memory(bundle.CONTENT + cid, data))
    about = Manifest(
        asset_id,
        _name(workspace, asset_id),
        ledger.id,
        ledger.public_key if signer is None else signer.public_key,
        ledger.profile,
        tip.last_seq,
        tree.root.hex(),
        {},
        tuple(sorted(left_out, key=_order)),
    )
    return Prepared(about, parts, gathered, tip.height)


def _order(item: LeftOut) -> tuple[str, str, str]:
    return item.what, item.stream or item.cid or "", item.since or ""


def _name(workspace: Workspace, asset_id: str) -> str | None:
    """Return what the CREATE calls a twin: a local name would differ from home to home."""
    envelope = record.creating_envelope(workspace.client.required(asset_id).tx)
    return name_of(envelope.get("name"))


def _tree(ledger: Ledger, size: int) -> _Tree:
    leaves = bytearray()
    for _, tx_id, height in ledger.store.leaves(size):
        leaf = merkle.ledger_leaf(height, ledger.time_of(height), tx_id)
        leaves += merkle.leaf_hash(leaf)
    kept = merkle.Tree(bytes(leaves))
    return _Tree(kept, kept.root())


def _lines(ledger: Ledger, gathered: Gathered, tree: merkle.Tree) -> Iterator[Line]:
    for at in range(0, len(gathered.seqs), _ROWS):
        for row in ledger.store.rows_at(gathered.seqs[at : at + _ROWS]):
            leaf = row.seq - 1
            time_ms = ledger.time_of(row.height)
            yield Line(leaf, row.height, time_ms, tree.path(leaf), row.text.encode())


def _checkpoint(ledger: Ledger, size: int, root: bytes, signer: Signer | None) -> bytes:
    """Return the checkpoint, with the cosignatures that witnesses gave it."""
    made = tlog.Checkpoint(tlog.origin_of(ledger.id), size, root)
    note = checkpoints.signed(made, signer or checkpoints.signer_of(ledger))
    return checkpoints.with_cosignatures(ledger, note).to_bytes()


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

    Returns:
        ``twin.bundle-export/1``.

    Raises:
        InvalidError: ``bundle_too_large``.
        NotFoundError, UsageError, ConfigError: See `prepare`.
    """
    with tempfile.TemporaryFile() as scratch, tempfile.TemporaryFile() as proofs:
        ready = prepare(workspace, blobs, ref, scratch, proofs, chosen, signer)
        told = _telling(ready, blobs, progress)
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
    ready: Prepared, blobs: Blobs, progress: Callable[[int, int], None] | None
) -> Callable[[int], object] | None:
    if progress is None:
        return None
    whole = 0
    for part in ready.parts:
        if part.name.startswith(bundle.CONTENT):
            try:
                whole += blobs.size(part.name.removeprefix(bundle.CONTENT))
            except UndeterminedError:
                continue  # a template, which is small
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
