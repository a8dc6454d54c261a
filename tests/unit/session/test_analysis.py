"""Strategies: their order, what each wants, and that none disturbs another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import MakeSystem
from tests.runs import Log, Recorder, clock_time, config

from mismartera import Bar, Slice, Strategy
from mismartera.errors import RunFailedError
from mismartera.system.outcome import Outcome

SHORT = ("09:30", "09:40")


class OwnError(BaseException):
    """An error that is no Exception."""


def endless() -> None:
    endless()


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (raising(ValueError("bad")), "ValueError: bad"),
        (raising(StopIteration()), "StopIteration: "),
        (raising(TimeoutError("late")), "TimeoutError: late"),
        (raising(OwnError("own")), "OwnError: own"),
        (raising(GeneratorExit()), "GeneratorExit: "),
        (raising(AssertionError("no")), "AssertionError: no"),
        (endless, "RecursionError: maximum recursion depth exceeded"),
    ],
)
@pytest.mark.parametrize("others", [0, 2])
def test_a_strategy_that_raises_is_recorded_and_called_no_more_and_the_others_go_on(
    make_system: MakeSystem, act: Callable[[], None], text: str, others: int
) -> None:
    bad = Recorder({"AAA 09:35": act})
    good = [Recorder() for _ in range(others)]
    log = Log()
    system = make_system(config("AAA", "BBB", hours=SHORT, on_error="isolate"), *good[:1], bad, *good[1:], log=log)
    system.run()
    assert bad.ends("AAA")[-1] == "09:35" and len(bad.ends("BBB")) == 4
    assert "close" not in bad.told and "stop" not in bad.told
    for strategy in good:
        assert len(strategy.ends("AAA")) == len(strategy.ends("BBB")) == 10
        assert strategy.told[-1] == "stop"
    [error] = system.summary()["strategy_errors"]
    assert error["strategy"] == ("Recorder#2" if others else "Recorder")
    assert error["error"].startswith(text)
    assert sum(line.startswith("09:35 strategy_error") for line in log.lines) == 1
    assert system.outcome is Outcome.FINISHED


LIFECYCLE = [
    "on_start", "on_session_open", "on_session_active", "on_symbol_loaded", "on_bar", "on_slice",
    "on_symbol_failed", "on_symbol_removed", "on_session_close", "on_stop",
]  # fmt: skip


@pytest.mark.parametrize("callback", LIFECYCLE)
def test_an_error_in_any_callback_is_isolated(make_system: MakeSystem, callback: str) -> None:
    def fail(self: Strategy, *_: object) -> None:
        raise LookupError(callback)

    bad = type("Bad", (Strategy,), {callback: fail})()
    good = Recorder()
    schedule = [("09:33", "add", "NOPE"), ("09:35", "remove", "BBB")]
    system = make_system(config("AAA", "BBB", hours=SHORT, on_error="isolate", schedule=schedule), bad, good)
    system.run()
    assert system.summary()["strategy_errors"] == [{"strategy": "Bad", "error": f"LookupError: {callback}"}]
    assert len(good.ends("AAA")) == 10
    assert good.told[-1] == "stop"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("on_error", ["isolate", "stop"])
def test_a_request_to_end_the_process_ends_the_run_cleanly(
    make_system: MakeSystem, error: BaseException, on_error: str
) -> None:
    asking, other, log = Recorder({"AAA 09:35": raising(error)}), Recorder(), Log()
    system = make_system(config("AAA", hours=SHORT, on_error=on_error), other, asking, log=log)
    system.run()
    assert system.outcome is Outcome.INTERRUPTED
    assert system.error is error
    assert len(other.ends("AAA")) == 5
    assert other.told[-2:] == ["session inactive stopped", "stop"] == asking.told[-2:]
    assert log.lines[-1] == "09:35 session_deactivated stopped 0"
    assert system.summary()["strategy_errors"] == []


def test_with_the_policy_stop_an_error_ends_the_run_after_the_instant_and_fails_it(
    make_system: MakeSystem,
) -> None:
    bad, other = Recorder({"AAA 09:35": raising(ValueError("bad"))}), Recorder()
    system = make_system(config("AAA", "BBB", hours=SHORT, on_error="stop"), bad, other)
    with pytest.raises(RunFailedError, match="strategy Recorder raised ValueError: bad") as raised:
        system.run()
    assert isinstance(raised.value.__cause__, ValueError)
    assert system.outcome is Outcome.FAILED
    assert other.ends("BBB")[-1] == "09:35"
    assert other.told[-1] == "stop"


class Named(Strategy):
    """Writes what it is told into a common list."""

    def __init__(self, name: str, told: list[str], **wants: Any) -> None:
        super().__init__()
        self.name, self.common = name, told
        self.symbols, self.intervals = wants.get("symbols"), wants.get("intervals")

    def on_bar(self, bar: Bar) -> None:
        self.common.append(f"{self.name} {bar.symbol} {bar.interval} {clock_time(bar.end_us)}")

    def on_slice(self, slice: Slice) -> None:
        bars = ",".join(f"{bar.symbol}/{bar.interval}" for symbol in slice for bar in slice[symbol])
        self.common.append(f"{self.name} [{bars}]")


def test_strategies_are_notified_bar_by_bar_in_their_order_and_then_of_the_instant(
    make_system: MakeSystem,
) -> None:
    told: list[str] = []
    settings = config("BBB", "AAA", streams=("5m", "1m"), hours=("09:30", "09:35"))
    make_system(settings, Named("x", told), Named("y", told)).run()
    assert told[-10:] == [
        "x BBB 1m 09:35", "y BBB 1m 09:35", "x BBB 5m 09:35", "y BBB 5m 09:35",
        "x AAA 1m 09:35", "y AAA 1m 09:35", "x AAA 5m 09:35", "y AAA 5m 09:35",
        "x [BBB/1m,BBB/5m,AAA/1m,AAA/5m]", "y [BBB/1m,BBB/5m,AAA/1m,AAA/5m]",
    ]  # fmt: skip


def test_a_strategy_gets_the_symbols_and_intervals_that_it_wants(make_system: MakeSystem) -> None:
    told: list[str] = []
    strategies = [
        Named("a", told, symbols=["AAA"]), Named("b", told, intervals=["300s"]),
        Named("c", told, symbols={"BBB", "CCC"}, intervals={"1m"}), Named("d", told, symbols=[]),
    ]  # fmt: skip
    make_system(config("AAA", "BBB", streams=("1m", "5m"), hours=("09:30", "09:35")), *strategies).run()
    assert [line for line in told if "09:35" in line or "5m" in line] == [
        "a AAA 1m 09:35", "a AAA 5m 09:35", "b AAA 5m 09:35", "c BBB 1m 09:35", "b BBB 5m 09:35",
        "a [AAA/1m,AAA/5m]", "b [AAA/5m,BBB/5m]",
    ]  # fmt: skip
    assert told.count("c [BBB/1m]") == 5
    assert not any(line.startswith("d") for line in told)


def test_a_symbol_removed_by_one_strategy_is_kept_from_the_next_one_and_from_the_slices(
    make_system: MakeSystem,
) -> None:
    first = Recorder({"AAA 09:33": lambda: first.session.remove_symbol("BBB")})
    told: list[str] = []
    system = make_system(config("AAA", "BBB", "CCC", hours=("09:30", "09:34")), first, Named("y", told))
    system.run()
    assert told[7:] == [
        "y [AAA/1m,BBB/1m,CCC/1m]", "y AAA 1m 09:33", "y CCC 1m 09:33", "y [AAA/1m,CCC/1m]",
        "y AAA 1m 09:34", "y CCC 1m 09:34", "y [AAA/1m,CCC/1m]",
    ]  # fmt: skip
    assert system.summary()["bars_delivered"] == 3 + 3 + 2 + 2


def test_a_removal_in_a_lifecycle_callback_is_not_followed_by_news_of_the_symbol(make_system: MakeSystem) -> None:
    class Refuses(Recorder):
        def on_symbol_loaded(self, symbol: str) -> None:
            if symbol == "CCC":
                assert self.session.remove_symbol("CCC")

    other = Recorder()
    make_system(config("AAA", hours=SHORT, schedule=[("09:35", "add", "CCC")]), Refuses(), other).run()
    assert [line for line in other.told if "CCC" in line] == ["CCC removed"]
    assert other.ends("CCC") == []


def test_signals_carry_the_strategys_name_and_what_is_no_number_becomes_null(make_system: MakeSystem) -> None:
    log = Log()
    strategy = Recorder()
    strategy.on = {
        "AAA 09:31": lambda: strategy.session.emit("a", 1.5),
        "AAA 09:32": lambda: strategy.session.emit("b", float("nan")),
        "AAA 09:33": lambda: strategy.session.emit("c", "text"),
        "AAA 09:34": lambda: strategy.session.emit("d"),
    }
    make_system(config("AAA", hours=SHORT), strategy, log=log).run()
    signals = [(f["strategy"], f["name"], f["value"]) for name, _, f in log.events if name == "signal"]
    assert signals == [
        ("Recorder", "a", 1.5),
        ("Recorder", "b", None),
        ("Recorder", "c", "text"),
        ("Recorder", "d", None),
    ]


@pytest.mark.parametrize("name", [object(), None, 5, ["x"], dt.datetime(2024, 7, 2, tzinfo=dt.UTC)])
def test_a_signal_whose_name_is_no_text_ends_its_strategy_alone(make_system: MakeSystem, name: Any) -> None:
    log, strategy, other = Log(), Recorder(), Recorder()
    strategy.on = {"AAA 09:31": lambda: strategy.session.emit(name, 1)}
    system = make_system(config("AAA", hours=SHORT, on_error="isolate"), strategy, other, log=log)
    system.run()
    assert system.summary()["strategy_errors"] == [
        {"strategy": "Recorder", "error": f"TypeError: a signal's name is a text, not {type(name).__name__}"}
    ]
    assert (len(strategy.ends("AAA")), len(other.ends("AAA"))) == (1, 10)
    assert "signal" not in {event for event, _, _ in log.events}


def test_a_call_or_an_addition_that_no_session_is_left_for_is_warned_of(make_system: MakeSystem) -> None:
    class AddsLate(Recorder):
        def on_session_close(self) -> None:
            assert self.session.add_symbol("BBB")

    strategy = AddsLate()
    strategy.on = {"AAA 09:35": lambda: strategy.session.at("17:00", lambda: None)}
    system = make_system(config("AAA", hours=SHORT), strategy)
    system.run()
    assert system.warnings == [
        "the call that strategy AddsLate has asked for at 17:00 lies after the last session of the run: it did "
        "not act",
        "the addition of BBB lies after the last session of the run: it did not act",
    ]


def test_what_is_no_time_is_refused_by_its_type(make_system: MakeSystem) -> None:
    strategy = Recorder()
    strategy.on = {"AAA 09:31": lambda: strategy.session.at(5, lambda: None)}  # type: ignore[arg-type]
    system = make_system(config("AAA", hours=SHORT, on_error="isolate"), strategy)
    with pytest.raises(TypeError, match=r"a time is a text \('10:00', .* or an aware datetime, not float"):
        system.run_until(5.0)  # type: ignore[arg-type]
    system.run()
    assert system.summary()["strategy_errors"][0]["error"].endswith("or an aware datetime, not int")


def test_a_call_at_a_time_acts_there_after_the_instant_and_a_past_time_means_now(make_system: MakeSystem) -> None:
    acted: list[str] = []
    strategy = Recorder()

    def note(name: str) -> Callable[[], None]:
        return lambda: acted.append(f"{name} {strategy.session.now:%H:%M:%S} after {strategy.ends('AAA')[-1]}")

    def plan() -> None:
        strategy.session.at("09:33:30", note("half past"))
        strategy.session.at("2024-07-02T09:35", note("iso"))
        strategy.session.at(strategy.session.now, note("now"))
        strategy.session.at("09:34", raising(ValueError("in a call")))

    strategy.on["AAA 09:32"] = plan
    system = make_system(config("AAA", hours=SHORT, on_error="isolate"), strategy)
    system.run()
    assert acted == ["now 09:32:00 after 09:32", "half past 09:33:30 after 09:33"], (
        "after its error it acts no more"
    )
    assert system.summary()["strategy_errors"][0]["error"] == "ValueError: in a call"
