"""Commands to a session that is served: ``watch``, ``status``, ``add``, ``remove``, ``pause``, ``resume``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from mismartera.cli.status import FAILED, json_option, log_level_option, say
from mismartera.errors import UsageError

if TYPE_CHECKING:
    from mismartera.remote.client import Remote

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _url_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    return click.option(
        "--url", metavar="URL", help="Of the server (by default the one that runs here). Its token is that of the "
        "variable MISMARTERA_TOKEN, or the one that 'serve' has left on this machine.",
    )(command)  # fmt: skip


def _remote(url: str | None) -> Remote:
    from mismartera.remote.client import Remote, find_server  # an HTTP client, which help texts need not wait for

    return Remote(*find_server(url, os.environ))


@click.command()
@click.argument("url", metavar="[URL]", required=False)
@log_level_option
def watch(url: str | None) -> int:
    """Watch and steer a served session in the terminal.

    Needs the extra: pip install 'mismartera[watch]'.
    """
    from mismartera.remote.client import Remote, find_server  # an HTTP client, which help texts need not wait for

    try:
        from mismartera.remote.follow import Follower  # needs the extra, as the view does
        from mismartera.remote.view import SessionView
    except ModuleNotFoundError as missing:
        if missing.name != "textual":
            raise
        raise UsageError("watch needs the package textual: pip install 'mismartera[watch]' brings it") from missing
    address, token = find_server(url, os.environ)
    with Remote(address, token) as remote:
        remote.session()  # what is wrong is told before the screen is taken
        SessionView(remote, lambda: Follower(address, token)).run()
    return 0


@click.command()
@_url_option
@json_option
@log_level_option
def status(url: str | None, *, as_json: bool) -> int:
    """Show how a served session and its symbols stand."""
    with _remote(url) as remote:
        session, symbols = remote.session(), remote.symbols()
    if as_json:
        click.echo(json.dumps({"session": session, "symbols": symbols}))
        return 0
    state = f"over: {session['outcome']}" if session["is_over"] else session["state"]
    paused = ", paused" if session["is_paused"] else ""
    click.echo(f"{session['name']}  {session['now']}  {state}{paused} ({session['reason']})")
    for row in symbols:
        close = "" if row["close"] is None else f"{row['close']:.2f}"
        quality = "" if row["quality_percent"] is None else f"{row['quality_percent']:.1f} %"
        lag = "" if row["lag_seconds"] is None else f"lag {row['lag_seconds']:>7.1f} s"
        line = f"{row['symbol']:<12} {row['state']:<8} {close:>12} {lag:<13} {quality:>8}"
        click.echo(f"{line}  {row['reason'] or ''}".rstrip())
    return 0


@click.command()
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL...")
@click.option("--streams", metavar="1m,5m", help="Of these symbols; by default the session's.")
@click.option(
    "--timeout", type=click.FloatRange(0, 3600), default=60.0, show_default=True, metavar="SECONDS",
    help="How long to wait until they are loaded; 0: not at all.",
)  # fmt: skip
@_url_option
@log_level_option
def add(symbols: tuple[str, ...], streams: str | None, timeout: float, url: str | None) -> int:
    """Add symbols to a served session and wait until they are caught up. Exit status 1 if one is not."""
    wanted = None if streams is None else [stream.strip() for stream in streams.split(",")]
    with _remote(url) as remote:
        command = remote.wait(remote.add(list(symbols), wanted), timeout)
    return _tell(command, "loaded", "pending" if timeout == 0 else "loaded")


@click.command()
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL...")
@_url_option
@log_level_option
def remove(symbols: tuple[str, ...], url: str | None) -> int:
    """Remove symbols from a served session."""
    with _remote(url) as remote:
        return max(_tell(remote.remove(symbol), "removed") for symbol in symbols)


@click.command()
@_url_option
@log_level_option
def pause(url: str | None) -> int:
    """Pause a served session after the present instant."""
    return _steer(url, "pause", "paused")


@click.command()
@_url_option
@log_level_option
def resume(url: str | None) -> int:
    """Let a served session go on."""
    return _steer(url, "resume", "resumed")


def _steer(url: str | None, what: str, done: str) -> int:
    with _remote(url) as remote:
        reason = remote.steer(what)["reason"]
        click.echo(f"{done} at {remote.session()['now']}" + (f": {reason}" if reason else ""))
    return 0


def _tell(command: dict[str, Any], *good: str) -> int:
    is_good = True
    for symbol, found in command["symbols"].items():
        text = f"{symbol} {found['outcome']}" + (f": {found['reason']}" if found["reason"] else "")
        if found["outcome"] in good:
            click.echo(text)
        else:
            is_good = False
            say(text)
    return 0 if is_good else FAILED


REMOTE_COMMANDS = (watch, status, add, remove, pause, resume)
