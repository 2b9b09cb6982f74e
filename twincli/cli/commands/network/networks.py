"""``twin node add|use|list|remove|info``: networks by name, and the state of their nodes."""

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
        list[str], typer.Argument(metavar="URL...", help="Its nodes, in the order to ask them.")
    ],
    header_file: Annotated[
        str | None,
        typer.Option(
            "--header-file",
            metavar="FILE",
            help="Private file of headers to send, one NAME: VALUE per line.",
        ),
    ] = None,
    tls_ca: Annotated[
        str | None,
        typer.Option("--tls-ca", metavar="FILE", help="Authorities that certify its nodes, PEM."),
    ] = None,
    tls_cert: Annotated[
        str | None,
        typer.Option("--tls-cert", metavar="FILE", help="Certificate to show to it, in PEM."),
    ] = None,
    tls_key: Annotated[
        str | None,
        typer.Option(
            "--tls-key", metavar="FILE", help="Key of the certificate, if in another file."
        ),
    ] = None,
) -> Result:
    """Give a network a name, for --node NAME."""
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
    said = f"added {name}" if document["created"] else f"{name} already exists"
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
    """Choose what commands use without --node: a network, or local."""
    settings.require_home(context.paths)
    if is_file(name):
        # A later command may run in another directory.
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
    """List the named networks."""
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
    """Remove the name of a network; data fetched from it stays."""
    from twincli.services.network import networks

    document = networks.remove(context.paths.nodes, name, dry_run=context.dry_run)
    in_use = context.node == name
    left = f"commands without --node still use {name}; to change that: twin node use local"
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
    """Show the state of a network's nodes; exit 8 if none answers."""
    from twincli.errors import UsageError
    from twincli.services.network import networks

    chosen = name or context.node
    if chosen == "local" or chosen.startswith("file:"):
        raise UsageError(
            f"{chosen} is a ledger on this machine, not a network",
            hint="twin node info NAME or URL; for a ledger on this machine: twin ledger info",
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
