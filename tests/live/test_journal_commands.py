"""``mismartera replay`` and ``sessions`` after real live runs, as users type them: SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.live.command import KEYS, Command
from tests.live.conftest import MakeStage
from tests.live.markets import DAY, draw
from tests.runs import moment

from mismartera.bars.instants import to_iso, to_us
from mismartera.server.metrics import Metrics
from mismartera.server.recent import RecentEvents
from mismartera.server.views import SessionView
from mismartera.testing.kill_loop import KillLoop

if os.name == "posix":
    from mismartera.testing.postgres import PostgresServer

_STRATEGY = """
from mismartera import Strategy

class Teller(Strategy):
    def on_bar(self, bar):
        for symbol in self.session.symbols:
            read, quality = self.session.bars(symbol, "1m"), self.session.quality(symbol)
            self.session.emit(symbol, f"{self.session.now} {bar.lag_seconds} {read and len(read)} {quality}")
"""
_PLAN: dict[str, Any] = {
    "analysis": {"strategies": [{"class": "teller:Teller"}]},
    "schedule": [{"at": f"{DAY}T10:04", "add": "BBB"}, {"at": f"{DAY}T10:07", "remove": "CCC"}],
}


@pytest.fixture(scope="module", params=["session", "strategy"])
def command(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Command]:
    """A run that has ended, with a strategy that tells all that it sees, through a dropped connection; on the
    engine's thread, and on one of its own.

    Who plays it again writes elsewhere.
    """
    folder = tmp_path_factory.mktemp("session") / "run"
    with Command(
        folder, draw(), symbols=["AAA", "CCC"], until="10:12", scope=request.param, **_PLAN
    ) as made:  # fmt: skip
        (made.folder / "teller.py").write_text(_STRATEGY)
        made.start()
        made.wait_until("10:05:30")
        made.server.drop_all()
        made.finish()
        yield made


def test_a_replay_writes_the_events_and_the_dump_of_the_live_run_again(command: Command, tmp_path: Path) -> None:
    live = (command.folder / "events.jsonl").read_bytes()
    assert {line["event"] for line in command.lines()} >= {"feed_disconnected", "signal", "symbol_removed", "bar"}
    again, twice = tmp_path / "again.jsonl", tmp_path / "twice"
    said = command.call(
        "replay", "last", "--data", "store", "--events", str(again), "--dump", str(twice), "--json"
    )
    assert again.read_bytes() == live, "those of the transport, too"
    dumped = {path.relative_to(command.folder / "dump") for path in (command.folder / "dump").rglob("*.parquet")}
    assert dumped
    for path in dumped:
        assert (twice / path).read_bytes() == (command.folder / "dump" / path).read_bytes()
    same = ("counts", "symbols_loaded", "bars_delivered", "sessions", "strategy_errors")
    assert {key: json.loads(said)[key] for key in same} == {key: command.summary[key] for key in same}


@pytest.mark.parametrize("until", ["10:05", "10:07:30", f"{DAY}T10:03"])
def test_a_replay_until_a_time_gives_all_events_up_to_it_and_none_after(
    command: Command, until: str, tmp_path: Path
) -> None:
    live = (command.folder / "events.jsonl").read_text().splitlines()
    again, part = tmp_path / "again.jsonl", tmp_path / "part"
    command.call("replay", "1", "--data", "store", "--events", str(again), "--until", until, "--dump", str(part))
    played = again.read_text().splitlines()
    last = to_iso(to_us(moment(until[-5:] if "T" in until else until)))
    ran = [line for line in played if json.loads(line)["event"] != "run_finished"]
    assert ran == live[: len(ran)]
    times = [json.loads(line)["time"] for line in live]
    assert len(ran) == sum(time <= last for time in times)
    assert list(part.rglob("AAA/1m.parquet")), "what is there so far"


def test_a_time_that_is_none_and_a_session_that_is_not_there_are_refused(command: Command) -> None:
    said = command.call("replay", "1", "--data", "store", "--until", "25:00", status=2)
    assert "error: --until: " in said
    assert "has no session '7'; allowed: last, or one of 1" in command.call(
        "replay", "7", "--data", "store", status=2
    )


def test_a_session_that_was_cut_off_at_its_very_beginning_is_named_as_such(
    command: Command, tmp_path: Path
) -> None:
    copy = tmp_path / "cut.db"
    with closing(sqlite3.connect(command.folder / "store" / "_journal" / "journal.db")) as journal:
        journal.execute("VACUUM INTO ?", [str(copy)])
    with closing(sqlite3.connect(copy)) as cut:
        cut.execute("DELETE FROM traces")
        cut.commit()
    said = command.call("replay", "last", "--data", "store", "--journal", str(copy), status=2)
    assert "session 1 was cut off before anything was on record" in said


def test_d07_the_metrics_of_a_live_session_tell_how_far_its_journal_is_behind(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:04")
    text = Metrics(SessionView(stage.system, RecentEvents(10))).text()
    found = {f.name: f.samples[0].value for f in text_string_to_metric_families(text) if len(f.samples) == 1}
    assert found["mismartera_journal_entries_waiting"] == 0
    assert found["mismartera_journal_wal_bytes"] > 0, "the tables were made"
    stage.play()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with PostgresServer(syncs=False) as started:
        yield started


@pytest.mark.skipif(os.name != "posix", reason="the server is POSIX only")
def test_d01_d09_a_killed_session_goes_on_from_a_journal_in_postgresql(
    tmp_path: Path, server: PostgresServer
) -> None:
    url = server.make_database()
    outcome = KillLoop(tmp_path / "run", seed=5, kills=3, journal_url=url).run()
    assert not outcome.problems, "\n".join(["", *outcome.problems])
    assert not list((tmp_path / "run" / "store").rglob("journal.db*"))
    with Command(tmp_path / "run", [], environ={"MISMARTERA_DB_URL": url}) as command:
        found: list[dict[str, Any]] = json.loads(command.ask("sessions", "--data", "store", "--json"))["sessions"]
        assert found[-1]["outcome"] == "finished"
        assert len([line for line in found if line["outcome"] != "finished"]) in {2, 3}, (
            "one may have died at birth"
        )
        assert found[-1]["resumed"] is not None
        last = json.loads(command.ask("sessions", "last", "--data", "store", "--json"))
        assert {stay["symbol"] for stay in last["symbols"] if stay["state"] == "loaded"} >= {"AAA"}
        assert last["bars_arrived"] > 0
        said = json.loads(command.ask("replay", "last", "--data", "store", "--json"))
        assert sorted(said["symbols_loaded"]) == sorted(
            stay["symbol"] for stay in last["symbols"] if stay["state"] == "loaded"
        )
        text = command.ask("sessions", "--data", "store")
        assert "cut off" in text
        assert not any(key in text for key in KEYS.values())
