"""``twin help``: topics that belong to no single command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.errors import ExitCode, UsageError

app = typer_frame.bare()

EXIT_CODES: dict[ExitCode, str] = {
    ExitCode.OK: "done, or already done",
    ExitCode.FAILURE: "a bug, or another failure",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.NOT_VERIFIED: "the question was answered, and the answer is no",
    ExitCode.NOT_FOUND: "no such key, asset, transaction or home",
    ExitCode.CONFLICT: "already exists, ambiguous, or the tip moved",
    ExitCode.LOCKED: "a passphrase is missing or wrong; no key to sign with",
    ExitCode.INVALID: "a document or a transaction breaks the rules",
    ExitCode.UNREACHABLE: "a node was unreachable, timed out or failed",
    ExitCode.CONFIG: "contradictory settings, an unusable file, or a missing extra",
    ExitCode.PARTIAL: "some items of a batch failed",
    ExitCode.UNDETERMINED: "evidence is missing: neither yes nor no",
    ExitCode.INTERRUPTED: "Ctrl-C",
}
"""What each exit status means."""

DATA = """\
Data on the command line

  twin asset append car --mileage 1200 --power.hp 150 --note "new tyres"

The name comes first. An option of the command matches only as its exact long form; any other
--KEY takes the next word as its value, whatever it is (--lon -74.0060). A value that starts with
-- is written --KEY=--VALUE. Everything after -- is data. A key that looks like a mistyped option
is refused; --set and --str reach any key and are the form for scripts.

A value that is JSON is JSON, else it is text:

  1200  -5  1e3  true  null  [1,2]  {"a":1}   JSON
  007  +5  .5  NaN  True  2024-01-20          text
  '"007"'                                     the text 007, for anything that would be JSON

A value that starts with {, [ or " and is not JSON is refused, with the position.
Whole numbers beyond 64 bits are refused; digits that a double cannot keep cause a warning.

  --set PATH=JSON     set a path; the value has to be JSON
  --str PATH=TEXT     set a path; the value is text, whatever it looks like
  --unset PATH        remove a path; a name at the top becomes null
  --data JSON         many values at once; also --data @FILE and --data - (stdin)
  --jsonl -           on `asset append`: one append per line of stdin, each an object

Dots nest: --power.hp 150 changes hp in the object power and keeps the rest of it. --KEY, --set
and --str win over --data. On `asset create` the data are facts, which never change; --state is
the initial state, which `asset append` changes.
"""


def _exit_codes() -> str:
    lines = [f"{code.value:>4}  {meaning}\n" for code, meaning in EXIT_CODES.items()]
    return "Exit statuses\n\n" + "".join(lines)


def _environment() -> str:
    from twincli import config

    width = max(len(name) for name, _ in config.ENVIRONMENT)
    lines = [f"  {name:<{width}}  {meaning}\n" for name, meaning in config.ENVIRONMENT]
    return (
        "Environment variables\n\nAn option wins over a variable, a variable over the settings"
        " file. Set but empty counts as not set,\nexcept TWIN_PASSPHRASE.\n\n" + "".join(lines)
    )


def _options() -> str:
    from twincli.cli.options import GLOBAL, SHORT, WIDE
    from twincli.cli.showing import help_page

    rows = []
    for option in (*GLOBAL, WIDE):
        short = f"-{SHORT[option.name]}, " if option.name in SHORT else ""
        value = "|".join(option.choices) or option.metavar
        left = f"{short}--{option.name}{f' {value}' if value else ''}"
        rows.append(help_page.Row(left, option.help))
    return help_page.draw(
        help_page.Page(
            usage="twin [OPTIONS] COMMAND ..., or twin COMMAND ... [OPTIONS]",
            text="The options of every command. Commands with free data have no short ones.",
            sections=((help_page.SHARED, tuple(rows)),),
            shared=False,
        )
    )


TOPICS: dict[str, Callable[[], str]] = {
    "exit-codes": _exit_codes,
    "environment": _environment,
    "options": _options,
    "data": lambda: DATA,
}
"""The topics, and what gives their text."""


def _topics() -> list[str]:
    return list(TOPICS)


@typer_frame.command(app, "help", refuses=("node",))
def help_(
    context: Context,  # noqa: ARG001 - every command takes it
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOPIC]",
            help=f"One of {', '.join(TOPICS)}, or a command.",
            autocompletion=_topics,
        ),
    ] = None,
) -> Result:
    """Explain a topic or a command."""
    if topic is None:
        text = (
            "Topics: twin help exit-codes|environment|options|data\n"
            "Commands: twin help NOUN [VERB], or twin --help for all\n"
        )
        return Result({"schema": "twin.help/1", "topic": None, "text": text}, text=text)
    if topic not in TOPICS:
        from twincli.cli import table

        known = [*TOPICS, *table.NOUNS, *table.BARE]
        near = table.near(topic, known)
        raise UsageError(
            f"there is no help topic {topic!r}",
            hint=f"did you mean {near!r}?" if near else f"one of {', '.join(TOPICS)}",
        )
    text = TOPICS[topic]()
    return Result({"schema": "twin.help/1", "topic": topic, "text": text}, text=text)
