"""What use cases return: the documents that ``--json`` prints, one class a schema.

The contract tests read their members from here. Members may be added; one that goes, or changes
its name, needs a new number in the schema. What is ``NotRequired`` says where it is left out.
"""

# Annotations are evaluated here: TypedDict finds NotRequired in no other way.
from collections.abc import Iterable, Sequence
from typing import Any, NotRequired, TypedDict

Document = dict[str, Any]
"""A document of a form that is not written down here."""

Json = dict[str, Any]
"""A part that somebody else has the form of: a condition, facts, a state, a transaction."""

# --- Assets --------------------------------------------------------------------------------------


class SplitOutput(TypedDict):
    """One of several unspent outputs of an asset, and the state along its path."""

    transaction_id: str
    output_index: int
    amount: str
    owners: list[str]
    owner: str
    state: Json


class AssetHead(TypedDict):
    """Which asset; ids are null in a dry run of ``create``."""

    schema: str
    name: str | None
    id: str | None
    did: str | None
    ledger: str


class Holding(TypedDict):
    """Who holds an asset: public keys, their local names, and the whole as an owner expression.

    While it is split, ``owner`` has an expression for each owner, put together with ``; ``, and
    ``condition`` is null. A key that a dry run would make is null.
    """

    owners: list[str | None]
    owner_names: list[str | None]
    owner: str
    condition: Json | None
    amount: str


class TxPlace(TypedDict):
    """A transaction: ``at`` is its signer's word, ``committed_at`` the block's time."""

    transaction_id: str | None
    height: int | None
    at: str | None
    committed_at: str | None


class AssetFacts(TypedDict):
    """What an asset is; ``frozen_by`` is the record that froze it, null where it is not frozen."""

    data: Json
    state: Json
    burned: bool
    frozen_by: str | None


class AssetLinks(TypedDict):
    """What the CREATE states, and the entity as the last owner stated it."""

    kind: str | None
    title: str | None
    template: str | None
    template_cid: str | None
    parent: str | None
    entity: str | None
    entity_standing: str | None
    model: str | None


class PlainAsset(AssetHead, Holding, TxPlace, AssetFacts, AssetLinks):
    """``twin.asset/1`` without what it has only while it is split."""


class RealTime(TypedDict):
    """A field that is a stream, with its latest value; ``source`` is the role that writes it."""

    name: str
    type: str
    unit: str | None
    source: str | None
    value: Any


class CardItem(TypedDict):
    """A value on a card; ``suspect``: its transaction marks it as doubtful."""

    path: str
    label: str
    value: Any
    unit: str | None
    suspect: bool


class View(TypedDict):
    """A twin as its template shows it; ``name`` is the template's, ``charts`` are paths."""

    template: str
    name: str
    title: str | None
    card: list[CardItem]
    map: CardItem | None
    charts: list[str]


class LastEvent(TypedDict):
    """The last thing that happened to a twin."""

    type: str | None
    happened: str | None
    transaction_id: str


class Life(TypedDict):
    """Where a twin is in its life: its state and stage, each null where it has none."""

    state: str | None
    stage: str | None
    last_event: LastEvent | None


class Asset(PlainAsset):
    """``twin.asset/1``."""

    outputs: NotRequired[list[SplitOutput]]
    """While it is split, the state of each output."""
    parent_standing: NotRequired[str]
    """Of ``show``, of a part: whether the parent's owners said so (``authorised``), its own key
    (``claimed_by_entity``) or somebody else (``unauthorised``)."""
    real_time: NotRequired[list[RealTime] | None]
    streams: NotRequired[list["StreamValues"]]
    """Of ``show``, of a twin with a template that has streams; null where it is not at hand."""
    life: NotRequired[Life]
    """Of ``show``, of a twin that is in a state or a stage, or has events."""
    certificates: NotRequired[list["CertificateStanding"]]
    """Of ``show``, of a twin that has certificates."""
    view: NotRequired[View]
    """Of ``show --view``."""


class HandoverItem(TypedDict):
    """What happens to something that belongs to a twin when it is handed over.

    ``what`` is ``part``, ``stream``, ``grant`` or ``link``. ``action`` of a part or stream is
    ``moves``, ``moved`` (the new owner has it already), ``stays`` with its owner, ``remains``
    until ``signers`` have signed, or ``prepared`` for them; of a grant or link ``kept`` or
    ``ends``.
    """

    id: str
    name: str | None
    what: str
    action: str
    owner: str | None
    signers: list[str]


class Handover(TypedDict):
    """What happens to all that belongs to a twin: ``children`` is ``keep`` or ``move``."""

    children: str
    items: list[HandoverItem]
    remaining: int


class WrittenAsset(Asset):
    """``twin.asset/1`` of a write: beside the asset, what the transaction recorded."""

    written: Json
    signed_by: list[str | None]
    warnings: list[str]


class HandedOver(WrittenAsset):
    """``twin.asset/1`` of ``transfer --children``: also what happened to all that belongs to it."""

    handover: Handover


class CreatedAsset(WrittenAsset):
    """``twin.asset/1`` of ``create``: ``created`` is false where the same was made before."""

    created: bool


class FoundAsset(Asset):
    """``twin.asset/1`` of ``create --if-missing`` where the asset exists."""

    created: bool
    warnings: list[str]


class Appends(TypedDict):
    """``twin.appends/1``: many appends at once.

    ``existing`` lines were on the ledger before, by their once tokens; ``first`` and
    ``transaction_id`` are the ids of the first and last that were made.
    """

    schema: str
    asset_id: str
    ledger: str
    count: int
    existing: int
    first: str | None
    transaction_id: str | None
    signed_by: list[str]
    warnings: list[str]


class BatchLine(TypedDict):
    """``twin.batch-line/1``: what became of a line of a batch.

    ``status`` is ``applied``, ``existing`` (recorded before, by its once token), ``refused``,
    ``skipped`` (another line of the same twin is refused), ``unchecked``; in a check ``valid``.
    ``where`` is its path in a JSON document.
    """

    line: int
    where: str | None
    do: str | None
    asset: str | None
    status: str
    code: str | None
    reason: str | None
    transaction_id: str | None


class Batch(TypedDict):
    """``twin.batch/1``: what became of the lines of a file.

    ``valid``: none is refused or skipped. ``valid_lines`` counts what a check would have recorded.
    """

    schema: str
    ledger: str
    valid: bool
    count: int
    applied: int
    valid_lines: int
    existing: int
    refused: int
    skipped: int
    unchecked: int
    transaction_id: str | None
    signed_by: list[str]
    warnings: list[str]
    lines: Iterable[BatchLine]


class AssetItem(TypedDict):
    """``twin.asset-item/1``: an asset in a listing."""

    name: str | None
    id: str
    did: str
    kind: str | None
    owners: list[str | None]
    owner_names: list[str | None]
    owner: str
    amount: str
    burned: bool
    data: NotRequired[Json]
    """Of ``find`` and of ``list --columns``."""
    template: NotRequired[str | None]
    """Of ``find``, ``list --state`` and ``list --template``: the template it is held to."""
    state: NotRequired[Json]
    """Of ``find`` and ``list --state``."""


class Assets(TypedDict):
    """``twin.assets/1``, in commit order."""

    schema: str
    assets: Iterable[AssetItem]


