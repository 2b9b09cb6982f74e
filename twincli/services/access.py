"""Who may read what is encrypted of a twin, or open to some only: judged here for all who read.

Owners may read everything. Others need a grant as viewer or auditor whose scope holds the stream or
kind, judged at the time that the workspace's clock shows: at the first moment of its expiry it is
over.
"""

from __future__ import annotations

from twincli.errors import LockedError
from twincli.model import did, times
from twincli.rules.authority import AUTHORISED, DOWNLOAD, LAST, OWNER, PRIVATE, Place, Topic
from twincli.services.audit import trail
from twincli.services.standing import Speakers
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twincli.rules.authority import Authority, Scope, Verdict
    from twincli.services.workspace import Judging

READINGS, FILE = ("reading", "file")
"""Kinds of what can be encrypted."""


class Wanted(NamedTuple):
    """What somebody wants to read of a twin.

    Attributes:
        kind: Of what it is, such as ``FILE``; ``READINGS`` with the stream's name.
        stream: The name of the stream.
        download: Whether it is to be written to a file, or handed to a program.
        by: The command or route, for the audit log.
    """

    kind: str
    stream: str | None = None
    download: bool = False
    by: str | None = None

    def __str__(self) -> str:
        return f"the stream {self.stream}" if self.stream is not None else f"this {self.kind}"


class Access:
    """Judges who may read a twin; its history is read once, the clock each time.

    Args:
        workspace: The ledger and the clock.
        asset_id: The twin.
        speakers: What was read of other twins already, or None.
    """

    def __init__(self, workspace: Judging, asset_id: str, speakers: Speakers | None = None) -> None:
        self._workspace = workspace
        self._asset_id = asset_id
        self._speakers = speakers or Speakers(workspace.client)

    @property
    def found(self) -> Authority:
        """Who may speak for the twin."""
        return self._speakers.authority(self._asset_id)

    def present(self, now_ms: int) -> Place:
        """Return where what is read now is read: after all that is on the ledger."""
        return Place(LAST, LAST, now_ms)

    def verdict(
        self, public_key: str, wanted: Wanted, opened: Mapping[str, Scope] | None = None
    ) -> Verdict:
        """Say whether a key may read something now.

        Args:
            public_key: The key.
            wanted: What it wants to read.
            opened: The scopes of private grants that could be opened, by the ids of these.
        """
        now_ms = self._workspace.now()
        # What is read is read here and now, also where a network does not tell its time.
        return self.found.may_read(
            public_key,
            self.present(now_ms),
            Topic(wanted.kind, stream=wanted.stream),
            now_ms,
            download=wanted.download,
            opened=opened,
        )

    def allowed(self, public_keys: Iterable[str], wanted: Wanted) -> list[str]:
        """Return those keys that may read something now, owners first."""
        found = [(key, self.verdict(key, wanted)) for key in dict.fromkeys(public_keys)]
        may = [(key, verdict) for key, verdict in found if verdict.standing == AUTHORISED]
        may.sort(key=lambda item: item[1] != OWNER)
        return [key for key, _ in may]

    def check(self, public_key: str, wanted: Wanted) -> Verdict:
        """Refuse a key that may not read something now; the audit log notes it.

        Raises:
            LockedError: ``no_grant``, saying why.
        """
        verdict = self.verdict(public_key, wanted)
        if verdict.standing == AUTHORISED:
            return verdict
        why = self.why_not(public_key, verdict, wanted)
        trail.note(
            self._workspace,
            trail.REFUSED,
            twin=self._asset_id,
            party=public_key,
            stream=wanted.stream,
            kind=None if wanted.stream is not None else wanted.kind,
            reason=why,
            by=wanted.by,
            durable=False,
        )
        raise LockedError(
            f"{did.key_did(public_key)} may not read {wanted}: {why}",
            code="no_grant",
            hint="ask the owner for a grant: twin grant add TWIN --to NAME --role viewer",
        )

    def why_not(self, public_key: str, verdict: Verdict, wanted: Wanted) -> str:
        """Return why a key may not read something, for people."""
        given = next(
            (one for one in self.found.grants_to(public_key) if one.tx_id == verdict.via), None
        )
        if verdict.why == "expired" and given is not None and given.until_ms is not None:
            return f"the grant expired at {times.to_text(given.until_ms)}"
        return {
            "revoked": "the grant was revoked",
            "ended": "the grant ended when the twin was handed over",
            "scope": f"{wanted} is outside the scope of the grant",
            DOWNLOAD: "the grant denies downloads",
            PRIVATE: "the scope of the grant is private",
            "unknown_record": "a record that this version does not know may have revoked the grant",
        }.get(verdict.why, "there is no grant")
