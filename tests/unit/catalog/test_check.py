"""Holding the store against the calendar: tables made by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from tests.unit.catalog.helpers import MINUTE_US, NEW_YORK, OPEN_US, frame

from mismartera.catalog import CheckRow, DataManager, check_store
from mismartera.timing import TimeManager

JULY_2, JULY_3, JULY_4, JULY_5 = (date(2024, 7, day) for day in range(2, 6))


@pytest.fixture(scope="module")
def time_manager() -> TimeManager:
    return TimeManager("XNYS")


@pytest.fixture
def store(tmp_path: Path) -> DataManager:
    return DataManager(tmp_path / "store")


def us(minute: int) -> int:
    return OPEN_US + minute * MINUTE_US


def test_gaps_are_ranges_and_the_percentage_is_of_what_is_expected(
    store: DataManager, time_manager: TimeManager
) -> None:
    held = [minute for minute in range(390) if minute not in {0, 1, 100, 388, 389}]
    store.write_bars("AAPL", "1m", frame(held))
    (row,) = check_store(store, time_manager).rows
    assert row == CheckRow(
        "AAPL", "1m", JULY_2, 390, 385, 0, ((us(0), us(2), 2), (us(100), us(101), 1), (us(388), us(390), 2))
    )
    assert row.percent == pytest.approx(100 * 385 / 390)


def test_a_half_day_expects_less_and_what_is_after_it_is_out_of_hours(
    store: DataManager, time_manager: TimeManager
) -> None:
    store.write_bars("AAPL", "1m", frame([1439, *range(1440, 1440 + 212)]))
    (row,) = check_store(store, time_manager).rows
    assert (row.date, row.expected, row.present, row.out_of_hours, row.gaps) == (JULY_3, 210, 210, 3, ())


def test_bars_before_the_open_belong_to_their_local_date(store: DataManager, time_manager: TimeManager) -> None:
    """A post-market bar of the 2nd at 20:30 in New York is of the 3rd in UTC."""
    store.write_bars("AAPL", "1m", frame([-60, 0, 660]))
    (row,) = check_store(store, time_manager).rows
    assert (row.date, row.present, row.out_of_hours) == (JULY_2, 1, 2)


def test_bars_on_a_closed_day_raise_an_alarm(store: DataManager, time_manager: TimeManager) -> None:
    """C02"""
    store.write_bars("AAPL", "1m", frame([0, 2880, 2881]))
    check = check_store(store, time_manager)
    assert [(row.date, row.closed) for row in check.rows] == [(JULY_2, False), (JULY_4, True)]
    (alarm,) = check.alarms
    assert (alarm.expected, alarm.present, alarm.out_of_hours, alarm.percent) == (0, 0, 2, None)


def test_sessions_without_a_bar_are_missing_days(store: DataManager, time_manager: TimeManager) -> None:
    store.write_many([("AAPL", "1m", frame([0, 1440 * 3])), ("MSFT", "1m", frame([0, 1440, 1440 * 3]))])
    check = check_store(store, time_manager)
    assert check.missing_days == {("AAPL", "1m"): (JULY_3,)}


def test_coarser_bars_are_checked_by_their_slots(store: DataManager, time_manager: TimeManager) -> None:
    store.write_bars("AAPL", "1h", frame([0, 60, 180, 360]))
    (row,) = check_store(store, time_manager).rows
    assert (row.expected, row.present) == (7, 4)
    assert row.gaps == ((us(120), us(180), 1), (us(240), us(360), 2))


def test_the_last_short_slot_ends_at_the_close(store: DataManager, time_manager: TimeManager) -> None:
    store.write_bars("AAPL", "1h", frame([0]))
    (row,) = check_store(store, time_manager).rows
    assert row.gaps == ((us(60), us(390), 6),)


@pytest.mark.parametrize("zone", [NEW_YORK, UTC], ids=str)
def test_daily_bars_count_by_date(store: DataManager, time_manager: TimeManager, zone: tzinfo) -> None:
    midnight = datetime(2024, 7, 2, tzinfo=zone)
    daily = [
        {"timestamp": midnight + timedelta(days=n), "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1}
        for n in (0, 2, 3)
    ]
    store.write_bars("AAPL", "1d", daily)
    check = check_store(store, time_manager)
    assert [(row.date, row.expected, row.present, row.closed) for row in check.rows] == [
        (JULY_2, 1, 1, False), (JULY_4, 0, 0, True), (JULY_5, 1, 1, False),
    ]  # fmt: skip
    assert check.missing_days == {("AAPL", "1d"): (JULY_3,)}


def test_a_lunch_break_is_not_expected_and_bars_in_it_are_out_of_hours(store: DataManager) -> None:
    hong_kong = TimeManager("XHKG")
    session = hong_kong.get_trading_session(JULY_2)
    (first, noon), (afternoon, last) = session.parts
    whole = [(start - OPEN_US) // MINUTE_US for start in range(first, last, MINUTE_US)]
    store.write_bars("9988.HK", "1m", frame(whole))
    (row,) = check_store(store, hong_kong).rows
    assert (row.expected, row.present) == (330, 330)
    assert row.out_of_hours == (afternoon - noon) // MINUTE_US


def test_many_days_and_symbols_are_ordered_and_can_be_chosen(
    store: DataManager, time_manager: TimeManager
) -> None:
    days = [day * 1440 for day in (-1, 0, 1, 3, 6, 7, 8, 9)]
    store.write_many((name, label, frame(days)) for name in ("B", "A") for label in ("5m", "1m"))
    rows = check_store(store, time_manager).rows
    assert [(row.symbol, row.interval) for row in rows[::8]] == [
        ("A", "1m"),
        ("A", "5m"),
        ("B", "1m"),
        ("B", "5m"),
    ]
    assert len(rows) == 32
    assert not any(row.closed or row.out_of_hours for row in rows)
    chosen = check_store(store, time_manager, ["B"], start=JULY_3, end=JULY_5)
    assert [(row.symbol, row.interval, row.date) for row in chosen.rows] == [
        ("B", label, day) for label in ("1m", "5m") for day in (JULY_3, JULY_5)
    ]
