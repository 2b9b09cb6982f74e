"""What commands say on stderr beside their result: the same kinds say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Invoke

LISTINGS = {
    "cert list car": "car has no certificates",
    "event list car": "car has no events",
    "event list car --until 2020-01-01": "car has no events in that time",
    "file list": "twins of yours have no files",
    "file list car": "car has no files",
    "grant list car": "car has no grants",
    "grant show car alice": "car has no grants to alice",
    "history car --since 2190-01-01": "nothing found",
    "link list car": "car has no links in force; those that are over: --all",
    "link list car --all": "car has no links",
    "maintenance due": "nothing is scheduled",
    "maintenance due car --within 3d": "nothing is due within 3d",
    "maintenance list car": "car has no maintenance",
    "search zebra": "nothing found for 'zebra'",
    "stage list car": "car has no stages",
    "stream list car": "car has no streams",
    "template diff maintenance-tracking-v1 maintenance-tracking-v1": "they are the same",
}
WRITES = {
    "event add car fell": "recorded the event fell of car",
    "grant add car --to bob": "recorded the grant of car to bob",
    "grant revoke car --from bob": "recorded the end of what bob may write or read of car",
    "link add box is_component_of car": "recorded the link box is_component_of car",
    "link remove box is_component_of car": ("recorded the end of the link box is_component_of car"),
    "cert issue car --number 7 --key alice": "recorded the certificate 7 of car",
    "cert issue car --type safety --key alice": "recorded the certificate safety of car",
    "cert revoke car --number 7": "recorded the revocation of the certificate 7 of car",
    "grant add car --to bob --scope event": "recorded the grant of car to bob",
    "grant revoke car --all": "recorded the end of all grants and links of car",
}


@pytest.fixture
def car(invoke: Invoke) -> Invoke:
    for name in ("alice", "bob"):
        assert invoke("keys", "new", name, "--no-passphrase").status == 0
    for name in ("car", "box"):
        assert invoke("asset", "create", name, "--owner", "alice").status == 0
    return invoke


def test_an_empty_listing_says_so_beside_it(car: Invoke) -> None:
    for line, said in LISTINGS.items():
        words = line.split()
        for tty in (False, True):
            run = car(*words, tty=tty)
            assert (run.status, run.stderr) == (0, f"{said}\n"), line
            assert run.stdout.count("\n") == (0 if tty else 1), line
        for way in ("--quiet", "--json", "--jsonl"):
            assert car(*words, way).stderr == "", (line, way)


def test_a_record_is_named_once_it_is_written(car: Invoke, tmp_path: Path) -> None:
    for number, (line, said) in enumerate(WRITES.items()):
        words = [*line.split(), "--once", str(number)]
        planned = car(*words, "--dry-run")
        assert f"would {said.replace('recorded', 'record')}" in planned.stderr.splitlines(), line
        assert said in car(*words).stderr.splitlines(), line
        file = tmp_path / f"{number}.tx"
        again = car(*words, "--prepare", str(file))
        assert again.status == 0, (line, again.stderr)
        assert f"already done before; {file} was not written" in again.stderr.splitlines(), line
        assert "recorded the" not in again.stderr, line
        assert not file.exists()


def test_columns_that_a_terminal_does_not_show_are_mentioned(car: Invoke) -> None:
    car("link", "add", "box", "is_component_of", "car")
    listed = ("link", "list", "car")
    assert car(*listed, tty=True).stderr == "more columns: --wide\n"
    for more in ("--wide", "--quiet"):
        assert car(*listed, more, tty=True).stderr == ""
    assert car(*listed).stderr == ""


def test_a_result_that_went_to_a_file_is_not_printed_with_quiet(
    car: Invoke, tmp_path: Path
) -> None:
    car("cert", "issue", "car", "--number", "7", "--key", "alice")
    car("stream", "push", "car", "speed", "--value", "5")
    for number, words in enumerate(
        (
            ("cert", "export", "car"),
            ("keys", "export", "alice"),
            ("query", "car", "--stream", "speed", "--format", "csv"),
        )
    ):
        file = tmp_path / str(number)
        run = car(*words, "-o", str(file), "--quiet")
        assert (run.status, run.stdout, run.stderr) == (0, "", ""), words
        assert file.stat().st_size
        assert car(*words, "--quiet").stdout, words
