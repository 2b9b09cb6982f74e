"""Names of keys and twins."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import base58
from twincli.errors import InvalidError
from twincli.model import names, owners


@pytest.mark.parametrize(
    "name", ["alice", "a", "7", "deadbee", "WIDGET-PRO-001", "car.7_b", "x" * 64, "all"]
)
def test_names(name: str) -> None:
    assert names.check(name) == name


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("", "empty"),
        ("x" * 65, "longer"),
        (".", "start"),
        ("..", "start"),
        ("-x", "start"),
        ("_x", "start"),
        ("a/b", "'/'"),
        ("a\\b", "not allowed"),
        ("a b", "' '"),
        ("a:b", "':'"),
        ("a,b", "','"),
        ("a(b", "'\\('"),
        ("a\n", "not allowed"),
        ("a\0", "not allowed"),
        ("\u00e4", "not allowed"),
        ("\u0430lice", "not allowed"),
        ("con", "Windows"),
        ("CON", "Windows"),
        ("nul.txt", "Windows"),
        ("com1", "Windows"),
        ("a.", "Windows"),
        ("my.car", "file"),
        ("a.JSON", "file"),
        ("a" * 64, "transaction id"),
        (base58.encode(b"\xff" * 32), "public key"),
        ("1" * 32, "public key"),
        ("deadbeef", "beginning of a transaction id"),
        ("did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp", "':'"),
    ],
)
def test_no_names(name: str, part: str) -> None:
    with pytest.raises(InvalidError, match=part) as caught:
        names.check(name)
    assert caught.value.code == "invalid_name"


@pytest.mark.parametrize("letter", ["\u115f", "\u1160", "\u3164", "\uffa0"])
def test_a_letter_that_nobody_sees_is_none(letter: str) -> None:
    with pytest.raises(InvalidError, match="not allowed"):
        names.check(f"alice{letter}", "party")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("\u0430lice", "mixes Cyrillic and Latin letters: '\\\\u0430lice'"),
        ("alic\u03bf", "mixes Greek and Latin"),
        ("\u0561\u0430-1", "mixes Armenian and Cyrillic"),
        ("\uff41lice", "looks like alice and is '\\\\uff41lice'"),
        ("\U0001d41aunt", "looks like aunt"),
    ],
)
def test_names_that_may_be_made_to_look_like_others(name: str, part: str) -> None:
    found = names.disguise(names.check(name, "party"))
    assert found is not None
    assert re.search(part, found)


@pytest.mark.parametrize(
    "name",
    [
        "alice",
        "Zo\u00eb",
        "\u0430\u043b\u0438\u0441\u0430-7",
        "\u6771\u4eac-tokyo",
        "\u30ab\u30fc7",
    ],
)
def test_names_of_any_alphabet(name: str) -> None:
    assert names.disguise(names.check(name, "asset")) is None


@given(st.text(alphabet="abAB01._-:,() /\\", min_size=1, max_size=8))
def test_a_name_stands_for_itself_in_an_owner_expression(text: str) -> None:
    try:
        names.check(text)
    except InvalidError:
        return
    assert owners.parse(text) == owners.Party(text)
    assert owners.parse(f"any:{text},(2of:{text},{text},x)") == owners.Group(
        1, (owners.Party(text), owners.Group(2, tuple(map(owners.Party, (text, text, "x")))))
    )


def test_names_that_are_no_files_may_use_any_alphabet() -> None:
    assert names.check("auto-größe", "asset") == "auto-größe"
    assert names.check("con", "asset") == "con"
    assert names.check("gro\u0308\u00dfe", "party") == "gr\u00f6\u00dfe"
    assert names.fold("GRÖSSE") == names.fold("gro\u0308ße")
    for bad in ("a b", "ä:b", "deadbeef", "ä.json"):
        with pytest.raises(InvalidError):
            names.check(bad, "asset")


@pytest.mark.parametrize("kind", ["asset", "party"])
def test_what_is_no_file_may_have_any_alphabet(kind: str) -> None:
    for name in ("Größe", "車", "con", "Дом-7"):
        assert names.check(name, kind) == name
    for name in ("a b", "a/b", "-x", "é.car", "\u202eevil", "\ud800", "²\u0301"):
        with pytest.raises(InvalidError):
            names.check(name, kind)


def test_a_name_is_kept_in_one_form() -> None:
    assert names.check("e\u0301t\u00e9", "asset") == "\u00e9t\u00e9"
    assert names.fold("STRASSE") == names.fold("strasse")
    assert names.fold("E\u0301") == names.fold("\u00e9")


@pytest.mark.parametrize("name", ["deadbeef", "DEADBEEF", "20240115", "0" * 63, "a" * 64])
def test_what_reads_as_an_id_is_no_name(name: str) -> None:
    for kind in ("key", "asset", "party"):
        with pytest.raises(InvalidError, match="transaction id"):
            names.check(name, kind)
    assert names.check(name[:7], "asset") == name[:7]


@pytest.mark.parametrize(("name", "valid"), [("car", True), ("", False), ("a/b", False)])
def test_a_name_that_may_be_given(name: str, *, valid: bool) -> None:
    assert names.is_valid(name, "asset") == valid
