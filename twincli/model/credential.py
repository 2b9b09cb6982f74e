"""Certificates as W3C Verifiable Credentials: made, and read without trusting a byte.

What is issued here follows the data model 2.0; credentials of others may be of 1.1 as well.

Source: W3C Verifiable Credentials Data Model 2.0 and 1.1.
"""

from __future__ import annotations

import json

from twincli.errors import InvalidError, cut, shown
from twincli.model import times
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

V2 = "https://www.w3.org/ns/credentials/v2"
V1 = "https://www.w3.org/2018/credentials/v1"
TYPE = "VerifiableCredential"
CERTIFICATE = "Certificate"

TERMS = "https://www.w3.org/ns/credentials/undefined-terms/v2"
"""Defines every member that the standard leaves to issuers. It is a URL: some verifiers refuse a
context that stands in the credential itself (Digital Bazaar's eddsa-jcs-2022 compares them by
reference)."""

LARGEST_BYTES = 1 << 19
"""Of a credential."""
DEEPEST = 32
"""Objects and lists within each other, at most."""
MOST_PROOFS = 8
MOST_STATUSES = 8

_HIGHEST = 2**53 - 1
_DIGITS = 16


# --- Reading ------------------------------------------------------------------------------------


def read(data: bytes) -> dict[str, Any]:
    """Return the credential in a file.

    Raises:
        InvalidError: ``invalid_credential``: not one JSON object, too large or nested too deeply, a
            name twice in one object, numbers that JCS cannot write.
    """
    if len(data) > LARGEST_BYTES:
        raise _bad(f"it has more than {LARGEST_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(f"byte {error.start + 1} is not UTF-8") from error
    try:
        found = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _bad(
            f"not JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    return checked(found)


def checked(found: Any) -> dict[str, Any]:
    """Return a JSON value if it may be a credential: one object, neither deep nor unencodable.

    Raises:
        InvalidError: ``invalid_credential``.
    """
    if not isinstance(found, dict):
        raise _bad(f"it is {shown(found)}, not an object")
    level: list[Any] = [found]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _members(outer)]
        if not level:
            return found
    raise _too_deep()


def _members(value: Any) -> Iterator[Any]:
    """Yield the objects and lists in an object or a list.

    Raises:
        InvalidError: ``invalid_credential``: half of a surrogate pair, or a large number.
    """
    if isinstance(value, dict):
        for name in value:
            _check_text(name)
        value = value.values()
    for item in value:
        if isinstance(item, dict | list):
            yield item
        elif isinstance(item, str):
            _check_text(item)
        elif type(item) is int and abs(item) > _HIGHEST:
            raise _bad(f"{shown(item)} is a whole number beyond 2^53")


def _check_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _bad("it contains half of a surrogate pair")


def _pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        known: set[str] = set()
        twice = next(name for name, _ in members if name in known or known.add(name))  # type: ignore[func-returns-value]
        raise _bad(f"the name {shown(twice)} occurs twice in one object")
    return found


def _whole(digits: str) -> int:
    # Longer ones are not converted: Python refuses more than 4,300 digits.
    if len(digits.lstrip("-")) > _DIGITS:
        raise _bad(f"{cut(digits)} is a whole number beyond 2^53")
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        raise _bad(f"{cut(digits)} is too large for a double")
    return value


def _constant(word: str) -> Any:
    raise _bad(f"{word} is not a JSON value")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_whole, parse_float=_real, parse_constant=_constant
)


def _bad(why: str) -> InvalidError:
    return InvalidError(f"not a credential: {why}", code="invalid_credential")


def _too_deep() -> InvalidError:
    return _bad(f"it is nested more than {DEEPEST} levels deep")


# --- What it says -------------------------------------------------------------------------------


class Claims(NamedTuple):
    """What a credential says; what is missing or malformed reads as None.

    Attributes:
        id: Its id.
        types: Beside ``VerifiableCredential``.
        issuer: A DID or URL.
        issuer_name: What the issuer calls itself.
        declared_issuer: Whom the signer names as the issuer, who is somebody else.
        subjects: Ids of what it is about.
        kind: Such as ``safety``.
        standard: Such as ``ISO-14001``.
        number: Of the certificate.
        valid_from: As it states it.
        valid_until: As it states it.
        attachments: Files that belong to it.
    """

    id: str | None
    types: tuple[str, ...]
    issuer: str | None
    issuer_name: str | None
    declared_issuer: str | None
    subjects: tuple[str, ...]
    kind: str | None
    standard: str | None
    number: str | None
    valid_from: str | None
    valid_until: str | None
    attachments: tuple[dict[str, Any], ...]

    @property
    def topic(self) -> str | None:
        """What it is about, as stated, else its type."""
        others = (kind for kind in self.types if kind != CERTIFICATE)
        return self.kind or next(others, None)

    @property
    def from_ms(self) -> int | None:
        """When it becomes valid."""
        return times.parse_claim(self.valid_from)

    @property
    def until_ms(self) -> int | None:
        """The last moment at which it is valid."""
        return times.parse_claim(self.valid_until)


