"""The benchmark's harness on a tiny shape: it measures what it says, and finds out who did other work."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks import arriving, bus, engine, floors, live, page
from benchmarks.case import Measured, Result, Task, Work
from benchmarks.data import Store, make_store
from benchmarks.harness import Bench, BenchmarkError, contenders_of, first_difference, run_process
from benchmarks.measure import measure
from benchmarks.peers.registry import PEERS
from benchmarks.run import choose_peers, main, works
from benchmarks.tables import report

TINY = Work("W2", 3, 2, 0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bars")


@pytest.fixture(scope="module")
def bars(folder: Path) -> pl.DataFrame:
    store = make_store(folder, TINY.symbols, TINY.days, TINY.missing)
    return pl.read_parquet(list(store.task(TINY, "").files)).sort("symbol", "timestamp")


def expected_sma(bars: pl.DataFrame) -> float:
    """The sum of each symbol's last SMA, by hand."""
    total = 0.0
    for frame in bars.partition_by("symbol"):
        starts = frame["timestamp"].to_physical().to_numpy()
        window, closes = starts // 300_000_000, frame["close"].to_numpy()
        lasts = closes[np.flatnonzero(np.diff(window, append=-1))]
        total += math.fsum(lasts[-20:]) / 20
    return total


def last_until(store: Store, minutes: int) -> pl.DataFrame:
    """The last symbol's bars of the first so many minutes."""
    task = store.task(Work("W3", 3, 1), "")
    until = pl.col("timestamp").to_physical() < task.opens_us[0] + minutes * 60_000_000
    return pl.read_parquet(list(task.files)).filter(pl.col("symbol") == "S00002", until)


def test_engine_and_floor_do_the_same_work_and_it_is_the_right_one(folder: Path, bars: pl.DataFrame) -> None:
    cases = [(TINY, contenders_of(TINY, [], folder))]
    records = Bench(folder, 60.0, lambda _: None).play(cases, 1)
    assert not records.problems
    assert list(records.results[TINY]) == ["mismartera on_bar", "mismartera on_slice", "floor: one Polars batch"]
    windows = bars.select(
        pl.struct("symbol", pl.col("timestamp").dt.truncate(length)).n_unique().alias(length)
        for length in ("5m", "15m")
    )
    for (result,) in records.results[TINY].values():
        measured = result.measured
        assert measured.bars == bars.height < TINY.symbols * TINY.days * 390
        assert measured.closes == pytest.approx(bars["close"].sum(), rel=1e-12)
        assert measured.derived == sum(windows.row(0))
        assert measured.sma == pytest.approx(expected_sma(bars), rel=1e-12)
        assert measured.cpu_seconds > 0
        assert result.empty_call_seconds > 0
        assert 0 < result.final_bytes <= result.peak_bytes
    text = report(cases, records, ["nobody was not run"])
    assert text.count("| mismartera on_") == 2
    assert "- nobody was not run" in text


def test_w1_is_the_same_work_for_engine_and_floors(folder: Path) -> None:
    work = Work("W1", 3, 2)
    store = make_store(folder, 3, 2)
    found = [engine.run(store.task(work, mode)) for mode in ("on_bar", "on_slice")]
    found += [floors.run(store.task(work, mode)) for mode in ("callback", "numpy")]
    assert {measured.bars for measured in found} == {2340}
    assert [measured.closes for measured in found] == pytest.approx([found[0].closes] * 4, rel=1e-12)
    assert all(measured.derived is None for measured in found)


def test_instants_that_arrive_one_by_one_give_what_a_day_at_once_does(folder: Path) -> None:
    store = make_store(folder, TINY.symbols, TINY.days, TINY.missing)
    work = Work("W7", TINY.symbols, TINY.days, TINY.missing)
    found = [arriving.run(store.task(work, mode)) for mode in ("on_bar", "on_slice")]
    wanted = engine.run(store.task(TINY, "on_bar"))
    for measured in found:
        assert (measured.bars, measured.derived, measured.sma) == (wanted.bars, wanted.derived, wanted.sma)
        assert measured.closes == pytest.approx(wanted.closes, rel=1e-12)
    assert found[0].extra["latency_seconds"] > 0


