"""Keys that go out to other programs and come in from them, and passphrases that change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import base58, containers, derivation, mnemonic
from twincli.errors import LockedError, NotFoundError, TwinError
from twincli.keystore import keyfile
from twincli.model import names
from twincli.services.keys import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twincli.crypto.ed25519 import KeyPair
    from twincli.keystore.keyfile import KeyInfo
    from twincli.keystore.store import UnlockedKey
    from twincli.services.documents import Key, KeyExport, Passwd, PasswdItem
    from twincli.services.keys.keys import NewKey
    from twincli.services.workspace import Workspace


def export_public(workspace: Workspace, name: str, form: str) -> tuple[KeyExport, str]:
    """Return the public half of a key in a format of ``containers.FORMATS``.

    Returns:
        ``twin.key-export/1`` and the text: ``name public_key format secret encrypted path text
        file warnings``; ``file`` is null until the caller writes one.

    Raises:
        NotFoundError: There is no such key.
        UsageError: ``no_public_form``.
        ConfigError: ``missing_extra``.
    """
    info = workspace.keystore.get(name)
    text = containers.public_text(base58.decode_key(info.public_key), form, info.name)
    return _exported(info, form, secret=False, encrypted=False), text


def export_secret(
    workspace: Workspace,
    name: str,
    form: str,
    *,
    passphrase: Callable[[], bytes] | None = None,
) -> tuple[KeyExport, str]:
    """Return the secret of a key in a format of ``containers.FORMATS``.

    A dry run checks and asks for no passphrase; the text is then empty.

    Args:
        workspace: Rooms.
        name: Its name.
        form: The format.
        passphrase: Returns the passphrase of the exported text, for ``containers.ENCRYPTED``.

    Returns:
        As ``export_public``; no document holds the text. The ``warnings`` name what else is
        needed to recover the key from a phrase.

    Raises:
        NotFoundError: There is no such key; ``no_mnemonic``.
        LockedError: ``no_secret_here``; the passphrase is missing or wrong.
        InvalidError, ConfigError: See ``containers.secret_text``.
    """
    store = workspace.keystore
    info = store.get(name)
    check_in_file(info)
    if form == "mnemonic" and not info.has_mnemonic:
        raise no_mnemonic(info)
    document = _exported(info, form, secret=True, encrypted=passphrase is not None)
    if workspace.dry_run:
        return document, ""
    given = passphrase() if passphrase is not None else None
    key = store.unlock(name, workspace.secrets)
    if form != "mnemonic":
        return document, containers.secret_text(key.keypair, form, given)
    assert key.mnemonic is not None
    return {**document, "warnings": _what_else(key, key.mnemonic)}, key.mnemonic + "\n"


def _exported(info: KeyInfo, form: str, *, secret: bool, encrypted: bool) -> KeyExport:
    return {
        "schema": "twin.key-export/1",
        "name": info.name,
        "public_key": info.public_key,
        "format": form,
        "secret": secret,
        "encrypted": encrypted,
        "path": info.path,
        "text": None,
        "file": None,
        "warnings": [],
    }


def _what_else(key: UnlockedKey, phrase: str) -> list[str]:
    """Return what ``twin keys recover`` needs beside the phrase to give this very key."""
    warnings = []
    if not mnemonic.check(phrase):
        warnings.append("it is not a BIP39 phrase: recover the key with --no-checksum")
    if key.info.path is not None:
        warnings.append(f"the key is at a path: recover it with --path {key.info.path}")
    if seed_of(key, phrase) is None:
        warnings.append(
            "the phrase alone does not give this key: BIP39's own passphrase is needed, too"
        )
    return warnings


def seed_of(key: UnlockedKey, phrase: str, bip39_passphrase: str = "") -> bytes | None:
    """Return the BIP39 seed that a key was derived from, or None if it does not give the key."""
    seed = mnemonic.to_seed(phrase, bip39_passphrase)
    path = key.info.path
    pair = derivation.tutorial(seed) if path is None else derivation.slip10(seed, path)
    return seed if pair.public_key == key.public_key else None


def check_in_file(info: KeyInfo) -> None:
    """Refuse a key whose secret is not in its file.

    Raises:
        LockedError: ``no_secret_here``.
    """
    if info.provider != keyfile.FILE:
        raise keyfile.no_secret_here(info)


def no_mnemonic(info: KeyInfo) -> NotFoundError:
    """Return the error of a key that has no phrase."""
    return NotFoundError(
        f"the key {info.name} was made without a phrase",
        code="no_mnemonic",
        hint="twin keys new NAME --mnemonic makes one with a phrase",
    )


def import_key(
    workspace: Workspace,
    wanted: NewKey,
    text: str,
    *,
    form: str | None,
    input_passphrase: Callable[[], bytes] | None = None,
) -> Key:
    """Keep a key that another program made.

    A dry run checks and shows the key, and makes nothing.

    Args:
        workspace: Rooms.
        wanted: The key.
        text: The secret key in one of ``containers.FORMATS``.
        form: The format; None: recognise it. A phrase gives the key that ``keys.recover`` makes
            by the tutorial's rule.
        input_passphrase: Returns the passphrase of ``text`` if it is encrypted.

    Returns:
        ``twin.key/1``.

    Raises:
        InvalidError, ConflictError, LockedError, ConfigError: See ``containers.format_of``,
            ``containers.read``, ``keys.recover`` and ``keys.keep``.
    """
    form = containers.format_of(text) if form is None else form
    if form == "mnemonic":
        return keys.recover(workspace, wanted, text)
    pair = _read(text, form, input_passphrase)
    return keys.keep(workspace, wanted, pair, rule="imported")


def _read(text: str, form: str, passphrase: Callable[[], bytes] | None) -> KeyPair:
    # A source that asks people has ``wrong``, which says whether it asks again.
    wrong = getattr(passphrase, "wrong", None)
    while True:
        try:
            return containers.read(text, form, passphrase)
        except LockedError as error:
            if error.code != "bad_passphrase" or wrong is None or not wrong():
                raise


def passwd(
    workspace: Workspace, wanted: Sequence[str], *, new_passphrase: Callable[[], bytes] | None
) -> Passwd:
    """Put keys under another passphrase, or under none.

    All are opened before the first is changed, so a wrong passphrase changes nothing. Copies of
    the files, such as backups, still open with the old one. A dry run checks that the keys exist
    and opens nothing.

    Args:
        workspace: Rooms; its ``secrets`` give the present passphrases.
        wanted: Names of the keys.
        new_passphrase: Returns the new one; called once, after all were opened. None: none.

    Returns:
        ``twin.passwd/1``: ``keys``: ``name public_key passphrase changed error``. ``error``, a
        ``code`` and a ``message``, is null unless a key's file could not be written after
        another's was.

    Raises:
        NotFoundError: There is no such key.
        LockedError: ``no_secret_here``; a passphrase is missing or wrong; nothing was changed.
        TwinError: The first key could not be written; nothing was changed.
    """
    store = workspace.keystore
    infos = [store.get(name) for name in {names.fold(name): name for name in wanted}.values()]
    for info in infos:
        check_in_file(info)
    sealed = new_passphrase is not None
    if workspace.dry_run:
        rows = [_changed(info, changed=False) for info in infos]
        return {"schema": "twin.passwd/1", "keys": rows}
    opened = [store.unlock(info.name, workspace.secrets) for info in infos]
    given = new_passphrase() if new_passphrase is not None else None
    rows = []
    for key in opened:
        if not sealed and not key.info.passphrase:
            rows.append(_changed(key.info, changed=False))
            continue
        try:
            rows.append(_changed(store.reseal(key, given), changed=True))
        except TwinError as error:
            if not any(row["changed"] for row in rows):
                raise
            rows.append(_changed(key.info, changed=False, error=error))
    return {"schema": "twin.passwd/1", "keys": rows}


def _changed(info: KeyInfo, *, changed: bool, error: TwinError | None = None) -> PasswdItem:
    return {
        "name": info.name,
        "public_key": info.public_key,
        "passphrase": info.passphrase,
        "changed": changed,
        "error": None if error is None else {"code": error.code, "message": error.message},
    }
