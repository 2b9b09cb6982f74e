"""Files of the command line that a twin gets, and where their content goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.cli import file_arguments
from twincli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.cli.context import Context
    from twincli.client.content import NodeContent
    from twincli.client.logs import LogPlace
    from twincli.content.store import Blobs
    from twincli.crypto.ed25519 import Signer
    from twincli.services.bundle.export import Elsewhere
    from twincli.services.record.attachments import Attachment, Brought, Stores

CAR = ".car"


def blobs(context: Context) -> Blobs:
    """Return the content of this machine."""
    from twincli.content.store import Blobs

    return Blobs(context.paths.content)


def brought(path: str) -> Brought:
    """Return a file of the command line; it is opened when it is read."""
    from twincli.services.file.attached import name_of
    from twincli.services.record.attachments import Brought

    if path == "-":
        raise UsageError("a file that is attached needs a name, and stdin has none")

    def opened() -> Any:
        return file_arguments.opened(path)

    is_car = path.endswith(CAR)
    return Brought(name_of(path.removesuffix(CAR) if is_car else path), path, opened, is_car)


def nodes(context: Context) -> list[NodeContent]:
    """Return the content of the nodes that ``--node`` names."""
    from twincli.client import profiles
    from twincli.client.content import NodeContent
    from twincli.services.network import networks

    chosen = context.network
    if chosen is None:
        return []
    profile = networks.find(chosen.file, chosen.name)
    headers = profiles.headers(profile.header_file) if profile.header_file is not None else {}
    tls = profile.tls.over(chosen.tls)

    def asking() -> Iterator[Signer]:
        from twincli.services import signers

        return signers.to_ask(context.workspace_without_ledger())

    return [NodeContent(url, headers, chosen.timeout, tls, signers=asking) for url in profile.urls]


def logs(context: Context) -> list[LogPlace]:
    """Return the nodes that ``--node`` names as logs; whether they keep one is not asked."""
    from twincli.client.logs import LogPlace

    return [LogPlace(node.url, node.headers, node.timeout, node.tls) for node in nodes(context)]


def elsewhere(context: Context) -> Elsewhere:
    """Return the logs and the content of the nodes that ``--node`` names."""
    from twincli.services.bundle.export import Elsewhere

    return Elsewhere(logs(context), [node for node in nodes(context) if node.keeps_content()])


def places(context: Context) -> tuple[list[NodeContent], tuple[str, ...]]:
    """Return the nodes that take content, and what to say where the network takes none."""
    named = nodes(context)
    if not named:
        return [], ()
    taking = [node for node in named if node.keeps_content()]
    if taking:
        return taking, ()
    return [], (
        "the network keeps no content: it stays on this machine; to share it: twin file pin",
    )


def attachments(words: Iterable[str]) -> list[Attachment]:
    """Return the files of ``--attach FILE:TYPE``; the type may be left out.

    Raises:
        UsageError: A file or a type is missing.
    """
    from twincli.services.record.attachments import Attachment

    found = []
    for word in words:
        path, colon, kind = word.rpartition(":")
        if not colon or "/" in kind:  # a colon inside the name of a folder
            path, kind = word, ""
        elif not path or not kind:
            raise UsageError(
                f"--attach {word}: the {'type' if path else 'file'} is missing",
                hint="--attach report.pdf:maintenance-report, or a file alone",
            )
        found.append(Attachment(brought(path), kind or None))
    return found


def stores(context: Context) -> tuple[Stores, tuple[str, ...]]:
    """Return where content goes, and what to say where the network takes none."""
    from twincli.services.record.attachments import Stores

    taking, notes = places(context)
    return Stores(blobs(context), taking), notes
