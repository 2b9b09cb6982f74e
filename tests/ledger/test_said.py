"""Records in the order in which they happened, over more than one page of the index."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.chains import ALICE, create
from twincli.ledger import Ledger
from twincli.ledger import said as table
from twincli.ledger.said import Asked
from twincli.model import times

BEGIN_MS = 1_700_000_000_000


@pytest.mark.parametrize("page", [1, 7, 1000])
def test_pages_join(page: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "PAGE", page)
    with Ledger.open(tmp_path / "ledger") as ledger:
        first = create()
        ledger.submit(first)
        # Many happened at the same moment.
        moments = [BEGIN_MS + 1000 * (number * 7 % 11) for number in range(60)]
        ids = ledger.append_many(
            ALICE,
            first["id"],
            [
                {
                    "twin": {
                        "v": 1,
                        "kind": "event",
                        "at": times.to_text(moment),
                        "body": {"type": "even" if number % 2 else "odd"},
                    }
                }
                for number, moment in enumerate(moments)
            ],
        )
        order = [number for _, number in sorted((at, n) for n, at in enumerate(moments))]

        def found(**asked: object) -> list[int]:
            entries = ledger.said(first["id"], Asked("event", **asked))  # type: ignore[arg-type]
            return [ids.index(entry.tx["id"]) for entry in entries]

        assert found() == order
        assert found(reverse=True) == order[::-1]
        assert found(label="odd") == [number for number in order if number % 2 == 0]
        since, until = BEGIN_MS + 3000, BEGIN_MS + 8000
        within = [number for number in order if since <= moments[number] < until]
        assert found(since_ms=since, until_ms=until) == within
        assert found(since_ms=since, until_ms=until, reverse=True) == within[::-1]
        assert found(by_block=True) == list(range(60))
        assert found(by_block=True, reverse=True) == list(range(60))[::-1]
