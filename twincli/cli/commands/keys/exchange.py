"""The commands of ``twin keys`` about files of other programs, passphrases and derived keys."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from twincli import files
from twincli.cli.asking import confirm, passphrases, sinks
from twincli.cli.commands.keys.arguments import (
    Bip39File,
    IfMissing,
    Name,
    NewName,
    NoPassphrase,
    bip39_passphrase,
    secret_of,
)
from twincli.cli.context import Context, is_terminal
from twincli.cli.parsing import candidates
from twincli.cli.result import Result
from twincli.errors import UsageError

Format = Literal["seed", "base58", "pem", "openssh", "mnemonic"]
_FORMATS = "seed|base58|pem|openssh|mnemonic"


def export(
    context: Context,
    name: Name,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE|-]", help="New file for the public key; default: stdout."),
    ] = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format", metavar=_FORMATS, show_default=False, help="The format; default: base58."
        ),
    ] = "base58",
    secret: Annotated[
        bool, typer.Option("--secret", help="Export the secret, to the file of -o.")
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE|-",
            help="New file, mode 0600 with --secret; - for a pipe.",
        ),
    ] = None,
    new_passphrase_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Encrypt the exported secret (pem, openssh) with the passphrase in this file.",
        ),
    ] = None,
) -> Result:
    """Export a key for other programs: its public half, or with --secret -o FILE all of it."""
    from twincli.crypto import containers
    from twincli.services.keys import exchange

    target = _target(context, file, output, secret=secret)
    if new_passphrase_file is not None and not (secret and form in containers.ENCRYPTED):
        raise UsageError(
            "--new-passphrase-file encrypts a secret in the format pem or openssh",
            hint="--secret --format openssh -o FILE --new-passphrase-file FILE",
        )
    workspace = context.workspace_without_ledger()
    workspace.keystore.get(name)  # a missing key is reported before a file is made
    write = _writer(context, target, mode=0o600 if secret else 0o644)
    if secret:
        document, text = exchange.export_secret(
            workspace,
            name,
            form,
            passphrase=None
            if new_passphrase_file is None
            else passphrases.from_file(new_passphrase_file, "--new-passphrase-file"),
        )
    else:
        document, text = exchange.export_public(workspace, name, form)
    warnings = tuple(document["warnings"])
    if context.dry_run:
        return Result(document, notes=("nothing was written",), warnings=warnings)
    if write is not None:
        write(text)
        return Result({**document, "file": target}, warnings=warnings)
    if secret:
        return Result(document, text=text, warnings=warnings)
    return Result({**document, "text": text}, text=text, warnings=warnings)


def _target(context: Context, file: str | None, output: str | None, *, secret: bool) -> str | None:
    """Return the file to write, or None for stdout, after a look at where a secret would go."""
    if not secret:
        if file is not None and output is not None:
            raise UsageError(f"{file} and -o {output} both name a file for the public key")
        return None if (target := file if output is None else output) == "-" else target
    if output is None or file is not None:
        raise UsageError(
            "a secret is exported only to the file of -o",
            hint="twin keys export NAME --secret -o FILE",
        )
    if output != "-":
        return output
    options = context.options
    if options.json or options.jsonl or options.get is not None:
        raise UsageError("-o - writes the secret alone, so --json, --jsonl and --get do not apply")
    if is_terminal(sys.stdout):
        raise UsageError(
            "a secret is not shown on a terminal",
            code="secret_on_terminal",
            hint="-o FILE makes a file of mode 0600; -o - is for a pipe",
        )
    return None


def _writer(context: Context, target: str | None, *, mode: int) -> Callable[[str], None] | None:
    if target is None:
        return None
    if context.dry_run:
        files.check_free(target)
        return None
    return sinks.file_sink(context, target, mode=mode)


def import_key(
    context: Context,
    name: NewName,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|-]",
            help="File with the secret key, - for stdin; default: prompt for it.",
        ),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", metavar=_FORMATS, help="Its format; default: detected."),
    ] = None,
    input_passphrase_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="File with the passphrase that encrypts FILE itself."),
    ] = None,
    no_passphrase: NoPassphrase = False,
    if_missing: IfMissing = False,
) -> Result:
    """Keep a key that another program made: OpenSSL, ssh-keygen, a BigchainDB driver."""
    from twincli.services.keys import exchange
    from twincli.services.keys.keys import NewKey

    workspace = context.workspace_without_ledger()
    wanted = NewKey(name, context.new_secret_source(no_passphrase=no_passphrase), if_missing)
    if not if_missing:
        workspace.keystore.check_new(name)
    what = "the imported key" if file in {None, "-"} else str(file)
    document = exchange.import_key(
        workspace,
        wanted,
        secret_of(context, name, file, "secret"),
        form=form,
        input_passphrase=passphrases.input_source(context, input_passphrase_file, what),
    )
    return Result(document, notes=("nothing was made",) if context.dry_run else ())


def passwd(
    context: Context,
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Names of keys.", autocompletion=candidates.keys),
    ],
    new_passphrase_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="File with the new passphrase; default: prompt for it."),
    ] = None,
    no_passphrase: NoPassphrase = False,
) -> Result:
    """Give keys another passphrase; a wrong old one changes nothing.

    The old one comes from --passphrase-file and the like. Backups keep the old one.
    """
    from twincli.services.keys import exchange

    whose = f"key {names[0]}" if len(names) == 1 else f"the keys {', '.join(names)}"
    document = exchange.passwd(
        context.workspace_without_ledger(),
        names,
        new_passphrase=passphrases.changed_source(
            context, whose, file=new_passphrase_file, no_passphrase=no_passphrase
        ),
    )
    failed = [key for key in document["keys"] if key["error"]]
    return Result(
        document,
        listing="keys",
        columns=(
            ("name", "name"),
            ("passphrase", _protected),
            ("changed", "changed"),
            ("error", "error.message"),
        ),
        item_schema="twin.passwd-key/1",
        exit_code=10 if failed else 0,
        notes=("nothing was changed",) if context.dry_run else (),
    )


def _protected(key: dict[str, Any]) -> str:
    return "yes" if key["passphrase"] else "NONE"


def derive(
    context: Context,
    name: Name,
    prefix: Annotated[
        str | None,
        typer.Argument(
            metavar="[PREFIX]", help="Names the new keys PREFIX-0, PREFIX-1 ...; default: NAME."
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=100_000, help="Number of keys to derive."),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Derive them at PATH/0', PATH/1' ...; default: m/44'/822'/0'/0'."
        ),
    ] = None,
    bip39_passphrase_file: Bip39File = None,
    no_passphrase: NoPassphrase = False,
) -> Result:
    """Make keys for many devices from the phrase of one key.

    A key that already exists stays as it is, under whatever name, so the command can be run again,
    also with a larger --count. All get one passphrase; a key with a passphrase takes about 0.2 s.
    """
    from twincli.services.keys import phrases

    if count is None:
        raise UsageError(
            "--count is missing: the number of keys to derive",
            hint=confirm.retry(context, "--count", "N"),
        )
    stem = name if prefix is None else prefix
    document = phrases.derive(
        context.workspace_without_ledger(),
        name,
        count,
        child_source=context.new_secret_source(
            no_passphrase=no_passphrase, for_all=f"the keys {stem}-0 to {stem}-{count - 1}"
        ),
        prefix=prefix,
        path=path,
        bip39_passphrase=bip39_passphrase(bip39_passphrase_file),
    )
    return Result(
        document,
        listing="keys",
        columns=(
            ("name", "name"),
            ("public_key", "public_key"),
            ("path", "path"),
            ("passphrase", _protected),
            ("created", "created"),
        ),
        item_schema="twin.key/1",
        notes=("nothing was made",)
        if context.dry_run
        else (f"{document['made']} keys made, {count - document['made']} already existed",),
    )
