"""``twin node add|use|list|remove|info``: networks by name, and how their nodes are."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from twincli import config as settings
from twincli.cli.context import Context
from twincli.cli.opened import is_file
from twincli.cli.parsing import candidates
from twincli.cli.result import Result

NewName = Annotated[str, typer.Argument(metavar="NAME", help="The name of the network.")]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The name of the network.", autocompletion=candidates.networks
    ),
]


def add(
    context: Context,
    name: NewName,
    urls: Annotated[
        list[str], typer.Argument(metavar="URL...", help="Its nodes, the first asked first.")
    ],
    header_file: Annotated[
        str | None,
        typer.Option(
            "--header-file",
            metavar="FILE",
            help="Private file of headers to send, a line NAME: VALUE each.",
        ),
    ] = None,
    tls_ca: Annotated[
        str | None,
        typer.Option(
            "--tls-ca", metavar="FILE", help="Authorities that certify its nodes, in PEM."
        ),
    ] = None,
    tls_cert: Annotated[
        str | None,
        typer.Option("--tls-cert", metavar="FILE", help="Certificate to show to it, in PEM."),
    ] = None,
    tls_key: Annotated[
        str | None,
        typer.Option("--tls-key", metavar="FILE", help="Its key, if it is in another file."),
    ] = None,
) -> Result:
    """Give a network a name: --node NAME then reaches it."""
    from twincli.client.tls import Tls
    from twincli.services.network import networks

    settings.require_home(context.paths)
    document = networks.add(
        context.paths.nodes,
        name,
        urls,
        header_file,
        Tls(tls_ca, tls_cert, tls_key),
        dry_run=context.dry_run,
    )
    said = f"added {name}" if document["created"] else f"{name} is there already"
    return Result(
        document,
        notes=(f"would add {name}" if context.dry_run else said,),
        warnings=tuple(document["warnings"]),
    )


def use(
    context: Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|local",
            help="A network, or the ledger of this home.",
            autocompletion=candidates.nodes,
        ),
    ],
) -> Result:
    """Make a network, or local, what all commands use without --node."""
    settings.require_home(context.paths)
    if is_file(name):
        # Whatever directory a later command is run in.
        name = f"file:{os.path.abspath(name.removeprefix('file:'))}"
    elif name != "local":
        from twincli.services.network import networks

        networks.find(context.paths.nodes, name)
    before = context.node
    settings.set_value(context.paths, "node", name, dry_run=context.dry_run)
    return Result(
        {
            "schema": "twin.setting/1",
            "name": "node",
            "value": name,
            "source": context.paths.settings,
            "changed": before != name,
        }
    )


def list_networks(context: Context) -> Result:
    """List the networks that have a name."""
    from twincli.services.network import networks

    return Result(
        networks.listing(context.paths.nodes, context.node),
        listing="networks",
        columns=(
            ("name", "name"),
            ("urls", lambda item: ",".join(item["urls"])),
            ("header_file", "header_file"),
            ("used", lambda item: "used" if item["used"] else ""),
        ),
        item_schema="twin.network-item/1",
    )


def remove(context: Context, name: Name) -> Result:
    """Forget the name of a network; what was fetched from it stays."""
    from twincli.services.network import networks

    document = networks.remove(context.paths.nodes, name, dry_run=context.dry_run)
    in_use = context.node == name
    left = f"{name} is still what commands use without --node; twin node use local goes back"
    return Result(document, warnings=(left,) if in_use else ())


def info(
    context: Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|URL]",
            help="A network; the one in use by default.",
            autocompletion=candidates.networks,
        ),
    ] = None,
) -> Result:
    """Show how the nodes of a network are; exit 8 when none answers."""
    from twincli.errors import UsageError
    from twincli.services.network import networks

    chosen = name or context.node
    if chosen == "local" or chosen.startswith("file:"):
        raise UsageError(
            f"{chosen} is a ledger on this machine, not a network",
            hint="twin node info NAME or URL; of a ledger here: twin ledger info",
        )
    document = networks.info(
        networks.find(context.paths.nodes, chosen),
        chosen,
        float(context.settings.timeout.value),
        context.tls,
    )
    return Result(
        document,
        listing="nodes",
        columns=(
            ("url", "url"),
            ("reachable", lambda node: "yes" if node["reachable"] else "NO"),
            ("software", _software),
            ("ledger", "ledger"),
            ("height", "height"),
            ("latency_ms", "latency_ms"),
            ("error", "error"),
        ),
        item_schema="twin.node-item/1",
        notes=tuple(f"{node['url']}: {node['hint']}" for node in document["nodes"] if node["hint"]),
        warnings=tuple(document["warnings"]),
        exit_code=0 if any(node["reachable"] for node in document["nodes"]) else 8,
    )


def _software(node: dict[str, Any]) -> str:
    return " ".join(part for part in (node["software"], node["version"]) if part)
