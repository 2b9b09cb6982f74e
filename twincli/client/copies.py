"""Copies of networks on this machine: ledgers that can be fetched again at any time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from twincli.errors import ConfigError
from twincli.ledger.ledger import Ledger
from twincli.rules.validity import SERVER

if TYPE_CHECKING:
    from collections.abc import Callable

_UNUSABLE = frozenset({"damaged_ledger", "foreign_file", "older_schema"})


def opened(place: str | None, *, create: bool = True) -> Ledger:
    """Open a copy.

    Args:
        place: Its directory; None: in memory.
        create: Make it where it is missing.

    Returns:
        The ledger. If it is damaged, the ConfigError says that it is a copy and how to remove it.
    """
    if place is None:
        return Ledger.open(":memory:", profile=SERVER, durable=False)
    with _as_copy(place):
        ledger = Ledger.open(
            place,
            create=create,
            profile=SERVER,
            durable=False,
            replace_lost=True,  # what it held is fetched again
        )
        return cast("Ledger", _Copy(ledger, place))


def name(network_id: str, ledger_id: str) -> str:
    """Return the name of a copy's directory, see ``NetworkClient``.

    Args:
        network_id: 64 hex digits of the network that was asked.
        ledger_id: 64 hex digits that the network states.
    """
    return f"{network_id[:16]}-{ledger_id[:16]}"


def remedy(place: str) -> str:
    """Return the hint for an unusable copy."""
    return f"remove it to fetch everything again: rm -r {place}"


def of_network(directory: str, network_id: str) -> list[str]:
    """Return the directories of the copies of a network."""
    if not os.path.isdir(directory):
        return []
    return [
        os.path.join(directory, found)
        for found in sorted(os.listdir(directory))
        if found.startswith(f"{network_id[:16]}-")
    ]


def known(directory: str) -> frozenset[str]:
    """Return the first 16 digits of every network and ledger that there is a copy of."""
    if not os.path.isdir(directory):
        return frozenset()
    return frozenset(part for found in os.listdir(directory) for part in found.split("-"))


class _Copy:
    """A ledger whose errors say that it is a copy."""

    def __init__(self, ledger: Ledger, place: str) -> None:
        self._ledger = ledger
        self._place = place

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._ledger, attribute)
        return self._wrapped(found) if callable(found) else found

    def _wrapped(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            with _as_copy(self._place):
                result = method(*given, **options)
            return self._each(result) if isinstance(result, Iterator) else result

        return call

    def _each(self, items: Iterator[Any]) -> Iterator[Any]:
        with _as_copy(self._place):
            yield from items


@contextmanager
def _as_copy(place: str) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        if error.code in _UNUSABLE:
            error.within("the copy of this network cannot be used", hint=remedy(place))
        raise
