"""Some 300 scripted attacks: none reads, none changes anything, none makes the server fail or tell of itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from tests.runs import config
from tests.server.attacks import Attack, all_attacks
from tests.server.conftest import TOKEN, Stand, close, make_stand

from mismartera import DataManager
from mismartera.server.limits import Limits

ATTACKS = all_attacks(TOKEN)
_ENOUGH = Limits(requests_burst=100_000, requests_per_second=1e6, refusals_per_minute=1e6)


@pytest.fixture(scope="module")
def target(market: DataManager) -> Iterator[Stand]:
    stand = make_stand(market, config("AAA"), limits=_ENOUGH)
    stand.clients.append(stand.page())
    yield stand
    close(stand)


def raw(stand: Stand, attack: Attack) -> tuple[int, bytes, bytes]:
    """Send ``attack`` as it is, byte for byte; status, headers and body of the answer (0: it was cut off)."""
    page = stand.clients[-1]
    headers = {"host": stand.host, "connection": "close"} | attack.headers
    cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    if attack.right == "token":
        headers = {"authorization": f"Bearer {TOKEN}"} | headers
    if attack.right in {"cookie", "page"}:
        headers = {"cookie": cookie} | headers
    if attack.right == "page":
        headers = {"x-mismartera-csrf": page.headers["x-mismartera-csrf"], "origin": stand.origin} | headers
    if attack.body or attack.method == "POST":
        headers = {"content-length": str(len(attack.body))} | headers
    lines = [f"{attack.method} {attack.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    text = "\r\n".join([*lines, "", ""])
    for name, value in {
        "PORT": str(stand.server.port),
        "ORIGIN": stand.origin,
        "COOKIE": cookie.split("=")[0],
    }.items():
        text = text.replace(name, value)
    with socket.create_connection(("127.0.0.1", stand.server.port), timeout=15) as connection:
        received = b""
        try:
            connection.sendall(text.encode("latin-1") + attack.body)
            while chunk := connection.recv(65_536):
                received += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    return (int(head.split(b" ")[1]) if head.startswith(b"HTTP/1.1 ") else 0), head.lower(), body


def test_there_are_more_than_200_attacks_each_with_a_name_of_its_own() -> None:
    assert len(ATTACKS) >= 200
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_no_attack_succeeds(target: Stand, attack: Attack) -> None:
    system = target.system
    before = (system.coordinator.get_loaded_symbols(), system.get_time_manager().now_us(), system.is_paused)
    status, head, body = raw(target, attack)
    assert status < 500, body
    is_named = attack.name.startswith("symbol ") and status == 202  # accepted, and failed: see below
    assert status == 0 or status >= 400 or is_named, body
    assert TOKEN.encode() not in head + body
    for word in (b"traceback", b"site-packages", b".py", b"root:", b"<script>"):
        assert word not in body.lower()
    if status and b"application/json" in head:
        assert b"x-content-type-options: nosniff" in head
        assert b"frame-ancestors 'none'" in head
    after = (system.coordinator.get_loaded_symbols(), system.get_time_manager().now_us(), system.is_paused)
    assert after == before


def test_the_target_stands_after_all_of_it(target: Stand) -> None:
    assert target.get("/api/session")["symbols"]["loaded"] == 1
    assert target.get("/healthz") == {"status": "ok"}
