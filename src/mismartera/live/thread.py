"""IntakeThread: lets the intake work in a live session, on its own thread or on that of whoever brings a bar."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mismartera.bars.instants import SECOND_US
from mismartera.live.intake import Intake
from mismartera.timing import WallClock

_NEVER_US = 1 << 62


class IntakeThread:
    """Sleeps until something comes or is due. One thread at a time has the intake: whoever holds ``_driving``.

    A few bars, while nothing else is to be done, are taken by the thread that brings them: waking another one
    would take longer. It never waits for the intake: if that is busy, the bars are left to it.
    """

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self._work = threading.Event()
        self._driving = threading.Lock()
        self._intake: Intake | None = None
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._wakes_us = -1
        """When the thread will look again by itself."""

    def wake(self) -> None:
        """There is something to do. From any thread."""
        intake = self._intake
        if intake is None or not self._driving.acquire(blocking=False):
            self._work.set()
            return
        try:
            is_done = self._take_few(intake)
        except BaseException as error:  # noqa: BLE001  # a fault of ours: the intake's thread ends with it
            self._error, is_done = error, False
        finally:
            self._driving.release()
        if not is_done or intake.has_work:
            self._work.set()

    def _take_few(self, intake: Intake) -> bool:
        """True if nothing is left for the intake's thread that it does not know of."""
        if not intake.has_few_bars or self._is_stopping or self._error is not None:
            return False
        due_us = intake.next_us
        if due_us is not None and due_us <= self._clock.now_us():
            return False
        intake.step(takes_orders=False)
        due_us = intake.next_us
        return due_us is None or due_us >= self._wakes_us

    def start(self, intake: Intake, on_error: Callable[[BaseException], None]) -> None:
        """Begin, unless it has begun. ``on_error`` is told of a fault of ours, which ends the thread."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, args=(intake, on_error), name="mismartera-intake", daemon=True
            )
            self._thread.start()
            self._intake = intake

    def stop(self) -> None:
        """End, and wait for it. Idempotent."""
        self._is_stopping = True
        self._work.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, intake: Intake, on_error: Callable[[BaseException], None]) -> None:
        try:
            try:
                while True:
                    self._work.clear()
                    if self._is_stopping:  # asked after the clearing: what is set later wakes again
                        break
                    with self._driving:
                        if self._error is not None:
                            raise self._error
                        intake.step()
                        due_us = intake.next_us
                        self._wakes_us = _NEVER_US if due_us is None else due_us
                    if not intake.has_work:
                        self._work.wait(self._seconds(due_us))
            finally:
                with self._driving:
                    self._is_stopping = True
                    intake.stop()
        except BaseException as error:  # noqa: BLE001  # the thread's last line of defence: the run ends with it
            on_error(error)

    def _seconds(self, due_us: int | None) -> float | None:
        if due_us is None:
            return None
        seconds = self._clock.wall_seconds((due_us - self._clock.now_us()) / SECOND_US)
        return min(max(seconds, 0.0), threading.TIMEOUT_MAX)
