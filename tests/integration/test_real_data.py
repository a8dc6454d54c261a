"""Backtests over recorded data of several markets, judged by Polars, exchange_calendars and TA-Lib."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from tests.integration import real_oracle as oracle
from tests.integration.real_runs import INDICATORS, backtest, import_all
from tests.property.helpers import EngineResult

from mismartera.catalog import DataManager
from mismartera.testing.invariants import breaches, dump_breaches, unbalanced

SPARSE = ("NVR", "TDG", "AZO", "BKNG", "ERIE", "CPAY", "MTD", "TPL")
HALF_DAY_WEEK = ("2024-07-02", "2024-07-03", "2024-07-05")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DataManager]:
    return import_all(tmp_path_factory)


def assert_like_polars(
    result: EngineResult, folder: Path, symbol: str, day: str, group: str = "US_EQUITY", minutes: int = 5
) -> None:
    """The dumps of 1m and of ``minutes`` are what Polars makes of the file in the calendar's hours."""
    spans = oracle.parts(group, day)
    base = oracle.inside(oracle.stored(folder, symbol, day), spans)
    assert result.dumps[day, symbol, "1m"] == oracle.rows(base)
    label = f"{minutes}m" if minutes < 60 else f"{minutes // 60}h"
    assert result.dumps[day, symbol, label] == oracle.rows(oracle.resampled(base, spans, minutes))


def assert_sound(result: EngineResult, threshold_seconds: float = 60) -> None:
    assert breaches(result.events, threshold_seconds=threshold_seconds) == []
    assert dump_breaches(result.events, result.dumps) == []
    assert unbalanced(result.counts) == []


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def test_a_half_day_ends_at_its_early_close(real: tuple[Path, DataManager]) -> None:
    """2024-07-03 closes at 13:00 New York time; NVR has a bar at 13:02, most others the auction's at 13:00."""
    folder, store = real
    result = backtest(store, SPARSE, (HALF_DAY_WEEK[0], HALF_DAY_WEEK[-1]), ("1m", "5m", "1h", "1d"))
    assert_sound(result)
    counted = oracle.checks(folder)
    for symbol in SPARSE:
        for day in HALF_DAY_WEEK:
            assert_like_polars(result, folder, symbol, day)
            regular = int(counted[symbol, day]["regular"])
            expected = int(counted[symbol, day]["session_minutes"])
            figures = result.quality[symbol][day]["1m"]
            assert (figures["present"], figures["expected"]) == (regular, expected)
        rows = [counted[symbol, day] for day in HALF_DAY_WEEK]
        assert result.counts[symbol]["accepted"] == sum(int(row["regular"]) for row in rows)
        assert result.counts[symbol]["out_of_hours"] == sum(int(row["pre"]) + int(row["post"]) for row in rows)
    closing = [line for line in result.events if line["event"] == "session_deactivated"]
    assert [line["time"] for line in closing] == [
        "2024-07-02T20:00:00+00:00", "2024-07-03T17:00:00+00:00", "2024-07-05T20:00:00+00:00",
    ]  # fmt: skip
    last_hour = result.dumps["2024-07-03", "NVR", "1h"][-1]["timestamp"]
    assert last_hour == utc("2024-07-03T16:30")  # of half an hour: the session ends at 17:00


def test_missing_minutes_of_sparse_symbols_are_told_as_gaps(real: tuple[Path, DataManager]) -> None:
    folder, store = real
    result = backtest(store, SPARSE, ("2024-07-03", "2024-07-03"))
    for symbol in SPARSE:
        gaps = [line for line in result.events if line["event"] == "gap" and line["symbol"] == symbol]
        missing = int(oracle.checks(folder)[symbol, "2024-07-03"]["missing_regular"])
        assert sum(gap["missing"] for gap in gaps) == missing
        (span,) = oracle.parts("US_EQUITY", "2024-07-03")
        present = set(oracle.stored(folder, symbol, "2024-07-03")["timestamp"].to_list())
        lacking = [at for at in range(*span, 60_000_000) if at not in present]
        told = [
            at
            for gap in gaps
            for at in range(utc(gap["from"][:16]), utc(gap["to"][:16]), 60_000_000)
        ]  # fmt: skip
        assert told == lacking


