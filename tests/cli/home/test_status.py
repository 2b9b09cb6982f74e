"""``twin status`` and ``twin doctor``: before there is a home, and after."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import garage, quietly
from tests.conftest import Invoke
from twincli import __version__
from twincli.content.store import Blobs
from twincli.services.home.doctor import Place, doctor

STATUS = [
    "schema",
    "version",
    "home",
    "exists",
    "ledger",
    "default_key",
    "keys",
    "agent",
    "unpushed",
    "network",
]


def test_status_before_there_is_a_home(invoke: Invoke, home: Path) -> None:
    run = invoke("status", "--json")
    assert (run.status, run.stderr) == (0, "")
    assert list(run.json) == STATUS
    assert run.json == {
        "schema": "twin.status/1",
        "version": __version__,
        "home": str(home),
        "exists": False,
        "ledger": None,
        "default_key": None,
        "keys": [],
        "agent": {"running": False, "keys": [], "problem": None},
        "unpushed": [],
        "network": None,
    }
    assert "no twin home" in invoke("status").stderr
    assert not home.exists()


def test_status_step_by_step(invoke: Invoke, home: Path) -> None:
    home.mkdir()
    assert "there is no key yet" in invoke("status").stderr
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    assert "no ledger yet" in invoke("status").stderr
    assert twin("status")["ledger"] is None
    made = twin("asset", "create", "car")
    document = twin("status")
    assert document["ledger"] == {
        "id": made["ledger"],
        "path": str(home / "ledger" / "ledger.db"),
        "height": 1,
        "transactions": 1,
        "assets": 1,
    }
    assert (document["default_key"], document["keys"]) == ("alice", ["alice"])
    twin("keys", "new", "bob", "--no-passphrase")
    twin("config", "set", "key", "bob")
    assert twin("status")["default_key"] == "bob"
    rows = dict(line.split("\t") for line in invoke("status").stdout.splitlines())
    assert rows["keys"] == "alice,bob"
    assert rows["transactions"] == "1"


# --- doctor ------------------------------------------------------------------------------------


def checks(invoke: Invoke, *words: str, status: int = 0) -> dict[str, dict[str, Any]]:
    run = invoke("doctor", *words, "--json")
    assert (run.status, run.stderr) == (status, "")
    assert list(run.json) == ["schema", "ok", "checks"]
    assert run.json["schema"] == "twin.doctor/1"
    assert run.json["ok"] == (status == 0)
    found = run.json["checks"]
    assert all(list(check) == ["name", "ok", "message", "hint"] for check in found)
    return {check["name"]: check for check in found}


def test_doctor_before_there_is_a_home(invoke: Invoke, home: Path) -> None:
    found = checks(invoke)
    assert {"python", "libsodium", "sqlite", "fts5", "bigchaindb-driver", "home"} <= set(found)
    assert found["home"]["ok"] is None
    assert found["libsodium"]["ok"] is True
    assert not home.exists()


def test_doctor_in_a_healthy_home(invoke: Invoke) -> None:
    garage(invoke)
    for words in ([], ["--full"]):
        found = checks(invoke, *words)
        assert {check["ok"] for check in found.values()} <= {True, None}
        assert {"key alice", "key bob", "names", "ledger", "schema", "ledger key"} <= set(found)
        assert "7" in found["transactions"]["message"]
    assert "all" in invoke("doctor").stdout
    text = invoke("doctor", "--color", "never", tty=True).stdout
    assert "transactions" in text
    head = invoke("doctor").stdout.splitlines()[0]
    assert head == "ok\tname\tmessage\thint"


def test_doctor_finds_a_key_that_others_can_read(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    (key,) = (home / "keys").glob("alice*")
    os.chmod(key, 0o644)
    found = checks(invoke, status=3)
    assert found["keys"]["ok"] is False
    assert "alice" in found["keys"]["message"]
    os.chmod(key, 0o600)
    os.chmod(home, 0o755)
    found = checks(invoke, status=3)
    assert found["home permissions"]["hint"] == f"chmod 700 {home}"


def test_doctor_finds_a_changed_transaction(invoke: Invoke, home: Path) -> None:
    made = garage(invoke)
    connection = sqlite3.connect(home / "ledger" / "ledger.db")
    connection.execute("UPDATE tx SET body = replace(body, ':1200,', ':1300,')")
    connection.commit()
    connection.close()
    for words in ([], ["--full"]):
        found = checks(invoke, *words, status=3)
        assert found["transactions"]["ok"] is False
        assert made["first"]["transaction_id"] in found["transactions"]["message"]


def test_doctor_finds_damage(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    (home / "ledger" / "ledger.key").unlink()
    (home / "keys" / ".new-0123012301230123").write_text("")
    found = checks(invoke, status=3)
    assert found["ledger key"]["ok"] is False
    assert found["leftovers"]["ok"] is None
    (home / "ledger" / "ledger.db").write_text("a letter\n" * 2000)
    (home / "book.db").write_text("another letter\n" * 2000)
    found = checks(invoke, status=3)
    assert found["ledger"]["ok"] is False
    assert found["names"]["ok"] is False


def test_doctor_finds_a_clock_that_is_behind(
    invoke: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    garage(invoke)

    def look(now_ms: int) -> Any:
        place = Place(str(home / "ledger"), str(home), str(home / "keys"), str(home / "book.db"))
        return doctor(place, now_ms=now_ms)

    document = look(1_000)
    clock = next(check for check in document["checks"] if check["name"] == "clock")
    assert clock["ok"] is False
    assert document["ok"] is False
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    document = look(4_000_000_000_000)
    driver = next(check for check in document["checks"] if check["name"] == "bigchaindb-driver")
    assert driver["ok"] is True  # an extra that nobody asked for
    assert "pip install" in driver["hint"]
    assert document["ok"] is True


def test_doctor_with_a_ledger_elsewhere(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    run = invoke("doctor", "--full", "--node", f"file:{tmp_path / 'none'}", "--json")
    assert (run.status, run.error["code"]) == (4, "no_ledger")
    garage(invoke)
    root = quietly(invoke)("ledger", "info")["root"]
    checks(invoke)  # moves the log into the file
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    copy = evidence / "copy.db"
    copy.write_bytes((home / "ledger" / "ledger.db").read_bytes())
    shutil.rmtree(home)
    found = checks(invoke, "--full", "--root", root, "--node", f"file:{copy}")
    assert {check["ok"] for check in found.values()} == {True}
    assert set(found) >= {"transactions", "root"}
    assert not set(found) & {"home", "keys", "names", "ledger key"}
    assert [path.name for path in evidence.iterdir()] == ["copy.db"]
    other = "00" * 32
    found = checks(invoke, "--full", "--root", other, "--node", f"file:{copy}", status=3)
    assert found["root"]["ok"] is False
    assert other in found["root"]["message"]
    listed = invoke("asset", "list", "--all", "--node", f"file:{copy}", "--json")
    assert listed.status == 0
    assert len(listed.json["assets"]) == 2
    assert [path.name for path in evidence.iterdir()] == ["copy.db"]
    assert not home.exists()


@pytest.mark.parametrize("words", [["--root", "00" * 32], ["--full", "--root", "abc"]])
def test_a_root_is_64_digits_and_stands_for_all(invoke: Invoke, words: list[str]) -> None:
    assert invoke("doctor", *words, "--json").status == 2


def test_an_earlier_root_is_found(invoke: Invoke) -> None:
    garage(invoke)
    root = quietly(invoke)("ledger", "info")["root"]
    quietly(invoke)("asset", "append", "car", "--mileage", "2000")
    assert "height" in checks(invoke, "--full", "--root", root)["root"]["message"]


def test_doctor_ends_with_a_verdict(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    assert "in order" in invoke("doctor").stderr.splitlines()[-1]
    (home / "ledger" / "ledger.key").unlink()
    verdict = invoke("doctor").stderr.splitlines()[-1]
    assert verdict.startswith("1 of ")
    assert verdict.endswith("checks failed: ledger key")


def test_doctor_reads_content(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    garage(invoke)
    car = invoke("asset", "list", "--json").json["assets"][0]["name"]
    for name in ("one", "two", "three"):
        (tmp_path / name).write_text(name)
    paths = [str(tmp_path / name) for name in ("one", "two", "three")]
    attached = invoke("file", "attach", car, *paths, "--json").json["files"]
    one, two, three = (next((home / "content").rglob(file["cid"])) for file in attached)
    assert checks(invoke, "--full")["content"]["message"].endswith(": 3")
    one.unlink()
    found = checks(invoke, "--full")
    assert found["content"]["message"].endswith(": 2")
    assert found["missing content"]["ok"] is None
    assert f"(one of {car})" in found["missing content"]["message"]
    assert invoke("doctor", "--full").stderr.endswith("but content is missing\n")
    assert "in order" in invoke("doctor").stderr
    two.unlink()
    os.mkfifo(two)
    found = checks(invoke, "--full", status=3)
    assert found["content"]["message"].startswith("1 of 3 files")
    assert two.name in found["content"]["message"]
    assert invoke("file", "check").status == 3
    two.unlink()
    three.write_text("threw")
    found = checks(invoke, "--full", status=3)
    assert three.name in found["content"]["message"]
    assert "not read" in checks(invoke)["content"]["message"]


def test_doctor_reads_content_that_no_ledger_names(invoke: Invoke, home: Path) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    Blobs(str(home / "content")).put(io.BytesIO(b"left"))
    assert checks(invoke, "--full")["content"]["ok"]
    (home / "ledger").mkdir(exist_ok=True)
    (home / "ledger" / "ledger.db").write_text("a letter\n" * 2000)
    found = checks(invoke, "--full", status=3)
    assert found["content"]["ok"]
    assert found["files of twins"]["ok"] is None
    (home / "content").rename(home / "moved")
    (home / "content").write_text("")
    for words in ([], ["--full"]):
        assert checks(invoke, *words, status=3)["content"]["ok"] is False


def test_doctor_says_how_far_it_has_read(home: Path) -> None:
    blobs = Blobs(str(home / "content"))
    for text in (b"one", bytes(3 << 20)):
        blobs.put(io.BytesIO(text))
    place = Place(str(home / "ledger"), str(home), str(home / "keys"), content=blobs.directory)
    told: list[tuple[int, int]] = []
    doctor(place, now_ms=0, full=True, reading=lambda done, total: told.append((done, total)))
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == (3 + (3 << 20), 3 + (3 << 20))


def test_doctor_finds_an_index_that_lies(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    quietly(invoke)("ledger", "reindex")
    assert checks(invoke, "--full")["index"]["ok"]
    with closing(sqlite3.connect(home / "ledger" / "index.db")) as connection:
        connection.execute("UPDATE stated SET value = 'bus' WHERE name = 'kind'")
        connection.commit()
    assert checks(invoke)["index"]["ok"]
    found = checks(invoke, "--full", status=3)["index"]
    assert found["message"].startswith("index.db: damaged_index: what assets state")
    assert found["hint"] == "twin ledger reindex"
    quietly(invoke)("ledger", "reindex")
    assert checks(invoke, "--full")["index"]["ok"]


def test_doctor_finds_a_ledger_that_was_rolled_back(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    quietly(invoke)("ledger", "reindex")
    place = home / "ledger"
    before = {path.name: path.read_bytes() for path in place.iterdir() if "index" not in path.name}
    quietly(invoke)("asset", "append", "car", "--mileage", "2000")
    quietly(invoke)("asset", "create", "boat")
    quietly(invoke)("ledger", "reindex")
    for path in place.iterdir():
        if "index" not in path.name:
            path.unlink()
    for name, data in before.items():
        (place / name).write_bytes(data)
    index = {path: path.read_bytes() for path in place.iterdir() if "index" in path.name}
    found = checks(invoke, "--full", status=3)
    assert "2 transactions are missing" in found["history"]["message"]
    for path in index:
        path.unlink(missing_ok=True)
    found = checks(invoke, "--full", status=3)
    assert "boat" in found["history"]["message"]


def test_doctor_finds_a_ledger_that_was_exchanged(
    invoke: Invoke, home: Path, tmp_path: Path
) -> None:
    twin = quietly(invoke)
    garage(invoke)
    mine = twin("ledger", "info")["id"]
    twin("keys", "new", "eve", "--no-passphrase", "--home", str(tmp_path / "other"))
    twin("asset", "create", "boat", "--home", str(tmp_path / "other"))
    shutil.rmtree(home / "ledger")
    shutil.copytree(tmp_path / "other" / "ledger", home / "ledger")
    found = checks(invoke, "--full", status=3)
    assert found["history"]["ok"] is False
    assert mine in found["history"]["message"]


def test_doctor_says_what_is_wrong_with_the_installation(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.crypto import ed25519
    from twincli.ledger import store

    monkeypatch.setattr(ed25519, "verify", lambda *_: False)
    monkeypatch.setattr(store, "engine", lambda: ("3.7.9", "no such module: fts5"))
    found = checks(invoke, status=3)
    for name in ("libsodium", "sqlite", "fts5"):
        assert found[name]["ok"] is False
        assert found[name]["hint"]
    text = invoke("doctor", "--color", "never", tty=True).stdout
    assert "FAILED" in text
    assert "-> 3.35.0" in text or "-> use a Python" in text


def test_the_engine_is_asked_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    from twincli.ledger import store

    assert store.engine() == (sqlite3.sqlite_version, None)

    def refused(*_: object) -> None:
        raise sqlite3.OperationalError("no such module: fts5")

    monkeypatch.setattr("sqlite3.connect", refused)
    assert store.engine() == (sqlite3.sqlite_version, "no such module: fts5")


def test_doctor_looks_at_the_index(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    assert "behind" in checks(invoke)["index"]["message"]
    quietly(invoke)("ledger", "reindex")
    assert "whole" in checks(invoke)["index"]["message"]
    connection = sqlite3.connect(home / "ledger" / "index.db")
    connection.execute("DROP TABLE mark")
    connection.commit()
    connection.close()
    assert checks(invoke)["index"]["ok"] is True  # a damaged one is made anew


def test_doctor_in_a_home_with_nothing_in_it(invoke: Invoke, home: Path) -> None:
    home.mkdir(mode=0o700)
    found = checks(invoke)
    assert [found[name]["ok"] for name in ("keys", "names", "ledger")] == [None] * 3


def test_status_tells_of_a_ledger_that_cannot_be_read(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    (home / "ledger" / "ledger.db").write_text("a letter\n" * 2000)
    run = invoke("status", "--json")
    assert (run.status, run.error["code"]) == (9, "foreign_file")
