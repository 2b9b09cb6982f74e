"""What encryption costs: the same month in the clear and encrypted, asked in the same run.

    uv run python -m benchmarks.privacy          2.6 million readings, one a second
    uv run python -m benchmarks.privacy --quick  a tenth of them
    uv run python -m benchmarks.privacy --write  also into RESULTS.md

Ratios are of processor time, user and system. The question is one that rollups do not answer, so
that both read all chunks. Everything is done several times in turn, and the least counts.
"""

from __future__ import annotations

import tempfile

from benchmarks.report import Figure, arguments, report
from benchmarks.streams import DAYS, Cost, Place, cost, in_turn, twin, words

FULL, QUICK = DAYS * 86_400, DAYS * 8_640
TIMES = 5


def measured(place: Place, times: int) -> list[Figure]:
    """Return the figures of a month."""
    home = place.home("home")
    twin(home, "stream", "create", "press", "sealed", "--encrypt")

    def imported(stream: str) -> Cost:
        return cost(words(home, "stream", "import", "press", stream, place.one))

    def asked(stream: str, *more: str) -> Cost:
        return cost(words(home, "query", "press", "--stream", stream, *more, "--format", "csv"))

    plain, sealed = imported("plain"), imported("sealed")
    hours = ("--every", "1h", "--agg", "median")
    found = in_turn(
        {
            "plain": lambda: asked("plain", *hours),
            "sealed": lambda: asked("sealed", *hours),
            "plain rows": lambda: asked("plain", "--until", "2024-01-04"),
            "sealed rows": lambda: asked("sealed", "--until", "2024-01-04"),
        },
        times,
    )
    rows = f"{place.rows:,} readings"
    return [
        _figure(f"an encrypted month asked for medians of hours, {rows}", found, ""),
        _figure("the rows of its first three days", found, " rows"),
        Figure(
            f"an encrypted month imported, {rows}",
            sealed.cpu / plain.cpu,
            None,
            "x the plain one",
            f"{sealed.cpu:.2f} s to {plain.cpu:.2f} s",
        ),
    ]


def _figure(what: str, found: dict[str, Cost], name: str) -> Figure:
    sealed, plain = found[f"sealed{name}"], found[f"plain{name}"]
    detail = (
        f"{sealed.cpu:.2f} s to {plain.cpu:.2f} s of the processor,"
        f" {sealed.wall:.2f} s to {plain.wall:.2f} s of the clock, {sealed.memory:.0f} MB"
    )
    return Figure(what, sealed.cpu / plain.cpu, 1.5, "x the plain one", detail)


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Place(directory, QUICK if options.quick else FULL)
        report(measured(place, 2 if options.quick else TIMES), write=options.write)


if __name__ == "__main__":
    main()
