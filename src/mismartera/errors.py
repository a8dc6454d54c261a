"""The errors that users can meet: each says what was found, where, and what is allowed."""

from __future__ import annotations


class MismarteraError(Exception):
    """Base of all errors that come from the world outside our code (files, input, data, time)."""


class ConfigError(MismarteraError, ValueError):
    """A configuration that cannot be run. ``problems`` lists every fault, each with its key path."""

    def __init__(self, problems: list[str], *, source: str = "configuration") -> None:
        self.problems = problems
        self.source = source
        super().__init__(f"{source}: " + "; ".join(problems))


class DataError(MismarteraError):
    """A file, table or bar that cannot be used as market data."""


class StoreError(MismarteraError):
    """The bar store is missing, damaged, or written by another version."""


class JournalError(MismarteraError):
    """The journal is missing, damaged, in use, or written by another version."""


class CalendarError(MismarteraError):
    """A date or calendar that the exchange's timetable does not know."""


class SymbolError(MismarteraError, ValueError):
    """A name that is not a symbol."""


class UsageError(MismarteraError):
    """A call that cannot be carried out in the present state of the system."""


class RunFailedError(MismarteraError):
    """A run that started and could not be finished (exit status 1)."""


class FeedRefusedError(MismarteraError):
    """A feed that says no for good: refused keys, an unknown symbol, a request that it does not take."""


class KeysRefusedError(FeedRefusedError):
    """A vendor that does not take our keys, or whose plan does not include what is asked for."""


class FeedUnavailableError(MismarteraError):
    """A feed that cannot answer for a while; ``retry_after_seconds`` of the engine's clock is a good next try."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class TraceEndedError(SystemExit):
    """All that the journal has of the session was played, or as much as was asked for. No strategy catches it."""


class DepartedError(SystemExit):
    """What is played does something else than the session did: other code, or code that looks elsewhere."""
