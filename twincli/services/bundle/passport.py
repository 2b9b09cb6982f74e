"""The passport of a twin: what it shows to everybody, and a code that leads to it.

The code holds a GS1 Digital Link where the twin has a GTIN, else its DID; behind either stand the
DID and the checkpoint of the ledger, so that who scans it can hold a bundle to it later: a ledger
that was rewritten in the meantime does not lead to this root.
"""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING, Any

from twincli.client.embedded import EmbeddedClient
from twincli.errors import ConfigError, NotFoundError, UnreachableError
from twincli.model import did, digital_link, text
from twincli.model.leaves import leaves
from twincli.model.template import ACCESS, PUBLIC, Field
from twincli.services import catalogue
from twincli.services.asset import document as documents
from twincli.services.proof import remote
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from twincli.client import LedgerClient
    from twincli.client.logs import LogPlace
    from twincli.model.template import Template
    from twincli.services.documents import Asset, BundleCheckpoint, Passport, PassportField
    from twincli.services.workspace import Workspace

FORMS = ("svg", "png", "html")
_GTIN = ("gtin", "gtin14", "gtin13", "gtin12", "ean", "upc")
_SERIAL = ("serialnumber", "serial", "sn")
_MOST = 1000


class _Line(NamedTuple):
    """A value of a twin, as its template describes it."""

    path: str
    label: str
    unit: str | None
    access: str
    value: Any


def passport(
    workspace: Workspace,
    ref: str,
    *,
    access: str = PUBLIC,
    resolver: str = digital_link.RESOLVER,
    logs: Sequence[LogPlace] = (),
) -> Passport:
    """Return the passport of a twin.

    Args:
        workspace: Rooms.
        ref: The twin.
        access: Whom it is for: values of fields for others are left out, their names are not.
        resolver: Where a Digital Link leads.
        logs: The nodes of its network, whose log has the checkpoint.

    Returns:
        ``twin.passport/1``.

    Raises:
        NotFoundError: There is no such asset.
        UsageError: ``resolver`` is not a web address.
        NotVerifiedError: See ``remote.newest``.
    """
    digital_link.check_resolver(resolver)
    shown = documents.show(workspace, ref)
    form = _form(workspace, shown)
    number, serial, warnings = _numbers(shown)
    checkpoint = None
    try:
        checkpoint = _checkpoint(workspace.client, logs)
    except UnreachableError as error:  # one node of several may be down
        warnings.append(f"it is without a checkpoint: {error.message}")
    own = did.asset_did(str(shown["id"]), shown["ledger"])
    query = "" if checkpoint is None else f"size={checkpoint['size']}&root={checkpoint['root']}"
    if number is None:
        code = f"{own}?{query}" if query else own
    else:
        more = f"twin={own}" + (f"&{query}" if query else "")
        code = f"{digital_link.link(number, serial, resolver)}?{more}"
    return {
        "schema": "twin.passport/1",
        "asset_id": str(shown["id"]),
        "asset_name": shown["name"],
        "did": own,
        "title": _title(form, shown),
        "template": shown["template"],
        "access": access,
        "gtin": number,
        "serial": serial,
        "code": code,
        "ledger": shown["ledger"],
        "checkpoint": checkpoint,
        "committed_at": shown["committed_at"],
        "fields": [_shown(line, access) for line in _lines(form, shown) if line.value is not None][
            :_MOST
        ],
        "file": None,
        "warnings": warnings,
    }


def _form(workspace: Workspace, shown: Asset) -> Template | None:
    replay = workspace.client.replay(str(shown["id"]))
    try:
        model = catalogue.of_twin(workspace, None if replay is None else replay.pin)
    except NotFoundError:
        return None
    return None if model is None else model.template


def _checkpoint(client: LedgerClient, logs: Sequence[LogPlace]) -> BundleCheckpoint | None:
    if isinstance(client, EmbeddedClient):
        tip = client.ledger.tip()
        return {"size": tip.last_seq, "root": tip.root.hex()}
    log = remote.newest(logs, client.ledger_id)
    return None if log is None else {"size": log.size, "root": log.root.hex()}


def _title(form: Template | None, shown: Asset) -> str:
    for name in (None if form is None else form.view.get("title"), "serialNumber"):
        value = shown["data"].get(name) if name is not None else None
        if isinstance(value, str) and value:
            return value
    return shown["title"] or shown["name"] or str(shown["id"])


def _numbers(shown: Asset) -> tuple[str | None, str | None, list[str]]:
    """Return the GTIN and serial number of a twin that may stand in a Digital Link."""
    folded = {name.replace("_", "").replace("-", "").lower(): name for name in shown["data"]}
    stated = [shown["data"][folded[name]] for name in _GTIN if name in folded]
    warnings = []
    number = None
    for value in stated:
        number = number or digital_link.gtin_14(str(value))
    if stated and number is None:
        warnings.append(
            f"{text.one_line(str(stated[0])[:40])} is not a GTIN: its length or its check digit is"
            " wrong, so the code is the twin's DID"
        )
    found = (shown["data"][folded[name]] for name in _SERIAL if name in folded)
    serial = next((str(value) for value in found if isinstance(value, (str, int))), None)
    if number is not None and serial is not None and not digital_link.is_serial(serial):
        warnings.append(
            "the serial number is longer than 20 characters or has some that GS1 does not know,"
            " so it is not in the Digital Link"
        )
        serial = None
    return number, serial, warnings


# --- The fields ----------------------------------------------------------------------------------


