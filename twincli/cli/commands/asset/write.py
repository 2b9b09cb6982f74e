"""Handlers of the commands that take free data: ``did new``, ``asset create|append|transfer``.

They run without Typer; see ``twincli.cli.parsing.data_parser`` for their command lines.
"""

from __future__ import annotations

from twincli.cli.result import Column, Result
from twincli.cli.showing import drawing, partial
from twincli.cli.showing.output import to_json
from twincli.crypto import canonical
from twincli.errors import InvalidError, UsageError
from twincli.services.tx.prepared import Prepared
from twincli.values import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.cli.context import Context
    from twincli.cli.parsing.data_parser import Parsed
    from twincli.services.documents import Appends, FoundAsset, HandedOver, WrittenAsset
    from twincli.services.resolve import PlannedKey


PIPED: tuple[Column, ...] = (
    ("name", "name"),
    ("id", "id"),
    ("transaction_id", "transaction_id"),
    ("height", "height"),
    ("at", "at"),
    ("committed_at", "committed_at"),
    ("owner", "owner"),
    ("state", "state"),
    ("signed_by", "signed_by"),
)
"""What a write prints to a pipe: what a script goes on with; ``--json`` has all the rest."""


def _done(context: Context, made: WrittenAsset | Prepared) -> Result:
    """Return the result of a write, or write the file of ``--prepare``."""
    if isinstance(made, Prepared):
        return partial.prepared(context, made, str(context.writes.prepare))
    return _result(made, partial.not_prepared(context.writes.prepare))


def _result(document: WrittenAsset | FoundAsset, notes: tuple[str, ...] = ()) -> Result:
    """Return the result of a write; what was written is echoed, so that a typo is seen."""
    written: Any = document.get("written") or {}
    echo = tuple(f"{name} = {to_json(item)}" for name, item in written.items())
    return Result(
        document,
        columns=PIPED if "created" not in document else (*PIPED, ("created", "created")),
        notes=(*notes, *echo),
        warnings=tuple(document["warnings"]),
        terminal=drawing.written,
    )


def _lines() -> Iterator[dict[str, Any]]:
    """Yield the objects of stdin, one a line; blank lines are passed over."""
    from twincli.cli import file_arguments

    for number, line in enumerate(file_arguments.lines("-"), 1):
        if line.strip():
            value = canonical.decode(line, what=f"line {number} of stdin")
            if not isinstance(value, dict) or not value:
                raise InvalidError(
                    f"line {number} of stdin is not an object with at least one member",
                    code="invalid_json",
                )
            yield value


def _amount(text: str | None) -> int:
    if text is None:
        return 1
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or text[:-1].startswith("0"):
        raise UsageError(f"--amount takes a whole number, not {text!r}")
    return int(text)


def asset_create(context: Context, parsed: Parsed) -> Result:
    """``twin asset create NAME``."""
    return _create(
        context, parsed, "asset", parsed.values.get("owner"), parsed.values.get("entity")
    )


def did_new(context: Context, parsed: Parsed) -> Result:
    """``twin did new NAME``: the key NAME is made if it is not there."""
    from twincli.errors import ConflictError, NotFoundError

    assert parsed.name is not None
    name = parsed.name
    values = parsed.values
    owner, entity = values.get("owner") or name, values.get("entity") or name
    notes: tuple[str, ...] = ()
    try:
        context.keystore.get(name)
    except NotFoundError:
        from twincli.services.keys import keys
        from twincli.services.names import dids

        secret = context.new_secret_source(no_passphrase=bool(values.get("no_passphrase")))
        room = context.workspace_without_ledger()
        wanted = keys.NewKey(name, secret, bool(values.get("if_missing")))
        keys.new(room._replace(dry_run=True), wanted._replace(if_missing=False))
        # All that can be known to fail does so before there is a key.
        planned = dids.planned_key(context.workspace(), name)
        try:
            result = _create(context, parsed, "identity", owner, entity, planned)
        except ConflictError as conflict:
            try:
                context.keystore.get(name)
            except NotFoundError:
                raise conflict from None
            # Another process was faster, with the key and the identity.
        else:
            if context.dry_run:
                return result._replace(document=dids.without_key(result.document, planned))
        made = keys.new(room, wanted)
        if made["created"] is not False:
            notes = (f"made the key {name}: {made['public_key']}",)
    result = _create(context, parsed, "identity", owner, entity)
    return result._replace(notes=(*notes, *result.notes))


