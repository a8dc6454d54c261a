"""Timestamps of any common form as microseconds since the epoch, UTC.

Zoned values are converted; naive ones are taken in the zone that the import names. Numbers count from 1970 in a
unit that their size tells. A local time that occurs twice or never (the clock is changed) is refused: what is
meant cannot be known.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl
from msgspec import Struct

from mismartera.errors import DataError

_ZONED = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z", "%Y-%m-%dT%H:%M%z",
          "%Y-%m-%d %H:%M:%S%.f %z", "%a, %d %b %Y %H:%M:%S %z")  # fmt: skip
_NAIVE = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
          "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y%m%d %H%M%S", "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M",
          "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M")  # fmt: skip
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y")
_SLASHED_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_UNITS = (("seconds", 1e11, 1_000_000, 1), ("milliseconds", 1e14, 1_000, 1), ("microseconds", 1e17, 1, 1),
          ("nanoseconds", float("inf"), 1, 1_000))  # fmt: skip
_MINUTES = "%Y%m%d%H%M"
"""In 1976 milliseconds since 1970 look like that too: only if each of the numbers is such a date they are."""
_NUMERALS = (("%Y%m%d", 1), (_MINUTES, 10_000), ("%Y%m%d%H%M%S", 1_000_000))
"""Dates that are written as numbers: the form, and what a date without a time is multiplied by."""
_DATE_ALONE = r"^\s*(\d{8}|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})\s*$"
_SECONDS_MIN = 365 * 86_400
"""Less than a year since 1970: a smaller unit than seconds was meant, or days."""


class Stamps(Struct):
    """Instants (``us``: Int64 series, null where refused) with the refused rows per rule, and remarks."""

    us: pl.Series
    refused: dict[str, pl.Series] = {}
    """Rule to a mask of rows; a row is in one mask at most."""
    notes: list[str] = []


def check_zone(name: str) -> str:
    """``name`` if it is an IANA time zone; DataError otherwise."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise DataError(
            f"{name!r} is no time zone: allowed are IANA names such as 'America/New_York', 'UTC'"
        ) from error
    return name


def to_instants(column: pl.Series, zone: str) -> Stamps:
    """The instants of ``column``; ``zone`` is that of naive values. DataError for a type that has no time."""
    kind = column.dtype
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return _finish(column, column.dt.cast_time_unit("us").to_physical(), {}, [])
    if isinstance(kind, pl.Datetime) or kind == pl.Date:
        return _localised(column, column.cast(pl.Datetime("us")), zone, [])
    if kind.is_integer() or kind.is_float():
        return _numbers(column, column, zone)
    if kind == pl.String:
        return _texts(column, zone)
    if kind == pl.Null:
        return _finish(column, column.cast(pl.Int64), {}, [])
    raise DataError(f"column {column.name!r} is {kind}: needed are timestamps, numbers since 1970, or text")


def are_dates(column: pl.Series) -> bool:
    """True if :func:`to_instants` finds dates without a time of day in all of ``column``."""
    kind, filled = column.dtype, column.drop_nulls()
    if kind.is_integer():
        return bool(len(filled) and filled.is_between(19_700_101, 21_000_101).all())
    if kind == pl.String:
        return bool(len(filled) and filled.str.contains(_DATE_ALONE).all())
    return kind == pl.Date


def _finish(column: pl.Series, us: pl.Series, refused: dict[str, pl.Series], notes: list[str]) -> Stamps:
    """Charge what is null and not yet refused to ``bad_timestamp``."""
    bad = us.is_null()
    for mask in refused.values():
        bad &= ~mask
    refused = {rule: mask for rule, mask in {**refused, "bad_timestamp": bad}.items() if mask.any()}
    return Stamps(us.alias(column.name), refused, notes)


def _localised(column: pl.Series, naive: pl.Series, zone: str, notes: list[str]) -> Stamps:
    if zone == "UTC":
        return _finish(column, naive.to_physical(), {}, notes)
    us = naive.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    lost = us.is_null() & naive.is_not_null()
    refused: dict[str, pl.Series] = {}
    if lost.any():
        first = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        refused = {"ambiguous_time": lost & first.is_not_null(), "nonexistent_time": lost & first.is_null()}
    return _finish(column, us.dt.convert_time_zone("UTC").to_physical(), refused, notes)