def _lines(form: Template | None, shown: Asset) -> Iterator[_Line]:
    """Yield what a twin has: as its template describes it, then what that does not know."""
    facts, state = shown["data"], shown["state"]
    declared: dict[str, Field] = {} if form is None else {**form.facts, **form.fields}
    described = _described(form)
    for name, field in declared.items():
        value = state.get(name, facts.get(name))
        yield from _of_field((name,), field, value, described, PUBLIC)
    for held in (facts, state):
        rest = {name: value for name, value in held.items() if name not in declared}
        for path, value in leaves(rest):
            yield _Line(path, path, None, PUBLIC, value)


def _of_field(
    path: tuple[str, ...],
    field: Field,
    value: Any,
    described: Mapping[tuple[str, ...], str],
    above: str,
) -> Iterator[_Line]:
    access = max(above, field.access, key=ACCESS.index)
    if field.fields is not None and isinstance(value, dict):
        for name, part in field.fields.items():
            yield from _of_field((*path, name), part, value.get(name), described, access)
        rest = {name: part for name, part in value.items() if name not in field.fields}
        for deeper, part in leaves(rest, prefix=f"{'.'.join(path)}."):
            yield _Line(deeper, deeper, None, access, part)
        return
    # What is shown as one is for those who may see all of it.
    access = max(access, _strictest(field), key=ACCESS.index)
    yield _Line(".".join(path), described.get(path, path[-1]), field.unit, access, value)


def _strictest(field: Field) -> str:
    parts = [*(field.fields or {}).values(), *([] if field.items is None else [field.items])]
    return max([field.access, *map(_strictest, parts)], key=ACCESS.index)


def _described(form: Template | None) -> dict[tuple[str, ...], str]:
    """Return the labels of fields by their paths."""
    found: dict[tuple[str, ...], str] = {}
    document = {} if form is None else form.document

    def add(above: tuple[str, ...], items: Iterable[Any]) -> None:
        for item in items:
            path = (*above, item["name"])
            if "label" in item:
                found[path] = item["label"]
            add(path, item.get("fields", ()))

    add((), document.get("facts", ()))
    add((), document.get("trackingFields", ()))
    return found


def _shown(line: _Line, access: str) -> PassportField:
    is_open = ACCESS.index(line.access) <= ACCESS.index(access)
    return {
        "path": line.path,
        "label": line.label,
        "value": line.value if is_open else None,
        "unit": line.unit,
        "access": line.access,
        "withheld": not is_open,
    }


# --- Drawings ------------------------------------------------------------------------------------


def code(document: Passport) -> Any:
    """Return the QR code of a passport.

    Raises:
        ConfigError: ``missing_extra``.
    """
    try:
        import segno
    except ImportError as error:
        raise ConfigError(
            "QR codes need the package segno",
            code="missing_extra",
            hint='pip install "twincli[proof]"',
        ) from error
    return segno.make(document["code"], error="m", micro=False)


def draw(document: Passport, form: str) -> bytes:
    """Return a passport as a file.

    Args:
        document: The passport.
        form: ``svg`` and ``png`` are the code alone, ``html`` is a page to print.

    Raises:
        ConfigError: ``missing_extra``.
    """
    made, stream = code(document), io.BytesIO()
    if form == "html":
        return _page(document, made).encode()
    if form == "svg":
        made.save(stream, kind="svg", scale=4, title=document["code"], xmldecl=False)
    else:
        made.save(stream, kind="png", scale=8)
    return stream.getvalue()


def lines(document: Passport) -> list[str]:
    """Return the rows of the code in half blocks, dark on light."""
    matrix = [[bool(dark) for dark in row] for row in code(document).matrix_iter(border=2)]
    matrix += [[False] * len(matrix[0])] * (len(matrix) % 2)
    halves = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}
    return [
        "".join(halves[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(matrix[::2], matrix[1::2], strict=True)
    ]


def value_text(field: PassportField) -> str:
    """Return the value of a field for people."""
    value, unit = field["value"], field["unit"]
    if field["withheld"]:
        return f"withheld: for {field['access'].replace('_', ' ')}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return text.one_line(", ".join(value))
    if isinstance(value, (dict, list)):
        import json

        return text.one_line(json.dumps(value, ensure_ascii=False))
    return text.one_line(str(value)) + (f" {unit}" if unit else "")


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;"
    "color:#111;background:#fff}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;"
    "border-bottom:1px solid #ddd;overflow-wrap:anywhere}th{font-weight:600;width:40%}"
    "svg{display:block;width:18rem;max-width:100%}code{overflow-wrap:anywhere;font-size:.85em}.no{color:#666}"
)


def _page(document: Passport, made: Any) -> str:
    def row(label: str, value: str, kind: str = "") -> str:
        mark = f' class="{kind}"' if kind else ""
        return f"<tr><th>{escape(text.one_line(label))}</th><td{mark}>{escape(value)}</td></tr>"

    # Without a size of its own it is scaled, and not cut, to that of the page.
    picture = made.svg_inline(omitsize=True, title=document["code"])
    fields = "".join(
        row(field["label"], value_text(field), "no" if field["withheld"] else "")
        for field in document["fields"]
    )
    proof = row("DID", document["did"])
    checkpoint = document["checkpoint"]
    if checkpoint is not None:
        proof += row("Ledger", document["ledger"])
        proof += row("Checkpoint", f"{checkpoint['size']} transactions, root {checkpoint['root']}")
    title = escape(text.one_line(document["title"]))
    at = document["committed_at"]
    said = "" if at is None else f"<p>As recorded at {escape(at)}.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>{said}"
        f"{picture}<p><code>{escape(document['code'])}</code></p>"
        f"<h2>What it says</h2><table>{fields}</table>"
        f"<h2>How to check it</h2><table>{proof}</table>"
        "<p>Ask for its bundle, then: <code>twin verify FILE --root ROOT</code>,"
        " with the root above.</p></body></html>\n"
    )
