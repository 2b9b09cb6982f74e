"""The help pages of Typer's commands and groups."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperOption

from twincli.cli.showing import examples
from twincli.cli.showing.help_page import SHARED, Page, Row

_OWN = "Options"


def of_command(
    path: str,
    command: Any,
    *,
    short: bool = True,
    ending: str = "",
    refused: tuple[str, ...] = (),
) -> Page:
    """Return the page of a command.

    Args:
        path: Its words, such as ``twin asset show``.
        command: Typer's command.
        short: Whether it has short options.
        ending: A last paragraph.
        refused: Shared options that mean nothing to it.
    """
    arguments = [
        param for param in command.params if isinstance(param, TyperArgument) and not param.hidden
    ]
    sections: dict[str, list[Row]] = {"Arguments": [], _OWN: []}
    for argument in arguments:
        if argument.help:
            sections["Arguments"].append(Row(_plain(argument), argument.help))
    for param in command.params:
        panel = getattr(param, "rich_help_panel", None) or _OWN
        if isinstance(param, TyperOption) and not param.hidden and panel != SHARED:
            sections.setdefault(panel, []).append(Row(_left(param), _sentence(param)))
    pieces = [path, *(_plain(argument) for argument in arguments), *command.usage_pieces()]
    return Page(
        usage=" ".join(pieces),
        text=command.help or "",
        examples=examples.of(path),
        sections=tuple((heading, tuple(rows)) for heading, rows in sections.items()),
        short=short,
        ending=ending,
        refused=refused,
    )


def of_group(path: str, group: Any, commands: list[Any]) -> Page:
    """Return the page of a noun: its verbs."""
    rows = tuple(
        Row(str(command.name), (command.help or "").partition("\n")[0]) for command in commands
    )
    return Page(
        usage=f"{path} COMMAND ...",
        text=group.help or "",
        sections=(("Commands", rows),),
        shared=False,
        ending=f"More about one of them: {path} COMMAND --help",
    )


def _plain(argument: TyperArgument) -> str:
    return argument.metavar or str(argument.name).upper()


def _left(option: TyperOption) -> str:
    names = ", ".join(sorted((*option.opts, *option.secondary_opts), key=len))
    return names if option.is_flag else f"{names} {option.metavar or 'VALUE'}"


def _sentence(option: TyperOption) -> str:
    text = option.help or ""
    default = option.default
    if option.is_flag or not option.show_default or default in (None, "", ()):
        return text
    return f"{text} [default: {default}]"
