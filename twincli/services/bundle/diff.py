"""Two bundles compared: what is new, what differs, and whether one goes on where the other ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import merkle
from twincli.formats import bundle
from twincli.model import times
from twincli.services.bundle.show import contents, said
from twincli.services.proof.bundled import opened

if TYPE_CHECKING:
    from twincli.formats.bundle import Bundle
    from twincli.services.bundle.show import Said
    from twincli.services.documents import (
        BundleChange,
        BundleContent,
        BundleDiff,
        BundleSide,
    )

SAME, CONTINUES, CONTINUED, DIVERGED, DIFFERENT = (
    "same",
    "continues",
    "continued",
    "diverged",
    "different",
)
PROVED, NOT_PROVED, CONTRADICTED = ("proved", "not_proved", "contradicted")

_MOST = 1000
_HASH = merkle.HASH_BYTES


def diff(first: str, second: str) -> BundleDiff:
    """Compare two bundles.

    Args:
        first: A file.
        second: Another one.

    Returns:
        ``twin.bundle-diff/1``.

    Raises:
        NotFoundError, InvalidError, ConfigError: See `show`.
    """
    with opened(first) as one, opened(second) as other:
        for read in (one, other):
            _check(read)
        ours, theirs = _said(one), _said(other)
        against = _contradictions(one, other, ours, theirs)
        roots = _roots(one, other, ours, theirs)
        if roots == CONTRADICTED:
            against.append("the later tree does not have the earlier one in it")
        return {
            "schema": "twin.bundle-diff/1",
            "first": _side(one, ours),
            "second": _side(other, theirs),
            "relation": _relation(one, other, against),
            "roots": roots,
            "added": _changes(theirs, ours),
            "removed": _changes(ours, theirs),
            "contradictions": against[:_MOST],
            "contents_added": _contents(other, one),
            "contents_removed": _contents(one, other),
        }


def sentence(document: BundleDiff) -> str:
    """Return in words how two bundles relate."""
    added, removed = len(document["added"]), len(document["removed"])
    if document["relation"] == DIFFERENT:
        return "they are about different twins, or from different ledgers"
    if document["relation"] == DIVERGED:
        return f"they contradict each other: {document['contradictions'][0]}"
    if document["relation"] == SAME:
        return "both are of the same checkpoint" + (
            "" if not added and not removed else ", with different parts left out"
        )
    later, earlier = ("B", "A") if document["relation"] == CONTINUES else ("A", "B")
    new = added if document["relation"] == CONTINUES else removed
    proof = (
        f"its tree has that of {earlier} in it"
        if document["roots"] == PROVED
        else "the trees cannot be compared by what is in them"
    )
    plural = "" if new == 1 else "s"
    return f"{later} goes on where {earlier} ends, with {new} new transaction{plural}; {proof}"


def _check(read: Bundle) -> None:
    for name in read.places:
        if read.altered(name):
            raise read.damaged(f"{name} is not what the manifest lists")


def _said(read: Bundle) -> dict[int, Said]:
    return {line.position: said(read, line) for line in read.lines()}


def _side(read: Bundle, held: dict[int, Said]) -> BundleSide:
    about = read.manifest
    return {
        "file": read.what,
        "asset_id": about.asset_id,
        "ledger": about.ledger_id,
        "checkpoint": {"size": about.size, "root": about.root},
        "transactions": len(held),
    }


def _is_same_twin(one: Bundle, other: Bundle) -> bool:
    ours, theirs = one.manifest, other.manifest
    return (ours.asset_id, ours.ledger_id) == (theirs.asset_id, theirs.ledger_id)


def _relation(one: Bundle, other: Bundle, against: list[str]) -> str:
    if not _is_same_twin(one, other):
        return DIFFERENT
    if against:
        return DIVERGED
    ours, theirs = one.manifest.size, other.manifest.size
    return SAME if ours == theirs else CONTINUES if ours < theirs else CONTINUED


def _contradictions(
    one: Bundle, other: Bundle, ours: dict[int, Said], theirs: dict[int, Said]
) -> list[str]:
    """Return what both bundles say, and say differently."""
    if not _is_same_twin(one, other):
        return []
    found = []
    places = {each.tx_id: at for at, each in theirs.items()}
    for at, mine in ours.items():
        yours = theirs.get(at)
        if yours is not None and yours.tx_id != mine.tx_id:
            found.append(f"at {at} one has {mine.tx_id}, the other {yours.tx_id}")
        elif yours is not None and yours.line.body != mine.line.body:
            found.append(f"{mine.tx_id} has two texts")
        elif yours is not None and yours.line[1:3] != mine.line[1:3]:
            found.append(f"{mine.tx_id} has two heights or times")
        elif places.get(mine.tx_id, at) != at:
            found.append(f"{mine.tx_id} has two places on the ledger")
    return found


def _changes(held: dict[int, Said], without: dict[int, Said]) -> list[BundleChange]:
    known = {each.tx_id for each in without.values()}
    return [
        {
            "transaction_id": each.tx_id,
            "position": at,
            "height": each.line.height,
            "at": times.to_text(each.line.time_ms),
            "kind": each.kind,
        }
        for at, each in held.items()
        if each.tx_id not in known
    ]


def _contents(held: Bundle, without: Bundle) -> list[BundleContent]:
    return [each for each in contents(held) if bundle.CONTENT + each["cid"] not in without.places]


def _roots(one: Bundle, other: Bundle, ours: dict[int, Said], theirs: dict[int, Said]) -> str:
    """Say whether the later tree has the earlier one in it, as far as the proofs show it."""
    if not _is_same_twin(one, other):
        return NOT_PROVED
    before, after = one.manifest, other.manifest
    later, held = other, theirs
    if before.size > after.size:
        before, after, later, held = after, before, one, ours
    if before.size == after.size:
        return SAME if before.root == after.root else CONTRADICTED
    found = _root_at(later, held, before.size)
    if found is None:
        return NOT_PROVED
    return PROVED if found.hex() == before.root else CONTRADICTED


def _root_at(read: Bundle, held: dict[int, Said], size: int) -> bytes | None:
    """Return the root over the first leaves of a tree; None where its proofs do not show it."""
    wanted: dict[tuple[int, int], bytes | None] = {}
    at = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            wanted[level, at >> level] = None
            at += 1 << level
    for each in held.values():
        _take_known(each, read.manifest.size, wanted)
    if None in wanted.values():
        return None
    root: bytes | None = None
    for node in reversed(wanted.values()):
        if node is not None:
            root = node if root is None else merkle.node_hash(node, root)
    return root


def _take_known(each: Said, size: int, wanted: dict[tuple[int, int], bytes | None]) -> None:
    """Take those of the wanted subtrees that are on a leaf's way to the root, or beside it."""
    position, last, level = each.line.position, size - 1, 0
    leaf = merkle.ledger_leaf(each.line.height, each.line.time_ms, bytes.fromhex(each.tx_id))
    result = merkle.leaf_hash(leaf)
    path = each.line.path
    for at in range(0, len(path), _HASH):
        part = path[at : at + _HASH]
        if (level, position) in wanted:
            wanted[level, position] = result
        if position & 1 or position == last:
            while position and not position & 1:
                position >>= 1
                last >>= 1
                level += 1
            if (level, position - 1) in wanted:
                wanted[level, position - 1] = part
            result = merkle.node_hash(part, result)
        else:
            if (level, position + 1) in wanted:
                wanted[level, position + 1] = part
            result = merkle.node_hash(result, part)
        position >>= 1
        last >>= 1
        level += 1
    if (level, position) in wanted:
        wanted[level, position] = result
