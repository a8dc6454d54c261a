"""A live session's bars on their way to the store: taken at once, written by a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from mismartera.bars import BarBlock, check_symbol, parse_interval
from mismartera.catalog.layout import PRICES
from mismartera.catalog.manager import DataManager
from mismartera.catalog.report import WriteReport
from mismartera.catalog.rows import block_rows
from mismartera.catalog.upsert import merge
from mismartera.catalog.verify import symbol_runs

GATHER_SECONDS = 1.0
"""So long a put waits for others to join its commit: the bars of a minute arrive over some seconds."""

ROWS_MAX = 8_000_000
"""So many rows are kept at most, some 500 MB: two trading days of 10,000 symbols that the disk did not take."""

Blocks = dict[str, list[BarBlock]]


class BarFlusher:
    """Writes what is :meth:`put` with ``data.write_block``, a commit for what has gathered meanwhile.

    What is put and not yet committed is lost with the process, nothing else is. If the store cannot be written,
    ``on_error`` is told once, until a write succeeds again; the rows are kept, of each key the last, and tried
    again with the next put or :meth:`flush`. ``on_error`` is called on the flusher's thread and must not raise.
    The owner calls :meth:`stop`.
    """

    def __init__(
        self,
        data: DataManager,
        on_error: Callable[[str], None],
        *,
        gather_seconds: float = GATHER_SECONDS,
        rows_max: int = ROWS_MAX,
    ) -> None:
        self._data = data
        self._on_error = on_error
        self._gather_seconds = gather_seconds
        self._rows_max = rows_max
        self._changed = threading.Condition()
        # Under the lock:
        self._waiting: Blocks = {}
        self._rows = 0
        self._puts = self._settled = 0
        self._begun = self._failed = 0
        self._committed = self._refused = 0
        self._urgent = self._stopping = self._ended = False
        # Of the putting thread, and of the flusher's:
        self._known: set[str] = set()
        self._kept: Blocks = {}
        self._told: set[str] = set()
        self._thread: threading.Thread | None = None

    @property
    def committed(self) -> int:
        """So many rows were put and are safe in the store; of rows of one key that were put together, the last."""
        with self._changed:
            return self._committed

    @property
    def pending(self) -> int:
        """So many rows are kept and not yet in the store."""
        with self._changed:
            return self._rows

    def put(self, interval: str, block: BarBlock) -> bool:
        """Take the bars of ``block``, which must not change any more; never waits for the disk.

        False if they were refused, which happens only if ``rows_max`` rows wait already; ``on_error`` is told.
        ValueError for a bad interval or symbol. For one thread.
        """
        assert not self._stopping, "a bar was put after stop()"
        label = parse_interval(interval).canonical
        for symbol in block.symbols:
            if symbol not in self._known:
                self._known.add(check_symbol(symbol))
        with self._changed:
            taken = self._rows + len(block) <= self._rows_max
            if taken:
                self._waiting.setdefault(label, []).append(block)
                self._rows += len(block)
                self._puts += 1
            else:
                self._refused += len(block)
                self._urgent = True
            self._changed.notify_all()
        if self._thread is None:  # not earlier: who makes a flusher and never uses it has no thread to end
            self._thread = threading.Thread(target=self._run, name="bar-flusher", daemon=True)
            self._thread.start()
        return taken

    def flush(self, timeout: float) -> bool:
        """Commit now all that was put; True once it is done, False after ``timeout`` seconds or if it failed."""
        with self._changed:
            last, attempt = self._puts, self._begun
            if self._settled < last:
                self._urgent = True
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._settled >= last or self._failed > attempt or self._ended, timeout)
            return self._settled >= last

    def stop(self, timeout: float = 60.0) -> bool:
        """Flush, then end the thread; True if all is in the store. Otherwise ``on_error`` is told what is lost."""
        done = self.flush(timeout)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout if done else 1.0)
        lost = self.pending
        if lost:
            self._on_error(f"{lost} bars are not in the store {self._data.path}: the session ends without them")
        return not lost

    def _run(self) -> None:
        while (taken := self._next()) is not None:
            last, blocks = taken
            failure = self._write(blocks)
            with self._changed:
                if failure is None:
                    self._settled = last
                else:
                    self._failed = self._begun
                self._changed.notify_all()

    def _next(self) -> tuple[int, Blocks] | None:
        """Wait for work and take it, with the number of its last put; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._urgent or self._stopping)
            self._changed.wait_for(lambda: self._urgent or self._stopping, self._gather_seconds)
            if self._stopping and not self._waiting:
                self._ended = True
                return None
            self._urgent = False
            self._begun += 1
            blocks, self._waiting = self._waiting, {}
            return self._puts, blocks

    def _write(self, blocks: Blocks) -> str | None:
        """Commit what was kept and ``blocks``; what went wrong, or None."""
        try:
            self._keep(blocks)
            for interval in sorted(self._kept):
                (block,) = self._kept[interval]
                report = self._data.write_block(interval, block)
                del self._kept[interval]
                self._settle(len(block), report)
        except Exception as error:  # noqa: BLE001  # the thread's one place: the rows are kept, the owner is told
            text = str(error) or type(error).__name__
            self._tell(
                "outage", f"bars cannot be stored: {text}; they are kept and tried again with the next ones"
            )
            return text
        self._told.discard("outage")
        return None

    def _keep(self, blocks: Blocks) -> None:
        for interval, fresh in blocks.items():
            self._kept.setdefault(interval, []).extend(fresh)
        for interval, parts in self._kept.items():
            self._kept[interval] = [coalesced(parts)]
        with self._changed:
            self._rows = _rows(self._kept) + _rows(self._waiting)
            refused, self._refused = self._refused, 0
        if refused:
            self._tell("full", f"more than {self._rows_max} bars wait to be stored: further ones are lost")

    def _settle(self, rows: int, report: WriteReport) -> None:
        with self._changed:
            self._rows -= rows
            self._committed += rows - report.rejected
        self._told.discard("full")
        for rule, count in report.reasons.items():
            self._tell(rule, f"the store refused {count} bars ({rule}), for example {report.examples[0]}")

    def _tell(self, cause: str, text: str) -> None:
        if cause not in self._told:
            self._told.add(cause)
            self._on_error(text)


def _rows(blocks: Blocks) -> int:
    return sum(len(block) for parts in blocks.values() for block in parts)


def coalesced(blocks: Sequence[BarBlock]) -> BarBlock:
    """The rows of ``blocks`` as one: by symbol and time, of each key the last."""
    if len(blocks) == 1:
        return blocks[0]
    rows = merge(None, pl.concat([block_rows(block) for block in blocks])).rows
    symbols, lengths = symbol_runs(rows["symbol"])
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths)))
    prices = [rows[name].to_numpy() for name in PRICES]
    return BarBlock(tuple(symbols), offsets, rows["timestamp"].to_physical().to_numpy(), *prices)
