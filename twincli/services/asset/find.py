"""Finding twins by what they are: an expression about their facts and states."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from twincli.errors import InvalidError, NotFoundError, UsageError
from twincli.model import expression, fields
from twincli.model.names import near
from twincli.rules.replay import Pin
from twincli.services import catalogue
from twincli.services.asset import listings, moments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twincli.model.expression import Quantity
    from twincli.services.catalogue import Model
    from twincli.services.documents import Found
    from twincli.services.workspace import Workspace

_WRONG = "invalid_expression"


def find(
    workspace: Workspace,
    text: str,
    *,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """Find the twins for which an expression holds.

    It is about their facts with their state over them. A number with a unit is compared in the
    unit that each twin's template gives the field; where there is none the comparison is false.

    Args:
        workspace: Rooms.
        text: Such as ``facility = Plant-A and power > 150 kW``.
        limit: Show at most N.
        progress: Called while the index is brought up to date.

    Returns:
        ``twin.found/1``: assets in commit order, as they are read.

    Raises:
        UsageError: ``invalid_expression``, ``not_supported``; a limit below 1.
    """
    moments.checked_limit(limit)
    try:
        node = expression.parse(text)
    except InvalidError as error:
        raise _on_the_command_line(error) from error
    warnings: list[str] = []
    if expression.has_quantity(node):
        ids = iter(_with_units(workspace, node, progress, warnings))
    else:
        ids = workspace.client.find(node, progress=progress)
    shown = listings.items(workspace, islice(ids, limit), state=True, data=True)
    return {"schema": "twin.found/1", "assets": shown, "warnings": warnings}


def absent(workspace: Workspace, text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the paths of an expression that no twin has, each with a near one or None.

    Args:
        workspace: Rooms.
        text: The expression, which `find` took.
    """
    for path in sorted(expression.paths(expression.parse(text))):
        if next(iter(workspace.client.find(expression.Exists(path))), None) is None:
            yield ".".join(path), near(".".join(path), known_paths(workspace))


def known_paths(workspace: Workspace) -> list[str]:
    """Return the paths of the templates that twins here are held to."""
    found: set[str] = set()
    for template_id, cid in workspace.client.pinned():
        model = _model(workspace, template_id, cid)
        if model is not None:
            form = model.template
            found |= {*form.facts, *form.fields}
            found |= {
                f"{field.name}.{part}"
                for field in (*form.facts.values(), *form.fields.values())
                for part in field.fields or ()
            }
    return sorted(found)


def _model(workspace: Workspace, template_id: str, cid: str) -> Model | None:
    try:
        return catalogue.of_twin(workspace, Pin(template_id, cid, ""))
    except (NotFoundError, InvalidError):
        return None


def _on_the_command_line(error: InvalidError) -> UsageError:
    return UsageError(error.message, code=error.code, hint=error.hint)


def _with_units(
    workspace: Workspace,
    node: expression.Node,
    progress: Callable[[int, int], None] | None,
    warnings: list[str],
) -> list[str]:
    """Return what an expression with units finds; it is asked once for each template in use."""
    client = workspace.client
    converting = _Converting()
    found = list(client.find(converting.asked(node, None), template_cid="", progress=progress))
    named: dict[str, list[str]] = {}
    for template_id, cid in client.pinned():
        named.setdefault(cid, []).append(template_id)
    for cid, template_ids in named.items():
        # Anybody can hold a twin to these bytes under another id; they say what the units are.
        models = (_model(workspace, template_id, cid) for template_id in template_ids)
        model = next((found for found in models if found is not None), None)
        if model is None:
            warnings.append(
                f"the template {template_ids[0]} ({cid}) is not here, so no unit of its twins is"
                " known"
            )
        found += client.find(converting.asked(node, model), template_cid=cid)
    converting.check(known_paths(workspace))
    return client.in_order(found)


class _Converting:
    """Converts the quantities of an expression, and knows what no template could convert."""

    def __init__(self) -> None:
        self.failed: InvalidError | None = None
        self.path: tuple[str, ...] = ()
        self.has_converted = False

    def asked(self, node: expression.Node, model: Model | None) -> expression.Node:
        """Return an expression as it is for the twins of a template."""

        def convert(path: tuple[str, ...], quantity: Quantity) -> float:
            try:
                return self._convert(model, path, quantity)
            except InvalidError as error:
                if self.failed is None or self.failed.code == _WRONG:
                    self.failed, self.path = error, path
                raise

        return expression.without_quantities(node, convert)

    def _convert(self, model: Model | None, path: tuple[str, ...], quantity: Quantity) -> float:
        field = None if model is None else model.template.field_at(path)
        if model is None or field is None or field.unit is None:
            raise InvalidError(
                f"no template of the twins here gives {'.'.join(path)} a unit",
                code=_WRONG,
                hint="leave the unit out, or quote a text: name = '5 m'",
            )
        made = fields.convert(quantity.number, quantity.unit, field.unit, model.units)
        self.has_converted = True
        return made

    def check(self, known: list[str]) -> None:
        """Refuse an expression of which no template could convert a quantity.

        Args:
            known: Paths of templates, of which one may have been meant.

        Raises:
            UsageError: ``invalid_expression``, ``unit_mismatch``.
        """
        if self.failed is not None and not self.has_converted:
            path = ".".join(self.path)
            meant = near(path, known) if self.failed.code == _WRONG and path not in known else None
            if meant is not None:
                self.failed.hint = f"did you mean {meant}?"
            raise _on_the_command_line(self.failed)
