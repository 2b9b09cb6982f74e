"""An append is checked from its text as it is when it is parsed."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.committed import ALICE, BOB, Tx, create, output, transfer
from twincli.crypto import canonical
from twincli.errors import InvalidError
from twincli.rules import structure, texts
from twincli.rules.structure import Checked

CREATED = create(output(ALICE, amount=7), data={"make": "VW"})


def append(metadata: Any = None, amount: int = 7) -> Tx:
    return transfer((CREATED, 0), outputs=[output(ALICE, amount=amount)], metadata=metadata)


def text_of(tx: Tx) -> str:
    return canonical.text_of(tx)


def told(text: str, check: Any) -> Any:
    """Return all that is known of a checked text, or how it was refused."""
    try:
        made: Checked = check(text)
    except InvalidError as error:
        return error.code, error.message
    except (ValueError, RecursionError) as error:
        return type(error)
    inputs = [(one.owners_before, one.spends) for one in made.inputs]
    shown = [one.fulfillment and one.fulfillment.uri for one in made.inputs]
    outputs = [(one.amount, one.condition.uri, one.public_keys) for one in made.outputs]
    of_it = (made.id, made.operation, made.asset_id, made.metadata, made.body, made.message)
    rest = (made.tx, made.only_keys, made.verify(), list(made.deviations))
    return of_it, inputs, shown, outputs, rest


def slowly(text: str) -> Checked:
    return structure.check(json.loads(text))


def test_an_append_is_known_by_its_text() -> None:
    for metadata in (None, {"mileage": 1}, {"a": {"operation": "TRANSFER", "outputs": [{}]}}):
        text = text_of(append(metadata))
        made = texts.check_append(text)
        assert made is not None
        assert made.verify()
        again = texts.append_of(text, made.metadata)
        assert again is not None
        assert told(text, lambda _: again) == told(text, slowly)  # noqa: B023
        assert told(text, texts.check_text) == told(text, slowly)


def resealed(text: str) -> str:
    """Return a text with the id that belongs to it, where it is JSON."""
    try:
        tx = json.loads(text)
        tx["id"] = None
        return text.replace(text[89:153], canonical.sha3_hex(canonical.encode(tx)))
    except (ValueError, InvalidError, TypeError, RecursionError):
        return text


PLAIN = text_of(append({"mileage": 1, "note": "ü"}))
SIGNED = json.loads(PLAIN)["inputs"][0]["fulfillment"]
PREIMAGE = urlsafe_b64encode(b"\xa0\x64\x80\x62".ljust(102, b".")).decode()
ODD = [
    ('"mileage":1,', ""),
    ('{"mileage":1,"note":"ü"}', "{}"),
    ('{"mileage":1,"note":"ü"}', "[1]"),
    ('{"mileage":1,"note":"ü"}', "{"),
    ('{"mileage":1,"note":"ü"}', "[" * 100_000),
    ('"mileage":1', '"mileage": 1'),
    ('"mileage":1', '"mileage":1e400'),
    ('"mileage":1', '"mileage":NaN'),
    ('"mileage":1', '"mileage":1.0'),
    ('"mileage":1', '"mileage":1.00'),
    ('"mileage":1', f'"mileage":{2**64}'),
    ('"mileage":1', '"mileage":1,"mileage":1'),
    ('"mileage"', '"$mileage"'),
    ('"mileage"', '"a.b"'),
    ('"ü"', '"\\u00fc"'),
    ('"ü"', '"\\ud800"'),
    ('"ü"', '"\ud800"'),
    ('"ü"', '"\0"'),
    ('"output_index":0', '"output_index":00'),
    ('"output_index":0', '"output_index":-1'),
    ('"output_index":0', '"output_index":1'),
    ('"amount":"7"', '"amount":"07"'),
    ('"amount":"7"', '"amount":"0"'),
    ('"amount":"7"', f'"amount":"{10**19}"'),
    ('"amount":"7"', '"amount":7'),
    ('"fulfillment":"pGSAI', '"fulfillment":"pGSAJ'),
    ('"fulfillment":"pGSAI', '"fulfillment":"AAAAA'),
    ('"fulfillment":"pGSAI', '"fulfillment":"____-'),
    (SIGNED, PREIMAGE),
    (f'["{ALICE.public_key}"]}}],"metadata', f'["{BOB.public_key}"]}}],"metadata'),
    (f'"public_keys":["{ALICE.public_key}"]', f'"public_keys":["{BOB.public_key}"]'),
    (ALICE.public_key, BOB.public_key),
    (ALICE.public_key, "1" * 43),
    (ALICE.public_key, "z" * 44),
    (ALICE.public_key, "^" * 43),
    ('"version":"2.0"', '"version":"1.0"'),
    ('"2.0"}', '"2.0"} '),
    ('"TRANSFER"', '"CREATE"'),
    ('"outputs":[', '"outputs":['),
    ('"cost=131072', '"cost=131073'),
    ('{"asset"', ' {"asset"'),
    ('{"asset"', '{"asset":{},"asset"'),
]


@pytest.mark.parametrize(("old", "new"), ODD)
def test_what_is_odd_is_judged_as_ever(old: str, new: str) -> None:
    text = PLAIN.replace(old, new)
    for each in (text, resealed(text)):
        assert told(each, texts.check_text) == told(each, slowly)


def test_other_shapes_are_judged_as_ever() -> None:
    whole = append()
    two = transfer((CREATED, 0), outputs=[output(ALICE, amount=3), output(BOB, amount=4)])
    both = transfer((CREATED, 0), outputs=[output(ALICE, BOB, amount=7)])
    for tx in (CREATED, two, both, whole | {"id": "0" * 64}):
        text = text_of(tx)
        assert texts.check_append(text) is None
        assert told(text, texts.check_text) == told(text, slowly)
    assert texts.append_of(text_of(CREATED), None) is None
    assert texts.append_of(text_of(two), None) is None


@given(st.integers(0, len(PLAIN) - 1), st.text(max_size=2), st.integers(0, 2))
def test_any_change_is_judged_as_ever(at: int, new: str, cut: int) -> None:
    text = PLAIN[:at] + new + PLAIN[at + cut :]
    for each in (text, resealed(text)):
        assert told(each, texts.check_text) == told(each, slowly)
