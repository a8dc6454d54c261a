"""A slice: the bars of one instant by symbol and by column."""

from __future__ import annotations

import numpy as np
import pytest
from tests.conftest import MakeSystem
from tests.runs import clock_time, config

from mismartera import Bar, Slice, Strategy


class Slices(Strategy):
    """Keeps the slices, and for each the bars that came before it."""

    def on_start(self) -> None:
        self.slices: dict[str, Slice] = {}
        self.bars: dict[str, list[Bar]] = {}

    def on_bar(self, bar: Bar) -> None:
        self.bars.setdefault(clock_time(bar.end_us), []).append(bar)

    def on_slice(self, slice: Slice) -> None:
        self.slices[clock_time(slice.end_us)] = slice


@pytest.fixture
def strategy(make_system: MakeSystem) -> Slices:
    """A quarter of an hour and more of BBB, FIFTEEN and AAA, whom CCC joins at 09:40."""
    found = Slices()
    settings = config(
        "BBB", "FIFTEEN", "AAA", streams=("5m", "1m"), hours=("09:30", "09:50"),
        schedule=[("09:40", "add", "CCC")],
        indicators=[{"name": "SMA", "interval": "1m", "params": {"timeperiod": 2}}],
    )  # fmt: skip
    make_system(settings, found).run()
    return found


def test_a_slice_maps_symbols_in_rank_order_to_the_bars_that_were_notified(strategy: Slices) -> None:
    at = strategy.slices["09:35"]
    assert list(at) == ["BBB", "FIFTEEN", "AAA"]
    assert [bar.interval for bar in at["AAA"]] == ["1m", "5m"]
    assert (len(at), at.size, at.intervals) == (3, 6, ("1m", "5m"))
    assert "CCC" not in at and at.get("CCC") is None
    with pytest.raises(KeyError):
        at["CCC"]
    for end, slice_ in strategy.slices.items():
        assert [bar for bars in slice_.values() for bar in bars] == strategy.bars[end][-slice_.size :]
        assert clock_time(slice_.end_us) == f"{slice_.end:%H:%M}" == end


def test_every_instant_with_a_bar_has_one_slice_and_a_joining_symbol_has_its_own_late_ones(
    strategy: Slices,
) -> None:
    assert list(strategy.slices) == [f"09:{minute}" for minute in range(31, 51)]
    assert list(strategy.slices["09:39"]) == ["CCC"], "the second slice of that instant: CCC's fresh backlog"
    assert strategy.slices["09:39"].lag_seconds == 60.0
    assert {bar.lag_seconds for bar in strategy.slices["09:39"]["CCC"]} == {60.0}
    assert list(strategy.slices["09:41"]) == ["BBB", "FIFTEEN", "AAA", "CCC"]
    assert list(strategy.slices["09:46"]) == ["BBB", "AAA", "CCC"]


@pytest.mark.parametrize("time", ["09:35", "09:45", "09:50"])
@pytest.mark.parametrize("interval", ["1m", "5m"])
def test_columns_hold_the_same_values_in_the_same_order(strategy: Slices, time: str, interval: str) -> None:
    at = strategy.slices[time]
    bars = [bar for bars in at.values() for bar in bars if bar.interval == interval]
    columns = at.columns(interval)
    assert columns.symbols == tuple(bar.symbol for bar in bars)
    assert len(columns) == len(bars)
    for name in ("open", "high", "low", "close", "volume", "bar_count"):
        assert getattr(columns, name).tolist() == [getattr(bar, name) for bar in bars]
    assert [at.bar(bar.symbol, interval) for bar in bars] == bars


def test_columns_have_the_indicators_of_their_interval(strategy: Slices) -> None:
    columns = strategy.slices["09:45"].columns("60s")
    before, now = strategy.slices["09:44"].columns("1m"), columns
    assert columns.indicator("SMA_2").tolist() == ((before.close + now.close) / 2).tolist()
    assert np.isnan(strategy.slices["09:31"].columns("1m").indicator("SMA_2")).all()
    with pytest.raises(KeyError):
        columns.indicator("RSI_14")


def test_an_interval_that_did_not_end_now_has_no_rows(strategy: Slices) -> None:
    columns = strategy.slices["09:36"].columns("5m")
    assert (len(columns), columns.symbols, columns.close.tolist()) == (0, (), [])
    assert strategy.slices["09:36"].bar("AAA", "5m") is None
    assert strategy.slices["09:36"].intervals == ("1m",)
