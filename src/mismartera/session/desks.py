"""Desks: the strategies of a run, each on a thread of its own, and what they need of the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import tzinfo

from mismartera.bars.instants import SECOND_US
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.delivery import Delivery
from mismartera.session.inbox import DESK, Inbox
from mismartera.session.part import Part
from mismartera.session.publisher import Publisher
from mismartera.session.slice import Slice
from mismartera.session.strategy_desk import StrategyDesk
from mismartera.session.strategy_run import StrategyRun
from mismartera.session.turns import Turn, Turns
from mismartera.timing import TimeManager


class Desks:
    """Makes the desks and is their host. What they tell the engine goes through its inbox."""

    def __init__(
        self, analysis: AnalysisEngine, delivery: Delivery, inbox: Inbox, publisher: Publisher, time: TimeManager,
        threshold_us: int, turns: Turns,
    ) -> None:  # fmt: skip
        self._analysis = analysis
        self._delivery = delivery
        self._inbox = inbox
        self._publisher = publisher
        self._turns = turns
        self._zone: tzinfo = time.zone
        self._runs: dict[str, StrategyRun] = {run.name: run for run in analysis.runs}
        for number, run in enumerate(analysis.runs):
            run.desk = StrategyDesk(run.name, run.strategy, self, time.clock, threshold_us, turns, number)
        analysis.reroute()

    @property
    def desks(self) -> list[StrategyDesk]:
        """All of them."""
        return [run.desk for run in self._runs.values() if run.desk is not None]

    def start(self) -> None:
        """Let all of them begin."""
        self._turns.begin(self.desks)
        for desk in self.desks:
            desk.start()

    def fence(self, timeout: float) -> bool:
        """Wait for the callbacks that run; neither the engine nor a strategy that removes a symbol does."""
        is_mine = any(desk.is_mine(threading.current_thread()) for desk in self.desks)
        if is_mine or self._delivery.on_engine_thread():
            return True
        return all(desk.fence(timeout) for desk in self.desks)

    def end(self, timeout: float, warn: Callable[[str], None], attend: Callable[[], None]) -> None:
        """Let all of them end, and then the engine ``attend`` to what they have told it.

        A strategy whose callback still runs after so many seconds is left alone, with a warning.
        """
        try:
            for desk in self.desks:
                desk.close()
            for desk in self.desks:
                if not desk.stop(timeout):
                    warn(f"strategy {desk.name} is left alone: its callback still runs after {timeout:g} s")
            attend()
        finally:
            self._turns.end()

    def kept_waiting(self) -> list[str]:
        """The strategies whose callbacks take so long that what waits for them is stale."""
        return [desk.name for desk in self.desks if desk.keeps_waiting()]

    # What desks need, on their own threads

    def is_fenced(self, symbol: str, generation: int) -> bool:
        """True once this generation of ``symbol`` was removed."""
        return self._delivery.is_fenced(symbol, generation)

    def deliver_parts(self, name: str, parts: Sequence[Part], end_us: int, lag_seconds: float) -> None:
        """Call the strategy's ``on_slice`` with what it wants of ``parts``, if anything."""
        run = self._runs[name]

        def check() -> list[Part]:
            staying = [part for part in map(self._delivery.staying, parts) if len(part)]
            return self._analysis.wanted_parts(run, staying)

        assert run.desk is not None, "it is a desk that delivers"
        if wanted := run.desk.turn(Turn.CHECK, check):
            run.strategy.on_slice(Slice(wanted, end_us, self._zone, lag_seconds))

    def tell(self, name: str, event: str, reason: str, lag_us: int) -> None:
        """Publish that the strategy was activated or deactivated."""
        self._inbox.urge(
            lambda: self._publisher.publish(event, strategy=name, reason=reason, lag_seconds=lag_us / SECOND_US),
            DESK,
        )

    def raised(self, name: str, error: BaseException) -> None:
        """The strategy has raised: it is called no more; the run ends if it asked for that."""

        def end() -> None:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise error
            self._analysis.end_run(self._runs[name], error)

        self._inbox.urge(end, DESK)
