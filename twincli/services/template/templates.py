"""Templates: listed, shown, checked, compared, registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, InvalidError
from twincli.formats import marked, units
from twincli.model import record, template
from twincli.services import catalogue
from twincli.services.asset.create import Definition, create
from twincli.services.asset.write_options import PLAIN, Writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.model.template import Template
    from twincli.services.catalogue import Model
    from twincli.services.documents import CreatedAsset, Document, FoundAsset
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace


def list_templates(workspace: Workspace | None, *, category: str | None = None) -> Document:
    """Return the templates at hand: those of the package, then those on the ledger.

    Args:
        workspace: The ledger; None: only the package.
        category: Only those of this category.

    Returns:
        ``twin.templates/1`` with ``templates``: ``id name category asset_type cid source
        asset_id``.
    """
    found = [model for name in catalogue.built_in_ids() if (model := catalogue.built_in(name))]
    if workspace is not None:
        found += catalogue.registered(workspace)
    return {
        "schema": "twin.templates/1",
        "templates": [
            _head(model) for model in found if category in {None, model.template.category}
        ],
    }


def _head(model: Model) -> Document:
    return {
        "id": model.template.id,
        "name": model.template.name,
        "category": model.template.category,
        "asset_type": model.template.asset_type,
        "cid": model.cid,
        "source": model.source,
        "asset_id": model.asset_id,
    }


def show(model: Model) -> Document:
    """Return a template whole.

    Returns:
        ``twin.template/1``: as in a list, with ``template``, the document, and ``units``, the
        other units that each unit may be given in.
    """
    return {
        "schema": "twin.template/1",
        **_head(model),
        "template": model.template.document,
        "units": {unit: sorted(worth) for unit, worth in model.units.items()},
    }


def check(data: bytes, what: str) -> Document:
    """Say everything that is wrong with a file that is to be a template.

    Args:
        data: JSON or YAML.
        what: What errors call it.

    Returns:
        ``twin.template_check/1``: ``valid``, ``id`` and ``faults``: ``line path message right``,
        where ``line`` is null if it is not known.

    Raises:
        InvalidError: It is neither JSON nor YAML.
    """
    found = marked.read(data, what)
    wrong = template.faults(found.value)
    wrong = (wrong + units.faults(found.value))[: template.MAX_FAULTS]
    wrong.sort(key=lambda fault: found.line(fault.path) or 0)
    faults = [
        {
            "line": found.line(fault.path),
            "path": fault.where,
            "message": fault.message,
            "right": fault.right,
        }
        for fault in wrong
    ]
    named = found.value.get("id") if isinstance(found.value, dict) else None
    return {
        "schema": "twin.template_check/1",
        "valid": not faults,
        "id": named if isinstance(named, str) else None,
        "faults": faults,
    }


def read(data: bytes, what: str) -> Template:
    """Return the template in a file.

    Raises:
        InvalidError: ``invalid_template``, naming line and path of the first fault.
    """
    found = marked.read(data, what)
    faults = template.faults(found.value) or units.faults(found.value)
    if faults:
        first, line = faults[0], found.line(faults[0].path)
        where = f"line {line}: " if line else ""
        path = f"{first.where}: " if first.path else ""
        raise InvalidError(
            f"{what} is not a valid template: {where}{path}{first.message}",
            code="invalid_template",
            hint=f"{first.right}; everything that is wrong: twin template check FILE",
        )
    return template.read(found.value)


def of_file(data: bytes, what: str) -> Model:
    """Return the template in a file, with units where they can be frozen.

    Raises:
        InvalidError: ``invalid_template``, ``unknown_unit``.
    """
    from twincli.crypto import cid

    found = read(data, what)
    frozen = units.freeze(found)
    made = cid.of(template.compiled(found.document, frozen)).text
    return catalogue.Model(found, frozen, made, catalogue.FILE)


def register(
    workspace: Workspace,
    wanted: Template,
    writing: Writing = PLAIN,
    *,
    if_missing: bool = False,
) -> CreatedAsset | FoundAsset | Prepared:
    """Put a template on the ledger, so that twins can pin it.

    Args:
        workspace: Rooms.
        wanted: The template.
        writing: W.
        if_missing: The same template under that id is success.

    Returns:
        ``twin.asset/1`` of the asset that registers it, with ``template`` and ``template_cid``.

    Raises:
        ConflictError: ``exists``: the id is that of another template; a template never changes.
        InvalidError: ``unknown_unit``.
    """
    from twincli.crypto import cid

    data = template.compiled(wanted.document, units.freeze(wanted))
    made = cid.of(data).text
    present = catalogue.built_in(wanted.id)
    if present is None:
        mine = (
            m for m in catalogue.registered(workspace, wanted.id) if catalogue.is_ours(workspace, m)
        )
        present = next(mine, None)
    if present is not None and not (if_missing and present.cid == made and present.asset_id):
        same = "the same template" if present.cid == made else "another template"
        raise ConflictError(
            f"{wanted.id} is already {present.source}, with {same}",
            code="exists",
            hint="use it as it is"
            if present.cid == made
            else f"raise the version: {wanted.family}-v{template.version(wanted.id) + 1}",
        )
    compiled, frozen = template.of_compiled(data)
    definition = Definition(
        {"format": template.FORMAT, "template": compiled.document, "units": frozen},
        title=wanted.name,
        kind=record.TEMPLATE,
        stated={"template": wanted.id, "template_cid": made},
    )
    return create(workspace, wanted.id, definition, writing, if_missing=if_missing)


def diff(old: Model, new: Model) -> Document:
    """Compare two templates.

    Returns:
        ``twin.template_diff/1``: ``from``, ``to`` and ``changes``: ``path change before after``,
        where ``change`` is ``added``, ``removed`` or ``changed``; items of lists are compared by
        their ``name``.
    """
    changes = list(_changes("", _keyed(old.template.document), _keyed(new.template.document)))
    return {
        "schema": "twin.template_diff/1",
        "from": {"id": old.template.id, "cid": old.cid},
        "to": {"id": new.template.id, "cid": new.cid},
        "changes": changes,
    }


def _keyed(value: Any) -> Any:
    """Return a document with lists of named things as objects, so that order says nothing."""
    if isinstance(value, dict):
        return {name: _keyed(item) for name, item in value.items()}
    if (
        isinstance(value, list)
        and value
        and all(isinstance(i, dict) and "name" in i for i in value)
    ):
        return {item["name"]: _keyed(item) for item in value}
    return value


def _changes(path: str, old: Any, new: Any) -> Iterator[Document]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            inner = f"{path}.{name}" if path else name
            if name not in old:
                yield {"path": inner, "change": "added", "before": None, "after": new[name]}
            elif name not in new:
                yield {"path": inner, "change": "removed", "before": old[name], "after": None}
            else:
                yield from _changes(inner, old[name], new[name])
    elif old != new:
        yield {"path": path, "change": "changed", "before": old, "after": new}


SKELETON = """\
# A template for things of one kind. Lines that begin with # can be removed.
# Check it:    twin template check FILE
# Register it: twin template register FILE
id: {id}
name: {name}
assetType: {asset_type}
category: {category}