class Found(TypedDict):
    """``twin.found/1``, in commit order."""

    schema: str
    assets: Iterable[AssetItem]
    warnings: list[str]


class Output(TypedDict):
    """``twin.output/1``."""

    transaction_id: str
    output_index: int
    amount: str
    owners: list[str]
    owner_names: list[str | None]
    owner: str
    condition: Json
    asset_id: str
    spent_by: str | None


class Outputs(TypedDict):
    """``twin.outputs/1``."""

    schema: str
    outputs: Iterable[Output]


class Balance(TypedDict):
    """``twin.balance/1``: ``owners`` is an expression in local names, ``outputs`` a count."""

    asset_id: str
    asset_name: str | None
    owners: str
    keys: list[str]
    condition: Json
    amount: str
    outputs: int
    burned: bool


class Balances(TypedDict):
    """``twin.balances/1``."""

    schema: str
    balances: list[Balance]


class Tree(TypedDict):
    """``twin.tree/1``; ``services.asset.tree`` says what a node has."""

    schema: str
    roots: list[Document]


class HistoryOutput(TypedDict):
    """An output in a history; ``owner`` is an expression in local names."""

    owners: list[str] | None
    owner: str
    amount: str
    spent_by: str | None


class HistoryItem(TypedDict):
    """``twin.history-item/1``; ``late``: recorded more than a minute after it happened.

    ``changes`` has ``before`` and ``after`` of every member that was written, ``before`` left out
    where there was none; ``corrected`` says that a later append takes these values out.
    """

    id: str
    operation: str
    height: int | None
    at: str | None
    committed_at: str | None
    late: bool
    signers: list[str]
    outputs: list[HistoryOutput]
    kind: str | None
    metadata: Json | None
    changes: dict[str, Json]
    corrected: bool


class TxMoment(TypedDict):
    """A transaction where it is named as the cause of something."""

    transaction_id: str
    operation: str
    kind: str | None
    at: str | None
    committed_at: str | None
    clock: str | None
    """``unsynced`` where the signer's clock was known to be wrong."""
    late: bool
    signers: list[str]


class Leaf(TypedDict):
    """A value of a twin: ``of`` is ``facts`` or ``state``.

    ``output`` is ``TX:N`` for the state of one of several outputs.
    """

    of: str
    path: str
    output: str | None
    value: Any


class BlameItem(Leaf, TxMoment):
    """``twin.blame-item/1``: a leaf of the facts or the state, and the transaction that set it."""


class Blame(TypedDict):
    """``twin.blame/1``."""

    schema: str
    asset_id: str
    as_of: str | None
    fields: list[BlameItem]


class Change(TypedDict):
    """``twin.change/1``: a leaf that is not what it was; one side is missing where it was not.

    ``of`` is ``facts``, ``state`` or ``template``; ``count`` says how many transactions wrote it
    in the range, and ``transactions`` are the newest ten of them, oldest first.
    """

    of: str
    path: str
    output: str | None
    before: NotRequired[Any]
    after: NotRequired[Any]
    count: int
    transactions: list[TxMoment]


class Diff(TypedDict):
    """``twin.diff/1``."""

    schema: str
    asset_id: str
    as_of: str | None
    changes: list[Change]


class History(TypedDict):
    """``twin.history/1``."""

    schema: str
    asset_id: str
    transactions: Iterable[HistoryItem]


SearchHit = TypedDict(
    "SearchHit",
    {
        "asset_id": str,
        "name": str | None,
        "transaction_id": str,
        "in": str,
        "member": str | None,
        "match": str | None,
        "data": NotRequired[Json | None],
        "metadata": NotRequired[Json | None],
    },
)
"""``twin.search-hit/1``: ``in`` is ``name``, ``id``, ``asset`` or ``metadata``; ``metadata`` where
that was found or the id of a transfer, else ``data``."""


class Search(TypedDict):
    """``twin.search/1``."""

    schema: str
    hits: Iterable[SearchHit]


class RecordItem(TypedDict):
    """``twin.record-item/1``: something that was said about a twin, and whose word it is.

    ``form`` is ``append`` or ``statement``. ``standing`` is null of a certificate, which weighs
    what its issuer weighs; ``via`` is the grant or link by which it counts, or once did.
    ``while_frozen`` says whether the twin was frozen then.
    """

    transaction_id: str | None
    form: str
    kind: str
    body: Json
    height: int | None
    at: str | None
    committed_at: str | None
    signers: list[str | None]
    signer_names: list[str | None]
    standing: str | None
    via: str | None
    while_frozen: bool


class SaidAbout(TypedDict):
    """The twin that something was said about."""

    schema: str
    asset_id: str
    asset_name: str | None
    ledger: str


class Said(SaidAbout, RecordItem):
    """``twin.record/1``: a record that was written; ids and times are null in a dry run."""

    warnings: list[str]


class ListedHead(TypedDict):
    """What a list of records says of each; ``malformed`` names places that a stranger got wrong.

    ``standing`` and ``via`` are as in ``twin.record-item/1``; ``late``: recorded more than a minute
    after it happened.
    """

    at: str | None
    committed_at: str | None
    late: bool
    transaction_id: str
    form: str
    height: int | None
    signers: list[str]
    signer_names: list[str | None]
    standing: str | None
    via: str | None
    while_frozen: bool
    malformed: list[str]


class RecordFile(TypedDict):
    """A file that a record names; some members may be missing."""

    cid: str
    name: str
    size: int
    media_type: NotRequired[str]
    type: NotRequired[str]
    profile: NotRequired[str]


class EventItem(ListedHead):
    """``twin.event/1``: something that happened to a twin."""

    type: str | None
    data: Json | None
    attachments: list[RecordFile] | None


class Events(TypedDict):
    """``twin.events/1``: the events of a twin, in the order in which they happened."""

    schema: str
    asset_id: str
    asset_name: str | None
    events: Iterable[EventItem]


class StateCondition(TypedDict):
    """A condition of a move; ``expression`` is null where it is the signer's word.

    ``holds`` says whether the expression holds now.
    """

    name: str
    required: bool
    expression: str | None
    holds: bool | None


class StateMove(TypedDict):
    """A move that a twin may make from where it is."""

    to: str
    conditions: list[StateCondition]


class State(TypedDict):
    """``twin.state/1``: where a twin is in the states of its template, and where it may go.

    ``transaction_id`` is the move that brought it there, null where it began there; the times and
    signers are those of that move.
    """

    schema: str
    asset_id: str
    asset_name: str | None
    template: str
    state: str
    at: str | None
    committed_at: str | None
    transaction_id: str | None
    signers: list[str]
    signer_names: list[str | None]
    moves: list[StateMove]
    states: list[str]


class PlannedStage(TypedDict):
    """A stage of a twin: ``passed``, ``current``, ``skipped`` or ``ahead``."""

    stage: str
    standing: str


class StageItem(ListedHead):
    """``twin.stage/1``: a stage that was recorded.

    ``fault`` says why it does not count: ``malformed``, ``unknown_stage``, ``not_forward``.
    """

    stage: str | None
    location: str | None
    date: str | None
    skipped: list[str] | None
    data: Json | None
    attachments: list[RecordFile] | None
    fault: str | None


class Stages(TypedDict):
    """``twin.stages/1``: the stages of a twin, and what was recorded of them.

    ``current`` is null before the first; ``plan`` has all of them, in their order.
    """

    schema: str
    asset_id: str
    asset_name: str | None
    current: str | None
    plan: list[PlannedStage]
    stages: Iterable[StageItem]


