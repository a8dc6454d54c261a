"""The style that a machine can hold: sizes that may only shrink, one owner of the wall clock, no hidden state."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests import style
from tests.sources import FOLDERS, ROOT, Complaints, Source, read

FILE_LINES_GOAL, FILE_LINES_MAX = 300, 500
FILES_OVER_THE_GOAL = {
    "src/mismartera/session/coordinator.py": 320,
}
"""Lines of the files that are longer than they should be. Numbers here go down, and lines go away."""

MACHINE_WORDS = ("/" + "work/", "/" + "root/", "/" + "home/", "TO" + "DO", "FIX" + "ME", str(ROOT) + "/")
STATUS_FILE = re.compile(r"(COMPLETE|STATUS|PROGRESS|SUMMARY|PLAN)\.md$", re.IGNORECASE)


@pytest.fixture(scope="module")
def project() -> Iterator[list[Source]]:
    """All files, parsed as they are looked at; nothing of them stays when these tests have ended."""
    found = read(*FOLDERS)
    yield found
    found.clear()


@pytest.fixture
def product(project: list[Source]) -> list[Source]:
    return [source for source in project if source.name.startswith("src/")]


@pytest.fixture
def tests(project: list[Source]) -> list[Source]:
    return [source for source in project if source.name.startswith("tests/")]


def require(sources: list[Source], rule: Callable[[Source], Complaints]) -> None:
    found = [f"{source.name}:{line}: {text}" for source in sources for line, text in rule(source)]
    assert not found, "\n".join(["", *found])


def test_the_rules_see_the_project(product: list[Source], tests: list[Source]) -> None:
    assert len(product) > 50
    assert len(tests) > 10


def test_no_file_is_longer_than_it_may_be(project: list[Source]) -> None:
    too_long = [
        f"{source.name}: {len(source.lines)} lines, at most {allowed}"
        for source in project
        if len(source.lines) > (allowed := FILES_OVER_THE_GOAL.get(source.name, FILE_LINES_GOAL))
    ]
    assert not too_long


def test_the_table_of_long_files_only_shrinks(project: list[Source]) -> None:
    sizes = {source.name: len(source.lines) for source in project}
    done = [name for name in FILES_OVER_THE_GOAL if sizes.get(name, 0) <= FILE_LINES_GOAL]
    assert not done, "these files are gone or short now: take them out of the table"
    assert max(FILES_OVER_THE_GOAL.values(), default=0) <= FILE_LINES_MAX


def test_no_function_is_too_long(project: list[Source]) -> None:
    require(project, style.long_functions)


def test_only_timing_reads_the_wall_clock(project: list[Source]) -> None:
    free = ("src/mismartera/timing/", "benchmarks/")
    require([source for source in project if not source.name.startswith(free)], style.wall_clock)


def test_nobody_sleeps(project: list[Source]) -> None:
    require(project, style.sleeps)


def test_an_import_inside_a_function_says_why(product: list[Source]) -> None:
    require(product, style.unexplained_imports)


def test_a_broad_except_raises_again_or_says_why(project: list[Source]) -> None:
    require(project, style.broad_excepts)


def test_modules_of_the_product_hold_no_state(product: list[Source]) -> None:
    require(product, style.module_state)


def test_output_never_depends_on_the_order_of_a_set(product: list[Source]) -> None:
    require(product, style.set_order)


def test_every_test_asserts_something(tests: list[Source]) -> None:
    require(tests, style.empty_tests)


@pytest.mark.parametrize(
    ("rule", "text", "line"),
    [
        (style.long_functions, "def f():\n" + "    x = 1\n" * 60, 1),
        (style.wall_clock, "import datetime as dt\nx = dt.datetime.now(dt.UTC)", 2),
        (style.wall_clock, "from time import perf_counter as p\nx = p()", 2),
        (style.sleeps, "import time\n\ntime.sleep(1)", 3),
        (style.unexplained_imports, "def f():\n    x = 1\n    import json", 3),
        (style.broad_excepts, "try:\n    f()\nexcept Exception:\n    pass", 3),
        (style.broad_excepts, "try:\n    f()\nexcept:  # noqa: BLE001\n    pass", 3),
        (style.module_state, "cache = {}", 1),
        (style.module_state, "CACHE = {}\ndef f(k):\n    CACHE[k] = 1", 3),
        (style.module_state, "SEEN: list[int] = []\ndef f(k):\n    SEEN.append(k)", 3),
        (style.module_state, "def f():\n    global x", 2),
        (style.set_order, "for x in {1, 2}:\n    print(x)", 1),
        (style.set_order, "x = ', '.join(set(names))", 1),
        (style.empty_tests, "def helper(): pass\ndef test_x():\n    helper()", 2),
    ],
)
def test_each_rule_finds_what_it_is_for(rule: Callable[[Source], Complaints], text: str, line: int) -> None:
    assert [where for where, _ in rule(Source("bad.py", text))] == [line]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (style.wall_clock, "def f(self):\n    return self.time.monotonic()"),
        (style.unexplained_imports, "def f():\n    import json  # rarely needed"),
        (style.broad_excepts, "try:\n    f()\nexcept Exception as e:\n    raise ValueError from e"),
        (style.broad_excepts, "try:\n    f()\nexcept Exception:  # noqa: BLE001  # a user's code\n    pass"),
        (style.module_state, "NAMES = {}\ndef f():\n    names = []\n    names.append(NAMES['a'])"),
        (style.set_order, "for x in sorted({1, 2}):\n    print(x)"),
        (style.empty_tests, "def helper():\n    assert 1\ndef test_x():\n    helper()"),
        (style.empty_tests, "import pytest\ndef test_x():\n    with pytest.raises(ValueError):\n        f()"),
    ],
)
def test_no_rule_objects_to_what_is_right(rule: Callable[[Source], Complaints], text: str) -> None:
    assert list(rule(Source("good.py", text))) == []


def texts() -> list[Path]:
    """The files that people read, besides the Python sources: those at the top, and those in our folders.

    ``.git`` is a file in a second working tree, and says where the first one is.
    """
    kinds = {".py", ".md", ".json", ".toml", ".lock", ".sh", ".yml", ""}
    top = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in kinds and path.name != ".git"]
    below = [path for folder in (*FOLDERS, ".ci") for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(top + [path for path in below if path.suffix in kinds])


def test_no_file_names_this_machine_or_unfinished_work() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in texts()
        for word in MACHINE_WORDS
        if word in path.read_text("utf-8")
    ]
    assert not found


def test_there_are_no_status_files() -> None:
    assert not [path.name for path in texts() if STATUS_FILE.search(path.name)]


def test_the_lock_names_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert "==" in lock
    assert not re.findall(r"^.*(?:://|--index-url|--extra-index-url|--find-links|file:).*$", lock, re.MULTILINE)
