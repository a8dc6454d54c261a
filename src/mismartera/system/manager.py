"""SystemManager: one run, from its start to its summary."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from mismartera.bars.instants import to_us
from mismartera.catalog import DataManager
from mismartera.config import SessionConfig
from mismartera.errors import DepartedError, MismarteraError, RunFailedError, TraceEndedError, UsageError
from mismartera.feeds.port import Feed
from mismartera.session.beginning import FROM_NOTHING
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.ports import EventSink, SessionRecorder
from mismartera.session.session_data import SessionData
from mismartera.session.strategy import Strategy
from mismartera.session.strategy_run import StrategyRun
from mismartera.system.given import check_config, check_store, check_strategies
from mismartera.system.keeping import NoKeeper, StoreKeeper
from mismartera.system.live import LiveSource
from mismartera.system.notebook import QualityTable, run_html
from mismartera.system.outcome import Outcome
from mismartera.system.record import Backlog, LiveRecord
from mismartera.system.steering import SteeredRun
from mismartera.system.strategies import load_strategies
from mismartera.system.summary import Summary, summarize
from mismartera.system.wiring import make_coordinator, make_time
from mismartera.timing import Clock, LiveClock, TimeManager, WallClock


class SystemManager(SteeredRun):
    """Runs one configuration: ``start`` it on a thread of its own, steer it from any other, ``wait`` for its end.

    ``data_manager``: the bar store (default: the folder ``data``). ``strategies``: instances, notified after
    those that the configuration names. ``sinks`` listen to the events, ``recorders`` get each finished session.
    ``folder``: where strategy modules are looked up first, besides the current directory. ``clock``: in place of
    the one that the configuration's speed asks for. A live session needs its ``feed`` and ``wall``, the clock that
    they share; it ends at ``until``, or when it is stopped; ``record`` keeps its journal, or plays it from one.
    Raises ConfigError for what cannot be run, TypeError for arguments of another type.
    """

    def __init__(
        self, config: SessionConfig, *, data_manager: DataManager | None = None,
        strategies: Sequence[Strategy] = (), sinks: Sequence[EventSink] = (),
        recorders: Sequence[SessionRecorder] = (), folder: Path | None = None,
        warn: Callable[[str], None] | None = None, clock: Clock | None = None,
        feed: Feed | None = None, wall: WallClock | None = None, until: datetime | None = None,
        record: LiveRecord | None = None,
    ) -> None:  # fmt: skip
        check_config(config)
        check_store(data_manager)
        given = check_strategies(strategies)
        is_live = config.mode == "live"
        if is_live and (feed is None or wall is None):
            raise UsageError("a live session needs a feed and its clock: SystemManager(..., feed=..., wall=...)")
        if not is_live and (feed is not None or wall is not None or until is not None):
            raise UsageError("feed, wall and until are for live sessions: the configuration is a backtest")
        self._data = DataManager("data") if data_manager is None else data_manager
        self._keeper: StoreKeeper | NoKeeper = NoKeeper(self._data)
        self._record = record
        self._until_us = None if until is None else to_us(until)
        if wall is not None:
            clock = LiveClock(wall if record is None else record.engine_wall)
            sinks = (*sinks, *(record.sinks if record is not None else ()))
            recorders = (*recorders, *(record.recorders if record is not None else ()))
        self._time = make_time(config, clock)
        self.warnings: list[str] = []
        self._warn = warn or self.warnings.append
        folders = [*([folder] if folder else []), Path.cwd()]
        self.strategies = (*load_strategies(config.analysis.strategies, folders), *given)
        if len({id(strategy) for strategy in self.strategies}) < len(self.strategies):
            raise UsageError("a strategy is given twice: make one instance for each place")
        self._stop_on_error = config.analysis.on_strategy_error == "stop"
        self.coordinator: SessionCoordinator = make_coordinator(
            config, self._time, self._data, self.strategies, sinks, recorders, self._warn, self._strategy_failed,
            None if feed is None or wall is None else self._live(config, feed, wall),
            FROM_NOTHING if record is None else record.beginning,
        )  # fmt: skip
        if record is not None:
            record.bind(self.coordinator)
        self._thread: threading.Thread | None = None
        self._outcome = Outcome.NOT_STARTED
        self._error: BaseException | None = None
        self._started_seconds = self._ended_seconds = 0.0
        self._timeout_seconds = config.session_data_config.streaming.command_timeout_seconds
        self._lock, self._stepping = threading.Lock(), threading.Lock()
        self._ended = threading.Event()  # waited for instead of the thread: Ctrl-C breaks Thread.join for good

    def _live(self, config: SessionConfig, feed: Feed, wall: WallClock) -> LiveSource:
        assert config.feed is not None, "a live configuration has a feed"
        keeps = config.feed.type != "replay" and (self._record is None or self._record.keeps_bars)
        keeper = self._keeper = StoreKeeper(self._data, self._warn) if keeps else NoKeeper(self._data)
        if self._record is not None:
            return self._record.source(feed, wall, keeper, self._until_us)
        return LiveSource(feed, wall, keeper, self._until_us)

    @property
    def config(self) -> SessionConfig:
        """The configuration with the symbols as they are now."""
        return self.coordinator.config

    @property
    def session_data(self) -> SessionData:
        """The gated reads of the current session."""
        return self.coordinator.session_data

    @property
    def outcome(self) -> Outcome:
        """How the run stands or ended."""
        return self._outcome

    @property
    def error(self) -> BaseException | None:
        """What ended a run that failed or was interrupted."""
        return self._error

    def get_time_manager(self) -> TimeManager:
        """The run's time."""
        return self._time

    def get_data_manager(self) -> DataManager:
        """The run's bar store."""
        return self._data

    def claim(self) -> None:
        """What :meth:`start` does first: become the one live session that writes to the store, or hold a lease on
        what the run reads. StoreError if another live session writes there.
        """
        self._keeper.open()

    def start(self) -> None:
        """:meth:`claim`, and begin on an own thread; returns at once. UsageError if it was started before."""
        if not self._start():
            raise UsageError("a system runs once: make a new SystemManager for another run")

    def run(self) -> None:
        """Start, and wait for the end."""
        self.start()
        self.wait()

    def wait(self, timeout: float | None = None) -> bool:
        """True once the run has ended; False if it has not after ``timeout`` seconds.

        Raises what ended a run that failed: RunFailedError, StoreError, OSError of an events file, and the like.
        """
        if self._thread is None:
            raise UsageError("the run was not started")
        if self._on_engine_thread():
            raise UsageError("wait on the engine's own thread would wait for itself")
        if not self._ended.wait(timeout):
            return False
        if self._outcome is Outcome.FAILED and self._error is not None:
            raise self._error
        return True

    def is_running(self) -> bool:
        """True from ``start`` to the run's end, pauses included."""
        return self._outcome is Outcome.RUNNING

    def stop(self) -> None:
        """End the run after the present instant and wait for it (from a callback: return at once). Idempotent."""
        self.coordinator.inbox.stop()
        with self._lock:  # not between the making of the thread and its start
            thread = self._thread
        if thread is not None and not self._on_engine_thread():
            self._ended.wait()

    def audit(self, who: str, what: str, result: str) -> None:
        """Take down in the journal, if there is one, what was asked for from outside, and how it was answered."""
        if self._record is not None:
            self._record.audit(who, what, result)

    def wait_durable(self, seconds: float) -> bool:
        """True once all that was asked for before is in the journal; False if it is not after so long.

        True at once without a journal: nothing is acknowledged there.
        """
        return self._record is None or self._record.wait_durable(seconds)

    def journal_backlog(self) -> Backlog | None:
        """How far the journal's disk is behind; None without a journal."""
        return None if self._record is None else self._record.backlog

    def summary(self) -> Summary:
        """The figures of the run so far; see the documentation of the command line for its keys."""
        ended = self._ended_seconds if self._outcome is not Outcome.RUNNING else self._time.monotonic()
        version = self._data.version if self._data.exists() else None
        return summarize(self.coordinator, version, ended - self._started_seconds)

    def quality(self) -> QualityTable:
        """The quality of the run so far as a table, for notebooks and frames."""
        return QualityTable.of(self.summary())

    def _repr_html_(self) -> str:
        return run_html(self.config.session_name, self._outcome.value, self.summary())

    def _start(self) -> bool:
        """Begin the run; False if it was begun before."""
        with self._lock:
            if self._thread is not None:
                return False
            self.claim()
            if self._record is not None:
                try:
                    self._record.begin(self.coordinator.config, self._data, self._until_us)
                except BaseException:
                    self._keeper.close()
                    raise
            self._outcome = Outcome.RUNNING
            self._started_seconds = self._time.monotonic()
            self._thread = threading.Thread(target=self._run, name="mismartera-engine", daemon=True)
            self._thread.start()
            return True

    def _on_engine_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        try:
            self.coordinator.run()
            outcome = Outcome.STOPPED if self.coordinator.inbox.stopping else Outcome.FINISHED
            if self._error is not None:
                outcome = Outcome.FAILED
        except TraceEndedError:
            self.coordinator.record_present()
            outcome = Outcome.STOPPED
        except DepartedError as error:
            self._error, outcome = RunFailedError(str(error)), Outcome.FAILED
        except (KeyboardInterrupt, SystemExit) as error:  # a strategy asked for the end of the run
            self._error, outcome = error, Outcome.INTERRUPTED
        except BaseException as error:  # noqa: BLE001  # the thread's last line of defence: wait() raises it
            self._error, outcome = error, Outcome.FAILED
        if self._record is not None:
            try:
                self._record.end(outcome)
            except MismarteraError as error:
                self._error, outcome = self._error or error, Outcome.FAILED
        self._keeper.close()
        self._ended_seconds = self._time.monotonic()
        self._outcome = outcome
        self._ended.set()

    def _strategy_failed(self, run: StrategyRun, error: BaseException) -> None:
        self.coordinator.strategy_failed(run.name, run.error or "")
        if self._stop_on_error and self._error is None:
            self._error = RunFailedError(f"strategy {run.name} raised {run.error}")
            self._error.__cause__ = error
            self.coordinator.inbox.stop()
