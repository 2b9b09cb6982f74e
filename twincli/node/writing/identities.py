"""What the twins that are posted have to themselves, so that a second one is refused.

A twin pins its template by a CID. The node knows the templates of the package and those that are
registered on its ledger; twins of others are taken as BigchainDB takes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import canonical, cid
from twincli.errors import InvalidError
from twincli.formats import shipped
from twincli.ledger.rows import PrimaryId
from twincli.model import identity, record, template
from twincli.model.transaction import CREATE

if TYPE_CHECKING:
    from twincli.ledger import Ledger
    from twincli.model.template import Template
    from twincli.rules.structure import Checked

KEPT = 256
"""Templates in memory."""


class Identities:
    """Says what posted twins have to themselves.

    Args:
        ledger: Where they are to be committed.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, Template] = {}

    def of(self, checked: Checked) -> PrimaryId | None:
        """Return what the twin that a transaction makes or migrates has to itself, if anything.

        Raises:
            InvalidError: ``missing_identifier``, ``invalid_value``: its template asks for an
                identifier that it does not have.
        """
        tx = checked.tx
        if checked.operation == CREATE:
            create, envelope = tx, record.creating_envelope(tx)
        else:
            envelope = record.envelope_of(tx["metadata"]) or {}
            if envelope.get("kind") != record.MIGRATE:
                return None
            entry = self._ledger.entry(checked.asset_id)
            if entry is None or not _is_whole(entry.tx, tx):
                return None  # it is refused, or binds nobody: see ``replay``
            create = entry.tx
        form = self._pinned(envelope)
        if form is None:
            return None
        found = identity.identifier(form, create["asset"]["data"], create["id"])
        return PrimaryId(form.family, found, create["outputs"][0]["condition"]["uri"])

    def _pinned(self, envelope: dict[str, Any]) -> Template | None:
        """Return the template that an envelope pins, if it is at hand."""
        template_id, wanted = envelope.get("template"), envelope.get("template_cid")
        if envelope.get("kind") == record.TEMPLATE:
            return None
        if not isinstance(template_id, str) or not isinstance(wanted, str):
            return None
        form = self._known.get(wanted)
        if form is None:
            form = self._found(template_id, wanted)
            if form is None:
                return None
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[wanted] = form
        return form if form.id == template_id else None

    def _found(self, template_id: str, wanted: str) -> Template | None:
        data = shipped.data(template_id)
        if data is None or cid.of(data).text != wanted:
            registering = self._ledger.assets_with("compiled", wanted, limit=1)
            entry = self._ledger.entry(registering[0]) if registering else None
            if entry is None:
                return None
            data = canonical.encode(record.without_envelope(entry.tx["asset"]["data"]))
        try:
            return template.of_compiled(data)[0]
        except InvalidError:
            return None  # of a later version


def _is_whole(create: dict[str, Any], tx: dict[str, Any]) -> bool:
    """Say whether a TRANSFER leaves all of an asset in one output."""
    (first, *others) = tx["outputs"]
    amount = sum(int(output["amount"]) for output in create["outputs"])
    return not others and int(first["amount"]) == amount
