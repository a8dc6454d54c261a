"""AnalysisEngine: the strategies of a run, what each of them wants, and their isolation from each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo

from mismartera.bars import Bar
from mismartera.session.delivery import Call, CallbackError, Calling, Delivery, OnBar
from mismartera.session.part import Part
from mismartera.session.plain import plain_error
from mismartera.session.slice import Slice
from mismartera.session.strategy import Strategy
from mismartera.session.strategy_run import StrategyRun, runs_of


class AnalysisEngine:
    """Notifies the strategies in configured order. A strategy that raises is recorded and called no more.

    ``wants_bars``, ``wants_slices``: does anybody listen to single bars, to slices? ``on_error(run, error)`` is
    told of it. KeyboardInterrupt and SystemExit are not a strategy's: they go through, and ``bars_not_begun`` are
    the bars of the instant that nobody was told of.
    """

    def __init__(
        self,
        strategies: Sequence[Strategy],
        delivery: Delivery,
        on_error: Callable[[StrategyRun, BaseException], None],
    ) -> None:
        self.runs = runs_of(strategies)
        self._delivery = delivery
        self._on_error = on_error
        self._recorders: list[OnBar] = []
        self.bars_not_begun = 0
        self.calling: Calling | None = None
        """The listener whose callback runs, while bars arrive; a new object at each call."""
        self.reroute()

    def record_bars(self, recorder: OnBar) -> None:
        """Call ``recorder`` with each bar before any strategy is; its errors end the run."""
        self._recorders.append(recorder)
        self.reroute()

    @property
    def sole_listener(self) -> OnBar | None:
        """Whoever alone gets every bar; None if nobody does, several do, or one that chooses."""
        return self._sole

    def deliver_bars(self, bars: list[Bar]) -> int:
        """Notify of the bars of an instant, bar by bar; returns how many of them a fence dropped."""
        if self._sole is not None:
            try:
                return self._delivery.play(self._sole, bars)
            except CallbackError as raised:
                self.failed(raised)
                return raised.dropped
        if self._delivery.has_fences:
            calls = [(callback, bar) for bar in bars for callback in self._route(bar)]
        else:
            calls = self._deliver_all(bars)
        dropped: list[Call] = []
        while calls:
            try:
                self._delivery.play_calls(calls, dropped)
                break
            except CallbackError as raised:
                self.failed(raised, self._first_calls([*raised.rest, *dropped]))
                calls = [call for call in raised.rest if call[0] != raised.callback]
        return self._first_calls(dropped)

    def _deliver_all(self, bars: list[Bar]) -> list[Call]:
        """Notify all listeners of all bars; the calls that are left to be made if something comes between."""
        delivery, route_of = self._delivery, self._route
        fences = delivery.fences
        for number, bar in enumerate(bars):
            route = route_of(bar)
            for turn, callback in enumerate(route):
                try:
                    callback(bar)
                except BaseException as error:  # noqa: BLE001  # a strategy may raise anything: it is named and reported
                    rest = self._calls_after(bars, number, route, turn)
                    self.failed(CallbackError(callback, error, rest), self._first_calls(rest))
                    return [call for call in rest if call[0] != callback]
                if delivery.fences != fences:
                    return self._calls_after(bars, number, route, turn)
        return []

    def _calls_after(self, bars: list[Bar], number: int, route: tuple[OnBar, ...], turn: int) -> list[Call]:
        """The calls after that of ``route[turn]`` with ``bars[number]``."""
        rest = [(callback, bars[number]) for callback in route[turn + 1 :]]
        return rest + [(callback, bar) for bar in bars[number + 1 :] for callback in self._route(bar)]

    def _first_calls(self, calls: Sequence[Call]) -> int:
        """How many of the calls are the first ones of their bars."""
        return sum(callback == self._route(bar)[:1][0] for callback, bar in calls if self._route(bar))

    def deliver_while(self, bar: Bar, is_fresh: Callable[[], bool]) -> None:
        """Notify of one bar, which is fresh, as long as it still is when the next listener's turn comes."""
        first = len(self._recorders)  # whether anybody keeps a record changes nothing for the strategies
        for turn, callback in enumerate(self._route(bar)):
            if turn > first and not is_fresh():
                return
            self.calling = Calling(callback)
            try:
                self._delivery.play(callback, [bar])
            except CallbackError as raised:
                self.failed(raised, 0)
            finally:
                self.calling = None

    def name_of(self, calling: Calling) -> str | None:
        """The strategy that ``calling`` is about; None if it is no strategy."""
        return next((run.name for run in self.runs if calling.is_of(run.strategy)), None)

    def revise(self, bar: Bar, is_active: Callable[[], bool]) -> None:
        """Notify of a bar that has changed, or was filled in late, as long as the session is active then."""
        for run in self.runs:
            if not is_active():  # a slow callback has kept the engine from what is stale by now
                return
            self._delivery.acknowledge()
            wanted = run.overrides("on_revision") and run.wants(bar.symbol, bar.interval)
            if wanted and not self._delivery.is_fenced(bar.symbol, bar.generation):
                if run.desk is None:
                    self.call(run, run.strategy.on_revision, bar)
                else:
                    run.desk.on_revision(bar)

    def deliver_slice(self, parts: list[Part], end_us: int, zone: tzinfo, lag_seconds: float) -> None:
        """Notify of the instant as a whole; what was fenced meanwhile is cut out."""
        for run in self._on_slice:
            if run.desk is not None:
                run.desk.on_slice(parts, end_us)
                continue
            self._delivery.acknowledge()
            wanted = self.wanted_parts(run, parts)
            if wanted:
                self.call(run, run.strategy.on_slice, Slice(wanted, end_us, zone, lag_seconds))

    def notify(self, callback: str, *args: object) -> None:
        """Call a lifecycle callback of every strategy that has it; these are never gated."""
        for run in self.runs:
            if run.overrides(callback):
                self.call(run, getattr(run.strategy, callback), *args)

    def notify_of(self, symbol: str, generation: int, callback: str, *args: object) -> None:
        """The same about one stay of ``symbol``: ends where a fence cuts it off."""
        for run in self.runs:
            self._delivery.acknowledge()
            if run.overrides(callback) and not self._delivery.is_fenced(symbol, generation):
                self.call(run, getattr(run.strategy, callback), *args)

    def call(self, run: StrategyRun, fn: Callable[..., object], *args: object) -> None:
        """Run a piece of a strategy's code, isolated."""
        if run.desk is not None:
            run.desk.call(fn, *args)
            return
        self.calling = Calling(fn)
        try:
            fn(*args)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  # a strategy may raise anything: it is named and reported
            self.end_run(run, error)
        finally:
            self.calling = None

    def wanted_parts(self, run: StrategyRun, parts: list[Part]) -> list[Part]:
        """What ``run`` wants of ``parts``, without what is fenced."""
        fenced = self._delivery.has_fences
        if not fenced and run.symbols is None and run.intervals is None:
            return parts
        wanted: list[Part] = []
        for part in parts:
            strip = part.strip
            if run.intervals is not None and strip.interval not in run.intervals:
                continue
            symbols = frozenset(strip.block.symbols) if run.symbols is None else run.symbols
            if fenced:
                cut = {s for s, info in strip.infos() if self._delivery.is_fenced(s, info.generation)}
                symbols -= cut
            chosen = strip.wanted(symbols, part.first, part.last)
            if len(chosen):
                wanted.append(Part(strip, part.first, part.last, chosen))
        return wanted

    def _route(self, bar: Bar) -> tuple[OnBar, ...]:
        if self._everybody is not None:
            return self._everybody
        key = (bar.symbol, bar.interval)
        route = self._routes.get(key)
        if route is None:
            listeners = [run.listener() for run in self._on_bar if run.wants(*key)]
            route = self._routes[key] = (*self._recorders, *listeners)
        return route

    def reroute(self) -> None:
        """Find out anew who listens to what."""
        self._routes: dict[tuple[str, str], tuple[OnBar, ...]] = {}
        self._on_bar = [run for run in self.runs if run.overrides("on_bar")]
        self._on_slice = [run for run in self.runs if run.overrides("on_slice")]
        self.wants_bars = bool(self._recorders or self._on_bar)
        self.wants_slices = bool(self._on_slice)
        chooses = any(run.symbols is not None or run.intervals is not None for run in self._on_bar)
        everybody = (*self._recorders, *(run.listener() for run in self._on_bar))
        self._everybody = None if chooses else everybody
        self._sole = everybody[0] if len(everybody) == 1 and not chooses else None

    def failed(self, raised: CallbackError, bars_not_begun: int | None = None) -> None:
        """End the strategy that raised, or the run if it was no strategy or asked for that.

        ``bars_not_begun``: of the bars of the instant; None: those of the calls that were still to be made.
        """
        error = raised.error
        run = next((r for r in self._on_bar if r.strategy.on_bar == raised.callback), None)
        if run is None or isinstance(error, (KeyboardInterrupt, SystemExit)):
            rest = len(raised.rest) if bars_not_begun is None else bars_not_begun
            self.bars_not_begun = rest + raised.dropped
            raise error
        self.end_run(run, error)

    def end_run(self, run: StrategyRun, error: BaseException) -> None:
        """A strategy has raised: it is called no more."""
        run.error = plain_error(error)
        self.reroute()
        self._on_error(run, error)
