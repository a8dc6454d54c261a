"""Wiring: makes the parts of a run and puts them together. The only place that does."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from mismartera.bars import parse_interval
from mismartera.bars.instants import DAY_US, SECOND_US
from mismartera.config import HoursConfig, SessionConfig
from mismartera.errors import CalendarError, ConfigError
from mismartera.indicators import IndicatorSpec, resolve_indicator
from mismartera.live.quality import LiveQuality
from mismartera.live.supply import LiveSupply
from mismartera.live.thread import IntakeThread
from mismartera.session.agenda import Agenda
from mismartera.session.ahead import ReadAhead
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.beginning import FROM_NOTHING, Beginning
from mismartera.session.command_log import NoLog
from mismartera.session.context import StrategyContext
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.delivery import Delivery
from mismartera.session.desk_context import DeskContext
from mismartera.session.desks import Desks
from mismartera.session.gate import Gate
from mismartera.session.history import HistoryLoader
from mismartera.session.inbox import Inbox
from mismartera.session.loading import SymbolLoader
from mismartera.session.parts import SessionParts
from mismartera.session.pinned import PinnedData
from mismartera.session.ports import BarSource, EventSink, SessionRecorder
from mismartera.session.processor import DataProcessor
from mismartera.session.publisher import Publisher
from mismartera.session.quality import DataQualityManager, Measures
from mismartera.session.reader import DayReader
from mismartera.session.session_data import SessionData
from mismartera.session.sights import PlainSights, SightedData
from mismartera.session.state import SessionState
from mismartera.session.strategy import Strategy
from mismartera.session.strategy_run import StrategyRun, misses
from mismartera.session.streamer import Streamer
from mismartera.session.supply import StoredSupply, Supply
from mismartera.session.symbols import SymbolRegistry
from mismartera.session.tally import Tally
from mismartera.session.turns import PlainTurns
from mismartera.system.live import LiveSource, bind_live, check_live, live_dates, opens_in_time
from mismartera.timing import Clock, TimeManager, make_clock, user_cache_dir


def make_time(config: SessionConfig, clock: Clock | None = None) -> TimeManager:
    """The time of a run: its exchange's calendar, hours and clock."""
    speed = config.backtest_config.speed_multiplier if config.backtest_config is not None else 0
    hours = config.session_data_config.hours
    try:
        return TimeManager(
            config.calendar_code,
            hours=(hours.open, hours.close) if isinstance(hours, HoursConfig) else None,
            clock=clock or make_clock(speed),
            cache_dir=user_cache_dir(os.environ),
        )
    except CalendarError as error:
        raise ConfigError([f"calendar: {error}"]) from error


def make_coordinator(
    config: SessionConfig, time: TimeManager, source: BarSource, strategies: Sequence[Strategy],
    sinks: Sequence[EventSink], recorders: Sequence[SessionRecorder],
    warn: Callable[[str], None], on_strategy_error: Callable[[StrategyRun, BaseException], None],
    live: LiveSource | None = None, beginning: Beginning = FROM_NOTHING,
) -> SessionCoordinator:  # fmt: skip
    """A coordinator that is ready to run. ``live``: its bars come from a feed, not from ``source``."""
    dates = _dates(config, time, live)
    if live is not None and not opens_in_time(time, dates, live.until_us):
        warn(f"{config.calendar_code} has no session from now to the run's end: nothing is streamed")
    specs = [
        resolve_indicator(i.name, i.interval, i.params, i.input) for i in config.session_data_config.indicators
    ]
    reader = DayReader(source, time, source if live else _ahead(config, source, time))
    history = _make_history(config, specs, reader, time)
    parts = _make_parts(
        config, time, specs, reader, history, strategies, sinks, recorders, warn, on_strategy_error, live
    )
    for text in misses(parts.analysis.runs, config):
        warn(text)
    coordinator = SessionCoordinator(config, parts, dates, live.until_us if live else None, beginning)
    if live is not None:
        assert isinstance(parts.supply, LiveSupply), "a live session has a live supply"
        bind_live(config, parts, coordinator, live, specs, history, parts.supply)
    _fill_agenda(config, coordinator, beginning)
    for run in parts.analysis.runs:
        run.strategy.session = _context_of(run, coordinator, parts)
    return coordinator


def _context_of(run: StrategyRun, coordinator: SessionCoordinator, parts: SessionParts) -> StrategyContext:
    """What a strategy reads and asks."""
    data, sights = parts.session_data, parts.sights
    if run.desk is not None:
        data = PinnedData(parts.state, run.desk, sights)
        return DeskContext(coordinator, run, run.desk, parts.analysis, data, sights)
    if not isinstance(sights, PlainSights):  # otherwise a look costs nothing
        data = SightedData(parts.state, sights, parts.registry.changed)
    return StrategyContext(coordinator, run, parts.analysis, data, sights)


