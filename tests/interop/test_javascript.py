"""The official JavaScript driver, from npm, against our transactions and verdicts.

Installing it needs the npm registry, so this runs in CI only (``pytest -m ci``).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.plugins.tools import require_tool
from twincli.crypto import derivation, ed25519, mnemonic
from twincli.ledger import Ledger
from twincli.model import owners, transaction

pytestmark = pytest.mark.ci

PACKAGES = ("bigchaindb-driver@4.3.0", "bip39@3.1.0")


class Driver:
    def __init__(self, node: str, directory: Path) -> None:
        self.node = node
        self.directory = directory

    def run(self, plans: list[dict[str, Any]]) -> list[Any]:
        done = subprocess.run(
            [self.node, str(Path(__file__).with_name("sign.js")), str(self.directory)],
            input="\n".join(json.dumps(plan) for plan in plans),
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=120,
        )
        return [json.loads(line) for line in done.stdout.split("\n") if line]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    node, npm = require_tool("node"), require_tool("npm")
    directory = tmp_path_factory.mktemp("npm")
    (directory / "package.json").write_text('{"private": true}')
    subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--silent", *PACKAGES],
        cwd=directory,
        check=True,
        timeout=300,
    )
    return Driver(node, directory)


# Where both drivers write a value alike; the others are in driver_transactions_differ.json.
_TEXT = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=12
)
# JavaScript's objects lose a member named __proto__ when the driver copies them.
_KEYS = _TEXT.filter(
    lambda key: "." not in key and not key.startswith("$") and key not in ("language", "__proto__")
)
_NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(
    0.001, 1e15, allow_nan=False, allow_infinity=False
).filter(lambda number: number != int(number))
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=10,
)
_OBJECTS = st.dictionaries(_KEYS, _VALUES, max_size=4)


@settings(
    deadline=None,
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.generate],
)
@given(
    documents=st.lists(
        st.tuples(_OBJECTS, _OBJECTS, st.integers(1, 10**15)), min_size=10, max_size=40
    )
)
def test_both_make_the_same_transactions_and_the_ledger_takes_them(
    driver: Driver, documents: list[tuple[dict[str, Any], dict[str, Any], int]]
) -> None:
    alice = ed25519.KeyPair.from_seed(b"a" * 32)
    bob = ed25519.KeyPair.from_seed(b"b" * 32)
    creates = driver.run(
        [
            {
                "do": "create",
                "seed": alice.seed.hex(),
                "data": {**data, "number": number},
                "metadata": metadata or None,
                "amount": str(amount),
            }
            for number, (data, metadata, amount) in enumerate(documents)
        ]
    )
    transfers = driver.run(
        [
            {
                "do": "transfer",
                "seed": alice.seed.hex(),
                "spend": create,
                "index": 0,
                "to": [alice.public_key, bob.public_key] if number % 2 else [bob.public_key],
                "metadata": metadata or None,
            }
            for number, (create, (_, metadata, _)) in enumerate(
                zip(creates, documents, strict=True)
            )
        ]
    )
    with Ledger.open(":memory:") as ledger:
        verdicts = ledger.submit_each([*creates, *transfers])
    assert verdicts == [1] * (2 * len(documents))
    for number, (data, metadata, amount) in enumerate(documents):
        details = owners.of_keys([alice.public_key])
        ours = transaction.sign(
            transaction.create(
                [alice.public_key],
                [transaction.Output(details, amount)],
                {**data, "number": number},
                metadata or None,
            ),
            [alice],
        )
        assert ours == creates[number]
        to = [alice.public_key, bob.public_key] if number % 2 else [bob.public_key]
        ours = transaction.sign(
            transaction.transfer(
                [transaction.Spend.of(creates[number])],
                [transaction.Output(owners.of_keys(to), amount)],
                creates[number]["id"],
                metadata or None,
            ),
            [alice],
        )
        assert ours == transfers[number]


def test_the_tutorials_phrase_gives_the_tutorials_key(driver: Driver) -> None:
    phrases = ["seedPhrase", *(mnemonic.generate() for _ in range(5))]
    theirs = driver.run([{"do": "phrase", "phrase": phrase} for phrase in phrases])
    for phrase, key in zip(phrases, theirs, strict=True):
        ours = derivation.tutorial(mnemonic.to_seed(phrase))
        assert (ours.public_key, ours.private_key) == (key["publicKey"], key["privateKey"])
