"""Keys in a chip: a smart card, an HSM or a TPM, reached through its maker's PKCS#11 module.

A key's settings are ``module`` (path of the shared library), ``token`` (label or serial number) and
``label`` and ``id`` (hex) of the private key, null where it has none. They find exactly one private
key; which public key belongs to it is proved by a signature and not read off a label.

A login holds for the whole process, so all keys of a token share one session, which ends with the
last of them. A PIN is tried once a process and never on a token's last try: tokens lock for good.
"""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pkcs11
from pkcs11 import exceptions as faults
from pkcs11.constants import Attribute, ObjectClass, TokenFlag
from pkcs11.mechanisms import KeyType, Mechanism
from pkcs11.types import PROTECTED_AUTH

from twincli.crypto import base58, ed25519
from twincli.errors import ConfigError, ConflictError, LockedError, NotFoundError
from twincli.keystore.providers.source import bad_settings, proof_message, text_of
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from twincli.keystore.keyfile import SecretSource

ED25519_PARAMETERS = bytes.fromhex("06032b6570")
"""The curve's object identifier 1.3.101.112, as RFC 8410 gives it."""

_WRONG_PIN = (faults.PinIncorrect, faults.PinInvalid, faults.PinLenRange)
_GONE = (
    faults.DeviceRemoved,
    faults.SessionClosed,
    faults.SessionHandleInvalid,
    faults.TokenNotPresent,
    faults.TokenNotRecognised,
)
# A PIN pad of its own, a lock, and few tries left.
_PIN_PAD = TokenFlag.PROTECTED_AUTHENTICATION_PATH
_LAST_TRY = TokenFlag.USER_PIN_FINAL_TRY
_LOCKED = TokenFlag.USER_PIN_LOCKED
_FEW_TRIES = TokenFlag.USER_PIN_COUNT_LOW

# Modules are initialised for one thread at a time, and a login is the process's.
_lock = threading.RLock()
_logins: dict[tuple[str, int], Login] = {}


class Place(NamedTuple):
    """Where a key is; None says nothing about it.

    Attributes:
        module: Path of the PKCS#11 module.
        token: Label or serial number of the token.
        label: Label of the key.
        id: Identifier of the key, hex.
    """

    module: str
    token: str | None = None
    label: str | None = None
    id: str | None = None

    @classmethod
    def of(cls, name: str, settings: Mapping[str, Any]) -> Self:
        """Return the place that a key's settings describe.

        Raises:
            ConfigError: ``bad_settings``.
        """
        place = cls(*(text_of(name, settings, field) for field in cls._fields))  # type: ignore[arg-type]
        if not place.module:
            raise bad_settings(name, "module is missing")
        try:
            bytes.fromhex(place.id or "")
        except ValueError as error:
            raise bad_settings(name, "id is not hex") from error
        return place

    def key_text(self) -> str:
        """Return which key it is, for errors."""
        parts = [f"label {self.label}" if self.label else "", f"id {self.id}" if self.id else ""]
        return " and ".join(part for part in parts if part)


class Login:
    """The session of this process with one token.

    Attributes:
        title: What to call the token in errors.
        session: python-pkcs11's session.
        needs_pin: Whether opening it asked for a PIN.
    """

    __slots__ = ("_at", "_users", "needs_pin", "session", "title")

    def __init__(self, at: tuple[str, int], title: str, session: Any, *, needs_pin: bool) -> None:
        self._at = at
        self._users = 0
        self.title = title
        self.session = session
        self.needs_pin = needs_pin

    def hold(self) -> Self:
        """Count one more user."""
        self._users += 1
        return self

    def release(self) -> None:
        """Count one user fewer; the last one logs out."""
        with _lock:
            self._users -= 1
            if self._users:
                return
            del _logins[self._at]
            try:
                self.session.close()
            except faults.PKCS11Error:
                return  # the token is gone, and the login with it

    def private_keys(self, place: Place) -> list[Any]:
        """Return the matching Edwards keys in the token."""
        wanted: dict[Attribute, Any] = {
            Attribute.CLASS: ObjectClass.PRIVATE_KEY,
            Attribute.KEY_TYPE: KeyType.EC_EDWARDS,
        }
        if place.label:
            wanted[Attribute.LABEL] = place.label
        if place.id:
            wanted[Attribute.ID] = bytes.fromhex(place.id)
        return list(self.session.get_objects(wanted))

    def public_keys(self) -> list[bytes]:
        """Return all public keys of 32 bytes in the token."""
        wanted = {
            Attribute.CLASS: ObjectClass.PUBLIC_KEY,
            Attribute.KEY_TYPE: KeyType.EC_EDWARDS,
        }
        points = [key[Attribute.EC_POINT] for key in self.session.get_objects(wanted)]
        return [point for point in map(_unwrapped, points) if ed25519.is_point(point)]


