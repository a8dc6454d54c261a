"""The full check of a store and its repair: what is damaged is named, moved aside, and the rest loads (D05)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from tests.unit.catalog.helpers import DAY_US, OPEN_US, block, data_files, frame, held

from mismartera.catalog import DataManager, append, examine, repair
from mismartera.catalog.verify import sealed_name

FILE_DAY = "date=2024-07-02"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two symbols on two days."""
    data = DataManager(tmp_path / "store", warn=pytest.fail)
    data.write_many((name, "1m", frame([*range(60), *range(1440, 1500)])) for name in ("A", "B"))
    return data.path


def rows_of(store: Path, warn: Callable[[str], None] = pytest.fail) -> int:
    data = DataManager(store, warn=warn)
    return len(held(data.read_block("1m", OPEN_US, OPEN_US + 2 * DAY_US, data.symbols())))


def replaced(path: Path, rows: pl.DataFrame) -> Path:
    """Put a file with other rows, of the right size for a hasty look, in the place of ``path``."""
    rows.write_parquet(path, compression="lz4")
    return path


def _unsorted(path: Path) -> None:
    replaced(path, pl.read_parquet(path, hive_partitioning=False).reverse())


def _repeated(path: Path) -> None:
    rows = pl.read_parquet(path, hive_partitioning=False)
    replaced(path, pl.concat([rows, rows]).sort("symbol", "timestamp"))


def _impossible(path: Path) -> None:
    replaced(path, pl.read_parquet(path, hive_partitioning=False).with_columns(high=pl.lit(0.5)))


def _no_rows(path: Path) -> None:
    replaced(path, pl.read_parquet(path, hive_partitioning=False).clear())


def _mixed_zones(path: Path) -> None:
    rows = pl.read_parquet(path, hive_partitioning=False)
    replaced(path, rows.with_columns(pl.col("timestamp").dt.convert_time_zone("Asia/Tokyo")))


