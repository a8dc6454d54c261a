"""What the README tells a newcomer to type works, in its order, in one folder; and its links lead somewhere."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from tests.processes import background, link_repository, run
from tests.sources import ROOT

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(bash|python)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
FIRST = "make run\nmake test\n"
"""The two commands; what ``make test`` does is what is running now."""


def test_the_two_commands_come_first() -> None:
    assert BLOCKS[0] == ("bash", FIRST)
    assert [language for language, _ in BLOCKS].count("bash") >= 3


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which all commands of the tour were typed in their order, and what they printed."""
    folder = link_repository(tmp_path_factory.mktemp("tour"))
    told = ""
    for language, text in BLOCKS[1:]:
        if language == "bash":
            told += run(["bash", "-euo", "pipefail", "-c", text], folder)
        else:
            told += run(["python", "-c", text], folder)
    return folder, told


def test_the_commands_of_the_tour_work_in_their_order(toured: tuple[Path, str]) -> None:
    folder, told = toured
    assert told.count('"name":"') == 3, "three signals were shown"
    assert "touches its average" in told
    assert "4 tasks: 4 ok, 0 failed in" in told
    assert re.search(r"Bars\('BRVO', '5m', 6 bars, 2024-07-02T09:30", told)
    assert "['BRVO', 'ALFA']" in told, "ORCA was removed, ALFA came at 11:00"
    assert told.count('"event":"feed_connected"') == 2, "the replay's connection was dropped once"
    assert '"reason":"stale"' in told
    assert (folder / "dump" / "2024-07-02" / "ALFA" / "5m.parquet").is_file()
    assert "Counts that balance" in (folder / "report.html").read_text("utf-8")


def test_the_commands_that_need_an_account_say_so_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = link_repository(tmp_path)
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    on_a_feed, on_a_replay = re.findall(r"^\$ (mismartera live .*)$", README, re.MULTILINE)
    assert "APCA_API_KEY_ID" in run(on_a_feed.split(), folder, status=2)
    assert "live" in run(on_a_replay.split(), folder, status=2), "no day was recorded yet"


def test_the_session_that_is_served_takes_the_commands_beside_it(
    toured: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder, _ = toured
    serve, *commands, watch = re.findall(
        r"^\$ (mismartera (?:serve|add|pause|status|watch).*)$", README, re.MULTILINE
    )
    assert watch == "mismartera watch"
    with background([*serve.split(), "--port", "0"], folder) as first_line:
        assert "the session is at http://127.0.0.1:" in first_line
        told = "".join(run(command.split(), folder) for command in commands)
    assert "BRVO loaded" in told
    assert re.search(r"^BRVO +loaded", told, re.MULTILINE)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_run_shows_a_symbol_that_joins_and_one_that_leaves(tmp_path: Path) -> None:
    environment = Path(sys.prefix)
    if not (environment / "bin" / "mismartera").exists():
        pytest.skip("mismartera is not installed in an environment of its own")
    folder = link_repository(tmp_path)
    # The environment of this test is taken as it is: nothing is installed.
    told = run(["make", "run", f"VENV={environment}", "--old-file", environment / ".installed"], folder)
    assert (folder / "sample" / "_delta_log").is_dir()
    shown = re.search(r"```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    assert shown.group(1) in told, "the README shows what is printed"
    assert "2024-07-02 14:00:00 EDT BRVO removed" in told
    assert re.search(r"BRVO .* removed", told), "the table at the end names it"
    again = run(["make", "run", f"VENV={environment}", "--old-file", environment / ".installed"], folder)
    assert "Generated" in told
    assert "Generated" not in again, "the sample is made once"


def test_the_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 8
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
