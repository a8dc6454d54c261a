"""Counts balance (R1): every row that a source hands over ends in exactly one column."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import date

from hypothesis import given
from hypothesis import strategies as st
from tests.property.helpers import run_engine
from tests.property.worlds import LONG_AGO, Rows, World, midnight, priced, run_of, time_of

from mismartera.bars.instants import DAY_US, MINUTE_US, SECOND_US
from mismartera.testing.invariants import unbalanced
from mismartera.testing.reference_bars import RefBar

DAY = date(2024, 7, 2)
HOURS = ("09:30", "09:50")
MINUTES = st.lists(st.integers(-400, 800), max_size=12)
"""Minutes from the open, repeated ones too: from the night before to past midnight."""


@st.composite
def foreign_rows(draw: st.DrawFn) -> list[RefBar]:
    """Rows as no store of ours would have them: repeated, broken, off the grid, of other hours and days."""
    seed = random.Random(draw(st.integers(0, 2**32)))
    open_us = time_of("XNYS", HOURS).get_trading_session(DAY).open_us
    near = draw(st.lists(st.integers(-3, 23), max_size=40))
    starts = [open_us + minute * MINUTE_US for minute in [*near, *draw(MINUTES)]]
    shifted = [start + (SECOND_US if seed.random() < 0.1 else 0) for start in starts]
    return [priced(start, seed, broken=0.2) for start in shifted]


@given(st.lists(foreign_rows(), min_size=1, max_size=3), st.one_of(st.none(), st.integers(0, 20)))
def test_every_row_of_a_foreign_source_is_counted_once(rows: list[list[RefBar]], removed_at: int | None) -> None:
    symbols = [f"S{k}" for k in range(len(rows))]
    bars: Rows = {(symbol, "1m"): [LONG_AGO, *of] for symbol, of in zip(symbols, rows, strict=True)}
    schedule = [] if removed_at is None else [{"at": f"2024-07-02T09:{30 + removed_at}", "remove": "S0"}]
    data = {"symbols": symbols, "streams": ["1m", "5m"], "hours": {"open": HOURS[0], "close": HOURS[1]}}
    result = run_engine(World(bars, run_of("XNYS", [DAY], data, schedule)).config, bars)
    assert unbalanced(result.counts) == []
    open_us = time_of("XNYS", HOURS).get_trading_session(DAY).open_us
    for symbol, of in zip(symbols, rows, strict=True):
        until_us = open_us + removed_at * MINUTE_US if removed_at is not None and symbol == "S0" else None
        assert result.counts[symbol] == expected(of, until_us)


def expected(rows: list[RefBar], until_us: int | None) -> dict[str, int]:
    """The fates of ``rows``, one after the other in order of time."""
    session = time_of("XNYS", HOURS).get_trading_session(DAY)
    first_us = midnight(DAY, session.zone)
    fates: Counter[str] = Counter()
    taken: set[int] = set()
    for row in sorted(rows, key=lambda row: row.start_us):  # stable: of two rows of one start, the first counts
        if not first_us <= row.start_us < first_us + DAY_US:
            continue
        if until_us is not None and row.start_us + MINUTE_US > until_us:
            if is_valid(row):
                taken.add(row.start_us)
            continue
        if not is_valid(row):
            fates["rejected"] += 1
        elif row.start_us in taken:
            fates["duplicate"] += 1
        else:
            taken.add(row.start_us)
            fates["accepted" if session.open_us <= row.start_us < session.close_us else "out_of_hours"] += 1
    names = ("accepted", "duplicate", "out_of_hours", "rejected", "revised", "late")
    return {"received": sum(fates.values())} | {name: fates[name] for name in names}


def is_valid(row: RefBar) -> bool:
    return (
        all(math.isfinite(value) for value in row[1:])
        and min(row.open, row.high, row.low, row.close) > 0
        and row.low <= row.open <= row.high
        and row.low <= row.close <= row.high
        and row.volume >= 0
        and row.start_us % MINUTE_US == 0
    )
