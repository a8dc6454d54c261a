"""The replay feed: a recording is sent as if it were live, with the faults of its script."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests.listening import OPEN_US, Listener

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.errors import ConfigError, FeedRefusedError
from mismartera.feeds import (
    BarsArrived,
    Connected,
    Disconnected,
    Feed,
    ReplayFault,
    ReplayFeed,
    Subscribed,
    SymbolRefused,
    read_faults,
)
from mismartera.testing.memory import MemoryBars
from mismartera.timing import RehearsalClock

Arrival = tuple[str, int, float, bool]
"""Symbol, minute, close, correction?"""


def recording(*symbols: str, count: int = 10) -> MemoryBars:
    return MemoryBars({
        (symbol, "1m"): [(OPEN_US + k * MINUTE_US, 10.0, 12.0, 9.0, 11.0, 100.0 + k) for k in range(count)]
        for symbol in symbols
    })  # fmt: skip


@dataclass
class Replay:
    feed: ReplayFeed
    clock: RehearsalClock
    listener: Listener

    def arrivals(self) -> list[Arrival]:
        return [
            (symbol, (start - OPEN_US) // MINUTE_US, close, message.corrections)
            for message in self.listener.of(BarsArrived)
            for symbol, start, close in zip(
                message.symbols, message.start_us.tolist(), message.close.tolist(), strict=True
            )
        ]

    def play(self, *symbols: str, last: int = 9) -> list[Arrival]:
        """All bars, when the clock has passed minute ``last`` and a late correction had its time."""
        self.feed.subscribe(symbols)
        self.feed.start(self.listener.queue)
        self.listener.wait_until(lambda: self.clock.now_us() > OPEN_US + (last + 3) * MINUTE_US)
        # The clock is fast, and the feed's thread may be behind it.
        self.listener.wait_until(lambda: any(minute == last for _, minute, *_ in self.arrivals()))
        self.feed.stop()
        return self.arrivals()


def fault(kind: str, first: int, last: int, **rest: object) -> ReplayFault:
    """It hits the bars of the minutes ``first:last``, which are due a minute after their starts."""
    at = OPEN_US + (first + 1) * MINUTE_US
    return ReplayFault(kind, at, at + (last - first) * MINUTE_US, **rest)  # type: ignore[arg-type]


@contextmanager
def replay(
    bars: MemoryBars, faults: Sequence[ReplayFault] = (), *, speed: float = 3000.0, bars_max: int = 1000
) -> Iterator[Replay]:
    clock = RehearsalClock(OPEN_US, speed)
    feed = ReplayFeed(bars, clock, OPEN_US, OPEN_US + 10 * MINUTE_US, faults)
    threads = threading.active_count()
    try:
        yield Replay(feed, clock, Listener(bars_max))
    finally:
        feed.stop()
    assert threading.active_count() == threads


def bar(symbol: str, minute: int, close: float = 11.0, *, correction: bool = False) -> Arrival:
    return symbol, minute, close, correction


WHOLE = [bar("A", minute) for minute in range(10)]


def test_a_recording_is_sent_bar_by_bar_at_each_bars_end() -> None:
    with replay(recording("A", "B")) as r:
        feed: Feed = r.feed
        before = feed.last_data_us
        assert r.play("A", "B") == [bar(symbol, minute) for minute in range(10) for symbol in ("A", "B")]
        assert before is None and feed.last_data_us != before
    kinds = [type(message) for message in r.listener.messages[:3]]
    assert kinds == [Connected, Subscribed, BarsArrived]
    for message in r.listener.of(BarsArrived):
        assert message.arrived_us >= int(message.start_us[0]) + MINUTE_US


def test_a_symbol_added_later_gets_what_ends_from_then_on_and_the_backfill_has_the_rest() -> None:
    with replay(recording("A", "B"), speed=1500) as r:
        r.feed.subscribe(["A"])
        r.feed.start(r.listener.queue)
        r.listener.wait_until(lambda: bar("A", 3) in r.arrivals())
        r.feed.subscribe(["B"])
        r.listener.wait_for(Subscribed, 2)
        r.listener.wait_until(lambda: bar("B", 9) in r.arrivals())
        live = [minute for symbol, minute, *_ in r.arrivals() if symbol == "B"]
        block = r.feed.backfill(["B"], "1m", OPEN_US, OPEN_US + 10 * MINUTE_US).block
    assert live == list(range(live[0], 10)) and live[0] >= 3
    assert len(block) == 10


def test_a_backfill_holds_only_what_has_ended() -> None:
    clock = RehearsalClock(OPEN_US + 150 * SECOND_US)
    feed = ReplayFeed(recording("A"), clock, OPEN_US, OPEN_US + 10 * MINUTE_US)
    result = feed.backfill(["A", "NO"], "1m", 0, 2**60)
    assert (len(result.block), dict(result.refused)) == (2, {"NO": "the recording does not know it"})
    assert len(feed.backfill(["A"], "1m", OPEN_US + MINUTE_US, OPEN_US + 9 * MINUTE_US).block) == 1
    assert len(feed.backfill(["A"], "1m", OPEN_US + 5 * MINUTE_US, OPEN_US + 9 * MINUTE_US).block) == 0
    with pytest.raises(FeedRefusedError, match="does not know NO"):
        feed.backfill(["NO"], "1m", 0, 2**60)


def test_an_unknown_symbol_is_refused_and_the_others_play() -> None:
    with replay(recording("A")) as r:
        assert r.play("NO", "A") == WHOLE
    assert [refused.symbol for refused in r.listener.of(SymbolRefused)] == ["NO"]


def test_an_unsubscribed_symbol_is_silent() -> None:
    with replay(recording("A", "B"), speed=1500) as r:
        r.feed.subscribe(["A", "B"])
        r.feed.start(r.listener.queue)
        r.listener.wait_until(lambda: bar("B", 2) in r.arrivals())
        r.feed.unsubscribe(["B"])
        r.listener.wait_until(lambda: bar("A", 9) in r.arrivals())
        assert bar("B", 9) not in r.arrivals()


def test_a_symbol_that_is_dropped_and_wanted_again_at_once_is_told_of_again() -> None:
    with replay(recording("A", "B"), speed=1500) as r:
        r.feed.subscribe(["A", "B"])
        r.feed.start(r.listener.queue)
        r.listener.wait_until(lambda: bar("B", 2) in r.arrivals())
        r.feed.unsubscribe(["B"])
        r.feed.subscribe(["B"])
        r.listener.wait_until(lambda: bar("B", 9) in r.arrivals())
    assert [message.symbols for message in r.listener.of(Subscribed)] == [("A", "B"), ("B",)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (fault("mute", 2, 4), [*WHOLE[:2], *WHOLE[4:]]),
        (fault("duplicate", 2, 3), [*WHOLE[:3], *WHOLE[2:]]),
        (fault("delay", 2, 3, seconds=90.0), [*WHOLE[:2], WHOLE[3], WHOLE[2], *WHOLE[4:]]),
        (fault("revise", 2, 3, seconds=20.0),
         [*WHOLE[:2], bar("A", 2, 10.0), bar("A", 2, correction=True), *WHOLE[3:]]),
        (fault("drop", 2, 4), [*WHOLE[:2], *WHOLE[4:]]),
        (fault("mute", 0, 10, symbols=frozenset({"B"})), WHOLE),
    ],
    ids=["mute", "duplicate", "delay", "revise", "drop", "of another symbol"],
)  # fmt: skip
def test_a_scripted_fault_hits_the_bars_of_its_time(script: ReplayFault, expected: list[Arrival]) -> None:
    """F01, F04, F08, F10, F11, as anyone can try them at home; the backfill has every bar as it is."""
    with replay(recording("A"), [script]) as r:
        assert r.play("A") == expected
        block = r.feed.backfill(["A"], "1m", OPEN_US, OPEN_US + 10 * MINUTE_US).block
    assert block.close.tolist() == [11.0] * 10
    dropped = [message.reason for message in r.listener.of(Disconnected)]
    assert dropped == (["the script drops the connection"] if script.kind == "drop" else [])
    assert len(r.listener.of(Connected)) == 1 + len(dropped)


def test_a_thread_that_wakes_late_tells_everything_in_its_order() -> None:
    """R9: what was due before a drop is sent before it is told, however late that is."""
    wall = [0.0]
    clock = RehearsalClock(OPEN_US, 1.0, lambda: wall[0])
    feed = ReplayFeed(recording("A"), clock, OPEN_US, OPEN_US + 10 * MINUTE_US, [fault("drop", 2, 4)])
    listener = Listener()
    feed.subscribe(["A"])
    feed.start(listener.queue)
    listener.wait_for(Subscribed)
    wall[0] = 3600.0
    feed.subscribe([])  # wakes it
    listener.wait_until(lambda: len(listener.bars()) == 8)
    feed.stop()
    kinds = [type(message) for message in listener.messages[2:]]
    assert kinds == [BarsArrived, BarsArrived, Disconnected, Connected, Subscribed, *[BarsArrived] * 6]
    assert [minute for _, minute in listener.bars()] == [0, 1, *range(4, 10)]


def test_a_reconnect_is_told_and_subscribes_again() -> None:
    with replay(recording("A"), speed=1500) as r:
        r.feed.subscribe(["A"])
        r.feed.start(r.listener.queue)
        r.listener.wait_for(Subscribed)
        r.feed.reconnect("no data for 90 s")
        assert r.listener.wait_for(Disconnected).reason == "no data for 90 s"
        assert r.listener.wait_for(Subscribed, 2).symbols == ("A",)
        r.listener.wait_until(lambda: bar("A", 9) in r.arrivals())


def test_a_reader_that_is_away_loses_nothing() -> None:
    """F22."""
    with replay(recording("A"), bars_max=2) as r:
        r.feed.subscribe(["A"])
        r.feed.start(r.listener.queue)
        Listener().wait_until(lambda: r.clock.now_us() > OPEN_US + 12 * MINUTE_US)
        assert r.listener.queue.waiting_bars <= 2
        r.listener.wait_until(lambda: len(r.arrivals()) == 10)
        assert r.arrivals() == WHOLE


def test_stop_ends_a_replay_whose_reader_is_away() -> None:
    """S11."""
    with replay(recording("A"), bars_max=1) as r:
        r.feed.subscribe(["A"])
        r.feed.start(r.listener.queue)
        Listener().wait_until(lambda: r.listener.queue.waiting_bars == 1)
        r.feed.stop()
        r.feed.stop()
        assert r.listener.queue.waiting_bars == 1


def instant_of(text: str) -> int:
    hour, minute = text.split(":")
    return OPEN_US + ((int(hour) - 9) * 60 + int(minute) - 30) * MINUTE_US


def test_a_script_is_read_from_the_configuration() -> None:
    script: list[dict[str, object]] = [
        {"kind": "drop", "at": "10:00", "until": "10:05"},
        {"kind": "revise", "at": "10:10", "seconds": 5, "symbols": ["A"]},
    ]
    assert read_faults(script, instant_of) == (
        ReplayFault("drop", OPEN_US + 30 * MINUTE_US, OPEN_US + 35 * MINUTE_US),
        ReplayFault("revise", OPEN_US + 40 * MINUTE_US, OPEN_US + 41 * MINUTE_US, 5.0, frozenset({"A"})),
    )


def test_everything_that_is_wrong_with_a_script_is_told_at_once() -> None:
    """D12."""
    script: list[dict[str, object]] = [
        {"kind": "explode", "at": "10:00"},
        {"kind": "drop"},
        {"kind": "drop", "at": "x", "until": "y"},
        {"kind": "mute", "at": "10:00", "until": "09:00", "seconds": -1, "symbols": "A", "n": 1},
        {"kind": "mute", "at": "10:00", "symbols": 5},
    ]
    with pytest.raises(ConfigError) as raised:
        read_faults(script, instant_of)
    assert [problem.split(": ")[0] for problem in raised.value.problems] == [
        "feed.faults[0].kind", "feed.faults[1].at", "feed.faults[2].at", "feed.faults[2].until",
        "feed.faults[3].n", "feed.faults[3].seconds", "feed.faults[3].symbols", "feed.faults[3].until",
        "feed.faults[4].symbols",
    ]  # fmt: skip
