"""``mismartera live`` as users type it, against the fake server of this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from tests import processes
from tests.live import laws
from tests.live.markets import DAY, SYMBOLS
from tests.runs import moment, us

from mismartera.bars.instants import SECOND_US, to_us
from mismartera.testing.alpaca_market import AlpacaMarket, MarketBar, MarketStatus
from mismartera.testing.alpaca_server import AlpacaServer
from mismartera.testing.memory import DumpKey
from mismartera.timing import RehearsalClock, TimeManager

KEYS = {"APCA_API_KEY_ID": "canary-key", "APCA_API_SECRET_KEY": "canary-secret"}
WALL_SECONDS = 60.0


class Command:
    """A server and a process. Both clocks read ``start`` at their first contact. Use it as a context manager."""

    def __init__(
        self, folder: Path, bars: Iterable[MarketBar], statuses: Iterable[MarketStatus] = (), *,
        symbols: Sequence[str] = SYMBOLS, start: str = "10:00", until: str = "10:10", speed: float = 300.0,
        day: str = DAY, streams: Sequence[str] = ("1m", "5m"), keys: Mapping[str, str] = KEYS,
        feed: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None,
        command: Sequence[str] = ("live",), scope: str = "session", **config: Any,
    ) -> None:  # fmt: skip
        folder.mkdir(exist_ok=True)
        self.folder, self.day, self.until = folder, day, until
        self.clock = RehearsalClock(us(start, day), speed)
        self.market = AlpacaMarket(bars, statuses)
        self.server = AlpacaServer(
            self.market, self.clock, keys=(KEYS["APCA_API_KEY_ID"], KEYS["APCA_API_SECRET_KEY"])
        )
        self.server.start()
        urls = {"type": "alpaca", "stream_url": self.server.stream_url, "data_url": self.server.data_url}
        self.config = {
            "mode": "live", "feed": {**urls, **(feed or {})},
            "session_data_config": {
                "symbols": list(symbols), "streams": list(streams), "streaming": {"catchup_scope": scope},
            }, **config,
        }  # fmt: skip
        (folder / "c.json").write_text(json.dumps(self.config))
        free = {name: value for name, value in os.environ.items() if name not in KEYS}
        self._environ = {**free, **(environ or {})}
        self._keys = dict(keys)
        self._arguments = [
            *command, "c.json", "--data", "store", "--events", "events.jsonl", "--dump", "dump", "--json",
            "--clock", f"{moment(start, day).isoformat()}@{speed:g}", "--until", moment(until, day).isoformat(),
        ]  # fmt: skip
        self.process: subprocess.Popen[str] | None = None
        self.status: int | None = None
        self.out = self.err = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.server.stop()

    def start(self) -> None:
        """Begin the process."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mismartera", *self._arguments],
            cwd=self.folder, env=self._environ | self._keys, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def call(self, *arguments: str, status: int = 0) -> str:
        """Another command, in this folder and process, without keys: what it prints, or says of an error."""
        done = processes.call(arguments, self.folder, status=status, environ=self._environ)
        return done.err if status else done.out

    def ask(self, *arguments: str) -> str:
        """:meth:`call` in a process of its own, whose connections end with it."""
        done = subprocess.run(
            [sys.executable, "-m", "mismartera", *arguments], cwd=self.folder, env=self._environ,
            capture_output=True, text=True, check=False, timeout=WALL_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}"
        return done.stdout

    def wait_until(self, time: str) -> None:
        """Until the clock reads ``time``; the process must still run."""
        assert self.process is not None, "the process was started"
        assert self.server.wait_until(lambda: bool(self.server.handshakes), WALL_SECONDS)
        while (missing_us := us(time, self.day) - self.clock.now_us()) > 0:
            try:
                self.process.wait(self.clock.wall_seconds(missing_us / SECOND_US))
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"it ended before {time}: {self.process.communicate()}")

    def finish(self, status: int = 0, wall_seconds: float = WALL_SECONDS) -> None:
        """Wait for the end of the process, which is to end with ``status``; no secret is told anywhere."""
        assert self.process is not None, "the process was started"
        self.out, self.err = self.process.communicate(timeout=wall_seconds)
        self.status = self.process.returncode
        assert self.status == status, f"{self.status}: {self.err[-2000:]}"
        assert "Traceback" not in self.err, self.err[-2000:]
        self._check_secrets()

    def _check_secrets(self) -> None:
        for path in self.folder.rglob("*"):
            text = path.read_bytes() if path.is_file() else b""
            assert not any(key.encode() in text for key in KEYS.values()), path
        assert not any(key in self.out + self.err for key in KEYS.values())

    def run(self, status: int = 0) -> None:
        """:meth:`start` and :meth:`finish`."""
        self.start()
        self.finish(status)

    def run_here(self, status: int = 0) -> None:
        """:meth:`run` in this process: for a run that ends by itself."""
        done = processes.call(self._arguments, self.folder, status=status, environ=self._environ | self._keys)
        self.status, self.out, self.err = done
        self._check_secrets()

    @property
    def summary(self) -> Any:
        """What ``--json`` printed."""
        return json.loads(self.out)

    def lines(self) -> list[dict[str, Any]]:
        """The events, as :mod:`tests.live.laws` reads them."""
        found = []
        for text in (self.folder / "events.jsonl").read_text().splitlines():
            line = json.loads(text)
            line["now_us"] = to_us(datetime.fromisoformat(line["time"]))
            if line["event"] == "bar":
                line["end_us"] = to_us(datetime.fromisoformat(line["end"]))
            found.append(line)
        return found

    def tables(self) -> dict[DumpKey, list[dict[str, Any]]]:
        """The dump."""
        import polars as pl

        found: dict[DumpKey, list[dict[str, Any]]] = {}
        for path in sorted((self.folder / "dump").rglob("*.parquet")):
            frame = pl.read_parquet(path).with_columns(pl.col("timestamp").to_physical())
            found[path.parts[-3], path.parts[-2], path.stem] = frame.to_dicts()
        return found

    def check(self, threshold_seconds: float = 60.0) -> None:
        """The laws of a run that was not cut short."""
        lines = self.lines()
        problems = laws.breaches(lines, threshold_seconds=threshold_seconds)
        problems += laws.uncounted(self.summary["counts"])
        session = TimeManager("XNYS").get_trading_session(date.fromisoformat(self.day))
        first_us, until_us = session.open_us, min(us(self.until, self.day), session.close_us)
        problems += laws.unresolved(lines, self.tables(), first_us, until_us)
        assert not problems, "\n".join(["", *problems])
