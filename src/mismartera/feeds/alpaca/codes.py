"""What Alpaca's codes mean for us: errors of the stream, answers to its handshake, trading statuses."""

from __future__ import annotations

from enum import Enum, auto


class Verdict(Enum):
    """What follows from an error."""

    IGNORE = auto()
    RETRY = auto()
    """A new connection, after the usual back-off."""
    WAIT = auto()
    """A new connection after a long wait: the server still counts an old one of ours, or asks for patience."""
    OUR_SLOWNESS = auto()
    """We read too slowly: a warning about this machine, and a new connection."""
    SYMBOLS = auto()
    """The symbols just asked for are too many."""
    SYNTAX = auto()
    """The request is not understood: one of its symbols may be to blame. A new connection, if none was made."""
    CHANNEL = auto()
    """A channel just asked for does not exist on this stream."""
    FATAL = auto()
    """No attempt can succeed until a person changes something."""


_STREAM = {
    400: Verdict.SYNTAX,
    401: Verdict.FATAL,
    402: Verdict.FATAL,
    403: Verdict.IGNORE,
    404: Verdict.RETRY,
    405: Verdict.SYMBOLS,
    406: Verdict.WAIT,
    407: Verdict.OUR_SLOWNESS,
    408: Verdict.FATAL,
    409: Verdict.FATAL,
    410: Verdict.CHANNEL,
    411: Verdict.FATAL,
    500: Verdict.RETRY,
}
"""400 invalid syntax, 401 not authenticated, 402 auth failed, 403 already authenticated, 404 auth timeout,
405 symbol limit exceeded, 406 connection limit exceeded, 407 slow client, 408 not enabled for this account,
409 insufficient subscription, 410 invalid subscribe action for this feed, 411 insufficient scope, 500 internal
error."""

_ADVICE = {
    401: "are the keys in APCA_API_KEY_ID and APCA_API_SECRET_KEY those of this account?",
    402: "are the keys in APCA_API_KEY_ID and APCA_API_SECRET_KEY right, and for this server?",
    406: "does another program use these keys?",
    408: "the account is not enabled for this stream",
    409: "the account's plan does not include this stream: choose another, such as one ending in /iex",
    411: "the keys may not read market data",
}

_HALTED = frozenset({"2", "H", "P"})
_RESUMED = frozenset({"3", "T"})
_NO_CHANGE = frozenset({"5", "6", "7", "8", "9", "A", "C", "D", "E", "F", "Q"})
"""Price indications, imbalances, limit bands, and Q: quoting resumes, trading does not yet."""


def verdict_of(code: int) -> Verdict:
    """What follows from error ``code`` of the stream; one that we do not know ends the connection."""
    return _STREAM.get(code, Verdict.RETRY)


def advice_on(code: int) -> str:
    """What a person can do about error ``code``, with a leading separator; "" if there is nothing to say."""
    return f": {_ADVICE[code]}" if code in _ADVICE else ""


def verdict_of_http(status: int) -> Verdict:
    """What follows from an HTTP ``status`` instead of a WebSocket."""
    if status in {401, 402, 403}:
        return Verdict.FATAL
    return Verdict.WAIT if status == 429 else Verdict.RETRY


def is_halted(code: str, words: str) -> bool | None:
    """True for a halt, False for a resumption, None if trading goes on as before; ValueError for neither.

    Tapes A and B use digits, C and O letters; the words decide on a code that is not listed.
    """
    if code in _NO_CHANGE:
        return None
    if code in _HALTED or (code not in _RESUMED and ("halt" in words.lower() or "pause" in words.lower())):
        return True
    if code in _RESUMED or "resum" in words.lower():
        return False
    raise ValueError(f"trading status {code!r} ({words!r:.60}) is not known")
