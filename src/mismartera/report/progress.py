"""Progress on a terminal: of a run, of an import, of a live session. Whoever waits feeds it; nothing here has a
clock.
"""

from __future__ import annotations

import sys
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mismartera.report.console import rate

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


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


class StatusLine:
    """One line of text on stderr, replaced at each :meth:`show` and removed at its end; nothing without
    ``is_shown``.
    """

    def __init__(self, *, is_shown: bool) -> None:
        self._progress: Progress | None = _make_line() if is_shown else None

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.add_task("", text="starting")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._progress is not None:
            self._progress.update(self._progress.tasks[0].id, text=text)


def is_terminal() -> bool:
    """True if people watch stderr."""
    return sys.stderr is not None and sys.stderr.isatty()


def run_text(begun: int, sessions: int, now: datetime, bars: int) -> str:
    """What stands before a run's bar."""
    return f"session {begun}/{sessions}  {now:%Y-%m-%d %H:%M}  {bars:,} bars"


def _make_progress() -> Progress:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    return _on_stderr(
        TextColumn("{task.fields[text]}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("ETA"),
        TimeRemainingColumn(compact=True),
    )


def _make_line() -> Progress:
    from rich.progress import TextColumn

    return _on_stderr(TextColumn("{task.fields[text]}", markup=False))


def _on_stderr(*columns: ProgressColumn) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # what a strategy prints into a pipe must arrive there
    )
