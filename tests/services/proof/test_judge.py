"""What is judged of a bundle, and what each anchor says of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from tests.ledger.chains import ALICE, BOB
from tests.services.proof import facts
from twincli.crypto import canonical, notes, tlog
from twincli.crypto.ed25519 import KeyPair
from twincli.model import did
from twincli.services.proof import report
from twincli.services.proof.anchors import NONE, Anchors
from twincli.services.proof.evidence import Finding, LeftOut
from twincli.services.proof.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> facts.Facts:
    return facts.facts(tmp_path_factory.mktemp("facts"))


@pytest.fixture
def bundled(made: facts.Facts) -> facts.Bundled:
    return facts.Bundled(made)


def word(found: Any, anchors: Anchors = NONE) -> str:
    return judge(found, anchors).status


def test_a_bundle_is_consistent_and_with_an_anchor_verified(
    made: facts.Facts, bundled: facts.Bundled
) -> None:
    document = report.document(judge(bundled))
    assert document["status"] == "consistent", document
    parts = document["parts"]
    assert [parts[name]["status"] for name in parts] == ["ok"] * 5 + ["not_checked"]
    assert parts["attachment_hashes"]["checked"] == 2
    assert parts["ledger_proof"]["checked"] == facts.COUNT + 1
    kept = facts.checkpoint(made.place / "ledger")
    for anchors in (
        Anchors(asset=made.car),
        Anchors(issuer=did.key_did(ALICE.public_key)),
        Anchors(root=bundled.claims.root),
        Anchors(ledger_key=bundled.claims.ledger_key),
        Anchors(checkpoint=kept),
        Anchors(not_before_ms=1_700_000_000_000),
    ):
        assert word(bundled, anchors) == "verified", anchors


def test_anchors_that_do_not_fit_or_cannot_be_told(
    made: facts.Facts, bundled: facts.Bundled
) -> None:
    for anchors in (
        Anchors(asset="0" * 64),
        Anchors(issuer=did.key_did(BOB.public_key)),
        Anchors(ledger_key=BOB.public_key),
    ):
        assert word(bundled, anchors) == "failed", anchors
    earlier = facts.checkpoint(made.place / "ledger", 20)
    for anchors in (
        Anchors(root=bytes(32)),
        Anchors(checkpoint=earlier),
        Anchors(not_before_ms=2_000_000_000_000),
        Anchors(issuer="did:bdb:" + "0" * 64),
    ):
        assert word(bundled, anchors) == "undetermined", anchors
        assert judge(bundled, anchors).first is not None


def _drop(at: int) -> Callable[[facts.Bundled], None]:
    def change(found: facts.Bundled) -> None:
        del found.items[at]

    return change


def _with(at: int, **changes: Any) -> Callable[[facts.Bundled], None]:
    def change(found: facts.Bundled) -> None:
        found.items[at] = found.items[at]._replace(**changes)

    return change


def _swap(found: facts.Bundled) -> None:
    found.items[10], found.items[11] = found.items[11], found.items[10]


def _twice(found: facts.Bundled) -> None:
    found.items.insert(10, found.items[10])


def _other_value(found: facts.Bundled) -> None:
    body = found.items[8].body
    assert b'"km":' in body
    found.items[8] = found.items[8]._replace(body=body.replace(b'"km":', b'"kn":'))


def _with_a_blank(found: facts.Bundled) -> None:
    found.items[8] = found.items[8]._replace(body=found.items[8].body + b" ")


def _with_another_id(found: facts.Bundled) -> None:
    tx = canonical.decode(found.items[8].body, what="x")
    tx["id"] = "0" * 64
    found.items[8] = found.items[8]._replace(body=canonical.encode(tx))


def _by_another_key(found: facts.Bundled) -> None:
    origin = tlog.origin_of(found.claims.ledger_id)
    text = notes.parse(found.notes[0]).text
    found.notes = [notes.Note(text, (notes.sign(text, origin, BOB),)).to_bytes()]


def _of_another_ledger(found: facts.Bundled) -> None:
    found.claims = found.claims._replace(ledger_id="0" * 64)


def _with_another_root(found: facts.Bundled) -> None:
    found.claims = found.claims._replace(root=bytes(32))


def _with_a_fault(found: facts.Bundled) -> None:
    found.faults = [Finding("altered_entry", "content/x", "x")]


def _profile(found: facts.Bundled) -> None:
    found.claims = found.claims._replace(profile="none")


@pytest.mark.parametrize(
    "change",
    [
        _with(8, path=()),
        _with(8, leaf=9),
        _with(8, height=1),
        _with(8, time_ms=1),
        _with(8, body=b"{"),
        _with(8, body=b"[]"),
        _with(8, body=b'{"id": 1}'),
        _with(8, body=b'{"id": "00"}'),
        _with(8, body=b"\xff"),
        _swap,
        _twice,
        _other_value,
        _with_a_blank,
        _with_another_id,
        _by_another_key,
        _of_another_ledger,
        _with_another_root,
        _with_a_fault,
        _profile,
    ],
)
def test_what_was_altered_in_a_bundle_is_failed(
    bundled: facts.Bundled, change: Callable[[facts.Bundled], None]
) -> None:
    change(bundled)
    found = judge(bundled)
    assert found.status == "failed", report.document(found)
    assert found.first is not None
    assert found.first.where


def test_what_is_missing_is_not_altered(made: facts.Facts, bundled: facts.Bundled) -> None:
    _drop(8)(bundled)
    found = judge(bundled)
    assert found.status == "undetermined"
    assert found.first is not None
    assert found.first.code == "missing_transaction"
    assert len(found.parts["data_integrity"].missing) == 1  # and not once for each that follows
    again = facts.Bundled(made)
    again.notes = []
    assert word(again) == "undetermined"
    again = facts.Bundled(made)
    again.asset_id = "0" * 64
    assert word(again) == "undetermined"


def test_content_is_missing_or_altered_or_left_out(
    made: facts.Facts, bundled: facts.Bundled, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = bundled.content
    monkeypatch.setattr(bundled, "content", lambda cid: None if cid == made.chunk else there(cid))
    monkeypatch.setattr(bundled, "cids", lambda: iter([made.file]))
    assert word(bundled) == "undetermined"
    bundled.left_out = [LeftOut("stream", "gps")]
    found = judge(bundled)
    assert found.status == "consistent"
    assert [item.code for item in found.parts["attachment_hashes"].noted] == ["left_out"]
    assert judge(bundled, strict=True).status == "failed"
    bundled.left_out = [LeftOut("file", made.chunk)]
    assert word(bundled) == "consistent"
    monkeypatch.setattr(bundled, "content", lambda _: io.BytesIO(b"x"))
    found = judge(bundled)
    assert found.status == "failed"
    assert found.first == Finding("altered", *found.first[1:]) if found.first else False
    # Content that nothing names is held to its name as well.
    monkeypatch.setattr(bundled, "content", there)
    other = made.blobs.put(io.BytesIO(b"other")).cid
    monkeypatch.setattr(bundled, "cids", lambda: iter([made.file, other]))
    assert word(bundled) == "consistent"
    monkeypatch.setattr(
        bundled, "content", lambda cid: io.BytesIO(b"x") if cid == other else there(cid)
    )
    assert word(bundled) == "failed"
    made.blobs.remove(other)


def test_a_former_key_of_the_ledger_still_counts(bundled: facts.Bundled) -> None:
    new = KeyPair.from_seed(bytes([9]) * 32).public_key
    old = bundled.claims.ledger_key
    bundled.claims = bundled.claims._replace(ledger_key=new, former_keys=(old,))
    assert word(bundled, Anchors(ledger_key=old)) == "verified"
    assert word(bundled, Anchors(ledger_key=new)) == "undetermined"
