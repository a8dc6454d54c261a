"""Threads that add and remove symbols all the time, and a strategy that checks each notification and read."""

from __future__ import annotations

import random
import threading
from collections import Counter
from itertools import pairwise

from tests.runs import Recorder

from mismartera import Bar, Slice, SystemManager


class FenceLog:
    """How many removals of each symbol have returned.

    The stays of a symbol are numbered, and one ends before the next begins. So once n removals have returned, at
    least the n-th stay is over: nothing of the stays 1 to n may be notified or read any more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._returned: Counter[str] = Counter()

    def removed(self, symbol: str) -> None:
        with self._lock:
            self._returned[symbol] += 1

    def ended(self, symbol: str) -> int:
        """The last stay of which it is certain that its end was reported."""
        return self._returned[symbol]


class Checking(Recorder):
    """Checks the fence at each callback, adds and removes symbols itself, and narrows nothing."""

    def __init__(self, fence: FenceLog, symbols: tuple[str, ...]) -> None:
        super().__init__()
        self.fence = fence
        self.symbols_to_read = symbols
        self.random = random.Random(99)
        self.slices = 0
        self.newest: dict[tuple[str, str, int], int] = {}

    def on_bar(self, bar: Bar) -> None:
        assert bar.generation > self.fence.ended(bar.symbol), f"{bar} was delivered after its removal had returned"
        key = (bar.symbol, bar.interval, bar.generation)
        assert bar.end_us > self.newest.get(key, 0), f"{bar} was delivered again"
        assert bar.lag_seconds <= 60.0
        self.newest[key] = bar.end_us
        self.bars.append(bar)
        self.read()
        if self.random.random() < 0.03:
            self.change(self.random.choice(self.symbols_to_read))

    def on_slice(self, slice: Slice) -> None:
        for symbol, bars in slice.items():
            assert bars[0].generation > self.fence.ended(symbol), f"{slice} has {symbol} after its removal"
        self.slices += 1

    def on_symbol_loaded(self, symbol: str) -> None:
        self.read()

    def change(self, symbol: str) -> None:
        if self.session.remove_symbol(symbol):
            self.fence.removed(symbol)
            self.read()
        else:
            self.session.add_symbol(symbol)

    def read(self) -> None:
        for symbol in self.symbols_to_read:
            ended = self.fence.ended(symbol)
            for interval in ("1m", "5m"):
                view = self.session.bars(symbol, interval)
                assert not view or view[0].generation > ended, f"{view} was read after the removal had returned"


class Hammer:
    """``count`` threads, each with its own seeded choice among operations, as many as permitted."""

    def __init__(self, system: SystemManager, fence: FenceLog, symbols: tuple[str, ...], *, count: int) -> None:
        self.system = system
        self.fence = fence
        self.symbols = symbols
        self.permits = threading.Semaphore(0)
        self.is_over = False
        self.faults: list[BaseException] = []
        self.answers: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(count)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Let the last permitted operations be done, and end."""
        self.is_over = True
        self.permits.release(len(self._threads))
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _run(self, seed: int) -> None:
        choice = random.Random(seed)
        try:
            while self.permits.acquire(timeout=60) and not self.is_over:
                self._operate(choice, choice.choice(self.symbols))
        except BaseException as fault:  # noqa: BLE001  # the test shows it
            self.faults.append(fault)

    def _operate(self, choice: random.Random, symbol: str) -> None:
        coordinator = self.system.coordinator
        what = choice.choices(("add", "remove", "read", "states", "wait"), (40, 40, 10, 9, 1))[0]
        if what == "add":
            self.answers[f"add {coordinator.add_symbol(symbol)}"] += 1
        elif what == "remove":
            if coordinator.remove_symbol(symbol):
                self.fence.removed(symbol)
                self.answers["remove True"] += 1
        elif what == "read":
            ended = self.fence.ended(symbol)
            view = self.system.session_data.get_bars(symbol, "1m")
            assert not view or view[0].generation > ended, f"{view} was read after the removal had returned"
        elif what == "states":
            self._check_states()
        else:
            self._wait(symbol)

    def _check_states(self) -> None:
        """At one moment: each symbol is in exactly one state, and the configuration has those that are wanted."""
        coordinator, registry = self.system.coordinator, self.system.coordinator._parts.registry
        with registry.changed:
            loaded, pending = coordinator.get_loaded_symbols(), coordinator.get_pending_symbols()
            wanted = self.system.config.session_data_config.symbols
            states = Counter(member.symbol for member in registry.members())
        assert loaded.isdisjoint(pending)
        assert loaded | pending == set(wanted)
        assert len(wanted) == len(set(wanted))
        assert set(states.values()) <= {1}

    def _wait(self, symbol: str) -> None:
        try:
            self.answers[f"wait {self.system.coordinator.wait_loaded(symbol, 0.005)}"] += 1
        except TimeoutError:
            self.answers["wait timeout"] += 1


def illegal_steps(events: list[str]) -> list[str]:
    """The steps in the life of a symbol that must not follow each other."""
    allowed = {
        "": {"pending"},
        "pending": {"loaded", "deactivated", "removed"},
        "loaded": {"deactivated", "removed"},
        "deactivated": {"activated", "removed"},
        "activated": {"loaded", "deactivated", "removed"},
        "removed": {"pending"},
    }
    return [f"{a} -> {b}" for a, b in pairwise(["", *events]) if b not in allowed[a]]


def holes(bars: list[Bar], symbols: tuple[str, ...]) -> list[Bar]:
    """The minutes that do not follow the one before of the same stay: a stay has no holes."""
    newest: dict[tuple[str, int], int] = {}
    found: list[Bar] = []
    for bar in bars:
        if bar.symbol in symbols and bar.interval == "1m":
            key = (bar.symbol, bar.generation)
            if newest.get(key, bar.start_us) != bar.start_us:
                found.append(bar)
            newest[key] = bar.end_us
    return found
