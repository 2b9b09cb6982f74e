"""What records say: the bodies of events, states, stages, maintenance and certificates.

One table holds the members of each kind. `checked` holds a body to it before it is written; `read`
takes a stranger's body apart by the same table and never raises: what is well formed is stated,
what is not is named. Members that the table does not know are left as they are.
"""

from __future__ import annotations

import re

from twincli.crypto import cid as _cid
from twincli.errors import InvalidError, place, shown
from twincli.model import times
from twincli.model.ids import is_id
from twincli.model.text import one_line
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Path = tuple[str | int, ...]
    Judge = Callable[[Any], Iterator["Wrong"]]

EVENT, STATE, STAGE, MAINTENANCE = ("event", "state", "stage", "maintenance")
CERTIFICATE = "certificate"

MAX_NAME = 200
"""Characters of a name: of a type, a state, a stage, a condition."""
MAX_TEXT = 4000
"""Characters of a text: a reason, what was done."""
MAX_ITEMS = 100
"""Items of a list."""
MAX_FAULTS = 20

CHECKED, ASSERTED, UNMET = STANDINGS = ("checked", "asserted", "unmet")
"""How a condition of a move was met: an expression of the template holds, the signer says so, or
not at all."""

_DECIMAL = r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,9})?"


class Wrong(NamedTuple):
    """What is wrong with a part of a body.

    Attributes:
        path: Names and positions from the body down.
        message: What is wrong.
        right: What would be right.
    """

    path: Path
    message: str
    right: str


class Member(NamedTuple):
    """A member of a body.

    Attributes:
        name: Its name.
        judge: Yields what is wrong with a value.
        required: Whether a body needs it.
    """

    name: str
    judge: Judge
    required: bool = False


class Read(NamedTuple):
    """A stranger's body.

    Attributes:
        stated: The members that are well formed; of lists the items that are.
        malformed: Places of those that are not, such as ``attachments[1].cid``.
    """

    stated: dict[str, Any]
    malformed: tuple[str, ...]


def _name(value: Any) -> Iterator[Wrong]:
    stripped = value.strip() if isinstance(value, str) else ""
    if not stripped:
        yield Wrong((), f"{shown(value)} is not a name", "write it as text")
    elif len(value) > MAX_NAME:
        yield Wrong((), f"it has {len(value)} characters", f"at most {MAX_NAME}")
    elif stripped != value or one_line(value) != value:
        yield Wrong((), f"{shown(value)} has blanks around it or odd characters", "one plain line")


def _text(value: Any) -> Iterator[Wrong]:
    if not isinstance(value, str) or not value.strip():
        yield Wrong((), f"{shown(value)} is not a text", "write it as text")
    elif len(value) > MAX_TEXT:
        yield Wrong((), f"it has {len(value)} characters", f"at most {MAX_TEXT}")


def _data(value: Any) -> Iterator[Wrong]:
    if not isinstance(value, dict):
        yield Wrong((), f"{shown(value)} is not an object", "name the values")


def _decimal(value: Any) -> Iterator[Wrong]:
    if not isinstance(value, str) or not re.fullmatch(_DECIMAL, value):
        yield Wrong((), f"{shown(value)} is not a decimal", "a decimal as text, such as 45.99")


def _currency(value: Any) -> Iterator[Wrong]:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        yield Wrong((), f"{shown(value)} is not a currency", "three letters, such as USD")


def _moment(value: Any) -> Iterator[Wrong]:
    if not isinstance(value, str) or times.day_or_time(value) is None:
        yield Wrong((), f"{shown(value)} is not a date or a time", "2024-04-15, or RFC 3339")


def _file(value: Any) -> Iterator[Wrong]:
    try:
        _cid.parse(value if isinstance(value, str) else "")
    except InvalidError:
        yield Wrong((), f"{shown(value)} is not the CID of a file", "as twin file attach shows it")


def _size(value: Any) -> Iterator[Wrong]:
    if type(value) is not int or not 0 <= value < 1 << 63:
        yield Wrong((), f"{shown(value)} is not a size", "a number of bytes")


def _transaction(value: Any) -> Iterator[Wrong]:
    if not isinstance(value, str) or not is_id(value):
        yield Wrong((), f"{shown(value)} is not the id of a transaction", "64 hexadecimal digits")


def _standing(value: Any) -> Iterator[Wrong]:
    if value not in STANDINGS:
        yield Wrong((), f"{shown(value)} is not a standing", f"one of {', '.join(STANDINGS)}")


def _truth(value: Any) -> Iterator[Wrong]:
    if not isinstance(value, bool):
        yield Wrong((), f"{shown(value)} is not true or false", "true or false")


