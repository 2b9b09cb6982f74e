"""The house keeps its order: which room imports which, and who may touch what."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import twincli

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(twincli.__file__).parent

# A room imports only rooms of a lower rank; rooms of one rank do not import each other.
RANKS = {
    "values": -1,
    "errors": 0,
    "crypto": 1,
    "files": 1,
    "limits": 1,
    "database": 2,
    "model": 2,
    "rules": 3,
    "ledger": 4,
    "keystore": 4,
    "book": 4,
    "content": 4,
    "formats": 4,
    "analysis": 4,
    "client": 5,
    "proof": 5,
    "node": 6,
    "config": 7,
    "services": 7,
    "cli": 8,
    "__main__": 9,
}
# The package itself imports nothing; every room may read its constants.
ROOTLESS = {"__init__"}

# Inside these rooms, too: a folder or file imports only what stands right of it.
FLOORS = {
    "cli": (
        {"main"},
        {"commands", "crash"},
        {"parsing"},
        {"showing"},
        {"context"},
        {"opened"},
        {"asking"},
        {"options", "result", "file_arguments", "stopping", "table"},
    ),
    "services": (
        {"home"},
        {"bundle"},
        {"proof"},
        {"network"},
        {"batch"},
        {"care"},
        {"query", "export"},
        {"life"},
        {"cert"},
        {"template", "link", "grant", "file", "stream"},
        {"privacy"},
        {"record"},
        {"keys", "asset"},
        {"names", "tx"},
        {"signers"},
        {"access"},
        {"audit"},
        {"resolve"},
        {"relations"},
        {"catalogue", "standing"},
        {"workspace", "documents"},
    ),
}
# The demo types whole commands, as a user does.
UPWARD = {("twincli.cli.commands.home.demo", "main")}

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
SQL_ROOMS = {"ledger", "book", "database", "content"}
TALKING_ROOMS = {"cli", "__main__"}
# The one place that may catch everything, so that a bug ends in a line and a report.
LAST_RESORT = "twincli.cli.main"
EVERYTHING = "catches Exception; what is not a TwinError is a bug and shows"
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def violations(source: str, module: str) -> Iterator[str]:
    """Yield what a module does that it may not.

    Args:
        source: Its text.
        module: Its dotted name, such as ``twincli.rules.validity``; a package's ends in
            ``.__init__``.
    """
    parts = module.split(".")
    room = parts[1]
    if vague := VAGUE_NAMES.intersection(parts):
        yield f"{module}: {vague.pop()} says nothing about what is inside"
    if room not in RANKS and room not in ROOTLESS:
        yield f"{module}: the room {room} has no rank"
        return
    for node in ast.walk(ast.parse(source)):
        where = f"{module}:{getattr(node, 'lineno', 0)}"
        for target in imported(node, parts):
            for fault in (*import_faults(target, room), *floor_faults(target, parts)):
                yield f"{where}: {fault}"
        for fault in node_faults(node, room):
            if (module, fault) != (LAST_RESORT, EVERYTHING):
                yield f"{where}: {fault}"


def imported(node: ast.AST, parts: list[str]) -> Iterator[str]:
    """Yield the dotted names that an import statement names, relative ones resolved."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            base = ".".join([*parts[: -node.level], *([base] if base else [])])
        for alias in node.names:
            yield f"{base}.{alias.name}"


def import_faults(target: str, room: str) -> Iterator[str]:
    """Yield what is wrong with importing ``target`` in ``room``."""
    parts = target.split(".")
    if parts[0] == "twincli":
        other = parts[1] if len(parts) > 1 else "__init__"
        if other in {"__version__", room} or other.isupper():
            return
        if other not in RANKS:
            yield f"imports {target}, whose room has no rank"
        elif room in ROOTLESS or RANKS[other] >= RANKS[room]:
            yield f"{room} imports {other}, which is not of a lower rank"
    elif parts[0] == "sqlite3" and room not in SQL_ROOMS:
        yield "imports sqlite3; only rooms with a file of their own know SQL"
    elif parts[0] == "click" or (parts[0] == "typer" and any(p.startswith("_") for p in parts)):
        yield f"imports {target}; only public names of typer are safe"
    elif parts[0] == "typer" and room != "cli":
        yield f"{room} imports typer; everything a command does works without it"
    elif parts[0] == "os" and parts[-1] in ENVIRONMENT and room != "config":
        yield "reads the environment; only config does"


