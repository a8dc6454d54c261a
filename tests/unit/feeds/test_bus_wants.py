"""Leases: the union of what sessions want; a session that is gone takes its symbols along, and nobody else's."""

from __future__ import annotations

from random import Random

from mismartera.feeds.nats.wants import LEASES_MAX, Wants
from mismartera.feeds.nats.wire import Want

LEASE, LINGER = 20.0, 5.0


def wants(*own: str) -> Wants:
    return Wants(own, LEASE, LINGER)


def want(name: str, revision: int = 1, *symbols: str, instance: str = "i", leaving: bool = False) -> Want:
    return Want(name, instance, revision, list(symbols) if symbols else None, leaving=leaving)


def test_what_two_want_is_subscribed_once_and_stays_until_both_are_gone() -> None:
    book = wants()
    assert book.take(want("a", 1, "X", "Y"), 0.0).new == ("X", "Y")
    assert book.take(want("b", 1, "Y", "Z"), 1.0).new == ("Z",)
    book.take(want("a", leaving=True), 2.0)
    assert book.tick(2.0) == ()
    assert book.tick(2.0 + LINGER) == ("X",)
    book.take(want("b", leaving=True), 8.0)
    assert book.tick(8.0 + LINGER) == ("Y", "Z")
    assert book.symbols == frozenset()


def test_a_session_that_renews_nothing_is_gone_when_its_lease_is_over() -> None:
    book = wants()
    book.take(want("a", 1, "X"), 0.0)
    assert book.take(want("a", 1), 15.0).is_known
    book.tick(34.9)
    assert book.sessions == 1
    book.tick(35.0)
    assert (book.sessions, book.symbols) == (0, frozenset({"X"})), "it lingers"
    assert book.tick(35.0 + LINGER) == ("X",)


def test_a_session_learns_that_its_lease_was_gone() -> None:
    book = wants()
    assert not book.take(want("a", 3), 0.0).is_known
    assert not book.take(want("a", 3, "X"), 0.0).is_known
    assert not book.take(want("a", 4), 1.0).is_known
    assert book.take(want("a", 3), 2.0).is_known
    assert book.take(want("a", 4, "X", "Y"), 3.0).is_known
    book.tick(3.0 + LEASE)
    assert not book.take(want("a", 5, "X"), 30.0).is_known


def test_who_comes_back_in_time_finds_its_symbols_subscribed() -> None:
    book = wants()
    book.take(want("a", 1, "X"), 0.0)
    book.take(want("a", leaving=True), 1.0)
    assert book.take(want("b", 1, "X"), 2.0).new == ()
    assert book.tick(100.0) == ()


def test_a_name_belongs_to_one_run_at_a_time() -> None:
    book = wants()
    book.take(want("a", 1, "X"), 0.0)
    refusal = book.take(want("a", 1, "Y", instance="j"), 5.0).refusal
    assert refusal == "the name a is another session's, at least for 15 s"
    assert book.take(want("a", instance="j", leaving=True), 6.0).refusal is None
    assert book.sessions == 1, "nobody ends another one's lease"
    assert book.take(want("a", 1, "Y", instance="j"), 20.0).new == ("Y",)


def test_the_bridge_s_own_symbols_never_leave_unless_the_vendor_refuses_them() -> None:
    book = wants("OWN")
    assert book.take(want("a", 1, "OWN", "X"), 0.0).new == ("X",)
    book.take(want("a", leaving=True), 1.0)
    assert book.tick(100.0) == ("X",)
    book.drop("OWN")
    assert book.symbols == frozenset()


def test_a_refused_symbol_is_asked_for_again_when_somebody_wants_it_anew() -> None:
    book = wants()
    book.take(want("a", 1, "X", "Y"), 0.0)
    book.drop("X")
    assert book.take(want("a", 1), 1.0).new == (), "a renewal does not ask"
    assert book.take(want("b", 1, "X"), 2.0).new == ("X",)


def test_leases_begin_anew_when_nobody_could_reach_the_bridge() -> None:
    book = wants()
    book.take(want("a", 1, "X"), 0.0)
    book.renew_all(1000.0)
    book.tick(1001.0)
    assert book.sessions == 1


def test_there_are_at_most_so_many_sessions() -> None:
    book = wants()
    for k in range(LEASES_MAX):
        book.take(want(f"s{k}", 1, "X"), 0.0)
    assert book.take(want("one more", 1, "X"), 0.0).refusal == "it has 1000 sessions, and takes no more"
    assert book.take(want("s0", 2, "X", "Y"), 0.0).new == ("Y",)


def test_whatever_sessions_do_the_union_is_that_of_their_lists() -> None:
    rng, book = Random(1), wants("OWN")
    lists: dict[str, set[str]] = {}
    subscribed = {"OWN"}
    for step in range(3000):
        now, name = step * 0.5, rng.choice("abcd")
        if rng.random() < 0.1:
            book.take(want(name, leaving=True), now)
            lists.pop(name, None)
        elif rng.random() < 0.7 or name not in lists:
            lists[name] = set(rng.sample("PQRSTUVW", rng.randint(1, 5)))
            subscribed |= set(book.take(want(name, step, *sorted(lists[name])), now).new)
        book.renew_all(now)
        subscribed -= set(book.tick(now))
        wanted = {"OWN"}.union(*lists.values())
        assert subscribed == book.symbols
        assert wanted <= subscribed
    book.tick(1e9)
    book.tick(2e9)
    assert book.symbols == {"OWN"}
