"""Series of bounded length: what is too long for a chart becomes coarser, by one rule.

Steps are nested (each divides the next) and anchored at the session's open, so that a coarser row is made of whole
finer ones and the result does not depend on when the coarsening happened.
"""

from __future__ import annotations

from msgspec import Struct

from mismartera.bars.instants import DAY_US, HOUR_US, MINUTE_US, SECOND_US

STEPS_US = (
    SECOND_US, 5 * SECOND_US, 15 * SECOND_US, MINUTE_US, 5 * MINUTE_US, 15 * MINUTE_US, 30 * MINUTE_US, HOUR_US,
    4 * HOUR_US, DAY_US,
)  # fmt: skip
"""The lengths that a row of a chart may have. The last one is a session, whatever its length."""


def step_text(step_us: int) -> str:
    """``5 s``, ``15 min``, ``1 h``, ``1 session``."""
    if step_us >= DAY_US:
        sessions = step_us // DAY_US
        return "1 session" if sessions == 1 else f"{sessions} sessions"
    for unit_us, unit in ((HOUR_US, "h"), (MINUTE_US, "min")):
        if step_us % unit_us == 0:
            return f"{step_us // unit_us} {unit}"
    return f"{step_us // SECOND_US} s"


def duration(seconds: float) -> str:
    """``0 s``, ``1,740 s``, ``2.50 s``."""
    return f"{seconds:,.0f} s" if seconds == int(seconds) else f"{seconds:,.2f} s"


def coarser(step_us: int) -> int:
    """The next longer step. After a session come two, four, eight of them."""
    return next((step for step in STEPS_US if step > step_us), 2 * step_us)


def row_start(start_us: int, open_us: int, step_us: int) -> int:
    """Where the row begins that ``start_us`` falls into, in a session that opened at ``open_us``."""
    if step_us > DAY_US:  # several sessions: a grid of whole days since the epoch
        return open_us // step_us * step_us
    if step_us == DAY_US:
        return open_us
    return open_us + (start_us - open_us) // step_us * step_us


class Candle(Struct):
    """One row of a chart."""

    start_us: int
    open_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    def take(self, later: Candle) -> None:
        """Make this row hold ``later`` too, which comes after it."""
        self.high, self.low = max(self.high, later.high), min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume


class CandleSeries:
    """Candles of one symbol, in at most ``limit`` rows, whatever comes.

    Bars of the finest interval that was seen are kept; those of coarser ones would count everything twice. A bar
    that does not come after the last one is dropped, unless it stands at the same start: then it replaces it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.interval_us = 0
        self.interval = ""
        self.step_us = 0
        self.bars = 0
        self.rows: list[Candle] = []
        self._last_us = -1

    @property
    def is_whole(self) -> bool:
        """True if each row is a bar."""
        return self.step_us == self.interval_us

    def add(self, interval: str, interval_us: int, bar: Candle) -> None:
        """Add the next bar."""
        if not self.interval or interval_us < self.interval_us:
            self.interval, self.interval_us = interval, interval_us
            self.step_us = max(self.step_us, interval_us)
        elif interval_us > self.interval_us:
            return
        if bar.start_us <= self._last_us:
            return  # a symbol that was added again has its last bars delivered again
        self._last_us = bar.start_us
        self.bars += 1
        self._place(bar)
        while len(self.rows) > self._limit:
            self._coarsen()

    def revise(self, interval_us: int, bar: Candle) -> None:
        """Take over a bar that has changed; a row of several bars only widens to hold it."""
        if interval_us != self.interval_us:
            return
        start = bar.start_us if self.is_whole else row_start(bar.start_us, bar.open_us, self.step_us)
        for k in range(len(self.rows) - 1, -1, -1):
            row = self.rows[k]
            if row.start_us == start:
                if self.is_whole:
                    self.rows[k] = bar
                else:
                    row.high, row.low = max(row.high, bar.high), min(row.low, bar.low)
            if row.start_us <= start:
                return

    def _place(self, bar: Candle) -> None:
        if not self.is_whole:
            bar.start_us = row_start(bar.start_us, bar.open_us, self.step_us)
            if self.rows and self.rows[-1].start_us >= bar.start_us:
                self.rows[-1].take(bar)
                return
        self.rows.append(bar)

    def _coarsen(self) -> None:
        rows, self.rows = self.rows, []
        self.step_us = coarser(self.step_us)
        for row in rows:
            self._place(row)


class PeakSeries:
    """The highest value per row, in at most ``limit`` rows: how lag went, whatever the number of bars."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.step_us = 0
        self.rows: list[tuple[int, int, float]] = []

    def add(self, at_us: int, open_us: int, value: float) -> None:
        """Add a value; instants never go back."""
        rows = self.rows
        start = row_start(at_us, open_us, self.step_us) if self.step_us else at_us
        if rows and rows[-1][0] >= start:
            if value > rows[-1][2]:
                rows[-1] = (*rows[-1][:2], value)
            return
        rows.append((start, open_us, value))
        while len(self.rows) > self._limit:
            self._coarsen()

    def _coarsen(self) -> None:
        rows, self.rows = self.rows, []
        self.step_us = coarser(self.step_us)
        for at_us, open_us, value in rows:
            self.add(at_us, open_us, value)
