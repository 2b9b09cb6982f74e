"""The compiled templates in the package, every version that was ever shipped."""

from __future__ import annotations

import os

from twincli.model import template


def ids() -> list[str]:
    """Return the ids of all."""
    return sorted(name.removesuffix(".json") for name in os.listdir(_directory()))


def data(template_id: str) -> bytes | None:
    """Return the compiled bytes of one, None where there is none of that id."""
    if not template.is_id(template_id):
        return None
    try:
        with open(os.path.join(_directory(), f"{template_id}.json"), "rb") as file:
            return file.read().removesuffix(b"\n")
    except FileNotFoundError:
        return None


def _directory() -> str:
    return os.path.join(os.path.dirname(template.__file__), "templates")
