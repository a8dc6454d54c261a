"""Results: kept line by line, found again by what they depend on, and put in a table."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.runs import minute_bars

from mismartera import DataManager
from mismartera.errors import StoreError, UsageError
from mismartera.sweeps import Grid
from mismartera.sweeps.identity import Keys
from mismartera.sweeps.kept import FINISHED_NAME, KeptResults
from mismartera.sweeps.table import make_table, names_of, parameter_column, write_table
from mismartera.sweeps.tasks import Task, plan_tasks, read_base
from mismartera.sweeps.work import SIGNALS_MAX, Figures, SignalSink, TaskResult, error_text, failed

PERIOD = "analysis.strategies[0].params.period"


def result(number: int = 1) -> TaskResult:
    figures = dict.fromkeys(Figures.__annotations__, number) | {"wall_seconds": 0.5}
    return failed("") | {"status": "ok", "error": None, "figures": figures}  # type: ignore[return-value]


def tasks(count: int, **changes: Any) -> list[Task]:
    config = {
        "backtest_config": {"start_date": "2024-07-01", "end_date": "2024-07-02"},
        "session_data_config": {"symbols": ["AAA"]},
        "analysis": {"strategies": [{"class": "mine:Mine"}]},
        **changes,
    }
    return plan_tasks(read_base(config), Grid(parameters={PERIOD: list(range(count))}))


@pytest.fixture
def store(tmp_path: Path) -> DataManager:
    data = DataManager(tmp_path / "bars")
    data.write_bars("AAA", "1m", minute_bars("AAA"))
    return data


def keys(data: DataManager, folder: Path, **changes: Any) -> list[str]:
    made = Keys([str(data.path), data.table_id, data.version], [folder])
    return [made.key(task) for task in tasks(3, **changes)]


def test_what_is_kept_is_found_again_and_failures_are_not(tmp_path: Path) -> None:
    with KeptResults(tmp_path / "a" / "b") as kept:
        assert kept.finished() == {}
        kept.add([("one", result(1)), ("two", failed("no luck"))])
        kept.add([("three", result(3))])
        kept.add([])
    with KeptResults(tmp_path / "a" / "b") as kept:
        assert kept.finished() == {"one": result(1), "three": result(3)}
        kept.add([("two", result(2))])
        assert list(kept.finished()) == ["one", "three", "two"]


@pytest.mark.parametrize("rest", [b'{"key": "two", "resu', b"x" * 200_000, b"\xff\x00"])
def test_a_line_that_a_crash_cut_off_is_passed_over(tmp_path: Path, rest: bytes) -> None:
    with KeptResults(tmp_path) as kept:
        kept.add([("one", result(1))])
    file = tmp_path / FINISHED_NAME
    file.write_bytes(file.read_bytes() + rest)
    with KeptResults(tmp_path) as kept:
        kept.add([("three", result(3))])
        assert kept.finished() == {"one": result(1), "three": result(3)}


def test_lines_of_another_kind_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / FINISHED_NAME).write_bytes(b'[]\n\n{"key": 1}\n"text"\n{"key": "k", "result": null}\n\xff\n')
    with KeptResults(tmp_path) as kept:
        assert kept.finished() == {}


def test_a_folder_has_one_sweep_at_a_time(tmp_path: Path) -> None:
    with (
        KeptResults(tmp_path),
        pytest.raises(UsageError, match=rf"process {os.getpid()} runs a sweep into .*--out"),
        KeptResults(tmp_path),
    ):
        raise AssertionError("never entered")
    with KeptResults(tmp_path) as kept:
        assert kept.finished() == {}


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    script = "import os, sys; from pathlib import Path; from mismartera.sweeps.kept import KeptResults\n"
    script += "with KeptResults(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == -9
    with KeptResults(tmp_path) as kept:
        assert kept.finished() == {}


def test_a_file_is_no_folder_for_results(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with (
        pytest.raises(UsageError, match="is a file: the results of a sweep need a folder"),
        KeptResults(tmp_path / "f"),
    ):
        raise AssertionError("never entered")


def test_tasks_with_equal_results_have_equal_keys_and_no_others(tmp_path: Path, store: DataManager) -> None:
    (tmp_path / "mine.py").write_text("from helper import x\nimport numpy")
    (tmp_path / "helper.py").write_text("from . import deep\nimport below.deeper")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "deeper.py").write_text("import near\nfrom .related import x")
    for name in ("__init__", "near", "related"):
        (tmp_path / "below" / f"{name}.py").write_text("x = 1")
    (tmp_path / "aside.py").write_text("x = 1")
    first = keys(store, tmp_path)
    assert len(set(first)) == 3
    assert keys(DataManager(store.path), tmp_path) == first
    (tmp_path / "aside.py").write_text("x = 2")
    assert keys(store, tmp_path) == first, "no strategy imports it"
    seen = set(first)
    below = ("below/deeper.py", "below/__init__.py", "below/near.py", "below/related.py")
    for change in ("mine.py", "helper.py", *below):
        with (tmp_path / change).open("a") as file:
            file.write("\n# changed")
        now = keys(store, tmp_path)
        assert not seen & set(now), change
        seen |= set(now)
    dates = {"start_date": "2024-07-01", "end_date": "2024-07-03"}
    assert not seen & set(keys(store, tmp_path, backtest_config=dates))
    store.write_bars("BBB", "1m", minute_bars("BBB"))
    assert not seen & set(keys(store, tmp_path)), "another version of the store"


def test_another_store_in_the_place_of_the_first_has_other_keys(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        data = DataManager(tmp_path / name)
        data.write_bars("AAA", "1m", minute_bars("AAA"))
        (tmp_path / name).rename(tmp_path / "store")
        found += keys(DataManager(tmp_path / "store"), tmp_path)
        (tmp_path / "store").rename(tmp_path / f"was_{name}")
    assert len(set(found)) == 6


def test_the_table_has_a_row_for_each_task_and_a_column_for_each_key_path() -> None:
    told = tasks(3)
    results = [result(0), failed("it broke"), result(2)]
    table = make_table(list(zip(told, results, strict=True)), names_of(told), 7)
    assert table["task"].to_list() == [0, 1, 2]
    assert table[PERIOD].to_list() == [0, 1, 2]
    assert table["status"].to_list() == ["ok", "failed", "ok"]
    assert table["error"].to_list() == [None, "it broke", None]
    assert table["bars_streamed"].to_list() == [0, None, 2]
    assert table["quality_percent"].to_list() == [None, None, 100.0], "nothing expected is no quality"
    assert table["start_date"].to_list() == [date(2024, 7, 1)] * 3
    assert table["store_version"].to_list() == [7] * 3
    assert table.columns[-1] == "wall_seconds"
    empty = make_table([], names_of(told), 7)
    assert (empty.height, empty.columns) == (0, table.columns)


@pytest.mark.parametrize(
    ("values", "kind", "shown"),
    [
        ([1, None, 3], pl.Int64(), [1, None, 3]),
        ([1, 2.5], pl.Float64(), [1.0, 2.5]),
        ([True, False], pl.Boolean(), [True, False]),
        (["a", None], pl.String(), ["a", None]),
        ([["1m"], ["1m", "5m"]], pl.String(), ['["1m"]', '["1m", "5m"]']),
        ([True, 1, "a", None], pl.String(), ["true", "1", '"a"', None]),
        ([2**70, 1], pl.String(), [str(2**70), "1"]),
        ([None], pl.String(), [None]),
    ],
)
def test_a_key_paths_column_has_the_type_of_its_values(
    values: list[Any], kind: pl.DataType, shown: list[Any]
) -> None:
    column = parameter_column("x", values)
    assert (column.dtype, column.to_list()) == (kind, shown)


def test_signals_are_counted_and_the_last_of_each_name_is_kept() -> None:
    sink = SignalSink()
    for value in (1, 2.5, "text", None, True):
        sink.event("signal", 0, {"strategy": "S", "name": type(value).__name__, "value": value})
    sink.event("signal", 60_000_000, {"strategy": "S", "name": "int", "value": 7})
    sink.event("symbol_loaded", 0, {"symbol": "AAA"})
    told = result()
    told["signals"], told["signal_count"] = list(sink.kept.values()), sink.count
    table = make_table([(tasks(1)[0], told)], [], 1)
    rows = table.select("signals").explode("signals").unnest("signals")
    assert rows["name"].to_list() == ["int", "float", "str", "NoneType", "bool"]
    assert rows["count"].to_list() == [2, 1, 1, 1, 1]
    assert rows["last"].to_list() == [7.0, 2.5, None, None, 1.0]
    assert rows["last_text"].to_list() == [None, None, "text", None, None]
    assert rows["last_at"].dt.epoch("us").to_list() == [60_000_000, 0, 0, 0, 0]
    assert table["signal_count"].to_list() == [6]


def test_names_without_end_do_not_fill_the_memory() -> None:
    sink = SignalSink()
    for number in range(2 * SIGNALS_MAX):
        sink.event("signal", 0, {"strategy": "S", "name": str(number), "value": number})
    assert (len(sink.kept), sink.count) == (SIGNALS_MAX, 2 * SIGNALS_MAX)


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "results.parquet"
    target.mkdir()
    with pytest.raises(StoreError, match="the results cannot be written to"):
        write_table(pl.DataFrame({"a": [1]}), target)
    assert list(tmp_path.iterdir()) == [target]


def test_numbers_that_no_double_holds_and_half_characters_do_not_cost_the_table() -> None:
    column = parameter_column("x", [0.5, 10**400, None])
    assert column.to_list() == ["0.5", str(10**400), None]
    said = error_text(ValueError("bad \udce9"))
    assert pl.Series([said]).to_list() == [r"ValueError: bad \udce9"]
