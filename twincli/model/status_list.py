"""Bitstring status lists: one bit a credential, compressed, in a credential of its own.

A list that is issued here holds the status of a single certificate, which is public on the ledger
anyway: then two processes that issue at once cannot take the same bit, and revoking one needs to
know nothing of the others.

Source: W3C Bitstring Status List 1.0.
"""

from __future__ import annotations

from twincli.errors import InvalidError, shown
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRY = "BitstringStatusListEntry"
LIST = "BitstringStatusList"
CREDENTIAL = "BitstringStatusListCredential"
REVOCATION = "revocation"

SHORTEST = 131_072
"""Bits of a list at least, so that one of many cannot be told from its length."""

LARGEST_BYTES = 1 << 24
"""Bytes of a list at most, decompressed: 134 million bits."""

_INDEX = 0
_MOST_DIGITS = 10


class Entry(NamedTuple):
    """Where the status of a credential stands.

    Attributes:
        purpose: What a set bit means, such as ``revocation``.
        bit: Its number.
        url: Of the list's credential.
    """

    purpose: str
    bit: int
    url: str


def entry(url: str) -> dict[str, Any]:
    """Return the ``credentialStatus`` of a certificate that is issued here."""
    return {
        "id": f"{url}#{_INDEX}",
        "type": ENTRY,
        "statusPurpose": REVOCATION,
        "statusListIndex": str(_INDEX),
        "statusListCredential": url,
    }


def read_entry(found: Any) -> Entry:
    """Return what a ``credentialStatus`` says.

    Raises:
        InvalidError: ``bad_status``: another type, or malformed.
    """
    if not isinstance(found, dict) or found.get("type") != ENTRY:
        raise bad(f"its type is not {ENTRY}")
    purpose, index = found.get("statusPurpose"), found.get("statusListIndex")
    url = found.get("statusListCredential")
    if type(index) is int and 0 <= index < 10**_MOST_DIGITS:
        index = str(index)  # some issuers write a number
    if not isinstance(purpose, str):
        raise bad("its statusPurpose is not a text")
    if not (
        isinstance(index, str)
        and index.isascii()
        and index.isdigit()
        and len(index) <= _MOST_DIGITS
    ):
        raise bad(f"its statusListIndex is {shown(index)}, not a whole number")
    if not isinstance(url, str) or found.get("id") == url:
        raise bad("its statusListCredential is not a URL of its own")
    return Entry(purpose, int(index), url)


def bad(why: str) -> InvalidError:
    """Return the error for a malformed status."""
    return InvalidError(f"the status of the credential is malformed: {why}", code="bad_status")


def unsigned(
    url: str, issuer: str, context: str, valid_from: str, *, revoked: bool
) -> dict[str, Any]:
    """Return the credential of the list of a single certificate, without a proof."""
    bits = bytearray(SHORTEST // 8)
    if revoked:
        bits[_INDEX // 8] |= 0x80 >> _INDEX % 8
    return {
        "@context": [context],
        "id": url,
        "type": ["VerifiableCredential", CREDENTIAL],
        "issuer": issuer,
        "validFrom": valid_from,
        "credentialSubject": {
            "id": f"{url}#list",
            "type": LIST,
            "statusPurpose": REVOCATION,
            "encodedList": encode(bytes(bits)),
        },
    }


def encode(bits: bytes) -> str:
    """Return a list as ``encodedList``: gzip, in base64url multibase."""
    import base64
    import gzip

    packed = gzip.compress(bits, mtime=0)
    return "u" + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def is_set(found: Any, wanted: Entry) -> bool:
    """Say whether the bit of a credential is set.

    Args:
        found: The ``credentialSubject`` of the list's credential.
        wanted: Which bit, and what it has to mean.

    Raises:
        InvalidError: ``bad_status``: malformed, for another purpose, or too short for the index.
    """
    if not isinstance(found, dict) or found.get("type") != LIST:
        raise bad(f"the list is not a {LIST}")
    purposes = found.get("statusPurpose")
    if wanted.purpose not in (purposes if isinstance(purposes, list) else [purposes]):
        raise bad(f"the list is not for {shown(wanted.purpose)}")
    byte, bit = divmod(wanted.bit, 8)
    size, answer = 0, False
    for piece in _decoded(found.get("encodedList")):  # to its end: one cut short proves nothing
        if size <= byte < size + len(piece):
            answer = bool(piece[byte - size] & 0x80 >> bit)
        size += len(piece)
    if byte >= size:
        raise bad(f"the list ends before bit {wanted.bit}")
    return answer


def _decoded(text: Any) -> Iterator[bytes]:
    """Yield the bytes of a list, decompressed; never much more than ``LARGEST_BYTES``."""
    import base64
    import binascii
    import zlib

    if not isinstance(text, str) or not text.startswith("u") or not text.isascii():
        raise bad("encodedList is not base64url multibase")
    try:
        data = base64.b64decode(text[1:] + "=" * (-(len(text) - 1) % 4), b"-_", validate=True)
    except binascii.Error as error:
        raise bad("encodedList is not base64url multibase") from error
    unpacked = zlib.decompressobj(wbits=31)
    size = 0
    try:
        while not unpacked.eof:
            piece = unpacked.decompress(data, 1 << 16)
            data = unpacked.unconsumed_tail
            if not piece and not data:
                break
            size += len(piece)
            if size > LARGEST_BYTES:
                raise bad(f"the list is longer than {LARGEST_BYTES * 8} bits")
            yield piece
    except zlib.error as error:
        raise bad("encodedList is not compressed with gzip") from error
    if not unpacked.eof:
        raise bad("the list is cut short")
