"""Judge ``--get`` of a writing command by the type of its document, before anything is done."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from twincli.errors import UsageError
from twincli.services import documents

_MOVED = "schema ledger to assets transactions failed errors warnings"
_SETTING = "schema name value source changed"
_NETWORK = "schema name urls header_file tls_ca tls_cert tls_key network"
_AGENT = "schema running pid socket started_at keys hardening warnings"

WRITES: dict[str, tuple[Any, ...]] = {
    "did new": (documents.CreatedAsset,),
    "asset create": (documents.CreatedAsset,),
    "asset append": (documents.WrittenAsset,),
    "asset transfer": (documents.WrittenAsset, documents.HandedOver),
    "asset burn": (documents.WrittenAsset,),
    "asset freeze": (documents.WrittenAsset,),
    "asset unfreeze": (documents.WrittenAsset,),
    "asset migrate": (documents.WrittenAsset,),
    "event add": (documents.Said,),
    "state move": (documents.Said,),
    "stage add": (documents.Said,),
    "maintenance add": (documents.Said,),
    "cert issue": (documents.WrittenCertificate,),
    "cert add": (documents.WrittenCertificate,),
    "cert revoke": (documents.WrittenCertificate,),
    "stream create": (documents.CreatedStream,),
    "stream push": (documents.Pushed,),
    "stream import": (documents.Pushed,),
    "stream follow": (documents.Pushed,),
    "template register": (documents.CreatedAsset,),
    "batch apply": (documents.Batch,),
    "link add": (documents.Said, documents.AddedLinks),
    "link remove": (documents.Said,),
    "grant add": (documents.WrittenGrants,),
    "grant revoke": (documents.WrittenRevocation,),
    "file attach": (documents.Attached,),
    "name set": (documents.Name,),
    "name import": (documents.NameImport,),
    "tx sign": (documents.Signing,),
    "tx submit": (documents.Submission, documents.Submissions),
    "push": (_MOVED,),
    "pull": (_MOVED,),
    "ledger import": (_MOVED,),
    "ledger reindex": ("schema ledger transactions",),
    "ledger upgrade": ("schema path upgraded before after backup",),
    "backup create": (
        "schema file created ledger height transactions keys names size sha256 left_out warnings",
    ),
    "node add": (f"{_NETWORK} created warnings",),
    "node use": (_SETTING,),
    "node remove": (_NETWORK,),
    "config set": (_SETTING,),
    "config unset": (_SETTING,),
    "agent start": (_AGENT,),
    "agent lock": (_AGENT,),
    "agent stop": (_AGENT,),
    "keys passwd": ("schema keys",),
    "keys derive": ("schema name path made keys",),
    "keys rotate": ("schema ledger from to moved prepared left entities signed_by warnings",),
    "keys remove": ("schema name kept_at shredded",),
}
"""The documents of each command that changes something: a type, or the names of the members."""


def check(command: str, path: str, *, prepared: bool, lines: bool = False) -> None:
    """Refuse a ``--get`` that cannot find anything, whatever the command does.

    Args:
        command: Its words, such as ``asset append``.
        path: The path of ``--get``.
        prepared: Whether ``--prepare`` has it return what others are to sign.
        lines: Whether it appends lines from stdin.

    Raises:
        UsageError: There is no such path in its document.
    """
    possible: tuple[Any, ...] = WRITES.get(command, ())
    if lines and command == "asset append":
        possible = (documents.Appends,)
    if prepared:
        # --once may find that it was done before, which is no longer to be signed.
        possible = (*possible, documents.Signing)
        if command == "asset transfer":
            possible = (*possible, documents.PreparedHandover)
    if not possible:
        return
    faults = [_fault(document, path) for document in possible]
    if all(faults):
        raise UsageError(f"--get {path}: {faults[-1]}", hint=_hint(possible, path))


def _fault(kind: Any, path: str) -> str | None:
    """Return why a path finds nothing in a document of this type, None where it may."""
    walked: list[str] = []
    for name in path.split("."):
        kind = _bare(kind)
        where = ".".join(walked)
        if isinstance(kind, str) or typing.is_typeddict(kind):
            held = _members(kind)
            if name not in held:
                return f"there is no {name!r} in {where or 'the document'}"
            kind = held[name]
        elif typing.get_origin(kind) in {list, tuple, Iterable, Sequence}:
            digits = name.removeprefix("-")
            if not (digits.isascii() and digits.isdigit()):
                return f"{where} is a list and takes a number, not {name!r}"
            kind = typing.get_args(kind)[0]
        elif typing.get_origin(kind) is dict or kind in {dict, Any}:
            return None  # of a form that somebody else has
        else:
            return f"{where} is a single value"
        walked.append(name)
    return None


def _members(kind: Any) -> dict[str, Any]:
    if isinstance(kind, str):
        return dict.fromkeys(kind.split(), Any)
    held: dict[str, Any] = kind.__annotations__
    return held


def _bare(kind: Any) -> Any:
    """Return a type without what says that the member may be null or missing."""
    if typing.get_origin(kind) in {typing.NotRequired, typing.Required}:
        [kind] = typing.get_args(kind)
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        kinds = [kind for kind in typing.get_args(kind) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else Any
    return kind


def _hint(possible: tuple[Any, ...], path: str) -> str:
    from difflib import get_close_matches

    known = [name for document in possible for name in _members(document)]
    first, _, _ = path.partition(".")
    if first in known:
        return f"--get {first}"
    near = get_close_matches(first, known, n=1)
    return (
        f"did you mean --get {near[0]}?"
        if near
        else f"available: {', '.join(dict.fromkeys(known))}"
    )
