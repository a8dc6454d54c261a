"""``mismartera bridge`` up to its beginning: every way in which there is none, with one clear message."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.conftest import Call
from tests.unit.config.configs import live
from tests.unit.report.sessions import store

BRIDGE = {"url": "nats://127.0.0.1:4222"}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with bars of ALFA on 2 July, and no credentials."""
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "data", {"ALFA": range(390)})
    for name in ("TOKEN", "USER", "PASSWORD", "CREDS"):
        monkeypatch.delenv(f"MISMARTERA_NATS_{name}", raising=False)


def write(bridge: dict[str, Any] | None = None, **feed: Any) -> str:
    settings = live(**({"type": "replay", "date": "2024-07-02"} | feed))
    if bridge is not None:
        settings["bridge"] = bridge
    Path("c.json").write_text(json.dumps(settings))
    return "c.json"


def test_a_configuration_without_a_bus_is_told_what_to_add(call: Call) -> None:
    done = call("bridge", write())
    assert done.status == 2
    assert (
        "bridge: missing; 'mismartera bridge' publishes on the bus of this section, for example {\"url\""
        in done.err
    )


def test_a_bridge_of_a_bus_is_refused(call: Call) -> None:
    settings = live(type="nats", url="nats://127.0.0.1:4222") | {"bridge": BRIDGE}
    Path("c.json").write_text(json.dumps(settings))
    done = call("bridge", "c.json")
    assert (done.status, done.out) == (2, "")
    assert (
        'feed.type: found "nats", which a bridge publishes; allowed: the feed of a vendor, or a replay' in done.err
    )


@pytest.mark.parametrize("url", ["nats://bus.example.com:4222", "http://127.0.0.1:4222", "4222"])
def test_a_wrong_address_is_refused_with_what_is_allowed(call: Call, url: str) -> None:
    done = call("bridge", write({"url": url}))
    assert done.status == 2
    assert "bridge.url: " in done.err
    assert "allowed: tls://" in done.err


def test_a_backtest_has_no_feed_to_publish(call: Call) -> None:
    settings = {
        "backtest_config": {"start_date": "2024-07-02", "end_date": "2024-07-02"}, "bridge": BRIDGE,
        "session_data_config": {"symbols": ["ALFA"]},
    }  # fmt: skip
    Path("c.json").write_text(json.dumps(settings))
    done = call("bridge", "c.json")
    assert done.status == 2
    assert "is a backtest" in done.err


def test_a_server_that_is_not_there_is_a_bridge_that_failed(call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, and it refuses
        url = f"nats://127.0.0.1:{taken.getsockname()[1]}"
        done = call("bridge", write({"url": url}), "--json")
    assert done.status == 1
    assert done.err.startswith(f"error: the bridge failed: no NATS server can be reached at {url}: ")
    assert done.json["messages"] == 0


def test_half_of_the_credentials_are_refused(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISMARTERA_NATS_USER", "canary")
    done = call("bridge", write(BRIDGE))
    assert done.status == 2
    assert "allowed: both, or none" in done.err
    assert "canary" not in done.err


def test_without_its_package_the_extra_is_named(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats", None)
    done = call("bridge", write(BRIDGE))
    assert done.status == 2
    assert "a bridge needs the package nats-py; allowed: install mismartera[bus]" in done.err


@pytest.mark.parametrize(("option", "value"), [("--clock", "noon"), ("--until", "24:99")])
def test_times_that_are_none_are_refused_with_their_option(call: Call, option: str, value: str) -> None:
    done = call("bridge", write(BRIDGE), option, value)
    assert done.status == 2
    assert f"{option}: found" in done.err
