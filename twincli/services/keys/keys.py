"""Keys: making, recovering, showing, renaming, removing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import derivation, mnemonic
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConflictError, InvalidError, NotFoundError
from twincli.model import names
from twincli.model.did import key_did

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from twincli.book.store import Book
    from twincli.keystore.keyfile import KeyInfo, SecretSource
    from twincli.keystore.store import KeyStore


def document(info: KeyInfo) -> dict[str, Any]:
    """Return the ``twin.key/1`` document of a key, with ``settings`` where it lives elsewhere."""
    shown: dict[str, Any] = {
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
    store: KeyStore,
    name: str,
    *,
    secret_source: SecretSource | None,
    with_mnemonic: bool = False,
    words: int = 24,
    path: str | None = None,
    if_missing: bool = False,
    show_phrase: Callable[[str], None] | None = None,
    book: Book | None = None,
    dry_run: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Make a new key.

    Args:
        store: Where to keep it.
        name: Its name.
        secret_source: Gives the passphrase; None keeps the secret in plain.
        with_mnemonic: Derive it from a new phrase, keep the phrase with the secret and return it.
        words: Length of the phrase.
        path: Derive it from a new phrase by SLIP-0010 instead of the tutorial's rule; the phrase
            is kept, and returned only ``with_mnemonic``.
        if_missing: Be content with a key of that name; its ``created`` is then False, and no
            phrase is returned.
        show_phrase: Given the phrase before the key is written, so that a key is never kept
            whose owner has not got the phrase; the document then leaves it out.
        book: Names of others, which a key must not take.
        dry_run: Check, ask for nothing, make nothing; what is not known is null.
        now: Creation time; the present when not given.

    Returns:
        ``twin.key/1``, with ``mnemonic`` when asked for.

    Raises:
        ConflictError: ``exists``; also with ``if_missing`` when the key has another ``path``.
        InvalidError: ``invalid_name``, ``invalid_path``.
        LockedError: No passphrase could be had.
    """
    path = _canonical(path)
    present = present_key(store, name) if if_missing else None
    if present is not None:
        return _kept(present, path=path)
    check_name(store, book, name)
    if dry_run:
        has_phrase = with_mnemonic or path is not None
        rule = ("tutorial" if path is None else "slip10") if has_phrase else "random"
        return planned(name, rule, path, secret_source, has_mnemonic=has_phrase)
    phrase: str | None = None
    if with_mnemonic or path is not None:
        phrase = mnemonic.generate(words)
        keypair, rule = _derive(mnemonic.to_seed(phrase), path)
    else:
        import os

        keypair, rule = KeyPair.from_seed(os.urandom(32)), "random"
    given = None if secret_source is None else _given(secret_source(name))
    if show_phrase is not None and with_mnemonic and phrase is not None:
        show_phrase(phrase)
    try:
        info = store.create(
            name,
            keypair,
            secret_source=given,
            created=timestamp(now),
            mnemonic=phrase,
            rule=rule,
            path=path,
        )
    except ConflictError:
        if not if_missing:
            raise
        return _kept(store.get(name), path=path)  # another process was faster
    result = document(info)
    if with_mnemonic and show_phrase is None:
        result["mnemonic"] = phrase
    return result


