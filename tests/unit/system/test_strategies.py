"""Strategies that a configuration names: where they are found, and what is said of those that are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.runs import config

from mismartera import DataManager, SessionConfig, SystemManager
from mismartera.errors import ConfigError

GOOD = """
from helper_of_mine import double
from mismartera import Strategy

class Counting(Strategy):
    def __init__(self, start=0):
        super().__init__(start=start)
        self.count = double(start)

    def on_bar(self, bar):
        self.count += 1

class NoStrategy:
    pass

class Fussy(Strategy):
    def __init__(self, size):
        if size < 0:
            raise ValueError("size must not be negative")
        super().__init__(size=size)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    import sys

    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    there = tmp_path / "config"
    there.mkdir()
    (there / "my_counting.py").write_text(GOOD)
    (there / "helper_of_mine.py").write_text("def double(n):\n    return 2 * n\n")
    (there / "my_broken.py").write_text("import nowhere_to_be_found\n")
    (there / "my_syntax.py").write_text("class\n")
    yield there
    for name in set(sys.modules) - before:
        if name.startswith(("my_", "helper_of_mine")):
            del sys.modules[name]


def with_strategies(*entries: dict[str, Any]) -> SessionConfig:
    plain = config("AAA", hours=("09:30", "09:40")).to_dict()
    return SessionConfig.from_dict({**plain, "analysis": {"strategies": list(entries)}})


def test_a_strategy_is_found_in_the_configurations_folder_and_gets_its_params(
    folder: Path, market: DataManager
) -> None:
    settings = with_strategies(
        {"class": "my_counting:Counting", "params": {"start": 5}}, {"class": "my_counting:Counting"}
    )
    system = SystemManager(settings, data_manager=market, folder=folder)
    system.run()
    assert [(s.params, vars(s)["count"]) for s in system.strategies] == [({"start": 5}, 20), ({"start": 0}, 10)]
    assert system.summary()["strategy_errors"] == []


def test_the_current_folder_is_looked_up_after_the_configurations(
    folder: Path, market: DataManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "my_counting.py").write_text("raise RuntimeError('the wrong one')\n")
    SystemManager(with_strategies({"class": "my_counting:Counting"}), data_manager=market, folder=folder)
    monkeypatch.chdir(folder)
    system = SystemManager(with_strategies({"class": "my_counting:Counting"}), data_manager=market)
    assert type(system.strategies[0]).__name__ == "Counting"


def test_all_strategies_that_cannot_be_used_are_named_at_once_each_with_its_fault(
    folder: Path, market: DataManager
) -> None:
    settings = with_strategies(
        {"class": "my_missing:Any"},
        {"class": "my_counting:Counting"},
        {"class": "my_counting:Absent"},
        {"class": "my_counting:NoStrategy"},
        {"class": "my_counting:Counting", "params": {"wrong": 1}},
        {"class": "my_counting:Fussy", "params": {"size": -1}},
        {"class": "my_broken:Any"},
        {"class": "my_syntax:Any"},
    )
    with pytest.raises(ConfigError) as raised:
        SystemManager(settings, data_manager=market, folder=folder)
    faults = {problem.split(".class: ")[0].split(".params: ")[0]: problem for problem in raised.value.problems}
    assert list(faults) == [f"analysis.strategies[{k}]" for k in (0, 2, 3, 4, 5, 6, 7)]
    expected = [
        "no module 'my_missing'", "'Absent'", "its strategies are: Counting, Fussy",
        "unexpected keyword argument 'wrong'", "ValueError: size must not be negative",
        "No module named 'nowhere_to_be_found'", "SyntaxError",
    ]  # fmt: skip
    for problem, text in zip(faults.values(), expected, strict=True):
        assert text in problem
    assert "does not exist" in faults["analysis.strategies[2]"]
    assert "is not a Strategy" in faults["analysis.strategies[3]"]
