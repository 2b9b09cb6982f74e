"""The page's JavaScript against published vectors, and against the Python beside it."""

from __future__ import annotations

import ast
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.bundle_page.conftest import Ask
from tests.formats.changed import VALUES, changed
from twincli.crypto import canonical, cid, conditions, ed25519
from twincli.errors import InvalidError
from twincli.model import did, times
from twincli.rules import structure

VECTORS = Path(__file__).parents[2] / "vectors"


def _vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def _transactions() -> list[str]:
    """Return transactions that two official drivers made, and that a real server judged."""
    made = [
        step["transaction_json"]
        for scenario in _vectors("driver_transactions")["scenarios"]
        for step in scenario["steps"]
        if "transaction_json" in step
    ]
    made += [case["transaction_json"] for case in _vectors("driver_transactions_refused")["cases"]]
    for line in (VECTORS / "validation_sample.jsonl").read_text(encoding="utf-8").splitlines()[1:]:
        case = json.loads(line)
        made += [json.dumps(tx) for tx in (*case["setup"], case.get("tx")) if tx is not None]
    return made


def _verdict(text: str) -> bool:
    """Say whether Python takes a transaction under the profile strict."""
    try:
        checked = structure.check(canonical.decode(text))
        return not checked.deviations and checked.verify()
    except InvalidError:
        return False


def test_signatures_as_libsodium_judges_them(ask: Ask) -> None:
    vectors = _vectors("ed25519")
    cases = [
        (group["publicKey"], test["msg"], test["sig"], test["result"] == "valid")
        for group in vectors["wycheproof"]
        for test in group["tests"]
    ]
    cases += [
        (case["key"], case["msg"].encode().hex(), case["sig"], sodium)
        for case in vectors["edge_points"]
        if (sodium := case["accepted_by"]["pynacl 1.6.2 (libsodium)"]) is not None
    ]
    for key, message, signature, good in cases:
        answer = ask("ed", key=key, message=message, signature=signature)
        assert answer["good"] is good, (key, signature)
        assert answer["point"] is ed25519.is_point(bytes.fromhex(key)), key


def test_canonical_json_as_the_server_has_it(ask: Ask) -> None:
    for case in _vectors("canonical_json")["cases"]:
        value = ast.literal_eval(case["python"])
        assert ask("canonical", text=json.dumps(value)) == case["canonical"]


JSON_TEXTS = (
    *("1.0", "1e3", "-0", "-0.0", "1E400", "9223372036854775807", "18446744073709551616"),
    *("1e16", "1e-5", "0.0001", "123456789012345678901234567890", "[1,]", "01", "+1", "NaN"),
    *('{"a":1,"a":2}', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u007f\\u0000\\u001f"', '"\\x"'),
    *('{"__proto__":{"a":1},"constructor":2}', '{"\\ue000":1,"\\ud83d\\ude00":2,"a":3}', '"\t"'),
    *('{"10":1,"9":2,"a":3}', " [ 1 , 2 ] ", "[1] 2", "", "nul", "[" * 2000, '{"a" 1}'),
    *("9" * 4300, "9" * 4301, "1.5e-7", "5e-324", "1.7976931348623157e308", "2e308", "\ufeff1"),
)


@pytest.mark.parametrize("text", JSON_TEXTS, ids=range(len(JSON_TEXTS)))
def test_json_is_read_as_python_reads_it(ask: Ask, text: str) -> None:
    try:
        expected: str | None = canonical.encode(canonical.decode(text)).decode()
    except InvalidError:
        expected = None
    assert ask("canonical", text=text) == expected


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=50))
def test_floats_are_written_as_python_writes_them(ask: Ask, numbers: list[float]) -> None:
    assert ask("float", texts=[repr(number) for number in numbers]) == [repr(n) for n in numbers]


def test_conditions_as_the_drivers_make_them(ask: Ask) -> None:
    vectors = _vectors("driver_conditions")
    message = vectors["message_hex"]
    for case in vectors["cases"]:
        if "preimage" in json.dumps(case["details"]):
            continue
        uri, details = case["condition_uri"], json.dumps(case["details"])
        assert ask("uri", details=details) == uri
        for name, fulfillment in case.items():
            if name.startswith("fulfillment") and isinstance(fulfillment, str):
                good = conditions.verify(fulfillment, uri, bytes.fromhex(message))
                answer = ask("fulfils", fulfillment=fulfillment, uri=uri, message=message)
                assert answer is good, case["name"]


