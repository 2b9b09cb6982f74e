"""A twin as its template shows it: its card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import NotFoundError
from twincli.model import record
from twincli.services import catalogue
from twincli.services.asset import blame, leaves
from twincli.services.asset import document as documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twincli.model.template import Template
    from twincli.services.asset.blame import Origins
    from twincli.services.documents import Asset, CardItem, View
    from twincli.services.workspace import Workspace

DEFAULT_ITEMS = 12
"""Of the card of a template that says nothing of a view."""


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
    title = _at(form.view.get("title"), state, data)
    spot = form.view.get("map")
    paths = form.view.get("card") or list(_default(form, state, data))
    return {
        "template": form.id,
        "name": form.name,
        "title": title if isinstance(title, str) and title else shown["title"] or shown["name"],
        "card": [_item(form, path, state, data, found) for path in paths],
        "map": None if spot is None else _item(form, spot, state, data, found),
        "charts": list(form.view.get("charts", ())),
    }


def _default(form: Template, state: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a card without a plan shows: identifiers, then fields, then facts."""
    known = [*(name for name in (form.primary, *form.secondary) if name in data), *form.fields]
    rest = [path for path, _ in (*leaves.leaves(state), *leaves.leaves(data))]
    tops = {path.partition(".")[0] for path in known}
    others = (path for path in rest if path.partition(".")[0] not in tops)
    yield from [*known, *others][:DEFAULT_ITEMS]


def _item(
    form: Template,
    path: str,
    state: Mapping[str, Any],
    data: Mapping[str, Any],
    found: Origins,
) -> CardItem:
    value = _at(path, state)
    in_state = value is not None
    field = _field(form, path)
    origin = found.origin(path) if in_state else found.create
    return {
        "path": path,
        "label": field.get("label") or path,
        "value": value if in_state else _at(path, data),
        "unit": field.get("unit"),
        "suspect": origin is not None and _is_doubted(path, origin.entry.tx),
    }


def _is_doubted(path: str, tx: dict[str, Any]) -> bool:
    """Say whether a transaction marks a value, or a part of it, as suspect."""
    envelope = record.envelope_of(tx["metadata"]) or {}
    if tx["operation"] == "CREATE":
        envelope = record.creating_envelope(tx) or envelope
    marked = envelope.get("suspect")
    return isinstance(marked, list) and any(
        isinstance(other, str) and (other == path or other.startswith((f"{path}.", f"{path}[")))
        for other in marked
    )


def _at(path: str | None, *members: Mapping[str, Any]) -> Any:
    """Return the value at a dotted path, from the first that has one."""
    for held in members if path else ():
        value: Any = held
        for name in str(path).split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def _field(form: Template, path: str) -> dict[str, Any]:
    """Return what the template says of the field at a path, as written; nothing is an object."""
    fields = [*form.document.get("trackingFields", ()), *form.document.get("facts", ())]
    found: dict[str, Any] = {}
    for name in path.split("."):
        found = next((item for item in fields if item["name"] == name), {})
        fields = found.get("fields", [])
    return found
