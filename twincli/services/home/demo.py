"""The tutorial's story, told by the same services as the commands.

A car, its owner Alice and its GPS box, each with a key of its own. The tutorial has the mileage
appended with the car's key; that is valid on the GPS box, which the car owns, and refused on the
car, which is Alice's. Both are shown.

Source: BigchainDB's digital-twin tutorial; the data are its own.
"""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING

from twincli.errors import ConflictError, LockedError
from twincli.services.asset import append, create, history, tree
from twincli.services.asset.create import Definition
from twincli.services.keys import keys
from twincli.services.keys.keys import NewKey
from twincli.services.names import dids
from twincli.services.network import pull
from twincli.services.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.client import LedgerClient
    from twincli.services.documents import Document


NAMES = ("alice", "car", "gps")
USER = {"name": "Alice", "bithday": "03/08/1910"}
VEHICLE = {
    "value": "6sd8f68sd67",
    "power": {"engine": "2.5", "hp": "220 hp"},
    "consumption": "10.8 l",
}
GPS = {"gps_identifier": "a32bc2440da012"}
MILEAGES = (1200, 1250, 1301)


def tell(
    home: str, *, kept: bool, connect: Callable[[str], LedgerClient] | None = None
) -> Document:
    """Live through the story in a home.

    Args:
        home: A directory, made if it is not there, with neither a ledger nor keys.
        kept: Whether it stays; the phrases of keys that stay are not shown.
        connect: Makes the client of a network, given the home; None: on a ledger of the home.

    Returns:
        ``twin.demo/1``: ``home`` (null unless it stays), ``ledger``, ``steps`` of ``title``,
        ``command`` and ``result`` (the command's document), ``verified`` with the number of
        ``transactions`` and ``problems``.

    Raises:
        ConflictError: ``exists``: there is a ledger or a key in this home.
    """
    from twincli.book.store import Book
    from twincli.client.embedded import EmbeddedClient
    from twincli.keystore.store import KeyStore

    place, keystore = os.path.join(home, "ledger"), KeyStore(os.path.join(home, "keys"))
    if os.path.exists(os.path.join(place, "ledger.db")) or keystore.list():
        raise ConflictError(
            f"{home} is in use; the demo wants a home of its own",
            code="exists",
            hint="leave --keep out for a temporary one, or name a new one: twin demo --keep"
            " --home DIR",
        )
    own = EmbeddedClient.open(place, create=True)
    client = own if connect is None else connect(home)
    book = Book(os.path.join(home, "book.db"))
    try:
        steps = _Steps()
        workspace = Workspace(client, keystore, book)
        _live(workspace, steps, kept=kept)
        if client is not own:
            steps.tell(
                "All of it comes to a ledger of one's own",
                "twin pull",
                lambda: pull.pull(workspace, own, pull.assets_to_pull(workspace, own, ())),
            )
        report = own.ledger.verify()
        problems = [
            {"where": where, "code": code, "message": message}
            for where, code, message in report.problems
        ]
        verified = {"transactions": report.transactions, "problems": problems}
        check = "twin doctor --full" + ("" if client is own else " --node local")
        steps.tell("Everything is checked again", check, lambda: verified)
        return {
            "schema": "twin.demo/1",
            "home": home if kept else None,
            "ledger": client.ledger_id,
            "steps": steps.told,
            "verified": verified,
        }
    finally:
        client.close()
        own.close()
        book.close()


class _Steps:
    """What was done so far."""

    def __init__(self) -> None:
        self.told: list[Document] = []

    def tell(self, title: str, command: str, action: Callable[[], Document]) -> None:
        self.told.append({"title": title, "command": command, "result": action()})


def _live(workspace: Workspace, steps: _Steps, *, kept: bool) -> None:
    for name in NAMES:
        steps.tell(
            "Three keys, each from a phrase of its own",
            f"twin keys new {name} --mnemonic --words 12 --no-passphrase",
            lambda name=name: _key(workspace, name, kept=kept),  # type: ignore[misc]
        )
    steps.tell(
        "Alice's identity, owned by herself",
        f"twin did new alice --data {shlex.quote(json.dumps(USER))}",
        lambda: create.create(
            workspace,
            "alice",
            Definition(USER, owner="alice", entity="alice", kind="identity"),
        ),
    )
    steps.tell(
        "The car has a key, too, but belongs to Alice",
        "twin asset create car --owner alice --entity car --value 6sd8f68sd67"
        " --str power.engine=2.5 --power.hp '220 hp' --consumption '10.8 l'",
        lambda: create.create(workspace, "car", Definition(VEHICLE, owner="alice", entity="car")),
    )
    steps.tell(
        "The GPS box belongs to the car",
        "twin asset create gps --owner car --entity gps --parent car"
        f" --gps_identifier {GPS['gps_identifier']}",
        lambda: create.create(
            workspace, "gps", Definition(GPS, owner="car", entity="gps", parent="car")
        ),
    )
    steps.tell(
        "Each of them has a DID that needs no registry",
        "twin did list",
        lambda: dids.list_dids(workspace),
    )
    for mileage in MILEAGES:
        steps.tell(
            "The car drives; its key signs what the GPS box measures",
            f"twin asset append gps --mileage {mileage}",
            lambda mileage=mileage: append.append(  # type: ignore[misc]
                workspace, "gps", {"mileage": mileage}
            ),
        )
    steps.tell(
        "Nothing is overwritten",
        "twin history gps",
        lambda: _listed(history.history(workspace, "gps"), "transactions"),
    )
    steps.tell(
        "The car's key cannot write on the car: that is Alice's",
        f"twin asset append car --mileage {MILEAGES[-1]} --key car",
        lambda: _refused(workspace._replace(keys=("car",))),
    )
    steps.tell("Who owns what", "twin asset tree", lambda: tree.tree(workspace))


def _key(workspace: Workspace, name: str, *, kept: bool) -> Document:
    document = keys.new(workspace, NewKey(name, None), with_mnemonic=True, words=12)
    if kept:
        del document["mnemonic"]
    return document


def _refused(workspace: Workspace) -> Document:
    """Return the error of an append with a key that does not own the car."""
    try:
        append.append(workspace, "car", {"mileage": MILEAGES[-1]})
    except LockedError as error:
        return {
            "error": {
                "code": error.code,
                "message": error.message,
                "hint": error.hint,
                "retryable": error.retryable,
            }
        }
    raise AssertionError("the ledger took the signature of a key that owns nothing there")


def _listed(document: Document, name: str) -> Document:
    return {**document, name: list(document[name])}
