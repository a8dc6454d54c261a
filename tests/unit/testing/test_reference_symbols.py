"""The reference model: symbols that come and go, and the gate, against tables written out by hand."""

from __future__ import annotations

from tests.unit.testing.tables import DAY, after, at, bars_of, config, lines, minutes, row, rows, run

FULL = minutes("09:30", 10)
AT_0937 = "09:37 bar A 1m 09:36-09:37 x1 lag 0"


def test_a_late_symbol_catches_up_in_silence_and_its_fresh_bars_are_delivered() -> None:
    settings = config(schedule=[at("09:37", add="B")], streaming={"catchup_threshold_seconds": 120})
    result = run(settings, {("A", "1m"): FULL, ("B", "1m"): FULL})
    assert after(result, AT_0937) == [
        "09:37 symbol_pending B added",
        "09:37 session_deactivated lag 360 B",
        "09:37 session_activated caught_up 120 B",  # exactly at the threshold is not stale
        "09:37 symbol_loaded B caught_up",
        "09:37 bar B 1m 09:34-09:35 x1 lag 120",
        "09:37 bar B 1m 09:35-09:36 x1 lag 60",
        "09:37 bar B 1m 09:36-09:37 x1 lag 0",
        "09:38 bar A 1m 09:37-09:38 x1 lag 0",
        "09:38 bar B 1m 09:37-09:38 x1 lag 0",
        "09:39 bar A 1m 09:38-09:39 x1 lag 0",
        "09:39 bar B 1m 09:38-09:39 x1 lag 0",
        "09:40 bar A 1m 09:39-09:40 x1 lag 0",
        "09:40 bar B 1m 09:39-09:40 x1 lag 0",
        "09:40 session_deactivated close 0 -",
        "09:40 session_closed 2024-07-02",
    ]
    assert result.dumps[DAY, "B", "1m"] == result.dumps[DAY, "A", "1m"]
    assert result.quality["B"] == result.quality["A"]
    assert result.counts["B"] == result.counts["A"]


def test_silent_bars_do_not_count_for_evaluations_and_fresh_ones_of_a_backlog_do() -> None:
    streaming = {"catchup_threshold_seconds": 120, "catchup_check_interval": 1}
    settings = config(schedule=[at("09:37", add="B")], streaming=streaming)
    result = run(settings, {("A", "1m"): FULL, ("B", "1m"): FULL})
    assert result.lag_evaluations == 7 + 3 + 3  # alone, the fresh backlog, together


def test_a_command_between_two_bars_moves_the_clock_to_its_second() -> None:
    settings = config(schedule=[at("09:32:45", add="B")], hours=("09:30", "09:34"))
    result = run(settings, {("A", "1m"): FULL, ("B", "1m"): FULL})
    assert after(result, "09:32 bar A 1m 09:31-09:32 x1 lag 0")[:6] == [
        "09:32:45 symbol_pending B added",
        "09:32:45 session_deactivated lag 105 B",
        "09:32:45 session_activated caught_up 45 B",
        "09:32:45 symbol_loaded B caught_up",
        "09:32:45 bar B 1m 09:31-09:32 x1 lag 45",
        "09:33 bar A 1m 09:32-09:33 x1 lag 0",
    ]


def test_a_drained_backlog_activates_without_lag() -> None:
    settings = config(schedule=[at("09:37", add="B")])
    result = run(settings, {("A", "1m"): FULL, ("B", "1m"): rows("09:30", "09:31")})
    assert after(result, AT_0937)[:5] == [
        "09:37 symbol_pending B added",
        "09:37 session_deactivated lag 360 B",
        "09:37 session_activated caught_up 0 -",
        "09:37 symbol_loaded B caught_up",
        "09:38 bar A 1m 09:37-09:38 x1 lag 0",
    ]


