"""The appends of a batch that need no question: built together, many twins to a commit.

What goes this way is what nearly all lines are: appends, by one key that alone owns the whole
twin. Everything else goes the way of the single command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli import BUILD_TIME_MS
from twincli.content.batch_spool import APPLIED, EXISTING
from twincli.errors import InvalidError, LockedError, TwinError
from twincli.ledger.bulk import Append
from twincli.ledger.rows import Spendable
from twincli.model import edits, record, times
from twincli.rules.data import check_data
from twincli.services.asset.append import Append as Plain
from twincli.services.asset.attempt import (
    Target,
    first_of_once,
    held_to,
    last_claim,
    state_of,
    template_of,
)
from twincli.services.asset.write_options import Writing, checked_at
from twincli.services.batch import verbs
from twincli.services.signers import keys_to_spend, unlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.content.batch_spool import Unit
    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.together import Together
    from twincli.rules.replay import Replay
    from twincli.services.batch.lines import Line
    from twincli.services.batch.verbs import Rooms

_Result = tuple[int, str, "str | None", "str | None", "str | None"]


class Bulk:
    """Appends that wait for the end of a page.

    Args:
        rooms: What it is worked on with.
        whole: The commit at work.
        warn: Told what should be known.

    Attributes:
        last: The last transaction that was made, None before.
    """

    def __init__(self, rooms: Rooms, whole: Together, warn: Callable[[str], None]) -> None:
        self.last: str | None = None
        self._workspace = rooms.stream.workspace
        self._whole = whole
        self._warn = warn
        self._signers: dict[str, Signer] = {}
        self._waiting: dict[str, list[Append]] = {}
        self._numbers: dict[str, list[int]] = {}
        self._results: list[_Result] = []

    def take(self, unit: Unit, told: list[tuple[int, Line, str | None]]) -> bool:
        """Take the lines of a twin, unless they have to go the other way.

        Raises:
            LockedError: ``bad_passphrase``.
        """
        if unit.asset_id is None or any(
            line.do != "append" or "key" in line.members for _, line, _ in told
        ):
            return False
        try:
            return self._take(unit.asset_id, told)
        except LockedError as error:
            if error.code == "bad_passphrase":
                raise
            return False
        except TwinError:
            return False  # the other way says what is wrong, and with which line

    def _take(self, asset_id: str, told: list[tuple[int, Line, str | None]]) -> bool:
        replay = self._workspace.client.replay(asset_id)
        now = self._workspace.now()
        spends = None if replay is None else _only(replay)
        if replay is None or spends is None or now < max(BUILD_TIME_MS, last_claim(replay) or 0):
            return False
        details = spends.output["condition"]["details"]
        if "public_key" not in details:
            return False
        state = dict(state_of(replay, spends))
        target = Target(self._workspace, told[0][1].asset, asset_id, Writing())
        model = template_of(target, replay.pin)
        made: list[tuple[int, dict[str, Any]]] = []
        found: list[_Result] = []
        for number, line, token in told:
            changes = verbs.edits(line)
            data = {} if changes else line.members["data"]
            if token is not None and not made:  # what is recorded comes first
                write = Plain(data, changes)
                before = first_of_once(target, token, write)
                if before is not None:
                    found.append((number, EXISTING, None, None, before))
                    continue
            if not data and not changes:
                raise InvalidError("there is nothing to append")
            written = edits.write_set(state, data, changes)
            written, stated = held_to(model, target, written)
            if "suspect" in stated:
                return False
            for warning in edits.type_changes(state, written):
                self._warn(f"line {number}: {warning}")
            state |= written
            at = line.members.get("at")
            at_ms = now if at is None else checked_at(at, now)
            said = record.envelope(record.APPEND, at=times.to_text(at_ms), once=token, **stated)
            metadata = {**written, record.KEY: said}
            check_data(None, metadata)
            made.append((number, metadata))
        if made:
            key = self._signer(details, told[0][1].asset)
            self._waiting.setdefault(key, []).extend(
                Append(asset_id, metadata, spends) for _, metadata in made
            )
            self._numbers.setdefault(key, []).extend(number for number, _ in made)
        self._results += found
        return True

    def _signer(self, details: dict[str, Any], ref: str) -> str:
        """Return the public key that signs, unlocked."""
        key: str = details["public_key"]
        if key not in self._signers:
            infos = keys_to_spend(self._workspace, [details], ref)
            self._signers[key] = unlock(self._workspace, infos)[0]
        return key

    def flush(self) -> list[_Result]:
        """Append what waits; return what became of all lines that were taken."""
        results = self._results
        for key, appends in self._waiting.items():
            made = self._whole.append_each(self._signers[key], appends)
            results += [
                (number, APPLIED, None, None, tx_id)
                for number, tx_id in zip(self._numbers[key], made, strict=True)
            ]
            self.last = made[-1]
        self._results, self._waiting, self._numbers = [], {}, {}
        return results


def _only(replay: Replay) -> Spendable | None:
    """Return the only unspent output of a twin that may be appended to, else None."""
    last = replay.last
    if last is None or len(replay.outputs) != 1 or replay.frozen is not None:
        return None
    ((tx_id, index),) = replay.outputs
    return Spendable(tx_id, index, last["outputs"][index]) if tx_id == last["id"] else None
