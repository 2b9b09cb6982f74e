"""GS1 Digital Links, with the examples of GS1's own documents."""

from __future__ import annotations

import pytest

from twincli.errors import UsageError
from twincli.model import digital_link


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("9506000134352", "09506000134352"),  # GS1 Digital Link Standard, URI Syntax
        ("09506000134352", "09506000134352"),
        ("614141123452", "00614141123452"),  # GS1 General Specifications
        ("40170725", "00000040170725"),
        ("9506000134353", None),
        ("95060001343", None),
        ("950600013435x", None),
        ("\u0669506000134352", None),
        ("00000000000000", None),
        ("00000000", None),
        ("", None),
    ],
)
def test_a_gtin_has_a_check_digit(text: str, wanted: str | None) -> None:
    assert digital_link.gtin_14(text) == wanted


def test_one_wrong_digit_is_always_noticed() -> None:
    for at in range(13):
        for digit in "0123456789":
            text = "9506000134352"
            changed = text[:at] + digit + text[at + 1 :]
            assert (digital_link.gtin_14(changed) is not None) == (changed == text)


def test_a_link_has_the_serial_number() -> None:
    assert digital_link.link("09506000134352", None) == "https://id.gs1.org/01/09506000134352"
    assert (
        digital_link.link("09506000134352", "12/3%A", "https://example.com/")
        == "https://example.com/01/09506000134352/21/12%2F3%25A"
    )
    assert digital_link.is_serial("SN-2027/0042")
    for serial in ("", "x" * 21, "a b", "a~b", "ä"):
        assert not digital_link.is_serial(serial)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id.gs1.org",
        "ftp://x",
        "https://",
        "https:///x",
        "https://a b",
        "https://a?b",
        "http://ä",
    ],
)
def test_a_resolver_is_a_web_address(text: str) -> None:
    with pytest.raises(UsageError):
        digital_link.check_resolver(text)


def test_a_resolver_may_have_a_path() -> None:
    for text in ("https://id.example.com/dpp", "http://localhost:8000"):
        assert digital_link.check_resolver(text) == text
    with pytest.raises(UsageError):
        digital_link.check_resolver("https://" + "a" * 300)
