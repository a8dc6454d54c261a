"""What goes wrong at an exchange, and what follows from it.

ccxt's errors are told by their names, so that whoever brings an exchange of their own need not have the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from mismartera.feeds.backoff import Backoff
from mismartera.feeds.retry_after import retry_after_seconds
from mismartera.feeds.secret import one_line


class Trouble(Enum):
    """What follows from an error."""

    AWAY = auto()
    """The exchange cannot be reached, or is closed for a while."""
    CROWDED = auto()
    """It asks for fewer requests."""
    SYMBOL = auto()
    """It does not have this symbol."""
    REQUEST = auto()
    """It does not take this request, or answers it with something else than candles."""
    FATAL = auto()
    """No attempt can succeed until a person changes something."""


_BY_NAME: Final = {
    "DDoSProtection": Trouble.CROWDED,
    "RateLimitExceeded": Trouble.CROWDED,
    "OperationFailed": Trouble.AWAY,
    "BadSymbol": Trouble.SYMBOL,
    "AuthenticationError": Trouble.FATAL,
    "RestrictedLocation": Trouble.FATAL,
    "NotSupported": Trouble.FATAL,
    "InvalidProxySettings": Trouble.FATAL,
    "BaseError": Trouble.REQUEST,
    "OSError": Trouble.AWAY,
}
_ADVICE: Final = {
    "AuthenticationError": ": it wants an account for its candles; choose another exchange",
    "RestrictedLocation": ": it does not serve this place; choose another exchange",
}

_CROWDED_SECONDS: Final = 10.0

ANSWERS: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the library raises on an answer that it does not understand."""


class TroubleError(Exception):
    """A request that failed: why, and what follows. ``retry_after``: the header of that name, if there was one."""

    def __init__(self, reason: str, trouble: Trouble, retry_after: str | None = None) -> None:
        self.reason = reason
        self.trouble = trouble
        self.retry_after = retry_after
        super().__init__(reason)

    def wait_seconds(self, backoff: Backoff, now_us: int) -> float:
        """How long to wait from ``now_us`` on: as back-off says, or longer if the exchange asks for it."""
        at_least = _CROWDED_SECONDS if self.trouble is Trouble.CROWDED else 0.0
        return max(backoff.next_seconds(at_least), retry_after_seconds(self.retry_after, now_us) or 0.0)


class StoppedError(Exception):
    """The feed was stopped while a request waited for its turn."""


def trouble_of(error: Exception, exchange_name: str, headers: object = None) -> TroubleError:
    """What ``error`` of the exchange means; the nearest of its classes that we know decides."""
    names = [one.__name__ for one in type(error).__mro__]
    trouble = next((_BY_NAME[name] for name in names if name in _BY_NAME), Trouble.REQUEST)
    advice = next((_ADVICE[name] for name in names if name in _ADVICE), "")
    cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
    reason = one_line(f"{exchange_name}: {names[0]}: {error}{cause}") + advice
    return TroubleError(reason, trouble, _retry_after(headers) if trouble is Trouble.CROWDED else None)


def _retry_after(headers: object) -> str | None:
    if not isinstance(headers, Mapping):
        return None
    return next((str(value) for name, value in headers.items() if str(name).lower() == "retry-after"), None)