class UsedPart(TypedDict):
    """A part that a work used; quantity and the cost of one are decimals as texts."""

    part: str
    quantity: str
    cost: NotRequired[str]


class Cost(TypedDict):
    """A sum of costs in one currency; null: of amounts without one."""

    currency: str | None
    total: str


class MaintenanceItem(ListedHead):
    """``twin.maintenance/1``: something that was done to a twin.

    ``schedules`` are those that it satisfies.
    """

    type: str | None
    technician: str | None
    work: list[str] | None
    parts: list[UsedPart] | None
    currency: str | None
    total: str | None
    done: list[str] | None
    next: str | None
    next_type: str | None
    data: Json | None
    attachments: list[RecordFile] | None
    schedules: list[str]


class Maintenance(TypedDict):
    """``twin.maintenance-list/1``: the maintenance of a twin, in the order in which it happened.

    ``totals`` has what the listed work cost, without what others say who may not.
    """

    schema: str
    asset_id: str
    asset_name: str | None
    totals: list[Cost]
    maintenance: list[MaintenanceItem]


class DueUsage(TypedDict):
    """How far something is used; ``reading`` is null where nothing was read.

    ``begun`` is what was read at the last work, ``due`` what is at the next.
    """

    field: str | None
    counter: str
    reading: float | None
    begun: float
    due: float


class DueItem(TypedDict):
    """``twin.due-item/1``: something that is due, or will be, by its date or its use.

    ``reason`` is ``schedule``, ``next`` (work that was announced), ``warranty``, ``certificate`` or
    ``file``; ``standing`` is ``overdue``, ``due``, ``upcoming``, or ``expired`` of a warranty.
    ``since`` is from when it counts, or when it was said; ``last`` is the last work that counts for
    it, ``transaction_id`` what says so.
    """

    asset_id: str
    asset_name: str | None
    standing: str
    reason: str
    name: str
    every: str | None
    due: str | None
    usage: list[DueUsage]
    since: str | None
    last: str | None
    transaction_id: str | None


class UnmatchedWork(TypedDict):
    """Maintenance that satisfies none of the schedules of its twin."""

    asset_id: str
    asset_name: str | None
    type: str
    at: str | None
    transaction_id: str


class UnclearSchedule(TypedDict):
    """A schedule that cannot be judged, and why."""

    asset_id: str
    asset_name: str | None
    schedule: str
    why: str


class Maintained(TypedDict):
    """``twin.maintenance-due/1``: what is due; ``ok``: nothing is overdue or due."""

    schema: str
    ok: bool
    as_of: str
    within: str | None
    due: list[DueItem]
    unmatched: list[UnmatchedWork]
    unclear: list[UnclearSchedule]


class CertificateItem(TypedDict):
    """``twin.certificate-item/1``: a certificate of a twin, or a bare label among its facts.

    ``form`` is ``issued``, ``self-declared``, ``foreign`` or ``unproven``; ``status`` is ``valid``,
    ``expired``, ``expiring``, ``not-yet-valid``, ``revoked``, ``invalid`` or ``unproven``.
    ``verified`` says whether proof, form and issuer are right; null: that could not be told.
    ``trusted``: whether its issuer is one that the twin's template names; null: it names none.
    ``issuer_name`` is what the issuer calls itself, ``issuer_key_name`` the name of its key here.
    """

    number: str | None
    label: str | None
    type: str | None
    standard: str | None
    form: str
    status: str
    verified: bool | None
    trusted: bool | None
    issuer: str | None
    issuer_name: str | None
    issuer_key_name: str | None
    valid_from: str | None
    valid_until: str | None
    subject: str | None
    id: str | None
    transaction_id: str | None
    at: str | None
    committed_at: str | None
    signers: list[str | None]
    signer_names: list[str | None]
    revoked_at: str | None
    revoked_by: str | None
    reason: str | None
    attachments: list[Json]


class Certificates(TypedDict):
    """``twin.certificates/1``: the certificates of a twin, in commit order, then its labels."""

    schema: str
    asset_id: str
    asset_name: str | None
    certificates: list[CertificateItem]


class CertificateStanding(TypedDict):
    """How a certificate stands, in short: ``form`` and ``status`` as ``cert list`` has them."""

    label: str | None
    form: str
    status: str
    trusted: bool | None
    valid_until: str | None
    transaction_id: str | None


class CertificateCheck(TypedDict):
    """A check of a certificate; ``result`` is ``passed``, ``failed`` or ``undetermined``."""

    check: str
    result: str
    message: str


class OneCertificate(CertificateItem):
    """``twin.certificate/1``: a certificate with its checks and the credential itself."""

    schema: str
    asset_id: str
    asset_name: str | None
    checks: list[CertificateCheck]
    credential: Json


class WrittenCertificate(Said):
    """``twin.record/1`` of a certificate that was issued or added.

    ``form`` is that of the record, ``certificate_form`` that of the certificate.
    """

    number: str | None
    type: str | None
    standard: str | None
    certificate_form: str
    issuer: str | None
    issuer_name: str | None
    valid_from: str | None
    valid_until: str | None
    id: str | None


class CheckedCertificate(TypedDict):
    """``twin.checked-certificate/1``: a certificate, label or file, and how it stands at a time.

    ``form`` is that of a certificate, or ``file``. ``counts`` is false of what makes no difference
    to the answer: its issuer is not one of those that count, or it was renewed by ``renewed_by``.
    """

    asset_id: str
    asset_name: str | None
    number: str | None
    label: str | None
    type: str | None
    standard: str | None
    form: str
    status: str
    issuer: str | None
    issuer_name: str | None
    valid_from: str | None
    valid_until: str | None
    transaction_id: str | None
    reason: str | None
    counts: bool
    renewed_by: str | None


class CheckedCertificates(TypedDict):
    """``twin.checked-certificates/1``; ``ok`` is false where one does not hold, or not for long."""

    schema: str
    ok: bool
    as_of: str
    within: str | None
    certificates: list[CheckedCertificate]


class VerifiedCertificate(TypedDict):
    """``twin.verified-certificate/1``: a credential in a file, and all checks of it.

    ``valid`` is null where something could not be told; ``form`` and ``transaction_id`` are null
    where no ledger at hand has it.
    """

    schema: str
    valid: bool | None
    status: str
    checks: list[CertificateCheck]
    number: str | None
    type: str | None
    standard: str | None
    form: str | None
    issuer: str | None
    issuer_name: str | None
    issuer_key_name: str | None
    subject: str | None
    valid_from: str | None
    valid_until: str | None
    id: str | None
    transaction_id: str | None
    warnings: list[str]


class ExportedCertificate(TypedDict):
    """``twin.certificate-export/1``: a credential as it was issued; ``file`` is null on stdout."""

    schema: str
    asset_id: str
    asset_name: str | None
    transaction_id: str
    number: str | None
    file: str | None
    credential: Json


class CreatedStream(TypedDict):
    """``twin.stream-created/1``: a stream; ids are null in a dry run."""

    schema: str
    asset_id: str | None
    twin_id: str
    twin: str
    stream: str
    ledger: str
    owner: str
    owners: list[str | None]
    transaction_id: str | None
    height: int | None
    committed_at: str | None
    created: bool
    signed_by: list[str | None]
    warnings: list[str]


