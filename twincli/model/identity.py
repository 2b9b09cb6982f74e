"""What a twin has to itself: the identifier that no other twin of its family and controller has."""

from __future__ import annotations

from twincli.errors import InvalidError
from twincli.model import fields, record, template
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.model.template import Template


def identifier(form: Template, data: Mapping[str, Any], asset_id: str | None = None) -> str:
    """Return a twin's primary identifier, in the form that is compared.

    Args:
        form: Its template.
        data: Facts and envelope of its CREATE. A twin that its name identifies has that among its
            facts, unless it came to this template later: then the envelope's name counts.
        asset_id: Counts for a twin that its name identifies and that has none.

    Raises:
        InvalidError: ``missing_identifier``, ``invalid_value``.
    """
    primary = form.primary
    found = data.get(primary)
    if found is None and primary == template.ASSET_ID:
        envelope = record.envelope_of(data) or {}
        found = record.text(envelope.get("name")) or asset_id
    if found is None:
        raise InvalidError(
            f"{form.id} identifies its twins by {primary}, which is missing",
            code="missing_identifier",
            hint=f"add --str {primary}=TEXT",
        )
    return fields.identifier(found, primary)


def named(form: Template, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a twin with its name among them, where that is its identifier.

    All who have the ledger can then find the twin by it, and tell it from others.
    """
    if form.primary != template.ASSET_ID:
        return dict(facts)
    return {template.ASSET_ID: name, **facts}
