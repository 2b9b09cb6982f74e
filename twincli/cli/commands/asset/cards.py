"""``twin asset show --view``: a twin's card, as its template has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.cli.result import Result
from twincli.cli.showing import help_page
from twincli.cli.showing.output import to_json
from twincli.model.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.services.documents import Asset, CardItem, View
    from twincli.services.workspace import Workspace

WIDEST = 72
"""Columns of a card; a line is hard to follow over more."""
_LARGE = 1e12


def show(workspace: Workspace, names: list[str], as_of: str | None) -> Result:
    """Return the result of ``asset show --view``."""
    from twincli.services.asset.view import show as service

    shown = [service(workspace, name, as_of) for name in dict.fromkeys(names)]
    warnings = tuple(warning for asset in shown for warning in missing(asset))
    if len(shown) == 1:
        return Result(shown[0], terminal=_draw, columns=_columns(shown[0]), warnings=warnings)
    return Result(
        {"schema": "twin.assets/1", "assets": shown},
        listing="assets",
        columns=(
            ("name", "name"),
            ("id", "id"),
            ("title", "view.title"),
            ("template", "view.template"),
            ("card", _line),
        ),
        item_schema="twin.asset/1",
        terminal=_draw_all,
        warnings=warnings,
    )


def missing(asset: Asset) -> tuple[str, ...]:
    """Return the warning about a template that is not at hand."""
    if "real_time" in asset and asset["real_time"] is None:
        name = asset["name"] or asset["id"]
        return (f"the template {asset['template']} of {name} is not here: its streams are unknown",)
    return ()


def value_of(item: CardItem) -> str:
    """Return a value as a card shows it, with its unit and a mark if it is suspect."""
    value = item["value"]
    if value is None:
        return "-"
    if isinstance(value, dict) and {"latitude", "longitude"} <= value.keys():
        text = f"{to_json(value['latitude'])}, {to_json(value['longitude'])}"
    else:
        text = value if isinstance(value, str) else _rounded(value)
    unit = f" {item['unit']}" if item["unit"] else ""
    return f"{text}{unit}{' (suspect)' if item['suspect'] else ''}"


def _rounded(value: Any) -> str:
    """Return a number as people read it, which a conversion has many digits of; else JSON."""
    if not isinstance(value, float) or abs(value) >= _LARGE:
        return to_json(value)
    if 0 < abs(value) < 1:
        return f"{value:.4g}"
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _items(view: View) -> Iterator[CardItem]:
    yield from view["card"]
    if view["map"] is not None:
        yield view["map"]


def _line(asset: Asset) -> str:
    """Return a card as one line."""
    return "; ".join(f"{item['label']} {value_of(item)}" for item in _items(asset["view"]))


def _columns(asset: Asset) -> tuple[tuple[str, Any], ...]:
    """Return what a pipe gets: the title, then a row a value."""
    view = asset["view"]
    rows = [("title", view["title"] or ""), ("template", view["template"])]
    rows += [(item["label"], value_of(item)) for item in _items(view)]
    return tuple((label, lambda _, text=text: text) for label, text in rows)


def _draw_all(document: dict[str, Any], console: Any) -> None:
    for number, asset in enumerate(document["assets"]):
        if number:
            console.print()
        _draw(asset, console)


def _draw(asset: Any, console: Any) -> None:
    """Draw a card in a frame that fits the terminal."""
    from rich import box
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    view: View = asset["view"]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), expand=True)
    items = list(_items(view))
    columns = min(help_page.terminal_columns(), WIDEST)
    labels = max((len(one_line(item["label"])) for item in items), default=0)
    table.add_column(width=min(labels, max(columns // 3, 8)), overflow="fold")
    table.add_column(overflow="fold", ratio=1)
    for item in items:
        value = Text(one_line(value_of(item)), style="" if item["value"] is not None else "dim")
        if item["suspect"]:
            value.stylize("yellow")
        table.add_row(Text(one_line(item["label"]), style="dim"), value)
    name = asset["name"] or asset["id"][:10]
    title = Text(one_line(str(view["title"] or name)), style="bold")
    foot = Text(one_line(f"{name} · {view['name']}"))
    console.print(
        Panel(
            table,
            title=title,
            subtitle=foot,
            box=box.ROUNDED,
            width=columns,
            title_align="left",
            subtitle_align="left",
        )
    )
