"""Tally: the figures of a run that outlive its sessions, in little memory."""

from __future__ import annotations

from datetime import date

from mismartera.session.quality import DataQualityManager, Quality
from mismartera.session.symbols import Member


class Tally:
    """Counts (R1) and quality (R8) per symbol; of a symbol that was added again, those of its last generation."""

    def __init__(self) -> None:
        self.sessions = 0
        self.bars_streamed = 0
        self.derived_bars = 0
        self.symbols_failed: dict[str, str] = {}
        self.strategy_errors: list[tuple[str, str]] = []
        self.counts: dict[str, dict[str, int]] = {}
        self.quality: dict[str, dict[date, Quality]] = {}
        self._generations: dict[str, int] = {}

    def add_session(self, base_bars: int, derived_bars: int) -> None:
        """Book the bars of a session that has ended."""
        self.bars_streamed += base_bars
        self.derived_bars += derived_bars

    def add(
        self, member: Member, day: date, measured: DataQualityManager, now_us: int, *, whole_day: bool
    ) -> None:
        """Book what a member's session came to: at its close (``whole_day``), at its removal, or at the run's
        stop.
        """
        symbol = member.symbol
        counts = measured.counts(symbol, None if whole_day else now_us)
        quality = measured.quality(symbol, now_us)
        if counts is None:
            return
        if self._generations.get(symbol) != member.generation:
            self._generations[symbol] = member.generation
            self.counts[symbol] = dict.fromkeys(counts, 0)
        totals = self.counts[symbol]
        for name, count in counts.items():
            totals[name] += count
        if quality is not None:
            self.quality.setdefault(symbol, {})[day] = quality