class ChipKey:
    """A private key in a token; a `Source` of signatures, and its ``repr`` shows no PIN."""

    __slots__ = ("_key", "_pin", "login")

    def __init__(self, login: Login, key: Any, pin: str | None) -> None:
        self.login = login
        self._key = key
        self._pin = pin

    def sign(self, message: bytes) -> bytes:
        """Return the token's signature of ``message``.

        Raises:
            LockedError: ``bad_passphrase``, ``pin_locked``.
            NotFoundError: ``no_token``: it was taken out.
            ConfigError: ``token_failed``.
        """
        with _lock, _translated(self.login.title):
            made: bytes = self._key.sign(message, mechanism=Mechanism.EDDSA, pin=self._pin)
            return made

    def close(self) -> None:
        """Give up the session."""
        self.login.release()

    def destroy(self, public: Any) -> None:
        """Take the key, which was just generated, out of the token again."""
        with _lock, _translated(self.login.title):
            self._key.destroy()
            public.destroy()


class Found(NamedTuple):
    """A key in a token that has shown that it signs.

    Attributes:
        public_key: base58.
        settings: Where it is, to be kept in the key's file.
        needs_pin: Whether its token asks for a PIN.
    """

    public_key: str
    settings: dict[str, Any]
    needs_pin: bool


def look(name: str, settings: Mapping[str, Any]) -> str:
    """Return what the token of a key is called, if it is there; nobody is logged in.

    Raises:
        ConfigError, ConflictError, NotFoundError: As ``open_key``.
    """
    place = Place.of(name, settings)
    with _lock:
        return _title(_token(place))


def open_key(name: str, settings: Mapping[str, Any], secret_source: SecretSource | None) -> ChipKey:
    """Return the private key that settings describe, logged in.

    Args:
        name: Its name here.
        settings: Its place.
        secret_source: Asked for the PIN if there is one.

    Raises:
        ConfigError: ``bad_settings``, ``no_module``, ``token_failed``.
        LockedError: ``locked``, ``bad_passphrase``, ``pin_locked``, ``pin_last_try``.
        NotFoundError: ``no_token``, ``no_key_there``.
        ConflictError: ``ambiguous``: several tokens or keys fit.
    """
    place = Place.of(name, settings)
    with _logged_in(name, place, secret_source, write=False) as login:
        return _held(login, _only_key(login, place), name, secret_source)


@contextmanager
def adopted(name: str, place: Place, secret_source: SecretSource | None) -> Iterator[Found]:
    """Find a key that is in a token, and make it prove that it signs.

    Args:
        name: Its name here.
        place: Where it is; None matches anything.
        secret_source: Asked for the PIN if there is one.

    Raises:
        ConfigError: ``no_public_key``: the token holds none that the signature fits.
        TwinError: As ``open_key``.
    """
    with _logged_in(name, place, secret_source, write=False) as login:
        key = _only_key(login, place)
        chip = _held(login, key, name, secret_source)
        try:
            yield _proved(login, chip, place, key)
        finally:
            chip.close()


@contextmanager
def generated(name: str, place: Place, secret_source: SecretSource | None) -> Iterator[Found]:
    """Generate a key in a token, from which it cannot be taken; it is undone if the block fails.

    Args:
        name: Its name here.
        place: Where; label and id are the new key's, a random id where that is None.
        secret_source: Asked for the PIN if there is one.

    Raises:
        ConflictError: ``exists``: the token holds a key of that label or id.
        TwinError: As ``open_key``.
    """
    place = place._replace(label=place.label or name, id=place.id or os.urandom(8).hex())
    with _logged_in(name, place, secret_source, write=True) as login:
        for taken in (place._replace(id=None), place._replace(label=None)):
            if login.private_keys(taken):
                raise ConflictError(
                    f"the token {login.title} already has a key with {taken.key_text()}",
                    code="exists",
                    hint="give another --label or --id, or use that key: leave out --generate",
                )
        public, private = _generate(login, place)
        chip = _held(login, private, name, secret_source)
        try:
            yield _proved(login, chip, place, private)
        except BaseException:
            chip.destroy(public)
            raise
        finally:
            chip.close()


