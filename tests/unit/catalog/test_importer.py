"""Importing files: what is understood, what is refused, what is reported."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.unit.catalog.helpers import MINUTE_US, OPEN, OPEN_US, frame

from mismartera.catalog import DataManager, ImportReport, import_files
from mismartera.errors import DataError, SymbolError


@pytest.fixture
def store(tmp_path: Path) -> DataManager:
    return DataManager(tmp_path / "store")


def counts(report: ImportReport) -> tuple[int, int, int, int, int]:
    return report.rows, report.accepted, report.duplicate, report.revised, report.rejected


def minutes(store: DataManager, symbol: str = "AAPL", interval: str = "1m") -> list[int]:
    view = store.get_bars(symbol, interval, OPEN - timedelta(days=30), OPEN + timedelta(days=30))
    return [int(us) for us in (view.start_us - OPEN_US) // MINUTE_US]


def put(path: Path, content: str | bytes | pl.DataFrame) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pl.DataFrame):
        content.write_parquet(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


CSV = """timestamp,open,high,low,close,volume
2024-07-02T13:30:00Z,10,11,9,10.5,100
2024-07-02T13:31:00Z,10,11,9,10.5,100
"""


def test_a_tree_of_files_is_imported_and_the_second_time_changes_nothing(
    store: DataManager, tmp_path: Path
) -> None:
    for symbol in ("AAPL", "BTC%2FUSD"):
        for day in range(2):
            put(
                tmp_path / "in" / symbol / "1m" / f"2024-07-0{2 + day}.parquet",
                frame(range(day * 1440, day * 1440 + 5)),
            )
    calls: list[tuple[int, int, int]] = []
    report = import_files(store, [tmp_path / "in"], progress=lambda *call: calls.append(call))
    assert counts(report) == (20, 20, 0, 0, 0)
    assert (report.files, report.failed_files, report.version, report.notes) == (4, (), 1, ())
    assert store.symbols() == ("AAPL", "BTC/USD")
    assert calls[-1] == (4, 4, 20)
    assert [done for done, _, _ in calls] == [1, 2, 3, 4]
    again = import_files(store, [tmp_path / "in"])
    assert counts(again) == (20, 0, 20, 0, 0)
    assert again.version == 1


def test_small_batches_give_the_same_store(store: DataManager, tmp_path: Path) -> None:
    for n in range(6):
        put(tmp_path / "in" / f"S{n}" / "1m" / "2024-07-02.parquet", frame(range(10)))
    report = import_files(store, [tmp_path / "in"], batch_rows=20)
    assert counts(report) == (60, 60, 0, 0, 0)
    assert report.version == store.version == 3, "three commits, each of them whole"


def test_csv_with_symbol_and_interval_given(store: DataManager, tmp_path: Path) -> None:
    report = import_files(store, [put(tmp_path / "x.csv", CSV)], symbol="AAPL", interval="60s")
    assert counts(report) == (2, 2, 0, 0, 0)
    assert minutes(store) == [0, 1]


def test_zipped_csv_and_other_separators(store: DataManager, tmp_path: Path) -> None:
    put(tmp_path / "in" / "A.csv.gz", gzip.compress(CSV.encode()))
    for name, separator in (("B", ";"), ("C", "\t"), ("D", "|")):
        put(tmp_path / "in" / f"{name}.csv", CSV.replace(",", separator))
    put(tmp_path / "in" / "E.csv", "\ufeff" + CSV)
    report = import_files(store, [tmp_path / "in"], layout="{symbol}", interval="1m")
    assert counts(report) == (10, 10, 0, 0, 0)
    assert report.failed_files == ()


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("Time,Open,High,Low,Close,Volume", {}),
        ("Date Time,O,H,L,C,V", {}),
        ("<DATETIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>", {}),
        ("when,first,max,min,last,traded",
         {"when": "timestamp", "first": "open", "max": "high", "min": "low", "last": "close", "traded": "volume"}),
        ("volume,open,high,low,close,timestamp", {"volume": "timestamp", "timestamp": "volume"}),
    ],
)  # fmt: skip
def test_columns_by_alias_or_mapping(
    store: DataManager, tmp_path: Path, header: str, columns: dict[str, str]
) -> None:
    path = put(tmp_path / "x.csv", "\n".join([header, *CSV.splitlines()[1:]]))
    report = import_files(store, [path], symbol="AAPL", interval="1m", columns=columns)
    assert (counts(report), report.failed_files) == ((2, 2, 0, 0, 0), ())
    assert store.get_bars("AAPL", "1m", OPEN, OPEN + timedelta(days=1)).volume.tolist() == [100, 100]


def test_a_csv_without_header_is_mapped_by_number(store: DataManager, tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "20240702 093100;10;11;9;10.5;100\n20240702 093200;10;11;9;10.5;100\n")
    names = {"1": "timestamp", "2": "open", "3": "high", "4": "low", "5": "close", "6": "volume"}
    report = import_files(
        store, [path], symbol="AAPL", interval="1m", columns=names, tz="America/New_York", timestamps="end"
    )
    assert counts(report) == (2, 2, 0, 0, 0)
    assert minutes(store) == [0, 1]


def test_date_and_time_in_two_columns(store: DataManager, tmp_path: Path) -> None:
    row = "07/02/2024,09:3{},10,11,9,10.5,100\n"
    text = "Date,Time,Open,High,Low,Close,Volume\n" + row.format(0) + row.format(1)
    report = import_files(
        store, [put(tmp_path / "x.csv", text)], symbol="AAPL", tz="America/New_York", interval="1m"
    )
    assert counts(report) == (2, 2, 0, 0, 0)
    assert minutes(store) == [0, 1]


def test_many_symbols_and_intervals_in_one_file(store: DataManager, tmp_path: Path) -> None:
    rows = pl.concat(
        frame([0, 5]).with_columns(Ticker=pl.lit(name), timeframe=pl.lit(label))
        for name in ("AAPL", "MSFT", "bad name", None)
        for label in ("1m", "300s", "soon")
    )
    report = import_files(store, [put(tmp_path / "x.parquet", rows)])
    assert counts(report) == (24, 8, 0, 0, 16)
    assert report.reasons == {"bad_interval": 4, "bad_symbol": 12}
    assert {(row.symbol, row.interval, row.bars) for row in store.listing()} == {
        (name, label, 2) for name in ("AAPL", "MSFT") for label in ("1m", "5m")
    }


def test_the_interval_is_told_by_the_spacing_and_said(store: DataManager, tmp_path: Path) -> None:
    path = put(tmp_path / "x.parquet", frame([0, 5, 10, 25, 30, 35]))
    report = import_files(store, [path], symbol="AAPL")
    assert minutes(store, interval="5m") == [0, 5, 10, 25, 30, 35]
    assert report.notes == (f"{path}: the interval 5m was told by the spacing of the rows",)


@pytest.mark.parametrize(("at", "reason"), [([0], "one row tells none"), ([0, 1, 6, 11], "not clear")])
def test_an_unclear_interval_is_not_guessed(
    store: DataManager, tmp_path: Path, at: list[int], reason: str
) -> None:
    report = import_files(store, [put(tmp_path / "x.parquet", frame(at))], symbol="AAPL")
    assert report.rows == 0
    assert reason in report.failed_files[0][1]
    assert "give --interval" in report.failed_files[0][1]


def test_end_labels_are_moved_back(store: DataManager, tmp_path: Path) -> None:
    path = put(tmp_path / "x.parquet", frame([5, 10]))
    import_files(store, [path], symbol="AAPL", interval="5m", timestamps="end")
    assert minutes(store, interval="5m") == [0, 5]


def test_daily_end_labels_name_the_day_that_ends(store: DataManager, tmp_path: Path) -> None:
    """16:00 and the midnight after it are both the end of the same day."""
    text = "time,open,high,low,close,volume\n2024-07-02 16:00,10,11,9,10,1\n2024-07-04 00:00,10,11,9,10,1\n"
    path = put(tmp_path / "x.csv", text)
    import_files(store, [path], symbol="AAPL", interval="1d", timestamps="end", tz="America/New_York")
    view = store.get_bars("AAPL", "1d", OPEN - timedelta(days=9), OPEN + timedelta(days=9))
    assert [one.timestamp.isoformat() for one in view] == [
        "2024-07-02T00:00:00-04:00",
        "2024-07-03T00:00:00-04:00",
    ]


def test_bad_rows_are_charged_to_one_rule_with_file_and_values(store: DataManager, tmp_path: Path) -> None:
    """F13, F14"""
    broken = [
        "2024-07-02T13:32:00Z,ten,11,9,10,1", "2024-07-02T13:33:00Z,10,11,9,10,", "when,10,11,9,10,1",
        ",10,11,9,10,1",
        "2024-07-02T13:34:00Z,nan,11,9,10,1", "2024-07-02T13:35:00Z,10,inf,9,10,1",
        "2024-07-02T13:36:00Z,10,8,9,10,1",
        "2024-07-02T13:37:00Z,10,11,0,10,1", "2024-07-02T13:38:00Z,10,11,9,10,-1",
        "2024-07-02T13:39:30Z,10,11,9,10,1",
        "1066-10-14T13:40:00Z,10,11,9,10,1", "2300-07-02T13:40:00Z,10,11,9,10,1",
    ]  # fmt: skip
    path = put(tmp_path / "x.csv", CSV + "\n".join(broken))
    report = import_files(store, [path], symbol="AAPL", interval="1m")
    assert counts(report) == (14, 2, 0, 0, 12)
    assert report.reasons == {
        "bad_timestamp": 2, "high_low_order": 1, "negative_volume": 1, "not_a_number": 2, "not_finite": 2,
        "off_grid": 1,
        "out_of_range": 2, "price_not_positive": 1,
    }  # fmt: skip
    assert all(str(path) in text for text in report.examples)
    assert any(
        "2024-07-02T13:36:00+00:00: high_low_order (open=10.0, high=8.0" in text for text in report.examples
    )
    assert minutes(store) == [0, 1]


def test_unsorted_repeated_and_naive_rows_of_a_parquet(store: DataManager, tmp_path: Path) -> None:
    rows = pl.concat([frame([3, 1, 2]), frame([1]), frame([2], 50)])
    naive = rows.with_columns(
        pl.col("timestamp").dt.convert_time_zone("America/New_York").dt.replace_time_zone(None)
    )
    report = import_files(
        store, [put(tmp_path / "x.parquet", naive)], symbol="AAPL", interval="1m", tz="America/New_York"
    )
    assert counts(report) == (5, 3, 1, 1, 0)
    assert minutes(store) == [1, 2, 3]


def test_a_number_in_a_nonsense_unit_is_rejected_with_the_reason(store: DataManager, tmp_path: Path) -> None:
    """F14: 1e10 seconds are beyond 2100; minutes or days since 1970 would be a time of 1970 in seconds."""
    late = frame([0, 1]).with_columns(timestamp=pl.Series([10**10, 10**10 + 60]))
    report = import_files(store, [put(tmp_path / "x.parquet", late)], symbol="AAPL", interval="1m")
    assert report.reasons == {"out_of_range": 2}
    assert "allowed are 1970 to 2099" in report.examples[0]
    assert "seconds since 1970" in report.notes[0]
    early = frame([0, 1]).with_columns(timestamp=pl.Series([28_665_450, 28_665_451]))
    report = import_files(store, [put(tmp_path / "y.parquet", early)], symbol="AAPL", interval="1m")
    assert report.reasons == {"bad_timestamp": 2}
    assert "too small for seconds since 1970" in report.notes[0]


FAILURES: list[tuple[str, Any, str]] = [
    ("a.parquet", b"", "cannot be read as Parquet"),
    ("b.parquet", b"PAR1 not really", "cannot be read as Parquet"),
    ("c.csv", "", "the file is empty"),
    ("d.csv", "time,open\n1,2\n", "it lacks columns for ['high', 'low', 'close', 'volume']"),
    ("e.csv", CSV.replace("open", "close"), "could both be 'close': choose one with --columns OLD=close"),
    ("f.parquet", frame([0]).with_columns(open=pl.lit(value=True)), "column 'open' is Boolean"),
    ("g.parquet", frame([0]).with_columns(timestamp=pl.lit(value=True)), "column 'timestamp' is Boolean"),
    ("h.parquet", frame([0]).with_columns(symbol=pl.lit("MSFT")), "holds ['MSFT'], but 'AAPL' was asked for"),
    ("i.csv", CSV + '2024-07-02T13:32:00Z,"1,2,3,4,5\n', "cannot be read as CSV"),
    ("j.csv.gz", b"no gzip", "cannot be read as CSV"),
    ("k.csv", b"timestamp,open,high,low,close,volume\n\xff\xfe\x00", "cannot be read as CSV"),
]


def test_files_that_fail_are_named_and_lose_no_other(store: DataManager, tmp_path: Path) -> None:
    """D05"""
    for name, content, _ in FAILURES:
        put(tmp_path / "in" / name, content)
    whole = put(tmp_path / "in" / "z.parquet", frame(range(300)))
    cut = put(tmp_path / "in" / "y.parquet", whole.read_bytes()[:-50])
    report = import_files(store, [tmp_path / "in", tmp_path / "none"], symbol="AAPL", interval="1m")
    assert counts(report) == (300, 300, 0, 0, 0)
    assert report.files == 1
    reasons = {Path(path).name: reason for path, reason in report.failed_files}
    assert set(reasons) == {name for name, _, _ in FAILURES} | {cut.name, "none"}
    for name, _, expected in FAILURES:
        assert expected in reasons[name], reasons[name]


def test_a_file_without_symbol_says_how_to_give_one(store: DataManager, tmp_path: Path) -> None:
    report = import_files(store, [put(tmp_path / "x.csv", CSV)])
    assert "give --symbol, a column 'symbol', or --layout" in report.failed_files[0][1]
    assert report.version is None


def test_a_mapped_column_must_be_there(store: DataManager, tmp_path: Path) -> None:
    report = import_files(store, [put(tmp_path / "x.csv", CSV)], symbol="A", columns={"px": "open"})
    assert "it has no column ['px']" in report.failed_files[0][1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tz": "Mars"}, DataError, "'Mars' is no time zone"),
        ({"timestamps": "middle"}, DataError, "labelled by their 'start' or 'end'"),
        ({"columns": {"a": "price"}}, DataError, r"cannot be mapped to \['price'\]"),
        ({"columns": {"a": "open", "b": "open"}}, DataError, "two columns are mapped to one name"),
        ({"layout": "nothing"}, DataError, "the layout 'nothing' is not allowed"),
        ({"symbol": "no symbol"}, SymbolError, "is not a symbol"),
        ({"interval": "1w"}, ValueError, "'1w' is not supported"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_read(
    store: DataManager, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        import_files(store, [], **arguments)
