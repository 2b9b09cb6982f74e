"""Models of other systems made into templates, with a report of what was not carried over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import canonical
from twincli.errors import InvalidError, UsageError, place
from twincli.formats.foreign import aas, dtdl, wot

if TYPE_CHECKING:
    from twincli.formats.foreign.draft import Imported
    from twincli.services.documents import TemplateImport

FORMATS = ("dtdl", "wot", "aas")
MAX_BYTES = 8 << 20


def import_model(
    data: bytes, what: str, *, form: str | None = None, model: str | None = None
) -> TemplateImport:
    """Make a template of a foreign model.

    Args:
        data: JSON.
        what: What errors call it.
        form: One of `FORMATS`; None: as the document says.
        model: The id of the model, where the document has several.

    Raises:
        InvalidError: ``invalid_json``, ``invalid_model``, ``too_large``.
        UsageError: The format is not clear, or which of several models is meant.
        ConfigError: ``missing_extra``.
    """
    value = _value(data, what)
    form = form or _recognised(value, what)
    try:
        made = _read(value, form, model)
    except InvalidError as error:
        raise error.within(what) from error
    return {
        "schema": "twin.template-import/1",
        "id": made.document["id"],
        "format": form,
        "origin": made.origin,
        "template": made.document,
        "file": None,
        "losses": [
            {"path": place(loss.path), "what": loss.what, "why": loss.why} for loss in made.losses
        ],
    }


def _read(value: Any, form: str, model: str | None) -> Imported:
    if form == "dtdl":
        return dtdl.read(value, model)
    if form == "aas":
        return aas.read(value, model)
    if model is not None:
        raise UsageError("a Thing Description is one model", hint="leave --model out")
    return wot.read(value)


def _value(data: bytes, what: str) -> Any:
    data = data.removeprefix(b"\xef\xbb\xbf")
    if len(data) > MAX_BYTES:
        raise InvalidError(f"{what} is larger than {MAX_BYTES >> 20} MiB", code="too_large")
    if data[:2] == b"PK":
        raise InvalidError(
            f"{what} is a package, not JSON",
            code="invalid_json",
            hint="import the JSON file inside it",
        )
    return canonical.decode(data, what=what)


def _recognised(value: Any, what: str) -> str:
    readers = {"dtdl": dtdl, "wot": wot, "aas": aas}
    found = [name for name, reader in readers.items() if reader.is_model(value)]
    if len(found) == 1:
        return found[0]
    if isinstance(value, dict) and {"identifiers", "assetType"} <= set(value):
        raise UsageError(f"{what} is already a template", hint=f"twin template check {what}")
    if not found:
        raise UsageError(
            f"{what} does not say that it is a DTDL interface, a WoT Thing or an AAS",
            hint=f"if it is one, add --format {'|'.join(FORMATS)}",
        )
    why = f"it could be {' or '.join(found)}"
    raise UsageError(
        f"the format of {what} is not clear: {why}", hint=f"add --format {'|'.join(FORMATS)}"
    )
