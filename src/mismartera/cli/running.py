"""Carrying out ``mismartera run``. Imported by the command only: it pulls the engine in."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from loguru import logger

from mismartera.bars.instants import to_datetime
from mismartera.cli.driving import Listeners, OutputOptions, Run, carry_out
from mismartera.cli.opening import open_store
from mismartera.config import SessionConfig
from mismartera.errors import UsageError
from mismartera.report.progress import ProgressLine, run_text
from mismartera.system import SystemManager
from mismartera.system.rehearsal import make_session_time


class RunOptions(OutputOptions, frozen=True, kw_only=True):
    """The options of ``mismartera run``."""

    store_version: int | None
    speed: float | None


def run_config(path: str, options: RunOptions) -> int:
    """Run the configuration at ``path`` and return the exit status. Raises what keeps it from beginning."""
    config = _configuration(path, options.speed)
    return carry_out(path, options, partial(_build, config, Path(path).parent, options))


def _configuration(path: str, speed: float | None) -> SessionConfig:
    config = SessionConfig.from_file(path)
    if config.mode == "live":
        raise UsageError(f"{path} is a live session (mode: \"live\"): run it with 'mismartera live {path}'")
    if speed is None or config.backtest_config is None:
        return config
    changed = config.to_dict()
    changed["backtest_config"]["speed_multiplier"] = speed
    return SessionConfig.from_dict(changed, source=f"{path} with --speed {speed:g}")


def _build(config: SessionConfig, folder: Path, options: RunOptions) -> Run:
    """Everything that can be found wrong before the run begins is found here, files are touched last."""
    data = open_store(options.store, options.store_version)
    listeners = Listeners(options, make_session_time(config, os.environ).zone, config)
    system = SystemManager(
        config, data_manager=data, folder=folder, warn=logger.warning, sinks=listeners.sinks,
        recorders=listeners.recorders,
    )  # fmt: skip
    listeners.open(system)
    progress = ProgressLine(is_shown=options.has_progress)
    return Run(system, listeners, progress, partial(_show, system, progress))


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
