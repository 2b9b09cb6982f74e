"""``twin config``: settings and where they come from."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli import config as settings
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result

app = typer_frame.group("config")


def _keys() -> list[str]:
    return list(settings.KEYS)


Name = Annotated[
    str,
    typer.Argument(metavar="KEY", help=f"One of {', '.join(_keys())}.", autocompletion=_keys),
]


@typer_frame.command(app, "show")
def show(context: Context) -> Result:
    """Show every setting with its source."""
    return Result(
        settings.document(context.settings),
        listing="settings",
        columns=(("name", "name"), ("value", "value"), ("source", "source")),
        item_schema="twin.setting/1",
    )


@typer_frame.command(app, "get")
def get(context: Context, key: Name) -> Result:
    """Show one setting with its source."""
    name = settings.check_name(key)
    entries = settings.document(context.settings)["settings"]
    entry = next(entry for entry in entries if entry["name"] == name)
    return Result({"schema": "twin.setting/1", **entry})


@typer_frame.command(app, "set", refuses=("node",))
def set_setting(
    context: Context,
    key: Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The new value.")],
) -> Result:
    """Write one setting to the settings file."""
    settings.check_name(key)
    settings.require_home(context.paths)
    stored = settings.set_value(context.paths, key, value, dry_run=context.dry_run)
    return _changed(context, key, stored, changed=True)


@typer_frame.command(app, "unset", refuses=("node",))
def unset(context: Context, key: Name) -> Result:
    """Remove one setting from the settings file."""
    settings.check_name(key)
    settings.require_home(context.paths)
    changed = settings.unset_value(context.paths, key, dry_run=context.dry_run)
    return _changed(context, key, None, changed=changed)


def _changed(context: Context, key: str, value: object, *, changed: bool) -> Result:
    document = {
        "schema": "twin.setting/1",
        "name": settings.check_name(key),
        "value": value,
        "source": context.paths.settings if value is not None else None,
        "changed": changed,
    }
    return Result(document)


@typer_frame.command(app, "path", refuses=("node",))
def path(context: Context) -> Result:
    """Show where settings, keys, names and ledger live, even if they do not exist."""
    where = context.paths
    return Result(
        {
            "schema": "twin.paths/1",
            "home": where.home,
            "source": where.source,
            "settings": where.settings,
            "keys": where.keys,
            "ledger": where.ledger,
            "book": where.book,
        }
    )
