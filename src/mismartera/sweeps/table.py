"""The table of a sweep's results: a row for each task, in the order of the tasks."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from mismartera.errors import StoreError
from mismartera.files.durable import rewrite
from mismartera.sweeps.tasks import Task
from mismartera.sweeps.work import Signal, TaskResult

SIGNAL_TYPE = pl.Struct(
    {
        "strategy": pl.String(), "name": pl.String(), "count": pl.Int64(), "last": pl.Float64(),
        "last_text": pl.String(), "last_at": pl.Datetime("us", "UTC"),
    }
)  # fmt: skip

_COUNTS = (
    "sessions", "bars_streamed", "bars_delivered", "derived_bars", "activations", "deactivations",
    "symbols_loaded", "symbols_failed", "received", "accepted", "bars_expected", "bars_present",
)  # fmt: skip


def make_table(
    results: Sequence[tuple[Task, TaskResult]], names: Sequence[str], store_version: int
) -> pl.DataFrame:
    """The table of ``results``. ``names``: the key paths that vary, a column each (null where not set)."""
    tasks = [task for task, _ in results]
    told = [result for _, result in results]
    columns = [
        pl.Series("task", [task.index for task in tasks], pl.Int64()),
        *(parameter_column(name, [dict(task.parameters).get(name) for task in tasks]) for name in names),
        pl.Series("start_date", [task.start for task in tasks], pl.Date()),
        pl.Series("end_date", [task.end for task in tasks], pl.Date()),
        pl.Series("status", [result["status"] for result in told], pl.String()),
        pl.Series("error", [result["error"] for result in told], pl.String()),
        *(pl.Series(name, [_figure(result, name) for result in told], pl.Int64()) for name in _COUNTS),
        pl.Series("quality_percent", [_percent(result) for result in told], pl.Float64()),
        pl.Series("gaps", [_figure(result, "gaps") for result in told], pl.Int64()),
        pl.Series("signal_count", [result["signal_count"] for result in told], pl.Int64()),
        pl.Series("signals", [list(map(_signal, result["signals"])) for result in told], pl.List(SIGNAL_TYPE)),
        pl.Series(
            "strategy_errors",
            [[f"{entry['strategy']}: {entry['error']}" for entry in result["strategy_errors"]] for result in told],
            pl.List(pl.String()),
        ),
        pl.Series("warnings", [result["warnings"] for result in told], pl.List(pl.String())),
        pl.Series("store_version", [store_version] * len(told), pl.Int64()),
        pl.Series("wall_seconds", [_figure(result, "wall_seconds") for result in told], pl.Float64()),
    ]
    return pl.DataFrame(columns)


def parameter_column(name: str, values: Sequence[Any]) -> pl.Series:
    """The values of one key path: truth values, integers, numbers or texts if all are such, else their JSON."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Series(name, values, pl.Boolean())
    if kinds == {int} and all(value is None or abs(value) < 2**63 for value in values):
        return pl.Series(name, values, pl.Int64())
    if float in kinds and kinds <= {int, float} and all(v is None or abs(v) <= sys.float_info.max for v in values):
        return pl.Series(name, [None if value is None else float(value) for value in values], pl.Float64())
    if kinds == {str}:
        return pl.Series(name, values, pl.String())
    return pl.Series(name, [None if value is None else json.dumps(value) for value in values], pl.String())


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write ``table`` as Parquet in the place of the file at ``path``: readers see the old one or the new one."""
    content = io.BytesIO()
    table.write_parquet(content)
    try:
        rewrite(path, content.getbuffer())
    except OSError as error:
        raise StoreError(f"the results cannot be written to {path}: {error}") from error


def names_of(tasks: Iterable[Task]) -> list[str]:
    """The key paths that vary, in the order in which they come."""
    return list(dict.fromkeys(name for task in tasks for name, _ in task.parameters))


def _figure(result: TaskResult, name: str) -> Any:
    figures = result["figures"]
    return None if figures is None else figures[name]  # type: ignore[literal-required]  # one of its keys


def _percent(result: TaskResult) -> float | None:
    """Present of expected base bars, as in a run's summary; None where nothing was expected."""
    figures = result["figures"]
    if figures is None or not figures["bars_expected"]:
        return None
    return 100.0 * figures["bars_present"] / figures["bars_expected"]


def _signal(signal: Signal) -> dict[str, object]:
    last = signal["last"]
    is_number = isinstance(last, int | float)
    return {
        "strategy": signal["strategy"], "name": signal["name"], "count": signal["count"],
        "last": float(last) if is_number else None,  # type: ignore[arg-type]  # a truth value is 0 or 1
        "last_text": last if isinstance(last, str) else None,
        "last_at": datetime.fromisoformat(signal["last_at"]),
    }  # fmt: skip
