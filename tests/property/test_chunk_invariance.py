"""Chunk-invariance (R7): a day at a time, or a part of it: the first rows of the results are the same."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.property.worlds import Rows, World, time_of, worlds

from mismartera.bars import parse_interval
from mismartera.indicators import resolve_indicator
from mismartera.session.processor import DataProcessor, Processed
from mismartera.session.reader import DayReader
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock
from mismartera.testing.memory import MemoryBars
from mismartera.testing.reference_bars import RefBar

COLUMNS = ("start", "end", *PRICE_COLUMNS, "bar_count")


@given(worlds(with_schedule=False), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_the_first_base_rows_give_the_first_rows_of_all_results(world: World, shares: list[float]) -> None:
    day = date.fromisoformat(world.json["backtest_config"]["start_date"])
    for whole in processed(world, world.bars, day):
        for k, symbol in enumerate(whole.group.symbols):
            starts = starts_of(whole.blocks[0], k)
            for cut in {int(share * len(starts)) for share in shares}:
                if cut:
                    series = {key: rows for key, rows in world.bars.items() if key[0] == symbol}
                    known_us = starts[cut] if cut < len(starts) else 2**62
                    kept = {key: before(rows, known_us) for key, rows in series.items()}
                    part = processed(world, kept, day, only=symbol)
                    assert_prefix(whole, k, part[0], known_us)


@given(worlds(with_schedule=False))
def test_a_symbol_alone_gives_what_it_gives_among_others(world: World) -> None:
    day = date.fromisoformat(world.json["backtest_config"]["start_date"])
    for whole in processed(world, world.bars, day):
        for k, symbol in enumerate(whole.group.symbols):
            (alone,) = processed(world, world.bars, day, only=symbol)
            assert_prefix(whole, k, alone, 2**62)


def assert_prefix(whole: Processed, k: int, part: Processed, known_us: int) -> None:
    """All that was over when the first base bar began that ``part`` lacks is the same, bit for bit."""
    for all_rows, first_rows in zip(whole.blocks, part.blocks, strict=True):
        rows = slice(int(all_rows.offsets[k]), int(all_rows.offsets[k + 1]))
        count = int((all_rows.end[rows] <= known_us).sum())
        for name in COLUMNS:
            expected = getattr(all_rows, name)[rows][:count]
            assert expected.tobytes() == getattr(first_rows, name)[:count].tobytes(), name
        assert list(all_rows.indicators) == list(first_rows.indicators)
        for name, column in all_rows.indicators.items():
            assert column[rows][:count].tobytes() == first_rows.indicators[name][:count].tobytes(), name


def processed(world: World, bars: Rows, day: date, only: str | None = None) -> list[Processed]:
    """The session ``day`` of all configured symbols (or of one), as the engine computes it, without history."""
    data = world.config.session_data_config
    hours = world.json["session_data_config"]["hours"]
    time = time_of(world.json["calendar"], None if hours == "regular" else (hours["open"], hours["close"]))
    streams = tuple(map(parse_interval, data.streams))
    symbols = [symbol for symbol in data.symbols if only in {None, symbol}]
    read = DayReader(MemoryBars(bars), time).read(dict.fromkeys(symbols, streams), time.get_trading_session(day))
    specs = [resolve_indicator(i.name, i.interval, i.params, i.input) for i in data.indicators]
    processor = DataProcessor(specs, complete_only=data.derived_bars == "complete")
    return [processor.process(group, lambda symbol, interval: None) for group in read.groups]


def before(rows: list[RefBar], known_us: int) -> list[RefBar]:
    return [row for row in rows if row.start_us < known_us]


def starts_of(block: SeriesBlock, k: int) -> list[int]:
    rows: list[int] = np.asarray(block.start[block.offsets[k] : block.offsets[k + 1]]).tolist()
    return rows
