"""The stream is away when a session ends: what the vendor's store has is there all the same, derived bars too."""

from __future__ import annotations

import pytest
from tests.simulation.day import Day, minutes

LAST_HOUR = minutes("2024-07-03T12:00-04:00", "2024-07-03T13:00-04:00")
YESTERDAY = minutes("2024-07-02T15:50-04:00", "2024-07-02T16:00-04:00")


def last_hour(*, rest_down: bool) -> Day:
    """A half day's end. A has no trades in its last two minutes; from 12:57:30 on the stream is away for good."""
    config = {
        "calendar": "XNYS",
        "session_data_config": {"symbols": ["A", "B"], "streams": ["1m", "5m", "1h", "1d"]},
    }
    traded = {"A": (*YESTERDAY, *LAST_HOUR[:-2]), "B": (*YESTERDAY, *LAST_HOUR)}
    day = Day(config, "2024-07-03T12:30:10-04:00", "2024-07-03T13:30:00-04:00", traded)

    def lose() -> None:
        day.feed.state.cannot_connect = True
        day.feed.state.rest_down = rest_down
        day.feed.drop(1.0)

    day.at("2024-07-03T12:57:30-04:00", lose)
    return day


@pytest.mark.parametrize("rest_down", [False, True])
def test_the_last_windows_end_with_the_session(rest_down: bool) -> None:
    day = last_hour(rest_down=rest_down)
    day.coordinator.run()
    tables = {(symbol, label): rows for (_, symbol, label), rows in day.dumps.tables.items()}
    # Without the store nobody knows of the last minutes; with it all of them are there.
    counts = {"A": 2 if rest_down else 3, "B": 2 if rest_down else 5}
    for symbol, count in counts.items():
        found = [[row["bar_count"] for row in tables[symbol, label]] for label in ("5m", "1h", "1d")]
        assert found == [[5] * 11 + [count], [30, 25 + count], [55 + count]]
