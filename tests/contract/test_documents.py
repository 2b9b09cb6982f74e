"""The documents of commands that look at the ledger: their schema, their keys, their streams.

Fields may be added here; one that goes, or changes its name, needs a new number in the schema.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.stories import garage, pump
from tests.conftest import Invoke
from twincli.cli.showing.members import WRITES
from twincli.services import documents


def members(document: type, *more: str) -> str:
    """Return the members that a document always has, in their order, and those of ``more``."""
    required: frozenset[str] = getattr(document, "__required_keys__")  # noqa: B009
    kept = [name for name in document.__annotations__ if name in {*required, *more}]
    return " ".join(name for name in kept if name != "schema")


ASSET = members(documents.Asset)
WRITTEN = members(documents.WrittenAsset)
HISTORY_ITEM = members(documents.HistoryItem)
OUTPUT = members(documents.Output)
BRIEF = members(documents.AssetItem)
LEDGER = members(documents.LedgerInfo)
RESTORED = members(documents.Restored)
NAME = members(documents.NameItem)
MOVED = members(documents.Moves)
NETWORK = members(documents.Network)
SIGNING = members(documents.Signing)
KEYS_MADE = members(documents.Derivation)
AGENT = members(documents.Agent)
TX = members(documents.Transaction)

# The command, the schema, the keys after it, and for a listing its name and the keys of an item.
DOCUMENTS = [
    ("asset show car", "twin.asset/1", ASSET, None),
    ("asset append car --mileage 1300", "twin.asset/1", WRITTEN, None),
    ("asset create boat --masts 2", "twin.asset/1", members(documents.CreatedAsset), None),
    ("asset burn car --yes", "twin.asset/1", WRITTEN, None),
    ("asset migrate car --template product-lifecycle-v1", "twin.asset/1", WRITTEN, None),
    ("asset freeze car", "twin.asset/1", WRITTEN, None),
    ("asset export car --format wot", "twin.export/1", members(documents.AssetExport), None),
    (
        "asset diff car",
        "twin.diff/1",
        members(documents.Diff),
        ("changes", "twin.change/1", members(documents.Change, "after")),
    ),
    (
        "asset blame car",
        "twin.blame/1",
        members(documents.Blame),
        ("fields", "twin.blame-item/1", members(documents.BlameItem)),
    ),
    ("asset list", "twin.assets/1", "assets", ("assets", "twin.asset-item/1", BRIEF)),
    ("asset outputs car", "twin.outputs/1", "outputs", ("outputs", "twin.output/1", OUTPUT)),
    ("asset tree", "twin.tree/1", "roots", None),
    (
        "history car",
        "twin.history/1",
        "asset_id transactions",
        ("transactions", "twin.history-item/1", HISTORY_ITEM),
    ),
    (
        "search red",
        "twin.search/1",
        "hits",
        ("hits", "twin.search-hit/1", members(documents.SearchHit, "data")),
    ),
    (
        "name export",
        "twin.names/1",
        "names",
        ("names", "twin.name/1", NAME),
    ),
    ("name export -o OUT", "twin.name-export/1", members(documents.NameExport), None),
    (
        "name import --from-ledger --owner alice",
        "twin.name-import/1",
        members(documents.NameImport),
        ("names", "twin.name/1", NAME),
    ),
    ("event add car sold --price 5", "twin.record/1", members(documents.Said), None),
    (
        "event list car",
        "twin.events/1",
        members(documents.Events),
        ("events", "twin.event/1", members(documents.EventItem)),
    ),
    ("state show pump", "twin.state/1", members(documents.State), None),
    ("state move pump installed", "twin.record/1", members(documents.Said), None),
    (
        "stage list pump",
        "twin.stages/1",
        members(documents.Stages),
        ("stages", "twin.stage/1", members(documents.StageItem)),
    ),
    ("stage add pump used", "twin.record/1", members(documents.Said), None),
    ("maintenance add car --type service", "twin.record/1", members(documents.Said), None),
    (
        "maintenance list car",
        "twin.maintenance-list/1",
        members(documents.Maintenance),
        ("maintenance", "twin.maintenance/1", members(documents.MaintenanceItem)),
    ),
    (
        "maintenance due car",
        "twin.maintenance-due/1",
        members(documents.Maintained),
        ("due", "twin.due-item/1", members(documents.DueItem)),
    ),
    (
        "file attach car OTHER",
        "twin.attached/1",
        members(documents.Attached),
        ("files", "twin.attached-file/1", members(documents.NewFile)),
    ),
    (
        "file list car",
        "twin.files/1",
        "files",
        ("files", "twin.file-item/1", members(documents.FileItem)),
    ),
    (
        "file check car",
        "twin.file-check/1",
        members(documents.FileCheck),
        ("files", "twin.checked-file/1", members(documents.CheckedFile)),
    ),
    ("file get car note -o OUT", "twin.file/1", members(documents.FetchedFile), None),
    (
        "cert issue car --standard ISO-1",
        "twin.record/1",
        members(documents.WrittenCertificate),
        None,
    ),
    (
        "cert list car",
        "twin.certificates/1",
        members(documents.Certificates),
        ("certificates", "twin.certificate-item/1", members(documents.CertificateItem)),
    ),
    ("cert show car", "twin.certificate/1", members(documents.OneCertificate), None),
    (
        "cert check car",
        "twin.checked-certificates/1",
        members(documents.CheckedCertificates),
        ("certificates", "twin.checked-certificate/1", members(documents.CheckedCertificate)),
    ),
    (
        "cert verify CREDENTIAL",
        "twin.verified-certificate/1",
        members(documents.VerifiedCertificate),
        None,
    ),
    ("cert export car", "twin.certificate-export/1", members(documents.ExportedCertificate), None),
    ("cert revoke car --number C-1", "twin.record/1", members(documents.Said), None),
    ("link add car replaces box", "twin.record/1", members(documents.Said), None),
    ("link add --data @LINKS", "twin.links-added/1", members(documents.AddedLinks), None),
    (
        "link list box",
        "twin.links/1",
        members(documents.Links),
        ("links", "twin.link-item/1", members(documents.LinkItem)),
    ),
    ("link graph box", "twin.link-graph/1", members(documents.LinkGraph), None),
    (
        "batch check LINES",
        "twin.batch/1",
        members(documents.Batch),
        ("lines", "twin.batch-line/1", members(documents.BatchLine)),
    ),
    ("batch apply LINES", "twin.batch/1", members(documents.Batch), None),
    (
        "query car --stream gauge --fields value",
        "twin.query/1",
        members(documents.Queried, "rows"),
        ("rows", "twin.query-row/1", "value"),
    ),
    (
        "query car --stream gauge -o OUT --format csv",
        "twin.query-file/1",
        members(documents.QueryFile),
        None,
    ),
    ("plot car --stream gauge", "twin.plot/1", members(documents.Plot), None),
    (
        "stream export car --format delta -o OUT",
        "twin.stream-export/1",
        members(documents.StreamExport),
        None,
    ),
    (
        "watch car --resume TX --limit 1",
        "twin.watch/1",
        members(documents.Watched),
        ("events", "twin.watch-item/1", members(documents.WatchItem)),
    ),
    ("tx show TX", "twin.transaction/1", TX, None),
    (
        "tx show TX TX",
        "twin.transactions/1",
        "transactions",
        ("transactions", "twin.transaction/1", f"schema {TX}"),
    ),
    ("tx validate TX", "twin.validation/1", members(documents.Validation), None),
    (
        "tx validate TX --explain",
        "twin.validation/1",
        members(documents.Validation, "rules"),
        None,
    ),
    (
        "ledger info",
        "twin.ledger/1",
        LEDGER,
        None,
    ),
    ("ledger reindex", "twin.reindex/1", members(documents.Reindex), None),
    ("ledger upgrade", "twin.upgrade/1", members(documents.Upgrade), None),
    (
        "backup create -o OUT",
        "twin.backup/1",
        members(documents.Backup),
        None,
    ),
    ("bundle export car -o OUT", "twin.bundle-export/1", members(documents.BundleExport), None),
    ("bundle passport car", "twin.passport/1", members(documents.Passport), None),
    ("bundle show BUNDLE", "twin.bundle-info/1", members(documents.BundleInfo), None),
    ("bundle diff BUNDLE BUNDLE", "twin.bundle-diff/1", members(documents.BundleDiff), None),
    (
        "backup restore BACKUP --dry-run",
        "twin.restore/1",
        RESTORED,
        None,
    ),
    (
        "node start --dry-run --port 0",
        "twin.node/1",
        members(documents.ServedNode),
        None,
    ),
    (
        "push --dry-run --node NODE",
        "twin.push/1",
        MOVED,
        ("assets", "twin.moved/1", members(documents.MovedItem)),
    ),
    ("pull --node NODE", "twin.pull/1", MOVED, None),
    ("ledger import --search nothing --node NODE", "twin.import/1", MOVED, None),
    (
        "node add b http://b.example",
        "twin.network/1",
        members(documents.Network, "created", "warnings"),
        None,
    ),
    ("node use team", "twin.setting/1", "name value source changed", None),
    ("node remove team", "twin.network/1", NETWORK, None),
    (
        "node list",
        "twin.networks/1",
        "networks",
        ("networks", "twin.network-item/1", members(documents.ListedNetwork)),
    ),
    (
        "node info NODE",
        "twin.node-info/1",
        members(documents.NodeInfo),
        (
            "nodes",
            "twin.node-item/1",
            members(documents.NodeItem),
        ),
    ),
    (
        "status",
        "twin.status/1",
        members(documents.Status),
        None,
    ),
    ("agent status", "twin.agent/1", AGENT, None),
    ("agent lock", "twin.agent/1", AGENT, None),
    ("agent stop", "twin.agent/1", AGENT, None),
    (
        "asset balance clips",
        "twin.balances/1",
        "balances",
        (
            "balances",
            "twin.balance/1",
            members(documents.Balance),
        ),
    ),
    (
        "asset append car --mileage 1300 --prepare OUT",
        "twin.signing/1",
        members(documents.Signing, "file"),
        None,
    ),
    ("tx show PARTIAL", "twin.signing/1", SIGNING, None),
    ("tx sign PARTIAL --yes", "twin.signing/1", members(documents.Signing, "file"), None),
    (
        "tx combine PARTIAL",
        "twin.partial/1",
        members(documents.Partial),
        None,
    ),
    ("keys sign alice NOTE", "twin.signature/1", members(documents.Signature), None),
    (
        "keys verify NOTE SIGNATURE --by alice",
        "twin.signature-check/1",
        members(documents.SignatureCheck),
        None,
    ),
    (
        "keys export alice",
        "twin.key-export/1",
        members(documents.KeyExport),
        None,
    ),
    (
        "keys passwd alice --no-passphrase",
        "twin.passwd/1",
        "keys",
        ("keys", "twin.passwd-key/1", members(documents.PasswdItem)),
    ),
    ("keys show alice", "twin.key/1", members(documents.Key), None),
    (
        "keys list",
        "twin.keys/1",
        members(documents.Keys),
        ("keys", "twin.key/1", members(documents.KeyItem)),
    ),
    ("keys derive fleet --count 2 --no-passphrase", "twin.derivation/1", KEYS_MADE, None),
    (
        "keys rotate alice --to bob",
        "twin.rotation/1",
        "ledger from to moved prepared left entities signed_by warnings",
        None,
    ),
    ("keys remove bob --yes", "twin.removal/1", members(documents.KeyRemoval), None),
    ("verify", "twin.verification/1", members(documents.Verification), None),
    (
        "audit run --all",
        "twin.audit-run/1",
        members(documents.AuditRun),
        ("twins", "twin.audited-twin/1", members(documents.AuditedTwin)),
    ),
    (
        "doctor",
        "twin.doctor/1",
        members(documents.Doctor),
        ("checks", "twin.check/1", members(documents.CheckItem)),
    ),
]

# These do not give the same answer twice.
ONCE = (
    "append",
    "attach",
    "cert issue",
    "cert revoke",
    "create",
    "burn",
    "migrate",
    "import",
    "OUT",
    "pull",
    "node start",
    "node add",
    "node use",
    "tx sign",
    "derive",
    "rotate",
    "remove",
    "event add",
    "state move",
    "stage add",
    "maintenance add",
    "link add",
    "freeze",
    "batch apply",
)


@pytest.fixture
def node(request: pytest.FixtureRequest) -> str:
    """Return the URL of a node, for the commands that want one."""
    is_asked = "NODE" in request.node.name
    return str(request.getfixturevalue("real_node")) if is_asked else ""


def prepared(words: str, invoke: Invoke, tmp_path: Path, node: str) -> list[str]:
    """Make what a command looks at, and return its words with the names of that."""
    made = garage(invoke)
    if words.startswith("node"):
        assert invoke("node", "add", "team", "http://team.example").status == 0
    if "BACKUP" in words:
        assert invoke("backup", "create", "-o", str(tmp_path / "made.tar")).status == 0
    if "BUNDLE" in words:
        out = str(tmp_path / "made.twin")
        assert invoke("bundle", "export", "car", "-o", out).status == 0
    if "name import" in words:
        assert invoke("name", "remove", "car").status == 0
    if "PARTIAL" in words:
        prepare = ("--prepare", str(tmp_path / "partial.json"))
        assert invoke("asset", "append", "car", "--mileage", "1300", *prepare).status == 0
    if words.startswith(("query", "plot", "watch", "stream export")):
        assert invoke("stream", "push", "car", "gauge", "--value", "1.5").status == 0
    if words.startswith("event list"):
        assert invoke("event", "add", "car", "sold", "--price", "5").status == 0
    if words.startswith(("maintenance list", "maintenance due")):
        add = ("maintenance", "add", "car", "--type", "service", "--next", "2999-01-01")
        assert invoke(*add).status == 0
    if "pump" in words:
        pump(invoke, tmp_path)
    if words.startswith("link"):
        assert invoke("asset", "create", "box", "--owner", "alice").status == 0
        ends = {"successor": "box", "predecessor": "clips", "relationship": "replaces"}
        (tmp_path / "links.json").write_text(json.dumps([{"type": "succession", **ends}]))
    if words.startswith(("link list", "link graph")):
        assert invoke("link", "add", "car", "replaces", "box").status == 0
    if words.startswith("batch"):
        line = {"do": "append", "asset": "car", "data": {"mileage": 1300}}
        (tmp_path / "lines.jsonl").write_text(json.dumps(line))
    if words.startswith("file"):
        (tmp_path / "note").write_text("delivered")
        assert invoke("file", "attach", "car", str(tmp_path / "note")).status == 0
    if words.startswith("cert"):
        assert invoke("cert", "issue", "car", "--number", "C-1").status == 0
        exported = invoke("cert", "export", "car").stdout
        (tmp_path / "credential.json").write_text(exported)
    if "NOTE" in words:
        (tmp_path / "note").write_text("delivered")
        sign = ("keys", "sign", "alice", str(tmp_path / "note"))
        assert invoke(*sign, "-o", str(tmp_path / "note.sig")).status == 0
    if "fleet" in words:
        phrase = ("--mnemonic", "--mnemonic-out", str(tmp_path / "phrase"))
        assert invoke("keys", "new", "fleet", "--no-passphrase", *phrase).status == 0
    stand_for = {
        "PARTIAL": str(tmp_path / "partial.json"),
        "CREDENTIAL": str(tmp_path / "credential.json"),
        "@LINKS": f"@{tmp_path / 'links.json'}",
        "LINES": str(tmp_path / "lines.jsonl"),
        "NOTE": str(tmp_path / "note"),
        "SIGNATURE": str(tmp_path / "note.sig"),
        "TX": made["first"]["transaction_id"],
        "OTHER": __file__,
        "OUT": str(tmp_path / "new.tar"),
        "BACKUP": str(tmp_path / "made.tar"),
        "BUNDLE": str(tmp_path / "made.twin"),
        "NODE": node,
    }
    return [stand_for.get(word, word) for word in words.split()]


@pytest.mark.parametrize(
    ("words", "schema", "keys", "listing"),
    [pytest.param(*row, id=row[0]) for row in DOCUMENTS],
)
def test_document(
    words: str,
    schema: str,
    keys: str,
    listing: tuple[str, str, str] | None,
    invoke: Invoke,
    tmp_path: Path,
    node: str,
) -> None:
    argv = prepared(words, invoke, tmp_path, node)
    run = invoke(*argv, "--json")
    assert run.status == 0, run.stderr
    assert run.stdout.count("\n") == 1
    document = run.json
    assert document["schema"] == schema
    assert list(document) == ["schema", *keys.split()]
    if any(word in words for word in ONCE):
        return
    assert run.stderr == ""
    lines = [json.loads(line) for line in invoke(*argv, "--jsonl").stdout.splitlines()]
    if listing is None:
        assert [list(line) for line in lines] == [list(document)]
        return
    name, item_schema, item_keys = listing
    wanted = item_keys.removeprefix("schema ").split()
    assert document[name]
    for item in document[name]:
        assert [key for key in item if key != "schema"] == wanted
    for line, item in zip(lines, document[name], strict=True):
        assert list(line) == ["schema", *wanted]
        assert line["schema"] == item_schema
        if name not in {"checks", "nodes"}:  # they tell the time
            assert line == {"schema": item_schema, **item}


@pytest.mark.parametrize("words", [row[0] for row in DOCUMENTS])
def test_a_pipe_gets_rows_and_a_terminal_something_else(
    words: str, invoke: Invoke, tmp_path: Path, node: str
) -> None:
    argv = prepared(words, invoke, tmp_path, node)
    run = invoke(*argv)
    assert run.status == 0
    assert "\x1b" not in run.stdout
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    assert len({len(row) for row in rows}) == 1
    if any(word in words for word in ONCE):
        return
    assert invoke(*argv, tty=True).status == 0


@pytest.mark.parametrize(
    "words", ["asset list", "asset outputs", "history car --since 2999-01-01", "search nothing"]
)
def test_nothing_found_is_an_empty_listing(words: str, invoke: Invoke) -> None:
    garage(invoke)
    argv = words.split()
    if argv[0] == "asset":
        argv += ["--owner", "carol"]
        assert invoke("keys", "new", "carol", "--no-passphrase").status == 0
    run = invoke(*argv, "--json")
    assert (run.status, run.stderr) == (0, "")
    assert next(value for value in run.json.values() if isinstance(value, list)) == []
    assert invoke(*argv, "--jsonl").stdout == ""
    assert invoke(*argv).stdout.count("\n") == 1
    assert invoke(*argv, tty=True).status == 0


@pytest.mark.parametrize(
    "words",
    [
        "asset show car",
        "asset list",
        "asset tree",
        "asset outputs",
        "asset burn car --yes",
        "history car",
        "search red",
        "tx show 0123456789",
        "tx validate 0123456789",
        "ledger info",
        "ledger reindex",
        "ledger upgrade",
        "ledger import --id x --node http://127.0.0.1:1",
        "push --node http://127.0.0.1:1",
        "asset list --node http://127.0.0.1:1",
        "node add team http://127.0.0.1:1",
        "node use local",
        "backup create -o /tmp/never",
        "agent start",
        "agent status",
        "agent stop",
        "asset balance",
        "asset append car --km 1 --prepare /tmp/never",
        "name export",
        "keys sign alice -",
        "keys export alice",
        "keys passwd alice",
        "keys derive alice --count 2",
        "keys rotate alice --to bob",
    ],
)
def test_reading_makes_no_home(words: str, invoke: Invoke) -> None:
    run = invoke(*words.split(), "--json")
    assert (run.status, run.stdout, run.error["code"]) == (4, "", "no_home")
    assert "TWIN_HOME" in f"{run.error['message']} {run.error['hint']}"


def test_get_is_checked_against_the_members_of_the_documents() -> None:
    compared = set()
    for words, _, keys, _ in DOCUMENTS:
        fitting = [command for command in WRITES if f"{words} ".startswith(f"{command} ")]
        for command in fitting:
            [kind, *_] = WRITES[command]
            if isinstance(kind, str):
                assert kind.split() == ["schema", *keys.split()], command
                compared.add(command)
    others = {command for command, kinds in WRITES.items() if not isinstance(kinds[0], str)}
    assert set(WRITES) - compared - others <= {"agent start", "config set", "config unset"}
