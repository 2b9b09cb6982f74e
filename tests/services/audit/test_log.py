"""The audit log: one chain whoever writes, and every change found and named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import canonical
from twincli.errors import ConfigError
from twincli.services.audit import log


def checked(directory: Path) -> tuple[list[int], list[tuple[int, str]]]:
    """Return the numbers of the entries, and where which problems are."""
    check = log.Check(str(directory))
    numbers = [entry["n"] for entry in check.entries()]
    return numbers, [(problem.line, problem.code) for problem in check.problems]


def written(directory: Path, count: int) -> Path:
    for number in range(count):
        log.append(str(directory), {"what": "read", "by": f"é {number}"}, durable=False)
    return directory / log.LOG


def test_entries_are_chained_and_numbered(tmp_path: Path) -> None:
    path = written(tmp_path, 3)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["n"] for line in lines] == [1, 2, 3]
    assert [line["prev"] for line in lines] == ["0" * 64, lines[0]["hash"], lines[1]["hash"]]
    stated = lines[2].pop("hash")
    assert sha256(canonical.encode(lines[2])).hexdigest() == stated
    assert log.read_head(str(tmp_path)) == log.Head(3, stated)
    assert checked(tmp_path) == ([1, 2, 3], [])
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    assert checked(tmp_path / "nowhere") == ([], [])


def rehash(line: bytes, **changes: object) -> bytes:
    """Return a line changed by somebody who knows how hashes are made."""
    entry = {**json.loads(line), **changes}
    del entry["hash"]
    return canonical.encode({**entry, "hash": sha256(canonical.encode(entry)).hexdigest()})


Change = Callable[[list[bytes]], list[bytes]]
CHANGES: dict[str, tuple[Change, list[tuple[int, str]]]] = {
    "a word": (lambda x: [x[0].replace(b"read", b"raed"), *x[1:]], [(1, "changed")]),
    "a hash": (lambda x: [x[0], rehash(x[1])[:-3] + b'0"}', *x[2:]], [(2, "changed")]),
    "a blank": (lambda x: [x[0], x[1].replace(b":", b": ", 1), *x[2:]], [(2, "malformed")]),
    "a line": (lambda x: [x[0], b"", *x[2:]], [(2, "malformed")]),
    "its end": (lambda x: [*x[:3], x[3][:-9]], [(4, "malformed")]),
    "the first is gone": (lambda x: x[1:], [(1, "cut")]),
    "one is gone": (lambda x: [x[0], *x[2:]], [(2, "cut")]),
    "two are gone": (lambda x: [x[0], x[3]], [(2, "cut")]),
    "the last is gone": (lambda x: x[:3], [(4, "cut")]),
    "all are gone": (lambda _: [], [(1, "cut")]),
    "rehashed": (lambda x: [x[0], rehash(x[1], by="x"), *x[2:]], [(2, "changed")]),
    "the last, rehashed": (lambda x: [*x[:3], rehash(x[3], by="x")], [(4, "changed")]),
    "the first, rehashed": (lambda x: [rehash(x[0], by="x"), *x[1:]], [(1, "changed")]),
    "another beginning": (lambda x: [rehash(x[0], prev="1" * 64), *x[1:]], [(1, "changed")]),
    "swapped": (lambda x: [x[0], x[2], x[1], x[3]], [(2, "cut"), (3, "moved"), (4, "cut")]),
    "twice": (lambda x: [x[0], x[0], *x[1:]], [(2, "moved")]),
    "longer": (lambda x: [x[0], b"[" * 99_999, *x[1:]], [(2, "malformed"), (3, "moved")]),
    "deep": (lambda x: [*x[:3], b"[" * 8000], [(4, "malformed")]),
    "not finite": (lambda x: [*x[:3], b'{"n":NaN}'], [(4, "malformed")]),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_change_is_found_and_stays_so(tmp_path: Path, change: str, *, goes_on: bool) -> None:
    path = written(tmp_path, 4)
    made, problems = CHANGES[change]
    path.write_bytes(b"".join(line + b"\n" for line in made(path.read_bytes().splitlines())))
    if goes_on:  # what is written later does not hide it
        log.append(str(tmp_path), {"what": "read"})
    found = checked(tmp_path)[1]
    assert found[0] == problems[0]
    if not goes_on:
        assert found == problems


@given(st.data())
def test_every_changed_byte_is_found(data: st.DataObject) -> None:
    whole, head = CHAIN
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    CHANGED.joinpath(log.LOG).write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
    CHANGED.joinpath(log.HEAD).write_bytes(head)
    line = whole[:place].count(b"\n") + 1
    problems = checked(CHANGED)[1]
    assert problems
    assert problems[0][0] in {line, line + 1}


@pytest.fixture(autouse=True, scope="module")
def _chain(tmp_path_factory: pytest.TempPathFactory) -> None:
    global CHAIN, CHANGED  # noqa: PLW0603 - Hypothesis wants no fixtures of a function's scope
    CHANGED = tmp_path_factory.mktemp("changed")
    CHAIN = written(CHANGED, 3).read_bytes(), (CHANGED / log.HEAD).read_bytes()


CHAIN: tuple[bytes, bytes]
CHANGED: Path


def test_a_missing_head_is_found(tmp_path: Path) -> None:
    written(tmp_path, 2)
    (tmp_path / log.HEAD).unlink()
    assert checked(tmp_path) == ([1, 2], [(2, "head")])
    (tmp_path / log.HEAD).write_bytes(b"2 nonsense\n")
    assert checked(tmp_path) == ([1, 2], [(2, "head")])


def test_problems_are_counted_but_not_all_listed(tmp_path: Path) -> None:
    written(tmp_path, 1)
    (tmp_path / log.LOG).write_bytes(b"x\n" * 150)
    check = log.Check(str(tmp_path))
    assert not list(check.entries())
    assert len(check.problems) == log.MOST_PROBLEMS
    assert check.more == 50


@pytest.mark.parametrize("left", [b"", b'{"by":', b"x" * 9000])
def test_who_is_killed_leaves_no_broken_chain(tmp_path: Path, left: bytes) -> None:
    path = written(tmp_path, 2)
    head = (tmp_path / log.HEAD).read_bytes()
    log.append(str(tmp_path), {"what": "read"})
    (tmp_path / log.HEAD).write_bytes(head)  # killed before the head was written
    with path.open("ab") as file:
        file.write(left)  # killed while a line was written
    assert checked(tmp_path) == ([1, 2, 3], [])
    log.append(str(tmp_path), {"what": "read"})
    numbers, problems = checked(tmp_path)
    if len(left) <= log.LONGEST:
        assert (numbers, problems) == ([1, 2, 3, 4], [])
    else:  # no line of ours is so long
        assert problems[0] == (4, "malformed")


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / log.LOG).mkdir()
    with pytest.raises(ConfigError) as refused:
        log.append(str(tmp_path), {})
    assert refused.value.code == "cannot_write"
    os.rmdir(tmp_path / log.LOG)
    os.mkfifo(tmp_path / log.LOG)
    with pytest.raises(ConfigError, match="regular"):
        log.append(str(tmp_path), {})


PROGRAM = """
import sys
from twincli.services.audit import log
print("on", flush=True)
for number in range(int(sys.argv[2])):
    log.append(sys.argv[1], {"what": "read", "by": "x" * 400}, durable=False)
"""


def test_several_processes_write_one_chain_and_may_be_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    steady = [subprocess.Popen([*command, "60"], stdout=subprocess.PIPE) for _ in range(2)]
    killed = subprocess.Popen([*command, "1000000"], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    killed.stdout.readline()
    time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    for process in steady:
        process.communicate()
        assert process.returncode == 0
    log.append(str(tmp_path), {"what": "read"})
    numbers, problems = checked(tmp_path)
    assert problems == []
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 121
