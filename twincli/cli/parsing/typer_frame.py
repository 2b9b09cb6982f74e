"""The frame that Typer commands hang on.

A command reads its arguments, calls one service and returns a `Result`; it never prints. Its
first parameter is the `Context`; all others are Typer's. The shared options (``--json``,
``--home``, ``--key`` ...) are added to every command and reach it through the context. A module of
a noun, complete::

    from __future__ import annotations

    from twincli.cli.context import Context
    from twincli.cli.parsing import typer_frame
    from twincli.cli.result import Result

    app = typer_frame.group("name")


    @typer_frame.command(app, "list")
    def list_names(context: Context) -> Result:
        \"\"\"List the local names.\"\"\"
        from twincli.services.names import names  # heavy imports stand here

        return Result(
            names.list_names(context.workspace()),
            listing="names",
            columns=(("name", "name"), ("value", "value")),
            item_schema="twin.name/1",
        )

A bare verb is a module whose ``app = typer_frame.bare()`` has one command named like the verb. Both
are entered in `twincli.cli.table`. Commands with free data are rows of
`twincli.cli.parsing.data_commands`; their help and completion are made from it below.

Inside the function: ``context.workspace()`` is what services take. ``context.keystore``,
``context.book`` and ``context.client`` open on first use and are closed after printing, so a
listing may be an iterator over them;
``context.keys``, ``context.default_key``, ``context.secret_source()``,
``context.new_secret_source()``, ``context.confirm(question)``, ``context.dry_run``,
``context.settings``, ``context.paths``. A command that may create the home is registered with
``creates=HOME``; for all others a missing home is exit 4. Errors are raised, see
`twincli.errors`; an answer such as "not verified" is a `Result` with its ``exit_code``.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import sys
import typing
from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from twincli import config
from twincli.cli import table
from twincli.cli.context import Context, is_terminal
from twincli.cli.opened import NOTHING, Creates
from twincli.cli.options import (
    GET_EXAMPLE,
    GLOBAL,
    SHORT,
    WIDE,
    WRITE,
    Option,
    Options,
    WriteOptions,
    check_number,
    option_key,
)
from twincli.cli.parsing import candidates, data_commands, help_pages, shells
from twincli.cli.result import Result
from twincli.cli.showing import help_page, output
from twincli.errors import UsageError
from twincli.values import NamedTuple

_SHARED = "shared_"
_WRITE = "write_"


class Outcome(NamedTuple):
    """What a command leaves for `twincli.cli.main` to print and to close."""

    result: Result
    context: Context


def group(name: str) -> typer.Typer:
    """Return the Typer app of a noun that is in the table of `twincli.cli.table`."""
    app = typer.Typer(
        name=name,
        cls=Group,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=table.NOUNS[name][1],
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    # Without a callback Typer makes a noun with a single verb into a bare command.
    app.callback()(_nothing)
    return app


def _nothing() -> None:
    return


def bare() -> typer.Typer:
    """Return the Typer app of a verb that stands alone."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def command(
    app: typer.Typer,
    name: str,
    *,
    creates: Creates = NOTHING,
    writes: bool = False,
    hidden: bool = False,
    refuses: tuple[str, ...] = (),
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Register a function as a command; see the module for an example.

    Args:
        app: From `group` or `bare`.
        name: The verb.
        creates: What the command may make where it is missing.
        writes: Whether it takes the options of a write to the ledger, into ``context.writes``.
        hidden: Whether help and completion leave it out.
        refuses: Shared options that mean nothing to it, such as ``node``.
    """

    def register(function: Callable[..., Result]) -> Callable[..., Result]:
        hints = typing.get_type_hints(function, include_extras=True)
        own = list(inspect.signature(function).parameters.values())[1:]
        noun = app.info.name
        path = f"{noun} {name}" if isinstance(noun, str) else name

        @functools.wraps(function)
        def run(**values: Any) -> Outcome:
            for key, value in values.items():
                if isinstance(value, int):
                    check_number(key.removeprefix(_SHARED).replace("_", "-"), value)
            shared = _take(values, _SHARED)
            writing = _take(values, _WRITE)
            context = Context(
                Options.of(shared),
                writes=WriteOptions.of(writing),
                argv=_typed,
                creates=creates,
                command=path,
            )
            if context.options.get is not None:
                from twincli.cli.showing import members

                prepared = context.writes.prepare is not None
                members.check(path, context.options.get, prepared=prepared)
            try:
                context.refuse(*refuses)
                result = function(context, **values)
            except BrokenPipeError as error:
                # Typer turns this into an exit of its own; it means only that nobody reads.
                context.close()
                raise ClosedPipeError from error
            except BaseException:
                context.close()
                raise
            return Outcome(result, context)

        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [parameter.replace(annotation=hints[parameter.name]) for parameter in own]
        )
        run.__annotations__ = {parameter.name: hints[parameter.name] for parameter in own}
        REFUSED[path] = refuses
        app.command(name, cls=WriteCommand if writes else Command, hidden=hidden)(run)
        return function

    return register


def _take(values: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Take the values under a prefix out of all."""
    found = [key for key in values if key.startswith(prefix)]
    return {key.removeprefix(prefix): values.pop(key) for key in found}


