"""Bars that arrive an instant at a time give what a day that is known gives: columns, order, slices (R4, R7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, tzinfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.property.test_chunk_invariance import COLUMNS, processed
from tests.property.worlds import World, worlds

from mismartera import Bar, SessionData, Slice, TimeManager
from mismartera.bars import Bars, SeriesInfo, parse_interval
from mismartera.bars.validation import has_valid_prices
from mismartera.bars.view import SeriesColumns
from mismartera.indicators import resolve_indicator
from mismartera.session import increment
from mismartera.session.arrivals import Arrivals, are_valid
from mismartera.session.arriving import ArrivingTape
from mismartera.session.increment import IncrementalProcessor
from mismartera.session.lane import Lane
from mismartera.session.opened_few import FEW_SYMBOLS
from mismartera.session.processor import Processed
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock
from mismartera.session.state import SessionState
from mismartera.session.tape import Tape

OnInstant = Callable[[Tape, int, SessionState], None]


def arriving(world: World, done: Processed, on_instant: OnInstant) -> IncrementalProcessor:
    """Feed the base bars of ``done`` one instant after the other; look at each when it has come."""
    base, group = done.blocks[0], done.group
    config = world.json["session_data_config"]
    specs = [resolve_indicator(i["name"], i["interval"], i["params"], i["input"]) for i in config["indicators"]]
    complete_only = config["derived_bars"] == "complete"
    processor = IncrementalProcessor(
        group.session, group.symbols, group.base, group.streams, specs, complete_only=complete_only
    )
    tape, state = ArrivingTape(), SessionState()
    ranks = {symbol: rank for rank, symbol in enumerate(group.symbols)}
    arrivals = Arrivals(
        processor, tape, state, dict.fromkeys(group.symbols, SeriesInfo(1, group.session.zone)), ranks
    )
    for window in np.unique(base.window).tolist():
        rows = np.flatnonzero(base.window == window)
        arrivals.take(window, base.owner[rows], np.stack([getattr(base, name)[rows] for name in PRICE_COLUMNS]))
        look(tape, state, on_instant)
    arrivals.finish()
    look(tape, state, on_instant)
    return processor


def look(tape: ArrivingTape, state: SessionState, on_instant: OnInstant) -> None:
    for k in range(tape.position, len(tape.ends)):
        state.watermark_us = tape.ends[k]
        tape.position = k + 1
        on_instant(tape, k, state)


def known(done: Processed) -> Tape:
    """The tape of the day as a backtest lays it out."""
    ranks = {symbol: rank for rank, symbol in enumerate(done.group.symbols)}
    infos = dict.fromkeys(done.group.symbols, SeriesInfo(1, done.group.session.zone))
    return Tape([Lane(done.blocks, infos, ranks)])


@given(worlds(with_schedule=False), st.sampled_from([0, FEW_SYMBOLS]))
def test_bars_that_arrive_one_instant_at_a_time_give_the_columns_of_the_whole_day(world: World, few: int) -> None:
    day = date.fromisoformat(world.json["backtest_config"]["start_date"])
    for done in processed(world, world.bars, day):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(increment, "FEW_SYMBOLS", few)
            grown = arriving(world, done, lambda *_: None)
        assert [block.interval for block in grown.blocks] == [block.interval for block in done.blocks]
        for whole, block in zip(done.blocks, grown.blocks, strict=True):
            assert (whole.public, whole.is_base) == (block.public, block.is_base)
            assert list(whole.indicators) == list(block.indicators)
            for k in range(len(whole.symbols)):
                rows = slice(int(whole.offsets[k]), int(whole.offsets[k + 1]))
                for name in (*COLUMNS, *whole.indicators):
                    column = block.column(name, k)
                    assert column_of(whole, name)[rows].tobytes() == column.tobytes(), name


def column_of(block: SeriesBlock, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    found: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
    found = block.indicators[name] if name in block.indicators else getattr(block, name)
    return found


def of_no_source(bar: Bar) -> Bar:
    return replace(bar, span=replace(bar.span, source=""))


class Teller:
    """Keeps what each instant shows, as bars and as a slice."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self.bars: list[tuple[int, list[Bar]]] = []
        self.slices: list[dict[str, tuple[Bar, ...]]] = []

    def __call__(self, tape: Tape, k: int, state: SessionState) -> None:
        self.bars.append((tape.ends[k], [of_no_source(bar) for bar in tape.bars(k)]))
        shown = Slice(tape.parts(k), tape.ends[k], self.zone, 0.0)
        self.slices.append({s: tuple(of_no_source(bar) for bar in bars) for s, bars in shown.items()})


