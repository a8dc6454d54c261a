"""Importing files and folders of bars: batches of files, each one atomic commit of the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Literal

import polars as pl
from msgspec import Struct, field

from mismartera.bars import check_symbol, parse_interval
from mismartera.catalog.file_import import FileRows, ImportOptions, read_bars
from mismartera.catalog.manager import DataManager
from mismartera.catalog.report import Rejections, WriteReport
from mismartera.catalog.sources import Layout, PathFacts, facts_of, find_files
from mismartera.catalog.stamps import check_zone
from mismartera.catalog.tabular import check_mapping
from mismartera.errors import DataError

Progress = Callable[[int, int, int], None]
"""Called with files done, files in all, and rows read so far."""

BATCH_ROWS = 5_000_000
"""A commit holds about so many rows: bounds the memory, and how often a partition is written again."""

_READERS = 4


class ImportReport(Struct, frozen=True):
    """What an import did: ``rows == accepted + duplicate + revised + rejected`` (see WriteReport), always.

    ``files`` counts the files whose rows were used; ``failed_files`` lists those that could not be, with the
    reason: none of their rows are counted. ``notes`` say what was concluded rather than told (units, intervals,
    formats). ``version`` is the store's version at the end, None if there is no store.
    """

    files: int = 0
    rows: int = 0
    accepted: int = 0
    duplicate: int = 0
    revised: int = 0
    rejected: int = 0
    reasons: Mapping[str, int] = {}
    examples: tuple[str, ...] = ()
    failed_files: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    version: int | None = None

    def __post_init__(self) -> None:
        kept = self.accepted + self.duplicate + self.revised
        assert self.rows == kept + self.rejected, f"the counts of {self} do not balance"


def import_files(
    data_manager: DataManager,
    paths: Sequence[str | Path],
    *,
    symbol: str | None = None,
    interval: str | None = None,
    layout: str | None = None,
    timestamps: Literal["start", "end"] = "start",
    tz: str = "UTC",
    columns: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    batch_rows: int = BATCH_ROWS,
) -> ImportReport:
    """Import Parquet and CSV files, and the folders that hold them, into the store.

    The symbol and the interval come from the arguments, from ``layout`` (a pattern of paths such as
    ``'{symbol}/{interval}/{date}.parquet'``), from columns of the file, or from paths of that form.
    ``timestamps`` says whether a bar is labelled by its start or its end; naive ones are in the zone ``tz``.
    ``columns`` maps names in the files to ours. Files are committed in batches, each whole or not at all;
    importing again changes nothing. What is wrong with a file is in the report and loses no other file;
    DataError, ValueError only for bad arguments.
    """
    options = _checked_options(symbol, interval, timestamps, tz, columns or {})
    pattern = None if layout is None else Layout(layout)
    files, failed = find_files(paths)
    tally = _Tally(failed=failed)
    sources = _planned(files, pattern, tally)
    total = len(files)
    batch = _Batch(data_manager, tally)
    done = total - len(sources)
    for path, outcome in _read_all(sources, pattern is not None, options):
        done += 1
        if isinstance(outcome, DataError):
            tally.failed.append((str(path), str(outcome)))
        else:
            tally.take(path, outcome)
            batch.add(outcome)
            if batch.rows >= batch_rows:
                batch.commit()
        if progress is not None:
            progress(done, total, tally.rows)
    batch.commit()
    return tally.report(data_manager)


def _checked_options(
    symbol: str | None,
    interval: str | None,
    timestamps: Literal["start", "end"],
    tz: str,
    columns: Mapping[str, str],
) -> ImportOptions:
    if timestamps not in {"start", "end"}:
        raise DataError(f"timestamps={timestamps!r} is not allowed: bars are labelled by their 'start' or 'end'")
    check_mapping(columns)
    return ImportOptions(
        symbol=None if symbol is None else check_symbol(symbol),
        interval=None if interval is None else parse_interval(interval).canonical,
        timestamps=timestamps, zone=check_zone(tz), columns=dict(columns),
    )  # fmt: skip


def _planned(files: Iterable[Path], layout: Layout | None, tally: _Tally) -> list[tuple[Path, PathFacts]]:
    """The files with what their paths say; those of one day together, so that a partition is rarely rewritten."""
    sources: list[tuple[Path, PathFacts]] = []
    for path in files:
        try:
            sources.append((path, facts_of(path, layout)))
        except DataError as error:
            tally.failed.append((str(path), str(error)))
    return sorted(sources, key=lambda source: (source[1].interval or "", source[1].day or date.min))


def _read_all(
    sources: Sequence[tuple[Path, PathFacts]], layout_given: bool, options: ImportOptions
) -> Iterator[tuple[Path, FileRows | DataError]]:
    """The files' rows in order, read a few files ahead."""

    def read(source: tuple[Path, PathFacts]) -> FileRows | DataError:
        try:
            return read_bars(*source, layout_given, options)
        except DataError as error:
            return error

    with ThreadPoolExecutor(_READERS) as pool:
        ahead: deque[tuple[Path, Future[FileRows | DataError]]] = deque()
        try:
            for source in sources:
                ahead.append((source[0], pool.submit(read, source)))
                if len(ahead) > 2 * _READERS:
                    path, future = ahead.popleft()
                    yield path, future.result()
            while ahead:
                path, future = ahead.popleft()
                yield path, future.result()
        finally:
            for _, future in ahead:
                future.cancel()


class _Batch:
    """Rows that wait for the next commit."""

    def __init__(self, data_manager: DataManager, tally: _Tally) -> None:
        self._data_manager = data_manager
        self._tally = tally
        self._frames: list[tuple[str, pl.DataFrame]] = []
        self.rows = 0

    def add(self, rows: FileRows) -> None:
        self._frames += rows.frames
        self.rows += rows.kept

    def commit(self) -> None:
        if self.rows:
            self._tally.wrote(self._data_manager.write_frames(self._frames, rejections=Rejections()))
        self._frames, self.rows = [], 0


class _Tally(Struct):
    """The report in the making."""

    failed: list[tuple[str, str]]
    files: int = 0
    rows: int = 0
    written: list[WriteReport] = []
    rejections: Rejections = field(default_factory=Rejections)
    notes: dict[str, list[str]] = {}

    def take(self, path: Path, rows: FileRows) -> None:
        self.files += 1
        self.rows += rows.rows
        self.rejections.merge(rows.rejections.of(str(path)))
        for note in rows.notes:
            self.notes.setdefault(note, []).append(str(path))

    def wrote(self, report: WriteReport) -> None:
        self.written.append(report)

    def report(self, data_manager: DataManager) -> ImportReport:
        return ImportReport(
            files=self.files,
            rows=self.rows,
            accepted=sum(report.accepted for report in self.written),
            duplicate=sum(report.duplicate for report in self.written),
            revised=sum(report.revised for report in self.written),
            rejected=self.rejections.count,
            reasons=dict(sorted(self.rejections.reasons.items())),
            examples=self.rejections.examples,
            failed_files=tuple(self.failed),
            notes=tuple(_located(note, paths) for note, paths in self.notes.items()),
            version=data_manager.version if data_manager.exists() else None,
        )


def _located(note: str, paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 1} more files" if len(paths) > 1 else ""
    return f"{paths[0]}{more}: {note}"
