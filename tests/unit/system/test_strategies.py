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


def test_a_strategy_finds_what_lies_beside_it_and_beside_the_configuration_and_its_package(
    folder: Path, market: DataManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    package = folder / "my_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "my_near.py").write_text("NEAR = 1\n")
    (package / "my_within.py").write_text("import my_near\nWITHIN = 2\n")
    (package / "my_parts.py").write_text(
        "from helper_of_mine import double\n"
        "from mismartera import Strategy\n"
        "from my_package.my_within import WITHIN\n"
        "from .my_near import NEAR\n"
        "class Whole(Strategy):\n"
        "    def on_session_open(self):\n"
        "        import my_near, my_late\n"
        "        self.seen = (my_near.NEAR, NEAR, WITHIN, double(WITHIN), my_late.LATE)\n"
    )
    (folder / "my_late.py").write_text("LATE = 5\n")
    system = SystemManager(
        with_strategies({"class": "my_package.my_parts:Whole"}), data_manager=market, folder=folder
    )
    system.run()
    assert [vars(s)["seen"] for s in system.strategies] == [(1, 1, 2, 4, 5)]


def test_the_next_run_sees_a_file_as_it_is_then_and_another_folder_has_its_own(
    folder: Path, market: DataManager
) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "my_counting.py").write_text(GOOD)
    (other / "helper_of_mine.py").write_text("def double(n):\n    return 200 * n\n")
    settings = with_strategies({"class": "my_counting:Counting", "params": {"start": 5}})

    def made(place: Path) -> int:
        strategy = SystemManager(settings, data_manager=market, folder=place).strategies[0]
        return int(vars(strategy)["count"])

    found = [made(folder), made(other), made(folder)]
    (folder / "helper_of_mine.py").write_text("def double(n):\n    return 20 * n + 10\n")
    assert [*found, made(folder)] == [10, 1000, 10, 110]


@pytest.mark.parametrize("name", ["numpy", "random", "msgspec"])
def test_a_neighbour_with_the_name_of_another_module_is_refused(
    folder: Path, market: DataManager, name: str
) -> None:
    import sys

    present = sys.modules[name]
    (folder / f"{name}.py").write_text("double = None\n")
    (folder / "my_user.py").write_text(GOOD.replace("helper_of_mine", name))
    with pytest.raises(ConfigError, match=rf"{name}\.py is hidden by .*: give it another name"):
        SystemManager(with_strategies({"class": "my_user:Counting"}), data_manager=market, folder=folder)
    assert sys.modules[name] is present


def test_neighbours_of_one_name_in_two_folders_are_refused(folder: Path, market: DataManager) -> None:
    for place in ("my_one", "my_two"):
        (folder / place).mkdir()
        (folder / place / "my_util.py").write_text("double = None\n")
        (folder / place / "my_user.py").write_text(GOOD.replace("helper_of_mine", "my_util"))
    settings = with_strategies({"class": "my_one.my_user:NoStrategy"}, {"class": "my_two.my_user:Counting"})
    with pytest.raises(ConfigError, match=r"my_two.my_util\.py is hidden by .*my_one.my_util\.py"):
        SystemManager(settings, data_manager=market, folder=folder)


def test_a_strategy_whose_file_has_the_name_of_an_installed_module_is_refused(
    folder: Path, market: DataManager
) -> None:
    import numpy as np

    (folder / "numpy.py").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"numpy\.py is hidden by .*numpy/__init__\.py: give it another name"):
        SystemManager(with_strategies({"class": "numpy:Counting"}), data_manager=market, folder=folder)
    assert np.__name__ == "numpy"
