"""The rules of style: each looks at one file, and says on which lines something is wrong."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.sources import Complaints, Source

FUNCTION_LINES_MAX = 60
WALL_CLOCK = {
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter",
    "time.perf_counter_ns", "time.localtime", "time.gmtime", "time.ctime",
}  # fmt: skip
SLEEP = {"time.sleep", "asyncio.sleep"}
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


def long_functions(source: Source) -> Complaints:
    """Functions of more than 60 lines."""
    for node in source.functions:
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        if size > FUNCTION_LINES_MAX:
            yield node.lineno, f"{node.name} has {size} lines, at most {FUNCTION_LINES_MAX}"


def wall_clock(source: Source) -> Complaints:
    """Reads of the wall clock, whatever the name it was imported by."""
    for node in source.nodes:
        if isinstance(node, ast.Attribute | ast.Name) and (name := source.meaning(node)) in WALL_CLOCK:
            yield node.lineno, f"{name}: ask the TimeManager"


def sleeps(source: Source) -> Complaints:
    """Waiting for time to pass."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and source.meaning(node.func) in SLEEP:
            yield node.lineno, f"{source.meaning(node.func)}: wait for a condition"


def unexplained_imports(source: Source) -> Complaints:
    """Imports inside functions that neither LAZY nor a comment gives a reason for."""
    for function in source.functions:
        for node in ast.walk(function):
            if not isinstance(node, ast.Import | ast.ImportFrom) or source.has_comment(node.lineno):
                continue
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            if not all(module.startswith(tuple(LAZY)) for module in modules):
                yield node.lineno, f"import inside {function.name} without a comment that gives the reason"


def broad_excepts(source: Source) -> Complaints:
    """Handlers of every exception that swallow it without saying why."""
    for node in source.nodes:
        if not isinstance(node, ast.ExceptHandler):
            continue
        broad = node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"}
        raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        reason = re.search(r"# noqa: BLE001 +# \w+", source.lines[node.lineno - 1])
        if broad and not raises and not reason:
            yield node.lineno, "broad except without `# noqa: BLE001  # the reason`"


def module_state(source: Source) -> Complaints:
    """Containers of a module that are not constants, and what changes them."""
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


def set_order(source: Source) -> Complaints:
    """Loops, lists and texts in the order of a set."""
    for node in source.nodes:
        if (through := _ordered(node)) is not None and _is_set(through):
            yield getattr(node, "lineno", 0), "goes through a set: sort it first"


def _is_set(node: ast.AST) -> bool:
    called = isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"set", "frozenset"}
    return called or isinstance(node, ast.Set | ast.SetComp)


def _ordered(node: ast.AST) -> ast.AST | None:
    """What a node goes through in an order that shows."""
    if isinstance(node, ast.For):
        return node.iter
    if isinstance(node, ast.ListComp | ast.DictComp):
        return node.generators[0].iter
    if isinstance(node, ast.Call) and len(node.args) == 1:
        function = getattr(node.func, "id", getattr(node.func, "attr", ""))
        return node.args[0] if function in {"list", "tuple", "enumerate", "iter", "join"} else None
    return None


def empty_tests(source: Source) -> Complaints:
    """Tests that assert nothing."""
    for function in source.functions:
        if function.name.startswith("test_") and not _asserts(source, function, frozenset()):
            yield function.lineno, f"{function.name} asserts nothing"


def _asserts(source: Source, node: ast.AST, seen: frozenset[str]) -> bool:
    """Holds it an assertion, an expected exception, a checked process, or a helper that does?"""
    helpers = {function.name: function for function in source.functions}
    for inner in ast.walk(node):
        expected = source.meaning(inner) in {"pytest.raises", "pytest.warns", "pytest.fail"}
        checked = isinstance(inner, ast.keyword) and inner.arg == "check" and ast.unparse(inner.value) == "True"
        if isinstance(inner, ast.Assert) or expected or checked:
            return True
        if isinstance(inner, ast.Call):
            name = getattr(inner.func, "id", getattr(inner.func, "attr", ""))
            if re.match(r"_?(assert|check|require|verify|run_state_machine)", name) and name not in helpers:
                return True
            if name in helpers and name not in seen and _asserts(source, helpers[name], seen | {name}):
                return True
    return False
