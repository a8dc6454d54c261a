"""SessionParts: what a coordinator works with. Built in one place, by the system's wiring."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from mismartera.session.agenda import Agenda
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.command_log import CommandLog
from mismartera.session.delivery import Delivery
from mismartera.session.desks import Desks
from mismartera.session.gate import Gate
from mismartera.session.inbox import Inbox
from mismartera.session.ports import SessionRecorder
from mismartera.session.publisher import Publisher
from mismartera.session.quality import Measures
from mismartera.session.session_data import SessionData
from mismartera.session.sights import PlainSights, Sights
from mismartera.session.state import SessionState
from mismartera.session.streamer import Streamer
from mismartera.session.supply import Supply
from mismartera.session.symbols import SymbolRegistry
from mismartera.session.tally import Tally
from mismartera.session.tape import Tape
from mismartera.timing import TimeManager


class SessionParts(Struct, frozen=True, eq=False):
    """One of each; see their modules."""

    time: TimeManager
    registry: SymbolRegistry
    state: SessionState
    session_data: SessionData
    supply: Supply
    streamer: Streamer
    gate: Gate
    quality: Measures
    analysis: AnalysisEngine
    delivery: Delivery
    inbox: Inbox
    commands: CommandLog
    agenda: Agenda
    publisher: Publisher
    tally: Tally
    recorders: tuple[SessionRecorder, ...]
    warn: Callable[[str], None]
    desks: Desks | None = None
    """Where strategies run on threads of their own."""
    sights: Sights = field(default_factory=PlainSights)
    """Whoever notes what callbacks see."""

    def clear(self, open_us: int) -> None:
        """Forget the bars of the session before: nobody can read them from now on, and the next one, which opens
        at ``open_us``, finds their memory warm.
        """
        self.state.clear(open_us)
        self.quality.clear()
        self.streamer.begin(Tape())
        self.delivery.publish([])
