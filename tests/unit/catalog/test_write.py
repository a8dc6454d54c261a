"""Writing bars: upsert, counts, refusals, and what a commit is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.unit.catalog.helpers import MINUTE_US, NEW_YORK, OPEN, OPEN_US, bar, bars, frame

from mismartera.bars import Bar
from mismartera.catalog import DataManager, WriteReport
from mismartera.errors import DataError, SymbolError


@pytest.fixture
def store(tmp_path: Path) -> DataManager:
    return DataManager(tmp_path / "store")


def counts(report: WriteReport) -> tuple[int, int, int, int, int]:
    return report.rows, report.accepted, report.duplicate, report.revised, report.rejected


def stored(store: DataManager, symbol: str = "AAPL", interval: str = "1m") -> list[tuple[int, float, float]]:
    view = store.get_bars(symbol, interval, OPEN - timedelta(days=400), OPEN + timedelta(days=400))
    return [((one.start_us - OPEN_US) // MINUTE_US, one.open, one.volume) for one in view]


def test_written_bars_are_read_back_in_time_order(store: DataManager) -> None:
    report = store.write_bars("AAPL", "1m", [bar("AAPL", 2, 12), bar("AAPL", 0, 10), bar("AAPL", 1, 11)])
    assert counts(report) == (3, 3, 0, 0, 0)
    assert stored(store) == [(0, 10.0, 100.0), (1, 11.0, 100.0), (2, 12.0, 100.0)]
    assert store.get_bars("AAPL", "1m", OPEN, OPEN + timedelta(minutes=2))[1] == bar("AAPL", 1, 11)


def test_writing_the_same_twice_commits_nothing(store: DataManager) -> None:
    first = store.write_bars("AAPL", "1m", bars("AAPL", range(5)))
    second = store.write_bars("AAPL", "1m", bars("AAPL", range(5)))
    assert counts(second) == (5, 0, 5, 0, 0)
    assert second.version == first.version == store.version


def test_a_revision_replaces_and_a_duplicate_is_counted(store: DataManager) -> None:
    store.write_bars("AAPL", "1m", bars("AAPL", range(3)))
    report = store.write_bars("AAPL", "1m", [bar("AAPL", 1, 20), bar("AAPL", 2), bar("AAPL", 3)])
    assert counts(report) == (3, 1, 1, 1, 0)
    assert [price for _, price, _ in stored(store)] == [10.0, 20.0, 10.0, 10.0]


def test_repeats_of_a_new_key_within_one_call_are_judged_row_by_row(store: DataManager) -> None:
    offered = [bar("AAPL", 0, 10), bar("AAPL", 0, 10), bar("AAPL", 0, 11), bar("AAPL", 0, 10)]
    assert counts(store.write_bars("AAPL", "1m", offered)) == (4, 1, 1, 2, 0)
    version = store.version
    assert counts(store.write_bars("AAPL", "1m", offered)) == (4, 0, 4, 0, 0)
    assert store.version == version, "revised there and back is no change"


def test_of_several_rows_of_a_known_key_only_the_last_can_be_a_revision(store: DataManager) -> None:
    store.write_bars("AAPL", "1m", [bar("AAPL", 0, 10), bar("AAPL", 1, 10)])
    offered = [bar("AAPL", 0, 11), bar("AAPL", 2, 10), bar("AAPL", 0, 12), bar("AAPL", 2, 11), bar("AAPL", 1, 10)]
    assert counts(store.write_bars("AAPL", "1m", offered)) == (5, 1, 2, 2, 0)
    assert [price for _, price, _ in stored(store)] == [12.0, 10.0, 11.0]
    version = store.version
    for _ in range(2):
        assert counts(store.write_bars("AAPL", "1m", offered)) == (5, 0, 5, 0, 0)
    assert store.version == version


def test_other_symbols_intervals_and_days_stay(store: DataManager) -> None:
    store.write_bars("AAPL", "1m", bars("AAPL", [0, 1440]))
    store.write_bars("MSFT", "1m", bars("MSFT", [0]))
    store.write_bars("AAPL", "5m", frame([0]))
    store.write_bars("AAPL", "1m", bars("AAPL", [1], 50))
    assert [minute for minute, _, _ in stored(store)] == [0, 1, 1440]
    assert len(stored(store, "MSFT")) == 1
    assert len(stored(store, "AAPL", "5m")) == 1


def test_equal_lengths_are_one_interval(store: DataManager) -> None:
    store.write_bars("AAPL", "60s", [Bar("AAPL", "60s", OPEN, open=1, high=1, low=1, close=1)])
    assert len(stored(store, interval="1m")) == 1
    assert store.known_intervals(["AAPL"]) == {"AAPL": frozenset({"1m"})}


def test_write_many_is_one_commit(store: DataManager) -> None:
    report = store.write_many((f"S{n}", "1m", frame(range(10), 10 + n)) for n in range(30))
    assert counts(report) == (300, 300, 0, 0, 0)
    assert report.version == store.version == 1
    assert store.symbols() == tuple(sorted(f"S{n}" for n in range(30)))


def test_writing_nothing_makes_no_store(store: DataManager) -> None:
    report = store.write_bars("AAPL", "1m", [])
    assert counts(report) == (0, 0, 0, 0, 0)
    assert report.version is None
    assert not store.path.exists()


GOOD = {"timestamp": OPEN, "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 100}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"open": float("nan")}, "not_finite"),
        ({"high": float("inf")}, "not_finite"),
        ({"close": float("-inf")}, "not_finite"),
        ({"low": 0.0}, "price_not_positive"),
        ({"low": -9.0}, "price_not_positive"),
        ({"high": 8.0}, "high_low_order"),
        ({"open": 12.0}, "high_low_order"),
        ({"close": 8.5}, "high_low_order"),
        ({"volume": -1}, "negative_volume"),
        ({"timestamp": OPEN + timedelta(seconds=30)}, "off_grid"),
        ({"timestamp": OPEN.replace(tzinfo=None)}, "naive_timestamp"),
        ({"timestamp": "2024-07-02T09:30:00-04:00"}, "bad_timestamp"),
        ({"timestamp": 1719927000000}, "bad_timestamp"),
        ({"timestamp": None}, "bad_timestamp"),
        ({"timestamp": OPEN.replace(year=2100)}, "out_of_range"),
        ({"timestamp": OPEN.replace(year=1969)}, "out_of_range"),
        ({"open": "ten"}, "not_a_number"),
        ({"open": None}, "not_a_number"),
        ({"volume": 10**400}, "not_a_number"),
    ],
)
def test_a_broken_bar_is_rejected_and_the_others_are_written(
    store: DataManager, change: dict[str, Any], rule: str
) -> None:
    """F13, F14: one rule is charged, the example names symbol and values, nothing else is disturbed."""
    later = GOOD | {"timestamp": OPEN + timedelta(minutes=1)}
    report = store.write_bars("AAPL", "1m", [GOOD, GOOD | change, later])
    assert counts(report) == (3, 2, 0, 0, 1)
    assert report.reasons == {rule: 1}
    assert "AAPL" in report.examples[0]
    assert [minute for minute, _, _ in stored(store)] == [0, 1]


def test_a_field_that_is_missing_is_rejected(store: DataManager) -> None:
    report = store.write_bars("AAPL", "1m", [{"timestamp": OPEN, "open": 1.0}])
    assert report.reasons == {"missing_field": 1}
    assert not store.exists()


def test_examples_are_few_and_say_symbol_time_rule_and_values(store: DataManager) -> None:
    report = store.write_bars("AAPL", "1m", frame(range(100)).with_columns(high=pl.lit(1.0)))
    assert report.reasons == {"high_low_order": 100}
    assert len(report.examples) == 3
    assert report.examples[0].startswith("AAPL 1m 2024-07-02T13:30:00+00:00: high_low_order (open=10.0, high=1.0")


def _pandas(source: pl.DataFrame) -> Any:
    import pandas as pd

    return pd.DataFrame(
        {name: source[name].to_numpy() for name in source.columns[1:]},
        index=pd.DatetimeIndex(source["timestamp"].to_numpy(), tz="UTC", name="timestamp").tz_convert(NEW_YORK),
    )


def _arrow(source: pl.DataFrame) -> Any:
    return source.to_arrow()


def _plain(source: pl.DataFrame) -> Any:
    return source


def _lazy(source: pl.DataFrame) -> Any:
    return source.lazy()


def _nanoseconds(source: pl.DataFrame) -> Any:
    return source.with_columns(pl.col("timestamp").dt.cast_time_unit("ns").dt.convert_time_zone("Asia/Tokyo"))


def _integers(source: pl.DataFrame) -> Any:
    return source.with_columns(pl.col("volume").cast(pl.Int32), pl.col("open").cast(pl.Float32))


def _mappings(source: pl.DataFrame) -> Any:
    return source.rows(named=True)


@pytest.mark.parametrize("shape", [_pandas, _arrow, _plain, _lazy, _nanoseconds, _integers, _mappings])
def test_every_kind_of_input_gives_the_same_bars(store: DataManager, shape: Callable[[pl.DataFrame], Any]) -> None:
    store.write_bars("AAPL", "1m", bars("AAPL", range(4)))
    assert counts(store.write_bars("AAPL", "1m", shape(frame(range(4))))) == (4, 0, 4, 0, 0)


def test_a_view_can_be_written_back(store: DataManager) -> None:
    store.write_bars("AAPL", "1m", bars("AAPL", range(4)))
    view = store.get_bars("AAPL", "1m", OPEN, OPEN + timedelta(days=1))
    assert counts(store.write_bars("AAPL", "1m", view)) == (4, 0, 4, 0, 0)
    assert counts(store.write_bars("AAPL", "1m", view.to_pandas())) == (4, 0, 4, 0, 0)
    assert counts(store.write_bars("COPY", "1m", view.to_polars())) == (4, 4, 0, 0, 0)


@pytest.mark.parametrize(
    ("stamps", "rule"),
    [
        (frame(range(3))["timestamp"].dt.replace_time_zone(None), "naive_timestamp"),
        (frame(range(3))["timestamp"].to_physical(), "bad_timestamp"),
        (frame(range(3))["timestamp"].cast(pl.String), "bad_timestamp"),
    ],
)
def test_a_frame_whose_time_is_unclear_is_rejected_whole(store: DataManager, stamps: pl.Series, rule: str) -> None:
    """F14"""
    report = store.write_bars("AAPL", "1m", frame(range(3)).with_columns(stamps.alias("timestamp")))
    assert counts(report) == (3, 0, 0, 0, 3)
    assert report.reasons == {rule: 3}


def test_empty_cells_of_a_frame_are_rejected(store: DataManager) -> None:
    holes = frame(range(4)).with_columns(
        open=pl.Series([None, 10.0, 10.0, 10.0]),
        timestamp=pl.Series([*frame(range(4))["timestamp"].to_list()[:3], None]).dt.convert_time_zone("UTC"),
    )
    report = store.write_bars("AAPL", "1m", holes)
    assert report.reasons == {"bad_timestamp": 1, "not_finite": 1}
    assert report.accepted == 2


def test_a_bar_of_another_symbol_or_interval_is_a_mistake(store: DataManager) -> None:
    with pytest.raises(ValueError, match="a bar of MSFT 1m was given as AAPL 1m"):
        store.write_bars("AAPL", "1m", bars("MSFT", [0]))
    with pytest.raises(ValueError, match="a bar of AAPL 1m was given as AAPL 5m"):
        store.write_bars("AAPL", "5m", bars("AAPL", [0]))
    assert not store.exists()


@pytest.mark.parametrize("wrong", [7, "bars", {"open": 1}, [3], None])
def test_what_is_no_bars_is_refused(store: DataManager, wrong: object) -> None:
    with pytest.raises(DataError, match="allowed are"):
        store.write_bars("AAPL", "1m", wrong)


def test_a_frame_without_a_column_is_refused(store: DataManager) -> None:
    with pytest.raises(DataError, match=r"lack the columns \['volume'\]"):
        store.write_bars("AAPL", "1m", frame([0]).drop("volume"))
    with pytest.raises(DataError, match="column 'open' is String"):
        store.write_bars("AAPL", "1m", frame([0]).with_columns(pl.col("open").cast(pl.String)))


def test_bad_names_are_refused(store: DataManager) -> None:
    with pytest.raises(SymbolError, match="is not a symbol"):
        store.write_bars("../../etc/x", "1m", [])
    with pytest.raises(ValueError, match="'quotes' is not supported"):
        store.write_bars("AAPL", "quotes", [])
    with pytest.raises(ValueError, match="has no time zone"):
        store.get_bars("AAPL", "1m", datetime(2024, 7, 2), OPEN)  # noqa: DTZ001


def test_daily_bars_of_a_year_are_one_file(store: DataManager) -> None:
    days = [GOOD | {"timestamp": datetime(2023, 12, 28, tzinfo=NEW_YORK) + timedelta(days=n)} for n in range(10)]
    assert store.write_bars("AAPL", "1d", days).accepted == 10
    assert len(list(store.path.glob("interval=1d/date=*"))) == 2
    view = store.get_bars(
        "AAPL", "1d", datetime(2023, 12, 30, tzinfo=NEW_YORK), datetime(2024, 1, 3, tzinfo=NEW_YORK)
    )
    assert [one.timestamp.isoformat()[:10] for one in view] == [
        "2023-12-30",
        "2023-12-31",
        "2024-01-01",
        "2024-01-02",
    ]


def test_made_up_symbols_are_marked_for_good(store: DataManager) -> None:
    store.write_many([("FAKE", "1m", frame([0]))], generated=True)
    store.write_bars("AAPL", "1m", frame([0]))
    store.write_many([("DREAM", "1m", frame([0]))], generated=True)
    assert DataManager(store.path).generated_symbols() == ("DREAM", "FAKE")
    assert {row.symbol: row.generated for row in store.listing()} == {"AAPL": False, "DREAM": True, "FAKE": True}
