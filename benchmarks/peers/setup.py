"""``python -m benchmarks.peers.setup NAME ...``: an environment of its own for each peer, outside the repository.

They cannot share one: some need older versions of NumPy or pandas than this package.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from benchmarks.peers.registry import PEERS, Peer

DEFAULT_FOLDER = Path(tempfile.gettempdir()) / "mismartera-bench" / "peers"
_READY, _FAILED = "ready", "failed"


def python_of(folder: Path, name: str) -> Path | None:
    """The interpreter of a peer's environment; None if it was not set up."""
    home = folder / name
    return home / "bin" / "python" if (home / _READY).exists() else None


def why_not(folder: Path, name: str) -> str:
    """Why a peer cannot be run."""
    failed = folder / name / _FAILED
    if failed.exists():
        return f"it does not install here: {failed.read_text('utf-8').strip()}"
    return f"it is not set up: python -m benchmarks.peers.setup {name}"


def set_up(folder: Path, peer: Peer) -> bool:
    """Make the peer's environment; False, with the reason kept for the report, if it does not install."""
    home = folder / peer.name
    venv.EnvBuilder(with_pip=True, clear=True).create(home)
    python = str(home / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *peer.requirements], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        # What it takes to import it is part of setting it up: some install and do not run.
        check = [python, "-c", f"import benchmarks.peers.drive_{peer.name}"]
        done = subprocess.run(check, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        (home / _FAILED).write_text(lines[-1] if lines else f"exit status {done.returncode}", "utf-8")
        return False
    (home / _READY).touch()
    return True


def main() -> int:
    """Set up the peers that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PEERS)} (default: all)")
    parser.add_argument("--peer-env", type=Path, default=DEFAULT_FOLDER, metavar="DIR", help="default %(default)s")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in PEERS]
    if unknown:
        parser.error(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    failed = False
    for name in options.names or PEERS:
        installed = set_up(options.peer_env, PEERS[name])
        failed |= not installed
        print(f"{name}: {'ready' if installed else why_not(options.peer_env, name)}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
