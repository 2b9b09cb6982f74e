"""Write the pages of the reference that come from the sources.

    uv run python -m docs.tools.reference            write them
    uv run python -m docs.tools.reference --check    fail if one is not up to date

Each page is a function of `PAGES` that returns its text.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from docs.tools import map_format, template_format
from twincli import config
from twincli.cli.commands.home.help import EXIT_CODES
from twincli.cli.showing import help_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ROOT_HELP = ROOT / "twincli" / "cli" / "root_help.txt"
"""What ``twin --help`` prints in a pipe; tests/contract/test_help.py compares it."""
COMMAND = "uv run python -m docs.tools.reference"
NOTE = f"<!-- Written by `{COMMAND}`. Change the source, not this page. -->"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = (cell.replace("|", r"\|") for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def exit_codes() -> str:
    """Return the page of the exit statuses."""
    rows = [(str(code.value), f"`{code.name}`", meaning) for code, meaning in EXIT_CODES.items()]
    return (
        "# Exit codes\n\n"
        "A promise to scripts: a status keeps its meaning. With `--json`, errors are an object on\n"
        "stderr whose [code](errors.md) is more precise.\n\n"
        + table(("status", "name", "when"), rows)
        + "\nStatuses 3, 10 and 11 of a command that answers a question come with its document on\n"
        "stdout.\n"
    )


def settings() -> str:
    """Return the page of the settings and environment variables."""
    by_variable = {f"TWIN_{key.upper()}": key for key in config.KEYS}
    rows = [
        (f"`{name}`", f"`{by_variable[name]}`" if name in by_variable else "", meaning)
        for name, meaning in config.ENVIRONMENT
    ]
    return (
        "# Settings\n\n"
        "An option wins over an environment variable, a variable over the settings file, the\n"
        "file over the default. `twin config show` prints every value with its source, `twin\n"
        "config path` the file: `config.json` in the home, or in the platform's directory for\n"
        "settings. `twin config set KEY VALUE` writes it. A variable that is set but empty counts\n"
        "as not set, except `TWIN_PASSPHRASE`.\n\n"
        + table(("variable", "setting", "what it is"), rows)
    )


def files() -> str:
    """Return the page that says what is in each file."""
    intro = "Every file under `twincli/` with the first line of its docstring."
    parts = [f"# Files\n\n{intro} [Architecture](../architecture.md) explains the rooms.\n"]
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted((ROOT / "twincli").rglob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        place = path.relative_to(ROOT)
        if path.name == "__init__.py" and not text:
            continue
        line = text.partition("\n")[0].replace("``", "`")
        found.setdefault(str(place.parent), []).append((f"`{place.name}`", line))
    for folder, rows in found.items():
        parts.append(f"## `{folder}/`\n\n{table(('file', 'what is in it'), rows)}")
    return "\n".join(parts)


def documents() -> str:
    """Return the page of the JSON documents."""
    from tests.contract.test_documents import DOCUMENTS

    rows = []
    for words, schema, keys, listing in DOCUMENTS:
        members = " ".join(f"`{key}`" for key in keys.split())
        if listing is not None:
            name, item, of_item = listing
            each = " ".join(f"`{key}`" for key in of_item.split())
            members += f"; each of `{name}` (`{item}`): {each}"
        rows.append((f"`{schema}`", f"`twin {words}`", members))
    intro = (
        "`--json` prints one of these, `--jsonl` one object a line, `--get PATH` one value of it.\n"
        'The first member is always `"schema"`. Members may be added; one that goes, or changes\n'
        "its name, gets a new number in the schema. A test runs each command and compares."
    )
    examples = table(("document", "for example", "members"), rows)
    parts = [f"# JSON documents\n\n{intro}\n\n## What prints what\n\n{examples}", "## Types\n"]
    source = (ROOT / "twincli" / "services" / "documents.py").read_text(encoding="utf-8")
    parts += [_typed(node) for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return "\n".join(parts)


def _typed(node: ast.ClassDef) -> str:
    """Return the section of one type of document."""
    text = (ast.get_docstring(node) or "").replace("``", "`")
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    bases = [f"[{base}](#{base.lower()})" for base in bases if base != "TypedDict"]
    also = f"Has the members of {', '.join(bases)}.\n\n" if bases else ""
    rows = [
        (f"`{item.target.id}`", f"`{ast.unparse(item.annotation)}`")
        for item in node.body
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and item.target.id != "schema"
    ]
    members = table(("member", "type"), rows) if rows else ""
    return f"### {node.name}\n\n{text}\n\n{also}{members}".rstrip("\n") + "\n"


def commands() -> str:
    """Return the page of the commands: what ``--help`` prints, the shared options only once."""
    import importlib
    from typing import Any

    import typer

    from twincli.cli import table as tree
    from twincli.cli.parsing import data_commands

    intro = "`twin --help` lists them; `twin help NOUN VERB` prints what is here."
    shared = f"## Options of every command\n\n{_help('help', 'options')}"
    parts = [f"# Commands\n\n{intro}\n\n{shared}"]
    for name in (*tree.NOUNS, *tree.BARE):
        parts.append(f"## twin {name}\n\n{_help(name, '--help')}")
        if name in tree.NOUNS:
            module = importlib.import_module(tree.NOUNS[name][0])
            group: Any = typer.main.get_command(module.app)
            verbs = [*group.list_commands(None)]
            verbs += [
                verb for noun, verb in data_commands.COMMANDS if noun == name and verb not in verbs
            ]
            texts = ((verb, _help(name, verb, "--help")) for verb in verbs)
            parts += [f"### twin {name} {verb}\n\n{text}" for verb, text in texts]
    return "\n".join(parts)


def _help(*words: str) -> str:
    """Return a text of help, without the options that every command has."""
    from twincli.cli.main import main as twin

    memory = io.BytesIO()
    stream = io.TextIOWrapper(memory, encoding="utf-8")
    with redirect_stdout(stream):
        twin(words)
    text = memory.getvalue().decode()
    text = re.sub(r"^Shared options \(.*\n(?:  .*\n)+\n?", "", text, flags=re.MULTILINE)
    return f"```text\n{text.rstrip()}\n```\n"


def decisions() -> str:
    """Return the index of the decisions."""
    intro = "Why things are as they are. A decision that no longer holds is replaced by a new one."
    lines = [f"# Decisions\n\n{intro}\n"]
    for path in sorted((DOCS / "decisions").glob("0*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        number, _, name = title.partition(". ")
        lines.append(f"{number}. [{name}]({path.name})")
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands,
    "reference/documents.md": documents,
    "reference/exit-codes.md": exit_codes,
    "reference/files.md": files,
    "reference/settings.md": settings,
    "reference/map-format.md": map_format.page,
    "reference/template-format.md": template_format.page,
    "decisions/README.md": decisions,
}
"""The pages by their name under ``docs/``, and what returns their text."""


def page(name: str) -> str:
    """Return the whole text of a page."""
    title, _, rest = PAGES[name]().partition("\n")
    return f"{title}\n\n{NOTE}\n{rest}"


def stale() -> list[str]:
    """Return the pages that are not up to date."""
    return [
        name
        for name in PAGES
        if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != page(name)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    old = stale()
    if not parser.parse_args().check:
        ROOT_HELP.write_text(help_page.draw(help_page.root()), encoding="utf-8")
        for name in old:
            (DOCS / name).write_text(page(name), encoding="utf-8")
        print(f"{len(old)} of {len(PAGES)} pages written")
        return 0
    for name in old:
        print(f"docs/{name} is not up to date: {COMMAND}", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
