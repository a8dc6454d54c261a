"""Pages of historical bars: whatever their order and overlap, one series per symbol comes out."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.catalog.helpers import real_data

from mismartera.bars import parse_interval
from mismartera.bars.instants import DAY_US, MINUTE_US, SECOND_US, to_iso
from mismartera.feeds.alpaca.pages import PageError, PageMerger
from mismartera.feeds.alpaca.stamps import format_us, parse_text
from mismartera.feeds.port import NO_START

OPEN_US = 1_719_927_000 * SECOND_US
LATER_US = OPEN_US + DAY_US
BAD_US = OPEN_US + 3 * MINUTE_US


def merger(*symbols: str, first: int = 0, last: int = 100, interval: str = "1m") -> PageMerger:
    return PageMerger(
        symbols, parse_interval(interval), OPEN_US + first * MINUTE_US, OPEN_US + last * MINUTE_US
    )  # fmt: skip


def bar(minute: int, close: float = 10.0, **changes: object) -> dict[str, Any]:
    row = {"t": format_us(OPEN_US + minute * MINUTE_US), "o": 10, "h": 11, "l": 9, "c": close, "v": 5, "n": 2}
    return row | changes


def page(token: str | None = None, /, **bars: list[dict[str, Any]] | None) -> bytes:
    return json.dumps({"bars": bars, "next_page_token": token}).encode()


def taken(one: PageMerger) -> dict[str, list[tuple[int, float]]]:
    """Minute and close of each symbol's bars."""
    block = one.block()
    ends = block.offsets.tolist()
    pairs = list(zip(((block.start - OPEN_US) // MINUTE_US).tolist(), block.close.tolist(), strict=True))
    return {symbol: pairs[ends[k] : ends[k + 1]] for k, symbol in enumerate(block.symbols)}


@pytest.mark.parametrize(
    ("tail", "token"), [("", None), (',"next_page_token":""', None), (',"next_page_token":7', "7")]
)
def test_a_page_may_have_no_token_or_a_number(tail: str, token: str | None) -> None:
    one = merger("A", "B")
    body = f'{{"bars":{{"A":{json.dumps([bar(0)])},"B":null}}{tail}}}'
    assert one.add(body.encode(), LATER_US) == token
    assert taken(one) == {"A": [(0, 10.0)], "B": []}
    assert merger("A").add(b'{"bars":null}', LATER_US) is None


Row = tuple[str, int, float]
ROWS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(-3, 12), st.sampled_from([9.5, 10.0, 10.5])), max_size=40
)  # fmt: skip


@given(ROWS, st.lists(st.integers(0, 40), max_size=6))
def test_pages_merge_as_a_dict_by_symbol_and_start(rows: list[Row], cuts: list[int]) -> None:
    """F07, F08, F09: split anywhere, in any order, with bars that come again; the last one stands."""
    one = merger("A", "C", last=10)
    edges = [0, *sorted(cuts), len(rows)]
    for first, last in pairwise(edges):
        bars: dict[str, list[dict[str, Any]]] = {}
        for symbol, minute, close in rows[first:last]:
            bars.setdefault(symbol, []).append(bar(minute, close))
        one.add(page(None, **bars), LATER_US)
    expected: dict[str, dict[int, float]] = {"A": {}, "C": {}}
    duplicates = 0
    for symbol, minute, close in rows:
        if symbol in expected and 0 <= minute < 10:
            duplicates += minute in expected[symbol]
            expected[symbol][minute] = close
    assert taken(one) == {symbol: sorted(series.items()) for symbol, series in expected.items()}
    assert one.duplicates == duplicates >= one.conflicts
    assert sum(rejected.count for rejected in one.rejected) == sum(symbol == "B" for symbol, _, _ in rows)


def test_a_block_has_a_series_for_every_symbol_in_the_order_of_the_request() -> None:
    one = merger("Z", "A", "M")
    assert one.add(page("next", M=[bar(1), bar(0)], A=None), LATER_US) == "next"
    assert one.add(page(None, Z=[bar(5)]), LATER_US) is None
    assert taken(one) == {"Z": [(5, 10.0)], "A": [], "M": [(0, 10.0), (1, 10.0)]}


def test_a_bar_again_with_other_values_is_a_conflict() -> None:
    """F09."""
    one = merger("A")
    one.add(page(A=[bar(0), bar(0), bar(0, 10.5)]), LATER_US)
    assert (one.duplicates, one.conflicts, taken(one)) == (2, 1, {"A": [(0, 10.5)]})


def test_a_minute_that_was_forming_when_it_was_asked_for_is_left_out_silently() -> None:
    """Bug 8; and one that had not begun has a wrong time."""
    one = merger("A")
    one.add(page(A=[bar(0), bar(1), bar(2), bar(3)]), OPEN_US + 2 * MINUTE_US + 30 * SECOND_US)
    assert taken(one) == {"A": [(0, 10.0), (1, 10.0)]}
    assert [(rejected.reason, rejected.count) for rejected in one.rejected] == [("from_the_future", 1)]


def test_bad_bars_of_a_page_cost_themselves_alone() -> None:
    """F13, F14, F16."""
    one = merger("A")
    odd = [bar(1, h="high"), bar(2, t="2024-07-02T13:32:00"), bar(3, l=0), bar(4, n=0), [], bar(5, t=12)]
    one.add(page(A=[bar(0), *odd, bar(6)]), LATER_US)  # type: ignore[list-item]
    assert taken(one) == {"A": [(0, 10.0), (6, 10.0)]}
    assert sorted(rejected.reason for rejected in one.rejected for _ in range(rejected.count)) == [
        "bad_timestamp", "bad_timestamp", "malformed", "malformed", "price_not_positive", "volume_without_trades",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "start_us"),
    [
        (bar(3, h="high"), BAD_US), ({"t": bar(3)["t"]}, BAD_US), (bar(3, l=0), BAD_US),
        (bar(3, t="2024-07-02T13:32:00"), NO_START), (bar(3, h="high", t=12), NO_START), ({"o": 1}, NO_START),
        ([], NO_START),
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_bar_speaks_of_its_minute_where_that_can_be_read(bad: dict[str, Any], start_us: int) -> None:
    """F13, F14: the other minutes of its symbol can still be confirmed as quiet."""
    one = merger("A")
    one.add(page(A=[bar(0), bad]), LATER_US)
    (rejected,) = one.rejected
    assert (rejected.symbols, rejected.starts_us) == (("A",), (start_us,))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"bars": []}', b'{"bars": {"A": 5}}', b"\xff", b"[" * 99_999]
)
def test_a_body_that_is_no_page_is_an_error_and_changes_nothing(body: bytes) -> None:
    one = merger("A")
    with pytest.raises(PageError, match="no page of bars"):
        one.add(body, LATER_US)
    assert taken(one) == {"A": []}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_a_page_error(body: bytes) -> None:
    try:
        token = merger("A").add(body, LATER_US)
    except PageError:
        return
    assert token is None or isinstance(token, str)


