"""What has arrived is readable once the engine has taken it, however far the clock is (R4, R9)."""

from __future__ import annotations

from datetime import date

import numpy as np

from mismartera import SessionData, TimeManager
from mismartera.bars import SeriesInfo, parse_interval
from mismartera.indicators import resolve_indicator
from mismartera.session.arriving import ArrivingTape, Batch
from mismartera.session.increment import IncrementalProcessor
from mismartera.session.state import SessionState, SymbolData

MINUTE = parse_interval("1m")


def test_a_bar_that_nobody_has_taken_cannot_be_read_though_its_minute_has_been_shown() -> None:
    session = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
    spec = resolve_indicator("SMA", "1m", {"timeperiod": 2}, "close")
    processor = IncrementalProcessor(session, ("A", "B"), MINUTE, [MINUTE], [spec])
    infos = dict.fromkeys(("A", "B"), SeriesInfo(1, session.zone))
    tape, batch, state = ArrivingTape(), Batch(("A", "B"), infos, {"A": 0, "B": 1}), SessionState()
    blocks = {MINUTE.length_us: processor.base.block}
    state.put({s: SymbolData(infos[s], blocks, row, loaded=True) for row, s in enumerate(("A", "B"))})
    state.readable = True
    state.watermark_us = session.close_us
    data = SessionData(state)

    def read(symbol: str) -> object:
        bars = data.get_bars(symbol, "1m")
        assert bars is not None
        return bars.close.tolist()

    arrived = [processor.take(window, np.array([0, 1]), np.full((5, 2), 10.0 + window)) for window in range(2)]
    only_b = processor.take(2, np.array([1]), np.full((5, 1), 12.0))
    assert (read("A"), read("B"), data.get_indicator("A", "SMA_2")) == ([], [], None)
    for window, grown in enumerate(arrived):
        tape.add(int(processor.base.block.windows.end[window]), grown, batch)
    assert (read("A"), read("B"), data.get_indicator("B", "SMA_2")) == ([10.0, 11.0], [10.0, 11.0], 10.5)
    tape.add(int(processor.base.block.windows.end[2]), only_b, batch)
    assert (read("A"), read("B"), data.get_indicator("B", "SMA_2")) == ([10.0, 11.0], [10.0, 11.0, 12.0], 11.5)


def test_what_is_passed_over_is_forgotten() -> None:
    session = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
    processor = IncrementalProcessor(session, ("A",), MINUTE, [MINUTE], [])
    tape, batch = ArrivingTape(), Batch(("A",), {"A": SeriesInfo(1, session.zone)}, {"A": 0})
    ends = processor.base.block.windows.end.tolist()
    for window in range(3):
        tape.add(ends[window], processor.take(window, np.array([0]), np.full((5, 1), 10.0)), batch)
    tape.skip_before(ends[2])
    assert tape.position == 2
    assert [len(tape.parts(k)) for k in (0, 1)] == [0, 0], "nothing is held of them"
    assert [bar.end_us for bar in tape.bars(2)] == [ends[2]]
