"""Sessions of a log and the states that each went through."""

from __future__ import annotations

from msgspec import Struct

CHANGES_MAX = 200
"""Changes of state that are kept per session."""
SESSIONS_MAX = 60
"""Sessions whose states are shown."""


class Change(Struct):
    """The session's state from ``at_us`` on; ``text`` says why."""

    at_us: int
    state: str
    text: str


class SessionTrack(Struct):
    """One session: its states in order, and moments of symbols. ``end_us`` is the last that is known of it."""

    date: str
    open_us: int
    end_us: int
    is_closed: bool = False
    changes: list[Change] = []
    moments: list[tuple[int, str, str]] = []
    left_out: int = 0
    inactive_us: int = 0
    state: str = "closed"
    since_us: int = 0

    def change(self, at_us: int, state: str, text: str) -> None:
        """The state changes."""
        self._count(at_us)
        self.state, self.since_us = state, at_us
        if len(self.changes) < CHANGES_MAX:
            self.changes.append(Change(at_us, state, text))
        else:
            self.left_out += 1

    def moment(self, at_us: int, kind: str, text: str) -> None:
        """A symbol comes or goes."""
        if len(self.moments) < CHANGES_MAX:
            self.moments.append((at_us, kind, text))
        else:
            self.left_out += 1

    def finish(self, at_us: int) -> None:
        """Nothing more comes."""
        self._count(at_us)
        self.since_us = self.end_us = max(self.end_us, at_us)

    def _count(self, at_us: int) -> None:
        if self.state not in {"active", "closed"}:
            self.inactive_us += at_us - self.since_us


class Timeline:
    """The sessions in order. Of the first :data:`SESSIONS_MAX` all is kept, of later ones the figures."""

    def __init__(self) -> None:
        self.tracks: list[SessionTrack] = []
        self.sessions = 0
        self.first_date = self.last_date = ""
        self.inactive_us = 0
        self._now: SessionTrack | None = None

    @property
    def current(self) -> SessionTrack | None:
        """The session that was opened and has not been closed."""
        return self._now

    @property
    def open_us(self) -> int | None:
        """The present session's open; None between sessions."""
        return None if self._now is None else self._now.open_us

    def opened(self, date: str, at_us: int) -> None:
        """A session begins, closed until it is activated."""
        self.ended(at_us)
        self.sessions += 1
        self.first_date, self.last_date = self.first_date or date, date
        self._now = SessionTrack(date, at_us, at_us, since_us=at_us)
        if len(self.tracks) < SESSIONS_MAX:
            self.tracks.append(self._now)

    def closed(self, at_us: int) -> None:
        """The session is over."""
        if self._now is not None:
            self._now.is_closed = True
        self.ended(at_us)

    def ended(self, at_us: int) -> None:
        """The session, or the log, ends here."""
        if self._now is not None:
            if not self._now.is_closed:
                at_us = self._now.end_us
            self._now.finish(at_us)
            self.inactive_us += self._now.inactive_us
        self._now = None

    def seen(self, at_us: int) -> None:
        """Something happened: the session lasts at least until then."""
        if self._now is not None and at_us > self._now.end_us:
            self._now.end_us = at_us

    def change(self, at_us: int, state: str, text: str) -> None:
        """See :meth:`SessionTrack.change`; outside sessions nothing is shown."""
        if self._now is not None:
            self._now.change(at_us, state, text)

    def moment(self, at_us: int, kind: str, text: str) -> None:
        """See :meth:`SessionTrack.moment`."""
        if self._now is not None:
            self._now.moment(at_us, kind, text)
