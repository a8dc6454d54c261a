"""Symbols come and go while a session streams: what each call promises, and what everybody else notices of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import MakeSystem
from tests.integration.hammer import Checking, FenceLog, Hammer, holes, illegal_steps
from tests.runs import Log, Recorder, clock_time, config, write_market

from mismartera import SystemManager
from mismartera.errors import RunFailedError, UsageError


def closes(system: SystemManager, symbol: str, interval: str = "1m") -> list[str] | None:
    """When the readable bars of a series ended; None if there is no answer."""
    view = system.session_data.get_bars(symbol, interval)
    return None if view is None else [clock_time(end) for end in view.end_us.tolist()]


def minutes_to(end: str, count: int) -> list[str]:
    """The ends of ``count`` minutes, the last one ``end``."""
    hour, minute = map(int, end.split(":"))
    return [f"{m // 60:02}:{m % 60:02}" for m in range(hour * 60 + minute - count + 1, hour * 60 + minute + 1)]


def test_a_symbol_added_in_mid_session_is_loaded_caught_up_and_readable_from_the_open(
    make_system: MakeSystem,
) -> None:
    strategy, log = Recorder(), Log()
    settings = config(
        "AAA", streams=("1m", "5m"), dates=("2024-07-02", "2024-07-03"),
        historical={"data": [{"trailing_days": 1, "intervals": ["1m"]}]},
    )  # fmt: skip
    system = make_system(settings, strategy, log=log)
    assert system.run_until("11:00")
    assert closes(system, "CCC") is None
    assert system.coordinator.add_symbol("CCC")
    assert system.coordinator.wait_loaded("CCC", timeout=10)
    assert system.coordinator.get_loaded_symbols() == {"AAA", "CCC"}
    assert system.coordinator.get_pending_symbols() == frozenset()
    assert system.config.session_data_config.symbols == ("AAA", "CCC")
    assert system.coordinator.get_streamed_data() == {"AAA": ["1m"], "CCC": ["1m"]}
    assert system.coordinator.get_generated_data() == {"AAA": ["5m"], "CCC": ["5m"]}
    assert closes(system, "CCC") == minutes_to("11:00", 90)
    assert closes(system, "CCC", "5m") == minutes_to("11:00", 90)[4::5]
    assert strategy.ends("CCC") == []
    assert system.run_until("11:00")
    history = system.session_data.get_history("CCC", "1m")
    assert history is not None and len(history) == 390
    assert strategy.ends("CCC")[:3] == ["10:59", "11:00", "11:01"]
    assert strategy.ends("CCC", "5m")[:2] == ["11:00", "11:05"]
    system.resume()
    assert system.wait(30)
    assert len(strategy.ends("CCC")) == 302 + 210
    assert log.of("CCC") == ["pending", "loaded"]
    assert system.summary()["quality"]["CCC"]["2024-07-02"]["1m"]["percent"] == 100.0


def test_a_symbol_added_by_a_callback_is_pending_until_the_very_step_in_which_it_is_loaded(
    make_system: MakeSystem,
) -> None:
    states: list[tuple[str, bool, bool]] = []

    def look(where: str) -> None:
        pending, loaded = system.coordinator.get_pending_symbols(), system.coordinator.get_loaded_symbols()
        states.append((where, "CCC" in pending, "CCC" in loaded))

    def add() -> None:
        assert strategy.session.add_symbol("CCC")
        assert not strategy.session.add_symbol("CCC")
        look("added")

    class Watching(Recorder):
        def on_session_active(self, active: bool, reason: str) -> None:
            look(f"{active} {reason}")

        def on_symbol_loaded(self, symbol: str) -> None:
            look(f"{symbol} loaded")

    strategy = Watching(
        {"AAA 10:00": add, "BBB 10:00": lambda: look("same instant"), "CCC 09:59": lambda: look("bar")}
    )
    system = make_system(config("AAA", "BBB"), strategy)
    system.run()
    assert states == [
        ("AAA loaded", False, False), ("BBB loaded", False, False), ("True open", False, False),
        ("added", True, False), ("same instant", True, False), ("False lag", True, False),
        ("True caught_up", True, False), ("CCC loaded", False, True), ("bar", False, True),
        ("False close", False, True),
    ]  # fmt: skip


def test_a_removed_symbol_is_gone_at_once_and_the_others_go_on(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA", "BBB", "CCC"), strategy, log=log)
    assert system.run_until("14:00")
    assert system.coordinator.remove_symbol("BBB")
    assert not system.coordinator.remove_symbol("BBB")
    assert not system.coordinator.remove_symbol("NEVER")
    assert closes(system, "BBB") is None
    assert system.session_data.get_bars("BBB", "1m", internal=True) is None
    assert system.config.session_data_config.symbols == ("AAA", "CCC")
    assert system.coordinator.get_loaded_symbols() == {"AAA", "CCC"}
    assert system.coordinator.get_streamed_data() == {"AAA": ["1m"], "CCC": ["1m"]}
    system.resume()
    assert system.wait(30)
    assert strategy.ends("BBB") == minutes_to("14:00", 270)
    assert len(strategy.ends("AAA")) == len(strategy.ends("CCC")) == 390
    assert log.of("BBB") == ["pending", "loaded", "removed"]
    assert system.summary()["counts"]["BBB"]["accepted"] == 270
    assert system.summary()["quality"]["BBB"]["2024-07-02"]["1m"]["expected"] == 270
    assert "BBB" not in [fields.get("symbol") for name, _, fields in log.events if name == "gap"]


def test_a_symbol_that_is_removed_and_added_again_is_of_the_next_generation_and_ranks_last(
    make_system: MakeSystem,
) -> None:
    strategy, log = Recorder(), Log()
    schedule = [("10:00", "remove", "AAA"), ("10:00", "add", "AAA")]
    system = make_system(config("AAA", "BBB", schedule=schedule), strategy, log=log)
    system.run()
    assert log.of("AAA") == ["pending", "loaded", "removed", "pending", "loaded"]
    assert system.config.session_data_config.symbols == ("BBB", "AAA")
    aaa = [(clock_time(bar.end_us), bar.generation) for bar in strategy.bars if bar.symbol == "AAA"]
    assert aaa[29:33] == [("10:00", 1), ("09:59", 2), ("10:00", 2), ("10:01", 2)]
    assert [bar.symbol for bar in strategy.bars if clock_time(bar.end_us) == "09:45"] == ["AAA", "BBB"]
    assert [bar.symbol for bar in strategy.bars if clock_time(bar.end_us) == "10:45"] == ["BBB", "AAA"]
    assert system.summary()["counts"]["AAA"]["accepted"] == 390  # of the last generation


def test_symbols_added_together_have_one_merged_backlog(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    schedule = [("12:00", "add", "CCC"), ("12:00", "add", "DDD"), ("12:00", "remove", "BBB")]
    make_system(config("AAA", "BBB", schedule=schedule), strategy, log=log).run()
    assert log.since("12:00")[:7] == [
        "12:00 symbol_pending added CCC",
        "12:00 symbol_pending added DDD",
        "12:00 symbol_removed removed BBB",
        "12:00 session_deactivated lag 8940 CCC",
        "12:00 session_activated caught_up 60 CCC",
        "12:00 symbol_loaded caught_up CCC",
        "12:00 symbol_loaded caught_up DDD",
    ]
    first = next(k for k, bar in enumerate(strategy.bars) if bar.symbol == "CCC")
    assert [f"{bar.symbol} {clock_time(bar.end_us)}" for bar in strategy.bars[first : first + 5]] == [
        "CCC 11:59", "DDD 11:59", "CCC 12:00", "DDD 12:00", "AAA 12:01",
    ]  # fmt: skip


def at_once(count: int, call: Callable[[], bool]) -> list[bool]:
    """What ``call`` answers to ``count`` threads that make it at the same time."""
    gate, answers = threading.Barrier(count), []

    def ask() -> None:
        gate.wait()
        answers.append(call())

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_threads_that_add_or_remove_the_same_symbol_at_once_exactly_one_succeeds(
    make_system: MakeSystem,
) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA"), strategy, log=log)
    assert system.run_until("10:00")
    for _ in range(20):
        assert sum(at_once(8, lambda: system.coordinator.add_symbol("CCC"))) == 1
        assert all(at_once(8, lambda: system.coordinator.wait_loaded("CCC", 10)))
        assert sum(at_once(8, lambda: system.coordinator.remove_symbol("CCC"))) == 1
    assert system.coordinator.add_symbol("CCC")
    system.resume()
    assert system.wait(30)
    assert log.of("CCC") == ["pending", "loaded", "removed"] * 20 + ["pending", "loaded"]
    assert {bar.generation for bar in strategy.bars if bar.symbol == "CCC"} == {21}
    assert len(strategy.ends("CCC")) == 362


def test_an_unknown_symbol_fails_with_a_reason_and_the_others_go_on(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA", "GONE"), strategy, log=log)
    assert system.run_until("10:00")
    assert system.coordinator.get_failed_symbols() == {"GONE": "GONE is unknown to the store"}
    assert system.coordinator.add_symbol("NOPE")
    assert not system.coordinator.wait_loaded("NOPE", timeout=10)
    assert system.coordinator.get_failed_symbols().keys() == {"GONE", "NOPE"}
    assert system.coordinator.get_pending_symbols() == frozenset()
    assert system.config.session_data_config.symbols == ("AAA",)
    assert not system.coordinator.remove_symbol("NOPE")
    assert system.coordinator.add_symbol("NOPE"), "a failed symbol may be added again"
    system.resume()
    assert system.wait(30)
    assert log.of("NOPE") == ["pending", "failed", "pending", "failed"]
    assert strategy.told.count("NOPE failed") == 2
    assert len(strategy.ends("AAA")) == 390
    assert not any("lag" in line for line in log.lines), "nobody waited for symbols that never came"
    assert system.summary()["symbols_failed"].keys() == {"GONE", "NOPE"}


def test_a_run_whose_symbols_all_fail_ends_with_their_reasons(make_system: MakeSystem) -> None:
    system = make_system(config("GONE", "NOPE"))
    with pytest.raises(RunFailedError, match=r"GONE is unknown to the store.*NOPE is unknown"):
        system.run()


def test_a_symbol_fails_whose_file_cannot_be_read_and_the_others_go_on(
    make_system: MakeSystem, tmp_path: Path
) -> None:
    data = write_market(tmp_path / "store")
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA", "BBB"), strategy, log=log, data=data)
    assert system.run_until("10:00")
    for file in (tmp_path / "store").rglob("*.parquet"):
        file.write_bytes(b"no longer a Parquet file")
    assert system.coordinator.add_symbol("CCC")
    assert not system.coordinator.wait_loaded("CCC", timeout=10)
    assert "is damaged: parquet: File out of spec" in system.coordinator.get_failed_symbols()["CCC"]
    system.resume()
    assert system.wait(30)
    assert len(strategy.ends("AAA")) == len(strategy.ends("BBB")) == 390
    assert log.of("CCC") == ["pending", "failed"]


def test_a_symbol_has_its_own_streams(make_system: MakeSystem) -> None:
    strategy = Recorder()
    system = make_system(config("AAA", streams=("1m", "15m")), strategy)
    assert system.run_until("10:00")
    assert system.coordinator.add_symbol("CCC", streams=["5m"])
    assert system.coordinator.wait_loaded("CCC", timeout=10)
    assert system.coordinator.get_streamed_data() == {"AAA": ["1m"], "CCC": []}
    assert system.coordinator.get_generated_data() == {"AAA": ["15m"], "CCC": ["5m"]}
    assert closes(system, "CCC", "5m") == ["09:35", "09:40", "09:45", "09:50", "09:55", "10:00"]
    with pytest.raises(ValueError, match="1m bars of CCC were not requested; its own streams are 5m"):
        system.session_data.get_bars("CCC", "1m")
    base = system.session_data.get_bars("CCC", "1m", internal=True)
    assert base is not None and len(base) == 30
    system.resume()
    assert system.wait(30)
    assert {bar.interval for bar in strategy.bars if bar.symbol == "CCC"} == {"5m"}
    assert strategy.ends("CCC", "5m")[:2] == ["10:00", "10:05"]
    assert {bar.interval for bar in strategy.bars if bar.symbol == "AAA"} == {"1m", "15m"}


def test_streams_that_the_stored_bars_cannot_make_fail_the_symbol(make_system: MakeSystem) -> None:
    system = make_system(config("AAA"))
    assert system.run_until("10:00")
    assert system.coordinator.add_symbol("DAILY")
    assert system.coordinator.add_symbol("CCC", streams=["30s"])
    assert not system.coordinator.wait_loaded("CCC", timeout=10)
    failed = system.coordinator.get_failed_symbols()
    assert failed["DAILY"] == "the store has 1d bars of DAILY, but 1m need 1s or 1m"
    assert failed["CCC"] == "the store has 1m bars of CCC, but 30s need 1s"


def test_after_the_end_of_the_run_symbols_can_be_read_and_not_changed(make_system: MakeSystem) -> None:
    system = make_system(config("AAA"))
    system.run()
    with pytest.raises(UsageError, match="the run has ended"):
        system.coordinator.add_symbol("CCC")
    with pytest.raises(UsageError, match="the run has ended"):
        system.coordinator.remove_symbol("AAA")
    assert closes(system, "AAA") == minutes_to("16:00", 390)
    assert system.coordinator.get_loaded_symbols() == {"AAA"}


@pytest.mark.parametrize("scope", ["session", "symbol"])
def test_eight_threads_that_hammer_a_streaming_session_break_no_promise(
    make_system: MakeSystem, scope: str
) -> None:
    symbols = ("AAA", "BBB", "CCC", "DDD", "FIFTEEN", "IDLE")
    fence, log = FenceLog(), Log()
    strategy = Checking(fence, symbols)
    settings = config(*symbols[:3], streams=("1m", "5m"), streaming={"catchup_scope": scope})
    system = make_system(settings, strategy, log=log)
    hammer = Hammer(system, fence, symbols, count=8)
    hammer.start()
    for minute in minutes_to("15:59", 389):
        hammer.permits.release(12)  # while the session goes on by a minute, in all 4668
        assert system.run_until(minute)
    hammer.join()
    hammer._check_states()
    system.resume()
    assert system.wait(30)
    assert hammer.faults == []
    assert {symbol: illegal_steps(log.of(symbol)) for symbol in symbols} == {s: [] for s in symbols}
    moves = [name for name, _, _ in log.events if name in {"session_activated", "session_deactivated"}]
    assert moves == ["session_activated", "session_deactivated"] * (len(moves) // 2)
    assert hammer.answers["add True"] > 100 and hammer.answers["remove True"] > 100
    assert strategy.slices > 0 and len(strategy.bars) > 0
    assert holes(strategy.bars, symbols[:4]) == []
    assert system.coordinator.get_pending_symbols() == frozenset()
