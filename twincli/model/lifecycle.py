"""The lifecycle that a twin is given when it is created: its stages, and the one it is in.

``lifecycle: {stages: [...], currentStage: ...}`` holds for that twin, with a template or without.
Anything else called ``lifecycle`` is data like other data.
"""

from __future__ import annotations

from twincli.errors import InvalidError, cut, shown
from twincli.model.text import one_line
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEY = "lifecycle"
STAGES = "stages"
CURRENT = "currentStage"
MAX_STAGES = 1000
MAX_TEXT = 200


def check(data: Mapping[str, Any], known: Sequence[str] = ()) -> None:
    """Check the lifecycle among the data of a CREATE.

    Args:
        data: Facts or state.
        known: The stages of the twin's template, in their order; empty where it has none.

    Raises:
        InvalidError: ``invalid_lifecycle``, naming the path.
    """
    found = data.get(KEY)
    if not isinstance(found, dict) or found.keys().isdisjoint((STAGES, CURRENT)):
        return
    stages = _stages(found[STAGES], known) if STAGES in found else list(known)
    if CURRENT not in found:
        return
    path = f"{KEY}.{CURRENT}"
    if not stages:
        raise _wrong(f"{KEY}.{STAGES} is missing", f"--set {KEY}.{STAGES}='[\"design\"]'")
    if found[CURRENT] not in stages:
        raise _wrong(f"{path}: {shown(found[CURRENT])} is not one of the stages", _one_of(stages))


def _stages(value: Any, known: Sequence[str]) -> list[str]:
    path = f"{KEY}.{STAGES}"
    if not isinstance(value, list) or not value:
        raise _wrong(f"{path}: {shown(value)} is not a list of stages", 'such as ["design"]')
    if len(value) > MAX_STAGES:
        raise _wrong(f"{path} has {len(value)} stages", f"at most {MAX_STAGES}")
    seen: set[str] = set()
    last = -1
    for at, stage in enumerate(value):
        where = f"{path}[{at}]"
        if not isinstance(stage, str) or not stage.strip() or one_line(stage).strip() != stage:
            raise _wrong(f"{where}: {shown(stage)} is not the name of a stage", "give it as text")
        if len(stage) > MAX_TEXT:
            raise _wrong(f"{where} has {len(stage)} characters", f"at most {MAX_TEXT}")
        if stage in seen:
            raise _wrong(f"{where}: {shown(stage)} stands there twice", "name each stage once")
        seen.add(stage)
        if not known:
            continue
        if stage not in known:
            raise _wrong(f"{where}: the template has no stage {shown(stage)}", _one_of(known))
        place = known.index(stage)
        if place < last:
            raise _wrong(
                f"{where}: {shown(stage)} comes before {shown(known[last])} in the template",
                _one_of(known),
            )
        last = place
    return value


def _one_of(stages: Sequence[str]) -> str:
    more = " ..." if len(stages) > 20 else ""
    return f"one of {', '.join(map(cut, stages[:20]))}{more}, in this order"


def _wrong(message: str, hint: str) -> InvalidError:
    return InvalidError(message, code="invalid_lifecycle", hint=hint)
