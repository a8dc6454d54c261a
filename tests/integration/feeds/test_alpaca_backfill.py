"""Alpaca's historical bars over real sockets: pages, patience, refusals."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.utils import format_datetime

import pytest
from tests.integration.feeds.talks import KEY, SECRET, Talk, market_bar, minutes, talk
from tests.listening import OPEN_US, Listener

from mismartera.bars.instants import MINUTE_US, SECOND_US, to_datetime
from mismartera.errors import FeedRefusedError, FeedUnavailableError
from mismartera.feeds import BackfillResult
from mismartera.testing.alpaca_market import MarketBar

HOUR = 60


def backfill(t: Talk, *symbols: str, first: int = 0, last: int = HOUR) -> BackfillResult:
    return t.feed.backfill(symbols, "1m", OPEN_US + first * MINUTE_US, OPEN_US + last * MINUTE_US)


@contextmanager
def later(bars: Iterable[MarketBar], *, path: str = "/v2/iex", secret: str = SECRET) -> Iterator[Talk]:
    """Two hours after the open."""
    with talk(bars, start_us=OPEN_US + 2 * HOUR * MINUTE_US, speed=600.0, path=path, secret=secret) as t:
        yield t


def rows(result: BackfillResult) -> dict[str, list[int]]:
    """The minutes of each symbol, in the order of the block."""
    block = result.block
    return {
        symbol: [
            (us - OPEN_US) // MINUTE_US for us in block.start[block.offsets[k] : block.offsets[k + 1]].tolist()
        ]
        for k, symbol in enumerate(block.symbols)
    }


WHOLE = list(range(HOUR))


def test_a_range_is_asked_for_with_all_that_the_service_needs() -> None:
    with later(minutes(["A", "B"], HOUR)) as t:
        result = backfill(t, "B", "A", "B", first=1, last=5)
        (request,) = t.server.rest_requests
    assert (request.path, request.keys) == ("/v2/stocks/bars", (KEY, SECRET))
    assert request.query == {
        "symbols": "B,A", "timeframe": "1Min", "start": "2024-07-02T13:31:00Z",
        "end": "2024-07-02T13:34:59Z", "limit": "10000", "sort": "asc", "adjustment": "raw", "feed": "iex",
    }  # fmt: skip
    assert rows(result) == {"B": [1, 2, 3, 4], "A": [1, 2, 3, 4]}
    assert [column[0] for column in result.block.columns] == [100.0, 101.0, 99.0, 100.5, 11.0]


def test_crypto_has_its_own_service() -> None:
    with later(minutes(["BTC/USD"], 3), path="/v1beta3/crypto/us") as t:
        assert rows(backfill(t, "BTC/USD")) == {"BTC/USD": [0, 1, 2]}
        (request,) = t.server.rest_requests
    assert request.path == "/v1beta3/crypto/us/bars"
    assert "feed" not in request.query


@pytest.mark.parametrize(
    "faults",
    [
        {"page_size": 7},
        {"page_size": 7, "repeat_boundary": True},
        {"page_size": 7, "reverse_pages": True},
        {"page_size": 60, "empty_page": True},
        {"page_size": 1, "repeat_boundary": True, "reverse_pages": True, "empty_page": True},
    ],
    ids="+".join,
)
def test_pages_of_any_kind_give_each_bar_once_in_order(faults: dict[str, object]) -> None:
    """F07."""
    with later(minutes(["A", "B"], HOUR)) as t:
        for name, value in faults.items():
            setattr(t.server.faults, name, value)
        result = backfill(t, "A", "B")
    assert rows(result) == {"A": WHOLE, "B": WHOLE}
    assert (result.duplicates > 0) is ("repeat_boundary" in faults)
    assert (result.conflicts, result.rejected, dict(result.refused)) == (0, (), {})


def test_a_minute_that_has_not_ended_is_left_out() -> None:
    """Bug 8: a candle that is still forming must never count as finished."""
    with talk(minutes(["A"], HOUR), start_us=OPEN_US + 5 * MINUTE_US, speed=1.0) as t:
        t.server.faults.forming = True
        result = backfill(t, "A")
    assert rows(result) == {"A": [0, 1, 2, 3, 4]}
    assert result.rejected == ()


def test_a_minute_that_ended_while_the_answer_was_on_its_way_is_left_out_too() -> None:
    """Bug 8: what the service said of it was said before its end."""
    with talk(minutes(["A"], HOUR), start_us=OPEN_US + 5 * MINUTE_US - 30 * SECOND_US, speed=600.0) as t:
        t.server.faults.forming = True
        t.server.faults.rest_delay_seconds = 60.0
        result = backfill(t, "A")
        assert t.clock.now_us() >= OPEN_US + 5 * MINUTE_US
    assert rows(result) == {"A": [0, 1, 2, 3]}


def test_a_service_that_lags_gives_what_it_has() -> None:
    """F07: the last minute is asked for again later, by whoever needs it."""
    with talk(minutes(["A"], HOUR), start_us=OPEN_US + 5 * MINUTE_US, speed=1.0) as t:
        t.server.faults.rest_lag_bars = 1
        assert rows(backfill(t, "A")) == {"A": [0, 1, 2, 3]}


def test_the_values_of_a_correction_are_those_of_its_minute() -> None:
    """F09, F10: the service decides."""
    bars = [market_bar("A", 0, 100.5), market_bar("A", 0, 100.25, is_update=True)]
    with later(bars) as t:
        assert backfill(t, "A").block.close.tolist() == [100.25]


@pytest.mark.parametrize("is_named", [True, False])
def test_an_unknown_symbol_has_no_bars_and_a_refused_one_is_named_while_the_others_load(is_named: bool) -> None:
    """Bug 16, S07: two bad symbols do not fail the others; a service that names them is asked less often."""
    names = [f"S{k}" for k in range(9)]
    with later(minutes(names, 3)) as t:
        t.server.faults.bad_symbols = frozenset({"BAD", "S"})
        t.server.faults.names_bad_symbols = is_named
        result = backfill(t, *names[:4], "BAD", *names[4:], "S", "UNKNOWN")
        assert len(t.server.rest_requests) == (3 if is_named else 15)
        assert rows(result) == {**{name: [0, 1, 2] for name in names}, "UNKNOWN": []}
        assert sorted(result.refused) == ["BAD", "S"]
        assert "HTTP 400" in result.refused["BAD"]
        with pytest.raises(FeedRefusedError, match="no bars of BAD"):
            backfill(t, "BAD")


def test_many_symbols_are_asked_for_in_several_requests() -> None:
    names = [f"S{k:03d}" for k in range(250)]
    with later(minutes(names, 1)) as t:
        result = backfill(t, *names)
        assert [len(request.query["symbols"].split(",")) for request in t.server.rest_requests] == [100, 100, 50]
    assert rows(result) == {name: [0] for name in names}


@pytest.mark.parametrize("status", [401, 403])
def test_refused_keys_are_refused_at_once(status: int) -> None:
    with later(minutes(["A"], 1)) as t:
        t.server.faults.rest_status = status
        with pytest.raises(FeedRefusedError, match=f"HTTP {status}"):
            backfill(t, "A")
        assert len(t.server.rest_requests) == 1


def test_a_wrong_address_is_refused_at_once_and_not_asked_symbol_by_symbol() -> None:
    with later([]) as t:
        t.server.faults.rest_status = 404
        with pytest.raises(FeedRefusedError, match="is data_url right"):
            backfill(t, *(f"S{k}" for k in range(50)))
        assert len(t.server.rest_requests) == 1


@pytest.mark.parametrize(
    "fault", [{"rest_status": 500}, {"rest_status": 503}, {"rest_garbage": 3}, {"rest_hang": 1}]
)
def test_a_service_that_fails_for_a_while_is_asked_again(fault: dict[str, int]) -> None:
    """F06: server errors, a body that breaks off, no answer at all."""
    with later(minutes(["A"], HOUR)) as t:
        t.server.faults.errors_left = 3
        for name, value in fault.items():
            setattr(t.server.faults, name, value)
        assert rows(backfill(t, "A")) == {"A": WHOLE}
        assert len(t.server.rest_requests) == (2 if "rest_hang" in fault else 4)


def test_a_service_that_fails_for_long_is_unavailable() -> None:
    """F06."""
    with later(minutes(["A"], HOUR)) as t:
        t.server.faults.rest_status = 500
        with pytest.raises(FeedUnavailableError, match=r"HTTP 500.*, 5 times") as raised:
            backfill(t, "A")
        assert 1 <= raised.value.retry_after_seconds <= 30
        assert len(t.server.rest_requests) == 5
        t.server.faults.heal()
        assert rows(backfill(t, "A")) == {"A": WHOLE}


@pytest.mark.parametrize("is_date", [False, True], ids=["seconds", "date"])
def test_a_service_that_asks_for_patience_gets_it_on_the_engines_clock(is_date: bool) -> None:
    """F06: 429 with Retry-After."""
    with later(minutes(["A"], HOUR)) as t:
        t.server.faults.rest_status, t.server.faults.errors_left = 429, 1
        until_us = t.clock.now_us() + 40 * SECOND_US
        t.server.faults.retry_after = format_datetime(to_datetime(until_us), usegmt=True) if is_date else "40"
        assert rows(backfill(t, "A")) == {"A": WHOLE}
        assert until_us <= t.clock.now_us() < until_us + 5 * 60 * SECOND_US


def test_too_long_a_wait_is_left_to_whoever_asked() -> None:
    """F06; and no other request goes out before it is over: no storm."""
    with later(minutes(["A"], HOUR)) as t:
        t.server.faults.rest_status, t.server.faults.errors_left = 429, 1
        t.server.faults.retry_after = "600"
        for _ in range(2):
            with pytest.raises(FeedUnavailableError, match=r"HTTP 429|too many requests") as raised:
                backfill(t, "A")
            assert 540 < raised.value.retry_after_seconds <= 600
        assert len(t.server.rest_requests) == 1


def test_an_unreachable_service_is_unavailable() -> None:
    with later(minutes(["A"], HOUR)) as t:
        t.server.stop()
        with pytest.raises(FeedUnavailableError, match="cannot be reached"):
            backfill(t, "A")


@pytest.mark.parametrize("fault", [{"rest_status": 500}, {"rest_hang": 1}], ids=["back-off", "answer"])
def test_stop_ends_a_backfill_that_waits(fault: dict[str, int]) -> None:
    """S11: for its next attempt, or for an answer."""
    with talk(minutes(["A"], HOUR), start_us=OPEN_US, speed=1.0) as t:
        for name, value in fault.items():
            setattr(t.server.faults, name, value)
        raised: list[str] = []

        def load() -> None:
            try:
                backfill(t, "A")
            except FeedUnavailableError as error:
                raised.append(str(error))

        loader = threading.Thread(target=load)
        loader.start()
        assert t.server.wait_until(lambda: len(t.server.rest_requests) == 1)
        t.feed.stop()
        loader.join(5)
        assert raised == ["the feed was stopped"]


def test_a_gap_of_the_stream_is_what_the_service_has() -> None:
    """Bug 6, F05: drops, and drops again; what was missed meanwhile is in the backfill."""
    with talk(minutes(["A"], 30), speed=1500) as t:
        t.start("A")
        for k in range(3):
            t.listener.wait_until(lambda: len(t.listener.bars()) >= 2)
            t.server.faults.drop_in_handshake = k
            t.server.drop_all()
        t.listener.wait_until(lambda: ("A", 29) in t.listener.bars())
        live = {minute for _, minute in t.listener.bars()}
        Listener().wait_until(lambda: t.clock.now_us() >= OPEN_US + 30 * MINUTE_US)
        assert sorted(live | set(rows(backfill(t, "A", last=30))["A"])) == list(range(30))
        assert rows(backfill(t, "A", last=30)) == {"A": list(range(30))}


def test_no_secret_is_in_an_error_of_the_service() -> None:
    with later(minutes(["A"], 1), secret=KEY + SECRET) as t, pytest.raises(FeedRefusedError) as raised:
        backfill(t, "A")
    assert KEY not in str(raised.value)
    assert raised.value.__cause__ is None
