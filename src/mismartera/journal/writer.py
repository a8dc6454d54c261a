"""JournalWriter: makes entries durable, many at a time, on a thread of its own (group commit).

What is handed over while a commit is under way goes with the next one. After a commit that failed nothing is
assumed: the connection is made anew, the journal is asked whether the entries are there, and if they are not they
are written again. Meanwhile commands wait; the entries do too, up to a bound, at which the run is ended.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from sqlalchemy import Table, insert, select
from sqlalchemy.exc import SQLAlchemyError

from mismartera.errors import JournalError
from mismartera.journal.database import Database, reason_of
from mismartera.journal.entries import Entry
from mismartera.journal.lock import Lock

ENTRIES_MAX = 500_000
_LINGER_SECONDS = 0.02
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
Then = Callable[[], None]


class JournalWriter:
    """The only writer of a session's entries. ``put`` and ``settle`` may be called from any thread.

    ``warn`` is told once that the journal cannot be written, and once that it can again; ``on_lost`` is told,
    once, that too much waits, or that somebody else writes it now: the run has to end.
    """

    def __init__(
        self, database: Database, lock: Lock, warn: Callable[[str], None],
        on_lost: Callable[[BaseException], None], entries_max: int = ENTRIES_MAX,
    ) -> None:  # fmt: skip
        self._database = database
        self._lock_of_journal = lock
        self._session_id = 0
        self._warn = warn
        self._on_lost = on_lost
        self._entries_max = entries_max
        self._waiting: deque[tuple[Entry | None, Then | None]] = deque()
        self._sources: list[Callable[[], Iterable[Entry]]] = []
        self._seq = 0
        self._work, self._urgent, self._over = threading.Event(), threading.Event(), threading.Event()
        self._given_up = threading.Event()
        self._is_lost = False
        self._thread: threading.Thread | None = None
        self.commits = 0

    def pull_from(self, source: Callable[[], Iterable[Entry]]) -> None:
        """Ask ``source`` for entries before each commit, before those that were put; in the order of the calls."""
        self._sources.append(source)

    def start(self, session_id: int) -> None:
        """Begin to write: what was put before, too."""
        self._session_id = session_id
        self._thread = threading.Thread(target=self._run, name="mismartera-journal", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Make ``entry`` durable soon."""
        self._add(entry, None)
        if not self._work.is_set():
            self._work.set()

    def settle(self, entry: Entry, then: Then) -> None:
        """Make ``entry`` durable at once, and call ``then`` afterwards, on the writer's thread, in order."""
        self._add(entry, then)
        self._work.set()
        self._urgent.set()

    @property
    def entries_waiting(self) -> int:
        """So many are not durable yet."""
        return len(self._waiting)

    def wait_durable(self, seconds: float) -> bool:
        """True once all that was handed over before is durable; False if it is not after so long."""
        reached = threading.Event()
        self._waiting.append((None, reached.set))
        self._work.set()
        self._urgent.set()
        return reached.wait(seconds)

    def nudge(self) -> None:
        """The sources have something."""
        if not self._work.is_set():
            self._work.set()

    def stop(self, seconds: float) -> bool:
        """Make durable what waits, and end; False if that was not possible within ``seconds``. Idempotent."""
        self._over.set()
        self._work.set()
        self._urgent.set()
        if self._thread is not None:
            self._thread.join(seconds)
            self._given_up.set()
            return not (self._thread.is_alive() or self._is_lost)
        return True

    def _add(self, entry: Entry, then: Then | None) -> None:
        if self._is_lost:
            return
        if len(self._waiting) >= self._entries_max:
            self._lose(
                JournalError(
                    f"the journal {self._database.label} has not been written for so long that "
                    f"{self._entries_max} entries wait: the session ends, so that nothing is acknowledged and lost"
                )
            )
            return
        self._waiting.append((entry, then))

    def _lose(self, error: BaseException) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._on_lost(error)

    # On the writer's thread

    def _run(self) -> None:
        try:
            while True:
                self._work.wait()
                self._urgent.wait(_LINGER_SECONDS)  # more will come with it; a command does not wait
                self._work.clear()
                self._urgent.clear()
                is_last = self._over.is_set()  # asked after the clearing: what is set later wakes again
                if not self._write_waiting() or is_last:
                    return
        except BaseException as error:  # noqa: BLE001  # the thread's last line of defence: the run ends with it
            self._lose(error)

    def _write_waiting(self) -> bool:
        """One commit; False if the journal is lost."""
        pulled = [entry for source in self._sources for entry in source()]
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        rows = [self._row(entry) for entry in (*pulled, *(entry for entry, _ in taken if entry is not None))]
        if rows and not self._commit(rows):
            return False
        for _, then in taken:
            if then is not None:
                then()
        return True

    def _row(self, entry: Entry) -> tuple[Table, dict[str, Any]]:
        self._seq += 1
        return entry.table, {"session_id": self._session_id, "seq": self._seq, **entry.row()}

    def _commit(self, rows: Sequence[tuple[Table, dict[str, Any]]]) -> bool:
        by_table: dict[str, tuple[Table, list[dict[str, Any]]]] = {}
        for table, row in rows:
            by_table.setdefault(table.name, (table, []))[1].append(row)
        for attempt in count():
            try:
                if not self._lock_of_journal.is_held():
                    self._lose(JournalError(f"the journal {self._database.label} is written by somebody else now"))
                    return False
                if attempt == 0 or not self._is_there(*rows[-1]):
                    with self._database.writing() as connection:
                        for table, values in by_table.values():
                            connection.execute(insert(table), values)
                self.commits += 1
            except (SQLAlchemyError, OSError) as error:
                if not self._again(attempt, error):
                    return False
                continue
            if attempt:
                self._warn(f"the journal {self._database.label} is written again")
            break
        return True

    def _is_there(self, table: Table, row: dict[str, Any]) -> bool:
        """True if a commit of which nobody knows has reached the journal: as a whole, or it has not at all."""
        query = select(table.c.seq).where(table.c.session_id == row["session_id"], table.c.seq == row["seq"])
        with self._database.engine.connect() as connection:
            return connection.execute(query).first() is not None

    def _again(self, attempt: int, error: BaseException) -> bool:
        """After a failed commit: begin anew; False if there is no sense in it any more."""
        reason = reason_of(error) if isinstance(error, SQLAlchemyError) else str(error)
        if attempt == 0:
            self._warn(f"the journal {self._database.label} cannot be written: {reason}; it is tried again")
        self._database.engine.dispose()
        self._given_up.wait(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
        is_last = self._over.is_set() and attempt >= len(_RETRY_SECONDS)
        if is_last or self._given_up.is_set() or self._is_lost:
            self._lose(JournalError(f"the journal {self._database.label} cannot be written: {reason}"))
            return False
        return True
