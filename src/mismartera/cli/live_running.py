"""Carrying out ``mismartera live``. Imported by the command only: it pulls the engine in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from loguru import logger
from msgspec import Struct

from mismartera.bars.instants import to_datetime
from mismartera.catalog import DataManager
from mismartera.cli.driving import Listeners, OutputOptions, Run, carry_out
from mismartera.cli.journals import open_record
from mismartera.cli.opening import open_store
from mismartera.config import SessionConfig
from mismartera.errors import CalendarError, ConfigError, StoreError, UsageError
from mismartera.feeds import Feed
from mismartera.report.progress import StatusLine
from mismartera.report.watch import SessionWatch
from mismartera.system import SystemManager
from mismartera.system.feeds import make_feed
from mismartera.system.rehearsal import (
    ClockStart,
    check_start,
    make_session_time,
    make_wall,
    pre_open,
    read_clock,
    read_until,
)
from mismartera.system.replaying import as_replay, find_recording, last_recorded_day, require_bars
from mismartera.timing import TimeManager, TradingSession, WallClock

_TRIAL_SPEED = 60.0
"""Of ``--feed replay`` without ``--clock``: a session in some minutes."""


class LiveOptions(OutputOptions, frozen=True, kw_only=True):
    """The options of ``mismartera live``, times as they were written."""

    feed: str | None
    clock: str | None
    until: str | None
    has_journal: bool = True
    is_resumed: bool = False


class LivePlan(Struct, frozen=True):
    """All that a live system is made of. ``feed`` and the engine share ``wall``; nothing is started."""

    config: SessionConfig
    data: DataManager
    time: TimeManager
    wall: WallClock
    feed: Feed
    until: datetime | None
    is_trial: bool
    """A stored day is replayed: it can be had again at any time."""


def live_config(path: str, options: LiveOptions) -> int:
    """Run the live session at ``path`` and return the exit status. Raises what keeps it from beginning."""
    plan = plan_live(path, options, os.environ)
    return carry_out(path, options, partial(_build, plan, Path(path).parent, options))


def plan_live(path: str, options: LiveOptions, environ: Mapping[str, str]) -> LivePlan:
    """What is to be run, from the configuration at ``path`` and the options.

    ConfigError, UsageError or StoreError for what cannot be run.
    """
    config = SessionConfig.from_file(path)
    if config.mode != "live":
        raise UsageError(
            f"{path} is a backtest (mode: \"{config.mode}\"): run it with 'mismartera run {path}', or make it "
            'a live session with "mode": "live" and a feed'
        )
    try:
        return _plan(config, path, options, environ)
    except ConfigError as error:
        raise ConfigError(error.problems, source=path) from error


def _plan(config: SessionConfig, path: str, options: LiveOptions, environ: Mapping[str, str]) -> LivePlan:
    time = make_session_time(config, environ)
    start = None
    if options.clock is not None:
        with _naming("--clock"):
            start = read_clock(options.clock, time)
    assert config.feed is not None, "a live session has a feed"
    if options.feed == "replay" and config.feed.type != "replay":
        config, start = _as_replay(config, path, options.store, time, start)
    assert config.feed is not None, "a live session has a feed"
    data = _store(options.store, needed=config.feed.type == "replay" and config.feed.data is None)
    session = None
    if config.feed.type == "replay":
        recording = find_recording(config.feed, data, time)
        session = recording.session
        require_bars(recording, config.session_data_config.symbols)
        start = _replay_start(start, session, time)
    wall = make_wall(start)
    until = None if session is None else session.close
    if options.until is not None:
        with _naming("--until"):
            until = read_until(options.until, wall.now_us(), time)
    feed = make_feed(config.feed, clock=wall, data=data, time=time, environ=environ)
    return LivePlan(config, data, time, wall, feed, until, config.feed.type == "replay")


def _as_replay(
    config: SessionConfig, path: str, store: str, time: TimeManager, start: ClockStart | None
) -> tuple[SessionConfig, ClockStart]:
    """``config`` on a replay of the day of ``start``, or else of the last one that the store has."""
    data = open_store(store)
    source = f"{path} with --feed replay"
    if start is not None:
        with _naming("--clock"):
            day = time.get_trading_session(time.session_of(start.start_us)).date
        return as_replay(config, data, time, day, source), start
    with _naming("--feed replay"):
        day = last_recorded_day(config.session_data_config.symbols, data, time)
    start = pre_open(time.get_trading_session(day), time, _TRIAL_SPEED)
    return as_replay(config, data, time, day, source), start


def _replay_start(start: ClockStart | None, session: TradingSession, time: TimeManager) -> ClockStart:
    if start is None:
        return pre_open(session, time)
    with _naming("--clock"):
        check_start(start, session, time)
    return start


def _store(path: str, *, needed: bool) -> DataManager:
    """The run's store; one that is not ``needed`` may be missing: the first write makes it."""
    if needed:
        return open_store(path)
    data = DataManager(path)
    folder = data.path  # a session keeps its bars: a store that can only be read is refused here
    if data.exists():
        data.refresh()  # a damaged one is told before the session begins
    elif folder.exists() and not folder.is_dir():
        raise StoreError(f"{path} is a file: the bar store is a folder; name another with --data")
    return data


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """What is wrong with the value of ``option`` is told with its name."""
    try:
        yield
    except (ValueError, CalendarError) as error:
        raise UsageError(f"{option}: {error}") from error


def _build(plan: LivePlan, folder: Path, options: LiveOptions) -> Run:
    """Everything that can be found wrong before the run begins is found here, files are touched last."""
    listeners, watch = Listeners(options, plan.time.zone, plan.config), SessionWatch()
    record = None
    try:
        config, record = open_record(plan.config, plan.wall, folder, options, os.environ, is_trial=plan.is_trial)
        system = SystemManager(
            config, data_manager=plan.data, folder=folder, warn=logger.warning,
            sinks=[*listeners.sinks, *([watch] if options.has_progress else [])], recorders=listeners.recorders,
            feed=plan.feed, wall=plan.wall, until=plan.until, record=record,
        )  # fmt: skip
        system.claim()
        listeners.open(system)
    except BaseException:
        if record is not None:
            record.close()
        plan.feed.stop()  # nobody else will
        raise
    line = StatusLine(is_shown=options.has_progress)
    return Run(system, listeners, line, partial(_show, plan, watch, line))


def _show(plan: LivePlan, watch: SessionWatch, line: StatusLine) -> None:
    line.show(watch.text(to_datetime(plan.wall.now_us(), plan.time.zone)))
