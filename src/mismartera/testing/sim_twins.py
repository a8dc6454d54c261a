"""A simulated session beside another one of its seed: the same again (I14), without a failure (I11), calm (I8)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from random import Random
from typing import Any

from mismartera.bars import parse_interval
from mismartera.bars.instants import to_iso
from mismartera.testing.sim_faults import KINDS
from mismartera.testing.sim_laws import expected
from mismartera.testing.sim_log import must
from mismartera.testing.sim_world import SimulationError
from mismartera.testing.simulation import Outcome, Simulation

_IN_TURN = 12  # a twin costs as much as the session itself
_AGAIN, _CALM = 0, 6
_COLUMNS = ("open", "high", "low", "close", "volume")
Lines = list[dict[str, Any]]


def run_checked(seed: int, allowed: Iterable[str] = KINDS, only: Collection[str] | None = None) -> Outcome:
    """The session of ``seed``, and of one seed in six a twin of it, too. See :class:`Simulation`."""
    kinds = tuple(allowed)
    outcome = Simulation(seed, kinds, only=only).run()
    if outcome.violation is None and seed % _IN_TURN == _AGAIN:
        outcome.violation = departs(outcome, kinds, only)
    elif outcome.violation is None and seed % _IN_TURN == _CALM:
        outcome.violation = unlike_since_open(seed)
    return outcome


def departs(outcome: Outcome, allowed: Iterable[str] = KINDS, only: Collection[str] | None = None) -> str | None:
    """I14, I11: the same seed gives the same events; and so it does where no strategy fails."""
    kinds = tuple(allowed)
    twin = Simulation(outcome.seed, kinds, only=only)
    for strategy in twin.strategies:
        strategy.raise_share = 0.0
    found = _difference(_without_errors(outcome.lines), _without_errors(twin.run().lines))
    if found is None:
        return None
    again = _difference(outcome.lines, Simulation(outcome.seed, kinds, only=only).run().lines)
    if again is not None:
        return f"I14: the same seed gives other events: {again}"
    return f"I11: the session is another one without the strategy that failed: {found}"


def unlike_since_open(seed: int) -> str | None:
    """I8: in a session without faults, to which a symbol is added, each symbol is told of every bar that ended
    since it was loaded, with the values that one has that was there since the open; whoever else is added.
    """
    simulation = Simulation(seed, (), user_acts=False)
    for strategy in simulation.strategies:
        strategy.slow_share = strategy.raise_share = 0.0
    first_us = max(simulation.session.open_us, simulation.world.now_us())
    rng = Random(f"add {seed}")  # noqa: S311  # a script, no secret
    at_us = first_us + round(rng.uniform(0.05, 0.7) * (simulation.until_us - first_us))
    simulation.world.at(at_us, lambda: simulation.act("add", "ADD0"))
    outcome = simulation.run()
    if outcome.violation is not None:
        return outcome.violation
    try:
        for symbol in simulation.final:
            _check_told(simulation, symbol)
    except SimulationError as error:
        return f"{type(error).__name__}: {error}"
    return None


def _check_told(simulation: Simulation, symbol: str) -> None:
    lines = simulation.log.lines
    loaded = next(line["time"] for line in lines if line["event"] == "symbol_loaded" and line["symbol"] == symbol)
    shut = [line for line in lines if line["event"] == "session_deactivated" and line["time"] > loaded]
    if any(line["reason"] == "stale" for line in shut):
        return  # quiet for so long that the stream was renewed: what ended meanwhile is passed over
    told = {(line["interval"], line["start"]): line for line in lines if _is_of(line, symbol)}
    for label, columns in expected(simulation, symbol, simulation.until_us).items():
        if label not in simulation.coordinator.config.session_data_config.streams:
            continue
        length_us = parse_interval(label).length_us
        for start_us, *values in zip(*(column.tolist() for column in columns[:6]), strict=True):
            name = f"{symbol} {label} {to_iso(start_us)}"
            line = told.pop((label, to_iso(start_us)), None)
            must("I8", line is not None or to_iso(start_us + length_us) <= loaded, f"{name} was not told")
            is_same = line is None or [line[column] for column in _COLUMNS] == values
            must("I8", is_same, f"{name} was told with other values: {line}")
    must("I8", not told, f"{symbol} was told of what never was: {sorted(told)[:3]}")


def _is_of(line: dict[str, Any], symbol: str) -> bool:
    return bool(line["event"] == "bar" and line["symbol"] == symbol)


def _without_errors(lines: Lines) -> Lines:
    return [line for line in lines if line["event"] != "strategy_error"]


def _difference(ours: Lines, others: Lines) -> str | None:
    for one, other in zip(ours, others, strict=False):
        if one != other:
            return f"{one} is not {other}"
    return None if len(ours) == len(others) else f"{len(ours)} events are not {len(others)}"
