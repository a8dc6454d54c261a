"""Derived bars and gaps, next to explicit loops over the bars of a session."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.unit.session.blocks import HONG_KONG, NEW_YORK, let_in, minutes, raw, session_of

from mismartera.bars import parse_interval
from mismartera.bars.instants import MINUTE_US
from mismartera.session.derive import derive
from mismartera.session.quality import DataQualityManager
from mismartera.session.reader import BaseGroup
from mismartera.session.series import SeriesBlock
from mismartera.timing import TradingSession

NY, HK = session_of(NEW_YORK), session_of(HONG_KONG)
Row = tuple[int, int, float, float, float, float, float, int]


def rows(block: SeriesBlock, session: TradingSession) -> list[Row]:
    """Start and end in minutes after the open, prices, volume, number of base bars."""
    columns = (block.open, block.high, block.low, block.close, block.volume, block.bar_count)
    times = ((column - session.open_us) // MINUTE_US for column in (block.start, block.end))
    return list(zip(*(column.tolist() for column in (*times, *columns)), strict=True))


def by_hand(base: SeriesBlock, session: TradingSession, length: int, *, complete_only: bool = False) -> list[Row]:
    """Window by window, bar by bar, sums from left to right: the definition, written down."""
    made: list[Row] = []
    bars = rows(base, session)
    for first, last in session.parts:
        part = [(first - session.open_us) // MINUTE_US, (last - session.open_us) // MINUTE_US]
        for start in range(part[0], part[1], length):
            end = min(start + length, part[1])
            inside = [bar for bar in bars if start <= bar[0] < end]
            if not inside or (complete_only and len(inside) < end - start):
                continue
            volume = 0.0
            for bar in inside:
                volume += bar[6]
            high, low = max(bar[3] for bar in inside), min(bar[4] for bar in inside)
            made.append((start, end, inside[0][2], high, low, inside[-1][5], volume, len(inside)))
    return made


def derived(base: SeriesBlock, label: str, session: TradingSession, *, complete_only: bool = False) -> list[Row]:
    (block,) = derive(base, [parse_interval(label)], complete_only=complete_only)
    return rows(block, session)


def test_the_last_hour_is_cut_at_the_close() -> None:
    base = let_in(raw(AAA=minutes(NY, *range(390)))).block
    hours = derived(base, "1h", NY)
    assert [(start, end, count) for start, end, *_, count in hours][-2:] == [(300, 360, 60), (360, 390, 30)]
    assert hours == by_hand(base, NY, 60)


def test_windows_are_anchored_at_each_part_and_never_span_the_lunch_break() -> None:
    everything = [*range(150), *range(210, 390)]
    base = let_in(raw(AAA=minutes(HK, *everything)), HONG_KONG).block
    hours = derived(base, "1h", HK)
    assert [(start, end, count) for start, end, *_, count in hours] == [
        (0, 60, 60), (60, 120, 60), (120, 150, 30), (210, 270, 60), (270, 330, 60), (330, 390, 60),
    ]  # fmt: skip
    assert hours == by_hand(base, HK, 60)


def test_a_daily_bar_runs_from_the_open_to_the_close_across_the_break() -> None:
    base = let_in(raw(AAA=minutes(HK, 3, 149, 210, 388), BBB=[]), HONG_KONG).block
    [(start, end, opens, high, low, close, volume, count)] = derived(base, "1d", HK)
    assert (start, end, count) == (0, 390, 4)
    assert (opens, high, low, close) == (100.0, 105.0, 99.0, 104.0)
    assert volume == 0.0 + 1 / 7 + 2 / 7 + 3 / 7


def test_a_complete_daily_bar_leaves_the_break_out_of_what_it_expects() -> None:
    whole = let_in(raw(AAA=minutes(HK, *range(150), *range(210, 390))), HONG_KONG).block
    assert len(derived(whole, "1d", HK, complete_only=True)) == 1
    holed = let_in(raw(AAA=minutes(HK, *range(149), *range(210, 390))), HONG_KONG).block
    assert derived(holed, "1d", HK, complete_only=True) == []


@settings(deadline=None, derandomize=True, database=None)
@given(
    st.sets(st.sampled_from([2, 5, 7, 15, 60, 120, 240]), min_size=1), st.booleans(), st.booleans(),
    st.integers(0, 2**32),
)  # fmt: skip
def test_derived_bars_are_those_of_the_definition_bit_for_bit(
    lengths: set[int], complete_only: bool, lunch: bool, seed: int
) -> None:
    time, session = (HONG_KONG, HK) if lunch else (NEW_YORK, NY)
    choice = random.Random(seed)
    present = sorted(choice.sample(range(390), choice.randrange(0, 390)))
    other = sorted(choice.sample(range(390), 100))
    both = let_in(raw(AAA=minutes(session, *present), BBB=minutes(session, *other)), time).block
    intervals = [parse_interval(f"{length}m") for length in sorted(lengths)]
    for length, made in zip(sorted(lengths), derive(both, intervals, complete_only=complete_only), strict=True):
        for k, symbol in enumerate(("AAA", "BBB")):
            alone = both.select((symbol,), np.arange(2) == k, rows_of(both, k))
            expected = by_hand(alone, session, length, complete_only=complete_only)
            part = slice(int(made.offsets[k]), int(made.offsets[k + 1]))
            assert rows(made, session)[part] == expected


def rows_of(block: SeriesBlock, k: int) -> NDArray[np.bool_]:
    mask = np.zeros(len(block), dtype=np.bool_)
    mask[int(block.offsets[k]) : int(block.offsets[k + 1])] = True
    return mask


@pytest.mark.parametrize("base_of_all", [[], [0], [389]])
def test_a_window_without_any_base_bar_yields_none(base_of_all: list[int]) -> None:
    base = let_in(raw(AAA=minutes(NY, *base_of_all))).block
    assert len(derived(base, "5m", NY)) == len(base_of_all)


def quality_of(session: TradingSession, present: list[int], *, lunch: bool = False) -> DataQualityManager:
    admitted = let_in(raw(AAA=minutes(session, *present)), HONG_KONG if lunch else NEW_YORK)
    manager = DataQualityManager()
    manager.watch(BaseGroup(session, (parse_interval("1m"),), parse_interval("1m"), admitted))
    return manager


def test_gaps_are_runs_of_missing_minutes_and_a_run_is_split_at_the_lunch_break() -> None:
    present = [m for m in range(390) if m not in {0, 1, 100, *range(140, 150), *range(210, 215), 389}]
    gaps = quality_of(HK, [m for m in present if not 150 <= m < 210], lunch=True).gaps("AAA")
    spans = [((g.from_us - HK.open_us) // MINUTE_US, (g.to_us - HK.open_us) // MINUTE_US, g.missing) for g in gaps]
    assert spans == [(0, 2, 2), (100, 101, 1), (140, 150, 10), (210, 215, 5), (389, 390, 1)]
    assert {(gap.symbol, gap.interval) for gap in gaps} == {("AAA", "1m")}


def test_quality_counts_what_has_ended_so_far() -> None:
    manager = quality_of(NY, [0, 1, 3, 200])
    at = [manager.quality("AAA", NY.open_us + minute * MINUTE_US) for minute in (0, 1, 4, 390)]
    assert [(q.expected, q.present, q.percent) for q in at if q] == [
        (0, 0, None), (1, 1, 100.0), (4, 3, 75.0), (390, 4, 100 * 4 / 390),
    ]  # fmt: skip
    assert manager.quality("BBB", NY.close_us) is None
    manager.forget("AAA")
    assert manager.quality("AAA", NY.close_us) is None


def test_a_symbol_without_a_bar_is_one_gap_and_a_whole_day_none() -> None:
    nothing = quality_of(NY, []).gaps("AAA")
    assert [(gap.from_us, gap.to_us, gap.missing) for gap in nothing] == [(NY.open_us, NY.close_us, 390)]
    assert quality_of(NY, list(range(390))).gaps("AAA") == []
