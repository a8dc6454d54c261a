"""Backtests over recorded data, held against the reference model, event by event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.integration import real_oracle as oracle
from tests.integration.real_runs import INDICATORS, config, import_all
from tests.property.helpers import run_engine, run_reference
from tests.property.test_against_reference import assert_equal

from mismartera.catalog import DataManager
from mismartera.testing.reference_bars import RefBar

HISTORY = {"data": [{"trailing_days": 1, "intervals": ["1m"]}]}
RUNS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "half day": (
        (["NVR", "TPL", "TDG"], ("2024-07-02", "2024-07-05"), ("1m", "5m", "1d")),
        {
            "schedule": [
                {"at": "2024-07-02T10:00", "add": "AZO"},
                {"at": "2024-07-02T14:00:30", "remove": "TDG"},
                {"at": "2024-07-03T13:00", "add": "TDG", "streams": ["15m"]},
                {"at": "2024-07-05T11:11", "add": "NOBODY"},
            ],
            "historical": HISTORY,
            "indicators": INDICATORS,
        },
    ),
    "first trading day": ((["ERIE", "SW"], ("2024-07-05", "2024-07-09"), ("5m", "1h")), {}),
    "daylight saving time, extended hours": (
        (["SPY"], ("2011-03-11", "2011-03-14"), ("5m", "1h", "1d")),
        {"hours": {"open": "04:00", "close": "20:00"}, "derived_bars": "complete", "historical": HISTORY},
    ),
    "Hong Kong": (
        ([], ("2024-01-17", "2024-01-18"), ("1m", "7m", "1h", "1d")),
        {"group": "HK_EQUITY", "schedule": [{"at": "2024-01-17T12:20", "add": "9988.HK"}]},
    ),
    "around the clock": (
        (["BTCUSD-COINBASE"], ("2018-04-04", "2018-04-05"), ("1m", "1h")),
        {
            "group": "CRYPTO",
            "schedule": [{"at": "2018-04-04T17:00", "add": "ETHUSD-COINBASE"}],
            "streaming": {"catchup_threshold_seconds": 600, "catchup_scope": "symbol"},
        },
    ),
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DataManager]:
    return import_all(tmp_path_factory)


@pytest.mark.parametrize("name", RUNS)
def test_a_real_day_is_told_as_the_reference_model_tells_it(real: tuple[Path, DataManager], name: str) -> None:
    folder, store = real
    args, data = RUNS[name]
    settings = config(*args, **data)
    assert_equal(run_engine(settings, store), run_reference(settings, stored_bars(folder)))


def stored_bars(folder: Path) -> dict[tuple[str, str], list[RefBar]]:
    """All recorded 1m bars, read without our importer."""
    bars: dict[tuple[str, str], list[RefBar]] = {}
    for path in sorted((folder / "bars").glob("*/1m/*.parquet")):
        symbol = path.parts[-3]
        frame = oracle.stored(folder, symbol, path.stem).select("timestamp", *oracle.PRICES)
        bars.setdefault((symbol, "1m"), []).extend(RefBar(*row) for row in frame.rows())
    return bars
