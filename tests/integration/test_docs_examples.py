"""Every example runs as it stands, and shows what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.processes import call, link_repository, run
from tests.sources import ROOT

EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place like a clone after ``make run``: the repository's files, and the sample store beside them."""
    folder = link_repository(tmp_path_factory.mktemp("clone"))
    call(["data", "sample", "--data", "sample"], folder)
    return folder


def events_of(place: Path, config: str, *options: str) -> list[dict[str, Any]]:
    """The events of a run of ``config`` on the sample, which must be free of strategy errors."""
    log = place / "events.jsonl"
    call(["run", config, "--data", "sample", "--events", log, "--quiet", *options], place)
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert not [event for event in events if event["event"] == "strategy_error"]
    return events


def times(events: list[dict[str, Any]], name: str) -> list[tuple[str, str]]:
    """Time (UTC) and symbol of the events of this name."""
    return [(event["time"][:16], event["symbol"]) for event in events if event["event"] == name]


def test_the_list_of_examples_is_complete() -> None:
    listed = set(re.findall(r"\]\(([\w.]+)\)", (EXAMPLES / "README.md").read_text("utf-8")))
    there = {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".sh", ".csv"}}
    assert there == listed


def test_watcher_tells_who_comes_and_goes_and_a_line_an_hour(place: Path) -> None:
    config = "session_configs/dynamic_symbols.json"
    told = call(["run", config, "--data", "sample", "--log-level", "INFO"], place).err
    lines = re.findall(r"INFO: (\S+ \S+) EDT watcher: (.*)", told)
    hours = [time for time, text in lines if text.startswith("ALFA ")]
    assert hours == [f"2024-07-02 {hour}:00:00" for hour in range(10, 17)] + [
        f"2024-07-03 {hour}:00:00" for hour in range(10, 14)
    ]
    assert re.search(r"2024-07-02 10:00:00 EDT watcher: CHRL is caught up: \d+ bars since 09:3", told)
    assert "2024-07-02 14:00:00 EDT watcher: BRVO is gone" in told
    assert dict(lines)["2024-07-02 16:00:00"].startswith("ALFA ")
    assert "BRVO" not in dict(lines)["2024-07-02 16:00:00"]


def test_momentum_signals_are_the_crossings_of_the_dumped_columns(place: Path) -> None:
    events = events_of(place, "session_configs/example_session.json", "--dump", "dump")
    signals = [(event["time"], event["name"], event["value"]) for event in events if event["event"] == "signal"]
    crossings = []
    for path in sorted((place / "dump").glob("*/*/5m.parquet")):
        rows = pl.read_parquet(path).filter(pl.col("SMA_20").is_not_null()).iter_rows(named=True)
        above: bool | None = None
        for row in rows:
            before, above = above, row["close"] > row["SMA_20"]
            if before is not None and above != before:
                crossings.append((f"{path.parent.name} {'above' if above else 'below'}", row["close"]))
    assert len(signals) > 20
    assert sorted((name, value) for _, name, value in signals) == sorted(crossings)


def test_rotation_replaces_one_symbol_at_each_of_its_times(place: Path) -> None:
    events = events_of(place, "docs/examples/rotation.json")
    at = ["2024-07-02T14:30", "2024-07-02T16:00"]  # 10:30 and 12:00 in New York
    assert [time for time, _ in times(events, "symbol_removed")] == at
    assert [pair for pair in times(events, "symbol_loaded") if pair[0] in at] == list(
        zip(at, ["BRVO", "CHRL"], strict=True)
    )
    assert [event["time"][:16] for event in events if event["event"] == "signal"] == at


def test_add_symbol_reads_from_the_open_and_hears_fresh_bars_only(place: Path) -> None:
    told = run(["python", "docs/examples/add_symbol.py"], place)
    assert "before:  frozenset({'ALFA'}) None" in told
    assert "at 10:00: 6 five-minute bars, the first of 09:30" in told
    assert re.search(r"SMA\(5\): +\[nan, nan, nan, nan, \d+\.\d+, \d+\.\d+\]", told)
    # 390 minutes, but for the 12 of BRVO's gap and the 28 that were stale at 10:00
    assert "heard:    350 one-minute bars, the first of 09:58" in told


def test_scan_slices_has_a_widest_symbol_in_every_minute(place: Path) -> None:
    rows = re.findall(r"(\w+) +(\d+) of (\d+) minutes", run(["python", "docs/examples/scan_slices.py"], place))
    counts = [int(count) for _, count, _ in rows]
    assert {int(total) for *_, total in rows} == {3 * 390 + 210}  # three full days and a half one
    assert sum(counts) == 3 * 390 + 210
    assert counts == sorted(counts, reverse=True)


def test_import_csv_accepts_each_row_once(place: Path) -> None:
    told = run(["docs/examples/import_csv.sh", "imported"], place)
    bars = len((EXAMPLES / "ORCA.csv").read_text("utf-8").splitlines()) - 1
    assert re.search(rf"\b1 +{bars} +{bars} +0 +0 +0\b", told), "first import: all rows are new"
    assert re.search(rf"\b1 +{bars} +0 +{bars} +0 +0\b", told), "second import: all rows are there already"
    assert f"{bars} of 390 expected bars" in told
