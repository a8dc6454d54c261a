"""The table at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from mismartera.report.console import counted, make_console, make_table, percent, rate
from mismartera.report.figures import SymbolFigures
from mismartera.session.tally import Tally
from mismartera.system.summary import Summary

if TYPE_CHECKING:
    from rich.table import Table

SYMBOLS_SHOWN_MAX = 40
_NAMED_MAX = 10
_COUNT_NAMES = ("accepted", "duplicate", "revised", "late", "out_of_hours", "rejected")


def print_summary(summary: Summary, figures: SymbolFigures, tally: Tally, stream: TextIO) -> None:
    """Print per symbol and in all what the run did. Of many symbols only the first are shown.

    ``tally``: the run's, for gaps of finished sessions, and derived bars of others.
    """
    console = make_console(stream)
    symbols = list(dict.fromkeys([*figures.states, *summary["counts"]]))
    if symbols:
        console.print(_symbol_table(symbols[:SYMBOLS_SHOWN_MAX], summary, figures, tally))
    hidden = len(symbols) - SYMBOLS_SHOWN_MAX
    if hidden > 0:
        console.print(f"... and {counted(hidden, 'more symbol')}: --json has them all\n")
    for line in _lines(summary):
        console.print(line)


def _symbol_table(symbols: list[str], summary: Summary, figures: SymbolFigures, tally: Tally) -> Table:
    table = make_table("symbol", "bars", "derived", "quality", "gaps", "changes", "state")
    for symbol in symbols:
        is_measured = figures.sessions[symbol] > 0
        derived = figures.derived_bars[symbol] + tally.derived_unclosed[symbol]
        days = [figure for day in summary["quality"].get(symbol, {}).values() for figure in day.values()]
        present, expected = (sum(figure[key] for figure in days) for key in ("present", "expected"))
        table.add_row(
            symbol,
            f"{summary['counts'].get(symbol, {}).get('accepted', 0):,}",
            f"{derived:,}" if is_measured or symbol in tally.derived_unclosed else "-",
            percent(present, expected),
            f"{tally.gaps[symbol]:,}" if is_measured else "-",
            f"{figures.changes[symbol]:,}",
            figures.states.get(symbol, "-"),
        )
    return table


def _lines(summary: Summary) -> list[str]:
    seconds, bars = summary["wall_seconds"], summary["bars_streamed"]
    lines = [
        f"{counted(summary['sessions'], 'session')}: {counted(bars, 'bar')} streamed, "
        f"{summary['derived_bars']:,} derived, {summary['bars_delivered']:,} delivered "
        f"in {seconds:.2f} s ({rate(summary['bars_per_second'])} bars/s)",
        f"{counted(summary['activations'], 'activation')}, {counted(summary['deactivations'], 'deactivation')}; "
        f"{counted(len(summary['symbols_loaded']), 'symbol')} loaded at the end; "
        f"store version {summary['store_version']}",
    ]
    if summary["counts"]:
        lines.append(_balance(summary))
    failed = summary["symbols_failed"]
    if failed:
        lines.append(f"{counted(len(failed), 'symbol')} failed:")
        lines += [f"  {symbol}: {reason}" for symbol, reason in list(failed.items())[:_NAMED_MAX]]
        if len(failed) > _NAMED_MAX:
            lines.append(f"  ... and {len(failed) - _NAMED_MAX:,} more")
    errors = summary["strategy_errors"]
    if errors:
        lines.append(f"{counted(len(errors), 'strategy', 'strategies')} raised:")
        lines += [f"  {entry['strategy']}: {entry['error']}" for entry in errors]
    return lines


def _balance(summary: Summary) -> str:
    totals = {name: sum(counts.get(name, 0) for counts in summary["counts"].values()) for name in _COUNT_NAMES}
    received = sum(counts.get("received", 0) for counts in summary["counts"].values())
    shown = {name: count for name, count in totals.items() if count or name == "accepted"}
    parts = " + ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in shown.items())
    return f"{received:,} received = {parts}"
