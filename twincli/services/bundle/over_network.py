"""``twin verify NAME`` over a network: what its nodes show is judged like a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.client.network import NetworkClient
from twincli.crypto import merkle
from twincli.errors import ConfigError, LockedError, NotVerifiedError, UndeterminedError
from twincli.rules.validity import SERVER
from twincli.services.bundle.gather import Chosen, gather
from twincli.services.bundle.sources import OfNetwork, claims_of
from twincli.services.proof import remote, report
from twincli.services.proof.bundled import left_out
from twincli.services.proof.evidence import NETWORK, Claims, Finding, LeftOut, Recorded
from twincli.services.proof.integrity import NOT_IN_LOG
from twincli.services.proof.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

    from twincli.client import LedgerClient
    from twincli.client.content import NodeContent
    from twincli.client.logs import Log
    from twincli.content.store import Blobs
    from twincli.ledger.ledger import Ledger
    from twincli.services.bundle.export import Elsewhere
    from twincli.services.documents import Verification
    from twincli.services.proof.anchors import Anchors
    from twincli.services.proof.report import Part
    from twincli.services.workspace import Workspace


_AFTER = "a node shows it, and it is later than the checkpoint of its log"


class NetworkEvidence:
    """What a network shows of a twin.

    Args:
        source: What to call it.
        workspace: The network.
        log: The log of one of its nodes; None: it has none.
        asset_id: The twin.
        blobs: The content that is here.
        nodes: Nodes that keep content.

    Attributes:
        noted: What is worth knowing, and of which part of the answer.
    """

    kind = NETWORK
    holds_content = True
    ledger: Ledger | None = None

    def __init__(
        self,
        source: str,
        workspace: Workspace,
        log: Log | None,
        asset_id: str,
        blobs: Blobs,
        nodes: Sequence[NodeContent],
    ) -> None:
        client = workspace.client
        assert isinstance(client, NetworkClient)
        self.source = source
        self.asset_id: str | None = asset_id
        self._log, self._blobs, self._nodes = log, blobs, nodes
        self._read = OfNetwork(client, log)
        gathered = gather(workspace, self._read, blobs, asset_id, Chosen())
        self.left_out: Sequence[LeftOut] = left_out(gathered.left_out)
        found = self._read.stands(gathered.seqs)
        if log is None:
            self._stands = found
            self.claims = Claims(client.ledger_id, "", (), SERVER, 0, merkle.EMPTY_ROOT)
            self.unlogged: LedgerClient | None = client
            self.notes: Sequence[bytes] = ()
        else:
            self._stands = [one for one in found if one.leaf is not None]
            self.claims = claims_of(log)
            self.unlogged = None
            self.notes = (log.data,)
        self.noted: list[tuple[str, Finding]] = [
            (report.LEDGER_PROOF, Finding("after_checkpoint", tx_id, _AFTER))
            for tx_id in self._read.later
        ]
        said = "a node shows it, and its log does not have it there"
        self.faults: Sequence[Finding] = [
            Finding(NOT_IN_LOG, one.tx_id, said) for one in found if log and one.leaf is None
        ]

    def transactions(self) -> Iterator[Recorded]:
        """See ``Evidence``."""
        for number, (one, text) in enumerate(self._read.texts(self._stands)):
            path = None
            leaf = number if one.leaf is None else one.leaf
            if self._log is not None:
                path = b"".join(self._log.path(leaf))
            yield Recorded(leaf, one.height, one.time_ms or 0, text.encode(), path)

    def root_at(self, size: int) -> bytes | None:
        """See ``Evidence``."""
        return None if self._log is None else self._log.root_at(size)

    def content(self, cid: str) -> IO[bytes] | None:
        """See ``Evidence``; what is not here is asked for."""
        if self._blobs.has(cid):
            return self._blobs.open(cid)
        for node in self._nodes:
            try:
                return node.open(cid)
            except UndeterminedError:
                continue
            except (LockedError, ConfigError) as error:
                self.noted.append((report.ATTACHMENTS, Finding(error.code, cid, error.message)))
        return None

    def cids(self) -> Iterator[str]:
        """See ``Evidence``; what else nodes have was not asked for."""
        yield from ()


def verify(
    source: str,
    workspace: Workspace,
    blobs: Blobs,
    elsewhere: Elsewhere,
    named: Callable[[], tuple[str, Anchors]],
    *,
    strict: bool = False,
    trail: Callable[[Part], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Judge a twin of a network.

    Args:
        source: What to call it.
        workspace: The network.
        blobs: The content that is here.
        elsewhere: Logs and content of its nodes.
        named: Returns the twin, and what is known from elsewhere; it may ask the network.
        strict: See ``judge``.
        trail: See ``judge``.
        progress: See ``judge``.

    Raises:
        NotFoundError: There is no such twin.
        UnreachableError: A node does not answer.
    """
    try:
        asset_id, anchors = named()
        log = remote.newest(elsewhere.logs, workspace.client.ledger_id)
        found = NetworkEvidence(source, workspace, log, asset_id, blobs, elsewhere.nodes)
        made = judge(found, anchors, strict=strict, trail=trail, progress=progress)
        for name, finding in found.noted:
            made.parts[name].noted.append(finding)
            if strict:
                made.parts[name].be_strict()
        made = made._replace(status=report.word(made.parts, made.anchors))
    except NotVerifiedError as error:
        # A node that lies shows nothing that could be judged further.
        fault = Finding(error.code, source, error.message)
        made = report.unreadable(source, NETWORK, fault)
    return report.document(made)
