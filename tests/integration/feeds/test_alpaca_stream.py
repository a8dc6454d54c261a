"""Alpaca's stream over real sockets: handshake, subscriptions, bars, statuses, corrections."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.feeds.talks import market_bar, minutes, talk
from tests.listening import OPEN_US, Listener

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.feeds import (
    BarsArrived,
    Connected,
    Feed,
    FeedWarning,
    Rejected,
    StatusChanged,
    Subscribed,
    SymbolRefused,
)
from mismartera.testing.alpaca_market import MarketStatus


@pytest.mark.parametrize("is_text", [False, True], ids=["msgpack", "json"])
def test_bars_arrive_in_order_when_they_have_ended(is_text: bool) -> None:
    with talk(minutes(["AAPL", "MSFT"], 3)) as t:
        t.server.faults.text_frames = is_text
        t.start("AAPL", "MSFT")
        t.listener.wait_until(lambda: len(t.listener.bars()) >= 6)
        assert t.server.connections[0].is_msgpack is not is_text
    assert t.listener.bars() == [(symbol, k) for k in range(3) for symbol in ("AAPL", "MSFT")]
    kinds = [type(message) for message in t.listener.messages]
    assert kinds == [Connected, Subscribed, BarsArrived, BarsArrived, BarsArrived]
    for k, message in enumerate(t.listener.of(BarsArrived)):
        assert (message.interval, message.corrections) == ("1m", False)
        assert message.arrived_us >= OPEN_US + (k + 1) * MINUTE_US
        assert [column[0] for column in message.prices] == [100.0, 101.0, 99.0, 100.5, 10.0 + k]


def test_a_stray_frame_in_the_other_encoding_changes_nothing() -> None:
    """F15."""
    with talk(minutes(["A", "B"], 50)) as t:
        t.start("A")
        t.listener.wait_for(Subscribed)
        t.server.send_raw('[{"T":"success","msg":"hello"}]')
        t.server.send_raw("{]")
        t.server.send_raw(b"[]")
        t.feed.subscribe(["B"])
        assert t.listener.wait_for(Subscribed, 2).symbols == ("B",)
        t.listener.wait_until(lambda: "B" in {symbol for symbol, _ in t.listener.bars()})
        assert t.listener.rejected() == {"malformed_frame": 1}


def test_one_request_subscribes_bars_updates_and_statuses_of_all_symbols() -> None:
    names = [f"S{k:04d}" for k in range(3000)]  # long enough to be sent in fragments
    with talk() as t:
        t.start(*names)
        assert t.listener.wait_for(Subscribed).symbols == tuple(names)
        assert t.server.connections[0].requests == [
            {"action": "subscribe", "bars": names, "updatedBars": names, "statuses": names}
        ]


def test_crypto_has_no_statuses_to_subscribe() -> None:
    with talk(path="/v1beta3/crypto/us") as t:
        t.start("BTC/USD")
        t.listener.wait_for(Subscribed)
        assert t.server.connections[0].requests == [
            {"action": "subscribe", "bars": ["BTC/USD"], "updatedBars": ["BTC/USD"]}
        ]


def test_a_stream_without_statuses_is_used_without_them() -> None:
    with talk(minutes(["A"], 1)) as t:
        t.server.faults.no_channels = frozenset({"statuses"})
        t.start("A")
        t.listener.wait_for(BarsArrived)
        assert [sorted(request) for request in t.server.connections[0].requests] == [
            ["action", "bars", "statuses", "updatedBars"], ["action", "bars", "updatedBars"],
        ]  # fmt: skip


def test_a_stream_that_has_nothing_but_bars_is_used_all_the_same() -> None:
    with talk(minutes(["BTC/USD"], 1), path="/v1beta3/crypto/us") as t:
        t.server.faults.no_channels = frozenset({"updatedBars"})
        t.start("BTC/USD")
        t.listener.wait_for(BarsArrived)
        assert [sorted(request) for request in t.server.connections[0].requests] == [
            ["action", "bars", "updatedBars"], ["action", "bars"],
        ]  # fmt: skip


def test_one_symbol_that_the_server_does_not_understand_is_refused_and_the_others_subscribed() -> None:
    """Bug 16, F17: code 400 answers a request as a whole."""
    names = [f"S{k:02d}" for k in range(20)]
    with talk() as t:
        t.server.faults.bad_symbols = frozenset({"S03", "S17"})
        t.start(*names)
        t.listener.wait_until(lambda: len(t.listener.of(SymbolRefused)) == 2)
        t.listener.wait_until(lambda: sum(len(s.symbols) for s in t.listener.of(Subscribed)) == 18)
        assert len(t.server.connections) == 1
    assert [refused.symbol for refused in t.listener.of(SymbolRefused)] == ["S03", "S17"]
    assert "400 'invalid syntax'" in t.listener.of(SymbolRefused)[0].reason


def test_a_channel_that_is_not_confirmed_is_told_once_and_bars_flow() -> None:
    """F19."""
    with talk(minutes(["A", "B"], 1)) as t:
        t.server.faults.silent_channels = frozenset({"updatedBars"})
        t.start("A")
        t.listener.wait_for(Subscribed)
        t.feed.subscribe(["B"])
        t.listener.wait_for(BarsArrived)
    warnings = [warning.text for warning in t.listener.of(FeedWarning)]
    assert warnings == ["the server confirmed no updatedBars of 1 symbols, such as A"]


def test_a_symbol_added_and_one_removed_while_connected() -> None:
    """F18: bars of a symbol that was just unsubscribed are dropped, and counted."""
    with talk(minutes(["A", "B"], 1000), speed=1200) as t:
        t.start("A")
        t.listener.wait_for(BarsArrived)
        t.feed.subscribe(["B"])
        t.listener.wait_until(lambda: "B" in {symbol for symbol, _ in t.listener.bars()})
        t.feed.unsubscribe(["A"])
        assert t.server.wait_until(lambda: t.server.connections[0].subscribed["bars"] == ["B"])
        assert [(r["action"], r["bars"]) for r in t.server.connections[0].requests] == [
            ("subscribe", ["A"]), ("subscribe", ["B"]), ("unsubscribe", ["A"]),
        ]  # fmt: skip
        t.server.send([market_bar("A", 0).message()])
        t.listener.wait_until(lambda: "not_subscribed" in t.listener.rejected())
        assert t.listener.of(Rejected)[0].symbols[0] == "A"


def test_bars_of_symbols_that_nobody_asked_for_are_dropped_and_counted() -> None:
    """F18."""
    with talk(minutes(["A"], 4)) as t:
        t.server.faults.strangers = True
        t.start("A")
        t.listener.wait_until(lambda: t.listener.rejected().get("not_subscribed") == 4)
    assert t.listener.bars() == [("A", 0), ("A", 1), ("A", 2), ("A", 3)]
    assert all(rejected.symbols == ("STRANGER",) for rejected in t.listener.of(Rejected))


def test_a_correction_arrives_as_one_after_its_bar() -> None:
    """F10."""
    with talk([market_bar("A", 0, 100.5), market_bar("A", 0, 100.25, is_update=True)]) as t:
        t.start("A")
        t.listener.wait_for(BarsArrived, 2)
    first, second = t.listener.of(BarsArrived)
    assert [first.corrections, second.corrections] == [False, True]
    assert [first.close.tolist(), second.close.tolist()] == [[100.5], [100.25]]
    assert first.start_us.tolist() == second.start_us.tolist()


def test_halts_and_resumptions_are_told_and_other_statuses_change_nothing() -> None:
    """F21: a halt is a status, not a silence."""
    at = [("A", "H", "Trading Halt"), ("A", "Q", "Quotation Resumption"), ("A", "T", "Trading Resumption"),
          ("A", "2", "Trading Halt"), ("A", "3", "Resume"), ("A", "%", "Odd")]  # fmt: skip
    script = [
        MarketStatus(s, OPEN_US + (k + 50) * SECOND_US, code, words) for k, (s, code, words) in enumerate(at)
    ]
    with talk(minutes(["A"], 1), script, speed=60) as t:
        t.start("A")
        t.listener.wait_for(BarsArrived)
    assert [(s.halted, s.reason) for s in t.listener.of(StatusChanged)] == [
        (True, "Trading Halt"), (False, "Trading Resumption"), (True, "Trading Halt"), (False, "Resume"),
    ]  # fmt: skip
    assert t.listener.rejected() == {"unknown_status": 1}


@pytest.mark.parametrize("fault", [{"never_confirm": frozenset({"B"})}, {"confirm_at_most": 1}], ids=list("ab"))
def test_a_symbol_left_out_of_the_confirmation_is_asked_for_again_and_then_refused(fault: dict[str, Any]) -> None:
    """F19: the confirmation lists fewer symbols than were asked for."""
    with talk(minutes(["A", "B"], 50)) as t:
        for name, value in fault.items():
            setattr(t.server.faults, name, value)
        t.start("A", "B")
        refused = t.listener.wait_for(SymbolRefused)
        asked = [request["bars"] for request in t.server.connections[0].requests]
        assert asked == [["A", "B"], ["B"], ["B"]]
        assert (refused.symbol, refused.reason) == ("B", "the server left it out of 3 confirmations")
        assert t.listener.of(Subscribed)[0].symbols == ("A",)
        t.server.faults.heal()
        t.feed.subscribe(["B"])  # a person, or the engine, tries again
        assert t.listener.wait_for(Subscribed, 2).symbols == ("B",)


def test_a_request_that_is_not_answered_is_made_again() -> None:
    """F19."""
    with talk() as t:
        t.server.faults.silent_confirm = 1
        t.start("A")
        t.listener.wait_for(Subscribed)
        assert [request["bars"] for request in t.server.connections[0].requests] == [["A"], ["A"]]


@pytest.mark.parametrize(("asked", "limit"), [(31, 30), (50, 30), (5, 0), (8, 8)])
def test_beyond_the_servers_limit_the_last_symbols_are_refused_and_the_others_subscribed(
    asked: int, limit: int
) -> None:
    """F17: code 405."""
    names = [f"S{k:02d}" for k in range(asked)]
    with talk() as t:
        t.server.faults.symbol_limit = limit
        t.start(*names)
        t.listener.wait_until(lambda: len(t.listener.of(SymbolRefused)) == asked - limit)
        t.listener.wait_until(lambda: sum(len(s.symbols) for s in t.listener.of(Subscribed)) == limit)
        assert t.server.connections[0].subscribed["bars"] == names[:limit]
    assert [refused.symbol for refused in t.listener.of(SymbolRefused)] == names[limit:]
    assert all("405" in refused.reason for refused in t.listener.of(SymbolRefused))
    assert len(t.server.connections) == 1


def test_one_bad_message_among_two_hundred_costs_itself_alone() -> None:
    """F16."""
    names = [f"S{k:03d}" for k in range(199)]
    with talk(minutes(names, 2)) as t:
        t.server.faults.bad_message = True
        t.start(*names)
        t.listener.wait_until(lambda: len(t.listener.bars()) >= 2 * 199)
    assert t.listener.bars() == [(name, k) for k in range(2) for name in names]
    assert t.listener.rejected() == {"malformed": 2}


def test_garbage_and_unknown_types_are_counted_and_the_connection_stays() -> None:
    """F15."""
    with talk(minutes(["A"], 3)) as t:
        t.server.faults.garbage_frames = 2
        t.server.faults.unknown_types = True
        t.start("A")
        t.listener.wait_until(lambda: len(t.listener.bars()) == 3)
        t.listener.wait_until(lambda: t.listener.rejected() == {"malformed_frame": 2, "unknown_type": 3})
    assert len(t.server.connections) == 1


def test_bars_sent_twice_arrive_twice() -> None:
    """F08: who merges by key counts them; the feed keeps nothing back."""
    with talk(minutes(["A"], 2)) as t:
        t.server.faults.duplicate = True
        t.start("A")
        t.listener.wait_until(lambda: len(t.listener.bars()) == 4)
    assert t.listener.bars() == [("A", 0), ("A", 0), ("A", 1), ("A", 1)]


def test_a_burst_waits_in_the_bounded_queue_and_then_in_the_socket_and_nothing_is_lost() -> None:
    """F22: a reader that is away does not stop the feed's loop, and no memory grows without bound."""
    names = [f"S{k:03d}" for k in range(100)]
    with talk(minutes(names, 2), bars_max=500) as t:
        t.server.faults.burst = 100
        t.start(*names)
        queue = t.listener.queue
        full = Listener()
        full.wait_until(lambda: queue.waiting_bars >= 400)
        t.feed.subscribe(["LATE"])  # the loop is alive while it waits for room
        assert t.server.wait_until(lambda: "LATE" in t.server.connections[0].subscribed["bars"])
        assert queue.waiting_bars <= 500
        t.listener.wait_until(lambda: len(t.listener.bars()) >= 2 * 100 * 100)
    assert len(t.listener.bars()) == 2 * 100 * 100
    assert len(t.server.connections) == 1


