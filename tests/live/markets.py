"""A market for an afternoon's test: a few symbols, some minutes, all numbers drawn from a seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

from tests.runs import us

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.testing.alpaca_market import MarketBar

DAY = "2024-07-02"
SYMBOLS = ("AAA", "BBB", "CCC")
SENT_AFTER_US = SECOND_US // 2
"""A vendor's bar comes that long after its end."""


def draw(
    symbols: Iterable[str] = SYMBOLS, first: str = "09:30", last: str = "11:00", *, day: str = DAY, seed: int = 1,
    skip: Iterable[tuple[str, str]] = (),
) -> list[MarketBar]:  # fmt: skip
    """Every minute from ``first`` to before ``last``; ``skip``: (symbol, minute) without trades."""
    missing = {(symbol, us(time, day)) for symbol, time in skip}
    bars: list[MarketBar] = []
    for symbol in symbols:
        rng = Random(f"{seed}{symbol}{day}")
        price = rng.uniform(50, 500)
        for start_us in range(us(first, day), us(last, day), MINUTE_US):
            open_, close = (round(price * rng.uniform(0.999, 1.001), 2) for _ in range(2))
            low, high = round(min(open_, close) - rng.random(), 2), round(max(open_, close) + rng.random(), 2)
            price = close
            volume = float(rng.randrange(1, 10_000))
            if (symbol, start_us) not in missing:
                release_us = start_us + MINUTE_US + SENT_AFTER_US
                bars.append(MarketBar(symbol, start_us, open_, high, low, close, volume, release_us=release_us))
    return bars


def later(bars: Sequence[MarketBar], symbol: str, time: str, seconds: float, day: str = DAY) -> list[MarketBar]:
    """``bars``, of which the one of ``symbol`` at ``time`` comes so long after its end."""
    start_us = us(time, day)
    return [
        replace(bar, release_us=start_us + MINUTE_US + round(seconds * SECOND_US))
        if (bar.symbol, bar.start_us) == (symbol, start_us)
        else bar
        for bar in bars
    ]


def corrected(
    bars: Sequence[MarketBar], symbol: str, time: str, seconds: float = 30.0, day: str = DAY
) -> MarketBar:
    """A correction of a bar of ``bars``, so long after its end."""
    bar = found(bars, symbol, time, day)
    return replace(
        bar, high=bar.high + 1.0, volume=bar.volume + 7.0, is_update=True,
        release_us=bar.start_us + MINUTE_US + round(seconds * SECOND_US),
    )  # fmt: skip


def found(bars: Iterable[MarketBar], symbol: str, time: str, day: str = DAY) -> MarketBar:
    """The bar of ``symbol`` at ``time``."""
    return next(bar for bar in bars if (bar.symbol, bar.start_us) == (symbol, us(time, day)))
