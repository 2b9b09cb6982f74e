"""A twin as its template shows it: its card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import NotFoundError
from twincli.model import card
from twincli.services import catalogue
from twincli.services.asset import blame
from twincli.services.asset import document as documents

if TYPE_CHECKING:
    from twincli.model.card import Item
    from twincli.services.asset.blame import Origins
    from twincli.services.documents import Asset, CardItem, View
    from twincli.services.workspace import Workspace


def show(workspace: Workspace, ref: str, as_of: str | None = None) -> Asset:
    """Return an asset with its view; otherwise as ``document.show``.

    Args:
        workspace: Rooms.
        ref: The asset.
        as_of: As it was recorded at this time.

    Raises:
        NotFoundError: ``no_template``; ``missing_template``; as ``document.show``.
    """
    shown = documents.show(workspace, ref, as_of)
    shown["view"] = view(workspace, shown, as_of)
    return shown


def view(workspace: Workspace, shown: Asset, as_of: str | None = None) -> View:
    """Return the card of a twin, as its template has it.

    Args:
        workspace: Rooms.
        shown: The twin, from ``document.show``.
        as_of: As it was recorded at this time.

    Raises:
        NotFoundError: ``no_template``; ``missing_template``.
    """
    asset_id = str(shown["id"])
    found = blame.Origins.of(workspace, asset_id, blame.as_of_ms(workspace, as_of))
    model = catalogue.of_twin(workspace, found.replay.pin)
    if model is None:
        ref = shown["name"] or asset_id
        raise NotFoundError(
            f"{ref} has no template, so it has no view",
            code="no_template",
            hint=f"twin asset show {ref}; to give it one: twin asset migrate {ref} --template T",
        )
    form, data, state = model.template, shown["data"], shown["state"]
    made = card.card(form, state, data)
    return {
        "template": form.id,
        "name": form.name,
        "title": made.title or shown["title"] or shown["name"],
        "card": [_item(each, found) for each in made.items],
        "map": None if made.spot is None else _item(made.spot, found),
        "charts": made.charts,
    }


def _item(made: Item, found: Origins) -> CardItem:
    origin = found.origin(made.path) if made.in_state else found.create
    return {
        "path": made.path,
        "label": made.label,
        "value": made.value,
        "unit": made.unit,
        "suspect": origin is not None and card.is_doubted(made.path, origin.entry.tx),
    }
