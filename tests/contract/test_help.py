"""Help: every command has one, plain in a pipe, and the lazy table says what the modules say."""

from __future__ import annotations

import importlib.util
import re
import sys

import pytest
import typer.main

from tests.conftest import Invoke
from twincli import config
from twincli.cli import table
from twincli.cli.options import GLOBAL
from twincli.cli.parsing import data_commands, typer_frame

TABLE = {**table.NOUNS, **table.BARE}
# A text in square brackets that starts like this would be taken for markup by Rich.
MARKUP = re.compile(r"\[[a-z#/@][^\[]*?\]")


def there() -> list[str]:
    """Return the commands whose module is there; another test misses the rest."""
    return [name for name, entry in TABLE.items() if importlib.util.find_spec(entry[0])]


def test_every_command_is_there() -> None:
    assert there() == list(TABLE)


@pytest.mark.parametrize("command", sorted(data_commands.COMMANDS))
def test_every_command_with_data_has_its_handler(command: tuple[str, str]) -> None:
    module, _, function = data_commands.COMMANDS[command].handler.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", there())
def test_the_table_says_what_the_module_says(name: str) -> None:
    module, line = TABLE[name]
    built = typer.main.get_command(typer_frame._app(module))
    assert (built.help or "").partition("\n")[0] == line
    if name in table.NOUNS:
        assert isinstance(built, typer_frame.Group)
        assert built.name == name
    else:
        assert isinstance(built, typer_frame.Command)
        assert built.name == name


def lines() -> list[list[str]]:
    """Return the command line of every command there is."""
    found: list[list[str]] = [[], *([name] for name in there())]
    for name in there():
        if name in table.NOUNS:
            group = typer.main.get_command(typer_frame._app(TABLE[name][0]))
            assert isinstance(group, typer_frame.Group)
            found.extend([name, verb] for verb in group.list_commands(None))
    return found + [
        list(command) for command in data_commands.COMMANDS if command[0] not in there()
    ]


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)) for words in lines()])
def test_every_command_has_help(words: list[str], invoke: Invoke) -> None:
    run = invoke(*words, "--help")
    assert (run.status, run.stderr) == (0, "")
    assert run.stdout.startswith("Usage: twin")
    assert "\x1b" not in run.stdout
    assert run.stdout.isascii()
    assert not MARKUP.search(re.sub(r"\[(required|default: [^]]*)\]", "", run.stdout))
    if len(words) == 2 or words == ["help"]:
        for option in GLOBAL:
            assert f"--{option.name}" in run.stdout
    assert invoke(*words, "--help", tty=True).status == 0


def test_help_is_drawn_only_on_a_terminal_with_colour(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\u256d" in invoke("config", "--help", tty=True).stdout
    assert "Shared options" in invoke("config", "show", "--help", tty=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\u256d" not in invoke("config", "--help", tty=True).stdout


def test_help_of_a_command_by_the_verb_help(invoke: Invoke) -> None:
    assert invoke("help", "config").stdout == invoke("config", "--help").stdout
    assert invoke("help", "config", "set").stdout == invoke("config", "set", "--help").stdout
    assert "Topics:" in invoke("help").stdout


def test_aliases_are_hidden_and_point_to_nouns(invoke: Invoke) -> None:
    text = invoke("--help").stdout
    listed = {line.split()[0] for line in text.partition("Commands:\n")[2].splitlines()}
    assert listed == set(TABLE)
    for alias, noun in table.NOUN_ALIASES.items():
        assert alias not in TABLE
        assert noun in table.NOUNS


def test_the_topic_environment_names_every_variable(invoke: Invoke) -> None:
    text = invoke("help", "environment").stdout
    for name, _ in config.ENVIRONMENT:
        assert f"  {name} " in text


def test_no_variable_is_read_that_the_table_does_not_name() -> None:
    with open(str(sys.modules["twincli.config"].__file__), encoding="utf-8") as file:
        source = file.read()
    read = set(re.findall(r'(?:environ\.get\(|environ\[|^.*?)"([A-Z_]{4,})"', source))
    read |= set(config.USUAL_CA)
    read |= {f"TWIN_{name.upper()}" for name in config.KEYS}
    named = {name for name, _ in config.ENVIRONMENT}
    assert named <= read
    assert read - named <= {"_TWIN_COMPLETE"}
