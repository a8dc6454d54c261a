"""The words of Delta's log: the table's schema, and a file of ours as an entry of the log and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from deltalake import Field, Schema
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction

from mismartera.bars.instants import to_iso, to_us
from mismartera.catalog.layout import FILE_COLUMNS, FORMAT, FORMAT_KEY, DataFile, day_label

COLUMN_TYPES = {"symbol": "string", "interval": "string", "date": "date", "timestamp": "timestamp"}
"""Delta's types of the columns that are no doubles."""

_EPOCH = date(1970, 1, 1)


def table_schema() -> Schema:
    """The table's columns; the format's number stands with the symbol, where other tools leave it alone."""
    metadata = {"symbol": {FORMAT_KEY: str(FORMAT)}}
    names = ("symbol", "interval", "date", *FILE_COLUMNS[1:])
    return Schema(
        [
            Field(
                name, PrimitiveType(COLUMN_TYPES.get(name, "double")), nullable=False, metadata=metadata.get(name)
            )
            for name in names
        ]
    )


def partition_values(file: DataFile) -> dict[str, str | None]:
    """The values of the partition columns."""
    return {"interval": file.interval, "date": day_label(file.day)}


def add_action(file: DataFile, stamp_ms: int) -> AddAction:
    """The entry that makes ``file`` part of the table."""
    return AddAction(
        file.relative, file.size, partition_values(file), stamp_ms, data_change=True, stats=_statistics(file)
    )


def _statistics(file: DataFile) -> str:
    assert file.first_us is not None and file.last_us is not None, "a file of ours has statistics"

    def stamp(us: int) -> str:
        return to_iso(us).replace("+00:00", "Z")

    return json.dumps(
        {
            "numRecords": file.rows,
            "minValues": {"symbol": file.first_symbol, "timestamp": stamp(file.first_us)},
            "maxValues": {"symbol": file.last_symbol, "timestamp": stamp(file.last_us)},
            "nullCount": dict.fromkeys(FILE_COLUMNS, 0),
        }
    )


def data_file(locate: Callable[[str], str], row: Mapping[str, Any]) -> DataFile:
    """The file that an entry of the log (one row of the library's table of them) describes.

    ``locate``: from a path below the table's root to where the file can be read.
    """
    first, last = row.get("min.timestamp"), row.get("max.timestamp")
    return DataFile(
        path=locate(row["path"]), relative=row["path"], interval=row["partition.interval"],
        day=(row["partition.date"] - _EPOCH).days, size=row["size_bytes"], rows=row.get("num_records"),
        first_us=None if first is None else to_us(first), last_us=None if last is None else to_us(last),
        first_symbol=row.get("min.symbol"), last_symbol=row.get("max.symbol"),
    )  # fmt: skip


def is_whole(log: Path) -> bool:
    """True if a commit's file of the log can be read, and is one JSON object a line."""
    try:
        lines = log.read_text("utf-8").splitlines()
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except (OSError, ValueError):
        return False
