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


def keys() -> list[str]:
    """Return the names of keys."""
    try:
        with Context(Options()) as context:
            return [info.name for info in context.keystore.scan()[0]]
    except TwinError:
        return []


def parties() -> list[str]:
    """Return the names of keys and of other people, for an owner expression of one name."""
    try:
        with Context(Options()) as context:
            others = [party.name for party in context.book.list_parties()]
    except TwinError:
        others = []
    return list(dict.fromkeys([*keys(), *others]))


def parties_and_assets() -> list[str]:
    """Return all names."""
    return list(dict.fromkeys([*parties(), *assets()]))


def templates() -> list[str]:
    """Return the ids of the templates at hand."""
    from twincli.services import catalogue

    try:
        with Context(Options()) as context:
            return catalogue.ids(context.workspace())
    except TwinError:
        return catalogue.built_in_ids()


OF_OPTION = {
    "node": nodes,
    "key": keys,
    "owner": parties,
    "to": parties,
    "entity": keys,
    "parent": assets,
    "template": templates,
}
"""What an option of a command with free data, or a shared one, is completed with."""
