"""What a strategy is given cannot be written to, whatever it tries."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
from tests.conftest import MakeSystem
from tests.runs import Recorder, config

from mismartera import Bars, Slice, Strategy
from mismartera.bars import SeriesInfo
from mismartera.bars.view import SeriesColumns

COLUMNS = ("open", "high", "low", "close", "volume", "bar_count", "start_us", "end_us")


def arrays(bars: Bars) -> Iterator[np.ndarray]:
    yield from (getattr(bars, name) for name in COLUMNS)
    yield from (bars.indicator(name) for name in bars.indicator_names)


class Vandal(Recorder):
    """Tries to write to everything that it can read."""

    def on_start(self) -> None:
        super().on_start()
        self.refused = self.written = 0

    def on_session_close(self) -> None:
        views = [self.session.bars("AAA", "1m"), self.session.bars("AAA", "5m"), self.session.history("AAA", "1m")]
        for view in views:
            assert view is not None and len(view)
            for array in arrays(view):
                self.attack(array)

    def attack(self, array: np.ndarray) -> None:
        try:
            array.setflags(write=True)
            array[:] = 1
            self.written += 1
        except ValueError:
            self.refused += 1


def test_no_array_of_a_view_can_be_made_writeable(make_system: MakeSystem) -> None:
    more: dict[str, Any] = {
        "streams": ["1m", "5m"],
        "indicators": [{"name": "SMA", "interval": "5m", "params": {"timeperiod": 3}}],
        "historical": {"data": [{"trailing_days": 1, "intervals": ["1m"]}]},
    }
    vandal = Vandal()
    make_system(config("AAA", dates=("2024-07-03", "2024-07-03"), **more), vandal).run()
    assert vandal.written == 0
    assert vandal.refused == 3 * len(COLUMNS) + 1


def test_a_view_can_be_read_in_steps_and_in_reverse() -> None:
    count = 7
    numbers, prices = np.arange(count), np.arange(float(count))
    columns = SeriesColumns("A", "1m", SeriesInfo(), numbers, numbers + 1, *(prices,) * 5, numbers)
    bars = Bars(columns)
    assert [bar.start_us for bar in bars[::-1]] == [6, 5, 4, 3, 2, 1, 0]
    assert [bar.start_us for bar in bars[1:6:2]] == [1, 3, 5]
    assert bars[::2][1:].close.tolist() == [2.0, 4.0, 6.0]
    assert list(bars[5:1:-2]) == list(bars)[5:1:-2]


class SliceVandal(Strategy):
    """Tries to write to the columns of every slice."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = self.written = 0

    def on_slice(self, slice: Slice) -> None:
        columns = slice.columns("1m")
        for array in (columns.close, columns.volume, columns.bar_count):
            try:
                array.setflags(write=True)
                self.written += 1
            except ValueError:
                self.refused += 1


def test_no_column_of_a_slice_can_be_made_writeable(make_system: MakeSystem) -> None:
    vandal = SliceVandal()
    make_system(config("AAA", "BBB", dates=("2024-07-03", "2024-07-03")), vandal).run()
    assert (vandal.written, vandal.refused) == (0, 3 * 210)


def test_a_view_can_be_pickled_and_copied() -> None:
    numbers, prices = np.arange(5), np.arange(5.0)
    bars = Bars(SeriesColumns("A", "1m", SeriesInfo(), numbers, numbers + 1, *(prices,) * 5, numbers))
    assert pickle.loads(pickle.dumps(bars[1:4])) == bars[1:4]  # noqa: S301  # our own bytes
    assert copy.deepcopy(bars) == bars
