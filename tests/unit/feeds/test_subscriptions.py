"""What is asked for follows from what is wanted and what was confirmed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera.errors import SymbolError
from mismartera.feeds.alpaca.subscriptions import ASKS_MAX, Request, SubscriptionBook
from mismartera.feeds.desired import Desired


def book(*symbols: str) -> tuple[SubscriptionBook, Desired]:
    desired = Desired()
    desired.add(symbols)
    return SubscriptionBook(desired), desired


def test_wanted_symbols_keep_their_order_and_come_once() -> None:
    desired = Desired()
    desired.add(["B", "A", "B"])
    snapshot = desired.symbols
    desired.add(["C", "A"])
    desired.discard(["B", "X"])
    assert (list(snapshot), list(desired.symbols)) == (["B", "A"], ["A", "C"])


def test_what_is_no_symbol_is_refused_and_nothing_changes() -> None:
    """S08."""
    desired = Desired()
    with pytest.raises(SymbolError):
        desired.add(["GOOD", "*"])
    assert list(desired.symbols) == []


def test_one_request_is_under_way_at_a_time() -> None:
    one, desired = book("A", "B")
    assert one.next_request() == Request("subscribe", ("A", "B"))
    desired.add(["C"])
    assert one.next_request() is None
    assert one.confirm(["A", "B"]) == (["A", "B"], [])
    assert one.next_request() == Request("subscribe", ("C",))
    one.overdue()
    assert one.next_request() == Request("subscribe", ("C",))


def test_nothing_wanted_is_nothing_asked() -> None:
    """S07: an empty list means none, never all."""
    one, _ = book()
    assert one.next_request() is None


def test_a_confirmation_that_lists_less_than_before_is_mended() -> None:
    """F19."""
    one, _ = book("A", "B")
    one.next_request()
    one.confirm(["A", "B"])
    assert one.confirm(["B"]) == ([], [])
    assert one.next_request() == Request("subscribe", ("A",))
    assert one.confirm(["A", "B"]) == (["A"], [])


def test_a_server_that_lists_what_has_just_changed_is_not_asked_for_ever() -> None:
    one, desired = book("A")
    requests = []
    for symbol in ("B", "C", "D"):
        while (request := one.next_request()) is not None:
            requests.append(request.symbols)
            assert len(requests) < 10
            assert one.confirm(request.symbols)[1] == []
        desired.add([symbol])
    assert requests == [("A",), ("B",), ("A",), ("C",)]
    desired.discard(["A"])
    assert one.next_request() == Request("unsubscribe", ("A",))
    one.confirm([])
    assert one.next_request() == Request("subscribe", ("D",))


def test_a_request_that_is_not_understood_costs_the_symbol_that_is_to_blame() -> None:
    one, desired = book("A", "B", "BAD", "C")
    assert one.not_understood() is None
    refused: list[str] = []
    granted: list[str] = []
    while (request := one.next_request()) is not None:
        if "BAD" in request.symbols:
            refused += one.not_understood() or []
        else:
            granted += one.confirm([*granted, *request.symbols])[0]
    assert (refused, granted, list(desired.symbols)) == (["BAD"], ["A", "B", "C"], ["A", "B", "C"])


def test_a_symbol_that_stays_after_its_unsubscription_is_not_asked_away_for_ever() -> None:
    one, desired = book("A")
    one.next_request()
    one.confirm(["A"])
    desired.discard(["A"])
    assert one.next_request() == Request("unsubscribe", ("A",))
    one.confirm(["A"])
    assert one.next_request() is None


def test_a_symbol_wanted_again_while_its_removal_is_under_way_comes_back() -> None:
    """S03: add, remove, add."""
    one, desired = book("A")
    one.next_request()
    one.confirm(["A"])
    desired.discard(["A"])
    one.next_request()
    desired.add(["A"])
    one.confirm([])
    assert one.next_request() == Request("subscribe", ("A",))


@given(
    st.lists(st.sampled_from("ABCDEFGHIJ"), unique=True, max_size=10), st.integers(0, 12),
    st.sets(st.sampled_from("ABCDEFGHIJ")),
)  # fmt: skip
def test_it_ends_with_each_symbol_confirmed_or_refused(wanted: list[str], limit: int, never: set[str]) -> None:
    """F17 (405), F19: against a server with a limit that leaves some symbols out, in few requests."""
    one, desired = book(*wanted)
    granted: list[str] = []
    refused: list[str] = []
    requests = 0
    while (request := one.next_request()) is not None:
        requests += 1
        after = list(dict.fromkeys([*granted, *(s for s in request.symbols if s not in never)]))
        if len(after) > limit:
            refused += one.limit_reached()
        else:
            granted = after
            refused += one.confirm(granted)[1]
    assert sorted(granted + refused) == sorted(wanted)
    assert len(granted) == min(limit, len(granted)) and not never.intersection(granted)
    assert list(desired.symbols) == [symbol for symbol in wanted if symbol in granted]
    assert requests <= ASKS_MAX * (len(wanted) + 1) + 4


def test_a_symbol_that_is_dropped_and_wanted_again_before_anybody_looked_is_told_of_again() -> None:
    subscriptions, desired = book("A", "B")
    subscriptions.next_request()
    assert subscriptions.confirm(["A", "B"]) == (["A", "B"], [])
    assert subscriptions.renewed() == []
    desired.discard(["A"])
    desired.add(["A"])
    assert subscriptions.renewed() == ["A"]
    assert subscriptions.renewed() == []
    assert subscriptions.next_request() is None, "the server sends it as before"


def test_one_that_is_wanted_again_while_it_is_being_dropped_is_told_of_when_it_is_confirmed() -> None:
    subscriptions, desired = book("A", "B")
    subscriptions.next_request()
    subscriptions.confirm(["A", "B"])
    desired.discard(["A"])
    dropping = subscriptions.next_request()
    assert dropping is not None
    assert (dropping.action, dropping.symbols) == ("unsubscribe", ("A",))
    desired.add(["A"])
    assert subscriptions.renewed() == []
    assert subscriptions.confirm(["B"]) == ([], [])
    assert subscriptions.next_request() is not None
    assert subscriptions.confirm(["A", "B"]) == (["A"], [])