def test_a_symbol_that_joins_a_later_day_and_memory_are_measured(folder: Path) -> None:
    one, two = make_store(folder, 3, 1), make_store(folder, 3, 2)
    joined = engine.run(one.task(Work("W3", 3, 1), "on_bar"))
    assert joined.bars == 2 * 390
    assert joined.sma == pytest.approx(expected_sma(last_until(one, 150)), rel=1e-12)
    assert joined.extra["read_cpu_seconds"] > 0
    loaded = engine.run(two.task(Work("W4", 3, 1), "derived"))
    assert loaded.bars == 3 * 390
    assert loaded.load_cpu_seconds > 0
    assert len(engine.run(two.task(Work("W6", 3, 2), "on_bar")).extra["memory_bytes"]) == 2


def test_the_live_stage_shows_corrects_and_comes_back() -> None:
    reader = live.Reader()
    with live.staged(3, 6, reader) as stage:
        stage.market.trades[4, 1] = False
        for minute in range(4):
            assert live.frame_seconds(stage, minute, reader) > 0
        assert reader.bars == 3 * 4
        stage.market.correct(2, [1])
        stage.feed.send(stage.market.frame("u", 2, [1]))
        stage.settle()
        assert reader.revisions == 1
        assert live.seconds_to_come_back(stage, 5, reader) > 0
        found = stage.system.session_data.get_bars("S00001", "1m")
        assert found is not None
        assert len(found) == 5, "what was missed is there, but for the minute without trades"
        assert found.close.tolist() == [float(price) for price in stage.market.prices[3, [0, 1, 2, 3, 5], 1]]
    assert not stage.system.warnings


@pytest.mark.parametrize(("is_bus", "to_strategy"), [(True, True), (True, False), (False, True)])
def test_a_minute_is_measured_on_its_way_over_the_bus_and_without_it(is_bus: bool, to_strategy: bool) -> None:
    seconds = bus.measured(2, 9, bus=is_bus, strategy=to_strategy)
    assert len(seconds) >= 2
    assert 0 < min(seconds) <= max(seconds) < 5


