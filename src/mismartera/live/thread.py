"""IntakeThread: lets the intake work on a thread of its own, in a live session."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mismartera.bars.instants import SECOND_US
from mismartera.live.intake import Intake
from mismartera.timing import WallClock


class IntakeThread:
    """Sleeps until something comes or is due."""

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self._work = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """There is something to do. From any thread."""
        self._work.set()

    def start(self, intake: Intake, on_error: Callable[[BaseException], None]) -> None:
        """Begin, unless it has begun. ``on_error`` is told of a fault of ours, which ends the thread."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, args=(intake, on_error), name="mismartera-intake", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End, and wait for it. Idempotent."""
        self._is_stopping = True
        self._work.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, intake: Intake, on_error: Callable[[BaseException], None]) -> None:
        try:
            try:
                while not self._is_stopping:
                    self._work.clear()
                    intake.step()
                    if not intake.has_work:
                        self._work.wait(self._seconds(intake.next_us))
            finally:
                intake.stop()
        except BaseException as error:  # noqa: BLE001  # the thread's last line of defence: the run ends with it
            on_error(error)

    def _seconds(self, due_us: int | None) -> float | None:
        if due_us is None:
            return None
        seconds = self._clock.wall_seconds((due_us - self._clock.now_us()) / SECOND_US)
        return min(max(seconds, 0.0), threading.TIMEOUT_MAX)
