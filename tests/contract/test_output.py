"""The documents that scripts read: the schema comes first, and no field is renamed or removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Invoke

KEYS = {
    ("config", "show"): ("twin.config/1", ["schema", "file", "settings"]),
    ("config", "get", "key"): ("twin.setting/1", ["schema", "name", "value", "source"]),
    ("config", "set", "key", "alice"): (
        "twin.setting/1",
        ["schema", "name", "value", "source", "changed"],
    ),
    ("config", "unset", "key"): (
        "twin.setting/1",
        ["schema", "name", "value", "source", "changed"],
    ),
    ("config", "path"): (
        "twin.paths/1",
        ["schema", "home", "source", "settings", "keys", "ledger", "book"],
    ),
    ("completion", "bash"): ("twin.completion/1", ["schema", "shell", "install", "script"]),
    ("help", "data"): ("twin.help/1", ["schema", "topic", "text"]),
    ("help",): ("twin.help/1", ["schema", "topic", "text"]),
    ("--version",): ("twin.version/1", ["schema", "version"]),
}


@pytest.mark.parametrize("words", KEYS)
def test_documents(words: tuple[str, ...], home: Path, invoke: Invoke) -> None:
    home.mkdir()
    schema, keys = KEYS[words]
    run = invoke("--json", *words)
    assert (run.status, run.stderr) == (0, "")
    assert run.stdout.endswith("\n")
    assert list(run.json) == keys
    assert run.json["schema"] == schema


@pytest.mark.parametrize("words", KEYS)
def test_json_lines_are_one_document_a_line(
    words: tuple[str, ...], home: Path, invoke: Invoke
) -> None:
    home.mkdir()
    run = invoke("--jsonl", *words)
    assert (run.status, run.stderr) == (0, "")
    for line in run.stdout.splitlines():
        assert next(iter(json.loads(line))) == "schema"


@pytest.mark.parametrize("words", [words for words in KEYS if words != ("--version",)])
def test_nothing_but_the_result_is_on_stdout_and_a_pipe_gets_no_escapes(
    words: tuple[str, ...], home: Path, invoke: Invoke
) -> None:
    home.mkdir()
    run = invoke(*words)
    assert (run.status, run.stderr) == (0, "")
    assert "\x1b" not in run.stdout
    assert invoke(*words, tty=True).status == 0


def test_colour_on_a_terminal_follows_the_option(invoke: Invoke) -> None:
    assert "\x1b[" in invoke("config", "show", tty=True).stdout
    assert "\x1b[" not in invoke("config", "show", "--color", "never", tty=True).stdout
    assert "\x1b[" not in invoke("config", "show", "--color", "always").stdout