def floor_faults(target: str, parts: list[str]) -> Iterator[str]:
    """Yield what is wrong with importing ``target``, seen from inside its room and file."""
    other = target.split(".")
    if other[0] != "twincli":
        return
    name = other[-1]
    if name.startswith("_") and not name.startswith("__") and other[:-1] != parts:
        yield f"imports {name}, which is private to another file"
    room = parts[1]
    floors = FLOORS.get(room, ())
    if len(parts) < 3 or len(other) < 3 or other[1] != room or other[2] == parts[2]:
        return
    for place in (parts[2], other[2]):
        if floors and not any(place in floor for floor in floors):
            yield f"{place} stands on no floor of {room}"
            return
    order = {place: number for number, floor in enumerate(floors) for place in floor}
    if (".".join(parts), other[2]) in UPWARD:
        return
    if floors and order[other[2]] <= order[parts[2]]:
        yield f"{parts[2]} imports {other[2]}, which does not stand right of it in {room}"


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, each sorted.

    Args:
        imports: What each module imports.
    """

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            new = imports.get(todo.pop(), set()) - seen
            seen |= new
            todo += new
        return seen

    reach = {module: reached(module) for module in imports}
    groups = {
        tuple(
            sorted(
                {module} | {other for other in reach[module] if module in reach.get(other, set())}
            )
        )
        for module in imports
        if module in reach[module]
    }
    return [list(group) for group in sorted(groups)]


def graph() -> dict[str, set[str]]:
    """Return what each module of the package imports of it, for types included.

    A package's own ``__init__`` only gathers names and is left out.
    """
    known = {module.removesuffix(".__init__"): module for module, _ in modules()}
    found: dict[str, set[str]] = {}
    for module, path in modules():
        if module.endswith(".__init__"):
            continue
        found[module] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            for name in imported(node, module.split(".")):
                target = name
                while target and target not in known:
                    target = target.rpartition(".")[0]
                if target and target != module:
                    found[module].add(known[target])
    return found


def node_faults(node: ast.AST, room: str) -> Iterator[str]:
    """Yield what is wrong with a statement or expression other than an import."""
    if (
        isinstance(node, ast.Attribute)
        and node.attr in ENVIRONMENT
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and room != "config"
    ):
        yield "touches the environment; only config does"
    if isinstance(node, ast.ExceptHandler):
        yield from handler_faults(node)
    if isinstance(node, ast.Call) and room not in TALKING_ROOMS:
        called = ast.unparse(node.func)
        if called in {"print", "input", "exit", "quit", "sys.exit", "os._exit"}:
            yield f"calls {called}; only the command line talks and ends"


def handler_faults(node: ast.ExceptHandler) -> Iterator[str]:
    """Refuse to catch everything, except to clean up and raise again."""
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    for kind in caught:
        name = ast.unparse(kind) if kind is not None else "everything"
        last = node.body[-1]
        raises_again = isinstance(last, ast.Raise) and last.exc is None
        if name in {"Exception", "builtins.Exception"}:
            yield EVERYTHING
        elif name in {"BaseException", "everything"} and not raises_again:
            yield f"catches {name} without raising it again"


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(["twincli", *path.relative_to(PACKAGE).with_suffix("").parts]), path


def test_the_house_is_in_order() -> None:
    found = [fault for module, path in modules() for fault in violations(path.read_text(), module)]
    assert not found, "\n".join(found)


def test_rooms_and_floors_are_those_that_there_are_and_the_architecture_has_them() -> None:
    named = {module.split(".")[1] for module, _ in modules()} - ROOTLESS
    assert set(RANKS) == named
    for room, floors in FLOORS.items():
        inside = {
            module.split(".")[2] for module, _ in modules() if module.startswith(f"twincli.{room}.")
        }
        assert {place for floor in floors for place in floor} == inside - {"__init__"}
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    listed = re.findall(r"^\| (-?\d+) \| `(\w+)` \|", page, re.MULTILINE)
    assert {room: int(rank) for rank, room in listed} == {
        room: rank for room, rank in RANKS.items() if room != "__main__"
    }
    drawn = re.findall(r'^    (\w+)\["<b>\1</b> (\d+)<br>', page, re.MULTILINE)
    assert {room: int(rank) for room, rank in drawn} == {
        room: rank for room, rank in RANKS.items() if room not in {"__main__", "values"}
    }


def test_no_modules_import_each_other() -> None:
    assert circles(graph()) == []


def test_a_circle_is_found() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}, "f": {"f"}}
    assert circles(imports) == [["a", "b", "c"], ["f"]]
    assert graph()["twincli.rules.validity"] >= {"twincli.errors", "twincli.rules.structure"}


def test_all_of_it_was_read() -> None:
    read = {module for module, _ in modules()}
    assert {"twincli.errors", "twincli.crypto.canonical", "twincli.book.store"} <= read


@pytest.mark.parametrize(
    ("module", "source", "part"),
    [
        ("twincli.rules.x", "from twincli.ledger import Ledger", "rules imports ledger"),
        ("twincli.rules.x", "def f():\n    import twincli.ledger.store", "rules imports ledger"),
        ("twincli.rules.x", "from twincli import cli", "rules imports cli"),
        ("twincli.rules.x", "from ..cli import main", "rules imports cli"),
        ("twincli.rules.x", "from .. import cli", "rules imports cli"),
        ("twincli.ledger.__init__", "from ..keystore import store", "ledger imports keystore"),
        ("twincli.services.x", "from twincli import config", "services imports config"),
        ("twincli.crypto.x", "from twincli.nowhere import x", "no rank"),
        ("twincli.nowhere.x", "", "no rank"),
        ("twincli.__init__", "from twincli.errors import TwinError", "lower rank"),
        ("twincli.rules.x", "import twincli", "no rank"),
        ("twincli.model.utils", "", "says nothing"),
        ("twincli.services.asset.x", "import sqlite3", "SQL"),
        ("twincli.rules.x", "from twincli.rules.y import _z", "private to another file"),
        ("twincli.cli.context", "from twincli.cli.commands import tx", "stand right of it"),
        ("twincli.cli.context", "from twincli.cli import main", "stand right of it"),
        ("twincli.services.names.x", "from twincli.services.tx import y", "stand right of it"),
        ("twincli.services.resolve", "from twincli.services.new import y", "no floor"),
        ("twincli.services.x", "from sqlite3 import connect", "SQL"),
        ("twincli.cli.x", "import click", "public names"),
        ("twincli.cli.x", "from typer._click import Group", "public names"),
        ("twincli.cli.x", "from typer import _click", "public names"),
        ("twincli.services.x", "import typer", "without it"),
        ("twincli.cli.x", "import os\nos.environ['A']", "environment"),
        ("twincli.cli.x", "import os\nos.getenv('A')", "environment"),
        ("twincli.cli.x", "from os import environ as e", "environment"),
        ("twincli.cli.x", "try: f()\nexcept Exception: pass", "catches Exception"),
        ("twincli.cli.x", "try: f()\nexcept (OSError, Exception): raise", "catches Exception"),
        ("twincli.cli.x", "try: f()\nexcept BaseException: g()", "without raising"),
        ("twincli.cli.x", "try: f()\nexcept: g()", "without raising"),
        ("twincli.cli.x", "try: f()\nexcept BaseException as e: raise X from e", "without raising"),
        ("twincli.services.x", "print(1)", "calls print"),
        ("twincli.services.x", "import sys\nsys.exit(1)", "calls sys.exit"),
    ],
)
def test_a_violation_is_found(module: str, source: str, part: str) -> None:
    found = list(violations(source, module))
    assert len(found) == 1
    assert part in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("twincli.rules.x", "from twincli.model import transaction\nfrom . import y"),
        ("twincli.rules.x", "from twincli import __version__, BUILD_TIME_MS"),
        ("twincli.rules.__init__", "from .validity import check\nfrom ..errors import TwinError"),
        ("twincli.book.x", "import sqlite3\nimport os\nos.path.join('a')"),
        ("twincli.config", "import os\nos.environ.get('A')\nfrom twincli.errors import X"),
        ("twincli.cli.x", "import typer\nfrom typer.core import TyperGroup\nprint(1)"),
        ("twincli.cli.commands.x", "from twincli.cli.context import Context"),
        ("twincli.services.asset.x", "from twincli.services.asset.y import z"),
        ("twincli.crypto.x", "from twincli.crypto import y"),
        ("twincli.ledger.x", "try: f()\nexcept BaseException:\n    g()\n    raise"),
        ("twincli.ledger.x", "try: f()\nexcept (OSError, ValueError): pass"),
        ("twincli.__main__", "from twincli.cli.main import entry"),
    ],
)
def test_what_is_allowed(module: str, source: str) -> None:
    assert list(violations(source, module)) == []
