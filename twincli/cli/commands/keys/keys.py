"""``twin keys``: make, recover, list, show, rename and remove keys.

The commands about key files and about signatures stand in modules of their own.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

import typer

from twincli import config
from twincli.cli.asking import confirm, sinks
from twincli.cli.commands.keys import exchange, rotate, signatures
from twincli.cli.commands.keys.arguments import (
    Bip39File,
    IfMissing,
    Name,
    NewName,
    NoPassphrase,
    bip39_passphrase,
    secret_of,
)
from twincli.cli.context import Context
from twincli.cli.opened import HOME
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Column, Result
from twincli.errors import ConfigError, TwinError, UsageError

app = typer_frame.group("keys")

DEFAULT_NAME = "default"

Path = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Derive by SLIP-0010 at this path, such as m/44'/822'/0'/0'/0' or 44h;"
        " default: the tutorial's rule, the first 32 bytes of the seed.",
    ),
]


@typer_frame.command(app, "new", creates=HOME, refuses=("node",))
def new(
    context: Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help=f"The key's name; default: {DEFAULT_NAME}."),
    ] = None,
    mnemonic: Annotated[
        bool, typer.Option("--mnemonic", help="Make it from a phrase that you write down.")
    ] = False,
    words: Annotated[
        Literal["12", "24"] | None,
        typer.Option(metavar="12|24", help="Number of words in the phrase; default: 24."),
    ] = None,
    mnemonic_out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the phrase to this new file, mode 0600."),
    ] = None,
    path: Path = None,
    no_passphrase: NoPassphrase = False,
    provider: Annotated[
        Literal["file", "pkcs11", "command"],
        typer.Option(
            metavar="file|pkcs11|command",
            help="Where the secret lives: in a file here, in a chip, behind a program.",
        ),
    ] = "file",
    module: Annotated[
        str | None, typer.Option(metavar="FILE", help="Chip: its PKCS#11 module, a library.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Chip: the token's label or serial number."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Chip: the label of the key in it.")
    ] = None,
    key_id: Annotated[
        str | None, typer.Option("--id", metavar="HEX", help="Chip: the id of the key in it.")
    ] = None,
    generate: Annotated[
        bool,
        typer.Option(
            "--generate",
            help="Chip: make a key that never leaves it; default: use an existing one.",
        ),
    ] = False,
    command: Annotated[
        str | None,
        typer.Option(
            metavar="'PROGRAM ARG...'",
            help="Program that signs, run without a shell; --timeout allows more than 60 s.",
        ),
    ] = None,
    if_missing: IfMissing = False,
) -> Result:
    """Make a key, or add one that lives in a chip or behind a program.

    With --mnemonic the phrase goes to --mnemonic-out, with --json into the document, else to the
    terminal; it is shown before the key is written, and never goes to a plain pipe. A chip's PIN
    is asked for like a passphrase.
    """
    from twincli.services.keys import keys

    _check_fits(
        provider,
        file={
            "--mnemonic": mnemonic,
            "--words": words,
            "--mnemonic-out": mnemonic_out,
            "--path": path,
            "--no-passphrase": no_passphrase,
        },
        pkcs11={
            "--module": module,
            "--token": token,
            "--label": label,
            "--id": key_id,
            "--generate": generate,
        },
        command={"--command": command},
    )
    if mnemonic_out is not None and not mnemonic:
        raise UsageError("--mnemonic-out says where a phrase goes; add --mnemonic to make one")
    if words is not None and not mnemonic and path is None:
        raise UsageError("--words is the length of a phrase; add --mnemonic to make one")
    workspace = context.workspace_without_ledger()
    wanted = keys.NewKey(name if name is not None else DEFAULT_NAME, None, if_missing)
    if provider != "file":
        from twincli.services.keys import providers

        if module is not None:
            document = providers.new_pkcs11(
                workspace,
                wanted,
                module=module,
                token=token,
                label=label,
                key_id=key_id,
                generate=generate,
            )
        else:
            document = providers.new_command(
                workspace, wanted, command=command or "", timeout=context.options.timeout
            )
        return Result(document, notes=("nothing was made",) if context.dry_run else ())
    wanted = wanted._replace(passphrase=context.new_secret_source(no_passphrase=no_passphrase))
    # What can be known to fail is tried before a terminal, a file or the phrase is touched.
    planned = keys.new(workspace._replace(dry_run=True), wanted, with_mnemonic=mnemonic, path=path)
    if context.dry_run or planned["created"] is False:
        return Result(planned, notes=("nothing was made",) if context.dry_run else ())
    show = _sink(context, mnemonic_out) if mnemonic else None
    shown = False

    def show_phrase(phrase: str) -> None:
        nonlocal shown
        assert show is not None
        show(phrase)
        shown = True

    try:
        made = keys.new(
            workspace,
            wanted,
            with_mnemonic=mnemonic,
            words=int(words or "24"),
            path=path,
            show_phrase=None if show is None else show_phrase,
        )
    except TwinError:
        if shown and mnemonic_out is not None:
            _forget(mnemonic_out)
        raise
    return Result(made, notes=_where(mnemonic_out))


def _check_fits(provider: str, **options: dict[str, Any]) -> None:
    """Refuse options of another provider than the one that was chosen, and miss its own."""
    for owner, given in options.items():
        used = [option for option, value in given.items() if value]
        if owner != provider and used:
            raise UsageError(f"{used[0]} is for --provider {owner}, not {provider}")
    needed = {"pkcs11": "--module", "command": "--command"}.get(provider)
    if needed is not None and not options[provider][needed]:
        raise UsageError(f"--provider {provider} needs {needed}")


def _sink(context: Context, out: str | None) -> Any:
    """Return what takes the phrase, or None where the document does."""
    if out is None and context.options.get not in (None, "mnemonic"):
        raise UsageError(
            f"--get {context.options.get} would leave the phrase out",
            hint=confirm.retry(context, "--mnemonic-out", "FILE"),
        )
    return sinks.phrase_sink(context, out)


def _forget(path: str) -> None:
    """Take away the file of a phrase whose key was not made."""
    try:
        os.unlink(path)
    except OSError:
        return


def _where(out: str | None) -> tuple[str, ...]:
    return (f"wrote the phrase to {out}; keep it where nobody else can read it",) if out else ()


@typer_frame.command(app, "recover", creates=HOME)
def recover(
    context: Context,
    name: NewName,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|-]", help="File with the phrase, - for stdin; default: prompt for it."
        ),
    ] = None,
    path: Path = None,
    scan: Annotated[
        bool,
        typer.Option("--scan", help="Find the key's path by what it owns on the ledger."),
    ] = False,
    no_checksum: Annotated[
        bool,
        typer.Option(
            "--no-checksum", help="Take any text exactly as it is, such as the tutorial's phrase."
        ),
    ] = False,
    bip39_passphrase_file: Bip39File = None,
    no_passphrase: NoPassphrase = False,
    if_missing: IfMissing = False,
) -> Result:
    """Recover a key from its phrase.

    --scan tries the tutorial's rule and m/44'/822'/account'/0'/number': accounts 0 to 19, and in
    each all numbers until twenty in a row never owned anything. If it finds several keys, it
    chooses none and the error lists them.
    """
    from twincli.services.keys import keys

    if scan and path is not None:
        raise UsageError("--path names the key's path, --scan looks for it: give only one")
    if not scan:
        context.refuse("node")
    workspace = context.workspace_without_ledger()
    wanted = keys.NewKey(name, context.new_secret_source(no_passphrase=no_passphrase), if_missing)
    if not if_missing:
        # A name that is taken is reported before anything is asked for.
        workspace.keystore.check_new(name)
    extra = bip39_passphrase(bip39_passphrase_file)
    phrase = secret_of(context, name, file, "phrase")
    notes: tuple[str, ...] = ()
    if scan:
        from twincli.services.keys import phrases

        if context.node == "local":
            config.require_home(context.paths)  # without one there is no ledger to look at
        found = phrases.scan(
            workspace._replace(client=context.client),
            phrase,
            checksum=not no_checksum,
            bip39_passphrase=extra,
        )
        path = found.path
        notes = (f"found {'by the tutorial rule' if path is None else f'at {path}'}",)
    document = keys.recover(
        workspace,
        wanted,
        phrase,
        path=path,
        checksum=not no_checksum,
        bip39_passphrase=extra,
    )
    return Result(document, notes=(*notes, "nothing was made") if context.dry_run else notes)


@typer_frame.command(app, "list", refuses=("node",))
def list_keys(context: Context) -> Result:
    """List the keys; public keys and DIDs with --wide, or by twin keys show NAME."""
    from twincli.services.keys import keys

    document = keys.list_keys(context.workspace_without_ledger())
    return Result(
        document,
        listing="keys",
        columns=(
            ("name", "name"),
            ("public_key", "public_key"),
            ("did", "did"),
            _PASSPHRASE,
            ("rule", "rule"),
            ("provider", "provider"),
            ("created", "created"),
        ),
        brief=(
            ("name", "name"),
            _PASSPHRASE,
            ("created", lambda key: (key["created"] or "")[:10]),
            ("rule", lambda key: "" if key["rule"] == "random" else key["rule"]),
            ("provider", lambda key: "" if key["provider"] == "file" else key["provider"]),
        ),
        item_schema="twin.key/1",
        warnings=tuple(document["warnings"]),
    )


_PASSPHRASE: Column = ("passphrase", lambda key: "yes" if key["passphrase"] else "NONE")


@typer_frame.command(app, "show", refuses=("node",))
def show(context: Context, name: Name) -> Result:
    """Show the public part of a key; no passphrase is asked for."""
    from twincli.services.keys import keys

    return Result(keys.show(context.workspace_without_ledger(), name))


@typer_frame.command(app, "rename", refuses=("node",))
def rename(
    context: Context,
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
) -> Result:
    """Rename a key."""
    from twincli.services.keys import keys

    return Result(keys.rename(context.workspace_without_ledger(), name, new_name))


@typer_frame.command(app, "remove")
def remove(
    context: Context,
    name: Name,
    shred: Annotated[
        bool, typer.Option("--shred", help="Overwrite and erase its file; this cannot be undone.")
    ] = False,
) -> Result:
    """Remove a key; its file is kept in removed/ unless --shred."""
    from twincli.services.keys import keys

    if not context.dry_run:
        _ask_removal(context, name, shred=shred)
    document = keys.remove(context.workspace_without_ledger(), name, shred=shred)
    kept = document["kept_at"]
    return Result(document, notes=(f"its file is kept: {kept}",) if kept else ())


def _ask_removal(context: Context, name: str, *, shred: bool) -> None:
    owned = 0
    try:
        public_key = context.keystore.get(name).public_key
    except ConfigError:
        pass  # a damaged file can be removed too
    else:
        owned = _owned(context, public_key)
    owns = f", which owns {owned} outputs on this ledger" if owned else ""
    if shred:
        question = f"erase the key {name}{owns}? Only a backup or its phrase can bring it back."
        if not confirm.confirm_name(question, name, context):
            raise TwinError("cancelled: the name typed does not match", code="declined")
    else:
        context.confirm(f"remove the key {name}{owns}?")


def _owned(context: Context, public_key: str) -> int:
    """Return how many unspent outputs a key has, 0 where no ledger answers."""
    try:
        return len(context.client.outputs(public_key, spent=False))
    except TwinError:
        return 0  # it only makes the question clearer


typer_frame.command(app, "export", refuses=("node",))(exchange.export)
typer_frame.command(app, "import", creates=HOME, refuses=("node",))(exchange.import_key)
typer_frame.command(app, "passwd", refuses=("node",))(exchange.passwd)
typer_frame.command(app, "derive", refuses=("node",))(exchange.derive)
typer_frame.command(app, "rotate", refuses=("key",))(rotate.rotate)
typer_frame.command(app, "sign", refuses=("node",))(signatures.sign)
# It writes nothing; registered so that it works without a home, too.
typer_frame.command(app, "verify", creates=HOME)(signatures.verify)
