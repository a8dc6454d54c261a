"""Events as records: from a file, line by line, and into a digest, with what is wrong told by its line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mismartera.bars.instants import SECOND_US
from mismartera.errors import DataError
from mismartera.report.document.digest import Digest, instant, prices_of
from mismartera.report.document.event_names import EVENT_FIELDS

_LINE_BYTES_MAX = 1 << 20


def read_events(path: Path) -> Iterator[Mapping[str, Any]]:
    """The records of the event log at ``path``, one at a time, in order.

    DataError for a file that cannot be read, is empty, has a line that is no JSON object, or lacks lines.
    """
    line = 0
    try:
        with path.open("rb") as file:
            while text := file.readline(_LINE_BYTES_MAX):
                line += 1
                yield _record(path, line, text)
    except OSError as error:
        raise DataError(f"the events cannot be read from {path}: {error.strerror or error}") from error
    if not line:
        raise DataError(f"{path} is empty: an events file is what 'mismartera run CONFIG --events FILE' writes")


def take_events(records: Iterable[Mapping[str, Any]], digest: Digest, source: str) -> None:
    """Put all ``records`` into ``digest``; DataError names what is no event of this version, by ``source``."""
    for number, record in enumerate(records, 1):
        name = record.get("event")
        fields = EVENT_FIELDS.get(name) if isinstance(name, str) else None
        where = f"{source}, event {number}"
        if fields is None:
            known = ", ".join(EVENT_FIELDS)
            raise DataError(
                f"{where}: unknown event {_shown(name)}: was it written by another version? Known are {known}"
            )
        missing = [field for field in ("time", *fields) if field not in record]
        if missing:
            raise DataError(f"{where}: {name} has no {_shown(missing[0])}: was it written by another version?")
        try:
            _take(record, str(name), digest)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise DataError(f"{where}: {name} cannot be understood: {error}") from error
    digest.finish()


def _take(record: Mapping[str, Any], name: str, digest: Digest) -> None:
    if name != "bar":
        digest.event(name, instant(record["time"]), record)
        return
    symbol, interval, lag = record["symbol"], record["interval"], record["lag_seconds"]
    if not (isinstance(symbol, str) and isinstance(interval, str) and isinstance(lag, int | float)):
        raise TypeError("symbol and interval are texts, lag_seconds is a number")
    start_us, end_us = instant(record["start"]), instant(record["end"])
    if not start_us < end_us or lag < 0 or lag * SECOND_US > 1 << 60:
        raise ValueError("the end comes after the start, and a lag is not negative")
    digest.take_bar(symbol, interval, start_us, end_us, prices_of(record), float(lag))


def _record(path: Path, line: int, text: bytes) -> Mapping[str, Any]:
    try:
        record = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        cut = "" if text.endswith(b"\n") else " (the file ends in the middle of it)"
        raise DataError(f"{path}, line {line}: not JSON{cut}: {error}") from error
    if not isinstance(record, dict):
        raise DataError(f"{path}, line {line}: an event is a JSON object: found {_shown(record)}")
    if record.get("seq") != line:
        raise DataError(
            f"{path}, line {line}: seq is {_shown(record.get('seq'))}, not {line}: events are missing, or it is "
            "no events file"
        )
    return record


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
