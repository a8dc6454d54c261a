"""The reference model: hours, breaks, base intervals, history and indicators, against tables written by hand."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from tests.unit.testing.tables import DAY, after, at, bars_of, config, lines, minutes, row, rows, run, us

from mismartera.testing.reference import RefBar, ReferenceResult

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
HALF_DAY = "2024-07-03"
SMA_3 = {"name": "SMA", "interval": "2m", "params": {"timeperiod": 3}}


def closes(result: ReferenceResult, column: str, interval: str = "2m", day: str = DAY) -> list[float | None]:
    return [bar[column] for bar in result.dumps[day, "A", interval]]


def priced(first: str, prices: list[float], day: str = DAY) -> list[RefBar]:
    """Bars of one minute with these prices, the first at ``first``."""
    start = us(f"{day} {first}")
    return [RefBar(start + at * 60_000_000, price, price, price, price, 1.0) for at, price in enumerate(prices)]


def test_a_half_day_ends_at_its_early_close() -> None:
    stored = {("A", "1m"): rows("08:00", "12:30", "12:59", "13:00", "15:59", day=HALF_DAY)}
    result = run(config(streams=["1h"], hours=None, dates=(HALF_DAY, HALF_DAY)), stored)
    assert after(result, "09:30 session_activated open 0 -") == [
        "13:00 bar A 1h 12:30-13:00 x2 lag 0",
        "13:00 session_deactivated close 0 -",
        "13:00 gap A 1m 09:30-12:30 180",
        "13:00 gap A 1m 12:31-12:59 28",
        "13:00 session_closed 2024-07-03",
    ]
    assert result.quality["A"][HALF_DAY]["1m"]["expected"] == 210
    assert result.counts["A"]["out_of_hours"] == 3


def test_the_last_hour_of_a_regular_day_is_cut_at_the_close() -> None:
    result = run(config(streams=["1h", "1d"], hours=None), {("A", "1m"): rows("10:29", "10:30", "15:30", "15:59")})
    assert bars_of(result, "A") == [
        "10:30 bar A 1h 09:30-10:30 x1 lag 0",
        "11:30 bar A 1h 10:30-11:30 x1 lag 0",
        "16:00 bar A 1h 15:30-16:00 x2 lag 0",
        "16:00 bar A 1d 09:30-16:00 x4 lag 0",
    ]


def test_a_lunch_break_cuts_derived_bars_and_gaps_but_not_the_day() -> None:
    stored = {
        ("A", "1m"): [row(text, zone=HONG_KONG) for text in ("11:29", "11:59", "12:30", "13:00")],
        ("B", "1m"): [row("11:59", zone=HONG_KONG)],
    }
    schedule = [at("12:30", add="B")]
    result = run(config(streams=["1h", "1d"], hours=None, group="HK_EQUITY", schedule=schedule), stored)
    assert lines(result, HONG_KONG)[4:] == [
        "11:30 bar A 1h 10:30-11:30 x1 lag 0",
        "12:00 bar A 1h 11:30-12:00 x1 lag 0",
        "12:30 symbol_pending B added",
        "12:30 session_deactivated lag 1800 B",
        "12:30 session_activated caught_up 0 -",
        "12:30 symbol_loaded B caught_up",
        "14:00 bar A 1h 13:00-14:00 x1 lag 0",
        "16:00 bar A 1d 09:30-16:00 x3 lag 0",
        "16:00 bar B 1d 09:30-16:00 x1 lag 0",
        "16:00 session_deactivated close 0 -",
        "16:00 gap A 1m 09:30-11:29 119",
        "16:00 gap A 1m 11:30-11:59 29",
        "16:00 gap A 1m 13:01-16:00 179",
        "16:00 gap B 1m 09:30-11:59 149",
        "16:00 gap B 1m 13:00-16:00 180",
        "16:00 session_closed 2024-07-02",
    ]
    assert result.quality["A"][DAY]["1m"]["expected"] == 330
    assert result.counts["A"]["out_of_hours"] == 1


def test_a_gap_does_not_span_a_break() -> None:
    stored = {("A", "1m"): [row(text, zone=HONG_KONG) for text in ("09:30", "15:59")]}
    result = run(config(hours=None, group="HK_EQUITY"), stored)
    assert [line for line in lines(result, HONG_KONG) if "gap" in line] == [
        "16:00 gap A 1m 09:31-12:00 149",
        "16:00 gap A 1m 13:00-15:59 179",
    ]


def test_an_evening_bar_belongs_to_the_session_that_it_opens_and_not_to_its_date() -> None:
    chicago = ZoneInfo("America/Chicago")
    times = ("2024-07-01 16:59", "2024-07-01 17:00", "2024-07-02 16:59")  # it opens at 17:00
    stored = {("A", "1m"): [row(text, zone=chicago) for text in times]}
    settings = config(streams=["1d"], hours=None, calendar="CMES", dates=("2024-07-01", DAY))
    result = run(settings, stored)
    assert [event["bar_count"] for event in result.events if event["event"] == "bar"] == [1, 2]
    assert result.counts["A"]["received"] == 3  # each row once


def test_the_base_is_the_finest_interval_with_bars_that_day() -> None:
    stored = {
        ("A", "1s"): [row("09:30:59"), *rows("09:30", day=HALF_DAY), row("2024-07-05 08:00")],
        ("A", "1m"): [*minutes("09:30", 2), *minutes("09:30", 2, day="2024-07-05")],
        ("A", "1d"): [row("2024-07-05 00:00")],
    }
    result = run(config(hours=("09:30", "09:32"), dates=(DAY, "2024-07-05")), stored)
    assert [list(day) for day in result.quality["A"].values()] == [["1s"], ["1s"], ["1m"]]
    assert result.quality["A"][DAY]["1s"]["expected"] == 120
    assert bars_of(result, "A") == [
        "09:31 bar A 1m 09:30-09:31 x1 lag 0",
        "09:31 bar A 1m 09:30-09:31 x1 lag 0",
        "09:31 bar A 1m 09:30-09:31 x1 lag 0",
        "09:32 bar A 1m 09:31-09:32 x1 lag 0",
    ]
    assert result.counts["A"]["received"] == 4  # rows of that day's base only


def test_gaps_and_counts_are_of_seconds_when_the_base_is() -> None:
    result = run(config(hours=("09:30", "09:31")), {("A", "1s"): [row("09:30:00"), row("09:30:30")]})
    assert [line for line in lines(result) if "gap" in line] == [
        "09:31 gap A 1s 09:30:01-09:30:30 29",
        "09:31 gap A 1s 09:30:31-09:31 29",
    ]


@pytest.mark.parametrize("stamp", ["2024-07-02 00:00", "2024-07-02 09:30", "2024-07-02 16:00", "2024-07-01 20:00"])
def test_a_daily_row_belongs_to_its_date_and_is_shown_from_open_to_close(stamp: str) -> None:
    # 20:00 in New York is midnight UTC, as daily files are often stamped: that is the date in UTC.
    result = run(config(streams=["1d"], hours=None), {("A", "1d"): [row(stamp)]})
    assert after(result, "09:30 session_activated open 0 -") == [
        "16:00 bar A 1d 09:30-16:00 x1 lag 0",
        "16:00 session_deactivated close 0 -",
        "16:00 session_closed 2024-07-02",
    ]
    assert result.quality["A"][DAY]["1d"] == {"expected": 1, "present": 1, "percent": 100.0}


def test_of_two_daily_rows_of_one_date_the_first_counts() -> None:
    stored = {("A", "1d"): [row("09:30", 2.0), row("00:00", 1.0)]}
    result = run(config(streams=["1d"], hours=None), stored)
    assert closes(result, "close", "1d") == [1.0]
    assert result.counts["A"]["accepted"] == 1
    assert result.counts["A"]["duplicate"] == 1


def test_a_missing_daily_bar_is_one_gap() -> None:
    result = run(config(streams=["1d"], hours=None), {("A", "1d"): [row("2024-07-01 00:00")]})
    assert "16:00 gap A 1d 09:30-16:00 1" in lines(result)


def test_a_round_the_clock_day_goes_from_midnight_to_midnight() -> None:
    utc = ZoneInfo("UTC")
    stored = {("A", "1m"): [row(text, zone=utc) for text in ("00:00", "23:59", "2024-07-03 00:00")]}
    settings = config(streams=["4h"], hours=None, group="CRYPTO", dates=(DAY, DAY))
    result = run(settings, stored)
    assert [line for line in lines(result, utc) if " bar " in line] == [
        "04:00 bar A 4h 00:00-04:00 x1 lag 0",
        "00:00 bar A 4h 20:00-00:00 x1 lag 0",
    ]
    assert result.counts["A"]["received"] == 2


def test_an_indicator_without_history_warms_up_in_the_session() -> None:
    settings = config(streams=["2m"], indicators=[SMA_3])
    result = run(settings, {("A", "1m"): priced("09:30", [1, 2, 3, 4, 5, 6, 7, 8])})
    assert closes(result, "SMA_3") == [None, None, 4.0, 6.0]  # of the closes 2, 4, 6, 8


def test_history_warms_an_indicator_up_before_the_open() -> None:
    history = {"data": [{"trailing_days": 1, "intervals": ["1m"], "apply_to": "all"}]}
    settings = config(streams=["1m", "2m"], indicators=[SMA_3], historical=history)
    stored = {("A", "1m"): [*priced("09:36", [1, 2, 3, 6], day="2024-07-01"), *priced("09:30", [9, 10, 11, 12])]}
    result = run(settings, stored)
    assert closes(result, "SMA_3") == [6.0, pytest.approx(28 / 3)]  # 2 6 | 10 12
    assert "SMA_3" not in result.dumps[DAY, "A", "1m"][0]


def test_every_column_of_an_indicator_is_dumped_under_its_name() -> None:
    indicators = [{"name": "MACD", "interval": "1m"}, {"name": "MAX", "interval": "1m", "input": "volume"}]
    result = run(config(indicators=indicators), {("A", "1m"): rows("09:30")})
    assert list(result.dumps[DAY, "A", "1m"][0])[7:] == [
        "MACD_12_26_9_macd", "MACD_12_26_9_macdsignal", "MACD_12_26_9_macdhist", "MAX_30_volume",
    ]  # fmt: skip


def test_the_longest_window_that_applies_is_the_history() -> None:
    days = ["2024-06-27", "2024-06-28", "2024-07-01"]  # a week-end lies between the last two
    stored = {("A", "1m"): [row(f"{day} 09:30", price) for day, price in zip(days, (1.0, 3.0, 5.0), strict=True)]}
    stored["A", "1m"] += [row("09:30", 9.0)]
    indicator = {"name": "SMA", "interval": "5m", "params": {"timeperiod": 3}}

    def value(*windows: dict[str, object]) -> float | None:
        settings = config(streams=["5m"], indicators=[indicator], historical={"data": list(windows)})
        return closes(run(settings, stored), "SMA_3", "5m")[0]

    one = {"trailing_days": 1, "intervals": ["1m"]}
    assert value(one) is None
    assert value({"trailing_days": 3, "intervals": ["1m"]}) == pytest.approx(17 / 3)  # of the last two and today's
    assert value(one, {"trailing_days": 2, "intervals": ["5m"]}) == pytest.approx(17 / 3)
    assert value(one, {"trailing_days": 2, "intervals": ["1m"], "apply_to": ["A"]}) == pytest.approx(17 / 3)
    assert value(one, {"trailing_days": 2, "intervals": ["1m"], "apply_to": ["B"]}) is None
    assert value(one, {"trailing_days": 2, "intervals": ["10m"]}) is None  # 5m cannot come from 10m


def test_history_leaves_incomplete_windows_out_if_only_complete_ones_are_wanted() -> None:
    history = {"data": [{"trailing_days": 1, "intervals": ["1m"]}]}
    stored = {("A", "1m"): [*priced("09:30", [2, 4, 7], day="2024-07-01"), *priced("09:30", [6, 6])]}
    wanted = {"name": "SMA", "interval": "2m", "params": {"timeperiod": 2}}
    settings = config(streams=["2m"], indicators=[wanted], historical=history, derived_bars="complete")
    assert closes(run(settings, stored), "SMA_2") == [5.0]  # of 4 and 6: 7 stands in a window of one


def test_history_of_daily_bars_comes_from_the_finest_stored_bars_of_each_day() -> None:
    history = {"data": [{"trailing_days": 2, "intervals": ["1d"]}]}
    stored = {
        ("A", "1m"): [row("2024-06-28 09:35", 2.0), row("09:30", 6.0)],
        ("A", "1d"): [row("2024-06-28 00:00", 99.0), row("2024-07-01 00:00", 4.0)],
    }
    wanted = {"name": "SMA", "interval": "1d", "params": {"timeperiod": 3}}
    settings = config(streams=["1d"], indicators=[wanted], historical=history)
    assert closes(run(settings, stored), "SMA_3", "1d") == [4.0]


def test_quality_that_is_switched_off_is_neither_measured_nor_told() -> None:
    result = run(config(gap_filler={"enable_session_quality": False}), {("A", "1m"): rows("09:30")})
    assert not any("gap" in line for line in lines(result))
    assert result.quality == {}