def test_the_command_measures_and_writes_json(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(command: tuple[str, ...], task: Task, _: float) -> Result:
        return measure({"engine": engine.run, "floors": floors.run}[command[-1]], task)

    monkeypatch.setattr("benchmarks.harness.run_process", here)
    path = folder / "results.json"
    arguments = ["--rounds", "2", "--only", "W1", "--shapes", "2x1", "--peers", "none"]
    assert main([*arguments, "--data", str(folder), "--json", str(path)]) == 0
    shown = capsys.readouterr()
    assert shown.out.count("| floor: ") == 2
    written = json.loads(path.read_text("utf-8"))
    bars = {
        entry["contender"]: [row["measured"]["bars"] for row in entry["rounds"]] for entry in written["results"]
    }
    ours, floor = (
        ("mismartera on_bar", "mismartera on_slice"),
        ("callback over a ready list", "NumPy stable merge"),
    )
    assert bars == {name: [780, 780] for name in (*ours, *(f"floor: {name}" for name in floor))}
    assert written["problems"] == []


def test_other_work_is_an_error_that_names_both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter((780, 779))

    def measured(*_: object) -> Result:
        return Result(Measured(next(counts)), 5e-8, 2, 1, {})

    monkeypatch.setattr("benchmarks.harness.run_process", measured)
    work = Work("W1", 2, 1)
    records = Bench(folder, 60.0, lambda _: None).play([(work, contenders_of(work, [], folder)[:2])], 1)
    text = "mismartera on_slice did other work than mismartera on_bar: bars 779 instead of 780"
    assert records.disagreements == [f"W1 2 x 1: {text}"]
    assert list(records.results[work]) == ["mismartera on_bar"]


def test_sums_may_differ_by_the_order_of_adding_and_no_more() -> None:
    one = Result(Measured(3, closes=100.0, derived=1, sma=7.0), 5e-8, 2, 1, {})

    def changed(**values: float) -> Result:
        return dataclasses.replace(one, measured=dataclasses.replace(one.measured, **values))  # type: ignore[arg-type]

    assert first_difference(one, changed(closes=100.0 + 1e-10)) is None
    assert first_difference(one, changed(closes=100.01)) == "closes 100.01 instead of 100.0"
    assert first_difference(one, changed(derived=2)) == "derived 2 instead of 1"
    assert first_difference(one, changed(sma=7.1)) == "sma 7.1 instead of 7.0"


def test_a_process_that_fails_is_told_with_its_last_words(folder: Path) -> None:
    task = make_store(folder, 2, 1).task(Work("W1", 2, 1), "")
    with pytest.raises(BenchmarkError, match="exit status 3: no such thing"):
        run_process([sys.executable, "-c", "import sys; print('no such thing'); sys.exit(3)"], task, 60.0)


def test_a_task_survives_its_way_to_another_process(folder: Path) -> None:
    task = make_store(folder, 2, 1).task(Work("W1", 2, 1), "on_bar")
    assert Task.from_json(task.to_json()) == task


def test_a_peer_that_cannot_run_is_reported_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "akquant").mkdir()
    (tmp_path / "akquant" / "failed").write_text("ERROR: no such version", "utf-8")
    (tmp_path / "backtrader").mkdir()
    (tmp_path / "backtrader" / "ready").touch()
    peers, absent = choose_peers("akquant,backtrader,basana", tmp_path)
    assert [peer.name for peer in peers] == ["backtrader"]
    assert absent == [
        "akquant was not run: it does not install here: ERROR: no such version",
        "basana was not run: it is not set up: python -m benchmarks.peers.setup basana",
    ]
    assert choose_peers("none", tmp_path) == ([], [])


def test_bars_are_seeded_and_gaps_leave_the_others_as_they_are(folder: Path) -> None:
    full, gappy = (
        pl.read_parquet(list(make_store(folder, 2, 1, missing).task(Work("W1", 2, 1), "").files))
        for missing in (0.0, 0.05)
    )
    assert full.height == 780
    assert 700 < gappy.height < 780
    assert gappy.join(full, on=full.columns, how="anti").is_empty()
    assert full["close"].sum() == pytest.approx(full["close"].round(2).sum(), abs=0)


def test_every_peer_says_what_it_does_and_lacks() -> None:
    for peer in PEERS.values():
        assert peer.does
        assert peer.lacks
        assert (Path(__file__).parents[2] / "benchmarks" / "peers" / f"drive_{peer.name}.py").exists()


def test_the_gappy_variant_stands_beside_its_shape() -> None:
    assert [work.label for work in works(["W1"], [(100, 5)], None)] == ["W1 100 x 5", "W1 100 x 5, 5% missing"]
    assert [work.label for work in works(["W2", "W4"], [(1, 2)], 0.1)] == ["W2 1 x 2, 10% missing", "W4 500 x 1"]


def test_the_page_s_table_has_a_row_a_case() -> None:
    figures = page.Figures(
        page.CASES[0], [16.0] * 98 + [40.0, 100.0], [60.0, 51.0], messages=1200, busy=0.08,
        heap=(3 << 20, 4 << 20), nodes=(1000, 1001), list_rows=16,
    )  # fmt: skip
    head, line, row = page.table([figures]).splitlines()
    assert head.count("|") == line.count("|") == row.count("|")
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:8] == ["1280 x 800", "100", "16.0", "40.6", "100", "2.00 %", "2", "60"]
    assert cells[8:] == ["8 %", "1,200", "3.0 to 4.0", "1,000 to 1,001", "16"]
