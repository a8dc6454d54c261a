"""Instants are put together until they are taken, and not longer (R4)."""

from __future__ import annotations

from datetime import date

import numpy as np

from mismartera import TimeManager
from mismartera.bars import SeriesInfo, parse_interval
from mismartera.session.arriving import ArrivingTape, Batch
from mismartera.session.increment import IncrementalProcessor
from mismartera.session.part import Part
from mismartera.session.slice_desk import SliceDesk

MINUTE = parse_interval("1m")


def parts_of(symbol: str) -> list[Part]:
    session = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
    processor = IncrementalProcessor(session, (symbol,), MINUTE, [MINUTE], [])
    tape, batch = ArrivingTape(), Batch((symbol,), {symbol: SeriesInfo(1, session.zone)}, {symbol: 0})
    tape.add(1, processor.take(0, np.array([0]), np.full((5, 1), 10.0)), batch)
    return tape.parts(0)


def test_all_that_was_shown_of_an_instant_is_taken_once() -> None:
    desk, one, other = SliceDesk(), parts_of("A"), parts_of("B")
    desk.showed(60, one)
    desk.showed(60, other)
    assert len(desk) == 1
    assert desk.take(60) == [*one, *other]
    assert (desk.take(60), len(desk)) == ([], 0)


def test_bars_of_an_instant_that_was_taken_are_not_kept() -> None:
    desk, parts = SliceDesk(), parts_of("A")
    desk.take(120)
    for end_us in (60, 120):
        desk.showed(end_us, parts)
    assert len(desk) == 0
    desk.showed(180, parts)
    assert desk.take(180) == parts


def test_a_new_session_begins_with_nothing() -> None:
    desk, parts = SliceDesk(), parts_of("A")
    desk.take(120)
    desk.clear()
    desk.showed(60, parts)
    assert desk.take(60) == parts
