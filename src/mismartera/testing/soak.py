"""``python -m mismartera.testing.soak``: what only shows after long. Exit status 1 if something does not hold.

Three parts, each of a length that is asked for: a live session that is killed and resumed (``--kills``), one that
lives through many simulated days at speed (``--days``), and one in real time with a fault a minute
(``--minutes``). In the latter two, memory, threads, tasks, sockets and file descriptors of the process, the fake
server included, must stay what they were in its first third. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from statistics import median, quantiles

from mismartera.bars.instants import MINUTE_US, SECOND_US, to_datetime
from mismartera.catalog import DataManager
from mismartera.config import SessionConfig
from mismartera.feeds import Keys, Secret
from mismartera.feeds.alpaca import AlpacaFeed
from mismartera.system import SystemManager
from mismartera.system.journaling import open_journal
from mismartera.system.wiring import make_time
from mismartera.testing.alpaca_market import AlpacaMarket, MarketBar
from mismartera.testing.alpaca_server import AlpacaServer
from mismartera.testing.kill_loop import KillLoop
from mismartera.timing import RehearsalClock, TimeManager, TradingSession

FIRST_DAY = date(2024, 7, 1)
SYMBOLS = ("AAA", "BBB", "CCC")
SPEED = 1200.0
KILLS_IN_A_DAY = 25
RECOVERY_SECONDS = 2.0
_PAUSE_SECONDS = 2.0
_MEMORY_SHARE, _MEMORY_KIB = 1.15, 30_000
_FAULTS = ("drop", "mute", "duplicate", "burst", "text_frames", "strangers")


@dataclass(frozen=True, slots=True)
class Use:
    """What a process holds."""

    memory_kib: int
    threads: int
    tasks: int
    sockets: int
    handles: int

    @classmethod
    def now(cls) -> Use:
        """This one, at present."""
        status = dict(
            line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        )
        targets = [_target(link) for link in Path("/proc/self/fd").iterdir()]
        gc.collect()
        tasks = sum(type(found) is asyncio.Task and not found.done() for found in gc.get_objects())
        return cls(
            int(status["VmRSS"].split()[0]), int(status["Threads"]), tasks,
            sum(target.startswith("socket:") for target in targets), len(targets),
        )  # fmt: skip


def growth(uses: Sequence[Use]) -> list[str]:
    """What has grown between the first third and the last, by the medians."""
    third = max(len(uses) // 3, 1)
    first, last = (
        Use(*(round(median(column)) for column in zip(*map(astuple, part), strict=True)))
        for part in (uses[:third], uses[-third:])
    )
    found = []
    if last.memory_kib > first.memory_kib * _MEMORY_SHARE + _MEMORY_KIB:
        found.append(f"memory grew from {first.memory_kib} to {last.memory_kib} KiB")
    for name in ("threads", "tasks", "sockets", "handles"):
        before, after = getattr(first, name), getattr(last, name)
        if after > before + 2:  # a fault may just be on
            found.append(f"{name} grew from {before} to {after}")
    print(f"  at first {first}\n  at last  {last}, {len(uses)} looks")  # noqa: T201  # a command
    return found


class LiveSoak:
    """A live session in this process over ``sessions``, from two minutes before the first's open, with its vendor.

    ``fault_seconds``: so often on the clock something goes wrong at the vendor. ``until_us``: when it ends.
    """

    def __init__(
        self, folder: Path, sessions: Sequence[TradingSession], until_us: int, speed: float, fault_seconds: float
    ) -> None:
        self._rng = Random(5)  # noqa: S311  # a script, no secret
        self._fault_us = round(fault_seconds * SECOND_US)
        start_us = sessions[0].open_us - 2 * MINUTE_US
        self._clock = RehearsalClock(start_us, speed)
        self._server = AlpacaServer(AlpacaMarket(_bars(sessions, self._rng), []), self._clock)
        self._server.start()
        keys = Keys(Secret("test-key"), Secret("test-secret"))
        urls = {"stream_url": self._server.stream_url, "data_url": self._server.data_url}
        feed = AlpacaFeed(urls["stream_url"], urls["data_url"], keys, self._clock, Random(1))  # noqa: S311
        # At speed, the grace and the time-outs are some milliseconds of the wall: they are wider.
        slow = max(1.0, speed / 60.0)
        config = SessionConfig.from_dict({
            "session_name": "soak", "mode": "live",
            "feed": {"type": "alpaca", **urls, "stall_timeout_seconds": 90 * slow},
            "session_data_config": {
                "symbols": list(SYMBOLS), "streams": ["1m", "5m"],
                "streaming": {"catchup_threshold_seconds": 60 * slow, "bar_grace_seconds": 10 * slow},
            },
        })  # fmt: skip
        self.warnings: list[str] = []
        self._system = SystemManager(
            config, data_manager=DataManager(folder / "store"), feed=feed, wall=self._clock,
            warn=self.warnings.append, until=to_datetime(until_us, sessions[0].zone),
            record=open_journal(folder / "journal.db", self._clock, self.warnings.append),
        )  # fmt: skip
        self.uses: list[Use] = []
        self.faults = 0

    def run(self) -> list[str]:
        """What does not hold."""
        self._system.start()
        next_us = self._clock.now_us() + self._fault_us
        try:
            while not self._system.wait(_PAUSE_SECONDS):
                self._server.rest_requests.clear()  # its notes are no leak of the session's
                self.uses.append(Use.now())
                if self._clock.now_us() >= next_us:
                    next_us = self._clock.now_us() + self._fault_us
                    self._trouble()
        finally:
            self._system.stop()
            self._server.stop()
        return growth(self.uses)

    def _trouble(self) -> None:
        """The trouble before is over; another begins."""
        faults = self._server.faults
        faults.mute = faults.duplicate = faults.text_frames = faults.strangers = False
        faults.burst = 1
        self.faults += 1
        kind = self._rng.choice(_FAULTS)
        if kind == "drop":
            self._server.drop_all()
        else:
            setattr(faults, kind, 20 if kind == "burst" else True)


def _bars(sessions: Sequence[TradingSession], rng: Random) -> list[MarketBar]:
    bars = []
    for symbol in SYMBOLS:
        cents = rng.randrange(5_000, 50_000)
        for session in sessions:
            for start_us in range(session.open_us, session.close_us, MINUTE_US):
                if rng.random() < 0.95:
                    open_, close = cents / 100, (cents + 3) / 100
                    release_us, volume = start_us + MINUTE_US + SECOND_US // 2, float(rng.randrange(1, 999))
                    bars.append(
                        MarketBar(symbol, start_us, open_, close, open_, close, volume, release_us=release_us)
                    )
                cents = max(cents + rng.randrange(-5, 6), 100)
    return bars


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


def _time() -> TimeManager:
    feed = {"type": "replay", "date": FIRST_DAY.isoformat()}
    return make_time(
        SessionConfig.from_dict({"mode": "live", "feed": feed, "session_data_config": {"symbols": list(SYMBOLS)}})
    )


def kills(folder: Path, count: int) -> list[str]:
    """``count`` kills, some in each of several sessions."""
    problems, seconds, seed = [], [], 0
    while count > 0:
        outcome = KillLoop(folder / f"kills{seed}", seed, min(count, KILLS_IN_A_DAY)).run()
        problems += [f"seed {seed}: {problem}" for problem in outcome.problems]
        print(f"  seed {seed}: {outcome.kills} kills", flush=True)  # noqa: T201
        seconds += outcome.recovery_seconds
        count -= KILLS_IN_A_DAY
        seed += 1
        shutil.rmtree(folder, ignore_errors=True)
    if len(seconds) > 1:
        last = quantiles(seconds, n=100, method="inclusive")[98]
        print(f"  recovery, with the imports: p50 {median(seconds):.2f} s, p99 {last:.2f} s")  # noqa: T201
        if last > RECOVERY_SECONDS:
            problems.append(f"recovery took {last:.2f} s at p99; allowed: {RECOVERY_SECONDS} s")
    return problems


def days(folder: Path, count: int) -> list[str]:
    """So many simulated days at speed, with a fault every two hours."""
    time = _time()
    dates = time.trading_dates(FIRST_DAY, FIRST_DAY + timedelta(days=max(count - 1, 0)))
    sessions = [time.get_trading_session(day) for day in dates]
    return LiveSoak(folder, sessions, sessions[-1].close_us, SPEED, 7200.0).run()


def minutes(folder: Path, count: int) -> list[str]:
    """So many minutes of the wall, with a fault in each."""
    time = _time()
    session = time.get_trading_session(FIRST_DAY)
    return LiveSoak(folder, [session], session.open_us + max(count - 2, 1) * MINUTE_US, 1.0, 60.0).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, metavar="N", help="default 500; 0: leave this part out")
    parser.add_argument("--days", type=int, default=30, metavar="N", help="calendar days, default 30")
    parser.add_argument("--minutes", type=int, default=60, metavar="N", help="default 60")
    options = parser.parse_args(arguments)
    problems: list[str] = []
    for name, part in (("kills", kills), ("days", days), ("minutes", minutes)):
        count = getattr(options, name)
        if not count:
            continue
        print(f"{count} {name}", flush=True)  # noqa: T201
        folder = Path(tempfile.mkdtemp(prefix="soak"))
        try:
            problems += [f"{name}: {problem}" for problem in part(folder, count)]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(problems) or "all of it holds")  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
