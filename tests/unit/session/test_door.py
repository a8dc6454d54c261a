"""Which stored rows belong to a session, and what becomes of each."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest
from msgspec.structs import replace
from tests.unit.session.blocks import HALF, HONG_KONG, NEW_YORK, SUMMER, let_in, minutes, raw, session_of

from mismartera.bars import BarBlock
from mismartera.bars.instants import MINUTE_US, SECOND_US, to_us
from mismartera.session.door import ACCEPTED, DUPLICATE, FATES, OUT_OF_HOURS, REJECTED
from mismartera.timing import TimeManager


def with_column(block: BarBlock, name: str, row: int, value: float) -> BarBlock:
    column = getattr(block, name).copy()
    column[row] = value
    return replace(block, **{name: column})


def test_only_bars_inside_the_regular_hours_come_in_and_the_others_of_the_day_are_out_of_hours() -> None:
    session = session_of(NEW_YORK)
    block = raw(AAA=[*minutes(session, -330, -1, 0, 389), session.close_us, session.close_us + 239 * MINUTE_US])
    admitted = let_in(block)
    assert admitted.fates.tolist() == [OUT_OF_HOURS, OUT_OF_HOURS, ACCEPTED, ACCEPTED, OUT_OF_HOURS, OUT_OF_HOURS]
    assert admitted.block.start.tolist() == minutes(session, 0, 389)
    assert admitted.block.end.tolist() == minutes(session, 1, 390)
    assert admitted.counts(0) == {
        "received": 6, "accepted": 2, "duplicate": 0, "out_of_hours": 4, "rejected": 0, "revised": 0, "late": 0,
    }  # fmt: skip
    assert admitted.counts(0, until_us=session.open_us + MINUTE_US)["received"] == 3


def test_rows_of_other_days_are_not_even_received() -> None:
    session = session_of(NEW_YORK)
    block = raw(AAA=minutes(session, -1440, 0, 1440, 2880))
    assert let_in(block).counts(0)["received"] == 1


def test_a_half_day_ends_early() -> None:
    session = session_of(NEW_YORK, HALF)
    admitted = let_in(raw(AAA=minutes(session, 209, 210)), day=HALF)
    assert admitted.fates.tolist() == [ACCEPTED, OUT_OF_HOURS]


def test_bars_in_the_lunch_break_are_out_of_hours() -> None:
    session = session_of(HONG_KONG)
    admitted = let_in(raw(AAA=minutes(session, 149, 150, 209, 210)), HONG_KONG)
    assert admitted.fates.tolist() == [ACCEPTED, OUT_OF_HOURS, OUT_OF_HOURS, ACCEPTED]


@pytest.mark.parametrize(
    ("column", "value"),
    [("open", np.nan), ("high", np.inf), ("low", 0.0), ("low", -1.0), ("high", 100.0), ("low", 102.0),
     ("volume", -1.0), ("close", 99999.0), ("volume", np.nan)],
)  # fmt: skip
def test_a_bar_that_breaks_a_rule_is_rejected_and_disturbs_nothing_else(column: str, value: float) -> None:
    session = session_of(NEW_YORK)
    block = with_column(raw(AAA=minutes(session, 0, 1, 2), BBB=minutes(session, 0)), column, 1, value)
    admitted = let_in(block)
    assert admitted.fates.tolist() == [ACCEPTED, REJECTED, ACCEPTED, ACCEPTED]
    assert admitted.counts(0)["rejected"] == 1
    assert admitted.block.offsets.tolist() == [0, 2, 3]


def test_a_start_off_the_grid_is_rejected() -> None:
    session = session_of(NEW_YORK)
    block = raw(AAA=[session.open_us, session.open_us + 30 * SECOND_US, session.open_us + MINUTE_US + 1])
    assert let_in(block).fates.tolist() == [ACCEPTED, REJECTED, REJECTED]


def test_of_rows_with_the_same_start_the_first_valid_one_counts() -> None:
    session = session_of(NEW_YORK)
    block = raw(AAA=minutes(session, 0, 0, 0, 1), BBB=minutes(session, 1, 1))
    assert let_in(block).fates.tolist() == [ACCEPTED, DUPLICATE, DUPLICATE, ACCEPTED, ACCEPTED, DUPLICATE]
    spoilt = with_column(block, "high", 0, np.nan)
    assert let_in(spoilt).fates.tolist() == [REJECTED, ACCEPTED, DUPLICATE, ACCEPTED, ACCEPTED, DUPLICATE]


def test_counts_balance() -> None:
    session = session_of(NEW_YORK)
    block = with_column(raw(AAA=minutes(session, -5, 0, 0, 1, 2, 390), BBB=[]), "low", 4, np.nan)
    admitted = let_in(block)
    for k in range(2):
        counts = admitted.counts(k)
        assert counts.pop("received") == sum(counts.values())
    assert [admitted.counts(0)[name] for name in FATES] == [2, 1, 2, 1]
    assert admitted.has_bars.tolist() == [True, False]


@pytest.mark.parametrize(
    "label",
    [
        datetime(2024, 7, 2, tzinfo=UTC),
        datetime(2024, 7, 2, 4, tzinfo=UTC),  # midnight in New York
        datetime(2024, 7, 2, 13, 30, tzinfo=UTC),  # the open
    ],
)
def test_a_daily_bar_covers_the_session_however_its_date_is_written(label: datetime) -> None:
    session = session_of(NEW_YORK)
    others = [datetime(2024, 7, day, tzinfo=UTC) for day in (1, 3)]
    admitted = let_in(raw(AAA=[to_us(others[0]), to_us(label), to_us(others[1])]), base="1d")
    assert admitted.fates.tolist() == [ACCEPTED]
    assert (admitted.block.start.tolist(), admitted.block.end.tolist()) == ([session.open_us], [session.close_us])


def test_some_symbols_can_be_taken_out_of_what_came_in() -> None:
    session = session_of(NEW_YORK)
    admitted = let_in(raw(AAA=minutes(session, 0, 1), BBB=minutes(session, -1), CCC=minutes(session, 5)))
    assert admitted.take(("AAA", "BBB", "CCC")) is admitted
    taken = admitted.take(("BBB", "CCC"))
    assert taken.block.symbols == ("BBB", "CCC")
    assert taken.block.start.tolist() == minutes(session, 5)
    assert (taken.counts(0)["out_of_hours"], taken.counts(1)["accepted"]) == (1, 1)


def test_an_evening_session_owns_its_bars_and_not_those_of_its_neighbours() -> None:
    time = TimeManager("CMES")
    monday, tuesday = session_of(time, date(2024, 7, 1)), session_of(time, SUMMER)
    block = raw(AAA=[monday.open_us, monday.close_us - MINUTE_US, tuesday.open_us, tuesday.close_us - MINUTE_US])
    for session in (monday, tuesday):
        admitted = let_in(block, time, session.date)
        assert admitted.block.start.tolist() == [session.open_us, session.close_us - MINUTE_US]
        assert admitted.counts(0)["received"] == 2
