"""Requests: what waits for the vendor's answer, off the intake's thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from mismartera.errors import MismarteraError

T = TypeVar("T")
_AT_ONCE = 4


class Requests(Protocol):
    """Carries out calls that block; the outcome comes back to the intake."""

    def ask(self, call: Callable[[], T], done: Callable[[T | MismarteraError], None]) -> None:
        """Make ``call`` in the background; ``done`` is called by the intake, with what it returned or raised."""
        ...

    def stop(self) -> None:
        """Wait for what is under way; nothing is asked any more."""
        ...


class PooledRequests:
    """Some threads. ``hand_back`` lets the intake make a call; a fault of ours goes to ``fail``."""

    def __init__(
        self, hand_back: Callable[[Callable[[], None]], None], fail: Callable[[BaseException], None]
    ) -> None:
        self._hand_back = hand_back
        self._fail = fail
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mismartera-request")

    def ask(self, call: Callable[[], T], done: Callable[[T | MismarteraError], None]) -> None:
        """See :meth:`Requests.ask`."""

        def finished(future: Future[T]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                result = future.result()
                self._hand_back(lambda: done(result))
            elif isinstance(error, MismarteraError):
                self._hand_back(lambda: done(error))
            else:
                self._fail(error)

        self._pool.submit(call).add_done_callback(finished)

    def stop(self) -> None:
        """See :meth:`Requests.stop`."""
        self._pool.shutdown(wait=True, cancel_futures=True)
