"""Recorded data of several vendors: normalised files, and the vendors' own CSVs to check them by."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from tests.unit.catalog.helpers import real_data

from mismartera.catalog import DataManager, check_store, import_files
from mismartera.timing import TimeManager


@pytest.fixture(scope="module")
def folder() -> Path:
    return real_data()


@pytest.fixture(scope="module")
def store(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> DataManager:
    manager = DataManager(tmp_path_factory.mktemp("real") / "store")
    report = import_files(manager, [folder / "bars"])
    assert (report.files, report.rows, report.accepted) == (220, 55_986, 55_986)
    assert (report.failed_files, report.notes, report.version) == ((), (), 1)
    return manager


def test_the_inventory_of_the_real_data(store: DataManager) -> None:
    assert len(store.symbols()) == 16
    assert store.availability("MSFT").keys() == {"1m", "5m"}
    assert store.availability("MSFT")["5m"].rows == 9 * 78


ORIGINALS: list[tuple[str, dict[str, Any]]] = [
    ("blaizard-market-data", {"layout": "{symbol}_2024_excerpt.csv", "interval": "1m"}),
    ("market_prices", {"layout": "{symbol}_*.csv"}),
    ("skender-stock-indicators", {"symbol": "SPY", "interval": "1m", "tz": "America/New_York"}),
    ("frst-backtest-suite", {"symbol": "SPY", "interval": "1m"}),
    ("mplfinance", {"symbol": "SPX", "interval": "1m", "tz": "America/New_York"}),
    ("pyalgotrade/nt-spy-minute-2011-03.csv",
     {"symbol": "SPY", "interval": "1m", "timestamps": "end",
      "columns": {"1": "timestamp", "2": "open", "3": "high", "4": "low", "5": "close", "6": "volume"}}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "options"), ORIGINALS, ids=[path for path, _ in ORIGINALS])
def test_the_vendors_own_files_give_the_same_bars(
    store: DataManager, folder: Path, path: str, options: dict[str, Any]
) -> None:
    """Zones, end labels, units and columns of six vendors, judged by bars that somebody else has normalised."""
    report = import_files(store, [folder / "originals" / path], **options)
    assert report.failed_files == ()
    assert report.rows == report.duplicate > 500


def test_what_is_present_agrees_with_an_independent_count(store: DataManager, folder: Path) -> None:
    with (folder / "checks.csv").open() as handle:
        wanted = {
            (row["symbol"], row["interval"], row["date"]): (
                int(row["regular"]),
                int(row["session_minutes"]) // (5 if row["interval"] == "5m" else 1),
            )
            for row in csv.DictReader(handle)
            if not row["symbol"].endswith(("COINBASE", ".HK"))
        }
    symbols = sorted({symbol for symbol, _, _ in wanted})
    rows = check_store(store, TimeManager("XNYS"), symbols).rows
    found = {(row.symbol, row.interval, str(row.date)): (row.present, row.expected) for row in rows}
    assert found == wanted
