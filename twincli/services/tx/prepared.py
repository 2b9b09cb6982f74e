"""A write that others are to sign; cheap to import, because any write may end this way."""

from __future__ import annotations

from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from twincli.services.documents import Handover, Json, Signing


class Prepared(NamedTuple):
    """A transaction for others to sign, with the signatures of ``--key``.

    Attributes:
        document: Its effect and its signers so far.
        file: The content of the file to pass on, ``twin.partial/1``.
        along: More transactions that belong to it, to be submitted before it.
        handover: What happens to all that belongs to a twin that is handed over, or None.
    """

    document: Signing
    file: Json
    along: tuple[Prepared, ...] = ()
    handover: Handover | None = None
