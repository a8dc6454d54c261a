"""Commands as users type them, with this interpreter's programs first on the path."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.sources import ROOT

TIMEOUT_SECONDS = 120.0


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
