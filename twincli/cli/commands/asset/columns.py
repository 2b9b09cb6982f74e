"""``--columns a,b.c``: what a listing of assets shows of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import UsageError
from twincli.model.expression import value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twincli.cli.result import Column

_MEMBERS = (
    *("name", "id", "did", "kind", "owners", "owner_names", "owner", "amount", "burned"),
    *("template", "state", "data"),
)


def chosen(text: str) -> tuple[Column, ...]:
    """Return the columns that a text names.

    A path is looked for in the state, then in the facts, then among what every listing knows, such
    as ``owner`` and ``template``; a value that an asset does not have leaves its cell empty.
    ``name`` and ``id`` are always those of the asset.

    Raises:
        UsageError: A path is empty or has an empty part.
    """
    paths = [part.strip() for part in text.split(",")]
    for path in paths:
        if not all(path.split(".")):
            fault = f"{path!r} is not a path" if path else "a path is empty"
            raise UsageError(
                f"--columns: {fault}",
                hint="separate paths by commas, their parts by dots: --columns name,engine.hours",
            )
    return tuple((path, _value(tuple(path.split(".")))) for path in dict.fromkeys(paths))


def _value(path: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Any]:
    def value(item: Mapping[str, Any]) -> Any:
        for part in () if path in {("name",), ("id",)} else ("state", "data"):
            found = value_at(item.get(part) or {}, path)
            if found is not None:
                return found
        found = value_at(item, path) if path[0] in _MEMBERS else None
        return "" if found is None else found

    return value
