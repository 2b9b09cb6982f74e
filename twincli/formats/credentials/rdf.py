"""The canonical form of a credential's RDF graph, which ``eddsa-rdfc-2022`` signs.

A graph holds only what the contexts define: JSON-LD drops every other member without a word, so a
signature says nothing of it. Here such a credential is refused. Contexts are those in the package;
nothing is fetched.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from twincli.crypto import data_integrity
from twincli.errors import InvalidError, UndeterminedError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXTS = {
    "https://www.w3.org/2018/credentials/v1": "credentials-v1",
    "https://www.w3.org/ns/credentials/v2": "credentials-v2",
    "https://www.w3.org/ns/credentials/undefined-terms/v2": "undefined-terms-v2",
    "https://www.w3.org/ns/credentials/examples/v2": "examples-v2",
    "https://www.w3.org/ns/credentials/status/v1": "bitstring-status-list-v1",
    "https://w3id.org/security/data-integrity/v1": "data-integrity-v1",
    "https://w3id.org/security/data-integrity/v2": "data-integrity-v2",
    "https://w3id.org/security/multikey/v1": "multikey-v1",
}
"""The contexts that are known, and their files."""

LARGEST_BYTES = 1 << 16
"""Of a document: making a graph costs far more than reading JSON."""

MOST_ROUNDS = 200
"""Comparisons of blank nodes that look alike; a graph made for it needs them without end."""

_AT_THE_TOP = frozenset(("@context", "@id", "@type"))

_KEYWORDS = frozenset(
    (
        *("@context", "@id", "@type", "@value", "@language", "@direction", "@list", "@set"),
        *("@graph", "@index", "@json", "@none", "@included", "@nest", "@reverse"),
        *("@base", "@container", "@import", "@prefix", "@propagate", "@protected"),
        *("@version", "@vocab"),
    )
)


def message(document: dict[str, Any], options: dict[str, Any]) -> bytes:
    """Return what an ``eddsa-rdfc-2022`` proof signs.

    Args:
        document: Without the proof.
        options: The proof without its value.

    Raises:
        InvalidError: ``invalid_credential``: it is not JSON-LD, or holds what no signature covers.
        UndeterminedError: ``unknown_context``; ``too_complex``.
        ConfigError: ``missing_extra``.
    """
    if len(json.dumps(document)) > LARGEST_BYTES:
        raise _too_complex(f"it has more than {LARGEST_BYTES} bytes")
    config = {**options, "@context": document.get("@context")}
    return data_integrity.hashed(canonical(config), canonical(document))


def canonical(document: dict[str, Any]) -> bytes:
    """Return the canonical N-Quads of a JSON-LD document.

    Raises:
        InvalidError, UndeterminedError, ConfigError: As ``message``.
    """
    try:
        from pyld import jsonld
        from pyld.canon import URDNA2015
    except ImportError as error:
        raise data_integrity.missing_extra("pyld") from error
    for name in document:
        if name.startswith("@") and name not in _AT_THE_TOP:
            raise _bad(f"the member {shown(name)} hides what is beside it from its signature")
    _check_members(document)
    rounds = 0

    class Canonical(URDNA2015):  # type: ignore[misc]
        def hash_n_degree_quads(self, *given: Any) -> Any:
            nonlocal rounds
            rounds += 1
            if rounds > MOST_ROUNDS:
                raise _too_complex("too many of its nodes look alike")
            return super().hash_n_degree_quads(*given)

    def dropped(name: Any) -> None:
        raise _bad(f"the member {shown(name)} is not in its contexts, so no signature covers it")

    processor = jsonld.JsonLdProcessor(on_property_dropped=dropped)
    choices = {"documentLoader": _load, "base": _BASE, "processingMode": "json-ld-1.1"}
    try:
        expanded = processor.expand(document, dict(choices))
        for text in _relative(expanded):
            raise _bad(f"{shown(text)} is not a full IRI, so no signature covers it")
        dataset = processor.to_rdf(expanded, {**choices, "produceGeneralizedRdf": False})
        found: str = Canonical().main(dataset, {"format": "application/n-quads"})
    except jsonld.JsonLdError as error:
        raise _of(error) from error
    except (RecursionError, TypeError, ValueError, AttributeError, KeyError) as error:
        # pyld takes apart what strangers wrote with few checks of its own.
        raise _bad("it is not JSON-LD") from error
    return found.encode()


_BASE = "http://relative.invalid/"
"""What relative references are resolved against, so that they are found."""


def _load(url: str, options: Any = None) -> dict[str, Any]:  # noqa: ARG001 - pyld's interface
    name = CONTEXTS.get(url)
    if name is None:
        raise UndeterminedError(
            f"the context {shown(url)} is not one that this version knows, and none is fetched",
            code="unknown_context",
            hint="its issuer can sign it with eddsa-jcs-2022, which needs no contexts",
        )
    path = os.path.join(os.path.dirname(__file__), "contexts", f"{name}.json")
    with open(path, "rb") as file:
        found = json.load(file)
    return {
        "contentType": "application/ld+json",
        "contextUrl": None,
        "documentUrl": url,
        "document": found,
    }


def _check_members(document: Any) -> None:
    """Refuse what JSON-LD passes over in silence: empty members, words that look like its own."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name.startswith("@") and name not in _KEYWORDS:
                raise _bad(f"the member {shown(name)} means nothing, so no signature covers it")
            if value is None and name not in _MAY_BE_NULL:
                raise _bad(f"the member {shown(name)} is null, so no signature covers it")
            if name != "@context":
                _check_members(value)
    elif isinstance(document, list):
        for value in document:
            if value is None:
                raise _bad("a list holds null, so no signature covers it")
            _check_members(value)


_MAY_BE_NULL = frozenset(("@context", "@language", "@base", "@vocab"))


def _relative(value: Any) -> Iterator[str]:
    """Yield the ids and types of an expanded document that mean something only where it stands."""
    if isinstance(value, list):
        for item in value:
            yield from _relative(item)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in {"@id", "@type"} and "@value" not in value:
                for text in inner if isinstance(inner, list) else [inner]:
                    if ":" not in text or text.startswith(_BASE):
                        yield text.removeprefix(_BASE)
            elif name != "@value":
                yield from _relative(inner)


def _of(error: Any) -> Exception:
    """Return our error for one of pyld's, which may have begun as one of ours."""
    cause: Any = error
    while cause is not None:
        if isinstance(cause, InvalidError | UndeterminedError):
            return cause
        cause = cause.__cause__ or cause.__context__
    why = str(error.args[0]).rstrip(".")
    return _bad(f"it is not JSON-LD: {why[:1].lower()}{why[1:]}")


def _bad(why: str) -> InvalidError:
    return InvalidError(f"not a credential: {why}", code="invalid_credential")


def _too_complex(why: str) -> UndeterminedError:
    return UndeterminedError(f"the credential is too complex to check: {why}", code="too_complex")
