"""The line that shows how far a long piece of work is."""

from __future__ import annotations

from pathlib import Path

from tests.ledger.chains import ALICE, create
from twincli.cli.showing.progress import Line
from twincli.ledger import Ledger


def test_a_line_comes_after_a_while_and_goes() -> None:
    now, written = [100.0], [""]
    line = Line("verifying", lambda: now[0], written.append, lambda: None)
    line.show(1, 10)
    line.clear()
    assert written == [""], "short work shows nothing"
    now[0] += 10
    line.show(2, 10)
    line.show(3, 10)
    assert written[1:] == ["\r\x1b[Kverifying: 20 %, 1 min 20 s left"]
    now[0] += 10
    line.show(10, 10)
    line.clear()
    line.clear()
    assert written[2:] == ["\r\x1b[Kverifying: 100 %, 0 s left", "\r\x1b[K"]


def test_nothing_to_do_is_no_division_by_zero() -> None:
    now, written = [0.0], [""]
    line = Line("indexing", lambda: now[0], written.append, lambda: None)
    now[0] = 5
    line.show(0, 0)
    line.show(0, 7)
    assert written == [""]


def test_verifying_and_indexing_report_until_the_end(tmp_path: Path) -> None:
    first = create()
    with Ledger.open(tmp_path) as ledger:
        ledger.submit(first)
        ledger.append_many(ALICE, first["id"], [{"n": n} for n in range(2500)])
        for work in (ledger.verify, ledger.reindex):
            told: list[tuple[int, int]] = []

            def tell(done: int, total: int, told: list[tuple[int, int]] = told) -> None:
                told.append((done, total))

            work(progress=tell)
            assert len(told) > 1
            assert told == sorted(told)
            assert told[-1] == (2501, 2501)
