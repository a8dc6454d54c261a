"""What a run says to its log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.report.sessions import NEW_YORK, config, run, store

from mismartera.errors import UsageError
from mismartera.report.log import LogSink, end_log, log_to
from mismartera.session.strategy import Strategy


class Failing(Strategy):
    def on_session_open(self) -> None:
        self.session.emit("mood", 0.5)
        raise ZeroDivisionError("no luck")


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    yield
    end_log()


def logged(tmp_path: Path, capsys: pytest.CaptureFixture[str], level: str) -> list[str]:
    log_to(level, None, level)
    data = store(tmp_path, {"A": [*range(100), *range(110, 390)], "B": range(390)})
    settings = config(["A", "NONE"]) | {
        "schedule": [{"at": "2024-07-02T10:00", "add": "B"}, {"at": "2024-07-02T14:00", "remove": "B"}]
    }
    run(data, settings, strategies=[Failing()], sinks=[LogSink(NEW_YORK)])
    return capsys.readouterr().err.splitlines()


def test_every_transition_is_logged_with_the_exchanges_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = logged(tmp_path, capsys, "INFO")
    origin = next(line for line in lines if "raised at" in line)
    lines.remove(origin)
    assert lines == [
        "INFO: 2024-07-02 09:30:00 EDT session 2024-07-02 opened",
        "INFO: 2024-07-02 09:30:00 EDT signal mood = 0.5 of Failing",
        "ERROR: 2024-07-02 09:30:00 EDT strategy Failing raised ZeroDivisionError: no luck; it is called no more",
        "INFO: 2024-07-02 09:30:00 EDT A pending (configured)",
        "INFO: 2024-07-02 09:30:00 EDT NONE pending (configured)",
        "INFO: 2024-07-02 09:30:00 EDT A loaded",
        "WARNING: 2024-07-02 09:30:00 EDT NONE failed: NONE is unknown to the store",
        "INFO: 2024-07-02 09:30:00 EDT session activated (open, lag 0 s)",
        "INFO: 2024-07-02 10:00:00 EDT B pending (added)",
        "INFO: 2024-07-02 10:00:00 EDT session deactivated (lag, lag 1740 s of B)",
        "INFO: 2024-07-02 10:00:00 EDT session activated (caught_up, lag 60 s of B)",
        "INFO: 2024-07-02 10:00:00 EDT B loaded",
        "INFO: 2024-07-02 14:00:00 EDT B removed",
        "INFO: 2024-07-02 16:00:00 EDT session deactivated (close, lag 0 s)",
        "INFO: 2024-07-02 16:00:00 EDT A lacks 10 bars of this session",
        "INFO: 2024-07-02 16:00:00 EDT session 2024-07-02 closed",
    ]


def test_the_place_where_a_strategy_raised_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = logged(tmp_path, capsys, "WARNING")
    assert [line.split(":")[0] for line in lines] == ["ERROR", "ERROR", "WARNING"]
    assert "test_log.py:" in lines[1]
    assert lines[1].endswith(" in on_session_open")


def test_gaps_one_by_one_and_tracebacks_are_for_debugging(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "\n".join(logged(tmp_path, capsys, "DEBUG"))
    assert "A lacks 10 1m bars from 2024-07-02T15:10:00+00:00 to 2024-07-02T15:20:00+00:00" in text
    assert "Traceback (most recent call last)" in text


def test_a_log_file_has_its_own_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_to("ERROR", tmp_path / "run.log", "INFO")
    sink = LogSink(NEW_YORK)
    sink.event("symbol_failed", 0, {"symbol": "A", "reason": "unknown"})
    sink.event("feed_connected", 0, {"url": "x"})
    end_log()
    assert capsys.readouterr().err == ""
    lines = (tmp_path / "run.log").read_text().splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines] == [
        "WARNING  1969-12-31 19:00:00 EST A failed: unknown",
        "INFO     1969-12-31 19:00:00 EST the feed is connected",
    ]


def test_a_log_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="the log cannot be written to"):
        log_to("INFO", tmp_path / "file" / "run.log", "INFO")
