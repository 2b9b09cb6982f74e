"""Edits of a document: what ``--mileage 1200``, ``--set``, ``--str`` and ``--unset`` mean.

The state of a twin is a shallow merge of its metadata, so a dotted path is written by taking the
present top-level object, setting the path in it, and writing the whole object. Readers that know
nothing of paths then see the same state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from twincli.errors import InvalidError, UsageError
from twincli.values import Any, NamedTuple

RESERVED = "twin"
"""The one top-level name that is not the user's: the envelope."""


class Edit(NamedTuple):
    """One change: set ``path`` to ``value``, or remove it.

    Attributes:
        path: Names from the top level down, at least one.
        value: A JSON value; ignored where ``unset``.
        unset: Whether to remove the path.
    """

    path: tuple[str, ...]
    value: Any = None
    unset: bool = False


def split_path(text: str) -> tuple[str, ...]:
    """Return the names of a dotted path.

    Raises:
        InvalidError: ``empty_segment``, ``invalid_name`` (a name that starts with ``$`` or contains
            NUL: BigchainDB refuses both), ``reserved_key`` (``twin`` at the top).
    """
    names = tuple(text.split("."))
    for name in names:
        if not name:
            raise InvalidError(
                f"{text!r}: a part of the path is empty",
                code="empty_segment",
                hint="dots nest, as in power.hp; a name itself cannot contain a dot",
            )
        _check_name(name, text)
    if names[0] == RESERVED:
        raise _reserved(text)
    return names


def _check_name(name: str, path: str) -> None:
    if name.startswith("$"):
        raise InvalidError(
            f"{path!r}: BigchainDB refuses names that start with '$'",
            code="invalid_name",
        )
    if "\0" in name:
        raise InvalidError(f"{path!r}: BigchainDB refuses NUL in a name", code="invalid_name")


def _reserved(path: str) -> InvalidError:
    return InvalidError(
        f"{path!r}: the name {RESERVED!r} is reserved for twincli at the top level",
        code="reserved_key",
    )


def check_edits(edits: Iterable[Edit]) -> None:
    """Refuse edits that contradict each other.

    Raises:
        UsageError: The same path twice, or a path given after one that lies inside it, whose
            value would be lost.
    """
    seen: set[tuple[str, ...]] = set()
    inner: dict[tuple[str, ...], tuple[str, ...]] = {}
    for edit in edits:
        path = edit.path
        dotted = ".".join(path)
        if path in seen:
            raise UsageError(f"{dotted!r} is given twice")
        if path in inner:
            raise UsageError(
                f"{dotted!r} would undo {'.'.join(inner[path])!r}, given before it",
                hint=f"give {dotted!r} first, or only one of the two",
            )
        seen.add(path)
        for length in range(1, len(path)):
            inner.setdefault(path[:length], path)


def build(base: Mapping[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """Return new data: ``base`` with the edits on top. ``base`` is left as it is.

    An ``unset`` removes the path; a missing one is not an error.

    Raises:
        InvalidError: ``not_an_object``, naming the path, where a path leads into a value that is
            not an object; ``reserved_key``, ``invalid_name`` for names of ``base``.
        UsageError: See `check_edits`.
    """
    edits = tuple(edits)
    check_edits(edits)
    _check_base(base)
    result = dict(base)
    for edit in edits:
        if len(edit.path) == 1 and edit.unset:
            result.pop(edit.path[0], None)
        else:
            _apply(result, result, edit)
    return result


def write_set(
    state: Mapping[str, Any], base: Mapping[str, Any], edits: Iterable[Edit]
) -> dict[str, Any]:
    """Return the top-level members that an append has to write.

    Args:
        state: The twin's present state; left as it is.
        base: Members given whole, as with ``--data``; they win over ``state``.
        edits: Win over both. ``unset`` of a nested path removes it from the object that is
            written; of a top-level name that is there it writes null.

    Raises:
        InvalidError: As `build`.
        UsageError: See `check_edits`.
    """
    edits = tuple(edits)
    check_edits(edits)
    _check_base(base)
    written = dict(base)
    for edit in edits:
        if len(edit.path) == 1 and edit.unset:
            if edit.path[0] in written or edit.path[0] in state:
                written[edit.path[0]] = None
        else:
            _apply(written, state, edit)
    return written


def not_there(state: Mapping[str, Any], edits: Iterable[Edit]) -> list[str]:
    """Return a warning for every path to be removed that is not in a state."""
    found = []
    for edit in edits:
        value: Any = state
        for name in edit.path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if edit.unset and value is None:
            found.append(f"{'.'.join(edit.path)} is not in the state, so nothing was removed")
    return found


def _check_base(base: Mapping[str, Any]) -> None:
    for name in base:
        _check_name(name, name)
        if name == RESERVED:
            raise _reserved(name)


def _apply(written: dict[str, Any], present: Mapping[str, Any], edit: Edit) -> None:
    """Put one edit into ``written``, copying the objects on its way.

    ``present`` supplies the top-level object where ``written`` has none.
    """
    path = edit.path
    if len(path) == 1:
        written[path[0]] = edit.value
        return
    top = path[0]
    found = written[top] if top in written else present.get(top)
    if found is None and edit.unset:
        # There is nothing to remove, and a removed name reads as null.
        return
    target = _copy_of(found, path, 1)
    written[top] = target
    for depth in range(1, len(path) - 1):
        name = path[depth]
        if edit.unset and target.get(name) is None:
            return
        child = _copy_of(target.get(name), path, depth + 1)
        target[name] = child
        target = child
    if edit.unset:
        target.pop(path[-1], None)
    else:
        target[path[-1]] = edit.value


def _copy_of(value: Any, path: tuple[str, ...], depth: int) -> dict[str, Any]:
    """Return a copy of the object at ``path[:depth]``, a new one where it is missing."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    outer = ".".join(path[:depth])
    raise InvalidError(
        f"{'.'.join(path)!r}: {outer!r} is {type_name(value)}, so nothing can nest in it",
        code="not_an_object",
        hint=f"write {outer!r} whole with --set",
    )


def type_name(value: Any) -> str:
    """Return the JSON type of a value in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "an object"


def type_changes(state: Mapping[str, Any], written: Mapping[str, Any]) -> list[str]:
    """Return a warning for every member whose JSON type differs from the current state's.

    Objects are compared member by member; null on either side is a value set or removed, not
    a change of type.
    """
    found: list[str] = []
    _compare(state, written, "", found)
    return found


def _compare(
    state: Mapping[str, Any], written: Mapping[str, Any], prefix: str, found: list[str]
) -> None:
    for name, value in written.items():
        before = state.get(name)
        if value is None or before is None:
            continue
        path = prefix + name
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            _compare(before, value, path + ".", found)
        elif type_name(value) != type_name(before):
            found.append(f"{path} was {type_name(before)} and is now {type_name(value)}")
