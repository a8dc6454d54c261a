"""Files: each way in which a configuration cannot be read has its own message, and the shipped ones run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.unit.config.configs import full, minimal, problems_of

from mismartera.config import SessionConfig

SHIPPED = Path(__file__).parents[3] / "session_configs"


def _problems(path: Path) -> list[str]:
    return problems_of(lambda: SessionConfig.from_file(path))


def test_a_file_gives_what_its_json_gives(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    path.write_text(json.dumps(full()), encoding="utf-8")
    assert SessionConfig.from_file(path) == SessionConfig.from_file(str(path)) == SessionConfig.from_dict(full())


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(minimal()).encode())
    assert SessionConfig.from_file(path) == SessionConfig.from_dict(minimal())


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    assert _problems(tmp_path / "none.json") == ["no such file"]
    assert _problems(tmp_path) == ["is a folder; allowed: a JSON file"]
    (tmp_path / "file").write_text("{}")
    assert _problems(tmp_path / "file" / "below.json") == ["cannot be read: Not a directory"]
    assert _problems(Path("a\0b")) == ["not a path: embedded null byte"]
    assert _problems(tmp_path / ("x" * 300)) == ["cannot be read: File name too long"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.json"
    path.write_text("{}")
    path.chmod(0)
    assert _problems(path) == ["cannot be read: Permission denied"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty; allowed: a JSON object"),
        (b" \n", "the file is empty; allowed: a JSON object"),
        (b'{"a": \xff}', "not UTF-8: byte 0xff at position 6; allowed: JSON in UTF-8"),
        (b'{\n  "a": 1,\n}', "not JSON: Expecting property name enclosed in double quotes at line 3, column 1"),
        (b"{'a': 1}", "not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        (b'{"a": 1} x', "not JSON: Extra data at line 1, column 10"),
        (b'{"a": "x', "not JSON: Unterminated string starting at at line 1, column 7"),
        (b"[" * 100_000, "nested too deeply to be read"),
        (b"[1]", "found a list at the top; allowed: an object with keys"),
        (b"null", "found null at the top; allowed: an object with keys"),
    ],
    ids=range(10),
)
def test_unreadable_json_is_refused_with_its_place(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "session.json"
    path.write_bytes(content)
    assert _problems(path) == [problem]


def test_an_integer_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    path.write_text('{"metadata": ' + "9" * 5000 + "}")
    (problem,) = _problems(path)
    assert problem.startswith("cannot be read: Exceeds the limit")


def test_repeated_keys_are_refused_with_all_other_faults(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    path.write_text(
        """{
          "session_data_config": {"symbols": ["A"], "symbols": ["B"], "streaming": {"catchup_check_interval": 0}},
          "backtest_config": {"start_date": "2024-07-01", "end_date": "2024-07-05"},
          "metadata": {"x": [{"k": 1, "k": 1, "k": 2}]}
        }"""
    )
    assert _problems(path) == [
        "session_data_config.symbols: this key is given more than once; allowed: once",
        "metadata.x[0].k: this key is given more than once; allowed: once",
        "session_data_config.streaming.catchup_check_interval: 0 is below the minimum; allowed: 1 to 100",
    ]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused_with_their_place(tmp_path: Path, number: str) -> None:
    path = tmp_path / "session.json"
    text = json.dumps(minimal(metadata={"x": 0}))
    text = text.replace('"ALFA"]', f'"ALFA"], "streaming": {{"catchup_threshold_seconds": {number}}}')
    path.write_text(text)
    (problem,) = _problems(path)
    assert problem.startswith("session_data_config.streaming.catchup_threshold_seconds: ")
    assert problem.endswith("is not a number that JSON can hold; allowed: finite numbers")


def test_the_example_session_uses_the_main_blocks() -> None:
    text = (SHIPPED / "example_session.json").read_text(encoding="utf-8")
    config = SessionConfig.from_file(SHIPPED / "example_session.json")
    assert {"streaming", "historical", "gap_filler", "indicators"} <= json.loads(text)[
        "session_data_config"
    ].keys()
    assert config.session_data_config.streams == ("1m", "5m", "15m")
    assert config.calendar_code == "XNYS"


def test_the_dynamic_session_adds_one_symbol_and_removes_another() -> None:
    config = SessionConfig.from_file(SHIPPED / "dynamic_symbols.json")
    assert config.session_data_config.symbols == ("ALFA", "BRVO")
    assert [(entry.at.isoformat(), entry.add, entry.remove) for entry in config.schedule] == [
        ("2024-07-02T10:00:00", "CHRL", None),
        ("2024-07-02T14:00:00", None, "BRVO"),
    ]
    assert [(indicator.name, indicator.interval) for indicator in config.session_data_config.indicators] == [
        ("SMA", "5m")
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"session_name": "x\ud800"}, 'session_name: "x\\ud800" is no text'),
        ({"metadata": {"a": ["\udfff"]}}, 'metadata.a[0]: "\\udfff" is no text'),
        ({"metadata": {"\ud800": 1}}, 'metadata["\\ud800"]: the key is no text'),
    ],
)
def test_half_a_surrogate_pair_is_no_text_anywhere(tmp_path: Path, change: dict[str, object], fault: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(minimal(**change)))
    assert [problem.split(",")[0] for problem in _problems(path)] == [fault]
    assert _problems(path)[0].isascii()
