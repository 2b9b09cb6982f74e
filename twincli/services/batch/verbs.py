"""What the lines of a batch do: each verb calls the service of the command that does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.model.edits import Edit
from twincli.services.record.attachments import Stores
from twincli.services.tx.prepared import Prepared
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.services.asset.create import Signed
    from twincli.services.asset.write_options import Writing
    from twincli.services.batch.lines import Line
    from twincli.services.documents import CreatedAsset
    from twincli.services.record.attachments import Brought
    from twincli.services.stream.known import Room


class Rooms(NamedTuple):
    """What a batch is worked on with.

    Attributes:
        stream: The ledger, keys, names, streams and content.
        brought: Returns the file that a line names.
    """

    stream: Room
    brought: Callable[[str], Brought]

    @property
    def stores(self) -> Stores:
        """Where the content of files goes."""
        return Stores(self.stream.blobs, self.stream.nodes)

    def signing_with(self, key: str) -> Rooms:
        """Return these with one key to sign with."""
        workspace = self.stream.workspace._replace(keys=(key,))
        return self._replace(stream=self.stream._replace(workspace=workspace))

    def pretending(self) -> Rooms:
        """Return these with nothing to be written or unlocked."""
        workspace = self.stream.workspace._replace(dry_run=True)
        return self._replace(stream=self.stream._replace(workspace=workspace))


def run(rooms: Rooms, line: Line, writing: Writing) -> str | None:
    """Do what a line says; return the transaction that records it, None in a dry run."""
    done = TABLE[line.do](rooms, line, writing)
    assert not isinstance(done, Prepared)
    found: str | None = done["transaction_id"]
    return found


def edits(line: Line) -> tuple[Edit, ...]:
    """Return the data of a line as edits of single paths."""
    made = []
    for dotted in line.paths:
        path = tuple(dotted.split("."))
        value: Any = line.members["data"]
        for name in path:
            value = value[name]
        made.append(Edit(path, value))
    return tuple(made)


def _append(rooms: Rooms, line: Line, writing: Writing) -> Any:
    from twincli.services.asset.append import append

    workspace = rooms.stream.workspace
    if line.paths:
        return append(workspace, line.asset, {}, edits(line), writing)
    return append(workspace, line.asset, line.members["data"], (), writing)


def create_by(
    rooms: Rooms,
    line: Line,
    writing: Writing,
    later: Callable[[Signed], CreatedAsset] | None = None,
) -> Any:
    """Create the twin of a line; see ``create`` for ``later``."""
    from twincli.services.asset.create import Definition, create

    members = line.members
    wanted = Definition(
        data=members.get("data", {}),
        state=members.get("state"),
        owner=members.get("owner"),
        entity=members.get("entity"),
        parent=members.get("parent"),
        amount=members.get("amount", 1),
        title=members.get("title"),
        template=members.get("template"),
    )
    return create(rooms.stream.workspace, line.asset, wanted, writing, later=later)


def _reading(rooms: Rooms, line: Line, writing: Writing) -> Any:
    from twincli.model import reading
    from twincli.services.stream.push import push

    found = reading.parse(line.members["data"])
    return push(rooms.stream, line.asset, line.members["stream"], found, writing)


def _event(rooms: Rooms, line: Line, writing: Writing) -> Any:
    from twincli.services.life import events

    kind, more = more_of(line, "type")
    return events.add(rooms.stream.workspace, line.asset, kind, more, writing)


def _state(rooms: Rooms, line: Line, writing: Writing) -> Any:
    from twincli.services.life import states

    to, more = more_of(line, "to", "from")
    start = line.members.get("from")
    return states.move(rooms.stream.workspace, line.asset, to, more, writing, start=start)


def _stage(rooms: Rooms, line: Line, writing: Writing) -> Any:
    from twincli.services.life import stages

    stage, more = more_of(line, "stage")
    return stages.add(rooms.stream.workspace, line.asset, stage, more, writing)


def more_of(line: Line, first: str, *others: str) -> tuple[str, dict[str, Any]]:
    """Return a member of a line, and those that go into the body as they are."""
    left_out = {first, "at", "key", *others}
    more = {name: value for name, value in line.members.items() if name not in left_out}
    if isinstance(more.get("meets"), str):
        more["meets"] = [more["meets"]]
    return line.members[first], more


def _maintenance(rooms: Rooms, line: Line, writing: Writing) -> Any:
    from twincli.model import money
    from twincli.services.care import maintenance

    members = line.members
    currency = members.get("currency")
    given = maintenance.Work(
        type=members.get("type"),
        technician=members.get("technician"),
        work=_several(members.get("work", [])),
        parts=[money.part(word) for word in _several(members.get("parts", []))],
        currency=None if currency is None else money.currency(currency),
        done=_several(members.get("done", [])),
        next=members.get("next"),
        next_type=members.get("next_type"),
    )
    given = maintenance.with_data(given, members.get("data", {}))
    return maintenance.add(rooms.stream.workspace, line.asset, given, writing)


def _cert(rooms: Rooms, line: Line, writing: Writing) -> Any:
    from twincli.services.cert import issue

    members = line.members
    wanted = issue.Wanted(
        *map(members.get, ("type", "standard", "number", "issuer", "valid_from", "valid_until"))
    )
    workspace = rooms.stream.workspace
    return issue.issue(workspace, rooms.stores, line.asset, wanted, (), writing)


def _file(rooms: Rooms, line: Line, writing: Writing) -> Any:
    from twincli.services.file import attached
    from twincli.services.file.attach import attach

    members = line.members
    details = attached.Details(
        members.get("type"), members.get("issuer"), members.get("valid_until")
    )
    brought = [rooms.brought(members["file"])]
    workspace = rooms.stream.workspace
    return attach(workspace, rooms.stores, line.asset, brought, details, writing)


def _link(rooms: Rooms, line: Line, writing: Writing) -> Any:
    from twincli.services.link import links

    members = line.members
    return links.add(rooms.stream.workspace, line.asset, members["verb"], members["to"], writing)


def _grant(rooms: Rooms, line: Line, writing: Writing) -> Any:
    from twincli.rules.authority import WRITER
    from twincli.services.grant import grants

    members = line.members
    return grants.add(
        rooms.stream.workspace,
        line.asset,
        _several(members["to"]),
        role=members.get("role", WRITER),
        scope=_several(members.get("scope", [])),
        expires=members.get("expires"),
        reading=grants.Reading(rooms.stores),
        writing=writing,
    )


def _several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


TABLE: dict[str, Callable[[Rooms, Line, Writing], Any]] = {
    "append": _append,
    "create": create_by,
    "reading": _reading,
    "event": _event,
    "state": _state,
    "stage": _stage,
    "maintenance": _maintenance,
    "cert": _cert,
    "file": _file,
    "link": _link,
    "grant": _grant,
}
"""The service of each verb."""
