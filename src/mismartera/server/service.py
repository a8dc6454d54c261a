"""Server: one session's server on a thread of its own, with its own event loop. Its owner stops and joins it."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

import uvicorn
from loguru import logger

from mismartera.errors import UsageError
from mismartera.server.access import Access
from mismartera.server.app import make_app
from mismartera.server.checks import Addresses
from mismartera.server.commands import CommandDesk
from mismartera.server.limits import Limits
from mismartera.server.protocol import StreamProtocol
from mismartera.server.views import SessionView

LOOPBACK = "127.0.0.1"
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Where a server listens. ``port`` 0: a free one. ``hosts``: names that it answers to, besides the loopback's.

    Anything but the loopback is only for a token that was given, never for one that was made up.
    """

    host: str = LOOPBACK
    port: int = 0
    hosts: Sequence[str] = field(default=())
    has_given_token: bool = False

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and not self.has_given_token:
            raise UsageError(
                f"{self.host} can be reached from other machines: that needs a token of yours, with --token-file "
                "FILE (a file with mode 0600); without --bind the server listens on 127.0.0.1 only"
            )

    @property
    def names(self) -> list[str]:
        """The hosts that may be asked for."""
        wild = {"0.0.0.0", "::"}  # noqa: S104  # compared with, not bound to
        own = [] if is_loopback(self.host) or self.host in wild else [_bracketed(self.host)]
        return [*own, *self.hosts]


def is_loopback(host: str) -> bool:
    """True for this machine's own addresses."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Server:
    """Serves ``view`` and ``desk``. ``monotonic`` gives wall seconds."""

    def __init__(
        self, view: SessionView, desk: CommandDesk, access: Access, binding: Binding,
        monotonic: Callable[[], float], limits: Limits | None = None,
    ) -> None:  # fmt: skip
        self._view = view
        self._desk = desk
        self._access = access
        self._binding = binding
        self._monotonic = monotonic
        self._limits = limits or Limits()
        self._sockets: list[socket.socket] = []
        self._port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None

    @property
    def port(self) -> int:
        """Where it listens, or has listened."""
        assert self._port, "the server was started"
        return self._port

    @property
    def url(self) -> str:
        """Its address for this machine's programs and browsers."""
        host = LOOPBACK if self._binding.host in {"0.0.0.0", "::", "localhost"} else self._binding.host  # noqa: S104
        return f"http://{_bracketed(host)}:{self.port}"

    def start(self) -> None:
        """Listen, and return once requests are answered. UsageError if the address cannot be had."""
        self._sockets = _listen(self._binding)
        port = self._port = int(self._sockets[0].getsockname()[1])
        app = make_app(
            self._view, self._desk, self._access, Addresses(port, self._binding.names), self._limits,
            f"mismartera_{port}", self._monotonic,
        )  # fmt: skip
        config = uvicorn.Config(
            app, ws=StreamProtocol, ws_max_size=16_384, ws_per_message_deflate=False, ws_ping_interval=20.0,
            ws_ping_timeout=20.0, http="h11", loop="asyncio", lifespan="on", log_config=None, log_level="warning",
            access_log=False,
            proxy_headers=False, server_header=False, date_header=False, timeout_keep_alive=30,
            limit_concurrency=self._limits.connections_max, h11_max_incomplete_event_size=32_768,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._run, args=(self._server,), name="mismartera-server", daemon=True
        )
        self._thread.start()
        if not self._started.wait(_START_SECONDS) or self._failure is not None:
            self.stop()
            raise UsageError(f"the server did not start: {self._failure or 'no answer'}")

    def stop(self) -> None:
        """End it and wait for its thread. Nothing happens if it does not run."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_STOP_SECONDS)
            if self._thread.is_alive():
                logger.warning("the server's thread has not ended: a command is still waiting for the engine")
        for listening in self._sockets:
            listening.close()

    def _run(self, server: uvicorn.Server) -> None:
        try:
            asyncio.run(self._serve(server))
        except BaseException as error:  # noqa: BLE001  # the thread's last line of defence: start() tells it
            self._failure = error
            logger.error(f"the server has failed: {type(error).__name__}: {self._access.scrub(str(error))}")
        finally:
            self._started.set()

    async def _serve(self, server: uvicorn.Server) -> None:
        task = asyncio.create_task(server.serve(sockets=self._sockets))
        while not (server.started or task.done()):
            await asyncio.wait((task,), timeout=0.005)
        self._started.set()
        await task


def _listen(binding: Binding) -> list[socket.socket]:
    """The sockets: of the loopback both families, where the machine has both."""
    if not 0 <= binding.port <= 65_535:
        raise UsageError(f"--port is a number from 0 to 65535: found {binding.port}")
    first = _bound(LOOPBACK if binding.host == "localhost" else binding.host.strip("[]"), binding.port)
    found = [first]
    if binding.host in {LOOPBACK, "localhost"}:
        try:
            found.append(_bound("::1", first.getsockname()[1]))
        except UsageError:
            first.close()
            raise
        except OSError:  # no IPv6 here
            pass
    return found


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((host, port))
        opened.listen(1024)
    except OSError as error:
        opened.close()
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            why = "is taken" if error.errno == errno.EADDRINUSE else "may not be used (below 1024?)"
            raise UsageError(
                f"port {port} of {host} {why}: name another with --port, or --port 0 for a free one"
            ) from error
        if host == "::1":
            raise
        raise UsageError(f"--bind {host}: {error.strerror or error}") from error
    except UnicodeError as error:
        opened.close()
        raise UsageError(f"--bind: {host[:60]!a} is no address") from error
    return opened


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