def _generate(login: Login, place: Place) -> tuple[Any, Any]:
    parameters = login.session.create_domain_parameters(
        KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: ED25519_PARAMETERS}, local=True
    )
    pair: tuple[Any, Any] = parameters.generate_keypair(
        id=bytes.fromhex(place.id or ""),
        label=place.label,
        store=True,
        capabilities=pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
        private_template={
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
        },
    )
    return pair


def _held(login: Login, key: Any, name: str, secret_source: SecretSource | None) -> ChipKey:
    """Return a key that keeps the session open until it is closed."""
    try:
        always = bool(key[Attribute.ALWAYS_AUTHENTICATE])
    except faults.AttributeTypeInvalid:
        always = False
    # Such a key asks for the PIN before every signature; others have it no longer.
    pin = _pin(name, login.title, secret_source) if always else None
    return ChipKey(login.hold(), key, pin)


def _proved(login: Login, chip: ChipKey, place: Place, key: Any) -> Found:
    message = proof_message()
    signature = chip.sign(message)
    for point in login.public_keys():
        if ed25519.verify(point, message, signature):
            settings = {
                "module": place.module,
                "token": place.token or login.title,
                "label": key.label or None,
                "id": key.id.hex() or None,
            }
            return Found(base58.encode(point), settings, login.needs_pin)
    raise ConfigError(
        f"the token {login.title} holds no Ed25519 public key for its private key {_describe(key)}",
        code="no_public_key",
        hint="write the public key into the token, next to the private one",
    )


def _only_key(login: Login, place: Place) -> Any:
    keys = login.private_keys(place)
    if len(keys) == 1:
        return keys[0]
    wanted = place.key_text()
    if not keys:
        raise NotFoundError(
            f"the token {login.title} holds no Ed25519 key{f' with {wanted}' if wanted else ''}",
            code="no_key_there",
            hint=f"pkcs11-tool --module {place.module} --login --list-objects shows what it holds",
        )
    raise ConflictError(
        f"the token {login.title} holds {len(keys)} Ed25519 keys"
        f"{f' with {wanted}' if wanted else ''}: {', '.join(map(_describe, keys))}",
        code="ambiguous",
        hint="choose one with --label and --id",
    )


def _describe(key: Any) -> str:
    return f"label {key.label or '(none)'} id {key.id.hex() or '(none)'}"


@contextmanager
def _logged_in(
    name: str, place: Place, secret_source: SecretSource | None, *, write: bool
) -> Iterator[Login]:
    """Give the process's session with a token, opened if there is none yet."""
    with _lock:
        token = _token(place)
        title = _title(token)
        at = os.path.realpath(place.module), token.slot.slot_id
        with _translated(title):
            login = _logins.get(at)
            if login is None:
                login = _logins[at] = _log_in(at, token, name, secret_source, write=write)
            login.hold()
            try:
                yield login
            finally:
                login.release()


def _log_in(
    at: tuple[str, int], token: Any, name: str, secret_source: SecretSource | None, *, write: bool
) -> Login:
    title = _title(token)
    if not token.flags & TokenFlag.LOGIN_REQUIRED:
        return Login(at, title, token.open(rw=write), needs_pin=False)
    if token.flags & _LOCKED:
        raise _pin_locked(title)
    if token.flags & _PIN_PAD:
        return Login(at, title, token.open(rw=write, user_pin=PROTECTED_AUTH), needs_pin=False)
    if token.flags & _LAST_TRY:
        raise LockedError(
            f"one more wrong PIN locks the token {title} for good, so it is not tried here",
            code="pin_last_try",
            hint=f"log in with the right PIN once, which resets the count:"
            f" pkcs11-tool --module {at[0]} --login --list-objects",
        )
    pin = _pin(name, title, secret_source)
    try:
        return Login(at, title, token.open(rw=write, user_pin=pin), needs_pin=True)
    except _WRONG_PIN as error:
        raise _bad_pin(title, token.slot.get_token().flags) from error


