"""Signed notes: a text with signature lines below it, as transparency logs and witnesses sign it.

Signatures of types that are not known here are passed over, as are those of unknown keys. What
strangers wrote is bounded before anything is computed from it.

Source: c2sp.org/signed-note; c2sp.org/tlog-cosignature for signatures with a time. Vectors in
``tests/vectors/tlog.json``.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from twincli.crypto import base58, ed25519
from twincli.crypto.digests import sha256
from twincli.errors import InvalidError, NotVerifiedError, cut
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twincli.crypto.ed25519 import Signer

ED25519 = 0x01
COSIGNATURE = 0x04
"""A signature over the time, too: Ed25519, ``cosignature/v1``."""

MAX_BYTES = 1 << 18
MAX_SIGNATURES = 64
MAX_NAME = 255
"""Bytes of a key's name."""

_DASH = "\u2014 "
_ID_BYTES = 4
_TIME_BYTES = 8
_LATEST = (1 << 63) - 1


class VerifierKey(NamedTuple):
    """A key that notes are checked with.

    Attributes:
        name: Who signs.
        kind: Type of its signatures: ``ED25519`` or ``COSIGNATURE``.
        public_key: 32 bytes.
    """

    name: str
    kind: int
    public_key: bytes

    @property
    def id(self) -> bytes:
        """The 4 bytes that stand before a signature."""
        head = self.name.encode() + b"\n" + bytes([self.kind])
        return sha256(head + self.public_key).digest()[:_ID_BYTES]

    @property
    def text(self) -> str:
        """The form in which keys are handed around: ``name+id+key``."""
        return f"{self.name}+{self.id.hex()}+{base64_of(bytes([self.kind]) + self.public_key)}"


class Signature(NamedTuple):
    """A signature line.

    Attributes:
        name: Of the key.
        key_id: 4 bytes.
        data: The signature itself, in the form of its type.
    """

    name: str
    key_id: bytes
    data: bytes

    @property
    def line(self) -> str:
        """The line, with its end."""
        return f"{_DASH}{self.name} {base64_of(self.key_id + self.data)}\n"


class Note(NamedTuple):
    """A text and its signatures.

    Attributes:
        text: What is signed; ends with a line feed.
        signatures: Of any keys and types.
    """

    text: str
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """Return the note as a file holds it."""
        return (self.text + "\n" + "".join(entry.line for entry in self.signatures)).encode()

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """Return the note with further signatures; each once, the latest of a key."""
        kept = {(entry.name, entry.key_id): entry for entry in self.signatures}
        kept.update({(entry.name, entry.key_id): entry for entry in more})
        return Note(self.text, tuple(kept.values()))


class Verified(NamedTuple):
    """A signature that was checked.

    Attributes:
        key: Whose it is.
        seconds: When a cosignature was made, since the epoch; None for other types.
    """

    key: VerifierKey
    seconds: int | None


def base64_of(data: bytes) -> str:
    """Return bytes in base64."""
    return b2a_base64(data, newline=False).decode("ascii")


def from_base64(text: str) -> bytes | None:
    """Return the bytes of a text in base64; None where another text would encode them."""
    try:
        data = a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):  # the latter for letters beyond ASCII
        return None
    return data if base64_of(data) == text else None


def parse_key(text: str) -> VerifierKey:
    """Return the key of a text such as ``name+id+key``.

    Raises:
        InvalidError: ``invalid_verifier_key``: it is malformed, its id is not its own, or its type
            is not one that is known here.
    """
    name, _, rest = text.strip().partition("+")
    hex_id, _, encoded = rest.partition("+")
    data = from_base64(encoded)
    if not is_name(name) or len(text) > 1024 or data is None or not data:
        raise _bad_key(text, "a verifier key is name+id+base64")
    if data[0] not in {ED25519, COSIGNATURE}:
        raise _bad_key(text, f"keys of type {data[0]} are not known here")
    key = VerifierKey(name, data[0], data[1:])
    if not ed25519.is_point(key.public_key):
        raise _bad_key(text, "its last part is not an Ed25519 key")
    if key.id.hex() != hex_id.lower():
        raise _bad_key(text, "its id is not the one of its name and key")
    return key


