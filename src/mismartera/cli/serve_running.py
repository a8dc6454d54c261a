"""Carrying out ``mismartera serve``. Imported by the command only: it pulls the engine in."""

from __future__ import annotations

from typing import Any

from mismartera.cli.live_running import LiveOptions, live_config
from mismartera.cli.running import RunOptions, run_config
from mismartera.cli.serving import ServeOptions
from mismartera.config import SessionConfig
from mismartera.errors import UsageError


def serve_config(
    path: str, *, store: str, speed: float | None, output: dict[str, Any], options: ServeOptions
) -> int:
    """Run the configuration at ``path``, of either mode, with a server; the exit status."""
    if SessionConfig.from_file(path).mode != "live":
        return run_config(path, RunOptions(store=store, store_version=None, speed=speed, serve=options, **output))
    if speed is not None:
        raise UsageError(
            "--speed is for a backtest; a rehearsal of a live session is 'mismartera live ... --serve'"
        )
    live = LiveOptions(store=store, feed=None, clock=None, until=None, serve=options, **output)
    return live_config(path, live)
