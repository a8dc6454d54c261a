"""The laws of a simulated live session that its event log shows, line by line.

I4 the order of what is shown of a series; I6 the states of a symbol; I7 the fence; I11 a strategy that failed is
silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mismartera.testing.sim_world import SimulationError

Line = Mapping[str, Any]

MOVES: dict[str, tuple[str | None, ...]] = {
    "symbol_pending": (None, "symbol_failed", "symbol_removed"),
    "symbol_loaded": ("symbol_pending",),
    "symbol_failed": ("symbol_pending", "symbol_loaded"),  # the vendor may refuse it later
    "symbol_removed": ("symbol_pending", "symbol_loaded", "symbol_failed"),  # one that is to be tried again
}
"""What the last event of a symbol must have been before each (None: it was never seen)."""


def must(law: str, holds: bool, text: str) -> None:  # an assertion
    """End the simulation if ``law`` does not hold."""
    if not holds:
        raise SimulationError(f"{law}: {text}")


class LogWalk:
    """The log so far."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._gone: dict[str, int] = {}
        self._newest: dict[tuple[str, str, int], str] = {}
        self._generations: dict[str, int] = {}
        self._failed: set[str] = set()
        self._read = 0

    def follow(self, lines: list[dict[str, Any]]) -> None:
        """Check the lines that are new since the last time."""
        for line in self._new(lines):
            event = line["event"]
            if event == "bar":
                self._bar(line)
            elif event in MOVES:
                self._move(line)
            elif event == "strategy_error":
                name = line["strategy"]
                must("I11", name not in self._failed, f"{name} fails a second time: it is still called")
                self._failed.add(name)

    def _new(self, lines: list[dict[str, Any]]) -> Iterable[Line]:
        new, self._read = lines[self._read :], len(lines)
        return new

    def _bar(self, line: Line) -> None:
        symbol, generation = line["symbol"], line["generation"]
        name = f"{symbol} {line['interval']} {line['start']} of stay {generation}"
        state = self._states.get(symbol)
        must("I6", state == "symbol_loaded", f"{name} is shown, though the symbol's last event is {state}")
        must("I7", generation > self._gone.get(symbol, 0), f"{name} is shown after the removal of that stay")
        self._generations[symbol] = generation
        key = (symbol, line["interval"], generation)
        newest = self._newest.get(key)
        must("I4", newest is None or newest < line["start"], f"{name} is shown after {newest}")
        self._newest[key] = line["start"]

    def _move(self, line: Line) -> None:
        symbol, event = line["symbol"], line["event"]
        before = self._states.get(symbol)
        must("I6", before in MOVES[event], f"{event} of {symbol}, whose last event is {before}")
        self._states[symbol] = event
        if event == "symbol_removed":
            self._gone[symbol] = self._generations.get(symbol, 0)