def _create(
    context: Context,
    parsed: Parsed,
    kind: str,
    owner: str | None,
    entity: str | None,
    planned: PlannedKey | None = None,
) -> Result:
    from twincli.model.edits import build
    from twincli.services.asset.create import Definition, create

    assert parsed.name is not None
    values = parsed.values
    wanted = Definition(
        data=build(parsed.base, parsed.edits),
        state=parsed.state,
        owner=owner,
        entity=entity,
        parent=values.get("parent"),
        amount=_amount(values.get("amount")),
        title=values.get("title"),
        model=values.get("orm_model"),
        kind=kind,
        template=values.get("template"),
        on_invalid=values.get("on_invalid"),
    )
    workspace = partial.begun(context)
    document = create(
        workspace if planned is None else workspace._replace(dry_run=True),
        parsed.name,
        wanted,
        context.writes.writing(),
        if_missing=bool(values.get("if_missing")),
        planned=planned,
        before=lambda warning: context.warn_before("create it anyway?", warning),
    )
    if isinstance(document, Prepared):
        return Result(document.document) if planned else _done(context, document)
    made = document["created"]
    said = f"created {parsed.name}" if made else f"{parsed.name} already exists"
    if context.dry_run:
        said = f"would create {parsed.name}"
    return _result(document, (said,))


def _appended(appends: Appends) -> str:
    count, existing = appends["count"], appends["existing"]
    said = f"appended {count} line{'' if count == 1 else 's'}"
    return f"{said}; {existing} already on the ledger" if existing else said


def asset_append(context: Context, parsed: Parsed) -> Result:
    """``twin asset append NAME``."""
    from twincli.services.asset import append as service

    assert parsed.name is not None
    writing = context.writes.writing()
    if parsed.lines:
        if parsed.values.get("corrects") or parsed.values.get("output"):
            raise UsageError("--corrects and --output are for a single append")
        from twincli.cli import stopping

        with stopping.told():
            appends = service.append_lines(partial.begun(context), parsed.name, _lines(), writing)
        return Result(
            appends,
            notes=(_appended(appends),),
            warnings=tuple(appends["warnings"]),
        )
    document = service.append(
        partial.begun(context),
        parsed.name,
        parsed.base,
        parsed.edits,
        writing,
        corrects=parsed.values.get("corrects"),
        output=parsed.values.get("output"),
    )
    return _done(context, document)


def asset_transfer(context: Context, parsed: Parsed) -> Result:
    """``twin asset transfer NAME --to OWNER``."""
    from twincli.services.asset.transfer import transfer as service

    assert parsed.name is not None
    values = parsed.values
    prepare = context.writes.prepare
    is_several = prepare is not None and values.get("children") is not None
    document = service(
        context.workspace() if is_several else partial.begun(context),
        parsed.name,
        to=values.get("to"),
        outs=values.get("out") or (),
        ins=values.get("in") or (),
        entity=values.get("entity"),
        children=values.get("children"),
        base=parsed.base,
        changes=parsed.edits,
        writing=context.writes.writing(),
    )
    if isinstance(document, Prepared) and document.handover is not None:
        from twincli.cli.commands.asset import handing

        return handing.prepared(context, document, str(prepare), values["to"])
    result = _done(context, document)
    if isinstance(document, Prepared) or "handover" not in document:
        return result
    from twincli.cli.commands.asset import handing

    return handing.shown(result, cast("HandedOver", document)["handover"], values["to"])