class ClosedPipeError(Exception):
    """The reader of stdout has gone."""


REFUSED: dict[str, tuple[str, ...]] = {}
"""Shared options that mean nothing to a command, by its words."""

_typed: tuple[str, ...] = ()


def set_typed(argv: tuple[str, ...]) -> None:
    """Keep the command line as typed, for the retries that errors name."""
    global _typed  # noqa: PLW0603 - one run at a time; a test process has many, one after another
    _typed = argv


# ---------------------------------------------------------------- options


def _option(option: Option, *, prefix: str = "", panel: str | None = None) -> TyperOption:
    """Return Typer's form of an option, for help, completion and Typer's own commands."""
    declared = [prefix + option_key(option.name), f"--{option.name}"]
    if prefix and option.name in SHORT:
        declared.append(f"-{SHORT[option.name]}")
    if option.metavar is None:
        return TyperOption(
            param_decls=declared,
            is_flag=True,
            default=False,
            help=option.help,
            rich_help_panel=panel,
        )
    choices = list(option.choices)

    def offered(_context: Any, _words: list[str], _start: str) -> list[str]:
        return choices or candidates.OF_OPTION[option.name]()

    made = TyperOption(
        param_decls=declared,
        type={"text": str, "int": int, "float": float}[option.kind],
        multiple=option.repeat,
        metavar="|".join(choices) or option.metavar,
        autocompletion=offered if choices or option.name in candidates.OF_OPTION else None,
        help=option.help,
        rich_help_panel=panel,
    )
    shells.offer_values(made)
    return made


SHARED_PANEL = "Shared options"
WRITE_PANEL = "Writing"


@functools.cache
def _shared_options() -> tuple[TyperOption, ...]:
    """Return the shared options; made once, because all commands can use the same objects."""
    options = (*GLOBAL, WIDE)
    return tuple(_option(option, prefix=_SHARED, panel=SHARED_PANEL) for option in options)


@functools.cache
def _write_options() -> tuple[TyperOption, ...]:
    """Return the options of a write; made once, like the shared ones."""
    return tuple(_option(option, prefix=_WRITE, panel=WRITE_PANEL) for option in WRITE)


def _draw(page: help_page.Page, formatter: Any) -> None:
    """Write a page of help to Typer's formatter, with bold headings where colour may be."""
    bold = is_terminal(sys.stdout) and not config.plain_wanted()
    formatter.write(help_page.draw(page, help_page.width(), bold=bold))


class Command(TyperCommand):
    """A command with the shared options and our own page of help."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        own = attributes.pop("params", None) or []
        attributes["context_settings"] = {
            **(attributes.get("context_settings") or {}),
            "help_option_names": ["-h", "--help"],
        }
        for parameter in own:
            shells.offer_values(parameter)
        super().__init__(name, params=[*own, *self.more(), *_shared_options()], **attributes)

    def more(self) -> tuple[TyperOption, ...]:
        """Return the options that come between its own and the shared ones."""
        return ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, but never take an option for the value of another one."""
        if not ctx.resilient_parsing:
            self._check_values(args)
        return super().parse_args(ctx, args)

    def _check_values(self, args: list[str]) -> None:
        options = [param for param in self.params if isinstance(param, TyperOption)]
        known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
        take = {name for option in options if not option.is_flag for name in option.opts}
        for word, following in itertools.pairwise(args):
            if word == "--":
                return
            if word in take and following.partition("=")[0] in known:
                raise UsageError(
                    f"{word} needs a value, and {following!r} is an option",
                    hint=f"if {following!r} is the value, write {word}={following}",
                )

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Offer what can be written, without the options that the command refuses."""
        refused = {f"--{name}" for name in REFUSED.get(ctx.command_path.partition(" ")[2], ())}
        return [
            item for item in super().shell_complete(ctx, incomplete) if item.value not in refused
        ]

    def usage_pieces(self) -> list[str]:
        """Return what follows the arguments in the line of usage."""
        return ["[OPTIONS]"]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Draw the help."""
        refused = REFUSED.get(ctx.command_path.partition(" ")[2], ())
        _draw(help_pages.of_command(ctx.command_path, self, refused=refused), formatter)


