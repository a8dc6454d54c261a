"""Opens and closes of live sessions: what a day that follows another begins with, and when nobody reconnects."""

from __future__ import annotations

from tests.simulation.day import Day, minutes


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
