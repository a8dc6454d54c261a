"""The market of the fake Alpaca server: bars and statuses with their times, and the faults that it can have."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from mismartera.bars import Bar
from mismartera.bars.instants import MINUTE_US, to_datetime

JsonDict = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MarketBar:
    """A minute of a symbol. ``is_update``: it replaces an earlier one (``updatedBars``).

    ``release_us``: when the stream sends it and the REST service knows it; by default at the bar's end.
    """

    symbol: str
    start_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int = 1
    is_update: bool = False
    release_us: int = 0

    def __post_init__(self) -> None:
        if not self.release_us:
            object.__setattr__(self, "release_us", self.start_us + MINUTE_US)

    @classmethod
    def of(cls, bar: Bar) -> MarketBar:
        """A bar of the store or of a session, sent at its end."""
        return cls(bar.symbol, bar.start_us, bar.open, bar.high, bar.low, bar.close, bar.volume)

    def fields(self) -> JsonDict:
        """The protocol's fields, without type and symbol; ``t`` is a datetime, for any encoding."""
        return {
            "t": to_datetime(self.start_us), "o": self.open, "h": self.high, "l": self.low, "c": self.close,
            "v": self.volume, "n": self.trades, "vw": self.close,
        }  # fmt: skip

    def message(self) -> JsonDict:
        """The stream's message."""
        return {"T": "u" if self.is_update else "b", "S": self.symbol, **self.fields()}


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """A change of trading status: ``code`` "H" for a halt, "T" for its end (tapes C and O), and words."""

    symbol: str
    release_us: int
    code: str
    words: str

    def message(self) -> JsonDict:
        """The stream's message."""
        return {
            "T": "s", "S": self.symbol, "sc": self.code, "sm": self.words, "rc": "", "rm": "", "z": "C",
            "t": to_datetime(self.release_us),
        }  # fmt: skip


class AlpacaMarket:
    """What happens, in the order of release. The REST service knows of a minute what was released last."""

    def __init__(self, bars: Iterable[MarketBar] = (), statuses: Iterable[MarketStatus] = ()) -> None:
        events: list[MarketBar | MarketStatus] = [*bars, *statuses]
        self.events: Sequence[MarketBar | MarketStatus] = sorted(events, key=lambda event: event.release_us)
        self._bars: dict[str, list[MarketBar]] = {}
        for event in self.events:
            if isinstance(event, MarketBar):
                self._bars.setdefault(event.symbol, []).append(event)

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols that have bars at any time."""
        return frozenset(self._bars)

    def bars(self, symbol: str, start_us: int, end_us: int, known_at_us: int) -> list[MarketBar]:
        """One bar per minute with ``start_us <= start <= end_us`` (both included), as known then, by time."""
        rows: dict[int, MarketBar] = {}
        for bar in self._bars.get(symbol, ()):
            if start_us <= bar.start_us <= end_us and bar.release_us <= known_at_us:
                rows[bar.start_us] = bar
        return [rows[start] for start in sorted(rows)]


@dataclass(slots=True)
class AlpacaFaults:
    """What goes wrong. Switched on and off while the server runs; a number is how often it still happens."""

    mute: bool = False
    """Pings are answered, requests confirmed, and no data are sent."""
    drop_in_handshake: int = 0
    drop_before_auth: int = 0
    """Connections that end when the keys have come."""
    silent_auth: int = 0
    """Connections whose keys are never answered."""
    drop_in_frame: int = 0
    """Frames of data that break off in the middle, and the connection with them."""
    handshake_status: int | None = None
    """An HTTP status instead of a WebSocket."""
    auth_error: int | None = None
    """The code that answers the keys."""
    session_error: int | None = None
    """The code that is sent once a connection has subscribed."""
    errors_left: int = 1_000_000
    """How often the four above, and ``rest_status``, happen before all is well."""
    symbol_limit: int | None = None
    """More symbols than that are answered with 405, and nothing of the request is done."""
    no_channels: frozenset[str] = frozenset()
    """Channels that are answered with 410."""
    silent_channels: frozenset[str] = frozenset()
    """Channels that are never confirmed, whatever is asked for."""
    confirm_at_most: int | None = None
    never_confirm: frozenset[str] = frozenset()
    silent_confirm: int = 0
    """Requests that are never answered."""
    text_frames: bool = False
    """JSON, whatever the client asks for."""
    bad_message: bool = False
    """One message without a symbol among the others of each frame."""
    garbage_frames: int = 0
    """Frames that are no msgpack and no JSON, before the next ones."""
    unknown_types: bool = False
    strangers: bool = False
    """Bars of symbols that nobody asked for."""
    duplicate: bool = False
    burst: int = 1
    """How many times each bar is sent, in as many frames."""
    delay_seconds: float = 0.0
    """Data come so much later."""
    rest_status: int | None = None
    retry_after: str | None = None
    """The header that comes with a ``rest_status`` or ``handshake_status``."""
    rest_garbage: int = 0
    """Answers 200 whose body breaks off."""
    rest_hang: int = 0
    """Requests that are never answered."""
    rest_delay_seconds: float = 0.0
    """An answer is made when it is asked for, and comes so much later."""
    bad_symbols: frozenset[str] = frozenset()
    """Symbols for which a whole request is refused with 400, of the stream and of the REST service."""
    names_bad_symbols: bool = True
    """The REST service says which symbol it was."""
    page_size: int = 10_000
    repeat_boundary: bool = False
    """Each page begins with the last bar of the one before."""
    reverse_pages: bool = False
    """Bars of a page are in the wrong order."""
    empty_page: bool = False
    """The first page has no bars, but a token."""
    rest_lag_bars: int = 0
    """The REST service does not know the newest minutes yet."""
    forming: bool = False
    """The REST service shows the minute that has not ended."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def take(self, name: str) -> bool:
        """True if the counted fault ``name`` happens now; it is then one less."""
        with self._lock:
            left: int = getattr(self, name)
            if left > 0:
                setattr(self, name, left - 1)
            return left > 0

    def code(self, name: str) -> int | None:
        """The code of the fault ``name`` if it happens now."""
        code: int | None = getattr(self, name)
        return code if code is not None and self.take("errors_left") else None

    def heal(self) -> None:
        """Everything works from now on."""
        for one in fields(self):
            if not one.name.startswith("_"):
                setattr(self, one.name, one.default)
