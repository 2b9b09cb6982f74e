"""The tutorial's rule and SLIP-0010 against the published vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import derivation, mnemonic
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import InvalidError

VECTORS = Path(__file__).parents[1] / "vectors"
SLIP10: dict[str, Any] = json.loads((VECTORS / "slip10.json").read_text())
WALLET: dict[str, Any] = json.loads((VECTORS / "wallet_slip0010.json").read_text())
BIP39: dict[str, Any] = json.loads((VECTORS / "bip39.json").read_text())
DRIVER: dict[str, Any] = json.loads((VECTORS / "driver_keypairs.json").read_text())

CHAINS = [(vector["seed"], chain) for vector in SLIP10["vectors"] for chain in vector["chains"]] + [
    (chain["seed"], chain) for chain in SLIP10["generated"]
]
WALLETS = [
    (vector, node)
    for vector in WALLET["vectors"]
    for node in vector["derivations"] + vector.get("chain", [])
]


@pytest.mark.parametrize(("seed", "chain"), CHAINS)
def test_slip10(seed: str, chain: dict[str, Any]) -> None:
    path = chain["path"].replace("H", "'")
    private, chain_code = derivation.node(bytes.fromhex(seed), derivation.parse_path(path))
    assert private.hex() == chain["private"]
    assert chain_code.hex() == chain["chain_code"]
    pair = derivation.slip10(bytes.fromhex(seed), path.replace("'", "h"))
    assert "00" + pair.public_bytes.hex() == chain["public"]
    assert pair.public_key == chain.get("public_key_base58", pair.public_key)


@pytest.mark.parametrize(("vector", "node"), WALLETS)
def test_wallet_paths(vector: dict[str, Any], node: dict[str, Any]) -> None:
    seed = mnemonic.to_seed(vector["phrase"], vector["passphrase"])
    assert seed.hex() == vector["bip39_seed_hex"]
    pair = derivation.slip10(seed, node["path"])
    _, chain_code = derivation.node(seed, derivation.parse_path(node["path"]))
    assert pair.seed.hex() == node["private_key_hex"]
    assert chain_code.hex() == node["chain_code_hex"]
    assert pair.public_key == node["public_key"]
    if "bigchaindb_wallet" in node:
        with pytest.raises(InvalidError, match="hardened"):
            derivation.slip10(seed, node["bigchaindb_wallet"]["path"])


@pytest.mark.parametrize("case", DRIVER["from_phrase"], ids=lambda case: case["name"])
def test_the_tutorials_rule(case: dict[str, Any]) -> None:
    pair = derivation.tutorial(bytes.fromhex(case["bip39_seed_hex"]))
    assert pair.seed.hex() == case["ed25519_seed_hex"]
    assert pair.private_key == case["private_key"]
    assert pair.public_key == case["public_key"]


@pytest.mark.parametrize("case", BIP39["generated"])
def test_the_tutorials_rule_on_random_phrases(case: dict[str, Any]) -> None:
    pair = derivation.tutorial(bytes.fromhex(case["seed"]))
    assert pair.public_key == case["tutorial_ed25519"]["public_key_base58"]
    assert pair.private_key == case["tutorial_ed25519"]["private_key_base58"]


@pytest.mark.parametrize("case", DRIVER["from_seed"], ids=lambda case: case["name"])
def test_keys_of_seeds(case: dict[str, Any]) -> None:
    pair = KeyPair.from_seed(bytes.fromhex(case["ed25519_seed_hex"]))
    assert (pair.private_key, pair.public_key) == (case["private_key"], case["public_key"])


@pytest.mark.parametrize("path", SLIP10["invalid_paths"])
def test_published_invalid_paths(path: str) -> None:
    with pytest.raises(InvalidError) as caught:
        derivation.parse_path(path)
    assert caught.value.code == "invalid_path"


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("", "start with m/"),
        ("M/0'", "start with m/"),
        ("/0'", "start with m/"),
        ("m/", "not a number"),
        ("m//0'", "not a number"),
        ("m/0''", "not a number"),
        ("m/-1'", "not a number"),
        ("m/1 '", "not a number"),
        ("m/\u0661'", "not a number"),
        ("m/x'", "not a number"),
        ("m/2147483648'", "below 2147483648"),
        ("m/99999999999999999999'", "below 2147483648"),
        ("m/00'", "starts with a zero"),
        ("m/044'", "starts with a zero"),
        ("m/44", "not hardened"),
        ("m" + "/0'" * 256, "more than 255"),
    ],
)
def test_bad_paths_say_why(path: str, part: str) -> None:
    with pytest.raises(InvalidError, match=part) as caught:
        derivation.parse_path(path)
    assert caught.value.code == "invalid_path"


@given(st.lists(st.integers(0, 2**31 - 1), max_size=8).map(tuple))
def test_a_path_reads_back(steps: tuple[int, ...]) -> None:
    text = derivation.format_path(steps)
    assert derivation.parse_path(text) == steps
    assert derivation.parse_path(text.replace("'", "h")) == steps


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_the_tutorials_rule_wants_a_whole_seed(size: int) -> None:
    with pytest.raises(InvalidError, match="64 bytes"):
        derivation.tutorial(bytes(size))


@pytest.mark.parametrize("size", [0, 15, 65])
def test_slip10_wants_16_to_64_bytes(size: int) -> None:
    with pytest.raises(InvalidError, match="16 to 64"):
        derivation.slip10(bytes(size), "m")
