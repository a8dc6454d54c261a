"""``mismartera live`` up to the construction of its system: plans, and every way in which there is none."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.conftest import Call
from tests.unit.config.configs import live
from tests.unit.report.sessions import NEW_YORK, bars, config, store

from mismartera.bars.instants import MINUTE_US, to_datetime
from mismartera.catalog import claim_session
from mismartera.cli.live_running import LiveOptions, LivePlan, plan_live
from mismartera.feeds import ReplayFeed
from mismartera.feeds.alpaca import AlpacaFeed
from mismartera.timing import RehearsalClock, SystemClock

KEYS = {"APCA_API_KEY_ID": "PKTEST", "APCA_API_SECRET_KEY": "s3cret"}
ALPACA = {
    "type": "alpaca",
    "stream_url": "wss://stream.example.com/v2/iex",
    "data_url": "https://data.example.com",
}
SHIPPED = Path(__file__).parents[3] / "session_configs"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with bars of ALFA on 2 July, and no keys."""
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "data", {"ALFA": range(390)})
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


def write(settings: dict[str, Any], name: str = "c.json") -> str:
    Path(name).write_text(json.dumps(settings))
    return name


def replay(**feed: Any) -> str:
    return write(live(type="replay", **{"date": "2024-07-02"} | feed))


def plan(path: str, **options: str | None) -> LivePlan:
    given: dict[str, Any] = {"store": "data", "feed": None, "clock": None, "until": None} | options
    return plan_live(
        path,
        LiveOptions(
            events=None, dump=None, quiet=False, as_json=False, log_level="WARNING", log_file=None, **given
        ),
        KEYS,
    )


def started(plan: LivePlan) -> tuple[str, float]:
    """Where the clock of a rehearsal stands, in exchange time, and its speed."""
    assert isinstance(plan.wall, RehearsalClock)
    return f"{to_datetime(plan.wall.now_us(), NEW_YORK):%Y-%m-%dT%H:%M:%S}", plan.wall.speed


def end(plan: LivePlan) -> str | None:
    return None if plan.until is None else f"{plan.until:%Y-%m-%dT%H:%M %Z}"


def test_a_replay_begins_before_its_open_in_real_time_and_ends_at_its_close() -> None:
    made = plan(replay())
    assert started(made) == ("2024-07-02T09:25:00", 1.0)
    assert end(made) == "2024-07-02T16:00 EDT"
    assert isinstance(made.feed, ReplayFeed)
    assert made.feed._clock is made.wall


def test_clock_and_until_are_those_of_the_options() -> None:
    made = plan(replay(), clock="2024-07-02T12:30@60", until="13:00")
    assert (started(made), end(made)) == (("2024-07-02T12:30:00", 60.0), "2024-07-02T13:00 EDT")


def test_a_vendor_s_session_follows_the_wall_and_its_store_may_be_missing() -> None:
    made = plan(write(live(**ALPACA)), store="none")
    assert isinstance(made.feed, AlpacaFeed)
    assert isinstance(made.wall, SystemClock)
    assert made.until is None
    assert not made.data.exists()
    assert not Path("none").exists()
    made.feed.stop()


def test_a_vendor_s_session_can_be_rehearsed() -> None:
    made = plan(write(live(**ALPACA)), clock="2024-07-03T12:30:00-04:00@60", until="12:45")
    assert (started(made), end(made)) == (("2024-07-03T12:30:00", 60.0), "2024-07-03T12:45 EDT")
    made.feed.stop()


def test_feed_replay_plays_the_day_of_the_clock_in_place_of_the_vendor() -> None:
    path = write(live(**ALPACA, stall_timeout_seconds=33, reconcile_minutes=7))
    made = plan(path, feed="replay", clock="2024-07-02T15:00@10")
    assert (started(made), end(made)) == (("2024-07-02T15:00:00", 10.0), "2024-07-02T16:00 EDT")
    assert made.config.feed is not None
    assert made.config.feed.to_dict() == {
        "type": "replay", "date": "2024-07-02", "faults": [], "stall_timeout_seconds": 33.0,
        "reconcile_minutes": 7.0,
    }  # fmt: skip
    assert isinstance(made.feed, ReplayFeed)


