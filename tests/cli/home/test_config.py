"""Settings: precedence, sources, the settings file, and the command around them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.conftest import Invoke
from twincli import config
from twincli.errors import ConfigError, NotFoundError, UsageError


@pytest.fixture
def made(home: Path) -> Path:
    home.mkdir()
    return home


def write(home: Path, text: str) -> None:
    (home / "config.json").write_text(text)


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config.load().node == config.Setting("local", "default")
    write(made, '{"node": "file:a"}')
    assert config.load().node == config.Setting("file:a", str(made / "config.json"))
    monkeypatch.setenv("TWIN_NODE", "file:b")
    assert config.load().node == config.Setting("file:b", "TWIN_NODE")
    assert config.load(node="file:c").node == config.Setting("file:c", "--node")


def test_variables_that_are_empty_count_as_unset(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TWIN_NODE", "TWIN_KEY", "TWIN_TIMEOUT", "TWIN_COLOR", "TWIN_PASSPHRASE_FILE"):
        monkeypatch.setenv(name, "")
    settings = config.load()
    assert {getattr(settings, name).source for name in config.KEYS} == {"default"}
    assert settings.paths.home == str(home)


def test_what_other_programs_are_told_to_trust(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", "/d")
    assert config.load().tls_ca == config.Setting("/d", "SSL_CERT_DIR")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/r")
    assert config.load().tls_ca == config.Setting("/r", "REQUESTS_CA_BUNDLE")
    write(made, '{"tls_ca": "/f"}')
    assert config.load().tls_ca == config.Setting("/f", str(made / "config.json"))
    monkeypatch.setenv("TWIN_TLS_CA", "/t")
    assert config.load().tls_ca == config.Setting("/t", "TWIN_TLS_CA")


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e9", "86401"])
def test_a_timeout_that_is_none_is_refused_before_anything_is_done(
    text: str, home: Path, invoke: Invoke
) -> None:
    for words in (["keys", "new", "k", "--no-passphrase"], ["asset", "create", "car"]):
        run = invoke(*words, "--timeout", text, "--json")
        assert (run.status, run.error["code"]) == (2, "usage")
        assert "--timeout" in run.error["message"]
        assert not home.exists()
    assert invoke("keys", "new", "k", "--no-passphrase", "--json", "--color", "x").status == 2
    assert not home.exists()
    assert invoke("config", "path", "--timeout", "86400").status == 0


def test_an_empty_passphrase_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.passphrase() is None
    monkeypatch.setenv("TWIN_PASSPHRASE", "")
    with pytest.raises(ConfigError) as caught:
        config.passphrase()
    assert caught.value.code == "empty_passphrase"
    monkeypatch.setenv("TWIN_PASSPHRASE", "gr\u00fcn")
    assert config.passphrase() == "gr\u00fcn".encode()


@pytest.mark.parametrize(("text", "wanted"), [("", False), ("0", False), ("1", True)])
def test_no_passphrase_is_1_or_0(text: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", text)
    assert config.no_passphrase() is wanted


def test_no_passphrase_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "no")
    with pytest.raises(ConfigError):
        config.no_passphrase()


def test_home_comes_from_the_flag_the_variable_or_the_platform(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    where = config.paths()
    assert (where.home, where.source) == (str(home), "TWIN_HOME")
    assert where.settings == str(home / "config.json")
    assert where.keys == str(home / "keys")
    assert where.ledger == str(home / "ledger")
    assert where.book == str(home / "book.db")
    assert config.paths(str(tmp_path)).source == "--home"
    monkeypatch.delenv("TWIN_HOME")
    where = config.paths()
    assert where.source == "default"
    assert where.home.startswith(str(tmp_path / "user"))
    assert where.settings.endswith("config.json")
    monkeypatch.setenv("TWIN_HOME", "~/x")
    assert config.paths().home == str(tmp_path / "user" / "x")
    with pytest.raises(UsageError):
        config.paths("")


def test_a_missing_home_is_named(home: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        config.require_home(config.paths())
    assert str(home) in caught.value.message
    assert "TWIN_HOME" in caught.value.message
    home.mkdir()
    config.require_home(config.paths())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n "node": }', "line 2, column 10"),
        ("[]", "does not hold a JSON object"),
        ('{"nodes": "x"}', "no setting 'nodes'"),
        ('{"timeout": "5"}', "timeout is not a number"),
        ('{"timeout": true}', "timeout is not a number"),
        ('{"timeout": 0}', "above 0"),
        ('{"node": 5}', "node is not text"),
        ('{"node": ""}', "node is empty"),
        ('{"color": "red"}', "not one of auto, always, never"),
        ("\udcff", "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_settings_file_is_a_configuration_error(
    made: Path, text: str, message: str, invoke: Invoke
) -> None:
    (made / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=message):
        config.load()
    run = invoke("config", "show", "--json")
    assert run.status == 9
    assert run.stdout == ""
    assert message in run.error["message"]
    assert invoke("config", "path").status == 0
    assert invoke("config", "path", tty=True).status == 0


def test_an_unknown_setting_names_the_near_one(made: Path) -> None:
    write(made, '{"nodes": "x"}')
    with pytest.raises(ConfigError) as caught:
        config.load()
    assert caught.value.hint == "did you mean 'node'?"


def test_an_unreadable_settings_file_is_a_configuration_error(made: Path) -> None:
    (made / "config.json").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load()


def test_set_writes_privately_and_keeps_the_rest(made: Path, invoke: Invoke) -> None:
    assert invoke("config", "set", "key", "alice").status == 0
    run = invoke("config", "set", "timeout", "2.5", "--json")
    assert run.json["value"] == 2.5
    file = made / "config.json"
    assert json.loads(file.read_text()) == {"key": "alice", "timeout": 2.5}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(made) == ["config.json"]
    assert invoke("config", "get", "key", "--get", "value").stdout == "alice\n"
    assert invoke("config", "unset", "key", "--get", "changed").stdout == "true\n"
    assert invoke("config", "unset", "key", "--get", "changed").stdout == "false\n"
    assert json.loads(file.read_text()) == {"timeout": 2.5}


def test_dry_run_checks_and_writes_nothing(made: Path, invoke: Invoke) -> None:
    assert invoke("config", "set", "key", "alice", "--dry-run").status == 0
    assert invoke("config", "set", "timeout", "x", "--dry-run").status == 2
    assert os.listdir(made) == []
    write(made, '{"key": "alice"}')
    assert invoke("config", "unset", "key", "--dry-run").status == 0
    assert json.loads((made / "config.json").read_text()) == {"key": "alice"}


def test_set_refuses_what_the_file_may_not_hold(made: Path, invoke: Invoke) -> None:
    for words in (["timeout", "soon"], ["color", "red"], ["node", ""]):
        assert invoke("config", "set", *words).status == 2
    run = invoke("config", "set", "nodes", "x")
    assert run.status == 2
    assert "did you mean 'node'?" in run.stderr
    assert os.listdir(made) == []


def test_set_needs_a_home_and_leaves_none(home: Path, invoke: Invoke) -> None:
    run = invoke("config", "set", "key", "alice")
    assert run.status == 4
    assert str(home) in run.stderr
    assert "TWIN_HOME" in run.stderr
    assert invoke("config", "unset", "key").status == 4
    assert not home.exists()


def test_a_failed_write_leaves_the_old_file(
    made: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    invoke("config", "set", "key", "alice")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    run = invoke("config", "set", "key", "bob")
    assert run.status == 9
    assert "no space left on device" in run.stderr
    assert os.listdir(made) == ["config.json"]
    assert json.loads((made / "config.json").read_text()) == {"key": "alice"}


def test_show_gives_every_value_its_source_and_hides_secrets(
    made: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(made, '{"key": "alice"}')
    monkeypatch.setenv("TWIN_PASSPHRASE", "hunter2")
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    monkeypatch.setenv("SSL_CERT_FILE", "/ca.pem")
    monkeypatch.setenv("TWIN_TLS_CERT", "/me.pem")
    monkeypatch.setenv("TWIN_NODE", "https://me:hunter2@host,https://u@other/x")
    run = invoke("config", "show", "--json", "--timeout", "3")
    found = {entry["name"]: (entry["value"], entry["source"]) for entry in run.json["settings"]}
    assert found == {
        "home": (str(made), "TWIN_HOME"),
        "key": ("alice", str(made / "config.json")),
        "node": ("https://(hidden)@host,https://(hidden)@other/x", "TWIN_NODE"),
        "timeout": (3.0, "--timeout"),
        "color": ("auto", "default"),
        "passphrase_file": (None, "default"),
        "tls_ca": ("/ca.pem", "SSL_CERT_FILE"),
        "tls_cert": ("/me.pem", "TWIN_TLS_CERT"),
        "tls_key": (None, "default"),
        "status_url": (None, "default"),
        "audit_reads": ("off", "default"),
        "passphrase": ("(hidden)", "TWIN_PASSPHRASE"),
        "no_passphrase": (True, "TWIN_NO_PASSPHRASE"),
    }
    assert "hunter2" not in invoke("config", "show").stdout


@pytest.mark.parametrize(
    ("environment", "flag", "terminal", "wanted"),
    [
        ({}, None, True, True),
        ({}, None, False, False),
        ({"NO_COLOR": "1"}, None, True, False),
        ({"NO_COLOR": ""}, None, True, True),
        ({"TERM": "dumb"}, None, True, False),
        ({"FORCE_COLOR": "1"}, None, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, None, False, True),
        ({"NO_COLOR": "1"}, "always", False, True),
        ({"FORCE_COLOR": "1"}, "never", True, False),
        ({"NO_COLOR": "1"}, "auto", True, False),
        ({"NO_COLOR": "1", "TWIN_COLOR": "always"}, None, False, True),
    ],
)
def test_colour(
    environment: dict[str, str],
    flag: str | None,
    terminal: bool,
    wanted: bool,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    setting = config.load(home=str(home), color=flag).color
    assert config.color_wanted(setting, terminal=terminal) is wanted


def test_colour_of_the_settings_file_yields_to_no_color(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(made, '{"color": "always"}')
    assert config.color_wanted(config.load().color, terminal=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not config.color_wanted(config.load().color, terminal=True)


def test_wrong_flags_and_variables_name_themselves(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        config.load(home=str(home), timeout=0)
    monkeypatch.setenv("TWIN_COLOR", "blue")
    with pytest.raises(UsageError, match="TWIN_COLOR: 'blue'"):
        config.load()
