"""Make the page of bundles from its sources: ``uv run python -m docs.tools.bundle_page [--check]``.

Modules of JavaScript become functions in one script, each after those that it imports; comments
that stand alone on their lines are left out. Before them stand the licences of what is not ours,
after them the templates in the package. The same sources give the same bytes, and a policy in
the page allows this one script and this one style sheet, by their hashes, and nothing else.
"""

from __future__ import annotations

import json
import re
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import twincli
from twincli.formats import shipped

ROOT = Path(twincli.__file__).parent / "formats" / "bundle_page"
PAGE = ROOT / "index.html"
COMMAND = "uv run python -m docs.tools.bundle_page"

_IMPORT = re.compile(
    r"^import (?:\{(?P<names>[^}]*)\}|(?:\* as )?(?P<all>\w+)) from ['\"](?P<path>[^'\"]+)['\"];?$",
    re.MULTILINE,
)
_EXPORT = re.compile(
    r"^export (?P<what>(?:async )?function\*?|const|let|var|class) (?P<name>\w+)", re.MULTILINE
)
_EXPORT_LIST = re.compile(r"^export \{(?P<names>[^}]*)\};?$", re.MULTILINE)
_EXPORT_DEFAULT = re.compile(r"^export default \w+;?$", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?:/\*(?:(?!\*/).)*\*/[ \t]*|//[^\n]*)\n", re.MULTILINE | re.DOTALL)


class SourceError(Exception):
    """A source uses something that this tool does not know."""


def script() -> str:
    """Return the script: all modules that ``js/main.js`` needs, and the call that starts it."""
    modules: dict[Path, str] = {}
    _add((ROOT / "js" / "main.js").resolve(), modules, ())
    template = json.dumps((ROOT / "page.html").read_text(encoding="utf-8")).replace("<", "\\u003c")
    released = json.dumps(sorted(_released()))
    templates = filter(None, map(shipped.data, shipped.ids()))
    listed = ",\n".join(_quoted(data.decode()) for data in templates)
    body = "".join(modules.values())
    main = _name((ROOT / "js" / "main.js").resolve())
    made = f"'use strict';\n{_licences()}{body}{main}.start({template}, {released}, [{listed}])\n"
    if "</script" in made.lower() or "<!--" in made:
        raise SourceError("the script would end early")
    return made


def _licences() -> str:
    """Return the licences of what is not ours, which every copy has to carry, as comments."""
    texts = {
        path: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("vendor/*/LICENSE"))
    }
    return "".join(
        f"/* {path.parent.name}:\n\n{text.strip()}\n*/\n" for path, text in texts.items()
    )


def _quoted(text: str) -> str:
    """Return a JSON text as a literal of JavaScript, its quotes as they are."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("<", "\\u003c")
    return f"'{escaped}'"


def _released() -> list[str]:
    lines = (ROOT / "released.txt").read_text(encoding="ascii").splitlines()
    return [found for line in lines if (found := line.partition("#")[0].strip())]


def _add(path: Path, modules: dict[Path, str], above: tuple[Path, ...]) -> None:
    if path in above:
        raise SourceError(f"a circle of imports: {path.name}")
    if path in modules:
        return
    text = path.read_text(encoding="utf-8")
    for found in _IMPORT.finditer(text):
        _add(_target(path, found["path"]), modules, (*above, path))
    modules[path] = _module(path, text)


def _target(path: Path, stated: str) -> Path:
    if not stated.startswith("."):
        raise SourceError(f"{path.name} imports {stated}, which is not a file")
    return (path.parent / stated).resolve()


def _name(path: Path) -> str:
    return "$" + re.sub(r"\W", "_", str(path.relative_to(ROOT).with_suffix("")))


def _module(path: Path, text: str) -> str:
    if path.suffix == ".cjs":
        text = f"const module = {{ exports: {{}} }};\n{text.strip()}\nreturn module.exports"
        return f"const {_name(path)} = (() => {{\n{text}\n}})()\n"
    exported: dict[str, str] = {}

    def imported(found: re.Match[str]) -> str:
        target = _name(_target(path, found["path"]))
        if found["all"]:
            return f"const {found['all']} = {target}"
        names = ", ".join(found["names"].replace(" as ", ": ").split(","))
        return f"const {{{' '.join(names.split())}}} = {target}"

    def declared(found: re.Match[str]) -> str:
        exported[found["name"]] = found["name"]
        return f"{found['what']} {found['name']}"

    def listed(found: re.Match[str]) -> str:
        for item in filter(None, map(str.strip, found["names"].split(","))):
            name, _, other = item.partition(" as ")
            exported[other or name] = name
        return ""

    text = _COMMENT.sub("", text)
    text = _IMPORT.sub(imported, text)
    text = _EXPORT.sub(declared, text)
    text = _EXPORT_LIST.sub(listed, text)
    text = _EXPORT_DEFAULT.sub("", text)
    if re.search(r"^(?:import|export)\b", text, re.MULTILINE):
        raise SourceError(f"{path.name} imports or exports in a form that is not known here")
    members = ", ".join(f"{name}: {inner}" for name, inner in sorted(exported.items()))
    return f"const {_name(path)} = (() => {{\n{text.strip()}\nreturn {{ {members} }}\n}})()\n"


def made() -> bytes:
    """Return the page that the sources give."""
    template = (ROOT / "page.html").read_text(encoding="utf-8")
    style, code = (ROOT / "page.css").read_text(encoding="utf-8"), script()
    parts = {
        "style": style,
        "code": code,
        "style_hash": _hash(style),
        "code_hash": _hash(code),
    }
    return re.sub(r"\{\{([a-z_]+)\}\}", lambda found: parts[found[1]], template).encode()


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode("ascii")


def main() -> int:
    """Write the page, or say whether it is the one that its sources give."""
    data = made()
    if sys.argv[1:] == ["--check"]:
        if data != PAGE.read_bytes():
            sys.stderr.write(f"index.html is not up to date: {COMMAND}\n")
            return 1
        return 0
    PAGE.write_bytes(data)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
