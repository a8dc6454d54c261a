"""Transitions of a run as log messages, through loguru. Messages begin with the engine's time at the exchange."""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from mismartera.bars import Bar
from mismartera.bars.instants import to_datetime
from mismartera.errors import UsageError
from mismartera.session.ports import Field

if TYPE_CHECKING:
    from loguru import Message

_PACKAGE = Path(__file__).parents[1]
_LISTED_MAX = 10
LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_LEVEL_OF = {
    "gap": "DEBUG", "quiet": "DEBUG", "symbol_failed": "WARNING", "feed_disconnected": "WARNING",
    "feed_failed": "ERROR", "strategy_error": "ERROR",
}  # fmt: skip
_TEXTS = {
    "session_opened": "session {date} opened",
    "session_closed": "session {date} closed",
    "session_activated": "session activated ({reason}, lag {lag_seconds:g} s{of_symbol})",
    "session_deactivated": "session deactivated ({reason}, lag {lag_seconds:g} s{of_symbol})",
    "session_state": "session went from {from} to {to} ({reason})",
    "symbol_activated": "{symbol} activated ({reason}, lag {lag_seconds:g} s)",
    "symbol_deactivated": "{symbol} deactivated ({reason}, lag {lag_seconds:g} s)",
    "symbol_pending": "{symbol} pending ({reason})",
    "symbol_loaded": "{symbol} loaded",
    "symbol_failed": "{symbol} failed: {reason}",
    "symbol_removed": "{symbol} removed",
    "gap": "{symbol} lacks {missing} {interval} bars from {from} to {to}",
    "strategy_error": "strategy {strategy} raised {error}; it is called no more",
    "feed_connected": "the feed is connected",
    "feed_disconnected": "the feed is disconnected: {reason}",
    "feed_failed": "the feed has failed: {reason}",
    "feed_subscribed": "the feed has confirmed {listed}",
    "backfilled": "{symbol}: {bars} {interval} bars from {from} to {to} were fetched",
    "revision": "{symbol}: the {interval} bar of {start} was revised",
    "quiet": "{symbol} had no trades in the minute of {start}",
    "halted": "{symbol} is halted ({reason})",
    "resumed": "{symbol} trades again ({reason})",
    "signal": "signal {name} = {value} of {strategy}",
}


class LogSink:
    """A sink that logs every event but bars: transitions and signals at INFO, gaps per symbol and session at INFO,
    each one, and each minute without trades, at DEBUG, failed symbols and a lost feed at WARNING, strategies that
    raise and a feed that has failed for good at ERROR.

    ``zone``: the exchange's. ``gaps``: False where nothing below WARNING is written anyway. Configure loguru
    first (:func:`log_to`).
    """

    wants_bars = False

    def __init__(self, zone: tzinfo, *, gaps: bool = True) -> None:
        from loguru import logger  # takes 40 ms, which help texts need not pay

        self._log = logger.log
        self._zone = zone
        self.wants_gaps = gaps
        self._gaps: Counter[str] = Counter()

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """Log an event."""
        when = f"{to_datetime(now_us, self._zone):%Y-%m-%d %H:%M:%S %Z}"
        if name == "gap":
            self._gaps[str(fields["symbol"])] += int(str(fields["missing"]))
        elif name == "session_closed":
            self._log_gaps(when)
        self._log(_LEVEL_OF.get(name, "INFO"), f"{when} {_text(name, fields)}")
        if name == "strategy_error":
            self._log_origin(when)

    def bar(self, bar: Bar) -> None:
        """Never called: this sink wants no bars."""

    def _log_gaps(self, when: str) -> None:
        for symbol, missing in self._gaps.items():
            self._log("INFO", f"{when} {symbol} lacks {missing} bars of this session")
        self._gaps.clear()

    def _log_origin(self, when: str) -> None:
        """Where a strategy raised. The event is published while its exception is being handled."""
        error = sys.exception()
        error = error.__cause__ or error if error else None
        if error is not None:
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if not Path(frame.filename).is_relative_to(_PACKAGE)]
            for at in (own or frames)[-1:]:  # what we have refused was asked for by a line of the strategy's
                self._log("ERROR", f"{when} raised at {at.filename}:{at.lineno} in {at.name}")
            self._log("DEBUG", "".join(traceback.format_exception(error)).rstrip())


def log_to(level: str, file: Path | None, file_level: str) -> None:
    """Let loguru write to stderr from ``level`` on, and to ``file`` from ``file_level`` on.

    UsageError if the file cannot be written to.
    """
    from loguru import logger

    logger.remove()
    # Looked up at each message: a progress bar puts its own stream there.
    logger.add(_to_stderr, level=level, format="{level}: {message}", backtrace=False, diagnose=False)
    if file is not None:
        try:
            logger.add(file, level=file_level, format=_FILE_FORMAT, backtrace=False, diagnose=False)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(f"the log cannot be written to {file}: {reason}") from error


def end_log() -> None:
    """Write what is buffered and close the log's file."""
    from loguru import logger

    logger.remove()


_FILE_FORMAT = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <8} {message}"


def _to_stderr(message: Message) -> None:
    sys.stderr.write(message)


def _text(name: str, fields: Mapping[str, Field]) -> str:
    template = _TEXTS.get(name)
    if template is None:
        return f"{name} " + ", ".join(f"{key} {value}" for key, value in fields.items())
    symbol, symbols = fields.get("symbol"), fields.get("symbols")
    more = {"of_symbol": f" of {symbol}" if symbol else "", "listed": ""}
    if isinstance(symbols, tuple):
        rest = f" and {len(symbols) - _LISTED_MAX} more" if len(symbols) > _LISTED_MAX else ""
        more["listed"] = ", ".join(symbols[:_LISTED_MAX]) + rest
    return template.format_map({**fields, **more})
