"""The templates that twins are made from and held to.

A twin pins the id of its template and the CID of its compiled bytes. The bytes are looked for in
the package and on the ledger; wherever they come from, they are taken only if they have that CID.
"""

from __future__ import annotations

from twincli.crypto import canonical, cid
from twincli.errors import ConflictError, InvalidError, NotFoundError
from twincli.formats import shipped
from twincli.model import record, template
from twincli.model.ids import is_id
from twincli.model.names import near
from twincli.model.transaction import signers_of
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.client import LedgerClient
    from twincli.model.template import Template
    from twincli.rules.replay import Pin
    from twincli.services.workspace import Workspace

BUILT_IN = "built-in"
REGISTERED = "registered"
FILE = "file"
MOST_ALIKE = 3
"""Assets with the bytes of one template that are looked at; they are all the same."""


class Model(NamedTuple):
    """A template at hand.

    Attributes:
        template: Read.
        units: Frozen with it.
        cid: Of its bytes.
        source: ``built-in``, ``registered`` or ``file``.
        asset_id: Where it is registered, or None.
    """

    template: Template
    units: dict[str, Any]
    cid: str
    source: str
    asset_id: str | None = None


def built_in_ids() -> list[str]:
    """Return the ids of the templates in the package, every version that was ever shipped."""
    return shipped.ids()


def built_in(template_id: str) -> Model | None:
    """Return a template of the package, or None."""
    data = shipped.data(template_id)
    return None if data is None else _model(data, BUILT_IN)


def registered(workspace: Workspace, template_id: str | None = None) -> Iterator[Model]:
    """Yield the templates on the ledger, newest first.

    Args:
        workspace: The ledger.
        template_id: Only those of this id.
    """
    client = workspace.client
    found = (
        client.assets_with("kind", record.TEMPLATE)
        if template_id is None
        else client.assets_with("registers", template_id)
    )
    for asset_id in reversed(found):
        model = _of_asset(workspace, asset_id)
        if model is not None and template_id in {None, model.template.id}:
            yield model


def find(workspace: Workspace, ref: str) -> Model:
    """Return the template that somebody names.

    Of several registered under one id, one that a key of ours registered goes before others.

    Args:
        workspace: The ledger and the keys.
        ref: An id such as ``vehicle-tracking-v1``, or the id of the asset that registers one.

    Raises:
        NotFoundError: ``missing_template``, with near names.
        ConflictError: ``ambiguous``: others registered different templates under that id.
    """
    found = built_in(ref)
    if found is None and is_id(ref):
        found = _of_asset(workspace, ref)
    if found is not None:
        return found
    candidates = list(registered(workspace, ref))
    ours = [model for model in candidates if is_ours(workspace, model)]
    for models in (ours, candidates):
        different = {model.cid: model for model in models}
        if len(different) > 1:
            raise ConflictError(
                f"{len(different)} different templates are registered as {ref}",
                code="ambiguous",
                hint="name one by the id of its asset: "
                + ", ".join(str(model.asset_id) for model in different.values()),
            )
        if different:
            return models[0]
    raise _missing(workspace, ref)


def ids(workspace: Workspace) -> list[str]:
    """Return the ids of the templates at hand: in the package, then on the ledger."""
    listed = (model.template.id for model in registered(workspace))
    return list(dict.fromkeys([*built_in_ids(), *listed]))


def is_ours(workspace: Workspace, model: Model) -> bool:
    """Say whether a key of this home registered a template."""
    entry = workspace.client.entry(model.asset_id) if model.asset_id is not None else None
    if entry is None:
        return False
    mine = {info.public_key for info in workspace.keystore.scan()[0]}
    return not mine.isdisjoint(signers_of(entry.tx))


def of_twin(workspace: Workspace, pin: Pin | None) -> Model | None:
    """Return the template that a twin is held to, None where it has none.

    Args:
        workspace: The ledger.
        pin: From the twin's replay.

    Raises:
        NotFoundError: ``missing_template``: its bytes are not at hand.
        InvalidError: They are not what this version reads.
    """
    if pin is None:
        return None
    template_id, wanted = pin.template, pin.cid
    data = shipped.data(template_id)
    if data is not None and cid.of(data).text == wanted:
        return _model(data, BUILT_IN)
    for asset_id in workspace.client.assets_with("compiled", wanted)[:MOST_ALIKE]:
        found = _of_asset(workspace, asset_id)
        if found is not None and found.cid == wanted and found.template.id == template_id:
            return found
    raise NotFoundError(
        f"the template {template_id} of this twin ({wanted}) is not here",
        code="missing_template",
        hint="twin pull NAME brings it; so does twin template register FILE with the same file",
    )


def pinned_by(tx: dict[str, Any]) -> Pin | None:
    """Return the template that a CREATE or a migration pins, None for other transactions."""
    from twincli.rules.replay import Pin

    if tx["operation"] == "CREATE":
        envelope = record.creating_envelope(tx)
        if envelope.get("kind") == record.TEMPLATE:
            return None
    else:
        envelope = record.envelope_of(tx["metadata"]) or {}
        if envelope.get("kind") != record.MIGRATE:
            return None
    template_id, wanted = envelope.get("template"), envelope.get("template_cid")
    if not isinstance(template_id, str) or not isinstance(wanted, str):
        return None
    return Pin(template_id, wanted, tx["id"])


def registering(client: LedgerClient, pin: Pin) -> list[str]:
    """Return the assets that register a template; none for one of the package."""
    data = shipped.data(pin.template)
    if data is not None and cid.of(data).text == pin.cid:
        return []
    return client.assets_with("compiled", pin.cid)


def _of_asset(workspace: Workspace, asset_id: str) -> Model | None:
    """Return the template that an asset registers, None where it registers none that is right."""
    entry = workspace.client.entry(asset_id)
    data = entry.tx["asset"].get("data") if entry is not None else None
    if record.kind_of(data) != record.TEMPLATE:
        return None
    try:
        made = canonical.encode(record.without_envelope(data))
        return _model(made, REGISTERED, asset_id)
    except InvalidError:
        return None


def _model(data: bytes, source: str, asset_id: str | None = None) -> Model:
    found, units = template.of_compiled(data)
    return Model(found, units, cid.of(data).text, source, asset_id)


def _missing(workspace: Workspace, ref: str) -> NotFoundError:
    meant = near(ref, ids(workspace))
    return NotFoundError(
        f"there is no template {ref!r}",
        code="missing_template",
        hint=f"did you mean {meant}?" if meant else "twin template list shows what there is",
    )
