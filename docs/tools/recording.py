"""Record the picture of the README: real commands on a terminal, drawn as SVG.

    uv run python -m docs.tools.recording            write docs/pictures/tour.svg
    uv run python -m docs.tools.recording --check    fail if commands now print something else

The commands run on a pseudo-terminal of 80 columns in a home of their own. What differs from run
to run (ids, keys, times) is left as it came; the check looks past it.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import subprocess
import sys
import tempfile
from html import escape, unescape
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "pictures" / "tour.svg"
COMMAND = "uv run python -m docs.tools.recording"
COLUMNS = 80

COMMANDS = (
    "twin keys new alice --no-passphrase --get did",
    "twin asset create car --brand ACME --serial A-17 --quiet",
    "twin asset append car --mileage 1200 --quiet --get state",
    "twin asset append car --mileage 1250 --paint red --quiet --get state",
    "twin history car",
    "twin asset tree",
)

CHANGING = (
    (r"z6Mk[1-9A-HJ-NP-Za-km-z]{44}", "<did>"),
    (r"\b[1-9A-HJ-NP-Za-km-z]{43,44}\b", "<key>"),
    (r"\b[0-9a-f]{10,64}\b", "<id>"),
    (r"\d{4}-\d\d-\d\d", "<date>"),
    (r"\d\d:\d\d:\d\d(\.\d+)?Z?", "<time>"),
)

THEME = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [
        (72, 79, 88),
        (255, 123, 114),
        (63, 185, 80),
        (210, 153, 34),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
)

# Rich's own form fetches a font; this one takes what the reader has.
FORM = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def on_terminal(command: str, environment: dict[str, str], directory: str) -> str:
    """Return what a command prints on a terminal of its own.

    Raises:
        RuntimeError: It failed.
    """
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as reader:
        process = subprocess.Popen(
            command.split(),
            env=environment,
            cwd=directory,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        parts: list[bytes] = []
        while True:
            try:
                part = reader.read(65536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not part:
                break
            parts.append(part)
        status = process.wait()
    text = b"".join(parts).decode().replace("\r\n", "\n")
    if status != 0:
        raise RuntimeError(f"{command} ended with {status}:\n{text}")
    return text


def record() -> Text:
    """Run the commands and return the session, coloured as it came."""
    session = Text()
    with tempfile.TemporaryDirectory(prefix="twin-tour-") as directory:
        programs = Path(sys.executable).parent
        environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "TWIN_HOME": os.path.join(directory, "home"),
            "HOME": directory,
            "COLUMNS": str(COLUMNS),
            "LINES": "40",
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        }
        for command in COMMANDS:
            session.append("$ ", style="green")
            session.append(f"{command}\n", style="bold")
            printed = Text.from_ansi(on_terminal(command, environment, directory))
            for line in printed.split("\n"):
                line.rstrip()
                session.append_text(line)
                session.append("\n")
    session.rstrip()
    return session


def drawn(session: Text) -> str:
    """Return the session as SVG."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(
            record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor"
        )
        console.print(session)
        picture = console.export_svg(
            title="twin", theme=THEME, code_format=FORM, unique_id="tour", font_aspect_ratio=0.6
        )
    told = f"<desc>{escape(session.plain)}</desc>"
    return picture.replace("<style>", f"{told}\n<style>", 1)


def comparable(plain: str) -> str:
    for pattern, name in CHANGING:
        plain = re.sub(pattern, name, plain)
    return plain


def recorded() -> str:
    """Return the session that the picture shows, as plain text."""
    found = re.search(r"<desc>(.*?)</desc>", PICTURE.read_text(encoding="utf-8"), re.DOTALL)
    return unescape(found[1]) if found else ""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    session = record()
    if parser.parse_args().check:
        if comparable(session.plain) == comparable(recorded()):
            return 0
        print(f"{PICTURE} shows something else: {COMMAND}", file=sys.stderr)
        return 1
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(session), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
