"""The small parts of a feed: queue, secrets, back-off, waits, addresses, headers, codes."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import threading
from random import Random

import numpy as np
import pytest

from mismartera.bars.instants import SECOND_US
from mismartera.errors import ConfigError, FeedRefusedError
from mismartera.feeds import BarsArrived, Connected, FeedQueue, FeedWarning, Keys, Secret
from mismartera.feeds.alpaca import AlpacaFeed
from mismartera.feeds.alpaca.address import Address, timeframe
from mismartera.feeds.alpaca.codes import Verdict, is_halted, verdict_of
from mismartera.feeds.backoff import Backoff
from mismartera.feeds.outlet import Outlet
from mismartera.feeds.retry_after import retry_after_seconds
from mismartera.feeds.waits import wait_at_most
from mismartera.timing import RehearsalClock

NOW_US = 1_719_927_000 * SECOND_US  # 2024-07-02 13:30 UTC, a Tuesday


def bars(count: int) -> BarsArrived:
    return BarsArrived("1m", ("A",) * count, np.zeros(count, np.int64), np.ones((5, count)), False, 0)


def test_a_full_queue_refuses_and_tells_when_there_is_room() -> None:
    """F22."""
    queue, told = FeedQueue(10), threading.Event()
    assert [queue.put(bars(6)), queue.put(bars(4)), queue.put(Connected())] == [True, True, False]
    assert queue.waiting_bars == 10
    queue.when_room(told.set)
    assert not told.is_set()
    assert [type(message) for message in queue.take_all()] == [BarsArrived, BarsArrived]
    assert told.is_set()
    assert queue.put(Connected())


def test_an_empty_queue_takes_a_message_of_any_size() -> None:
    queue, told = FeedQueue(10), threading.Event()
    queue.when_room(told.set)
    assert told.is_set()
    assert queue.put(bars(8_000))
    assert not queue.put(Connected())


def test_a_queue_wakes_its_reader() -> None:
    woken: list[int] = []
    queue = FeedQueue(on_message=lambda: woken.append(1))
    assert not queue.wait(0.0)
    queue.put(Connected())
    assert queue.wait(0.0)
    assert woken == [1]


def test_an_outlet_waits_for_room_and_its_loop_goes_on() -> None:
    queue = FeedQueue(1)

    async def send() -> bool:
        outlet = Outlet(queue)
        await outlet.send(Connected())
        second = asyncio.create_task(outlet.send(FeedWarning("second")))
        await asyncio.wait([second], timeout=0.01)
        was_done = second.done()
        queue.take_all()
        await second
        return was_done

    assert asyncio.run(send()) is False
    assert queue.take_all() == [FeedWarning("second")]


def test_room_that_comes_after_the_loop_has_gone_is_no_error() -> None:
    queue = FeedQueue(1)
    queue.put(Connected())

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await Outlet(queue).send(Connected())

    asyncio.run(give_up())
    assert queue.take_all() == [Connected()]


def test_a_wait_does_not_lose_a_cancellation_that_comes_with_its_event() -> None:
    """What asyncio.wait_for did in Python 3.11: a task that was to end waited on, for ever."""

    async def cancel_at_once() -> bool:
        event, goes_on = asyncio.Event(), asyncio.Event()

        async def waits() -> None:
            await wait_at_most(event, 60.0)
            goes_on.set()

        task = asyncio.create_task(waits())
        await asyncio.wait([task], timeout=0.01)
        event.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return goes_on.is_set() or not task.cancelled()

    assert asyncio.run(cancel_at_once()) is False


def test_a_wait_says_whether_its_event_came() -> None:
    async def both() -> tuple[bool, bool]:
        event = asyncio.Event()
        late = await wait_at_most(event, 0.001)
        event.set()
        return late, await wait_at_most(event, None)

    assert asyncio.run(both()) == (False, True)


def test_a_secret_shows_itself_only_when_asked() -> None:
    """I16."""
    secret = Secret("canary")
    keys = Keys(Secret("key-canary"), secret)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", repr(keys), repr([secret])]
    assert not [text for text in shown if "canary" in text]
    assert secret.reveal() == "canary"
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="stays in its process"):
            leave(secret)


def test_what_a_vendor_says_is_one_clean_short_line() -> None:
    keys = Keys(Secret("AK1"), Secret("s3cret"))
    assert keys.scrub("bad key AK1\r\n\x1b[31m with s3cret") == "bad key *** [31m with ***"
    assert len(keys.scrub("x" * 1_000)) == 200
    assert Keys(Secret(""), Secret("")).scrub("as it is") == "as it is"
    assert (bool(Secret("")), bool(Secret("x"))) == (False, True)


def test_waits_double_up_to_the_cap_with_jitter_and_repeat_with_the_seed() -> None:
    waits = [[backoff.next_seconds() for _ in range(8)] for backoff in (Backoff(Random(3)), Backoff(Random(3)))]
    assert waits[0] == waits[1]
    for k, seconds in enumerate(waits[0]):
        assert 0.5 * min(2**k, 30) <= seconds <= min(2**k, 30)
    assert len({round(seconds / min(2**k, 30), 6) for k, seconds in enumerate(waits[0])}) > 4
    patient = Backoff(Random(3))
    assert 10 <= patient.next_seconds(at_least_seconds=10) <= 20
    patient.reset()
    assert patient.next_seconds() <= 1
    assert [patient.next_seconds() <= patient.cap_seconds for _ in range(2000)] == [True] * 2000


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0), (" 0 ", 0.0), ("99999999", 3600.0), ("Tue, 02 Jul 2024 13:31:30 GMT", 90.0),
        ("Tue, 02 Jul 2024 09:31:30 -0400", 90.0), ("Tue, 02 Jul 2024 13:00:00 GMT", 0.0),
        ("Tue, 02 Jul 2024 13:31:30 -0000", 90.0), (None, None), ("", None), ("soon", None), ("-5", None),
        ("1.5", None), ("٣", None), ("Tue, 99 Jul 2024 13:31:30 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_on_the_engines_clock(header: str | None, seconds: float | None) -> None:
    """F06."""
    assert retry_after_seconds(header, NOW_US) == seconds


@pytest.mark.parametrize(
    ("path", "bars_path", "source", "channels"),
    [
        ("/v2/iex", "/v2/stocks/bars", "iex", 3),
        ("/v2/sip", "/v2/stocks/bars", "sip", 3),
        ("", "/v2/stocks/bars", "", 3),
        ("/v2/test", "/v2/stocks/bars", "test", 3),
        ("/v1beta3/crypto/us", "/v1beta3/crypto/us/bars", "us", 2),
        ("/v1beta3/crypto/us-1", "/v1beta3/crypto/us-1/bars", "us-1", 2),
    ],
)
def test_the_streams_path_tells_what_to_ask_for(path: str, bars_path: str, source: str, channels: int) -> None:
    address = Address.of(f"wss://stream.example.com{path}", "https://data.example.com")
    assert address.bars_url == f"https://data.example.com{bars_path}"
    assert (address.source, len(address.channels)) == (source, channels)
    query = address.params(["A", "B/C"], "1m", "x", "y")
    assert query["symbols"] == "A,B/C"
    assert query.get("feed") == (source if source in {"iex", "sip"} else None)


def test_plain_addresses_are_for_loopback_only() -> None:
    assert Address.of("ws://127.0.0.1:1/v2/iex", "http://localhost:1").source == "iex"
    with pytest.raises(ConfigError) as raised:
        Address.of("ws://stream.example.com/v2/iex", "http://data.example.com")
    assert [problem.split(":")[0] for problem in raised.value.problems] == ["feed.stream_url", "feed.data_url"]
    with pytest.raises(ConfigError, match="has a path"):
        Address.of("wss://stream.example.com/v2/iex", "https://data.example.com/v2")


def test_empty_keys_are_refused_before_anything_is_asked() -> None:
    keys = Keys(Secret("k"), Secret(""))
    with pytest.raises(ConfigError, match="APCA_API_KEY_ID"):
        AlpacaFeed("ws://127.0.0.1:1/v2/iex", "http://127.0.0.1:1", keys, RehearsalClock(NOW_US), Random(1))


def test_who_replays_a_day_does_not_load_the_network() -> None:
    code = (
        "import sys, mismartera.feeds; print([m for m in ('httpx', 'websockets', 'polars') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize(("interval", "name"), [("1m", "1Min"), ("15m", "15Min"), ("1h", "1Hour"), ("1d", "1Day")])
def test_an_interval_has_the_vendors_name(interval: str, name: str) -> None:
    assert timeframe(interval) == name


@pytest.mark.parametrize("interval", ["1s", "90s", "90m"])
def test_an_interval_that_the_vendor_lacks_is_refused(interval: str) -> None:
    with pytest.raises(FeedRefusedError, match=interval):
        timeframe(interval)


def test_an_error_code_that_nobody_knows_is_never_ignored() -> None:
    """Bug 5."""
    ignored = [code for code in range(1000) if verdict_of(code) is Verdict.IGNORE]
    assert ignored == [403]  # "already authenticated"


def test_a_status_that_nobody_knows_is_judged_by_its_words_or_told() -> None:
    assert is_halted("M", "Volatility Trading Pause") is True
    assert is_halted("R", "Trading Resumed") is False
    with pytest.raises(ValueError, match="'%'"):
        is_halted("%", "Something else")
