"""What a fresh process loads: the time a command takes to start is mostly imports.

Times are kept by the benchmarks; these tests name the module that came in by mistake.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Each of these costs milliseconds on every call of twin, in cron and in loops.
HEAVY = {
    "argparse",
    "asyncio",
    "bigchaindb_driver",
    "click",
    "concurrent",
    "cryptography",
    "ctypes",
    "dataclasses",
    "decimal",
    "difflib",
    "email",
    "fractions",
    "http",
    "importlib.metadata",
    "inspect",
    "jsonschema",
    "logging",
    "mnemonic",
    "multiprocessing",
    "nacl.bindings",
    "pathlib",
    "pkg_resources",
    "platform",
    "platformdirs",
    "pydantic",
    "random",
    "rapidjson",
    "requests",
    "rich",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "statistics",
    "subprocess",
    "tempfile",
    "tomllib",
    "traceback",
    "typer",
    "unittest",
    "urllib",
    "uuid",
    "xml",
    "zipfile",
}

# All that the hot path, a durable append with a key without passphrase, may load on top of what
# Python itself does. Adding to this list is a decision: measure first (benchmarks/).
APPEND_MAY_LOAD = {
    "__future__",
    "_cffi_backend",
    "_collections",
    "_datetime",
    "_functools",
    "_json",
    "_operator",
    "_sha2",  # of Python 3.12 and later
    "_sha256",  # of 3.11
    "_sha3",
    "_sodium",
    "_sqlite3",
    "_sre",
    "_struct",
    "base64",
    "binascii",
    "collections",
    "contextlib",
    "copyreg",
    "datetime",
    "enum",
    "errno",
    "functools",
    "gc",
    "itertools",
    "json",
    "keyword",
    "math",
    "nacl",
    "operator",
    "re",
    "reprlib",
    "sqlite3",
    "struct",
    "twincli",
    "types",
    "warnings",
}
# What it loads more when the agent signs.
AGENT_MAY_LOAD = {"_socket"}
# Rooms and modules of ours that an append on the embedded ledger has no use for.
APPEND_NEEDS_NOT = {
    "twincli.cli.parsing.typer_frame",
    "twincli.cli.commands.home.help",
    "twincli.cli.commands.home.completion",
    "twincli.crypto.derivation",
    "twincli.crypto.mnemonic",
    "twincli.crypto.multikey",
    "twincli.crypto.sealing",
    "twincli.crypto.vault",
    "twincli.keystore.agent_server",
    "twincli.keystore.providers.external",
    "twincli.ledger.audit",
    "twincli.model.did",
    "twincli.node",
    "twincli.proof",
    "twincli.rules.partial",
    "twincli.services.tx.cosign",
    "twincli.services.keys.keys",
}

RUN = """
import sys
before = set(sys.modules)
report, *argv = sys.argv[1:]
from twincli.cli.main import main
status = main(argv) if argv else 0
patterns = [
    f"{module}.{name}"
    for module, found in sys.modules.items()
    if module.startswith("twincli")
    for name, value in vars(found).items()
    if type(value).__name__ == "Pattern"
]
with open(report, "w") as file:
    file.write("\\n".join(sorted(set(sys.modules) - before)))
with open(report + ".patterns", "w") as file:
    file.write("\\n".join(patterns))
sys.exit(status)
"""


def run(*argv: str, home: Path, report: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``twin`` in a fresh process that knows nothing of the test's own environment."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG") if name in os.environ}
    command = (
        [sys.executable, "-m", "twincli"]
        if report is None
        else [sys.executable, "-c", RUN, str(report)]
    )
    return subprocess.run(
        [*command, *argv],
        env={**kept, "TWIN_HOME": str(home), "HOME": str(home)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def loaded(*argv: str, home: Path) -> set[str]:
    """Return the modules that importing the command line and running it has loaded."""
    report = home.parent / "modules.txt"
    done = run(*argv, home=home, report=report)
    assert done.returncode == 0, done.stderr
    return set(report.read_text().split())


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules for bad in HEAVY if name == bad or name.startswith(bad + ".")}


def test_the_probe_sees_what_is_loaded(tmp_path: Path) -> None:
    """A run that does load something heavy is reported, so that silence means something."""
    modules = loaded("config", "--help", home=tmp_path / "home")
    assert "typer" in heavy(modules)


def test_the_command_line_starts_light(tmp_path: Path) -> None:
    modules = loaded(home=tmp_path / "home")
    assert "twincli.cli.main" in modules
    assert heavy(modules) == set()


def test_the_version_is_answered_before_anything_is_loaded(tmp_path: Path) -> None:
    modules = loaded("--version", home=tmp_path / "home")
    ours = {name for name in modules if name.startswith("twincli.")}
    assert heavy(modules) == set()
    assert ours <= {"twincli.cli", "twincli.cli.main", "twincli.errors"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a key without passphrase and a car."""
    path = tmp_path / "home"
    for argv in (
        ("keys", "new", "alice", "--no-passphrase"),
        ("asset", "create", "car", "--wheels", "4"),
    ):
        done = run(*argv, home=path)
        assert done.returncode == 0, done.stderr
    return path


def test_an_append_loads_what_it_needs_and_nothing_else(home: Path) -> None:
    modules = loaded("asset", "append", "car", "--mileage", "1200", home=home)
    outside = {name.split(".")[0] for name in modules} - APPEND_MAY_LOAD
    assert outside == set()
    assert heavy(modules) <= {"sqlite3", "sqlite3.dbapi2"}
    assert modules & APPEND_NEEDS_NOT == set()
    assert "sqlite3" in modules  # it did reach the ledger
    # A pattern is text until it is used; compiling one takes as long as importing a module.
    assert (home.parent / "modules.txt.patterns").read_text() == ""


def test_an_append_through_the_agent_loads_hardly_more(home: Path) -> None:
    append = ("asset", "append", "car", "--mileage", "1200")
    before = loaded(*append, home=home)
    file = home.parent / "passphrase"
    file.write_text("correct horse\n")
    sealed = ("keys", "passwd", "alice", "--new-passphrase-file", str(file))
    assert run(*sealed, home=home).returncode == 0
    assert run("agent", "start", "--passphrase-file", str(file), home=home).returncode == 0
    try:
        modules = loaded(*append, home=home)
    finally:
        assert run("agent", "stop", home=home).returncode == 0
    assert modules - before == AGENT_MAY_LOAD
