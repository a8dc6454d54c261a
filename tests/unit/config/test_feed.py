"""Feeds: a live configuration validates, each type has its keys, and addresses are safe."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.config.configs import live, problems, problems_of

from mismartera.config import FeedConfig, SessionConfig

ALPACA = {
    "type": "alpaca",
    "stream_url": "wss://stream.example.com/v2/iex",
    "data_url": "https://data.example.com",
}


@pytest.mark.parametrize(
    "feed",
    [
        ALPACA,
        ALPACA | {"stall_timeout_seconds": 90, "reconcile_minutes": 60},
        ALPACA | {"stream_url": "ws://127.0.0.1:8765/v2/iex", "data_url": "http://localhost:8080"},
        ALPACA | {"stream_url": "ws://[::1]:8765/", "data_url": "https://data.example.com:8443"},
        {"type": "ccxt", "exchange": "kraken"},
        {"type": "ccxt", "exchange": "kraken", "data_url": "http://127.0.0.1:1"},
        {"type": "nats", "url": "tls://bus.example.com:4222"},
        {"type": "nats", "url": "nats://127.0.0.1:4222", "stream": "us-equity", "durable": "desk_1"},
        {"type": "replay", "date": "2024-07-03"},
        {
            "type": "replay",
            "date": "2024-07-03",
            "data": "data",
            "faults": [{"at": "10:00", "kind": "drop", "n": None}],
        },
    ],
)
def test_a_live_configuration_with_a_feed_is_accepted_and_round_trips(feed: dict[str, Any]) -> None:
    config = SessionConfig.from_dict(live(**feed))
    assert config.feed is not None
    assert config.feed.to_dict().items() >= feed.items()
    assert SessionConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("feed", "keys"),
    [
        ({"type": "alpaca"}, ["stream_url", "data_url"]),
        ({"type": "ccxt"}, ["exchange"]),
        ({"type": "replay"}, ["date"]),
        (ALPACA | {"exchange": "kraken"}, ["exchange"]),
        (ALPACA | {"date": "2024-07-03", "faults": [{}]}, ["date", "faults"]),
        ({"type": "replay", "date": "2024-07-03", "stream_url": "wss://x"}, ["stream_url"]),
        ({"type": "nats"}, ["url"]),
        (
            {"type": "nats", "url": "nats://localhost", "stream_url": "wss://x", "date": "2024-07-03"},
            ["stream_url", "date"],
        ),
        (ALPACA | {"url": "nats://localhost", "stream": "s", "durable": "d"}, ["url", "stream", "durable"]),
        ({"type": "nats", "url": "nats://localhost", "stream": "a.b", "durable": "x y"}, ["stream", "durable"]),
        ({"type": "kafka"}, ["type"]),
        ({"typ": "replay"}, ["type", "typ"]),
    ],
)
def test_each_type_of_feed_has_its_keys(feed: dict[str, Any], keys: list[str]) -> None:
    assert [problem.split(": ")[0] for problem in problems(live(**feed))] == [f"feed.{key}" for key in keys]


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("stream_url", "ws://stream.example.com/v2/iex"),
        ("stream_url", "ws://localhost.example.com/"),
        ("stream_url", "ws://127.0.0.1.example.com/"),
        ("stream_url", "https://stream.example.com"),
        ("stream_url", "stream.example.com"),
        ("stream_url", "wss://"),
        ("stream_url", "wss://[::1"),
        ("stream_url", "wss://host:99999/"),
        ("data_url", "http://data.example.com"),
        ("data_url", "https://data.example.com/"),
        ("data_url", "https://data.example.com/v2"),
        ("data_url", "https://data.example.com?x=1"),
        ("data_url", "wss://data.example.com"),
    ],
)
def test_an_address_is_encrypted_and_of_its_kind(key: str, url: str) -> None:
    (problem,) = problems(live(**(ALPACA | {key: url})))
    assert problem.startswith(f"feed.{key}: ")
    assert "; allowed: " in problem


def test_a_secret_in_an_address_is_refused_and_not_repeated() -> None:
    found = problems_of(lambda: FeedConfig(type="alpaca", stream_url="wss://key:s3cret@h/", data_url="https://h"))
    assert found == [
        "stream_url: the URL holds a user name or password; allowed: none, keys come from the environment"
    ]


@pytest.mark.parametrize(
    ("bridge", "problem"),
    [
        ({}, "bridge.url: missing"),
        (
            {"url": "nats://bus.example.com"},
            'bridge.url: "nats://bus.example.com" is not encrypted; allowed: tls://',
        ),
        (
            {"url": "http://localhost"},
            'bridge.url: "http://localhost" is not an URL of this kind; allowed: tls://',
        ),
        ({"url": "tls://u:s3cret@h"}, "bridge.url: the URL holds a user name or password"),
        ({"url": "tls://h", "stream": "a.b"}, "bridge.stream: "),
        ({"url": "tls://h", "max_age_hours": 0.5}, "bridge.max_age_hours: "),
        ({"url": "tls://h", "max_megabytes": 0}, "bridge.max_megabytes: "),
    ],
)
def test_a_bus_has_a_safe_address_and_bounds(bridge: dict[str, Any], problem: str) -> None:
    (found,) = problems(live(**ALPACA) | {"bridge": bridge})
    assert found.startswith(problem)
    assert "s3cret" not in found


def test_a_bridge_keeps_a_day_of_its_feed_by_default() -> None:
    config = SessionConfig.from_dict(live(**ALPACA) | {"bridge": {"url": "nats://localhost:4222"}})
    assert config.bridge is not None
    assert (config.bridge.stream, config.bridge.max_age_hours, config.bridge.max_megabytes) == (
        "mismartera",
        24,
        1024,
    )
    assert SessionConfig.from_dict(config.to_dict()) == config
