"""A whole day: it starts with one symbol, another joins at 10:00, the first leaves at 14:00."""

from __future__ import annotations

import numpy as np
from tests.conftest import MakeSystem
from tests.runs import Log, Recorder, clock_time, config, moment, us

from mismartera import Bars, SystemManager
from mismartera.bars.instants import MINUTE_US

SETTINGS = config(
    "AAA", streams=("1m", "5m", "1h"), indicators=[{"name": "SMA", "interval": "5m", "params": {"timeperiod": 3}}]
)


def bars(system: SystemManager, symbol: str, interval: str = "1m") -> Bars:
    """What a strategy could read now."""
    view = system.session_data.get_bars(symbol, interval)
    assert view is not None, f"{symbol} is readable"
    return view


def assert_whole(system: SystemManager, symbol: str, until: str) -> None:
    """Every series of ``symbol`` runs from the open to ``until`` without a hole, coarse ones made of fine ones."""
    minutes = bars(system, symbol)
    assert minutes.start_us.tolist() == list(range(us("09:30"), us(until), MINUTE_US))
    assert minutes.end_us.tolist() == [start + MINUTE_US for start in minutes.start_us.tolist()]
    fives = bars(system, symbol, "5m")
    assert fives.start_us.tolist() == list(range(us("09:30"), us(until) - 4 * MINUTE_US, 5 * MINUTE_US))
    for k, five in enumerate(fives):
        inside = list(minutes[5 * k : 5 * k + 5])
        assert (five.open, five.close, five.bar_count) == (inside[0].open, inside[-1].close, 5)
        assert (five.high, five.low) == (max(b.high for b in inside), min(b.low for b in inside))
        assert five.volume == sum(b.volume for b in inside)
    sma = fives.indicator("SMA_3")
    assert np.isnan(sma[:2]).all()
    assert sma[2:].tolist() == [
        (fives[k].close + fives[k + 1].close + fives[k + 2].close) / 3 for k in range(len(sma) - 2)
    ]


def assert_stage(system: SystemManager, time: str, loaded: tuple[str, ...]) -> None:
    """The session stands at ``time``, active, with exactly these symbols."""
    assert system.get_time_manager().get_current_time() == moment(time)
    assert system.session_data.is_session_active()
    assert system.coordinator.get_loaded_symbols() == set(loaded)
    assert system.coordinator.get_pending_symbols() == frozenset()
    assert system.coordinator.get_failed_symbols() == {}
    assert system.config.session_data_config.symbols == loaded
    assert system.coordinator.get_streamed_data() == {symbol: ["1m"] for symbol in loaded}
    assert system.coordinator.get_generated_data() == {symbol: ["5m", "1h"] for symbol in loaded}


