"""The tape: instants of many lanes in the order of (end, rank, interval length), whatever lanes they came in."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mismartera.bars import Bar, SeriesInfo, parse_interval
from mismartera.session import tape as tape_module
from mismartera.session.derive import derive
from mismartera.session.lane import Lane
from mismartera.session.series import SeriesBlock, joined
from mismartera.session.tape import Tape
from mismartera.timing import TimeManager

SESSION = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
MINUTE_US = 60_000_000


def lane(symbol: str, rank: int, minutes: list[int]) -> Lane:
    """A lane of one symbol with 1m bars at these minutes of the session, and the 5m bars made of them."""
    start = SESSION.open_us + np.array(sorted(minutes), dtype=np.int64) * MINUTE_US
    price = 100.0 + rank + np.arange(len(start)) / 8
    base = SeriesBlock(
        SESSION, parse_interval("1m"), (symbol,), np.array([0, len(start)]),
        np.array(sorted(minutes), dtype=np.uint16),
        price, price, price, price, np.ones(len(start)), np.ones(len(start), dtype=np.int64),
        np.zeros(len(start), dtype=np.int64), is_base=True, public=True,
        indicators={"TWICE": 2 * price},
    )  # fmt: skip
    blocks = [base, *derive(base, [parse_interval("5m")], complete_only=False)]
    return Lane(blocks, {symbol: SeriesInfo()}, {symbol: rank})


def play(tape: Tape) -> list[Bar]:
    return [bar for k in range(tape.position, len(tape.ends)) for bar in tape.bars(k)]


def told(bars: list[Bar]) -> list[tuple[int, str, str, float, int]]:
    return [(bar.end_us, bar.symbol, bar.interval, bar.close, bar.bar_count) for bar in bars]


@given(st.lists(st.sets(st.integers(0, 30), min_size=1), min_size=1, max_size=30), st.integers(0, 40))
def test_many_lanes_show_what_few_would_and_in_the_same_order(worlds: list[set[int]], shown: int) -> None:
    tape, expected = Tape(), []
    for rank, minutes in enumerate(worlds):
        one = lane(f"S{rank}", rank, sorted(minutes))
        expected += [(bar.end_us, rank, bar.interval, bar) for bar in play(Tape([one]))]
        tape.append(lane(f"S{rank}", rank, sorted(minutes)))
    assert len(tape.lanes) <= tape_module.LANES_MAX
    wanted = [bar for *_, bar in sorted(expected, key=lambda entry: entry[:3])]
    tape.position = min(shown, len(tape.ends))
    rest = tape.ends[tape.position :]
    tape.append(lane("LAST", len(worlds), [31]))  # what was shown is dropped, the rest stays as it was
    remaining = [bar for bar in play(tape) if bar.symbol != "LAST"]
    assert told(remaining) == told([bar for bar in wanted if bar.end_us in set(rest)])


def test_a_symbol_that_came_back_leaves_the_lanes_that_were_put_together_whole() -> None:
    tape = Tape()
    for rank in range(tape_module.LANES_MAX):
        tape.append(lane(f"S{rank}", rank, [0, 1]))
    tape.remove("S3")
    tape.append(lane("S3", 20, [0, 1]))
    for rank in range(21, 21 + tape_module.LANES_MAX):
        tape.append(lane(f"T{rank}", rank, [0, 1]))
    assert sum(bar.symbol == "S3" for bar in play(tape)) == 3
    tape.remove("S3")
    assert "S3" not in {bar.symbol for bar in play(tape)}


def test_lanes_that_were_put_together_keep_their_indicators() -> None:
    tape = Tape([lane("FIRST", 0, [0])])
    for rank in range(1, 2 * tape_module.LANES_MAX):
        tape.append(lane(f"S{rank}", rank, [0]))
    for part in tape.parts(0):
        assert (part.column("TWICE") == 2 * part.column("close")).all()


def test_symbols_of_one_batch_with_streams_of_their_own_keep_their_order_when_lanes_are_put_together() -> None:
    """X and Z ask for 1m, Y for 1m and 5m: two strips of 1m in one lane."""

    def batch(rank: int) -> Lane:
        names = ("X", "Y", "Z")
        blocks, infos, ranks = [], {}, {}
        for k, name in enumerate(names):
            single = lane(name, rank + k, [0, 1])
            blocks += [strip.block for strip in single.strips if name == "Y" or strip.block.is_base]
            infos[name], ranks[name] = SeriesInfo(), rank + k
        bases = {name: block for block in blocks for name in block.symbols if block.is_base}
        outer = [bases["X"], bases["Z"]]
        together = joined(outer, ranks)
        return Lane([together, *(block for block in blocks if block.symbols == ("Y",))], infos, ranks)

    few, many = Tape([lane("FIRST", 0, [0])]), Tape([lane("FIRST", 0, [0])])
    few.append(batch(1))
    many.append(batch(1))
    for rank in range(4, 4 + tape_module.LANES_MAX):
        many.append(lane(f"T{rank}", rank, [0]))
    wanted = told(play(few))
    assert [symbol for _, symbol, *_ in wanted][:4] == ["FIRST", "X", "Y", "Z"]
    assert [row for row in told(play(many)) if not row[1].startswith("T")] == wanted
