"""All sessions of an exchange as columns, from exchange_calendars or from a file of an earlier run."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import warnings
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from mismartera.errors import CalendarError

NO_BREAK = -(2**63)
"""In the columns of breaks: this session has none."""
_FIRST_DATE = date(1990, 1, 1)
_FORMAT = 1
_COLUMNS = ("ordinal", "open_us", "close_us", "break_start_us", "break_end_us", "half_day")


class Timetable(Struct, frozen=True, eq=False):
    """Columns of one length, in the order of time; instants in microseconds since the epoch, UTC.

    ``ordinal`` is the session's ``date.toordinal()``. Sessions are known from ``first`` to ``last``, inclusive.
    ``is_stored``: read from a file, whose end may be older than what exchange_calendars would say today.
    """

    zone: str
    first: date
    last: date
    ordinal: array[int]
    open_us: array[int]
    close_us: array[int]
    break_start_us: array[int]
    break_end_us: array[int]
    half_day: array[int]
    is_stored: bool = False

    def row(self, day: date) -> int:
        """The index of the first session on or after ``day``."""
        return bisect_left(self.ordinal, day.toordinal())


@lru_cache(maxsize=32)
def load_timetable(code: str, cache_dir: Path | None) -> Timetable:
    """The timetable of calendar ``code``, from the folder ``cache_dir`` if it is there, and left there otherwise.

    Importing pandas and exchange_calendars and computing a timetable takes a second, reading it some
    milliseconds. ``None``: no files. A file that cannot be read or written is no error: the timetable is then
    computed. Raises CalendarError for a code that does not exist.
    """
    stored = _read(_path(code, cache_dir)) if cache_dir else None
    return stored or compute_timetable(code, cache_dir)


def compute_timetable(code: str, cache_dir: Path | None) -> Timetable:
    """The timetable as exchange_calendars gives it now, written to ``cache_dir``."""
    table = _compute(code)
    if cache_dir:
        _write(_path(code, cache_dir), table)
    return table


def user_cache_dir(environ: Mapping[str, str]) -> Path | None:
    """Where a user's timetables are kept between runs: below ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    root = Path(environ.get("XDG_CACHE_HOME", ""))
    if not root.is_absolute():  # unset, or relative, which the XDG specification tells us to ignore
        try:
            root = Path.home() / ".cache"
        except RuntimeError:  # an account without a home
            return None
    return root / "mismartera" / "calendars"


def _path(code: str, cache_dir: Path) -> Path:
    from importlib.metadata import version  # costs 20 ms, which a run without files need not pay

    # The version is asked without importing the package. Zones decide the instants, hence tzdata's too.
    stamp = f"{version('exchange_calendars')}-{version('tzdata')}-{_FORMAT}"
    return cache_dir / f"{quote(code, safe='')}-{stamp}.timetable"


def _compute(code: str) -> Timetable:
    with warnings.catch_warnings():
        # exchange_calendars uses what newer versions of pandas deprecate; our users can do nothing about it.
        warnings.simplefilter("ignore", DeprecationWarning)
        import exchange_calendars  # imports pandas: only when there is no file

        return _columns(_calendar(exchange_calendars, code))


def _columns(calendar: Any) -> Timetable:
    schedule = calendar.schedule
    half_days = schedule.index.isin(calendar.early_closes)
    ordinal = array("q", [day.toordinal() for day in schedule.index])
    opens, closes, break_starts, break_ends = (
        array("q", schedule[name].dt.tz_convert(None).to_numpy("datetime64[us]").astype("int64").tobytes())
        for name in ("open", "close", "break_start", "break_end")  # no break: NaT, whose integer is NO_BREAK
    )
    half_day = array("q", half_days.astype("int64").tobytes())
    bound = calendar.bound_min()
    first = max(_FIRST_DATE, bound.date()) if bound is not None else _FIRST_DATE
    last = calendar.last_session.date()
    return Timetable(calendar.tz.key, first, last, ordinal, opens, closes, break_starts, break_ends, half_day)


def _calendar(library: Any, code: str) -> Any:
    names = library.get_calendar_names()
    if code not in names:
        near = get_close_matches(str(code).upper(), names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "for example XNYS, XHKG or 24/7"
        raise CalendarError(f"calendar {code!r} does not exist: {hint} (ISO 10383 codes of exchanges)")
    try:
        return _since_first_date(library, code)
    except (ValueError, NotImplementedError) as error:  # some calendars of the library are unfinished
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise CalendarError(f"calendar {code!r} cannot be used: exchange_calendars says {reason}") from error


def _since_first_date(library: Any, code: str) -> Any:
    try:
        return library.get_calendar(code, start=_FIRST_DATE.isoformat())
    except ValueError:
        bound = library.get_calendar(code).bound_min()
        if bound is None:
            raise
        return library.get_calendar(code, start=bound)


def _write(path: Path, table: Timetable) -> None:
    head = {
        "zone": table.zone, "first": table.first.isoformat(), "last": table.last.isoformat(),
        "rows": len(table.ordinal), "byteorder": sys.byteorder,
    }  # fmt: skip
    body = json.dumps(head).encode() + b"\n" + b"".join(getattr(table, name).tobytes() for name in _COLUMNS)
    with suppress(OSError):  # a read-only or full disk costs time, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
            Path(name).replace(path)  # atomic: a reader sees no file or a whole one
        except OSError:
            Path(name).unlink(missing_ok=True)


def _read(path: Path) -> Timetable | None:
    """The timetable in ``path``, or None if there is none that is whole: the digest covers every byte of it."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, body = content[:32], content[32:]
    if hashlib.sha256(body).digest() != digest:
        return None
    head_line, _, data = body.partition(b"\n")
    head = json.loads(head_line)
    if head["byteorder"] != sys.byteorder:  # a home folder that machines of two kinds share
        return None
    size = 8 * head["rows"]
    columns = {name: array("q", data[at * size : (at + 1) * size]) for at, name in enumerate(_COLUMNS)}
    first, last = date.fromisoformat(head["first"]), date.fromisoformat(head["last"])
    return Timetable(head["zone"], first, last, is_stored=True, **columns)
