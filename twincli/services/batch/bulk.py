"""The lines of a batch that need no question: built together, many twins to a commit.

What goes this way is what nearly all lines are: appends and events, by one key that alone owns the
whole twin, and twins that are made without a template. Everything else goes the way of the single
command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli import BUILD_TIME_MS
from twincli.content.batch_spool import APPLIED, EXISTING, REFUSED
from twincli.errors import InvalidError, LockedError, TwinError
from twincli.ledger.bulk import Append
from twincli.ledger.rows import Spendable
from twincli.model import bodies, edits, record, times
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
from twincli.services.record.say import Saying
from twincli.services.signers import keys_to_spend, unlock
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twincli.content.batch_spool import Unit
    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.together import Together
    from twincli.rules.replay import Replay
    from twincli.services.asset.attempt import Write
    from twincli.services.asset.create import Signed
    from twincli.services.batch.lines import Line
    from twincli.services.batch.verbs import Rooms

_TAKEN = frozenset(("append", "event", "create"))
_SIMPLE = frozenset(("data", "state", "owner", "title", "amount", "at"))
_Result = tuple[int, str, "str | None", "str | None", "str | None"]


class Bulk:
    """Lines that wait for the end of a page.

    Args:
        rooms: What it is worked on with.
        whole: The commit at work.
        warn: Told what should be known.

    Attributes:
        last: The last transaction that was made, None before.
    """

    def __init__(self, rooms: Rooms, whole: Together, warn: Callable[[str], None]) -> None:
        self.last: str | None = None
        self._rooms = rooms
        self._workspace = rooms.stream.workspace
        self._whole = whole
        self._warn = warn
        self._signers: dict[str, Signer] = {}
        self._waiting: dict[str, list[Append]] = {}
        self._numbers: dict[str, list[int]] = {}
        self._creates: list[tuple[int, Signed]] = []
        self._results: list[_Result] = []

    def take(self, unit: Unit, told: list[tuple[int, Line, str | None]]) -> bool:
        """Take the lines of a twin, unless they have to go the other way.

        Raises:
            LockedError: ``bad_passphrase``.
        """
        if any(line.do not in _TAKEN or "key" in line.members for _, line, _ in told):
            return False
        is_new = told[0][1].do == "create"
        try:
            if is_new:
                return len(told) == 1 and self._take_create(*told[0])
            return unit.asset_id is not None and self._take(unit.asset_id, told)
        except LockedError as error:
            if error.code == "bad_passphrase":
                raise
            return False
        except TwinError:
            return False  # the other way says what is wrong, and with which line

    def _take_create(self, number: int, line: Line, token: str | None) -> bool:
        if not _SIMPLE.issuperset(line.members):
            return False
        client, book = self._workspace.client, self._workspace.book

        def later(made: Signed) -> Any:
            tx_id = made.tx["id"]
            if client.entry(tx_id) is None:
                self._creates.append((number, made))
            else:
                book.confirm(client.ledger_id, line.asset, tx_id)
                self._results.append((number, EXISTING, None, None, tx_id))

        verbs.create_by(self._rooms, line, Writing(line.members.get("at"), token), later)
        return True

    def _take(self, asset_id: str, told: list[tuple[int, Line, str | None]]) -> bool:
        replay = self._workspace.client.replay(asset_id)
        now = self._workspace.now()
        spends = None if replay is None else _only(replay)
        if replay is None or spends is None or now < max(BUILD_TIME_MS, last_claim(replay) or 0):
            return False
        details = spends.output["condition"]["details"]
        if "public_key" not in details:
            return False
        if replay.pin is not None and any(line.do != "append" for _, line, _ in told):
            return False  # what events there may be is not asked here
        state = dict(state_of(replay, spends))
        target = Target(self._workspace, told[0][1].asset, asset_id, Writing())
        model = template_of(target, replay.pin)
        made: list[tuple[int, dict[str, Any]]] = []
        found: list[_Result] = []
        for number, line, token in told:
            write, said = _planned(line, state)
            if token is not None and not made:  # what is recorded comes first
                before = first_of_once(target, token, write)
                if before is not None:
                    found.append((number, EXISTING, None, None, before))
                    continue
            written, stated = held_to(model, target, said.written)
            if "suspect" in stated:
                return False
            for warning in edits.type_changes(state, written):
                self._warn(f"line {number}: {warning}")
            state |= written
            at = line.members.get("at")
            at_ms = now if at is None else checked_at(at, now)
            envelope = record.envelope(
                said.kind, at=times.to_text(at_ms), once=token, body=said.body, **stated
            )
            metadata = {**written, record.KEY: envelope}
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
        """Record what waits; return what became of all lines that were taken."""
        results = [*self._results, *self._created()]
        for key, appends in self._waiting.items():
            made = self._whole.append_each(self._signers[key], appends)
            results += [
                (number, APPLIED, None, None, tx_id)
                for number, tx_id in zip(self._numbers[key], made, strict=True)
            ]
            self.last = made[-1]
        self._results, self._waiting, self._numbers = [], {}, {}
        return results

    def _created(self) -> Iterator[_Result]:
        """Submit the twins that wait, and say what became of each."""
        client, book = self._workspace.client, self._workspace.book
        creates, self._creates = self._creates, []
        verdicts = client.submit_each(made.tx for _, made in creates) if creates else ()
        for (number, made), verdict in zip(creates, verdicts, strict=True):
            assert made.name is not None
            tx_id = made.tx["id"]
            if isinstance(verdict, InvalidError):
                book.release(client.ledger_id, made.name, tx_id)
                yield number, REFUSED, verdict.code, verdict.message, None
                continue
            book.confirm(client.ledger_id, made.name, tx_id)
            self.last = tx_id
            yield number, APPLIED, None, None, tx_id


class _Planned(NamedTuple):
    """What an append is to say.

    Attributes:
        kind: Of the record.
        written: Members of the state.
        body: Of the record, or None.
    """

    kind: str
    written: dict[str, Any]
    body: dict[str, Any] | None = None


def _planned(line: Line, state: dict[str, Any]) -> tuple[Write, _Planned]:
    """Return the write of a line, and what it says about a twin in this state."""
    if line.do == "event":
        kind, more = verbs.more_of(line, "type")
        body = bodies.checked(bodies.EVENT, {"type": kind, **more})
        return Saying(bodies.EVENT, body), _Planned(bodies.EVENT, {}, body)
    changes = verbs.edits(line)
    data = {} if changes else line.members["data"]
    if not data and not changes:
        raise InvalidError("there is nothing to append")
    written = edits.write_set(state, data, changes)
    return Plain(data, changes), _Planned(record.APPEND, written)


def _only(replay: Replay) -> Spendable | None:
    """Return the only unspent output of a twin that may be appended to, else None."""
    last = replay.last
    if last is None or len(replay.outputs) != 1 or replay.frozen is not None:
        return None
    ((tx_id, index),) = replay.outputs
    return Spendable(tx_id, index, last["outputs"][index]) if tx_id == last["id"] else None