def _foreign(path: Path) -> None:
    replaced(path, pl.DataFrame({"symbol": ["A"], "price": [1.0]}))


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _zero(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [
    _unsorted, _repeated, _impossible, _no_rows, _mixed_zones, _foreign, _flipped, _truncated, _zero, Path.unlink,
]  # fmt: skip

SEEN_BY_READS = [damage for damage in DAMAGES if damage not in {_flipped, _impossible}]
"""A flip in a price needs the digest; bars that cannot be are rejected, and counted, by the session."""


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_damaged_is_found_and_repaired_and_an_import_brings_it_again(
    store: Path, damage: Callable[[Path], None]
) -> None:
    """D05"""
    (broken,) = [path for path in data_files(store) if path.parent.name == FILE_DAY]
    damage(broken)
    found = examine(store)
    (problem,) = found.problems
    assert f"{broken} (1m bars of 2024-07-02, symbols A to B) is damaged: " in problem
    told: list[str] = []
    assert repair(store, told.append).problems == [problem]
    assert "import their source again" in told[0]
    assert not broken.exists()
    aside = list((store / "_quarantine").glob("*"))
    assert len(aside) == (0 if damage is Path.unlink else 1)
    assert examine(store).problems == []
    assert rows_of(store) == 120
    report = DataManager(store).write_many((name, "1m", frame(range(60))) for name in ("A", "B"))
    assert report.accepted == 120
    assert rows_of(store) == 240


@pytest.mark.parametrize("damage", SEEN_BY_READS, ids=lambda damage: damage.__name__)
def test_a_read_leaves_out_what_is_damaged_and_names_it_once(store: Path, damage: Callable[[Path], None]) -> None:
    """D05: without the digest, by size, rows, order and types; nothing is changed on the disk."""
    (broken,) = [path for path in data_files(store) if path.parent.name == FILE_DAY]
    damage(broken)
    before = sorted(store.rglob("*"))
    told: list[str] = []
    assert rows_of(store, told.append) == 120
    (text,) = told
    assert str(broken) in text
    assert sorted(store.rglob("*")) == before


def test_what_may_have_held_a_symbol_is_told_once_it_was_met(store: Path) -> None:
    (broken,) = [path for path in data_files(store) if path.parent.name == FILE_DAY]
    _zero(broken)
    data = DataManager(store, warn=lambda _: None)
    assert data.damage_to("A") is None, "nobody has read it yet"
    data.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"])
    told = data.damage_to("A") or ""
    assert told.startswith(
        f"the store's file {broken} (1m bars of 2024-07-02, symbols A to B) is damaged: parquet"
    )
    assert data.damage_to("Z") is None


def test_a_write_that_meets_a_damaged_file_takes_it_out_and_goes_on(store: Path) -> None:
    """D05: a live session or an import is not held up, and damage gets no new digest."""
    (broken,) = [path for path in data_files(store) if path.parent.name == FILE_DAY]
    _flipped(broken)
    told: list[str] = []
    data = DataManager(store, warn=told.append)
    assert data.write_bars("A", "1m", frame(range(60))).accepted == 60
    assert [str(broken) in text for text in told] == [True]
    assert rows_of(store) == 180
    assert examine(store).problems == []


def test_a_compaction_takes_no_damaged_file_over(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D05"""
    monkeypatch.setattr(append, "TINY_ROWS_MAX", 0)
    told: list[str] = []
    data = DataManager(store, warn=told.append)
    (broken,) = [path for path in data_files(store) if path.parent.name == FILE_DAY]
    data.write_block("1m", block({"A": [100], "B": [100]}))
    _flipped(broken)
    assert data.compact() == 0
    assert len(told) == 1
    assert rows_of(store) == 122


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (number, text)
        for number in (1, 2, 3, 4)
        for text in (b"", b"\0" * 400, b'{"add": ', b"other\n", None)
        if (number, text) != (4, None)  # a log that ends earlier is a log
    ],
    ids=repr,
)
def test_any_entry_of_the_log_may_be_damaged_and_no_bar_is_lost(
    store: Path, number: int, text: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D05: the bars of the damaged commit are found by their files, the newest values count."""
    monkeypatch.setattr(append, "TINY_ROWS_MAX", 0)
    data = DataManager(store, warn=pytest.fail)
    data.write_block("1m", block({"A": [0, 200], "B": [0]}, 20.0))
    data.write_bars("A", "1m", frame(range(1440, 1445), 30.0))
    data.write_block("1m", block({"A": [201]}))
    whole = held(data.read_block("1m", OPEN_US, OPEN_US + 2 * DAY_US, ["A", "B"]))
    log = store / "_delta_log" / f"{number:020}.json"
    if text is None:
        log.unlink()
    else:
        log.write_bytes(text)
    assert any(str(log) in problem for problem in examine(store).problems)
    told: list[str] = []
    before = DataManager(store, warn=told.append)
    assert before.version == number - 1
    assert str(log) in told[0]
    repair(store, told.append)
    assert examine(store).problems == []
    mended = DataManager(store, warn=pytest.fail)
    assert held(mended.read_block("1m", OPEN_US, OPEN_US + 2 * DAY_US, ["A", "B"])) == whole


def test_a_flip_in_an_entry_that_stays_json_is_found(store: Path) -> None:
    """D05: an entry of ours carries the digest of its lines."""
    log = store / "_delta_log" / f"{1:020}.json"
    log.write_text(log.read_text().replace('"numRecords\\": 120', '"numRecords\\": 121'))
    (problem, *_) = examine(store).problems
    assert f"{log} is damaged: its text has changed since it was written" in problem


def test_a_whole_store_has_no_problems_and_old_files_are_told_as_unsealed(store: Path) -> None:
    assert (examine(store).files, examine(store).unsealed, examine(store).problems) == (2, 0, [])
    assert repair(store, pytest.fail).problems == []
    assert sealed_name(b"x") != sealed_name(b"x"), "a name is never used twice"
