"""What the benchmarks measured, held against its budgets and written down."""

from __future__ import annotations

import argparse
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import twincli

ROOT = Path(__file__).resolve().parents[1]


class Figure(NamedTuple):
    """One line of the table.

    Attributes:
        what: What was measured.
        measured: In ``unit``.
        budget: The most that it may be; None: any value will do.
        unit: Of both, which is also what a ratio is to.
        detail: The figures behind it.
        at_least: Whether the budget is the least that it may be, not the most.
    """

    what: str
    measured: float
    budget: float | None
    unit: str
    detail: str
    at_least: bool = False

    @property
    def kept(self) -> bool:
        if self.budget is None:
            return True
        return self.measured >= self.budget if self.at_least else self.measured <= self.budget

    @property
    def text(self) -> str:
        places = 0 if self.measured >= 1000 else 2
        return f"{self.measured:,.{places}f} {self.unit}"

    @property
    def allowed(self) -> str:
        if self.budget is None:
            return "none"
        bound = f"{'at least' if self.at_least else 'at most'} {self.budget:,.4g} {self.unit}"
        return bound if self.kept else f"{bound}: missed"


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return what reads the options that all benchmarks have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--quick", action="store_true", help="small counts, to see that it works")
    forms.add_argument("--write", action="store_true", help="keep the figures")
    return parser


def heading() -> str:
    today = datetime.now(UTC).date().isoformat()
    return (
        f"{today}, twincli {twincli.__version__}, Python {platform.python_version()},"
        f" {platform.system()} on {os.cpu_count()} cores ({platform.machine()})"
    )


def table(figures: list[Figure]) -> str:
    rows = ["| what | measured | budget | in detail |", "|---|---|---|---|"]
    rows += [f"| {f.what} | {f.text} | {f.allowed} | {f.detail} |" for f in figures]
    return "\n".join(rows)


def marks(name: str) -> tuple[str, str]:
    """Return what figures stand between in the docs."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def report(figures: list[Figure], *, write: bool, into_docs: str | None = None) -> None:
    """Print the figures.

    Args:
        figures: A line each.
        write: Append them to RESULTS.md.
        into_docs: With ``write``, also put them between the marks of this name in
            ``docs/reference/benchmarks.md``.
    """
    print(f"{heading()}\n\n{table(figures)}")
    if not write:
        return
    with (ROOT / "benchmarks" / "RESULTS.md").open("a") as results:
        results.write(f"\n## {heading()}\n\n{table(figures)}\n")
    if into_docs is not None:
        begin, end = marks(into_docs)
        page = ROOT / "docs" / "reference" / "benchmarks.md"
        before, _, rest = page.read_text().partition(begin)
        _, _, after = rest.partition(end)
        page.write_text(f"{before}{begin}\n{heading()}:\n\n{table(figures)}\n{end}{after}")
