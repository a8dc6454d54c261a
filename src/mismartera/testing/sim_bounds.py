"""I15 in a simulated session: what is held stays within bounds at each step, and in the end nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mismartera.bars.instants import MINUTE_US
from mismartera.live.supply import LiveSupply
from mismartera.session.arriving import ArrivingTape
from mismartera.testing.sim_log import must

if TYPE_CHECKING:  # they know each other
    from mismartera.testing.simulation import Simulation

Size = Callable[[], int]


class Bounds:
    """The queues and buffers of one live session. ``peaks``: the most that each has held."""

    def __init__(self, simulation: Simulation) -> None:
        self._sizes = _sizes(simulation)
        self._until_us = simulation.until_us
        parts = simulation.coordinator._parts
        self._streamer = parts.streamer
        self._analysis = parts.analysis
        symbols = len(simulation.market.minutes) + 2  # and those that the vendor does not know
        strings = len(simulation.coordinator.config.session_data_config.streams) + 1
        minutes = sum((last - first) // MINUTE_US for first, last in simulation.session.parts)
        self.bounds: Mapping[str, int] = _bounds(symbols, strings, minutes)
        assert self.bounds.keys() == self._sizes.keys(), "each size has its bound"
        self.peaks = dict.fromkeys(self._sizes, 0)

    def check(self) -> None:
        """After each step."""
        for name, size in self._sizes.items():
            held = size()
            if held > self.peaks[name]:
                self.peaks[name] = held
                must("I15", held <= self.bounds[name], f"{name}: {held} are held, at most {self.bounds[name]} may")

    @property
    def is_at_rest(self) -> bool:
        """True if nothing waits for the intake or the engine, and no callback runs."""
        is_calling = self._analysis.calling is not None
        return not (is_calling or any(self._sizes[name]() for name in ("commands", "messages", "orders")))

    def check_end(self) -> None:
        """After the run."""
        left = {name: held for name in AT_REST if (held := self._sizes[name]())}
        must("I15", not left, f"left at the end: {left}")
        head_us = self._streamer.tape.head_end  # what ends after the run may have come while a strategy was slow
        is_shown = head_us is None or head_us > self._until_us
        must("I15", is_shown, f"bars wait at the end that end at {head_us}")


AT_REST = ("commands", "timers", "held back", "shut reads", "unstored", "slices")


def _bounds(symbols: int, streams: int, minutes: int) -> dict[str, int]:
    """By the number of symbols, of their intervals, and of the session's minutes. See docs/LIVE.md."""
    return {
        "commands": 10 * symbols * streams + 20,
        "messages": 4 * symbols + 20,
        "orders": 2 * symbols + 20,
        "timers": 4 * symbols + 20,
        "requests": symbols + 5,
        "waiting bars": symbols * streams * minutes,
        "instants that were shown": 1,
        "slices": 2,
        "shut reads": 10 * symbols,
        "early messages": 1000,
        "held back": symbols * minutes,
        "unstored": symbols * minutes,
        "questions": symbols * minutes,
        "versions": symbols,
    }


def _sizes(simulation: Simulation) -> dict[str, Size]:
    parts, requests = simulation.coordinator._parts, simulation.requests
    supply, streamer, inbox = parts.supply, parts.streamer, parts.inbox
    assert isinstance(supply, LiveSupply), "a simulated session is a live one"
    intake, desk, slices = supply._intake, supply._desk, streamer.handover.slices
    assert slices is not None, "bars arrive one by one"
    door, sent = intake._door, desk._watchdog.sent

    def held() -> int:
        today = intake._today
        return 0 if today is None else sum(len(entry.held or ()) for entry in today.ledger.entries.values())

    def questions() -> int:
        today = intake._today
        return 0 if today is None else sum(map(len, today.checks._wanted.values()))

    return {
        "commands": lambda: len(inbox._commands),
        "messages": lambda: door.queue.waiting_bars,
        "orders": lambda: len(door._orders),
        "timers": lambda: len(intake._timers._heap),
        "requests": lambda: requests.in_flight,
        "waiting bars": lambda: _waiting(desk.tape),
        "instants that were shown": lambda: sum(map(bool, desk.tape._instants[: desk.tape.position])),
        "slices": lambda: len(slices),
        "shut reads": lambda: len(sent),
        "early messages": lambda: len(intake._later),
        "held back": held,
        "unstored": lambda: 0 if intake._today is None else len(intake._today.ledger.unflushed),
        "questions": questions,
        "versions": lambda: len(desk._versions),
    }


def _waiting(tape: ArrivingTape) -> int:
    base, derived, k = tape.base_before, tape.derived_before, tape.position
    return base[-1] - base[k] + derived[-1] - derived[k]
