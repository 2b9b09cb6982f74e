"""The context: what opens when, which home is created, which key is meant."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from twincli.cli.context import Context, is_terminal
from twincli.cli.opened import ANY_LEDGER
from twincli.cli.options import Options
from twincli.errors import NotFoundError, TwinError, UsageError


def test_options_are_taken_out_of_parsed_values() -> None:
    values = {"json": True, "key": ["a", "b"], "node": None, "yes": False, "once": "t"}
    assert Options.of(values) == Options(json=True, key=("a", "b"))


@pytest.mark.parametrize("room", ["keystore", "book", "client"])
def test_a_command_that_creates_no_home_needs_one(room: str, home: Path) -> None:
    with Context(Options()) as context, pytest.raises(NotFoundError) as caught:
        getattr(context, room)
    assert caught.value.code == "no_home"
    assert str(home) in caught.value.message
    assert not home.exists()


def test_rooms_open_once_and_close_with_the_run(home: Path) -> None:
    with Context(Options(), creates=ANY_LEDGER) as context:
        client, keystore, book = context.client, context.keystore, context.book
        assert context.client is client
        assert context.keystore is keystore
        assert context.book is book
        assert (home / "ledger").is_dir()
        workspace = context.workspace()
        assert workspace.client is client
        assert workspace.keystore is keystore
        assert workspace.book is book
        first = client.ledger_id
    with Context(Options()) as again:
        assert again.client.ledger_id == first


def test_a_ledger_elsewhere_needs_no_home(home: Path, tmp_path: Path) -> None:
    options = Options(node=f"file:{tmp_path / 'other'}")
    with Context(options, creates=ANY_LEDGER) as context:
        identity = context.client.ledger_id
    assert not home.exists()
    with Context(options) as context:
        assert context.client.ledger_id == identity


@pytest.mark.parametrize(
    ("node", "code"),
    [("somewhere", "no_such_node"), ("file:", "usage"), ("http://", "bad_url")],
)
def test_what_names_no_ledger_is_refused(node: str, code: str, home: Path) -> None:
    with Context(Options(node=node), creates=ANY_LEDGER) as context, pytest.raises(TwinError) as e:
        _ = context.client
    assert e.value.code == code
    assert not home.exists()


def test_a_network_has_no_file_here_and_the_home_keeps_its_ledger(home: Path) -> None:
    with Context(Options(node="http://127.0.0.1:1"), creates=ANY_LEDGER) as context:
        with pytest.raises(UsageError) as caught:
            _ = context.ledger_path
        assert caught.value.code == "not_supported"
        assert context.client is context.client
        assert context.home_ledger is not context.client
        assert (home / "ledger").is_dir()


def test_the_key_option_signs_and_the_setting_is_the_default(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Context(Options()).keys == ()
    assert Context(Options()).default_key is None
    home.mkdir()
    (home / "config.json").write_text('{"key": "filed"}')
    assert Context(Options()).default_key == "filed"
    monkeypatch.setenv("TWIN_KEY", "variable")
    context = Context(Options())
    assert (context.keys, context.default_key) == ((), "variable")
    context = Context(Options(key=("a", "b")))
    assert (context.keys, context.default_key) == (("a", "b"), None)


def test_streams_that_are_missing_or_closed_are_no_terminal() -> None:
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(None)
    assert not is_terminal(closed)
    assert not is_terminal(io.StringIO())