def test_feed_replay_without_a_clock_plays_the_first_symbol_s_last_day_sixty_times_as_fast() -> None:
    data = store(Path("data"), {"BRVO": [0]})
    data.write_bars("ALFA", "1m", bars("ALFA", [0, 1], day="2024-07-03"))
    data.write_bars("ALFA", "1m", bars("ALFA", [-60], day="2024-07-05"))  # before the open: no session's bar
    data.write_bars("ALFA", "1m", bars("ALFA", [0], day="2024-07-06"))  # a Saturday
    made = plan(write(live(**ALPACA)), feed="replay")
    assert made.config.feed is not None
    assert made.config.feed.date == date(2024, 7, 3)
    assert (started(made), end(made)) == (("2024-07-03T09:25:00", 60.0), "2024-07-03T13:00 EDT")


def test_feed_replay_leaves_a_replay_as_it_is() -> None:
    made = plan(replay(faults=[{"kind": "drop", "at": "10:00"}]), feed="replay")
    assert started(made) == ("2024-07-02T09:25:00", 1.0)
    assert isinstance(made.feed, ReplayFeed)
    assert len(made.feed._faults) == 1


def test_a_replay_with_a_store_of_its_own_needs_none_of_the_run() -> None:
    made = plan(replay(data="data"), store="mine")
    assert not made.data.exists()
    found = made.feed.backfill(["ALFA"], "1m", 0, made.wall.now_us())
    assert len(found.block) == 0
    assert made.until is not None
    assert made.wall.now_us() == made.time.get_trading_session(date(2024, 7, 2)).open_us - 5 * MINUTE_US


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (["--clock", "x"], ["error: --clock: found 'x'; allowed: START"]),
        (["--clock", "2024-07-02T12:30@0"], ["error: --clock: found the speed '0'; allowed: a number from"]),
        (["--clock", "2024-07-03T10:00"], ["error: --clock: found 2024-07-03T10:00:00-0400, outside the"]),
        (["--clock", "1812-01-01T00:00"], ["error: --clock: ", "beyond the calendar: XNYS is known from"]),
        (["--until", "soon"], ["error: --until: found 'soon'; allowed: a time of day HH:MM, or a date"]),
        (["--until", "09:00"], ["error: --until: found '09:00'", "the clock starts at 2024-07-02 09:25:00 EDT"]),
        (["--clock", "2024-07-02T12:30", "--until", "12:30"], ["error: --until: ", "allowed: a later time"]),
        (["--feed", "nats"], ["Invalid value for '--feed': 'nats' is not 'replay'"]),
        (["--data", "none"], ["error: there is no bar store at none"]),
        (["--data", "c.json"], ["error: there is no bar store at c.json"]),
        (["--speed", "3"], ["No such option"]),
        (["--log-file", "c.json/x"], ["error: the log cannot be written to c.json/x"]),
    ],
)  # fmt: skip
def test_bad_options_say_what_where_and_what_is_allowed(
    call: Call, options: list[str], messages: list[str]
) -> None:
    result = call("live", replay(), *options)
    assert (result.status, result.out) == (2, "")
    assert [message for message in messages if message not in result.err] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            [],
            "error: --feed replay: the store data has no 1m bars of ZULU in trading hours; it has bars of ALFA\n",
        ),
        (["--clock", "2024-07-04T12:00"], "error: --clock: 2024-07-04 is not a trading day of XNYS: the session "),
        (
            ["--clock", "2024-07-02T12:00"],
            "feed.date: the store data has no 1m bars of ZULU on 2024-07-02; it has ",
        ),
        (["--data", "none"], "error: there is no bar store at none: make one with "),
    ],
)
def test_feed_replay_of_what_is_not_there_is_told(call: Call, options: list[str], message: str) -> None:
    settings = live(**ALPACA)
    settings["session_data_config"]["symbols"] = ["ZULU"]
    result = call("live", write(settings), "--feed", "replay", *options)
    assert (result.status, result.out) == (2, "")
    assert message in result.err


def test_feed_replay_of_no_symbol_needs_a_clock(call: Call) -> None:
    settings = live(**ALPACA)
    settings["session_data_config"]["symbols"] = []
    path = write(settings)
    result = call("live", path, "--feed", "replay")
    assert (result.status, result.out) == (2, "")
    assert "names no symbol whose last day could be replayed; give one with --clock" in result.err
    assert started(plan(path, feed="replay", clock="2024-07-02T10:00@60")) == ("2024-07-02T10:00:00", 60.0)


