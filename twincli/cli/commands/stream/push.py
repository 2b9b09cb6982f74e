"""``twin stream push``: one observation from the command line, or many lines."""

from __future__ import annotations

from twincli.cli.commands.stream.rooms import room
from twincli.cli.result import Result
from twincli.cli.showing import partial
from twincli.errors import ExitCode, UsageError
from twincli.services.tx.prepared import Prepared
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twincli.cli.context import Context
    from twincli.cli.parsing.data_parser import Parsed
    from twincli.model.batch import Batch
    from twincli.model.reading import Observation
    from twincli.services.documents import Pushed
    from twincli.services.stream.push import Block, Line

COLUMNS = tuple(
    (name, name)
    for name in (
        *("stream", "count", "existing", "refused_count", "first_at", "last_at"),
        *("transaction_id", "standing", "signed_by"),
    )
)


def stream_push(context: Context, parsed: Parsed) -> Result:
    """``twin stream push TWIN STREAM [FILE]``."""
    from twincli.services.stream import push as service

    twin, (stream, file) = parsed.name, parsed.words
    assert stream is not None
    writing, on_invalid = context.writes.writing(), parsed.values.get("on_invalid")
    if writing.bare:
        raise UsageError("--bare writes no envelope, in which readings are", hint="leave it out")
    if file is not None:
        if parsed.edits or parsed.base:
            raise UsageError("readings come either from lines or from options, not both")
        if writing.prepare or writing.if_tip or writing.once:
            raise UsageError("--prepare, --if-tip and --once are for a single reading")
        blocks = _blocks(file, stream, parsed.values)
        found = service.push_blocks(
            room(context), twin, stream, blocks, writing, on_invalid=on_invalid
        )
        return pushed(context, found)
    if not parsed.edits and not parsed.base:
        raise UsageError(
            "there is nothing to push",
            hint=f"for example: twin stream push {twin} {stream} --value 23.5; lines of JSON from"
            f" stdin: twin stream push {twin} {stream} -",
        )
    if context.writes.prepare is not None:
        partial.check_free(context.writes.prepare)
    made = service.push(
        room(context), twin, stream, _observation(parsed), writing, on_invalid=on_invalid
    )
    if isinstance(made, Prepared):
        return partial.prepared(context, made, str(context.writes.prepare))
    return pushed(context, made)


def _observation(parsed: Parsed) -> Observation:
    from twincli.model import reading
    from twincli.model.edits import build

    value: dict[str, Any] = build(parsed.base, parsed.edits)
    for name in ("source", "quality", "unit"):
        if name in parsed.values:
            value[name] = parsed.values[name]
    return reading.parse(value)


def _blocks(file: str, name: str, values: dict[str, Any]) -> Iterator[Block]:
    from functools import partial

    from twincli.cli import file_arguments
    from twincli.services.stream import importing

    with file_arguments.opened(file) as stream:
        for block in importing.json_blocks(stream, name, importing.How("jsonl"), timed=False):
            yield block._replace(
                lines=partial(_lines, block, values), columns=partial(_columns, block, values)
            )


def _lines(block: Block, values: dict[str, Any]) -> Iterator[Line]:
    """Yield the lines of a block with what the command line says of them."""
    for line in block.lines():
        found = line.observation
        if found is None:
            yield line
            continue
        if "source" in values and not found.source:
            found = found._replace(source=values["source"])
        if "quality" in values:
            found = found._replace(quality=values["quality"])
        if "unit" in values and "value" in found.leaves and not found.units:
            found = found._replace(units=(("value", values["unit"]),))
        yield line._replace(observation=found)


def _columns(block: Block, values: dict[str, Any], known: Mapping[str, str]) -> Batch | None:
    """Return the columns of a block, unless the command line says something of its lines."""
    return None if values.keys() & {"source", "quality", "unit"} else block.columns(known)


def pushed(context: Context, document: Pushed) -> Result:
    """Return the result of a push or an import."""
    count, existing, refused = (document[k] for k in ("count", "existing", "refused_count"))
    name = f"the stream {document['stream']} of {document['twin']}"
    would = "would push" if context.dry_run else "pushed"
    said = f"{would} {_readings(count)} into {name}"
    if existing:
        said += f"; {existing} already there"
    made = (f"made {name}",) if document["stream_created"] else ()
    lines = tuple(f"line {item['line']}: {item['reason']}" for item in document["refused"][:20])
    if refused:
        more = f" (the first {len(lines)})" if refused > len(lines) else ""
        lines = (f"{refused} line{'s' if refused != 1 else ''} refused{more}:", *lines)
    exit_code = ExitCode.OK
    if refused:
        exit_code = ExitCode.PARTIAL if count or existing else ExitCode.INVALID
    return Result(
        document,
        columns=COLUMNS,
        notes=(*made, said, *lines),
        warnings=tuple(document["warnings"]),
        exit_code=exit_code,
    )


def _readings(count: int) -> str:
    return f"{count:,} reading{'' if count == 1 else 's'}"
