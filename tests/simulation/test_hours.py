"""Opens and closes of live sessions: what a day that follows another begins with, and when nobody reconnects."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.day import Day, minutes, us

from mismartera import Bar, Strategy

MOVES = ("session_activated", "session_deactivated", "session_state", "session_closed")


def test_a_session_around_the_clock_opens_active_at_midnight() -> None:
    """R5: it is activated at its open, reason ``open``: data flow, and nothing has ended since."""
    traded = {"BTC/USD": minutes("2024-03-09T23:30+00:00", "2024-03-10T00:10+00:00")}
    day = Day(
        {"calendar": "24/7", "session_data_config": {"symbols": ["BTC/USD"], "streams": ["1m"]}},
        "2024-03-09T23:50:30+00:00", "2024-03-10T00:10:00+00:00", traded,
    )  # fmt: skip
    day.coordinator.run()
    found = day.events("session_activated", "session_deactivated", "session_opened", "session_state")
    second = found[[name for _, name, _ in found].index("session_opened", 1) + 1 :]
    assert second[0][1:] == ("session_activated", "open")
    assert [name for _, name, _ in second] == ["session_activated", "session_deactivated"], "until its end"
    shown = [line for line in day.log.lines if line["event"] == "bar" and line["time"] > "2024-03-10"]
    assert [line["time"][14:19] for line in shown] == [f"{minute:02}:00" for minute in range(11)]


def test_nobody_reconnects_between_the_close_and_the_next_pre_open_and_rest_is_still_asked() -> None:
    traded = {"A": minutes("2024-07-03T12:30-04:00", "2024-07-03T13:00-04:00")}
    day = Day(
        {"calendar": "XNYS", "session_data_config": {"symbols": ["A"], "streams": ["1m"]}},
        "2024-07-03T12:40:30-04:00", "2024-07-05T09:31:00-04:00", traded,
    )  # fmt: skip
    day.at("2024-07-03T12:59:59-04:00", lambda: setattr(day.feed.state, "mute", True))  # the last bar is lost
    day.at("2024-07-03T13:00:05-04:00", lambda: day.feed.drop(1.0))
    day.coordinator.run()
    assert [time[:5] for time, _, _ in day.events("feed_connected")] == ["16:40", "13:25"]
    assert day.events("session_closed")[0][0] < "17:00:20"
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 30


class Told(Strategy):
    """Keeps what it is told of the session, and of bars; takes ``seconds`` over the bar that ends at ``at``."""

    def __init__(self, at: str = "2024-07-03T13:00:00-04:00", seconds: float = 0.0) -> None:
        self.at_us, self.seconds = us(at), seconds
        self.moves: list[tuple[bool, str]] = []
        self.last_us = 0
        self.day: Day

    def on_session_active(self, active: bool, reason: str) -> None:
        self.moves.append((active, reason))

    def on_bar(self, bar: Bar) -> None:
        self.last_us = bar.end_us
        if self.seconds and bar.end_us == self.at_us:
            self.day.world.sleep(self.seconds)


def half_day(told: Told, until: str = "2024-07-03T13:30:00-04:00") -> Day:
    """A session that closes at 13:00."""
    told.day = Day(
        {"calendar": "XNYS", "session_data_config": {"symbols": ["A", "B"], "streams": ["1m"]}},
        "2024-07-03T09:29:00-04:00", until,
        dict.fromkeys(("A", "B"), minutes("2024-07-03T09:30-04:00", "2024-07-03T13:00-04:00")), [told],
    )  # fmt: skip
    return told.day


def at(day: Day, moment: str, act: Callable[[], object]) -> None:
    day.at(f"2024-07-03T{moment}-04:00", act)


def paused_day(told: Told, paused: str, resumed: str, until: str = "2024-07-03T13:30:00-04:00") -> Day:
    """A run of it that a user pauses, and resumes."""
    day = half_day(told, until)
    at(day, paused, day.coordinator.inbox.pause)
    at(day, resumed, day.coordinator.inbox.resume)
    day.coordinator.run()
    return day


def test_what_a_slow_callback_makes_stale_over_the_close_activates_nothing_after_it() -> None:
    told = Told("2024-07-03T12:58:00-04:00", 360.0)
    day = half_day(told)
    day.coordinator.run()
    assert day.events(*MOVES)[1:-1] == [
        ("17:04:00", "session_deactivated", "lag"), ("17:04:00", "session_state", "close"),
    ]  # fmt: skip
    assert told.moves[1:] == [(False, "lag")]
    assert told.last_us == us("2024-07-03T12:58:00-04:00")
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 210


def test_a_pause_over_the_close_ends_without_an_activation() -> None:
    told = Told()
    day = paused_day(told, "12:57:30", "13:12:00")
    assert [found[1:] for found in day.events(*MOVES)[1:-1]] == [
        ("session_deactivated", "paused"), ("session_state", "close"),
    ]  # fmt: skip
    assert told.moves[1:] == [(False, "paused")]
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 210


def test_a_pause_that_ends_just_after_the_run_s_end_tells_of_no_bar_though_the_last_is_fresh() -> None:
    told = Told()
    day = paused_day(told, "12:47:30", "12:50:04", until="2024-07-03T12:50:00-04:00")
    assert told.moves[1:] == [(False, "paused")]
    assert told.last_us == us("2024-07-03T12:47:00-04:00")
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 200


def test_a_run_that_is_stopped_in_a_pause_is_not_activated_for_its_last_moment() -> None:
    told = Told()
    day = half_day(told)
    at(day, "12:47:30", day.coordinator.inbox.pause)
    at(day, "12:53:00", day.coordinator.inbox.stop)
    day.coordinator.run()
    assert [found[1:] for found in day.events(*MOVES)[1:]] == [
        ("session_deactivated", "paused"), ("session_state", "stopped"),
    ]  # fmt: skip
    assert told.moves[1:] == [(False, "paused")]


def test_what_is_active_at_the_close_is_told_of_the_last_bars_in_their_grace() -> None:
    told = Told()
    half_day(told).coordinator.run()
    assert told.moves == [(True, "open"), (False, "close")]
    assert told.last_us == us("2024-07-03T13:00:00-04:00")
