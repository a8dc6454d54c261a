"""Progress bars on a terminal: of a run, of an import. Whoever waits feeds them; nothing here has a clock."""

from __future__ import annotations

import sys
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mismartera.report.console import rate

if TYPE_CHECKING:
    from rich.progress import Progress


class ProgressLine:
    """One bar on stderr with text before it, and rate and ETA behind it; removed at its end.

    Without ``is_shown`` it does nothing at all.
    """

    def __init__(self, *, is_shown: bool) -> None:
        self._progress: Progress | None = _make_progress() if is_shown else None

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.add_task("", total=1.0, text="starting", rate="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, fraction: float, text: str, count: int, unit: str) -> None:
        """``fraction`` of the work is done (0 to 1), ``count`` units of it so far."""
        if self._progress is None:
            return
        task = self._progress.tasks[0]
        elapsed = task.elapsed or 0.0
        shown = f"{rate(count / elapsed)} {unit}/s" if elapsed > 0 else ""
        self._progress.update(task.id, completed=fraction, text=text, rate=shown)


def is_terminal() -> bool:
    """True if people watch stderr."""
    return sys.stderr is not None and sys.stderr.isatty()


def run_text(begun: int, sessions: int, now: datetime, bars: int) -> str:
    """What stands before a run's bar."""
    return f"session {begun}/{sessions}  {now:%Y-%m-%d %H:%M}  {bars:,} bars"


def _make_progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.fields[text]}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("ETA"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # what a strategy prints into a pipe must arrive there
    )
