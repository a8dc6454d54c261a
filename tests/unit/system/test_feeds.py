"""Feeds are made of their configuration: keys from the environment, recordings from a store."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.unit.config.configs import problems_of
from tests.unit.report.sessions import bars, store

from mismartera import DataManager, TimeManager
from mismartera.bars.instants import DAY_US, MINUTE_US
from mismartera.config import FeedConfig
from mismartera.errors import StoreError
from mismartera.feeds import Feed, ReplayFeed
from mismartera.feeds.alpaca import AlpacaFeed
from mismartera.feeds.nats import NatsFeed
from mismartera.system.feeds import MAKERS, FeedParts, make_feed
from mismartera.system.rehearsal import ClockStart, make_wall
from mismartera.system.replaying import find_recording, require_bars

TIME = TimeManager("XNYS")
OPEN_US = TIME.parse_time("2024-07-02T09:30")
KEYS = {"APCA_API_KEY_ID": "PKTEST", "APCA_API_SECRET_KEY": "s3cret/+=value"}
ALPACA = {
    "type": "alpaca",
    "stream_url": "wss://stream.example.com/v2/iex",
    "data_url": "https://data.example.com",
}
REPLAY = {"type": "replay", "date": "2024-07-02"}


def config(settings: Mapping[str, Any]) -> FeedConfig:
    return FeedConfig.from_dict(settings)


def make(settings: Mapping[str, Any], data: DataManager, environ: Mapping[str, str] = KEYS) -> Feed:
    return make_feed(
        config(settings), clock=make_wall(ClockStart(OPEN_US + DAY_US)), data=data, time=TIME, environ=environ
    )


@pytest.fixture
def data(tmp_path: Path) -> DataManager:
    return store(tmp_path / "data", {"A": range(10), "B": range(5)})


def test_alpaca_needs_no_store_and_does_not_show_its_keys(tmp_path: Path) -> None:
    feed = make(ALPACA, DataManager(tmp_path / "none"))
    assert isinstance(feed, AlpacaFeed)
    assert not any(value in repr(vars(feed)) for value in KEYS.values())
    feed.stop()


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"]),
        ({"APCA_API_KEY_ID": "PKTEST"}, ["APCA_API_SECRET_KEY"]),
        (KEYS | {"APCA_API_KEY_ID": ""}, ["APCA_API_KEY_ID"]),
    ],
)
def test_every_missing_key_is_named(tmp_path: Path, environ: Mapping[str, str], names: list[str]) -> None:
    found = problems_of(lambda: make(ALPACA, DataManager(tmp_path), environ))
    assert [problem.split(";")[0] for problem in found] == [
        f"feed: the environment has no {name}" for name in names
    ]


@pytest.mark.parametrize("value", ["s3cret\n", "s3 cret", "s3crét", "s3cret\x00", " s3cret"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(tmp_path: Path, value: str) -> None:
    environ = KEYS | {"APCA_API_SECRET_KEY": value}
    (problem,) = problems_of(lambda: make(ALPACA, DataManager(tmp_path), environ))
    assert "APCA_API_SECRET_KEY holds spaces or other characters" in problem
    assert "cr" not in problem.replace("SECRET", "").replace("characters", "")


NATS = {"type": "nats", "url": "tls://bus.example.com", "stream": "equities", "durable": "desk"}


def test_a_feed_on_the_bus_does_not_show_its_credentials(tmp_path: Path) -> None:
    environ = {"MISMARTERA_NATS_USER": "canary-u", "MISMARTERA_NATS_PASSWORD": "canary-p"}
    feed = make(NATS, DataManager(tmp_path), environ)
    assert isinstance(feed, NatsFeed)
    assert feed.durable == "desk"
    login = vars(feed)["_login"]
    assert "canary" not in repr(vars(feed)) + str(login)
    assert login.options() == {"user": "canary-u", "password": "canary-p"}


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"MISMARTERA_NATS_USER": "canary"}, "has one of MISMARTERA_NATS_USER and MISMARTERA_NATS_PASSWORD"),
        ({"MISMARTERA_NATS_TOKEN": "canary\n"}, "MISMARTERA_NATS_TOKEN holds characters that cannot be sent"),
        ({"MISMARTERA_NATS_CREDS": "nowhere.creds"}, "MISMARTERA_NATS_CREDS: there is no file nowhere.creds"),
        (
            {"MISMARTERA_NATS_TOKEN": "canary", "MISMARTERA_NATS_USER": "u", "MISMARTERA_NATS_PASSWORD": "canary"},
            "has MISMARTERA_NATS_TOKEN and MISMARTERA_NATS_USER; allowed: one of them",
        ),
    ],
)
def test_credentials_of_the_bus_are_one_kind_and_whole(
    tmp_path: Path, environ: dict[str, str], problem: str
) -> None:
    (found,) = problems_of(lambda: make(NATS, DataManager(tmp_path), environ))
    assert problem in found
    assert "canary" not in found


def test_without_its_package_the_bus_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats", None)
    found = problems_of(lambda: make(NATS, DataManager(tmp_path)))
    assert found == [
        "feed.type: 'nats' needs the package nats-py; allowed: install mismartera[bus], or another type"
    ]


def test_each_type_of_feed_has_a_maker_that_gets_what_the_run_has(data: DataManager) -> None:
    assert list(MAKERS) == ["alpaca", "ccxt", "replay", "nats"]
    seen: list[FeedParts] = []

    def maker(feed: FeedConfig, parts: FeedParts) -> Feed:
        seen.append(parts)
        assert feed.exchange == "kraken"
        return ReplayFeed(parts.data, parts.clock, 0, 1)

    wall, rng = make_wall(None), Random(7)
    make_feed(
        config({"type": "ccxt", "exchange": "kraken"}), clock=wall, data=data, time=TIME, environ=KEYS, rng=rng,
        makers={"ccxt": maker},
    )  # fmt: skip
    assert seen == [FeedParts(wall, data, TIME, KEYS, rng)]


def test_a_replay_has_the_session_of_its_day_from_the_run_s_store(data: DataManager) -> None:
    data.write_bars("A", "1m", bars("A", [0, 1], day="2024-07-01"))
    result = make(REPLAY, data).backfill(["A", "B"], "1m", 0, OPEN_US + 2 * DAY_US)
    assert result.block.row_symbols().tolist() == [0] * 12 + [1] * 5  # days before are recorded, too
    assert int(result.block.start[2]) == OPEN_US


def test_what_the_run_writes_meanwhile_is_not_replayed(data: DataManager) -> None:
    feed = make(REPLAY, data)
    data.write_bars("A", "1m", bars("A", range(10, 20)))
    assert len(feed.backfill(["A"], "1m", 0, OPEN_US + DAY_US).block) == 10
    assert len(make(REPLAY, data).backfill(["A"], "1m", 0, OPEN_US + DAY_US).block) == 20


def test_a_replay_may_have_a_store_of_its_own(tmp_path: Path, data: DataManager) -> None:
    store(tmp_path / "other", {"Z": range(3)})
    feed = make(REPLAY | {"data": str(tmp_path / "other")}, data)
    assert len(feed.backfill(["Z"], "1m", 0, OPEN_US + DAY_US).block) == 3


def test_a_replay_of_no_session_or_from_no_store_is_refused(tmp_path: Path, data: DataManager) -> None:
    (problem,) = problems_of(lambda: make(REPLAY | {"date": "2024-07-04"}, data))
    assert problem.startswith(
        "feed.date: 2024-07-04 is not a trading day of XNYS: the session before it is 2024-07-03"
    )
    (problem,) = problems_of(lambda: make(REPLAY | {"data": str(tmp_path / "nowhere")}, data))
    assert problem.startswith(f"feed.data: the bar store {tmp_path / 'nowhere'} does not exist")
    with pytest.raises(StoreError, match="does not exist"):
        make(REPLAY, DataManager(tmp_path / "nowhere"))


def test_a_replay_needs_a_bar_of_at_least_one_symbol_if_there_are_any(data: DataManager) -> None:
    recording = find_recording(config(REPLAY), data, TIME)
    require_bars(recording, ["NONE", "B"])
    require_bars(recording, [])
    (problem,) = problems_of(lambda: require_bars(recording, ["NONE"]))
    assert problem == f"feed.date: the store {data.path} has no 1m bars of NONE on 2024-07-02; it has bars of A, B"
    other = find_recording(config(REPLAY | {"date": "2024-07-03"}), data, TIME)
    (problem,) = problems_of(lambda: require_bars(other, ["NONE", "A"]))
    assert problem.endswith("of NONE, A on 2024-07-03; it has 1m bars of A from 2024-07-02 to 2024-07-02")


def test_faults_have_times_of_the_replayed_day_or_moments(data: DataManager) -> None:
    faults = [
        {"kind": "drop", "at": "10:00", "until": "10:05"},
        {"kind": "mute", "at": "2024-07-02T11:00", "until": "2024-07-02T15:10Z", "symbols": ["A"]},
        {"kind": "delay", "at": "09:26", "seconds": 5},
        {"kind": "revise", "at": "16:00"},
    ]
    feed = make(REPLAY | {"faults": faults}, data)
    assert isinstance(feed, ReplayFeed)
    assert [((fault.start_us - OPEN_US) // MINUTE_US, (fault.end_us - fault.start_us) // MINUTE_US)
            for fault in feed._faults] == [(30, 5), (90, 10), (-4, 1), (390, 1)]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "key", "text"),
    [
        ({"kind": "drop", "at": "ten"}, ".at", "found 'ten'; allowed: a time of day HH:MM"),
        ({"kind": "drop", "at": 10}, ".at", "found 10; allowed: a time of day HH:MM"),
        ({"kind": "drop"}, ".at", "found ''; allowed: a time of day HH:MM"),
        ({"kind": "boom", "at": "10:00"}, ".kind", "found 'boom'; allowed: mute, drop"),
        ({"kind": "mute", "at": "10:00", "symbols": 5}, ".symbols", "found 5; allowed: a list of symbols"),
        (
            {"kind": "drop", "at": "2024-07-03T10:00"},
            "",
            "allowed: a time in the replayed session, from 2024-07-02T",
        ),
        ({"kind": "drop", "at": "09:00", "until": "09:25"}, "", "it would never be played"),
        ({"kind": "drop", "at": "16:01"}, "", "it would never be played"),
    ],
)
def test_a_fault_that_is_none_is_refused_with_its_place(
    data: DataManager, fault: Mapping[str, Any], key: str, text: str
) -> None:
    good = {"kind": "drop", "at": "10:00"}
    (problem,) = problems_of(lambda: make(REPLAY | {"faults": [good, fault]}, data))
    assert problem.startswith(f"feed.faults[1]{key}: ")
    assert text in problem
