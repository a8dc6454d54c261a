"""Shown: how many bars a run has shown and handed out, booked when somebody asks and not instant by instant."""

from __future__ import annotations

from mismartera.session.gate import Gate
from mismartera.session.tape import Tape


class Shown:
    """Counts along a tape. Whatever changes the tape books it first (:meth:`book`) and begins anew.

    ``by_instant``: the bars of an instant count as handed out when it is shown, less those that are taken off
    again; otherwise only those that are put on one by one.
    """

    def __init__(self, gate: Gate, *, by_instant: bool) -> None:
        self._gate = gate
        self._by_instant = by_instant
        self._mark: tuple[Tape, int, int] = (Tape(), 0, 0)
        """The tape, the position up to which it is booked, and the bars handed out by then: replaced at once."""

    def begin(self, tape: Tape) -> None:
        """Count from the present position of ``tape`` on."""
        self._mark = (tape, tape.position, self._mark[2])

    def add(self, bars: int) -> None:
        """So many more bars were handed out (or, below zero, were not)."""
        tape, first, delivered = self._mark
        self._mark = (tape, first, delivered + bars)

    def book(self) -> None:
        """Book the instants that were shown since this was done last: while active."""
        tape, first, delivered = self._mark
        if tape.position > first:
            self._gate.count(tape.base_between(first, tape.position))
            self._mark = (tape, tape.position, delivered + self._pending(tape, first))

    @property
    def bars_delivered(self) -> int:
        """Bars that were handed out, those of the present instant included; what a fence dropped is not."""
        tape, first, delivered = self._mark
        return delivered + self._pending(tape, first)

    @property
    def lag_evaluations(self) -> int:
        """Regular evaluations of the lag so far, that of the present instant included."""
        tape, first, _ = self._mark
        return self._gate.lag_evaluations + self._gate.evaluations_in(tape.base_between(first, tape.position))

    def _pending(self, tape: Tape, first: int) -> int:
        return tape.public_shown(first, tape.position) if self._by_instant else 0
