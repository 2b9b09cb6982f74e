"""What BigchainDB allows in ``asset.data`` and ``metadata``: names of keys, languages, numbers."""

from __future__ import annotations

from twincli.errors import InvalidError, place, shown
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NESTING = 500
"""Far enough below Python's own limit of about 1000 frames that the verdict does not depend on the
caller's depth, up to 400 frames. MongoDB, where a network keeps its transactions, takes 100."""
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)

# bigchaindb 2.2.2 VALID_LANGUAGES
LANGUAGES = frozenset(
    {
        *("danish", "dutch", "english", "finnish", "french", "german", "hungarian", "italian"),
        *("norwegian", "portuguese", "romanian", "russian", "spanish", "swedish", "turkish"),
        *("da", "nl", "en", "fi", "fr", "de", "hu", "it", "nb", "pt", "ro", "ru", "es", "sv", "tr"),
        "none",
    }
)

_SCALARS = frozenset({str, int, float, bool, type(None)})


def check_data(data: Any, metadata: Any) -> None:
    """Check the names and numbers in ``asset.data`` and ``metadata``.

    Raises:
        InvalidError: ``validation_error``: a key that starts with ``$`` or contains ``.`` or NUL, a
            value under ``language`` that BigchainDB does not know; ``overflow_error``: an integer
            beyond 64 bits; ``unencodable``: a key that is not text, nesting too deep.
    """
    if is_clean(data) and is_clean(metadata):
        return
    # The server looks at all keys first, then at all languages; integers it does not look at.
    found = [_first_faults(data, "asset.data"), _first_faults(metadata, "metadata")]
    for language, _ in found:
        if language is not None:
            raise language
    for _, overflow in found:
        if overflow is not None:
            raise overflow


_clean_keys: set[str] = set()
"""Keys found harmless before; the same few come again and again."""


def _is_clean_key(key: Any) -> bool:
    if key.__class__ is not str or "." in key or "\0" in key or key[:1] == "$" or key == "language":
        return False
    if len(_clean_keys) < 10_000 and len(key) < 100:
        _clean_keys.add(key)
    return True


def is_clean(value: Any) -> bool:
    """Say quickly that nothing in ``value`` needs a closer look."""
    if value is None:
        return True
    level = [value]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_NESTING:
            return False
        below = []
        for item in level:
            if item.__class__ is dict:
                for key, member in item.items():
                    if key not in _clean_keys and not _is_clean_key(key):
                        return False
                    kind = member.__class__
                    if kind is dict or kind is list:
                        below.append(member)
                    elif kind is int:
                        if not MIN_INTEGER <= member <= MAX_INTEGER:
                            return False
                    elif kind not in _SCALARS:
                        return False
            elif item.__class__ is list:
                for member in item:
                    kind = member.__class__
                    if kind is dict or kind is list:
                        below.append(member)
                    elif kind is int:
                        if not MIN_INTEGER <= member <= MAX_INTEGER:
                            return False
                    elif kind not in _SCALARS:
                        return False
            else:
                return False
        level = below
    return True


def _first_faults(value: Any, root: str) -> tuple[InvalidError | None, InvalidError | None]:
    """Return the first wrong language and the first integer that is too large.

    Without recursion, so that the verdict does not depend on the depth of the caller's stack; and
    the path is a stack that is joined for a fault only, because strangers choose how long it is.

    Raises:
        InvalidError: For a key, or nesting too deep.
    """
    language: InvalidError | None = None
    overflow: InvalidError | None = None
    path: list[Any] = [root]
    levels = [_members(value)]
    while levels:
        members, are_named = levels[-1]
        for key, item in members:
            if are_named:
                if not isinstance(key, str):
                    raise InvalidError(
                        f"{place(path)}: the key {shown(key)} is not text", code="unencodable"
                    )
                if key.startswith("$") or "." in key or "\0" in key:
                    raise InvalidError(
                        f"{place([*path, key])}: a key may not start with '$' or contain '.' or"
                        " NUL",
                        code="validation_error",
                        hint="BigchainDB's rule; rename the key",
                    )
                if (
                    key == "language"
                    and language is None
                    and not (isinstance(item, str) and item in LANGUAGES)
                ):
                    language = _wrong_language([*path, key])
            if isinstance(item, (dict, list, tuple)):
                if len(levels) >= MAX_NESTING:
                    raise InvalidError(
                        f"the data are nested more than {MAX_NESTING} levels deep",
                        code="unencodable",
                    )
                path.append(key)
                levels.append(_members(item))
                break
            if (
                overflow is None
                and isinstance(item, int)
                and not MIN_INTEGER <= item <= MAX_INTEGER
            ):
                overflow = InvalidError(
                    f"{place([*path, key])}: the integer does not fit into 64 bits",
                    code="overflow_error",
                    hint="write it as text",
                )
        else:
            levels.pop()
            path.pop()
    return language, overflow


def _members(value: Any) -> tuple[Iterator[tuple[Any, Any]], bool]:
    """Return key or position, and value, of every member, and whether they have keys."""
    if isinstance(value, dict):
        return iter(value.items()), True
    return iter(enumerate(value) if isinstance(value, (list, tuple)) else ()), False


def _wrong_language(path: list[Any]) -> InvalidError:
    return InvalidError(
        f"{place(path)}: BigchainDB uses a key named language for its text search and does not"
        " know this language",
        code="validation_error",
        hint=f"rename the key (lang), or use one of {', '.join(sorted(LANGUAGES))}",
    )
