"""Bring together what is due for a twin: its schedules, its work, and all that has an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError, InvalidError, NotFoundError
from twincli.formats.credentials import proofs
from twincli.ledger.field_table import document_of
from twincli.model import bodies, due, record, schedules, times
from twincli.model.transaction import asset_of
from twincli.rules import attested
from twincli.rules.authority import AUTHORISED
from twincli.rules.replay import is_burned
from twincli.services import catalogue, resolve
from twincli.services.asset.document import claimed
from twincli.services.care.meters import TwinMeters
from twincli.services.cert import certificates
from twincli.services.file import attached
from twincli.services.record.records import records
from twincli.services.record.say import APPENDED
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twincli.model.due import Dated, Work
    from twincli.rules.attested import Certificate, Held
    from twincli.rules.replay import Pin, Replay
    from twincli.services.care.meters import Streams
    from twincli.services.catalogue import Model
    from twincli.services.record.records import Record
    from twincli.services.workspace import Workspace

KINDS = (bodies.MAINTENANCE, bodies.EVENT, record.FILE, record.CERTIFICATE)
"""The kinds of records that say that something is due, or was done."""


class Gatherer:
    """Gathers what is due, twin by twin.

    Args:
        workspace: Rooms.
        streams: The streams of twins, None where they are not asked.

    Attributes:
        is_lasting: Whether what was gathered last holds until something is said of the twin.
    """

    def __init__(self, workspace: Workspace, streams: Streams | None = None) -> None:
        self.workspace = workspace
        self._streams = streams
        self._models: dict[Pin, Model | None] = {}
        self._general: dict[str, schedules.Found] = {}
        self._names = resolve.Names(workspace)
        self.is_lasting = True

    def model(self, pin: Pin | None) -> Model | None:
        """Return the template of a twin, None where it has none or its bytes are not here."""
        if pin is None:
            return None
        key = pin._replace(by="")
        if key not in self._models:
            try:
                self._models[key] = catalogue.of_twin(self.workspace, pin)
            except (NotFoundError, InvalidError):
                self._models[key] = None
        return self._models[key]

    def gather(
        self,
        asset_id: str,
        replay: Replay,
        *,
        created_ms: int | None = None,
        until_ms: int | None = None,
        has_records: bool = True,
    ) -> due.Found:
        """Return what is due for a twin.

        Args:
            asset_id: The twin.
            replay: As it stands.
            created_ms: When its CREATE was committed, where that is known.
            until_ms: Only what had happened by then; None: all.
            has_records: False: nobody has said anything about it.
        """
        self.is_lasting = True
        create = replay.create
        assert create is not None
        model = self.model(replay.pin)
        data = document_of(replay)
        held: list[Record] = []
        if has_records:
            held = [
                one
                for one in records(self.workspace, asset_id, KINDS)
                if until_ms is None or one.happened_ms is None or one.happened_ms <= until_ms
            ]
        plans = self._plans(replay.pin, model, data)
        works = [w for one in held if (w := work_of(one, plans.schedules)) is not None]
        dated = _dated(held, self._certificates(asset_id, held, model))
        meters = TwinMeters(self.workspace, asset_id, replay, model, self._streams, works, until_ms)
        twin = due.Twin(data, plans, self._created(create, created_ms), works, dated)
        found = due.found(twin, meters)
        if model is None and replay.pin is not None and not plans.schedules:
            missing = ("schedules", f"the template {replay.pin.template} is not here")
            found = found._replace(unclear=(*found.unclear, missing))
        if found.unclear or (model is None and replay.pin is not None):
            self.is_lasting = False  # a template or a chunk may be here later
        return found

    def _certificates(
        self, asset_id: str, held: Sequence[Record], model: Model | None
    ) -> list[Certificate]:
        """Return the certificates that count: those of issuers that the template trusts.

        Where it names none, the owner's, and those of issuers with a name here: anybody may issue
        one, and what strangers issue alarms nobody.
        """
        trusted = () if model is None else model.template.trusted
        if not any(one.kind == record.CERTIFICATE for one in held):
            return []
        return [
            each
            for each in certificates.of_records(self.workspace, asset_id, held)
            if each.revoked is None and self._counts(each, trusted) and _may_be_right(each.document)
        ]

    def _counts(self, each: Certificate, trusted: Sequence[str]) -> bool:
        found = attested.is_trusted(each, trusted)
        if found is not None or each.record.form == APPENDED:
            return found is not False
        self.is_lasting = False
        key = each.issuer_key
        return key is not None and self._names.of_key(key) is not None

    def plans(self, replay: Replay) -> schedules.Found:
        """Return the schedules of a twin, its own or those of its template."""
        return self._plans(replay.pin, self.model(replay.pin), document_of(replay))

    def _plans(self, pin: Pin | None, model: Model | None, data: dict[str, Any]) -> schedules.Found:
        if model is None or any(value is not None for _, value in schedules.places(data)):
            return schedules.read(data)
        assert pin is not None
        known = self._general.get(pin.cid)
        if known is None:
            known = self._general[pin.cid] = schedules.read({}, model.template.schedules)
        return known

    def _created(self, create: dict[str, Any], created_ms: int | None) -> str | None:
        at = claimed(create)
        if at is not None and times.parse_claim(at) is not None:
            return times.day_or_time(at)
        if created_ms is None:
            created_ms = self.workspace.client.required(create["id"]).time_ms
        return times.told(created_ms)


def is_over(workspace: Workspace, replay: Replay) -> bool:
    """Say whether a twin was burned, so that nothing is due for it."""
    last = replay.last
    assert last is not None
    if not any(is_burned(output) for output in last["outputs"]):
        return False
    held = workspace.client.unspent(asset_of(last))
    return all(is_burned(item.output) for item in held)


def work_of(one: Record, known: Sequence[schedules.Schedule]) -> Work | None:
    """Return the work in a record that counts, None where there is none."""
    if one.standing != AUTHORISED or one.kind not in {bodies.MAINTENANCE, bodies.EVENT}:
        return None
    stated = bodies.read(one.kind, one.body).stated
    kind, data = stated.get("type"), stated.get("data", {})
    if kind is None:
        return None
    until, next_type = due.stated_next(data)
    if one.kind == bodies.EVENT:
        inner = data.get("type")
        types = (kind, inner) if isinstance(inner, str) and inner.strip() else (kind,)
        if not any(due.is_work(name, data, known) for name in types):
            return None
        done = data.get("done", [])
        names = [name for name in done if isinstance(name, str)] if isinstance(done, list) else []
        return due.Work(
            one.tx_id, one.happened_ms, types, tuple(names), until, next_type, data, is_event=True
        )
    if "next" in stated:
        until = times.day_or_time(stated["next"])
    return due.Work(
        one.tx_id,
        one.happened_ms,
        (kind,),
        tuple(stated.get("done", ())),
        until,
        stated.get("next_type", next_type),
        data,
    )


class _Ending(NamedTuple):
    """Something with an end.

    Attributes:
        dated: What.
        sort: What it is of: one of the same sort that ends later takes its place.
    """

    dated: Dated
    sort: tuple[str | None, ...]


def _dated(held: Sequence[Record], certified: Sequence[Certificate]) -> list[Dated]:
    """Return the files and certificates with an end that nothing has taken the place of."""
    found: list[_Ending] = []
    endless: set[tuple[str | None, ...]] = set()
    for told in held:
        if told.kind == record.FILE and told.standing == AUTHORISED:
            file = attached.of_body(told.body)
            name = file["name"] or file["cid"] or due.FILE
            sort = (file["type"] or name, file["issuer"])
            found += _ending(due.FILE, name, file["valid_until"], told, sort)
    for each in certified:
        claims = each.claims
        name = claims.number or claims.standard or claims.kind or due.CERTIFICATE
        what: tuple[str | None, ...] = (claims.kind, claims.standard, claims.issuer)
        if claims.kind is None and claims.standard is None:
            what = (claims.number, claims.issuer)  # nothing says what it is of
        if claims.valid_until is None:
            endless.add((due.CERTIFICATE, *what))
        found += _ending(due.CERTIFICATE, name, claims.valid_until, each.record, what)
    names: set[tuple[str, str]] = set()
    longest: dict[tuple[str | None, ...], int] = {}
    left = []
    for one, alike in reversed(found):
        ends, of = due.span_of(one.until)[1], (one.reason, *alike)
        is_newest = (one.reason, one.name) not in names
        if is_newest and of not in endless and ends >= longest.get(of, ends):
            left.append(one)
        names.add((one.reason, one.name))
        longest[of] = max(ends, longest.get(of, ends))
    return left


def _may_be_right(document: dict[str, Any]) -> bool:
    """Say whether nothing is known to be wrong with a certificate."""
    try:
        return proofs.is_right(document, quickly=True) is not False
    except ConfigError:  # the extra package is missing: its end is due all the same
        return True


def _ending(
    reason: str, name: str, until: str | None, one: Record | Held, sort: tuple[str | None, ...]
) -> Iterator[_Ending]:
    when = None if until is None else times.day_or_time(until)
    if when is not None:
        yield _Ending(due.Dated(reason, name, when, one.tx_id, one.happened_ms), sort)
