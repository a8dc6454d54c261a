"""The stream: in order, resumed by number, bounded; whoever is slow is dropped and never waited for."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from tests.runs import config
from tests.server.conftest import TOKEN, WALL_SECONDS, MakeStand, close
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from mismartera.server.limits import Limits


def read(stream: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(stream.recv(timeout=WALL_SECONDS)))


def until(stream: ClientConnection, kind: str) -> dict[str, Any]:
    while (found := read(stream))["type"] != kind:
        pass
    return found


def ended(stream: ClientConnection, act: Callable[[], object] | None = None) -> int:
    """The code with which ``stream`` was closed (1006: cut off), after ``act`` was done again and again."""
    try:
        for _ in range(100_000):
            if act is not None:
                act()
            else:
                stream.recv(timeout=WALL_SECONDS)
    except ConnectionClosed as closed:
        return 1006 if closed.rcvd is None else closed.rcvd.code
    raise AssertionError("it is still open")


def test_a_client_is_greeted_and_told_how_everything_stands(stands: MakeStand) -> None:
    stand = stands(config("AAA", "BBB"))
    with stand.stream() as stream:
        hello, session, rows = read(stream), read(stream), read(stream)
    assert (hello["type"], hello["seq"]) == ("hello", 6)
    assert (session["type"], session["state"]) == ("session", "active")
    assert [row["symbol"] for row in rows["rows"]] == ["AAA", "BBB"]


def test_events_come_in_order_as_they_happen(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    with stand.stream() as stream:
        until(stream, "rows")
        stand.system.coordinator.add_symbol("BBB")
        names: list[str] = []
        while "symbol_loaded" not in names:
            names += [event["event"] for event in until(stream, "events")["events"]]
    assert names == ["symbol_pending", "session_deactivated", "session_activated", "symbol_loaded"]


def test_rows_are_told_when_they_change_and_symbols_when_they_are_gone(stands: MakeStand) -> None:
    stand = stands(config("AAA", "BBB"))
    with stand.stream() as stream:
        until(stream, "rows")
        stand.system.step()
        assert {row["symbol"]: row["close"] for row in until(stream, "rows")["rows"]} == {
            "AAA": 131.0,
            "BBB": 231.0,
        }
        stand.system.coordinator.remove_symbol("BBB")
        while not (found := until(stream, "rows"))["gone"]:
            pass
        assert found["gone"] == ["BBB"]


def test_a08_a_client_that_comes_back_gets_what_it_has_missed(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    with stand.stream() as stream:
        seq = read(stream)["seq"]
    stand.system.coordinator.add_symbol("BBB")
    stand.system.coordinator.wait_loaded("BBB", 15)
    with stand.stream(after=seq) as stream:
        assert read(stream)["type"] == "hello"
        events = read(stream)["events"]
    assert [event["seq"] for event in events] == list(range(seq + 1, seq + 1 + len(events)))
    assert events[-1]["event"] == "symbol_loaded"


def test_a08_a_client_that_was_away_too_long_is_told_to_read_everything_anew(stands: MakeStand) -> None:
    stand = stands(config("AAA"), limits=Limits(events_kept=5))
    for symbol in ("BBB", "CCC", "DDD"):
        stand.add(symbol)
    with stand.stream(after=1) as stream:
        assert read(stream)["type"] == "hello"
        assert "no longer kept" in read(stream)["reason"]
        assert len(read(stream)["events"]) == 5
    assert stand.get("/api/events?after=1")["missed"]


def test_a08_a_number_of_another_run_is_told_to_read_everything_anew(stands: MakeStand) -> None:
    with stands(config("AAA")).stream(after=999_999) as stream:
        assert [read(stream)["type"], read(stream)["type"]] == ["hello", "reset"]


def test_a04_a_client_that_does_not_read_is_dropped_and_others_go_on(stands: MakeStand) -> None:
    stand = stands(config("AAA"), limits=Limits(client_bytes_max=3_000_000))
    recent = stand.desk.view.recent
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", stand.server.port))
    with stand.stream(sock=narrow, max_queue=1) as slow, stand.stream() as reader:
        until(reader, "rows")
        metrics = ""
        seen = 0
        while "slow_clients_total 1" not in metrics:
            for _ in range(100):
                recent.note("signal", {"strategy": "x", "name": "y" * 4_000, "value": 1})
            seen += len(until(reader, "events")["events"])
            metrics = stand.client.get("/metrics").text
        assert seen > 100
        assert ended(slow) in {1006, 1013}
    stand.wait_for(lambda: "stream_clients 0" in stand.client.get("/metrics").text)


def test_a04_more_clients_than_allowed_are_refused(stands: MakeStand) -> None:
    stand = stands(config("AAA"), limits=Limits(clients_max=2))
    with stand.stream() as one, stand.stream() as two:
        assert read(one) and read(two)
        with pytest.raises(InvalidStatus) as refused:
            stand.stream()
        assert refused.value.response.status_code == 503


def test_a04_a_huge_message_and_a_flood_of_them_end_the_connection(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    with stand.stream() as stream:
        assert ended(stream, lambda: stream.send("x" * 1_000_000)) in {1006, 1009}
    with stand.stream() as stream:
        assert ended(stream, lambda: stream.send("{}")) in {1006, 1008}
    stand.wait_for(lambda: "stream_clients 0" in stand.client.get("/metrics").text)
    assert stand.get("/api/session")["is_paused"]


def test_a04_a_flood_of_pings_ends_the_connection(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    with stand.stream() as stream:
        assert ended(stream, stream.ping) == 1006
    assert stand.get("/healthz")["status"] == "ok"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": f"Bearer {TOKEN}", "origin": "http://evil.example"}, 403),
        ({"authorization": f"Bearer {TOKEN}", "origin": "null"}, 403),
        ({"authorization": f"Bearer {TOKEN}", "sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_a02_a_websocket_is_refused_in_the_handshake(
    stands: MakeStand, headers: dict[str, str], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    stand = stands(config("AAA"))
    with pytest.raises(InvalidStatus) as refused:
        stand.stream(headers=headers)
    assert refused.value.response.status_code == status
    close(stand)
    assert caplog.text == "", "it was answered: nothing has gone wrong"


def test_a02_a_websocket_under_a_foreign_name_is_refused_in_the_handshake(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    plain = socket.create_connection(("127.0.0.1", stand.server.port))
    with pytest.raises(InvalidStatus) as refused:
        connect(
            f"ws://evil.example:{stand.server.port}/api/stream", sock=plain,
            additional_headers={"authorization": f"Bearer {TOKEN}"},
        )  # fmt: skip
    assert refused.value.response.status_code == 403


def test_a02_a_pages_stream_needs_its_origin(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    page = stand.page()
    cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    with pytest.raises(InvalidStatus) as refused:
        stand.stream(headers={"cookie": cookie})
    assert refused.value.response.status_code == 403
    with stand.stream(headers={"cookie": cookie, "origin": stand.origin}) as stream:
        assert read(stream)["type"] == "hello"


def test_the_servers_end_is_told_to_its_clients(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    with stand.stream() as stream:
        read(stream)
        stand.server.stop()
        assert ended(stream) in {1001, 1012}
