"""Owner expressions: who may spend an output.

``alice``, ``all:jack,kelly``, ``any:alice,car``, ``2of:a,b,c``, nested with parentheses:
``any:alice,(2of:b,c,d)``. An expression over names becomes condition details once every name is
resolved to a public key.
"""

from __future__ import annotations

from twincli.crypto import conditions
from twincli.errors import UsageError, cut, shown
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BURN_ADDRESS = "BurnBurnBurnBurnBurnBurnBurnBurnBurnBurnBurn"
"""Where a burned asset is paid to, the JavaScript ORM's constant: not a point, never signs."""


class Party(NamedTuple):
    """One name, public key or DID in an expression."""

    name: str


class Group(NamedTuple):
    """``threshold`` of the members."""

    threshold: int
    members: tuple[Owners, ...]


Owners = Party | Group


def parse(text: str) -> Owners:
    """Parse an owner expression.

    Raises:
        UsageError: ``bad_owners``, saying where.
    """
    if not text.strip():
        raise _bad(text, "it is empty")
    owners, rest = _parse(text, text.strip(), 0)
    if rest:
        raise _bad(text, f"{shown(rest)} is left over")
    return owners


def _parse(whole: str, text: str, depth: int) -> tuple[Owners, str]:
    if depth > conditions.MAX_DEPTH // 2:
        raise _bad(whole, "it is nested too deeply")
    if text.startswith("("):
        owners, rest = _parse(whole, text[1:].lstrip(), depth + 1)
        if rest.startswith(","):
            raise _bad(
                whole, "a list in parentheses needs all:, any: or 2of: in front, inside them"
            )
        if not rest.startswith(")"):
            raise _bad(whole, "a parenthesis is not closed")
        return owners, rest[1:].lstrip()
    head, colon, tail = text.partition(":")
    number = head.removesuffix("of")
    is_count = head.endswith("of") and number.isascii() and number.isdigit()
    if not colon or not (head in ("all", "any") or is_count):
        end = next((i for i, character in enumerate(text) if character in ",()"), len(text))
        name = text[:end].strip()
        if not name:
            raise _bad(whole, "a name is missing")
        return Party(name), text[end:]
    members: list[Owners] = []
    rest = tail
    while True:
        member, rest = _parse(whole, rest.lstrip(), depth + 1)
        members.append(member)
        if not rest.startswith(","):
            break
        rest = rest[1:]
    threshold = {"all": len(members), "any": 1}.get(head) or int(number or 0)
    if not 1 <= threshold <= len(members):
        raise _bad(
            whole,
            f"{head}: asks for {threshold} of {len(members)}, which no signatures could satisfy",
        )
    if threshold > conditions.MAX_THRESHOLD:
        raise _bad(whole, f"a threshold is at most {conditions.MAX_THRESHOLD}")
    if len(members) == 1:
        return members[0], rest
    return Group(threshold, tuple(members)), rest


def _bad(text: str, why: str) -> UsageError:
    return UsageError(
        f"{shown(text)} is not an owner expression: {why}",
        code="bad_owners",
        hint="write alice, all:jack,kelly, any:alice,car or 2of:a,b,c; parentheses nest",
    )


def names(owners: Owners) -> Iterator[str]:
    """Yield the names in an expression, in their order."""
    if isinstance(owners, Party):
        yield owners.name
    else:
        for member in owners.members:
            yield from names(member)


def to_details(owners: Owners, public_key_of: Callable[[str], str]) -> dict[str, Any]:
    """Return the condition details of an expression.

    Args:
        owners: The expression.
        public_key_of: Gives the base58 public key of a name; its errors pass through.

    Raises:
        UsageError: ``bad_owners``: where several members must sign, one key is in two of them and
            would count for both, so fewer people than were named could spend.
    """
    return _to_details(owners, public_key_of)[0]


def _to_details(
    owners: Owners, public_key_of: Callable[[str], str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the details of an expression, and what each key in it is called."""
    if isinstance(owners, Party):
        key = public_key_of(owners.name)
        return conditions.key_details(key), {key: owners.name}
    parts = []
    called: dict[str, str] = {}
    for member in owners.members:
        details, keys = _to_details(member, public_key_of)
        if owners.threshold > 1:
            for key in called.keys() & keys.keys():
                raise _same_key(called[key], keys[key])
        parts.append(details)
        called |= keys
    return conditions.threshold_details(owners.threshold, parts), called


def _same_key(first: str, second: str) -> UsageError:
    names = [cut(name) for name in dict.fromkeys((first, second))]
    what = (
        f"{names[0]} is named" if len(names) == 1 else f"{' and '.join(names)} are one key, named"
    )
    return UsageError(
        f"{what} twice where several must sign: one signature would count as two",
        code="bad_owners",
        hint="name every key once, or write any:a,(all:b,c) if a alone is enough",
    )


def of_keys(public_keys: list[str]) -> dict[str, Any]:
    """Return the details of a condition that all ``public_keys`` must sign, as the drivers do."""
    if len(public_keys) == 1:
        return conditions.key_details(public_keys[0])
    return conditions.threshold_details(
        len(public_keys), [conditions.key_details(key) for key in public_keys]
    )


def to_text(details: dict[str, Any], name_of: Callable[[str], str], *, nested: bool = False) -> str:
    """Return condition details as an owner expression.

    Args:
        details: Condition details, already checked.
        name_of: Gives the text to write for a public key.
        nested: Whether to put a group in parentheses.
    """
    if details["type"] == "ed25519-sha-256":
        return name_of(details["public_key"])
    parts = [to_text(part, name_of, nested=True) for part in details["subconditions"]]
    threshold = details["threshold"]
    head = {len(parts): "all", 1: "any"}.get(threshold, f"{threshold}of")
    text = f"{head}:{','.join(parts)}"
    return f"({text})" if nested else text