class RefusedLine(TypedDict):
    """A line that is not stored, and why."""

    line: int
    code: str
    reason: str


class ReadingSpan(TypedDict):
    """The times of the first and the last reading."""

    first_at: str | None
    last_at: str | None


class Pushed(ReadingSpan):
    """``twin.pushed/1``: observations that were stored, from the first to the last time.

    ``count`` are new, ``existing`` were there; ``readings`` stand in the record, ``chunks`` are the
    CIDs of files. ``transaction_id`` is the last record, null where nothing was new.
    """

    schema: str
    asset_id: str | None
    twin_id: str
    twin: str
    stream: str
    stream_created: bool
    ledger: str
    transaction_id: str | None
    height: int | None
    at: str | None
    committed_at: str | None
    standing: str | None
    count: int
    existing: int
    refused_count: int
    refused: list[RefusedLine]
    readings: list[Json]
    chunks: list[str]
    signed_by: list[str | None]
    warnings: list[str]


class Epochs(TypedDict):
    """The present epoch of an encrypted stream, and its chunks that are of one that had ended."""

    epoch: int | None
    epoch_due: bool
    late_chunks: int


class StreamItem(ReadingSpan):
    """``twin.stream-item/1``: a stream; ``standing``: whose word it is that the twin has it.

    ``continues`` is the stream that it takes up; what that one held then is counted, too.
    ``readings`` counts observations, ``values`` the single values in them; ``chunks_unread`` are
    not at hand, and their observations are not counted. Of one that is ``encrypted``, values are
    counted as observations: nobody can see which belong together.
    """

    asset_id: str
    twin_id: str
    twin: str | None
    stream: str
    owner: str
    standing: str
    continues: str | None
    encrypted: bool
    readings: int
    values: int
    inline: int
    chunks: int
    chunk_bytes: int
    chunks_unread: int


class StreamAnchor(TypedDict):
    """The last record of a stream, and whose word it is about the twin."""

    transaction_id: str
    kind: str
    height: int | None
    at: str | None
    committed_at: str | None
    signers: list[str]
    signer_names: list[str | None]
    standing: str
    via: str | None


class BoundSource(TypedDict):
    """A source whose readings count only if this key signs them."""

    source: str
    public_key: str
    key_name: str | None


class LatestValue(TypedDict):
    """The last value of a series.

    ``unit`` is the one in which the series is kept, null where nobody said it.
    ``source_signed`` says whether the key to which its source is bound signed it; null: to none.
    """

    path: str
    timestamp: str
    value: Any
    unit: str | None
    source: str
    source_signed: bool | None
    suspect: bool
    transaction_id: str


class StreamShown(StreamItem, Epochs):
    """``twin.stream/1``: a stream, and what its chain says.

    ``anchors`` are its records, ``malformed`` those that cannot be read; ``series`` is what each
    of them holds. ``epoch`` and ``late_chunks`` are of an encrypted one: its present epoch, and
    the chunks that were encrypted to one that had ended.
    """

    schema: str
    ledger: str
    created_at: str | None
    anchors: int
    malformed: int
    last: StreamAnchor | None
    sources: list[str]
    bound_sources: list[BoundSource]
    latest: list[LatestValue]
    series: dict[str, str]


class StreamList(TypedDict):
    """``twin.streams/1``, those whose word counts first."""

    schema: str
    twin_id: str
    twin: str
    streams: list[StreamItem]


class StreamValues(TypedDict):
    """The latest values of one stream of a twin; ``timestamp`` is the last of them."""

    stream: str
    timestamp: str
    values: Json
    suspect: list[str]


class ExportLoss(TypedDict):
    """What a foreign format has no place for; ``path`` is that of the twin's member."""

    path: str
    why: str


class AssetExport(TypedDict):
    """``twin.export/1``: a twin in the format of another system.

    ``document`` is what is written; ``file`` is where, null: to stdout.
    """

    schema: str
    asset_id: str
    asset_name: str | None
    format: str
    file: str | None
    document: Any
    losses: list[ExportLoss]


class LinkItem(TypedDict):
    """``twin.link-item/1``: a link of an asset; it reads source, verb, target.

    ``id`` is the record, or the CREATE of a part; ``direction`` is ``outgoing`` or ``incoming``, as
    seen from the asset that was asked about; ``owner`` holds the other one now, and ``end`` says
    whether that one is ``present``, ``burned`` or ``missing`` on this ledger. ``state`` is
    ``active``, ``proposed`` (only others than the owner of the source say it), ``expired`` (a part
    or stream, by a transfer of the twin) or ``revoked``. ``said_by`` is the owner of the
    ``source``, of the ``target``, of ``both``, or ``others``; only what both say is ``confirmed``.
    """

    id: str
    source: str
    source_name: str | None
    verb: str
    target: str
    target_name: str | None
    direction: str
    owner: str | None
    end: str
    state: str
    standing: str
    said_by: str
    confirmed: bool
    linked_at: str | None


class Links(TypedDict):
    """``twin.links/1``, in the order in which they were made."""

    schema: str
    asset_id: str
    asset_name: str | None
    links: list[LinkItem]


class GraphNode(TypedDict):
    """An asset in a graph of links; ``cut``: what lies behind it was not looked at."""

    id: str
    name: str | None
    depth: int
    end: str
    cut: bool


class GraphLink(TypedDict):
    """A link in a graph, see ``twin.link-item/1``; ``circle``: it leads back to itself."""

    id: str
    source: str
    verb: str
    target: str
    state: str
    said_by: str
    confirmed: bool
    circle: bool


class LinkGraph(TypedDict):
    """``twin.link-graph/1``: the links around an asset, as far as ``depth`` steps lead."""

    schema: str
    asset_id: str
    asset_name: str | None
    depth: int
    nodes: list[GraphNode]
    links: list[GraphLink]


class AddedLinks(TypedDict):
    """``twin.links-added/1``: links of a file; ``existing`` were there before."""

    schema: str
    ledger: str
    count: int
    existing: int
    links: list[Said]
    warnings: list[str]


class GrantItem(TypedDict):
    """``twin.grant-item/1``: what a twin's owner allows a key.

    ``scope`` has ``fields``, ``kinds`` and ``streams``, each a list or null; all null allows
    everything. Of a ``private`` one it is null: only its parties and the owner can open it.
    ``state`` is ``pending`` (not on the ledger yet), ``active``, ``expired`` (also by a transfer of
    the twin) or ``revoked``; ``standing`` is what a statement by it would be now.
    ``deny`` is what a reader is asked not to do.
    ``ended_at``, ``ended_by`` (a transaction) and ``reason`` say what ended it before its time.
    """

    id: str | None
    to: str
    to_name: str | None
    public_key: str
    role: str | None
    scope: Json | None
    private: bool
    until: str | None
    deny: list[str]
    state: str
    standing: str
    granted_at: str | None
    ended_at: str | None
    ended_by: str | None
    reason: str | None


class AuditEntry(TypedDict):
    """``twin.audit-entry/1``: what was noted in the audit log.

    ``what`` is ``decrypted``, ``served``, ``granted``, ``revoked``, ``exported``, ``refused``,
    ``shredded`` or ``read``. ``twin`` is an asset's id, ``party`` the DID of who got something or
    was refused it, ``by`` a command or route.
    """

    number: int
    at: str | None
    what: str | None
    twin: str | None
    twin_name: str | None
    party: str | None
    party_name: str | None
    stream: str | None
    kind: str | None
    cid: str | None
    transaction_id: str | None
    reason: str | None
    by: str | None
    hash: str


