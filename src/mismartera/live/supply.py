"""LiveSupply: a feed as the coordinator sees it. What it is asked for comes later, through the engine's desk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mismartera.errors import CalendarError
from mismartera.live.desk import EngineDesk
from mismartera.live.door import Order
from mismartera.live.intake import FAR_US, Intake
from mismartera.session.gate import GateState
from mismartera.session.loading import Loading
from mismartera.session.parts import SessionParts
from mismartera.session.symbols import Member, SymbolState
from mismartera.session.tape import Tape
from mismartera.timing import TradingSession


class Driver(Protocol):
    """What lets the intake work: a thread, or a simulation."""

    def wake(self) -> None:
        """There is work for it."""
        ...

    def start(self, intake: Intake, on_error: Callable[[BaseException], None]) -> None:
        """Let it work from now on; ``on_error`` is told of a fault of ours. Nothing if it works already."""
        ...

    def stop(self) -> None:
        """Let it end: afterwards nothing calls any more."""
        ...


class LiveSupply:
    """The :class:`~mismartera.session.supply.Supply` of a feed. On the engine's thread."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._parts: SessionParts | None = None
        self._intake_of: Intake | None = None
        self._desk_of: EngineDesk | None = None
        self._session: TradingSession | None = None
        self.order: Callable[[Order], Order] = lambda order: order
        """What an order for the intake goes through."""
        self._has_begun = self._asked_to_settle = self._asked_to_complete = False

    def bind(self, parts: SessionParts, intake: Intake, desk: EngineDesk) -> None:
        """Know the other parts, which know this one."""
        self._parts, self._intake_of, self._desk_of = parts, intake, desk

    def expect(self, session: TradingSession) -> None:
        """Let the intake prepare the next session's symbols; those that failed for a while are tried again."""
        assert self._parts is not None, "bound at its making"
        registry, intake = self._parts.registry, self._intake
        members = registry.members(SymbolState.LOADING, SymbolState.LOADED)
        for member in registry.members(SymbolState.FAILED):
            if member.retry_us is not None and registry.advance(member, SymbolState.LOADING):
                members.append(member)
                self._desk.retry(member)
        self._asked_to_settle = self._asked_to_complete = False
        self._session = session
        self._desk.clear(session)
        if not self._has_begun:
            self._has_begun = True
            self._parts.streamer.hold(GateState.STALE, "stale")  # the intake will say when the feed is good
        self.driver.start(intake, self._desk.broke)
        self._do(lambda: intake.expect(session, members))

    def begin(self, members: Sequence[Member], session: TradingSession, *, is_late: bool) -> tuple[Tape, Loading]:
        """The symbols that are prepared are there at the open; the others join.

        The session waits for all of them if it begins with a backlog, and for those that the one before it had.
        """
        del session  # the intake knows it
        intake = self._intake
        ready, failed = self._desk.open(members)
        taken = frozenset(member.symbol for member in ready)
        refused = [member for member, _ in failed]
        new = [member for member in members if member not in refused]
        self._do(lambda: intake.add(new))  # those that nobody had told it of
        late = [member for member in new if member.symbol not in taken]
        waited = frozenset(m.symbol for m in late if is_late or m.state is SymbolState.LOADED)
        self._do(lambda: intake.open(taken, waited, is_late=is_late))
        return self._desk.tape, Loading(None, tuple(ready), tuple(failed))

    def join(self, members: Sequence[Member], session: TradingSession) -> Loading:
        """Let the intake bring them in."""
        del session
        intake = self._intake
        self._do(lambda: intake.add(members))
        return Loading(None, (), ())

    def leave(self, member: Member) -> None:
        """Let the intake forget it; what is on its way here is dropped."""
        intake = self._intake
        self._desk.leave(member)
        self._do(lambda: intake.remove(member))

    def is_settled(self, until_us: int) -> bool:
        """True once the intake has said so; it is asked at the first call."""
        intake = self._intake
        if not self._asked_to_settle:
            self._asked_to_settle = True
            is_next_far = self._is_next_far()
            self._do(lambda: intake.finish(until_us, is_next_far=is_next_far))
        return self._desk.is_settled

    def is_complete(self) -> bool:
        """The same for the comparison at the end."""
        if not self._asked_to_complete:
            self._asked_to_complete = True
            self._do(self._intake.complete)
        return self._desk.is_complete

    def _is_next_far(self) -> bool:
        """True if there is nothing to be had of the stream for a while: the next session is far away."""
        assert self._parts is not None, "bound at its making"
        assert self._session is not None, "a session that ends was expected"
        time = self._parts.time
        try:
            next_day = time.next_trading_date(self._session.date)
        except CalendarError:
            return True
        return time.get_trading_session(next_day).open_us - time.now_us() > FAR_US

    def end(self) -> None:
        """The run is over: the feed is left, and what was accepted is kept."""
        self.driver.stop()

    def _do(self, order: Order) -> None:
        self._intake.do(self.order(order))

    @property
    def _intake(self) -> Intake:
        assert self._intake_of is not None, "bound at its making"
        return self._intake_of

    @property
    def _desk(self) -> EngineDesk:
        assert self._desk_of is not None, "bound at its making"
        return self._desk_of
