"""Is a Delta table a bar store that this version can read? Its columns, partitions, format and features."""

from __future__ import annotations

from typing import Any

from deltalake import DeltaTable

from mismartera.catalog.actions import COLUMN_TYPES
from mismartera.catalog.layout import FILE_COLUMNS, FORMAT, FORMAT_KEY, PARTITION_BY
from mismartera.errors import StoreError

_READER_FEATURES = {"timestampNtz", "vacuumProtocolCheck", "v2Checkpoint"}


def check_shape(path: str, table: DeltaTable) -> dict[str, Any]:
    """What the table at ``path`` tells of itself with its symbol column; StoreError if it is no bar store."""
    fields = {item.name: item for item in table.schema().fields}
    wanted = {name: COLUMN_TYPES.get(name, "double") for name in (*PARTITION_BY, *FILE_COLUMNS)}
    for name, kind in wanted.items():
        found = getattr(fields[name].type, "type", str(fields[name].type)) if name in fields else "nothing"
        if found != kind:
            raise StoreError(
                f"the table {path} is no bar store: its column {name!r} is {found}, needed is {kind}; "
                "choose another folder, or import its files with `mismartera data import`"
            )
    if tuple(table.metadata().partition_columns) != PARTITION_BY:
        raise StoreError(
            f"the table {path} is no bar store: it is partitioned by "
            f"{table.metadata().partition_columns}, needed is {list(PARTITION_BY)}"
        )
    metadata = dict(fields["symbol"].metadata)
    _check_format(path, table, str(metadata.get(FORMAT_KEY, FORMAT)))
    return metadata


def _check_format(path: str, table: DeltaTable, found: str) -> None:
    if not found.isdigit() or int(found) > FORMAT:
        raise StoreError(
            f"the store {path} has format {found}, this version of mismartera reads up to {FORMAT}: "
            "use the version that wrote it, or a newer one"
        )
    features = set(table.protocol().reader_features or ()) - _READER_FEATURES
    if features:
        raise StoreError(f"the store {path} uses features of Delta that are not supported: {sorted(features)}")
