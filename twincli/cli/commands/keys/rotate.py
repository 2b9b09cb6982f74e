"""``twin keys rotate``: everything a key owns goes to another key."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from twincli.cli import file_arguments
from twincli.cli.commands.keys.arguments import Name
from twincli.cli.context import Context
from twincli.cli.parsing import candidates
from twincli.cli.result import Result
from twincli.cli.showing import partial
from twincli.crypto import canonical
from twincli.errors import ConfigError, TwinError, UsageError
from twincli.model import record

PARTIAL = 10


def rotate(
    context: Context,
    name: Name,
    to: Annotated[
        str,
        typer.Option(
            metavar="NEW",
            help="The key to move to: a name, a DID or a public key.",
            autocompletion=candidates.keys,
        ),
    ],
    prepare: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Directory for the transactions that others must sign, too."
        ),
    ] = None,
) -> Result:
    """Move everything a key owns to another key; run again, it goes on where it stopped.

    What the key owns with others stays shared with them. Where that needs signatures of people
    elsewhere, --prepare writes a file for each, to be signed with twin tx sign. The old key stays.
    """
    from twincli.cli.commands.file import content
    from twincli.services import resolve
    from twincli.services.keys import rotate as service
    from twincli.services.privacy import sealing

    if prepare in {"", "-"}:
        raise UsageError("--prepare needs a directory for its files")
    workspace = context.workspace()
    old = context.keystore.get(name)
    new_key = resolve.public_key_of(workspace, to)
    resolve.check_recipients(workspace, {"type": "ed25519-sha-256", "public_key": new_key})
    if prepare is not None and not context.dry_run:
        _probe(prepare)
    # Before anything is moved: the old key opens nothing afterwards.
    warnings = list(sealing.hand_over(workspace, content.stores(context)[0], old, new_key))
    document, files = service.rotate(workspace, old, new_key, prepare=prepare is not None)
    document["warnings"] = warnings
    left = document["left"]
    for whole in files:
        item = _written(context, str(prepare), new_key, whole)
        document["prepared" if "missing" in item else "left"].append(item)
    return Result(
        document,
        columns=(
            ("moved", lambda shown: str(len(shown["moved"]))),
            ("prepared", lambda shown: "\n".join(item["file"] for item in shown["prepared"])),
            ("left", lambda _: "\n".join(f"{i['output']}: {i['message']}" for i in left)),
            (
                "entities",
                lambda shown: "\n".join(
                    i["asset_name"] or i["asset_id"] for i in shown["entities"]
                ),
            ),
        ),
        notes=tuple(_notes(context, document, name)),
        exit_code=PARTIAL if left else 0,
        warnings=tuple(document["warnings"]),
    )


def _probe(directory: str) -> None:
    """Refuse a directory that cannot be written before anything is moved."""
    from twincli import files

    files.make_directory(directory)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigError(f"cannot write {directory}: permission denied", code="cannot_write")


def _notes(context: Context, document: dict[str, Any], name: str) -> list[str]:
    from twincli.services.keys import rotate as service

    said = "would move" if context.dry_run else "moved"
    notes = [f"{said} {len(document['moved'])} outputs"]
    codes = {item["code"] for item in document["left"]}
    if service.OTHERS in codes:
        notes.append("--prepare DIR writes the transactions that others must sign, too")
    if service.OWNER_ALREADY in codes:
        notes.append(
            "outputs that the new key already owns are left to you:"
            " twin asset transfer TWIN --to OWNER --in TX:N"
        )
    if document["entities"]:
        notes.append(
            f"some twins still name {name} as their own key; their owners can change that:"
            " twin asset transfer TWIN --to OWNER --entity NEW"
        )
    return notes


def _written(
    context: Context, directory: str, new_key: str, whole: dict[str, Any]
) -> dict[str, Any]:
    """Write one prepared transfer and return its item of ``prepared``.

    One that an earlier run to this key wrote for this output stays, but not if it does something
    else; that is an item of ``left``.
    """
    from twincli import files

    shown = whole.pop("shown")
    spent = shown["inputs"][0]
    stem = f"{spent['transaction_id'][:16]}-{spent['output_index']}-{new_key[:8]}"
    path = os.path.join(directory, f"rotate-{stem}.json")
    asset = {"asset_id": shown["asset_id"], "asset_name": shown["asset_name"]}
    existing = os.path.lexists(path)
    if existing and not _is_same(path, whole):
        return {
            **asset,
            "output": f"{spent['transaction_id']}:{spent['output_index']}",
            "amount": spent["amount"],
            "code": "exists",
            "message": f"{path} already exists with another transaction; move it away",
        }
    if not existing and not context.dry_run:
        files.make_directory(directory)
        files.write_new(path, partial.to_text(whole).encode())
    return {**asset, "file": path, "existing": existing, "missing": shown["missing"]}


def _is_same(path: str, whole: dict[str, Any]) -> bool:
    """Say whether a file holds this transfer, prepared at whatever time and signed by whomever."""
    from twincli.services.tx import cosign

    try:
        found = cosign.read(canonical.decode(file_arguments.read(path))).tx
    except TwinError:
        return False
    wanted = whole["transaction"]
    body = [(record.envelope_of(tx["metadata"]) or {}).get("body") for tx in (found, wanted)]
    return body[0] == body[1] and all(
        found[name] == wanted[name] for name in ("asset", "inputs", "outputs")
    )
