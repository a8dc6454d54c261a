"""Connections to Alpaca that break, are refused or go mute: each ends in data, or in a stated failure."""

from __future__ import annotations

import logging
import socket

import pytest
from tests.integration.feeds.talks import KEY, SECRET, Talk, minutes, talk
from tests.listening import OPEN_US, Listener

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.feeds import (
    BarsArrived,
    Connected,
    Disconnected,
    FeedFailed,
    FeedWarning,
    Rejected,
    StatusChanged,
    Subscribed,
)
from mismartera.testing.alpaca_socket import AlpacaSocket

ALL_DAY = 1000
OTHER = "another-canary"


def is_subscribed(connection: AlpacaSocket, *symbols: str) -> bool:
    return connection.subscribed["bars"] == list(symbols)


def seconds_between(t: Talk) -> list[float]:
    """What the feed waited after each failure, in seconds of its clock."""
    return [message.retry_in_seconds for message in t.listener.of(Disconnected)]


@pytest.mark.parametrize("fault", ["drop_in_handshake", "drop_before_auth", "drop_in_frame"])
def test_a_dropped_connection_is_made_again_until_data_flow(fault: str) -> None:
    """F04: in the middle of the handshake, before the keys are answered, in the middle of a frame."""
    with talk(minutes(["A", "B"], ALL_DAY)) as t:
        setattr(t.server.faults, fault, 3)
        t.start("A", "B")
        t.listener.wait_for(Disconnected, 3)
        t.listener.wait_for(BarsArrived)
        assert t.server.handshakes == 4
        assert is_subscribed(t.server.connections[-1], "A", "B")
    was_connected = fault == "drop_in_frame"
    assert [d.was_connected for d in t.listener.of(Disconnected)[:3]] == [was_connected] * 3
    assert t.listener.of(Rejected) == []


def test_keys_that_are_not_answered_end_the_attempt() -> None:
    """F04."""
    with talk(minutes(["A"], ALL_DAY)) as t:
        t.server.faults.silent_auth = 1
        t.start("A")
        assert "did not answer the handshake" in t.listener.wait_for(Disconnected).reason
        t.listener.wait_for(BarsArrived)


def test_every_new_connection_subscribes_all_symbols_again() -> None:
    """Bug 4, F19: a server that restarts has forgotten everything."""
    with talk(minutes(["A", "B"], ALL_DAY), speed=600) as t:
        t.start("A", "B")
        for k in range(1, 4):
            t.listener.wait_for(Subscribed, k)
            t.server.drop_all()
            t.listener.wait_for(Disconnected, k)
        t.listener.wait_for(Subscribed, 4)
        assert [[r["bars"] for r in connection.requests] for connection in t.server.connections] == [
            [["A", "B"]]
        ] * 4


def test_a_mute_server_that_answers_pings_is_left_when_the_engine_says_so() -> None:
    """F01: keep-alive is no data."""
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.server.faults.mute = True
        t.start("A")
        t.listener.wait_for(Subscribed)
        t.listener.wait_until(lambda: t.clock.now_us() > OPEN_US + 10 * MINUTE_US)
        assert t.feed.last_data_us is None
        assert t.listener.of(Disconnected) == []
        t.server.faults.heal()
        t.feed.reconnect("no data for 90 s")
        assert t.listener.wait_for(Disconnected).reason == "no data for 90 s"
        t.listener.wait_for(BarsArrived)
        assert t.feed.last_data_us is not None


def test_forgotten_subscriptions_come_back_with_a_new_connection() -> None:
    """F19: the server forgets, and says nothing."""
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.start("A")
        t.listener.wait_for(BarsArrived)
        t.server.forget_all()
        t.feed.reconnect("no data for 90 s")
        t.listener.wait_for(Connected, 2)
        seen = len(t.listener.bars())
        t.listener.wait_until(lambda: len(t.listener.bars()) > seen)
        assert is_subscribed(t.server.connections[-1], "A")


