"""The options that every command has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twincli import config
from twincli.errors import UsageError
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from twincli.services.asset.write_options import Writing


class Option(NamedTuple):
    """An option of a command.

    Attributes:
        name: Without the two dashes.
        help: One line.
        metavar: What its value is called; None makes it a flag without a value.
        kind: ``text``, ``int`` or ``float``.
        choices: The only values, if there are only some.
        repeat: Whether it may be given several times.
    """

    name: str
    help: str
    metavar: str | None = None
    kind: str = "text"
    choices: tuple[str, ...] = ()
    repeat: bool = False


GLOBAL: tuple[Option, ...] = (
    Option("json", "Print one JSON object."),
    Option("jsonl", "Print JSON Lines, one object per line."),
    Option("get", "Print only the value at this path, such as state.mileage.", "PATH"),
    Option("quiet", "Print nothing but the result and errors."),
    Option("node", "Ledger to use: local, file:PATH, a URL or a network's name.", "NODE"),
    Option("home", "Directory of keys, names and ledger.", "DIR"),
    Option("key", "Key to sign with; may be repeated.", "NAME", repeat=True),
    Option("yes", "Answer yes to every question."),
    Option("dry-run", "Check everything, write nothing."),
    Option("color", "When to use colour.", "WHEN", choices=config.COLORS),
    Option("timeout", "Seconds to wait for a node.", "SECONDS", kind="float"),
    Option(
        "passphrase-file",
        "File with the passphrase, for all keys or for one; may be repeated.",
        "[KEY=]FILE",
        repeat=True,
    ),
    Option(
        "passphrase-fd",
        "Open file descriptor to read the passphrase from.",
        "N",
        kind="int",
    ),
)
"""The options that every command has, before the noun or after the verb."""


WIDE = Option("wide", "Show ids whole in tables.")
"""Of the commands without free data, beside the shared options."""

SHORT = {"quiet": "q"}
"""Short forms, on commands without free data; ``-h`` and ``-V`` are not options of a run."""

WRITE: tuple[Option, ...] = (
    Option("at", "When it happened: RFC 3339, a date, or 30d for 30 days ago.", "TIME"),
    Option("once", "A token that makes a retry return the first result.", "TOKEN"),
    Option("if-tip", "Refuse unless this is the newest transaction.", "TX"),
    Option("prepare", "Write it to a file for others to sign; signs with --key only.", "FILE"),
    Option(
        "wait", "What a write on a network waits for.", "WHEN", choices=("commit", "sync", "async")
    ),
    Option("bare", "Write no envelope, only the data."),
)
"""The options of every command that writes to the ledger."""


class WriteOptions(NamedTuple):
    """The values of the options of a write; `services.asset.write_options` says what they do."""

    at: str | None = None
    once: str | None = None
    if_tip: str | None = None
    prepare: str | None = None
    wait: str | None = None
    bare: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> WriteOptions:
        """Take the options of a write out of parsed values, which may hold others.

        Raises:
            UsageError: ``--wait`` waits for something unknown, or ``--prepare`` names no file.
        """
        for option in WRITE:
            value = values.get(option_key(option.name))
            if option.choices and value is not None and value not in option.choices:
                raise not_a_choice(option.name, value, option.choices)
        if values.get("prepare") == "":
            raise UsageError("--prepare needs the name of a file")
        return cls(**{name: values[name] for name in cls._fields if values.get(name) is not None})

    def writing(self) -> Writing:
        """Return the same as the services take it."""
        from twincli.services.asset.write_options import Writing

        prepare = self.prepare is not None
        return Writing(self.at, self.once, self.if_tip, self.bare, prepare)


class Options(NamedTuple):
    """The values of the shared options."""

    json: bool = False
    jsonl: bool = False
    get: str | None = None
    quiet: bool = False
    node: str | None = None
    home: str | None = None
    key: tuple[str, ...] = ()
    yes: bool = False
    dry_run: bool = False
    color: str | None = None
    timeout: float | None = None
    passphrase_file: tuple[str, ...] = ()
    passphrase_fd: int | None = None
    wide: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """Take the shared options out of parsed values, which may hold others.

        Raises:
            UsageError: Two forms of output at once.
        """
        forms = [f"--{name}" for name in ("json", "jsonl", "get") if values.get(name)]
        if len(forms) > 1:
            raise UsageError(f"{' and '.join(forms)} cannot be given together")
        for name in ("timeout", "color"):
            # Before anything is done, even where the command has no use for it.
            if values.get(name) is not None:
                config.checked(name, values[name], f"--{name}")
        if values.get("get") == "":
            raise UsageError("--get needs the path of a value", hint=GET_EXAMPLE)
        given: dict[str, Any] = {}
        for name in cls._fields:
            value = values.get(name)
            if isinstance(value, list):
                value = tuple(value)
            if value is not None and value != ():
                given[name] = value
        return cls(**given)


def option_key(name: str) -> str:
    """Return the name of an option's value: ``dry-run`` is kept as ``dry_run``."""
    return name.replace("-", "_")


GET_EXAMPLE = "for example --get id; twin help options explains all shared options"


LARGEST = 2**53
"""Of a number that an option takes: beyond it JSON, SQL and doubles differ."""


def check_number(name: str, value: int) -> None:
    """Refuse a whole number that no option has a use for.

    Raises:
        UsageError: It is beyond 2^53.
    """
    if not -LARGEST <= value <= LARGEST:
        raise UsageError(f"--{name}: {value} is not between -2^53 and 2^53")


def not_a_choice(
    name: str, value: str, choices: Sequence[str], *, hint: str | None = None
) -> UsageError:
    """Return the error for an option that takes only some values, and not this one."""
    return UsageError(f"--{name}: {value!r} is not one of {', '.join(choices)}", hint=hint)
