"""A session and its server, on a port of the loopback, for the tests of the server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from mismartera import DataManager, SessionConfig, Strategy, SystemManager
from mismartera.feeds.secret import Secret
from mismartera.server.limits import Limits
from mismartera.server.recent import RecentEvents
from mismartera.server.service import Binding, Server
from mismartera.server.wiring import SessionDesk
from mismartera.timing import Clock

TOKEN = "canary-token-Qm9vIQ-0123456789abcdef"  # noqa: S105  # of the tests alone
WALL_SECONDS = 15.0


class Rows:
    """An audit trail that keeps its rows."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    def audit(self, command: str, who: str, result: str) -> None:
        self.rows.append((command, who, result))


@dataclass
class Stand:
    """A session with its server, and a client that has the token."""

    system: SystemManager
    desk: SessionDesk
    server: Server
    client: httpx.Client
    audit: Rows
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def get(self, path: str, **options: Any) -> Any:
        reply = self.client.get(path, **options)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {"content-type": "application/json"} | {name.replace("_", "-"): v for name, v in headers.items()}
        return self.client.post(path, content=json.dumps({} if body is None else body), headers=sent)

    def add(self, symbol: str, **headers: str) -> dict[str, Any]:
        """Add a symbol, and the command's end."""
        reply = self.post("/api/symbols", {"symbols": [symbol]}, **headers)
        assert reply.status_code == 202, reply.text
        self.wait_for(lambda: self.get(reply.json()["status_url"])["outcome"] != "pending")
        return dict(self.get(reply.json()["status_url"]))

    def wait_for(self, reached: Callable[[], bool]) -> None:
        """Until ``reached``; fails after a while."""
        ticking = threading.Event()
        clock = self.desk.monotonic
        until = clock() + WALL_SECONDS
        while not reached():
            assert clock() < until, "in vain"
            ticking.wait(0.01)

    def anonymous(self, **headers: str) -> httpx.Client:
        """A client without a token."""
        made = httpx.Client(base_url=self.server.url, headers=headers, timeout=WALL_SECONDS)
        self.clients.append(made)
        return made

    def page(self) -> httpx.Client:
        """A browser's client: signed in with a code, with its Origin and the header of its commands."""
        made = self.anonymous(origin=self.origin)
        code = self.desk.access.new_code().reveal()
        reply = made.post("/api/login", json={"code": code})
        assert reply.status_code == 200, reply.text
        made.headers["x-mismartera-csrf"] = reply.json()["csrf"]
        return made

    def stream(
        self, after: int | None = None, headers: Mapping[str, str] | None = None, **options: Any
    ) -> ClientConnection:
        query = "" if after is None else f"?after={after}"
        sent = {"authorization": f"Bearer {TOKEN}"} if headers is None else headers
        opened: ClientConnection = connect(
            f"ws://{self.host}/api/stream{query}", additional_headers=sent, compression=None, max_size=None,
            open_timeout=WALL_SECONDS, **options,
        )  # fmt: skip
        return opened


MakeStand = Callable[..., Stand]


def make_stand(
    data: DataManager, config: SessionConfig, *strategies: Strategy, limits: Limits | None = None,
    until: str | None = "10:00", clock: Clock | None = None, sinks: Sequence[Any] = (),
) -> Stand:  # fmt: skip
    """A session that stands at ``until`` (None: as it is made), with its server."""
    limits = limits or Limits()
    recent, audit = RecentEvents(limits.events_kept), Rows()
    system = SystemManager(config, data_manager=data, strategies=strategies, sinks=[recent, *sinks], clock=clock)
    desk = SessionDesk(system, recent, Secret(TOKEN), limits=limits, trails=[audit])
    server = desk.server(Binding())
    server.start()
    client = httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=WALL_SECONDS)
    if until is not None:
        system.run_until(until)
    return Stand(system, desk, server, client, audit, [client])


def close(stand: Stand) -> None:
    """End it all."""
    for client in stand.clients:
        client.close()
    stand.system.stop()
    stand.server.stop()


@pytest.fixture
def stands(market: DataManager) -> Iterator[MakeStand]:
    """Makes stands on the market; all are ended after the test, and none may leave a thread behind."""
    made: list[Stand] = []

    def make(config: SessionConfig, *strategies: Strategy, **options: Any) -> Stand:
        made.append(make_stand(market, config, *strategies, **options))
        return made[-1]

    yield make
    for stand in made:
        close(stand)
    left = [thread.name for thread in threading.enumerate() if thread.name == "mismartera-server"]
    assert not left
