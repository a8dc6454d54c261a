"""The machine sleeps, or a strategy is slow at the end: nobody acts on what is old, and nothing comes too late."""

from __future__ import annotations

from typing import Any

from tests.simulation.day import Day, minutes, us

from mismartera import Bar, Strategy
from mismartera.bars.instants import SECOND_US
from mismartera.testing.sim_world import SimInbox

TRADED = {"A": minutes("2024-07-03T09:30-04:00", "2024-07-03T11:00-04:00")}


def config(*symbols: str, **feed: Any) -> dict[str, Any]:
    return {
        "calendar": "XNYS", "session_data_config": {"symbols": list(symbols), "streams": ["1m"]},
        "feed": {"type": "replay", "date": "2024-07-03", "stall_timeout_seconds": 90, **feed},
    }  # fmt: skip


class AwakeFirst(SimInbox):
    """The engine's thread wakes from the machine's sleep at ``at`` before any other."""

    at_us = us("2024-07-03T10:00:30-04:00")

    def wait(self, seconds: float | None) -> bool:
        before = (self.at_us - self._world.now_us()) / SECOND_US
        if seconds is None or not 0 < before < seconds:
            return super().wait(seconds)
        if super().wait(before):
            return True
        self._world.jump(seconds - before + 240.0)
        return False


