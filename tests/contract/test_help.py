"""Help: every command has one, plain in a pipe, and the lazy table says what the modules say."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from itertools import takewhile
from pathlib import Path

import pytest

import twincli.cli
from tests.conftest import Invoke
from twincli import config
from twincli.cli import context, table
from twincli.cli.opened import NOTHING, Creates
from twincli.cli.options import GLOBAL
from twincli.cli.parsing import data_commands, typer_frame
from twincli.cli.showing import examples, help_page, members
from twincli.errors import TwinError

TABLE = {**table.NOUNS, **table.BARE}


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
    built = typer_frame.built(module)
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
            group = typer_frame.built(TABLE[name][0])
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
    assert max(map(len, run.stdout.splitlines())) <= 80
    if len(words) == 2 or words[:1] in [[name] for name in table.BARE]:
        shared = run.stdout.partition("Shared options")[2].split()
        refused = typer_frame.REFUSED.get(" ".join(words), ())
        for option in GLOBAL:
            is_shown = any(word.endswith(f"--{option.name}") for word in shared)
            assert is_shown == (option.name not in refused)
        assert re.search(r"^Examples:\n  twin ", run.stdout, re.MULTILINE)
    drawn = invoke(*words, "--help", tty=True)
    assert drawn.status == 0
    assert re.sub("\x1b\\[[01]m", "", drawn.stdout) == run.stdout


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)) for words in lines()])
def test_the_short_form_asks_for_help_where_there_are_short_options(
    words: list[str], invoke: Invoke
) -> None:
    run = invoke(*words, "-h")
    if tuple(words) in data_commands.COMMANDS:
        assert run.status == 2
    else:
        assert run == invoke(*words, "--help")


def test_headings_are_bold_only_where_colour_may_be(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[1mCommands\x1b[0m:" in invoke("config", "--help", tty=True).stdout
    assert "\x1b[1mTwins\x1b[0m:" in invoke("--help", tty=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in invoke("config", "--help", tty=True).stdout
    assert "\x1b" not in invoke("--help", tty=True).stdout


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_page_fits_its_width(columns: int) -> None:
    page = help_page.root()
    text = help_page.draw(page, columns)
    assert max(map(len, text.splitlines())) <= columns
    for name in TABLE:
        assert re.search(rf"^  {name}\b", text, re.MULTILINE)
    words = " ".join(page.text.split() + [row.text for _, rows in page.sections for row in rows])
    assert set(words.split()) <= set(text.split())


def test_the_first_page_is_prepared_for_pipes(invoke: Invoke) -> None:
    text = help_page.draw(help_page.root())
    stored = Path(twincli.cli.__file__).with_name("root_help.txt").read_text()
    assert stored == text, "run docs/tools/reference.py"
    assert invoke("--help").stdout == invoke("-h").stdout == text
    assert invoke("--quiet", "--help").stdout == text
    assert invoke().stdout == text + table.NEXT


def test_every_command_is_in_a_group() -> None:
    assert sorted(name for _, names in table.GROUPS for name in names) == sorted(TABLE)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        pytest.param(words, line, id=line)
        for words in lines()
        for line in examples.of(" ".join(words))
    ],
)
def test_examples_are_commands_with_their_own_options(
    words: list[str], line: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reached(*_: object, **_values: object) -> None:
        raise TwinError("the command line was understood", code="reached")

    for module in (context, typer_frame):
        monkeypatch.setattr(module, "Context", reached)
    typed = list(takewhile(lambda word: word not in {"<", ">", "|"}, shlex.split(line)))
    assert typed[: len(words) + 1] == ["twin", *words]
    assert "the command line was understood" in invoke(*typed[1:]).stderr


# `keys verify` makes nothing and needs no home; `tx submit` of a CREATE is as `asset create`.
MAKE_A_HOME = {
    *("keys new", "keys recover", "keys import", "keys verify", "name set", "did new"),
    *("asset create", "tx submit", "pull", "backup restore", "node start", "demo"),
}


def test_who_makes_a_home(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, bool] = {}

    def noted(*_: object, creates: Creates = NOTHING, **_values: object) -> None:
        made[path] = creates.home
        raise TwinError("seen", code="seen")

    for module in (context, typer_frame):
        monkeypatch.setattr(module, "Context", noted)
    for words in lines():
        path = " ".join(words)
        for line in examples.of(path)[:1]:
            invoke(*takewhile(lambda word: word not in {"<", ">", "|"}, shlex.split(line)[1:]))
    assert {path for path, makes in made.items() if makes} == MAKE_A_HOME
    assert len(made) > 80


def test_what_writes_is_known_to_write(invoke: Invoke) -> None:
    """With --quiet it prints nothing, and --get refuses a path that no document has."""
    writing = {
        " ".join(words) for words in lines() if "  --once" in invoke(*words, "--help").stdout
    } - {"batch check"}
    assert len(writing) > 20
    assert writing - table.CHANGING == set()
    assert writing - members.WRITES.keys() == set()


@pytest.mark.parametrize(
    "words",
    [
        ("file", "attach", "car", __file__),
        ("event", "add", "car", "sold"),
        ("state", "move", "car", "sold"),
        ("stage", "add", "car", "sold"),
        ("maintenance", "add", "car", "--type", "service"),
        ("stream", "create", "car", "location"),
        ("stream", "push", "car", "location", "--value", "1"),
        ("stream", "follow", "car", "location", "-"),
        ("link", "add", "car", "part", "box"),
    ],
)
def test_a_twin_that_cannot_be_there_leaves_no_home(
    words: tuple[str, ...], invoke: Invoke, home: Path
) -> None:
    run = invoke(*words, "--json")
    assert (run.status, run.error["code"]) == (4, "no_home")
    assert not home.exists()


@pytest.mark.parametrize(("word", "meant"), [*table.MEANT.items()])
def test_a_verb_without_a_noun_names_the_noun(
    word: str, meant: tuple[str, ...], invoke: Invoke
) -> None:
    run = invoke(word, "car")
    assert run.status == 2
    assert run.stderr.count("\n") == 2
    for path in meant:
        words = path.split()
        assert f"'twin {path}'" in run.stderr
        assert invoke(*words, *(() if words[-1].startswith("--") else ("--help",))).status == 0


def test_help_of_a_command_by_the_verb_help(invoke: Invoke) -> None:
    assert invoke("help", "config").stdout == invoke("config", "--help").stdout
    assert invoke("help", "config", "set").stdout == invoke("config", "set", "--help").stdout
    assert "Topics:" in invoke("help").stdout


def test_aliases_are_hidden_and_point_to_nouns(invoke: Invoke) -> None:
    text = invoke("--help").stdout
    listed = set(re.findall(r"^  ([a-z]+)  ", text, re.MULTILINE))
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
