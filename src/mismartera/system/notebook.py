"""What notebooks show of a run: its figures, and its quality as a table and as frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple, overload

from mismartera.bars.html_table import ROWS_MAX, html_table
from mismartera.system.summary import Summary

if TYPE_CHECKING:  # heavy, and only needed when somebody asks for a frame
    import pandas as pd
    import polars as pl

_FIGURES = ("sessions", "bars_streamed", "derived_bars", "bars_delivered", "activations", "deactivations")


class QualityRow(NamedTuple):
    """Base bars of a symbol in a session; ``percent`` is None where nothing was expected."""

    symbol: str
    date: date
    interval: str
    expected: int
    present: int
    percent: float | None


class QualityTable(Sequence[QualityRow]):
    """The quality of a run: a read-only sequence of rows by symbol and date, fixed when it was made."""

    def __init__(self, rows: Sequence[QualityRow]) -> None:
        self._rows = tuple(rows)

    @classmethod
    def of(cls, summary: Summary) -> QualityTable:
        """The figures of ``summary``."""
        return cls(
            [
                QualityRow(
                    symbol, date.fromisoformat(day), interval, one["expected"], one["present"], one["percent"]
                )
                for symbol, days in summary["quality"].items()
                for day, intervals in days.items()
                for interval, one in intervals.items()
            ]
        )

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> QualityRow: ...
    @overload
    def __getitem__(self, index: slice) -> QualityTable: ...
    def __getitem__(self, index: int | slice) -> QualityRow | QualityTable:
        return QualityTable(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __iter__(self) -> Iterator[QualityRow]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"QualityTable({len(self)} rows)"

    def _repr_html_(self) -> str:
        """For notebooks: the rows with the lowest percent first."""
        worst = sorted(self._rows, key=lambda row: 100.0 if row.percent is None else row.percent)
        return html_table("Quality, lowest first", QualityRow._fields, worst[:ROWS_MAX], len(self))

    def to_polars(self) -> pl.DataFrame:
        """A frame with the fields of a row as columns."""
        import polars as pl

        schema = {
            "symbol": pl.String, "date": pl.Date, "interval": pl.String, "expected": pl.Int64,
            "present": pl.Int64, "percent": pl.Float64,
        }  # fmt: skip
        return pl.DataFrame(self._rows, schema=schema, orient="row")

    def to_pandas(self) -> pd.DataFrame:
        """The same as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(list(self._rows), columns=list(QualityRow._fields))


def run_html(name: str, outcome: str, summary: Summary) -> str:
    """The figures of a run for a notebook."""
    figures: list[tuple[str, object]] = [(key, f"{summary[key]:,}") for key in _FIGURES]  # type: ignore[literal-required]  # the keys above
    figures += [
        ("symbols_loaded", _few(summary["symbols_loaded"])),
        ("symbols_failed", _few([f"{symbol}: {reason}" for symbol, reason in summary["symbols_failed"].items()])),
        ("strategy_errors", _few([f"{e['strategy']}: {e['error']}" for e in summary["strategy_errors"]])),
        ("store_version", summary["store_version"]),
    ]
    return html_table(f"{name} ({outcome})", ("figure", "value"), figures, len(figures))


def _few(texts: Sequence[str]) -> str:
    """The first of them, and how many there are."""
    shown = ", ".join(texts[:ROWS_MAX])
    return shown if len(texts) <= ROWS_MAX else f"{shown} and {len(texts) - ROWS_MAX:,} more"
