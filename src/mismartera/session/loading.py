"""SymbolLoader: the one way in which symbols get into a session, at its open and in its middle alike.

Read the day's bars, sort them out at the door, derive, compute, put the columns where readers find them, and
hand the coordinator a lane for its tape. What has been shown of it is the coordinator's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct

from mismartera.bars import Interval, SeriesInfo
from mismartera.bars.view import SeriesColumns
from mismartera.session.history import HistoryLoader, SymbolHistory
from mismartera.session.lane import Lane
from mismartera.session.processor import DataProcessor
from mismartera.session.quality import DataQualityManager
from mismartera.session.reader import DayReader, Streams
from mismartera.session.series import SeriesBlock
from mismartera.session.state import SessionState, SymbolData
from mismartera.session.symbols import Member, SymbolRegistry, SymbolState
from mismartera.timing import Clock, TradingSession

_NO_HISTORY = SymbolHistory()


@contextmanager
def _standing(clock: Clock) -> Iterator[None]:
    """The clock stands still in this block."""
    was_paused = clock.is_paused
    clock.pause()
    try:
        yield
    finally:
        if not was_paused:
            clock.resume()


class Loading(Struct, frozen=True, eq=False):
    """What came of it: a lane with the bars of ``members``, and the reasons of those that failed."""

    lane: Lane | None
    members: tuple[Member, ...]
    failed: tuple[tuple[Member, str], ...]


class SymbolLoader:
    """Loads members of the registry into the session's state."""

    def __init__(
        self, reader: DayReader, processor: DataProcessor, history: HistoryLoader | None,
        quality: DataQualityManager, state: SessionState, registry: SymbolRegistry, streams: Streams, clock: Clock,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._reader = reader
        self._processor = processor
        self._history = history
        self._quality = quality
        self._state = state
        self._registry = registry
        self._streams = streams

    def load(self, members: Sequence[Member], session: TradingSession, *, ahead: bool) -> Loading:
        """Load ``members`` (in rank order) for ``session``. Those removed meanwhile are left out.

        ``ahead``: the next session is likely to ask for the same symbols, so their next days may be read at once.
        In a backtest the clock waits meanwhile.
        """
        with _standing(self._clock):
            return self._load(members, session, ahead=ahead)

    def _load(self, members: Sequence[Member], session: TradingSession, *, ahead: bool) -> Loading:
        wanted = {member.symbol: member.streams or self._streams for member in members}
        read = self._reader.read(wanted, session, ahead=ahead)
        found = [member for member in members if member.symbol not in read.failed]
        history = self._history.load([m.symbol for m in found], session) if self._history and found else {}
        shared_infos = {m.generation: SeriesInfo(m.generation, session.zone) for m in found}
        infos = {m.symbol: shared_infos[m.generation] for m in found}
        data: dict[str, SymbolData] = {}
        blocks: list[SeriesBlock] = []
        for group in read.groups:
            done = self._processor.process(group, lambda s, i: _before(history, s, i))
            blocks += done.blocks
            shared = {block.interval.length_us: block for block in done.blocks}
            for row, symbol in enumerate(group.symbols):
                data[symbol] = SymbolData(infos[symbol], shared, row, history.get(symbol, _NO_HISTORY))
            self._quality.watch(group)
        lane = Lane(blocks, infos, {member.symbol: member.rank for member in found}) if blocks else None
        failed = tuple((m, read.failed[m.symbol]) for m in members if m.symbol in read.failed)
        self._install(found, data)
        return Loading(lane, tuple(found), failed)

    def _install(self, members: Sequence[Member], data: Mapping[str, SymbolData]) -> None:
        """Let readers find the bars, unless the member was removed meanwhile: both happen under one lock."""
        with self._registry.changed:
            staying = [member for member in members if self._registry.is_current(member)]
            for member in staying:
                data[member.symbol].loaded = member.state is SymbolState.LOADED
            self._state.put({member.symbol: data[member.symbol] for member in staying})


def _before(history: Mapping[str, SymbolHistory], symbol: str, interval: Interval) -> SeriesColumns | None:
    """What the indicators of ``interval`` have seen before this session."""
    found = history.get(symbol)
    return found.for_indicators.get(interval.length_us) if found else None
