"""Digital Bazaar's suite of Verifiable Credentials, from npm, against our certificates.

Installing it needs the npm registry, so this runs in CI only (``pytest -m ci``).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import Invoke
from tests.node.running import Running, running
from tests.plugins.tools import require_tool
from twincli.crypto import data_integrity
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import InvalidError
from twincli.formats.credentials import proofs, rdf
from twincli.model import credential, did, status_list

pytestmark = pytest.mark.ci

PACKAGES = (
    "@digitalbazaar/vc@7.3.0",
    "@digitalbazaar/data-integrity@2.5.0",
    "@digitalbazaar/eddsa-jcs-2022-cryptosuite@1.0.0",
    "@digitalbazaar/eddsa-rdfc-2022-cryptosuite@1.3.0",
    "@digitalbazaar/ed25519-multikey@1.3.1",
    "@digitalbazaar/vc-bitstring-status-list@2.0.1",
)
SUITES = ("eddsa-jcs-2022", "eddsa-rdfc-2022")
LAB = KeyPair.from_seed(b"l" * 32)


class Suite:
    """The suite, which answers one command a line."""

    def __init__(self, node: str, directory: Path) -> None:
        script = Path(__file__).with_name("credentials.js")
        self.process = subprocess.Popen(
            [node, str(script), str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def ask(self, command: str, **given: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "failed" not in answer, answer
        return answer

    def verified(self, document: Any, **documents: Any) -> bool:
        answer = self.ask("verify", credential=document, documents=documents)
        return bool(answer["verified"])


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    node, npm = require_tool("node"), require_tool("npm")
    directory = tmp_path_factory.mktemp("npm")
    (directory / "package.json").write_text('{"private": true}')
    subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--silent", *PACKAGES],
        cwd=directory,
        check=True,
        timeout=300,
    )
    found = Suite(node, directory)
    yield found
    assert found.process.stdin is not None
    assert found.process.stdout is not None
    found.process.stdin.close()
    found.process.stdout.close()
    assert found.process.wait(30) == 0


@pytest.fixture
def car(invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    monkeypatch.chdir(tmp_path)
    for name in ("alice", "lab"):
        assert invoke("keys", "new", name).status == 0
    assert invoke("asset", "create", "car", "--owner", "alice").status == 0
    return invoke


def issued(run: Invoke, number: str, *more: str) -> dict[str, Any]:
    made = run(
        *("cert", "issue", "car", "--key", "lab", "--standard", "ISO-14001", "--type", "safety"),
        *("--number", number, "--issuer", "Prüflabor", *more, "--json"),
    )
    assert made.status == 0, made.stderr
    exported = run("cert", "export", "car", "--number", number)
    found: dict[str, Any] = json.loads(exported.stdout)
    assert found == made.json["body"]["credential"]
    return found


def test_it_verifies_what_we_issue(suite: Suite, car: Invoke, tmp_path: Path) -> None:
    (tmp_path / "r.pdf").write_bytes(b"report")
    plain = issued(car, "C-1")
    full = issued(
        *(car, "C-2", "--valid-from", "2024-01-20", "--valid-until", "2099-01-20"),
        *("--attach", "r.pdf:report"),
    )
    for document in (plain, full):
        assert suite.verified(document)
        for name, value in (
            ("validFrom", "2023-01-01T00:00:00Z"),
            ("credentialSubject", {**document["credentialSubject"], "standard": "ISO-14002"}),
            ("issuer", did.key_did(KeyPair.from_seed(b"x" * 32).public_key)),
            ("more", "x"),
        ):
            assert not suite.verified({**document, name: value})
    past = issued(car, "C-3", "--valid-from", "2020-01-20", "--valid-until", "2021-01-20")
    assert not suite.verified(past)


@pytest.mark.parametrize("name", SUITES)
def test_we_add_what_it_issues(suite: Suite, car: Invoke, name: str) -> None:
    bare = {
        "@context": [credential.V2, credential.TERMS],
        "type": ["VerifiableCredential", "Certificate"],
        "validFrom": "2024-01-20T00:00:00Z",
        "credentialSubject": {
            "id": "urn:serial:5",
            "certificateNumber": "F-1",
            "standard": "CE",
            "measured": [1.5, 1e21, -0.0, 333333333.33333329, {"é": "\u20ac\n"}],
        },
    }
    created = "2024-01-20T00:00:00Z"
    made = suite.ask(
        "issue", credential=bare, cryptosuite=name, seed=LAB.seed.hex(), created=created
    )
    assert suite.verified(made)
    text = json.dumps(made)
    assert car("cert", "verify", "-", stdin=text).status == 0
    added = car("cert", "add", "car", "-", "--json", stdin=text)
    assert (added.status, added.json["number"]) == (0, "F-1"), added.stderr
    row = car("cert", "show", "car", "--json").json
    assert (row["form"], row["verified"], row["standard"]) == ("foreign", True, "CE")
    # What comes out of the ledger is still what was signed.
    assert suite.verified(json.loads(car("cert", "export", "car").stdout))
    forged = text.replace('"CE"', '"UL"')
    assert car("cert", "verify", "-", stdin=forged).status == 3
    assert car("cert", "add", "car", "-", stdin=forged).status == 3
    if name == data_integrity.JCS:
        mine = data_integrity.sign({**bare, "issuer": made["issuer"]}, LAB, created)
        assert mine == made


def test_a_certificate_has_a_graph_as_well(suite: Suite, car: Invoke) -> None:
    """Every member is defined, so issuers with other cryptosuites can sign the same."""
    document = issued(car, "C-1")
    bare = {name: value for name, value in document.items() if name not in {"proof", "issuer"}}
    made = suite.ask(
        "issue",
        credential=bare,
        cryptosuite=data_integrity.RDFC,
        seed=LAB.seed.hex(),
        created="2026-01-20T00:00:00Z",
    )
    assert proofs.is_right(made) is True
    graph = {name: value for name, value in made.items() if name != "proof"}
    assert b"ISO-14001" in rdf.canonical(graph)


def test_status_lists_of_ours(
    suite: Suite, car: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "served") as node:
        monkeypatch.setenv("TWIN_NODE", node.url)
        assert car("asset", "create", "car", "--owner", "alice").status == 0
        document = issued(car, "C-1")
        url = document["credentialStatus"]["statusListCredential"]

        def status() -> list[bool]:
            found = served(node, url)
            answer = suite.ask("verify", credential=document, documents={url: found})
            assert answer["verified"], answer
            listed: list[bool] = answer["status"]
            return listed

        assert status() == [False]
        assert suite.verified(served(node, url))
        assert car("cert", "revoke", "car", "--number", "C-1", "--key", "lab").status == 0
        assert status() == [True]
        monkeypatch.delenv("TWIN_NODE")
        run = car("cert", "verify", "-", "--json", stdin=json.dumps(document))
        assert (run.status, run.json["status"]) == (3, "revoked")


def served(node: Running, url: str) -> Any:
    answer = node.get(url.removeprefix(node.url))
    assert answer.status == 200
    return answer.json


@pytest.mark.parametrize("revoked", [[], [0], [94567], [5, 131071]])
def test_status_lists_of_theirs(suite: Suite, revoked: list[int]) -> None:
    url = "https://issuer.example/lists/1"
    made = suite.ask("list", url=url, revoked=revoked, length=131072)
    for bit in (0, 5, 94567, 131071):
        entry = status_list.Entry("revocation", bit, url)
        assert status_list.is_set(made["credentialSubject"], entry) is (bit in revoked)


def whole(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


SAMPLE = whole(
    data_integrity.sign(
        credential.Draft(
            "did:bdb:" + "0" * 64, "safety", "ISO-é", "N-1", "Lab", None, 0, 4_000_000_000_000
        ).credential("urn:uuid:1", did.key_did(LAB.public_key)),
        LAB,
        "2026-01-01T00:00:00Z",
    )
)


@settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.generate],
)
@given(at=st.integers(0, len(SAMPLE) - 1), byte=st.integers(0, 255))
def test_any_changed_byte_is_refused_by_both(suite: Suite, at: int, byte: int) -> None:
    changed = SAMPLE[:at] + bytes([byte]) + SAMPLE[at + 1 :]
    if changed == SAMPLE:
        return
    try:
        ours: bool | None = proofs.is_right(credential.read(changed))
    except InvalidError:
        ours = False
    assert ours is not True
    try:
        document = json.loads(changed)
    except ValueError:
        return  # JavaScript does not read it either, and never gets as far
    assert not (isinstance(document, dict) and suite.verified(document))


def test_the_sample_is_right(suite: Suite) -> None:
    assert proofs.is_right(json.loads(SAMPLE)) is True
    assert suite.verified(json.loads(SAMPLE))
