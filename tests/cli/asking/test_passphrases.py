"""Passphrases: sources and their order, the terminal, what a plain pipe never gets."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twincli.cli.asking import confirm, passphrases, sinks
from twincli.cli.asking import terminal as asking
from twincli.cli.context import Context
from twincli.cli.options import Options
from twincli.errors import (
    ConfigError,
    ConflictError,
    ExitCode,
    InvalidError,
    LockedError,
    NotFoundError,
    TwinError,
    UsageError,
)

Terminal = Callable[[str], Callable[[], str]]


def context(*argv: str, **options: Any) -> Context:
    return Context(Options(**options), argv=argv)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes], str]:
    def make(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return make


File = Callable[[str, bytes], str]


def test_the_first_source_wins(home: Path, file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    (home / "config.json").write_text(f'{{"passphrase_file": "{file("settings", b"5")}"}}')
    assert passphrases.source(context())("alice") == b"5"
    monkeypatch.setenv("TWIN_PASSPHRASE", "4")
    assert passphrases.source(context())("alice") == b"4"
    monkeypatch.setenv("TWIN_PASSPHRASE_FILE", file("variable", b"3"))
    assert passphrases.source(context())("alice") == b"3"
    reading, writing = os.pipe()
    os.write(writing, b"2\n")
    os.close(writing)
    source = passphrases.source(context(passphrase_fd=reading))
    assert source("alice") == b"2"
    assert source("bob") == b"2"
    os.close(reading)
    flags = (file("all", b"1"), f"alice={file('one', b'0')}")
    source = passphrases.source(context(passphrase_file=flags, passphrase_fd=reading))
    assert source("alice") == b"0"
    assert source("bob") == b"1"


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"a b\n", b"a b"),
        (b"a\r\n", b"a"),
        (b" a ", b" a "),
        (b"\xef\xbb\xbfa\n", b"a"),
    ],
)
def test_one_line_end_of_a_file_is_dropped(content: bytes, secret: bytes, file: File) -> None:
    flags = (file("f", content),)
    assert passphrases.source(context(passphrase_file=flags))("alice") == secret


ENDS = ["\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("content", ["one{}two", "one{}\n", "{}", "{}one"])
def test_a_passphrase_is_one_line_by_any_kind_of_line_end(
    content: str, end: str, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = content.format(end)
    path = file("f", text.encode())
    plain = text.removesuffix("\n").removesuffix("\r")
    if not any(kind in plain for kind in ENDS):
        return  # one line end is dropped
    sources = [passphrases.source(context(passphrase_file=(path,)))]
    monkeypatch.setenv("TWIN_PASSPHRASE", text)
    sources.append(passphrases.source(context()))
    for source in sources:
        with pytest.raises(InvalidError) as caught:
            source("alice")
        assert caught.value.code == "not_text"


@pytest.mark.usefixtures("home")
def test_a_typed_passphrase_is_one_line_too(terminal: Terminal) -> None:
    terminal("a\u2028b\n" * 2)
    source = passphrases.new_source(context())
    assert source is not None
    with pytest.raises(InvalidError, match="more than one line"):
        source("alice")


@pytest.mark.usefixtures("home")
def test_a_typed_passphrase_of_another_programs_key_is_one_line(terminal: Terminal) -> None:
    terminal("a\u2028b\n")
    with pytest.raises(InvalidError, match="more than one line"):
        passphrases.input_source(context(), None, "id.pem")()


def test_a_path_with_an_equals_sign_is_a_path(file: File, tmp_path: Path) -> None:
    path = file("a=b", b"x")
    assert passphrases.source(context(passphrase_file=(path,)))("alice") == b"x"
    assert "/" in str(tmp_path)


def test_files_that_hold_no_passphrase(file: File, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        passphrases.source(context(passphrase_file=(file("empty", b"\n"),)))("alice")
    assert caught.value.code == "empty_passphrase"
    with pytest.raises(ConfigError, match="longer than 4096"):
        passphrases.source(context(passphrase_file=(file("big", b"x" * 5000),)))("alice")
    with pytest.raises(NotFoundError):
        passphrases.source(context(passphrase_file=(str(tmp_path / "gone"),)))("alice")
    with pytest.raises(ConfigError) as caught:
        passphrases.source(context(passphrase_file=(str(tmp_path),)))("alice")
    assert caught.value.code == "cannot_read"
    assert caught.value.message.startswith("--passphrase-file: ")


@pytest.mark.parametrize("descriptor", [987, -1, 2**40])
def test_a_descriptor_that_is_not_open(descriptor: int) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        passphrases.source(context(passphrase_fd=descriptor))("alice")


def test_without_a_terminal_the_retry_is_named(home: Path) -> None:  # noqa: ARG001
    run = context("asset", "append", "car", "--note", "two words")
    with pytest.raises(LockedError) as caught:
        passphrases.source(run)("alice")
    assert caught.value.code == "locked"
    assert caught.value.exit_code == ExitCode.LOCKED
    assert "'alice'" in caught.value.message
    assert caught.value.hint == ("twin asset append car --note 'two words' --passphrase-file FILE")
    run = context("asset", "append", "car", "--", "--json", "5")
    assert confirm.retry(run, "--yes") == "twin asset append car --yes -- --json 5"


def test_a_new_key_without_a_terminal_names_both_ways(home: Path) -> None:  # noqa: ARG001
    source = passphrases.new_source(context("keys", "new", "alice"))
    assert source is not None
    with pytest.raises(LockedError) as caught:
        source("alice")
    assert "twin keys new alice --passphrase-file FILE" in (caught.value.hint or "")
    assert "twin keys new alice --no-passphrase" in (caught.value.hint or "")


def test_a_key_without_a_passphrase_asks_for_none(
    home: Path,  # noqa: ARG001
    file: File,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert passphrases.new_source(context(), no_passphrase=True) is None
    with pytest.raises(UsageError, match="cannot be given together"):
        passphrases.new_source(context(passphrase_file=(file("f", b"x"),)), no_passphrase=True)
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    assert passphrases.new_source(context()) is None


def test_a_new_passphrase_from_a_file_is_not_asked_twice(file: File) -> None:
    source = passphrases.new_source(context(passphrase_file=(file("f", b"x"),)))
    assert source is not None
    assert source("alice") == b"x"


def test_the_terminal_is_asked_once_and_echoes_nothing(home: Path, terminal: Terminal) -> None:  # noqa: ARG001
    shown = terminal("hunter2\n")
    source = passphrases.source(context())
    assert source("alice") == b"hunter2"
    assert source("alice") == b"hunter2"
    text = shown()
    assert text.count("Passphrase of key alice: ") == 1
    assert "hunter2" not in text


def test_an_empty_answer_is_no_passphrase(home: Path, terminal: Terminal) -> None:  # noqa: ARG001
    terminal("\n")
    with pytest.raises(LockedError, match="no passphrase was typed"):
        passphrases.source(context())("alice")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("keys", "message"),
    [("one\none\n", None), ("one\ntwo\n", "differ"), ("\n", "cannot be empty")],
)
def test_a_new_passphrase_is_typed_twice(
    keys: str, message: str | None, terminal: Terminal
) -> None:
    shown = terminal(keys)
    source = passphrases.new_source(context())
    assert source is not None
    if message is None:
        assert source("alice") == b"one"
        assert "Repeat it: " in shown()
        return
    with pytest.raises(LockedError, match=message):
        source("alice")


def test_echo_comes_back_after_ctrl_c(
    home: Path,  # noqa: ARG001
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import termios

    terminal("")

    def interrupted(_descriptor: int, _size: int) -> bytes:
        raise KeyboardInterrupt

    opened = os.open(asking.TERMINAL, os.O_RDWR | os.O_NOCTTY)
    before = termios.tcgetattr(opened)
    monkeypatch.setattr(os, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        passphrases.source(context())("alice")
    assert termios.tcgetattr(opened) == before
    os.close(opened)


@pytest.mark.parametrize(
    ("answer", "yes"),
    [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("yo\n", False)],
)
def test_confirm_takes_only_a_yes(answer: str, yes: bool, terminal: Terminal) -> None:
    shown = terminal(answer)
    run = context("asset", "burn", "car")
    assert confirm.confirm("Burn car?", run) is yes
    assert "Burn car? [y/N] " in shown()


def test_a_declined_question_does_nothing(terminal: Terminal) -> None:
    terminal("n\n")
    with pytest.raises(TwinError) as caught:
        context().confirm("Go on?")
    assert caught.value.code == "declined"


def test_confirm_without_a_terminal_names_yes() -> None:
    run = context("asset", "burn", "car")
    questions: list[Callable[[], bool]] = [
        lambda: confirm.confirm("Burn car?", run),
        lambda: confirm.confirm_name("This burns car.", "car", run),
    ]
    for ask in questions:
        with pytest.raises(UsageError) as caught:
            ask()
        assert caught.value.code == "confirmation_needed"
        assert caught.value.hint == "twin asset burn car --yes"
    assert confirm.confirm("Burn car?", context(yes=True))
    assert confirm.confirm_name("Burn car?", "car", context(yes=True))
    context(yes=True).confirm("Burn car?")


@pytest.mark.parametrize(("answer", "yes"), [("car\n", True), ("yes\n", False), ("Car\n", False)])
def test_a_name_has_to_be_typed_exactly(answer: str, yes: bool, terminal: Terminal) -> None:
    terminal(answer)
    assert confirm.confirm_name("This burns car.", "car", context()) is yes


PHRASE = "abandon ability able"


def test_a_phrase_goes_to_a_private_file_once(tmp_path: Path) -> None:
    path = tmp_path / "phrase"
    with context() as run:
        sink = sinks.phrase_sink(run, str(path))
        assert sink is not None
        sink(PHRASE)
    assert path.read_text() == PHRASE + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConflictError) as caught:
        sinks.phrase_sink(context(), str(path))
    assert caught.value.code == "exists"
    with pytest.raises(ConfigError) as refused:
        sinks.phrase_sink(context(), str(tmp_path / "no" / "phrase"))
    assert refused.value.code == "cannot_write"


def test_without_a_phrase_there_is_no_file(tmp_path: Path) -> None:
    with context() as run:
        sinks.phrase_sink(run, str(tmp_path / "phrase"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_took_the_name_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "phrase"
    with context() as run:
        sink = sinks.phrase_sink(run, str(path))
        assert sink is not None
        path.write_text("another's")
        with pytest.raises(ConflictError):
            sink(PHRASE)
    assert path.read_text() == "another's"
    assert [entry.name for entry in tmp_path.iterdir()] == ["phrase"]


def test_a_phrase_goes_to_the_terminal_or_json_but_not_to_a_pipe(terminal: Terminal) -> None:
    assert sinks.phrase_sink(context(json=True), None) is None
    shown = terminal("")
    sink = sinks.phrase_sink(context(), None)
    assert sink is not None
    sink(PHRASE)
    assert re.findall("[0-9]+ ([a-z]+)", shown()) == PHRASE.split()


@pytest.mark.parametrize("count", [1, 3, 12, 24])
def test_words_are_numbered_in_columns_and_never_broken(count: int) -> None:
    words = ["zoo", "abstract", "hospital"] * 8
    lines = sinks.numbered(" ".join(words[:count])).splitlines()
    assert max(map(len, lines)) < 60
    found = re.findall("([0-9]+) ([a-z]+)", " ".join(lines))
    assert found == [(str(number), word) for number, word in enumerate(words[:count], 1)]


@pytest.mark.parametrize("room", [10, 20, 40, 80, 200])
def test_the_columns_of_a_phrase_fit_the_terminal(room: int) -> None:
    lines = sinks.numbered(" ".join(["abstract"] * 24), room).splitlines()
    assert len(lines) >= 6
    assert max(map(len, lines)) <= max(room, 11)


def test_a_phrase_without_a_terminal_names_the_file_option() -> None:
    with pytest.raises(LockedError) as caught:
        sinks.phrase_sink(context("keys", "new", "alice", "--mnemonic"), None)
    assert caught.value.code == "no_terminal"
    assert caught.value.hint == "twin keys new alice --mnemonic --mnemonic-out FILE"