def test_a_symbol_without_a_stale_bar_joins_without_deactivation() -> None:
    settings = config(schedule=[at("09:37", add="B")])
    result = run(settings, {("A", "1m"): FULL, ("B", "1m"): rows("09:36", "09:38")})
    assert after(result, AT_0937)[:5] == [
        "09:37 symbol_pending B added",
        "09:37 symbol_loaded B caught_up",
        "09:37 bar B 1m 09:36-09:37 x1 lag 0",
        "09:38 bar A 1m 09:37-09:38 x1 lag 0",
        "09:39 bar A 1m 09:38-09:39 x1 lag 0",
    ]


def test_base_bars_make_lag_and_end_it_though_nobody_requested_them() -> None:
    settings = config(["A"], ["5m"], schedule=[at("09:37", add="B")])
    result = run(settings, {("A", "1m"): FULL, ("B", "1m"): rows("09:30", "09:35")})
    assert after(result, "09:35 bar A 5m 09:30-09:35 x5 lag 0")[:5] == [
        "09:37 symbol_pending B added",
        "09:37 session_deactivated lag 360 B",
        "09:37 session_activated caught_up 60 B",  # by the bar that ended at 09:36
        "09:37 symbol_loaded B caught_up",  # the derived bar of 09:35 was stale: never delivered
        "09:40 bar A 5m 09:35-09:40 x5 lag 0",
    ]


def test_symbols_added_together_have_one_merged_backlog() -> None:
    settings = config(schedule=[at("09:37", add="C"), at("09:37", add="B")])
    stored = {("A", "1m"): FULL, ("B", "1m"): minutes("09:31", 6), ("C", "1m"): rows("09:31", "09:35", "09:36")}
    assert after(run(settings, stored), AT_0937)[:11] == [
        "09:37 symbol_pending C added",
        "09:37 symbol_pending B added",
        "09:37 session_deactivated lag 300 C",
        "09:37 session_activated caught_up 60 C",
        "09:37 symbol_loaded C caught_up",
        "09:37 symbol_loaded B caught_up",
        "09:37 bar C 1m 09:35-09:36 x1 lag 60",
        "09:37 bar B 1m 09:35-09:36 x1 lag 60",
        "09:37 bar C 1m 09:36-09:37 x1 lag 0",
        "09:37 bar B 1m 09:36-09:37 x1 lag 0",
        "09:38 bar A 1m 09:37-09:38 x1 lag 0",
    ]


def test_with_scope_symbol_each_joining_symbol_is_judged_by_itself() -> None:
    names = ["B", "C", "D"]
    settings = config(schedule=[at("09:37", add=name) for name in names], streaming={"catchup_scope": "symbol"})
    stored = {("A", "1m"): FULL, ("B", "1m"): FULL, ("C", "1m"): rows("09:31"), ("D", "1m"): rows("09:36")}
    assert after(run(settings, stored), AT_0937)[:14] == [
        "09:37 symbol_pending B added",
        "09:37 symbol_pending C added",
        "09:37 symbol_pending D added",
        "09:37 symbol_deactivated lag 360 B",
        "09:37 symbol_deactivated lag 300 C",
        "09:37 symbol_activated caught_up 60 B",
        "09:37 symbol_loaded B caught_up",
        "09:37 symbol_activated caught_up 0 C",
        "09:37 symbol_loaded C caught_up",
        "09:37 symbol_loaded D caught_up",
        "09:37 bar B 1m 09:35-09:36 x1 lag 60",
        "09:37 bar B 1m 09:36-09:37 x1 lag 0",
        "09:37 bar D 1m 09:36-09:37 x1 lag 0",
        "09:38 bar A 1m 09:37-09:38 x1 lag 0",
    ]


