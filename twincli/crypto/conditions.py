"""Crypto-conditions: what an output asks for, and what an input shows.

BigchainDB uses two types, ed25519-sha-256 and threshold-sha-256; a condition is written as a
``ni:`` URI and, in full, as nested ``details``. A fulfillment is DER in base64url without padding.
It is written and read by hand: the forms are few and fixed, and whether one is the only encoding
must be known, because a re-encoded fulfillment changes the id of a transaction.

Source: draft-thomas-crypto-conditions-02, cryptoconditions 0.8.1, five-bells-condition 5.0.1;
vectors in ``tests/vectors/crypto_conditions.json`` and ``driver_conditions.json``.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from binascii import a2b_base64
from collections import Counter
from functools import lru_cache

from twincli.crypto import base58, der, ed25519
from twincli.crypto.digests import sha256
from twincli.errors import InvalidError
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

ED25519_COST = 131072
MAX_DEPTH = 100
MAX_THRESHOLD = 100
MAX_NUMBER = 2**32 - 1
"""The largest cost and message length of the specification's ASN.1, which the server enforces."""

_TYPES = (
    "preimage-sha-256",
    "prefix-sha-256",
    "threshold-sha-256",
    "rsa-sha-256",
    "ed25519-sha-256",
)
_PREIMAGE, _PREFIX, _THRESHOLD, _RSA, _ED25519 = range(5)
_COMPOUND = (_PREFIX, _THRESHOLD)
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")

_ED25519_HEAD = b"\xa4\x64\x80\x20"
_ED25519_MIDDLE = b"\x81\x40"
_ED25519_BYTES = 102


# --- DER ---------------------------------------------------------------------------------------


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 | len(length))) + length + content