@pytest.mark.parametrize("code", [401, 402, 408, 409, 411])
def test_an_error_that_no_attempt_can_mend_ends_the_feed(code: int) -> None:
    """F17."""
    with talk() as t:
        t.server.faults.auth_error = code
        t.start("A")
        failed = t.listener.wait_for(FeedFailed)
        assert f"the server says {code} " in failed.reason
        assert t.server.handshakes == 1
    assert t.listener.messages == [failed]


@pytest.mark.parametrize("code", [400, 404, 406, 500, 499])
def test_other_errors_of_the_handshake_are_tried_again(code: int) -> None:
    """F17; bug 5: a code that we do not know is told, and never ignored."""
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.server.faults.auth_error, t.server.faults.errors_left = code, 2
        t.start("A")
        t.listener.wait_for(BarsArrived)
    assert [str(code) in d.reason for d in t.listener.of(Disconnected)[:2]] == [True, True]


def test_a_crowded_server_is_given_time() -> None:
    """F17: 406, the server still counts a connection of ours: no storm."""
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.server.faults.auth_error, t.server.faults.errors_left = 406, 4
        t.start("A")
        t.listener.wait_for(Disconnected, 4)
        assert all(10 <= seconds <= 30 for seconds in seconds_between(t)[:4])
        t.listener.wait_for(BarsArrived)


def test_a_slow_client_is_told_that_it_is_slow_and_reconnects() -> None:
    """F17: 407 is about us."""
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.server.faults.session_error, t.server.faults.errors_left = 407, 1
        t.start("A")
        assert "this machine reads too slowly" in t.listener.wait_for(FeedWarning).text
        assert t.listener.wait_for(Disconnected).was_connected
        t.listener.wait_for(BarsArrived)


def test_waits_grow_to_half_a_minute_and_begin_again_after_data() -> None:
    """Bug 1: no storm of attempts, whatever the server does."""
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.server.faults.drop_in_handshake = 8
        t.start("A")
        t.listener.wait_for(Disconnected, 8)
        for k, seconds in enumerate(seconds_between(t)):
            assert 0.5 * min(2**k, 30) <= seconds <= min(2**k, 30)
        t.listener.wait_for(BarsArrived)
        t.server.drop_all()
        t.listener.wait_for(Disconnected, 9)
    assert seconds_between(t)[8] <= 1.0


def test_a_server_that_takes_us_in_and_throws_us_out_is_asked_less_and_less_often() -> None:
    """Bug 1: a connection without data is no success."""
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.server.faults.mute = True
        t.server.faults.session_error, t.server.faults.errors_left = 500, 6
        t.start("A")
        t.listener.wait_for(Disconnected, 6)
    assert [d.was_connected for d in t.listener.of(Disconnected)[:6]] == [True] * 6
    assert seconds_between(t)[5] >= 15.0


def test_a_server_that_asks_for_patience_gets_it() -> None:
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.server.faults.handshake_status, t.server.faults.errors_left = 429, 1
        t.server.faults.retry_after = "45"
        t.start("A")
        t.listener.wait_for(BarsArrived)
    assert seconds_between(t)[0] == 45.0
    assert "HTTP 429" in t.listener.of(Disconnected)[0].reason


@pytest.mark.parametrize(("status", "is_fatal"), [(401, True), (403, True), (404, False), (503, False)])
def test_an_http_status_instead_of_a_socket(status: int, is_fatal: bool) -> None:
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.server.faults.handshake_status, t.server.faults.errors_left = status, 1
        t.start("A")
        if is_fatal:
            assert f"HTTP {status}" in t.listener.wait_for(FeedFailed).reason
        else:
            t.listener.wait_for(BarsArrived)


