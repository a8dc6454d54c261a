"""Sample data: realistic, reproducible, marked, and within the timetable that was handed in."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.unit.catalog.helpers import frame

from mismartera.bars import Bars
from mismartera.bars.instants import MINUTE_US
from mismartera.catalog import (
    SAMPLE_CALENDAR,
    SAMPLE_END,
    SAMPLE_START,
    DataManager,
    check_store,
    sample_symbols,
    write_sample,
)
from mismartera.errors import StoreError
from mismartera.timing import TimeManager, TradingSession


@pytest.fixture(scope="module")
def time_manager() -> TimeManager:
    return TimeManager(SAMPLE_CALENDAR)


@pytest.fixture(scope="module")
def sessions(time_manager: TimeManager) -> list[TradingSession]:
    return [time_manager.get_trading_session(day) for day in time_manager.trading_dates(SAMPLE_START, SAMPLE_END)]


@pytest.fixture(scope="module")
def sample(sessions: list[TradingSession], tmp_path_factory: pytest.TempPathFactory) -> DataManager:
    store = DataManager(tmp_path_factory.mktemp("sample") / "store")
    report = write_sample(store, sessions)
    assert report.accepted == report.rows > 5000
    return store


def day(store: DataManager, symbol: str, session: TradingSession, hours: int = 0) -> Bars:
    return store.get_bars(
        symbol, "1m", session.open - timedelta(hours=hours), session.close + timedelta(hours=hours)
    )


def test_the_week_has_a_half_day_and_no_bars_on_the_holiday(
    sample: DataManager, sessions: list[TradingSession]
) -> None:
    assert [session.is_half_day for session in sessions] == [False, False, True, False]
    assert (
        sample.symbols() == sample_symbols(8) == ("ALFA", "BRVO", "CHRL", "DLTA", "ECHO", "FXTR", "GOLF", "HOTL")
    )
    assert [date for date, _ in sample.coverage("ALFA", "1m")] == [str(session.date) for session in sessions]
    assert [len(day(sample, "ALFA", session)) for session in sessions] == [390, 390, 210, 390]


def test_the_same_seed_gives_the_same_bars(
    sample: DataManager, sessions: list[TradingSession], tmp_path: Path
) -> None:
    again, other = DataManager(tmp_path / "again"), DataManager(tmp_path / "other")
    write_sample(again, sessions, symbols=3)
    write_sample(other, sessions, symbols=3, seed=8)
    for symbol in sample_symbols(3):
        assert day(again, symbol, sessions[0]) == day(sample, symbol, sessions[0])
        assert day(other, symbol, sessions[0]) != day(sample, symbol, sessions[0])
    report = write_sample(again, sessions, symbols=3)
    assert report.accepted == report.revised == report.rejected == 0


def test_volume_smiles(sample: DataManager, sessions: list[TradingSession]) -> None:
    volume = day(sample, "ALFA", sessions[0]).volume
    middle = np.median(volume[150:240])
    assert np.median(volume[:10]) > 2.5 * middle
    assert np.median(volume[-10:]) > 2.0 * middle


def test_one_liquid_symbol_has_a_gap_and_others_are_sparse(
    sample: DataManager, sessions: list[TradingSession], time_manager: TimeManager
) -> None:
    rows = {(row.symbol, row.date): row for row in check_store(sample, time_manager).rows}
    gaps = rows["BRVO", sessions[1].date].gaps
    assert [missing for _, _, missing in gaps] == [12]
    assert rows["ALFA", sessions[1].date].percent == 100.0
    sparse = [rows[symbol, sessions[0].date].percent for symbol in ("FXTR", "GOLF", "HOTL")]
    assert all(percent is not None and 3 < percent < 65 for percent in sparse)


def test_extended_hours_are_quiet_and_within_four_and_twenty(
    sample: DataManager, sessions: list[TradingSession]
) -> None:
    session = sessions[0]
    whole, regular = day(sample, "ALFA", session, 12), day(sample, "ALFA", session)
    outside = [bar for bar in whole if not session.contains(bar.start_us)]
    assert len(outside) > 50
    assert all(4 <= bar.timestamp.hour < 20 for bar in outside)
    assert np.mean([bar.volume for bar in outside]) < regular.volume.mean() / 5
    assert not np.any(np.diff(whole.start_us) < MINUTE_US)


def test_sample_bars_are_marked(sample: DataManager) -> None:
    assert sample.generated_symbols() == sample_symbols(8)
    assert all(row.generated for row in sample.listing())


def test_a_sample_never_mixes_with_real_bars(sessions: list[TradingSession], tmp_path: Path) -> None:
    store = DataManager(tmp_path / "store")
    store.write_bars("CHRL", "1m", frame([0]))
    with pytest.raises(StoreError, match="has bars of CHRL that were not generated"):
        write_sample(store, sessions)
    assert store.symbols() == ("CHRL",)
    assert write_sample(store, sessions, symbols=2).accepted > 0


def test_more_symbols_have_numbered_names(sessions: list[TradingSession], tmp_path: Path) -> None:
    store = DataManager(tmp_path / "store")
    write_sample(store, sessions[:1], symbols=12)
    assert store.symbols()[-4:] == ("S0009", "S0010", "S0011", "S0012")
    with pytest.raises(ValueError, match="need sessions and symbols"):
        write_sample(store, [], symbols=1)


def test_a_lunch_break_has_no_bars(tmp_path: Path) -> None:
    session = TimeManager("XHKG").get_trading_session(SAMPLE_START + timedelta(days=1))
    store = DataManager(tmp_path / "store")
    write_sample(store, [session], symbols=1)
    (first, noon), (afternoon, last) = session.parts
    start = day(store, "ALFA", session).start_us
    assert np.count_nonzero(start < noon) == (noon - first) // MINUTE_US
    assert np.count_nonzero(start >= afternoon) == (last - afternoon) // MINUTE_US
