"""``twin demo``: the tutorial's story, by real commands with their real output."""

from __future__ import annotations

import io
import json
import os
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Annotated, Any

import typer

from twincli.cli.context import Context
from twincli.cli.opened import HOME, is_file
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.errors import TwinError, UsageError
from twincli.services.home.demo import Step, check_unused, story, verified

app = typer_frame.bare()

WIDTH = 79


@typer_frame.command(app, "demo", creates=HOME)
def demo(
    context: Context,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the home instead of removing it at the end.")
    ] = False,
) -> Result:
    """Tell the story of a car and its owner, in a temporary home."""
    import shutil
    import tempfile

    kept = keep and not context.dry_run
    if kept and context.paths.source != "default":
        return _told(context, context.paths.home, kept=True)
    home = tempfile.mkdtemp(prefix="twin-demo-")
    try:
        result = _told(context, home, kept=kept)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    if not kept:
        shutil.rmtree(home)
    return result


def _told(context: Context, home: str, *, kept: bool) -> Result:
    """Tell the story in a home; on a terminal each command as it is run."""
    check_unused(home)
    node = _network(context, home)
    mode = context.mode
    quiet = mode.form != "auto"
    lines = _Lines(now=not quiet and mode.terminal)
    lines.add(*_opening(node, kept=kept))
    title = None
    steps: list[dict[str, Any]] = []
    for step in story(kept=kept, pulled=node is not None):
        more = ["--home", home]
        if step.uses_ledger:
            more += ["--node", node or "local"]
        if context.options.timeout is not None:
            more += ["--timeout", str(context.options.timeout)]
        if step.title != title:
            title = step.title
            lines.add("", f"# {title}")
        if quiet:
            steps.append(_document(step, more))
            continue
        get = ("--get", step.get) if step.get is not None else ()
        lines.add(*_command(("twin", *step.words, *get)))
        more += ["--color", "always" if mode.color else "never"]
        lines.add(*_run([*step.words, *get, *more], step.status).splitlines())
    ledger, report = verified(home)
    lines.add("", *_ending(node, home if kept else None))
    document = {
        "schema": "twin.demo/1",
        "home": home if kept else None,
        "ledger": ledger,
        "steps": steps,
        "verified": report,
    }
    return Result(document, text=lines.rest())


class _Lines:
    """What is printed: at once, or when the story is told.

    Args:
        now: At once.
    """

    def __init__(self, *, now: bool) -> None:
        self._now = now
        self._waiting: list[str] = []

    def add(self, *lines: str) -> None:
        from twincli.cli.showing import output

        if self._now:
            output.write("".join(f"{line}\n" for line in lines))
            output.flush()
        else:
            self._waiting += lines

    def rest(self) -> str:
        """Return what was not printed yet."""
        return "".join(f"{line}\n" for line in self._waiting)


class _Screen(io.TextIOWrapper):
    """A terminal in memory, so that commands draw what people see."""

    def isatty(self) -> bool:
        return True


def _run(words: list[str], status: int, *, screen: bool = True) -> str:
    """Run a command and return all that it printed.

    Raises:
        TwinError: It ended otherwise than the story has it.
    """
    from twincli.cli import main

    memory = io.BytesIO()
    stream = (_Screen if screen else io.TextIOWrapper)(memory, encoding="utf-8", newline="")
    with redirect_stdout(stream), redirect_stderr(stream):
        try:
            ended = main.run(words)
        except TwinError as error:
            if error.exit_code != status:
                raise
            ended = main.report(words, error)
        stream.flush()
    printed = memory.getvalue().decode()
    stream.close()
    if ended != status:
        raise TwinError(f"twin {shlex.join(words)} ended with {ended}: {printed.strip()}")
    return printed


def _document(step: Step, more: list[str]) -> dict[str, Any]:
    """Run a command and return the step of the document."""
    printed = _run([*step.words, *more, "--json"], step.status, screen=False)
    result: dict[str, Any] = json.loads(printed)
    return {"title": step.title, "command": shlex.join(("twin", *step.words)), "result": result}


def _network(context: Context, home: str) -> str | None:
    """Return what ``--node`` has to name in the story's home; None: a ledger of its own."""
    # Only what is asked for here: a node that is used every day is no place for a story.
    node = context.options.node
    if node is None or node == "local":
        return None
    if is_file(node):
        raise UsageError("the demo makes a ledger of its own", hint="leave out --node")
    from twincli.services.network import networks

    profile = networks.find(context.paths.nodes, node)
    context.warn(networks.plaintext_warnings(profile))
    settings = context.settings
    files = (settings.tls_ca, settings.tls_cert, settings.tls_key)
    is_name = "://" not in node
    if not is_name and all(file.source != settings.paths.settings for file in files):
        return ",".join(profile.urls)
    # The story's home knows neither the networks nor the settings of the user's.
    name = node if is_name else "network"
    os.makedirs(home, mode=0o700, exist_ok=True)
    tls = profile.tls.over(context.tls)
    place = os.path.join(home, os.path.basename(context.paths.nodes))
    networks.add(place, name, profile.urls, profile.header_file, tls)
    return name


def _opening(node: str | None, *, kept: bool) -> Iterator[str]:
    if node is None:
        yield "A car, its owner Alice and its GPS box, on a ledger of their own."
    else:
        yield f"A car, its owner Alice and its GPS box, on the network at {node}."
    yield (
        "The home stays. Its keys have no passphrase: use it to try things out."
        if kept
        else "The home is temporary: its keys have no passphrase and are gone at the end."
    )
    if node is not None:
        yield ""
        yield from _command(("export", f"TWIN_NODE={node}"))


def _ending(node: str | None, kept: str | None) -> Iterator[str]:
    if kept is None:
        yield "To look around in it: twin demo --keep. Your own: twin keys new NAME"
        return
    yield "Continue with it:"
    yield f"  export TWIN_HOME={shlex.quote(kept)}"
    if node is not None:
        yield f"  export TWIN_NODE={shlex.quote(node)}"
    yield "  twin asset show car"


def _command(words: tuple[str, ...]) -> Iterator[str]:
    """Yield a command, continued with a backslash where it is too long for a line."""
    lines: list[str] = []
    for word in words:
        quoted = shlex.quote(word)
        if lines and len(lines[-1]) + len(quoted) < WIDTH - 4:
            lines[-1] += f" {quoted}"
        else:
            lines.append(f"    {quoted}" if lines else f"$ {quoted}")
    yield from (f"{line} \\" for line in lines[:-1])
    yield lines[-1]