class AuditLog(TypedDict):
    """``twin.audit-log/1``: entries of the audit log, oldest first, and whether it is whole.

    ``status`` is ``ok`` or ``broken``: then ``problems`` has the first 100, each ``{"line",
    "entry", "code", "message"}``; codes are ``malformed``, ``changed``, ``cut``, ``moved`` and
    ``head``. ``checked`` counts the entries of the whole log; ``head`` is the last of them, to be
    noted elsewhere. ``entries`` are those that were asked for.
    """

    schema: str
    asset_id: str | None
    asset_name: str | None
    status: str
    checked: int
    head: Json
    problems: list[Json]
    more_problems: int
    entries: list[AuditEntry]


class Grants(TypedDict):
    """``twin.grants/1``, in the order in which they were made."""

    schema: str
    asset_id: str
    asset_name: str | None
    grants: list[GrantItem]


class WrittenGrants(Said):
    """``twin.record/1`` of ``grant add``: beside the record, a row for each key."""

    grants: list[GrantItem]


class WrittenRevocation(Said):
    """``twin.record/1`` of ``grant revoke``."""


class EffectiveItem(TypedDict):
    """``twin.effective-item/1``: a reason why a key may, or may not, write or read of a twin now.

    ``why`` is ``owner``, ``owner_with_others``, ``grant``, ``link`` (to ``child``), ``entity``,
    ``revoked``, ``expired``, ``ended``, ``unknown_record``, ``no_block_time`` or ``stranger``;
    ``scope`` is null where nothing may be written or read, and where it is ``private``. ``role`` is
    that of a grant: ``writer``, or ``viewer`` or ``auditor``, which read what is encrypted; else
    null. ``deny`` is what a reader is asked not to do.
    """

    public_key: str
    name: str | None
    standing: str
    why: str
    via: str | None
    child: str | None
    role: str | None
    scope: Json | None
    private: bool
    deny: list[str]
    until: str | None


class Effective(TypedDict):
    """``twin.effective/1``."""

    schema: str
    asset_id: str
    asset_name: str | None
    speakers: list[EffectiveItem]


# --- Keys ----------------------------------------------------------------------------------------


class KeyItem(TypedDict):
    """A key in a listing. What only the key itself could say is null in a dry run that makes it.

    ``created`` is when it was made, or false where ``--if-missing`` found the same key.
    """

    name: str
    public_key: str | None
    did: str | None
    rule: str
    path: str | None
    created: str | bool | None
    passphrase: bool | None
    has_mnemonic: bool
    provider: str
    settings: NotRequired[Json]
    """Where it lives elsewhere."""
    mnemonic: NotRequired[str | None]
    """Its phrase, where that was asked for."""


class Key(KeyItem):
    """``twin.key/1``."""

    schema: str


class Keys(TypedDict):
    """``twin.keys/1``, by name; unusable files are ``warnings``."""

    schema: str
    keys: list[KeyItem]
    warnings: list[str]


class KeyExport(TypedDict):
    """``twin.key-export/1``; ``text`` is null where there is a file, and always of a secret."""

    schema: str
    name: str
    public_key: str
    format: str
    secret: bool
    encrypted: bool
    path: str | None
    text: str | None
    file: str | None
    warnings: list[str]


class PasswdItem(TypedDict):
    """``twin.passwd-key/1``; ``error`` (``code message``) is null unless its file failed."""

    name: str
    public_key: str
    passphrase: bool
    changed: bool
    error: Json | None


class Passwd(TypedDict):
    """``twin.passwd/1``."""

    schema: str
    keys: list[PasswdItem]


class Derivation(TypedDict):
    """``twin.derivation/1``: the keys at ``path``/0, ``path``/1 ...; ``made`` of them are new."""

    schema: str
    name: str
    path: str
    made: int
    keys: list[Key]


class KeyRemoval(TypedDict):
    """``twin.removal/1``."""

    schema: str
    name: str
    kept_at: str | None
    shredded: bool


class AgentKey(TypedDict):
    """A key that the agent holds; ``name`` is null where it is no longer here."""

    name: str | None
    public_key: str
    expires_at: str


class Agent(TypedDict):
    """``twin.agent/1``. Where no agent runs, the rest is null.

    ``hardening`` has ``core_dumps_off not_dumpable memory_locked``.
    """

    schema: str
    running: bool
    pid: int | None
    socket: str
    started_at: str | None
    keys: list[AgentKey]
    hardening: Json | None
    warnings: list[str]


class Signature(TypedDict):
    """``twin.signature/1``, of a file; null in a dry run. The digest is SHA-512 in hex."""

    schema: str
    public_key: str
    did: str
    digest: str
    signature: str | None


class SignatureCheck(TypedDict):
    """``twin.signature-check/1``.

    ``reason`` is null, ``hash_mismatch`` (it is of another file), ``bad_signature`` or
    ``other_signer``; ``by`` is the public key that was asked for.
    """

    schema: str
    valid: bool
    reason: str | None
    public_key: str
    did: str
    name: str | None
    by: str | None
    digest: str
    warnings: list[str]


# --- Names ---------------------------------------------------------------------------------------


class NameItem(TypedDict):
    """``twin.name/1`` in a listing; ``kind`` is ``asset`` or ``party``."""

    name: str
    kind: str
    value: str
    did: str
    ledger: str | None


class Name(NameItem):
    """``twin.name/1``."""

    schema: str
    changed: NotRequired[bool]
    """Of ``set``: false where the name stood for this before."""


class Names(TypedDict):
    """``twin.names/1``, in alphabetical order."""

    schema: str
    names: list[NameItem]


class NameImport(TypedDict):
    """``twin.name-import/1``; ``skipped``: ``number name value code message`` each."""

    schema: str
    ledger: str
    names: list[NameItem]
    unchanged: int
    skipped: list[Document]


class NameExport(TypedDict):
    """``twin.name-export/1``."""

    schema: str
    file: str
    names: int


class Did(TypedDict):
    """``twin.did/1``: of a key up to ``mine``, of an asset all but ``mine`` and ``public_key``."""

    schema: str
    did: str
    kind: str
    name: str | None
    public_key: NotRequired[str]
    mine: NotRequired[bool]
    asset_id: NotRequired[str]
    ledger: NotRequired[str]
    title: NotRequired[str | None]
    owners: NotRequired[list[str]]
    owner_names: NotRequired[list[str | None]]
    controllers: NotRequired[list[str]]
    entity: NotRequired[str | None]
    entity_standing: NotRequired[str | None]
    created: NotRequired[str | None]
    updated: NotRequired[str | None]
    deactivated: NotRequired[bool]


class DidItem(TypedDict):
    """``twin.did/1`` in a listing."""

    did: str
    kind: str
    name: str | None
    public_key: str | None
    asset_id: str | None
    deactivated: bool


class Dids(TypedDict):
    """``twin.dids/1``."""

    schema: str
    dids: list[DidItem]


class Resolution(TypedDict):
    """``twin.resolution/1``, laid out as W3C DID Resolution has it."""

    schema: str
    didDocument: Json | None
    didResolutionMetadata: Json
    didDocumentMetadata: Json


