"""``twin completion``: the script that makes a shell complete ``twin``."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.errors import UsageError

app = typer_frame.bare()

FILES = {
    "bash": "twin.bash",
    "zsh": "_twin",
    "fish": "twin.fish",
    "powershell": "twin.ps1",
}
"""Shells, and the file of ``completions/`` that holds the same script."""

_INSTALL = {
    "bash": "twin completion bash > ~/.local/share/bash-completion/completions/twin",
    "zsh": "twin completion zsh > a directory of $fpath, as _twin",
    "fish": "twin completion fish > ~/.config/fish/completions/twin.fish",
    "powershell": "twin completion powershell >> $PROFILE",
}


def script(shell: str) -> str:
    """Return the completion script of a shell.

    Raises:
        UsageError: There is none for that shell.
    """
    if shell not in FILES:
        raise UsageError(
            f"there is no completion for the shell {shell!r}",
            hint=f"one of {', '.join(FILES)}",
        )
    from twincli.cli.parsing import shells

    return shells.script(shell)


def _shells() -> list[str]:
    return list(FILES)


@typer_frame.command(app, "completion", refuses=("node",))
def completion(
    context: Context,  # noqa: ARG001 - every command takes it
    shell: Annotated[
        str,
        typer.Argument(metavar="SHELL", help=f"One of {', '.join(FILES)}.", autocompletion=_shells),
    ],
) -> Result:
    """Print the completion script of a shell."""
    text = script(shell)
    return Result(
        {
            "schema": "twin.completion/1",
            "shell": shell,
            "install": _INSTALL[shell],
            "script": text,
        },
        text=text,
    )