def recover(
    store: KeyStore,
    name: str,
    phrase: str,
    *,
    secret_source: SecretSource | None,
    path: str | None = None,
    checksum: bool = True,
    bip39_passphrase: str = "",
    if_missing: bool = False,
    book: Book | None = None,
    dry_run: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Make the key of a phrase that somebody kept.

    Args:
        store: Where to keep it.
        name: Its name.
        phrase: As typed or read from a file. With ``checksum``, case and blanks do not matter;
            without, the text is taken exactly, but for line ends after it.
        secret_source: Gives the keystore's passphrase; None keeps the secret in plain.
        path: SLIP-0010 path; the tutorial's rule when None.
        checksum: Whether the phrase must be a BIP39 phrase.
        bip39_passphrase: BIP39's own passphrase.
        if_missing: Be content when the same key has that name; its ``created`` is then False.
        book: Names of others, which a key must not take unless it is theirs.
        dry_run: Check and show the key, ask for no passphrase, make nothing.
        now: Creation time; the present when not given.

    Returns:
        ``twin.key/1``.

    Raises:
        InvalidError: ``invalid_mnemonic``, ``invalid_path``, ``invalid_name``.
        ConflictError: ``exists``: the name is taken, with ``if_missing`` by another key.
    """
    path = _canonical(path)
    text = phrase_of(phrase, checksum=checksum)
    keypair, rule = _derive(mnemonic.to_seed(text, bip39_passphrase), path)
    return keep(
        store,
        name,
        keypair,
        secret_source=secret_source,
        rule=rule,
        path=path,
        phrase=text,
        if_missing=if_missing,
        book=book,
        dry_run=dry_run,
        now=now,
    )


def phrase_of(phrase: str, *, checksum: bool = True) -> str:
    """Return a phrase as its seed is made of it.

    Args:
        phrase: As typed or read from a file.
        checksum: Whether it must be a BIP39 phrase; case and blanks then do not matter. Otherwise
            the text is taken exactly, but for line ends after it.

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
        raise InvalidError(
            error.message,
            code=error.code,
            hint="--no-checksum takes any text exactly as it is, such as the tutorial's seedPhrase",
        ) from None
    return text


def keep(
    store: KeyStore,
    name: str,
    keypair: KeyPair,
    *,
    secret_source: SecretSource | None,
    rule: str,
    path: str | None = None,
    phrase: str | None = None,
    if_missing: bool = False,
    book: Book | None = None,
    dry_run: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Keep a key that is known already, and return its ``twin.key/1``.

    Args:
        store: Where to keep it.
        name: Its name.
        keypair: The key.
        secret_source: Gives the keystore's passphrase; None keeps the secret in plain.
        rule: How it came to be, see ``keyfile.RULES``.
        path: Its derivation path.
        phrase: The phrase to keep with it.
        if_missing: Be content when the same key has that name; its ``created`` is then False.
        book: Names of others, which a key must not take unless it is theirs.
        dry_run: Check and show the key, ask for no passphrase, make nothing.
        now: Creation time; the present when not given.

    Raises:
        InvalidError: ``invalid_name``.
        ConflictError: ``exists``: the name is taken, with ``if_missing`` by another key.
        LockedError: No passphrase could be had.
    """
    present = present_key(store, name) if if_missing else None
    if present is not None:
        return _kept(present, public_key=keypair.public_key)
    check_name(store, book, name, keypair.public_key)
    if dry_run:
        return {
            **planned(name, rule, path, secret_source, has_mnemonic=phrase is not None),
            "public_key": keypair.public_key,
            "did": key_did(keypair.public_key),
        }
    try:
        info = store.create(
            name,
            keypair,
            secret_source=secret_source,
            created=timestamp(now),
            mnemonic=phrase,
            rule=rule,
            path=path,
        )
    except ConflictError:
        if not if_missing:
            raise
        return _kept(store.get(name), public_key=keypair.public_key)
    return document(info)


def list_keys(store: KeyStore) -> dict[str, Any]:
    """Return ``twin.keys/1``: all keys by name; files that cannot be used become ``warnings``."""
    keys, faults = store.scan()
    return {
        "schema": "twin.keys/1",
        "keys": [_without_schema(document(info)) for info in keys],
        "warnings": [
            fault.message if fault.hint is None else f"{fault.message} ({fault.hint})"
            for fault in faults
        ],
    }


def show(
    store: KeyStore, name: str, *, with_mnemonic: bool = False, secret_source: SecretSource | None
) -> dict[str, Any]:
    """Return ``twin.key/1`` of one key, with its phrase when asked for.

    Raises:
        NotFoundError: There is no such key; ``no_mnemonic``: it was made without a phrase.
        LockedError: The phrase was asked for, and the passphrase is missing or wrong.
    """
    info = store.get(name)
    result = document(info)
    if with_mnemonic:
        if not info.has_mnemonic:
            raise NotFoundError(
                f"the key {info.name} was made without a phrase", code="no_mnemonic"
            )
        result["mnemonic"] = store.unlock(name, secret_source).mnemonic
    return result


def rename(
    store: KeyStore, old: str, new_name: str, *, book: Book | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Rename a key and return its ``twin.key/1``.

    Args:
        store: Where it is.
        old: Its name.
        new_name: Its new name.
        book: Names of others, which a key must not take unless it is theirs.
        dry_run: Check, change nothing.

    Raises:
        NotFoundError: There is no such key.
        ConflictError: ``exists``: the new name is taken.
    """
    info = store.get(old)
    _check_book(book, new_name, info.public_key)
    if dry_run:
        if names.fold(info.name) != names.fold(new_name):
            store.check_new(new_name)
        return document(info._replace(name=new_name))
    return document(store.rename(old, new_name))


def remove(
    store: KeyStore, name: str, *, shred: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Remove a key, keeping its file aside unless ``shred``.

    Returns:
        ``twin.removal/1``: ``name kept_at shredded``.

    Raises:
        NotFoundError: There is no such key.
    """
    kept = None
    if dry_run:
        store.get(name)
    else:
        kept = store.remove(name, shred=shred)
    return {"schema": "twin.removal/1", "name": name, "kept_at": kept, "shredded": shred}


def _given(passphrase: bytes) -> SecretSource:
    return lambda _name: passphrase


def check_name(
    store: KeyStore, book: Book | None, name: str, public_key: str | None = None
) -> None:
    """Check that a key of this name could be made.

    Raises:
        InvalidError: ``invalid_name``.
        ConflictError: ``exists``: the name is a key's, or stands for somebody else.
    """
    store.check_new(name)
    _check_book(book, name, public_key)


def _check_book(book: Book | None, name: str, public_key: str | None = None) -> None:
    """Refuse a name that stands for somebody else: what is paid to it would go elsewhere."""
    held = book.party(name) if book is not None else None
    if held is not None and held != public_key:
        raise ConflictError(
            f"the name {name} stands for {held}",
            code="exists",
            hint=f"choose another name, or forget it first with `twin name remove {name}`",
        )


def planned(
    name: str,
    rule: str,
    path: str | None,
    secret_source: SecretSource | None,
    *,
    has_mnemonic: bool,
) -> dict[str, Any]:
    """Return the document of a key that is not made; what is not known is null."""
    return {
        "schema": "twin.key/1",
        "name": name,
        "public_key": None,
        "did": None,
        "rule": rule,
        "path": path,
        "created": None,
        "passphrase": secret_source is not None,
        "has_mnemonic": has_mnemonic,
        "provider": "file",
    }


def _derive(seed: bytes, path: str | None) -> tuple[KeyPair, str]:
    if path is None:
        return derivation.tutorial(seed), "tutorial"
    return derivation.slip10(seed, path), "slip10"


def _canonical(path: str | None) -> str | None:
    return None if path is None else derivation.format_path(derivation.parse_path(path))


def _kept(
    present: KeyInfo, *, path: str | None = None, public_key: str | None = None
) -> dict[str, Any]:
    """Return the document of a key that is there already, if it is the one that was asked for."""
    if path is not None and present.path != path:
        why = f"it was not derived at {path}"
    elif public_key is not None and present.public_key != public_key:
        why = "it is another key"
    else:
        return {**document(present), "created": False}
    raise ConflictError(
        f"there is a key {present.name} already, and {why}",
        code="exists",
        hint=f"twin keys show {present.name}",
    )


def present_key(store: KeyStore, name: str) -> KeyInfo | None:
    """Return a key that is there, or None."""
    try:
        return store.get(name)
    except NotFoundError:
        return None


def timestamp(now: datetime | None) -> str:
    """Return a creation time as key files have it."""
    from datetime import UTC, datetime

    return (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_schema(whole: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in whole.items() if key != "schema"}