class WriteCommand(Command):
    """A command that writes to the ledger."""

    def more(self) -> tuple[TyperOption, ...]:
        """Return the options of a write."""
        return _write_options()


class DataHelp(TyperCommand):
    """A command with free data, as help and completion see it; `data_parser` reads its words."""

    def __init__(self, entry: data_commands.DataCommand) -> None:
        own: list[Any] = [
            TyperArgument(
                param_decls=[word.strip("[]").lower()],
                type=str,
                required=not word.startswith("["),
                metavar=word,
                autocompletion=None if number or entry.creates.ledger else _assets,
            )
            for number, word in enumerate(entry.arguments)
        ]
        own.append(
            TyperArgument(
                param_decls=["words"],
                type=str,
                nargs=-1,
                metavar="[--NAME VALUE]...",
                hidden=True,
            )
        )
        own.extend(_option(option) for option in entry.options)
        own.extend(_option(option, panel="Data") for option in data_commands.DATA)
        own.extend(_option(option, panel=WRITE_PANEL) for option in WRITE)
        own.extend(_option(option, panel=SHARED_PANEL) for option in GLOBAL)
        super().__init__(
            entry.verb,
            params=own,
            help=entry.help,
        )
        self._ending = f"{_DATA_ENDING}{_LINES if entry.lines else ''} More: twin help data"

    def usage_pieces(self) -> list[str]:
        """Return what follows the name in the line of usage."""
        return ["[--KEY VALUE]...", "[OPTIONS]"]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Draw the help."""
        page = help_pages.of_command(ctx.command_path, self, short=False, ending=self._ending)
        _draw(page, formatter)


def _assets(_context: Any, _words: list[str], _start: str) -> list[str]:
    return candidates.assets()


_DATA_ENDING = (
    "The name comes first. Any other --KEY VALUE is data: JSON if it is valid JSON, else text. "
    "A mistyped option is refused; --set and --str reach any key."
)
_LINES = " One append a line from stdin: --jsonl -, each a JSON object."


# ---------------------------------------------------------------- groups


class Group(TyperGroup):
    """A noun: its Typer commands and its commands with free data."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs, those with free data first."""
        own = [verb for noun, verb in data_commands.COMMANDS if noun == self.name]
        return own + [verb for verb in super().list_commands(ctx) if verb not in own]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a verb's command, None where there is none."""
        entry = data_commands.COMMANDS.get((self.name or "", cmd_name))
        if entry is not None:
            return DataHelp(entry)
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse a noun without a verb, and say which there are."""
        if not args and not ctx.resilient_parsing:
            raise UsageError(
                f"twin {self.name}: the verb is missing",
                hint=f"one of {', '.join(self._visible(ctx))}; see twin {self.name} --help",
            )
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb, also under its other names; name the near one of a wrong verb."""
        word = args[0]
        if self.get_command(ctx, word) is None and not ctx.resilient_parsing:
            other = table.VERB_ALIASES.get(word)
            if other is None or self.get_command(ctx, other) is None:
                raise _unknown(f"{self.name} ", word, self._visible(ctx))
            args = [other, *args[1:]]
        return super().resolve_command(ctx, args)

    def _visible(self, ctx: Any) -> list[str]:
        return [
            verb
            for verb in self.list_commands(ctx)
            if (found := self.get_command(ctx, verb)) is not None and not found.hidden
        ]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Draw the help."""
        commands = [self.get_command(ctx, verb) for verb in self._visible(ctx)]
        _draw(help_pages.of_group(ctx.command_path, self, commands), formatter)


def _unknown(prefix: str, word: str, known: list[str]) -> UsageError:
    if word.startswith("-"):
        return UsageError(
            f"there is no option {word} here",
            hint=f"see twin {prefix}--help".replace("  ", " "),
        )
    if not prefix and word in table.MEANT:
        meant = " or ".join(f"'twin {words}'" for words in table.MEANT[word])
        return UsageError(f"there is no command 'twin {word}'", hint=f"did you mean {meant}?")
    near = table.near(word, known)
    bare = next((verb for verb in (word, *table.MEANT.get(word, ())) if verb in table.BARE), None)
    if near:
        hint = f"did you mean 'twin {prefix}{near}'?"
    elif bare:
        hint = f"did you mean 'twin {bare}'?"
    else:
        hint = f"one of {', '.join(known)}"
    return UsageError(f"there is no command 'twin {prefix}{word}'", hint=hint)


class _NounStub(TyperGroup):
    """A noun by name and help; the module loads when the noun is used or completed."""

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Go on with the real group."""
        real = built(table.NOUNS[str(self.name)][0])
        return real.make_context(info_name, args, parent=parent, **extra)


