"""What a shell is offered to complete a word with, where that depends on the home."""

from __future__ import annotations

from twincli.cli.context import Context
from twincli.cli.options import Options
from twincli.errors import TwinError
from twincli.model import names


def assets() -> list[str]:
    """Return the names of assets, on whichever ledger: nobody is asked for it."""
    try:
        with Context(Options()) as context:
            return [name for name in context.book.asset_names() if names.is_valid(name, "asset")]
    except TwinError:
        return []


def networks() -> list[str]:
    """Return the names of networks."""
    from twincli.client import profiles

    try:
        with Context(Options()) as context:
            return profiles.names(context.paths.nodes)
    except TwinError:
        return []


def nodes() -> list[str]:
    """Return what ``--node`` takes, as far as it has a name."""
    return ["local", *networks()]
