"""Tally: the figures of a run that outlive its sessions, in little memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date

from msgspec import Struct

from mismartera.session.quality import Measures, MeasuresOfOne, Quality
from mismartera.session.symbols import Member


class Progress(Struct, frozen=True):
    """How far a run is: sessions begun, of how many, where the clock stands, and bars so far."""

    sessions_begun: int
    sessions: int
    now_us: int
    bars_streamed: int
    bars_delivered: int
    derived_bars: int


class Tally:
    """Counts (R1) and quality (R8) per symbol; of a symbol that was added again, those of its last generation.

    ``derived_unclosed``: derived bars that were shown of sessions that their symbols saw no close of.
    """

    def __init__(self) -> None:
        self.sessions = 0
        self.bars_streamed = 0
        self.derived_bars = 0
        self.strategy_errors: list[tuple[str, str]] = []
        self.counts: dict[str, dict[str, int]] = {}
        self.gaps: Counter[str] = Counter()
        self.derived_unclosed: Counter[str] = Counter()
        self.quality: dict[str, dict[date, Quality]] = {}
        self._generations: dict[str, int] = {}

    def add_session(self, base_bars: int, derived_bars: int) -> None:
        """Book the bars of a session that has ended."""
        self.bars_streamed += base_bars
        self.derived_bars += derived_bars

    def add_day(self, members: Iterable[Member], day: date, measured: Measures) -> None:
        """Book a whole session of the ``members`` that were loaded at its close."""
        loaded = {member.symbol: member for member in members}
        for symbol, counts, quality, gaps in measured.whole_day():
            if symbol in loaded:
                self._book(loaded[symbol], day, counts, quality)
                self.gaps[symbol] += gaps

    def add(self, member: Member, day: date, measured: MeasuresOfOne, now_us: int) -> None:
        """Book what a member's session came to when it was removed, or when the run was stopped."""
        counts = measured.counts(member.symbol, now_us)
        if counts is not None:
            self._book(member, day, counts, measured.quality(member.symbol, now_us))

    def _book(self, member: Member, day: date, counts: dict[str, int], quality: Quality | None) -> None:
        symbol = member.symbol
        if self._generations.get(symbol) != member.generation:
            self._generations[symbol] = member.generation
            self.counts[symbol] = counts.copy()
        else:
            totals = self.counts[symbol]
            for name, count in counts.items():
                if count:
                    totals[name] += count
        if quality is not None:
            self.quality.setdefault(symbol, {})[day] = quality
