"""Files in memory, and systems that have none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from twincli.content import memory
from twincli.errors import ConfigError


@pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")
def test_a_file_in_memory_has_a_path_while_it_is_open() -> None:
    memory.check()
    with memory.MemoryFile(b"x" * 100_000) as file:
        assert file.size == 100_000
        assert file.read() == Path(file.path).read_bytes() == b"x" * 100_000
        path = file.path
    assert not Path(path).exists()
    with memory.passing(in_memory=True) as path:
        assert path.startswith("/proc/")
    with memory.passing(in_memory=False) as path:
        assert not Path(path).exists()
        assert Path(path).parent.is_dir()
    assert not Path(path).parent.exists()


def test_other_systems_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    for use in (memory.check, memory.MemoryFile):
        with pytest.raises(ConfigError) as error:
            use()
        assert error.value.code == "no_memory_files"
