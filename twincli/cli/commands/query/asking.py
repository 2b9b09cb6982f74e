"""What ``twin query`` and ``twin plot`` ask, and of which content."""

from __future__ import annotations

import os

from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from twincli.cli.context import Context
    from twincli.client.fetching import Source
    from twincli.services.query.asked import Typed
    from twincli.services.query.feed import Feed
    from twincli.services.query.query import Found


def feed(context: Context, *, download: bool = False) -> Feed:
    """Return what reads chunks: of this home, else of the node that ``--node`` names.

    Args:
        context: The command.
        download: Whether what is read is written to files.
    """
    from twincli.content.copies import Copies
    from twincli.content.store import Blobs
    from twincli.services.privacy.chunks import SealedChunks
    from twincli.services.privacy.shelf import Shelf
    from twincli.services.query.feed import Feed
    from twincli.services.stream.rollups import Rollups

    has_home = os.path.isdir(context.paths.home)
    nodes: list[Source] = []
    if context.network is not None:
        from twincli.cli.commands.file import content

        nodes += content.places(context)[0]
    blobs = Blobs(context.paths.content)
    copies = Copies(blobs, context.paths.copies)
    sealed = SealedChunks(
        context.workspace(), Shelf(blobs, nodes), copies, context.command, download=download
    )
    made = Feed(
        blobs,
        copies,
        Rollups(context.paths.rollups if has_home else None),
        nodes,
        sealed,
    )
    context.at_end(copies.close)
    context.at_end(sealed.close)
    context.at_end(made.close)
    return made


def answered(context: Context, feed: Feed, ref: str, typed: Typed) -> Found:
    """Return the answer to a question."""
    from twincli.services.query import query

    return query.query(context.workspace(), feed, ref, typed)


def answered_sql(context: Context, feed: Feed, ref: str, typed: Typed, text: str) -> Found:
    """Return the answer to a question in SQL.

    Raises:
        UsageError: Options that SQL has words for.
    """
    from twincli.errors import UsageError
    from twincli.services.query import asked, query, sql

    for option, value in (
        ("fields", typed.fields),
        ("every", typed.every),
        ("agg", typed.aggregates),
        ("points", typed.points),
        ("fill", typed.fill),
        ("where", typed.where),
        ("reverse", typed.reverse),
    ):
        if value:
            raise UsageError(f"--{option} and --sql cannot be given together", hint="say it in SQL")
    workspace = context.workspace()
    question = asked.read(typed, workspace.now())
    known = list(question.streams) or query.every(workspace, ref)
    statement = sql.check(text, known)
    found = query.opened(workspace, feed, ref, statement.streams)
    timeout = context.options.timeout or sql.SECONDS
    return sql.run(feed, statement, found, question, timeout)
