"""Wraps: an identity of age, encrypted to those who may use it."""

from __future__ import annotations

import io

from twincli.crypto import age, base58
from twincli.errors import LockedError
from twincli.keystore import keyfile
from twincli.model.encryption import Wrap
from twincli.services import resolve
from twincli.services.record.attachments import Stores, upload
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.services.workspace import Workspace


def wrapped(
    workspace: Workspace, stores: Stores, secret: str, readers: Mapping[str, str | None]
) -> tuple[Wrap, ...]:
    """Encrypt a secret, such as the identity of an epoch, to each reader; durable everywhere."""
    made = []
    for key, recipient in readers.items():
        to = recipient or age.of_public_key(base58.decode_key(key))
        data = age.seal(secret.encode(), to)
        if workspace.dry_run:
            from twincli.crypto import cid

            made.append(Wrap(key, cid.of(data).text))
        else:
            made.append(Wrap(key, stores.blobs.put(io.BytesIO(data)).cid))
    upload(workspace, stores, [wrap.cid for wrap in made])
    return tuple(made)


def can_open(workspace: Workspace, public_key: str) -> bool:
    """Say whether a key can decrypt; of keys that are not here nobody knows better."""
    info = next(
        (each for each in workspace.keystore.scan()[0] if each.public_key == public_key), None
    )
    return info is None or info.provider == keyfile.FILE


def cannot_decrypt(workspace: Workspace, public_key: str) -> LockedError:
    """Return the error about a key that signs and cannot decrypt."""
    name = resolve.Names(workspace).of_key(public_key) or public_key
    return LockedError(
        f"{name} is a key in a chip or behind a program: it can sign, and cannot decrypt",
        code="cannot_decrypt",
        hint=f"give it a recipient of age: twin grant add TWIN --to {name} --role viewer"
        " --recipient age1...",
    )