def test_an_unreachable_server_does_not_start_the_clock() -> None:
    """A rehearsal reads its start until the vendor is first reached, however long that takes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening: nobody is there
        with talk(minutes(["A"], 10)) as t:
            port = taken.getsockname()[1]
            t.feed._address = t.feed._stream._address = type(t.feed._address).of(
                f"ws://127.0.0.1:{port}/v2/iex", t.server.data_url
            )
            t.start("A")
            assert "cannot be reached" in t.listener.wait_for(Disconnected, 2).reason
            assert t.clock.now_us() == OPEN_US


def test_a_server_that_takes_the_call_and_says_nothing_has_been_reached() -> None:
    """A rehearsal's clock runs from there on, as the server's own does: else its bars would be of the future."""
    with socket.socket() as mute, talk(minutes(["A"], 10), speed=60.0) as t:
        mute.bind(("127.0.0.1", 0))
        mute.listen()  # the system answers, and nobody else
        port = mute.getsockname()[1]
        t.feed._address = t.feed._stream._address = type(t.feed._address).of(
            f"ws://127.0.0.1:{port}/v2/iex", t.server.data_url
        )
        t.start("A")
        t.listener.wait_until(lambda: t.clock.now_us() > OPEN_US)
        assert t.listener.of(Disconnected) == []


def test_a_frame_above_the_limit_ends_the_connection_and_nothing_else() -> None:
    """F15: a frame of 100 MB."""
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.start("A")
        t.listener.wait_for(Subscribed)
        t.server.send_raw(bytes(17 * 2**20))
        t.listener.wait_for(Disconnected)
        seen = len(t.listener.bars())
        t.listener.wait_until(lambda: len(t.listener.bars()) > seen)
        assert len(t.server.connections) == 2


def test_stop_ends_a_feed_in_any_state_and_it_may_start_again() -> None:
    """S11: in back-off, connected, while its reader is away, never started, stopped before."""
    with talk(minutes(["A"], ALL_DAY), speed=600, bars_max=1) as t:
        t.feed.stop()
        t.server.faults.drop_in_handshake = 1
        t.start("A")
        t.listener.wait_for(Disconnected)
        t.feed.stop()
        t.feed.start(t.listener.queue)
        t.listener.wait_for(BarsArrived)
        Listener().wait_until(lambda: t.listener.queue.waiting_bars >= 1)
        t.feed.stop()
        t.feed.stop()
        before_us = t.clock.now_us()
        t.feed.start(t.listener.queue)
        t.listener.wait_until(lambda: any(m.arrived_us > before_us for m in t.listener.of(BarsArrived)))
        assert t.server.live == t.server.connections[-1:]


def test_a_stream_that_was_left_is_not_connected_again_and_rest_still_answers() -> None:
    with talk(minutes(["A"], ALL_DAY), speed=600) as t:
        t.start("A")
        t.listener.wait_for(BarsArrived)
        t.feed.leave()
        t.feed.leave()
        t.listener.wait_until(lambda: t.server.live == [])
        assert len(t.feed.backfill(["A"], "1m", OPEN_US, t.clock.now_us()).block)
        assert len(t.server.connections) == 1
        before_us = t.clock.now_us()
        t.feed.start(t.listener.queue)
        t.listener.wait_until(lambda: any(m.arrived_us > before_us for m in t.listener.of(BarsArrived)))


def test_no_secret_is_in_any_message_or_log(caplog: pytest.LogCaptureFixture) -> None:
    """I16: a canary, with every logger at its most talkative, and a server that repeats what it was sent."""
    caplog.set_level(logging.DEBUG)
    with talk(secret=OTHER) as t:
        t.start("A")
        failed = t.listener.wait_for(FeedFailed)
        assert "402 'auth failed for ***'" in failed.reason
        shown = [repr(t.feed), repr(vars(t.feed)), repr(t.listener.messages), caplog.text]
    assert not [canary for canary in (KEY, SECRET, OTHER) for text in shown if canary in text]


def test_a_halt_is_told_on_a_connection_that_has_no_bars() -> None:
    with talk() as t:
        t.start("A")
        t.listener.wait_for(Subscribed)
        t.server.send([{"T": "s", "S": "A", "sc": "H", "sm": "Trading Halt", "rm": "News", "x": 1}])
        assert t.listener.wait_for(StatusChanged) == StatusChanged("A", halted=True, reason="Trading Halt News")


def test_delayed_bars_say_when_they_arrived() -> None:
    with talk(minutes(["A"], 2), speed=600) as t:
        t.server.faults.delay_seconds = 40.0
        t.start("A")
        message = t.listener.wait_for(BarsArrived)
    assert message.arrived_us - (int(message.start_us[0]) + MINUTE_US) >= 40 * SECOND_US
