"""Reading blocks, views and inventories; tables that other tools have touched."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import write_deltalake
from tests.unit.catalog.helpers import DAY_US, MINUTE_US, NEW_YORK, OPEN, OPEN_US, bars, data_files, frame, starts

from mismartera.catalog import DataManager, reader
from mismartera.errors import StoreError


@pytest.fixture
def store(tmp_path: Path) -> DataManager:
    """Three days of A, B, C; B lacks the second day; D on the third only."""
    manager = DataManager(tmp_path / "store")
    manager.write_many(
        [
            ("C", "1m", frame([0, 1, 1440, 1441, 2880, 2881], 30)),
            ("A", "1m", frame([0, 1, 2, 1440, 2880], 10)),
            ("B", "1m", frame([1, 2880], 20)),
            ("D", "1m", frame([2885], 40)),
            ("A", "5m", frame([0, 5], 10)),
        ]
    )
    return manager


def test_block_has_the_order_of_the_request(store: DataManager) -> None:
    block = store.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["C", "NONE", "A", "D", "B"])
    assert block.symbols == ("C", "NONE", "A", "D", "B")
    assert block.offsets.tolist() == [0, 2, 2, 5, 5, 6]
    assert block.open.tolist() == [30, 30, 10, 10, 10, 20]
    assert starts(block, "A") == [0, 1, 2]


def test_block_spans_days_in_time_order(store: DataManager) -> None:
    block = store.read_block("1m", OPEN_US, OPEN_US + 3 * DAY_US, ["B", "A"])
    assert starts(block, "B") == [1, 2880]
    assert starts(block, "A") == [0, 1, 2, 1440, 2880]


def test_block_is_half_open(store: DataManager) -> None:
    block = store.read_block("1m", OPEN_US + MINUTE_US, OPEN_US + 2 * MINUTE_US, ["A", "B", "C"])
    assert block.rows_per_symbol.tolist() == [1, 1, 1]
    assert set(block.start.tolist()) == {OPEN_US + MINUTE_US}


def test_block_columns_are_read_only(store: DataManager) -> None:
    block = store.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"])
    with pytest.raises(ValueError, match="read-only"):
        block.close[0] = 1.0


def test_nothing_asked_or_nothing_there_is_an_empty_block(store: DataManager) -> None:
    assert store.read_block("1m", OPEN_US, OPEN_US + DAY_US, []).symbols == ()
    assert len(store.read_block("1m", OPEN_US - DAY_US, OPEN_US, ["A"])) == 0
    assert len(store.read_block("1h", OPEN_US, OPEN_US + DAY_US, ["A"])) == 0
    assert len(store.read_block("1m", OPEN_US, OPEN_US, ["A"])) == 0
    with pytest.raises(ValueError, match="twice"):
        store.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A", "A"])


@pytest.mark.parametrize("size", [1, 24, 25, 40])
@pytest.mark.parametrize("rows_min", [10, reader.FILTER_ROWS_MIN])
def test_few_and_many_symbols_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, rows_min: int
) -> None:
    """Few symbols, or those of many days, are found by statistics; many of a day by reading it whole."""
    monkeypatch.setattr(reader, "FILTER_ROWS_MIN", rows_min)
    manager = DataManager(tmp_path / "store")
    names = [f"S{n:02d}" for n in range(40)]
    manager.write_many((name, "1m", frame(range(0, 2000, 7), 10 + n)) for n, name in enumerate(names))
    wanted = [names[n] for n in np.random.default_rng(1).permutation(40)[:size]]
    block = manager.read_block("1m", OPEN_US, OPEN_US + 1000 * MINUTE_US, wanted)
    assert block.open.tolist() == [float(10 + int(name[1:])) for name in wanted for _ in range(0, 1000, 7)]
    assert all(starts(block, name) == list(range(0, 1000, 7)) for name in wanted)


def foreign_rows(symbols: list[str], minutes: list[int], price: float = 1.0) -> pl.DataFrame:
    rows = frame(minutes, price).with_columns(
        symbol=pl.Series(symbols), interval=pl.lit("1m"), date=pl.lit(date(2024, 7, 2)), low=pl.lit(0.5)
    )
    return rows.select("symbol", "interval", "date", "timestamp", "open", "high", "low", "close", "volume")


def test_what_is_kept_of_the_last_read_is_what_the_file_holds(store: DataManager) -> None:
    """Another order, other symbols, a part of the time, other files, and what was written meanwhile."""
    fresh = DataManager(store.path)
    for symbols in (["A", "B"], ["C"], ["B", "NONE", "C", "A"]):
        for first, last in ((0, 1), (0, 3), (1, 2), (0, 1)):
            span = (OPEN_US + first * DAY_US, OPEN_US + last * DAY_US)
            one, other = (
                store.read_block("1m", *span, symbols),
                DataManager(store.path).read_block("1m", *span, symbols),
            )
            assert one.symbols == other.symbols
            assert one.offsets.tolist() == other.offsets.tolist()
            assert one.start.tolist() == other.start.tolist()
            assert [c.tolist() for c in one.columns] == [c.tolist() for c in other.columns]
    assert starts(fresh.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["B"]), "B") == [1]
    fresh.write_bars("B", "1m", frame([2], 20))
    assert starts(fresh.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["B"]), "B") == [1, 2]


def test_rows_that_another_tool_appends_unsorted_are_sorted(store: DataManager) -> None:
    """D05"""
    write_deltalake(store.path, foreign_rows(["C", "A", "E", "A", "C"], [9, 7, 3, 4, 8]), mode="append")
    assert len(store.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["E"])) == 0, "not before refresh"
    store.refresh()
    block = store.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A", "C", "E"])
    assert starts(block, "A") == [0, 1, 2, 4, 7]
    assert starts(block, "C") == [0, 1, 8, 9]
    assert starts(block, "E") == [3]
    assert store.symbols() == ("A", "B", "C", "D", "E")
    assert store.availability("C")["1m"].rows == 8


def test_duplicate_keys_of_another_tool_stay_until_the_partition_is_written(store: DataManager) -> None:
    """D05: the session counts them; the next write of ours, or compaction, keeps the last."""
    write_deltalake(store.path, foreign_rows(["A", "A"], [1, 1], 7.0), mode="append")
    store.refresh()
    assert starts(store.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"]), "A") == [0, 1, 1, 1, 2]
    version = store.version
    assert store.compact() == 1
    assert starts(store.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"]), "A") == [0, 1, 2]
    assert store.compact() == 0
    old = DataManager(store.path, version=version)
    assert starts(old.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"]), "A") == [0, 1, 1, 1, 2]


def test_a_nan_of_another_tool_reaches_the_reader_who_rejects_it(store: DataManager) -> None:
    rows = foreign_rows(["A"], [5]).with_columns(close=pl.lit(float("nan")))
    write_deltalake(store.path, rows, mode="append")
    store.refresh()
    block = store.read_block("1m", OPEN_US + 5 * MINUTE_US, OPEN_US + 6 * MINUTE_US, ["A"])
    assert np.isnan(block.close).tolist() == [True]


def test_a_table_of_another_tool_is_read_but_not_written(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", foreign_rows(["A", "B"], [1, 0]), partition_by=["interval", "date"])
    manager = DataManager(tmp_path / "t")
    assert manager.symbols() == ("A", "B")
    assert starts(manager.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"]), "A") == [1]
    with pytest.raises(StoreError, match="made by another tool"):
        manager.write_bars("A", "1m", bars("A", [0]))


def test_get_bars_shows_the_zone_of_the_request(store: DataManager) -> None:
    view = store.get_bars("A", "1m", OPEN, OPEN + timedelta(hours=1))
    assert [one.timestamp for one in view] == [OPEN + timedelta(minutes=n) for n in range(3)]
    assert view[0].timestamp.tzinfo is NEW_YORK
    assert view[0].end == OPEN + timedelta(minutes=1)
    assert view.bar_count.tolist() == [1, 1, 1]
    assert store.get_bars("A", "1m", datetime(2024, 7, 2, tzinfo=UTC), OPEN)[0:0] == view[0:0]


def test_get_bars_of_the_unknown_is_empty(store: DataManager) -> None:
    assert len(store.get_bars("NOBODY", "1m", OPEN, OPEN + timedelta(days=1))) == 0


def test_inventory(store: DataManager) -> None:
    assert store.symbols() == ("A", "B", "C", "D")
    assert store.availability("A") == {
        "1m": (OPEN_US, OPEN_US + 2880 * MINUTE_US, 5),
        "5m": (OPEN_US, OPEN_US + 5 * MINUTE_US, 2),
    }
    assert store.availability("NOBODY") == {}
    assert store.coverage("A", "1m") == [("2024-07-02", 3), ("2024-07-03", 1), ("2024-07-04", 1)]
    assert store.coverage("A", "1h") == []
    assert store.known_intervals(["D", "A", "NOBODY"]) == {"A": frozenset({"1m", "5m"}), "D": frozenset({"1m"})}
    assert [(row.symbol, row.interval, row.bars, row.days) for row in store.listing()] == [
        ("A", "1m", 5, 3), ("A", "5m", 2, 1), ("B", "1m", 2, 2), ("C", "1m", 6, 3), ("D", "1m", 1, 1),
    ]  # fmt: skip


def test_a_pinned_version_does_not_see_later_writes(store: DataManager) -> None:
    version = store.version
    pinned = DataManager(store.path, version=version)
    store.write_bars("A", "1m", bars("A", [0], 99))
    assert store.version == version + 1
    for manager in (pinned, DataManager(store.path, version=version)):
        assert manager.refresh() == manager.version == version
        assert manager.read_block("1m", OPEN_US, OPEN_US + MINUTE_US, ["A"]).open.tolist() == [10.0]
    assert store.read_block("1m", OPEN_US, OPEN_US + MINUTE_US, ["A"]).open.tolist() == [99.0]


def test_another_managers_write_is_seen_after_refresh(store: DataManager) -> None:
    other = DataManager(store.path)
    before = other.version
    store.write_bars("A", "1m", bars("A", [9]))
    assert other.version == before
    assert other.refresh() == store.version
    assert 9 in starts(other.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"]), "A")


def test_one_day_is_one_file(store: DataManager) -> None:
    assert len(data_files(store.path)) == 4