def _unsigned(value: int) -> bytes:
    """Return a non-negative integer as DER content, minimal two's complement."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def _set_of(parts: Sequence[bytes]) -> bytes:
    """Return a SET OF in DER order."""
    return b"".join(sorted(parts))


class _Reader:
    """Reads tag-length-value items as BigchainDB's decoder does, which is not strictly DER.

    Lengths and tags may have leading zeros, strings may come in pieces. What is read re-encodes to
    DER, so the caller can see whether it was.
    """

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self.data = data
        self.position = position
        self.end = end

    def more(self) -> bool:
        return self.position < self.end

    def item(self) -> tuple[int, _Reader]:
        try:
            tag, start, end = der.item(self.data, self.position, self.end)
        except ValueError as error:
            raise _malformed(str(error)) from error
        self.position = end
        return tag, _Reader(self.data, start, end)

    def field(self, tag: int) -> _Reader:
        found, content = self.item()
        if found != tag:
            raise _malformed(f"found tag {found:#04x}, expected {tag:#04x}")
        return content

    def rest(self) -> bytes:
        return self.data[self.position : self.end]

    def finish(self) -> None:
        """Refuse members that were not read."""
        if self.more():
            raise _malformed("it contains more than it should")

    def pieces(self, tag: int, universal: int) -> Iterator[bytes]:
        """Yield the content of a string, or of the pieces it is constructed of.

        Args:
            tag: Its tag when it is whole.
            universal: The type's own tag, which pieces have.
        """
        found, content = self.item()
        if found == tag:
            yield content.rest()
            return
        if found != tag | der.CONSTRUCTED:
            raise _malformed(f"found tag {found:#04x}, expected {tag:#04x}")
        while content.more():
            found, piece = content.item()
            if found & ~der.CONSTRUCTED != universal:
                raise _malformed(f"found tag {found:#04x}, expected {universal:#04x}")
            yield piece.rest()

    def octets(self, tag: int) -> bytes:
        """Return an octet string."""
        return b"".join(self.pieces(tag, 0x04))

    def types(self, tag: int) -> frozenset[int]:
        """Return the types that a bit string names; bits after those of types are ignored."""
        pieces = list(self.pieces(tag, 0x03))
        found = ""
        for piece in pieces:
            if not piece or piece[0] > 7 or (piece[0] and len(piece) == 1):
                raise _malformed("the subtypes of a condition are not a bit string")
            if len(piece) > 1 and len(found) < len(_TYPES):
                found += f"{piece[1]:08b}"[: 8 * (len(piece) - 1) - piece[0]]
        if not pieces:
            raise _malformed("the subtypes of a condition are not a bit string")
        return frozenset(number for number in range(len(_TYPES)) if found[number:][:1] == "1")

    def number(self, tag: int) -> int:
        """Return a whole number from 0 to ``MAX_NUMBER``; it may have leading zeros."""
        value = int.from_bytes(self.field(tag).rest(), "big", signed=True)
        if not 0 <= value <= MAX_NUMBER:
            raise _malformed(f"a number is not from 0 to {MAX_NUMBER}")
        return value


def _malformed(why: str) -> InvalidError:
    return InvalidError(
        f"the fulfillment cannot be read: {why}",
        code="invalid_signature",
        hint="it must be the DER of a crypto-condition fulfillment in base64url without padding",
    )


# --- Conditions --------------------------------------------------------------------------------


class Condition:
    """What must be shown to spend an output.

    Attributes:
        type: The type's number in the specification.
        kind: Its name, such as ``ed25519-sha-256``.
        fingerprint: 32 bytes.
        cost: The cost number of the specification.
        subtypes: Type numbers below this condition, without its own.
    """

    __slots__ = ("cost", "fingerprint", "subtypes", "type")

    def __init__(
        self,
        type_: int,
        fingerprint: bytes,
        cost: int,
        subtypes: frozenset[int] = frozenset(),
    ) -> None:
        self.type = type_
        self.fingerprint = fingerprint
        self.cost = cost
        self.subtypes = subtypes

    @property
    def kind(self) -> str:
        """The type's name, such as ``ed25519-sha-256``."""
        return _TYPES[self.type]

    @property
    def uri(self) -> str:
        """The condition as a ``ni:`` URI."""
        digest = urlsafe_b64encode(self.fingerprint).rstrip(b"=").decode("ascii")
        text = f"ni:///sha-256;{digest}?fpt={self.kind}&cost={self.cost}"
        if self.type in _COMPOUND:
            text += "&subtypes=" + ",".join(sorted(_TYPES[number] for number in self.subtypes))
        return text

    def encode(self) -> bytes:
        """Return the condition in DER."""
        content = _tlv(0x80, self.fingerprint) + _tlv(0x81, _unsigned(self.cost))
        if self.type in _COMPOUND:
            last = max(self.subtypes, default=-1)
            bits = sum(1 << (7 - number) for number in self.subtypes)
            content += _tlv(0x82, bytes((7 - last, bits)) if last >= 0 else b"\x00")
        return _tlv(0xA0 | self.type, content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and self.encode() == other.encode()

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"<{self.uri}>"


class KeyCondition(Condition):
    """One key must sign."""

    __slots__ = ("_uri", "public_key")

    def __init__(self, public_key: str) -> None:
        raw = base58.decode_key(public_key)
        super().__init__(_ED25519, sha256(b"\x30\x22\x80\x20" + raw).digest(), ED25519_COST)
        self.public_key = public_key
        self._uri = super().uri

    @property
    def uri(self) -> str:
        return self._uri


class ThresholdCondition(Condition):
    """At least ``threshold`` of the parts must be fulfilled."""

    __slots__ = ("parts", "threshold")

    def __init__(self, threshold: int, parts: Sequence[Condition]) -> None:
        contents = _tlv(0x80, _unsigned(threshold)) + _tlv(
            0xA1, _set_of([part.encode() for part in parts])
        )
        dearest = sorted((part.cost for part in parts), reverse=True)[:threshold]
        super().__init__(
            _THRESHOLD,
            sha256(_tlv(0x30, contents)).digest(),
            sum(dearest) + 1024 * len(parts),
            _types_below(parts, _THRESHOLD),
        )
        self.threshold = threshold
        self.parts = tuple(parts)


def _types_below(parts: Sequence[Condition], own: int) -> frozenset[int]:
    found: set[int] = set()
    for part in parts:
        found.add(part.type)
        found |= part.subtypes
    found.discard(own)
    return frozenset(found)


@lru_cache(maxsize=65536)
def key_condition(public_key: str) -> KeyCondition:
    """Return the condition that one key must sign.

    Raises:
        InvalidError: ``invalid_public_key``.
    """
    return KeyCondition(public_key)


def key_uri(public_key: str) -> str:
    """Return the URI of the condition that one key must sign."""
    return key_condition(public_key).uri


def from_details(details: Any, depth: int = 0) -> Condition:
    """Return the condition that ``details`` describe.

    Args:
        details: ``{"type": "ed25519-sha-256", "public_key"}`` or ``{"type": "threshold-sha-256",
            "threshold", "subconditions"}``, nested.
        depth: How deep this part already is.

    Raises:
        InvalidError: ``schema_validation_error``, ``threshold_too_deep``, ``invalid_public_key``.
    """
    if depth >= MAX_DEPTH:
        raise InvalidError(
            f"threshold conditions are nested more than {MAX_DEPTH} levels deep",
            code="threshold_too_deep",
        )
    kind = details.get("type") if isinstance(details, dict) else None
    if kind == "ed25519-sha-256" and len(details) == 2:
        key = details.get("public_key")
        if isinstance(key, str):
            return key_condition(key.rstrip())  # BigchainDB passes over blanks after a key
    elif kind == "threshold-sha-256" and len(details) == 3:
        threshold, parts = details.get("threshold"), details.get("subconditions")
        if type(threshold) is int and isinstance(parts, list):
            return ThresholdCondition(threshold, [from_details(part, depth + 1) for part in parts])
    raise InvalidError(
        "condition details are neither an ed25519-sha-256 key nor a threshold-sha-256 of parts",
        code="schema_validation_error",
    )


def key_details(public_key: str) -> dict[str, Any]:
    """Return the details of the condition that one key must sign."""
    return {"type": "ed25519-sha-256", "public_key": public_key}


def threshold_details(threshold: int, parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the details of a threshold condition."""
    return {
        "type": "threshold-sha-256",
        "threshold": threshold,
        "subconditions": list(parts),
    }


def leaf_keys(details: dict[str, Any]) -> Iterator[str]:
    """Yield the public keys in ``details`` (already checked), in their order, with repeats."""
    # A stack and no recursion: a key 100 levels deep costs what another does.
    waiting = [details]
    while waiting:
        part = waiting.pop()
        if part["type"] == "ed25519-sha-256":
            yield part["public_key"]
        else:
            waiting += reversed(part["subconditions"])


def is_satisfiable(details: dict[str, Any]) -> bool:
    """Say whether a threshold (already checked) has enough parts that can be fulfilled."""
    if details["type"] == "ed25519-sha-256":
        return True
    able = sum(1 for part in details["subconditions"] if is_satisfiable(part))
    return bool(1 <= details["threshold"] <= able)


def indispensable_keys(details: dict[str, Any]) -> set[str] | None:
    """Return the keys without whose signatures ``details`` (already checked) stay unfulfilled.

    In one pass: to ask ``can_fulfil`` without each key would take the square of their number.

    Returns:
        base58; None when all keys together would not do.
    """
    if details["type"] == "ed25519-sha-256":
        return {details["public_key"]}
    able = [
        keys for part in details["subconditions"] if (keys := indispensable_keys(part)) is not None
    ]
    spare = len(able) - details["threshold"]
    if spare < 0:
        return None
    # A key is missed when more parts need it than can be spared.
    needing = Counter(key for keys in able for key in keys)
    return {key for key, count in needing.items() if count > spare}


def can_fulfil(details: dict[str, Any], keys: Collection[str]) -> bool:
    """Say whether signatures of ``keys`` (base58) would fulfil ``details`` (already checked)."""
    if details["type"] == "ed25519-sha-256":
        return details["public_key"] in keys
    able = sum(1 for part in details["subconditions"] if can_fulfil(part, keys))
    return bool(1 <= details["threshold"] <= able)


# --- Fulfillments ------------------------------------------------------------------------------


class Fulfillment:
    """What an input shows. Subclasses are the types."""

    __slots__ = ()

    def encode(self) -> bytes:
        """Return the fulfillment in DER."""
        raise NotImplementedError

    @property
    def condition(self) -> Condition:
        """The condition this fulfils."""
        raise NotImplementedError

    def verify(self, message: bytes) -> bool:
        """Say whether every signature in it is good over ``message``."""
        raise NotImplementedError

    def keys(self) -> Iterator[str]:
        """Yield the public keys (base58) whose signatures it holds."""
        raise NotImplementedError

    @property
    def uri(self) -> str:
        """DER in base64url without padding, as in ``inputs[].fulfillment``."""
        return urlsafe_b64encode(self.encode()).rstrip(b"=").decode("ascii")


class KeyFulfillment(Fulfillment):
    """One key's signature."""

    __slots__ = ("public_bytes", "signature")

    def __init__(self, public_bytes: bytes, signature: bytes) -> None:
        self.public_bytes = public_bytes
        self.signature = signature

    def encode(self) -> bytes:
        return _ED25519_HEAD + self.public_bytes + _ED25519_MIDDLE + self.signature

    @property
    def condition(self) -> Condition:
        return key_condition(base58.encode_key(self.public_bytes))

    def verify(self, message: bytes) -> bool:
        return ed25519.verify(self.public_bytes, message, self.signature)

    def keys(self) -> Iterator[str]:
        yield base58.encode_key(self.public_bytes)


class ThresholdFulfillment(Fulfillment):
    """Fulfillments of as many parts as the threshold asks, and conditions for the others."""

    __slots__ = ("conditions", "fulfillments")

    def __init__(
        self, fulfillments: Sequence[Fulfillment], conditions: Sequence[Condition]
    ) -> None:
        self.fulfillments = tuple(fulfillments)
        self.conditions = tuple(conditions)

    def encode(self) -> bytes:
        shown = _tlv(0xA0, _set_of([part.encode() for part in self.fulfillments]))
        hidden = _tlv(0xA1, _set_of([part.encode() for part in self.conditions]))
        return _tlv(0xA2, shown + hidden)

    @property
    def condition(self) -> Condition:
        parts = [part.condition for part in self.fulfillments]
        return ThresholdCondition(len(parts), [*parts, *self.conditions])

    def verify(self, message: bytes) -> bool:
        # None of none is fulfilled, as BigchainDB has it.
        return all(part.verify(message) for part in self.fulfillments)

    def keys(self) -> Iterator[str]:
        for part in self.fulfillments:
            yield from part.keys()


class PreimageFulfillment(Fulfillment):
    """A secret shown: no key signs. BigchainDB 2.2.2 takes it on a CREATE, ``strict`` never."""

    __slots__ = ("preimage",)

    def __init__(self, preimage: bytes) -> None:
        self.preimage = preimage

    def encode(self) -> bytes:
        return _tlv(0xA0, _tlv(0x80, self.preimage))

    @property
    def condition(self) -> Condition:
        return Condition(_PREIMAGE, sha256(self.preimage).digest(), len(self.preimage))

    def verify(self, message: bytes) -> bool:
        del message
        return True

    def keys(self) -> Iterator[str]:
        return iter(())


class PrefixFulfillment(Fulfillment):
    """A part fulfilled over a prefixed message."""

    __slots__ = ("max_length", "part", "prefix")

    def __init__(self, prefix: bytes, max_length: int, part: Fulfillment) -> None:
        self.prefix = prefix
        self.max_length = max_length
        self.part = part

    def encode(self) -> bytes:
        head = _tlv(0x80, self.prefix) + _tlv(0x81, _unsigned(self.max_length))
        return _tlv(0xA1, head + _tlv(0xA2, self.part.encode()))

    @property
    def condition(self) -> Condition:
        below = self.part.condition
        head = _tlv(0x80, self.prefix) + _tlv(0x81, _unsigned(self.max_length))
        return Condition(
            _PREFIX,
            sha256(_tlv(0x30, head + _tlv(0xA2, below.encode()))).digest(),
            len(self.prefix) + self.max_length + below.cost + 1024,
            _types_below([below], _PREFIX),
        )

    def verify(self, message: bytes) -> bool:
        # The length is not enforced, as in BigchainDB's decoder and the published vectors.
        return self.part.verify(self.prefix + message)

    def keys(self) -> Iterator[str]:
        yield from self.part.keys()


class RsaFulfillment(Fulfillment):
    """An RSASSA-PSS signature; see ``rsa``."""

    __slots__ = ("modulus", "signature")

    def __init__(self, modulus: bytes, signature: bytes) -> None:
        self.modulus = modulus
        self.signature = signature

    def encode(self) -> bytes:
        return _tlv(0xA3, _tlv(0x80, self.modulus) + _tlv(0x81, self.signature))

    @property
    def condition(self) -> Condition:
        content = _tlv(0x30, _tlv(0x80, self.modulus))
        return Condition(_RSA, sha256(content).digest(), len(self.modulus) ** 2)

    def verify(self, message: bytes) -> bool:
        from twincli.crypto import rsa  # few networks have any

        return rsa.verify(self.modulus, message, self.signature)

    def keys(self) -> Iterator[str]:
        return iter(())


def parse(uri: str, *, strict: bool = True) -> Fulfillment:
    """Read a fulfillment URI.

    Args:
        uri: base64url without padding.
        strict: Refuse any form that does not re-encode to itself: bytes after the fulfillment,
            lengths that are not minimal, parts out of order, characters outside base64url.
            BigchainDB 2.2.2 takes such forms.

    Raises:
        InvalidError: ``invalid_signature`` when it cannot be read; ``noncanonical_fulfillment``
            when ``strict`` and it is not the one encoding.
    """
    data = _from_base64url(uri, strict=strict)
    if len(data) == _ED25519_BYTES and data[:4] == _ED25519_HEAD and data[36:38] == _ED25519_MIDDLE:
        return KeyFulfillment(data[4:36], data[38:])
    fulfillment = _parse_item(_Reader(data, 0, len(data)), 0)
    if strict and fulfillment.uri != uri:
        raise InvalidError(
            "the fulfillment is not in its one canonical encoding",
            code="noncanonical_fulfillment",
            hint="bytes after the DER, lengths that are not minimal or parts out of order would"
            " let anyone change a transaction's id",
        )
    return fulfillment


def parse_key(uri: str) -> KeyFulfillment | None:
    """Read the fulfillment of one key from 136 characters of base64url; None: it is another."""
    data = a2b_base64(uri.encode().translate(_TO_STANDARD))
    if data[:4] == _ED25519_HEAD and data[36:38] == _ED25519_MIDDLE:
        return KeyFulfillment(data[4:36], data[38:])
    return None


def _from_base64url(text: str, *, strict: bool) -> bytes:
    try:
        data = text.encode().translate(_TO_STANDARD)
        if "\0" in text and not strict:
            # The server's schema sees nothing from there on; its decoder skips what it knows not.
            return a2b_base64(data + b"=" * (4 - len(data) % 4))
        if "+" in text or "/" in text or "=" in text:
            raise _malformed("it is not base64url without padding")
        return a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except ValueError as error:  # binascii.Error, and lone surrogates
        raise _malformed("it is not base64url without padding") from error


def _parse_item(reader: _Reader, depth: int) -> Fulfillment:
    if depth > MAX_DEPTH:
        raise _malformed(f"it is nested more than {MAX_DEPTH} levels deep")
    tag, content = reader.item()
    if tag == 0xA0 | _ED25519:
        public, signature = content.octets(0x80), content.octets(0x81)
        content.finish()
        if len(public) != ed25519.PUBLIC_KEY_BYTES or len(signature) != ed25519.SIGNATURE_BYTES:
            raise _malformed("a key or a signature has a wrong length")
        return KeyFulfillment(public, signature)
    if tag == 0xA0 | _THRESHOLD:
        shown, hidden = content.field(0xA0), content.field(0xA1)
        content.finish()
        fulfillments = []
        while shown.more():
            fulfillments.append(_parse_item(shown, depth + 1))
        conditions = []
        while hidden.more():
            conditions.append(_parse_condition(hidden))
        return ThresholdFulfillment(fulfillments, conditions)
    if tag == 0xA0 | _PREIMAGE:
        preimage = content.octets(0x80)
        content.finish()
        return PreimageFulfillment(preimage)
    if tag == 0xA0 | _PREFIX:
        prefix = content.octets(0x80)
        max_length = content.number(0x81)
        tag, below = content.item()
        if tag | der.CONSTRUCTED != 0xA2:
            raise _malformed(f"found tag {tag:#04x}, expected 0xa2")
        content.finish()
        part = _parse_item(below, depth + 1)
        below.finish()
        return PrefixFulfillment(prefix, max_length, part)
    if tag == 0xA0 | _RSA:
        modulus, signature = content.octets(0x80), content.octets(0x81)
        content.finish()
        return RsaFulfillment(modulus, signature)
    raise _malformed(f"no fulfillment type has tag {tag:#04x}")


def _parse_condition(reader: _Reader) -> Condition:
    tag, content = reader.item()
    type_ = tag & 0x1F
    if tag & 0xE0 != 0xA0 or type_ >= len(_TYPES):
        raise _malformed(f"no condition type has tag {tag:#04x}")
    fingerprint = content.octets(0x80)
    if len(fingerprint) != 32:
        raise _malformed("a fingerprint does not have 32 bytes")
    cost = content.number(0x81)
    subtypes: frozenset[int] = frozenset()
    if type_ in _COMPOUND:
        subtypes = content.types(0x82)
    content.finish()
    return Condition(type_, fingerprint, cost, subtypes)


def fulfill(details: dict[str, Any], sign: Callable[[str], bytes | None]) -> Fulfillment | None:
    """Return the fulfillment of ``details``, or None when signatures are missing.

    A threshold gets exactly as many parts as it asks, the first ones that can be had in the order
    of ``details``; BigchainDB refuses fewer and more.

    Args:
        details: Condition details, already checked.
        sign: Given a public key, its 64-byte signature or None.
    """
    if details["type"] == "ed25519-sha-256":
        signature = sign(details["public_key"])
        if signature is None:
            return None
        return KeyFulfillment(base58.decode_key(details["public_key"]), signature)
    shown: list[Fulfillment] = []
    hidden: list[dict[str, Any]] = []
    for part in details["subconditions"]:
        made = fulfill(part, sign) if len(shown) < details["threshold"] else None
        if made is None:
            hidden.append(part)
        else:
            shown.append(made)
    if len(shown) < details["threshold"]:
        return None
    return ThresholdFulfillment(shown, [from_details(part) for part in hidden])


def verify(fulfillment_uri: str, condition_uri: str, message: bytes) -> bool:
    """Say whether a fulfillment fulfils a condition over ``message``.

    False for an unreadable or non-canonical fulfillment.
    """
    try:
        fulfillment = parse(fulfillment_uri)
    except InvalidError:
        return False
    return fulfillment.condition.uri == condition_uri and fulfillment.verify(message)