@given(worlds(with_schedule=False))
def test_what_arrives_is_shown_in_the_order_of_the_day_as_bars_and_as_slices(world: World) -> None:
    day = date.fromisoformat(world.json["backtest_config"]["start_date"])
    for done in processed(world, world.bars, day):
        as_it_arrived, as_it_was = Teller(done.group.session.zone), Teller(done.group.session.zone)
        arriving(world, done, as_it_arrived)
        tape = known(done)
        for k in range(len(tape.ends)):
            as_it_was(tape, k, SessionState())
        assert as_it_arrived.bars == as_it_was.bars
        assert as_it_arrived.slices == as_it_was.slices


class Reader:
    """Reads everything at each instant; keeps the first views."""

    def __init__(self) -> None:
        self.views: list[tuple[Bars, list[Bar]]] = []

    def __call__(self, tape: Tape, k: int, state: SessionState) -> None:
        reads = SessionData(state)
        state.readable = True
        for symbol, data in state.symbols.items():
            for block in data.blocks.values():
                bars = reads.get_bars(symbol, block.interval.label, internal=True)
                assert bars is not None
                assert all(bar.end_us <= tape.ends[k] for bar in bars)
                if len(self.views) < 4:
                    self.views.append((bars, list(bars)))


@settings(max_examples=settings().max_examples // 4)  # it reads all there is at each instant
@given(worlds(with_schedule=False))
def test_a_reader_sees_what_has_arrived_and_its_view_never_changes(world: World) -> None:
    day = date.fromisoformat(world.json["backtest_config"]["start_date"])
    for done in processed(world, world.bars, day):
        reader = Reader()
        arriving(world, done, reader)
        for view, bars in reader.views:
            assert list(view) == bars
            with pytest.raises(ValueError, match="WRITEABLE"):
                view.close.setflags(write=True)


@given(
    st.lists(
        st.lists(st.sampled_from([1.0, 1.0, 1.5, 2.0, 0.0, -1.0, np.nan, np.inf]), min_size=5, max_size=5),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_many_bars_are_valid_if_each_of_them_is(rows: list[list[float]]) -> None:
    prices = np.array(rows).T
    assert are_valid(prices) == bool(has_valid_prices(*prices).all())
    assert are_valid(np.ones_like(prices))


def test_a_bar_that_is_not_valid_is_counted_and_goes_nowhere() -> None:
    session = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
    minute = parse_interval("1m")
    processor, tape, state = (
        IncrementalProcessor(session, ("A", "B"), minute, [minute]),
        ArrivingTape(),
        SessionState(),
    )
    arrivals = Arrivals(processor, tape, state, dict.fromkeys("AB", SeriesInfo()), {"A": 0, "B": 1})
    arrivals.take(0, np.array([0, 1]), np.array([[1.0, np.nan]] * 5))
    arrivals.take(1, np.array([1]), np.full((5, 1), -1.0))
    assert arrivals.counts == {"received": 3, "accepted": 1, "rejected": 2}
    assert [bar.symbol for k in range(len(tape.ends)) for bar in tape.bars(k)] == ["A"]


def test_a_symbol_that_is_removed_is_taken_off_what_waits_and_nothing_else_moves() -> None:
    session = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
    minute, five = parse_interval("1m"), parse_interval("5m")
    processor = IncrementalProcessor(session, ("A", "B"), minute, [minute, five])
    tape, state = ArrivingTape(), SessionState()
    arrivals = Arrivals(processor, tape, state, dict.fromkeys("AB", SeriesInfo()), {"A": 0, "B": 1})
    for window in range(6):
        arrivals.take(window, np.array([0] if window == 5 else [0, 1]), np.ones((5, 1 if window == 5 else 2)))
    tape.position = 2
    tape.remove("A")
    assert tape.ends == [int(end) for end in processor.base.block.windows.end[:5]], "the sixth had bars of A only"
    assert tape.head(2).symbol == "B"
    shown = [(bar.symbol, bar.interval) for k in range(2, len(tape.ends)) for bar in tape.bars(k)]
    assert shown == [("B", "1m"), ("B", "1m"), ("B", "1m"), ("B", "5m")]
    assert (tape.base_before[-1], tape.derived_before[-1]) == (4 + 3, 1)
    arrivals.take(6, np.array([1]), np.ones((5, 1)))
    assert [bar.symbol for bar in tape.bars(len(tape.ends) - 1)] == ["B"]


def test_what_arrived_is_not_the_feeds_buffer_and_cannot_be_written_to() -> None:
    """Prices of base and derived bars, counts, and indicators of one output and of several."""
    session = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
    minute, two = parse_interval("1m"), parse_interval("2m")
    specs = [
        resolve_indicator("SMA", "1m", {"timeperiod": 2}, "close"),
        resolve_indicator("MACD", "1m", {"fastperiod": 2, "slowperiod": 3, "signalperiod": 2}, "close"),
    ]
    processor = IncrementalProcessor(session, ("A", "B"), minute, [minute, two], specs)
    tape, buffer = ArrivingTape(), np.full((5, 2), 10.0)
    arrivals = Arrivals(processor, tape, SessionState(), dict.fromkeys("AB", SeriesInfo()), {"A": 0, "B": 1})
    for window in range(6):
        buffer[:] = 10.0 + window
        buffer[:, 1] = -1.0 if window == 5 else 10.0 + window  # the last instant has one bar that is rejected
        arrivals.take(window, np.array([0, 1]), buffer)
    for k in (4, 5):
        shown = Slice(tape.parts(k), tape.ends[k], session.zone, 0.0)
        columns = shown.columns("1m")
        assert set(columns.close.tolist()) == {10.0 + k}
        arrays = [columns.open, columns.volume, columns.bar_count]
        arrays += [columns.indicator(name) for spec in specs for name in spec.columns]
        if len(twos := shown.columns("2m")):
            arrays += [twos.high, twos.volume, twos.bar_count]
        for array in arrays:
            with pytest.raises(ValueError, match="WRITEABLE"):
                array.setflags(write=True)


def test_a_batch_of_no_symbols_has_no_bars() -> None:
    session = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
    minute = parse_interval("1m")
    processor, tape = IncrementalProcessor(session, (), minute, [minute]), ArrivingTape()
    arrivals = Arrivals(processor, tape, SessionState(), {}, {})
    arrivals.take(0, np.empty(0, dtype=np.int64), np.empty((5, 0)))
    arrivals.finish()
    assert tape.ends == []


def test_an_indicator_that_is_carried_on_from_history_continues_it() -> None:
    session = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
    price = 100 + np.cumsum(np.random.default_rng(5).normal(0, 1, 60))
    numbers = np.arange(40)
    past = {"A": SeriesColumns("A", "1m", SeriesInfo(), numbers, numbers + 1, *(price[:40],) * 5, numbers)}
    spec = resolve_indicator("EMA", "1m", {"timeperiod": 30}, "close")
    minute = parse_interval("1m")
    processor = IncrementalProcessor(session, ("A", "B"), minute, [minute], [spec], lambda s, _: past.get(s))
    for window in range(20):
        processor.take(window, np.array([0, 1]), np.full((5, 2), price[40 + window]))
    assert processor.base.block.column("EMA_30", 0).tolist() == spec.compute(*(price,) * 5)[0][40:].tolist()
    assert np.isnan(processor.base.block.column("EMA_30", 1)).all()
