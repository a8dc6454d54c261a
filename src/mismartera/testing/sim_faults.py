"""What goes wrong in a simulated session: kinds of faults, enabled or not, and how often, as the seed draws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from random import Random

from mismartera.bars.instants import MINUTE_US, SECOND_US, to_iso
from mismartera.feeds.port import Rejected, StatusChanged
from mismartera.testing.sim_market import Minute, Row, SimFeed, SimMarket, other_values
from mismartera.testing.sim_world import SimWorld

MESSAGE_KINDS = ("late", "lost", "duplicate", "conflict", "correction", "stranger", "out_of_hours")
SPELL_KINDS = (
    "drop", "mute", "slow", "rest_down", "rest_lag", "forget", "halt", "cannot_connect", "jump", "rejected",
)  # fmt: skip
EARLY = "early"
"""A bar comes before its minute has ended. It is drawn apart: sessions are the same with and without it."""
DRAWN_KINDS = (*MESSAGE_KINDS, *SPELL_KINDS)
KINDS = (*DRAWN_KINDS, EARLY)
_EARLY_SHARE = 0.1


Event = Callable[[], None]


class Events:
    """What happens in a session by itself, by its name: a fault, or an act of a user. ``only``: all others are
    left out, and nothing else changes by that.
    """

    def __init__(self, only: Collection[str] | None = None) -> None:
        self._only = only
        self.names: list[str] = []

    def happens(self, kind: str, at_us: int, symbol: str = "") -> bool:
        """False if this one is left out; else it is noted."""
        name = f"{kind}@{to_iso(at_us)[11:19]}{symbol and '/'}{symbol}"
        if self._only is not None and name not in self._only:
            return False
        self.names.append(name)
        return True


class Faults:
    """``enabled`` is which kinds there are; all of them are over by ``heal_us``."""

    def __init__(
        self, world: SimWorld, market: SimMarket, feed: SimFeed, rng: Random, enabled: frozenset[str],
        heal_us: int, events: Events,
    ) -> None:  # fmt: skip
        self._world = world
        self._market = market
        self._feed = feed
        self._rng = rng
        self._enabled = enabled
        self._heal_us = heal_us
        self._happens = events.happens
        self._often = {kind: rng.choice((0.01, 0.03, 0.1, 0.3)) for kind in DRAWN_KINDS}
        self._early = Random(f"early {heal_us}")  # noqa: S311  # a script, no secret

    def plan(self, first_us: int, symbols: Sequence[str]) -> None:
        """Let the spells of trouble come, and what the stream sends minute by minute."""
        for kind in SPELL_KINDS:
            if kind in self._enabled:
                for _ in range(self._rng.randint(1, 3)):
                    self._spell(kind, first_us, symbols)
        starts = sorted({start for minutes in self._market.minutes.values() for start in minutes})
        for start_us in starts:
            self._minute(start_us)

    def _spell(self, kind: str, first_us: int, symbols: Sequence[str]) -> None:
        span = max(self._heal_us - first_us, 1)
        begin_us = first_us + round(self._rng.random() * span)
        seconds = self._rng.choice((3.0, 20.0, 70.0, 200.0, 400.0)) * self._rng.uniform(0.5, 1.5)
        end_us = min(begin_us + round(seconds * SECOND_US), self._heal_us)
        state, symbol = self._feed.state, self._rng.choice(list(symbols))
        extra, lag = self._rng.uniform(5.0, 150.0), self._rng.uniform(1.0, 90.0)
        if not self._happens(kind, begin_us, symbol):
            return
        begin, end = self._spell_of(kind, symbol, begin_us, end_us, extra, lag)

        def happen() -> None:
            state.note(kind)
            begin()

        self._world.at(begin_us, happen)
        self._world.at(end_us, end)

    def _spell_of(
        self, kind: str, symbol: str, begin_us: int, end_us: int, extra: float, lag: float
    ) -> tuple[Event, Event]:
        """What begins a spell of trouble, and what ends it."""
        feed, state, seconds = self._feed, self._feed.state, (end_us - begin_us) / SECOND_US
        if kind == "halt":
            for start_us in [s for s in self._market.minutes[symbol] if begin_us - MINUTE_US < s < end_us]:
                del self._market.minutes[symbol][start_us]
        spells: dict[str, tuple[Event, Event]] = {
            "drop": (lambda: feed.drop(seconds), _nothing),
            "mute": (lambda: setattr(state, "mute", True), lambda: setattr(state, "mute", False)),
            "slow": (lambda: setattr(state, "extra_seconds", extra), lambda: setattr(state, "extra_seconds", 0.0)),
            "rest_down": (lambda: setattr(state, "rest_down", True), lambda: setattr(state, "rest_down", False)),
            "rest_lag": (
                lambda: setattr(state, "rest_lag_seconds", lag), lambda: setattr(state, "rest_lag_seconds", 0.0)
            ),
            "forget": (lambda: state.forgets.add(symbol), lambda: state.forgets.discard(symbol)),
            "halt": (
                lambda: feed.say(StatusChanged(symbol, halted=True, reason="T1")),
                lambda: feed.say(StatusChanged(symbol, halted=False, reason="")),
            ),
            "cannot_connect": (self._cannot_connect, lambda: setattr(state, "cannot_connect", False)),
            "jump": (lambda: self._world.jump(seconds), _nothing),
            "rejected": (lambda: feed.say(Rejected("not_finite", 2, "a bar", (symbol, ""))), _nothing),
        }  # fmt: skip
        return spells[kind]

    def _cannot_connect(self) -> None:
        self._feed.state.cannot_connect = True
        self._feed.drop(1.0)

    def _minute(self, start_us: int) -> None:
        """What the stream sends of one minute."""
        end_us = start_us + MINUTE_US
        rows: list[Row] = []
        for symbol, minutes in self._market.minutes.items():
            minute = minutes.get(start_us)
            if minute is not None:
                rows.append((symbol, start_us, minute.values))
                if self._fires("correction", end_us):
                    self._correct(symbol, minute, end_us)
        together = self._rng.random() < 0.5
        for frame in [rows] if together else [[row] for row in rows]:
            self._world.at(
                end_us + round(self._rng.uniform(0.1, 4.0) * SECOND_US),
                lambda f=frame: self._send(f, end_us),  # type: ignore[misc]
            )
        is_early = EARLY in self._enabled and end_us < self._heal_us and self._early.random() < _EARLY_SHARE
        if is_early and self._happens(EARLY, end_us):
            early = [forming(row) for row in rows]
            self._world.at(end_us - 5 * SECOND_US, lambda: self._feed.send_early(early))
        if self._fires("stranger", end_us) and self._happens("stranger", end_us):
            stranger = Rejected("not_subscribed", 1, "a bar that was not asked for", ("STRANGER",))
            self._world.at(end_us, lambda: self._feed.say(stranger))
        if rows and self._fires("out_of_hours", end_us) and self._happens("out_of_hours", end_us):
            symbol, _, values = rows[0]
            self._world.at(end_us, lambda: self._feed.send([(symbol, start_us - 86_400_000_000, values)]))

    def _send(self, rows: Sequence[Row], end_us: int) -> None:
        extra = self._feed.state.extra_seconds
        kept: list[Row] = []
        sent: list[Row] = []
        for row in rows:
            if self._fires("lost", end_us):
                if not self._noted("lost", end_us, row):
                    sent.append(row)
            elif self._fires("late", end_us):
                seconds = extra + self._rng.choice((8.0, 20.0, 70.0, 150.0))
                if self._noted("late", end_us, row):
                    self._feed.send_later(seconds, [row])
                else:
                    sent.append(row)
            else:
                kept.append(row)
                sent.append(row)
        self._feed.send_later(extra, sent)
        for row in kept:
            for kind, again in (("duplicate", row), ("conflict", other(row))):
                if self._fires(kind, end_us):
                    seconds = extra + self._rng.uniform(0.0, 30.0)
                    if self._noted(kind, end_us, row):
                        self._feed.send_later(seconds, [again])

    def _noted(self, kind: str, end_us: int, row: Row) -> bool:
        if not self._happens(kind, end_us, row[0]):
            return False
        self._feed.state.note(kind)
        return True

    def _correct(self, symbol: str, minute: Minute, end_us: int) -> None:
        seconds = self._rng.choice((1.0, 5.0, 25.0, 80.0))
        if not self._noted("correction", end_us, (symbol, minute.start_us, minute.values)):
            return
        minute.corrected_us = end_us + round(seconds * SECOND_US)
        minute.correction = other((symbol, minute.start_us, minute.values))[2]
        row = (symbol, minute.start_us, minute.correction)
        self._world.at(minute.corrected_us, lambda: self._feed.send([row], corrections=True))

    def _fires(self, kind: str, at_us: int) -> bool:
        return kind in self._enabled and at_us < self._heal_us and self._rng.random() < self._often[kind]


def _nothing() -> None:
    return None


def other(row: Row) -> Row:
    """The same bar with other values."""
    symbol, start_us, values = row
    return symbol, start_us, other_values(values)


def forming(row: Row) -> Row:
    """The bar while its minute has not ended: only a part of its volume was traded."""
    symbol, start_us, (open_, high, low, close, volume) = row
    return symbol, start_us, (open_, high, low, close, volume - 0.5)
