"""``twin template``: what a kind of thing is, for twins to be made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from twincli.cli import file_arguments
from twincli.cli.asking import sinks, terminal
from twincli.cli.context import Context
from twincli.cli.opened import Creates
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.result import Result
from twincli.cli.showing import grid, help_page, partial
from twincli.errors import ExitCode
from twincli.model import text as texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.services.catalogue import Model
    from twincli.services.documents import TemplateLoss

app = typer_frame.group("template")

File = Annotated[str, typer.Argument(metavar="FILE|-", help="The template, YAML or JSON.")]
Ref = Annotated[
    str,
    typer.Argument(
        metavar="ID|FILE",
        help="Its id, such as vehicle-tracking-v1, or a file.",
        autocompletion=candidates.templates,
    ),
]
Out = Annotated[
    str | None, typer.Option("-o", "--output", metavar="FILE", help="New file to write it to.")
]

_HEAD = (
    ("id", "id"),
    ("name", "name"),
    ("category", "category"),
    ("asset_type", "asset_type"),
    ("source", "source"),
)


def _model(context: Context, ref: str) -> Model:
    """Return the template that an argument names: a file, or an id."""
    from twincli.services import catalogue
    from twincli.services.template import templates

    if file_arguments.is_file(ref):
        return templates.of_file(file_arguments.read(ref), file_arguments.what(ref))
    found = catalogue.built_in(ref)
    return found if found is not None else catalogue.find(context.workspace(), ref)


@typer_frame.command(app, "list")
def list_templates(
    context: Context,
    category: Annotated[
        str | None, typer.Option(metavar="WORD", help="Only those of this category.")
    ] = None,
) -> Result:
    """List templates: the built-in ones and those on the ledger."""
    from twincli.services.template import templates

    return Result(
        templates.list_templates(context.workspace_or_none(), category=category),
        listing="templates",
        columns=_HEAD,
        item_schema="twin.template-item/1",
    )


@typer_frame.command(app, "show")
def show(context: Context, ref: Ref) -> Result:
    """Show a template: identifiers, facts, fields, events and states."""
    from twincli.services.template import templates

    return Result(templates.show(_model(context, ref)), terminal=_draw)


@typer_frame.command(app, "check")
def check(context: Context, file: File) -> Result:  # noqa: ARG001 - all commands take it
    """Check a template; says what is wrong, on which line, and what would be right."""
    from twincli.services.template import templates

    document = templates.check(file_arguments.read(file), file_arguments.what(file))
    columns = tuple((name, name) for name in ("line", "path", "message", "right"))
    notes = (f"{document['id']} is valid",) if document["valid"] else ()
    return Result(
        document,
        listing="faults",
        columns=columns,
        item_schema="twin.template-fault/1",
        exit_code=ExitCode.OK if document["valid"] else ExitCode.NOT_VERIFIED,
        notes=notes,
    )


@typer_frame.command(app, "new")
def new(
    context: Context,
    ref: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Its id, such as pump-v1.")
    ] = None,
    out: Out = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="What people call it.")] = None,
    asset_type: Annotated[
        str | None, typer.Option("--asset-type", metavar="WORD", help="The kind of thing.")
    ] = None,
    category: Annotated[
        str | None, typer.Option(metavar="WORD", help="What list --category selects.")
    ] = None,
) -> Result:
    """Write a commented template to begin with; asks for what is not given."""
    from twincli.model import template
    from twincli.services.template import templates

    if out is not None and out != "-":
        partial.check_free(out)  # before anything is asked
    chosen = ref or _asked("Id of the template, such as pump-v1", "thing-v1")
    templates.check_id(chosen)
    thing = template.family(chosen) or "thing"
    text = templates.skeleton(
        chosen,
        name=name or _asked("Name", thing.replace("-", " ").capitalize()),
        asset_type=asset_type or _asked("Kind of thing", thing),
        category=category or _asked("Category", "equipment"),
    )
    document = {"schema": "twin.template_file/1", "id": chosen, "file": out, "text": text}
    if out is None or out == "-":
        return Result(document, text=text)
    if not context.dry_run:
        sinks.file_sink(context, out, mode=0o644)(text)
    return Result(document, text="", notes=(f"wrote {out}; next: twin template check {out}",))


def _asked(what: str, default: str) -> str:
    """Ask on the terminal; without one, or without an answer, the default."""
    answer = terminal.ask(f"{what} [{default}]: ", echo=True)
    return (answer or b"").decode("utf-8", "replace").strip() or default


@typer_frame.command(app, "register", creates=Creates(ledger=True, file=True), writes=True)
def register(
    context: Context,
    file: File,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Succeed if the same template is registered.")
    ] = False,
) -> Result:
    """Put a template on the ledger, so that twins can be made from it."""
    from twincli.services.template import templates
    from twincli.services.tx.prepared import Prepared

    prepare = context.writes.prepare
    if prepare is not None:
        partial.check_free(prepare)
    wanted = templates.read(file_arguments.read(file), file_arguments.what(file))
    document = templates.register(
        context.workspace(), wanted, context.writes.writing(), if_missing=if_missing
    )
    if isinstance(document, Prepared):
        return partial.prepared(context, document, str(prepare))
    said = "registered" if document["created"] else "already registered:"
    if context.dry_run:
        said = "would register"
    return Result(
        {**document},
        columns=tuple((name, name) for name in _REGISTERED),
        notes=(*partial.not_prepared(prepare), f"{said} {wanted.id}"),
        warnings=tuple(document["warnings"]),
    )


_REGISTERED = (
    *("template", "template_cid", "id", "transaction_id", "height", "committed_at"),
    *("owner", "signed_by", "created"),
)


@typer_frame.command(app, "diff")
def diff(
    context: Context,
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD|FILE", help="An id, or a file.", autocompletion=candidates.templates
        ),
    ],
    other: Annotated[
        str,
        typer.Argument(
            metavar="NEW|FILE", help="An id, or a file.", autocompletion=candidates.templates
        ),
    ],
) -> Result:
    """Compare two templates."""
    from twincli.services.template import templates

    return Result(
        templates.diff(_model(context, old), _model(context, other)),
        listing="changes",
        columns=tuple((name, name) for name in ("change", "path", "before", "after")),
        item_schema="twin.template-change/1",
        empty="they are the same",
    )


@typer_frame.command(app, "export")
def export(context: Context, ref: Ref, out: Out = None) -> Result:
    """Write a template as JSON, to a new file or to stdout."""
    from twincli.cli.showing.output import to_json

    found = _model(context, ref)
    text = to_json(found.template.document, indented=True) + "\n"
    document = {
        "schema": "twin.template_file/1",
        "id": found.template.id,
        "file": out,
        "text": text,
    }
    if out is None or out == "-":
        return Result(document, text=text)
    if not context.dry_run:
        sinks.file_sink(context, out, mode=0o644)(text)
    return Result(document, text="", notes=(f"wrote {out}",))


@typer_frame.command(app, "import")
def import_model(
    context: Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The model, in JSON.")],
    form: Annotated[
        Literal["dtdl", "wot", "aas"] | None,
        typer.Option(
            "--format", metavar="dtdl|wot|aas", help="Its format; default: as the file says."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The model to import, where the file has several."),
    ] = None,
    out: Out = None,
) -> Result:
    """Make a template of a DTDL interface, a WoT Thing or an Asset Administration Shell.

    What a template has no place for is listed on stderr, with --json under losses.
    """
    from twincli.cli.showing.output import to_json
    from twincli.services.template import foreign

    if out is not None and out != "-":
        partial.check_free(out)
    data = file_arguments.beginning(file, foreign.MAX_BYTES + 4)
    document = foreign.import_model(data, file_arguments.what(file), form=form, model=model)
    notes = _losses(document["losses"])
    text = to_json(document["template"], indented=True) + "\n"
    if out is None or out == "-":
        return Result({**document}, text=text, notes=notes)
    document["file"] = out
    if not context.dry_run:
        sinks.file_sink(context, out, mode=0o644)(text)
    note = f"wrote {out}; next: twin template register {out}"
    return Result({**document}, text="", notes=(*notes, note))


def _losses(losses: list[TemplateLoss]) -> tuple[str, ...]:
    """Return the report for people: a line a reason, with what it is about."""
    by_reason: dict[str, list[TemplateLoss]] = {}
    for loss in losses:
        by_reason.setdefault(loss["why"], []).append(loss)
    lines = [f"not carried over: {len(losses)}"] if losses else []
    for why, found in by_reason.items():
        shown = [f"{loss['what']} ({loss['path']})" for loss in found[:_SHOWN]]
        more = f" and {len(found) - _SHOWN} more (--json lists all)" if found[_SHOWN:] else ""
        lines.append(f"  {', '.join(shown)}{more}: {why}")
    return tuple(lines)


_SHOWN = 8


def _rows(what: str, items: list[dict[str, Any]], indent: str = "") -> Iterator[list[str]]:
    """Yield a row for each field and, indented, for each part of it."""
    for item in items:
        words = [what]
        words += ["required"] if item.get("required") else []
        words += ["stream"] if item.get("realTime") else []
        words += [f"from {item['source']}"] if item.get("source") else []
        words += [f"one of {' '.join(item['values'])}"] if item.get("values") else []
        cells = (item["name"], item["type"], item.get("unit", ""), ", ".join(words))
        name, *others = (texts.one_line(cell) for cell in cells)
        yield [indent + name, *others]
        yield from _rows("part", item.get("fields", ()), f"{indent}  ")


def _draw(document: dict[str, Any], console: Any) -> None:
    """Draw a template: its head, then a table of facts and fields."""
    from rich.text import Text

    form = document["template"]
    head = Text(texts.visible(form["id"]), style="bold")
    head.append(f"  {texts.visible(form['name'])}", style="not bold")
    console.print(head)
    if form.get("description"):
        console.print(Text(texts.visible(form["description"])))
    identifiers = form["identifiers"]
    also = ", ".join(identifiers.get("secondary", ()))
    console.print(
        Text(
            texts.visible(
                f"identified by {identifiers['primary']}" + (f"; also {also}" if also else "")
            )
        )
    )
    rows = [*_rows("fact", form.get("facts", ())), *_rows("field", form.get("trackingFields", ()))]
    for line in grid.lines(
        ("name", "type", "unit", "what"), iter(rows), help_page.terminal_columns()
    ):
        console.print(Text(line.rstrip(" ")), soft_wrap=True)
    schedules = (
        f"{name} {often['every'] if isinstance(often, dict) else often}"
        for name, often in form.get("schedules", {}).items()
    )
    for title, names in (
        ("events", form.get("eventTypes", ())),
        ("links", form.get("linkVerbs", ())),
        ("stages", form.get("stages", ())),
        ("schedules", list(schedules)),
    ):
        if names:
            console.print(Text(texts.visible(f"{title}: {', '.join(names)}")))
    for item in form.get("states", {}).get("transitions", ()):
        asked = ", ".join(item.get("conditions", {}).get("required", ()))
        line = f"state: {item['from']} -> {item['to']}" + (f", if {asked}" if asked else "")
        console.print(Text(texts.visible(line)))
