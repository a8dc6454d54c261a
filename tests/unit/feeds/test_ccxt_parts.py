"""The parts of the feed of crypto exchanges: candles, news, troubles, and how an exchange is made."""

from __future__ import annotations

import subprocess
import sys
import threading
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.feeds.talks import market_bar
from tests.listening import OPEN_US

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.errors import ConfigError
from mismartera.feeds.backoff import Backoff
from mismartera.feeds.ccxt import CcxtFeed
from mismartera.feeds.ccxt.candles import read_candles
from mismartera.feeds.ccxt.exchange import make_exchange
from mismartera.feeds.ccxt.troubles import Trouble, trouble_of
from mismartera.feeds.ccxt.turns import Turns
from mismartera.feeds.ccxt.watch import Watch
from mismartera.feeds.port import NO_START
from mismartera.testing import ccxt_exchange as fakes
from mismartera.testing.alpaca_market import AlpacaMarket
from mismartera.testing.ccxt_exchange import FakeExchange
from mismartera.timing import RehearsalClock

BTC = "BTC/USDT"
OPEN_MS = OPEN_US // 1000


def row(minute: float, close: Any = 10.0, **changes: Any) -> list[Any]:
    values = {
        "t": OPEN_MS + round(minute * 60_000),
        "o": 10.0,
        "h": 11.0,
        "l": 9.0,
        "c": close,
        "v": 5.0,
    } | changes
    return list(values.values())


