"""Searching for words: in names, ids, facts and what was recorded."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from twincli.ledger.index import split_search
from twincli.model import excerpt, record
from twincli.model.ids import is_prefix
from twincli.model.transaction import asset_of
from twincli.model.words import fold
from twincli.services import resolve
from twincli.services.asset.moments import checked_limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from re import Pattern

    from twincli.book.store import AssetName
    from twincli.services.documents import Search, SearchHit
    from twincli.services.workspace import Workspace

_IDS = 20
"""Ids that the beginning of one may find."""


def search(workspace: Workspace, text: str, limit: int | None = None) -> Search:
    """Find words in the names and ids of assets, in their facts and in what was recorded.

    Local names come first, equal ones before those that contain a word; then ids, then facts, then
    what was recorded. The last two come in commit order and are read as they are printed: only
    the names of this ledger are held in memory.

    Args:
        workspace: Rooms.
        text: Words are alternatives, ``"quoted phrases"`` must all occur, ``-word`` excludes.
        limit: Show at most N.

    Returns:
        ``twin.search/1`` with ``hits``, an iterator of ``asset_id name transaction_id in member
        match`` and ``data`` or ``metadata``. ``in`` is ``name``, ``id``, ``asset`` or ``metadata``;
        ``match`` is the text that was found, cut to about 80 characters, and ``member`` the path
        of the value that holds it; both are null where a value is too large to look through.

    Raises:
        UsageError: ``empty_search``; a limit below 1.
    """
    checked_limit(limit)
    found = workspace.client.search(text, limit or 0)
    hits = _Hits(workspace, text)
    every = chain(hits.by_name(), hits.by_id(), hits.by_words(found))
    return {"schema": "twin.search/1", "hits": islice(every, limit)}


class _Hits:
    """The hits of one search; what was shown by its name or id is not shown again for that."""

    def __init__(self, workspace: Workspace, text: str) -> None:
        self.workspace = workspace
        self.client = workspace.client
        self.names = resolve.asset_names(workspace)
        self.phrases, self.words, self.excluded = split_search(text)
        self.wanted = excerpt.pattern(self.phrases or self.words)
        self.named: set[str] = set()
        self.shown: set[str] = set()

    def by_name(self) -> Iterator[SearchHit]:
        """Yield the assets whose local names are or contain what is wanted."""
        equal: list[AssetName] = []
        partial: list[AssetName] = []
        whole = {fold(word) for word in self.words}
        for entry in self.workspace.book.list_assets(self.client.ledger_id):
            name = fold(entry.name)
            if self._is_named(name):
                (equal if name in whole else partial).append(entry)
        self.client.prepare(entry.asset_id for entry in equal + partial)
        for entry in equal + partial:
            found = self.client.entry(entry.asset_id)
            if found is not None:
                self.named.add(entry.asset_id)
                yield self._hit("name", found.tx, excerpt.Excerpt("name", entry.name), entry.name)

    def _is_named(self, name: str) -> bool:
        if any(fold(word).strip() in name for word in self.excluded):
            return False
        if self.phrases:
            return all(fold(phrase).strip() in name for phrase in self.phrases)
        return any(fold(word).strip() in name for word in self.words)

    def by_id(self) -> Iterator[SearchHit]:
        """Yield the transactions whose ids are or begin with a word."""
        words = self.phrases or self.words
        if self.phrases[1:]:
            return
        for word in filter(is_prefix, words):
            for tx_id in self.client.find_prefix(word.lower(), _IDS):
                if tx_id not in self.shown:
                    self.shown.add(tx_id)
                    tx = self.client.required(tx_id).tx
                    yield self._hit("id", tx, excerpt.Excerpt("id", tx_id))

    def by_words(self, found: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[SearchHit]:
        """Yield what the ledger found."""
        for place, tx in found:
            value = tx["asset"]["data"] if place == "asset" else tx["metadata"]
            match = _match(value, self.wanted)
            if match is None:
                if tx["id"] in self.shown:
                    continue
            elif place == "asset" and match.member == _NAME and tx["id"] in self.named:
                continue
            yield self._hit(place, tx, match)

    def _hit(
        self,
        place: str,
        tx: dict[str, Any],
        match: excerpt.Excerpt | None,
        name: str | None = None,
    ) -> SearchHit:
        asset_id = asset_of(tx)
        hit: SearchHit = {
            "asset_id": asset_id,
            "name": name or self.names.get(asset_id),
            "transaction_id": tx["id"],
            "in": place,
            "member": None if match is None else match.member,
            "match": None if match is None else match.text,
        }
        if place == "metadata" or tx["operation"] != "CREATE":
            hit["metadata"] = tx["metadata"]
        else:
            hit["data"] = tx["asset"]["data"]
        return hit


_NAME = f"{record.KEY}.name"


def _match(value: Any, wanted: Pattern[str] | None) -> excerpt.Excerpt | None:
    """Return what was found: in what the user wrote before it is looked for in the envelope."""
    if not isinstance(value, dict) or record.KEY not in value:
        return excerpt.found(value, wanted)
    users = {key: item for key, item in value.items() if key != record.KEY}
    found = excerpt.found(users, wanted)
    return found or excerpt.found({record.KEY: value[record.KEY]}, wanted)