def is_name(text: str) -> bool:
    """Say whether a key may have this name."""
    try:
        size = len(text[: MAX_NAME + 1].encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return (
        0 < size <= MAX_NAME
        and "+" not in text
        and not any(character.isspace() or character < " " for character in text)
    )


def parse(data: bytes) -> Note:
    """Return the note that bytes hold; none of its signatures is checked yet.

    Raises:
        InvalidError: ``invalid_note``: it is malformed, too long, or has too many signatures.
    """
    if len(data) > MAX_BYTES:
        raise invalid_note(f"it has more than {MAX_BYTES} bytes")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise invalid_note("it is not UTF-8") from error
    if any(character < " " and character != "\n" for character in whole):
        raise invalid_note("it has control characters")
    text, gap, block = whole.rpartition("\n\n")
    if not gap or not block.endswith("\n"):
        raise invalid_note("it does not end with signature lines")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise invalid_note(f"it has more than {MAX_SIGNATURES} signatures")
    return Note(text + "\n", tuple(parse_line(line) for line in lines))


def parse_line(line: str) -> Signature:
    """Return the signature of a line, given without its end.

    Raises:
        InvalidError: ``invalid_note``.
    """
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    data = from_base64(encoded)
    if not line.startswith(_DASH) or not is_name(name) or data is None or len(data) <= _ID_BYTES:
        raise invalid_note(f"this is not a signature line: {cut(line)!r}")
    return Signature(name, data[:_ID_BYTES], data[_ID_BYTES:])


def sign(text: str, name: str, signer: Signer) -> Signature:
    """Return the signature of a text.

    Args:
        text: Ends with a line feed.
        name: Of the signer's key.
        signer: Signs.
    """
    return Signature(name, _key_of(name, ED25519, signer).id, signer.sign(text.encode()))


def cosign(text: str, name: str, signer: Signer, seconds: int) -> Signature:
    """Return a cosignature: the text was seen, consistent with all before it, at a time.

    Args:
        text: Of a checkpoint.
        name: Of the signer's key.
        signer: Signs.
        seconds: The time, since the epoch.
    """
    data = seconds.to_bytes(_TIME_BYTES, "big") + signer.sign(_cosigned(text, seconds))
    return Signature(name, _key_of(name, COSIGNATURE, signer).id, data)


def verify(note: Note, keys: Iterable[VerifierKey]) -> list[Verified]:
    """Return the signatures of known keys, one each, all of them good.

    Args:
        note: The note.
        keys: Those whose signatures count; all others are passed over.

    Raises:
        NotVerifiedError: ``bad_note_signature``: one of a known key is not good.
    """
    known = {(key.name, key.id): key for key in keys}
    found: dict[VerifierKey, Verified] = {}
    for entry in note.signatures:
        key = known.get((entry.name, entry.key_id))
        if key is None or key in found:
            continue
        seconds = _checked(note.text, entry, key)
        if seconds == _BAD:
            raise NotVerifiedError(
                f"the signature of {cut(key.name)} is not the one of this note",
                code="bad_note_signature",
                hint="ask again for the note where it comes from",
            )
        found[key] = Verified(key, seconds)
    return list(found.values())


_BAD = -1


def _checked(text: str, entry: Signature, key: VerifierKey) -> int | None:
    """Return the time of a good signature, None where its type has none; ``_BAD`` for others."""
    if key.kind == ED25519:
        return None if ed25519.verify(key.public_key, text.encode(), entry.data) else _BAD
    seconds = int.from_bytes(entry.data[:_TIME_BYTES], "big")
    if seconds > _LATEST:
        return _BAD
    message = _cosigned(text, seconds)
    return seconds if ed25519.verify(key.public_key, message, entry.data[_TIME_BYTES:]) else _BAD


def _cosigned(text: str, seconds: int) -> bytes:
    """Return what a cosignature signs."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _key_of(name: str, kind: int, signer: Signer) -> VerifierKey:
    return VerifierKey(name, kind, base58.decode_key(signer.public_key))


def invalid_note(why: str) -> InvalidError:
    """Return the error for a note that cannot be read."""
    return InvalidError(f"the signed note cannot be read: {why}", code="invalid_note")


def _bad_key(text: str, why: str) -> InvalidError:
    return InvalidError(
        f"{cut(text)!r} is not a verifier key: {why}",
        code="invalid_verifier_key",
        hint="twin ledger checkpoint --get key shows the one of a ledger",
    )
