"""The transparency log of a node of twincli, read over HTTP: checkpoint, tiles and leaves.

What a node sends is believed only as far as it leads to the root of one checkpoint.

Source: c2sp.org/tlog-tiles.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from twincli.client.content import Place
from twincli.client.untrusted import lie, stated_id, stated_offers
from twincli.crypto import base58, merkle, notes, tiles, tlog
from twincli.errors import InvalidError
from twincli.rules.validity import PROFILES, SERVER
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twincli.errors import NotVerifiedError

T = TypeVar("T")

OFFER = "log"
"""What a node that has a log states at its root."""
PREFIX = "/twin/v1/log"
LEAF_BYTES = 48
KEPT = 32
"""Tiles of leaves that are kept in memory."""

MOST_TILES = 1 << 14
"""Tiles that a block is looked for in; a node that lies could send new ones for ever."""

_MOST_KEYS = 1000


class Stated(NamedTuple):
    """What a node says about the ledger that its log is of.

    Attributes:
        id: Its ``ledger_id``, 64 hex digits.
        public_key: The key that signs its checkpoints, base58.
        former_keys: Those that did before.
        profile: Of its rules.
    """

    id: str
    public_key: str
    former_keys: tuple[str, ...]
    profile: str


class Leaf(NamedTuple):
    """A transaction as the log has it.

    Attributes:
        height: Of its block.
        time_ms: Of its block.
        tx_id: 32 bytes.
    """

    height: int
    time_ms: int
    tx_id: bytes


class LogPlace(Place):
    """A node that may have a log; see ``Place``."""

    def stated(self) -> Stated | None:
        """Return what the node says about its ledger; None: it has no log.

        Raises:
            UnreachableError: ``node_error``.
        """
        info = self.info()
        if OFFER not in stated_offers(info):
            return None
        ledger_id, twin = stated_id(info), info["twin"]
        key, former, profile = (twin.get(name) for name in ("public_key", "former_keys", "profile"))
        if ledger_id is None or not _is_key(key):
            return None
        past = former[:_MOST_KEYS] if isinstance(former, list) else []
        return Stated(
            ledger_id,
            key,
            tuple(each for each in past if _is_key(each)),
            profile if profile in PROFILES else SERVER,
        )

    def checkpoint(self) -> bytes:
        """Return a checkpoint of all that the ledger holds, unchecked.

        Raises:
            UnreachableError: ``node_error``.
        """
        return self._get("checkpoint")

    def tile(self, level: int | str, number: int, width: int) -> bytes:
        """Return a tile, unchecked; see ``tiles.path_of``.

        Raises:
            UnreachableError: ``node_error``.
        """
        return self._get(tiles.path_of(level, number, width))

    def _get(self, name: str) -> bytes:
        with closing(self.request("GET", f"{PREFIX}/{name}")) as response:
            said = self.whole(response)
        if response.status != 200:
            raise self.failed(f"its log answers {response.status} to {name}")
        return said


def _is_key(value: object) -> bool:
    return isinstance(value, str) and base58.is_key(value)


class Log:
    """A log at one checkpoint.

    Args:
        place: Where it is.
        stated: What the node says about the ledger.
        data: The checkpoint, from ``place.checkpoint``, or an earlier one.

    Attributes:
        data: The same, as it was sent.
        note: The same, read.
        size: Transactions that it is of.
        root: The root of their tree.
        keys: Those that its ledger signs checkpoints with, or once did, as the node states.

    Raises:
        InvalidError: ``invalid_note``, ``invalid_checkpoint``.
        NotVerifiedError: ``bad_note_signature``; ``wrong_log``: it is of another ledger, or not
            signed by the key that the node states.
    """

    def __init__(self, place: LogPlace, stated: Stated, data: bytes) -> None:
        self.place, self.stated, self.data = place, stated, data
        self.note = notes.parse(data)
        found = tlog.parse_checkpoint(self.note.text)
        origin = tlog.origin_of(stated.id)
        if found.origin != origin:
            raise lie("wrong_log", f"{place.url} shows a checkpoint of another ledger")
        self.keys = [
            notes.VerifierKey(origin, notes.ED25519, base58.decode_key(key))
            for key in (stated.public_key, *stated.former_keys)
        ]
        if not notes.verify(self.note, self.keys):
            raise lie("wrong_log", f"{place.url} shows a checkpoint that its ledger did not sign")
        self.size, self.root = found.size, found.root
        self._tree = tiles.TiledTree(found.size, place.tile)
        self._leaves: OrderedDict[int, list[Leaf]] = OrderedDict()

    def find(self, tx_ids: Iterable[str], height: int) -> dict[str, int]:
        """Return the positions of transactions of one block, from 0; those not there are left out.

        The tiles of a block are read once, however many of its transactions are asked for.

        Args:
            tx_ids: Their ids.
            height: Of the block, as the node says.

        Raises:
            UnreachableError: ``node_error``.
            NotVerifiedError: ``wrong_log``: what it sends are not leaves, or it never ends.
        """
        wanted = {bytes.fromhex(tx_id): tx_id for tx_id in tx_ids}
        places: dict[str, int] = {}
        first, last = 0, -(-self.size // tiles.WIDTH)
        while last - first > 1:  # the last tile that begins before the block
            middle = (first + last) // 2
            if self._tile(middle)[0].height < height:
                first = middle
            else:
                last = middle
        for number in range(first, -(-self.size // tiles.WIDTH)):
            if number - first > MOST_TILES:
                raise self._wrong(f"its block {height} never ends")
            found = self._tile(number)
            for at, leaf in enumerate(found):
                if leaf.height == height and leaf.tx_id in wanted:
                    places[wanted.pop(leaf.tx_id)] = number * tiles.WIDTH + at
            if found[-1].height > height or not wanted:
                break
        return places

    def leaf(self, index: int) -> Leaf:
        """Return what the log has at a position."""
        number, at = divmod(index, tiles.WIDTH)
        return self._tile(number)[at]

    def path(self, index: int) -> list[bytes]:
        """Return the hashes that lead from a leaf to the root, unchecked."""
        return self._made(lambda: self._tree.inclusion_path(index))

    def proved(self, index: int, height: int, time_ms: int, tx_id: str) -> list[bytes] | None:
        """Return the path of a transaction; None: it does not lead to the root.

        Args:
            index: Its position, from 0.
            height: Of its block.
            time_ms: Of its block.
            tx_id: Its id.
        """
        path = self.path(index)
        leaf = merkle.leaf_hash(merkle.ledger_leaf(height, time_ms, bytes.fromhex(tx_id)))
        there = merkle.verify_inclusion(leaf, index, self.size, path, self.root)
        return path if there else None

    def lacking(self, tx_id: str) -> NotVerifiedError:
        """Return the error for a transaction that the node shows and the log does not have."""
        return lie("wrong_log", f"{self.place.url} shows {tx_id}, which its log does not have")

    def growth(self, old_size: int) -> list[bytes]:
        """Return the hashes that show an earlier tree within this one, unchecked."""
        return self._made(lambda: self._tree.consistency_path(old_size))

    def root_at(self, size: int) -> bytes:
        """Return the root of the first transactions.

        Raises:
            InvalidError: ``out_of_range``.
            NotVerifiedError: ``wrong_log``: it does not lead to the root of the checkpoint.
        """
        path = self.growth(size)
        root = self._made(lambda: self._tree.root_at(size))
        if not merkle.verify_consistency(size, self.size, path, root, self.root):
            raise self._wrong("its tiles do not lead to the root of its checkpoint")
        return root

    def _made(self, make: Callable[[], T]) -> T:
        try:
            return make()
        except InvalidError as error:
            if error.code != "invalid_tree_state":
                raise
            raise self._wrong(error.message) from error

    def _tile(self, number: int) -> list[Leaf]:
        found = self._leaves.get(number)
        if found is not None:
            self._leaves.move_to_end(number)
            return found
        width = tiles.width_at(self.size, 0, number)
        data = self.place.tile("entries", number, width)
        size = 2 + LEAF_BYTES
        if len(data) != width * size or any(
            data[at : at + 2] != _LENGTH for at in range(0, len(data), size)
        ):
            raise self._wrong(f"its tile {number} does not hold the leaves of a ledger")
        found = [_leaf(data[at + 2 : at + size]) for at in range(0, len(data), size)]
        self._leaves[number] = found
        if len(self._leaves) > KEPT:
            self._leaves.popitem(last=False)
        return found

    def _wrong(self, why: str) -> NotVerifiedError:
        return lie("wrong_log", f"the log of {self.place.url} was altered: {why}")


_LENGTH = LEAF_BYTES.to_bytes(2, "big")


def _leaf(data: bytes) -> Leaf:
    return Leaf(int.from_bytes(data[:8], "big"), int.from_bytes(data[8:16], "big"), data[16:])