def _dates(config: SessionConfig, time: TimeManager, live: LiveSource | None) -> tuple[date, ...]:
    if live is not None:
        check_live(config)
        return live_dates(time, live.wall.now_us(), live.until_us)
    try:
        dates = time.trading_dates(*_span(config))
    except CalendarError as error:
        raise ConfigError([f"backtest_config: {error}"]) from error
    if not dates:
        first, last = _span(config)
        raise ConfigError(
            [f"backtest_config: {config.calendar_code} has no trading session from {first} to {last}"]
        )
    return dates


def _make_parts(
    config: SessionConfig, time: TimeManager, specs: Sequence[IndicatorSpec], reader: DayReader,
    history: HistoryLoader | None, strategies: Sequence[Strategy],
    sinks: Sequence[EventSink], recorders: Sequence[SessionRecorder], warn: Callable[[str], None],
    on_strategy_error: Callable[[StrategyRun, BaseException], None], live: LiveSource | None,
) -> SessionParts:  # fmt: skip
    data_config = config.session_data_config
    streaming = data_config.streaming
    complete_only = data_config.derived_bars == "complete"
    streams = tuple(parse_interval(label) for label in data_config.streams)
    registry, state, delivery = SymbolRegistry(), SessionState(), Delivery()
    ends = live.ends if live is not None else None
    inbox = ends.inbox if ends is not None else ((live.inbox if live is not None else None) or Inbox())
    commands = ends.commands if ends is not None else NoLog(inbox)
    state.intervals = streams
    publisher = Publisher(sinks, time)
    measures = data_config.gap_filler.enable_session_quality
    quality: Measures
    supply: Supply
    if live is not None:
        quality, supply = LiveQuality(enabled=measures), LiveSupply(live.driver or IntakeThread(live.wall))
    else:
        quality = stored = DataQualityManager(enabled=measures)
        processor = DataProcessor(specs, complete_only=complete_only)
        supply = StoredSupply(
            SymbolLoader(reader, processor, history, stored, state, registry, streams, time.clock)
        )
    analysis = AnalysisEngine(strategies, delivery, on_strategy_error)
    for sink in sinks:
        if sink.wants_bars:
            analysis.record_bars(sink.bar)
    gate = Gate(round(streaming.catchup_threshold_seconds * SECOND_US), streaming.catchup_check_interval)
    desks = None
    if streaming.catchup_scope == "strategy":
        turns = PlainTurns() if ends is None else ends.make_turns(delivery.on_engine_thread, registry.changed)
        desks = Desks(analysis, delivery, inbox, publisher, time, gate.threshold_us, turns)
    return SessionParts(
        time=time, registry=registry, state=state, session_data=SessionData(state),
        supply=supply,
        streamer=Streamer(
            gate, state, analysis, delivery, publisher, registry, inbox, time, scope=streaming.catchup_scope
        ),
        gate=gate, quality=quality, analysis=analysis, delivery=delivery, inbox=inbox, commands=commands,
        agenda=Agenda(), publisher=publisher, tally=Tally(), recorders=tuple(recorders), warn=warn, desks=desks,
        sights=PlainSights() if ends is None else ends.sights,
    )  # fmt: skip


def _span(config: SessionConfig) -> tuple[date, date]:
    assert config.backtest_config is not None, "the configuration of a backtest has a backtest_config"
    return config.backtest_config.start_date, config.backtest_config.end_date


def _ahead(config: SessionConfig, source: BarSource, time: TimeManager) -> BarSource:
    """Read a few days at once where that pays; ``prefetch_days`` says how many."""
    assert config.backtest_config is not None, "the configuration of a backtest has a backtest_config"
    last = time.get_trading_session(time.trading_dates(*_span(config))[-1])
    return ReadAhead(source, last.close_us + DAY_US, config.backtest_config.prefetch_days)


def _make_history(
    config: SessionConfig, specs: Sequence[IndicatorSpec], reader: DayReader, time: TimeManager
) -> HistoryLoader | None:
    historical = config.session_data_config.historical
    if not historical.data:
        return None
    return HistoryLoader(
        historical, specs, reader, time,
        complete_only=config.session_data_config.derived_bars == "complete",
        sessions_per_week=config.sessions_per_week,
    )  # fmt: skip


def _fill_agenda(config: SessionConfig, coordinator: SessionCoordinator, beginning: Beginning) -> None:
    for index, entry in enumerate(config.schedule):
        at = entry.at.isoformat()
        label = f"schedule[{index}] ({'add' if entry.add else 'remove'} {entry.add or entry.remove} at {at})"
        if label in beginning.acted:
            continue
        at_us = coordinator.time.parse_time(at)
        if entry.add is not None:
            act: Callable[[], object] = partial(coordinator.add_symbol, entry.add, entry.streams)
        else:
            assert entry.remove is not None, "an entry adds or removes"
            act = partial(coordinator.remove_symbol, entry.remove)
        coordinator.agenda.add(at_us, partial(coordinator.act, label, act), label=label)