@pytest.mark.parametrize(
    ("feed", "problem"),
    [
        (ALPACA, "feed: the environment has no APCA_API_KEY_ID; allowed: "),
        (ALPACA | {"stream_url": "ws://stream.example.com/v2/iex"}, "feed.stream_url: "),
        (ALPACA | {"data_url": "https://key:s3cret@data.example.com"}, "feed.data_url: the URL holds a user name"),
        ({"type": "replay", "date": "2024-07-04"}, "feed.date: 2024-07-04 is not a trading day of XNYS"),
        (
            {"type": "replay", "date": "2024-07-03"},
            "feed.date: the store data has no 1m bars of ALFA on 2024-07-03",
        ),
        ({"type": "replay", "date": "2024-07-02", "data": "none"}, "feed.data: the bar store none does not exist"),
        ({"type": "replay", "date": "2024-07-02", "faults": [{"kind": "drop", "at": "x"}]}, "feed.faults[0].at: "),
        ({"type": "kafka"}, "feed.type: "),
        ({"type": "nats"}, "feed.url: missing"),
    ],
)
def test_a_feed_that_cannot_be_made_is_the_file_s_fault(call: Call, feed: dict[str, Any], problem: str) -> None:
    result = call("live", write(live(**feed)), "--json", "--events", "e.jsonl")
    assert (result.status, result.out) == (2, "")
    head, *problems = result.err.splitlines()
    assert head == "error: c.json:"
    assert problems[0].startswith(f"  {problem}")
    assert "s3cret" not in result.err
    assert not Path("e.jsonl").exists()


def test_a_key_with_a_line_end_is_refused_and_not_shown(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", "PKTEST")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "s3cret\n")
    result = call("live", write(live(**ALPACA)), "--log-level", "INFO")
    assert result.status == 2
    assert "APCA_API_SECRET_KEY holds spaces or other characters that no key has" in result.err
    assert "s3cret" not in result.err
    assert "PKTEST" not in result.err


def test_a_store_that_is_a_file_or_damaged_is_told_before_the_session_begins(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    path = write(live(**ALPACA))
    result = call("live", path, "--data", path)
    assert (result.status, result.err) == (
        2, "error: c.json is a file: the bar store is a folder; name another with --data\n",
    )  # fmt: skip
    for log in Path("data/_delta_log").glob("*.json"):
        log.write_text("{")
    result = call("live", path)
    assert result.status == 2
    assert result.err.startswith("error: ")


def test_each_of_run_and_live_names_the_other_for_a_file_of_the_other_mode(call: Call) -> None:
    backtest = write(config(["ALFA"]), "backtest.json")
    result = call("live", backtest)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(
        "error: backtest.json is a backtest (mode: \"backtest\"): run it with 'mismartera run backtest.json'"
    )
    path = replay()
    assert call("run", path, "--speed", "1") == (
        2, "", "error: c.json is a live session (mode: \"live\"): run it with 'mismartera live c.json'\n",
    )  # fmt: skip


def test_no_configuration_is_told_as_for_run(call: Call) -> None:
    assert call("live", "nowhere.json") == (2, "", "error: nowhere.json:\n  no such file\n")
    assert "Missing argument 'CONFIG'" in call("live").err


def test_the_shipped_replay_is_a_day_of_the_sample_store_with_a_drop() -> None:
    store(Path("sample"), {"ALFA": [0]}).write_bars("ALFA", "1m", bars("ALFA", [0], day="2024-07-03"))
    made = plan(str(SHIPPED / "live_replay.json"), store="sample", clock="2024-07-03T12:30@60")
    assert end(made) == "2024-07-03T13:00 EDT"
    assert isinstance(made.feed, ReplayFeed)
    assert [fault.kind for fault in made.feed._faults] == ["drop"]


def test_the_shipped_alpaca_session_is_one() -> None:
    made = plan(str(SHIPPED / "live_alpaca.json"))
    assert isinstance(made.feed, AlpacaFeed)
    made.feed.stop()


def test_a_second_live_session_on_a_store_is_refused(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """D06: before anything is sent to the vendor, with who the first one is."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    path = write(live(**ALPACA | {"stream_url": "ws://127.0.0.1:1/v2/iex", "data_url": "http://127.0.0.1:1"}))
    claim = claim_session(Path("data"))
    result = call("live", path, "--quiet")
    claim.release()
    assert result.status == 2
    assert f"another live session writes to the store data: process {os.getpid()}, since 20" in result.err
    assert "name another store with --data" in result.err
