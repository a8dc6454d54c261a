"""Whatever faults come and go: what arrived live and what the backfill has are, together, the market."""

from __future__ import annotations

from random import Random

import pytest
from tests.integration.feeds.talks import Talk, market_bar, minutes, talk
from tests.listening import OPEN_US

from mismartera.bars.instants import MINUTE_US
from mismartera.errors import FeedUnavailableError
from mismartera.feeds import BarsArrived, Connected, Disconnected, FeedFailed, Subscribed, SymbolRefused
from mismartera.testing.alpaca_market import MarketBar

SYMBOLS = ("A", "B", "C")
COUNT = 60
Values = tuple[float, ...]


def market(rng: Random) -> list[MarketBar]:
    """Some minutes are missing, and some are corrected later."""
    bars = [bar for bar in minutes(SYMBOLS, COUNT) if rng.random() < 0.9]
    return bars + [
        market_bar(bar.symbol, (bar.start_us - OPEN_US) // MINUTE_US, 100.25, is_update=True)
        for bar in bars
        if rng.random() < 0.1
    ]


def values(bar: MarketBar) -> Values:
    return bar.open, bar.high, bar.low, bar.close, bar.volume


def truth(bars: list[MarketBar]) -> dict[tuple[str, int], Values]:
    known: dict[tuple[str, int], Values] = {}
    for bar in sorted(bars, key=lambda bar: bar.release_us):
        known[bar.symbol, bar.start_us] = values(bar)
    return known


def break_something(t: Talk, rng: Random) -> None:
    faults = t.server.faults
    switches = [
        "mute",
        "duplicate",
        "bad_message",
        "unknown_types",
        "strangers",
        "repeat_boundary",
        "reverse_pages",
    ]
    for name in switches:
        setattr(faults, name, rng.random() < 0.2)
    for name in ("drop_in_handshake", "drop_before_auth", "drop_in_frame", "garbage_frames", "rest_garbage"):
        setattr(faults, name, rng.choice([0, 0, 0, 1, 2]))
    faults.rest_status, faults.errors_left = rng.choice([None, 500, 429]), rng.randrange(3)
    faults.page_size = rng.choice([7, 50, 10_000])
    if rng.random() < 0.5:
        t.server.drop_all()
    if rng.random() < 0.3:
        t.server.forget_all()


def arrived(t: Talk) -> dict[tuple[str, int], Values]:
    """What a reader that merges by key would hold."""
    held: dict[tuple[str, int], Values] = {}
    for message in t.listener.of(BarsArrived):
        rows = zip(*(column.tolist() for column in message.prices), strict=True)
        keys = zip(message.symbols, message.start_us.tolist(), strict=True)
        held.update(zip(keys, rows, strict=True))
    return held


def backfilled(t: Talk) -> dict[tuple[str, int], Values]:
    while True:
        try:
            block = t.feed.backfill(SYMBOLS, "1m", OPEN_US, OPEN_US + COUNT * MINUTE_US).block
        except FeedUnavailableError:
            continue
        names = [block.symbols[row] for row in block.row_symbols().tolist()]
        rows = zip(*(column.tolist() for column in block.columns), strict=True)
        return dict(zip(zip(names, block.start.tolist(), strict=True), rows, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_after_any_faults_that_heal_nothing_is_missing_and_nothing_is_made_up(seed: int) -> None:
    """I9, F04-F08, F15, F16, F18, F19: only the minutes that the stream lost differ, and the service has them."""
    rng = Random(seed)
    bars = market(rng)
    with talk(bars, speed=3000) as t:
        t.start(*SYMBOLS)
        t.listener.wait_for(Subscribed)
        for minute in range(5, COUNT - 5, 10):
            t.listener.wait_until(lambda due=minute: t.clock.now_us() > OPEN_US + due * MINUTE_US)  # type: ignore[misc]
            break_something(t, rng)
        t.server.faults.heal()
        t.feed.reconnect("the test has healed the server")
        t.listener.wait_until(lambda: t.clock.now_us() > OPEN_US + (COUNT + 2) * MINUTE_US)
        t.listener.wait_until(lambda: is_whole(t))
        expected = truth(bars)
        live, stored = arrived(t), backfilled(t)
    assert stored == expected
    versions = {(bar.symbol, bar.start_us, values(bar)) for bar in bars}
    assert len(live) > 0
    assert not [key for key, row in live.items() if (*key, row) not in versions]
    assert t.listener.of(FeedFailed) == []
    assert t.listener.of(SymbolRefused) == []


def is_whole(t: Talk) -> bool:
    """Every connection but the last ended in a stated reason, and the last has all subscriptions."""
    made, lost = t.listener.of(Connected), [d for d in t.listener.of(Disconnected) if d.was_connected]
    connection = t.server.connections[-1]
    return len(made) == len(lost) + 1 and connection.is_open and connection.subscribed["bars"] == list(SYMBOLS)
