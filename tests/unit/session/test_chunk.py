"""The bars of some instants, made of columns by whole chunks, are those that are made one by one."""

from __future__ import annotations

from datetime import date
from itertools import chain, islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera.bars import Bar, SeriesInfo, Span, parse_interval
from mismartera.bars.bar import make_bar
from mismartera.session.chunk import MANY
from mismartera.session.derive import derive
from mismartera.session.lane import Lane
from mismartera.session.series import SeriesBlock
from mismartera.session.tape import Tape
from mismartera.timing import TimeManager

SESSION = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
MINUTES = st.sets(st.integers(0, 40), min_size=1)
SOME = st.lists(MINUTES, min_size=1, max_size=12)
NEARLY_ALL = st.lists(
    st.sets(st.integers(0, 40), max_size=1).map(set(range(41)).difference), min_size=8, max_size=12
)


def blocks_of(minutes: list[list[int]], labels: list[str]) -> list[SeriesBlock]:
    """Minute bars of as many symbols, no two with one price, and what is derived of them."""
    counts = np.array([len(of_one) for of_one in minutes])
    size = int(counts.sum())
    price = 100.0 + np.arange(size) / 7
    base = SeriesBlock(
        SESSION, parse_interval("1m"), tuple(f"S{k}" for k in range(len(minutes))),
        np.concatenate(([0], np.cumsum(counts))), np.concatenate(minutes).astype(np.uint16),
        price, price + 3, price - 3, price + 1, np.arange(size) / 3, np.ones(size, dtype=np.int64),
        np.arange(len(minutes)).repeat(counts), is_base=True, public=True,
    )  # fmt: skip
    return [base, *derive(base, [parse_interval(label) for label in labels], complete_only=False)]


def one_by_one(blocks: list[SeriesBlock], infos: dict[str, SeriesInfo], ranks: dict[str, int]) -> list[Bar]:
    """All bars by (end, rank, length)."""
    found = []
    for block in blocks:
        for row in range(len(block)):
            symbol, window = block.symbols[block.owner[row]], block.window[row]
            span = Span(
                int(block.windows.start[window]), int(block.windows.end[window]), SESSION.zone,
                int(block.bar_count[row]), 0.0, infos[symbol].generation,
            )  # fmt: skip
            prices = [float(getattr(block, name)[row]) for name in ("open", "high", "low", "close", "volume")]
            bar = make_bar(symbol, block.interval.label, span, *prices)
            found.append(((bar.end_us, ranks[symbol], block.interval.length_us), bar))
    return [bar for _, bar in sorted(found, key=lambda entry: entry[0])]


@given(
    SOME | NEARLY_ALL,
    st.sampled_from([[], ["5m"], ["2m", "5m", "15m"]]),
    st.just([1] * 12) | st.lists(st.integers(1, 2), min_size=12, max_size=12),
    st.lists(st.integers(0, 2000), min_size=12, max_size=12, unique=True),
    st.data(),
)
def test_a_chunk_has_the_bars_of_its_instants_one_by_one(
    minutes: list[set[int]], labels: list[str], generations: list[int], ranks: list[int], data: st.DataObject
) -> None:
    blocks = blocks_of([sorted(of_one) for of_one in minutes], labels)
    infos = {f"S{k}": SeriesInfo(generations[k], SESSION.zone) for k in range(len(minutes))}
    places = {f"S{k}": rank for k, rank in enumerate(sorted(ranks[: len(minutes)]))}
    tape = Tape([Lane(blocks, infos, places)])
    feed = tape.lanes[0].feed
    assert feed is not None
    wanted = one_by_one(blocks, infos, places)
    shown: list[Bar] = []
    at = 0
    while at < len(tape.ends):
        last = data.draw(st.integers(at + 1, len(tape.ends)))
        chunk, stop = feed.chunk(at, last)
        shown += chain.from_iterable(islice(chunk.instants, stop - at))
        assert list(chain.from_iterable(islice(chunk.instants, 1))) == []
        assert at < stop <= last
        at = stop
    assert shown == wanted
    assert {type(value) for bar in shown for value in (bar.open, bar.high, bar.low, bar.close, bar.volume)} == {
        float
    }


@pytest.mark.parametrize("first", [0, 3, 10])
def test_of_symbols_that_missed_a_minute_each_bar_is_its_own(first: int) -> None:
    """What is shown has no gap, but the rows of half of the symbols lie one place nearer to their first."""
    blocks = blocks_of([sorted(set(range(41)) - {2 if k % 2 else 35}) for k in range(8)], ["5m"])
    infos = {f"S{k}": SeriesInfo(zone=SESSION.zone) for k in range(8)}
    ranks = {f"S{k}": k for k in range(8)}
    tape = Tape([Lane(blocks, infos, ranks)])
    feed = tape.lanes[0].feed
    assert feed is not None
    chunk, stop = feed.chunk(first, 34)
    shown = list(chain.from_iterable(islice(chunk.instants, stop - first)))
    ends = tape.ends[first:stop]
    assert shown == [bar for bar in one_by_one(blocks, infos, ranks) if ends[0] <= bar.end_us <= ends[-1]]
    assert {bar.bar_count for bar in shown} == ({1, 4, 5} if first < 5 else {1, 5})


@pytest.mark.parametrize("size", [MANY - 1, MANY])
def test_a_chunk_ends_when_its_symbols_are_taken_away(size: int) -> None:
    blocks = blocks_of([list(range(30)) for _ in range(size)], ["5m"])
    names = [f"S{k}" for k in range(size)]
    tape = Tape([Lane(blocks, dict.fromkeys(names, SeriesInfo()), {name: k for k, name in enumerate(names)})])
    feed = tape.lanes[0].feed
    assert feed is not None
    chunk, stop = feed.chunk(0, len(tape.ends))
    instants = list(islice(chunk.instants, stop))
    first = [*instants[0], *islice(instants[1], 3)]
    between = [*islice(instants[4], 2)]
    chunk.clear()
    assert [(bar.symbol, bar.interval) for bar in first] == [(name, "1m") for name in [*names, *names[:3]]]
    assert [bar.interval for bar in between] == ["1m", "5m"]
    assert [list(bars) for bars in instants] == [[]] * stop
