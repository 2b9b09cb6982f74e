"""Bytes that an engine's own types may read."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.formats.readings.test_fast import quick, slow
from twincli.formats.readings import fast, plain, table

TIME = r"[1-9]\d{3}-[01]\d-[0-3]\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z"
CELL = r"(-?(0|[1-9]\d*)(\.\d+)?)?"
LINE = re.compile(rf"{TIME}(,{CELL})+", re.ASCII)
GOOD = (
    "2024-01-09T00:00:00.25Z,20.0,",
    "1999-12-31T23:59:59.99Z,-0.5,7",
    "2024-10-20T10:00:00.00Z,,0",
)
"""Lines of one form."""


def is_plain(path: Path, body: bytes) -> bool:
    path.write_bytes(b"t,a,b\n" + body)
    return plain.is_plain(str(path), ",")


def test_lines_of_one_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    body = "".join(f"{line}\n" for line in GOOD * 40).encode()
    assert is_plain(path, body)
    assert is_plain(path, body[:-1])
    monkeypatch.setattr(plain, "BLOCK", 64)  # longer than a line, shorter than three
    assert is_plain(path, body)
    assert is_plain(path, body[:-1])
    assert not is_plain(path, body + b"1.0,2\n")
    monkeypatch.setattr(plain, "BLOCK", 16)
    assert not is_plain(path, body)
    assert is_plain(path, b"2024-01-01T00:00:00Z,1\n") is False
    monkeypatch.undo()
    assert is_plain(path, b"2024-01-01T00:00:00Z,1\n2024-01-01T00:00:01Z,-1.5\n")


@pytest.mark.parametrize("text", ["", "t,a", "t,a\n", '"t",a\n2024-01-01T00:00:00Z,1\n'])
def test_what_is_no_table_of_these(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert not plain.is_plain(str(tmp_path / "a.csv"), ",")


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    """What is called plain is of the form of the rules, whatever was changed in it."""
    rng = random.Random(20261126)
    path = tmp_path / "a.csv"
    plains = 0
    for _ in range(1500):
        lines = rng.choices(GOOD, k=3)
        text = "".join(f"{line}\n" for line in lines)
        at = rng.randrange(len(text))
        cut = rng.choice((0, 1, 1, 1, 2))
        text = text[:at] + rng.choice("0123456789.-:TZ,\n \r\te+\"'x") + text[at + cut :]
        if is_plain(path, text.encode()):
            plains += 1
            found = text.removesuffix("\n").split("\n")
            assert all(LINE.fullmatch(line) or _is_for_the_engine(line) for line in found), text
    assert 150 < plains < 1100


def _is_for_the_engine(line: str) -> bool:
    """Say whether an engine refuses a line by itself: two points in a number."""
    return re.search(r",-?\d*(\.\d+){2,}(,|$)", line) is not None


def test_the_engine_reads_it_as_we_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    rng = random.Random(12)
    numbers = ["", "0", "-0", "0.1", "-12.50", "9007199254740992", "1" * 20 + ".5", "0." + "3" * 40]
    lines = [
        f"{rng.randint(1000, 9999)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        f"T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:59.{rng.randint(0, 999):03}Z"
        f",{rng.randint(-99, 99)},{rng.choice(numbers[:5])},1.5\n"
        for _ in range(300)
    ]
    path.write_text("t,whole,some,all\n" + "".join(lines))
    found = quick(path)
    assert found is not None
    assert {each[1] for each in found} == {"i64", "f64"}
    assert found == slow(path)
    monkeypatch.setattr(plain, "is_plain", lambda *_: False)
    assert quick(path) == found
    monkeypatch.undo()
    for number in numbers:
        path.write_text(f"t,a\n2024-01-01T00:00:00Z,1.5\n2024-01-01T00:00:01Z,{number}\n")
        assert quick(path) in (None, slow(path)), number
    # A day that is none, two points: the engine refuses them.
    for wrong in ("2024-02-30T00:00:00Z,1", "2024-00-10T00:00:00Z,1", "2024-02-10T00:00:00Z,1.2.3"):
        good = "2024-01-01T00:00:00Z,1.5\n" * 1100  # longer than the sample
        path.write_text(f"t,a\n{good}{wrong}\n")
        assert plain.is_plain(str(path), ",")
        assert quick(path) is None


def test_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way is really taken, and only where it may be."""
    asked: list[str] = []

    def is_plain(path: str, _delimiter: str) -> bool:
        asked.append(path)
        return True

    monkeypatch.setattr(plain, "is_plain", is_plain)
    path = tmp_path / "a.csv"
    for text, is_asked in (
        ("t,a\n2024-01-01T00:00:00Z,1.5\n", True),
        ("t,a\n1704067200,1.5\n", False),
        ("a,t\n1.5,2024-01-01T00:00:00Z\n", False),
        ("t,a\n2024-01-01T00:00:00Z,x\n", False),
    ):
        asked.clear()
        path.write_text(text)
        with path.open("rb") as stream:
            layout = table.look(stream)
        made = fast.read(str(path), layout, "s", {}, threads=1)
        assert made is not None
        made.close()
        assert bool(asked) is is_asked, text
