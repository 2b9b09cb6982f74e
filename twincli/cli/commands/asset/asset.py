"""``twin asset``: looking at and burning twins; `parsing.data_commands` has the other verbs."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from twincli.cli.asking import confirm
from twincli.cli.commands.asset import (  # noqa: F401 - their commands
    cards,
    changes,
    export,
    find,
    freeze,
    migrate,
)
from twincli.cli.commands.asset.group import app
from twincli.cli.commands.asset.write import PIPED
from twincli.cli.commands.stream import latest
from twincli.cli.context import Context
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.result import Result
from twincli.cli.showing import drawing, grid, partial
from twincli.errors import TwinError, UsageError
from twincli.model.names import near
from twincli.model.template import family
from twincli.model.text import one_line, separated
from twincli.services.tx.prepared import Prepared

if TYPE_CHECKING:
    from twincli.services.documents import Asset, Assets, Tree
    from twincli.services.workspace import Workspace


@typer_frame.command(app, "show")
def show(
    context: Context,
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="The assets.", autocompletion=candidates.assets),
    ],
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME", help="As they were at this time.")
    ] = None,
    view: Annotated[bool, typer.Option("--view", help="Draw the card of their template.")] = False,
) -> Result:
    """Show assets: their facts, state and owners."""
    workspace = context.workspace()
    if view:
        return cards.show(workspace, names, as_of)
    if len(names) == 1:
        document = _shown(context, workspace, names[0], as_of)
        return Result(document, terminal=drawing.asset, warnings=cards.missing(document))
    return Result(
        {
            "schema": "twin.assets/1",
            "assets": [_shown(context, workspace, name, as_of) for name in dict.fromkeys(names)],
        },
        listing="assets",
        columns=(("name", "name"), ("id", "id"), ("owners", "owner"), ("state", "state")),
        item_schema="twin.asset/1",
        terminal=_draw_assets,
    )


def _shown(context: Context, workspace: Workspace, name: str, as_of: str | None) -> Asset:
    from twincli.services.asset import document as documents

    shown = documents.show(workspace, name, as_of)
    if as_of is None:
        latest.add(context, workspace, shown)
        if shown["id"] is not None:
            from twincli.services.life.now import life

            found = life(workspace, shown["id"])
            if found is not None:
                shown["life"] = found
            from twincli.services.cert.standings import standings

            certificates = standings(workspace, shown["id"])
            if certificates:
                shown["certificates"] = certificates
    return shown


def _draw_assets(document: Assets, console: Any) -> None:
    for number, shown in enumerate(document["assets"]):
        if number:
            console.print()
        drawing.asset(cast("dict[str, Any]", shown), console)


@typer_frame.command(app, "list")
def list_assets(
    context: Context,
    everything: Annotated[bool, typer.Option("--all", help="All assets of the ledger.")] = False,
    owner: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER", help="Only those of this owner.", autocompletion=candidates.parties
        ),
    ] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only this kind.")] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Only this model.")] = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Only those held to this template, or to any of its family (the id without -vN).",
            autocompletion=candidates.templates,
        ),
    ] = None,
    state: Annotated[
        bool, typer.Option("--state", help="Include the current state of each.")
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B.C", help="Columns to show: paths in the state or the facts."),
    ] = None,
) -> Result:
    """List your assets: those your keys own and those you have named."""
    if everything and owner is not None:
        raise UsageError("--all and --owner cannot be given together")
    if template == "":
        raise UsageError("--template needs the id of a template", hint="twin template list")
    from twincli.cli.commands.asset import columns as chosen
    from twincli.services import catalogue
    from twincli.services.asset import listings

    picked = None if columns is None else chosen.chosen(columns)
    workspace = context.workspace()
    document = listings.list_assets(
        workspace,
        everything=everything,
        owner=owner,
        kind=kind,
        model=model,
        template=template,
        state=state or picked is not None,
        data=picked is not None,
    )
    rows = iter(document["assets"])
    first = list(islice(rows, 1))
    document["assets"] = chain(first, rows)
    notes: tuple[str, ...] = ()
    if not first and template is not None:
        known = catalogue.ids(workspace)
        known = [*known, *map(family, known)]
        meant = None if template in known else near(template, known)
        notes = (
            f"no twin here follows {template}" + (f"; did you mean {meant}?" if meant else ""),
        )
    elif not first and not everything and owner is None and kind is None and model is None:
        notes = ("no asset here is yours or has a name; to see all: twin asset list --all",)
    return Result(
        document,
        notes=notes,
        listing="assets",
        columns=picked
        or (
            ("name", "name"),
            ("id", "id"),
            ("kind", "kind"),
            ("owners", "owner"),
            ("amount", "amount"),
            ("burned", lambda item: "burned" if item["burned"] else ""),
            *((("state", "state"),) if state else ()),
        ),
        item_schema="twin.asset-item/1",
    )


@typer_frame.command(app, "burn", writes=True)
def burn(
    context: Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The asset.", autocompletion=candidates.assets)
    ],
) -> Result:
    """Burn an asset for good: nobody can ever append to it or transfer it again."""
    from twincli.services import resolve
    from twincli.services.asset.transfer import burn as service

    prepare = context.writes.prepare
    workspace = context.workspace()
    resolve.asset_id_of(workspace, name)  # a wrong name is said before anything is asked
    question = f"{name} will be burned; this cannot be undone."
    if prepare is not None:
        # Who signs is asked, and nothing burns before.
        partial.check_free(prepare)
    elif not context.dry_run and not confirm.confirm_name(question, name, context):
        raise TwinError("cancelled: the name typed does not match", code="declined")
    document = service(workspace, name, context.writes.writing())
    if isinstance(document, Prepared):
        return partial.prepared(context, document, str(prepare))
    said = f"would burn {name}" if context.dry_run else f"burned {name}"
    notes = partial.not_prepared(prepare) or (said,)
    return Result(
        document,
        columns=(*PIPED, ("burned", "burned")),
        notes=notes,
        warnings=tuple(document["warnings"]),
        terminal=drawing.written,
    )


@typer_frame.command(app, "outputs")
def outputs(
    context: Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The asset; your own outputs by default.",
            autocompletion=candidates.assets,
        ),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER", help="Only those of this owner.", autocompletion=candidates.parties
        ),
    ] = None,
    unspent: Annotated[bool, typer.Option("--unspent", help="Only unspent outputs.")] = False,
) -> Result:
    """List outputs: who holds or held how much of an asset."""
    from twincli.services.asset import listings

    document = listings.outputs(context.workspace(), name, owner=owner, unspent=unspent)
    return Result(
        document,
        listing="outputs",
        columns=(
            ("transaction_id", "transaction_id"),
            ("output_index", "output_index"),
            ("amount", "amount"),
            ("owners", "owner"),
            ("asset_id", "asset_id"),
            ("spent_by", "spent_by"),
        ),
        item_schema="twin.output/1",
    )


@typer_frame.command(app, "balance")
def balance(
    context: Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The asset; all you hold by default.",
            autocompletion=candidates.assets,
        ),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER", help="Only what this owner holds.", autocompletion=candidates.parties
        ),
    ] = None,
) -> Result:
    """Show how much of an asset each owner holds."""
    from twincli.services.asset import listings

    return Result(
        listings.balance(context.workspace(), name, owner=owner),
        listing="balances",
        columns=(
            ("asset", lambda item: item["asset_name"] or item["asset_id"]),
            ("owners", "owners"),
            ("amount", "amount"),
            ("outputs", "outputs"),
        ),
        item_schema="twin.balance/1",
    )


@typer_frame.command(app, "tree")
def tree(
    context: Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A key or an asset; all your keys by default.",
            autocompletion=candidates.parties_and_assets,
        ),
    ] = None,
) -> Result:
    """Show who owns what, including what the things themselves own."""
    from twincli.services.asset import tree as service

    document = service.tree(context.workspace(), name)
    return Result(
        document,
        text=(
            _tree_rows(document)
            if context.mode.form == "auto" and not context.mode.terminal
            else None
        ),
        terminal=lambda shown, console: _draw_tree(shown, console, wide=context.mode.wide),
    )


def _tree_rows(document: Tree) -> str:
    """Return the tree for a pipe: one row a node, parents first, with its depth."""
    rows = ["depth\ttype\tname\tid\trelation\tstanding\tkind\n"]
    nodes = [(0, node) for node in reversed(document["roots"])]
    while nodes:
        depth, node = nodes.pop()
        cells = (
            str(depth),
            node["type"],
            node["name"] or "",
            node.get("id") or node["public_key"],
            node["relation"] or "",
            node.get("standing") or "",
            node.get("kind") or "",
        )
        rows.append("\t".join(map(separated, cells)) + "\n")
        nodes.extend((depth + 1, child) for child in reversed(node["children"]))
    return "".join(rows)


def _draw_tree(document: Tree, console: Any, *, wide: bool) -> None:
    from rich.text import Text
    from rich.tree import Tree

    def label(node: dict[str, Any]) -> Text:
        text = Text(one_line(node["name"] or ""), style="bold")
        what = "key" if node["type"] == "key" else node["kind"] or "asset"
        if node["relation"] == "part":
            standing = "" if node["standing"] == "authorised" else f" ({node['standing']})"
            what = f"part{standing.replace('_', ' ')}, {what}"
        if node["seen"]:
            what += " (see above)"
        elif node["cut"]:
            what += " (continued: twin asset tree ID)"
        ident = node.get("id") or node["public_key"]
        if not wide and len(ident) + len(text) > console.width and "id" not in node:
            ident = f"{ident[:10]}..."  # a broken line draws no tree; --wide shows it whole
        text.append(f"  {one_line(what)}", style="not bold")
        text.append(f"  {ident if wide else grid.shortened(ident)}", style="not bold dim")
        return text

    for root in document["roots"]:
        tree = Tree(label(root))
        todo = [(tree, child) for child in reversed(root["children"])]
        while todo:
            branch, node = todo.pop()
            below = branch.add(label(node))
            todo.extend((below, child) for child in reversed(node["children"]))
        console.print(tree)
