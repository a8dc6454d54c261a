"""SessionData that stands alone, and what that of a running system refuses."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from tests.conftest import MakeSystem
from tests.runs import config, minute_bars, moment

from mismartera import Bar, SessionData, Strategy
from mismartera.errors import UsageError

FIVE = minute_bars("AAA", range(5))


def with_bars(bars: list[Bar]) -> SessionData:
    data = SessionData()
    for bar in bars:
        data.append_bar(bar.symbol, bar.interval, bar)
    return data


def test_bars_can_be_read_by_index_slice_loop_and_column() -> None:
    view = with_bars(FIVE).get_bars("AAA", "1m")
    assert view is not None
    assert list(view) == FIVE
    assert (view[0], view[-1], list(view[1:3])) == (FIVE[0], FIVE[-1], FIVE[1:3])
    assert view.close.tolist() == [bar.close for bar in FIVE]
    assert view[0].timestamp == moment("09:30")
    assert view[0].timestamp.utcoffset() == timedelta(hours=-4)
    with pytest.raises(IndexError):
        view[5]


def test_a_view_once_handed_out_never_changes() -> None:
    data = with_bars(FIVE[:2])
    before = data.get_bars("AAA", "1m")
    assert before is not None
    closes = before.close
    data.append_bar("AAA", "1m", FIVE[2])
    revised = Bar("AAA", "1m", FIVE[0].timestamp, open=7, high=7, low=7, close=7, volume=7)
    data.append_bar("AAA", "1m", revised)
    assert list(before) == FIVE[:2]
    assert closes.tolist() == [bar.close for bar in FIVE[:2]]
    after = data.get_bars("AAA", "1m")
    assert after is not None and [bar.close for bar in after] == [7.0, FIVE[1].close, FIVE[2].close]


def test_a_bar_that_comes_late_is_inserted_by_its_start() -> None:
    view = with_bars([FIVE[3], FIVE[0], FIVE[2], FIVE[1]]).get_bars("AAA", "1m")
    assert view is not None and list(view) == FIVE[:4]


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume", "bar_count", "start_us", "end_us"])
def test_the_arrays_of_a_view_cannot_be_written_to(make_system: MakeSystem, column: str) -> None:
    system = make_system(config("AAA"))
    system.run()
    for data in (with_bars(FIVE), system.session_data):
        view = data.get_bars("AAA", "1m")
        assert view is not None
        array: np.ndarray[tuple[int], np.dtype[np.float64]] = getattr(view, column)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_deactivated_session_answers_internal_readers_only() -> None:
    data = with_bars(FIVE)
    states = [data.is_session_active()]
    data.deactivate_session()
    states.append(data.is_session_active())
    assert data.get_bars("AAA", "1m") is None
    internal = data.get_bars("AAA", "1m", internal=True)
    assert internal is not None and len(internal) == 5
    data.activate_session()
    assert [*states, data.is_session_active()] == [True, False, True]
    assert data.get_bars("AAA", "1m") is not None


def test_a_removed_symbol_is_gone() -> None:
    data = with_bars([*FIVE, *minute_bars("BBB", range(2))])
    assert data.remove_symbol("AAA")
    assert not data.remove_symbol("AAA")
    assert data.get_bars("AAA", "1m") is None
    assert data.get_bars("AAA", "1m", internal=True) is None
    assert data.get_bars("BBB", "1m") is not None
    assert data.get_history("AAA", "1m") is None
    assert data.get_historical("AAA", "volume") is None


def test_names_that_are_none_are_refused_and_symbols_that_are_not_there_answer_none() -> None:
    data = with_bars(FIVE)
    assert data.get_bars("CCC", "1m") is None
    with pytest.raises(ValueError, match="5m bars of AAA were not requested"):
        data.get_bars("AAA", "5m")
    with pytest.raises(ValueError, match="'2x' is not supported"):
        data.get_bars("AAA", "2x")
    with pytest.raises(ValueError, match="symbol"):
        data.append_bar("no symbol", "1m", FIVE[0])
    with pytest.raises(ValueError, match="indicator 'SMA_20' of AAA is not configured"):
        data.get_indicator("AAA", "SMA_20")


def test_the_mutators_of_a_running_systems_data_belong_to_its_writer(make_system: MakeSystem) -> None:
    data = make_system(config("AAA")).session_data
    for mutate in (
        data.activate_session, data.deactivate_session, lambda: data.append_bar("AAA", "1m", FIVE[0]),
        lambda: data.remove_symbol("AAA"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match="belongs to the running engine's own writer"):
            mutate()


def test_before_the_open_nothing_is_readable_and_intervals_are_checked_all_the_same(
    make_system: MakeSystem,
) -> None:
    system = make_system(config("AAA", streams=("1m", "5m")))
    assert system.session_data.get_bars("AAA", "5m") is None
    with pytest.raises(ValueError, match="15m bars of AAA were not requested; the session's streams are 1m, 5m"):
        system.session_data.get_bars("AAA", "15m")


def test_streams_of_a_symbols_own_are_known_while_it_is_pending_and_after_it_left(make_system: MakeSystem) -> None:
    system = make_system(config("AAA"))
    assert system.coordinator.add_symbol("CCC", streams=["30m"])
    assert system.session_data.get_bars("CCC", "30m") is None
    assert system.run_until("11:00")
    view = system.session_data.get_bars("CCC", "30m")
    assert view is not None and len(view) == 3
    assert system.coordinator.remove_symbol("CCC")
    assert system.session_data.get_bars("CCC", "30m") is None
    with pytest.raises(ValueError, match="30m bars of AAA were not requested"):
        system.session_data.get_bars("AAA", "30m")


def test_an_indicator_is_named_with_its_interval_where_it_stands_on_two(make_system: MakeSystem) -> None:
    averages = [{"name": "SMA", "interval": i, "params": {"timeperiod": 2}} for i in ("1m", "5m")]
    system = make_system(config("AAA", streams=("1m", "5m"), indicators=averages))
    assert system.run_until("09:40")
    data = system.session_data
    minutes, fives = data.get_bars("AAA", "1m"), data.get_bars("AAA", "5m")
    assert minutes is not None and fives is not None
    assert data.get_indicator("AAA", "SMA_2", "1m") == minutes.close[-2:].mean()
    assert data.get_indicator("AAA", "SMA_2", "5m") == fives.close[-2:].mean()
    assert data.get_indicator("BBB", "SMA_2", "5m") is None
    with pytest.raises(ValueError, match="is on more than one interval"):
        data.get_indicator("AAA", "SMA_2")
    with pytest.raises(ValueError, match="is not configured; there are: SMA_2"):
        data.get_indicator("AAA", "RSI_14")


def test_reads_are_none_in_on_session_open_of_every_session(make_system: MakeSystem) -> None:
    class Opening(Strategy):
        def on_start(self) -> None:
            self.seen: list[object] = []

        def on_session_open(self) -> None:
            self.seen.append(self.session.bars("AAA", "1m"))

    strategy = Opening()
    make_system(config("AAA", dates=("2024-07-02", "2024-07-03")), strategy).run()
    assert strategy.seen == [None, None]
