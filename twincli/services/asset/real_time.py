"""The fields of a twin that are streams, whose latest values are shown with the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import NotFoundError
from twincli.services import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.rules.replay import Pin
    from twincli.services.documents import RealTime
    from twincli.services.workspace import Workspace


def real_time(workspace: Workspace, pin: Pin, state: Mapping[str, Any]) -> list[RealTime] | None:
    """Return the fields of a twin that are streams, with their latest values.

    The latest value is what the twin's owner appended; None for the whole: the template is not at
    hand.
    """
    try:
        model = catalogue.of_twin(workspace, pin)
    except NotFoundError:
        return None
    assert model is not None
    return [
        {
            "name": field.name,
            "type": field.type,
            "unit": field.unit,
            "source": field.source,
            "value": state.get(field.name),
        }
        for field in model.template.fields.values()
        if field.real_time
    ]
