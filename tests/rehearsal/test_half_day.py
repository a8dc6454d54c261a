"""A half day at sixty times its pace, from before the open until after the close, with a bad vendor.

Nearly four minutes: it is left out of a plain ``pytest``; ``make test`` runs it beside the other tests.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.live.command import Command
from tests.live.markets import corrected, draw, found, later
from tests.live.truth import backtest, differences, known, store
from tests.runs import HALF_DAY, clock_time, us

from mismartera import DataManager
from mismartera.testing.alpaca_market import MarketBar, MarketStatus

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
JOINS, LEAVES = "EEE", "BBB"
UNTIL = "13:06"


def market() -> tuple[list[MarketBar], list[MarketStatus]]:
    """Quiet minutes, late bars, corrections, a halt, and bars before the open and after the close."""
    rng = Random(7)
    names = [*SYMBOLS, JOINS]
    bars = [
        bar
        for bar in draw(names, "09:20", "13:10", day=HALF_DAY)
        if rng.random() < 0.97
        and not (bar.symbol == "DDD" and us("11:00", HALF_DAY) <= bar.start_us < us("11:20", HALF_DAY))
    ]
    for _ in range(12):
        bar = rng.choice(bars)
        bars = later(bars, bar.symbol, clock_time(bar.start_us), rng.choice([4, 25, 70]), HALF_DAY)
    for bar in rng.sample([bar for bar in bars if bar.start_us < us("12:50", HALF_DAY)], 12):
        last = found(bars, bar.symbol, clock_time(bar.start_us), HALF_DAY)
        bars.append(corrected([last], bar.symbol, clock_time(bar.start_us), 100, HALF_DAY))
    halt = MarketStatus("DDD", us("11:00", HALF_DAY) + 1, "H", "Halted")
    return bars, [halt, MarketStatus("DDD", us("11:20", HALF_DAY) - 1_000_000, "T", "Resumed")]


def plan(command: Command) -> list[tuple[str, Callable[[], object]]]:
    """What goes wrong, and when."""

    def set_(**faults: Any) -> Callable[[], None]:
        def act() -> None:
            for name, value in faults.items():
                setattr(command.server.faults, name, value)

        return act

    def lose_one() -> None:
        for connection in command.server.live:
            connection.subscribed["bars"].remove("AAA")

    return [
        ("09:45:20", command.server.drop_all),
        ("09:52:20", set_(drop_in_frame=1, drop_in_handshake=1, drop_before_auth=1)),
        ("10:05:20", set_(mute=True)),
        ("10:12:20", set_(mute=False)),
        ("10:20:10", set_(handshake_status=503, rest_status=503)),
        ("10:20:20", command.server.drop_all),
        ("10:24:20", set_(handshake_status=None)),
        ("10:27:20", set_(rest_status=None)),
        ("10:40:20", command.server.forget_all),
        ("10:55:20", lose_one),
        ("11:35:20", command.server.drop_all),
        ("11:40:20", set_(duplicate=True, bad_message=True, strangers=True, unknown_types=True, garbage_frames=2)),
        ("11:50:20", set_(duplicate=False, bad_message=False, strangers=False, unknown_types=False)),
        ("12:10:20", set_(delay_seconds=150.0)),
        ("12:20:20", set_(delay_seconds=0.0)),
        ("12:30:20", set_(page_size=7, repeat_boundary=True, reverse_pages=True, handshake_status=500)),
        ("12:30:30", command.server.drop_all),
        ("12:33:20", set_(handshake_status=None)),
        ("12:56:20", command.server.drop_all),
    ]  # fmt: skip


def test_a_half_day_with_faults_ends_as_its_backtest(tmp_path: Path) -> None:
    bars, statuses = market()
    schedule = [
        {"at": f"{HALF_DAY}T10:30", "add": JOINS},
        {"at": f"{HALF_DAY}T11:30", "remove": LEAVES},
    ]
    with Command(
        tmp_path, bars, statuses, symbols=SYMBOLS, start="09:25", until=UNTIL, speed=60, day=HALF_DAY,
        streams=("1m", "5m", "15m"), schedule=schedule,
    ) as command:  # fmt: skip
        command.start()
        for time, act in plan(command):
            command.wait_until(time)
            act()
        command.finish(wall_seconds=120)
        command.check()
        symbols = [symbol for symbol in (*SYMBOLS, JOINS) if symbol != LEAVES]
        assert command.summary["symbols_loaded"] == symbols
        close_us = us("13:00", HALF_DAY)
        truth = store(
            tmp_path / "truth", known(command.market, symbols, HALF_DAY, close_us, command.clock.now_us())
        )
        data = command.config["session_data_config"] | {"symbols": symbols}
        assert not differences(command.tables(), backtest(truth, data, HALF_DAY), close_us)
        recorded = backtest(DataManager(tmp_path / "store"), data, HALF_DAY)
        assert not differences(command.tables(), recorded, close_us)
        names = [line["event"] for line in command.lines()]
        assert {"halted", "resumed", "quiet", "backfilled", "revision", "session_closed"} <= set(names)
        assert command.server.handshakes <= 60, "no storm"
