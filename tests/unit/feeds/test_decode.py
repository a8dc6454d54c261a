"""Frames of Alpaca's stream: recorded ones, odd ones, and any bytes at all."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.catalog.helpers import real_data

from mismartera.bars import parse_interval
from mismartera.bars.instants import to_iso
from mismartera.feeds.alpaca.decode import Codec, Frame
from mismartera.feeds.alpaca.messages import ErrorMessage, SubscriptionMessage, SuccessMessage
from mismartera.feeds.sift import sift

MINUTE = parse_interval("1m")
LATER_US = 2**61
BAR: dict[str, Any] = {"T": "b", "S": "AAPL", "o": 10.0, "h": 11.0, "l": 9.5, "c": 10.5, "v": 100, "n": 3,
                       "vw": 10.2, "t": "2024-07-02T13:30:00Z"}  # fmt: skip
CODECS = [Codec("msgpack"), Codec("json")]
by_codec = pytest.mark.parametrize("codec", CODECS, ids=["msgpack", "json"])


def encoded(codec: Codec, message: object) -> bytes:
    data = codec.encode(message)
    return data if isinstance(data, bytes) else data.encode()


def reasons(codec: Codec, frame: Frame) -> list[str]:
    """Why messages of the frame do not pass, whether in decoding or in judging their bars."""
    bars = codec.columns([*frame.bars, *frame.updates])
    _, rejected = sift(bars, MINUTE, LATER_US)
    return [one.reason for one in [*frame.rejected, *rejected]]


@by_codec
def test_a_bar_becomes_a_row(codec: Codec) -> None:
    frame = codec.decode(encoded(codec, [BAR, {**BAR, "T": "u", "S": "BRK.B"}]))
    assert ([bar.S for bar in frame.bars], [bar.S for bar in frame.updates]) == (["AAPL"], ["BRK.B"])
    columns = frame.columns(frame.bars)
    assert to_iso(int(columns.start_us[0])) == "2024-07-02T13:30:00+00:00"
    assert [column.tolist() for column in columns.prices] == [[10.0], [11.0], [9.5], [10.5], [100.0]]
    assert (columns.trades.tolist(), frame.has_data, frame.rejected) == ([3.0], True, [])


@by_codec
def test_control_messages_are_no_data(codec: Codec) -> None:
    words = [{"T": "success", "msg": "connected"}, {"T": "error", "code": 402, "msg": "auth failed"},
             {"T": "subscription", "trades": ["X"], "bars": ["A"], "updatedBars": [], "lulds": []}]  # fmt: skip
    frame = codec.decode(encoded(codec, words))
    success, error, subscription = frame.controls
    assert isinstance(success, SuccessMessage) and success.msg == "connected"
    assert isinstance(error, ErrorMessage) and error.code == 402
    assert isinstance(subscription, SubscriptionMessage) and subscription.bars == ["A"]
    assert frame.has_data is False


@by_codec
def test_an_empty_list_or_number_may_be_null_or_absent(codec: Codec) -> None:
    frame = codec.decode(encoded(codec, [{"T": "subscription", "bars": None}, {**BAR, "n": None}]))
    (subscription,) = frame.controls
    assert isinstance(subscription, SubscriptionMessage)
    assert (subscription.bars, subscription.updatedBars, subscription.statuses) == (None, None, None)
    assert frame.columns(frame.bars).trades.tolist() == [-1.0]
    assert reasons(codec, frame) == []


BAD_MESSAGES: list[tuple[Any, str]] = [
    ({key: value for key, value in BAR.items() if key != "c"}, "malformed"),
    ({**BAR, "o": "10.0"}, "malformed"),
    ({**BAR, "h": None}, "malformed"),
    ({**BAR, "S": 5}, "malformed"),
    ({**BAR, "T": "zz"}, "unknown_type"),
    ({**BAR, "T": "t", "c": ["@"]}, "unknown_type"),
    ({**BAR, "T": "d"}, "unknown_type"),
    ({"S": "AAPL"}, "malformed"),
    ([BAR], "malformed"),
    (None, "malformed"),
    ("b", "malformed"),
    ({**BAR, "t": "2024-07-02T13:30:00"}, "bad_timestamp"),
    ({**BAR, "t": 1_719_927_000_000}, "bad_timestamp"),
    ({**BAR, "t": None}, "bad_timestamp"),
    ({**BAR, "t": {"a": [1]}}, "bad_timestamp"),
    ({**BAR, "t": "1970-01-01T00:00:10.00000001Z"}, "implausible_time"),
    ({**BAR, "t": "2024-07-02T13:30:30Z"}, "off_grid"),
    ({**BAR, "l": 0}, "price_not_positive"),
    ({**BAR, "l": -1}, "price_not_positive"),
    ({**BAR, "h": 10.2}, "high_low_order"),
    ({**BAR, "o": 11.5}, "high_low_order"),
    ({**BAR, "h": 9.0}, "high_low_order"),
    ({**BAR, "v": -1}, "negative_volume"),
    ({**BAR, "h": 1e308}, "implausible_value"),
    ({**BAR, "v": 10**30}, "implausible_value"),
    ({**BAR, "n": 0}, "volume_without_trades"),
]


@by_codec
@pytest.mark.parametrize(("bad", "reason"), BAD_MESSAGES, ids=lambda value: str(value)[:40])
def test_a_bad_message_is_named_and_its_neighbours_are_kept(codec: Codec, bad: Any, reason: str) -> None:
    """F13, F14, F15, F16."""
    if codec.name == "msgpack" and bad == {**BAR, "v": 10**30}:
        bad = {**BAR, "v": 1e30}  # msgpack has no such integer
    frame = codec.decode(encoded(codec, [BAR, bad, {**BAR, "S": "MSFT"}]))
    rows, _ = sift(frame.columns(frame.bars), MINUTE, LATER_US)
    assert [frame.bars[row].S for row in rows.tolist()] == ["AAPL", "MSFT"]
    assert reasons(codec, frame) == [reason]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", list("ohlcv"))
def test_what_is_not_finite_never_passes(name: str, value: float) -> None:
    """F13: msgpack can say it; JSON cannot."""
    codec = Codec("msgpack")
    assert reasons(codec, codec.decode(encoded(codec, [{**BAR, name: value}]))) == ["not_finite"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("json", b""), ("json", b"{]"), ("json", b'{"T":"b"}'), ("json", b"[" * 100_000), ("json", b"null"),
        ("json", b'[{"T":"b","v":NaN}]'), ("json", b'["\xff\xfe"]'), ("json", b'[{"T":"success"'),
        ("msgpack", b""), ("msgpack", b"\xc1"), ("msgpack", b"\x91" * 100_000), ("msgpack", b"\x80"),
        ("msgpack", b"\xdd\xff\xff\xff\xff"), ("msgpack", b"[]"),
    ],
    ids=lambda value: repr(value)[:24],
)  # fmt: skip
def test_a_frame_that_is_no_list_of_messages_is_one_rejection(name: str, data: bytes) -> None:
    """F15: malformed, cut off, of the wrong type, nested without end."""
    frame = Codec(name).decode(data)
    assert [one.reason for one in frame.rejected] in (["malformed_frame"], ["malformed"])
    assert (frame.bars, frame.controls, frame.has_data) == ([], [], False)


@by_codec
@given(data=st.binary(max_size=300))
def test_no_bytes_raise(codec: Codec, data: bytes) -> None:
    """F15."""
    frame = codec.decode(data)
    assert len(codec.columns(frame.bars)) == len(frame.bars)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*"TSohlcvtn", "msg", "code"]), inner)
    ),
    max_leaves=12,
)


@by_codec
@given(noise=st.lists(ANYTHING | st.fixed_dictionaries({}, optional=dict.fromkeys(BAR, ANYTHING)), max_size=6),
       at=st.integers(0, 6))  # fmt: skip
def test_a_good_bar_survives_any_company(codec: Codec, noise: list[Any], at: int) -> None:
    """F16: whatever else is in the frame, its good messages are kept and the others counted."""
    if codec.name == "json":
        noise = json.loads(json.dumps(noise).replace("NaN", "0").replace("Infinity", "0"))
    good = {**BAR, "S": "GOOD"}
    frame = codec.decode(encoded(codec, [*noise[:at], good, *noise[at:]]))
    rows, _ = sift(frame.columns(frame.bars), MINUTE, LATER_US)
    assert [frame.bars[row].S for row in rows.tolist()].count("GOOD") == 1
    kept = len(frame.bars) + len(frame.updates) + len(frame.statuses) + len(frame.controls)
    assert kept + sum(one.count for one in frame.rejected) == len(noise) + 1


def test_the_frames_that_the_vendors_own_tests_hold() -> None:
    lines = (real_data() / "alpaca" / "ws" / "messages.jsonl").read_text("utf-8").splitlines()
    frames = [record["frame"] for record in map(json.loads, lines) if record["direction"] == "server"]
    found = []
    for codec in CODECS:
        for messages in frames:
            frame = codec.decode(encoded(codec, messages))
            kept = len(frame.bars) + len(frame.updates) + len(frame.statuses) + len(frame.controls)
            found.append((messages[0]["T"], kept, *reasons(codec, frame)))
    assert found == 2 * [
        ("b", 1, "implausible_time"), ("t", 0, "unknown_type"), ("q", 0, "unknown_type"), ("o", 0, "unknown_type"),
        ("s", 1), ("x", 0, "unknown_type"), ("n", 0, "unknown_type"), ("success", 1), ("success", 1),
        ("error", 1), ("error", 1), ("t", 0, "unknown_type"), ("q", 0, "unknown_type"), ("b", 1),
        ("u", 1, "high_low_order"), ("error", 1),
    ]  # fmt: skip


def test_a_request_is_text_in_json_and_bytes_in_msgpack() -> None:
    request = {"action": "subscribe", "bars": ["A"]}
    assert Codec("json").encode(request) == '{"action":"subscribe","bars":["A"]}'
    packed = Codec("msgpack").encode(request)
    assert isinstance(packed, bytes) and msgspec.msgpack.decode(packed) == request
