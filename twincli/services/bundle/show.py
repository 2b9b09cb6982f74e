"""What a bundle says, without a home and unverified: `twin verify` says what it is worth."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from twincli.crypto import canonical
from twincli.errors import InvalidError
from twincli.formats import bundle, pages
from twincli.model import did, record, times
from twincli.model.ids import is_id
from twincli.services.proof.bundled import opened
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.formats.bundle import Bundle, Line
    from twincli.services.documents import BundleContent, BundleInfo


class Said(NamedTuple):
    """A transaction in a bundle.

    Attributes:
        tx_id: Its id, as it says.
        asset_id: Its asset, as it says.
        kind: What it does: the kind of its envelope, else ``create`` or ``transfer``.
        line: Where it stands.
    """

    tx_id: str
    asset_id: str
    kind: str
    line: Line


def said(read: Bundle, line: Line) -> Said:
    """Return what a transaction says about itself.

    Raises:
        InvalidError: ``damaged_bundle``: it is not a transaction.
    """
    try:
        tx: Any = canonical.decode(line.body)
        is_create = tx["operation"] == "CREATE"
        asset_id = tx["id"] if is_create else tx["asset"]["id"]
        document = tx["asset"].get("data") if is_create else tx["metadata"]
        kind = record.kind_of(document) or str(tx["operation"]).lower()
        if not is_id(tx["id"]) or not is_id(asset_id):
            raise TypeError
    except (InvalidError, TypeError, KeyError, AttributeError) as error:
        raise read.damaged(f"leaf {line.position} is not a transaction") from error
    return Said(tx["id"], asset_id, kind[:_KIND], line)


_KIND = 40


def contents(read: Bundle) -> list[BundleContent]:
    """Return the content of a bundle."""
    return [{"cid": cid, "size": read.places[bundle.CONTENT + cid].size} for cid in read.contents()]


def show(path: str) -> BundleInfo:
    """Return what is in a bundle.

    Args:
        path: The file; a page with a bundle inside, too.

    Returns:
        ``twin.bundle-info/1``.

    Raises:
        NotFoundError: ``no_file``.
        InvalidError: ``not_a_bundle``, ``damaged_bundle``.
        ConfigError: ``cannot_read``, ``newer_version``.
    """
    with opened(path) as read:
        about = read.manifest
        kinds: Counter[str] = Counter()
        assets: set[str] = set()
        first = last = None
        count = 0
        for line in read.lines():
            one = said(read, line)
            kinds[one.kind] += 1
            assets.add(one.asset_id)
            first = first or line
            last = line
            count += 1
        page = read.places.get(bundle.PAGE)
        return {
            "schema": "twin.bundle-info/1",
            "file": path,
            "asset_id": about.asset_id,
            "asset_name": about.name,
            "did": did.asset_did(about.asset_id, about.ledger_id),
            "ledger": about.ledger_id,
            "ledger_key": about.public_key,
            "profile": about.profile,
            "checkpoint": {"size": about.size, "root": about.root},
            "transactions": count,
            "assets": len(assets),
            "kinds": dict(sorted(kinds.items())),
            "first_at": None if first is None else times.told(first.time_ms),
            "last_at": None if last is None else times.told(last.time_ms),
            "contents": contents(read),
            "left_out": [item.to_dict() for item in about.left_out],  # type: ignore[misc]
            "page": None
            if page is None
            else {"sha256": page.sha256, "known": page.sha256 in pages.known()},
            "size": read.size,
        }
