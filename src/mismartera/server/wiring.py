"""Wiring: a session and the server before it. What outlives a server's restart is made once."""

from __future__ import annotations

from collections.abc import Sequence

from mismartera.feeds.secret import Secret
from mismartera.server.access import Access
from mismartera.server.audit import AuditTrail, EventAudit, Trails
from mismartera.server.commands import CommandDesk
from mismartera.server.limits import Limits
from mismartera.server.recent import RecentEvents
from mismartera.server.service import Binding, Server
from mismartera.server.views import SessionView
from mismartera.system import SystemManager


class _Journaled:
    """The system's journal as a trail."""

    def __init__(self, system: SystemManager) -> None:
        self._system = system

    def audit(self, command: str, who: str, result: str) -> None:
        """Note a row."""
        self._system.audit(who, command, result)


class SessionDesk:
    """Everything of one system that its servers share: its reads, its commands, who may ask.

    ``recent`` must be among the system's sinks. ``trails`` take a row for each command, besides the event log.
    """

    def __init__(
        self, system: SystemManager, recent: RecentEvents, token: Secret, *, limits: Limits | None = None,
        trails: Sequence[AuditTrail] = (),
    ) -> None:  # fmt: skip
        self.limits = limits or Limits()
        self.view = SessionView(system, recent)
        self.monotonic = system.get_time_manager().monotonic
        self.access = Access(token, self.limits, self.monotonic)
        audit = Trails([EventAudit(recent), _Journaled(system), *trails], self.access.scrub)
        self.commands = CommandDesk(self.view, audit, self.limits)

    def server(self, binding: Binding) -> Server:
        """A server for it; start it, and stop it."""
        return Server(self.view, self.commands, self.access, binding, self.monotonic, self.limits)
