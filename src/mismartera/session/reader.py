"""DayReader: the stored bars of one session, on the right base interval for each symbol (R7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from mismartera.bars import BASE_INTERVALS, BarBlock, Interval, parse_interval
from mismartera.session.door import Admitted, Territory, admit, territory
from mismartera.session.ports import BarSource
from mismartera.timing import TimeManager, TradingSession

Streams = tuple[Interval, ...]


def parse_streams(labels: Collection[str]) -> Streams:
    """The intervals that ``labels`` name; ValueError for none, a repeated one, or one that is no interval."""
    if isinstance(labels, str):
        raise ValueError(f"streams are a collection, not the text {labels!r}: give [{labels!r}]")  # noqa: TRY004
    streams = tuple(parse_interval(label) for label in labels)
    if not streams or len(set(streams)) < len(streams):
        raise ValueError(f"streams {list(labels)} are empty or repeat an interval: name each interval once")
    return streams


class BaseGroup(Struct, frozen=True, eq=False):
    """Symbols that share their streams and their base interval in one session."""

    session: TradingSession
    streams: Streams
    base: Interval
    admitted: Admitted

    @property
    def symbols(self) -> tuple[str, ...]:
        """The group's symbols, in the order in which they were asked for."""
        return self.admitted.block.symbols


class DayRead(Struct, frozen=True, eq=False):
    """What the store has for a session: groups of symbols, and the reasons of those that cannot be built."""

    groups: tuple[BaseGroup, ...]
    failed: Mapping[str, str]


class DayReader:
    """Reads a session's bars of many symbols in as few reads as possible: one, if all share a base interval.

    ``ahead`` is the same source reading several days at once, for reads that the next session will repeat.
    """

    def __init__(self, source: BarSource, time: TimeManager, ahead: BarSource | None = None) -> None:
        self._source = source
        self._ahead = ahead or source
        self._time = time

    def read(self, wanted: Mapping[str, Streams], session: TradingSession, *, ahead: bool = False) -> DayRead:
        """The bars that belong to ``session``; ``wanted`` maps each symbol, in order, to its streams."""
        source = self._ahead if ahead else self._source
        where = territory(self._time, session)
        by_labels: dict[tuple[str, ...], list[str]] = {}  # equal intervals may have been asked for by other names
        for symbol, streams in wanted.items():
            by_labels.setdefault(tuple(stream.label for stream in streams), []).append(symbol)
        groups: list[BaseGroup] = []
        failed: dict[str, str] = {}
        for symbols in by_labels.values():
            found, missing = self._read_streams(source, wanted[symbols[0]], symbols, where)
            groups += found
            failed |= missing
        return DayRead(tuple(groups), failed)

    def _read_streams(
        self, source: BarSource, streams: Streams, symbols: Sequence[str], where: Territory
    ) -> tuple[list[BaseGroup], dict[str, str]]:
        reads: dict[Interval, Admitted] = {}
        chosen: dict[str, Interval] = {}
        rest: Sequence[str] = symbols
        candidates = [base for base in BASE_INTERVALS if all(stream.derives_from(base) for stream in streams)]
        for base in candidates:
            raw = _read_base(source, base, rest, where)
            if len(raw):
                admitted = reads[base] = _admit(raw, base, streams, where)
                chosen |= {s: base for s, has in zip(rest, admitted.has_bars.tolist(), strict=True) if has}
                rest = [symbol for symbol in rest if symbol not in chosen]
            if not rest:
                break
        failed = self._choose_known(rest, candidates, streams, chosen) if rest else {}
        groups: list[BaseGroup] = []
        for base in candidates:
            members = [symbol for symbol in symbols if chosen.get(symbol) == base]
            if members:
                read = reads.get(base) or _admit(BarBlock.empty(tuple(members)), base, streams, where)
                groups.append(BaseGroup(where.session, streams, base, read.take(members)))
        return groups, failed

    def _choose_known(
        self, rest: Sequence[str], candidates: Sequence[Interval], streams: Streams, chosen: dict[str, Interval]
    ) -> dict[str, str]:
        """For symbols without bars today: the finest base that the store knows; the others fail, with a reason."""
        failed: dict[str, str] = {}
        known = self._source.known_intervals(rest)
        for symbol in rest:
            bases = [base for base in candidates if base.canonical in known.get(symbol, frozenset())]
            if bases:
                chosen[symbol] = bases[0]
            elif symbol in known:
                failed[symbol] = (
                    f"the store has {', '.join(sorted(known[symbol]))} bars of {symbol}, but "
                    f"{', '.join(map(str, streams))} need {' or '.join(map(str, candidates))}"
                )
            else:
                damage = self._source.damage_to(symbol)
                left = "" if damage is None else f", as far as it can be read: {damage}"
                failed[symbol] = f"{symbol} is unknown to the store{left}"
        return failed


def _read_base(source: BarSource, base: Interval, symbols: Sequence[str], where: Territory) -> BarBlock:
    first, last = (where.first_us, where.last_us) if not base.is_daily else where.daily_range
    return source.read_block(base.canonical, first, last, symbols)


def _admit(raw: BarBlock, base: Interval, streams: Streams, where: Territory) -> Admitted:
    requested = next((stream for stream in streams if stream == base), None)
    label = requested.label if requested else base.label
    return admit(raw, base, where, public=requested is not None, label=label)
