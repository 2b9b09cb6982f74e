"""``twin link``: links between assets, said by their owners."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.parsing.arguments import Twin
from twincli.cli.result import Result
from twincli.cli.showing import partial
from twincli.cli.showing.output import to_json
from twincli.errors import UsageError

app = typer_frame.group("link")

Source = Annotated[
    str,
    typer.Argument(
        metavar="A",
        help="The asset that the link goes out from.",
        autocompletion=candidates.assets,
    ),
]
Verb = Annotated[
    str,
    typer.Argument(
        metavar="VERB", help="is_variant_of, is_component_of, replaces, part or stream."
    ),
]
Target = Annotated[
    str,
    typer.Argument(
        metavar="B", help="The asset that it leads to.", autocompletion=candidates.assets
    ),
]


@typer_frame.command(app, "add", writes=True)
def add(
    context: Context,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[A]",
            help="The asset that the link goes out from.",
            autocompletion=candidates.assets,
        ),
    ] = None,
    verb: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERB]", help="is_variant_of, is_component_of, replaces, part or stream."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[B]", help="The asset that it leads to.", autocompletion=candidates.assets
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="Many links at once: a list of relationships, @FILE, or - for stdin.",
        ),
    ] = None,
) -> Result:
    """Link an asset to another one, A VERB B, or confirm what the other side said."""
    from twincli.services.link import links

    if data is not None:
        if source is not None:
            raise UsageError("name one link, or many with --data, not both")
        return _add_all(context, data)
    if source is None or verb is None or target is None:
        raise UsageError(
            "name the link: A VERB B",
            hint="twin link add gearbox is_component_of car",
        )
    made = links.add(partial.begun(context), source, verb, target, context.writes.writing())
    return partial.recorded(context, made, f"the link {source} {verb} {target}")


def _add_all(context: Context, data: str) -> Result:
    from twincli.cli import file_arguments
    from twincli.formats import relationships
    from twincli.services.link import links

    writes = context.writes
    for given, option in (
        (writes.once, "--once"),
        (writes.if_tip, "--if-tip"),
        (writes.prepare, "--prepare"),
    ):
        if given is not None:
            raise UsageError(
                f"{option} is for a single link",
                hint="links that exist are passed over, so the command can be run again",
            )
    if data == "-" or data.startswith("@"):
        name = data.removeprefix("@")
        listed = relationships.parse(file_arguments.read(name), file_arguments.what(name))
    else:
        listed = relationships.parse(data, "--data")
    done = links.add_all(context.workspace(), listed, writes.writing())
    count, existing = done["count"], done["existing"]
    said = f"{'would add' if context.dry_run else 'added'} {count} link{'' if count == 1 else 's'}"
    return Result(
        done,
        listing="links",
        columns=(("transaction_id", "transaction_id"), ("twin", "asset_name"), ("says", _says)),
        notes=(f"{said}; {existing} already there" if existing else said,),
        warnings=tuple(done["warnings"]),
        item_schema="twin.record/1",
    )


def _says(item: dict[str, Any]) -> str:
    body = item["body"]
    return f"{body['verb']} {body['to']}" if "to" in body else f"{body['from']} {body['verb']}"


@typer_frame.command(app, "remove", writes=True)
def remove(context: Context, source: Source, verb: Verb, target: Target) -> Result:
    """Take back the link A VERB B, or what was said of it here."""
    from twincli.services.link import links

    made = links.remove(partial.begun(context), source, verb, target, context.writes.writing())
    return partial.recorded(context, made, f"the end of the link {source} {verb} {target}")


@typer_frame.command(app, "list")
def list_links(
    context: Context,
    twin: Twin,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
) -> Result:
    """List the links of an asset: those that it has to others, and those that others have to it."""
    from twincli.services.link import links

    return Result(
        links.list_links(context.workspace(), twin, everything=everything),
        listing="links",
        columns=(
            ("from", lambda item: item["source_name"] or item["source"]),
            ("verb", "verb"),
            ("to", lambda item: item["target_name"] or item["target"]),
            ("direction", "direction"),
            ("state", _state),
            ("owner", "owner"),
            ("linked", "linked_at"),
            ("link", "id"),
        ),
        brief=(
            ("from", lambda item: item["source_name"] or item["source"]),
            ("verb", "verb"),
            ("to", lambda item: item["target_name"] or item["target"]),
            ("state", _state),
            ("owner", "owner"),
        ),
        item_schema="twin.link-item/1",
        empty=f"{twin} has no links{'' if everything else ' in force; those that are over: --all'}",
    )


def _state(item: dict[str, Any]) -> str:
    """Return how a link stands, in words: what is not confirmed, or leads nowhere, is said."""
    words = [item["state"]]
    if item["state"] == "active" and not item["confirmed"]:
        words.append("not confirmed")
    if item["end"] != "present":
        words.append(f"other end {item['end']}")
    return ", ".join(words)


FORMATS = ("tree", "dot", "mermaid", "json")


@typer_frame.command(app, "graph")
def graph(
    context: Context,
    twin: Twin,
    depth: Annotated[int, typer.Option(metavar="N", help="How many steps to follow.")] = 3,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="Output format; dot is for Graphviz.",
        ),
    ] = "tree",
) -> Result:
    """Draw the links around an asset: those from it and to it, and on from there."""
    from twincli.formats import graphs
    from twincli.services.link.graph import graph as service

    if form not in FORMATS:
        raise UsageError(f"--format: {form!r} is not one of {', '.join(FORMATS)}")
    document = service(context.workspace(), twin, depth)
    draw = {"tree": graphs.tree, "dot": graphs.dot, "mermaid": graphs.mermaid}.get(form)
    text = None
    if context.mode.form == "auto":
        text = f"{to_json(document)}\n" if draw is None else draw(document)
    return Result(document, text=text)
