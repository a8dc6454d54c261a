"""F23: what a session makes of the messages and leases of a bridge, whatever is lost, doubled or out of place."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from tests.listening import OPEN_US
from tests.unit.feeds.bus import LATE_US, bars, frame, granted

from mismartera.bars.instants import MINUTE_US
from mismartera.feeds.desired import Desired
from mismartera.feeds.nats.follower import Follower
from mismartera.feeds.nats.wire import Bars, Columns, Down, Dropped, Refused, Status, Taken, Up, Warned
from mismartera.feeds.port import BarsArrived, Disconnected, FeedMessage, Rejected
from mismartera.timing import RehearsalClock


def told(messages: Iterable[FeedMessage]) -> list[str]:
    """In short: ``Subscribed AAA``, ``BarsArrived AAA 3``."""
    out = []
    for message in messages:
        words = [type(message).__name__]
        if isinstance(message, BarsArrived):
            words += [
                f"{s} {(us - OPEN_US) // MINUTE_US}"
                for s, us in zip(message.symbols, message.start_us, strict=True)
            ]
        elif isinstance(message, Disconnected):
            words.append(message.reason)
        elif isinstance(message, Rejected):
            words += [message.reason, str(message.count)]
        else:
            words += getattr(message, "symbols", None) or [getattr(message, "symbol", "")]
        out.append(" ".join(words).strip())
    return out


class Session:
    """A follower that wants AAA and BBB, and what it has told."""

    def __init__(self, *symbols: str) -> None:
        self.desired = Desired()
        self.desired.add(symbols or ("AAA", "BBB"))
        self.follower = Follower(self.desired, RehearsalClock(LATE_US), 0)

    def up(self, position: int = 10) -> Session:
        """Connected, with both symbols confirmed."""
        self.follower.note(granted(position, *self.desired.symbols))
        self.follower.begin(position, is_new=False)
        return self

    def reads(self, seq: int, payload: bytes) -> list[str]:
        return told(self.follower.take(seq, payload))

    def hears(self, answer: object) -> list[str]:
        self.follower.note(answer)  # type: ignore[arg-type]
        return told(self.follower.settle())


def test_a_session_is_up_with_its_lease_its_place_and_the_vendor() -> None:
    session = Session()
    assert session.hears(granted(10, "AAA", "BBB")) == []
    assert told(session.follower.begin(10, is_new=False)) == ["Connected", "Subscribed AAA BBB"]


def test_an_answer_holds_once_all_is_read_that_was_published_before_it() -> None:
    session = Session()
    session.follower.begin(10, is_new=False)
    assert session.hears(granted(12, "AAA")) == []
    assert session.reads(11, frame(1, *bars(1, "AAA"))) == ["BarsArrived AAA 1"]
    assert session.reads(12, frame(2, *bars(2, "AAA"))) == ["BarsArrived AAA 2", "Connected", "Subscribed AAA"]


def test_an_answer_that_was_overtaken_by_the_vendor_s_news_does_not_undo_them() -> None:
    session = Session()
    session.follower.begin(10, is_new=False)
    session.reads(11, frame(1, Up(), Taken(["AAA"])))
    session.reads(12, frame(2, Down("away", 1.0)))
    assert session.hears(granted(11, "AAA", is_connected=True)) == []
    assert session.reads(13, frame(3, Up(), Taken(["BBB"]))) == ["Connected", "Subscribed BBB"]


def test_confirmations_that_were_read_before_the_lease_are_not_forgotten() -> None:
    session = Session()
    session.follower.begin(10, is_new=False)
    assert session.reads(11, frame(1, Up(), Taken(["AAA"]))) == []
    assert session.hears(granted(10, is_connected=False)) == ["Connected", "Subscribed AAA"]


def test_a_message_that_is_sent_again_is_taken_once() -> None:
    session = Session().up()
    assert session.reads(11, frame(1, *bars(1, "AAA"))) == ["BarsArrived AAA 1"]
    assert session.reads(11, frame(1, *bars(1, "AAA"))) == []
    assert session.reads(12, frame(1, *bars(1, "AAA"))) == [], "published twice, it has its number still"
    assert session.follower.figures.duplicates == 2
    assert session.follower.position == 12


@pytest.mark.parametrize(("seq", "number"), [(13, 2), (12, 3), (13, 3)], ids=["stream", "bridge", "both"])
def test_a_gap_is_a_connection_that_was_lost_and_is_back(seq: int, number: int) -> None:
    session = Session().up()
    session.reads(11, frame(1, *bars(1, "AAA")))
    gone, *rest = session.reads(seq, frame(number, *bars(3, "AAA")))
    assert gone.startswith("Disconnected messages ")
    assert rest == ["Connected", "Subscribed AAA BBB", "BarsArrived AAA 3"]
    assert session.follower.figures.gaps == 1


def test_messages_that_were_removed_before_a_reconnect_are_a_gap() -> None:
    session = Session().up()
    session.follower.down("the server has gone", 1.0)
    session.follower.note(granted(20, "AAA"))
    assert told(session.follower.begin(15, is_new=False)) == []
    assert session.follower.figures.gaps == 1


def test_a_place_that_was_kept_over_a_reconnect_is_none() -> None:
    session = Session().up()
    assert told(session.follower.down("the server has gone", 1.0)) == ["Disconnected the server has gone"]
    session.follower.note(granted(10, "AAA"))
    assert told(session.follower.begin(10, is_new=False)) == ["Connected", "Subscribed AAA"]
    assert session.follower.figures.gaps == 0


def test_another_stream_of_the_same_name_begins_anew() -> None:
    session = Session().up(10)
    out = told(session.follower.begin(0, is_new=True))
    assert out[0].startswith("Disconnected messages")
    assert session.reads(1, frame(1, *bars(1, "AAA"))) == ["BarsArrived AAA 1"]


def test_another_bridge_makes_the_session_stale_until_its_vendor_and_its_lease_are_there() -> None:
    session = Session().up()
    assert session.reads(11, frame(1, Warned("hello"), bridge="two")) == [
        "Disconnected another bridge publishes now", "FeedWarning",
    ]  # fmt: skip
    assert session.reads(12, frame(2, Up(), bridge="two")) == []
    assert session.hears(granted(12, "AAA", bridge="two")) == ["Connected", "Subscribed AAA"]


def test_a_bridge_that_answers_before_it_publishes_is_noticed() -> None:
    session = Session().up()
    assert session.hears(granted(10, is_connected=False, bridge="two")) == [
        "Disconnected another bridge answers now"
    ]


def test_the_vendor_s_state_passes() -> None:
    session = Session().up()
    assert session.reads(11, frame(1, Down("the vendor hung up", 2.0))) == ["Disconnected the vendor hung up"]
    assert session.reads(12, frame(2, Up())) == ["Connected"]
    assert session.reads(13, frame(3, Taken(["BBB", "ZZZ"]))) == ["Subscribed BBB"]


def test_only_what_is_ours_passes() -> None:
    session = Session("AAA").up()
    out = session.reads(
        11,
        frame(
            1, *bars(1, "ZZZ", "AAA", "YYY"), *bars(2, "ZZZ"), Status("ZZZ", True, ""), Status("AAA", True, ""),
            Refused("ZZZ", "no"), Dropped("late", 3, "", ["ZZZ", "AAA", ""]), Dropped("late", 1, "", ["ZZZ"]),
        ),
    )  # fmt: skip
    assert out == ["BarsArrived AAA 1", "StatusChanged AAA", "Rejected late 2"]


def test_a_refused_symbol_is_wanted_no_more() -> None:
    session = Session().up()
    assert session.reads(11, frame(1, Refused("BBB", "no"))) == ["SymbolRefused BBB"]
    assert list(session.desired.symbols) == ["AAA"]


def test_a_symbol_that_left_and_came_back_is_confirmed_anew() -> None:
    session = Session().up()
    session.follower.forget(["AAA"])
    assert session.hears(granted(10, "AAA", "BBB")) == ["Subscribed AAA"]


@pytest.mark.parametrize("payload", [b"", b"\x02\x90", b"\x01\xc1", frame(1)[:-1] + b"\xff"])
def test_a_message_that_cannot_be_read_is_counted_and_the_next_one_taken(payload: bytes) -> None:
    session = Session().up()
    assert session.reads(11, payload) == ["Rejected bus_message 1"]
    assert session.reads(12, frame(1, *bars(1, "AAA"))) == ["BarsArrived AAA 1"]
    assert session.follower.figures.bad == 1


def test_bars_that_break_a_rule_are_rejected_one_by_one() -> None:
    session = Session().up()
    (good,) = bars(1, "AAA", "BBB")
    assert isinstance(good, Bars)
    prices = [np.frombuffer(c).copy() for c in (good.columns.open, good.columns.high, good.columns.low)]
    prices[1][0] = np.nan
    broken = Columns.of(
        np.frombuffer(good.columns.start, np.int64),
        [*prices, np.frombuffer(good.columns.close), np.frombuffer(good.columns.volume)],
    )
    out = session.reads(11, frame(1, Bars("1m", False, ["AAA", "BBB"], broken), *bars(200, "AAA")))
    assert out[0] == "BarsArrived BBB 1"
    assert [line.split()[0] for line in out[1:]] == ["Rejected", "Rejected"]


@pytest.mark.parametrize("bad", [("5m", ["AAA"]), ("1m", ["AAA", "BBB"])], ids=["interval", "rows"])
def test_bars_whose_columns_or_interval_are_wrong_are_rejected_as_a_whole(bad: tuple[str, list[str]]) -> None:
    session = Session().up()
    (good,) = bars(1, "AAA")
    assert isinstance(good, Bars)
    out = session.reads(11, frame(1, Bars(bad[0], False, bad[1], good.columns), *bars(2, "AAA")))
    assert out == ["Rejected bus_message 1", "BarsArrived AAA 2"]


def test_silence_of_our_symbols_is_no_data_though_others_trade() -> None:
    session = Session("AAA").up()
    session.reads(11, frame(1, *bars(1, "ZZZ")))
    assert session.follower.last_data_us is None
    assert session.follower.data_seq == 11, "the bridge's vendor is alive"
    session.reads(12, frame(2, *bars(2, "AAA")))
    assert session.follower.last_data_us == LATE_US
