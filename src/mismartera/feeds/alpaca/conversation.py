"""Conversation: what is said on one authenticated connection, until it ends.

Two tasks share it: one reads frames, the other keeps the subscriptions as they are wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from mismartera.bars import parse_interval
from mismartera.bars.instants import SECOND_US
from mismartera.feeds.alpaca.codes import Verdict, is_halted, verdict_of
from mismartera.feeds.alpaca.connection import Connection, ConnectionEndedError, error_of, socket_seconds
from mismartera.feeds.alpaca.decode import Frame
from mismartera.feeds.alpaca.messages import BarMessage, Control, ErrorMessage, StatusMessage, SubscriptionMessage
from mismartera.feeds.alpaca.subscriptions import ASKS_MAX, SubscriptionBook
from mismartera.feeds.desired import Desired
from mismartera.feeds.outlet import Outlet
from mismartera.feeds.port import FeedWarning, Rejected, StatusChanged, Subscribed, SymbolRefused
from mismartera.feeds.sift import merged, sift
from mismartera.feeds.waits import pause, wait_at_most
from mismartera.timing import WallClock

_INTERVAL: Final = parse_interval("1m")
_CONFIRM_SECONDS: Final = 10.0
_SKEW_WALL_SECONDS: Final = 0.25


class Conversation:
    """Reads until the connection ends. ``channels`` may lose one that the stream turns out not to have.

    ``wake`` is set when the wanted symbols change or a new connection is asked for, which ``why_leave`` tells.
    ``skew_seconds``: a bar that seems to end later than that after now is refused, a bar that seems to end a
    little after now is kept back until the clock is there.
    """

    def __init__(
        self, connection: Connection, channels: Sequence[str], desired: Desired, outlet: Outlet,
        clock: WallClock, wake: asyncio.Event, why_leave: Callable[[], str | None], skew_seconds: float,
    ) -> None:  # fmt: skip
        self.channels = tuple(channels)
        self.last_data_us: int | None = None
        self._connection = connection
        self._desired = desired
        self._book = SubscriptionBook(desired)
        self._outlet = outlet
        self._clock = clock
        self._wake = wake
        self._why_leave = why_leave
        # In a rehearsal a quarter of a second of the wall is much: the vendor's clock cannot be nearer to ours.
        self._skew_us = round(max(skew_seconds, _SKEW_WALL_SECONDS / clock.wall_seconds(1.0)) * SECOND_US)
        self._warned: set[str] = set()
        self._is_reading = False
        self._on_data: Callable[[int], None] = lambda _: None

    async def run(self, on_data: Callable[[int], None]) -> None:
        """Until ConnectionEndedError. ``on_data`` is called with the time of each frame that holds data."""
        self._on_data = on_data
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._tend())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tend(self) -> None:
        """Ask for what is wanted and not confirmed; ask again, then leave, when no answer comes."""
        unanswered, deadline = 0, 0.0
        patience = socket_seconds(self._clock, _CONFIRM_SECONDS)
        while True:
            if (reason := self._why_leave()) is not None:
                raise ConnectionEndedError(reason)
            if self._book.pending is None:
                unanswered = 0
            elif self._is_reading and self._clock.monotonic() >= deadline:
                # While the sink has no room the answer waits in the socket: that is no silence of the server.
                unanswered += 1
                self._book.overdue()
            if unanswered >= ASKS_MAX:
                raise ConnectionEndedError(f"{unanswered} requests for subscriptions were not answered")
            if renewed := self._book.renewed():  # dropped and wanted again before anybody looked
                await self._outlet.send(Subscribed(tuple(renewed)))
            request = self._book.next_request()
            if request is not None:
                deadline = self._clock.monotonic() + patience
                await self._connection.send(request.message(self.channels))
            await wait_at_most(self._wake, None if self._book.pending is None else patience)
            self._wake.clear()

    async def _read(self) -> None:
        while True:
            self._is_reading = True
            frame = await self._connection.receive()
            self._is_reading = False
            now_us = self._clock.now_us()
            if frame.has_data:
                self.last_data_us = now_us
                self._on_data(now_us)
            for control in frame.controls:
                await self._control(control)
            rejected = frame.rejected + await self._statuses(frame.statuses)
            rejected += await self._bars(frame, frame.bars, now_us, corrections=False)
            rejected += await self._bars(frame, frame.updates, now_us, corrections=True)
            for one in merged(rejected):
                await self._outlet.send(one)

    async def _control(self, message: Control) -> None:
        if isinstance(message, SubscriptionMessage):
            new, refused = self._book.confirm(message.bars or ())
            if new:
                await self._outlet.send(Subscribed(tuple(new)))
            await self._refuse(refused, f"the server left it out of {ASKS_MAX} confirmations")
            await self._warn_of_missing(message)
            self._wake.set()
        elif isinstance(message, ErrorMessage):
            await self._error(message)

    async def _warn_of_missing(self, message: SubscriptionMessage) -> None:
        """Bars without their corrections or statuses are still bars: a person should know, once a connection."""
        for channel in self.channels[1:]:
            missing = set(message.bars or ()).difference(getattr(message, channel) or ())
            if missing and channel not in self._warned:
                self._warned.add(channel)
                await self._outlet.send(
                    FeedWarning(
                        f"the server confirmed no {channel} of {len(missing)} symbols, such as {min(missing)}"
                    )
                )

    async def _error(self, message: ErrorMessage) -> None:
        verdict, error = verdict_of(message.code), error_of(message, self._connection.keys)
        if verdict is Verdict.IGNORE:
            return
        if verdict is Verdict.SYMBOLS:
            await self._refuse(self._book.limit_reached(), error.reason)
        elif verdict is Verdict.SYNTAX and (given_up := self._book.not_understood()) is not None:
            await self._refuse(given_up, error.reason)
        elif verdict is Verdict.CHANNEL and len(self.channels) > 1:
            *kept, lost = self.channels
            self.channels = tuple(kept)
            await self._outlet.send(FeedWarning(f"no {lost} on this stream: {error.reason}"))
            self._book.overdue()
        else:
            raise error
        self._wake.set()

    async def _refuse(self, symbols: Sequence[str], reason: str) -> None:
        for symbol in symbols:
            await self._outlet.send(SymbolRefused(symbol, reason))

    async def _statuses(self, statuses: Sequence[StatusMessage]) -> list[Rejected]:
        rejected, wanted = [], self._desired.symbols
        for status in statuses:
            words = self._connection.keys.scrub(f"{status.sm} {status.rm}".strip())
            try:
                halted = is_halted(status.sc, status.sm)
            except ValueError as error:
                rejected.append(Rejected("unknown_status", 1, str(error), (status.S,)))
                continue
            if status.S not in wanted:
                rejected.append(Rejected("not_subscribed", 1, "a status that was not asked for", (status.S,)))
            elif halted is not None:
                await self._outlet.send(StatusChanged(status.S, halted, words))
        return rejected

    async def _bars(
        self, frame: Frame, messages: Sequence[BarMessage], now_us: int, *, corrections: bool
    ) -> list[Rejected]:
        if not messages:
            return []
        raw = frame.columns(messages)
        rows, rejected = sift(raw, _INTERVAL, now_us + self._skew_us, self._desired.symbols)
        if len(rows):
            await self._reach(int(raw.start_us[rows].max()) + _INTERVAL.length_us)
            arrived_us = self._clock.now_us()
            await self._outlet.send(raw.arrived(rows, _INTERVAL.label, arrived_us, corrections=corrections))
        return rejected

    async def _reach(self, us: int) -> None:
        """Until the clock reads ``us``: a bar whose end our clock has not reached is still forming for us."""
        while (missing_us := us - self._clock.now_us()) > 0:
            await pause(self._clock.wall_seconds(missing_us / SECOND_US))
