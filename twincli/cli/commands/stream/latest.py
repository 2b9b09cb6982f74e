"""The latest values of a twin's streams, for ``twin asset show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twincli.cli.context import Context
    from twincli.services.documents import Asset
    from twincli.services.workspace import Workspace


def add(context: Context, workspace: Workspace, shown: Asset) -> None:
    """Add the latest values of the streams that count to the document of a twin, if it has any."""
    asset_id = shown["id"]
    if asset_id is None or not workspace.client.assets_with("parent", asset_id):
        return
    from twincli.cli.commands.stream.rooms import room
    from twincli.services.stream.show import latest

    found = latest(room(context), asset_id)
    if not found:
        return
    shown["streams"] = found
    by_name = {item["stream"]: item["values"] for item in found}
    for field in shown.get("real_time") or ():
        values = by_name.get(field["name"])
        if values is not None:
            whole = field["type"] in {"coordinates", "object"}
            single = values.get("value", values.get(field["name"]))
            field["value"] = values if whole else single
