"""What the sources say to users, found by walking their syntax: error codes and messages."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

from twincli import errors

ROOT = Path(__file__).resolve().parents[2]
EXITS = {
    name: int(item.exit_code)
    for name, item in vars(errors).items()
    if isinstance(item, type) and issubclass(item, errors.TwinError)
}
"""The exit status of each class of error."""


class Source(NamedTuple):
    """One file.

    Attributes:
        path: Its name in the repository.
        tree: Its syntax.
        nodes: All nodes of the tree; walking it once more for each question took half a minute.
    """

    path: str
    tree: ast.Module
    nodes: tuple[ast.AST, ...]


class Message(NamedTuple):
    """One text that a user may see.

    Attributes:
        kind: ``error``, ``hint``, ``help``, ``note`` or ``text``.
        where: File and line.
        text: With ``{...}`` where something is filled in.
    """

    kind: str
    where: str
    text: str


@cache
def sources() -> tuple[Source, ...]:
    """Return all files of the package."""
    found: list[Source] = []
    for path in sorted((ROOT / "twincli").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found.append(Source(str(path.relative_to(ROOT)), tree, tuple(ast.walk(tree))))
    return tuple(found)


@cache
def calls() -> dict[str, tuple[tuple[ast.Call, Source], ...]]:
    """Return the calls in all files by the last name of what is called."""
    found: dict[str, list[tuple[ast.Call, Source]]] = {}
    for source in sources():
        for node in source.nodes:
            if isinstance(node, ast.Call):
                found.setdefault(name_of(node.func), []).append((node, source))
    return {name: tuple(group) for name, group in found.items()}


def name_of(node: ast.expr) -> str:
    """Return the last name of what is called: ``c`` of ``a.b.c``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


@cache
def error_classes() -> dict[str, int]:
    """Return the exit status of every class of error, those outside ``errors`` too."""
    found = dict(EXITS)
    while True:
        more = {
            node.name: found[base]
            for source in sources()
            for node in source.nodes
            if isinstance(node, ast.ClassDef) and node.name not in found
            for base in map(name_of, node.bases)
            if base in found
        }
        if not more:
            return found
        found |= more


# --- Codes --------------------------------------------------------------------------------------


def codes() -> dict[str, set[int]]:
    """Return every error code that the sources name, with its exit statuses."""
    found: dict[str, set[int]] = {}
    for source in sources():
        for outer in _functions(source):
            for call in _calls(outer):
                name = name_of(call.func)
                if name == "Deviation":
                    _put(found, _constants(call.args[0], outer), EXITS["InvalidError"])
                elif name in error_classes():
                    given = next((k.value for k in call.keywords if k.arg == "code"), None)
                    if given is not None:
                        _put(found, _constants(given, outer), error_classes()[name])
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.TwinError):
            _put(found, [error.default_code], int(error.exit_code))
    return found


def _put(found: dict[str, set[int]], names: list[str], status: int) -> None:
    for name in names:
        # An interruption is made a status of its own where it is caught.
        code = int(errors.ExitCode.INTERRUPTED) if name == "interrupted" else status
        found.setdefault(name, set()).add(code)


def _functions(source: Source) -> list[ast.AST]:
    """Return the module and its functions; what is in a function belongs to that one only."""
    functions = (n for n in source.nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return [source.tree, *functions]


def _calls(outer: ast.AST) -> list[ast.Call]:
    found: list[ast.Call] = []
    waiting = list(ast.iter_child_nodes(outer))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Call):
            found.append(node)
        waiting.extend(ast.iter_child_nodes(node))
    return found


