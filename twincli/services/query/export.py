"""Export the streams of twins: as files to read, or as a table that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from twincli.content import memory
from twincli.errors import ConflictError, LockedError, NotFoundError, UsageError
from twincli.services import resolve
from twincli.services.audit import trail
from twincli.services.query import asked, formats, lake, query
from twincli.services.query.answers import SEQ, SOURCE
from twincli.services.query.rows import Rows
from twincli.services.stream import streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twincli.client.tables import Place
    from twincli.services.documents import ExportedStream, StreamExport
    from twincli.services.query.asked import Asked
    from twincli.services.query.feed import Feed
    from twincli.services.query.query import Streams
    from twincli.services.workspace import Workspace

DELTA = "delta"
FORMATS = (formats.CSV, formats.PARQUET, DELTA)


def export(
    workspace: Workspace,
    feed: Feed,
    refs: Sequence[str],
    form: str,
    place: Place,
    progress: Callable[[int, int], None] | None = None,
) -> StreamExport:
    """Export the streams of twins that count.

    Args:
        workspace: Rooms.
        feed: Reads chunks.
        refs: The twins; empty: all that have a name here.
        form: One of ``FORMATS``.
        place: Where to.
        progress: Called with how much is done, and how much there is.

    Raises:
        NotFoundError: ``not_found``: a twin; or there is nothing to export.
        ConflictError: ``exists``: a file; ``foreign_table``, ``busy``: see ``lake.export``.
    """
    twins = _twins(workspace, refs)
    document: StreamExport = {
        "schema": "twin.stream-export/1",
        "ledger": workspace.client.ledger_id,
        "format": form,
        "location": place.location,
        "version": None,
        "files_added": 0,
        "files_removed": 0,
        "readings": 0,
        "streams": [],
        "warnings": [],
    }
    if form == DELTA:
        for twin_id in twins:
            trail.note(workspace, trail.EXPORTED, twin=twin_id, reason=form, by="stream export")
        done = lake.export(workspace, feed, list(twins), place, progress)
        document["version"] = done.version
        document["files_added"], document["files_removed"] = done.added, done.removed
        document["readings"] = done.readings
        document["warnings"] = list(done.warnings)
        document["streams"] = [_item(twins, *each) for each in done.streams]
        return document
    wanted = []
    for twin_id in twins:
        for name in query.every(workspace, twin_id):
            item = _item(twins, twin_id, name)
            wanted.append((item, _free(place, item["twin"] or twin_id, name, form)))
    for number, (item, file) in enumerate(wanted, 1):
        try:
            found = query.opened(workspace, feed, item["twin_id"], [item["stream"]])
        except LockedError as error:
            # Others of the twin may be open; the last of them says that none is.
            if error.code != "no_grant" or not (document["streams"] or number < len(wanted)):
                raise
            document["warnings"].append(f"{error.message}: it is left out")
            continue
        trail.note(
            workspace,
            trail.EXPORTED,
            twin=item["twin_id"],
            stream=item["stream"],
            reason=form,
            by="stream export",
        )
        document["readings"] += _write(feed, found, form, place, file)
        document["files_added"] += 1
        document["streams"].append(item)
        document["warnings"] += list(found.warnings)
        if progress is not None:
            progress(number, len(wanted))
    return document


def _item(twins: dict[str, str | None], twin_id: str, name: str) -> ExportedStream:
    return {"twin_id": twin_id, "twin": twins[twin_id], "stream": name}


def _twins(workspace: Workspace, refs: Sequence[str]) -> dict[str, str | None]:
    """Return the ids of twins and their names here, or what they were called by."""
    if refs:
        found: dict[str, str | None] = {}
        for ref in refs:
            twin_id = resolve.asset_id_of(workspace, ref)
            found[twin_id] = resolve.asset_name(workspace, twin_id)
        return found
    named = resolve.asset_names(workspace)
    found = {
        twin_id: name for twin_id, name in named.items() if streams.of_twin(workspace, twin_id)
    }
    if not found:
        raise NotFoundError(
            "no twin that has a name here has a stream", hint="twin stream push TWIN STREAM ..."
        )
    return found


def _free(place: Place, twin: str, stream: str, form: str) -> str:
    """Return the name of a file that is not there yet."""
    directory, name = (quote(part, safe=" ") for part in (twin, stream))
    if f"{name}.{form}" in place.names(directory):
        raise ConflictError(
            f"{place.location}/{directory}/{name}.{form} already exists",
            code="exists",
            hint="export into a new directory, or take --format delta, which grows",
        )
    return f"{directory}/{name}.{form}"


def _write(feed: Feed, found: Streams, form: str, place: Place, file: str) -> int:
    """Write a stream to a file, suspect readings with their quality; return how many rows."""
    (held,) = found.held
    question = asked.Asked((held.name,), suspect=True)
    shown = [column.path for column in Rows(feed, question, found.held).columns]
    whole: Asked = question._replace(fields=(*shown, SOURCE, SEQ))
    is_private = any(piece.lock is not None for piece in held.pieces)
    with memory.passing(in_memory=is_private) as path:
        with open(path, "wb") as out:
            rows = formats.write(query.answered(feed, whole, found), form, out.write)
        place.copy(file, path)
    return rows


def check_format(form: str) -> str:
    """Return a format that is known.

    Raises:
        UsageError: It is not.
    """
    if form == "iceberg":
        raise UsageError(
            "--format iceberg is not made yet",
            code="not_supported",
            hint="--format delta; Spark, Trino, Flink, DuckDB and Polars read it",
        )
    if form not in FORMATS:
        raise UsageError(f"--format: {form!r} is not one of {', '.join(FORMATS)}")
    return form
