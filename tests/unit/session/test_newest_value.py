"""The newest value at an instant, asked for again and again, is the one that a search finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mismartera.bars.view import NewestValue

NEVER = np.iinfo(np.int64).max


def searched(ends: list[int], values: list[float], now_us: int) -> float | None:
    shown = [value for end, value in zip(ends, values, strict=True) if end <= now_us]
    return None if not shown or np.isnan(shown[-1]) else shown[-1]


@given(
    st.sets(st.integers(1, 40), max_size=20), st.lists(st.integers(0, 45), max_size=40),
    st.lists(st.booleans(), min_size=20, max_size=20),
)  # fmt: skip
def test_whatever_instants_are_asked_for_in_whatever_order(
    minutes: set[int], asked: list[int], warm: list[bool]
) -> None:
    ends = sorted(minutes)
    values = [float(k) if warm[k] else np.nan for k in range(len(ends))]
    newest = NewestValue(np.array(ends, dtype=np.int64), np.array(values))
    for now_us in asked:
        after = newest.next
        if after < newest.size and newest.ends[after] == now_us:  # as its reader finds it by itself
            newest.next = after + 1
            value = newest.values[after]
            assert searched(ends, values, now_us) == (value if value == value else None)  # noqa: PLR0124  # NaN
        assert newest.until(now_us) == searched(ends, values, now_us)


@given(st.lists(st.tuples(st.integers(1, 3), st.lists(st.integers(-2, 3), max_size=3)), max_size=15))
def test_bars_that_come_later_are_found_when_they_have_come(steps: list[tuple[int, list[int]]]) -> None:
    column, values = np.full(16, NEVER), np.zeros(16)
    newest = NewestValue(column, values)
    ends: list[int] = []
    now_us = 0
    for row, (gap, looks) in enumerate(steps):
        now_us += gap
        values[row], column[row] = row + 0.5, now_us
        ends.append(now_us)
        for offset in looks:
            found = newest.until(now_us + offset)
            assert found == searched(ends, [k + 0.5 for k in range(row + 1)], now_us + offset)
