"""KillLoop: a real live session that is killed at random moments, and goes on each time with ``--resume``.

A fake vendor in this process, ``mismartera live`` in one of its own. Whatever was seen to be durable before a kill
must be there after it; in the end store and dump must be those of a session that nobody killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from mismartera.bars.instants import MINUTE_US, SECOND_US, to_iso, to_us
from mismartera.catalog import DataManager
from mismartera.config import SessionConfig
from mismartera.errors import JournalError, StoreError
from mismartera.journal import Database, JournalReader, open_database, tables
from mismartera.journal.database import JOURNAL_FILE, JOURNAL_FOLDER
from mismartera.system import SystemManager
from mismartera.testing.alpaca_market import AlpacaMarket, MarketBar
from mismartera.testing.alpaca_server import AlpacaServer
from mismartera.testing.held_clock import HeldClock
from mismartera.testing.memory import MemoryDumps
from mismartera.timing import SystemClock

DAY, OPEN, START, CLOSE = "2024-07-03", "09:30", "12:31", "13:00"  # a half day
FIRST, ADDED, CALLED, REMOVED = ("AAA", "BBB"), "CCC", "DDD", "BBB"
URL_VARIABLE = "MISMARTERA_DB_URL"
_KEYS = {"APCA_API_KEY_ID": "test-key", "APCA_API_SECRET_KEY": "test-secret"}
_STRATEGY = f'''
from mismartera import Strategy


class Caller(Strategy):
    def on_bar(self, bar):
        if bar.symbol == "AAA" and bar.interval == "1m" and bar.timestamp.strftime("%H:%M") >= "12:40":
            self.session.add_symbol("{CALLED}")
        self.session.emit("close", bar.close)
'''
_WALL_SECONDS = 120.0
Row = tuple[object, ...]


@dataclass
class KillOutcome:
    """What was seen. ``problems`` is empty if every law held; ``recovery_seconds``: from each start after a kill
    to the first activation, imports included; ``moments``: when it was killed.
    """

    problems: list[str] = field(default_factory=list)
    kills: int = 0
    recovery_seconds: list[float] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)


def minutes(symbols: Sequence[str], rng: Random) -> list[MarketBar]:
    """Every minute of the day so far as it is needed, at random prices; some have no trades."""
    bars: list[MarketBar] = []
    first_us, close_us = _us(OPEN), _us(CLOSE)
    for symbol in symbols:
        price = rng.uniform(50, 500)
        for start_us in range(first_us, close_us, MINUTE_US):
            open_, close = (round(price * rng.uniform(0.999, 1.001), 2) for _ in range(2))
            low, high = round(min(open_, close) - rng.random(), 2), round(max(open_, close) + rng.random(), 2)
            price = close
            if rng.random() < 0.95:
                release_us = start_us + MINUTE_US + SECOND_US // 2
                volume = float(rng.randrange(1, 9999))
                bars.append(MarketBar(symbol, start_us, open_, high, low, close, volume, release_us=release_us))
    return bars


class KillLoop:
    """``kills`` times, in ``folder``, all drawn from ``seed``. Run it once.

    ``journal_url``: the database of the journal; by default it is the file beside the store.
    """

    def __init__(self, folder: Path, seed: int, kills: int, speed: float = 120.0, journal_url: str = "") -> None:
        self._journal = journal_url or folder / "store" / JOURNAL_FOLDER / JOURNAL_FILE
        self._environ = {**os.environ, **_KEYS, **({URL_VARIABLE: journal_url} if journal_url else {})}
        self._wall = SystemClock().monotonic
        self._rng = Random(seed)  # noqa: S311  # a script, no secret
        self._folder = folder
        self._kills = kills
        self._speed = speed
        self._clock = HeldClock(_us(START), speed)
        self._market = AlpacaMarket(minutes((*FIRST, ADDED, CALLED), self._rng), [])
        self._server = AlpacaServer(self._market, self._clock)
        self._seen: dict[tuple[int, str, int], Row] = {}
        self._newest: dict[tuple[int, str], int] = {}
        self._database: Database | None = None
        self._is_active = False
        """The present process has told so."""
        self._sessions_before = 0
        self._started = 0.0
        self._bars: set[Row] = set()
        self.outcome = KillOutcome()

    def run(self) -> KillOutcome:
        """Kill, start again, and so on; then let it end, and check."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._server.start()
        try:
            self._write_files()
            self._live()
        finally:
            self._server.stop()
            if self._database is not None:
                self._database.close()
        return self.outcome

    def _write_files(self) -> None:
        (self._folder / "caller.py").write_text(_STRATEGY)
        self._session_data = {
            "symbols": list(FIRST), "streams": ["1m", "5m"],
            "indicators": [{"name": "SMA", "interval": "5m", "params": {"timeperiod": 3}}],
        }  # fmt: skip
        config = {
            "session_name": "killed", "mode": "live",
            "feed": {
                "type": "alpaca",
                "stream_url": self._server.stream_url,
                "data_url": self._server.data_url,
            },
            "session_data_config": self._session_data,
            "schedule": [
                {"at": f"{DAY}T12:36", "add": ADDED}, {"at": f"{DAY}T12:45", "remove": REMOVED},
            ],
            "analysis": {"strategies": [{"class": "caller:Caller"}]},
        }  # fmt: skip
        (self._folder / "c.json").write_text(json.dumps(config))

    def _live(self) -> None:
        last_us = _us(CLOSE) - 2 * MINUTE_US
        for number in range(self._kills):
            process = self._start(is_resumed=number > 0)
            self._let_run(process, number, last_us)
            self._look()
            self._bars |= set(self._stored())
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.outcome.kills += 1
            self.outcome.moments.append(to_iso(self._clock.now_us()))
            self._check_kept()
            left_us = last_us - self._clock.now_us()
            skips = self._rng.choice((0.0, 0.0, 30.0, 90.0)) if left_us > 20 * MINUTE_US / self._kills else 0.0
            self._clock.hold(skips)
        process = self._start(is_resumed=self._kills > 0)
        out, err = process.communicate(timeout=_WALL_SECONDS)
        if process.returncode != 0:
            self._problem(f"the last process has ended with {process.returncode}: {err[-1000:]}")
            return
        self._look()
        self._check_kept()
        self._check_end(json.loads(out))

    def _start(self, *, is_resumed: bool) -> subprocess.Popen[str]:
        start = to_iso(self._clock.now_us())
        arguments = [
            "live", "c.json", "--data", "store", "--dump", "dump", "--json", "--clock", f"{start}@{self._speed:g}",
            "--until", f"{DAY}T{CLOSE}", *(["--resume"] if is_resumed else []),
        ]  # fmt: skip
        self._sessions_before = max((session for session, *_ in self._seen), default=0)
        self._is_active = False
        self._started = self._wall()
        return subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-m", "mismartera", *arguments], cwd=self._folder, env=self._environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def _let_run(self, process: subprocess.Popen[str], number: int, last_us: int) -> None:
        """Until a random moment: in the start-up, after so long on the clock, or just after it was activated."""
        share_us = (last_us - self._clock.now_us()) // max(self._kills - number, 1)
        kind = self._rng.choice(("start", "run", "run", "active"))
        wall_seconds = self._rng.uniform(0.0, 1.5) if kind == "start" else _WALL_SECONDS
        until_us = self._clock.now_us() + round(share_us * self._rng.uniform(0.3, 1.4))
        after = self._rng.uniform(0.0, 0.3)
        active_at: float | None = None
        has_recovered = False
        while self._wall() - self._started < wall_seconds:
            self._look()
            now = self._wall()
            if not has_recovered and self._is_active:
                has_recovered, active_at = True, now
                if number:
                    self.outcome.recovery_seconds.append(now - self._started)
            if self._clock.now_us() >= min(until_us, last_us):
                return
            if kind == "active" and active_at is not None and now >= active_at + after:
                return
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            _, err = process.communicate()
            self._problem(f"a process has ended by itself ({process.returncode}): {err[-1000:]}")
            return

    # What is durable

    @property
    def _reader(self) -> JournalReader | None:
        if self._database is None:
            try:
                self._database = open_database(self._journal, make=False)
            except JournalError:
                return None  # it is not there yet
        return JournalReader(self._database)

    def _rows(self, *, are_new: bool) -> Iterator[tuple[tuple[int, str, int], Row]]:
        """All rows, or those that were not seen yet."""
        reader = self._reader
        for session in reader.sessions() if reader is not None else ():
            if reader is None or (are_new and session.id <= self._sessions_before):
                continue
            for table in (tables.events, tables.commands):
                after = self._newest.get((session.id, table.name), 0) if are_new else 0
                for row in reader.rows(table, session.id, after):
                    yield (session.id, table.name, row["seq"]), tuple(row.values())

    def _look(self) -> None:
        """Take note of what is durable now."""
        for key, row in self._rows(are_new=True):
            self._seen[key] = row
            self._newest[key[:2]] = key[2]
            self._is_active |= "session_activated" in row

    def _stored(self) -> list[Row]:
        data = DataManager(self._folder / "store")
        try:
            if not data.exists():
                return []
            block = data.read_block("1m", _us(OPEN), _us(CLOSE), (*FIRST, ADDED, CALLED))
        except StoreError as error:
            self._problem(f"the store cannot be read: {error}")
            return []
        names = [block.symbols[k] for k in block.row_symbols().tolist()]
        return list(zip(names, block.start.tolist(), *(c.tolist() for c in block.columns), strict=True))

    def _check_kept(self) -> None:
        """After a kill: all that had been seen is there, once."""
        now = dict(self._rows(are_new=False))
        lost = [key for key, row in self._seen.items() if now.get(key) != row]
        if lost:
            self._problem(f"{len(lost)} entries that were durable are lost or changed, first {lost[0]}")
        stored = self._stored()
        if len({row[:2] for row in stored}) < len(stored):
            self._problem("a bar is in the store twice")
        if missing := self._bars - set(stored):
            self._problem(f"{len(missing)} bars that were stored are lost, first {min(missing, key=str)}")

    def _check_end(self, summary: Mapping[str, Any]) -> None:
        """Store, dump and symbols are those of a session that was never killed."""
        wanted = ["AAA", ADDED, CALLED]
        if sorted(summary["symbols_loaded"]) != sorted(wanted):
            self._problem(f"the symbols at the end are {summary['symbols_loaded']}, not {wanted}")
        known = [
            bar
            for symbol in (*FIRST, ADDED, CALLED)
            for bar in self._market.bars(symbol, _us(OPEN), _us(CLOSE) - MINUTE_US, self._clock.now_us())
        ]
        truth = {(b.symbol, b.start_us, b.open, b.high, b.low, b.close, b.volume) for b in known}
        stored = set(self._stored())
        if wrong := stored - truth:
            self._problem(f"{len(wrong)} stored bars are not the vendor's, first {min(wrong, key=str)}")
        if missing := {row for row in truth if row[0] in wanted} - stored:
            self._problem(f"{len(missing)} of the vendor's bars are not stored, first {min(missing, key=str)}")
        self._check_dump(wanted)

    def _check_dump(self, wanted: Sequence[str]) -> None:
        dumps = MemoryDumps()
        config = SessionConfig.from_dict({
            "backtest_config": {"start_date": DAY, "end_date": DAY},
            "session_data_config": {**self._session_data, "symbols": list(wanted)},
        })  # fmt: skip
        SystemManager(config, data_manager=DataManager(self._folder / "store"), recorders=[dumps]).run()
        for (day, symbol, interval), rows in dumps.tables.items():
            path = self._folder / "dump" / day / symbol / f"{interval}.parquet"
            found = pl.read_parquet(path).with_columns(pl.col("timestamp").to_physical()).to_dicts()
            if found != [dict(row) for row in rows]:
                self._problem(f"the dump of {symbol} {interval} is not that of a backtest of the store")

    def _problem(self, text: str) -> None:
        self.outcome.problems.append(f"after {self.outcome.kills} kills: {text}")


def _us(time_of_day: str) -> int:
    return to_us(datetime.fromisoformat(f"{DAY}T{time_of_day}-04:00"))
