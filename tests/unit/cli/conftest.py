"""The command line, called in this process, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests import processes
from tests.processes import Result

Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls a command line, with any status; no message of any may be a traceback."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: processes.call(arguments, tmp_path, status=None)
