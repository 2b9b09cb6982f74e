"""Keys: making, recovering, showing, renaming, removing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import derivation, mnemonic
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConflictError, InvalidError, NotFoundError
from twincli.model import names, times
from twincli.model.did import key_did
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.keystore.keyfile import KeyInfo, SecretSource
    from twincli.services.documents import Key, KeyItem, KeyRemoval, Keys
    from twincli.services.workspace import Workspace


class NewKey(NamedTuple):
    """A key that is to be kept.

    Attributes:
        name: Its name.
        passphrase: Returns its passphrase; None stores the secret in plain. A key that lives
            elsewhere has none here.
        if_missing: Succeed if the same key already has that name; its ``created`` is then False.
    """

    name: str
    passphrase: SecretSource | None = None
    if_missing: bool = False


def document(info: KeyInfo) -> Key:
    """Return the ``twin.key/1`` document of a key, with ``settings`` where it lives elsewhere."""
    shown: Key = {
        "schema": "twin.key/1",
        "name": info.name,
        "public_key": info.public_key,
        "did": key_did(info.public_key),
        "rule": info.rule,
        "path": info.path,
        "created": info.created,
        "passphrase": info.passphrase,
        "has_mnemonic": info.has_mnemonic,
        "provider": info.provider,
    }
    if info.settings is not None:
        shown["settings"] = info.settings
    return shown


def new(
    workspace: Workspace,
    wanted: NewKey,
    *,
    with_mnemonic: bool = False,
    words: int = 24,
    path: str | None = None,
    show_phrase: Callable[[str], None] | None = None,
) -> Key:
    """Make a new key.

    In a dry run this checks, asks for nothing and makes nothing; unknown values are null.

    Args:
        workspace: Rooms.
        wanted: The key. With ``if_missing`` any key of that name will do, and no phrase is
            returned.
        with_mnemonic: Derive it from a new phrase, keep the phrase with the secret and return it.
        words: Length of the phrase.
        path: Derive it from a new phrase by SLIP-0010 instead of the tutorial's rule; the phrase
            is kept, and returned only ``with_mnemonic``.
        show_phrase: Called with the phrase before the key is written, so that no key is kept
            whose owner did not get the phrase; the document then omits it.

    Returns:
        ``twin.key/1``, with ``mnemonic`` when asked for.

    Raises:
        ConflictError: ``exists``; also with ``if_missing`` when the key has another ``path``.
        InvalidError: ``invalid_name``, ``invalid_path``.
        LockedError: There is no way to get a passphrase.
    """
    path = _canonical(path)
    name = wanted.name
    present = present_key(workspace, name) if wanted.if_missing else None
    if present is not None:
        return _kept(present, path=path)
    check_name(workspace, name)
    if workspace.dry_run:
        has_phrase = with_mnemonic or path is not None
        rule = ("tutorial" if path is None else "slip10") if has_phrase else "random"
        return planned(wanted, rule, path, has_mnemonic=has_phrase)
    phrase: str | None = None
    if with_mnemonic or path is not None:
        phrase = mnemonic.generate(words)
        keypair, rule = _derive(mnemonic.to_seed(phrase), path)
    else:
        keypair, rule = KeyPair.from_seed(workspace.random(32)), "random"
    given = None if wanted.passphrase is None else _given(wanted.passphrase(name))
    if show_phrase is not None and with_mnemonic and phrase is not None:
        show_phrase(phrase)
    try:
        info = workspace.keystore.create(
            name,
            keypair,
            secret_source=given,
            created=timestamp(workspace),
            mnemonic=phrase,
            rule=rule,
            path=path,
        )
    except ConflictError:
        if not wanted.if_missing:
            raise
        return _kept(workspace.keystore.get(name), path=path)  # another process was faster
    result = document(info)
    if with_mnemonic and show_phrase is None:
        result["mnemonic"] = phrase
    return result


def recover(
    workspace: Workspace,
    wanted: NewKey,
    phrase: str,
    *,
    path: str | None = None,
    checksum: bool = True,
    bip39_passphrase: str = "",
) -> Key:
    """Make the key of a phrase that somebody kept.

    A dry run checks and shows the key, asks for no passphrase and makes nothing.

    Args:
        workspace: Rooms.
        wanted: The key.
        phrase: As typed or read from a file. With ``checksum``, case and blanks do not matter;
            without, the text is taken exactly, except for line ends after it.
        path: SLIP-0010 path; the tutorial's rule when None.
        checksum: Whether the phrase must be a BIP39 phrase.
        bip39_passphrase: BIP39's own passphrase.

    Returns:
        ``twin.key/1``.

    Raises:
        InvalidError: ``invalid_mnemonic``, ``invalid_path``, ``invalid_name``.
        ConflictError: ``exists``: the name is taken, with ``if_missing`` by another key.
    """
    path = _canonical(path)
    text = phrase_of(phrase, checksum=checksum)
    keypair, rule = _derive(mnemonic.to_seed(text, bip39_passphrase), path)
    return keep(workspace, wanted, keypair, rule=rule, path=path, phrase=text)


_MISTYPED = "compare it with what you wrote down: a word may be wrong, missing or in another place"
_OTHER_TEXT = "--no-checksum takes any text exactly as it is, such as the tutorial's seedPhrase"
_SHORT = 16
"""Letters of a single word that no phrase is, even with its blanks lost."""


def phrase_of(phrase: str, *, checksum: bool = True) -> str:
    """Return a phrase as its seed is made of it.

    Args:
        phrase: As typed or read from a file.
        checksum: Whether it must be a BIP39 phrase; case and blanks then do not matter. Otherwise
            the text is taken exactly, except for line ends after it.

    Raises:
        InvalidError: ``invalid_mnemonic``.
    """
    if not checksum:
        text = phrase.rstrip("\r\n")
        if not text:
            raise InvalidError("the phrase is empty", code="invalid_mnemonic")
        return text
    text = mnemonic.normalise(phrase)
    try:
        mnemonic.validate(text)
    except InvalidError as error:
        # Never --no-checksum for a mistyped phrase: it would give a key that owns nothing.
        raise InvalidError(
            error.message,
            code=error.code,
            hint=_OTHER_TEXT if len(text.split()) == 1 and len(text) <= _SHORT else _MISTYPED,
        ) from None
    return text


def keep(
    workspace: Workspace,
    wanted: NewKey,
    keypair: KeyPair,
    *,
    rule: str,
    path: str | None = None,
    phrase: str | None = None,
) -> Key:
    """Keep a key that is already known, and return its ``twin.key/1``.

    Args:
        workspace: Rooms.
        wanted: The key.
        keypair: Its pair.
        rule: How it came to be, see ``keyfile.RULES``.
        path: Its derivation path.
        phrase: The phrase to keep with it.

    Raises:
        InvalidError: ``invalid_name``.
        ConflictError: ``exists``: the name is taken, with ``if_missing`` by another key.
        LockedError: There is no way to get a passphrase.
    """
    name, store = wanted.name, workspace.keystore
    present = present_key(workspace, name) if wanted.if_missing else None
    if present is not None:
        return _kept(present, public_key=keypair.public_key)
    check_name(workspace, name, keypair.public_key)
    if workspace.dry_run:
        return {
            **planned(wanted, rule, path, has_mnemonic=phrase is not None),
            "public_key": keypair.public_key,
            "did": key_did(keypair.public_key),
        }
    try:
        info = store.create(
            name,
            keypair,
            secret_source=wanted.passphrase,
            created=timestamp(workspace),
            mnemonic=phrase,
            rule=rule,
            path=path,
        )
    except ConflictError:
        if not wanted.if_missing:
            raise
        return _kept(store.get(name), public_key=keypair.public_key)
    return document(info)


def list_keys(workspace: Workspace) -> Keys:
    """Return ``twin.keys/1``: all keys by name; unusable files become ``warnings``."""
    keys, faults = workspace.keystore.scan()
    return {
        "schema": "twin.keys/1",
        "keys": [_item(info) for info in keys],
        "warnings": [
            fault.message if fault.hint is None else f"{fault.message} ({fault.hint})"
            for fault in faults
        ],
    }


def show(workspace: Workspace, name: str, *, with_mnemonic: bool = False) -> Key:
    """Return ``twin.key/1`` of one key, with its phrase when asked for.

    Raises:
        NotFoundError: There is no such key; ``no_mnemonic``: it was made without a phrase.
        LockedError: The phrase was asked for, and the passphrase is missing or wrong.
    """
    store = workspace.keystore
    info = store.get(name)
    result = document(info)
    if with_mnemonic:
        if not info.has_mnemonic:
            raise NotFoundError(
                f"the key {info.name} was made without a phrase", code="no_mnemonic"
            )
        result["mnemonic"] = store.unlock(name, workspace.secrets).mnemonic
    return result


def rename(workspace: Workspace, old: str, new_name: str) -> Key:
    """Rename a key and return its ``twin.key/1``.

    Args:
        workspace: Rooms.
        old: Its name.
        new_name: Its new name.

    Raises:
        NotFoundError: There is no such key.
        ConflictError: ``exists``: the new name is taken.
    """
    store = workspace.keystore
    info = store.get(old)
    _check_book(workspace, new_name, info.public_key)
    if workspace.dry_run:
        if names.fold(info.name) != names.fold(new_name):
            store.check_new(new_name)
        return document(info._replace(name=new_name))
    return document(store.rename(old, new_name))


def remove(workspace: Workspace, name: str, *, shred: bool = False) -> KeyRemoval:
    """Remove a key, keeping its file aside unless ``shred``.

    Returns:
        ``twin.removal/1``: ``name kept_at shredded``.

    Raises:
        NotFoundError: There is no such key.
    """
    kept = None
    if workspace.dry_run:
        workspace.keystore.get(name)
    else:
        kept = workspace.keystore.remove(name, shred=shred)
    return {"schema": "twin.removal/1", "name": name, "kept_at": kept, "shredded": shred}


def _given(passphrase: bytes) -> SecretSource:
    return lambda _name: passphrase


def check_name(workspace: Workspace, name: str, public_key: str | None = None) -> None:
    """Check that a key of this name could be made.

    Raises:
        InvalidError: ``invalid_name``.
        ConflictError: ``exists``: the name is a key's, or stands for somebody else.
    """
    workspace.keystore.check_new(name)
    _check_book(workspace, name, public_key)


def _check_book(workspace: Workspace, name: str, public_key: str | None = None) -> None:
    """Refuse a name that stands for somebody else: payments to it would go elsewhere."""
    held = workspace.book.party(name)
    if held is not None and held != public_key:
        raise ConflictError(
            f"the name {name} stands for {held}",
            code="exists",
            hint=f"choose another name, or forget it first: twin name remove {name}",
        )


def planned(wanted: NewKey, rule: str, path: str | None, *, has_mnemonic: bool) -> Key:
    """Return the document of a key that is not made; unknown values are null."""
    return {
        "schema": "twin.key/1",
        "name": wanted.name,
        "public_key": None,
        "did": None,
        "rule": rule,
        "path": path,
        "created": None,
        "passphrase": wanted.passphrase is not None,
        "has_mnemonic": has_mnemonic,
        "provider": "file",
    }


def _derive(seed: bytes, path: str | None) -> tuple[KeyPair, str]:
    if path is None:
        return derivation.tutorial(seed), "tutorial"
    return derivation.slip10(seed, path), "slip10"


def _canonical(path: str | None) -> str | None:
    return None if path is None else derivation.format_path(derivation.parse_path(path))


def _kept(present: KeyInfo, *, path: str | None = None, public_key: str | None = None) -> Key:
    """Return the document of a key that already exists, if it is the one that was asked for."""
    if path is not None and present.path != path:
        why = f"it was not derived at {path}"
    elif public_key is not None and present.public_key != public_key:
        why = "it is another key"
    else:
        return {**document(present), "created": False}
    raise ConflictError(
        f"the key {present.name} already exists, and {why}",
        code="exists",
        hint=f"twin keys show {present.name}",
    )


def present_key(workspace: Workspace, name: str) -> KeyInfo | None:
    """Return a key that exists, or None."""
    try:
        return workspace.keystore.get(name)
    except NotFoundError:
        return None


def timestamp(workspace: Workspace) -> str:
    """Return the present as key files have it: RFC 3339 in whole seconds."""
    return times.to_text(workspace.now() // 1000 * 1000)[:19] + "Z"


def _item(info: KeyInfo) -> KeyItem:
    return {name: value for name, value in document(info).items() if name != "schema"}  # type: ignore[return-value]
