"""What a grant allows, as people write it: ``event,file,field:mileage,stream:gps``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import UsageError
from twincli.model import names, record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from twincli.model.template import Template

KIND, FIELD, STREAM, SOURCE = PREFIXES = ("kind", "field", "stream", "source")

OWNERS_ONLY = frozenset(
    (record.GRANT, record.REVOKE, "freeze", "unfreeze", record.MIGRATE, "state", "stage")
)
"""Kinds that only the twin's own transactions can be: a grant of them would allow nothing."""

_PLURALS = {
    "certifications": record.CERTIFICATE,
    "certificates": record.CERTIFICATE,
    **{f"{kind}s": kind for kind in record.RECORD_KINDS if not kind.endswith("e")},
    **{f"{kind}s": kind for kind in ("file", "stage", "maintenance")},
}


def parse(
    texts: Iterable[str], template: Template | None, streams: Collection[str] | None = None
) -> dict[str, list[str]]:
    """Return the members of a grant's body that hold its scope; empty: everything.

    Args:
        texts: Each with commas: a kind of record or ``kind:K``, ``field:NAME``, ``stream:NAME``,
            ``source:ROLE`` (all fields of the template that come from there).
        template: Of the twin, or None.
        streams: Of a grant to read: the names of the twin's streams, which need no prefix, and
            kinds may be named that only the owner or anybody can write. None: a grant to write.

    Raises:
        UsageError: ``bad_scope``.
    """
    found: dict[str, dict[str, None]] = {}
    for word in (part.strip() for text in texts for part in text.split(",")):
        prefix, colon, name = word.partition(":")
        if not colon:
            prefix, name = _guessed(word, template, streams), word
        if not name:
            raise _bad(word, "it is empty", "leave --scope out to allow everything")
        if prefix == KIND:
            found.setdefault("kinds", {})[_kind(name, reads=streams is not None)] = None
        elif prefix == STREAM:
            found.setdefault("streams", {})[name] = None
        elif prefix in {FIELD, SOURCE}:
            for field in _fields(prefix, name, template):
                found.setdefault("fields", {})[field] = None
        else:
            raise _bad(word, f"{prefix!r} is not one of {', '.join(PREFIXES)}", _FORM)
    return {name: list(members) for name, members in found.items()}


_FORM = "write kinds of records, field:NAME and stream:NAME, such as event,field:mileage"


def _guessed(word: str, template: Template | None, streams: Collection[str] | None) -> str:
    """Return what a word without a prefix means."""
    if streams is not None and word in streams:
        return STREAM
    if word in record.RECORD_KINDS or word in _PLURALS:
        return KIND
    if template is not None and word in template.fields:
        return FIELD
    known = [*record.RECORD_KINDS, *(streams or ()), *(() if template is None else template.fields)]
    near = names.near(word, sorted(known))
    raise _bad(
        word,
        "it is neither a kind of record nor a field of the template",
        f"did you mean {near}?" if near else f"write field:{word} or stream:{word}",
    )


def _kind(name: str, *, reads: bool) -> str:
    kind = _PLURALS.get(name, name)
    if kind not in record.RECORD_KINDS:
        near = names.near(name, sorted(record.RECORD_KINDS))
        raise _bad(
            name,
            "it is not a kind of record",
            f"did you mean {near}?" if near else f"kinds: {', '.join(sorted(record.RECORD_KINDS))}",
        )
    if reads:
        return kind
    if kind in OWNERS_ONLY:
        raise _bad(name, f"only the owner can write a {kind}", "share ownership instead")
    if kind == record.CERTIFICATE:
        raise _bad(
            name,
            "a certificate needs no grant: it weighs what its issuer weighs",
            "leave it out",
        )
    return kind


def _fields(prefix: str, name: str, template: Template | None) -> list[str]:
    if prefix == SOURCE:
        sources: dict[str, list[str]] = {}
        for field in () if template is None else template.fields.values():
            if field.source is not None:
                sources.setdefault(field.source, []).append(field.name)
        if name not in sources:
            listed = ", ".join(sorted(sources)) or "none"
            raise _bad(
                f"source:{name}",
                "no field of the template comes from there",
                f"sources of the template: {listed}",
            )
        return sources[name]
    if template is not None and name not in template.fields and not template.additional:
        near = names.near(name, sorted(template.fields))
        raise _bad(
            f"field:{name}",
            f"{template.id} has no such field",
            f"did you mean {near}?" if near else f"twin template show {template.id}",
        )
    return [name]


def text(scope: dict[str, Any]) -> str:
    """Return a scope as people write it."""
    words = [
        *(scope.get("kinds") or ()),
        *(f"field:{name}" for name in scope.get("fields") or ()),
        *(f"stream:{name}" for name in scope.get("streams") or ()),
    ]
    if words:
        return ",".join(words)
    return "nothing" if any(scope.get(name) is not None for name in scope) else "everything"


def _bad(word: str, why: str, hint: str) -> UsageError:
    return UsageError(f"--scope {word!r}: {why}", code="bad_scope", hint=hint)