# --- Transactions --------------------------------------------------------------------------------


class Transaction(TypedDict):
    """``twin.transaction/1``; ``spent_by`` has for every output the id of its spender or null."""

    schema: str
    id: str
    operation: str
    asset_id: str
    height: int | None
    committed_at: str | None
    signers: list[str]
    spent_by: list[str | None]
    transaction: Json


class SigningInput(TypedDict):
    """What a partly signed transaction spends; ``needed`` is the least number of signatures."""

    transaction_id: str | None
    output_index: int | None
    amount: str | None
    owners: str
    signed_by: list[str]
    missing: list[str]
    needed: int


class SigningOutput(TypedDict):
    """What a partly signed transaction gives; ``owners`` is an expression in local names."""

    amount: str
    owners: str


class Signing(TypedDict):
    """``twin.signing/1``: what a transaction would do, and who has signed it.

    ``stated`` is what else its envelope holds, such as ``entity``, ``parent`` or ``corrects``;
    ``names`` are the local names of the keys in ``signed_by`` and ``missing``, which are the keys
    whose signatures would still count. ``standing`` is ``open``, ``stale`` (an input was spent
    otherwise), ``submitted`` or null, where this ledger cannot say.
    """

    schema: str
    body_digest: str
    operation: str
    kind: str | None
    asset_id: str | None
    asset_name: str | None
    title: str | None
    ledger: str | None
    data: Json
    written: Json
    stated: Json
    inputs: list[SigningInput]
    outputs: list[SigningOutput]
    signed_by: list[str]
    missing: list[str]
    names: dict[str, str]
    complete: bool
    transaction_id: str | None
    standing: str | None
    warnings: list[str]
    file: NotRequired[str]
    """Where it was written to."""


class PreparedPart(TypedDict):
    """A file of ``transfer --children move --prepare``; ``file`` is null of a dry run.

    ``kept``: it was made before, still does the same, and keeps the signatures that it has.
    """

    asset_id: str | None
    asset_name: str | None
    file: str | None
    kept: bool
    complete: bool
    missing: list[str]


class PreparedHandover(Signing):
    """``twin.signing/1`` of ``transfer --children move --prepare``; the twin is prepared last."""

    handover: Handover
    prepared: list[PreparedPart]


class Transactions(TypedDict):
    """``twin.transactions/1``."""

    schema: str
    transactions: Sequence[Transaction | Signing]


class Partial(TypedDict):
    """``twin.partial/1``: the file of a partly signed transaction."""

    schema: str
    body_digest: str
    ledger: str
    transaction: Json
    signatures: Json
    transactions: Json


class Validation(TypedDict):
    """``twin.validation/1``.

    ``rules``, with ``--explain``: ``rule ok message`` each, ``ok`` null for what was not judged.
    """

    schema: str
    valid: bool
    id: str | None
    profile: str
    error: Json | None
    deviations: list[Json]
    rules: NotRequired[list[Json]]


class Submission(TypedDict):
    """``twin.submission/1``; ``created`` is false where it was on the ledger already."""

    schema: str
    ledger: str
    transaction_id: str
    asset_id: str
    height: int | None
    committed_at: str | None
    created: bool
    signed_by: list[str]
    warnings: list[str]


class Submissions(TypedDict):
    """``twin.submissions/1``; an error has ``number transaction_id code message hint``."""

    schema: str
    ledger: str
    count: int
    created: int
    existing: int
    failed: int
    errors: list[Json]
    warnings: list[str]


# --- Networks and ledgers ------------------------------------------------------------------------


class NetworkItem(TypedDict):
    """A network that has a name; of files only the paths."""

    name: str
    urls: list[str]
    header_file: str | None
    tls_ca: str | None
    tls_cert: str | None
    tls_key: str | None
    network: str


class ListedNetwork(NetworkItem):
    """``twin.network-item/1``; ``used`` says whether the settings name it."""

    used: bool


class Network(NetworkItem):
    """``twin.network/1``."""

    schema: str
    created: NotRequired[bool]
    """Of ``add``: false where it had this name before."""
    warnings: NotRequired[list[str]]
    """Of ``add``."""


class Networks(TypedDict):
    """``twin.networks/1``."""

    schema: str
    networks: list[ListedNetwork]


class NodeItem(TypedDict):
    """``twin.node-item/1``; only nodes of twincli report ``ledger`` and ``height``."""

    url: str
    reachable: bool
    software: str | None
    version: str | None
    ledger: str | None
    height: int | None
    latency_ms: float | None
    error: str | None
    hint: str | None


class NodeInfo(TypedDict):
    """``twin.node-info/1``."""

    schema: str
    node: str
    network: str
    nodes: list[NodeItem]
    warnings: list[str]


class ServedNode(TypedDict):
    """``twin.node/1``: what ``node start`` serves."""

    schema: str
    url: str
    ws_url: str
    ledger: str | None
    pid: int | None
    read_only: bool


class MovedItem(TypedDict):
    """``twin.moved/1``: an asset, and how many of its transactions went."""

    asset_id: str
    name: str | None
    status: str
    transactions: int


class Moves(TypedDict):
    """``twin.push/1``, ``twin.pull/1``, ``twin.import/1``: from ``ledger`` to ``to``.

    An error has ``asset_id name code message hint``.
    """

    schema: str
    ledger: str
    to: str
    assets: list[MovedItem]
    transactions: int
    failed: int
    errors: list[Json]
    warnings: list[str]


class LedgerInfo(TypedDict):
    """``twin.ledger/1``. Hashes are hex; ``app_hash`` is empty before the first transaction.

    ``former_keys`` are those of the ledgers that it was restored from.
    """

    schema: str
    id: str
    path: str
    profile: str
    created: str
    height: int
    time: str
    transactions: int
    assets: int
    app_hash: str
    root: str
    tree_size: int
    public_key: str
    former_keys: list[str]
    schema_version: int
    size_bytes: int | None


class NoteSignature(TypedDict):
    """A signature line of a signed note: the name of its key, and the key's id in hex."""

    name: str
    key_id: str


class CheckpointMade(TypedDict):
    """``twin.checkpoint/1``: a signed note (C2SP tlog-checkpoint), and what it says.

    ``root`` is hex; ``key`` is the verifier key for it.
    """

    schema: str
    ledger: str
    origin: str
    size: int
    root: str
    key: str
    signatures: list[NoteSignature]
    note: str


class WitnessAsked(TypedDict):
    """A witness in a ``twin.cosigned/1``: ``status`` is cosigned, refused or not_asked.

    ``name``, ``key`` (its verifier key) and ``time`` are those of its cosignature, or null;
    ``code`` and ``message`` say why there is none, or are null.
    """

    url: str
    status: str
    name: str | None
    key: str | None
    time: str | None
    code: str | None
    message: str | None


class CheckpointCosigned(TypedDict):
    """``twin.cosigned/1``: a checkpoint with the cosignatures of witnesses. ``root`` is hex."""

    schema: str
    ledger: str
    size: int
    root: str
    witnesses: list[WitnessAsked]
    signatures: list[NoteSignature]
    note: str


