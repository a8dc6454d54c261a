"""The server of a run, for ``mismartera serve`` and ``--serve``. Imported only where one is wanted."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from mismartera.cli.status import say
from mismartera.errors import UsageError
from mismartera.feeds.secret import Secret
from mismartera.remote.places import Place, read_token, servers_dir

try:
    from mismartera.server.limits import Limits
    from mismartera.server.recent import RecentEvents
    from mismartera.server.service import Binding, Server, is_loopback
    from mismartera.server.wiring import SessionDesk
except ModuleNotFoundError as missing:  # an installation without the extra
    if missing.name not in {"fastapi", "uvicorn", "starlette"}:
        raise
    raise UsageError(
        f"a server needs the package {missing.name}: pip install 'mismartera[server]' brings all of it"
    ) from missing
from mismartera.system import SystemManager

_VENDOR_SECRETS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")


class ServeOptions(Struct, frozen=True, kw_only=True):
    """Where to serve. ``stays``: after the run's end, too, until it is stopped. ``is_paused``: begin paused."""

    port: int
    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    token_file: Path | None = None
    stays: bool = False
    is_paused: bool = False


class Serving:
    """A run's server: made before the system (``recent`` is one of its sinks), attached to it, stopped after it.

    ``environ``: where a token and the vendors' keys may stand.
    """

    def __init__(self, options: ServeOptions, environ: Mapping[str, str]) -> None:
        self._options = options
        self._environ = environ
        self._token, is_given = self._find_token()
        self._binding = Binding(
            host=options.host, port=options.port, hosts=options.hosts, has_given_token=is_given
        )
        self.stays = options.stays
        self.limits = Limits()
        self.recent = RecentEvents(self.limits.events_kept)
        self._server: Server | None = None
        self._place: Place | None = None

    def start(self, system: SystemManager) -> None:
        """Serve ``system``, and say where. UsageError if the address cannot be had."""
        desk = SessionDesk(system, self.recent, Secret(self._token), limits=self.limits)
        desk.access.keep_secret(*(Secret(self._environ.get(name, "")) for name in _VENDOR_SECRETS))
        server = desk.server(self._binding)
        server.start()
        self._server = server
        self._place = Place(servers_dir(self._environ), server.port)
        self._place.write(server.url, self._token)
        if self._options.is_paused:
            system.coordinator.inbox.pause()
        say(
            f"the session is at {server.url}/#code={desk.access.new_code().reveal()}",
            "  the address works once; the token for scripts is in "
            f"{self._options.token_file or self._place.path}",
        )
        if not is_loopback(self._options.host):
            say(
                f"warning: {self._options.host} is open to other machines, without TLS: whoever listens on the "
                "way can read the token; put a proxy with TLS before it, or use an SSH tunnel instead"
            )

    def stop(self) -> None:
        """End it, and take back its word. Nothing happens if it does not run."""
        if self._place is not None:
            self._place.remove(self._token)
        if self._server is not None:
            self._server.stop()

    def _find_token(self) -> tuple[str, bool]:
        """The token, and whether it was given."""
        if self._options.token_file is not None:
            return read_token(self._options.token_file), True
        return secrets.token_urlsafe(32), False