# What tells one thing from another. assetId is the name of the twin itself.
identifiers:
  primary: serialNumber
  secondary: []

# Facts that are checked when a twin is created; all others are free.
facts:
  - {{name: serialNumber, type: text, required: true}}
  - {{name: madeOn, type: datetime}}

# What changes. Types: number integer text boolean coordinates datetime duration enum object list.
trackingFields:
  - {{name: location, type: coordinates, realTime: true, source: gps}}
  - {{name: operatingHours, type: number, unit: h, min: 0}}
  - {{name: temperature, type: number, unit: C, quality: {{min: -40, max: 100}}}}
  - {{name: status, type: enum, values: [running, stopped, faulty]}}

# The events that may be recorded; without this list, any.
eventTypes:
  - maintenance_performed
  - inspection_completed

# How to show a twin: paths of facts and fields.
view:
  title: serialNumber
  card: [status, operatingHours, temperature]
  charts: [operatingHours]
  map: location
"""


def check_id(template_id: str) -> None:
    """Refuse what cannot be the id of a template.

    Raises:
        InvalidError: ``invalid_template``.
    """
    if not template.is_id(template_id):
        raise InvalidError(
            f"{template_id[:70]!r} is not the id of a template",
            code="invalid_template",
            hint="words joined by -, then -v and a number, as in pump-v1",
        )


def skeleton(template_id: str, *, name: str, asset_type: str, category: str) -> str:
    """Return a commented template to begin with, as YAML.

    Raises:
        InvalidError: ``invalid_template``: the id is not one.
    """
    check_id(template_id)
    import json

    texts = {"name": name, "asset_type": asset_type, "category": category}
    quoted = {key: json.dumps(text, ensure_ascii=False) for key, text in texts.items()}
    return SKELETON.format(id=template_id, **quoted)
