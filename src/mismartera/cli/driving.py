"""Driving a run, backtest or live, from its construction to its exit status: start, wait, stop, close, report."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, redirect_stdout
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger
from msgspec import Struct, field

from mismartera.cli.outputs import check_outputs
from mismartera.cli.signals import StopSignals
from mismartera.cli.status import FAILED, INTERRUPTED, TERMINATED, all_is_loaded, say
from mismartera.config import SessionConfig
from mismartera.errors import ConfigError, MismarteraError
from mismartera.report.dump import SessionDump
from mismartera.report.events import EventLog
from mismartera.report.figures import SymbolFigures
from mismartera.report.log import LogSink, end_log, log_to
from mismartera.report.progress import is_terminal
from mismartera.report.table import print_summary
from mismartera.session.ports import EventSink, SessionRecorder
from mismartera.system import SystemManager
from mismartera.system.outcome import Outcome

if TYPE_CHECKING:  # a server needs packages that not every installation has, and a report takes time to load
    from mismartera.cli.serving import ServeOptions, Serving
    from mismartera.report.document.keeping import ReportKeeper

_POLL_SECONDS = 0.1


class OutputOptions(Struct, frozen=True, kw_only=True):
    """What ``run``, ``live`` and ``replay`` may be told of their output, and what it must not be written over."""

    store: str
    journal: Path | None = None
    events: Path | None
    dump: Path | None
    report: Path | None = None
    command: str = "mismartera"
    quiet: bool
    as_json: bool
    log_level: str
    log_file: Path | None
    serve: ServeOptions | None = None

    @property
    def has_table(self) -> bool:
        """True if the summary is printed for people."""
        return not (self.quiet or self.as_json)

    @property
    def has_progress(self) -> bool:
        """True if people watch how the run goes on."""
        return is_terminal() and self.has_table


class Listeners:
    """What listens to a run, as its options want it. Files are touched by :meth:`open` only."""

    def __init__(self, options: OutputOptions, zone: tzinfo, config: SessionConfig) -> None:
        self._options = options
        self.serving = _serving(options)
        self.report = _report_keeper(options, zone, config)
        self.events = EventLog(options.events) if options.events else None
        self.figures = SymbolFigures()
        self._dump = SessionDump(options.dump) if options.dump else None
        logs_gaps = options.log_file is not None or options.log_level in {"TRACE", "DEBUG", "INFO"}
        self._log = LogSink(zone, gaps=logs_gaps)

    @property
    def sinks(self) -> list[EventSink]:
        """Listeners to the events."""
        figures = [self.figures] if self._options.has_table else []
        served = [self.serving.recent] if self.serving else []
        report = [self.report.digest] if self.report else []
        return [*([self.events] if self.events else []), self._log, *figures, *served, *report]

    @property
    def recorders(self) -> list[SessionRecorder]:
        """Keepers of finished sessions."""
        figures = [self.figures] if self._options.has_table else []
        return [*([self._dump] if self._dump else []), *figures]

    def open(self, system: SystemManager) -> None:
        """Let ``system`` be served, make the folder of the dump and the file of the events, look whether a
        report can be written.
        """
        try:
            if self.serving is not None:
                self.serving.start(system)
            self._open_files()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the server, if there is one."""
        if self.serving is not None:
            self.serving.stop()

    def _open_files(self) -> None:
        if self.report is not None:
            self.report.prepare()
        if self._dump is not None and self._dump.prepare():
            logger.warning(
                f"the dump folder {self._options.dump} is not empty: other files stay beside the new ones"
            )
        if self.events is not None:
            self.events.open()


class Run(Struct):
    """A run and what listens to it; ``progress`` is entered while it runs, and ``show`` called meanwhile."""

    system: SystemManager
    listeners: Listeners
    progress: AbstractContextManager[object]
    show: Callable[[], None]
    failure: Exception | None = None
    has_report: bool = False
    signals: StopSignals = field(default_factory=StopSignals)


def carry_out(path: str, options: OutputOptions, build: Callable[[], Run]) -> int:
    """Build a run of the configuration at ``path``, drive and report it; the exit status.

    Raises what keeps it from beginning.
    """
    check_outputs(
        {"--events": options.events, "--dump": options.dump, "--report": options.report,
         "--log-file": options.log_file},
        {"the configuration": Path(path), "the journal": options.journal},
        options.store,
    )  # fmt: skip
    with ExitStack() as stack:
        log_to(options.log_level, options.log_file, "DEBUG" if options.log_level == "DEBUG" else "INFO")
        stack.callback(end_log)
        # With --json, stdout belongs to the summary: what strategies print goes to stderr.
        with redirect_stdout(sys.stderr) if options.as_json else nullcontext():
            try:
                run = build()
            except ConfigError as error:  # found while building: still the file's fault
                raise ConfigError(error.problems, source=path) from error
            all_is_loaded()
            _drive(run, options)
            _keep_report(run, options)
        return _report(run, options)