def test_fulfillments_that_are_wrong(ask: Ask) -> None:
    for case in _vectors("crypto_conditions")["invalid"]:
        data, uri = bytes.fromhex(case["fulfillment"]), case["conditionUri"]
        from base64 import urlsafe_b64encode

        text = urlsafe_b64encode(data).rstrip(b"=").decode()
        good = conditions.verify(text, uri, bytes.fromhex(case["message"]))
        answer = ask("fulfils", fulfillment=text, uri=uri, message=case["message"])
        assert answer is good, case["name"]


def test_transactions_of_the_official_drivers(ask: Ask) -> None:
    texts = _transactions()
    assert len(texts) > 100
    taken = 0
    for text in texts:
        good = _verdict(text)
        taken += good
        assert (ask("transaction", text=text)["code"] is None) is good, text
    assert taken > 60


@given(st.data())
def test_changed_transactions_are_judged_alike(ask: Ask, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(_transactions()[:60]))
    tx = changed(data, json.loads(text), VALUES)
    if data.draw(st.booleans()) and isinstance(tx, dict) and "id" in tx:
        try:  # so that what is behind the id is judged, too
            tx["id"] = canonical.sha3_hex(canonical.encode({**tx, "id": None}))
        except InvalidError:
            return
    text = json.dumps(tx)
    assert (ask("transaction", text=text)["code"] is None) is _verdict(text)


@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 524_288, 262_144 * 175])
def test_cids_of_files(ask: Ask, tmp_path: Path, size: int) -> None:
    data = b"\x07" * size
    path = tmp_path / "file"
    path.write_bytes(data)
    for profile in cid.PROFILES.values():
        text = cid.of(data, profile).text
        assert ask("matches", path=str(path), text=text) is True
    assert ask("matches", path=str(path), text=cid.of(data + b"x").text) is False
    if size < 300_000:
        assert ask("cid", base64=b64encode(data).decode()) == cid.of(data).text


TIMES = [
    *("2024-01-20T09:00:00Z", "2024-01-20t09:00:00.123456789z", "2024-01-20 09:00+23:59"),
    *("2024-01-20T09:00:00+00:99", "2024-01-20T09:00:00+24:00", "2024-02-30T00:00:00Z"),
    *("2024-02-29T24:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00"),
    *("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z"),
    *("2024-01-20", "2024-01-20T09:00:60Z", "2023-02-29T00:00:00Z", "x", "", "2024-1-20T09:00Z"),
    *("1969-12-31T23:59:59.999Z", "0099-06-01T00:00:00Z", "2024-01-20T09:00:00.Z"),
]


def test_times_are_read_as_python_reads_them(ask: Ask) -> None:
    assert ask("time", texts=TIMES) == [times.parse_claim(text) for text in TIMES]


def _named(text: str) -> dict[str, str] | None:
    try:
        found = did.parse(text)
    except InvalidError:
        return None
    if found.public_key is not None:
        return {"key": found.public_key}
    return None if found.asset_id is None else {"asset": found.asset_id}


def test_dids_name_the_same(ask: Ask) -> None:
    key = did.key_did(ed25519.KeyPair.from_seed(bytes(32)).public_key)
    specific = key.removeprefix("did:key:")
    asset = "ab" * 32
    texts = [key, f"{key}#{specific}", f"{key}#other", f"{key}x", key[:-1], f"{key}?a=b", "", "x"]
    texts += [f"did:bdb:{asset}", f"did:bdb:{'0' * 16}:{asset}", f"did:{asset}", f"did:{asset}#a"]
    texts += [f"did:bdb:{asset}#key", f"did:bdb:{asset.upper()}", f"did:bdb:{asset}/a", "did:key:z"]
    texts += ["did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc", f"did:id:{asset}"]
    texts += [f"did:key:{'z' * 300}", f"did:bdb:{asset}#a b", f"did:bdb:{asset}#%zz"]
    assert ask("named", texts=texts) == [_named(text) for text in texts]
