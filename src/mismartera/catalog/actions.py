"""The words of Delta's log: the table's schema, and a file of ours as an entry of the log and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Any

from deltalake import Field, Schema
from deltalake.schema import PrimitiveType

from mismartera.bars.instants import to_iso, to_us
from mismartera.catalog.layout import (
    FILE_COLUMNS,
    FORMAT,
    FORMAT_KEY,
    GENERATED_KEY,
    PARTITION_BY,
    DataFile,
    day_label,
)

COLUMN_TYPES = {"symbol": "string", "interval": "string", "date": "date", "timestamp": "timestamp"}
"""Delta's types of the columns that are no doubles."""

DIGEST_KEY = "mismarteraDigest"

Action = dict[str, Any]
"""A line of the log: one key, which tells the kind."""

_EPOCH = date(1970, 1, 1)


def schema_json(generated: Sequence[str]) -> str:
    """Delta's JSON of the table's columns.

    The format's number, and which symbols are ``generated``, stand with the symbol, where other tools leave them
    alone.
    """
    metadata = {"symbol": {FORMAT_KEY: str(FORMAT)}}
    if generated:
        metadata["symbol"][GENERATED_KEY] = ",".join(generated)
    names = ("symbol", "interval", "date", *FILE_COLUMNS[1:])
    return Schema(
        [
            Field(
                name, PrimitiveType(COLUMN_TYPES.get(name, "double")), nullable=False, metadata=metadata.get(name)
            )
            for name in names
        ]
    ).to_json()


def partition_values(file: DataFile) -> dict[str, str | None]:
    """The values of the partition columns."""
    return {"interval": file.interval, "date": day_label(file.day)}


def add_action(file: DataFile, stamp_ms: int) -> Action:
    """The entry that makes ``file`` part of the table."""
    return {
        "add": {
            "path": file.relative, "partitionValues": partition_values(file), "size": file.size,
            "modificationTime": stamp_ms, "dataChange": True, "stats": _statistics(file),
        }
    }  # fmt: skip


def remove_action(file: DataFile, stamp_ms: int) -> Action:
    """The entry that takes ``file`` out of the table."""
    return {
        "remove": {
            "path": file.relative, "dataChange": True, "deletionTimestamp": stamp_ms,
            "extendedFileMetadata": True, "partitionValues": partition_values(file), "size": file.size,
        }
    }  # fmt: skip


def protocol_action() -> Action:
    """What a reader and a writer of the table must know of Delta."""
    return {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}


def metadata_action(table_id: str, schema: str, created_ms: int) -> Action:
    """The entry that says what table this is; ``schema`` is Delta's JSON of it."""
    return {
        "metaData": {
            "id": table_id, "name": "bars",
            "description": f"market data bars, mismartera store of format {FORMAT}",
            "format": {"provider": "parquet", "options": {}}, "schemaString": schema,
            "partitionColumns": list(PARTITION_BY), "createdTime": created_ms,
            # versions stay readable for runs that are pinned to them: `data vacuum` alone forgets them
            "configuration": {"delta.enableExpiredLogCleanup": "false"},
        }
    }  # fmt: skip


def log_entry(actions: Sequence[Action], operation: str, note: str, stamp_ms: int) -> bytes:
    """The file of the log for a commit of ``actions``; it carries their digest."""
    lines = "".join(json.dumps(action) + "\n" for action in actions)
    info = {
        "timestamp": stamp_ms, "operation": operation, "operationParameters": {},
        "engineInfo": "mismartera", "mismartera": note, DIGEST_KEY: _digest(lines),
    }  # fmt: skip
    return (json.dumps({"commitInfo": info}) + "\n" + lines).encode()


def read_entry(log: Path) -> list[Action]:
    """The actions of a log file, the commit's own information first.

    ValueError, saying what is wrong, if it is not whole; OSError if it cannot be read.
    """
    content = log.read_bytes()
    if not content.strip(b"\0\n"):
        raise ValueError("the file is empty")
    try:
        lines = content.decode().splitlines(keepends=True)
        actions = [json.loads(line) for line in lines]
    except ValueError as error:
        raise ValueError("the file is no list of JSON objects, one a line") from error
    if not all(isinstance(action, dict) for action in actions):
        raise ValueError("the file is no list of JSON objects, one a line")
    told = actions[0].get("commitInfo", {})
    digest = told.get(DIGEST_KEY) if isinstance(told, dict) else None
    if digest is not None and digest != _digest("".join(lines[1:])):
        raise ValueError("its text has changed since it was written")
    return actions


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


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