class _VerbStub(TyperCommand):
    """A bare verb by name and help; the module loads when the verb is used or completed."""

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Go on with the real command."""
        real = built(table.BARE[str(self.name)][0])
        return real.make_context(info_name, args, parent=parent, **extra)


@functools.cache
def built(module: str) -> Any:
    """Return the command that a module defines; it is built once."""
    app = import_module(module).app
    assert isinstance(app, typer.Typer)
    return typer.main.get_command(app)


class Root(Group):
    """The command ``twin``."""

    def __init__(self) -> None:
        super().__init__(
            name="twin",
            help=table.ABOUT,
            params=[
                *_shared_options(),
                TyperOption(
                    param_decls=["-V", "--version"], is_flag=True, help="Print the version."
                ),
            ],
            context_settings={"help_option_names": ["-h", "--help"]},
        )

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Draw the first page."""
        _draw(help_page.root(), formatter)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's signature
        """Return the nouns and the bare verbs."""
        return [*table.NOUNS, *table.BARE]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return a stub that loads the real command."""
        if cmd_name in table.NOUNS:
            return _NounStub(name=cmd_name, help=table.NOUNS[cmd_name][1])
        if cmd_name in table.BARE:
            return _VerbStub(cmd_name, help=table.BARE[cmd_name][1])
        return None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the noun; name the near one of a wrong noun."""
        word = args[0]
        if self.get_command(ctx, word) is None and not ctx.resilient_parsing:
            raise _unknown("", word, [*table.NOUNS, *table.BARE])
        return TyperGroup.resolve_command(self, ctx, args)


def run(argv: list[str]) -> Any:
    """Run a command line through Typer.

    Returns:
        An `Outcome`, or an exit status where Typer printed help.

    Raises:
        UsageError: Typer refused the command line.
        KeyboardInterrupt: Ctrl-C, or the end of input at a prompt.
    """
    try:
        return Root().main(args=argv, prog_name="twin", standalone_mode=False)
    except typer.TyperException as error:
        raise _usage(error) from error
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except OSError as error:
        if "--help" not in argv:
            raise
        raise output.unwritten(error) from error
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):
            raise ClosedPipeError from error
        raise


def _near_options(error: typer.TyperException) -> list[str] | None:
    """Return the options near to a wrong one; Typer's own idea of near is wide."""
    possible = getattr(error, "possibilities", None)
    if possible is None:
        return None
    from difflib import get_close_matches

    return get_close_matches(str(getattr(error, "option_name", "")), possible, cutoff=0.7)


_WORDING = (
    (r"\. Choose from:\s+", ": one of "),
    (r",\s*\n\s*", ", "),
    (r"^no such option: (.*)", r"there is no option \1"),
    (r"^got unexpected extra arguments?(?:\(s\))? \((.*)\)$", r"unexpected argument '\1'"),
    (r"^option '(.*)' requires an argument$", r"\1 needs a value"),
    (r"^invalid value for '(--\S+)(?: / \S+)*': ", r"\1: "),
    (r"is not a valid float$", "is not a number"),
    (r"is not a valid int(?:eger)?$", "is not a whole number"),
)
"""Typer's complaints in the words of the commands with data."""


def _usage(error: typer.TyperException) -> UsageError:
    """Return Typer's complaint in our form: lower case, no full stop, near names as the hint."""
    message = getattr(error, "message", "") or ""
    possible = _near_options(error)
    if possible is None or not message:
        message = error.format_message()
    message = message.strip().removesuffix(".")
    if message[1:2].islower():
        message = message[0].lower() + message[1:]
    for theirs, ours in _WORDING:
        message = re.sub(theirs, ours, message)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "twin"
    hint = f"did you mean {' or '.join(sorted(possible))}?" if possible else f"see {path} --help"
    if message == "--get needs a value":
        hint = GET_EXAMPLE
    return UsageError(message, hint=hint)


def complete(argv: list[str]) -> None:
    """Answer a shell's completion script, which asks through the environment, and exit."""
    shells.register()
    Root().main(args=argv, prog_name="twin", standalone_mode=False)
