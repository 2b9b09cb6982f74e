"""Events: what happened to a twin, each of a type that its template allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, cut
from twincli.model import bodies
from twincli.model.names import near
from twincli.services import catalogue, resolve
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.record.listed import ALL, Wanted, items
from twincli.services.record.say import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twincli.rules.replay import Replay
    from twincli.services.documents import Events, Said
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace

_SHOWN = 20


def add(
    workspace: Workspace,
    ref: str,
    kind: str,
    more: Mapping[str, Any],
    writing: Writing = PLAIN,
    *,
    before: Callable[[str], None] | None = None,
) -> Said | Prepared:
    """Say that something happened to a twin.

    Args:
        workspace: Rooms.
        ref: The twin.
        kind: The type of the event.
        more: Other members of the body: ``data``, ``attachments``.
        writing: W, without ``bare``.
        before: Told what should be known before anything is written; it may raise.

    Returns:
        ``twin.record/1``.

    Raises:
        InvalidError: ``unknown_event``: the twin's template has no such type; ``invalid_record``;
            ``time_ahead``.
        NotFoundError: ``missing_template``.
        TwinError: As `say`.
    """
    body = bodies.checked(bodies.EVENT, {"type": kind, **more})

    def check(replay: Replay) -> None:
        _check_type(workspace, ref, kind, replay)

    return say(workspace, ref, bodies.EVENT, body, writing, check=check, before=before)


def check_type(workspace: Workspace, ref: str, kind: str) -> None:
    """Refuse a type of event that the template of a twin does not have, before anything is done.

    Raises:
        InvalidError: ``unknown_event``.
        NotFoundError: There is no such twin; ``missing_template``.
    """
    bodies.check_name(kind, "the type")
    replay = workspace.client.replay(resolve.asset_id_of(workspace, ref))
    if replay is not None:
        _check_type(workspace, ref, kind, replay)


def _check_type(workspace: Workspace, ref: str, kind: str, replay: Replay) -> None:
    model = catalogue.of_twin(workspace, replay.pin)
    allowed = None if model is None else model.template.events
    if model is None or allowed is None or kind in allowed:
        return
    meant = near(kind, allowed)
    if meant is not None:
        hint = f"did you mean {meant}?"
    elif allowed:
        more = " ..." if len(allowed) > _SHOWN else ""
        hint = f"one of {', '.join(allowed[:_SHOWN])}{more}"
    else:
        hint = "its template allows none"
    raise InvalidError(
        f"{cut(kind)!r} is not a type of event of {ref}, which follows {model.template.id}",
        code="unknown_event",
        hint=hint,
    )


def list_events(workspace: Workspace, ref: str, wanted: Wanted = ALL) -> Events:
    """Return the events of a twin, its owner's and those of others.

    Returns:
        ``twin.events/1`` with ``events``, an iterator.

    Raises:
        UsageError: As `Wanted` is malformed.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    return {
        "schema": "twin.events/1",
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "events": items(workspace, asset_id, bodies.EVENT, wanted),  # type: ignore[typeddict-item]
    }
