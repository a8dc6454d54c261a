"""Strategies that fail, block or meddle: T01 to T06 of the fault catalogue, in whole live runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from tests.live.conftest import MakeStage
from tests.live.markets import SYMBOLS, corrected, draw
from tests.live.watching import Watcher
from tests.runs import clock_time, moment, us

from mismartera import Bar, Strategy
from mismartera.system.outcome import Outcome


class OwnError(BaseException):
    """Not even an Exception."""


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def test_t01_strategies_that_raise_are_called_no_more_and_the_others_are(make_stage: MakeStage) -> None:
    errors = [ValueError("no"), RecursionError(), StopIteration(), TimeoutError(), OwnError()]
    bad, good = [Watcher({"BBB 10:03": raising(error)}) for error in errors], Watcher()
    stage = make_stage(draw(), until="10:06", strategies=[*bad, good])
    stage.play()
    assert [watcher.ends("BBB")[-1] for watcher in bad] == ["10:03"] * 5
    assert [good.ends(symbol)[-1] for symbol in ("AAA", "BBB", "CCC")] == ["10:06"] * 3
    assert len(stage.summary["strategy_errors"]) == len(stage.log.of("strategy_error")) == 5


@pytest.mark.parametrize("scope", ["session", "strategy"])
def test_t01_a_run_that_is_to_end_with_an_error_does_so_when_played_again_too(
    make_stage: MakeStage, scope: str
) -> None:
    class Raising(Watcher):
        def on_bar(self, bar: Bar) -> None:
            super().on_bar(bar)
            if clock_time(bar.end_us) >= "10:03":
                raise ValueError("no")

    strategies, streaming = [Raising(), Watcher()], {"catchup_scope": scope}
    stage = make_stage(draw(), until="10:06", strategies=strategies, on_error="stop", streaming=streaming)
    stage.is_whole, stage.can_be_played_again, stage.again = False, True, [Raising(), Watcher()]
    stage.play(fails=True)
    assert stage.log.of("session_deactivated", reason="stopped")
    assert stage.again[1].told[-2:] == ["inactive stopped", "stop"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_t01_what_is_to_end_the_run_ends_it_cleanly(make_stage: MakeStage, error: BaseException) -> None:
    watcher = Watcher({"BBB 10:03": raising(error)})
    stage = make_stage(draw(), until="10:06", strategies=[watcher])
    stage.system.start()
    stage.system.wait(20)
    assert stage.system.outcome is Outcome.INTERRUPTED
    assert watcher.told[-1] == "stop"
    assert len(stage.store.get_bars("AAA", "1m", moment("09:30"), moment("10:04"))) >= 30, (
        "what was accepted is kept"
    )


def test_t02_a_strategy_that_blocks_makes_the_session_lag_and_is_named(make_stage: MakeStage) -> None:
    slow, quick = Watcher(), Watcher()
    stage = make_stage(draw(), until="10:14", strategies=[slow, quick])
    reads: list[object] = []

    def block() -> None:
        stage.hold_until("10:06:40")
        reads.append(slow.session.bars("AAA", "1m"))

    slow.on["AAA 10:03"] = block
    again = Watcher()
    stage.again = [again, Watcher()]
    again.on["AAA 10:03"] = lambda: reads.append(again.session.bars("AAA", "1m"))
    stage.play()
    assert any("Watcher" in text and "kept the engine" in text for text in stage.system.warnings)
    assert stage.log.of("session_deactivated", reason="lag")
    assert reads == [None, None], "what it reads meanwhile would be stale; when it is played again, too"
    assert len(stage.server.connections) == 1, "the feed is read on"
    assert quick.ends("AAA")[-1] == "10:14"


class Teller(Watcher):
    """Emits what it can read after each bar, once it has done what it does there."""

    def on_bar(self, bar: Bar) -> None:
        super().on_bar(bar)
        for symbol in ("AAA", "BBB"):
            read, quality = self.session.bars(symbol, "1m"), self.session.quality(symbol)
            told = None if read is None else len(read), quality, self.session.indicator(symbol, "EMA_5", "1m")
            self.session.emit(f"{bar.symbol} {clock_time(bar.end_us)}: {symbol}", str(told))

    def on_revision(self, bar: Bar) -> None:
        super().on_revision(bar)
        self.on.get(f"revised {clock_time(bar.end_us)}", int)()


def test_t02_what_a_slow_callback_reads_is_the_same_when_it_is_played_again(make_stage: MakeStage) -> None:
    slow = Teller()
    stage = make_stage(draw(), until="10:14", strategies=[slow, Watcher()])
    slow.on["AAA 10:03"] = lambda: stage.hold_until("10:04:10")
    slow.on["AAA 10:06"] = lambda: stage.hold_until("10:09:40")
    stage.at("10:03:40", lambda: stage.system.coordinator.remove_symbol("BBB"))
    stage.can_be_played_again, stage.again = True, [Teller(), Watcher()]
    stage.play()
    told = {line["name"]: line["value"] for line in stage.log.of("signal")}
    assert told["AAA 10:03: AAA"] != told["AAA 10:06: AAA"] == "(None, None, None)", "they were shut underneath"
    assert told["AAA 10:03: BBB"] == "(None, None, None)", "it was removed underneath it"
    assert "Quality(" in told["AAA 10:02: BBB"]


def test_t02_a_revision_that_takes_long_is_kept_from_the_others_when_played_again_too(
    make_stage: MakeStage,
) -> None:
    slow, other = Teller(), Watcher()
    bars = draw()
    stage = make_stage([*bars, corrected(bars, "AAA", "10:02")], until="10:14", strategies=[slow, other])
    slow.on["revised 10:03"] = lambda: stage.hold_until("10:07:40")
    stage.can_be_played_again, stage.again = True, [Teller(), Watcher()]
    stage.play()
    assert slow.revised("AAA")[:1] == ["10:03"]
    assert "10:03" not in other.revised("AAA"), "it was stale by then"
    assert [again.revisions for again in stage.again] == [slow.revisions, other.revisions]


def test_t03_what_a_strategy_is_handed_it_cannot_change(make_stage: MakeStage) -> None:
    tried: list[str] = []

    class Meddler(Strategy):
        def on_bar(self, bar: Bar) -> None:
            view = self.session.bars(bar.symbol, bar.interval)
            assert view is not None
            with pytest.raises((AttributeError, TypeError)):
                bar.close = 0.0  # type: ignore[misc]
            with pytest.raises(ValueError, match="read-only"):
                np.asarray(view.close)[0] = 0.0
            tried.append(bar.symbol)

    stage = make_stage(draw(), until="10:05", strategies=[Meddler()])
    stage.play()
    assert not stage.summary["strategy_errors"]
    assert tried


def test_t04_while_inactive_nothing_can_be_read_and_never_the_future(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:12")
    reads: list[tuple[str, bool]] = []

    def read(name: str) -> Callable[[], None]:
        return lambda: reads.append((name, stage.system.session_data.get_bars("AAA", "1m") is None))

    stage.set("10:03:20", mute=True)
    stage.at("10:02:40", read("fresh"))
    stage.at("10:07:30", read("stale"))
    stage.set("10:07:40", mute=False)
    stage.at("10:11:40", read("again"))
    stage.play()
    assert reads == [("fresh", False), ("stale", True), ("again", False)]


def test_t04_no_read_in_a_callback_shows_what_ends_later(make_stage: MakeStage) -> None:
    seen: list[int] = []

    class Reader(Strategy):
        def on_bar(self, bar: Bar) -> None:
            for symbol in self.session.symbols:
                for interval in ("1m", "5m"):
                    view = self.session.bars(symbol, interval)
                    if view is not None and len(view):
                        seen.append(view[-1].end_us - bar.end_us)

    stage = make_stage(draw(), until="10:08", strategies=[Reader()])
    stage.set("10:03:20", handshake_status=503)
    stage.drop("10:03:30")
    stage.set("10:04:40", handshake_status=None)
    stage.play()
    assert seen
    assert max(seen) <= 0
    assert not stage.summary["strategy_errors"]


def test_t05_a_stream_of_five_minutes_is_judged_by_the_minutes_that_it_is_made_of(make_stage: MakeStage) -> None:
    class Five(Watcher):
        intervals = ("5m",)

    watcher = Five()
    stage = make_stage(draw(), until="10:15", strategies=[watcher])
    stage.set("10:06:20", mute=True)
    stage.set("10:11:20", mute=False)
    stage.play()
    assert {bar.interval for bar in watcher.bars} == {"5m"}
    assert "inactive stale" in watcher.told
    assert "10:10" not in watcher.ends("AAA", "5m"), "it ended while the stream was dead"


def test_t06_what_comes_later_changes_nothing_before_it(make_stage: MakeStage) -> None:
    told: list[list[Bar]] = []
    for bars in (draw(), draw(last="10:04") + draw(first="10:04", seed=2)):
        watcher = Watcher()
        stage = make_stage(bars, until="10:06", strategies=[watcher])
        stage.play()
        told.append([bar for bar in watcher.bars if bar.end_us <= us("10:04")])
    one, other = ([(b.symbol, b.interval, b.end_us, b.close) for b in bars] for bars in told)
    assert sorted(one) == sorted(other)


def test_a_slow_strategy_of_its_own_thread_does_not_hold_the_others(make_stage: MakeStage) -> None:
    slow, quick, go_on = Watcher(), Watcher(), threading.Event()
    slow.on["AAA 10:03"] = lambda: go_on.wait(5)
    stage = make_stage(draw(), until="10:12", strategies=[slow, quick], streaming={"catchup_scope": "strategy"})
    stage.at("10:07:30", go_on.set)
    stage.can_be_played_again = True
    stage.play()
    assert len({"10:05", "10:06", "10:07"} & set(quick.ends("AAA"))) >= 2
    assert slow.ends("AAA") == sorted(slow.ends("AAA"))
    assert slow.ends("AAA")[-1] == "10:12"
    assert "10:05" not in slow.ends("AAA"), "stale by the time it came back"


def test_f11_what_is_told_can_be_read_even_if_nothing_newer_was_shown(make_stage: MakeStage) -> None:
    newest: list[tuple[str, str]] = []

    class Reads(Watcher):
        def on_revision(self, bar: Bar) -> None:
            super().on_revision(bar)
            view = self.session.bars(bar.symbol, bar.interval)
            newest.append((clock_time(bar.end_us), "" if view is None else clock_time(view[-1].end_us)))

    stage = make_stage(draw(), until="10:08", strategies=[Reads()])
    stage.set("10:03:30", mute=True)  # nobody's bar of this minute comes: REST has it
    stage.set("10:04:30", mute=False)
    stage.play()
    assert [read for read in newest if read[0] == "10:04"] == [("10:04", "10:04")] * len(SYMBOLS)
