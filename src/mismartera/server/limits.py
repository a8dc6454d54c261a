"""Limits: how much a server takes, and what it keeps. All in one place; docs/SERVER.md lists them."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

SYMBOLS_MAX: Final = 100
BARS_MAX: Final = 10_000
"""In one request, and in one answer."""


class Limits(Struct, frozen=True, kw_only=True):
    """What is beyond a limit is refused, and the answer says so; nothing grows without bound."""

    body_bytes_max: int = 65_536
    body_seconds_max: float = 10.0
    json_depth_max: int = 16
    requests_per_second: float = 100.0
    """Of one token or page, after a burst of ``requests_burst``."""
    requests_burst: int = 300
    refusals_per_minute: float = 60.0
    """Requests without a right, of one address: beyond it the answer is 429."""
    connections_max: int = 1024
    clients_max: int = 256
    """Streams at one time."""
    client_bytes_max: int = 8_000_000
    """What may wait for a stream's client; beyond it the client is slow, and is closed."""
    client_says_max: int = 100
    """Messages and pings of a client in ten seconds."""
    pages_max: int = 64
    """Browsers that are signed in."""
    page_hours: float = 24.0
    events_kept: int = 20_000
    commands_kept: int = 2_000
    durable_seconds_max: float = 5.0
    """How long an answer waits until its command is in the journal, if there is one."""
    steerers_max: int = 8
    """Commands that are carried out at one time."""
