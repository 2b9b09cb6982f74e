"""Print every text of the sources that a user may see, with file and line.

    uv run python -m docs.tools.messages               all of them
    uv run python -m docs.tools.messages passphrase    those that hold a word
    uv run python -m docs.tools.messages --kind hint   error, hint, help or text

Read what you added from top to bottom; CONTRIBUTING.md says how it should sound.
"""

from __future__ import annotations

import argparse
import sys

from docs.tools.sources import messages


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="print only what holds all of these")
    parser.add_argument("--kind", choices=("error", "hint", "help", "text"))
    options = parser.parse_args()
    for kind, where, text in messages():
        if options.kind in {None, kind} and all(word in text for word in options.words):
            print(f"{where}\t{kind}\t{text!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
