"""Summaries as bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from tests.analysis.test_summary import bits, of, rows, whole_rows
from twincli.analysis import summary
from twincli.analysis.packing import pack, unpack


@given(rows | whole_rows)
def test_a_summary_comes_back_to_the_last_bit(found: list[tuple[int, float, bool]]) -> None:
    made = of(found)
    back = unpack(pack(made))
    assert bits(back) == bits(made)
    assert pack(back) == pack(made)
    assert bits(summary.merge([back, back])) == bits(summary.merge([made, made]))
    assert back.begins.flags.writeable


@pytest.mark.parametrize("cut", [0, 5, 30])
def test_what_is_not_a_summary(cut: int) -> None:
    data = pack(of([(0, 1.5, False), (1, 2.5, True)]))
    bad = [data[:cut], data[:-1], data[:-cut] + b"x" * cut, b"\x02" + data[1:]]
    bad.append(data[:2] + b"\xff\xff\xff\x7f" + data[6:])
    for broken in bad:
        if broken != data:
            with pytest.raises(ValueError, match="not a summary"):
                unpack(broken)


def test_a_day_of_minutes_is_small() -> None:
    random = np.random.default_rng(2)
    time = np.arange(0, 86_400_000_000, 1_000_000)
    values = random.normal(20, 5, len(time)).round(2)
    begins = time - time % 60_000_000
    assert len(pack(summary.summarise(time, values, begins))) < 80_000