class ProofMade(TypedDict):
    """``twin.proof/1``: that a transaction is in the tree of a checkpoint.

    ``index`` is its position from 0; ``path`` and ``root`` are hex; ``proof`` is the text of a
    file ``.tlog-proof`` (C2SP tlog-proof).
    """

    schema: str
    ledger: str
    transaction_id: str
    asset_id: str
    index: int
    height: int
    time: str
    size: int
    root: str
    path: list[str]
    signatures: list[NoteSignature]
    proof: str


class ConsistencyMade(TypedDict):
    """``twin.consistency/1``: that a ledger is an earlier one with transactions appended.

    Roots and ``path`` are hex; ``proof`` is the body of a request ``add-checkpoint`` (C2SP
    tlog-witness).
    """

    schema: str
    ledger: str
    from_size: int
    from_root: str
    size: int
    root: str
    path: list[str]
    signatures: list[NoteSignature]
    proof: str


class Beginning(TypedDict):
    """``twin.beginning/1``: the id of the ``lost`` ledger, and the new names of its files."""

    schema: str
    id: str | None
    path: str
    lost: str | None
    kept: list[str]


class Reindex(TypedDict):
    """``twin.reindex/1``."""

    schema: str
    ledger: str
    transactions: int


class Upgrade(TypedDict):
    """``twin.upgrade/1``: from schema ``before`` to ``after``; the backup, or null."""

    schema: str
    path: str
    upgraded: bool
    before: int
    after: int
    backup: str | None


# --- Bundles -------------------------------------------------------------------------------------


class BundleCheckpoint(TypedDict):
    """The tree of a ledger that the proofs in a bundle are of; ``root`` is hex."""

    size: int
    root: str


LeftOutOfBundle = TypedDict(
    "LeftOutOfBundle",
    {
        "what": str,
        "stream": NotRequired[str],
        "cid": NotRequired[str],
        "from": NotRequired[str],
        "to": NotRequired[str],
        "count": int,
    },
)
"""Content that is not in a bundle: ``what`` is ``stream``, ``file`` or ``missing``."""


class BundleExport(TypedDict):
    """``twin.bundle-export/1``: the new file, and what is in it."""

    schema: str
    file: str
    asset_id: str
    asset_name: str | None
    ledger: str
    height: int
    transactions: int
    contents: int
    checkpoint: BundleCheckpoint
    left_out: list[LeftOutOfBundle]
    size: int
    sha256: str
    warnings: list[str]


class BundleContent(TypedDict):
    """A file, chunk, template or wrap in a bundle."""

    cid: str
    size: int


class BundlePage(TypedDict):
    """The page in a bundle; ``known``: whether a release of twincli had it."""

    sha256: str
    known: bool


class BundleInfo(TypedDict):
    """``twin.bundle-info/1``: what a bundle says, unverified.

    ``kinds`` counts the transactions by what they do, ``first_at`` and ``last_at`` are the times
    of their blocks.
    """

    schema: str
    file: str
    asset_id: str
    asset_name: str | None
    did: str
    ledger: str
    ledger_key: str
    profile: str
    checkpoint: BundleCheckpoint
    transactions: int
    assets: int
    kinds: dict[str, int]
    first_at: str | None
    last_at: str | None
    contents: list[BundleContent]
    left_out: list[LeftOutOfBundle]
    page: BundlePage | None
    size: int


class BundleDiff(TypedDict):
    """``twin.bundle-diff/1``: two bundles of one twin.

    ``relation`` is ``same``, ``continues`` (the second one goes on where the first one ends),
    ``continued`` (the first one does), ``diverged`` (they contradict each other) or ``different``
    (they are about different twins or ledgers). ``roots`` is ``same``, ``proved`` (the later tree
    has the earlier one in it, as the proofs show), ``contradicted`` or ``not_proved``.
    """

    schema: str
    first: "BundleSide"
    second: "BundleSide"
    relation: str
    roots: str
    added: list["BundleChange"]
    removed: list["BundleChange"]
    contradictions: list[str]
    contents_added: list[BundleContent]
    contents_removed: list[BundleContent]


class BundleSide(TypedDict):
    """One of two bundles."""

    file: str
    asset_id: str
    ledger: str
    checkpoint: BundleCheckpoint
    transactions: int


class BundleChange(TypedDict):
    """A transaction that only one of two bundles has; ``position`` is its leaf in the tree."""

    transaction_id: str
    position: int
    height: int
    at: str
    kind: str


class PassportField(TypedDict):
    """A line of a passport; ``withheld``: it has a value, which is not for whom this one is."""

    path: str
    label: str
    value: Any
    unit: str | None
    access: str
    withheld: bool


class Passport(TypedDict):
    """``twin.passport/1``: what a twin shows, and the text of its QR code.

    ``checkpoint`` is null on a BigchainDB network, ``gtin`` where the twin has no valid one.
    """

    schema: str
    asset_id: str
    asset_name: str | None
    did: str
    title: str
    template: str | None
    access: str
    gtin: str | None
    serial: str | None
    code: str
    ledger: str
    checkpoint: BundleCheckpoint | None
    committed_at: str | None
    fields: list[PassportField]
    file: str | None
    warnings: list[str]


# --- Home ----------------------------------------------------------------------------------------


class BackedUpLedger(TypedDict):
    """The ledger of a backup; null where there is none."""

    ledger: str | None
    height: int | None
    transactions: int


class Backup(TypedDict):
    """``twin.backup/1``; ``left_out`` lists the files of the home that are not in it."""

    schema: str
    file: str
    created: str
    ledger: str | None
    height: int | None
    transactions: int
    keys: int
    names: int
    size: int
    sha256: str
    left_out: list[str]
    warnings: list[str]


class Restored(TypedDict):
    """``twin.restore/1``; when the backup was ``created``; the ledger's new key."""

    schema: str
    home: str
    restored: bool
    created: str
    ledger: str | None
    height: int | None
    transactions: int
    ledger_key: str | None
    keys: int
    names: int
    size: int
    sha256: str
    warnings: list[str]


class CheckItem(TypedDict):
    """``twin.check/1``; ``ok`` is null where something is missing that need not exist."""

    name: str
    ok: bool | None
    message: str
    hint: str | None


class Doctor(TypedDict):
    """``twin.doctor/1``; ``ok`` is false when a check failed."""

    schema: str
    ok: bool
    checks: list[CheckItem]


class VerificationProblem(TypedDict):
    """Something that does not fit, or is worth knowing; ``where`` is an id, a block, an entry."""

    code: str
    where: str
    message: str


class VerificationAnchor(TypedDict):
    """What is known from elsewhere; ``matched`` is null where it could not be told."""

    anchor: str
    value: str
    pinned: bool
    matched: bool | None
    message: str


class VerificationPart(TypedDict):
    """``status`` is ``ok failed undetermined not_checked``; all problems are counted."""

    status: str
    checked: int
    problems: list[VerificationProblem]
    problem_count: int
    notes: list[VerificationProblem]
    note_count: int


class Verification(TypedDict):
    """``twin.verification/1``: ``status`` is ``verified consistent failed undetermined``.

    ``problem`` is the first of all. The parts are ``data_integrity ledger_proof attachment_hashes
    authority references audit_trail``.
    """

    schema: str
    status: str
    source: str
    kind: str | None
    ledger: str | None
    asset_id: str | None
    size: int | None
    root: str | None
    problem: VerificationProblem | None
    anchors: list[VerificationAnchor]
    parts: dict[str, VerificationPart]


