"""The page of a thing: card, owners, certificates, links, the timeline; what it may cost."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.node.test_explorer import EVIL, Reader
from twincli.crypto import cid, data_integrity, multikey
from twincli.crypto.ed25519 import KeyPair
from twincli.formats import shipped
from twincli.ledger import Ledger
from twincli.model import credential, did, owners, record, transaction
from twincli.model.transaction import Output, Spend
from twincli.node.pages import explorer, thing

ALICE, BOB, LAB = (KeyPair.from_seed(bytes((number,)) * 32) for number in (1, 2, 3))
NOW = 1_900_000_000_000
YEAR = 365 * 86_400_000


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.open(":memory:", clock=iter(range(NOW, 10**13, 1000)).__next__) as it:
        yield it


def create(
    ledger: Ledger, key: KeyPair = ALICE, state: Any = None, data: Any = None, **fields: Any
) -> dict[str, Any]:
    nonce = str(ledger.tip().height)
    envelope = record.envelope(fields.pop("kind", "asset"), nonce=nonce, **fields)
    output = Output(owners.of_keys([key.public_key]), 1)
    made = transaction.create([key.public_key], [output], {**(data or {}), "twin": envelope}, state)
    tx = transaction.sign(made, [key])
    ledger.submit(tx)
    return tx


def write(
    ledger: Ledger,
    tip: dict[str, Any],
    kind: str,
    body: Any = None,
    to: KeyPair = ALICE,
    by: KeyPair = ALICE,
    **members: Any,
) -> dict[str, Any]:
    asset_id = tip["asset"].get("id", tip["id"])
    suspect = members.pop("suspect", None)
    metadata = {**members, "twin": record.envelope(kind, body=body, suspect=suspect)}
    output = Output(owners.of_keys([to.public_key]), 1)
    tx = transaction.transfer([Spend.of(tip)], [output], asset_id, metadata)
    signed = transaction.sign(tx, [by])
    ledger.submit(signed)
    return signed


def say(ledger: Ledger, about: dict[str, Any], says: str, body: Any, by: KeyPair) -> dict[str, Any]:
    return create(ledger, by, kind="statement", about=about["id"], says=says, body=body)


def words(ledger: Ledger, asset: dict[str, Any], **query: str) -> str:
    page = explorer.page(ledger, f"/explorer/asset/{asset['id']}", query)
    assert page.status == 200
    assert not {"script", "img"} & set(Reader(page.html).tags)
    return Reader(page.html).words


def part(text: str, title: str, until: str) -> str:
    assert title in text
    return text.rpartition(title)[2].partition(until)[0]


def car(ledger: Ledger, **state: Any) -> dict[str, Any]:
    data = shipped.data("vehicle-tracking-v1")
    assert data is not None
    pin = {"template": "vehicle-tracking-v1", "template_cid": cid.of(data).text}
    return create(ledger, ALICE, state, {"vin": "VIN-1", "color": "red"}, name="car", **pin)


# --- The card ----------------------------------------------------------------------------------


def test_the_card_of_its_template(ledger: Ledger) -> None:
    twin = car(ledger, mileage=12, location={"latitude": 52.5, "longitude": 13.25})
    tip = write(ledger, twin, "append", mileage=1200, engineHours=5, suspect=["engineHours"])
    text = words(ledger, twin)
    assert text.index("VIN-1") < text.index("Card")  # what the template calls its title
    assert "namecar" in text
    assert "Vehicle Digital Twin vehicle-tracking-v1" in text
    shown = part(text, "Card", "Facts")
    assert "Mileage1200 miles" in shown
    assert "Engine hours5 h suspect" in shown
    assert "Location52.5, 13.25" in shown
    assert "Not given: License plate, Fuel" in shown
    assert "State" not in text  # all of it is on the card
    assert "colorred" in part(text, "Facts", "History")
    assert "mileage (miles): 2 values" in text
    assert "mileage 1200 miles" in part(text, "History", "nothing")
    # The same value again is not written again; another one is no longer in doubt.
    tip = write(ledger, tip, "append", engineHours=5)
    assert "Engine hours5 h suspect" in words(ledger, twin)
    write(ledger, tip, "append", engineHours=6)
    assert "Engine hours6 h" in words(ledger, twin)
    assert "suspect" not in words(ledger, twin)


def test_a_registered_template_and_one_that_is_not_here(ledger: Ledger) -> None:
    data = shipped.data("vehicle-tracking-v1")
    assert data is not None
    pin = {"template": "vehicle-tracking-v9", "template_cid": cid.of(b"another").text}
    twin = create(ledger, ALICE, {"mileage": 12}, name="car", **pin)
    text = words(ledger, twin)
    assert "Card" not in text
    assert "mileage12" in part(text, "State", "History")


# --- Owners ------------------------------------------------------------------------------------


def test_who_owned_it_when(ledger: Ledger) -> None:
    twin = create(ledger, name="car")
    assert "Owners" not in words(ledger, twin)
    tip = write(ledger, twin, "append", x="a")
    tip = write(ledger, tip, "transfer", to=BOB)
    tip = write(ledger, tip, "append", to=BOB, by=BOB, x="b")
    write(ledger, tip, "transfer", by=BOB)
    listed = part(words(ledger, twin), "Owners", "History")
    keys = re.findall(r"(\w{10})\u2026", listed)
    alice, bob = (key.public_key[:10] for key in (ALICE, BOB))
    assert keys == [alice, bob, alice]
    times = re.findall(r"2030-\S+?Z", listed)
    assert len(times) == 5  # the last has no end
    assert times[0] == times[2]
    assert times[1] == times[4]
    assert f"to {bob}" in words(ledger, twin)


def test_owners_of_a_split_thing(ledger: Ledger) -> None:
    output = Output(owners.of_keys([ALICE.public_key]), 3)
    made = transaction.create([ALICE.public_key], [output], {"name": "gold"}, None)
    twin = transaction.sign(made, [ALICE])
    ledger.submit(twin)
    outputs = [Output(owners.of_keys([key.public_key]), 1) for key in (ALICE, BOB, LAB)]
    split = transaction.transfer([Spend.of(twin)], outputs, twin["id"], None)
    ledger.submit(transaction.sign(split, [ALICE]))
    text = words(ledger, twin)
    assert part(text, "Held by", "Owners").count("\u2026") == 3
    assert part(text, "Owners", "History").count("\u2026") == 3


# --- Certificates ------------------------------------------------------------------------------


def certify(
    ledger: Ledger, twin: dict[str, Any], key: KeyPair, number: str, **fields: Any
) -> dict[str, Any]:
    changed = fields.pop("changed", False)
    subject = fields.pop("subject", did.asset_did(twin["id"], ledger.id))
    draft = credential.Draft(subject, "safety", "UL-2089", number, **fields)
    issuer = f"did:key:{multikey.encode_ed25519(key.public_bytes)}"
    document = draft.credential(f"urn:uuid:{number}", issuer)
    document = data_integrity.sign(document, key, "2024-01-01T00:00:00Z")
    if changed:
        document["credentialSubject"]["standard"] = "UL-1"
    return create(ledger, key, kind="certificate", about=twin["id"], body={"credential": document})


def test_certificates_with_their_standing(ledger: Ledger) -> None:
    twin = create(ledger, name="car", data={"certifications": ["organic", {"number": "N-7"}, 5]})
    certify(ledger, twin, LAB, "C-valid", issuer_name=EVIL)
    certify(ledger, twin, LAB, "C-over", valid_until_ms=NOW - YEAR)
    certify(ledger, twin, LAB, "C-soon", valid_from_ms=NOW + YEAR)
    certify(ledger, twin, LAB, "C-changed", changed=True)
    certify(ledger, twin, LAB, "C-other", subject=did.asset_did("0" * 64, ledger.id))
    certify(ledger, twin, LAB, "C-none", subject="urn:x:y")
    certify(ledger, twin, ALICE, "C-own", declared_issuer="Notified Body")
    ended = certify(ledger, twin, LAB, "C-ended")
    kept = certify(ledger, twin, LAB, "C-kept")
    for key, cert, why in ((LAB, ended, "test was wrong"), (BOB, kept, "envy")):
        body = {"revokes": cert["id"], "reason": why}
        create(ledger, key, kind="certificate", about=twin["id"], body=body)
    listed = part(words(ledger, twin), "Certificates", "History")
    found = dict(re.findall(r"UL-\d+ (C-[a-z]+)(.*?)(?=safety UL|organic)", listed, re.DOTALL))
    assert found["C-valid"].endswith("valid")
    assert found["C-over"].endswith("expired")
    assert found["C-soon"].endswith("not yet valid")
    assert found["C-changed"].endswith("invalid")
    assert found["C-other"].endswith("invalid")
    assert found["C-none"].endswith("valid, does not name this thing")
    assert found["C-own"].endswith("self-declared, not verified")
    assert found["C-ended"].endswith("revoked: test was wrong")
    assert found["C-kept"].endswith("valid")
    assert listed.count("unproven") == 3
    assert "N-7" in listed


def test_a_certificate_among_too_much_may_be_revoked(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = create(ledger, name="car")
    ended = certify(ledger, twin, LAB, "C-1")
    say(ledger, twin, "event", {"type": "noise"}, BOB)
    create(ledger, LAB, kind="certificate", about=twin["id"], body={"revokes": ended["id"]})
    assert "revoked" in part(words(ledger, twin), "Certificates", "History")
    monkeypatch.setattr(thing, "LISTED", 2)
    listed = part(words(ledger, twin), "Certificates", "History")
    assert "valid, revocations not checked" in listed
    assert "twin cert list" in listed


def test_a_node_without_the_packages_for_certificates(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = create(ledger, name="car")
    certify(ledger, twin, LAB, "C-1")
    monkeypatch.setitem(sys.modules, "rfc8785", None)
    listed = part(words(ledger, twin), "Certificates", "History")
    assert "valid, proof not checked here" in listed


# --- Links -------------------------------------------------------------------------------------


def test_links_from_both_ends(ledger: Ledger) -> None:
    twin, wheel, spare, engine = (
        create(ledger, name=name) for name in ("car", "wheel", "spare", "engine")
    )
    theirs = create(ledger, BOB, name="theirs")
    own = write(ledger, twin, "link", {"verb": "replaces", "to": theirs["id"]})
    own = write(ledger, own, "link", {"verb": "part", "to": engine["id"]})
    own = write(ledger, own, "link", {"verb": "is_component_of", "from": wheel["id"]})
    write(ledger, wheel, "link", {"verb": "is_component_of", "to": twin["id"]})
    gone = write(ledger, spare, "link", {"verb": "is_component_of", "to": twin["id"]})
    write(ledger, gone, "revoke", {"grant": twin["id"], "verb": "is_component_of"})
    write(ledger, theirs, "link", {"verb": "is_variant_of", "from": twin["id"]}, to=BOB, by=BOB)
    say(ledger, twin, "link", {"verb": "is_variant_of", "to": spare["id"]}, BOB)
    listed = part(words(ledger, twin), "Links", "History")
    assert re.search(r"thisreplacestheirs \w+\u2026not confirmed", listed)
    assert re.search(r"thispartengine \w+\u2026not confirmed", listed)
    assert re.search(r"wheel \w+\u2026is_component_ofthis(?!not)", listed)
    assert re.search(r"thisis_variant_ofspare \w+\u2026unauthorised", listed)
    assert re.search(r"thisis_variant_oftheirs \w+\u2026not said by the owner", listed)
    assert listed.count("spare") == 1
    # A part gives power, which ends with the one who gave it.
    write(ledger, own, "transfer", to=BOB)
    listed = part(words(ledger, twin), "Links", "History")
    assert "engine" not in listed
    assert "replaces" in listed


def test_a_link_that_may_have_been_taken_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin, wheel = (create(ledger, name=name) for name in ("car", "wheel"))
    tip = write(ledger, wheel, "link", {"verb": "is_component_of", "to": twin["id"]})
    for _ in range(3):
        tip = write(ledger, tip, "revoke", {"grant": "0" * 64})
    assert "not confirmed" in part(words(ledger, twin), "Links", "History")
    monkeypatch.setattr(thing, "LISTED", 2)
    assert "not checked" in part(words(ledger, twin), "Links", "History")
    write(ledger, tip, "revoke", {"grant": twin["id"]})
    monkeypatch.setattr(thing, "LISTED", 9)
    assert "Links" not in words(ledger, twin)


# --- The timeline ------------------------------------------------------------------------------


def test_what_others_say_stands_in_the_timeline(ledger: Ledger) -> None:
    twin = create(ledger, name="car")
    tip = write(ledger, twin, "event", {"type": "crash", "data": {"where": "Berlin"}})
    say(ledger, twin, "event", {"type": "gossip"}, BOB)
    say(ledger, twin, "strange", {"x": EVIL}, ALICE)
    write(ledger, tip, "state", {"from": "new", "to": "used"})
    told = part(words(ledger, twin), "History", "nothing")
    order = ["createfor", "crash; where Berlin", "gossip", "strange", "new -> used"]
    assert [told.index(word) for word in order] == sorted(told.index(word) for word in order)
    assert re.search(r"event by \w+\u2026? *unauthorisedgossip", told)
    assert "unauthorised" not in told.partition("gossip")[2]


def test_the_timeline_goes_on_through_both(ledger: Ledger) -> None:
    twin = tip = create(ledger, name="car")
    for number in range(130):
        if number % 3:
            say(ledger, twin, "event", {"type": f"said_{number}."}, BOB)
        else:
            tip = write(ledger, tip, "event", {"type": f"own_{number}."})
    seen: list[str] = []
    query: dict[str, str] = {}
    for _ in range(9):
        page = Reader(explorer.page(ledger, f"/explorer/asset/{twin['id']}", query).html)
        seen += re.findall(r"(?:own|said)_\d+(?=\.)", page.words)
        later = [link for link in page.links if "after=" in link]
        if not later:
            break
        query = {"after": later[-1].partition("after=")[2]}
    assert [int(word.partition("_")[2]) for word in seen] == [*range(130)]
    assert explorer.page(ledger, f"/explorer/asset/{twin['id']}", {"after": "0" * 64}).status == 404


def test_strangers_do_not_make_a_page_cost_more(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = car(ledger, mileage=1)
    other = create(ledger, BOB, name="other")
    for number in range(300):
        say(ledger, twin, "event", {"type": f"noise_{number}"}, BOB)
        other = write(
            ledger, other, "link", {"verb": "is_variant_of", "from": twin["id"]}, to=BOB, by=BOB
        )
    read = 0
    entry = Ledger.entry

    def counted(self: Ledger, tx_id: str) -> Any:
        nonlocal read
        read += 1
        return entry(self, tx_id)

    monkeypatch.setattr(Ledger, "entry", counted)
    words(ledger, twin)
    assert read < 3 * thing.LISTED