def _numbers(column: pl.Series, values: pl.Series, zone: str) -> Stamps:
    middle = values.cast(pl.Float64, strict=False).abs().median()
    middle = float(middle) if isinstance(middle, int | float) else 0.0
    for form, ones in _NUMERALS:
        if 19_700_101 * ones <= middle < 21_000_101 * ones:
            text = values.cast(pl.Int64, strict=False).cast(pl.String)
            naive = _parse(text, form)
            if form != _MINUTES or naive.null_count() == values.null_count():
                return _localised(column, naive, zone, [f"numbers in {column.name!r} were read as {form}"])
    unit, _, times, over = next(entry for entry in _UNITS if middle < entry[1])
    notes = [f"numbers in {column.name!r} were read as {unit} since 1970"]
    if unit == "seconds" and middle < _SECONDS_MIN:
        notes.append(f"numbers in {column.name!r} are too small for seconds since 1970: are they minutes or days?")
        values = values.set(values.is_not_null(), None)
    if values.dtype.is_float():
        us = (values * times / over).round().cast(pl.Int64, strict=False)
    else:
        us = values.cast(pl.Int64, strict=False)
        us = us * times if over == 1 else us // over
    return _finish(column, us, {}, notes[-1:])


def _texts(column: pl.Series, zone: str) -> Stamps:
    text = column.str.strip_chars()
    filled = text.drop_nulls()
    if filled.len() and filled.str.contains(r"^-?\d+(\.\d+)?$").all():
        whole = filled.str.contains(r"^-?\d+$").all()
        return _numbers(column, text.cast(pl.Int64 if whole else pl.Float64, strict=False), zone)
    text = text.str.replace(r" ?(Z|GMT|UTC)$", " +0000").str.replace(r"^(\d[^,]*) \+0000$", "${1}+0000")
    zoned = _parsed(text, _ZONED)
    rest = text.set(zoned.is_not_null(), None)
    if rest.null_count() == len(rest):
        return _finish(column, zoned.to_physical(), {}, [])
    naive = _parsed(rest, (*_NAIVE, *_DATES))
    slashed, notes = _slashed(rest.set(naive.is_not_null(), None), column.name)
    local = _localised(column, naive.zip_with(naive.is_not_null(), slashed), zone, notes)
    us = zoned.to_physical().zip_with(zoned.is_not_null(), local.us)
    refused = {rule: mask for rule, mask in local.refused.items() if rule != "bad_timestamp"}
    return _finish(column, us, refused, notes)


def _parsed(text: pl.Series, forms: tuple[str, ...]) -> pl.Series:
    """Each value by the first of ``forms`` that fits it, null if none does; zoned forms give UTC."""
    zoned = any("%z" in form for form in forms)
    done = pl.Series(text.name, [None] * len(text), dtype=pl.Datetime("us", "UTC" if zoned else None))
    sample = text.drop_nulls().head(1)
    likely = [form for form in forms if _parse(sample, form).null_count() == 0] if len(sample) else []
    for form in (*likely, *(form for form in forms if form not in likely)):
        open_ = done.is_null() & text.is_not_null()
        if not open_.any():
            break
        if not likely and not _parse(text.filter(open_).head(1000), form).is_not_null().any():
            continue
        found = _parse(text, form)
        done = done.zip_with(~open_, found)
    return done


def _parse(text: pl.Series, form: str) -> pl.Series:
    zone = "UTC" if "%z" in form else None
    if "%H" not in form and "%I" not in form:
        return text.str.to_date(form, strict=False).cast(pl.Datetime("us"))
    times = text.str.to_datetime(form, time_unit="us", time_zone=zone, strict=False)
    if "%S" not in form:
        return times
    # Second 60 is read as the next minute's 0, which is another bar.
    leap = text.str.ends_with("60") if "%M%S" in form else text.str.contains(":60", literal=True)
    return times.set(leap, None) if leap.any() else times


def _slashed(text: pl.Series, name: str) -> tuple[pl.Series, list[str]]:
    """Dates such as 7/2/2024: month first, unless only day first fits all of them."""
    if text.null_count() == len(text):
        return _parsed(text, ()), []
    month_first, day_first = (
        _parsed(text, (*(f"{order} {time}" for time in _SLASHED_TIMES), order))
        for order in ("%m/%d/%Y", "%d/%m/%Y")
    )
    lost = text.is_not_null()
    if (month_first.is_null() & lost).any() and not (day_first.is_null() & lost).any():
        return day_first, [f"dates in {name!r} were read as day/month/year"]
    note = [f"dates in {name!r} were read as month/day/year"] if month_first.is_not_null().any() else []
    return month_first, note
