"""Strategies on threads of their own (``catchup_scope: "strategy"``): each session is played again as it was."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from functools import partial

import pytest
from sqlalchemy import delete, func, select, update
from tests.live.conftest import MakeStage
from tests.live.markets import DAY, corrected, draw, later
from tests.live.stage import LiveLog, Stage
from tests.live.watching import Watcher
from tests.runs import NEW_YORK, clock_time, us

from mismartera import Bar, SystemManager
from mismartera.bars.instants import to_datetime
from mismartera.errors import JournalError, RunFailedError, TraceEndedError
from mismartera.journal import JournalReader, open_database, tables
from mismartera.session.slice import Slice
from mismartera.system.outcome import Outcome
from mismartera.system.playing import PlayedSession

SCOPE = {"catchup_scope": "strategy"}
ALL = ("AAA", "BBB", "CCC", "DDD")
ACTS = {
    "AAA 10:03": ("add", "DDD"), "AAA 10:05": ("remove", "BBB"), "AAA 10:07": ("add", "BBB"),
    "CCC 10:09": ("remove", "CCC"), "AAA 10:11": ("remove", "DDD"), "AAA 10:12": ("add", "DDD"),
}  # fmt: skip
"""What a meddler does at which bar, besides looking."""


class Looker(Watcher):
    """Looks at everything in each callback, and tells all of it. ``acts``: what it asks for meanwhile."""

    def __init__(self, acts: Mapping[str, tuple[str, str]] | None = None) -> None:
        super().__init__()
        self.acts = dict(acts or {})
        self.number = 0

    def on_session_open(self) -> None:
        self.look("open")
        self.session.at("10:04:30", lambda: self.look("timer"))

    def on_bar(self, bar: Bar) -> None:
        super().on_bar(bar)
        what = f"{bar.symbol} {clock_time(bar.end_us)}"
        self.look(f"{what} {bar.interval} {bar.lag_seconds}")
        if what in self.acts and bar.interval == "1m":
            act, symbol = self.acts[what]
            asked = self.session.add_symbol if act == "add" else self.session.remove_symbol
            self.session.emit(f"{act} {symbol}", asked(symbol))
            self.session.at("10:00", lambda: self.look(f"after {act} {symbol}"))
            self.look(f"{what} once more")

    def on_slice(self, slice: Slice) -> None:
        self.look(f"slice of {list(slice)}")

    def on_revision(self, bar: Bar) -> None:
        super().on_revision(bar)
        self.look(f"revised {bar.symbol} {clock_time(bar.end_us)}")

    def on_session_active(self, active: bool, reason: str) -> None:
        super().on_session_active(active, reason)
        self.look(f"active {active} {reason}")

    def on_symbol_removed(self, symbol: str) -> None:
        super().on_symbol_removed(symbol)
        self.look(f"removed {symbol}")

    def look(self, why: str) -> None:
        session = self.session
        self.number += 1
        found = (
            clock_time(int(session.now.timestamp() * 1e6)), session.symbols, session.is_active, session.date,
            session.config.session_data_config.symbols,
        )  # fmt: skip
        session.emit(f"{self.number} {why}", str(found))
        for symbol in ALL:
            views = [session.bars(symbol, interval) for interval in ("1m", "5m")]
            bars = [None if view is None else (len(view), list(view[-2:])) for view in views]
            quality, ema = session.quality(symbol), session.indicator(symbol, "EMA_5", "1m")
            session.emit(f"{self.number} {symbol}", f"{bars} {quality} {ema}")


def make_two(
    make_stage: MakeStage, holds: Sequence[tuple[str, str]] = (), acts: Mapping[str, tuple[str, str]] = ACTS,
    schedule: Sequence[Mapping[str, str]] = (), **options: object,
) -> Stage:  # fmt: skip
    """A strategy that is held at some bars until some time, and one that adds and removes symbols."""
    slow = Looker()
    bars = later(draw(ALL), "BBB", "10:02", 45)
    stage = make_stage(
        [*bars, corrected(bars, "AAA", "10:06")], until="10:15", strategies=[slow, Looker(acts)],
        streaming=SCOPE | options, schedule=schedule,
    )  # fmt: skip
    for bar, time in holds:
        slow.on[bar] = partial(stage.hold_until, time)
    stage.can_be_played_again, stage.again = True, [Looker(), Looker(acts)]
    stage.is_whole = False  # symbols leave
    return stage


def test_all_that_they_read_and_tell_comes_again(make_stage: MakeStage) -> None:
    stage = make_two(make_stage)
    stage.play()
    told = [line["value"] for line in stage.log.of("signal")]
    assert not stage.summary["strategy_errors"]
    assert len(told) > 500
    assert any("Quality(" in text and "Bar(" in text for text in told if isinstance(text, str))
    assert [line["value"] for line in stage.log.of("signal", name="add DDD")][:1] == [True]


def test_a_slow_one_that_misses_bars_misses_them_again(make_stage: MakeStage) -> None:
    stage = make_two(make_stage, [("AAA 10:03", "10:06:30"), ("BBB 10:11", "10:11:20")])
    stage.play()
    assert stage.log.of("strategy_deactivated", strategy="Looker")
    assert stage.log.of("strategy_activated", strategy="Looker")


def test_drops_and_other_threads_commands_in_the_middle_of_it_come_again(make_stage: MakeStage) -> None:
    stage = make_two(make_stage, [("AAA 10:03", "10:05:10"), ("AAA 10:09", "10:13:20")])
    coordinator = stage.system.coordinator
    for time in ("10:04:20", "10:08:10"):
        stage.drop(time)
    stage.at("10:04:40", lambda: coordinator.remove_symbol("CCC"))
    stage.at("10:06:10", lambda: coordinator.add_symbol("CCC"))
    stage.at("10:10:20", stage.system.pause)
    stage.at("10:11:40", stage.system.resume)
    stage.play()
    assert stage.log.of("session_deactivated", reason="stale")
    assert stage.log.of("symbol_removed", symbol="CCC")


def test_a_full_queue_forgets_the_same_again(make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mismartera.session.strategy_desk.BARS_MAX", 3)
    stage = make_two(make_stage, [("AAA 10:03", "10:03:50"), ("AAA 10:06", "10:08:20")])
    stage.play()
    assert stage.again[0].bars == stage.system.strategies[0].bars  # type: ignore[attr-defined]


def test_one_that_raises_and_one_that_ends_the_run_do_so_again(make_stage: MakeStage) -> None:
    class Raising(Looker):
        def on_bar(self, bar: Bar) -> None:
            super().on_bar(bar)
            if clock_time(bar.end_us) >= self.last:
                raise self.error

        def __init__(self, last: str, error: BaseException) -> None:
            super().__init__()
            self.last, self.error = last, error

    makers = (lambda: Raising("10:03", ValueError("no")), lambda: Raising("10:08", KeyboardInterrupt()), Looker)
    stage = make_stage(draw(), until="10:15", strategies=[make() for make in makers], streaming=SCOPE)
    stage.is_whole, stage.can_be_played_again, stage.again = False, True, [make() for make in makers]
    stage.system.start()
    assert stage.system.wait(20)
    assert stage.system.outcome is Outcome.INTERRUPTED
    stage.check_replay()
    assert [line["strategy"] for line in stage.log.of("strategy_error")] == ["Raising"]


def test_a_run_that_is_stopped_while_a_callback_runs_ends_so_again(make_stage: MakeStage) -> None:
    stage = make_two(make_stage, [("AAA 10:06", "10:08:30")])
    stage.at("10:07:30", stage.system.coordinator.inbox.stop)
    stage.play()
    assert stage.system.outcome is Outcome.STOPPED
    assert stage.system.strategies[0].told[-1] == "stop"  # type: ignore[attr-defined]


def test_one_that_never_comes_back_is_left_alone_and_the_rest_comes_again(make_stage: MakeStage) -> None:
    stage, go_on = make_two(make_stage, command_timeout_seconds=0.3), threading.Event()
    slow, _ = stage.system.strategies
    assert isinstance(slow, Looker)
    slow.on |= {f"AAA 10:{minute}": go_on.wait for minute in range(10, 16)}
    stage.play()
    assert any("is left alone" in text for text in stage.system.warnings)
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "mismartera-Looker":
            thread.join(10)


def test_a_removal_of_the_schedule_does_not_keep_the_engine_for_a_callback(make_stage: MakeStage) -> None:
    stage = make_two(
        make_stage, [("AAA 10:03", "10:09:30")], acts={}, schedule=[{"at": f"{DAY}T10:05", "remove": "CCC"}],
        command_timeout_seconds=0.3,
    )  # fmt: skip
    stage.play()
    assert stage.log.of("symbol_removed", symbol="CCC")
    assert "CCC removed" in stage.again[1].told


def test_without_a_journal_they_look_and_ask_at_once(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.live.stage.open_journal", lambda *_: None)
    stage = make_two(make_stage, [("AAA 10:03", "10:06:30")])
    stage.can_be_played_again = False
    stage.play()
    assert len(stage.log.of("signal")) > 500
    assert not stage.summary["strategy_errors"]


def played_again(stage: Stage, strategies: Sequence[Looker], until: str | None = None) -> list[dict[str, object]]:
    """The events of the session when it is played again, as far as its journal goes, or until a time."""
    database = open_database(stage.folder / "journal.db", make=False)
    reader = JournalReader(database)
    played = PlayedSession(reader, reader.session("last"), None if until is None else us(until))
    log = LiveLog(lambda: 1 << 62)
    try:
        SystemManager(
            played.config, data_manager=stage.store, strategies=strategies, sinks=[log], feed=played.feed,
            wall=played.wall, until=to_datetime(stage.until_us, NEW_YORK), record=played,
        ).run()  # fmt: skip
    except TraceEndedError:  # it was cut off before its intake was made
        pass
    finally:
        database.close()
    return log.lines


def test_what_is_played_ends_where_it_is_told_to_or_the_journal_does(make_stage: MakeStage) -> None:
    stage = make_two(make_stage, [("AAA 10:03", "10:06:30")])
    stage.play()
    lines = stage.log.lines
    for until in ("10:01:30", "10:06:00", "10:09:40"):
        again = played_again(stage, [Looker(), Looker(ACTS)], until)
        assert again == [line for line in lines if line["now_us"] <= us(until)][: len(again)]
        assert len(again) > 10
    lengths = []
    database = open_database(stage.folder / "journal.db", make=False)
    with database.engine.connect() as connection:
        last = max(connection.execute(select(func.max(table.c.seq))).scalar() or 0 for table in tables.ENTRIES)
    for seq in range(last, 0, -max(last // 7, 1)):
        with database.writing() as connection:
            for table in tables.ENTRIES:
                connection.execute(delete(table).where(table.c.seq > seq))
        again = played_again(stage, [Looker(), Looker(ACTS)])
        assert again == lines[: len(again)]
        lengths.append(len(again))
    database.close()
    assert lengths[0] == len(lines)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < lengths[0]


def test_one_that_does_something_else_is_told_of(make_stage: MakeStage) -> None:
    class Forgetful(Looker):
        def on_bar(self, bar: Bar) -> None:
            if clock_time(bar.end_us) < "10:03":
                super().on_bar(bar)

    stage = make_two(make_stage)
    stage.play()
    said = "a turn of Forgetful to READ was recorded, TAKE is asked for"
    with pytest.raises(RunFailedError, match=said):
        played_again(stage, [Forgetful(), Looker(ACTS)])


def test_a_session_of_a_version_that_noted_no_turns_is_refused(make_stage: MakeStage) -> None:
    stage = make_two(make_stage)
    stage.can_be_played_again = False
    stage.play()
    database = open_database(stage.folder / "journal.db", make=False)
    with database.writing() as connection:
        began = json.loads(connection.execute(select(tables.sessions.c.began_with)).scalar_one())
        assert began.pop("has_turns")
        connection.execute(update(tables.sessions).values(began_with=json.dumps(began)))
    database.close()
    with pytest.raises(JournalError, match=r'session 1 has catchup_scope "strategy".*cannot be played again; al'):
        played_again(stage, [Looker(), Looker(ACTS)])