def test_the_pages_that_the_vendors_own_tests_hold() -> None:
    folder = real_data() / "alpaca" / "rest"
    index = [one for one in json.loads((folder / "index.json").read_text("utf-8")) if "_page" in one["file"]]
    seen = 0
    for entry in index:
        body = (folder / entry["file"].rsplit("/", 1)[-1]).read_bytes()
        if not isinstance(json.loads(body).get("bars"), dict):
            continue  # the older service of one symbol
        one = PageMerger(entry["symbols"], parse_interval("1m"), 0, LATER_US)
        token = one.add(body, LATER_US)
        block = one.block()
        assert token == entry["next_page_token"]
        rejected = sum(rejected.count for rejected in one.rejected)
        assert len(block) + one.duplicates + rejected == entry["bars"]
        assert all(np.diff(block.start[a:b]).min(initial=1) > 0 for a, b in pairwise(block.offsets.tolist()))
        seen += 1
    assert seen >= 5


def test_two_pages_of_the_vendor_are_one_series() -> None:
    folder = real_data() / "alpaca" / "rest"
    one = PageMerger(["META"], parse_interval("1d"), 0, LATER_US)
    for name in ("bars_03_alpaca-go_L480_page.json", "bars_04_alpaca-go_L483_page.json"):
        one.add((folder / name).read_bytes(), LATER_US)
    block = one.block()
    assert [to_iso(us)[:10] for us in block.start.tolist()] == [
        "2022-06-08",
        "2022-06-09",
        "2022-06-10",
        "2022-06-13",
    ]
    assert block.close.tolist()[:2] == [196.64, 184.0]
    assert int(block.start[0]) == parse_text("2022-06-08T04:00:00Z")
