"""F07: a vendor's store that is behind says that a minute was quiet, and has a bar of it a little later."""

from __future__ import annotations

from tests.simulation.late import late_day, moments


def test_a_minute_that_was_quiet_is_looked_at_once_more() -> None:
    day = late_day("A", "B")
    day.at("2024-07-03T10:02:00-04:00", lambda: setattr(day.feed.state, "rest_lag_seconds", 45.0))
    day.at("2024-07-03T10:06:30-04:00", lambda: day.feed.state.forgets.add("A"))
    day.at("2024-07-03T10:07:30-04:00", day.feed.state.forgets.clear)
    day.coordinator.run()
    assert [found[:2] for found in moments(day, "quiet", "backfilled", "revision") if found[0] > "14:02"] == [
        ("14:07", "quiet"), ("14:08", "backfilled"), ("14:08", "revision"),
    ]  # fmt: skip
    assert not day.events("gap")
