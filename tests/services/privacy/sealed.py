"""A twin with an encrypted stream, in rooms whose clock is told."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from tests.services.rooms import Rooms
from twincli.content.copies import Copies
from twincli.content.inventory import Inventory
from twincli.content.store import Blobs
from twincli.model.reading import Observation
from twincli.services.asset.create import Definition, create
from twincli.services.asset.write_options import PLAIN
from twincli.services.documents import CreatedStream, WrittenGrants
from twincli.services.grant import grants
from twincli.services.privacy.chunks import SealedChunks
from twincli.services.privacy.shelf import Shelf
from twincli.services.query import query
from twincli.services.query.asked import Typed
from twincli.services.query.feed import Feed
from twincli.services.record.attachments import Stores
from twincli.services.stream import create as streams
from twincli.services.stream import push as pushing
from twincli.services.stream.known import Room
from twincli.services.stream.rollups import Rollups


class Vault:
    """The twin ``car`` of maker, and what is done with it."""

    def __init__(self, rooms: Rooms, directory: Path) -> None:
        self.rooms, self.directory = rooms, directory
        self.blobs = Blobs(str(directory / "content"))
        self.stores = Stores(self.blobs)
        for name in ("maker", "viewer", "device"):
            rooms.key(name)
        made = create(rooms.workspace, "car", Definition({}, owner="maker"), PLAIN)
        assert isinstance(made, dict)
        self.twin_id = str(made["id"])

    def room(self, *keys: str, home: str = "home") -> Room:
        workspace = self.rooms.using(*keys)
        copies = Copies(self.blobs, str(self.directory / home / "copies"))
        sealed = SealedChunks(workspace, Shelf(self.blobs), copies)
        inventory = Inventory(str(self.directory / home / "streams.db"))
        rollups = str(self.directory / home / "rollups.db")
        return Room(workspace, inventory, self.blobs, copies, (), None, rollups, sealed)

    def stream(self, name: str, **more: Any) -> CreatedStream:
        made = streams.create(self.rooms.workspace, "car", name, encrypt=self.stores, **more)
        assert isinstance(made, dict)
        return made

    def push(self, name: str, *keys: str, home: str = "home", **leaves: Any) -> Any:
        room = self.room(*keys, home=home)
        found = Observation(leaves, leaves.pop("at", None))
        try:
            return pushing.push(room, "car", name, found)
        finally:
            room.inventory.close()
            room.copies.close()
            assert room.sealed is not None
            room.sealed.close()

    def ask(self, name: str, *keys: str, home: str = "home", **more: Any) -> list[dict[str, Any]]:
        """Return the rows of a stream without their times."""
        return self.asked(name, *keys, home=home, **more)[0]

    def asked(
        self, name: str, *keys: str, home: str = "home", **more: Any
    ) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        workspace = self.rooms.using(*keys)
        copies = Copies(self.blobs, str(self.directory / home / "copies"))
        rollups = Rollups(str(self.directory / home / "rollups.db"))
        sealed = SealedChunks(workspace, Shelf(self.blobs), copies)
        feed = Feed(self.blobs, copies, rollups, (), sealed)
        with closing(copies), closing(sealed), closing(feed):
            found = query.query(workspace, feed, "car", Typed((name,), **more))
            rows = [{**row} for row in found.rows()]
        for row in rows:
            row.pop("timestamp")
        return rows, found.warnings

    def grant(self, to: str = "viewer", role: str = "viewer", **more: Any) -> WrittenGrants:
        reading = grants.Reading(self.stores, more.pop("recipient", None))
        made = grants.add(self.rooms.workspace, "car", [to], role=role, reading=reading, **more)
        assert isinstance(made, dict)
        return made

    def revoke(self, whom: str = "viewer", **more: Any) -> Any:
        return grants.revoke(self.rooms.workspace, "car", [whom], stores=self.stores, **more)

    def holds(self, text: str) -> bool:
        """Say whether any file here has a text."""
        return any(
            text.encode() in path.read_bytes()
            for path in self.directory.rglob("*")
            if path.is_file()
        )