def test_three_bars_a_day_make_no_complete_windows(real: tuple[Path, DataManager]) -> None:
    """TPL had three bars on 2024-03-25, no two in one window of five minutes that were whole."""
    folder, store = real
    day = ("2024-03-25", "2024-03-25")
    loose = backtest(store, ["TPL"], day)
    assert len(loose.dumps[day[0], "TPL", "1m"]) == 3
    assert_like_polars(loose, folder, "TPL", day[0])
    strict = backtest(store, ["TPL"], day, derived_bars="complete")
    assert strict.dumps[day[0], "TPL", "5m"] == strict.dumps[day[0], "TPL", "1d"] == []


@pytest.mark.parametrize(
    ("symbols", "days", "opens"),
    [
        (("SPY",), ("2011-03-11", "2011-03-14"), ("14:30", "13:30")),
        (SPARSE[:5], ("2024-03-08", "2024-03-11"), ("14:30", "13:30")),
    ],
)
def test_the_open_moves_with_daylight_saving_time(
    real: tuple[Path, DataManager], symbols: tuple[str, ...], days: tuple[str, str], opens: tuple[str, str]
) -> None:
    folder, store = real
    result = backtest(store, symbols, days, ("1m", "5m", "15m"))
    assert_sound(result)
    opened = [line["time"] for line in result.events if line["event"] == "session_opened"]
    assert opened == [f"{day}T{at}:00+00:00" for day, at in zip(days, opens, strict=True)]
    for symbol in symbols:
        for day in days:
            assert_like_polars(result, folder, symbol, day, minutes=5)
            assert_like_polars(result, folder, symbol, day, minutes=15)


def test_extended_hours_take_in_what_regular_hours_leave_out(real: tuple[Path, DataManager]) -> None:
    """SPY in March 2011, 04:00 to 20:00: its evening bars lie on the next day of UTC; one bar starts at 20:00."""
    folder, store = real
    hours = {"open": "04:00", "close": "20:00"}
    result = backtest(store, ["SPY"], ("2011-03-01", "2011-03-31"), ("1m", "5m"), hours=hours)
    assert_sound(result)
    days = sorted({day for day, _, _ in result.dumps})
    assert len(days) == 23
    for day in days:
        offset = 5 if day < "2011-03-13" else 4  # hours behind UTC
        first = utc(f"{day}T{4 + offset:02d}:00")
        span = (first, first + 16 * 3_600_000_000)
        base = oracle.inside(oracle.stored(folder, "SPY", day), [span])
        assert result.dumps[day, "SPY", "1m"] == oracle.rows(base)
        assert result.dumps[day, "SPY", "5m"] == oracle.rows(oracle.resampled(base, [span], 5))
    rows = [oracle.checks(folder)["SPY", day] for day in days]
    stored = sum(int(row["rows"]) for row in rows)
    assert result.counts["SPY"]["received"] == stored
    assert (result.counts["SPY"]["accepted"], result.counts["SPY"]["out_of_hours"]) == (stored - 1, 1)


