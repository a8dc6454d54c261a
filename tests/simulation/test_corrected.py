"""A correction of the stream is right, whatever of the bar that it corrects comes again (F10)."""

from __future__ import annotations

import pytest
from tests.simulation.day import Day, minutes, us

from mismartera.bars.instants import to_iso
from mismartera.testing.sim_market import Minute, Values

YESTERDAY = minutes("2024-07-02T15:50-04:00", "2024-07-02T16:00-04:00")
MORNING = minutes("2024-07-03T09:30-04:00", "2024-07-03T11:00-04:00")
CORRECTED_US = us("2024-07-03T10:04-04:00")
OLD: Values = (50.0, 51.0, 49.0, 50.5, 100.0)
NEW: Values = (50.0, 56.0, 49.0, 50.5, 110.0)
NEWER: Values = (50.0, 58.0, 49.0, 50.5, 120.0)


@pytest.mark.parametrize(
    "again", ["2024-07-03T10:05:30-04:00", "2024-07-03T10:08:30-04:00"], ids=["at once", "later"]
)
def test_a_bar_that_comes_again_does_not_undo_its_correction(again: str) -> None:
    day = Day(
        {"calendar": "XNYS", "session_data_config": {"symbols": ["A"], "streams": ["1m", "5m"]}},
        "2024-07-03T09:25-04:00", "2024-07-03T10:20-04:00", {"A": (*YESTERDAY, *MORNING)},
    )  # fmt: skip
    old = day.market.minutes["A"][CORRECTED_US].values
    new = (*old[:1], old[1] + 5.0, *old[2:])
    day.at("2024-07-03T10:05:20-04:00", lambda: day.feed.send([("A", CORRECTED_US, new)], corrections=True))
    day.at(again, lambda: day.feed.send([("A", CORRECTED_US, old)]))
    seen: list[float] = []

    def look() -> None:
        bars = day.coordinator.session_data.get_bars("A", "1m", internal=True)
        assert bars is not None
        seen.append(float(bars.high[bars.start_us.searchsorted(CORRECTED_US)]))

    for at in ("10:05:10", "10:05:25", "10:05:40", "10:09:00"):
        day.at(f"2024-07-03T{at}-04:00", look)
    minute = day.market.minutes["A"][CORRECTED_US]
    minute.corrected_us, minute.correction = us("2024-07-03T10:05:20-04:00"), new  # in the vendor's store, too
    day.coordinator.run()
    assert seen == [old[1], new[1], new[1], new[1]]
    counts = day.coordinator.tally.counts["A"]
    assert (counts["revised"], counts["duplicate"]) == (1, 1)
    (told,) = [line for line in day.log.lines if line["event"] == "revision" and line["interval"] == "1m"]
    assert told["high"] == new[1]


def test_a_vendor_s_store_that_is_behind_its_stream_does_not_undo_a_correction_and_a_newer_one_is_taken() -> None:
    day = Day(
        {
            "calendar": "XNYS", "session_data_config": {"symbols": ["A"], "streams": ["1m"]},
            "feed": {"type": "replay", "date": "2024-07-03", "reconcile_minutes": 5},
        },
        "2024-07-03T09:25-04:00", "2024-07-03T10:20-04:00", {"A": (*YESTERDAY, *MORNING)},
    )  # fmt: skip
    minute = day.market.minutes["A"][CORRECTED_US]
    old = minute.values
    new, newer = (*old[:1], old[1] + 5.0, *old[2:]), (*old[:1], old[1] + 7.0, *old[2:])
    day.at("2024-07-03T10:05:20-04:00", lambda: day.feed.send([("A", CORRECTED_US, new)], corrections=True))
    minute.corrected_us, minute.correction = us("2024-07-03T10:18:00-04:00"), newer  # the stream never says it
    day.coordinator.run()
    told = [(line["time"][11:16], line["high"]) for line in day.log.lines if line["event"] == "revision"]
    assert told == [("14:05", new[1]), ("14:20", newer[1])]
    assert day.coordinator.tally.counts["A"]["revised"] == 2


def corrected_first(*corrections: tuple[str, Values]) -> Day:
    """The stream says only corrections of a minute, at these times; a comparison is made every five minutes."""
    traded = [start for start in MORNING if start != CORRECTED_US]
    day = Day(
        {
            "calendar": "XNYS", "session_data_config": {"symbols": ["A"], "streams": ["1m"]},
            "feed": {"type": "replay", "date": "2024-07-03", "reconcile_minutes": 5},
        },
        "2024-07-03T09:25-04:00", "2024-07-03T10:20-04:00", {"A": (*YESTERDAY, *traded)},
    )  # fmt: skip
    day.market.minutes["A"][CORRECTED_US] = Minute(CORRECTED_US, OLD)
    for at, values in corrections:
        rows = [("A", CORRECTED_US, values)]
        day.at(f"2024-07-03T{at}-04:00", lambda rows=rows: day.feed.send(rows, corrections=True))  # type: ignore[misc]
    return day


def told_of(day: Day) -> list[tuple[str, str, float]]:
    """What is told of the minute: when, whether as a bar or as a revision, and its high."""
    start = to_iso(CORRECTED_US)
    mine = [line for line in day.log.lines if line["event"] in {"bar", "revision"} and line["start"] == start]
    return [(line["time"][11:16], line["event"], line["high"]) for line in mine]


@pytest.mark.parametrize("comes", [True, False], ids=["comes after it", "is lost"])
def test_a_correction_that_comes_first_for_its_minute_stands_whether_what_it_corrects_comes_or_not(
    *, comes: bool
) -> None:
    day = corrected_first(("10:05:00.2", NEW))  # the vendor's store never has it
    if comes:
        day.at("2024-07-03T10:05:30-04:00", lambda: day.feed.send([("A", CORRECTED_US, OLD)]))
    day.coordinator.run()
    assert told_of(day) == [("14:05", "bar", NEW[1])]
    counts = day.coordinator.tally.counts["A"]
    assert (counts["revised"], counts["late"], counts["duplicate"]) == (0, 0, int(comes))


def test_what_a_correction_that_came_first_has_replaced_does_not_come_back_after_a_second_one() -> None:
    day = corrected_first(("10:05:00.2", NEW), ("10:05:40", NEWER))
    day.coordinator.run()
    assert told_of(day) == [("14:05", "bar", NEW[1]), ("14:05", "revision", NEWER[1])]


def test_what_the_vendor_s_store_has_after_it_had_a_correction_that_came_first_is_taken() -> None:
    day = corrected_first(("10:05:00.2", NEW))
    minute = day.market.minutes["A"][CORRECTED_US]
    minute.corrected_us, minute.correction = us("2024-07-03T10:07-04:00"), NEW
    day.at("2024-07-03T10:16-04:00", lambda: setattr(minute, "correction", NEWER))
    day.coordinator.run()
    assert told_of(day) == [("14:05", "bar", NEW[1]), ("14:20", "revision", NEWER[1])]