def _constants(node: ast.expr, outer: ast.AST) -> list[str]:
    """Return the texts that an expression can be; a parameter is what its callers give."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        return _constants(node.body, outer) + _constants(node.orelse, outer)
    if isinstance(node, ast.Name):
        given: list[str] = []
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            given = _given(outer, node.id)
        return given or _module_constants().get(node.id, [])
    if isinstance(node, ast.JoinedStr):
        texts = [""]
        for part in node.values:
            value = part.value if isinstance(part, ast.FormattedValue) else part
            texts = [text + more for text in texts for more in _constants(value, outer)]
        return texts
    return []


@cache
def _module_constants() -> dict[str, list[str]]:
    """Return the texts that names written in capitals stand for, in any module."""
    found: dict[str, list[str]] = {}
    for source in sources():
        for node in source.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                for target in node.targets:
                    if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                        found.setdefault(target.id, []).append(node.value.value)
    return found


def _given(function: ast.FunctionDef | ast.AsyncFunctionDef, parameter: str) -> list[str]:
    """Return what a parameter of a function is by default and in all calls of that name."""
    positional = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]
    found: list[str] = []
    defaults = dict(zip(reversed(positional), reversed(function.args.defaults), strict=False))
    keyword_only = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    defaults |= {arg.arg: value for arg, value in keyword_only if value is not None}
    if parameter in defaults:
        found += _constants(defaults[parameter], function)
    if positional[:1] in (["self"], ["cls"]):
        positional = positional[1:]
    for call, source in calls().get(function.name, ()):
        given = {k.arg: k.value for k in call.keywords if k.arg is not None}
        given |= dict(zip(positional, call.args, strict=False))
        if isinstance(given.get(parameter), ast.Constant | ast.IfExp):
            found += _constants(given[parameter], source.tree)
    return found


# --- Messages -----------------------------------------------------------------------------------

_HELP_AT = {"Option": 1, "DataCommand": 2}
"""Calls one of whose arguments is a text of help, and its place."""

_HELPS = {"help", "metavar", "short_help", "epilog"}


def messages() -> list[Message]:
    """Return every text that a user may see, in the order of the files.

    Those of errors and hints, of options and commands, and every other text that has at least two
    words and is not a docstring of something that only programmers call.
    """
    found: list[Message] = []
    for source in sources():
        found += sorted(_of(source), key=lambda message: int(message.where.rpartition(":")[2]))
    return found


def _of(source: Source) -> list[Message]:
    found: list[Message] = []
    taken: set[int] = set()

    def take(kind: str, node: ast.expr) -> None:
        for part in ast.walk(node):
            taken.add(id(part))
        text = text_of(node)
        if text:
            found.append(Message(kind, f"{source.path}:{node.lineno}", text))

    docstrings = {
        id(node.body[0].value)
        for node in source.nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in source.nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.add(id(node.value))
        if isinstance(node, ast.FunctionDef) and _is_command(node):
            text = ast.get_docstring(node)
            if text:
                found.append(Message("help", f"{source.path}:{node.lineno}", text))
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        name = name_of(node.func)
        is_error = name in error_classes() or name == "Deviation"
        if is_error and node.args:
            take("error", node.args[-1] if name == "Deviation" else node.args[0])
        if name in _HELP_AT and len(node.args) > _HELP_AT[name]:
            take("help", node.args[_HELP_AT[name]])
        for keyword in node.keywords:
            if keyword.arg == "hint":
                take("hint", keyword.value)
            elif keyword.arg in _HELPS:
                take("help", keyword.value)
            elif keyword.arg == "code":
                taken.update(id(part) for part in ast.walk(keyword.value))
    for node in source.nodes:
        if (
            isinstance(node, ast.Constant | ast.JoinedStr)
            and id(node) not in taken
            and id(node) not in docstrings
        ):
            text = text_of(node)
            if isinstance(node, ast.JoinedStr):
                taken.update(id(part) for part in ast.walk(node))
            if len(text.split()) > 1 and _is_prose(text):
                found.append(Message("text", f"{source.path}:{node.lineno}", text))
    return found


def _is_command(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(item, ast.Call) and name_of(item.func) in {"command", "callback"}
        for item in function.decorator_list
    )


def _is_prose(text: str) -> bool:
    words = [word for word in text.split() if word.strip(".,:;()").isalpha()]
    return len(words) > 1 and not text.lstrip().startswith(
        (
            "SELECT",
            "INSERT",
            "CREATE",
            "DELETE",
            "UPDATE",
            "PRAGMA",
            "BEGIN",
            "WITH",
            "ALTER",
            "DROP",
        )
    )


def text_of(node: ast.expr) -> str:
    """Return a text as it stands in the source, with ``{...}`` where something is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}}}"
    if isinstance(node, ast.IfExp):
        texts = [text for text in (text_of(node.body), text_of(node.orelse)) if text]
        return " | ".join(texts)
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return f"{{{ast.unparse(node)}}}" if isinstance(node, ast.Name | ast.Call) else ""
