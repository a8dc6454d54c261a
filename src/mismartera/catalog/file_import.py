"""One foreign file as valid rows of the store: whose bars, which interval, when, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Literal

import polars as pl
from msgspec import Struct, field

from mismartera.bars import check_symbol, parse_interval
from mismartera.bars.instants import DAY_US
from mismartera.bars.interval import Interval
from mismartera.catalog.layout import LATEST_US, PRICES
from mismartera.catalog.report import EXAMPLES_PER_RULE, Rejections
from mismartera.catalog.sources import PathFacts
from mismartera.catalog.spacing import interval_of_spacing
from mismartera.catalog.stamps import are_dates, to_instants
from mismartera.catalog.tabular import Table, read_table
from mismartera.catalog.upsert import valid_rows
from mismartera.errors import DataError

_HINTS = {
    "bad_timestamp": "no timestamp of a known form",
    "ambiguous_time": "the clock shows this time twice on that day: give UTC or an offset",
    "implausible_time": "early 1970: were seconds or milliseconds taken for a smaller unit?",
    "nonexistent_time": "the clock skips this time on that day: is the zone right?",
    "not_a_number": "allowed are plain numbers such as 1234.5",
}
_COMMA_HINT = "a decimal comma? allowed is a point, as in 1234.5"
_DECIMAL_COMMA = re.compile(r"[+-]?(\d*,(\d{1,2}|\d{4,})|\d{1,3}(\.\d{3})+,\d+|0?,\d+)")
"""Not ``1,000``, which may be a thousand."""


class ImportOptions(Struct, frozen=True):
    """What the user says of all files of an import. ``zone`` is that of naive timestamps."""

    symbol: str | None = None
    interval: str | None = None
    timestamps: Literal["start", "end"] = "start"
    zone: str = "UTC"
    columns: Mapping[str, str] = {}


class FileRows(Struct):
    """The valid rows of one file, per interval, with what was refused and what is worth telling."""

    rows: int = 0
    frames: list[tuple[str, pl.DataFrame]] = []
    rejections: Rejections = field(default_factory=Rejections)
    notes: list[str] = []

    @property
    def kept(self) -> int:
        """How many rows are valid."""
        return sum(frame.height for _, frame in self.frames)


def read_bars(path: Path, facts: PathFacts, layout_given: bool, options: ImportOptions) -> FileRows:
    """The bars in ``path``; DataError if the file cannot be used at all.

    The symbol and the interval are those of the options, of a layout that was given, of the file's columns, or of
    the usual layout, in this order; the interval may also be told by the spacing of the rows, with a note, if that
    leaves no doubt.
    """
    table = read_table(path, options.columns)
    result = FileRows(rows=table.frame.height + table.rejections.count, rejections=table.rejections)
    stamps = to_instants(table.frame["timestamp"], options.zone)
    result.notes += stamps.notes
    rows = _with_label(table.frame, "symbol", options.symbol, facts.symbol, layout_given)
    rows = _with_label(rows, "interval", options.interval, facts.interval, layout_given)
    rows = _refuse(rows.with_columns(stamps.us.alias("us")), table.unread, stamps.refused, result.rejections)
    for interval, found in _by_interval(rows, options.zone, result.notes):
        kept = found if interval.is_daily else _with_times(found, table, result.rejections)
        if interval.is_daily and are_dates(table.frame["timestamp"]):
            starts = _midnights(kept["us"], options.zone)
        else:
            starts = _starts(kept["us"], interval, options)
            result.notes += _doubts(kept["us"], interval, options)
        frame = kept.select(
            "symbol", starts.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("timestamp"), *PRICES
        )
        result.notes += _remarks(frame["timestamp"], facts, options.zone)
        result.frames.append((interval.canonical, valid_rows(interval.canonical, frame, result.rejections)))
    return result


def _with_times(rows: pl.DataFrame, table: Table, rejections: Rejections) -> pl.DataFrame:
    """The rows of bars shorter than a day whose time can be meant; DataError for dates without a time."""
    if table.frame.schema["timestamp"] == pl.Date:
        raise DataError("column 'timestamp' holds dates without a time of day: allowed for interval 1d only")
    implausible = {"implausible_time": rows["us"].is_between(0, 60 * DAY_US)}
    return _refuse(rows, table.unread, implausible, rejections)


def _with_label(
    table: pl.DataFrame, name: str, option: str | None, of_path: str | None, layout_given: bool
) -> pl.DataFrame:
    """``table`` with the column ``name`` filled from where it is known (see ``read_bars``)."""
    said = option or (of_path if layout_given else None)
    if name not in table.columns:
        label = said or of_path
        if label is None and name == "symbol":
            raise DataError(
                "whose bars it holds is not known: give --symbol, a column 'symbol', or --layout, "
                "for example --layout '{symbol}.csv'"
            )
        return table.with_columns(pl.lit(label, dtype=pl.String).alias(name))
    column = table[name].cast(pl.String, strict=False).str.strip_chars()
    others = sorted(set(column.drop_nulls().unique().to_list()) - {said})
    if said is not None and others:
        raise DataError(f"its column {name!r} holds {others[:5]}, but {said!r} was asked for")
    return table.with_columns(column.alias(name))


def _refuse(
    table: pl.DataFrame, unread: pl.DataFrame, refused: Mapping[str, pl.Series], rejections: Rejections
) -> pl.DataFrame:
    """``table`` without the rows that cannot become a bar; each is charged to one rule."""
    masks = dict(refused)
    masks["bad_symbol"] = _bad_labels(table["symbol"], check_symbol)
    if table["interval"].null_count() < table.height:
        masks["bad_interval"] = _bad_labels(table["interval"], parse_interval)
    masks["not_a_number"] = table.select(pl.any_horizontal(pl.col(name).is_null() for name in PRICES)).to_series()
    open_ = pl.repeat(value=True, n=table.height, dtype=pl.Boolean, eager=True)
    for rule, mask in masks.items():
        hit = mask & open_
        if hit.any():
            shown = _as_in_file(table.filter(hit).head(EXAMPLES_PER_RULE), unread)
            rejections.add(rule, int(hit.sum()), [_in_words(rule, row) for row in shown])
            open_ &= ~hit
    return table if open_.all() else table.filter(open_)


def _as_in_file(rows: pl.DataFrame, unread: pl.DataFrame) -> list[dict[str, object]]:
    """The cells of ``rows`` by name; prices that could not be read as they stand in the file."""
    texts = unread.join(rows.select("row"), on="row", how="semi").rows_by_key("row", named=True, unique=True)
    cells = rows.drop("row", "us").rows(named=True)
    return [row | texts.get(number, {}) for number, row in zip(rows["row"], cells, strict=True)]


def _in_words(rule: str, row: Mapping[str, object]) -> str:
    is_comma = any(_DECIMAL_COMMA.fullmatch(str(row[name]).strip()) for name in PRICES)
    hint = _COMMA_HINT if rule == "not_a_number" and is_comma else _HINTS.get(rule)
    cells = ", ".join(f"{name}={'(empty)' if cell is None else cell}" for name, cell in row.items())
    return f"{rule}{f' ({hint})' if hint else ''}: {cells[:200]}"


def _bad_labels(column: pl.Series, check: object) -> pl.Series:
    assert callable(check)
    bad = []
    for label in column.unique().to_list():
        try:
            check("" if label is None else label)
        except ValueError:
            bad.append(label)
    if not bad:
        return column.is_null() & column.is_not_null()
    return column.is_in([label for label in bad if label is not None]) | (column.is_null() & (None in bad))


def _by_interval(table: pl.DataFrame, zone: str, notes: list[str]) -> list[tuple[Interval, pl.DataFrame]]:
    if not table.height:
        return []
    labels = table["interval"]
    if labels.null_count():
        interval = interval_of_spacing(table["symbol"], table["us"], zone)
        notes.append(f"the interval {interval.canonical} was told by the spacing of the rows")
        return [(interval, table)]
    by_length: dict[Interval, list[str]] = {}
    for label in labels.unique(maintain_order=True).to_list():
        by_length.setdefault(parse_interval(label), []).append(label)
    if len(by_length) == 1:
        return [(next(iter(by_length)), table)]
    return [(interval, table.filter(labels.is_in(names))) for interval, names in by_length.items()]


def _midnights(us: pl.Series, zone: str) -> pl.Series:
    """Dates without a time name sessions, whatever the zone and whichever end labels are of: midnight UTC does."""
    local = us.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return local.dt.date().cast(pl.Datetime("us")).to_physical()


def _doubts(us: pl.Series, interval: Interval, options: ImportOptions) -> list[str]:
    """A remark on daily bars whose end labels look like dates: they would be shown a session too early."""
    if not interval.is_daily or options.timestamps == "start" or not us.len():
        return []
    local = us.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").dt.convert_time_zone(options.zone)
    if not (local.dt.time() == time(0)).all():
        return []
    return [f"daily labels at midnight ({options.zone}) were taken for the end of the day before: are they dates?"]


def _starts(us: pl.Series, interval: Interval, options: ImportOptions) -> pl.Series:
    """Starts of the bars. A daily bar labelled by its end starts at midnight (of the zone) of the day it ends."""
    if options.timestamps == "start":
        return us
    if not interval.is_daily:
        return us - interval.length_us
    local = (us - 1).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").dt.convert_time_zone(options.zone)
    midnight = local.dt.replace_time_zone(None).dt.truncate("1d")
    zoned = midnight.dt.replace_time_zone(options.zone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC").to_physical()


def _remarks(starts: pl.Series, facts: PathFacts, zone: str) -> list[str]:
    if facts.day is None:
        return []
    plausible = starts.filter(starts.to_physical().is_between(0, LATEST_US, closed="left"))
    return _other_days(plausible, facts.day, zone)


def _other_days(starts: pl.Series, named: date, zone: str) -> list[str]:
    """A remark if the day that a path names is none of the days of its bars, in UTC or in ``zone``.

    The day may be the exchange's, which begins and ends some hours off UTC's: one bar of it is enough.
    """
    days = starts.dt.convert_time_zone(zone).dt.date()
    if not len(days) or named in days or named in starts.dt.date():
        return []
    first, last = str(days.min()), str(days.max())
    held = first if first == last else f"{first} to {last}"
    return [f"the path names {named}, but its bars are of {held} ({zone}): is it the right file?"]
