"""``twin bundle``: a car with streams, files, parts and a certificate goes into one file."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Invoke
from twincli.cli.main import main
from twincli.errors import InvalidError
from twincli.formats import bundle, pages
from twincli.services.proof.bundled import of_bundle, opened

FILE = "the report of an inspection\n"
PLAN = "where the safe is\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a home with a car in it, once."""
    place = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWIN_HOME", str(place / "home"))
        patch.setenv("TWIN_NO_PASSPHRASE", "1")
        patch.chdir(place)
        (place / "report.txt").write_text(FILE)
        (place / "old.txt").write_text("an older report\n")
        (place / "plan.txt").write_text(PLAN)
        readings = (
            {"timestamp": f"2024-{1 + day // 28:02}-{1 + day % 28:02}T00:00:00Z", "lat": day}
            for day in range(200)
        )
        (place / "gps.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in readings))
        for line in (
            "keys new alice",
            "keys new stranger",
            "asset create car --owner alice --make VW",
            "asset create engine --owner alice --parent car --power 90",
            "asset create house --owner alice --rooms 5",
            "file attach car report.txt old.txt",
            "file attach engine report.txt",
            "file attach house plan.txt",
            "file attach car plan.txt --key stranger --yes",
            "stream push car fuel --litres 12.5",
            "event add car accident --place Bonn --key stranger --yes",
            "asset append car --mileage 1200",
            "stream import car gps gps.jsonl",
        ):
            status = main([*line.split(), "--quiet"])
            assert status == 0, line
        yield place


@pytest.fixture
def home(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home with the car."""
    monkeypatch.setenv("TWIN_HOME", str(made / "home"))
    return made / "home"


def exported(invoke: Invoke, out: Path, *more: str) -> dict[str, Any]:
    run = invoke("bundle", "export", "car", "-o", str(out), "--json", *more)
    assert run.status == 0, run.stderr
    document: dict[str, Any] = run.json
    return document


def test_a_twin_goes_into_one_file(invoke: Invoke, tmp_path: Path) -> None:
    first, again = tmp_path / "car.twin", tmp_path / "again.twin"
    document = exported(invoke, first)
    assert document["left_out"] == []
    assert document["size"] == first.stat().st_size
    exported(invoke, again)
    assert first.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        said = [json.loads(line) for line in archive.read("transactions.jsonl").splitlines()]
        names = archive.namelist()
    ids = {tx["id"] for tx in said if tx["operation"] == "CREATE"}
    listed = {name: invoke("asset", "show", name, "--get", "id").stdout.strip() for name in TWINS}
    assert listed["car"] in ids
    assert listed["engine"] in ids
    assert listed["house"] not in ids
    # A stranger says that a file of the house is one of the car's: the word is there, not the file.
    assert any(tx["asset"].get("data", {}).get("twin", {}).get("says") == "file" for tx in said)
    assert PLAN.encode() not in first.read_bytes()
    assert any(tx["asset"].get("data", {}).get("twin", {}).get("says") == "event" for tx in said)
    assert sum(name.startswith("content/") for name in names) == document["contents"]
    with of_bundle(str(first)) as evidence:
        assert not evidence.faults
        assert len(list(evidence.transactions())) == document["transactions"]
        for name in names:
            if name.startswith("content/"):
                held = evidence.content(name.removeprefix("content/"))
                assert held is not None
                assert held.read()


TWINS = ("car", "engine", "house")


def test_streams_files_and_times_can_be_left_out(invoke: Invoke, tmp_path: Path) -> None:
    whole = exported(invoke, tmp_path / "whole.twin")
    none = exported(invoke, tmp_path / "none.twin", "--streams", "none", "--files", "none")
    assert none["transactions"] < whole["transactions"]
    assert {(item["what"], item.get("stream")) for item in none["left_out"]} >= {
        ("stream", "fuel"),
        ("stream", "gps"),
        ("file", None),
    }
    some = exported(invoke, tmp_path / "some.twin", "--streams", "fuel", "--files", "report.txt")
    assert [item.get("stream") for item in some["left_out"] if "stream" in item] == ["gps"]
    assert sum(item["what"] == "file" for item in some["left_out"]) == 1
    late = exported(invoke, tmp_path / "late.twin", "--since", "2025-01-01")
    assert late["transactions"] == whole["transactions"]
    (span,) = late["left_out"]
    assert (span["stream"], span["from"][:10]) == ("gps", "2024-01-01")
    early = exported(invoke, tmp_path / "early.twin", "--until", "2024-01-01")
    assert [item["stream"] for item in early["left_out"]] == ["gps"]
    page = invoke("bundle", "export", "car", "-o", str(tmp_path / "x.twin"), "--streams", "none")
    assert "left out: " in page.stderr


def test_content_that_is_not_here_is_said_to_be_missing(
    invoke: Invoke, tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made / "home", tmp_path / "home")
    monkeypatch.setenv("TWIN_HOME", str(tmp_path / "home"))
    cid = invoke("file", "list", "car", "--json").json["files"][0]["cid"]
    for path in (tmp_path / "home" / "content").rglob(cid):
        path.unlink()
    run = invoke("bundle", "export", "car", "-o", str(tmp_path / "car.twin"))
    assert run.status == 0
    assert "is not here" in run.stderr
    shown = invoke("bundle", "show", str(tmp_path / "car.twin"), "--json").json
    assert {"what": "missing", "cid": cid, "count": 1} in shown["left_out"]


def test_one_page_holds_the_bundle(invoke: Invoke, tmp_path: Path) -> None:
    plain, page = tmp_path / "car.twin", tmp_path / "car.html"
    exported(invoke, plain)
    document = exported(invoke, page)
    data = page.read_bytes()
    assert document["size"] == len(data)
    assert pages.extracted(data, "car.html") == plain.read_bytes()
    shown = invoke("bundle", "show", str(page), "--json").json
    assert shown["transactions"] == document["transactions"]
    assert shown["page"]["known"]
    for changed in (
        data.replace(b"<h1>", b"<h2>") if b"<h1>" in data else data + b" ",
        data[:-1],
        data.replace(pages.OPENING, pages.OPENING + b"\n"),
        data.replace(pages.OPENING + b"UEsD", pages.OPENING + b"UEs="),
        data.replace(pages.OPENING, b"<script>"),
    ):
        with pytest.raises(InvalidError) as caught:
            pages.extracted(changed, "car.html")
        assert caught.value.code == "damaged_bundle"


def test_an_altered_or_strange_page_in_a_bundle_is_a_fault(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "car.twin"
    exported(invoke, file)
    monkeypatch.setattr(pages, "known", frozenset)
    with of_bundle(str(file)) as evidence:
        assert [fault.code for fault in evidence.faults] == ["unknown_page"]
    monkeypatch.undo()
    data = file.read_bytes()
    file.write_bytes(data.replace(FILE.encode(), FILE.encode().replace(b"report", b"Report")))
    seen: list[tuple[int, int]] = []
    with of_bundle(str(file), lambda done, whole: seen.append((done, whole))) as evidence:
        (fault,) = evidence.faults
        assert fault.code == "altered_entry"
        assert fault.where.startswith("content/")
        assert evidence.content("bafkreif") is None
    assert seen[-1][0] == seen[-1][1]


def test_a_manifest_cannot_rename_the_twin(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "car.twin"
    exported(invoke, file)
    with opened(str(file)) as read:
        parts = [bundle.in_memory(name, read.read(name)) for name in read.places]
        about = read.manifest._replace(name="car without accidents")
    data = io.BytesIO()
    bundle.write(about, parts, data.write)
    file.write_bytes(data.getvalue())
    run = invoke("verify", str(file), "--json")
    assert (run.status, run.json["problem"]["code"]) == (3, "wrong_name")
    lines = next(part for part in parts if part.name == bundle.TRANSACTIONS)
    with lines.open() as stream:
        broken = stream.read().replace(b'"inputs":', b'"inputs";')
    parts[parts.index(lines)] = bundle.in_memory(bundle.TRANSACTIONS, broken)
    data = io.BytesIO()
    bundle.write(about, parts, data.write)
    file.write_bytes(data.getvalue())
    assert invoke("verify", str(file), "--json").json["problem"]["code"] == "invalid_json"
    pipe = tmp_path / "pipe.twin"
    os.mkfifo(pipe)
    assert invoke("bundle", "show", str(pipe), "--json").error["code"] == "cannot_read"


def test_show_needs_no_home(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "car.twin"
    document = exported(invoke, file)
    monkeypatch.setenv("TWIN_HOME", str(tmp_path / "nowhere"))
    run = invoke("bundle", "show", str(file))
    assert run.status == 0
    assert "nothing was verified" in run.stderr
    shown = invoke("bundle", "show", str(file), "--json").json
    drawn = invoke("bundle", "show", str(file), tty=True).stdout
    assert document["checkpoint"]["root"] in drawn.replace("\n", "").replace(" ", "")
    assert "of a release" in drawn
    assert shown["checkpoint"] == document["checkpoint"]
    assert shown["kinds"]["append"] == 1
    assert not (tmp_path / "nowhere").exists()
    assert invoke("bundle", "show", str(tmp_path / "no.twin"), "--json").error["code"] == "no_file"
    file.write_bytes(file.read_bytes()[:-1])
    assert invoke("bundle", "show", str(file), "--json").error["code"] == "damaged_bundle"
    assert invoke("bundle", "show", __file__, "--json").error["code"] == "not_a_bundle"


def test_diff_says_what_is_new(
    invoke: Invoke, tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made / "home", tmp_path / "home")
    monkeypatch.setenv("TWIN_HOME", str(tmp_path / "home"))
    old, new, other = (str(tmp_path / f"{name}.twin") for name in ("old", "new", "other"))
    exported(invoke, Path(old))
    run = invoke("bundle", "diff", old, old, "--json")
    assert (run.status, run.json["relation"], run.json["roots"]) == (0, "same", "same")
    for mileage in ("1300", "1400"):
        assert invoke("asset", "append", "car", "--mileage", mileage).status == 0
    exported(invoke, Path(new))
    run = invoke("bundle", "diff", old, new, "--json")
    assert (run.status, run.json["relation"], run.json["roots"]) == (0, "continues", "proved")
    assert [change["kind"] for change in run.json["added"]] == ["append", "append"]
    drawn = invoke("bundle", "diff", old, new, tty=True).stdout
    assert drawn.count("only in B") == 2
    back = invoke("bundle", "diff", new, old)
    assert back.status == 0
    assert "A goes on where B ends, with 2 new transactions" in back.stderr
    assert invoke("bundle", "export", "house", "-o", other).status == 0
    run = invoke("bundle", "diff", old, other, "--json")
    assert (run.status, run.json["relation"]) == (3, "different")
    drawn = invoke("bundle", "diff", old, other, tty=True).stdout
    assert "only in" not in drawn
    assert run.json["first"]["asset_id"][:40] in drawn
    # The other way from the same beginning.
    shutil.rmtree(tmp_path / "home")
    shutil.copytree(made / "home", tmp_path / "home")
    assert invoke("asset", "append", "car", "--mileage", "9").status == 0
    fork = str(tmp_path / "fork.twin")
    exported(invoke, Path(fork))
    run = invoke("bundle", "diff", new, fork, "--json")
    assert (run.status, run.json["relation"], run.json["roots"]) == (3, "diverged", "contradicted")
    assert run.json["contradictions"]
    assert "contradiction" in invoke("bundle", "diff", new, fork, tty=True).stdout


def test_bad_input_is_refused(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "car.twin")
    export = ("bundle", "export", "car", "-o", out)
    for more, code, status in (
        (("--streams", "gsp"), "not_found", 4),
        (("--files", "other.txt"), "not_found", 4),
        (("--streams", "a,,b"), "usage", 2),
        (("--since", "soon"), "bad_time", 2),
        (("--since", "2024-02-01", "--until", "2024-01-01"), "bad_time", 2),
        (("--key", "alice"), "usage", 2),
    ):
        run = invoke(*export, *more, "--json")
        assert (run.status, run.error["code"]) == (status, code), more
        assert not Path(out).exists()
    assert "gps" in invoke(*export, "--streams", "gsp").stderr
    assert invoke("bundle", "export", "car", "--json").error["hint"] == (
        "twin bundle export car -o car.twin"
    )
    assert invoke("bundle", "export", "boat", "-o", out).status == 4
    run = invoke(*export, "--dry-run", "--json")
    assert run.json["size"] > 0
    assert not Path(out).exists()
    Path(out).write_text("mine")
    assert invoke(*export, "--json").error["code"] == "exists"
    assert Path(out).read_text() == "mine"
    assert invoke("bundle", "export", "car", "-o", "-", "--json").status == 2
    monkeypatch.setenv("TWIN_HOME", str(tmp_path / "nowhere"))
    assert invoke("bundle", "export", "car", "-o", str(tmp_path / "x.twin")).status == 4


def test_a_bundle_and_its_page_verify_without_a_home(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    did = invoke("keys", "show", "alice", "--get", "did").stdout.strip()
    plain, page = tmp_path / "car.twin", tmp_path / "car.html"
    for file in (plain, page):
        exported(invoke, file)
    log = invoke("audit", "log", "car", "--json").json
    assert any("exported" in entry.values() for entry in log["entries"])
    monkeypatch.setenv("TWIN_HOME", str(tmp_path / "nowhere"))
    for file in (plain, page):
        run = invoke("verify", str(file), "--issuer", did, "--json")
        assert (run.status, run.json["status"]) == (0, "verified"), run.json["problem"]
        assert invoke("verify", str(file), "--json").json["status"] == "consistent"
    data = plain.read_bytes()
    for at in range(0, len(data), len(data) // 40):
        plain.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        run = invoke("verify", str(plain), "--issuer", did, "--json")
        assert (run.status, run.json["status"]) == (3, "failed"), at
    html = page.read_bytes()
    page.write_bytes(html.replace(pages.OPENING, pages.OPENING + b"A", 1))
    assert invoke("verify", str(page), "--json").json["status"] == "failed"
