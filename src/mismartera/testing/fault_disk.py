"""A disk that breaks when it is told to: full, read-only, failing, out of handles."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mismartera.testing.os_calls import OsCall, watching


class FaultDisk:
    """Fails calls of ``os`` below ``root`` while it is in use (``with disk.in_use():``).

    :meth:`fail` makes calls fail until :meth:`heal`; :meth:`room` leaves so many bytes: what needs more
    is refused. ``failed`` are the calls that failed, in order.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.failed: list[OsCall] = []
        self._number: int | None = None
        self._matches: Callable[[OsCall], bool] = lambda _: True
        self._skip = 0
        self._times: int | None = None
        self._room: int | None = None

    def fail(
        self, number: int, *names: str, where: Callable[[OsCall], bool] = lambda _: True, after: int = 0,
        times: int | None = None,
    ) -> None:  # fmt: skip
        """Calls of ``names`` (all changes, if none is given) fail with ``number`` of ``errno``.

        Only those that ``where`` is true of; the first ``after`` of them succeed; ``times``: so often, no more.
        """
        self._number, self._skip, self._times = number, after, times
        self._matches = lambda call: (not names or call.name in names) and where(call)

    def room(self, left_bytes: int) -> None:
        """So many bytes can still be written, then ENOSPC."""
        self._room = left_bytes

    def heal(self) -> None:
        """Nothing fails any more."""
        self._number = self._room = None

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Fail as told, until the block is left."""
        with watching(self.root, self._watch):
            yield

    def _watch(self, call: OsCall, go_on: Callable[[], Any]) -> Any:
        if self._number is not None and self._matches(call):
            if self._skip > 0:
                self._skip -= 1
            elif self._times is None or self._times > 0:
                self._times = None if self._times is None else self._times - 1
                self._raise(self._number, call)
        if self._room is not None and call.name == "write":
            if len(call.data) > self._room:
                self._raise(errno.ENOSPC, call)
            self._room -= len(call.data)
        return go_on()

    def _raise(self, number: int, call: OsCall) -> None:
        self.failed.append(call)
        raise OSError(number, os.strerror(number), str(call.path))