def _pin(name: str, title: str, secret_source: SecretSource | None) -> str:
    if secret_source is None:
        raise LockedError(f"the key {name} is in the token {title}, which needs its PIN")
    try:
        return secret_source(name).decode()
    except UnicodeDecodeError:
        # Not chained: the error would carry the PIN. It was not tried.
        raise LockedError(
            f"the PIN of the token {title} is not UTF-8 text", code="bad_passphrase"
        ) from None


def _bad_pin(title: str, flags: TokenFlag) -> LockedError:
    if flags & _LOCKED:
        return _pin_locked(title)
    if flags & _LAST_TRY:
        left = "; one more wrong PIN locks it for good"
    else:
        left = "; few tries are left before it locks" if flags & _FEW_TRIES else ""
    return LockedError(
        f"the PIN of the token {title} is wrong{left}",
        code="bad_passphrase",
        hint="it was tried once, and is not tried again",
    )


def _pin_locked(title: str) -> LockedError:
    return LockedError(
        f"the token {title} has locked itself after too many wrong PINs",
        code="pin_locked",
        hint="only its security officer can unlock it, with the SO PIN or PUK",
    )


def _token(place: Place) -> Any:
    """Return the only token that matches."""
    with _translated("of " + place.module):
        tokens = [
            token
            for token in _library(place.module).get_tokens()
            if token.flags & TokenFlag.TOKEN_INITIALIZED
        ]
    there = ", ".join(map(_title, tokens)) or "none"
    if place.token is not None:
        tokens = [token for token in tokens if place.token in {token.label, _text(token.serial)}]
    if len(tokens) == 1:
        return tokens[0]
    if not tokens:
        wanted = "" if place.token is None else f" {place.token}"
        raise NotFoundError(
            f"there is no token{wanted} at {place.module}; found: {there}",
            code="no_token",
            hint="insert it; to see the tokens: pkcs11-tool --module ... --list-slots",
        )
    raise ConflictError(
        f"several tokens match:"
        f" {', '.join(f'{t.label} (serial {_text(t.serial)})' for t in tokens)}",
        code="ambiguous",
        hint="choose one with --token, by label or serial number",
    )


def _title(token: Any) -> str:
    return token.label or _text(token.serial)


def _text(serial: bytes) -> str:
    return serial.decode("utf-8", "replace")


def _library(module: str) -> Any:
    # One file under two names would be initialised twice.
    path = os.path.realpath(module)
    if not os.path.isfile(path):
        raise ConfigError(
            f"there is no PKCS#11 module {module}",
            code="no_module",
            hint="it is a shared library from the chip's maker, or OpenSC's opensc-pkcs11.so",
        )
    try:
        return pkcs11.lib(path)
    except faults.PKCS11Error as error:
        raise ConfigError(
            f"{module} cannot be used as a PKCS#11 module: {_said(error)}", code="no_module"
        ) from error


@contextmanager
def _translated(title: str) -> Iterator[None]:
    """Turn a module's error into one of ours."""
    try:
        yield
    except faults.PinLocked as error:
        raise _pin_locked(title) from error
    except _WRONG_PIN as error:
        raise _bad_pin(title, TokenFlag(0)) from error
    except _GONE as error:
        raise NotFoundError(
            f"the token {title} is gone", code="no_token", hint="insert it again"
        ) from error
    except faults.PKCS11Error as error:
        raise ConfigError(
            f"the token {title} refused: {_said(error)}", code="token_failed"
        ) from error


def _said(error: faults.PKCS11Error) -> str:
    """Return what a module's error is called, in words."""
    words = re.sub(r"(?<!^)(?=[A-Z][a-z])", " ", type(error).__name__).lower()
    return str(error) or words


def _unwrapped(point: bytes) -> bytes:
    """Return a public key out of CKA_EC_POINT.

    PKCS#11 3.0 says the bytes as such; most modules wrap them as DER's OCTET STRING, some as its
    BIT STRING.
    """
    for head in (b"\x04\x20", b"\x03\x21\x00"):
        if len(point) == len(head) + 32 and point.startswith(head):
            return point[len(head) :]
    return point
