"""Authority: whose statements about an asset count."""

from __future__ import annotations

from typing import Any

import pytest

from twincli.crypto.ed25519 import KeyPair
from twincli.model import owners
from twincli.rules import authority

ANN, BEN, CAR = (KeyPair.from_seed(bytes([n]) * 32).public_key for n in (1, 2, 3))


def _details(expression: str) -> dict[str, Any]:
    keys = {"ann": ANN, "ben": BEN}
    return owners.to_details(owners.parse(expression), keys.__getitem__)


@pytest.mark.parametrize(
    ("keys", "held", "entity", "standing"),
    [
        ([ANN], ["ann"], CAR, "authorised"),
        ([BEN], ["ann"], CAR, "unauthorised"),
        ([BEN], ["ann", "ben"], None, "authorised"),
        ([ANN], ["all:ann,ben"], None, "unauthorised"),
        ([ANN, BEN], ["all:ann,ben"], None, "authorised"),
        ([BEN], ["any:ann,ben"], None, "authorised"),
        ([CAR], ["ann"], CAR, "claimed_by_entity"),
        ([CAR, ANN], ["ann"], CAR, "authorised"),
        ([CAR], ["ann"], None, "unauthorised"),
        ([CAR], [], CAR, "claimed_by_entity"),
        ([ANN], [], None, "unauthorised"),
        ([], ["ann"], None, "unauthorised"),
    ],
)
def test_the_standing(keys: list[str], held: list[str], entity: str | None, standing: str) -> None:
    assert authority.standing(keys, map(_details, held), entity) == standing


def test_an_unsigned_transaction_has_no_signers() -> None:
    unsigned = {"type": "ed25519-sha-256", "public_key": ANN}
    assert authority.signers_of({"inputs": [{"fulfillment": unsigned}]}) == []
