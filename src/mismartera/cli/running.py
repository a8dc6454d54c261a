"""Carrying out ``mismartera run``: build, drive, close, report. Imported by the command only: it pulls the engine
in.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import ExitStack, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from loguru import logger

from mismartera.bars.instants import to_datetime
from mismartera.cli.opening import open_store
from mismartera.cli.signals import StopSignals
from mismartera.cli.status import FAILED, INTERRUPTED, TERMINATED, say
from mismartera.config import SessionConfig
from mismartera.errors import ConfigError, MismarteraError
from mismartera.report.dump import SessionDump
from mismartera.report.events import EventLog
from mismartera.report.figures import SymbolFigures
from mismartera.report.log import LogSink, end_log, log_to
from mismartera.report.progress import ProgressLine, is_terminal, run_text
from mismartera.report.table import print_summary
from mismartera.system import SystemManager
from mismartera.system.manager import Outcome
from mismartera.timing import ExchangeCalendar, user_cache_dir

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of ``mismartera run``."""

    store: str
    store_version: int | None
    events: Path | None
    dump: Path | None
    speed: float | None
    quiet: bool
    as_json: bool
    log_level: str
    log_file: Path | None


@dataclass
class _Run:
    """A run and what listens to it."""

    system: SystemManager
    figures: SymbolFigures
    events: EventLog | None
    failure: Exception | None = None
    signals: StopSignals = field(default_factory=StopSignals)


def run_config(path: str, options: RunOptions) -> int:
    """Run the configuration at ``path`` and return the exit status. Raises what keeps it from beginning."""
    config = _configuration(path, options.speed)
    with ExitStack() as stack:
        log_to(options.log_level, options.log_file, "DEBUG" if options.log_level == "DEBUG" else "INFO")
        stack.callback(end_log)
        # With --json, stdout belongs to the summary: what strategies print goes to stderr.
        with redirect_stdout(sys.stderr) if options.as_json else nullcontext():
            try:
                run = _build(config, Path(path).parent, options)
            except ConfigError as error:  # found while building: still the file's fault
                raise ConfigError(error.problems, source=path) from error
            _drive(run, ProgressLine(is_shown=is_terminal() and not (options.quiet or options.as_json)))
        return _report(run, options)


def _configuration(path: str, speed: float | None) -> SessionConfig:
    config = SessionConfig.from_file(path)
    if speed is None or config.backtest_config is None:
        return config
    changed = config.to_dict()
    changed["backtest_config"]["speed_multiplier"] = speed
    return SessionConfig.from_dict(changed, source=f"{path} with --speed {speed:g}")


def _build(config: SessionConfig, folder: Path, options: RunOptions) -> _Run:
    """Everything that can be found wrong before the run begins is found here, files are touched last."""
    data = open_store(options.store, options.store_version)
    zone = ExchangeCalendar(config.calendar_code, cache_dir=user_cache_dir(os.environ)).zone
    events = EventLog(options.events) if options.events else None
    dump = SessionDump(options.dump) if options.dump else None
    figures = SymbolFigures()
    logs_gaps = options.log_file is not None or options.log_level in {"TRACE", "DEBUG", "INFO"}
    has_table = not (options.quiet or options.as_json)
    system = SystemManager(
        config, data_manager=data, folder=folder, warn=logger.warning,
        sinks=[*([events] if events else []), LogSink(zone, gaps=logs_gaps), *([figures] if has_table else [])],
        recorders=[*([dump] if dump else []), *([figures] if has_table else [])],
    )  # fmt: skip
    if dump is not None and dump.prepare():
        logger.warning(f"the dump folder {options.dump} is not empty: other files stay beside the new ones")
    if events is not None:
        events.open()
    return _Run(system, figures, events)


def _drive(run: _Run, progress: ProgressLine) -> None:
    """Start, wait for the end whatever it is, and close the files."""
    try:
        with run.signals:
            try:
                with progress:
                    _wait(run, progress)
            except Exception as error:  # noqa: BLE001  # whatever ended the run is reported with its summary
                run.failure = error
            run.system.stop()
    except KeyboardInterrupt:  # the second signal: nobody waits for the callback that is running
        run.system.coordinator.inbox.stop()
    if run.events is not None:
        try:
            run.events.close()
        except MismarteraError as error:
            run.failure = run.failure or error


def _wait(run: _Run, progress: ProgressLine) -> None:
    run.system.start()
    while not run.system.wait(_POLL_SECONDS):
        if run.signals.received is not None:
            if is_terminal():
                say("stopping after the present instant (again: at once)")
            return
        _show(run.system, progress)
        if run.events is not None:
            run.events.flush()


def _show(system: SystemManager, progress: ProgressLine) -> None:
    state, time = system.coordinator.progress(), system.get_time_manager()
    day = system.coordinator.date
    if day is None or not state.sessions_begun:
        return
    session = time.get_trading_session(day)
    part = (state.now_us - session.open_us) / (session.close_us - session.open_us)
    fraction = (state.sessions_begun - 1 + min(max(part, 0.0), 1.0)) / state.sessions
    now = to_datetime(state.now_us, time.zone)
    text = run_text(state.sessions_begun, state.sessions, now, state.bars_streamed)
    progress.show(fraction, text, state.bars_streamed, "bars")


def _report(run: _Run, options: RunOptions) -> int:
    """Print the summary and, on stderr, how the run ended if not by itself; returns the exit status."""
    status, messages = _ending(run, options)
    try:
        _print_summary(run, options)
    except BrokenPipeError:  # Ctrl-C reaches whoever reads our output, too
        if status == 0:
            raise
    finally:
        if messages:
            say(*messages)
    return status


def _print_summary(run: _Run, options: RunOptions) -> None:
    summary = run.system.summary()
    if options.as_json:
        sys.stdout.write(json.dumps(summary) + "\n")
    elif not options.quiet:
        print_summary(summary, run.figures, run.system.coordinator.tally.gaps, sys.stdout)
    sys.stdout.flush()


def _ending(run: _Run, options: RunOptions) -> tuple[int, list[str]]:
    """The exit status, and what to say of it."""
    if run.failure is not None:
        return FAILED, _failure_lines(run.failure, options)
    if run.signals.received is not None:
        state, time = run.system.coordinator.progress(), run.system.get_time_manager()
        now = f"{time.get_current_time():%Y-%m-%d %H:%M:%S %Z}"
        where = f"interrupted at {now}, in session {state.sessions_begun} of {state.sessions}"
        left = " (a strategy's callback was still running)" if run.system.is_running() else ""
        return TERMINATED if run.signals.is_terminate else INTERRUPTED, [where + left]
    if run.system.outcome is Outcome.INTERRUPTED:
        return _strategy_exit(run.system.error)
    return 0, []


def _failure_lines(error: Exception, options: RunOptions) -> list[str]:
    shown = str(error) if isinstance(error, MismarteraError) else f"{type(error).__name__}: {error}"
    lines = [f"error: the run failed: {shown}"]
    if options.log_level == "DEBUG":
        lines += "".join(traceback.format_exception(error)).splitlines()
    elif not isinstance(error, MismarteraError):
        lines.append("  run it again with --log-level DEBUG to see where")
    return lines


def _strategy_exit(error: BaseException | None) -> tuple[int, list[str]]:
    """A strategy ended the run: its SystemExit means here what it means in a Python script."""
    if not isinstance(error, SystemExit):
        return INTERRUPTED, ["interrupted by a strategy"]
    if error.code is None or isinstance(error.code, int):
        return int(error.code or 0), []
    return FAILED, [f"a strategy ended the run: {error.code}"]