def test_a_full_day_with_a_symbol_that_joins_and_one_that_leaves(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(SETTINGS, strategy, log=log)
    coordinator, data = system.coordinator, system.session_data
    assert not system.is_running()
    assert not data.is_session_active()
    assert coordinator.get_pending_symbols() == {"AAA"}

    assert system.run_until("09:30")
    assert system.is_running()
    assert_stage(system, "09:30", ("AAA",))
    assert len(bars(system, "AAA")) == 0

    assert system.run_until("10:00")
    assert_stage(system, "10:00", ("AAA",))
    assert_whole(system, "AAA", "10:00")
    assert data.get_bars("BBB", "1m") is None

    assert coordinator.add_symbol("BBB")
    assert coordinator.wait_loaded("BBB", timeout=10)
    assert_stage(system, "10:00", ("AAA", "BBB"))
    assert_whole(system, "BBB", "10:00")
    at_ten = bars(system, "BBB")

    system.resume()
    assert system.run_until("12:17")
    system.pause()
    assert_stage(system, "12:17", ("AAA", "BBB"))
    assert_whole(system, "AAA", "12:17")
    assert_whole(system, "BBB", "12:17")
    hours = [(clock_time(b.start_us), clock_time(b.end_us), b.bar_count) for b in bars(system, "BBB", "1h")]
    assert hours == [("09:30", "10:30", 60), ("10:30", "11:30", 60)]
    assert len(at_ten) == 30, "a view that was handed out does not grow"

    system.resume()
    assert system.run_until("14:00")
    assert_whole(system, "AAA", "14:00")
    assert coordinator.remove_symbol("AAA")
    assert_stage(system, "14:00", ("BBB",))
    assert data.get_bars("AAA", "1m") is None
    assert data.get_indicator("AAA", "SMA_3") is None
    assert_whole(system, "BBB", "14:00")

    assert system.run_until("16:00")
    assert_stage(system, "16:00", ("BBB",))
    system.resume()
    assert system.wait(30)
    assert not system.is_running()

    assert not data.is_session_active()
    assert_whole(system, "BBB", "16:00")  # a finished session stays readable
    hours = [(clock_time(b.start_us), clock_time(b.end_us), b.bar_count) for b in bars(system, "BBB", "1h")]
    assert hours[-2:] == [("14:30", "15:30", 60), ("15:30", "16:00", 30)]
    assert data.get_bars("AAA", "1m") is None
    assert_told(strategy, log)
    assert_summed_up(system)


def assert_told(strategy: Recorder, log: Log) -> None:
    """Transitions, in their order, and what was delivered."""
    assert log.lines == [
        "09:30 session_opened 2024-07-02",
        "09:30 symbol_pending configured AAA",
        "09:30 symbol_loaded caught_up AAA",
        "09:30 session_activated open 0",
        "10:00 symbol_pending added BBB",
        "10:00 session_deactivated lag 1740 BBB",
        "10:00 session_activated caught_up 60 BBB",
        "10:00 symbol_loaded caught_up BBB",
        "14:00 symbol_removed removed AAA",
        "16:00 session_deactivated close 0",
        "16:00 session_closed 2024-07-02",
    ]
    assert strategy.told == [
        "start", "open", "AAA loaded", "session active open", "session inactive lag", "session active caught_up",
        "BBB loaded", "AAA removed", "close", "session inactive close", "stop",
    ]  # fmt: skip
    assert strategy.ends("AAA") == [clock_time(us("09:31") + k * MINUTE_US) for k in range(270)]
    assert strategy.ends("BBB") == [clock_time(us("09:59") + k * MINUTE_US) for k in range(362)]
    assert strategy.ends("AAA", "1h") == ["10:30", "11:30", "12:30", "13:30"]
    assert strategy.ends("BBB", "1h") == ["10:30", "11:30", "12:30", "13:30", "14:30", "15:30", "16:00"]
    assert strategy.ends("BBB", "5m")[:2] == ["10:00", "10:05"]
    instants = [(bar.end_us, bar.symbol, bar.interval) for bar in strategy.bars if bar.end_us == us("13:30")]
    assert [(symbol, interval) for _, symbol, interval in instants] == [
        ("AAA", "1m"), ("AAA", "5m"), ("AAA", "1h"), ("BBB", "1m"), ("BBB", "5m"), ("BBB", "1h"),
    ]  # fmt: skip


def assert_summed_up(system: SystemManager) -> None:
    summary = system.summary()
    assert (summary["sessions"], summary["activations"], summary["deactivations"]) == (1, 2, 2)
    assert summary["bars_streamed"] == 270 + 390
    assert summary["symbols_loaded"] == ["BBB"]
    assert summary["counts"]["AAA"]["accepted"] == 270
    assert summary["counts"]["BBB"]["accepted"] == 390
    for symbol, expected in (("AAA", 270), ("BBB", 390)):
        figures = summary["quality"][symbol]["2024-07-02"]["1m"]
        assert figures == {"expected": expected, "present": expected, "percent": 100.0}
    assert summary["strategy_errors"] == []


def test_the_same_day_from_a_schedule_tells_and_delivers_the_same(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    settings = config(
        "AAA", streams=("1m", "5m", "1h"), schedule=[("10:00", "add", "BBB"), ("14:00", "remove", "AAA")]
    )
    make_system(settings, strategy, log=log).run()
    assert_told(strategy, log)
