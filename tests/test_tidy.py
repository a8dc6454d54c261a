"""The style that a machine can hold: sizes that may only shrink, one owner of the wall clock, no hidden state."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.sources import FOLDERS, ROOT, Complaints, Source, read

FILE_LINES_GOAL, FILE_LINES_MAX, FUNCTION_LINES_MAX = 300, 500, 60
FILES_OVER_THE_GOAL = {
    "src/mismartera/session/coordinator.py": 395,
    "tests/unit/catalog/test_importer.py": 304,
    "tests/unit/catalog/test_store_faults.py": 304,
}
"""Lines of the files that are longer than they should be. Numbers here go down, and lines go away."""

WALL_CLOCK = {
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter",
    "time.perf_counter_ns", "time.localtime", "time.gmtime", "time.ctime",
}  # fmt: skip
SLEEP = {"time.sleep", "asyncio.sleep", "threading.Timer"}
CONTAINERS = {"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"}
MUTATORS = {
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "insert",
    "intersection_update", "pop", "popitem", "popleft", "remove", "reverse", "setdefault", "sort", "update",
}  # fmt: skip
LAZY = {
    "exchange_calendars": "imports pandas",
    "loguru": "only a command that runs writes a log",
    "pandas": "half a second, and not always installed",
    "polars": "a fifth of a second, which reading a configuration must not pay for",
    "rich": "60 ms, which only what prints pays",
    "talib": "imports pandas",
    "mismartera.bars": "brings NumPy along, a tenth of a second",
    "mismartera.catalog": "brings Polars and Delta Lake along, which help texts need not wait for",
    "mismartera.system": "brings the whole engine along, which help texts need not wait for",
}
"""What may be imported inside a function, and why; any other such import gives its reason beside it."""

MACHINE_WORDS = ("/" + "work/", "/" + "root/", "/" + "home/", "TO" + "DO", "FIX" + "ME", str(ROOT) + "/")
STATUS_FILE = re.compile(r"(COMPLETE|STATUS|PROGRESS|SUMMARY|PLAN)\.md$", re.IGNORECASE)

ALL = read(*FOLDERS)
PRODUCT = [source for source in ALL if source.name.startswith("src/")]
TESTS = [source for source in ALL if source.name.startswith("tests/")]


def require(sources: list[Source], rule: Callable[[Source], Complaints]) -> None:
    found = [f"{source.name}:{line}: {text}" for source in sources for line, text in rule(source)]
    assert not found, "\n".join(["", *found])


def test_the_rules_see_the_project() -> None:
    assert len(PRODUCT) > 50
    assert len(TESTS) > 10


def test_no_file_is_longer_than_it_may_be() -> None:
    too_long = [
        f"{source.name}: {len(source.lines)} lines, at most {allowed}"
        for source in ALL
        if len(source.lines) > (allowed := FILES_OVER_THE_GOAL.get(source.name, FILE_LINES_GOAL))
    ]
    assert not too_long


def test_the_table_of_long_files_only_shrinks() -> None:
    sizes = {source.name: len(source.lines) for source in ALL}
    done = [name for name in FILES_OVER_THE_GOAL if sizes.get(name, 0) <= FILE_LINES_GOAL]
    assert not done, "these files are gone or short now: take them out of the table"
    assert max(FILES_OVER_THE_GOAL.values(), default=0) <= FILE_LINES_MAX


def test_no_function_is_too_long() -> None:
    def rule(source: Source) -> Complaints:
        for node in source.functions:
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {size} lines, at most {FUNCTION_LINES_MAX}"

    require(ALL, rule)


def test_only_timing_reads_the_wall_clock() -> None:
    def rule(source: Source) -> Complaints:
        for node in source.nodes:
            if isinstance(node, ast.Attribute | ast.Name) and (name := source.meaning(node)) in WALL_CLOCK:
                yield node.lineno, f"{name}: ask the TimeManager"

    free = ("src/mismartera/timing/", "benchmarks/")
    require([source for source in ALL if not source.name.startswith(free)], rule)


def test_nobody_sleeps() -> None:
    def rule(source: Source) -> Complaints:
        for node in source.nodes:
            if isinstance(node, ast.Call) and source.meaning(node.func) in SLEEP:
                yield node.lineno, f"{source.meaning(node.func)}: wait for a condition"

    require(ALL, rule)


def test_an_import_inside_a_function_says_why() -> None:
    def rule(source: Source) -> Complaints:
        for function in source.functions:
            for node in ast.walk(function):
                if not isinstance(node, ast.Import | ast.ImportFrom) or source.has_comment(node.lineno):
                    continue
                modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                if not all(module.startswith(tuple(LAZY)) for module in modules):
                    yield node.lineno, f"import inside {function.name} without a comment that gives the reason"

    require(PRODUCT, rule)


def test_a_broad_except_raises_again_or_says_why() -> None:
    def rule(source: Source) -> Complaints:
        for node in source.nodes:
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"}
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            reason = re.search(r"# noqa: BLE001 +# \w+", source.lines[node.lineno - 1])
            if broad and not raises and not reason:
                yield node.lineno, "broad except without `# noqa: BLE001  # the reason`"

    require(ALL, rule)


def test_modules_of_the_product_hold_no_state() -> None:
    def rule(source: Source) -> Complaints:
        constants = set()
        for statement in source.tree.body:
            for name in _containers(statement):
                constants.add(name)
                if not re.fullmatch(r"_?[A-Z][A-Z0-9_]*|__all__", name):
                    yield statement.lineno, f"{name}: a container in a module is a constant, named like one"
        for node in source.nodes:
            if isinstance(node, ast.Global):
                yield node.lineno, f"global {', '.join(node.names)}"
            elif (changed := _changed(node)) in constants:
                yield getattr(node, "lineno", 0), f"{changed} is changed after it was made"

    require(PRODUCT, rule)


def _containers(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module binds to a list, dict, set or the like."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return
    value = statement.value
    literal = isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
    called = (
        isinstance(value, ast.Call) and getattr(value.func, "id", getattr(value.func, "attr", "")) in CONTAINERS
    )
    if literal or called:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _changed(node: ast.AST) -> str | None:
    """The name whose object a node changes in place: ``X[k] = v``, ``del X[k]``, ``X.append(v)``."""
    changed: ast.AST | None = None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        changed = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        changed = node.func.value
    return changed.id if isinstance(changed, ast.Name) else None


def test_output_never_depends_on_the_order_of_a_set() -> None:
    def is_set(node: ast.AST) -> bool:
        called = isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"set", "frozenset"}
        return called or isinstance(node, ast.Set | ast.SetComp)

    def ordered(node: ast.AST) -> ast.AST | None:
        """What a node goes through in an order that shows."""
        if isinstance(node, ast.For):
            return node.iter
        if isinstance(node, ast.ListComp | ast.DictComp):
            return node.generators[0].iter
        if isinstance(node, ast.Call) and len(node.args) == 1:
            function = getattr(node.func, "id", getattr(node.func, "attr", ""))
            return node.args[0] if function in {"list", "tuple", "enumerate", "iter", "join"} else None
        return None

    def rule(source: Source) -> Complaints:
        for node in source.nodes:
            if (through := ordered(node)) is not None and is_set(through):
                yield getattr(node, "lineno", 0), "goes through a set: sort it first"

    require(PRODUCT, rule)


def test_every_test_asserts_something() -> None:
    def asserts(source: Source, node: ast.AST, seen: frozenset[str]) -> bool:
        """Holds it an assertion, an expected exception, a checked process, or a helper that does?"""
        helpers = {function.name: function for function in source.functions}
        for inner in ast.walk(node):
            expected = source.meaning(inner) in {"pytest.raises", "pytest.warns", "pytest.fail"}
            checked = (
                isinstance(inner, ast.keyword) and inner.arg == "check" and ast.unparse(inner.value) == "True"
            )
            if isinstance(inner, ast.Assert) or expected or checked:
                return True
            if isinstance(inner, ast.Call):
                name = getattr(inner.func, "id", getattr(inner.func, "attr", ""))
                if re.match(r"_?(assert|check|require|verify|run_state_machine)", name) and name not in helpers:
                    return True
                if name in helpers and name not in seen and asserts(source, helpers[name], seen | {name}):
                    return True
        return False

    def rule(source: Source) -> Complaints:
        for function in source.functions:
            if function.name.startswith("test_") and not asserts(source, function, frozenset()):
                yield function.lineno, f"{function.name} asserts nothing"

    require(TESTS, rule)


def texts() -> list[Path]:
    """The files that people read, besides the Python sources: those at the top, and those in our folders."""
    kinds = {".py", ".md", ".json", ".toml", ".lock", ".sh", ".yml", ""}
    top = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in kinds]
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
