"""Flow: is what the feed says good? Connected, flowing, not behind: only then may a session be active (R5).

A connection proves nothing, nor does a heartbeat: data must flow, and what was missed must have been fetched. REST
proves one thing only: that there was nothing to flow. The intake's thread only.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from mismartera.bars.instants import SECOND_US
from mismartera.feeds.port import Feed
from mismartera.live.engine_end import EngineEnd
from mismartera.live.timers import Timers
from mismartera.session.gate import GateState
from mismartera.timing import TradingSession, WallClock

_RECHECK_US = SECOND_US
_ATTEMPTS_MAX = 8


class FlowSettings(Struct, frozen=True):
    """How late a feed may be, and how long it may be silent in hours (microseconds)."""

    threshold_us: int
    stall_us: int


class Flow:
    """Begins held: whoever makes it has told the engine so. ``epoch`` counts connections, ``admissions`` how often
    it has begun to let symbols be loaded.

    ``is_fetching`` is asked whether what was missed is still being fetched, ``silent_until_us`` until when the
    silence since an instant is explained: all symbols halted or quiet; None if it is not. After a sleep of
    the machine the stream is doubted before anything else is done.
    """

    def __init__(
        self, settings: FlowSettings, feed: Feed, clock: WallClock, timers: Timers, engine: EngineEnd,
        is_fetching: Callable[[], bool], silent_until_us: Callable[[int], int | None],
    ) -> None:  # fmt: skip
        self._settings = settings
        self._feed = feed
        self._clock = clock
        self._timers = timers
        self._engine = engine
        self._is_fetching = is_fetching
        self._silent_until_us = silent_until_us
        self._session: TradingSession | None = None
        self._is_held, self._is_behind = True, False
        self._needs_data = self._has_data = self._has_nothing = False
        self._silent_since_us = 0
        self._watch = 0
        self._failures = 0
        self._made_us = clock.now_us()
        self.connected = False
        self.epoch = 0
        self.admissions = 0

    @property
    def is_good(self) -> bool:
        """True if the stream can be relied on."""
        return self.connected and (self._has_data or self._has_nothing or not self._needs_data)

    @property
    def keeps_from_loading(self) -> str:
        """Why the engine holds the session because of the stream, and nobody can tell who is caught up; or ""."""
        return "the feed is behind" if self._is_behind else "the feed is stale" if self._is_held else ""

    def begin(self, session: TradingSession) -> None:
        """The next session: what is not connected by its open is stale."""
        self._session = session
        self.set_behind(is_behind=False)
        if self.connected:
            self._needs_data = self._needs_data and not (self._has_data or self._has_nothing)
        self.watch()
        self.reflect()

    def end(self) -> None:
        """No session is open: silence means nothing."""
        self._session = None
        self._watch += 1

    def on_connected(self) -> None:
        """A new connection; if it is made in the hours, data must come before it is believed."""
        self.connected = True
        self.epoch += 1
        now_us = self._clock.now_us()
        self._has_data = self._has_nothing = False
        self._needs_data = self._is_open(now_us)
        self._silent_since_us = now_us
        self._engine.event("feed_connected")
        self.watch()
        self.reflect()

    def on_disconnected(self, reason: str) -> None:
        """The connection has ended, or an attempt at one."""
        self.connected = False
        self.epoch += 1
        self._watch += 1
        self._engine.event("feed_disconnected", reason=reason)
        self._failures += 1
        if self._failures >= _ATTEMPTS_MAX and self._clock.now_us() == self._made_us:
            # A rehearsal's clock stands until the vendor is reached: nobody would ever end this.
            self._engine.feed_failed(f"it could not be reached in {self._failures} attempts: {reason}")
        self.reflect()

    def on_data(self) -> None:
        """A frame with data of this session has come."""
        self._has_data = True
        self.reflect()

    def on_nothing(self) -> None:
        """REST has confirmed that no symbol of the stream has traded in this session so far: no data can come."""
        self._has_nothing = True
        self.reflect()

    def began(self, asked_us: int) -> None:
        """The first symbol joins, with what REST knew at ``asked_us``: before, nobody could miss anything, and
        silence counts from there.
        """
        self._silent_since_us = asked_us
        now_us = self._clock.now_us()
        if self.connected and self._is_open(now_us) and now_us >= self._last_us() + self._settings.stall_us:
            self._doubt(now_us)

    def set_behind(self, *, is_behind: bool, lag_us: int = 0) -> None:
        """The newest that the stream has is stale when it arrives, by ``lag_us``: it is slower than real time."""
        if is_behind == self._is_behind:
            return
        self._is_behind = is_behind
        if is_behind:
            self._engine.hold(GateState.CATCHING_UP, "lag", lag_us)
        else:
            self._lift(GateState.CATCHING_UP)

    def reflect(self) -> None:
        """Hold the session if the stream cannot be relied on, or something is still being fetched."""
        is_held = not self.is_good or self._is_fetching()
        if is_held == self._is_held:
            return
        self._is_held = is_held
        if is_held:
            self._engine.hold(GateState.STALE, "stale")
        else:
            self._lift(GateState.STALE)

    def _lift(self, cause: GateState) -> None:
        self._engine.lift(cause)
        self.admissions += not self.keeps_from_loading

    def watch(self) -> None:
        """Look again when the stream will have been silent for too long."""
        if self._session is None or not self.connected:
            return
        self._watch += 1
        self._look_at(self._timers.alarm_at, self._last_us() + self._settings.stall_us, is_sure=False)

    def _look_at(self, at: Callable[[int, Callable[[], None]], None], due_us: int, *, is_sure: bool) -> None:
        watch = self._watch

        def look() -> None:
            if watch == self._watch:
                self._look(is_sure=is_sure)

        at(due_us, look)

    def _look(self, *, is_sure: bool) -> None:
        now_us = self._clock.now_us()
        if self._session is None or not self.connected or now_us >= self._session.close_us:
            return
        if now_us < self._last_us() + self._settings.stall_us:
            self.watch()
        elif (until_us := self._silent_until_us(self._last_us())) is not None:
            self._silent_since_us = max(self._last_us(), until_us)
            due_us = max(self._silent_since_us + self._settings.stall_us, now_us + _RECHECK_US)
            self._look_at(self._timers.alarm_at, due_us, is_sure=False)
        elif not is_sure:  # what waits to be read, after a laptop's sleep for example, is read first
            self._doubt(now_us)
        else:
            self._stalled()

    def _doubt(self, now_us: int) -> None:
        self._believe_nothing()
        self._look_at(self._timers.at, now_us + _RECHECK_US, is_sure=True)

    def _believe_nothing(self) -> None:
        self._has_data = self._has_nothing = False
        self._needs_data = True
        self.reflect()

    def _stalled(self) -> None:
        seconds = self._settings.stall_us / SECOND_US
        self._silent_since_us = self._clock.now_us()
        self._believe_nothing()
        self._feed.reconnect(f"no data for {seconds:g} s")
        self.watch()

    def _last_us(self) -> int:
        """From when on silence counts."""
        open_us = self._session.open_us if self._session else 0
        return max(self._feed.last_data_us or 0, self._silent_since_us, open_us)

    def _is_open(self, now_us: int) -> bool:
        return self._session is not None and self._session.open_us <= now_us < self._session.close_us
