"""``twin cert``: what is typed, what is printed, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Invoke
from twincli.crypto import data_integrity
from twincli.crypto.ed25519 import KeyPair
from twincli.model import credential, did
from twincli.services import documents

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "vc_data_integrity.json").read_text())


@pytest.fixture
def car(invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    monkeypatch.chdir(tmp_path)
    for name in ("alice", "lab", "stranger"):
        assert invoke("keys", "new", name).status == 0
    made = invoke(
        *("asset", "create", "car", "--owner", "alice", "--certifications", '["organic"]')
    )
    assert made.status == 0
    return invoke


def issued(run: Invoke, *more: str) -> dict[str, Any]:
    made = run(
        *("cert", "issue", "car", "--key", "lab", "--standard", "ISO-1", "--number", "L-1"),
        *("--type", "safety", "--issuer", "Test Lab", *more, "--json"),
    )
    assert made.status == 0, made.stderr
    found: dict[str, Any] = made.json
    return found


def test_a_twin_is_shown_with_its_certificates(
    car: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "certificates" not in car("asset", "show", "car", "--json").json
    issued(car)
    car("cert", "issue", "car", "--key", "alice", "--number", "A-1", "--issuer", "TUV")
    car("cert", "issue", "car", "--key", "lab", "--number", "L-2", "--valid-until", "2020-01-01")
    found = car("asset", "show", "car", "--json").json["certificates"]
    assert all(set(one) == set(documents.CertificateStanding.__annotations__) for one in found)
    assert [one["status"] for one in found] == ["valid", "valid", "expired"]
    run = car("asset", "show", "car", tty=True)
    said = "certified L-1 valid; A-1 self-declared; L-2 expired"
    assert said in " ".join(run.stdout.split())
    # To see a twin needs no more packages than to write one.
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "rfc8785", None)
        assert car("cert", "list", "car").status == 9
        plain = car("asset", "show", "car", "--json")
        assert plain.status == 0
        assert "certificates" not in plain.json
    # Anybody may say anything: what a page of it costs is bounded.
    monkeypatch.setattr("twincli.services.cert.standings.MOST", 1)
    assert "certificates" not in car("asset", "show", "car", "--json").json


def test_from_issuing_to_revoking(car: Invoke, tmp_path: Path) -> None:
    (tmp_path / "r.pdf").write_bytes(b"report")
    made = issued(car, "--attach", "r.pdf:report", "--valid-until", "2099-01-20")
    assert set(made) == set(documents.WrittenCertificate.__annotations__)
    assert (made["form"], made["certificate_form"], made["standing"]) == (
        *("statement", "issued"),
        None,
    )
    rows = car("cert", "list", "car", "--json").json["certificates"]
    assert all(set(row) == set(documents.CertificateItem.__annotations__) for row in rows)
    assert [(row["label"], row["form"]) for row in rows] == [
        ("L-1", "issued"),
        ("organic", "unproven"),
    ]
    shown = car("cert", "show", "car", "--number", "L-1", "--json").json
    assert [found["result"] for found in shown["checks"]] == ["passed"] * 3
    assert car("cert", "check", "car").status == 0
    out = car("cert", "export", "car", "--number", "L-1", "-o", "c.json", "--json")
    assert out.json["file"] == "c.json"
    assert json.loads((tmp_path / "c.json").read_text()) == shown["credential"]
    answer = car("cert", "verify", "c.json", "--json")
    assert (answer.status, answer.json["valid"], answer.json["status"]) == (0, True, "valid")
    assert set(answer.json) == set(documents.VerifiedCertificate.__annotations__)
    stranger = ("--key", "stranger", "--number", "L-1")
    assert car("cert", "revoke", "car", *stranger).status == 6
    done = car("cert", "revoke", "car", "--number", "L-1", "--reason", "withdrawn", "--json")
    assert done.json["body"]["revokes"] == made["transaction_id"]
    answer = car("cert", "verify", "c.json", "--json")
    assert (answer.status, answer.json["status"]) == (3, "revoked")
    assert "withdrawn" in answer.stdout
    checked = car("cert", "check", "--json")
    assert (checked.status, checked.json["ok"]) == (3, False)
    again = car("cert", "revoke", "car", "--number", "L-1", "--json")
    assert (again.status, again.error["code"]) == (5, "already_revoked")


def test_export_to_stdout_is_the_credential(car: Invoke) -> None:
    made = issued(car)
    run = car("cert", "export", "car")
    assert json.loads(run.stdout) == made["body"]["credential"]
    assert car("cert", "export", "car", "-o", "-").stdout == run.stdout
    assert car("cert", "export", "car", "--json").json["credential"] == json.loads(run.stdout)


def test_a_file_is_not_written_over(car: Invoke, tmp_path: Path) -> None:
    issued(car)
    (tmp_path / "c.json").write_text("mine")
    run = car("cert", "export", "car", "-o", "c.json", "--json")
    assert (run.status, run.error["code"]) == (5, "exists")
    assert (tmp_path / "c.json").read_text() == "mine"
    run = car("cert", "export", "car", "-o", "d.json", "--dry-run")
    assert run.status == 0
    assert not (tmp_path / "d.json").exists()


@pytest.mark.parametrize("form", [(), ("--json",), ("--jsonl",)])
def test_verify_needs_no_home(invoke: Invoke, home: Path, form: tuple[str, ...]) -> None:
    text = json.dumps(VECTORS["generated_jcs"]["vectors"][1]["signed"])
    run = invoke("cert", "verify", "-", *form, stdin=text)
    assert run.status == 0, run.stderr
    assert not home.exists()
    forged = text.replace("UL-2089", "UL-2090")
    assert forged != text
    run = invoke("cert", "verify", "-", *form, stdin=forged)
    assert run.status == 3
    assert "signature" in run.stdout
    if not form:
        lines = [line.split("\t")[0] for line in run.stdout.splitlines()[1:6]]
        assert lines == ["signature", "structure", "dates", "status", "issuer"]


def test_an_unreachable_list_is_undetermined(invoke: Invoke) -> None:
    pair = KeyPair.from_seed(b"x" * 32)
    url = "http://127.0.0.1:9/list"
    bare = {
        "@context": [credential.V2],
        "type": ["VerifiableCredential"],
        "issuer": did.key_did(pair.public_key),
        "credentialSubject": {"id": "urn:a:b"},
        "credentialStatus": {
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": "5",
            "statusListCredential": url,
        },
    }
    text = json.dumps(data_integrity.sign(bare, pair, "2026-01-01T00:00:00Z"))
    run = invoke("cert", "verify", "-", "--json", stdin=text)
    assert (run.status, run.json["valid"], run.json["status"]) == (11, None, "undetermined")
    assert "cannot be reached" in run.stdout
    expired = data_integrity.sign(
        {**bare, "validUntil": "2020-01-01T00:00:00Z"}, pair, "2020-01-01T00:00:00Z"
    )
    run = invoke("cert", "verify", "-", "--json", stdin=json.dumps(expired))
    assert (run.status, run.json["status"]) == (3, "expired")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[]", "not an object"),
        ('{"a": 1, "a": 2}', "occurs twice"),
        ("[" * 100_000, "levels deep"),
        ('{"a": 123456789012345678901234567890}', "beyond 2^53"),
        ('{"a": NaN}', "NaN"),
        ('{"a": "' + "x" * (1 << 19) + '"}', "more than"),
        ('{"a": "\\ud800"}', "surrogate"),
    ],
)
@pytest.mark.parametrize("words", [("verify",), ("add", "car")])
def test_files_that_are_not_credentials(
    car: Invoke, words: tuple[str, ...], text: str, why: str
) -> None:
    run = car("cert", *words, "-", "--json", stdin=text)
    assert (run.status, run.error["code"]) == (7, "invalid_credential")
    assert why in run.error["message"]
    assert run.error["message"].startswith("stdin: not a credential")


def test_a_file_that_is_not_there(car: Invoke) -> None:
    for words in (("verify",), ("add", "car")):
        run = car("cert", *words, "nothing.json", "--json")
        assert (run.status, run.error["code"]) == (4, "no_file")


@pytest.mark.parametrize("name", ["eddsa-jcs-2022", "eddsa-rdfc-2022"])
def test_credentials_of_others_are_added(car: Invoke, name: str) -> None:
    text = json.dumps(VECTORS[name]["signed"])
    added = car("cert", "add", "car", "-", "--key", "alice", "--json", stdin=text)
    assert added.status == 0
    assert added.json["certificate_form"] == "foreign"
    row = car("cert", "list", "car", "--json").json["certificates"][0]
    assert (row["form"], row["verified"], row["issuer"]) == (
        *("foreign", None),
        "https://vc.example/issuers/5678",
    )
    run = car("cert", "add", "car", "-", "--json", stdin=text.replace("Schools", "Schoools"))
    assert run.status in {0, 3}
    run = car("cert", "add", "car", "-", "--json", stdin=text.replace("School", "Skool"))
    assert (run.status, run.error["code"]) == (3, "bad_credential")
    assert run.stdout == ""


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("issue", "car"), 2, "usage"),
        (("issue", "nothing", "--standard", "A"), 4, "not_found"),
        (("issue", "car", "--standard", "A", "--bare"), 2, "usage"),
        (("issue", "car", "--standard", "A", "--valid-until", "x"), 2, "bad_time"),
        (("issue", "car", "--standard", "A", "--attach", "no.pdf"), 4, "no_file"),
        (("issue", "car", "--standard", "A", "--attach", ":x"), 2, "usage"),
        (("issue", "car", "--standard", "a\tb"), 7, "invalid_record"),
        (("issue", "car", "--standard", "A", "--key", "nobody"), 4, "not_found"),
        (("issue", "car", "--standard", "A", "--key", "alice", "--key", "lab"), 2, "usage"),
        (("list", "nothing"), 4, "not_found"),
        (("list",), 2, "usage"),
        (("show", "car"), 4, "not_found"),
        (("show", "car", "--number", "X"), 4, "not_found"),
        (("export", "car", "--number", "X"), 4, "not_found"),
        (("revoke", "car", "--number", "X"), 4, "not_found"),
        (("revoke", "car"), 2, "usage"),
        (("check", "car", "--within", "soon"), 2, "bad_time"),
        (("check", "car", "--as-of", "soon"), 2, "bad_time"),
        (("check", "car", "--issuer", "nobody"), 4, "not_found"),
        (("check", "nothing"), 4, "not_found"),
    ],
)
def test_mistakes(car: Invoke, words: tuple[str, ...], status: int, code: str) -> None:
    run = car("cert", *words, "--json")
    assert (run.status, run.error["code"]) == (status, code), run.stderr
    assert run.stdout == ""


def test_a_dry_run_says_what_it_would(car: Invoke) -> None:
    made = issued(car, "--dry-run")
    assert made["transaction_id"] is None
    assert car("cert", "list", "car", "--json").json["certificates"][0]["form"] == "unproven"


def test_to_be_signed_by_others(car: Invoke, tmp_path: Path) -> None:
    run = car(
        *("cert", "issue", "car", "--standard", "A", "--key", "alice", "--prepare", "c.tx"),
        "--json",
    )
    assert (run.status, run.json["schema"]) == (0, "twin.signing/1"), run.stderr
    assert (tmp_path / "c.tx").exists()
    assert car("tx", "submit", "c.tx", "--yes").status == 0
    assert car("cert", "show", "car", "--json").json["verified"] is True


def test_a_status_url_is_configured(car: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_STATUS_URL", "https://node.example")
    made = issued(car)
    entry = made["body"]["credential"]["credentialStatus"]
    assert entry["statusListCredential"].startswith("https://node.example/twin/v1/status/")
    monkeypatch.setenv("TWIN_STATUS_URL", "node.example")
    run = car("cert", "list", "car", "--json")
    assert (run.status, run.error["code"]) == (2, "usage")


def test_on_a_terminal(car: Invoke) -> None:
    issued(car, "--valid-until", "2099-01-20")
    for words in (("list", "car"), ("check", "car"), ("show", "car", "--number", "L-1")):
        run = car("cert", *words, tty=True)
        assert run.status == 0
        assert "L-1" in run.stdout
    assert car("cert", "list", "car", "--jsonl").stdout.count("\n") == 2


def test_without_certificates(car: Invoke) -> None:
    assert car("asset", "create", "box").status == 0
    run = car("cert", "list", "box")
    assert (run.status, run.stderr) == (0, "box has no certificates\n")
    assert car("cert", "check", "box", "--json").json["certificates"] == []


def test_the_other_word(car: Invoke) -> None:
    assert car("certificate", "list", "car").status == 0
