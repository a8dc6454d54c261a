"""Timetables on disk: a later start needs neither pandas nor exchange_calendars, and no file can break a start."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from mismartera.timing import ExchangeCalendar, user_cache_dir
from mismartera.timing.timetable import Timetable, compute_timetable, load_timetable


def fresh(code: str, cache_dir: Path | None) -> Timetable:
    """As a new process would load it."""
    return load_timetable.__wrapped__(code, cache_dir)


def contents(table: Timetable) -> list[object]:
    return [getattr(table, name) for name in table.__struct_fields__ if name != "is_stored"]


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.mark.parametrize("code", ["XHKG", "24/7"])
def test_a_stored_timetable_is_the_computed_one(code: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    computed = fresh(code, folder)
    assert not computed.is_stored
    stored = fresh(code, folder)
    assert stored.is_stored
    assert contents(stored) == contents(computed)
    assert contents(fresh(code, None)) == contents(computed)


def test_the_file_names_the_versions_that_made_it(tmp_path: Path) -> None:
    from importlib.metadata import version

    fresh("24/7", tmp_path)
    name = only_file(tmp_path).name
    assert name.startswith(f"24%2F7-{version('exchange_calendars')}-{version('tzdata')}-")


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 40, 200, 10_000, -1])
def test_a_truncated_file_is_replaced(cut: int, tmp_path: Path) -> None:
    expected = contents(fresh("24/7", tmp_path))
    path = only_file(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    assert contents(fresh("24/7", tmp_path)) == expected
    assert path.read_bytes() == whole
    assert fresh("24/7", tmp_path).is_stored


@pytest.mark.parametrize("at", [0, 33, 60, 500, 300_000])
def test_a_flipped_bit_is_noticed(at: int, tmp_path: Path) -> None:
    expected = contents(fresh("24/7", tmp_path))
    path = only_file(tmp_path)
    damaged = bytearray(path.read_bytes())
    damaged[at] ^= 1
    path.write_bytes(damaged)
    found = fresh("24/7", tmp_path)
    assert not found.is_stored
    assert contents(found) == expected


def test_a_folder_that_cannot_be_made_costs_time_only(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert not fresh("24/7", blocked).is_stored
    assert not fresh("24/7", blocked / "below").is_stored
    assert blocked.read_text() == "in the way"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_costs_time_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert not fresh("24/7", tmp_path).is_stored
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o700)


def test_a_target_that_cannot_be_replaced_leaves_no_scrap(tmp_path: Path) -> None:
    fresh("24/7", tmp_path)
    path = only_file(tmp_path)
    path.unlink()
    path.mkdir()  # a folder of the file's name: reading and replacing it both fail
    assert not fresh("24/7", tmp_path).is_stored
    assert list(tmp_path.iterdir()) == [path]


def test_a_stored_timetable_that_ends_too_early_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compute_timetable("24/7", None)
    names = ("ordinal", "open_us", "close_us", "break_start_us", "break_end_us", "half_day")
    columns = {name: getattr(whole, name)[: whole.row(date(2024, 7, 6))] for name in names}
    short = Timetable(whole.zone, whole.first, date(2024, 7, 5), is_stored=True, **columns)
    monkeypatch.setattr("mismartera.timing.calendar.load_timetable", lambda code, cache_dir: short)
    for ask in (
        lambda calendar: calendar.is_session(date(2024, 7, 6)),
        lambda calendar: calendar.after(date(2024, 7, 5)) == date(2024, 7, 6),
        lambda calendar: calendar.date_at(short.close_us[-1]) == date(2024, 7, 6),
        lambda calendar: len(calendar.dates(date(2024, 7, 5), date(2024, 7, 6))) == 2,
    ):
        calendar = ExchangeCalendar("24/7", cache_dir=tmp_path)
        assert calendar.last_date == date(2024, 7, 5)
        assert ask(calendar)
        assert calendar.last_date == whole.last
    assert fresh("24/7", tmp_path).last - whole.last < timedelta(days=2)


def _run(program: str, *args: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_timing_loads_nothing_heavy() -> None:
    program = (
        "import sys, mismartera.timing; "
        "print([m for m in ('pandas', 'exchange_calendars', 'polars', 'talib') if m in sys.modules])"
    )
    assert _run(program) == "[]"


def test_a_start_with_a_stored_timetable_loads_nothing_heavy(tmp_path: Path) -> None:
    fresh("XNYS", tmp_path)
    program = (
        "import sys, datetime, pathlib; from mismartera.timing import TimeManager\n"
        "manager = TimeManager('XNYS', cache_dir=pathlib.Path(sys.argv[1]))\n"
        "print(manager.get_trading_session(datetime.date(2024, 7, 3)).close.isoformat())\n"
        "print([m for m in ('pandas', 'exchange_calendars') if m in sys.modules])"
    )
    assert _run(program, str(tmp_path)).splitlines() == ["2024-07-03T13:00:00-04:00", "[]"]


def test_the_users_cache_follows_xdg() -> None:
    ending = Path("mismartera") / "calendars"
    assert user_cache_dir({"XDG_CACHE_HOME": "/somewhere"}) == Path("/somewhere") / ending
    home = Path.home() / ".cache" / ending
    assert user_cache_dir({}) == home
    assert user_cache_dir({"XDG_CACHE_HOME": ""}) == home
    assert user_cache_dir({"XDG_CACHE_HOME": "relative/path"}) == home