def claims(document: Mapping[str, Any]) -> Claims:
    """Return what a credential says, in any of the forms in which issuers write it."""
    issuer, subjects = document.get("issuer"), _listed(document.get("credentialSubject"))
    facts = [found for found in subjects if isinstance(found, dict)]
    first = facts[0] if facts else {}
    types = [kind for kind in _listed(document.get("type")) if isinstance(kind, str)]
    attached = first.get("attachments")
    return Claims(
        _text(document.get("id")),
        tuple(kind for kind in types if kind != TYPE),
        _text(issuer.get("id") if isinstance(issuer, dict) else issuer),
        _text(issuer.get("name")) if isinstance(issuer, dict) else None,
        _text(first.get("declaredIssuer")),
        tuple(found["id"] for found in facts if isinstance(found.get("id"), str)),
        _text(first.get("certificateType")),
        _text(first.get("standard")),
        _text(first.get("certificateNumber")),
        _text(document.get("validFrom", document.get("issuanceDate"))),
        _text(document.get("validUntil", document.get("expirationDate"))),
        tuple(found for found in _listed(attached) if isinstance(found, dict)),
    )


def proofs(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the proofs of a credential.

    Raises:
        InvalidError: ``invalid_credential``: none, too many, or not objects.
    """
    found = _listed(document.get("proof"))
    if not found:
        raise _bad("it has no proof")
    if len(found) > MOST_PROOFS:
        raise _bad(f"it has more than {MOST_PROOFS} proofs")
    if not all(isinstance(proof, dict) for proof in found):
        raise _bad("its proof is not an object")
    return found


def statuses(document: Mapping[str, Any]) -> list[Any]:
    """Return where it says that its status stands."""
    return _listed(document.get("credentialStatus"))


def faults(document: Mapping[str, Any]) -> list[str]:
    """Return what contradicts the data model, in words; empty: nothing does."""
    found = []
    contexts = document.get("@context")
    version = _text(contexts[0]) if isinstance(contexts, list) and contexts else None
    if version not in {V1, V2}:
        found.append(f"@context does not begin with {V2}")
    elif not all(isinstance(context, str | dict) for context in contexts or ()):
        found.append("@context holds something that is neither a URL nor an object")
    types = _listed(document.get("type"))
    if TYPE not in types:
        found.append(f"type does not include {TYPE}")
    if not all(isinstance(kind, str) for kind in types):
        found.append("type is not a list of texts")
    if "id" in document and not _is_url(document["id"]):
        found.append("id is not a URL")
    found += _issuer_faults(document)
    subjects = _listed(document.get("credentialSubject"))
    if not subjects or not all(isinstance(subject, dict) and subject for subject in subjects):
        found.append("credentialSubject is not an object with members")
    elif not all("id" not in subject or _is_url(subject["id"]) for subject in subjects):
        found.append("the id of a credentialSubject is not a URL")
    found += _time_faults(document, version)
    for name, is_named in _TYPED:
        if name in document and not _listed(document[name]):
            found.append(f"{name} is empty")
        for item in _listed(document.get(name)):
            if not isinstance(item, dict) or not _listed(item.get("type")):
                found.append(f"{name} has no type")
            elif is_named and not _is_url(item.get("id")):
                found.append(f"{name} has no id")
    if len(statuses(document)) > MOST_STATUSES:
        found.append(f"credentialStatus has more than {MOST_STATUSES} entries")
    return list(dict.fromkeys(found))


_TYPED = (
    ("credentialStatus", False),
    ("termsOfUse", False),
    ("evidence", False),
    ("credentialSchema", True),
    ("refreshService", False),
)
"""Members whose items need a type, and whether an id, too."""


def _issuer_faults(document: Mapping[str, Any]) -> Iterator[str]:
    issuer = document.get("issuer")
    if not _is_url(issuer.get("id") if isinstance(issuer, dict) else issuer):
        yield "issuer is not a URL or an object with one as its id"


def _time_faults(document: Mapping[str, Any], version: Any) -> Iterator[str]:
    if version == V1 and "issuanceDate" not in document:
        yield "issuanceDate is missing"
    moments = {}
    for name in ("validFrom", "validUntil", "issuanceDate", "expirationDate"):
        if name in document:
            moments[name] = times.parse_claim(document[name])
            if moments[name] is None:
                yield f"{name} is not a time with its zone"
    begin = moments.get("validFrom", moments.get("issuanceDate"))
    end = moments.get("validUntil", moments.get("expirationDate"))
    if begin is not None and end is not None and end < begin:
        yield "it ends before it begins"


def _is_url(value: Any) -> bool:
    scheme, colon, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    return (
        bool(colon and rest)
        and scheme.isascii()
        and scheme[:1].isalpha()
        and all(letter.isalnum() or letter in "+-." for letter in scheme)
        and not any(letter.isspace() for letter in rest)
    )


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


# --- Times --------------------------------------------------------------------------------------

VALID, EXPIRED, EXPIRING, NOT_YET = ("valid", "expired", "expiring", "not-yet-valid")


def standing_at(from_ms: int | None, until_ms: int | None, now_ms: int, within_ms: int = 0) -> str:
    """Say how something with an end stands: ``VALID``, ``EXPIRED``, ``EXPIRING``, ``NOT_YET``.

    Args:
        from_ms: When it becomes valid, or None.
        until_ms: The last moment at which it is valid, or None.
        now_ms: When.
        within_ms: What ends within this time is expiring.
    """
    if until_ms is not None and now_ms > until_ms:
        return EXPIRED
    if from_ms is not None and now_ms < from_ms:
        return NOT_YET
    if until_ms is not None and within_ms and until_ms - now_ms <= within_ms:
        return EXPIRING
    return VALID


def end_of(text: str) -> int | None:
    """Return the last moment of what is valid until a date or a time; None: it is neither."""
    if len(text) == 10:
        day = times.parse_claim(f"{text}T00:00:00Z")
        return None if day is None else day + _DAY_MS - 1000
    return times.parse_claim(text)


_DAY_MS = 86_400_000


def stamp(time_ms: int) -> str:
    """Return a time as credentials write it: without milliseconds where there are none."""
    return times.to_text(time_ms).replace(".000Z", "Z")


# --- Making -------------------------------------------------------------------------------------


class Draft(NamedTuple):
    """A certificate to issue.

    Attributes:
        subject: DID of the twin.
        kind: Such as ``safety``.
        standard: Such as ``ISO-14001``.
        number: Of the certificate.
        issuer_name: What the signer calls itself.
        declared_issuer: Whom a controller of the twin names as the issuer.
        valid_from_ms: When it becomes valid, or None: it always was.
        valid_until_ms: The last moment at which it is valid.
        attachments: Files that belong to it.
    """

    subject: str
    kind: str | None = None
    standard: str | None = None
    number: str | None = None
    issuer_name: str | None = None
    declared_issuer: str | None = None
    valid_from_ms: int | None = None
    valid_until_ms: int | None = None
    attachments: Sequence[Mapping[str, Any]] = ()

    def stated(self) -> dict[str, Any]:
        """Return the members of the credential's subject."""
        members = {
            "certificateType": self.kind,
            "standard": self.standard,
            "certificateNumber": self.number,
            "declaredIssuer": self.declared_issuer,
            "attachments": [dict(file) for file in self.attachments] or None,
        }
        return {name: value for name, value in members.items() if value is not None}

    def credential(
        self, ident: str, issuer: str, status: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the credential, without a proof.

        Args:
            ident: Its id, a URN.
            issuer: DID of the signer.
            status: Where its status stands, or None.
        """
        made: dict[str, Any] = {
            "@context": [V2, TERMS],
            "id": ident,
            "type": [TYPE, CERTIFICATE],
            "issuer": issuer,
        }
        if self.issuer_name is not None:
            made["issuer"] = {"id": issuer, "name": self.issuer_name}
        if self.valid_from_ms is not None:
            made["validFrom"] = stamp(self.valid_from_ms)
        if self.valid_until_ms is not None:
            made["validUntil"] = stamp(self.valid_until_ms)
        made["credentialSubject"] = {"id": self.subject, **self.stated()}
        if status is not None:
            made["credentialStatus"] = dict(status)
        return made
