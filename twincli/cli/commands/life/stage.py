"""``twin stage``: the stages that twins pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.cli.commands.life import listing
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result

if TYPE_CHECKING:
    from twincli.services.documents import StageItem, Stages
    from twincli.services.record.listed import Wanted

app = typer_frame.group("stage")


@listing.command(app)
def list_stages(context: Context, twin: str, wanted: Wanted) -> Result:
    """List the stages that a twin has reached, and show what lies ahead."""
    from twincli.services.life import stages

    document = stages.list_stages(context.workspace(), twin, wanted)
    return Result(
        document,
        listing="stages",
        columns=(
            ("happened", _happened),
            ("stage", _stage),
            ("location", "location"),
            *listing.ALWAYS,
        ),
        item_schema="twin.stage/1",
        notes=_plan(document),
    )


def _happened(item: StageItem) -> str:
    return item["date"] or listing.happened(item)


def _stage(item: StageItem) -> str:
    """Return the stage, and what is special about it."""
    name = item["stage"] or ""
    if item["fault"] is not None:
        return f"{name} (does not count: {item['fault'].replace('_', ' ')})"
    return f"{name} (skipped {', '.join(item['skipped'])})" if item["skipped"] else name


def _plan(document: Stages) -> tuple[str, ...]:
    """Return where the twin is and what lies ahead, in words."""
    if not document["plan"]:
        return ()
    by = {
        standing: [each["stage"] for each in document["plan"] if each["standing"] == standing]
        for standing in ("passed", "skipped", "ahead")
    }
    now = f"now in {document['current']}" if document["current"] else "in no stage yet"
    return (now, *(f"{standing}: {', '.join(names)}" for standing, names in by.items() if names))
