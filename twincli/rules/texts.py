"""A transaction checked from its text, quickly where it is what most of a history is.

An append has one shape: one output of one key is spent, and the same amount goes to one key
again. Of a text of that shape only the metadata are parsed; around them everything stands where
it stands in the canonical text, so that ids and signed messages are cut out of it. Any other text
is parsed and checked by ``structure.check``, which would say the same of these.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from twincli.crypto import canonical, conditions
from twincli.errors import InvalidError
from twincli.model.transaction import TRANSFER, VERSION
from twincli.rules.data import is_clean
from twincli.rules.structure import Checked, CheckedInput, check, plain_output, plain_output_text
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twincli.rules.structure import CheckedOutput

_HEAD = re.compile(
    r'\{"asset":\{"id":"([0-9a-f]{64})"\},"id":"([0-9a-f]{64})",'
    r'"inputs":\[\{"fulfillment":"([a-zA-Z0-9_-]{136})",'
    r'"fulfills":\{"output_index":(0|[1-9][0-9]{0,17}),"transaction_id":"([0-9a-f]{64})"\},'
    r'"owners_before":\["([1-9a-zA-Z^]{43,44})"\]\}\],"metadata":'
)
_BEHIND = f',"operation":"{TRANSFER}","outputs":['
_OUTPUT = re.compile(r'\{"amount":"([1-9][0-9]{0,19})",.{,300}"public_keys":\["([^"]{43,44})"\]\}')
_END = f'],"version":"{VERSION}"}}'


def check_text(text: str) -> Checked:
    """Check a transaction as it was stored or handed over; see ``structure.check``.

    The text need not be the canonical one: compare it with ``body``.

    Raises:
        InvalidError: It breaks a rule.
        ValueError, RecursionError: It is not JSON.
    """
    return check_append(text) or check(json.loads(text))


def check_append(text: str) -> Checked | None:
    """Check the canonical text of an append; None: it is something else, or breaks a rule."""
    at = text.rfind(_BEHIND)
    head = _HEAD.match(text)
    if head is None or at < head.end():
        return None
    part = text[head.end() : at]
    metadata = None
    if part != "null":
        try:
            metadata = json.loads(part)
            if metadata.__class__ is not dict or not metadata:
                return None
            if canonical.text_of(metadata) != part or not is_clean(metadata):
                return None
        except (InvalidError, ValueError, RecursionError):
            return None
    made = _made(text, head, at, metadata)
    if made is None:
        return None
    try:
        data = f"{text[: head.start(2) - 1]}null{text[head.end(2) + 1 :]}".encode()
    except UnicodeEncodeError:
        return None
    return made if canonical.sha3_hex(data) == made.id else None


def append_of(text: str, metadata: Any) -> Checked | None:
    """Return what ``check_append`` does, for those who know that it found the text right.

    Args:
        text: The canonical text.
        metadata: As they are in it.
    """
    head, at = _HEAD.match(text), text.rfind(_BEHIND)
    return None if head is None or at < head.end() else _made(text, head, at, metadata)


def _made(text: str, head: re.Match[str], at: int, metadata: Any) -> Checked | None:
    outputs = _outputs(text[at:])
    if outputs is None:
        return None
    asset_id, tx_id, fulfillment, index, spent, owner = head.groups()
    signed = conditions.parse_key(fulfillment)
    if signed is None:
        return None
    start, end = head.span(3)
    message = (
        f"{text[: head.start(2) - 1]}null{text[head.end(2) + 1 : start - 1]}null{text[end + 1 :]}"
    )
    return Checked(
        tx_id,
        TRANSFER,
        asset_id,
        metadata,
        (CheckedInput((owner,), signed, (spent, int(index))),),
        outputs,
        text,
        message.encode(errors="surrogatepass"),
        (),
        ((0, 0, outputs[0].public_keys),),
    )


@lru_cache(maxsize=4096)
def _outputs(text: str) -> tuple[CheckedOutput, ...] | None:
    """Return the one output that a text ends with, which most share with the one before."""
    inner = text[len(_BEHIND) : -len(_END)]
    found = _OUTPUT.fullmatch(inner)
    if found is None or not text.endswith(_END):
        return None
    amount, key = found.groups()
    try:
        if inner != plain_output_text(key, amount):
            return None
    except InvalidError:  # not a key
        return None
    output = plain_output(key, amount)
    return None if output is None else (output,)