def test_candles_are_sorted_and_the_last_of_one_start_stands() -> None:
    candles = read_candles(BTC, [row(2), row(1), row(2, 10.5), tuple(row(0, "10.25"))])
    assert [(start - OPEN_US) // MINUTE_US for start in candles.rows] == [0, 1, 2]
    assert [values[3] for values in candles.rows.values()] == [10.25, 10.0, 10.5]
    assert (candles.repeated, candles.rejected) == (1, [])


@pytest.mark.parametrize(
    ("bad", "rule", "words"),
    [
        (None, "malformed", "no candle"), ("candle", "malformed", "no candle"), ([OPEN_MS, 1, 2], "malformed", ""),
        (row(0, "ten"), "malformed", "no numbers"), (row(0, [1]), "malformed", ""),
        (row(0, True), "malformed", ""),
        (row(0, t=None), "bad_timestamp", ""), (row(0, t="2024-07-02T13:30:00Z"), "bad_timestamp", ""),
        (row(0, t=OPEN_MS // 1000), "implausible_time", "looks like seconds"),
        (row(0, t=OPEN_US), "implausible_time", "looks like microseconds"),
        (row(0, t=OPEN_US * 1000), "implausible_time", "looks like nanoseconds"),
        (row(0, t=float("nan")), "implausible_time", ""), (row(0, t=10**30), "implausible_time", ""),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_candle_is_named_and_its_neighbours_are_kept(bad: Any, rule: str, words: str) -> None:
    """F13, F14, F16."""
    candles = read_candles(BTC, [row(0), bad, row(1)])
    (rejected,) = candles.rejected
    assert (rejected.reason, rejected.symbols, len(candles.rows)) == (rule, (BTC,), 2)
    assert words in rejected.detail


@pytest.mark.parametrize(
    ("bad", "start_us"),
    [(row(2, "ten"), OPEN_US + 2 * MINUTE_US), (row(2, "ten", t=None), NO_START), (None, NO_START)],
    ids=str,
)
def test_a_bad_candle_speaks_of_its_minute_where_that_can_be_read(bad: Any, start_us: int) -> None:
    """F13, F14: the other minutes of its symbol can still be confirmed as quiet."""
    (rejected,) = read_candles(BTC, [row(0), bad]).rejected
    assert rejected.starts_us == (start_us,)


MINUTE_STATES = st.lists(st.sampled_from([None, 10.0, 10.5]), min_size=1, max_size=8)


@given(st.lists(st.tuples(st.integers(0, 400), MINUTE_STATES), max_size=12), st.integers(0, 59))
def test_the_news_of_any_answers_add_up_to_what_was_shown_as_finished(
    answers: list[tuple[int, list[float | None]]], subscribed_second: int
) -> None:
    """Bugs 3, 8; F08, F09: whatever comes again, is changed, is missing or comes late."""
    watch = Watch(BTC, OPEN_US + MINUTE_US + subscribed_second * SECOND_US)
    expected: dict[int, float] = {}
    held: dict[int, float] = {}
    for seconds, closes in sorted(answers, key=lambda answer: answer[0]):
        asked_us = OPEN_US + MINUTE_US + (subscribed_second + seconds) * SECOND_US
        shown = {OPEN_US + k * MINUTE_US: close for k, close in enumerate(closes) if close is not None}
        answer = [row((start - OPEN_US) // MINUTE_US, close) for start, close in shown.items()]
        news = watch.take(read_candles(BTC, answer), asked_us, {BTC})
        assert not news.new.keys() & held.keys()
        assert news.changed.keys() <= held.keys()
        held |= {start: values[3] for start, values in (news.new | news.changed).items()}
        settled_us = asked_us if any(start + MINUTE_US > asked_us for start in shown) else asked_us - 5 * SECOND_US
        expected |= {start: close for start, close in shown.items() if start + MINUTE_US <= settled_us}
        assert held == expected
        assert watch.next_us > asked_us


def test_a_candle_that_begins_long_after_now_is_told_and_one_that_forms_is_not() -> None:
    """F12."""
    watch = Watch(BTC, OPEN_US + MINUTE_US)
    answer = read_candles(BTC, [row(0), row(1), row(2), row(60)])
    news = watch.take(answer, OPEN_US + MINUTE_US + 30 * SECOND_US, {BTC})
    assert list(news.new) == [OPEN_US]
    assert [(rejected.reason, rejected.count) for rejected in news.rejected] == [("from_the_future", 1)]


def test_what_is_wrong_in_each_answer_is_told_once() -> None:
    watch = Watch(BTC, OPEN_US + MINUTE_US)
    told = []
    for minute in range(1, 10):
        answer = read_candles(
            BTC, [*(row(k) for k in range(minute + 1)), row(0, h=1), row(9), [5, 5], row(3, t=1)]
        )
        asked_us = OPEN_US + minute * MINUTE_US + 2 * SECOND_US
        news = watch.take(answer, asked_us, {BTC})
        told += [rejected.reason for rejected in news.rejected]
    assert sorted(told) == ["from_the_future", "high_low_order", "implausible_time", "malformed"]


def test_turns_are_taken_in_the_order_in_which_they_were_asked_for() -> None:
    turns, taken, waiting = Turns(), list[int](), list[threading.Thread]()

    def take(number: int) -> None:
        with turns:
            taken.append(number)

    with turns:
        for number in range(5):
            waiting.append(threading.Thread(target=take, args=(number,)))
            waiting[-1].start()
            while len(turns._waiting) <= number:
                threading.Event().wait(0.001)
    for thread in waiting:
        thread.join()
    assert taken == list(range(5))
    with turns:
        pass


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (fakes.NetworkError("x"), Trouble.AWAY), (fakes.ExchangeNotAvailable("x"), Trouble.AWAY),
        (fakes.OperationFailed("x"), Trouble.AWAY), (fakes.RateLimitExceeded("x"), Trouble.CROWDED),
        (fakes.BadSymbol("x"), Trouble.SYMBOL), (fakes.ExchangeError("x"), Trouble.REQUEST),
        (fakes.AuthenticationError("x"), Trouble.FATAL), (TimeoutError("x"), Trouble.AWAY),
        (KeyError("x"), Trouble.REQUEST),
    ],
    ids=repr,
)  # fmt: skip
def test_an_error_is_judged_by_the_nearest_name_that_is_known(error: Exception, trouble: Trouble) -> None:
    found = trouble_of(error, "fake", {"retry-after": "7"})
    assert found.trouble is trouble
    assert found.wait_seconds(Backoff(Random(1)), 0) >= (7.0 if trouble is Trouble.CROWDED else 0.5)
    assert "\n" not in trouble_of(fakes.NetworkError("a\nb" * 999), "fake").reason


def clock() -> RehearsalClock:
    return RehearsalClock(OPEN_US)


def test_without_the_library_a_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(ConfigError, match=r"pip install 'mismartera\[crypto\]'"):
        CcxtFeed("binance", clock(), Random(1))


def test_an_exchange_is_made_by_its_name_with_its_pace_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[dict[str, Any]] = []

    def binance(given: dict[str, Any]) -> FakeExchange:
        options.append(given)
        return FakeExchange(AlpacaMarket(), clock())

    monkeypatch.setitem(sys.modules, "ccxt", SimpleNamespace(exchanges=["binance", "kraken"], binance=binance))
    assert make_exchange("binance", clock()).id == "fake"
    assert options == [{"enableRateLimit": True, "timeout": 10_000}]
    with pytest.raises(ConfigError, match="did you mean binance"):
        CcxtFeed("binanse", clock(), Random(1))
    with pytest.raises(ConfigError, match="none of the 2 exchanges of ccxt, such as"):
        CcxtFeed("__class__", clock(), Random(1))


@pytest.mark.parametrize("change", [{"has": {"fetchOHLCV": "emulated"}}, {"has": {}}, {"timeframes": {"1h": 1}}])
def test_an_exchange_without_minute_candles_is_refused(change: dict[str, Any]) -> None:
    exchange = FakeExchange(AlpacaMarket(), clock())
    for name, value in change.items():
        setattr(exchange, name, value)
    with pytest.raises(ConfigError, match="fake gives no candles of one minute"):
        CcxtFeed(exchange, clock(), Random(1))


def test_an_exchange_of_the_other_form_is_refused_and_one_that_does_not_say_its_intervals_is_tried() -> None:
    class Coroutines(FakeExchange):
        async def fetch_ohlcv(self, *_: Any) -> Any:
            return []

    with pytest.raises(ConfigError, match="allowed: its blocking form"):
        CcxtFeed(Coroutines(AlpacaMarket(), clock()), clock(), Random(1))
    silent = FakeExchange(AlpacaMarket([market_bar(BTC, 0)]), RehearsalClock(OPEN_US + 5 * MINUTE_US))
    silent.timeframes = {}
    result = CcxtFeed(silent, silent._clock, Random(1)).backfill([BTC], "1m", OPEN_US, OPEN_US + MINUTE_US)
    assert len(result.block) == 1


def test_the_real_library_has_what_is_needed_of_it() -> None:
    """In a process of its own: it takes seconds, and brings a hundred exchanges along."""
    pytest.importorskip("ccxt")
    code = """
import ccxt, random
from mismartera.feeds.ccxt import CcxtFeed
from mismartera.testing import ccxt_exchange as fakes
from mismartera.timing import SystemClock
for name in ("binance", "kraken", "coinbase", "okx", "bybit"):
    feed = CcxtFeed(name, SystemClock(), random.Random(1))
    made = feed._exchange._exchange
    assert made.enableRateLimit and made.timeout == 10_000 and made.rateLimit > 0, name
    made.markets = {"BTC/USDT": {"type": "spot"}}
    feed._exchange._markets = made.markets
    print(feed._exchange.page_length("BTC/USDT"))
for name in ("ExchangeError", "AuthenticationError", "BadSymbol", "OperationFailed", "NetworkError",
             "ExchangeNotAvailable", "RateLimitExceeded"):
    theirs = [one.__name__ for one in getattr(ccxt, name).__mro__]
    ours = [one.__name__ for one in getattr(fakes, name).__mro__]
    assert [one for one in theirs if one in ours] == ours, name
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert all(int(line) >= 100 for line in shown.stdout.split())