def test_indicators_are_those_of_ta_lib_on_the_history_and_the_day(real: tuple[Path, DataManager]) -> None:
    folder, store = real
    days = ["2011-03-08", "2011-03-09", "2011-03-10", "2011-03-11", "2011-03-14"]
    history = {"data": [{"trailing_days": 2, "intervals": ["1m"]}]}
    result = backtest(store, ["SPY"], (days[2], days[-1]), ("1m", "5m"), indicators=INDICATORS, historical=history)
    five = {
        day: oracle.resampled(oracle.stored(folder, "SPY", day), oracle.parts("US_EQUITY", day), 5) for day in days
    }
    for at in range(2, 5):
        rows = oracle.rows(five[days[at]])
        values = oracle.indicators([five[days[at - 2]], five[days[at - 1]]], five[days[at]])
        assert result.dumps[days[at], "SPY", "5m"] == [row | of for row, of in zip(rows, values, strict=True)]
        assert None not in values[0].values()
    cold = backtest(store, ["SPY"], (days[-1], days[-1]), ("1m", "5m"), indicators=INDICATORS)
    values = oracle.indicators([], five[days[-1]])
    found = [{name: row[name] for name in values[0]} for row in cold.dumps[days[-1], "SPY", "5m"]]
    assert found == values
    assert values[18]["SMA_20"] is None
    assert values[19]["SMA_20"] is not None


def test_a_first_trading_day_that_starts_late_has_a_gap_at_the_open(real: tuple[Path, DataManager]) -> None:
    """SW was first traded on 2024-07-08 at 09:45; the day before it is known to the store and has no bar."""
    folder, store = real
    result = backtest(store, ["NVR", "SW"], ("2024-07-05", "2024-07-09"))
    assert_sound(result)
    assert result.quality["SW"]["2024-07-05"]["1m"] == {"expected": 390, "present": 0, "percent": 0.0}
    assert result.quality["SW"]["2024-07-08"]["1m"] == {
        "expected": 390, "present": 375, "percent": 100.0 * 375 / 390,
    }  # fmt: skip
    assert result.quality["SW"]["2024-07-09"]["1m"]["percent"] == 100.0
    gaps = [line for line in result.events if line["event"] == "gap" and line["symbol"] == "SW"]
    assert [(gap["from"], gap["to"], gap["missing"]) for gap in gaps] == [
        ("2024-07-05T13:30:00+00:00", "2024-07-05T20:00:00+00:00", 390),
        ("2024-07-08T13:30:00+00:00", "2024-07-08T13:45:00+00:00", 15),
    ]
    assert result.dumps["2024-07-05", "SW", "1m"] == []
    for day in ("2024-07-08", "2024-07-09"):
        assert_like_polars(result, folder, "SW", day)


def test_no_derived_bar_spans_the_lunch_break_of_hong_kong(real: tuple[Path, DataManager]) -> None:
    folder, store = real
    days = ("2024-01-17", "2024-01-18")
    result = backtest(store, ["9988.HK"], days, ("1m", "7m", "1h", "1d"), group="HK_EQUITY")
    assert_sound(result)
    assert not [line for line in result.events if line["event"] == "gap"]
    for day in days:
        assert_like_polars(result, folder, "9988.HK", day, "HK_EQUITY", minutes=7)
        assert_like_polars(result, folder, "9988.HK", day, "HK_EQUITY", minutes=60)
        hours = result.dumps[day, "9988.HK", "1h"]
        starts = [utc(f"{day}T{at}") for at in ("01:30", "02:30", "03:30", "05:00", "06:00", "07:00")]
        assert [row["timestamp"] for row in hours] == starts
        assert [row["bar_count"] for row in hours] == [60, 60, 30, 60, 60, 60]
        (daily,) = result.dumps[day, "9988.HK", "1d"]
        assert (daily["timestamp"], daily["bar_count"]) == (starts[0], 330)


