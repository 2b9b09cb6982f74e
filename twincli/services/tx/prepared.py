"""A write that others are to sign; light, since every write may end so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from twincli.services.documents import Json, Signing


class Prepared(NamedTuple):
    """A transaction ready to be handed round, with the signatures of ``--key``.

    Attributes:
        document: What it would do, and who has signed it.
        file: The content of the file to hand round, ``twin.partial/1``.
    """

    document: Signing
    file: Json
