"""Ctrl-C and SIGTERM during a run: noted, so that the run ends between two instants and not in the middle of a
call.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from mismartera.cli.status import Terminated


class StopSignals:
    """While entered, the first SIGINT or SIGTERM is only noted as ``received``; another one raises
    KeyboardInterrupt.

    An exception in the middle of ``Thread.join`` would be worse than late: Python 3.11 and 3.12 then take a thread
    that still runs for ended.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    @property
    def is_terminate(self) -> bool:
        """True if SIGTERM was received."""
        return self.received is signal.SIGTERM

    def wait(self, poll_seconds: float) -> None:
        """Wait for a signal, and forget it: what it would have interrupted has ended before."""
        turn = threading.Event()  # Python handles a signal between two waits
        while self.received is None:
            turn.wait(poll_seconds)
        self.received = None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # the signature of a handler
        if self.received is not None:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        self.received = signal.Signals(number)
