"""What the benchmarks write of their figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import growth, report
from benchmarks.report import Figure

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "benchmarks.md").read_text()

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


BEGIN, END = report.marks("benchmarks")


@pytest.mark.parametrize("name", ["benchmarks", "streams"])
def test_the_docs_have_their_place(name: str) -> None:
    begin, end = report.marks(name)
    assert (PAGE.count(begin), PAGE.count(end)) == (1, 1)
    between = PAGE.partition(begin)[2].partition(end)[0]
    assert report.table([]) in between


def test_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    results = tmp_path / "benchmarks" / "RESULTS.md"
    page = tmp_path / "docs" / "reference" / "benchmarks.md"
    results.parent.mkdir()
    page.parent.mkdir(parents=True)
    results.write_text("# Results\n")
    page.write_text(PAGE)
    report.report([SLOW], write=False)
    assert report.table([SLOW]) in capsys.readouterr().out
    report.report([SLOW], write=True)
    kept = f"# Results\n\n## {report.heading()}\n\n{report.table([SLOW])}\n"
    assert (results.read_text(), page.read_text()) == (kept, PAGE)
    report.report([FAST], write=True, into_docs="benchmarks")
    assert results.read_text() == f"{kept}\n## {report.heading()}\n\n{report.table([FAST])}\n"
    before, after = PAGE.partition(BEGIN)[0], PAGE.partition(END)[2]
    shown = f"{BEGIN}\n{report.heading()}:\n\n{report.table([FAST])}\n{END}"
    assert page.read_text() == before + shown + after


@pytest.mark.ci
@pytest.mark.parametrize("kind", growth.CASES)
def test_no_command_grows_faster_than_what_it_is_asked(kind: str) -> None:
    figures = list(growth.measure(kind, 100))
    assert len(figures) == len(growth.CASES[kind])
    late = {figure.what for figure in figures if not figure.kept}
    if late:  # something else may have kept the machine busy: what grows does so again
        late &= {figure.what for figure in growth.measure(kind, 100) if not figure.kept}
    assert not late
