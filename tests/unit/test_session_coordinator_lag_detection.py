"""Lag: when the session is deactivated and activated, what is delivered meanwhile, and what can be read."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import MakeSystem
from tests.runs import DAY, FULL_DAY, Log, Recorder, SimulatedPace, clock_time, config, us

from mismartera import SystemManager
from mismartera.bars.instants import to_us

AT_NOON = [("12:00", "add", "CCC")]
MORNING = ("09:30", "10:30")
ENDS = [clock_time(us("09:31") + m * 60_000_000) for m in FULL_DAY]


def alternates(log: Log) -> bool:
    """True if activations and deactivations of the session take turns, beginning and ending as they must."""
    moves = [name for name, _, _ in log.events if name in {"session_activated", "session_deactivated"}]
    return moves == ["session_activated", "session_deactivated"] * (len(moves) // 2)


def starts_seen(system: SystemManager, symbol: str) -> list[int]:
    view = system.session_data.get_bars(symbol, "1m")
    assert view is not None
    return view.start_us.tolist()  # type: ignore[no-any-return]  # NumPy's stubs say Any


def test_bars_from_the_open_at_a_clock_of_noon_deactivate_until_they_are_passed_over(
    make_system: MakeSystem,
) -> None:
    log = Log()
    make_system(config("AAA", schedule=AT_NOON), log=log).run()
    assert log.since("12:00")[:4] == [
        "12:00 symbol_pending added CCC",
        "12:00 session_deactivated lag 8940 CCC",  # the bar that ended at 09:31
        "12:00 session_activated caught_up 60 CCC",
        "12:00 symbol_loaded caught_up CCC",
    ]
    assert log.lines[-2] == "16:00 session_deactivated close 0"
    assert alternates(log)


def test_the_first_fresh_bar_after_a_catch_up_is_delivered_and_all_bars_from_the_open_are_readable(
    make_system: MakeSystem,
) -> None:
    seen: list[int] = []
    system: SystemManager
    strategy = Recorder({"CCC 11:59": lambda: seen.extend(starts_seen(system, "CCC"))})
    system = make_system(config("AAA", schedule=AT_NOON), strategy)
    system.run()
    assert strategy.ends("CCC")[:3] == ["11:59", "12:00", "12:01"]
    assert [bar.lag_seconds for bar in strategy.bars if bar.symbol == "CCC"][:3] == [60.0, 0.0, 0.0]
    assert [clock_time(start) for start in seen] == ["09:30", *ENDS[:148]]
    assert len(strategy.ends("CCC")) == 242
    assert len(strategy.ends("AAA")) == len(FULL_DAY)
    assert strategy.told[-6:-3] == ["session inactive lag", "session active caught_up", "CCC loaded"]
    assert strategy.told[-3:] == ["close", "session inactive close", "stop"]


@pytest.mark.parametrize(
    ("symbols", "streams", "check_interval", "evaluations"),
    [
        (["FIFTEEN"], ["1m"], 10, 2),  # bars 0 and 10
        (["FIFTEEN"], ["1m", "5m"], 10, 2),  # derived bars are not counted
        (["FIFTEEN"], ["5m"], 10, 2),  # base bars that nobody asked for are
        (["FIFTEEN"], ["1m"], 1, 15),
        (["FIFTEEN"], ["1m"], 14, 2),
        (["FIFTEEN"], ["1m"], 15, 1),
        (["FIFTEEN"], ["1m"], 100, 1),
        (["AAA", "BBB", "CCC"], ["1m"], 2, 60),  # of three bars of an instant one or two are due: one evaluation
        (["AAA", "BBB", "CCC"], ["1m"], 6, 30),
    ],
)
def test_the_lag_of_fresh_bars_is_evaluated_once_every_so_many_base_bars(
    make_system: MakeSystem, symbols: list[str], streams: list[str], check_interval: int, evaluations: int
) -> None:
    settings = config(
        *symbols, streams=streams, streaming={"catchup_check_interval": check_interval}, hours=MORNING
    )
    system = make_system(settings)
    system.run()
    assert system.coordinator.lag_evaluations == evaluations


@pytest.mark.parametrize(
    ("threshold", "first_delivered"),
    [
        (60, "11:59"),  # exactly at the threshold
        (59.999999, "12:00"),
        (60.000001, "11:59"),
        (1, "12:00"),
        (300, "11:55"),
        (8940, "09:31"),  # the oldest bar stands at the threshold
        (8939, "09:32"),
    ],
)
def test_a_bar_whose_lag_is_at_the_configured_threshold_is_delivered_and_an_older_one_is_not(
    make_system: MakeSystem, threshold: float, first_delivered: str
) -> None:
    strategy, log = Recorder(), Log()
    settings = config("AAA", schedule=AT_NOON, streaming={"catchup_threshold_seconds": threshold})
    make_system(settings, strategy, log=log).run()
    assert strategy.ends("CCC")[0] == first_delivered
    assert ("12:00 session_deactivated lag 8940 CCC" in log.lines) == (first_delivered != "09:31")


def test_a_drained_backlog_activates_though_its_newest_bar_is_old(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA", schedule=[("12:00", "add", "FIFTEEN")]), strategy, log=log)
    system.run()
    assert log.since("12:00")[1:4] == [
        "12:00 session_deactivated lag 8940 FIFTEEN",
        "12:00 session_activated caught_up 0",
        "12:00 symbol_loaded caught_up FIFTEEN",
    ]
    assert strategy.ends("FIFTEEN") == []
    assert len(starts_seen(system, "FIFTEEN")) == 15


class Slow(Recorder):
    """Takes longer than it has: so many seconds of the market when the given bars of ``symbol`` come."""

    def __init__(self, clock: SimulatedPace, work: dict[str, float], symbol: str = "AAA") -> None:
        super().__init__()
        self.symbol = symbol
        self.clock = clock
        self.work = work

    def on_bar(self, bar: Any) -> None:
        super().on_bar(bar)
        if bar.symbol == self.symbol:
            self.clock.work(self.work.get(clock_time(bar.end_us), 0.0))


def test_a_strategy_slower_than_the_asked_speed_raises_the_lag_until_the_gate_acts_and_nothing_is_lost(
    make_system: MakeSystem,
) -> None:
    clock, log = SimulatedPace(speed=60), Log()
    strategy = Slow(clock, {"10:00": 600.0}, "BBB")
    system = make_system(config("AAA", "BBB", speed=60), strategy, log=log, clock=clock)
    system.run()
    assert log.since("10:00")[:-2] == [
        "10:10 session_deactivated lag 540 AAA",  # the next bar ended at 10:01
        "10:10 session_activated caught_up 60 AAA",
    ]
    late = ENDS[30:38]  # 10:01 to 10:08: stale when their turn came
    assert late[0] == "10:01" and late[-1] == "10:08"
    for symbol in ("AAA", "BBB"):
        assert strategy.ends(symbol) == [end for end in ENDS if end not in late]
        assert len(starts_seen(system, symbol)) == len(FULL_DAY)
    assert {bar.lag_seconds for bar in strategy.bars} == {0.0, 60.0}
    assert system.summary()["bars_streamed"] == 2 * len(FULL_DAY)


def test_a_callback_that_takes_too_long_makes_the_rest_of_its_own_instant_stale(make_system: MakeSystem) -> None:
    clock, log = SimulatedPace(speed=60), Log()
    strategy = Slow(clock, {"10:00": 61.0})
    system = make_system(config("AAA", "BBB", speed=60), strategy, log=log, clock=clock)
    system.run()
    assert log.since("10:00")[:-2] == [
        "10:01:01 session_deactivated lag 61 BBB",
        "10:01:01 session_activated caught_up 1 AAA",
    ]
    assert strategy.ends("AAA") == ENDS
    assert strategy.ends("BBB") == [end for end in ENDS if end != "10:00"]
    assert len(starts_seen(system, "BBB")) == len(FULL_DAY)


def test_flapping_loses_and_repeats_nothing(make_system: MakeSystem) -> None:
    clock, log = SimulatedPace(speed=1), Log()
    strategy = Slow(clock, dict.fromkeys(ENDS[:380:4], 150.0), "BBB")
    system = make_system(config("AAA", "BBB", speed=1), strategy, log=log, clock=clock)
    system.run()
    assert alternates(log)
    assert log.lines.count("16:00 session_deactivated close 0") == 1
    assert sum("session_deactivated lag 90 AAA" in line for line in log.lines) == 95
    stale = set(ENDS[1:381:4])  # each burst makes the next minute 90 s late, and the one after that 30 s
    for symbol in ("AAA", "BBB"):
        assert strategy.ends(symbol) == [end for end in ENDS if end not in stale]
        assert len(starts_seen(system, symbol)) == len(FULL_DAY)


@pytest.mark.parametrize("scope", ["session", "symbol"])
def test_no_stale_bar_is_delivered_at_any_check_interval_from_1_to_100(
    make_system: MakeSystem, scope: str
) -> None:
    work = {"09:35": 61.0, "09:40": 60.0, "09:50": 3000.0 / 7, "10:06": 121.5}
    for check_interval in range(1, 101):
        clock = SimulatedPace(speed=60)
        strategy, log = Slow(clock, work), Log()
        streaming = {"catchup_check_interval": check_interval, "catchup_scope": scope}
        schedule = [("10:00", "add", "CCC"), ("10:15", "add", "DDD")]
        settings = config("AAA", "BBB", hours=MORNING, speed=60, streaming=streaming, schedule=schedule)
        system = make_system(settings, strategy, log=log, clock=clock)
        system.run()
        assert max(bar.lag_seconds for bar in strategy.bars) == 60.0
        assert strategy.ends("DDD")[:2] == ["10:14", "10:15"]
        assert all(len(starts_seen(system, symbol)) == 60 for symbol in ("AAA", "BBB", "CCC", "DDD"))
        inactive = f"{'session' if scope == 'session' else 'symbol'}_deactivated"
        assert any(inactive in line and " lag " in line for line in log.lines)


def test_each_symbol_is_judged_by_itself_with_scope_symbol(make_system: MakeSystem) -> None:
    clock, log = SimulatedPace(speed=60), Log()
    strategy = Slow(clock, {"09:40": 300.0})
    settings = config("AAA", "FIFTEEN", speed=60, streaming={"catchup_scope": "symbol"}, hours=("09:30", "09:50"))
    quiet = config("AAA", "IDLE", speed=60, streaming={"catchup_scope": "symbol"}, hours=("09:30", "09:50"))
    make_system(settings, strategy, log=log, clock=clock).run()
    assert [line for line in log.lines if "symbol_deactivated" in line or "symbol_activated" in line] == [
        "09:45 symbol_deactivated lag 300 FIFTEEN",  # its bar of 09:40 waited for the slow one of AAA
        "09:45 symbol_deactivated lag 240 AAA",
        "09:45 symbol_activated caught_up 60 AAA",
        "09:45 symbol_activated caught_up 60 FIFTEEN",
    ]
    clock, log = SimulatedPace(speed=60), Log()
    make_system(quiet, Slow(clock, {"09:40": 300.0}), log=log, clock=clock).run()
    assert [line.split()[-1] for line in log.lines if "symbol_deactivated" in line] == ["AAA"]


def test_a_pause_freezes_a_paced_clock_so_that_no_lag_comes_of_it(make_system: MakeSystem) -> None:
    clock, log = SimulatedPace(speed=60), Log()
    strategy = Recorder()
    system = make_system(config("AAA", speed=60), strategy, log=log, clock=clock)
    assert system.run_until("10:00")
    clock.work(3600.0)
    assert clock_time(to_us(system.get_time_manager().get_current_time())) == "10:00"
    system.resume()
    system.wait()
    assert {bar.lag_seconds for bar in strategy.bars} == {0.0}
    assert len(strategy.ends("AAA")) == len(FULL_DAY)
    assert DAY in system.summary()["quality"]["AAA"]