def test_a_removed_symbol_is_shown_no_more_and_counted_to_its_removal() -> None:
    settings = config(["A", "B"], schedule=[at("09:32", remove="B")], hours=("09:30", "09:33"))
    stored = {("A", "1m"): FULL, ("B", "1m"): [*rows("09:00", "09:31", "17:00"), *minutes("09:32", 3)]}
    result = run(settings, stored)
    assert after(result, "09:32 bar A 1m 09:31-09:32 x1 lag 0") == [
        "09:32 bar B 1m 09:31-09:32 x1 lag 0",
        "09:32 symbol_removed B removed",
        "09:33 bar A 1m 09:32-09:33 x1 lag 0",
        "09:33 session_deactivated close 0 -",
        "09:33 session_closed 2024-07-02",
    ]
    assert result.quality["B"][DAY]["1m"] == {"expected": 2, "present": 1, "percent": 50.0}
    assert {kind: count for kind, count in result.counts["B"].items() if count} == {
        "received": 2, "accepted": 1, "out_of_hours": 1,
    }  # fmt: skip
    assert list(result.dumps) == [(DAY, "A", "1m")]


def test_a_symbol_added_again_is_a_new_generation_with_the_last_rank() -> None:
    schedule = [at("09:33", remove="B"), at("09:34", add="B")]
    result = run(config(["B", "A"], schedule=schedule), {("A", "1m"): FULL, ("B", "1m"): FULL})
    assert after(result, "09:32 bar A 1m 09:31-09:32 x1 lag 0")[:12] == [
        "09:33 bar B 1m 09:32-09:33 x1 lag 0",
        "09:33 bar A 1m 09:32-09:33 x1 lag 0",
        "09:33 symbol_removed B removed",
        "09:34 bar A 1m 09:33-09:34 x1 lag 0",
        "09:34 symbol_pending B added",
        "09:34 session_deactivated lag 180 B",
        "09:34 session_activated caught_up 60 B",
        "09:34 symbol_loaded B caught_up",
        "09:34 bar B 1m 09:32-09:33 x1 lag 60 g2",  # delivered again: it is not stale
        "09:34 bar B 1m 09:33-09:34 x1 lag 0 g2",
        "09:35 bar A 1m 09:34-09:35 x1 lag 0",
        "09:35 bar B 1m 09:34-09:35 x1 lag 0 g2",
    ]
    assert result.counts["B"]["accepted"] == 10  # the last generation's, not both
    assert len(result.dumps[DAY, "B", "1m"]) == 10


def test_entries_of_one_time_act_in_their_order_and_load_together() -> None:
    schedule = [at("09:37", add=name) for name in ("B", "C")]
    schedule += [at("09:37", remove="B"), at("09:37", remove="A"), at("09:37", add="A")]
    stored = {("A", "1m"): FULL, ("B", "1m"): FULL, ("C", "1m"): rows("09:36")}
    result = run(config(schedule=schedule), stored)
    assert after(result, AT_0937)[:12] == [
        "09:37 symbol_pending B added",
        "09:37 symbol_pending C added",
        "09:37 symbol_removed B removed",
        "09:37 symbol_removed A removed",
        "09:37 symbol_pending A added",
        "09:37 session_deactivated lag 360 A",
        "09:37 session_activated caught_up 60 A",
        "09:37 symbol_loaded C caught_up",
        "09:37 symbol_loaded A caught_up",
        "09:37 bar A 1m 09:35-09:36 x1 lag 60 g2",
        "09:37 bar C 1m 09:36-09:37 x1 lag 0",
        "09:37 bar A 1m 09:36-09:37 x1 lag 0 g2",
    ]
    assert "B" not in result.counts  # it never got as far as a bar


def test_an_unknown_symbol_that_is_added_fails_and_may_be_added_again() -> None:
    schedule = [at("09:32", add="X"), at("09:33", add="X"), at("09:33", add="B", streams=["30s"])]
    stored = {("A", "1m"): rows("09:30"), ("B", "1m"): rows("09:36")}
    result = run(config(schedule=schedule), stored)
    assert after(result, "09:31 bar A 1m 09:30-09:31 x1 lag 0")[:7] == [
        "09:32 symbol_pending X added",
        "09:32 symbol_failed X",
        "09:33 symbol_pending X added",
        "09:33 symbol_pending B added",
        "09:33 symbol_failed X",
        "09:33 symbol_failed B",
        "09:40 session_deactivated close 0 -",
    ]
    assert not result.failed


