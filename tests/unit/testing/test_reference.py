"""The reference model against tables written out by hand: it is the oracle of others, so it is checked by eye."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.testing.tables import DAY, after, at, bars_of, config, lines, minutes, row, rows, run, us

from mismartera.testing.reference import RefBar

OPENED = ["09:30 session_opened 2024-07-02"]
ACTIVE = "09:30 session_activated open 0 -"
CLOSED = ["09:40 session_deactivated close 0 -", "09:40 session_closed 2024-07-02"]


def test_a_tiny_session_gives_exactly_these_events() -> None:
    stored = {
        ("A", "1m"): [
            RefBar(us("09:31"), 11.0, 11.5, 10.5, 11.25, 50.0),
            RefBar(us("09:30"), 10.0, 12.0, 9.0, 11.0, 100.0),
        ]
    }
    result = run(config(streams=["2m", "1m"], hours=("09:30", "09:32")), stored)
    opened, first, second = (f"2024-07-02T13:3{minute}:00+00:00" for minute in range(3))
    common = {"event": "bar", "symbol": "A", "lag_seconds": 0.0, "generation": 1}
    gate = {"lag_seconds": 0.0, "symbol": None}
    assert result.events == [
        {"time": opened, "event": "session_opened", "date": DAY},
        {"time": opened, "event": "symbol_pending", "symbol": "A", "reason": "configured"},
        {"time": opened, "event": "symbol_loaded", "symbol": "A", "reason": "caught_up"},
        {"time": opened, "event": "session_activated", "reason": "open", **gate},
        {
            "time": first, "interval": "1m", "start": opened, "end": first, "open": 10.0, "high": 12.0, "low": 9.0,
            "close": 11.0, "volume": 100.0, "bar_count": 1, **common,
        },
        {
            "time": second, "interval": "1m", "start": first, "end": second, "open": 11.0, "high": 11.5,
            "low": 10.5, "close": 11.25, "volume": 50.0, "bar_count": 1, **common,
        },
        {
            "time": second, "interval": "2m", "start": opened, "end": second, "open": 10.0, "high": 12.0,
            "low": 9.0, "close": 11.25, "volume": 150.0, "bar_count": 2, **common,
        },
        {"time": second, "event": "session_deactivated", "reason": "close", **gate},
        {"time": second, "event": "session_closed", "date": DAY},
    ]  # fmt: skip
    assert result.dumps[DAY, "A", "2m"] == [
        {
            "timestamp": us("09:30"), "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.25, "volume": 150.0,
            "bar_count": 2,
        }
    ]  # fmt: skip
    assert [bar["timestamp"] for bar in result.dumps[DAY, "A", "1m"]] == [us("09:30"), us("09:31")]
    assert result.quality == {"A": {DAY: {"1m": {"expected": 2, "present": 2, "percent": 100.0}}}}
    assert not result.failed


def test_a_sparse_day_shows_derived_bars_at_their_windows_end_and_reports_gaps() -> None:
    result = run(config(streams=["1m", "5m"]), {("A", "1m"): rows("09:30", "09:36")})
    assert after(result, ACTIVE) == [
        "09:31 bar A 1m 09:30-09:31 x1 lag 0",
        "09:35 bar A 5m 09:30-09:35 x1 lag 0",
        "09:37 bar A 1m 09:36-09:37 x1 lag 0",
        "09:40 bar A 5m 09:35-09:40 x1 lag 0",
        "09:40 session_deactivated close 0 -",
        "09:40 gap A 1m 09:31-09:36 5",
        "09:40 gap A 1m 09:37-09:40 3",
        "09:40 session_closed 2024-07-02",
    ]
    assert result.quality["A"][DAY] == {"1m": {"expected": 10, "present": 2, "percent": 20.0}}


def test_bars_of_one_end_come_by_rank_and_then_by_interval_length() -> None:
    stored = {("A", "1m"): minutes("09:30", 2), ("B", "1m"): minutes("09:30", 2)}
    result = run(config(["B", "A"], ["2m", "1m"], hours=("09:30", "09:32")), stored)
    assert lines(result)[1:10] == [
        "09:30 symbol_pending B configured",
        "09:30 symbol_pending A configured",
        "09:30 symbol_loaded B caught_up",
        "09:30 symbol_loaded A caught_up",
        ACTIVE,
        "09:31 bar B 1m 09:30-09:31 x1 lag 0",
        "09:31 bar A 1m 09:30-09:31 x1 lag 0",
        "09:32 bar B 1m 09:31-09:32 x1 lag 0",
        "09:32 bar B 2m 09:30-09:32 x2 lag 0",
    ]
    assert lines(result)[10:12] == [
        "09:32 bar A 1m 09:31-09:32 x1 lag 0",
        "09:32 bar A 2m 09:30-09:32 x2 lag 0",
    ]


def test_complete_derived_bars_need_every_slot_of_their_window() -> None:
    stored = {("A", "1m"): [*minutes("09:30", 4), *minutes("09:35", 5)]}
    any_bar = run(config(streams=["5m"]), stored)
    complete = run(config(streams=["5m"], derived_bars="complete"), stored)
    assert bars_of(any_bar, "A") == [
        "09:35 bar A 5m 09:30-09:35 x4 lag 0",
        "09:40 bar A 5m 09:35-09:40 x5 lag 0",
    ]
    assert bars_of(complete, "A") == ["09:40 bar A 5m 09:35-09:40 x5 lag 0"]
    assert [bar["timestamp"] for bar in complete.dumps[DAY, "A", "5m"]] == [us("09:35")]


def test_a_short_last_window_is_complete_with_the_slots_that_it_has() -> None:
    stored = {("A", "1m"): minutes("09:36", 4)}
    result = run(config(streams=["6m"], derived_bars="complete"), stored)
    assert bars_of(result, "A") == ["09:40 bar A 6m 09:36-09:40 x4 lag 0"]


def test_volumes_are_added_from_left_to_right() -> None:
    volumes = (0.1, 0.2, 0.3)
    stored = {("A", "1m"): [row(f"09:3{at}", volume=volume) for at, volume in enumerate(volumes)]}
    result = run(config(streams=["5m"]), stored)
    assert result.dumps[DAY, "A", "5m"][0]["volume"] == 0.6000000000000001  # fsum gives 0.6


@pytest.mark.parametrize(
    "bad",
    [
        RefBar(us("09:31"), 10.0, 9.0, 9.0, 9.0, 1.0),  # open above high
        RefBar(us("09:31"), 9.0, 10.0, 9.0, 8.0, 1.0),  # close below low
        RefBar(us("09:31"), 0.0, 1.0, 0.0, 1.0, 1.0),  # price not positive
        RefBar(us("09:31"), 1.0, 1.0, 1.0, 1.0, -1.0),  # negative volume
        RefBar(us("09:31"), 1.0, float("inf"), 1.0, 1.0, 1.0),  # not finite
        RefBar(us("09:31"), 1.0, 1.0, 1.0, 1.0, float("nan")),  # not a number
        row("09:31:30"),  # off the grid
        RefBar(us("16:31"), 1.0, 1.0, 1.0, 1.0, -1.0),  # invalid and out of hours: charged once, as invalid
    ],
)
def test_an_invalid_row_is_counted_as_rejected_and_disturbs_nothing_else(bad: RefBar) -> None:
    good = run(config(), {("A", "1m"): rows("09:30")})
    result = run(config(), {("A", "1m"): [bad, row("09:30")]})
    assert result.events == good.events
    assert result.counts["A"]["received"] == 2
    assert result.counts["A"]["accepted"] == 1
    assert result.counts["A"]["rejected"] == 1


def test_rows_before_the_open_and_from_the_close_on_are_out_of_hours() -> None:
    stored = {("A", "1m"): [*rows("04:00", "09:29", "09:30", "09:39", "09:40", "23:59"), row("2024-07-03 00:00")]}
    result = run(config(), stored)
    assert bars_of(result, "A") == [
        "09:31 bar A 1m 09:30-09:31 x1 lag 0",
        "09:40 bar A 1m 09:39-09:40 x1 lag 0",
    ]
    assert result.counts["A"] == {
        "received": 6, "accepted": 2, "duplicate": 0, "revised": 0, "late": 0, "out_of_hours": 4, "rejected": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("every", "evaluations"), [(1, 15), (10, 2), (15, 1), (14, 2), (100, 1)])
def test_the_lag_is_evaluated_at_every_nth_base_bar(every: int, evaluations: int) -> None:
    settings = config(streams=["1m", "5m"], hours=("09:30", "09:45"), streaming={"catchup_check_interval": every})
    assert run(settings, {("A", "1m"): minutes("09:30", 15)}).lag_evaluations == evaluations


@pytest.mark.parametrize(("every", "evaluations"), [(1, 3), (2, 3), (3, 2), (4, 2), (6, 1)])
def test_an_instant_with_several_due_bars_is_evaluated_once(every: int, evaluations: int) -> None:
    stored = {("A", "1m"): minutes("09:30", 3), ("B", "1m"): minutes("09:30", 3)}
    settings = config(["A", "B"], streaming={"catchup_check_interval": every})
    assert run(settings, stored).lag_evaluations == evaluations  # positions 0 1 | 2 3 | 4 5


def test_base_bars_count_for_evaluations_though_nobody_requested_them() -> None:
    settings = config(streams=["5m"], streaming={"catchup_check_interval": 4})
    assert run(settings, {("A", "1m"): minutes("09:30", 10)}).lag_evaluations == 3


def test_a_known_symbol_without_a_bar_today_is_loaded_with_quality_zero() -> None:
    result = run(config(), {("A", "1m"): rows("09:30", day="2024-06-03")})
    assert lines(result) == [
        *OPENED,
        "09:30 symbol_pending A configured",
        "09:30 symbol_loaded A caught_up",
        ACTIVE,
        "09:40 session_deactivated close 0 -",
        "09:40 gap A 1m 09:30-09:40 10",
        "09:40 session_closed 2024-07-02",
    ]
    assert result.quality["A"][DAY]["1m"] == {"expected": 10, "present": 0, "percent": 0.0}
    assert result.dumps[DAY, "A", "1m"] == []


def test_an_unknown_symbol_fails_and_the_others_go_on() -> None:
    stored: dict[tuple[str, str], Any] = {("A", "1m"): minutes("09:30", 10)}
    result = run(config(["X", "A"], hours=("09:30", "09:31")), stored)
    assert lines(result) == [
        *OPENED,
        "09:30 symbol_pending X configured",
        "09:30 symbol_pending A configured",
        "09:30 symbol_failed X",
        "09:30 symbol_loaded A caught_up",
        ACTIVE,
        "09:31 bar A 1m 09:30-09:31 x1 lag 0",
        "09:31 session_deactivated close 0 -",
        "09:31 session_closed 2024-07-02",
    ]
    assert result.events[3]["reason"]
    assert not result.failed
    assert list(result.counts) == ["A"]


def test_a_run_whose_configured_symbols_all_fail_has_failed() -> None:
    result = run(config(["X"], streams=["30s"]), {("X", "1m"): minutes("09:30", 10)})
    assert lines(result) == [*OPENED, "09:30 symbol_pending X configured", "09:30 symbol_failed X"]
    assert result.failed


@pytest.mark.parametrize("withdrawn", [False, True])
def test_a_failed_symbol_that_is_asked_for_again_and_withdrawn_is_no_failure(withdrawn: bool) -> None:
    schedule = [at("09:32", add="X"), at("09:34", add="X")]
    if withdrawn:
        schedule.append(at("09:34", remove="X"))
    result = run(config([], streams=["30s"], schedule=schedule), {("X", "1m"): minutes("09:30", 10)})
    assert result.failed is not withdrawn


def test_an_empty_list_of_symbols_means_none() -> None:
    result = run(config([]), {("A", "1m"): minutes("09:30", 10)})
    assert lines(result) == [*OPENED, ACTIVE, *CLOSED]
    assert not result.failed


def test_sessions_follow_each_other_and_only_new_symbols_are_announced() -> None:
    stored = {("A", "1m"): [row("09:30"), row("09:40"), row("2024-07-03 09:30")]}
    settings = config(
        dates=(DAY, "2024-07-04"),
        hours=("09:30", "09:31"),
        streaming={"catchup_check_interval": 5},
    )
    result = run(settings, stored)
    assert lines(result)[6:] == [
        "09:31 session_closed 2024-07-02",
        "09:30 session_opened 2024-07-03",
        ACTIVE,
        "09:31 bar A 1m 09:30-09:31 x1 lag 0",
        "09:31 session_deactivated close 0 -",
        "09:31 session_closed 2024-07-03",
    ]
    assert result.lag_evaluations == 2  # counted from each open
    assert result.counts["A"]["received"] == 3
    assert list(result.quality["A"]) == [DAY, "2024-07-03"]


def test_schedule_of_symbols_already_there_or_absent_does_nothing() -> None:
    stored = {("A", "1m"): minutes("09:30", 10)}
    plain = run(config(), stored)
    result = run(config(schedule=[at("09:33", add="A"), at("09:34", remove="B")]), stored)
    assert result.events == plain.events
