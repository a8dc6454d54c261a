"""Servers that speak Alpaca's protocol in another way than our own fake: each line is said by a hand-made one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import msgspec
import pytest
from tests.listening import OPEN_US, Listener
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from mismartera.bars.instants import MINUTE_US
from mismartera.errors import FeedUnavailableError
from mismartera.feeds import BarsArrived, Connected, Disconnected, Keys, Secret, Subscribed
from mismartera.feeds.alpaca import AlpacaFeed
from mismartera.timing import RehearsalClock

CONNECTED, AUTHENTICATED = [{"T": "success", "msg": word} for word in ("connected", "authenticated")]
BAR = {"T": "b", "S": "A", "o": 10, "h": 11, "l": 9, "c": 10.5, "v": 100, "t": "2024-07-02T13:30:00Z"}
Talk = Callable[[ServerConnection], None]
Answer = Callable[[ServerConnection, Request], Response]


def json_page(body: object) -> Response:
    data = json.dumps(body).encode()
    return Response(200, "OK", Headers([("Content-Length", str(len(data))), ("Connection", "close")]), data)


@contextmanager
def facing(
    talk: Talk | None = None, answer: Answer | None = None, *, speed: float = 600.0, start_us: int | None = None
) -> Iterator[tuple[AlpacaFeed, Listener]]:
    """A feed of A that faces a server with this conversation and these answers. Two minutes after the open."""

    def handle(connection: ServerConnection) -> None:
        try:
            assert talk is not None
            talk(connection)
            for _ in connection:
                pass
        except ConnectionClosed:
            return

    def process(connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            return None
        assert answer is not None
        return answer(connection, request)

    with serve(handle, "127.0.0.1", 0, process_request=process, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host = f"127.0.0.1:{server.socket.getsockname()[1]}"
        keys = Keys(Secret("key"), Secret("secret"))
        clock = RehearsalClock(start_us or OPEN_US + 2 * MINUTE_US, speed)
        feed = AlpacaFeed(f"ws://{host}/v2/iex", f"http://{host}", keys, clock, Random(1))
        feed.subscribe(["A"])
        try:
            yield feed, Listener()
        finally:
            feed.stop()
            server.shutdown()
            thread.join()


def said(connection: ServerConnection) -> Any:
    data = connection.recv()
    return msgspec.msgpack.decode(data) if isinstance(data, bytes) else json.loads(data)


def text(*messages: object) -> str:
    return json.dumps(messages)


def test_a_server_of_text_is_answered_in_text_and_may_leave_lists_out() -> None:
    heard = []

    def talk(connection: ServerConnection) -> None:
        connection.send(text(CONNECTED))
        heard.append(connection.recv())
        connection.send(text(AUTHENTICATED))
        heard.append(connection.recv())
        connection.send(text({"T": "subscription", "bars": ["A"], "statuses": None}))
        connection.send(text(BAR))

    with facing(talk) as (feed, listener):
        feed.start(listener.queue)
        assert listener.wait_for(BarsArrived).close.tolist() == [10.5]
    assert [json.loads(one) for one in heard if isinstance(one, str)] == [
        {"action": "auth", "key": "key", "secret": "secret"},
        {"action": "subscribe", "bars": ["A"], "updatedBars": ["A"], "statuses": ["A"]},
    ]


def test_text_in_binary_frames_is_read_and_so_is_a_change_of_mind() -> None:
    def talk(connection: ServerConnection) -> None:
        connection.send(b" " + text(CONNECTED).encode())
        assert said(connection)["action"] == "auth"
        connection.send(msgspec.msgpack.encode([AUTHENTICATED]))
        assert said(connection)["bars"] == ["A"]
        connection.send(text({"T": "subscription", "bars": ["A"]}).encode())
        connection.send(msgspec.msgpack.encode([BAR]))
        connection.send(text({**BAR, "t": "2024-07-02T13:31:00.000000000Z"}))

    with facing(talk) as (feed, listener):
        feed.start(listener.queue)
        listener.wait_for(BarsArrived, 2)
    assert listener.bars() == [("A", 0), ("A", 1)]
    assert listener.rejected() == {}


def test_who_is_authenticated_already_is_authenticated() -> None:
    """F17: code 403."""

    def talk(connection: ServerConnection) -> None:
        connection.send(text(CONNECTED))
        said(connection)
        connection.send(text({"T": "error", "code": 403, "msg": "already authenticated"}))
        said(connection)
        connection.send(text({"T": "subscription", "bars": ["A"]}))

    with facing(talk) as (feed, listener):
        feed.start(listener.queue)
        listener.wait_for(Subscribed)
        assert [type(message) for message in listener.messages[:2]] == [Connected, Subscribed]


def test_an_error_in_the_frame_of_the_greeting_is_not_overlooked() -> None:
    """F17: code 406, which asks for a longer wait than a closed connection does."""

    def talk(connection: ServerConnection) -> None:
        connection.send(text(CONNECTED, {"T": "error", "code": 406, "msg": "connection limit exceeded"}))
        connection.close()

    with facing(talk) as (feed, listener):
        feed.start(listener.queue)
        ended = listener.wait_for(Disconnected)
    assert "406" in ended.reason
    assert ended.retry_in_seconds >= 10.0


def test_a_service_of_one_page_need_not_say_so() -> None:
    page = {"bars": {"A": [{key: value for key, value in BAR.items() if key not in "TS"}], "B": None}}
    with facing(answer=lambda _, __: json_page(page)) as (feed, _):
        block = feed.backfill(["A", "B"], "1m", OPEN_US, OPEN_US + MINUTE_US).block
    assert (block.symbols, block.offsets.tolist(), block.close.tolist()) == (("A", "B"), [0, 1, 1], [10.5])


def test_a_body_that_comes_byte_by_byte_for_ever_is_no_answer() -> None:
    """F06: each byte is in time, and the whole never is."""
    left = threading.Event()

    def answer(connection: ServerConnection, request: Request) -> Response:
        connection.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with suppress(OSError):
            while not left.wait(0.1):
                connection.socket.sendall(b" ")
        return Response(500, "gone", Headers())

    with facing(answer=answer, speed=60_000.0) as (feed, _):
        feed._rest._answer_wall_seconds = 0.3
        with pytest.raises(FeedUnavailableError, match="not whole after"):
            feed.backfill(["A"], "1m", OPEN_US, OPEN_US + MINUTE_US)
        left.set()


def test_a_page_token_that_the_service_does_not_know_any_more_refuses_no_symbol() -> None:
    def answer(_: ServerConnection, request: Request) -> Response:
        if "page_token" in request.path:
            return Response(400, "Bad Request", Headers([("Content-Length", "2"), ("Connection", "close")]), b"{}")
        return json_page({"bars": {}, "next_page_token": "x"})

    with facing(answer=answer) as (feed, _), pytest.raises(FeedUnavailableError, match="HTTP 400"):
        feed.backfill(["A"], "1m", OPEN_US, OPEN_US + MINUTE_US)
