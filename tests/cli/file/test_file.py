"""``twin file``: attaching, listing, fetching, checking."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke
from twincli.content import car
from twincli.crypto import cid

PDF = b"%PDF-1.4 a quality certificate\n"


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("keys", "new", "bob", "--no-passphrase")
    run("asset", "create", "car", "--wheels", "4")
    return run


@pytest.fixture
def pdf(tmp_path: Path) -> str:
    path = tmp_path / "quality.pdf"
    path.write_bytes(PDF)
    return str(path)


def stored(home: Path, text: str = "") -> list[Path]:
    return [path for path in (home / "content").rglob(f"*{text}") if path.is_file()]


def test_a_file_is_attached_and_comes_back(
    twin: Twin, invoke: Invoke, pdf: str, home: Path, tmp_path: Path
) -> None:
    words = ("--type", "quality-certificate", "--issuer", "QA", "--valid-until", "2025-01-15")
    made = twin("file", "attach", "car", pdf, *words)
    (file,) = made["files"]
    assert file["cid"] == cid.of(PDF).text
    assert file["created"]
    assert made["standing"] == "authorised"
    (path,) = stored(home)
    assert path.read_bytes() == PDF
    (listed,) = twin("file", "list", "car")["files"]
    for key, value in {
        "name": "quality.pdf",
        "type": "quality-certificate",
        "issuer": "QA",
        "size": len(PDF),
        "valid_until": "2025-01-15",
        "profile": "raw-leaves-256k",
        "here": True,
    }.items():
        assert listed[key] == value
    assert twin("file", "list")["files"] == [listed]
    said = twin("tx", "show", made["transaction_id"])["transaction"]["metadata"]["twin"]
    schema = json.loads((resources.files("twincli") / "model/schemas/file.json").read_text())
    jsonschema_rs.validate(schema, said)
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema, {**said, "body": {**said["body"], "size": "31"}})
    again = tmp_path / "again.pdf"
    for wanted in (file["cid"], "quality.pdf"):
        twin("file", "get", "car", wanted, "-o", str(again))
        assert again.read_bytes() == PDF
        assert invoke("file", "get", "car", wanted, "-o", str(again)).status == 5
        again.unlink()
    assert invoke("file", "get", file["cid"]).stdout.encode() == PDF
    state = twin("asset", "show", "car")["state"]
    assert state == {}
    (entry,) = [item for item in twin("history", "car")["transactions"] if item["kind"] == "file"]
    assert entry["id"] == made["transaction_id"]


def test_the_same_said_twice_is_said_once(twin: Twin, pdf: str) -> None:
    first = twin("file", "attach", "car", pdf)
    again = twin("file", "attach", "car", pdf)
    assert (again["created"], again["existing"]) == (0, 1)
    assert again["transaction_id"] == first["transaction_id"]
    other = twin("file", "attach", "car", pdf, "--type", "photo")
    assert other["created"] == 1
    assert len(twin("file", "list", "car")["files"]) == 2


def test_many_files_at_once(twin: Twin, home: Path, tmp_path: Path) -> None:
    paths = []
    for number in range(40):
        path = tmp_path / f"photo-{number}.jpg"
        path.write_bytes(b"%d" % (number // 2))  # each content twice
        paths.append(str(path))
    made = twin("file", "attach", "car", *paths, "--type", "photo")
    assert made["created"] == 40
    assert len(stored(home)) == 20
    assert len({item["transaction_id"] for item in made["files"]}) == 40
    again = twin("file", "attach", "car", *paths, "--type", "photo")
    assert (again["created"], again["existing"]) == (0, 40)
    assert len(twin("file", "list", "car")["files"]) == 40
    assert twin("file", "check", "car")["ok"] == 20
    dry = twin("file", "attach", "car", *paths, "--dry-run")
    assert dry["created"] == 40
    assert {item["transaction_id"] for item in dry["files"]} == {None}


def test_altered_and_missing_are_never_mixed_up(
    twin: Twin, invoke: Invoke, pdf: str, home: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"other")
    (one, two) = twin("file", "attach", "car", pdf, str(other))["files"]
    out = tmp_path / "out"
    (path,) = stored(home, one["cid"])
    path.write_bytes(PDF + b"x")
    for words in (("check", "car"), ("check",)):
        run = invoke("file", *words, "--json")
        assert run.status == 3
        assert run.json["status"] == "altered"
        assert {item["status"] for item in run.json["files"]} == {"altered", "ok"}
    places: tuple[tuple[str, ...], ...] = (("-o", str(out)), ())
    for place in places:
        run = invoke("file", "get", "car", "quality.pdf", *place)
        assert run.status == 3
        assert "altered" in run.stderr
        assert run.stdout == ""
        assert not out.exists()
    assert [item for item in os.listdir(tmp_path) if item.startswith(".")] == []
    (gone,) = stored(home, two["cid"])
    gone.unlink()
    assert invoke("file", "check", "car").status == 3  # altered wins over missing
    path.unlink()
    run = invoke("file", "check", "car", "--json")
    assert run.status == 11
    assert run.json["missing"] == 2
    run = invoke("file", "get", "car", "quality.pdf", "-o", str(out), "--json")
    assert run.status == 11
    assert json.loads(run.stderr)["error"]["code"] == "missing_content"
    assert not out.exists()
    twin("file", "attach", "car", pdf)  # brings the content back, says nothing twice
    twin("file", "get", "car", "quality.pdf", "-o", str(out))
    assert out.read_bytes() == PDF


def test_what_strangers_attach_counts_for_nothing(
    twin: Twin, invoke: Invoke, pdf: str, tmp_path: Path
) -> None:
    made = twin("file", "attach", "car", pdf, "--key", "bob")
    assert made["standing"] == "unauthorised"
    assert made["form"] == "statement"
    assert made["warnings"]
    again = twin("file", "attach", "car", pdf, "--key", "bob")
    assert again["existing"] == 1
    (listed,) = twin("file", "list", "car")["files"]
    assert listed["standing"] == "unauthorised"
    assert twin("file", "check", "car")["files"] == []
    assert invoke("file", "get", "car", "quality.pdf", "-o", str(tmp_path / "o")).status == 5
    twin("file", "get", "car", listed["cid"], "-o", str(tmp_path / "o"))


@pytest.mark.parametrize(
    "name",
    ["../../escape", "/etc/passwd", "a\nb", "con", "..", "", "x" * 5000, "\x1b[31m", "a\u202eb"],
)
def test_the_name_of_a_stranger_is_never_a_path(
    twin: Twin, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    body = {"cid": cid.of(PDF).text, "size": "many", "name": name, "profile": 7}
    (tmp_path / "x").write_bytes(PDF)
    twin("file", "attach", "car", "./x")
    data = {"twin": {"v": 1, "kind": "statement", "about": "", "says": "file", "body": body}}
    data["twin"]["about"] = twin("asset", "show", "car")["id"]
    _create(invoke, data)
    before = sorted(tmp_path.rglob("*"))
    run = invoke("file", "list", "car")
    assert run.status == 0
    assert "\x1b" not in run.stdout
    listed = twin("file", "list", "car")["files"]
    assert any(item["name"] == name for item in listed)
    assert invoke("file", "get", "car", name or "?").status in {2, 4, 5}
    assert sorted(tmp_path.rglob("*")) == before


def _create(invoke: Invoke, data: dict[str, Any]) -> None:
    """Put a CREATE on the ledger that says anything."""
    from twincli.crypto import ed25519
    from twincli.model import owners, transaction

    key = ed25519.KeyPair.from_seed(bytes(32))
    details = owners.of_keys([key.public_key])
    tx = transaction.sign(
        transaction.create([key.public_key], [transaction.Output(details, 1)], data, None), [key]
    )
    run = invoke("tx", "submit", "-", stdin=json.dumps(tx))
    assert run.status == 0, run.stderr


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("attach", "car", "no-such-file"), 4),
        (("attach", "car", "-"), 2),
        (("attach", "car", "."), 9),
        (("attach", "boat", "FILE"), 4),
        (("attach", "car"), 2),
        (("attach", "car", "FILE", "--valid-until", "soon"), 2),
        (("attach", "car", "FILE", "--valid-until", "2025-02-30"), 2),
        (("attach", "car", "FILE", "--type", ""), 2),
        (("attach", "car", "FILE", "--issuer", "a\nb"), 2),
        (("attach", "car", "FILE", "--bare"), 2),
        (("attach", "car", "FILE", "FILE", "--prepare", "x.tx"), 2),
        (("attach", "car", "FILE", "--profile", "other"), 2),
        (("attach", "car", "broken.car"), 7),
        (("get", "car", "nothing"), 4),
        (("get", "nothing"), 2),
        (("get", "a", "b", "c"), 2),
        (("get", "car", "quality.pdf", "--json"), 2),
        (("list", "boat"), 4),
        (("check", "boat"), 4),
        (("pin", "car", "--kubo", "http://127.0.0.1:9"), 8),
        (("pin", "boat"), 4),
    ],
)
def test_refused(
    twin: Twin,
    invoke: Invoke,
    pdf: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    status: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.car").write_bytes(b"\x3anot a car")
    twin("file", "attach", "car", pdf)
    before = twin("history", "car")
    run = invoke("file", *(pdf if word == "FILE" else word for word in words))
    assert run.status == status, run.stderr
    assert twin("history", "car") == before


def test_a_car_is_the_file_in_it(twin: Twin, tmp_path: Path) -> None:
    data = os.urandom(700_000)
    (tmp_path / "map.png").write_bytes(data)
    for profile in cid.PROFILES:
        (made,) = twin("file", "attach", "car", str(tmp_path / "map.png"), "--profile", profile)[
            "files"
        ]
        out = tmp_path / f"{profile}.png.car"
        twin("file", "get", "car", made["cid"], "-o", str(out))
        (again,) = twin("file", "attach", "car", str(out))["files"]
        assert again["cid"] == made["cid"]
        assert again["profile"] == profile
        assert again["name"] == f"{profile}.png"
    assert twin("file", "check", "car")["status"] == "ok"


def test_no_file_is_said(twin: Twin, invoke: Invoke) -> None:
    run = invoke("file", "list", "car")
    assert (run.status, run.stderr) == (0, "car has no files\n")
    assert twin("file", "list")["files"] == []
    assert invoke("file", "pin", "car").stderr == "car has no files\n"


def test_faults_name_the_file_as_it_was_given(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "map.png.car"
    path.write_bytes(b"this is a map")
    run = invoke("file", "attach", "car", str(path))
    assert run.status == 7
    assert f"{path}: this is not a CAR" in run.stderr
    path.write_bytes(PDF)
    twin("file", "attach", "car", str(path.rename(tmp_path / "map.png")))
    run = invoke("file", "pin", "car", "--kubo", "http://127.0.0.1:1")
    assert run.status == 8
    assert "127.0.0.1:1 failed: connection refused\n" in run.stderr
    assert "ipfs daemon" in run.stderr


def test_a_car_made_with_other_settings_is_warned_of(twin: Twin, tmp_path: Path) -> None:
    data = os.urandom(5000)
    other = cid.Profile("small", 1000, 3)
    with (tmp_path / "x.png.car").open("wb") as out:
        root, _ = car.write(io.BytesIO(data), other, out.write)
    made = twin("file", "attach", "car", str(tmp_path / "x.png.car"))
    (found,) = made["files"]
    assert found["cid"] == cid.of(data).text
    (warning,) = made["warnings"]
    assert found["cid"] in warning
    assert root.text in warning


def test_a_stranger_is_asked_before_a_file_is_written(
    twin: Twin,
    invoke: Invoke,
    pdf: str,
    terminal: Callable[[str], Callable[[], str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("twincli.cli.context.is_terminal", lambda _stream: True)
    twin("keys", "new", "stranger", "--no-passphrase")
    (tmp_path / "b.txt").write_text("b")
    before = twin("history", "car")
    said = terminal("n\n")
    words = ("file", "attach", "car", pdf, str(tmp_path / "b.txt"), "--key", "stranger")
    assert invoke(*words, tty=True).status == 1
    assert "unauthorised" in said()
    assert twin("file", "list", "car")["files"] == []
    assert twin("history", "car") == before
    terminal("y\n")
    assert invoke(*words, tty=True).status == 0
    assert len(twin("file", "list", "car")["files"]) == 2


def test_a_token_of_ones_own(twin: Twin, invoke: Invoke, pdf: str) -> None:
    first = twin("file", "attach", "car", pdf, "--once", "a")
    assert twin("file", "attach", "car", pdf, "--once", "a")["existing"] == 1
    run = invoke("file", "attach", "car", pdf, "--type", "other", "--once", "a")
    assert run.status == 5
    assert twin("file", "attach", "car", pdf)["created"] == 1
    assert first["created"] == 1


def test_eight_processes_attach_the_same(twin: Twin, pdf: str, home: Path) -> None:
    words = [sys.executable, "-m", "twincli", "file", "attach", "car", pdf, "--json"]
    environment = {**os.environ, "TWIN_HOME": str(home)}
    runs = [
        subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(8)
    ]
    made = []
    for run in runs:
        out, err = run.communicate(timeout=60)
        assert run.returncode == 0, err
        made.append(json.loads(out))
    assert len({item["transaction_id"] for item in made}) == 1
    assert len(twin("file", "list", "car")["files"]) == 1
    assert len(stored(home)) == 1


def test_a_full_disk_behind_stdout(twin: Twin, home: Path, tmp_path: Path) -> None:
    for size in (5, 3_000_000):
        (tmp_path / f"f{size}").write_bytes(bytes(size))
        twin("file", "attach", "car", str(tmp_path / f"f{size}"))
        with open("/dev/full", "wb") as full:
            run = subprocess.run(
                [sys.executable, "-m", "twincli", "file", "get", "car", f"f{size}"],
                env={**os.environ, "TWIN_HOME": str(home)},
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert run.returncode == 1
        assert run.stderr == b"twin: error: the output cannot be written: no space left on device\n"


def test_a_full_disk(twin: Twin, home: Path, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(3_000_000))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    run = subprocess.run(
        [sys.executable, "-m", "twincli", "file", "attach", "car", str(large)],
        env={**os.environ, "TWIN_HOME": str(home)},
        preexec_fn=limit,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 9
    assert b"cannot write" in run.stderr
    assert b"Traceback" not in run.stderr
    assert stored(home) == []
    assert twin("file", "list", "car")["files"] == []


@pytest.mark.ci
def test_killed_anywhere(twin: Twin, invoke: Invoke, home: Path, tmp_path: Path) -> None:
    """Whatever is on the ledger is stored, and what is stored is whole."""
    paths = []
    for number in range(60):
        path = tmp_path / f"f{number}"
        path.write_bytes(os.urandom(1 << (number % 20)))
        paths.append(str(path))
    words = [sys.executable, "-m", "twincli", "file", "attach", "car", *paths]
    environment = {**os.environ, "TWIN_HOME": str(home)}
    for point in range(50):
        run = subprocess.Popen(
            words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(0.1 + point * 0.012)
        run.kill()
        run.wait()
        assert invoke("file", "check", "--json").json["status"] == "ok"
        listed = twin("file", "list", "car")["files"]
        assert all(item["here"] for item in listed)
        if len(listed) % 60 == 0:  # all of them: the next run brings others
            for number, name in enumerate(paths):
                Path(name).write_bytes(os.urandom(20 + (1 << (number % 20))))
    twin("file", "attach", "car", *paths)
    count = len(twin("file", "list", "car")["files"])
    assert count % 60 == 0
    assert twin("file", "check", "car")["ok"] == count
    # What was stored and never said, as its file was altered after the kill, is whole, too.
    assert twin("file", "check")["ok"] >= count
