"""Arguments and options that several commands of ``twin keys`` have, and the secrets in them."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from twincli.cli import file_arguments
from twincli.cli.asking import confirm, terminal
from twincli.cli.context import Context
from twincli.cli.parsing import candidates
from twincli.errors import ConfigError, InvalidError, LockedError
from twincli.keystore import secret_text

_LONGEST = 65536


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The key's name.", autocompletion=candidates.keys)
]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="The key's name.")]
NoPassphrase = Annotated[
    bool, typer.Option("--no-passphrase", help="Keep the secret without a passphrase.")
]
IfMissing = Annotated[
    bool, typer.Option("--if-missing", help="Succeed if the same key already exists.")
]
Bip39File = Annotated[
    str | None,
    typer.Option(
        "--bip39-passphrase-file",
        metavar="FILE",
        help="File with BIP39's own passphrase (the 25th word).",
    ),
]


def secret_of(context: Context, name: str, file: str | None, what: str) -> str:
    """Return a secret from a file, from stdin for ``-``, else asked for without showing it.

    Args:
        context: The run.
        name: Whose it is.
        file: The file.
        what: What it is, such as ``phrase``.

    Raises:
        LockedError: There is no file, and no terminal to ask.
        NotFoundError, ConfigError, InvalidError: ``no_file``, ``cannot_read``, ``too_long``,
            ``not_text``.
    """
    if file is not None:
        return _text(file, f"the {what}")
    typed = terminal.ask(f"{what.capitalize()} of key {name} (not shown): ", echo=False)
    if typed is None:
        raise LockedError(
            f"the {what} is needed, but there is no terminal to ask for it",
            hint=confirm.retry(context, "FILE"),
        )
    return _decoded(typed, f"the {what}", "as typed")


def _text(path: str, what: str) -> str:
    """Return the text of a small file that holds a secret; no error quotes any of it.

    Args:
        path: The file; ``-`` for stdin.
        what: What it holds, for the error.

    Raises:
        NotFoundError: ``no_file``.
        ConfigError: ``cannot_read``.
        InvalidError: ``too_long``, ``not_text``.
    """
    data = file_arguments.beginning(os.path.expanduser(path), _LONGEST + 1)
    return _decoded(data, what, "on stdin" if path == "-" else f"in {path}")


def _decoded(data: bytes, what: str, where: str) -> str:
    """Return a secret as text.

    Raises:
        InvalidError: ``too_long``, ``not_text``.
    """
    if len(data) > _LONGEST:
        raise InvalidError(f"{what} {where} is longer than {_LONGEST} bytes", code="too_long")
    return secret_text.checked(data, f"{what} {where}").decode()


def bip39_passphrase(path: str | None) -> str:
    """Return BIP39's own passphrase; nothing without a file.

    Raises:
        ConfigError: ``empty_passphrase``; as ``secret_of``.
    """
    if path is None:
        return ""
    what = f"the BIP39 passphrase in {path}"
    text = secret_text.one_line(_text(path, "the BIP39 passphrase").encode(), what).decode()
    if not text:
        raise ConfigError(f"the BIP39 passphrase in {path} is empty", code="empty_passphrase")
    return text
