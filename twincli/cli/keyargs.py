"""Arguments and options that several commands of ``twin keys`` have."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli import inputs, secrets
from twincli.cli.context import Context, Options
from twincli.errors import LockedError, TwinError


def key_names() -> list[str]:
    """Return the names of keys, for completion."""
    try:
        with Context(Options()) as context:
            return [info.name for info in context.keystore.scan()[0]]
    except TwinError:
        return []


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The key's name.", autocompletion=key_names)
]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="The key's name.")]
NoPassphrase = Annotated[
    bool, typer.Option("--no-passphrase", help="Keep the secret without a passphrase.")
]
IfMissing = Annotated[
    bool, typer.Option("--if-missing", help="Be content when the same key is there already.")
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
        NotFoundError, ConfigError, InvalidError: See ``inputs.secret_text``.
    """
    if file is not None:
        return inputs.secret_text(file, f"the {what}")
    typed = secrets.ask(f"{what.capitalize()} of key {name} (not shown): ", echo=False)
    if typed is None:
        raise LockedError(
            f"the {what} is needed, and there is no terminal to ask for it",
            hint=secrets.retry(context, "FILE"),
        )
    return inputs.decoded(typed, f"the {what}", "as typed")
