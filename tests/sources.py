"""The project's Python files, parsed: what the tests of style look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("src", "tests", "benchmarks", "docs", "session_configs")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Complaints = Iterator[tuple[int, str]]
"""Lines, and what is wrong there."""


@dataclass(frozen=True)
class Source:
    """A Python file of the project: its name below the root, its text, and what follows from it."""

    name: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[FunctionNode]:
        return [node for node in self.nodes if isinstance(node, FunctionNode)]

    @cached_property
    def imported(self) -> dict[str, str]:
        """What each imported name stands for: ``dt`` for ``datetime``, ``sleep`` for ``time.sleep``."""
        names: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                names |= {a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                          for a in node.names}  # fmt: skip
            elif isinstance(node, ast.ImportFrom):
                names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        return names

    def meaning(self, node: ast.AST) -> str:
        """The dotted name behind an expression such as ``dt.datetime.now``; "" if it is none."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, "")
        if isinstance(node, ast.Attribute) and (owner := self.meaning(node.value)):
            return f"{owner}.{node.attr}"
        return ""

    def has_comment(self, line: int) -> bool:
        """Does the line, the one above it, or the first of a row of imports that it is part of hold a comment?"""
        above = self.lines[line - 2].lstrip()
        if "#" in self.lines[line - 1] or above.startswith("#"):
            return True
        return above.startswith(("import ", "from ")) and self.has_comment(line - 1)


def read(*folders: str) -> list[Source]:
    """The Python files below these folders of the project, sorted by name."""
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths]
