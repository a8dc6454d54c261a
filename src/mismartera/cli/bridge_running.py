"""Carrying out ``mismartera bridge``. Imported by the command only: it pulls the feeds in."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from loguru import logger
from msgspec import Struct
from msgspec.structs import asdict

from mismartera.bars.instants import MINUTE_US, to_datetime, to_us
from mismartera.cli.live_running import LiveOptions, LivePlan, plan_live
from mismartera.cli.outputs import check_outputs
from mismartera.cli.signals import StopSignals
from mismartera.cli.status import FAILED, INTERRUPTED, TERMINATED, all_is_loaded, say
from mismartera.config import SessionConfig
from mismartera.errors import ConfigError, MismarteraError
from mismartera.report.log import end_log, log_to
from mismartera.report.progress import StatusLine, is_terminal
from mismartera.system.feeds import make_bridge, require_bus

if TYPE_CHECKING:
    from mismartera.feeds.nats import Bridge

_POLL_SECONDS: Final = 0.1
_AFTER_REPLAY_US: Final = 10 * MINUTE_US
"""Sessions compare their bars with the vendor's after the close."""


class BridgeOptions(Struct, frozen=True, kw_only=True):
    """The options of ``mismartera bridge``, times as they were written."""

    store: str
    clock: str | None
    until: str | None
    quiet: bool
    as_json: bool
    log_level: str
    log_file: Path | None


def bridge_config(path: str, options: BridgeOptions) -> int:
    """Run the bridge that the configuration at ``path`` describes, and return the exit status.

    Raises what keeps it from beginning.
    """
    plan = plan_bridge(path, options, os.environ)
    check_outputs({"--log-file": options.log_file}, {"the configuration": Path(path)}, options.store)
    with ExitStack() as stack:
        log_to(options.log_level, options.log_file, "DEBUG" if options.log_level == "DEBUG" else "INFO")
        stack.callback(end_log)
        try:
            bridge = make_bridge(plan.config, plan.feed, plan.wall, os.environ, logger.warning, logger.info)
        except ConfigError as error:
            plan.feed.stop()
            raise ConfigError(error.problems, source=path) from error
        if not plan.config.session_data_config.symbols:
            logger.warning("no symbols are configured: nothing is published until a session wants some")
        return _drive(bridge, plan, options)


def plan_bridge(path: str, options: BridgeOptions, environ: Mapping[str, str]) -> LivePlan:
    """What is to be published, and until when; nothing is started.

    ConfigError, UsageError or StoreError for what cannot be run.
    """
    config = SessionConfig.from_file(path)
    problems = []
    if config.bridge is None:
        problems.append(
            "bridge: missing; 'mismartera bridge' publishes on the bus of this section, for example {\"url\": "
            '"nats://127.0.0.1:4222"}'
        )
    if config.feed is not None and config.feed.type == "nats":
        problems.append(
            'feed.type: found "nats", which a bridge publishes; allowed: the feed of a vendor, or a replay'
        )
    if problems:
        raise ConfigError(problems, source=path)
    try:
        require_bus("a bridge", "or run the session on the vendor's feed itself")
    except ConfigError as error:
        raise ConfigError(error.problems, source=path) from error
    live = LiveOptions(
        store=options.store, feed=None, clock=options.clock, until=options.until, events=None, dump=None,
        quiet=options.quiet, as_json=options.as_json, log_level=options.log_level, log_file=options.log_file,
    )  # fmt: skip
    return plan_live(path, live, environ)


def _drive(bridge: Bridge, plan: LivePlan, options: BridgeOptions) -> int:
    """From its start to its exit status: 0 at its time, 1 if it failed, 130 and 143 for signals."""
    failure: MismarteraError | None = None
    until_us = _until_us(plan, options)
    line = StatusLine(is_shown=is_terminal() and not options.quiet and not options.as_json)
    with StopSignals() as signals:
        try:
            with line:
                all_is_loaded()
                bridge.start()
                while not bridge.wait(_POLL_SECONDS) and signals.received is None:
                    if until_us is not None and plan.wall.now_us() >= until_us:
                        break
                    line.show(_progress(bridge))
        except MismarteraError as error:
            failure = error
        bridge.stop()
    if not options.quiet:
        _print(bridge, plan, options)
    if failure is not None:
        say(f"error: the bridge failed: {failure}")
        return FAILED
    if signals.received is not None:
        now = to_datetime(plan.wall.now_us(), plan.time.zone)
        say(f"interrupted at {now:%Y-%m-%d %H:%M:%S %Z}")
        return TERMINATED if signals.is_terminate else INTERRUPTED
    return 0


def _until_us(plan: LivePlan, options: BridgeOptions) -> int | None:
    if plan.until is None:
        return None
    return to_us(plan.until) + (_AFTER_REPLAY_US if options.until is None else 0)


def _progress(bridge: Bridge) -> str:
    figures, state = bridge.figures, "connected" if bridge.is_connected else "not connected"
    return (
        f"{state}, {figures.symbols} symbols for {figures.sessions} sessions, {figures.bars} bars in "
        f"{figures.messages} messages"
    )


def _print(bridge: Bridge, plan: LivePlan, options: BridgeOptions) -> None:
    assert plan.config.bridge is not None, "a bridge has its section"
    summary: dict[str, Any] = {"stream": plan.config.bridge.stream, **asdict(bridge.figures)}
    if options.as_json:
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        width = max(map(len, summary))
        rows = (f"{key.replace('_', ' '):<{width}}  {value}" for key, value in summary.items())
        sys.stdout.write("\n".join(rows) + "\n")
    sys.stdout.flush()