class Timed(Strategy):
    """Looks at the clock's half minutes."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def on_start(self) -> None:
        self.session.at("10:00:40", self.look)

    def look(self) -> None:
        self.seen.append((f"{self.session.now:%H:%M:%S}", self.session.is_active))


class Slow(Strategy):
    """Takes three minutes over the bar that ends at ``at``."""

    def __init__(self, at: str) -> None:
        self.at_us = us(at)
        self.day: Day

    def on_bar(self, bar: Bar) -> None:
        if bar.end_us == self.at_us:
            self.day.world.sleep(180.0)


def sleep(day: Day, at: str) -> None:
    """Four minutes in which nothing happens, and of which the stream has nothing to tell afterwards."""

    def fall_asleep() -> None:
        day.feed.state.mute = True
        day.world.jump(240.0)
        day.world.after(0.5, lambda: setattr(day.feed.state, "mute", False))

    day.at(at, fall_asleep)


def after_sleep(day: Day) -> list[tuple[str, str, str]]:
    names = ("session_deactivated", "session_activated", "feed_disconnected", "backfilled")
    return [found for found in day.events(*names) if "14:00" < found[0] < "14:08"]


def test_after_a_sleep_the_session_is_stale_at_once_and_a_connection_only_lost_if_nothing_comes() -> None:
    day = Day(config("A"), "2024-07-03T09:29:00-04:00", "2024-07-03T10:20:00-04:00", TRADED)
    sleep(day, "2024-07-03T10:00:30-04:00")
    day.coordinator.run()
    assert after_sleep(day) == [
        ("14:04:30", "session_deactivated", "stale"),
        ("14:04:31", "feed_disconnected", "no data for 90 s"),
        ("14:05:00", "backfilled", "A"),
        ("14:05:00", "session_activated", "caught_up"),
    ]
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 50


def test_data_that_come_right_after_a_sleep_keep_the_connection_and_what_was_missed_is_fetched_first() -> None:
    day = Day(config("A"), "2024-07-03T09:29:00-04:00", "2024-07-03T10:20:00-04:00", TRADED)
    sleep(day, "2024-07-03T10:00:59.5-04:00")
    day.coordinator.run()
    assert after_sleep(day) == [
        ("14:04:59", "session_deactivated", "stale"),
        ("14:05:00", "backfilled", "A"),
        ("14:05:00", "session_activated", "caught_up"),
    ]
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 50


def test_what_was_due_in_a_sleep_is_done_after_the_data_are_known_to_be_stale() -> None:
    timed = Timed()
    day = Day(config("A"), "2024-07-03T09:29:00-04:00", "2024-07-03T10:20:00-04:00", TRADED, [timed], AwakeFirst)
    for at, is_mute in (("10:00:20", True), ("10:04:41", False)):
        day.at(f"2024-07-03T{at}-04:00", lambda is_mute=is_mute: setattr(day.feed.state, "mute", is_mute))  # type: ignore[misc]
    day.coordinator.run()
    assert timed.seen == [("10:04:40", False)]


def test_who_resumes_a_session_right_after_a_sleep_does_not_activate_it_with_what_is_stale() -> None:
    day = Day(config("A"), "2024-07-03T09:29:00-04:00", "2024-07-03T10:20:00-04:00", TRADED)
    day.at("2024-07-03T09:59:30-04:00", day.coordinator.inbox.pause)
    sleep(day, "2024-07-03T10:00:30-04:00")
    day.at("2024-07-03T10:00:40-04:00", day.coordinator.inbox.resume)
    day.coordinator.run()
    activated = [time for time, name, _ in day.events("session_activated") if time > "14:00"]
    assert activated[0] >= "14:05:00", "data flow again"
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 50


def test_an_answer_that_waited_through_a_sleep_activates_nothing_before_the_stream_has_spoken() -> None:
    """The first symbol joins with what REST knew before the sleep: it is asked for at its first bar."""
    day = Day(config("A"), "2024-07-03T09:29:00-04:00", "2024-07-03T10:20:00-04:00", TRADED)
    day.requests.seconds = (5.0, 5.0)
    sleep(day, "2024-07-03T09:31:03-04:00")
    day.coordinator.run()
    moves = [found for found in day.events("session_deactivated", "session_activated") if found[0] > "13:31"]
    assert moves[0] == ("13:35:03", "session_deactivated", "stale")
    assert moves[1][1] == "session_activated"
    assert moves[1][0] >= "13:36:00", "the first data after it"
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 50


def test_a_symbol_whose_backfill_waited_through_a_sleep_is_loaded_when_the_stream_is_there_again() -> None:
    traded = dict.fromkeys(("A", "B"), TRADED["A"])
    day = Day(config("A"), "2024-07-03T09:29:00-04:00", "2024-07-03T10:20:00-04:00", traded)
    day.at("2024-07-03T10:00:20-04:00", lambda: setattr(day.requests, "seconds", (5.0, 5.0)))
    day.at("2024-07-03T10:00:21-04:00", lambda: day.coordinator.add_symbol("B"))
    sleep(day, "2024-07-03T10:00:25-04:00")
    day.coordinator.run()
    loaded = [time for time, _, symbol in day.events("symbol_loaded") if time > "14:00"]
    assert len(loaded) == 1
    assert loaded[0] >= "14:05:00"
    assert len(day.dumps.tables["2024-07-03", "B", "1m"]) == 50


def test_what_ends_after_the_run_is_neither_taken_nor_asked_for_though_the_engine_reaches_its_end_late() -> None:
    slow = Slow("2024-07-03T10:10:00-04:00")
    day = Day(config("A"), "2024-07-03T09:29:00-04:00", "2024-07-03T10:10:30-04:00", TRADED, [slow])
    slow.day = day
    day.coordinator.run()
    starts = [row["timestamp"] for row in day.dumps.tables["2024-07-03", "A", "1m"]]
    assert max(starts) == us("2024-07-03T10:09:00-04:00")
    assert day.world.now_us() >= us("2024-07-03T10:13:00-04:00")
    assert not [time for time, *_ in day.events("backfilled", "quiet", "gap") if time > "13:40"]


def test_what_ends_after_the_run_is_not_fetched_by_a_backfill_either() -> None:
    """REST is down while a symbol joins, and comes back after the run's end, while a strategy is slow."""
    slow, names = Slow("2024-07-03T10:10:00-04:00"), config("A")
    names["session_data_config"]["streaming"] = {"load_timeout_seconds": 600}
    traded = dict.fromkeys(("A", "B"), TRADED["A"])
    day = Day(names, "2024-07-03T09:29:00-04:00", "2024-07-03T10:10:30-04:00", traded, [slow])
    slow.day = day
    day.at("2024-07-03T10:09:40-04:00", lambda: setattr(day.feed.state, "rest_down", True))
    day.at("2024-07-03T10:09:50-04:00", lambda: day.coordinator.add_symbol("B"))
    day.at("2024-07-03T10:11:30-04:00", lambda: setattr(day.feed.state, "rest_down", False))
    day.coordinator.run()
    filled = [line["to"] for line in day.log.lines if line["event"] == "backfilled" and line["symbol"] == "B"]
    assert [us(end) for end in filled] == [us("2024-07-03T10:10:00-04:00")]