def test_a_bar_of_the_near_future_is_kept_back_and_one_of_the_far_future_rejected() -> None:
    """F12: the vendor's clock may be a little ahead of ours; a bar is never shown before its end."""
    end_us = OPEN_US + MINUTE_US
    with talk(speed=20, start_us=end_us - 8 * SECOND_US) as t:
        t.start("A")
        t.listener.wait_for(Subscribed)
        t.server.send([market_bar("A", 30).message()])
        t.listener.wait_until(lambda: t.listener.rejected() == {"from_the_future": 1})
        t.listener.wait_until(lambda: t.clock.now_us() > end_us - 4 * SECOND_US)
        t.server.send([market_bar("A", 0).message()])
        assert t.listener.wait_for(BarsArrived).arrived_us >= end_us
    assert "ends " in t.listener.of(Rejected)[0].detail


def test_only_data_counts_as_data() -> None:
    with talk(minutes(["A"], 1, first=1)) as t:
        t.start("A")
        t.listener.wait_for(Subscribed)
        feed: Feed = t.feed
        before = feed.last_data_us
        arrived = t.listener.wait_for(BarsArrived)
        after = feed.last_data_us
    assert before is None
    assert after is not None and OPEN_US + 2 * MINUTE_US <= after <= arrived.arrived_us
