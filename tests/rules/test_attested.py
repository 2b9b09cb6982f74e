"""Which certificates a thing has, of which form, and how they stand; bare labels."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from twincli.crypto import multikey
from twincli.crypto.ed25519 import KeyPair
from twincli.model import credential
from twincli.rules import attested

LAB, OWNER, BOB = (KeyPair.from_seed(bytes((number,)) * 32) for number in (1, 2, 3))
THING, OTHER = "a" * 64, "b" * 64
NOW = 1_900_000_000_000


class Record(NamedTuple):
    """A record; see ``attested.Held``."""

    body: dict[str, Any]
    signers: tuple[str, ...]
    tx_id: str = "1" * 64
    form: str = "statement"
    kind: str = "certificate"
    at: str | None = None
    committed_at: str | None = None
    happened_ms: int | None = None
    height: int | None = None
    tx: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it


def issued(key: KeyPair, ident: str = "urn:x:1", **fields: Any) -> dict[str, Any]:
    fields.setdefault("subject", f"did:bdb:{THING}")
    draft = credential.Draft(**fields)
    return draft.credential(ident, f"did:key:{multikey.encode_ed25519(key.public_bytes)}")


def found(*records: Record, controllers: tuple[str, ...] = ()) -> list[attested.Certificate]:
    names = {LAB.public_key: "lab"}
    return attested.of_records(THING, records, names.get, lambda key, _: key in controllers)


def one(record: Record, controllers: tuple[str, ...] = ()) -> attested.Certificate:
    (made,) = found(record, controllers=controllers)
    return made


def by(key: KeyPair, document: dict[str, Any], **fields: Any) -> Record:
    return Record({"credential": document}, (key.public_key,), **fields)


def test_forms() -> None:
    lab = LAB.public_key
    assert one(by(LAB, issued(LAB))).form == attested.ISSUED
    assert one(by(BOB, issued(LAB))).form == attested.FOREIGN
    named = issued(LAB, issuer_name="Notified Body")
    assert one(by(LAB, named)).form == attested.ISSUED
    assert one(by(LAB, named), (lab,)).form == attested.SELF_DECLARED
    assert one(by(LAB, named, form="append")).form == attested.SELF_DECLARED
    assert one(by(LAB, issued(LAB, issuer_name="LAB")), (lab,)).form == attested.ISSUED
    nobody = issued(BOB, issuer_name="Bob")
    assert one(by(BOB, nobody), (BOB.public_key,)).form == attested.SELF_DECLARED
    declared = issued(LAB, declared_issuer="TUV")
    assert one(by(LAB, declared)).form == attested.SELF_DECLARED


def test_whom_it_names() -> None:
    assert one(by(LAB, issued(LAB))).about is True
    assert one(by(LAB, issued(LAB, subject=f"did:bdb:{OTHER}"))).about is False
    assert one(by(LAB, issued(LAB, subject="urn:x:y"))).about is None
    assert one(by(LAB, issued(LAB, subject="did:key:none"))).about is None
    key = f"did:key:{multikey.encode_ed25519(BOB.public_bytes)}"
    assert one(by(LAB, issued(LAB, subject=key))).about is None
    several = issued(LAB)
    several["credentialSubject"] = [{"id": f"did:bdb:{OTHER}"}, {"id": f"did:bdb:{THING}"}]
    assert one(by(LAB, several)).about is True


@pytest.mark.parametrize("issuer", [None, 7, "https://x.example", "did:key:z6Mk"])
def test_issuers_without_a_key(issuer: Any) -> None:
    document = {**issued(LAB), "issuer": issuer}
    assert one(by(LAB, document)).issuer_key is None
    assert one(by(LAB, document)).form == attested.FOREIGN


def test_what_is_not_a_certificate() -> None:
    assert found(by(LAB, issued(LAB), kind="event")) == []
    assert found(Record({"credential": 7, "revokes": 7}, (LAB.public_key,))) == []


def test_revoked_by_its_issuer_alone() -> None:
    lab, bob = LAB.public_key, BOB.public_key
    first = by(LAB, issued(LAB))
    again = by(BOB, issued(LAB), tx_id="2" * 64)
    other = by(LAB, issued(LAB, "urn:x:2"), tx_id="3" * 64)
    envy = Record({"revokes": first.tx_id}, (bob,), happened_ms=NOW - 9)
    end = Record({"revokes": first.tx_id, "reason": "wrong"}, (lab,), happened_ms=NOW - 5)
    later = Record({"revokes": first.tx_id}, (lab,), happened_ms=NOW)
    made = found(first, again, other, envy, end, later)
    assert [cert.revoked is not None for cert in made] == [True, True, False]
    assert made[0].revoked == attested.Revocation(end, "wrong")
    assert attested.standing(made[0], NOW) == attested.REVOKED
    assert attested.standing(made[0], NOW - 6) == credential.VALID
    (timeless,) = found(first, Record({"revokes": first.tx_id}, (lab,)))
    assert attested.standing(timeless, 0) == attested.REVOKED


def test_a_credential_without_an_id_is_what_it_says() -> None:
    document = issued(LAB)
    del document["id"]
    assert attested.identity(document) == attested.identity(dict(reversed(document.items())))
    assert attested.identity(document) != attested.identity({**document, "x": 1})


def test_standing() -> None:
    made = one(by(LAB, issued(LAB, valid_until_ms=NOW)))
    assert attested.standing(made, NOW - 5000) == credential.VALID
    assert attested.standing(made, NOW - 5000, 9000) == credential.EXPIRING
    assert attested.standing(made, NOW + 5000) == credential.EXPIRED
    assert attested.standing(made, NOW - 5000, is_valid=False) == attested.INVALID
    wrong = one(by(LAB, issued(LAB, subject=f"did:bdb:{OTHER}")))
    assert attested.standing(wrong, NOW) == attested.INVALID


def test_trust() -> None:
    made = one(by(LAB, issued(LAB)))
    issuer = str(made.claims.issuer)
    assert attested.is_trusted(made, ()) is None
    assert attested.is_trusted(made, (issuer,)) is True
    assert attested.is_trusted(made, ("did:key:other",)) is False
    assert attested.is_trusted(made._replace(about=None), (issuer,)) is False
    assert attested.is_trusted(made._replace(form=attested.SELF_DECLARED), (issuer,)) is False


def test_bare_labels() -> None:
    assert attested.label_of("organic") == "organic"
    assert attested.label_of({"name": "CE", "number": "7"}) == "CE"
    assert attested.label_of({"certificateNumber": "7"}) == "7"
    assert attested.number_of({"number": "7"}) == "7"
    assert attested.number_of("organic") is None
    assert attested.label_of(["x"]) == "['x']"
    assert len(attested.label_of(["x" * 5000])) < 500
