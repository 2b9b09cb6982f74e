"""Which certificates a thing has, of which form each is, and how it stands.

Four forms are told apart. ``issued``: the signer of the record made it. ``self-declared``: a
controller of the thing made it and names somebody else as the issuer; it is never verified.
``foreign``: somebody else made it elsewhere, and it was brought here. ``unproven``: a label among
the facts, which nobody signed as a certificate. What an issuer is worth, the reader decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twincli.crypto import base58, canonical, data_integrity
from twincli.errors import InvalidError, cut
from twincli.model import credential as _credential
from twincli.model import did, record
from twincli.model.names import fold
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from twincli.model.credential import Claims

ISSUED, SELF_DECLARED, FOREIGN, UNPROVEN = FORMS = (
    "issued",
    "self-declared",
    "foreign",
    "unproven",
)
REVOKED, INVALID = ("revoked", "invalid")
"""Beside ``credential.VALID`` and so on, how a certificate stands."""

LABELS = "certifications"
"""The member of facts and state that holds bare labels."""

APPENDED = "append"
"""The form of a record that the owners of the thing wrote; see ``Held``."""


class Held(Protocol):
    """A record about a thing."""

    @property
    def tx_id(self) -> str:
        """The transaction that it is."""

    @property
    def form(self) -> str:
        """``append``: the owners of the thing wrote it; another word: somebody did."""

    @property
    def tx(self) -> dict[str, Any]:
        """The same as on the wire."""

    @property
    def height(self) -> int | None:
        """Of its block."""

    @property
    def kind(self) -> str:
        """What kind of record it is."""

    @property
    def body(self) -> Mapping[str, Any]:
        """What it says."""

    @property
    def signers(self) -> Sequence[str]:
        """Public keys of who signed it."""

    @property
    def at(self) -> str | None:
        """When it happened, as its signer states."""

    @property
    def committed_at(self) -> str | None:
        """When it was recorded."""

    @property
    def happened_ms(self) -> int | None:
        """When it happened, else when it was recorded."""


class Revocation(NamedTuple):
    """The end of a certificate, said by its issuer.

    Attributes:
        record: What says so.
        reason: Why, or None.
    """

    record: Held
    reason: str | None


class Certificate(NamedTuple):
    """A certificate that was recorded about a thing.

    Attributes:
        record: What recorded it.
        document: The credential.
        claims: What it says.
        issuer_key: Base58 of the key that its issuer is, or None.
        form: One of ``FORMS``.
        about: Whether it names the thing; False: it names another asset; None: it names neither, so
            that it is about the thing is the word of who recorded it.
        revoked: The first revocation by its issuer, or None.
    """

    record: Held
    document: dict[str, Any]
    claims: Claims
    issuer_key: str | None
    form: str
    about: bool | None
    revoked: Revocation | None


def is_trusted(one: Certificate, trusted: Sequence[str]) -> bool | None:
    """Say whether a certificate is one of a trusted issuer's; None: nobody is named.

    One that does not name the thing is not: the issuer has not said that it is about it. Whether
    its proof is right is another question.
    """
    if not trusted:
        return None
    names_it = one.about is True
    return names_it and one.form in {ISSUED, FOREIGN} and one.claims.issuer in trusted


def is_about(claims: Claims, asset_id: str) -> bool | None:
    """Say whether a credential names a thing; see ``Certificate.about``."""
    found: bool | None = None
    for subject in claims.subjects:
        try:
            named = did.parse(subject).asset_id
        except InvalidError:
            continue
        if named == asset_id:
            return True
        if named is not None:
            found = False
    return found


def issuer_key_of(claims: Claims) -> str | None:
    """Return the base58 key of an issuer that is a did:key, else None."""
    if claims.issuer is None:
        return None
    key = data_integrity.key_of(f"{claims.issuer}#{claims.issuer.removeprefix('did:key:')}")
    return None if key is None else base58.encode_key(key)


def of_records(
    asset_id: str,
    every: Iterable[Held],
    own_name: Callable[[str], str | None],
    is_controller: Callable[[str, Held], bool],
) -> list[Certificate]:
    """Return the certificates among the records of a thing, in their order.

    Args:
        asset_id: The thing.
        every: Records of any kinds; those that revoke have to be among them.
        own_name: Gives the name of a key; see ``form_of``.
        is_controller: Says whether a key was one of the owners, or the thing's own, when
            something was recorded; not asked where the owners themselves recorded it.
    """
    found: list[Certificate] = []
    revocations: dict[str, list[Revocation]] = {}
    for held in every:
        if held.kind != record.CERTIFICATE:
            continue
        document, revokes = held.body.get("credential"), held.body.get("revokes")
        if isinstance(document, dict):
            claims = _credential.claims(document)

            def controls(key: str, held: Held = held) -> bool:
                is_own = held.form == APPENDED and key in held.signers
                return is_own or is_controller(key, held)

            form = form_of(claims, held.signers, own_name, controls)
            about = is_about(claims, asset_id)
            key = issuer_key_of(claims)
            found.append(Certificate(held, document, claims, key, form, about, None))
        elif isinstance(revokes, str):
            reason = record.text(held.body.get("reason"))
            revocations.setdefault(revokes, []).append(Revocation(held, reason))
    return [*_ended(found, revocations)]


def form_of(
    claims: Claims,
    signers: Collection[str],
    own_name: Callable[[str], str | None],
    is_controller: Callable[[str], bool],
) -> str:
    """Return which of ``FORMS`` a credential has.

    Args:
        claims: What it says.
        signers: Who recorded it.
        own_name: Gives the name of a key: an issuer who is called as their key names nobody else.
        is_controller: Says whether a key was one of the thing's owners, or its own.
    """
    key = issuer_key_of(claims)
    if claims.declared_issuer is not None:
        return SELF_DECLARED
    if key is not None and claims.issuer_name is not None and is_controller(key):
        own = own_name(key)
        if own is None or fold(own) != fold(claims.issuer_name):
            return SELF_DECLARED
    return ISSUED if key in signers else FOREIGN


def _ended(
    found: Sequence[Certificate], revocations: dict[str, list[Revocation]]
) -> Iterator[Certificate]:
    """Yield certificates with their revocations, by their issuers, of whichever record of them."""
    ends: dict[tuple[str | None, str], Revocation] = {}
    for one in found:
        for made in revocations.get(one.record.tx_id, ()):
            if one.issuer_key in made.record.signers:
                ends.setdefault(_what(one), made)
    for one in found:
        yield one._replace(revoked=ends.get(_what(one)))


def _what(one: Certificate) -> tuple[str | None, str]:
    """Return what is equal of records of the same credential."""
    return one.issuer_key, identity(one.document)


def identity(document: dict[str, Any]) -> str:
    """Return what is equal of two documents of one issuer that are the same credential.

    That is their id; of those without one all that they say.
    """
    ident = document.get("id")
    return ident if isinstance(ident, str) else canonical.sha3_hex(canonical.encode(document))


def standing(
    one: Certificate, now_ms: int, within_ms: int = 0, *, is_valid: bool | None = None
) -> str:
    """Say how a certificate stands at a time.

    Args:
        one: The certificate.
        now_ms: When.
        within_ms: What ends within this time is expiring.
        is_valid: Whether its proof, form and signer are right, where that is known. One that names
            another asset is invalid in any case.
    """
    if is_valid is False or one.about is False:
        return INVALID
    if one.revoked is not None:
        ended = one.revoked.record.happened_ms
        if ended is None or ended <= now_ms:
            return REVOKED
    claims = one.claims
    return _credential.standing_at(claims.from_ms, claims.until_ms, now_ms, within_ms)


def text_of(label: Any, *names: str) -> str | None:
    """Return the first text that a bare label has under one of some names, or None."""
    stated = label if isinstance(label, dict) else {"label": label}
    values = (stated.get(name) for name in names)
    return next((value for value in values if isinstance(value, str)), None)


def number_of(label: Any) -> str | None:
    """Return the number that a bare label states, or None."""
    return text_of(label, "certificateNumber", "number")


def label_of(label: Any) -> str:
    """Return what a bare label is called."""
    named = text_of(label, "label", "name", "standard", "type") or number_of(label)
    return named if named is not None else cut(repr(label))
