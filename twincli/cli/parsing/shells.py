"""What shells ask while a word is typed: answers to them, and the scripts that make them ask.

A word is completed with names, or where a file or a directory is meant, with those: Typer's own
scripts offer files wherever there is no name. PowerShell does so by itself.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from typer.completion import (  # type: ignore[attr-defined]
    completion_init,
    get_completion_script,
    shell_completion,
)

completion_init()
_Bash: Any = shell_completion.get_completion_class("bash")
_Zsh: Any = shell_completion.get_completion_class("zsh")
_Fish: Any = shell_completion.get_completion_class("fish")
_PowerShell: Any = shell_completion.get_completion_class("powershell")

FILE, DIRECTORY = ("file", "dir")
"""What is meant where it is not a name, see ``CompletionItem.type``."""

_MEANS_FILE = re.compile(r"\b(FILE|SIG|[A-Z]\.[a-z]+)\b")
_MEANS_DIRECTORY = re.compile(r"\bDIR\b")
_CHOICES = re.compile(r"[a-z0-9_-]+(\|[a-z0-9_-]+)+")

BASH = """\
_twin_completion() {
    local IFS=$'\\n' kind value meant=
    COMPREPLY=()
    if [[ ${COMP_WORDS[COMP_CWORD - 1]} == *[\\<\\>] ]]; then
        compopt -o default 2> /dev/null
        return
    fi
    while IFS=, read -r kind value; do
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            *) meant=$kind ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
             _TWIN_COMPLETE=complete_bash "$1")
    if [[ $meant == dir ]]; then
        compopt -o dirnames 2> /dev/null
    elif [[ $meant == file && ${#COMPREPLY[@]} -eq 0 ]]; then
        compopt -o default 2> /dev/null
    elif [[ $meant == file ]]; then
        compopt -o filenames 2> /dev/null
        while read -r value; do
            COMPREPLY+=("$value")
        done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    fi
}

complete -F _twin_completion twin
"""

FISH = """\
function __twin_complete
    _TWIN_COMPLETE=complete_$argv[1] _TYPER_COMPLETE_ARGS=(commandline -cp) twin
end

complete --command twin --no-files --arguments "(__twin_complete fish)"
complete --command twin --force-files --condition "__twin_complete fishfile"
"""

SCRIPTS = {"bash": BASH, "fish": FISH}
"""The scripts that are not Typer's."""


def script(shell: str) -> str:
    """Return the script of a shell."""
    found = SCRIPTS.get(shell)
    if found is None:
        made = get_completion_script(prog_name="twin", complete_var="_TWIN_COMPLETE", shell=shell)
        found = f"{made}\n"
    return found


def meant_by(metavar: str | None) -> str | None:
    """Return ``FILE`` or ``DIRECTORY`` where a value is one, by how help writes it; else None."""
    if metavar is not None and _MEANS_FILE.search(metavar):
        return FILE
    return DIRECTORY if metavar is not None and _MEANS_DIRECTORY.search(metavar) else None


def offer_values(parameter: Any) -> None:
    """Have a parameter offer what help says: its choices, and files behind names."""
    metavar = parameter.metavar or ""
    kind = meant_by(metavar)
    choices = metavar.split("|") if _CHOICES.fullmatch(metavar) else []
    if kind is None and not choices:
        return
    names = parameter.shell_complete

    def complete(context: Any, incomplete: str) -> list[Any]:
        if kind is not None:
            item = shell_completion.CompletionItem(incomplete, type=kind)
            return [*names(context, incomplete), item]
        return names(context, incomplete) or [
            shell_completion.CompletionItem(each) for each in choices if each.startswith(incomplete)
        ]

    parameter.shell_complete = complete


def _parts(items: list[Any]) -> tuple[list[Any], str | None]:
    """Return the names among what is offered, and what is meant besides them."""
    meant = [item.type for item in items if item.type in {FILE, DIRECTORY}]
    return [item for item in items if item.type == "plain"], meant[0] if meant else None


def _option_of(word: str) -> str:
    """Return the part of ``--node=lo`` that stays as it is, else nothing."""
    option, sign, _ = word.partition("=")
    return option + sign if sign and option.startswith("--") else ""


class Bash(_Bash):  # type: ignore[misc]
    """Answers with a line each: ``plain,NAME``, ``file,`` or ``dir,``."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is typed, and that one."""
        args, incomplete = super().get_completion_args()
        joined: list[str] = []
        for word in args:  # to bash, --node=local is three words
            if joined and joined[-1].startswith("--") and word == "=":
                joined[-1] += "="
            elif joined and joined[-1].startswith("--") and joined[-1].endswith("="):
                joined[-1] += word
            else:
                joined.append(word)
        if joined:
            joined[-1] = joined[-1].removesuffix("=")
        return joined, incomplete

    def format_completion(self, item: Any) -> str:
        """Return a line."""
        return f"plain,{item.value}" if item.type == "plain" else f"{item.type},"


class Zsh(_Zsh):  # type: ignore[misc]
    """Answers with the commands that add what is offered."""

    def complete(self) -> str:
        """Return the commands."""
        args, incomplete = self.get_completion_args()
        names, meant = _parts(self.get_completions(args, incomplete))
        # What is completed of --node=lo is what follows the sign.
        commands = ["compset -P '*='"] if _option_of(incomplete) else []
        if names:
            offered = "\n".join(map(self.format_completion, names))
            commands.append(f"_arguments '*: :(({offered}))'")
        if meant is not None:
            commands.append("_files" if meant == FILE else "_files -/")
        return "; ".join(commands)


class Fish(_Fish):  # type: ignore[misc]
    """Answers with names."""

    def complete(self) -> str:
        """Return the names."""
        args, incomplete = self.get_completion_args()
        names, _ = _parts(self.get_completions(args, incomplete))
        option = _option_of(incomplete)
        return "\n".join(option + self.format_completion(name) for name in names)


class FishFile(_Fish):  # type: ignore[misc]
    """Answers by its status whether a file is meant."""

    def complete(self) -> str:
        """Exit with the answer."""
        _, meant = _parts(self.get_completions(*self.get_completion_args()))
        sys.exit(0 if meant else 1)


class PowerShell(_PowerShell):  # type: ignore[misc]
    """Answers with names; PowerShell offers files where there are none."""

    def get_completions(self, args: list[str], incomplete: str) -> list[Any]:
        """Return the names."""
        return _parts(super().get_completions(args, incomplete))[0]


def register() -> None:
    """Have the shells answered in this way."""
    for answering in (Bash, Zsh, Fish, FishFile, PowerShell):
        shell_completion.add_completion_class(answering, answering.__name__.lower())