def test_an_added_symbol_has_the_streams_of_its_entry_in_this_and_later_sessions() -> None:
    settings = config(schedule=[at("09:40", add="B", streams=["5m"])], dates=(DAY, "2024-07-03"))
    stored = {("A", "1m"): rows("09:30"), ("B", "1m"): minutes("09:35", 5, day="2024-07-03")}
    result = run(settings, stored)
    assert [key for key in result.dumps if key[1] == "B"] == [(DAY, "B", "5m"), ("2024-07-03", "B", "5m")]
    assert bars_of(result, "B") == ["09:40 bar B 5m 09:35-09:40 x5 lag 0"]


def test_an_entry_exactly_at_the_open_or_the_close_acts_in_that_session() -> None:
    settings = config(["A"], hours=("09:30", "09:32"), schedule=[at("09:32", add="C"), at("09:30", add="B")])
    stored = {("A", "1m"): rows("09:31"), ("B", "1m"): FULL, ("C", "1m"): FULL}
    result = run(settings, stored)
    assert after(result, "09:30 session_activated open 0 -") == [
        "09:30 symbol_pending B added",
        "09:30 symbol_loaded B caught_up",
        "09:31 bar B 1m 09:30-09:31 x1 lag 0",
        "09:32 bar A 1m 09:31-09:32 x1 lag 0",
        "09:32 bar B 1m 09:31-09:32 x1 lag 0",
        "09:32 symbol_pending C added",
        "09:32 symbol_loaded C caught_up",
        "09:32 bar C 1m 09:30-09:31 x1 lag 60",
        "09:32 bar C 1m 09:31-09:32 x1 lag 0",
        "09:32 session_deactivated close 0 -",
        "09:32 gap A 1m 09:30-09:31 1",
        "09:32 session_closed 2024-07-02",
    ]


def test_entries_outside_every_session_act_at_the_next_open_in_order_of_time() -> None:
    schedule = [
        at("21:00", remove="A"),
        at("17:00", add="B"),
        at("08:00", add="A"),  # already there by then
        at("10:00", day="2024-07-04", add="C"),  # no session follows
    ]
    settings = config(hours=("09:30", "09:31"), dates=(DAY, "2024-07-04"), schedule=schedule)
    stored = {("A", "1m"): [row("09:30"), row("2024-07-03 09:30")], ("B", "1m"): [row("2024-07-03 09:30")]}
    result = run(settings, stored)
    assert lines(result)[7:] == [
        "09:30 session_opened 2024-07-03",
        "09:30 session_activated open 0 -",
        "09:30 symbol_pending B added",
        "09:30 symbol_removed A removed",
        "09:30 symbol_loaded B caught_up",
        "09:31 bar B 1m 09:30-09:31 x1 lag 0",
        "09:31 session_deactivated close 0 -",
        "09:31 session_closed 2024-07-03",
    ]
    assert result.counts["A"]["accepted"] == 1
    assert result.quality["A"] == {
        DAY: {"1m": {"expected": 1, "present": 1, "percent": 100.0}},
        "2024-07-03": {"1m": {"expected": 0, "present": 0, "percent": None}},
    }


def test_an_empty_session_gets_its_first_symbol_later() -> None:
    result = run(config([], schedule=[at("09:38", add="B")]), {("B", "1m"): FULL})
    assert after(result, "09:30 session_activated open 0 -")[:5] == [
        "09:38 symbol_pending B added",
        "09:38 session_deactivated lag 420 B",
        "09:38 session_activated caught_up 60 B",
        "09:38 symbol_loaded B caught_up",
        "09:38 bar B 1m 09:36-09:37 x1 lag 60",
    ]
