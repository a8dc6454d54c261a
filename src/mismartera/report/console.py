"""Rich consoles and small formats that all reports share. Rich takes 60 ms to import: only what prints pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPED_WIDTH = 120


def make_console(stream: TextIO) -> Console:
    """A console on ``stream``: the terminal's width there, plain text of 120 columns in a pipe or file."""
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704  # Rich would end the process; main() knows better

    console = _Console(file=stream, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = _PIPED_WIDTH
    return console


def make_table(*columns: str, left: int = 1) -> Table:
    """An empty table; the first ``left`` columns are text, the others numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        is_first = index == 0  # the one that gives way where a terminal is narrow
        table.add_column(
            column, justify="left" if index < left else "right", no_wrap=not is_first, overflow="fold"
        )
    return table


def counted(count: int, one: str, many: str | None = None) -> str:
    """``"1 bar"``, ``"1,234 bars"``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def percent(present: int, expected: int) -> str:
    """``"99.74 %"``; never rounded up to 100 while anything is missing. ``"-"`` where nothing was expected."""
    return f"{percentage(present, expected):.2f} %" if expected else "-"


def percentage(present: int, expected: int) -> float:
    """``present`` of ``expected``, which is not 0, to two places; below 100 while anything is missing."""
    rounded = round(100.0 * present / expected, 2)
    return min(rounded, 99.99) if present < expected else rounded


def rate(rows_per_second: float) -> str:
    """``"1.23M"``, ``"12.3k"``, ``"940"``."""
    if rows_per_second >= 1e6:
        return f"{rows_per_second / 1e6:.2f}M"
    return f"{rows_per_second / 1e3:.1f}k" if rows_per_second >= 1e4 else f"{rows_per_second:.0f}"
