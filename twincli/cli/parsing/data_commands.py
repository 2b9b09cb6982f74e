"""The closed table of the commands that take free data.

Adding an option to it takes a name away from people's data, so it is a major release.
"""

from __future__ import annotations

from twincli.cli.opened import ANY_LEDGER, NOTHING, Creates
from twincli.cli.options import GLOBAL, WRITE, Option
from twincli.values import NamedTuple

DATA: tuple[Option, ...] = (
    Option("set", "Set a path to a JSON value.", "PATH=JSON", repeat=True),
    Option("str", "Set a path to text.", "PATH=TEXT", repeat=True),
    Option("unset", "Remove a path.", "PATH", repeat=True),
    Option("data", "Many values at once: JSON, @FILE, or - for stdin.", "JSON"),
)
"""The options D of every command that takes data."""

HELP = Option("help", "Show this message.")

_OWNER = Option(
    "owner", "Who owns it: a key, or several: all:a,b or any:a,b or 2of:a,b,c.", "OWNER"
)

_ENTITY = Option("entity", "The thing's own key.", "KEY")

_IF_MISSING = Option("if-missing", "Succeed if the same asset already exists.")

_ON_INVALID = Option(
    "on-invalid",
    "What happens to values beyond a range.",
    "WHAT",
    choices=("reject", "suspect"),
)

_ATTACH = Option("attach", "A file, and what it is; may be repeated.", "FILE:TYPE", repeat=True)


class DataCommand(NamedTuple):
    """One command that takes free data.

    Attributes:
        noun: The first word.
        verb: The second word.
        help: What it does, for people.
        options: All its own options; the shared ones are added by `options_of`.
        handler: ``module:function``, called with a Context and a Parsed, returns a Result.
        creates: What it may make where it is missing.
        needs_data: Whether giving no data is an error.
        lines: Whether ``--jsonl -`` reads one set of data a line from stdin.
        arguments: What stands before the data; one in brackets may be left out.
    """

    noun: str
    verb: str
    help: str
    options: tuple[Option, ...]
    handler: str
    creates: Creates = NOTHING
    needs_data: bool = False
    lines: bool = False
    arguments: tuple[str, ...] = ("NAME",)


COMMANDS: dict[tuple[str, str], DataCommand] = {
    (command.noun, command.verb): command
    for command in (
        DataCommand(
            "did",
            "new",
            "Make an identity: a self-owned asset, and a key of that name if it is missing.",
            (
                _OWNER,
                _ENTITY,
                _IF_MISSING,
                Option("no-passphrase", "Make the key without a passphrase."),
            ),
            "twincli.cli.commands.asset.write:did_new",
            creates=ANY_LEDGER,
        ),
        DataCommand(
            "asset",
            "create",
            "Create an asset; the data are its facts, which never change.",
            (
                _OWNER,
                _ENTITY,
                Option("parent", "The asset it is part of.", "ASSET"),
                Option("template", "The template it follows.", "TEMPLATE"),
                _ON_INVALID,
                Option("amount", "The amount, for things that are counted.", "N"),
                Option("title", "A title for people.", "TEXT"),
                Option("state", "The initial state: JSON, @FILE, or - for stdin.", "JSON"),
                Option("orm-model", "Model of BigchainDB's ORM: writes its envelope.", "MODEL"),
                _IF_MISSING,
            ),
            "twincli.cli.commands.asset.write:asset_create",
            creates=ANY_LEDGER,
        ),
        DataCommand(
            "asset",
            "append",
            "Append to an asset's history; the data change its state.",
            (
                Option("corrects", "The append whose values are wrong.", "TX"),
                Option("output", "Which output to append to, after a split.", "TX:N"),
            ),
            "twincli.cli.commands.asset.write:asset_append",
            needs_data=True,
            lines=True,
        ),
        DataCommand(
            "asset",
            "transfer",
            "Give an asset, or parts of it, to others.",
            (
                Option("to", "The new owner.", "OWNER"),
                Option("out", "An amount and its owner.", "N:OWNER", repeat=True),
                Option("in", "An output to spend.", "TX:N", repeat=True),
                Option(
                    "children",
                    "Parts stay and grants hold, or parts go along.",
                    "WHAT",
                    choices=("keep", "move"),
                ),
                _ENTITY,
            ),
            "twincli.cli.commands.asset.write:asset_transfer",
        ),
        DataCommand(
            "stream",
            "push",
            "Push readings into a stream of a twin, which the first push makes.",
            (
                Option("source", "Who or what read it.", "TEXT"),
                Option("quality", "What is doubted about it; default: good.", "WORD"),
                Option("unit", "The unit of --value.", "UNIT"),
                _ON_INVALID,
            ),
            "twincli.cli.commands.stream.push:stream_push",
            arguments=("TWIN", "STREAM", "[FILE]"),
        ),
        DataCommand(
            "event",
            "add",
            "Record that something happened to a twin; the data tell more about it.",
            (_ATTACH,),
            "twincli.cli.commands.life.write:event_add",
            arguments=("TWIN", "TYPE"),
        ),
        DataCommand(
            "state",
            "move",
            "Move a twin into another state, as its template allows.",
            (
                Option("from", "The state it has to be in.", "STATE"),
                Option("reason", "Why it moves.", "TEXT"),
                Option("meets", "A condition that is met.", "NAME", repeat=True),
                Option("triggered-by", "Who or what had it moved, if not the signer.", "WHO"),
                _ATTACH,
            ),
            "twincli.cli.commands.life.write:state_move",
            arguments=("TWIN", "STATE"),
        ),
        DataCommand(
            "stage",
            "add",
            "Record that a twin has reached a stage; stages go forward only.",
            (
                Option("location", "Where.", "TEXT"),
                Option("date", "When: a date, or a time with its zone.", "DATE"),
                _ATTACH,
            ),
            "twincli.cli.commands.life.write:stage_add",
            arguments=("TWIN", "STAGE"),
        ),
        DataCommand(
            "maintenance",
            "add",
            "Record what was done to a twin; the data tell more about it.",
            (
                Option("type", "What kind of work it was.", "TYPE"),
                Option("technician", "Who did it.", "TEXT"),
                Option("work", "What was done.", "TEXT", repeat=True),
                Option("part", "A part, how many, the cost of one.", "N:QTY[:COST]", repeat=True),
                Option("currency", "Of the costs.", "CODE"),
                Option("done", "A schedule that it satisfies.", "SCHEDULE", repeat=True),
                Option("next", "When the next is due: a date, or a time with its zone.", "TIME"),
                Option("next-type", "What kind of work the next is.", "TYPE"),
                _ATTACH,
            ),
            "twincli.cli.commands.care.write:maintenance_add",
            arguments=("TWIN",),
        ),
    )
}
"""The closed list: every command that takes free data."""


_ASSETS = {"did": "asset"}


def options_of(command: DataCommand) -> tuple[Option, ...]:
    """Return all real options of a command, in the order of its help."""
    return (*command.options, *DATA, *WRITE, *GLOBAL, HELP)


def options_elsewhere(command: DataCommand) -> dict[str, str]:
    """Return the options of other commands with data: name, and the command that has it first.

    Only of the same noun: what an event or a reading says of itself are data elsewhere. An
    identity is an asset.
    """
    own = {option.name for option in options_of(command)}
    return {
        option.name: f"{other.noun} {other.verb}"
        for other in reversed(COMMANDS.values())
        if _ASSETS.get(other.noun, other.noun) == _ASSETS.get(command.noun, command.noun)
        for option in other.options
        if option.name not in own
    }
