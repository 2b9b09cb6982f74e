"""``twin audit run``: the twins of a home judged one after another, as is done regularly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.client.embedded import EmbeddedClient
from twincli.errors import ConfigError
from twincli.model import record
from twincli.services import resolve
from twincli.services.asset import listings
from twincli.services.audit import log
from twincli.services.proof import integrity, report
from twincli.services.proof.evidence import Finding, LedgerEvidence, unindexed
from twincli.services.proof.judge import below, judge_said, nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from twincli.content.store import Blobs
    from twincli.ledger.ledger import Ledger
    from twincli.services.documents import AuditedTwin, AuditRun
    from twincli.services.proof.report import Part
    from twincli.services.workspace import Workspace

OF_LEDGER = (report.DATA, report.LEDGER_PROOF, report.AUDIT_TRAIL)
OF_TWIN = (report.ATTACHMENTS, report.AUTHORITY, report.REFERENCES)
_OF_OTHERS = (record.STREAM, record.STATEMENT, record.CERTIFICATE)
"""Kinds of assets that are judged with the twin that they are of."""
_WORST = (report.FAILED, report.UNDETERMINED, report.OK)


def trail_of(directory: str) -> Callable[[Part], None]:
    """Return what checks the audit log in a directory."""

    def check(part: Part) -> None:
        found = log.Check(directory)
        for _ in found.entries():
            pass
        if found.checked or found.problems:
            part.look(found.checked)
        for one in found.problems:
            where = f"audit log, line {one.line}"
            part.altered.append(Finding(one.code, where, one.message))

    return check


def run(
    workspace: Workspace,
    ledger: Ledger,
    blobs: Blobs,
    refs: Sequence[str] = (),
    *,
    directory: str,
    progress: Callable[[int, int], None] | None = None,
) -> AuditRun:
    """Judge the ledger of a home, then its twins.

    Args:
        workspace: Rooms.
        ledger: The ledger.
        blobs: The content that is here.
        refs: The twins; empty: all that my keys own or that I have named.
        directory: Of the audit log.
        progress: Called with how many transactions are checked, and how many there are.
    """
    ids = [resolve.asset_id_of(workspace, ref) for ref in refs] or [
        str(item["id"])
        for item in listings.list_assets(workspace)["assets"]
        if item["kind"] not in _OF_OTHERS
    ]
    names = resolve.asset_names(workspace)
    parts = report.empty()
    with unindexed(ledger.store) as own:
        evidence = LedgerEvidence(own, ledger.path, None, blobs)
        try:
            integrity.of_ledger(evidence, own, None, parts, progress)
        except ConfigError as error:
            parts[report.DATA].altered.append(Finding(error.code, ledger.path, error.message))
        trail_of(directory)(parts[report.AUDIT_TRAIL])
        is_whole = all(parts[name].status != report.FAILED for name in OF_LEDGER[:2])
        twins = [
            _twin(evidence, asset_id, names.get(asset_id), is_whole=is_whole)
            for asset_id in dict.fromkeys(ids)
        ]
    statuses = [item["status"] for item in twins]
    statuses += [parts[name].status for name in OF_LEDGER]
    return {
        "schema": "twin.audit-run/1",
        "status": next((word for word in _WORST if word in statuses), report.OK),
        "ledger": ledger.id,
        "parts": {name: report.part_document(parts[name]) for name in OF_LEDGER},
        "counts": {word: sum(item["status"] == word for item in twins) for word in _WORST},
        "twins": twins,
    }


def _twin(
    evidence: LedgerEvidence, asset_id: str, name: str | None, *, is_whole: bool
) -> AuditedTwin:
    parts = report.empty()
    if is_whole:
        workspace = nobody(EmbeddedClient(evidence.own))
        judge_said(workspace, evidence, below(workspace.client, asset_id), parts)
    else:
        said = "the ledger was altered, so what it says about the twin was not asked"
        parts[report.AUTHORITY].missing.append(Finding("damaged_ledger", asset_id, said))
    statuses = [parts[part].status for part in OF_TWIN]
    problems = [found for part in OF_TWIN for found in parts[part].altered]
    problems += [found for part in OF_TWIN for found in parts[part].missing]
    return {
        "schema": "twin.audited-twin/1",
        "asset_id": asset_id,
        "name": name,
        "status": next((word for word in _WORST if word in statuses), report.OK),
        "problem": report.problem_document(problems[0]) if problems else None,
        "parts": {part: report.part_document(parts[part]) for part in OF_TWIN},
    }


def junit(document: AuditRun) -> bytes:
    """Return a run as JUnit's XML, which CI systems show.

    A failure is what was altered; an error is what could not be told.
    """
    from xml.etree import ElementTree as ET

    suites = ET.Element("testsuites", name="twin audit")
    for name, parts in _suites(document):
        cases = [_case(name, part, found) for part, found in parts.items()]
        suite = ET.SubElement(suites, "testsuite", name=name, tests=str(len(cases)))
        for word, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(word, str(sum(case.find(tag) is not None for case in cases)))
        suite.extend(cases)
    made: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _suites(document: AuditRun) -> Iterator[tuple[str, dict[str, Any]]]:
    yield f"ledger {document['ledger'][:16]}", document["parts"]
    for item in document["twins"]:
        yield _printable(item["name"] or item["asset_id"]), item["parts"]


def _case(suite: str, name: str, part: dict[str, Any]) -> Any:
    from xml.etree import ElementTree as ET

    case = ET.Element("testcase", classname=suite, name=name)
    tags = {"failed": "failure", "undetermined": "error", "not_checked": "skipped"}
    tag = tags.get(part["status"])
    if tag is not None:
        inner = ET.SubElement(case, tag)
        lines = [f"{one['where']}: {one['message']} ({one['code']})" for one in part["problems"]]
        if lines:
            inner.set("message", _printable(lines[0]))
            inner.text = _printable("\n".join(lines))
    return case


def _printable(text: str) -> str:
    """Return a stranger's text without what XML cannot hold."""
    return "".join(
        letter
        if letter in "\n\t"
        or " " <= letter < "\ud800"
        or "\ue000" <= letter < "\ufffe"
        or letter > "\uffff"
        else "\ufffd"
        for letter in text
    )
