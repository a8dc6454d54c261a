"""Carrying out ``mismartera serve``. Imported by the command only: it pulls the engine in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mismartera.cli.live_running import LiveOptions, live_config
from mismartera.cli.running import RunOptions, run_config
from mismartera.config import SessionConfig
from mismartera.errors import UsageError

_OF_BACKTESTS = {"speed": "--speed", "store_version": "--store-version"}
_OF_LIVE = {
    "feed": "--feed",
    "clock": "--clock",
    "until": "--until",
    "journal": "--journal",
    "no_journal": "--no-journal",
    "resume": "--resume",
}


def serve_config(path: str, of_mode: Mapping[str, Any], common: Mapping[str, Any]) -> int:
    """Run the configuration at ``path``, of either mode, with a server; the exit status.

    ``of_mode`` are the values of options that one of the modes has, by their parameters; ``common`` what both
    take. UsageError if an option of the other mode was given.
    """
    if SessionConfig.from_file(path).mode != "live":
        _refuse(of_mode, _OF_LIVE, f"of a live session, and {path} is a backtest: its speed is set with --speed")
        own = {name: of_mode[name] for name in _OF_BACKTESTS}
        return run_config(path, RunOptions(**own, **common))
    _refuse(
        of_mode, _OF_BACKTESTS,
        f"of a backtest, and {path} is a live session: a rehearsal is as fast as --clock START@SPEED says",
    )  # fmt: skip
    own = {name: of_mode[name] for name in ("feed", "clock", "until", "journal")}
    return live_config(
        path,
        LiveOptions(**own, has_journal=not of_mode["no_journal"], is_resumed=of_mode["resume"], **common),
    )


def _refuse(given: Mapping[str, Any], options: Mapping[str, str], why: str) -> None:
    found = [option for name, option in options.items() if given[name] not in {None, False}]
    if found:
        verb = "is" if len(found) == 1 else "are"
        raise UsageError(f"{', '.join(found)} {verb} {why}")
