"""``mismartera data``."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.conftest import Call
from tests.unit.report.sessions import store

HEADER = "timestamp,open,high,low,close,volume\n"
ROW = "2024-07-02T{hour}:{minute:02}:00Z,10,11,9,10.5,100\n"


def csv(path: Path, minutes: int = 5, extra: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "".join(ROW.format(hour=14, minute=minute) for minute in range(minutes)) + extra)
    return path


def test_an_import_reports_its_counts_and_running_it_again_changes_nothing(call: Call, tmp_path: Path) -> None:
    csv(tmp_path / "in" / "A.csv", extra="2024-07-02T15:00:00Z,10,9,11,10,1\n")
    args = ("data", "import", "in", "--layout", "{symbol}", "--interval", "1m", "--json")
    first = call(*args)
    assert (first.status, first.err) == (0, "")
    assert first.json == {
        "files": 1, "rows": 6, "accepted": 5, "duplicate": 0, "revised": 0, "rejected": 1,
        "reasons": {"high_low_order": 1}, "failed_files": {}, "notes": [], "store_version": 1,
        "examples": ["in/A.csv: A 1m 2024-07-02T15:00:00+00:00: high_low_order "
                     "(open=10.0, high=9.0, low=11.0, close=10.0, volume=1.0)"],
    }  # fmt: skip
    again = call(*args).json
    assert (again["accepted"], again["duplicate"], again["store_version"]) == (0, 5, 1)


def test_the_table_of_an_import_names_reasons_with_examples(call: Call, tmp_path: Path) -> None:
    path = csv(tmp_path / "A.csv", extra="2024-07-02T15:00:00Z,10,nan,9,10,1\n")
    result = call("data", "import", path, "--symbol", "A", "--interval", "1m")
    assert result.status == 0
    assert "rejected because" in result.out
    assert str(path) in result.out


def test_columns_zone_and_labels_can_be_told(call: Call, tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text("t,o,h,l,c,v\n2024-07-02 09:31:00,10,11,9,10.5,100\n")
    mapping = "t=timestamp, o=open,h=high,l=low,c=close,v=volume"
    result = call(
        "data", "import", "A.csv", "--symbol", "A", "--interval", "1m", "--columns", mapping,
        "--timestamps", "end", "--tz", "America/New_York", "--json",
    )  # fmt: skip
    assert result.json["accepted"] == 1
    series = call("data", "ls", "--json").json["series"]
    assert series[0]["first"] == "2024-07-02T13:30:00+00:00"


def test_the_column_without_a_name_can_be_told(call: Call, tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(",open,high,low,close,volume\n2024-07-02 14:00:00,10,11,9,10.5,100\n")
    options = ("--symbol", "A", "--interval", "1m", "--columns", "=timestamp", "--json")
    assert call("data", "import", "A.csv", *options).json["accepted"] == 1


def test_a_file_that_cannot_be_read_is_named_and_loses_no_other(call: Call, tmp_path: Path) -> None:
    csv(tmp_path / "in" / "A.csv")
    (tmp_path / "in" / "B.parquet").write_bytes(b"PAR1 not at all")
    result = call("data", "import", "in", "gone.csv", "--layout", "{symbol}", "--interval", "1m", "--json")
    assert result.status == 2
    assert result.json["accepted"] == 5
    assert sorted(result.json["failed_files"]) == ["gone.csv", "in/B.parquet"]
    assert "2 of the paths could not be used" in result.err
    assert "gone.csv: there is no such file or folder" in result.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "the files hold no rows"),
        (HEADER + "2024-07-02T14:00:00Z,-1,1,1,1,1\n", "1 row was rejected"),
    ],
)
def test_an_import_of_nothing_is_an_error(call: Call, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "A.csv").write_text(text)
    result = call("data", "import", "A.csv", "--symbol", "A", "--interval", "1m")
    assert result.status == 2
    assert message in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--columns", "a"], "found 'a'; allowed: OLD=NEW"), (["--columns", "a=b,a=c"], "named twice"),
     (["--columns", "a="], "found 'a='; allowed: OLD=NEW"),
     (["--tz", "Mars/Olympus"], "'Mars/Olympus' is no time zone"), (["--symbol", "a b"], "is not a symbol"),
     (["--interval", "7x"], "interval '7x' is not supported"), (["--layout", "{what}"], "'{what}' is not allowed"),
     (["--timestamps", "middle"], "'middle' is not one of")],
)  # fmt: skip
def test_bad_options_of_an_import_are_refused(
    call: Call, tmp_path: Path, options: list[str], message: str
) -> None:
    csv(tmp_path / "A.csv")
    result = call("data", "import", "A.csv", *options)
    assert result.status == 2
    assert message in result.err
    assert not (tmp_path / "data").exists()


def test_a_sample_says_that_it_is_made_up(call: Call, tmp_path: Path) -> None:
    result = call("data", "sample", "--symbols", 2, "--end", "2024-07-02")
    assert result.status == 0
    assert "made up, nobody's prices" in result.out
    assert "ALFA, BRVO" in result.out
    figures = call("data", "sample", "--symbols", 2, "--end", "2024-07-02", "--json").json
    assert figures["generated"] is True
    assert figures["duplicate"] == figures["rows"]
    assert all(row["generated"] for row in call("data", "ls", "--json").json["series"])


def test_a_sample_keeps_away_from_real_bars(call: Call, tmp_path: Path) -> None:
    store(tmp_path / "data", {"ALFA": range(3)})
    result = call("data", "sample")
    assert result.status == 2
    assert "has bars of ALFA that were not generated" in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--start", "2024-07-04", "--end", "2024-07-04"], "XNYS has no session from 2024-07-04 to 2024-07-04"),
     (["--end", "tomorrow"], "'tomorrow' does not match the format"),
     (["--calendar", "NOPE"], "calendar 'NOPE' does not exist"), (["--symbols", "0"], "0 is not in the range")],
)  # fmt: skip
def test_bad_options_of_a_sample_are_refused(call: Call, options: list[str], message: str) -> None:
    result = call("data", "sample", *options)
    assert result.status == 2
    assert message in result.err


def test_ls_lists_each_symbol_and_interval(call: Call, tmp_path: Path) -> None:
    store(tmp_path / "data", {"B": range(3), "A": range(2)})
    lines = call("data", "ls").out.splitlines()
    assert [line.split() for line in lines if "1m" in line] == [
        ["A", "1m", "2024-07-02", "2024-07-02", "2", "1"],
        ["B", "1m", "2024-07-02", "2024-07-02", "3", "1"],
    ]
    assert lines[-1] == "2 symbols, 5 bars, store version 1"
    assert call("data", "ls", "--json").json["series"][0] == {
        "symbol": "A", "interval": "1m", "first": "2024-07-02T13:30:00+00:00", "last": "2024-07-02T13:31:00+00:00",
        "bars": 2, "days": 1, "generated": False,
    }  # fmt: skip


def test_check_holds_the_store_against_the_calendar(call: Call, tmp_path: Path) -> None:
    store(tmp_path / "data", {"A": [*range(100), *range(110, 391)], "B": range(390)})
    result = call("data", "check", "--json")
    assert result.status == 0
    figures = result.json
    assert (figures["calendar"], figures["store_version"], figures["missing_days"]) == ("XNYS", 1, {})
    assert figures["quality"]["A"]["2024-07-02"]["1m"] == {
        "expected": 390, "present": 380, "percent": 100 * 380 / 390, "out_of_hours": 1, "closed": False,
        "gaps": [{"from": "2024-07-02T15:10:00+00:00", "to": "2024-07-02T15:20:00+00:00", "missing": 10}],
    }  # fmt: skip
    table = call("data", "check").out
    assert "A       1m        2024-07-02      380       390   97.44 %     1        1" in table
    assert "770 of 780 expected bars (98.72 %), 1 gap" in table
    extended = call("data", "check", "--symbols", "A", "--hours", "04:00-20:00", "--json").json
    assert extended["quality"]["A"]["2024-07-02"]["1m"]["expected"] == 960


def test_check_raises_an_alarm_for_bars_on_a_closed_day(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "A.csv"
    path.write_text(HEADER + "2024-07-04T14:00:00Z,1,1,1,1,1\n")
    call("data", "import", path, "--symbol", "A", "--interval", "1m")
    result = call("data", "check")
    assert result.status == 0
    assert "closed" in result.out
    assert "warning: there are bars on days on which XNYS is closed: 2024-07-04" in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--symbols", "A,NOPE"], "the store has no bars of NOPE"), (["--calendar", "NOPE"], "does not exist"),
     (["--hours", "9"], "allowed: FROM-TO"), (["--hours", "20:00-04:00"], "open before they close"),
     (["--data", "nowhere"], "there is no bar store at nowhere")],
)  # fmt: skip
def test_bad_options_of_a_check_are_refused(call: Call, tmp_path: Path, options: list[str], message: str) -> None:
    store(tmp_path / "data", {"A": range(3)})
    result = call("data", "check", *options)
    assert (result.status, result.out) == (2, "")
    assert message in result.err


def test_a_store_that_is_none_is_refused_by_every_command(call: Call, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    for command in ("ls", "check", "sample"):
        result = call("data", command)
        assert result.status == 2
        assert "data" in result.err


def damage_a_day(path: Path) -> Path:
    """Two days of A and B; a bit of the first day's file is flipped."""
    store(path, {"A": [*range(390), *range(1440, 1830)], "B": [*range(390), *range(1440, 1830)]})
    broken = next(path.glob("interval=1m/date=2024-07-02/*.parquet"))
    content = bytearray(broken.read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content)
    return broken


