"""The journal of a simulated session, and the session played again from it: one thread, simulated time, a real
database.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from mismartera.errors import RunFailedError, TraceEndedError
from mismartera.feeds.port import Feed
from mismartera.journal import Database, JournalReader, JournalWriter, open_database
from mismartera.journal.entries import Entry
from mismartera.journal.lock import lock_journal
from mismartera.journal.sessions import NewSession, begin_session
from mismartera.system.playing import PlayedSession
from mismartera.system.wiring import make_coordinator, make_time
from mismartera.testing.memory import EventLog, MemoryBars
from mismartera.testing.sim_strategy import SimStrategy
from mismartera.testing.sim_world import SimWorld
from mismartera.timing import LiveClock
from mismartera.trace import Recorder
from mismartera.trace.recorded import RecordedInbox

COMMIT_SECONDS = (0.01, 3.0)
"""How long it takes until a command is durable; what comes meanwhile goes with it."""
LINGER_SECONDS = (30.0, 300.0)
"""How long anything else waits."""


class SimJournal:
    """The journal of one simulated session, in the file, or behind the URL, ``where``. ``rng`` draws how slow it
    is.
    """

    def __init__(self, where: Path | str, world: SimWorld, rng: Random) -> None:
        self.database = open_database(where, make=True)
        self.writer = _SimWriter(self.database, world, rng)
        self.recorder = _SimRecorder(self.writer, world)
        self._world = world

    def begin(self, config: dict[str, Any], until_us: int) -> None:
        """The session begins."""
        began_with: dict[str, Any] = {"streams": {}, "generations": {}, "acted": [], "configured": []}
        session = NewSession(
            name="simulated", began_us=self._world.now_us(), host="", pid=0, config=config, folder="", versions={},
            began_with=began_with, store="", store_version=None, until_us=until_us,
        )  # fmt: skip
        self.writer.start(begin_session(self.database, session))

    def end(self) -> None:
        """It has ended, and all of it is durable."""
        self.writer.stop(0.0)
        self.database.close()


class _SimWriter(JournalWriter):
    """Commits when the world says so, on the only thread."""

    def __init__(self, database: Database, world: SimWorld, rng: Random) -> None:
        lock = lock_journal(database)
        super().__init__(database, lock, _never, _never)
        self._lock, self._world, self._rng = lock, world, rng
        self._is_planned = self._is_urgent = False
        self.last_seqs: list[int] = []
        """The last entry of each commit."""

    def start(self, session_id: int) -> None:
        """See the port."""
        self._session_id = session_id

    def put(self, entry: Entry) -> None:
        """See the port."""
        self._add(entry, None)
        if not self._is_planned:
            self._is_planned = True
            self._world.after(self._rng.uniform(*LINGER_SECONDS), self._commit_planned)

    def settle(self, entry: Entry, then: Callable[[], None]) -> None:
        """See the port."""
        self._add(entry, then)
        if not self._is_urgent:
            self._is_urgent = True
            self._world.after(self._rng.uniform(*COMMIT_SECONDS), self._commit_planned)

    def nudge(self) -> None:
        """See the port."""

    def stop(self, seconds: float) -> bool:  # noqa: ARG002  # there is nothing to wait for
        """See the port."""
        self._commit_planned()
        self._lock.release()
        return True

    def _commit_planned(self) -> None:
        self._is_planned = self._is_urgent = False
        self._write_waiting()
        self.last_seqs.append(self._seq)


class _SimRecorder(Recorder):
    def __init__(self, writer: JournalWriter, world: SimWorld) -> None:
        super().__init__(writer, world, partial(_SimRecordedInbox, world))
        self._world = world

    def bind(self, is_engine: Callable[[], bool]) -> None:
        """See the port: all is on the engine's thread here."""
        super().bind(lambda: is_engine() and not self._world.is_at_work)


class _SimRecordedInbox(RecordedInbox):
    """Waiting lets the world go on."""

    def __init__(self, world: SimWorld, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._world = world

    def wait(self, seconds: float | None) -> bool:
        """See the port."""
        until_us = None if seconds is None else self._world.now_us() + round(seconds * 1e6)
        return self._seen(self._world.advance(until_us, lambda: self._attention))

    def hold(self) -> None:
        """See the port."""
        self._world.advance(None, lambda: bool(self._stopping or not self._pausing or self._commands))
        self._attention = bool(self._commands) or self._stopping or self._pausing


class _PlayedWorld:
    """In place of a strategy's world: nothing happens while it is slow, since what happened is on record."""

    def now_us(self) -> int:
        return 0

    def sleep(self, seconds: float) -> None:
        pass


class PlayedStrategy(SimStrategy):
    """Does what the original did, and judges nothing."""

    name = SimStrategy.__name__

    def __init__(self, original: SimStrategy) -> None:
        super().__init__(
            original.world, original.rng, original.threshold_us, slow_share=original.slow_share,
            raise_share=original.raise_share,
        )  # fmt: skip
        self.tells_reads = True
        self.world = _PlayedWorld()  # type: ignore[assignment]  # as much of it as a strategy asks for

    def must(self, law: str, holds: bool, text: str, *about: object) -> None:
        """Nothing: the clock is not the world's."""


def play_again(where: Path | str, strategies: list[SimStrategy], until_us: int) -> list[str]:
    """The events of the last session of a journal, played again, as lines of JSON.

    ``strategies``: equal to those that the session began with. DepartedError if it goes otherwise.
    """
    database = open_database(where, make=False)
    reader = JournalReader(database)
    played = PlayedSession(reader, reader.session("last"))
    player = played.player
    time = make_time(played.config, LiveClock(played.engine_wall))
    log = EventLog(time)
    feed: Feed = played.feed
    coordinator = make_coordinator(
        played.config, time, MemoryBars({}), [PlayedStrategy(s) for s in strategies], [log, *played.sinks], [],
        _never, lambda *_: None, played.source(feed, played.wall, _NoKeeper(), until_us), played.beginning,
    )  # fmt: skip

    def give(row: Any) -> None:
        if row["what"] == "add":
            coordinator.add_symbol(row["symbol"])
        else:
            coordinator.remove_symbol(row["symbol"])

    player.give_by(give)
    try:
        coordinator.run()
    except (TraceEndedError, RunFailedError):
        pass
    finally:
        database.close()
    return as_text(log.lines)


def as_text(lines: list[dict[str, Any]]) -> list[str]:
    """Events as lines of JSON."""
    return [json.dumps(line, sort_keys=True) for line in lines]


def _never(*_: object) -> None:
    """Nobody is told."""


class _NoKeeper:
    def put(self, *_: object) -> None:
        pass

    write = put

    def tidy(self) -> None:
        pass

    stop = tidy
