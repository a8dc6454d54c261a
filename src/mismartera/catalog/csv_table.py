"""Reading a CSV file as text, row by row: a row that does not fit the header costs itself, not the file."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import BinaryIO

import polars as pl
from polars.exceptions import ComputeError

from mismartera.catalog.report import Rejections

_SEPARATORS = ",;\t|"
_COLUMNS_MIN = 6
"""A bar has so many; what begins with ``#`` and has fewer is a comment, not a header."""


def read_csv(path: Path, *, is_numbered: bool) -> tuple[pl.DataFrame, Rejections]:
    """All columns as text, and the rows that have more fields than the header (``too_many_fields``).

    ``is_numbered``: there is no header, and the columns are called 1, 2 ... Blank lines are no rows, nor are
    comments before the header. What is wrong with the file as a whole raises as Polars or ``gzip`` do.
    """
    skipped, separator = _opening(path)
    rejections = Rejections()

    def parsed(source: Path | bytes, *, is_ragged: bool) -> pl.DataFrame:
        return pl.read_csv(
            source, separator=separator, skip_lines=skipped, has_header=not is_numbered, infer_schema=False,
            truncate_ragged_lines=is_ragged,
        )  # fmt: skip

    try:
        frame = parsed(path, is_ragged=False)
    except ComputeError as error:
        try:
            content = _without_long_rows(path, separator, skipped, rejections)
        except csv.Error:
            raise error from None
        frame = parsed(content, is_ragged=True)
    if is_numbered:
        frame = frame.rename({name: str(index) for index, name in enumerate(frame.columns, start=1)})
    return _without_blank_rows(frame.rename(str.strip)), rejections


def _opened(path: Path) -> gzip.GzipFile | BinaryIO:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _opening(path: Path) -> tuple[int, str]:
    """How many lines stand before the first row or header, and by what that is separated."""
    skipped = 0
    with _opened(path) as handle:
        for line in iter(lambda: handle.readline(65_536), b""):
            text = line.decode("utf-8", errors="replace").lstrip("\ufeff").strip(" \r\n")
            separator = max(_SEPARATORS, key=text.count)
            is_comment = text.startswith("#") and text.count(separator) < _COLUMNS_MIN - 1
            if text and not is_comment:
                return skipped, separator
            skipped += 1
    return skipped, _SEPARATORS[0]


def _without_long_rows(path: Path, separator: str, skipped: int, rejections: Rejections) -> bytes:
    """The file with a blank in place of each row that has more fields than its first; empty ones do not count."""
    with _opened(path) as handle:
        text = handle.read().decode("utf-8", errors="surrogateescape")
    lines = list(io.StringIO(text, newline="\n"))
    width, before = 0, skipped
    reader = csv.reader(lines[skipped:], delimiter=separator)
    for fields in reader:
        first, before = before, skipped + reader.line_num
        width = width or len(fields)
        if any(field.strip() for field in fields[width:]):
            row = "".join(lines[first:before]).strip().encode("utf-8", errors="replace").decode()[:200]
            where = f"line {first + 1} has {len(fields)} fields, the first row {width}"
            rejections.add("too_many_fields", 1, [f"too_many_fields ({where}): {row}"])
            lines[first:before] = ["\n"] * (before - first)
    return "".join(lines).encode("utf-8", errors="surrogateescape")


def _without_blank_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` without the rows that hold nothing at all."""
    if not frame.width or not frame[frame.columns[-1]].null_count():
        return frame
    first, *others = frame.get_columns()
    blank = first.is_null() | (first.str.strip_chars() == "")
    for column in others:
        blank &= column.is_null()
    return frame.filter(~blank)
