"""Files by their CID: whole or not at all, checked on the way in."""

from __future__ import annotations

import io
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from twincli.content.store import Blobs
from twincli.crypto import cid
from twincli.errors import ConfigError, InvalidError, TwinError, UndeterminedError

HELLO = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"
NONE = cid.of(b"not there").text


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "content"))


def put(blobs: Blobs, data: bytes, expected: str | None = None) -> str:
    return blobs.put(io.BytesIO(data), expected).cid


def left(blobs: Blobs) -> list[str]:
    """Return every file there is, passing ones too."""
    return sorted(path.name for path in Path(blobs.directory).rglob("*") if path.is_file())


def test_a_file_comes_back(blobs: Blobs) -> None:
    made = blobs.put(io.BytesIO(b"hello world\n"))
    assert made == (HELLO, 12, True)
    assert blobs.put(io.BytesIO(b"hello world\n")) == (HELLO, 12, False)
    with blobs.open(HELLO) as stream:
        assert stream.read() == b"hello world\n"
    assert blobs.size(HELLO) == 12
    assert blobs.has(HELLO)
    assert blobs.check(HELLO)
    assert list(blobs.cids()) == [HELLO]
    path = Path(blobs.directory) / "i4" / HELLO
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    blobs.remove(HELLO)
    assert not blobs.has(HELLO)


def test_a_large_file_in_pieces(blobs: Blobs) -> None:
    data = os.urandom(1 << 20) * 3 + b"end"
    with blobs.arriving() as arrival:
        for start in range(0, len(data), 77_777):
            arrival.write(data[start : start + 77_777])
        found = arrival.finish()
    assert found == cid.of(data).text
    assert blobs.check(found)


def test_what_is_not_what_was_announced_is_not_kept(blobs: Blobs) -> None:
    with pytest.raises(InvalidError) as caught:
        put(blobs, b"hello world", HELLO)
    assert caught.value.code == "cid_mismatch"
    assert left(blobs) == []
    assert put(blobs, b"hello world\n", HELLO) == HELLO


def test_what_was_not_finished_is_not_kept(blobs: Blobs) -> None:
    with blobs.arriving() as arrival:
        arrival.write(b"half of it")
    with pytest.raises(RuntimeError), blobs.arriving(HELLO) as arrival:
        arrival.write(b"hello ")
        raise RuntimeError
    assert left(blobs) == []


def test_the_largest_file(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path / "content"), limit=10)
    put(blobs, b"0123456789")
    with pytest.raises(InvalidError) as caught:
        put(blobs, b"0123456789a")
    assert caught.value.code == "too_large"
    assert len(left(blobs)) == 1


def test_what_is_not_there(blobs: Blobs) -> None:
    assert list(blobs.cids()) == []
    for ask in (blobs.open, blobs.size, blobs.check, blobs.remove):
        with pytest.raises(UndeterminedError) as caught:
            ask(NONE)
        assert caught.value.code == "missing_content"


@pytest.mark.parametrize("name", ["../../../etc/passwd", "", "x" * 59, HELLO.upper()])
def test_a_name_that_is_no_cid_reaches_no_file(blobs: Blobs, name: str) -> None:
    for ask in (blobs.open, blobs.size, blobs.has, blobs.check, blobs.remove):
        with pytest.raises(InvalidError):
            ask(name)
    with pytest.raises(InvalidError):
        put(blobs, b"x", name)


def test_a_spoiled_file_is_noticed(blobs: Blobs) -> None:
    put(blobs, b"hello world\n")
    (Path(blobs.directory) / "i4" / HELLO).write_bytes(b"hello worle\n")
    assert not blobs.check(HELLO)
    # Whoever brings it again mends it.
    put(blobs, b"hello world\n")
    assert blobs.check(HELLO)


def test_a_spoiled_file_is_replaced(blobs: Blobs) -> None:
    put(blobs, b"hello world\n")
    (Path(blobs.directory) / "i4" / HELLO).write_bytes(b"hello there\n")
    assert not blobs.put(io.BytesIO(b"hello world\n")).created
    assert blobs.check(HELLO)


def test_other_files_are_none(blobs: Blobs) -> None:
    put(blobs, b"hello world\n")
    directory = Path(blobs.directory)
    (directory / "notes").mkdir()
    (directory / "i4" / "notes.txt").write_text("mine")
    (directory / "ab").mkdir()
    (directory / "ab" / HELLO).write_text("on the wrong shelf")
    assert list(blobs.cids()) == [HELLO]


def test_many_bring_the_same(blobs: Blobs) -> None:
    data = os.urandom(300_000)
    failures: list[TwinError] = []
    created: list[bool] = []
    all_whole = threading.Barrier(8)

    def bring() -> None:
        try:
            with blobs.arriving() as arrival:
                arrival.write(data)
                arrival.finish()
                all_whole.wait(30)
            created.append(arrival.created)
        except TwinError as error:
            failures.append(error)

    threads = [threading.Thread(target=bring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(created) == [False] * 7 + [True]
    assert left(blobs) == [cid.of(data).text]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "content").write_text("mine")
    blobs = Blobs(str(tmp_path / "content"))
    with pytest.raises(ConfigError) as caught:
        put(blobs, b"x")
    assert caught.value.code == "cannot_write"
    with pytest.raises(ConfigError) as caught:
        list(blobs.cids())
    assert caught.value.code == "cannot_read"


def test_a_directory_in_the_way(blobs: Blobs) -> None:
    (Path(blobs.directory) / "i4" / HELLO).mkdir(parents=True)
    with pytest.raises(UndeterminedError):
        blobs.open(HELLO)
    with pytest.raises(ConfigError):
        blobs.remove(HELLO)
    with pytest.raises(ConfigError):
        put(blobs, b"hello world\n")


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_file_is_missing(
    blobs: Blobs, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(blobs.directory) / "i4" / HELLO
    place.parent.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        monkeypatch.chdir(place.parent)  # the path of a socket is short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("s")
        Path("s").rename(place)
    else:
        place.symlink_to("/dev/zero")
    with pytest.raises(UndeterminedError):
        blobs.check(HELLO)
    assert put(blobs, b"hello world\n") == HELLO
    assert blobs.check(HELLO)


def test_killed_while_it_comes_nothing_half_is_there(blobs: Blobs) -> None:
    program = (
        "import sys, time\n"
        "from twincli.content.store import Blobs\n"
        "with Blobs(sys.argv[1]).arriving() as arrival:\n"
        "    arrival.write(bytes(1 << 20))\n"
        "    print('here', flush=True)\n"
        "    time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, blobs.directory], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert list(blobs.cids()) == []
    (passing,) = Path(blobs.directory).iterdir()
    os.utime(passing, (0, 0))
    put(blobs, b"hello world\n")
    assert left(blobs) == [HELLO]
