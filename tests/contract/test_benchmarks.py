"""What the benchmarks write of their figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.report import BEGIN, END, Figure

README = (Path(__file__).parents[2] / "README.md").read_text()

SLOW = Figure("start", 2.5, 2, "x bare Python", "25 ms", at_least=False)
FAST = Figure("reads", 12_345.6, 8_000, "a second", "p50 2 ms", at_least=True)


def test_figures_and_their_budgets() -> None:
    assert report.table(
        [SLOW, FAST, FAST._replace(measured=7_000.4), SLOW._replace(budget=None)]
    ) == (
        "| what | measured | budget | in detail |\n"
        "|---|---|---|---|\n"
        "| start | 2.50 x bare Python | at most 2 x bare Python: missed | 25 ms |\n"
        "| reads | 12,346 a second | at least 8,000 a second | p50 2 ms |\n"
        "| reads | 7,000 a second | at least 8,000 a second: missed | p50 2 ms |\n"
        "| start | 2.50 x bare Python | none | 25 ms |"
    )


def test_the_readme_has_their_place() -> None:
    assert (README.count(BEGIN), README.count(END)) == (1, 1)
    between = README.partition(BEGIN)[2].partition(END)[0]
    assert report.table([]) in between


def test_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    results, readme = tmp_path / "benchmarks" / "RESULTS.md", tmp_path / "README.md"
    results.parent.mkdir()
    results.write_text("# Results\n")
    readme.write_text(README)
    report.report([SLOW], write=False)
    assert report.table([SLOW]) in capsys.readouterr().out
    report.report([SLOW], write=True)
    kept = f"# Results\n\n## {report.heading()}\n\n{report.table([SLOW])}\n"
    assert (results.read_text(), readme.read_text()) == (kept, README)
    report.report([FAST], write=True, into_readme=True)
    assert results.read_text() == f"{kept}\n## {report.heading()}\n\n{report.table([FAST])}\n"
    before, after = README.partition(BEGIN)[0], README.partition(END)[2]
    shown = f"{BEGIN}\n{report.heading()}:\n\n{report.table([FAST])}\n{END}"
    assert readme.read_text() == before + shown + after
