"""What a status list on the web says of a credential.

A list is a credential of the same issuer. One that is out of reach, altered or somebody else's says
nothing: whether the credential was revoked could not be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError, TwinError, UnreachableError, shown
from twincli.formats.credentials import proofs
from twincli.formats.credentials.proofs import FAILED, PASSED, STATUS, UNKNOWN, Check
from twincli.model import credential as _credential
from twincli.model import status_list

if TYPE_CHECKING:
    from collections.abc import Callable

    Fetch = Callable[[str], bytes]
    """Returns what is at a URL, or raises UnreachableError."""

ENDING = (status_list.REVOCATION, "suspension")
"""Purposes whose set bit ends the validity of a credential."""


def check(document: dict[str, Any], fetch: Fetch, now_ms: int) -> Check:
    """Check all lists that a credential names.

    Args:
        document: The credential.
        fetch: Gets a list.
        now_ms: The present.
    """
    named = _credential.statuses(document)[: _credential.MOST_STATUSES]
    if not named:
        return Check(STATUS, PASSED, "it names no status list")
    found = [_one(document, entry, fetch, now_ms) for entry in named]
    for result in (FAILED, UNKNOWN):
        for one in found:
            if one.result == result:
                return one
    return found[0]


def _one(document: dict[str, Any], entry: Any, fetch: Fetch, now_ms: int) -> Check:
    try:
        wanted = status_list.read_entry(entry)
        if wanted.purpose not in ENDING:
            return Check(STATUS, PASSED, f"its status is about {shown(wanted.purpose)} only")
        listed = _credential.read(fetch(wanted.url))
        _check_list(document, listed, wanted.url, now_ms)
        is_set = status_list.is_set(_subject(listed), wanted)
    except ConfigError:
        raise
    except UnreachableError as error:
        return Check(STATUS, UNKNOWN, f"its status list cannot be reached: {error.message}")
    except TwinError as error:
        return Check(STATUS, UNKNOWN, error.message)
    if is_set:
        word = "revoked" if wanted.purpose == status_list.REVOCATION else "suspended"
        return Check(STATUS, FAILED, f"{word}, says the list of its issuer at {wanted.url}")
    return Check(STATUS, PASSED, f"not revoked, says the list of its issuer at {wanted.url}")


def _subject(listed: dict[str, Any]) -> Any:
    found = listed.get("credentialSubject")
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _check_list(document: dict[str, Any], listed: dict[str, Any], url: str, now_ms: int) -> None:
    """Refuse a list that does not count.

    Raises:
        InvalidError: ``bad_status``.
    """
    claims, whose = _credential.claims(listed), _credential.claims(document)
    if status_list.CREDENTIAL not in claims.types:
        raise status_list.bad(f"what is at {url} is not a {status_list.CREDENTIAL}")
    if claims.id not in {None, url}:
        raise status_list.bad(f"the list at {url} says that it is {shown(claims.id)}")
    if claims.issuer is None or claims.issuer != whose.issuer:
        raise status_list.bad(f"the list at {url} is not of the same issuer")
    found = proofs.signed(listed)
    signers = proofs.signed(document)
    for judged in (found.check, proofs.structure(listed)):
        if judged.result != PASSED:
            raise status_list.bad(f"the list at {url}: {judged.message}")
    if not set(found.keys) & set(signers.keys or signers.claimed):
        raise status_list.bad(f"another key signed the list at {url}")
    state = _credential.standing_at(claims.from_ms, claims.until_ms, now_ms)
    if state != _credential.VALID:
        raise status_list.bad(f"the list at {url} is {state.replace('-', ' ')}")
