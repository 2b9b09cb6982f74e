"""The one way to write a small file; what keys ask of it is tested with them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from twincli import files
from twincli.errors import ConfigError, ConflictError


def test_a_new_file_is_whole_private_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write_new(str(path), b"one")
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConflictError) as caught:
        files.write_new(str(path), b"two")
    assert caught.value.code == "exists"
    assert path.read_bytes() == b"one"
    files.replace(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a"]


def test_directories_are_private_up_to_the_first_that_was_there(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    files.make_directory(str(tmp_path / "a" / "b"))
    files.make_directory(str(tmp_path / "a" / "b"))
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "b", tmp_path / "a")]
    assert modes == [0o700, 0o700]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    (tmp_path / "file").write_text("")
    for below in ("file", "file/deeper"):
        with pytest.raises(ConfigError) as caught:
            files.make_directory(str(tmp_path / below))
        assert caught.value.code == "cannot_write"


def test_what_is_moved_aside_keeps_its_ending_and_never_takes_a_name(tmp_path: Path) -> None:
    (tmp_path / "k.1.key").write_text("first")
    for text in ("second", "third"):
        (tmp_path / "k.key").write_text(text)
        files.move_aside(str(tmp_path / "k.key"), str(tmp_path), "k")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"k.1.key": "first", "k.2.key": "second", "k.3.key": "third"}
    with pytest.raises(FileNotFoundError):
        files.move_aside(str(tmp_path / "k.key"), str(tmp_path), "k")
    assert len(os.listdir(tmp_path)) == 3


WRITE_FOR_EVER = """
import sys
from twincli import files
for number in range(10**9):
    files.replace(sys.argv[1], str(number % 10).encode() * 200_000)
    print(number, flush=True)
"""


def test_a_reader_and_a_kill_see_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(path)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        for _ in range(200):
            data = path.read_bytes()
            assert len(data) == 200_000
            assert len(set(data)) == 1
        writer.kill()
        writer.communicate()
        data = path.read_bytes()
        assert len(data) == 200_000
        assert len(set(data)) == 1
