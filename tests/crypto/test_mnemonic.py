"""BIP39 against the published vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import mnemonic
from twincli.errors import InvalidError, UsageError

VECTORS = Path(__file__).parents[1] / "vectors"
BIP39: dict[str, Any] = json.loads((VECTORS / "bip39.json").read_text())
DRIVER: dict[str, Any] = json.loads((VECTORS / "driver_keypairs.json").read_text())


@pytest.mark.parametrize("case", BIP39["english"] + BIP39["generated"])
def test_published_phrases(case: dict[str, Any]) -> None:
    passphrase = case.get("passphrase", BIP39["passphrase_english"])
    phrase = case["mnemonic"]
    assert mnemonic.from_entropy(bytes.fromhex(case["entropy"])) == phrase
    assert mnemonic.check(phrase)
    mnemonic.validate(phrase)
    assert mnemonic.normalise(phrase) == phrase
    assert mnemonic.to_seed(phrase, passphrase).hex() == case["seed"]


@pytest.mark.parametrize("case", BIP39["japanese"])
def test_japanese_phrases_give_their_seed_but_are_not_english(case: dict[str, Any]) -> None:
    seed = mnemonic.to_seed(case["mnemonic"], BIP39["passphrase_japanese"])
    assert seed.hex() == case["seed"]
    assert not mnemonic.check(case["mnemonic"])


@pytest.mark.parametrize("case", DRIVER["from_phrase"], ids=lambda case: case["name"])
def test_any_text_gives_the_drivers_seed(case: dict[str, Any]) -> None:
    seed = mnemonic.to_seed(case["phrase"], case["passphrase"])
    assert seed.hex() == case["bip39_seed_hex"]
    assert mnemonic.check(case["phrase"]) == case["is_valid_mnemonic"]


@pytest.mark.parametrize("case", BIP39["invalid"], ids=lambda case: case["why"])
def test_invalid_phrases_are_refused_without_repeating_a_word(case: dict[str, Any]) -> None:
    phrase = case["mnemonic"]
    assert not mnemonic.check(phrase)
    with pytest.raises(InvalidError) as caught:
        mnemonic.validate(phrase)
    assert caught.value.code == "invalid_mnemonic"
    said = set(caught.value.message.replace(":", " ").split())
    # words of the message that happen to be BIP39 words, such as "list", are not from the phrase
    assert not said & (set(phrase.split()) - {"word", "list", "check"})


@pytest.mark.parametrize(
    ("phrase", "part"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("seedPhrase", "has 1 words"),
        ("abandon " * 11 + "zzz", "word 12 of 12"),
        ("zzz " + "abandon " * 10 + "about", "word 1 of 12"),
        ("abandon " * 11 + "abandon", "checksum"),
        ("ABANDON " + "abandon " * 10 + "about", "word 1 of 12"),
        ("abandon  " + "abandon " * 10 + "about", "has 13 words"),
    ],
)
def test_the_fault_is_named(phrase: str, part: str) -> None:
    with pytest.raises(InvalidError, match=part):
        mnemonic.validate(phrase)


@pytest.mark.parametrize("case", BIP39["normalisation"])
def test_typed_phrases_are_normalised_only_on_request(case: dict[str, Any]) -> None:
    assert mnemonic.check(case["input"]) == case["trezor"]
    assert mnemonic.check(mnemonic.normalise(case["input"]))


@pytest.mark.parametrize("words", mnemonic.WORD_COUNTS)
def test_generate_has_the_asked_length_and_a_checksum(words: int) -> None:
    phrase = mnemonic.generate(words)
    assert len(phrase.split(" ")) == words
    assert mnemonic.check(phrase)
    assert phrase != mnemonic.generate(words)


def test_generate_takes_its_randomness_as_an_argument() -> None:
    assert mnemonic.generate(12, random=bytes) == "abandon " * 11 + "about"


@pytest.mark.parametrize("words", [0, 11, 13, 25])
def test_generate_refuses_other_lengths(words: int) -> None:
    with pytest.raises(UsageError):
        mnemonic.generate(words)


def test_entropy_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidError):
        mnemonic.from_entropy(bytes(15))


@given(st.integers(4, 8).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n)))
def test_every_entropy_gives_a_phrase_that_checks(entropy: bytes) -> None:
    phrase = mnemonic.from_entropy(entropy)
    assert mnemonic.check(phrase)
    assert mnemonic.normalise(f"  {phrase.upper()}\n") == phrase


def test_text_without_utf8_is_refused_and_not_carried_along() -> None:
    with pytest.raises(InvalidError) as caught:
        mnemonic.to_seed("hush \ud800")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "hush" not in str(caught.value)
