"""The entry point: finds the command, runs it, prints its result or its error.

Imports only what every run needs. Commands with free data never load Typer; all others go
through `twincli.cli.parsing.typer_frame`. This is the one place that turns an error into a message
and a status. What is not a `TwinError` is a bug: one line, a report to send, and status 1.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # importing typing for it would double the time of --version
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from twincli.cli.context import Context
    from twincli.cli.parsing.data_commands import DataCommand
    from twincli.cli.parsing.data_parser import Parsed
    from twincli.cli.parsing.quick import Line
    from twincli.cli.result import Result
    from twincli.errors import TwinError


def entry() -> None:
    """Run ``twin`` for the shell."""
    # A run is short and makes few cycles; at the default the collector looks at everything again
    # and again while modules load or a long history is listed.
    gc.set_threshold(50_000, 20, 20)
    _leave(main())


def _leave(status: int) -> None:
    """End the process at once: taking it apart piece by piece would take longer than most runs.

    All files are closed by now. The usual end is for what wants to see it (coverage, debuggers,
    profilers, threads, exit handlers), and for output that cannot be flushed.
    """
    if _is_watched():
        sys.exit(status)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        sys.exit(status)
    os._exit(status)


def _is_watched() -> bool:
    modules = sys.modules
    if {"atexit", "concurrent.futures", "coverage", "pdb"} & modules.keys():
        return True
    if sys.gettrace() or sys.getprofile() or sys.flags.inspect or sys.flags.interactive:
        return True
    monitoring: Any = getattr(sys, "monitoring", None)
    if monitoring is not None and any(map(monitoring.get_tool, range(6))):
        return True
    return "threading" in modules and modules["threading"].active_count() > 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: The words after ``twin``; those of the process by default.

    Returns:
        The exit status, one of `twincli.errors.ExitCode`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    prepared = _prepared(words)
    if prepared is not None:
        try:
            print(prepared, end="", flush=True)
        except OSError:
            pass  # The long way below meets the same fault and knows what to say.
        else:
            return 0
    from twincli.errors import ExitCode, TwinError

    try:
        return run(words)
    except TwinError as error:
        return report(words, error)
    except KeyboardInterrupt:
        interrupted = TwinError("interrupted", code="interrupted")
        interrupted.exit_code = ExitCode.INTERRUPTED
        return report(words, interrupted)
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except Exception as error:  # noqa: BLE001 - the last resort
        from twincli.cli import crash

        return report(words, crash.explained(words, error))


def _prepared(words: list[str]) -> str | None:
    """Return the answer to what is asked often and needs nothing to be loaded."""
    if words in (["--version"], ["-V"]):
        from twincli import __version__

        return f"twin {__version__}\n"
    if words in (["--help"], ["-h"]) and _is_pipe():
        path = os.path.join(os.path.dirname(__file__), "root_help.txt")
        with open(path, encoding="utf-8") as file:
            return file.read()
    return None


def _is_pipe() -> bool:
    try:
        return sys.stdout is not None and not sys.stdout.isatty()
    except ValueError:  # closed
        return False


def run(words: list[str]) -> int:
    """Run one command line and return its status; an error is raised, not printed."""
    from twincli import config

    if config.completing():
        from twincli.cli.parsing import typer_frame

        typer_frame.complete(words)
        return 0
    if not words:
        from twincli.cli import table

        return _help(table.NEXT)
    shared, rest = _split_shared(words)
    if rest[:1] in (["--version"], ["-V"]):
        from twincli.errors import UsageError

        after, extra = _split_shared(rest[1:])
        if extra:
            raise UsageError(f"--version takes no arguments, not {extra[0]!r}")
        return _version(shared + after)
    return _dispatch(shared, rest, words)


def _dispatch(shared: list[str], rest: list[str], typed: list[str]) -> int:
    """Find the command that ``rest`` names and run it."""
    from twincli.cli import table

    if rest in (["--help"], ["-h"]):
        return _help()
    if not rest or rest[0].startswith("-"):
        # An unknown option, or no command at all.
        return _typer(rest or shared, typed)
    noun = table.NOUN_ALIASES.get(rest[0], rest[0])
    if noun == "help" and len(rest) > 1:
        word = table.NOUN_ALIASES.get(rest[1], rest[1])
        if word in table.NOUNS or word in table.BARE:
            return _dispatch([], [word, *rest[2:3], "--help"], typed)
    if noun == "query":
        from twincli.cli.parsing import quick

        line = quick.read([*shared, *rest[1:]])
        if line is not None:
            return _query(line, typed)
    if noun not in table.NOUNS:
        return _typer([noun, *shared, *rest[1:]], typed)
    between, rest = _split_shared(rest[1:])
    shared = shared + between
    if not rest or rest[0].startswith("-"):
        return _typer([noun, *rest], typed)
    verb = rest[0]
    from twincli.cli.parsing import data_commands

    if (noun, verb) not in data_commands.COMMANDS:
        other = table.VERB_ALIASES.get(verb, verb)
        if (noun, other) not in data_commands.COMMANDS:
            return _typer([noun, verb, *shared, *rest[1:]], typed)
        verb = other
    return _data(data_commands.COMMANDS[noun, verb], shared, rest[1:], typed)


def _split_shared(words: list[str]) -> tuple[list[str], list[str]]:
    """Split off the shared options that stand at the beginning."""
    from twincli.cli.options import GET_EXAMPLE, GLOBAL, SHORT
    from twincli.errors import UsageError

    takes_value = {option.name: option.metavar is not None for option in GLOBAL}
    index = 0
    long = {f"-{letter}": f"--{name}" for name, letter in SHORT.items()}
    found: list[str] = []
    while index < len(words):
        word = long.get(words[index], words[index])
        name, equals, _ = word[2:].partition("=")
        if not word.startswith("--") or name not in takes_value:
            break
        found.append(word)
        index += 1
        if takes_value[name] and not equals:
            if index == len(words):
                hint = GET_EXAMPLE if name == "get" else None
                raise UsageError(f"--{name} needs a value", hint=hint)
            found.append(words[index])
            index += 1
    return found, words[index:]


def _help(more: str = "") -> int:
    """Print the first page of help."""
    from twincli import config
    from twincli.cli.context import is_terminal
    from twincli.cli.showing import help_page, output

    bold = is_terminal(sys.stdout) and not config.plain_wanted()
    output.write(help_page.draw(help_page.root(), help_page.width(), bold=bold) + more)
    output.flush()
    return 0


def _version(shared: list[str]) -> int:
    from twincli import __version__
    from twincli.cli.result import Mode, Result
    from twincli.cli.showing import output

    document = {"schema": "twin.version/1", "version": __version__}
    form = "json" if {"--json", "--jsonl"} & set(shared) else "auto"
    result = Result(document, text=f"twin {__version__}\n")
    return output.render(result, Mode(form))


def _data(command: DataCommand, shared: list[str], rest: list[str], typed: list[str]) -> int:
    """Run a command with free data."""
    from twincli.cli.context import Context
    from twincli.cli.options import Options, WriteOptions
    from twincli.cli.parsing import data_parser

    parsed = data_parser.parse(command, rest, shared=shared)
    if parsed.help:
        return _typer([command.noun, command.verb, "--help"], typed)
    context = Context(
        Options.of(parsed.values),
        writes=WriteOptions.of(parsed.values),
        argv=tuple(typed),
        creates=command.creates,
        command=f"{command.noun} {command.verb}",
    )
    if context.options.get is not None:
        from twincli.cli.showing import members

        prepared = context.writes.prepare is not None
        members.check(context.command, context.options.get, prepared=prepared, lines=parsed.lines)
    with context:
        return _render(_handled(command, context, parsed), context)


def _handled(command: DataCommand, context: Context, parsed: Parsed) -> Result:
    module, _, function = command.handler.partition(":")
    __import__(module)  # importlib would be loaded for nothing else
    result: Result = getattr(sys.modules[module], function)(context, parsed)
    if parsed.warnings:
        result = result._replace(warnings=parsed.warnings + result.warnings)
    return result


def _query(line: Line, typed: list[str]) -> int:
    """Run ``twin query``."""
    from twincli.cli.commands.query import answering
    from twincli.cli.context import Context
    from twincli.cli.options import Options

    context = Context(Options.of(line.shared), argv=tuple(typed), command="query")
    with context:
        return _render(answering.answer(context, line.name, **line.values), context)


def _typer(argv: list[str], typed: list[str]) -> int:
    """Run any other command through Typer."""
    from twincli.cli.parsing import typer_frame

    typer_frame.set_typed(tuple(typed))
    try:
        outcome = typer_frame.run(argv)
    except typer_frame.ClosedPipeError as error:
        raise BrokenPipeError from error
    if isinstance(outcome, typer_frame.Outcome):
        with outcome.context:
            return _render(outcome.result, outcome.context)
    if outcome == 130:
        raise KeyboardInterrupt
    return outcome if isinstance(outcome, int) else 0


def _render(result: Result, context: Context) -> int:
    from twincli.cli.showing import output
    from twincli.errors import TwinError

    if context.warnings:
        result = result._replace(warnings=(*result.warnings, *context.warnings))
    _note_read(result, context)
    mode = context.mode
    if mode.quiet and mode.form == "auto" and result.text is None and not result.exit_code:
        from twincli.cli import table

        is_saved = context.command in table.SAVING and result.document.get("file")
        if (is_saved or context.command in table.CHANGING) and not context.dry_run:
            result = result._replace(text="")
    try:
        return output.render(result, mode)
    except TwinError as error:
        if error.code not in {"output_failed", "no_such_path"}:
            raise
        raise _after(result, context, error) from error


def _note_read(result: Result, context: Context) -> None:
    """Note in the audit log what is about to be shown, where the settings ask for that."""
    settings = context.__dict__.get("settings")  # what reads a twin has read them
    if settings is None or settings.audit_reads.value != "on":
        return
    from twincli.cli import table

    if context.command in table.READING and context.audit is not None:
        from twincli.services.audit import trail

        told = result.document
        twin = told.get("asset_id") or told.get("twin_id") or told.get("id")
        twin = twin if isinstance(twin, str) else None
        trail.note(context.workspace(), trail.READ, twin=twin, by=context.command)


def _after(result: Result, context: Context, error: TwinError) -> TwinError:
    """Return the error of printing, saying what had been done by then."""
    from twincli.cli.showing import members

    if context.dry_run or context.command not in members.WRITES:
        return error
    tx_id = result.document.get("transaction_id")
    done = f"recorded as {tx_id}" if tx_id and context.writes.prepare is None else "it was done"
    return error.reworded(f"{done}, but {error.message}")


def report(words: Sequence[str], error: TwinError) -> int:
    """Print an error to stderr, as JSON where the command line asked for JSON.

    Returns:
        The error's exit status.
    """
    from twincli.cli.showing import output

    if error.code == "output_failed":
        _forget_stdout()
    if _wants_json(words):
        details = {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "retryable": error.retryable,
        }
        output.say(output.to_json({"error": details}))
    else:
        output.say(f"twin: error: {error.message}")
        if error.hint:
            output.say(f"twin: hint: {error.hint}")
    return int(error.exit_code)


def _wants_json(words: Sequence[str]) -> bool:
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word == "--":
            return False
        # Before a dash it says in what form data come, not in what form the result goes.
        if word == "--json" or (word == "--jsonl" and following != "-"):
            return True
    return False


def _forget_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not complain."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    except (AttributeError, OSError, ValueError):
        # No stdout, or one that is no file: then there is no last flush to fail.
        return