def _object(*members: Member) -> Judge:
    def judge(value: Any) -> Iterator[Wrong]:
        if not isinstance(value, dict):
            yield Wrong((), f"{shown(value)} is not an object", "name its members")
            return
        for member in members:
            if member.name not in value:
                if member.required:
                    yield Wrong((member.name,), "it is missing", "name it")
                continue
            for wrong in member.judge(value[member.name]):
                yield wrong._replace(path=(member.name, *wrong.path))

    return judge


def _list(judge: Judge) -> Judge:
    def judge_all(value: Any) -> Iterator[Wrong]:
        if not isinstance(value, list):
            yield Wrong((), f"{shown(value)} is not a list", "write a list")
            return
        if len(value) > MAX_ITEMS:
            yield Wrong((), f"it has {len(value)} items", f"at most {MAX_ITEMS}")
            return
        for at, item in enumerate(value):
            for wrong in judge(item):
                yield wrong._replace(path=(at, *wrong.path))

    return judge_all


ATTACHMENT = _object(
    Member("cid", _file, required=True),
    Member("name", _text, required=True),
    Member("size", _size, required=True),
    Member("media_type", _name),
    Member("type", _name),
    Member("profile", _name),
)
_FREE = (Member("data", _data), Member("attachments", _list(ATTACHMENT)))
_CONDITION = _object(
    Member("name", _name, required=True),
    Member("required", _truth, required=True),
    Member("standing", _standing, required=True),
)
_PART = _object(
    Member("part", _name, required=True),
    Member("quantity", _decimal, required=True),
    Member("cost", _decimal),
)

MEMBERS: dict[str, tuple[Member, ...]] = {
    EVENT: (Member("type", _name, required=True), *_FREE),
    STATE: (
        Member("from", _name, required=True),
        Member("to", _name, required=True),
        Member("reason", _text),
        Member("meets", _list(_name)),
        Member("conditions", _list(_CONDITION)),
        Member("triggered_by", _name),
        *_FREE,
    ),
    STAGE: (
        Member("stage", _name, required=True),
        Member("location", _text),
        Member("date", _moment),
        Member("skipped", _list(_name)),
        *_FREE,
    ),
    MAINTENANCE: (
        Member("type", _name, required=True),
        Member("technician", _name),
        Member("work", _list(_text)),
        Member("parts", _list(_PART)),
        Member("currency", _currency),
        Member("total", _decimal),
        Member("done", _list(_name)),
        Member("next", _moment),
        Member("next_type", _name),
        *_FREE,
    ),
    CERTIFICATE: (
        Member("credential", _data),
        Member("revokes", _transaction),
        Member("reason", _text),
        Member("status_list", _data),
        *_FREE,
    ),
}
"""The members of the body of each kind, in the order in which they are written."""


def checked(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body as it is recorded: known members in their order, those that are None left out.

    Args:
        kind: One of `MEMBERS`.
        body: What is to be said.

    Raises:
        InvalidError: ``invalid_record``, naming the place.
    """
    made = {
        member.name: body[member.name]
        for member in MEMBERS[kind]
        if body.get(member.name) is not None
    }
    known = [member.name for member in MEMBERS[kind]]
    for name in body:
        if name not in known:
            raise InvalidError(
                f"a record of kind {kind} has no member {shown(name)}",
                code="invalid_record",
                hint=f"one of {', '.join(known)}",
            )
    for wrong in _object(*MEMBERS[kind])(made):
        raise InvalidError(
            f"{place(wrong.path)}: {wrong.message}", code="invalid_record", hint=wrong.right
        )
    return made


def check_name(value: object, what: str) -> None:
    """Check a name that somebody gives, before anything is done for it.

    Raises:
        InvalidError: ``invalid_record``.
    """
    for wrong in _name(value):
        raise InvalidError(f"{what}: {wrong.message}", code="invalid_record", hint=wrong.right)


def read(kind: str, body: Any) -> Read:
    """Return what a stranger's body states; it never raises.

    Args:
        kind: One of `MEMBERS`.
        body: What was said.
    """
    found = body if isinstance(body, dict) else {}
    stated: dict[str, Any] = {}
    faults: list[Path] = []
    for member in MEMBERS[kind]:
        if member.name not in found:
            if member.required:
                faults.append((member.name,))
            continue
        value = found[member.name]
        if next(member.judge(value), None) is None:  # as nearly all of them are
            stated[member.name] = value
            continue
        wrong = {fault.path for fault in member.judge(value)}
        faults += [(member.name, *path) for path in sorted(wrong, key=repr)]
        if () in wrong:
            continue
        # Only of lists are the parts judged one by one.
        bad = {path[0] for path in wrong}
        stated[member.name] = [item for at, item in enumerate(value) if at not in bad]
    return Read(stated, tuple(map(place, faults[:MAX_FAULTS])))
