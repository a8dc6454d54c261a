"""The event log, byte by byte, against json.dumps."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mismartera.bars import Bar, Span, make_bar
from mismartera.errors import RunFailedError, UsageError
from mismartera.report.events import EventLog

OPEN_US = 1_719_927_000_000_000
MINUTE_US = 60_000_000


def bar(symbol: str = "AAPL", prices: tuple[float, ...] = (10.0, 11.5, 9.25, 10.1), volume: float = 700.0,
        lag_seconds: float = 0.0, minute: int = 0) -> Bar:  # fmt: skip
    start = OPEN_US + minute * MINUTE_US
    span = Span(start, start + MINUTE_US, lag_seconds=lag_seconds, generation=2)
    return make_bar(symbol, "1m", span, *prices, volume)


def written(path: Path, bars: list[Bar]) -> list[bytes]:
    log = EventLog(path)
    log.open()
    for each in bars:
        log.bar(each)
    log.close()
    return path.read_bytes().splitlines()


def dumped(event: dict[str, Any]) -> bytes:
    return json.dumps(event, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def test_a_bar_is_one_line_with_all_its_fields(tmp_path: Path) -> None:
    (line,) = written(tmp_path / "e.jsonl", [bar(lag_seconds=60.5)])
    assert json.loads(line) == {
        "seq": 1, "event": "bar", "symbol": "AAPL", "interval": "1m", "generation": 2, "bar_count": 1,
        "start": "2024-07-02T13:30:00+00:00", "end": "2024-07-02T13:31:00+00:00",
        "time": "2024-07-02T13:32:00.500000+00:00", "lag_seconds": 60.5,
        "open": 10.0, "high": 11.5, "low": 9.25, "close": 10.1, "volume": 700.0,
    }  # fmt: skip
    assert list(json.loads(line)) == sorted(json.loads(line))


ANY_PRICE = st.floats(min_value=5e-324, allow_nan=False, allow_infinity=False)
ANY_VOLUME = st.floats(min_value=0.0, allow_nan=False)


@given(price=ANY_PRICE, factor=st.floats(1.0, 1e3), volume=ANY_VOLUME, lag=st.floats(0.0, 1e6))
@example(price=1e16, factor=1.0, volume=1e16, lag=0.0)
@example(price=9999999999999998.0, factor=1.0, volume=0.0, lag=1e-6)
@example(price=0.0001, factor=1.0, volume=math.inf, lag=0.00009999)
@example(price=0.00002341, factor=1.5, volume=1e-7, lag=0.0)
def test_bars_are_the_bytes_of_json_dumps(
    tmp_path_factory: pytest.TempPathFactory, price: float, factor: float, volume: float, lag: float
) -> None:
    high = min(price * factor, 1.7e308)
    shown = bar(prices=(price, high, price, high), volume=volume, lag_seconds=lag)
    (line,) = written(tmp_path_factory.getbasetemp() / "bytes.jsonl", [shown])
    event = json.loads(line)
    assert line == dumped(event)
    assert [event["open"], event["high"], event["low"], event["close"]] == [price, high, price, high]
    assert event["volume"] == (volume if math.isfinite(volume) else None)
    assert event["lag_seconds"] == lag


def test_the_clock_of_a_late_bar_is_not_that_of_a_punctual_one_of_the_same_instant(tmp_path: Path) -> None:
    lines = written(tmp_path / "e.jsonl", [bar("A"), bar("B", lag_seconds=30.0), bar("C")])
    assert [json.loads(line)["time"][11:19] for line in lines] == ["13:31:00", "13:31:30", "13:31:00"]
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(math.nan, None), (math.inf, None), (np.float64(1.5), 1.5), (np.float64("nan"), None), (np.int64(3), 3),
     (np.bool_(True), True), ("Grüße\n\u2028", "Grüße\n\u2028"), (None, None), (2**70, 2**70)],
)  # fmt: skip
def test_every_value_of_a_signal_is_json(tmp_path: Path, value: Any, shown: object) -> None:
    log = EventLog(tmp_path / "e.jsonl")
    log.open()
    log.event("signal", OPEN_US, {"strategy": "S", "name": "n", "value": value})
    log.close()
    line = (tmp_path / "e.jsonl").read_bytes().rstrip(b"\n")
    assert json.loads(line)["value"] == shown
    assert line == dumped(json.loads(line))


def test_a_value_that_is_no_json_is_refused_by_its_type(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e.jsonl")
    log.open()
    with pytest.raises(TypeError, match="found object"):
        log.event("signal", OPEN_US, {"value": object()})  # type: ignore[dict-item]
    log.close()


def test_flushed_lines_can_be_read_while_the_log_is_open(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e.jsonl")
    log.open()
    log.event("session_opened", OPEN_US, {"date": "2024-07-02"})
    log.flush()
    assert (tmp_path / "e.jsonl").read_bytes() == (
        b'{"date":"2024-07-02","event":"session_opened","seq":1,"time":"2024-07-02T13:30:00+00:00"}\n'
    )
    log.close()
    log.close()


def test_opening_replaces_an_older_log_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text("older\n")
    log = EventLog(path)
    assert path.read_text() == "older\n"
    log.open()
    log.close()
    assert path.read_text() == ""


def test_a_path_without_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere/e\.jsonl: No such file or directory"):
        EventLog(tmp_path / "nowhere" / "e.jsonl").open()


def test_a_full_disk_is_told_once_and_what_follows_is_dropped() -> None:
    log = EventLog(Path("/dev/full"))
    log.open()
    log.bar(bar())
    with pytest.raises(RunFailedError, match=r"/dev/full: No space left on device"):
        log.flush()
    log.bar(bar())
    log.event("session_closed", OPEN_US, {})
    log.flush()
    log.close()