def _drive(run: Run, options: OutputOptions) -> None:
    """Start, wait for the end whatever it is, and close the files."""
    try:
        with run.signals:
            try:
                with run.progress:
                    _wait(run)
            except Exception as error:  # noqa: BLE001  # whatever ended the run is reported with its summary
                run.failure = error
            _stay(run, options)
            run.system.stop()
    except KeyboardInterrupt:  # the second signal: nobody waits for the callback that is running
        run.system.coordinator.inbox.stop()
    run.listeners.close()
    if run.listeners.events is not None:
        try:
            run.listeners.events.close()
        except MismarteraError as error:
            run.failure = run.failure or error


def _wait(run: Run) -> None:
    run.system.start()
    while not run.system.wait(_POLL_SECONDS):
        if run.signals.received is not None:
            if is_terminal():
                say("stopping after the present instant (again: at once)")
            return
        run.show()
        if run.listeners.events is not None:
            run.listeners.events.flush()


def _stay(run: Run, options: OutputOptions) -> None:
    """After the run's end, with all its files there, its page can be looked at until somebody has seen enough."""
    serving = run.listeners.serving
    if serving is None or not serving.stays or run.signals.received is not None:
        return
    if run.system.outcome in {Outcome.NOT_STARTED, Outcome.RUNNING}:
        return
    if run.failure is not None:
        say(f"error: the run failed: {_shown(run.failure)}")
    _keep_report(run, options)
    if run.listeners.events is not None:
        run.listeners.events.flush()
    say(f"the run has {run.system.outcome}: its page stays until Ctrl-C")
    run.signals.wait(_POLL_SECONDS)


def _report_keeper(options: OutputOptions, zone: tzinfo, config: SessionConfig) -> ReportKeeper | None:
    if options.report is None:
        return None
    from mismartera.report.document.keeping import ReportKeeper  # only what writes a report pays for its code

    return ReportKeeper(options.report, zone, config, options.command)


def _serving(options: OutputOptions) -> Serving | None:
    if options.serve is None:
        return None
    from mismartera.cli.serving import Serving  # needs packages that not every installation has

    return Serving(options.serve, os.environ)


def _keep_report(run: Run, options: OutputOptions) -> None:
    """Write the report, however the run ended. While a callback still runs, its events are still being made."""
    keeper = run.listeners.report
    if keeper is None or run.has_report:
        return
    if run.system.is_running():
        say("no report: a strategy's callback was still running")
        return
    try:
        run.has_report = True
        keeper.write(run.system.summary(), "; ".join(_ending(run, options)[1]))
    except MismarteraError as error:
        run.failure = run.failure or error


def _report(run: Run, options: OutputOptions) -> int:
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


def _print_summary(run: Run, options: OutputOptions) -> None:
    summary = run.system.summary()
    if options.as_json:
        sys.stdout.write(json.dumps(summary) + "\n")
    elif not options.quiet:
        print_summary(summary, run.listeners.figures, run.system.coordinator.tally, sys.stdout)
    sys.stdout.flush()


def _ending(run: Run, options: OutputOptions) -> tuple[int, list[str]]:
    """The exit status, and what to say of it."""
    if run.failure is not None:
        return FAILED, _failure_lines(run.failure, options)
    if run.signals.received is not None and run.system.outcome is not Outcome.FINISHED:
        left = " (a strategy's callback was still running)" if run.system.is_running() else ""
        return TERMINATED if run.signals.is_terminate else INTERRUPTED, [_where(run.system) + left]
    if run.system.outcome is Outcome.INTERRUPTED:
        return _strategy_exit(run.system.error)
    return 0, []


def _where(system: SystemManager) -> str:
    """Where a run was interrupted; a live one has no last session."""
    state, now = system.coordinator.progress(), system.get_time_manager().get_current_time()
    of_all = "" if system.config.mode == "live" else f" of {state.sessions}"
    return f"interrupted at {now:%Y-%m-%d %H:%M:%S %Z}, in session {state.sessions_begun}{of_all}"


def _failure_lines(error: Exception, options: OutputOptions) -> list[str]:
    lines = [f"error: the run failed: {_shown(error)}"]
    if options.log_level == "DEBUG":
        lines += "".join(traceback.format_exception(error)).splitlines()
    elif not isinstance(error, MismarteraError):
        lines.append("  run it again with --log-level DEBUG to see where")
    return lines


def _shown(error: Exception) -> str:
    return str(error) if isinstance(error, MismarteraError) else f"{type(error).__name__}: {error}"


def _strategy_exit(error: BaseException | None) -> tuple[int, list[str]]:
    """A strategy ended the run: its SystemExit means here what it means in a Python script."""
    if not isinstance(error, SystemExit):
        return INTERRUPTED, ["interrupted by a strategy"]
    if error.code is None or isinstance(error.code, int):
        return int(error.code or 0), []
    return FAILED, [f"a strategy ended the run: {error.code}"]