class AuditedTwin(TypedDict):
    """``twin.audited-twin/1``: ``status`` is ``ok failed undetermined``."""

    schema: str
    asset_id: str
    name: str | None
    status: str
    problem: VerificationProblem | None
    parts: dict[str, VerificationPart]


class AuditRun(TypedDict):
    """``twin.audit-run/1``: the parts of the ledger, then its twins; ``status`` is the worst."""

    schema: str
    status: str
    ledger: str
    parts: dict[str, VerificationPart]
    counts: dict[str, int]
    twins: list[AuditedTwin]


class Status(TypedDict):
    """``twin.status/1``; ``network`` is the one that the settings name, or null.

    ``unpushed`` has ``node transactions pushed_at`` of each ledger that this one went to.
    """

    schema: str
    version: str
    home: str
    exists: bool
    ledger: Json | None
    default_key: str | None
    keys: list[str]
    agent: Json
    unpushed: list[Json]
    network: Json | None


# --- Templates -----------------------------------------------------------------------------------


class TemplateLoss(TypedDict):
    """Something of a foreign model that was not carried over into a template."""

    path: str
    what: str
    why: str


class TemplateImport(TypedDict):
    """``twin.template-import/1``: ``template`` is the document, ``file`` where it was written."""

    schema: str
    id: str
    format: str
    origin: str | None
    template: Json
    file: str | None
    losses: list[TemplateLoss]


class AttachedFile(TypedDict):
    """What is stated of a file.

    ``profile`` says how its CID was made, ``valid_until`` is a date or a time. Of one that is
    ``encrypted``, CID and size are of what is encrypted.
    """

    cid: str | None
    name: str | None
    size: int | None
    type: str | None
    issuer: str | None
    valid_until: str | None
    profile: str | None
    encrypted: bool


class NewFile(AttachedFile):
    """A file that was attached; ``created`` is false where it was attached before."""

    transaction_id: str | None
    created: bool


class Attached(TypedDict):
    """``twin.attached/1``: files that were attached to a twin.

    ``transaction_id`` is that of the last. ``form`` and ``standing`` are as in
    ``twin.record-item/1``; ``uploaded_to`` are the nodes that took the content.
    """

    schema: str
    asset_id: str
    asset_name: str | None
    ledger: str
    transaction_id: str | None
    form: str
    standing: str | None
    created: int
    existing: int
    files: list[NewFile]
    signed_by: list[str | None]
    uploaded_to: list[str]
    warnings: list[str]


class Shredded(TypedDict):
    """``twin.shredded/1``: what opened an encrypted stream or file was erased here.

    ``kind`` is ``stream`` or ``file``, ``id`` the asset or the CID. ``erased`` are the CIDs of the
    wraps that were here, ``absent`` of those that were not.
    """

    schema: str
    asset_id: str
    asset_name: str | None
    kind: str
    id: str
    name: str
    epochs: int
    erased: list[str]
    absent: list[str]
    warnings: list[str]


class FileItem(AttachedFile):
    """``twin.file-item/1``: a file of a twin; ``here`` says whether its content is.

    Of one that is encrypted, ``wrap_here`` says whether a wrap that opens it is here, too; of
    others it is null.
    """

    asset_id: str
    asset_name: str | None
    transaction_id: str
    form: str
    at: str | None
    committed_at: str | None
    signers: list[str | None]
    signer_names: list[str | None]
    standing: str | None
    here: bool
    wrap_here: bool | None


class Files(TypedDict):
    """``twin.files/1``."""

    schema: str
    files: Iterable[FileItem]


class FetchedFile(TypedDict):
    """``twin.file/1``: a file that was written; ``fetched_from`` is null where it was here."""

    schema: str
    cid: str
    name: str | None
    size: int
    file: str | None
    fetched_from: str | None


class CheckedFile(TypedDict):
    """``twin.checked-file/1``: a file whose ``status`` is ``ok``, ``altered`` or ``missing``."""

    cid: str
    name: str | None
    size: int | None
    asset_id: str | None
    asset_name: str | None
    status: str


class FileCheck(TypedDict):
    """``twin.file-check/1``; ``status`` is the worst of all: altered, then missing, then ok."""

    schema: str
    status: str
    ok: int
    altered: int
    missing: int
    files: list[CheckedFile]


class PinnedFile(TypedDict):
    """``twin.pinned-file/1``; ``status``: ``pinned``, ``existing``, ``altered``, ``missing``."""

    cid: str
    name: str | None
    status: str


class Pins(TypedDict):
    """``twin.pins/1``."""

    schema: str
    kubo: str
    files: list[PinnedFile]


# --- Queries -------------------------------------------------------------------------------------


class AskedStream(TypedDict):
    """A stream that was asked."""

    name: str
    id: str


class Queried(TypedDict):
    """``twin.query/1``; ``rows`` are objects, the dotted names of ``columns`` nested.

    ``chunks`` and ``transactions`` are what the answer was computed from; of events and other
    records the ``transaction_id`` of each row says it. Of ``from_rollups`` of the chunks the
    summaries of minutes were read that this home had made of them.
    """

    schema: str
    asset_id: str
    streams: list[AskedStream]
    columns: list[str]
    truncated: bool
    chunks: list[str]
    transactions: list[str]
    from_rollups: int
    warnings: list[str]
    rows: NotRequired[Iterable[Json]]


class Plot(TypedDict):
    """``twin.plot/1``: charts by their titles; ``file`` is null where they were printed."""

    schema: str
    asset_id: str
    file: str | None
    charts: list[str]
    chunks: list[str]
    transactions: list[str]
    warnings: list[str]


class WatchItem(TypedDict):
    """``twin.watch-item/1``: something that was committed about a twin.

    ``resume`` is the id of its transaction: a watch that is given it goes on behind it. ``stream``
    is null of what is not in a stream. ``changes`` are members of the state, ``body`` what a record
    says; ``readings`` and ``chunks`` are as they were signed, and empty with a ``fault``, which
    says why they cannot be read.
    """

    resume: str
    asset_id: str
    stream: str | None
    operation: str
    kind: str | None
    height: int | None
    at: str | None
    committed_at: str | None
    signers: list[str]
    signer_names: list[str | None]
    standing: str | None
    via: str | None
    changes: Json
    body: Json | None
    readings: list[Json]
    chunks: list[Json]
    fault: str | None


class Watched(TypedDict):
    """``twin.watch/1``: what was committed about a twin after ``started_after``."""

    schema: str
    asset_id: str
    started_after: str
    events: list[WatchItem]


class ExportedStream(TypedDict):
    """A stream that was exported; ``twin`` is its twin's name here."""

    twin_id: str
    twin: str | None
    stream: str


class StreamExport(TypedDict):
    """``twin.stream-export/1``: streams that were exported.

    ``location`` is the directory or URL. ``readings`` are those of the files that were added:
    values in a Delta table, rows in the other formats. ``version`` is that of the Delta table.
    """

    schema: str
    ledger: str
    format: str
    location: str
    version: int | None
    files_added: int
    files_removed: int
    readings: int
    streams: list[ExportedStream]
    warnings: list[str]


class QueryFile(TypedDict):
    """``twin.query-file/1``: an answer that was written to a file; ``rows`` is how many."""

    schema: str
    asset_id: str
    file: str
    format: str
    rows: int
    truncated: bool
    chunks: list[str]
    transactions: list[str]
    warnings: list[str]
