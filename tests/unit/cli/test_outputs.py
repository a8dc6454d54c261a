"""No output is written over an input, over the store, or over another output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Call
from tests.unit.report.sessions import config, store

from mismartera import DataManager


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> None:
    store(tmp_path / "data", {"A": range(390)})
    (tmp_path / "c.json").write_text(json.dumps(config(["A"])))
    (tmp_path / "link.json").symlink_to("c.json")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--events", "c.json"], "--events c.json would be written over the configuration: name another file"),
        (["--report", "./c.json"], "--report c.json would be written over the configuration"),
        (["--log-file", "link.json"], "--log-file link.json would be written over the configuration"),
        (["--events", "x", "--report", "x"], "--report x would be written over what --events writes"),
        (["--log-file", "d/../x", "--events", "x"], "--log-file d/../x would be written over what --events"),
        (["--events", "data/_delta_log/00000000000000000000.json"], "belongs to the bar store at data"),
        (["--dump", "data/interval=1m"], "--dump data/interval=1m belongs to the bar store at data"),
        (["--report", "data/_journal/journal.db"], "belongs to the bar store at data: name a place outside of it"),
    ],
)
def test_what_would_be_written_over_is_named_and_stays(
    call: Call, tmp_path: Path, options: list[str], said: str
) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for store_name in ("data", (tmp_path / "data").as_uri()):
        done = call("run", "c.json", "--quiet", "--data", store_name, *options)
        assert done.status == 2
        assert said.replace("at data", f"at {store_name}") in done.err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_outputs_beside_the_store_s_own_and_devices_are_fine(call: Call, tmp_path: Path) -> None:
    done = call("run", "c.json", "--quiet", "--events", "data/e.jsonl", "--dump", "data", "--report", "r.html")
    assert (done.status, done.out) == (0, "")
    assert (tmp_path / "data" / "e.jsonl").stat().st_size > 0
    assert call("run", "c.json", "--quiet", "--events", "/dev/null", "--log-file", "/dev/null").status == 0
    assert DataManager(tmp_path / "data").symbols() == ("A",)
