"""Importing CSV files: a row that is wrong costs itself, and is shown as it stands there."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mismartera.catalog import DataManager, ImportReport, import_files

HEADER = "timestamp,open,high,low,close,volume\n"
FIRST = "2024-07-02T13:30:00Z,10,11,9,10.5,100\n"
SECOND = "2024-07-02T13:31:00Z,10,11,9,10.5,100\n"


def imported(tmp_path: Path, text: str, columns: dict[str, str] | None = None) -> ImportReport:
    """What becomes of a CSV file with bars of A."""
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    return import_files(DataManager(tmp_path / "store"), [path], symbol="A", interval="1m", columns=columns)


def counts(report: ImportReport) -> tuple[int, int, int]:
    return report.rows, report.accepted, report.rejected


def test_a_row_with_a_field_too_many_is_rejected_with_its_line_and_loses_no_other(tmp_path: Path) -> None:
    """F13"""
    report = imported(tmp_path, HEADER + FIRST + "2024-07-02T13:32:00Z,1,2,1,1,1,9\n" + SECOND)
    assert (counts(report), report.failed_files) == ((3, 2, 1), ())
    assert report.reasons == {"too_many_fields": 1}
    assert report.examples == (
        f"{tmp_path / 'x.csv'}: too_many_fields (line 3 has 7 fields, the first row 6): "
        "2024-07-02T13:32:00Z,1,2,1,1,1,9",
    )


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# by hand, for you\n" + HEADER + FIRST + "1,2,3,4,5,6,7\n", [4]),
        (HEADER + FIRST + "# made, by, hand, for, you, and, me\n", [3]),
        (HEADER + "\n\n" + "1,2,3,4,5,6,7,,9\n" + FIRST + "1,,,,,,,8\n", [4, 6]),
        (HEADER.replace("\n", "\r\n") + FIRST.replace("\n", "\r\n") + "1,2,3,4,5,6,7\r\n", [3]),
        (HEADER + FIRST.replace("100", '"100\n"') + "1,2,3,4,5,6,7\n", [4]),
        (HEADER + FIRST + '1,2,3,4,5,"6\n",7\n', [3]),
    ],
)  # fmt: skip
def test_rows_with_too_many_fields_are_named_by_line(tmp_path: Path, text: str, lines: list[int]) -> None:
    report = imported(tmp_path, text)
    assert counts(report) == (1 + len(lines), 1, len(lines))
    assert [example.partition("line ")[2].split()[0] for example in report.examples] == [str(n) for n in lines]


def test_fields_too_many_that_are_empty_do_no_harm(tmp_path: Path) -> None:
    assert counts(imported(tmp_path, HEADER + FIRST.replace("\n", ",\n") + SECOND)) == (2, 2, 0)


def test_only_the_first_few_of_many_long_rows_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    report = imported(tmp_path, HEADER + FIRST + "1,2,3,4,5,6,7\n" * 1000)
    assert (counts(report), len(report.examples)) == ((1001, 1, 1000), 3)


def test_a_long_row_of_a_zipped_file_without_header_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress((FIRST + "1,2,3,4,5,6,7\n" + SECOND).encode()))
    names = {"1": "timestamp", "2": "open", "3": "high", "4": "low", "5": "close", "6": "volume"}
    report = import_files(DataManager(tmp_path / "store"), [path], symbol="A", interval="1m", columns=names)
    assert (counts(report), report.reasons) == ((3, 2, 1), {"too_many_fields": 1})


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_and_comments_before_the_header_are_no_rows(tmp_path: Path, end: str) -> None:
    text = "\n# of somebody\n  \n" + HEADER + "\n" + FIRST + " \n\n" + SECOND + ",,,,,\n\n\n"
    report = imported(tmp_path, text.replace("\n", end))
    assert (counts(report), report.failed_files) == ((2, 2, 0), ())


@pytest.mark.parametrize("text", ["", "\n\n", "# of somebody\n"])
def test_a_file_of_blank_lines_and_comments_is_empty(tmp_path: Path, text: str) -> None:
    assert imported(tmp_path, text).failed_files == ((str(tmp_path / "x.csv"), "the file is empty"),)


def test_a_row_of_which_only_the_time_is_missing_is_no_blank_line(tmp_path: Path) -> None:
    report = imported(tmp_path, HEADER + FIRST + ",,,,,7\n# of somebody\n")
    assert (counts(report), report.reasons) == ((3, 1, 2), {"bad_timestamp": 2})
    assert "timestamp=(empty), open=(empty)" in report.examples[0]
    assert "timestamp=# of somebody" in report.examples[1]


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("7444,32", "a decimal comma? allowed is a point, as in 1234.5"),
        ("1.234,5", "a decimal comma? allowed is a point, as in 1234.5"),
        ("1,000", "allowed are plain numbers such as 1234.5"),
        ("$5", "allowed are plain numbers such as 1234.5"),
        ("1.2M", "allowed are plain numbers such as 1234.5"),
    ],
)
def test_a_number_that_cannot_be_read_is_shown_as_it_stands_there(tmp_path: Path, cell: str, hint: str) -> None:
    report = imported(
        tmp_path, (HEADER + FIRST).replace(",", ";") + f"2024-07-02T13:31:00Z;10;11;9; {cell} ;100\n"
    )
    assert (counts(report), report.reasons) == ((2, 1, 1), {"not_a_number": 1})
    assert f"not_a_number ({hint}): timestamp=2024-07-02T13:31:00Z, open=10, high=11, low=9" in report.examples[0]
    assert f"close= {cell} , volume=100" in report.examples[0]


def test_the_cells_of_each_rejected_row_are_its_own(tmp_path: Path) -> None:
    rows = [f"2024-07-02T13:3{n}:00Z,10,11,9,10,{'x' if n % 2 else ''}{n}\n" for n in range(6)]
    report = imported(tmp_path, HEADER + "when,1,1,1,one,1\n" + "".join(rows))
    assert report.reasons == {"bad_timestamp": 1, "not_a_number": 3}
    assert [example.split("close=")[1].split(", symbol")[0] for example in report.examples] == [
        "one, volume=1", "10, volume=x1", "10, volume=x3", "10, volume=x5",
    ]  # fmt: skip


PANDAS = ",open,high,low,close,volume\n2024-07-02 13:30:00+00:00,10,11,9,10.5,100\n"


@pytest.mark.parametrize("columns", [None, {"": "timestamp"}])
def test_the_unnamed_index_of_a_pandas_frame_is_the_timestamp(
    tmp_path: Path, columns: dict[str, str] | None
) -> None:
    assert counts(imported(tmp_path, PANDAS, columns)) == (1, 1, 0)


def test_an_unnamed_index_beside_a_timestamp_is_left_alone(tmp_path: Path) -> None:
    text = "," + HEADER + "0," + FIRST + "1," + SECOND
    assert counts(imported(tmp_path, text)) == (2, 2, 0)


def test_an_unnamed_index_that_only_numbers_the_rows_is_no_timestamp(tmp_path: Path) -> None:
    report = imported(tmp_path, PANDAS.replace("2024-07-02 13:30:00+00:00", "0"))
    assert (counts(report), report.reasons) == ((1, 0, 1), {"bad_timestamp": 1})


def test_a_file_with_two_rows_of_one_key_revises_nothing_when_it_is_imported_again(tmp_path: Path) -> None:
    text = HEADER + FIRST + FIRST.replace("10.5", "10.6") + SECOND
    first, *again = (imported(tmp_path, text) for _ in range(3))
    assert (first.accepted, first.duplicate, first.revised) == (2, 0, 1)
    for report in again:
        assert (report.accepted, report.duplicate, report.revised, report.version) == (0, 3, 0, first.version)