def test_check_names_damaged_files_by_its_status_and_repairs_when_asked(call: Call, tmp_path: Path) -> None:
    """D05"""
    broken = damage_a_day(tmp_path / "data")
    result = call("data", "check", "--json")
    assert result.status == 1
    (problem,) = result.json["damaged"]
    assert f"data/{broken.relative_to(tmp_path / 'data')} (1m bars of 2024-07-02, symbols A to B)" in problem
    assert f"warning: {problem}" in result.err
    assert "data check --repair" in result.err
    assert call("data", "check").status == 1
    mended = call("data", "check", "--repair", "--json")
    assert (mended.status, mended.json["repaired"], mended.json["damaged"]) == (0, True, [problem])
    assert "was taken out of the store (moved to data/_quarantine/" in mended.err
    assert "import their source again" in mended.err
    assert mended.json["quality"]["A"].keys() == {"2024-07-03"}
    again = call("data", "check", "--json")
    assert (again.status, again.json["damaged"], again.json["repaired"]) == (0, [], False)


def test_ls_goes_on_with_what_is_there_and_says_so(call: Call, tmp_path: Path) -> None:
    """D05"""
    broken = damage_a_day(tmp_path / "data")
    broken.write_bytes(b"")
    result = call("data", "ls", "--json")
    assert result.status == 0
    assert [row["bars"] for row in result.json["series"]] == [390, 390]
    assert str(broken.relative_to(tmp_path)) in result.err


def test_vacuum_forgets_old_versions_and_says_what_is_readable(call: Call, tmp_path: Path) -> None:
    for minute in range(3):
        store(tmp_path / "data", {"A": [minute]})
    kept = call("data", "vacuum")
    assert kept.out.splitlines()[-1].startswith("readable versions: ")
    assert "removed: 0 data files" in kept.out
    tried = call("data", "vacuum", "--older-than", "0", "--dry-run")
    assert "would be removed: 2 data files" in tried.out
    figures = call("data", "vacuum", "--older-than", "0", "--json").json
    assert (figures["files"], figures["oldest"], figures["newest"], figures["dry_run"]) == (2, 3, 3, False)


@pytest.mark.parametrize("age", ["7x", "", "-1", "7", "d"])
def test_a_bad_age_is_refused(call: Call, age: str) -> None:
    result = call("data", "vacuum", f"--older-than={age}")
    assert result.status == 2
    assert "allowed: a number of days, hours or minutes" in result.err
