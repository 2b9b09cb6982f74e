"""Grants whose scope is private: what the ledger says of them, and what stands in their wraps.

A ``grant`` to read states ``body.private: {hashes, wraps}`` in place of its scope: salted hashes of
the words of the scope, filled up with random ones so that their number says nothing, and a wrap for
each party and each holder of the twin. What is in it is the same for all of them: salt, scope, and
the identities of all epochs that the scope holds. So no record names a stream together with the
party.

When anything of the twin begins an epoch, every private grant that is in force gets new wraps,
whether its scope holds that or not: ``body.renews: [{grant, wraps}]`` of a ``grant`` or ``revoke``.
"""

from __future__ import annotations

import json
from hashlib import sha256

from twincli.crypto import canonical
from twincli.model import encryption, ids
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from twincli.model.encryption import Wrap

MEMBER = "private"
RENEWS = "renews"
HASHES = 16
"""How many hashes every private grant states, and so the most words of a scope."""
MAX_RENEWED = 1000
"""Grants that one record may renew; of more the rest is not read."""
EVERYTHING = "everything"
SALT = 16
_PADDED = 4096
_DOMAIN = b"twincli private scope 1\n"


class Secret(NamedTuple):
    """What is in a wrap.

    Attributes:
        salt: Of the hashes.
        scope: The members of a grant's body that hold its scope; empty: everything.
        identities: Of epochs, by what they open and their number.
        seen: What `fingerprint` said of the twin's epochs when it was made.
    """

    salt: bytes
    scope: dict[str, list[str]]
    identities: dict[tuple[str, int], str]
    seen: str

    def __repr__(self) -> str:
        return f"Secret({len(self.identities)} identities)"


class Renewal(NamedTuple):
    """New wraps of a private grant.

    Attributes:
        grant: The transaction that made it.
        wraps: Who can open it.
    """

    grant: str
    wraps: tuple[Wrap, ...]


def words(scope: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the words of a scope that are hashed."""
    found = [f"{name}:{word}" for name in sorted(scope) for word in sorted(scope[name])]
    return found or [EVERYTHING]


def hash_of(salt: bytes, word: str) -> str:
    """Return the hash of a word of a scope."""
    return sha256(_DOMAIN + salt + word.encode()).hexdigest()


def member(hashes: Iterable[str], wraps: Iterable[Wrap]) -> dict[str, Any]:
    """Return what a grant states in place of its scope."""
    return {"hashes": sorted(hashes), "wraps": encryption.wraps_member(wraps)}


def renewal(told: Renewal) -> dict[str, Any]:
    """Return what a record states of new wraps."""
    return {"grant": told.grant, "wraps": encryption.wraps_member(told.wraps)}


def wraps(body: Mapping[str, Any]) -> tuple[Wrap, ...]:
    """Return the wraps that a private grant states; what is malformed says nothing."""
    stated = body.get(MEMBER)
    return tuple(encryption.wraps_of(stated.get("wraps"))) if isinstance(stated, dict) else ()


def renewals(body: Mapping[str, Any]) -> Iterator[Renewal]:
    """Yield the new wraps that a record states; what is malformed says nothing."""
    listed = body.get(RENEWS)
    for value in (listed if isinstance(listed, list) else [])[:MAX_RENEWED]:
        grant = value.get("grant") if isinstance(value, dict) else None
        if isinstance(grant, str) and ids.is_id(grant):
            yield Renewal(grant, tuple(encryption.wraps_of(value.get("wraps"))))


def is_committed(body: Mapping[str, Any], secret: Secret) -> bool:
    """Say whether the scope in a wrap is the one that the grant committed to."""
    stated = body.get(MEMBER)
    hashes = stated.get("hashes") if isinstance(stated, dict) else None
    if not isinstance(hashes, list) or len(hashes) > HASHES:
        return False
    return all(hash_of(secret.salt, word) in hashes for word in words(secret.scope))


def fingerprint(epochs: Iterable[tuple[str, int]]) -> str:
    """Return what says whether the epochs of a twin are still the same."""
    text = "".join(f"{what} {number}\n" for what, number in sorted(epochs))
    return sha256(text.encode()).hexdigest()


def encode(secret: Secret) -> bytes:
    """Return what stands in a wrap; its length says little."""
    made: dict[str, Any] = {
        "salt": secret.salt.hex(),
        "scope": secret.scope,
        "seen": secret.seen,
        "identities": [
            [what, number, identity] for (what, number), identity in secret.identities.items()
        ],
        "pad": "",
    }
    made["pad"] = " " * (-len(canonical.encode(made)) % _PADDED)
    return canonical.encode(made)


def decode(data: bytes) -> Secret | None:
    """Return what stands in a wrap; None: somebody wrote something else."""
    try:
        found = json.loads(data)
        salt = bytes.fromhex(found["salt"])
        scope = {str(name): [str(word) for word in found["scope"][name]] for name in found["scope"]}
        identities = {
            (str(what), int(number)): str(identity)
            for what, number, identity in found["identities"]
        }
        seen = str(found["seen"])
        # Halves of letters can be written in JSON, and nowhere else.
        " ".join((*words(scope), *identities.values())).encode()
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    if not scope.keys() <= {"fields", "kinds", "streams"}:
        return None
    return Secret(salt, scope, identities, seen)
