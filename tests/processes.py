"""Commands as users type them, with this interpreter's programs first on the path; and ``mismartera`` as a call.

A start costs a second of a processor. :func:`call` is for what a command says and leaves behind; what happens to a
process (signals, kills, pipes, what it imports) needs one.
"""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

from tests.sources import ROOT

from mismartera.cli.main import main

TIMEOUT_SECONDS = 120.0


class Result(NamedTuple):
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        return json.loads(self.out)


def call(
    arguments: Sequence[object], folder: Path, *, status: int | None = 0, environ: Mapping[str, str] | None = None
) -> Result:
    """``mismartera`` with ``arguments``, in this process, as if in ``folder`` and with ``environ`` (None: ours).

    It must end with ``status`` (None: any), without a traceback. What it imports from ``folder`` is forgotten.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(folder), patch.dict(os.environ, environ or {}, clear=environ is not None),
        redirect_stdout(out), redirect_stderr(err), patch("gc.freeze"),  # our garbage is to be found
    ):  # fmt: skip
        thresholds = gc.get_threshold()
        found = main([str(argument) for argument in arguments])
        gc.set_threshold(*thresholds)  # the command line sets its own
    inside = f"{folder.resolve()}{os.sep}"
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and str(vars(module).get("__file__")).startswith(inside):
            del sys.modules[name]
    result = Result(found, out.getvalue(), err.getvalue())
    assert "Traceback" not in result.out + result.err, result
    assert status is None or found == status, f"{arguments} ended with {found}:\n{result.err[-2000:]}"
    return result


def run(command: Sequence[str | Path], folder: Path, *, status: int = 0) -> str:
    """Run ``command`` in ``folder`` without input: all that it printed. It must end with ``status``."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=os.environ | {"PATH": programs}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == status, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@contextmanager
def background(command: Sequence[str | Path], folder: Path) -> Iterator[str]:
    """The first line that ``command`` writes to stderr while it runs; it is interrupted afterwards."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with subprocess.Popen(
        [str(part) for part in command], cwd=folder, env=os.environ | {"PATH": programs}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        try:
            yield process.stderr.readline()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=TIMEOUT_SECONDS)


def link_repository(folder: Path) -> Path:
    """``folder`` with the repository's files in it, as links: what commands write stays out of the repository."""
    for name in ("docs", "session_configs", "src", "Makefile", "pyproject.toml", "requirements.lock"):
        (folder / name).symlink_to(ROOT / name)
    return folder
