"""What is said of files: the body of a ``file`` record, written and read, and who said it.

Everything that is read here may be a stranger's: a name is text to show, never a path.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from twincli.crypto import cid as _cid
from twincli.errors import ConflictError, InvalidError, NotFoundError, UsageError, cut
from twincli.model import bodies, encryption, record, times
from twincli.rules.authority import AUTHORISED
from twincli.services import resolve
from twincli.services.asset import listings
from twincli.services.privacy import locks
from twincli.services.record.records import records
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from twincli.content.store import Blobs
    from twincli.services.documents import AttachedFile, FileItem
    from twincli.services.privacy.locks import Lock
    from twincli.services.record.records import Record
    from twincli.services.workspace import Workspace

_LONGEST = 255
_ODD = frozenset(("Cc", "Cs"))


class Details(NamedTuple):
    """What is said of the files that are attached together.

    Attributes:
        type: Such as ``quality-certificate``.
        issuer: Who made them, as text.
        valid_until: A date, or RFC 3339.
    """

    type: str | None = None
    issuer: str | None = None
    valid_until: str | None = None

    def checked(self) -> Details:
        """Return them as they are recorded.

        Raises:
            UsageError: ``bad_time``; something is empty, too long or has control characters.
        """
        for name in ("type", "issuer"):
            value = getattr(self, name)
            if value is not None and (
                not value.strip()
                or len(value) > _LONGEST
                or any(unicodedata.category(letter) in _ODD for letter in value)
            ):
                raise UsageError(
                    f"--{name}: {cut(value)!r} is empty, longer than {_LONGEST} characters or has"
                    " control characters"
                )
        until = self.valid_until
        if until is None:
            return self
        moment = times.day_or_time(until)
        if moment is None:
            raise UsageError(
                f"--valid-until: {cut(until)!r} is neither a date nor a time with its zone",
                code="bad_time",
                hint="--valid-until 2027-01-15, or 2027-01-15T12:00:00Z",
            )
        return self._replace(valid_until=moment)


def name_of(path: str) -> str:
    """Return what a file is called on the ledger: the last part of its path, in NFC."""
    name = path.replace("\\", "/") if "\\" in path and "/" not in path else path
    name = unicodedata.normalize("NFC", name.rstrip("/").rsplit("/", 1)[-1])
    return "".join("\ufffd" if unicodedata.category(letter) in _ODD else letter for letter in name)[
        :_LONGEST
    ]


def body(cid: str, size: int, name: str, profile: str, details: Details) -> dict[str, Any]:
    """Return the body of a record."""
    stated = {"type": details.type, "issuer": details.issuer, "validUntil": details.valid_until}
    return {
        "cid": cid,
        "size": size,
        "name": name,
        "profile": profile,
        **{key: value for key, value in stated.items() if value is not None},
    }


def of_body(found: dict[str, Any]) -> AttachedFile:
    """Return what a body states; what is malformed reads as null."""

    def text(name: str) -> str | None:
        value = found.get(name)
        return value if isinstance(value, str) else None

    size = found.get("size")
    return {
        "cid": _valid(found.get("cid")),
        "name": text("name"),
        "size": size if type(size) is int and size >= 0 else None,
        "type": text("type"),
        "issuer": text("issuer"),
        "valid_until": text("validUntil"),
        "profile": text("profile"),
        "encrypted": encryption.is_stated(found),
    }


def _valid(value: object) -> str | None:
    try:
        _cid.parse(value if isinstance(value, str) else "")
    except InvalidError:
        return None
    return str(value)


def is_cid(text: str) -> bool:
    """Say whether a text is the CID of a file."""
    return _valid(text) is not None


def of_twin(workspace: Workspace, blobs: Blobs, asset_id: str) -> Iterator[FileItem]:
    """Yield the files of a twin, in the order in which they were attached.

    Those that events and other records name are among them.
    """
    names = resolve.Names(workspace)
    name = resolve.asset_name(workspace, asset_id)
    later: dict[str, list[str]] | None = None
    for found in records(workspace, asset_id, (record.FILE, *NAMING)):
        if found.kind == record.FILE:
            wraps: list[str] = []
            begun = encryption.first(found.body.get(encryption.MEMBER))
            if begun is not None:
                later = locks.wraps(workspace, asset_id) if later is None else later
                wraps = [wrap.cid for wrap in begun.wraps]
                wraps += later.get(str(found.body.get("cid")), ())
            yield _item(found, found.body, names, blobs, asset_id, name, wraps)
            continue
        for each in bodies.read(found.kind, found.body).stated.get("attachments", ()):
            yield _item(found, each, names, blobs, asset_id, name)


def lock_of(workspace: Workspace, item: FileItem) -> Lock | None:
    """Return the lock of a file, None where it is not encrypted.

    Raises:
        InvalidError: ``invalid_encryption``: it states that it is, and how is malformed.
    """
    if not item["encrypted"]:
        return None
    entry = workspace.client.required(item["transaction_id"])
    body = (record.envelope_of(entry.tx["metadata"]) or {}).get("body")
    found = locks.of_file(item["asset_id"], body, entry.height) if isinstance(body, dict) else None
    if found is None:
        raise InvalidError(
            f"the file {cut(str(item['name']))} states that it is encrypted, and to whom is"
            " malformed",
            code="invalid_encryption",
            hint=f"its bytes as they are: twin file get {item['cid']} -o FILE",
        )
    return found


NAMING = tuple(
    kind
    for kind, members in bodies.MEMBERS.items()
    if any(member.name == "attachments" for member in members)
)
"""Kinds of records that name files."""


def of_all(workspace: Workspace, blobs: Blobs) -> Iterator[FileItem]:
    """Yield the files of all twins that my keys own or that I have named."""
    for asset in listings.list_assets(workspace)["assets"]:
        yield from of_twin(workspace, blobs, str(asset["id"]))


def _item(
    found: Record,
    body: dict[str, Any],
    names: resolve.Names,
    blobs: Blobs,
    asset_id: str,
    asset_name: str | None,
    wraps: Sequence[str] = (),
) -> FileItem:
    stated = of_body(body)
    return {
        **stated,
        "asset_id": asset_id,
        "asset_name": asset_name,
        "transaction_id": found.tx_id,
        "form": found.form,
        "at": found.at,
        "committed_at": found.committed_at,
        "signers": [*found.signers],
        "signer_names": names.of_keys(found.signers),
        "standing": found.standing,
        "here": stated["cid"] is not None and blobs.has(stated["cid"]),
        "wrap_here": any(map(blobs.has, wraps)) if stated["encrypted"] else None,
    }


def counted(items: Iterable[FileItem]) -> Iterator[FileItem]:
    """Yield the files whose content can be looked for and that were attached with authority.

    What strangers say of a twin is listed, and obliges nobody to have it.
    """
    for item in items:
        if item["cid"] is not None and item["standing"] == AUTHORISED:
            yield item


def one(items: Iterable[FileItem], ref: str, wanted: str) -> FileItem:
    """Return the file of a twin that a CID or a name means: of several of one name, the last.

    Raises:
        NotFoundError: ``not_found``.
        ConflictError: ``ambiguous``: only strangers attached files of that name.
    """
    found = [
        item for item in items if item["cid"] is not None and wanted in (item["cid"], item["name"])
    ]
    ours = [item for item in found if item["standing"] == AUTHORISED]
    if ours:
        return ours[-1]
    if not found:
        raise NotFoundError(
            f"{ref} has no file {cut(wanted)!r}", hint=f"to see what it has: twin file list {ref}"
        )
    if not is_cid(wanted):
        raise ConflictError(
            f"{cut(wanted)!r} was attached to {ref} without authority",
            code="ambiguous",
            hint=f"name it by its CID: twin file get {ref} {found[-1]['cid']}",
        )
    return found[-1]