def test_a_day_around_the_clock_begins_at_midnight(real: tuple[Path, DataManager]) -> None:
    """On 2018-04-04 the source ended at 16:47: the rest of the day is one gap."""
    folder, store = real
    symbols = ("BTCUSD-COINBASE", "ETHUSD-COINBASE", "LTCUSD-COINBASE")
    result = backtest(store, symbols, ("2018-04-04", "2018-04-05"), ("1m", "1h", "1d"), group="CRYPTO")
    assert_sound(result)
    for day in ("2018-04-04", "2018-04-05"):
        for symbol in symbols:
            present = oracle.stored(folder, symbol, day)
            assert result.dumps[day, symbol, "1m"] == oracle.rows(present)
            assert result.quality[symbol][day]["1m"]["expected"] == 1440
            hours = oracle.resampled(present, oracle.parts("CRYPTO", day), 60)
            columns = ("timestamp", "open", "high", "low", "close", "bar_count")
            ours = result.dumps[day, symbol, "1h"]
            assert [[row[name] for name in columns] for row in ours] == [list(r) for r in hours[columns].rows()]
            assert [row["volume"] for row in ours] == [
                left_to_right(present, row["timestamp"], row["timestamp"] + 3_600_000_000) for row in ours
            ]
    assert result.dumps["2018-04-04", "LTCUSD-COINBASE", "1d"] == []  # it has data of one day only
    gaps = [line for line in result.events if line["event"] == "gap"]
    gap = next(line for line in gaps if line["to"] == "2018-04-05T00:00:00+00:00")
    assert (gap["symbol"], gap["from"][:16], gap["missing"]) == ("BTCUSD-COINBASE", "2018-04-04T16:48", 432)


def left_to_right(frame: pl.DataFrame, first: int, last: int) -> float:
    """The volume from ``first`` to ``last``, added up in order: fractions of a coin make the order matter."""
    total = 0.0
    for volume in oracle.inside(frame, [(first, last)])["volume"].to_list():
        total += volume
    return total


def test_five_minutes_of_msft_are_the_vendors_own_but_for_the_known_disagreements(
    real: tuple[Path, DataManager],
) -> None:
    """The vendor's 5m file is no plain sum of its 1m file: the five slots that differ are listed with the data."""
    folder, store = real
    days = [f"2024-01-{day}" for day in (16, 17, 18, 19, 22, 23, 24, 25, 26)]
    result = backtest(store, ["MSFT"], (days[0], days[-1]), ("1m", "5m"))
    assert_sound(result)
    differing: dict[str, tuple[str, ...]] = {}
    for day in days:
        theirs = oracle.rows(oracle.stored(folder, "MSFT", day, "5m"))
        ours = result.dumps[day, "MSFT", "5m"]
        assert [row["timestamp"] for row in ours] == [row["timestamp"] for row in theirs]
        for row, wanted in zip(ours, theirs, strict=True):
            names = tuple(name for name in oracle.PRICES if row[name] != wanted[name])
            if names:
                at = datetime.fromtimestamp(row["timestamp"] // 1_000_000, tz=UTC)
                differing[at.strftime("%m-%d %H:%M")] = names
    assert differing == {
        "01-16 14:30": ("open", "volume"), "01-18 20:25": ("volume",), "01-23 18:35": ("open", "high"),
        "01-23 20:30": ("volume",), "01-24 17:40": ("volume",),
    }  # fmt: skip


def test_a_symbol_that_joins_a_real_day_ends_it_like_one_that_was_there(real: tuple[Path, DataManager]) -> None:
    _, store = real
    day = ("2024-07-02", "2024-07-02")
    settings = {"indicators": INDICATORS, "historical": {"data": [{"trailing_days": 3, "intervals": ["1m"]}]}}
    always = backtest(store, ["NVR", "TDG", "AZO"], day, **settings)
    schedule = [{"at": "2024-07-02T10:00", "add": "AZO"}, {"at": "2024-07-02T14:00", "remove": "TDG"}]
    late = backtest(store, ["NVR", "TDG"], day, schedule=schedule, **settings)
    assert_sound(late)
    staying = {key: rows for key, rows in always.dumps.items() if key[1] != "TDG"}
    assert late.dumps == staying
    assert late.quality["AZO"] == always.quality["AZO"]
    half_past = [line for line in late.events if line["event"] == "symbol_removed"]
    assert [(line["symbol"], line["time"]) for line in half_past] == [("TDG", "2024-07-02T18:00:00+00:00")]
