"""Remote: a session behind a server's address, asked and told over HTTP."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from mismartera.errors import UsageError
from mismartera.feeds.httpx_only import httpx
from mismartera.remote.places import DEFAULT_PORT, TOKEN_VARIABLE, Place, servers_dir

_TIMEOUT_SECONDS = 15.0
_POLL_SECONDS = 0.2
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def find_server(url: str | None, environ: Mapping[str, str]) -> tuple[str, str]:
    """Address and token of the server that is meant; UsageError if there is none, or none to choose.

    ``url`` None: the one that runs on this machine. The token is ``MISMARTERA_TOKEN``, or that which a server of
    this user has left on this machine; it is sent to no other one.
    """
    folder = servers_dir(environ)
    token = environ.get(TOKEN_VARIABLE, "")
    if url is None:
        found = _running(folder).read()
        if found is None:
            raise UsageError(
                "no server runs here: start one with 'mismartera serve CONFIG', or name one with --url"
            )
        return found[0], token or found[1]
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise UsageError(f"--url {url!a}: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"--url is the address of a server, http://127.0.0.1:{DEFAULT_PORT}: found {url!a}")
    if not token and parts.hostname in _LOOPBACK:
        found = Place(folder, port).read()
        token = found[1] if found else ""
    if not token:
        here = ", and no server of yours has left one for that port" if parts.hostname in _LOOPBACK else ""
        raise UsageError(f"there is no token for {url}{here}: put it into the variable {TOKEN_VARIABLE}")
    return f"{parts.scheme}://{parts.netloc}", token


def _running(folder: Path) -> Place:
    ports = sorted(int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal())
    if len(ports) > 1 and DEFAULT_PORT not in ports:
        raise UsageError(
            f"several servers run here, on the ports {', '.join(map(str, ports))}: name one with --url"
        )
    return Place(folder, ports[0] if len(ports) == 1 else DEFAULT_PORT)


class Remote:
    """A session behind ``url``. What cannot be had raises UsageError with what the server says."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._client = httpx.Client(
            base_url=url, timeout=_TIMEOUT_SECONDS, headers={"authorization": f"Bearer {token}"}, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def session(self) -> dict[str, Any]:
        """How the session stands."""
        return self._ask("GET", "/api/session")

    def symbols(self) -> list[dict[str, Any]]:
        """Its symbols."""
        return list(self._ask("GET", "/api/symbols")["symbols"])

    def add(self, symbols: list[str], streams: list[str] | None) -> dict[str, Any]:
        """Ask for symbols; the command as it stands."""
        body: dict[str, Any] = {"symbols": symbols} | ({} if streams is None else {"streams": streams})
        return self._ask("POST", "/api/symbols", body)

    def remove(self, symbol: str) -> dict[str, Any]:
        """Drop a symbol."""
        return self._ask("DELETE", f"/api/symbols/{quote(symbol, safe='')}")

    def steer(self, what: str) -> dict[str, Any]:
        """``pause``, ``resume`` or ``step``."""
        return self._ask("POST", f"/api/session/{what}", {})

    def wait(self, command: dict[str, Any], seconds: float) -> dict[str, Any]:
        """What became of ``command``, asked for about so many seconds."""
        turn = threading.Event()
        for _ in range(round(seconds / _POLL_SECONDS)):
            if command["outcome"] != "pending":
                break
            turn.wait(_POLL_SECONDS)
            command = self._ask("GET", command["status_url"])
        return command

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        headers = {"idempotency-key": secrets.token_hex(16)} if method != "GET" else {}
        try:
            reply = self._client.request(method, path, json=body, headers=headers)
        except httpx.TimeoutException as error:
            raise UsageError(f"{self.url} does not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UsageError(
                f"no server answers at {self.url}: is 'mismartera serve' running there, on that port?"
            ) from error
        try:
            found = reply.json()
            if reply.is_success:
                return dict(found)
            message = str(found["error"]["message"])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"what answers at {self.url} is no mismartera server") from error
        if reply.status_code == httpx.codes.UNAUTHORIZED:
            message = f"the token is not that of the server at {self.url}: it may have been started again"
        raise UsageError(message)
