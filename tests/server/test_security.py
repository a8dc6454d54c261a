"""The faults A01 to A10 of the control API by number (A04, A07, A08 and A11: beside stream and commands)."""

from __future__ import annotations

import json
import logging
import math
import socket
import threading
from pathlib import Path

import pytest
from loguru import logger
from tests.runs import config
from tests.server.conftest import TOKEN, MakeStand, Rows

from mismartera import Bar, Strategy
from mismartera.errors import UsageError
from mismartera.feeds.secret import Secret
from mismartera.remote.places import Place, read_token
from mismartera.server.access import Access
from mismartera.server.answers import answer
from mismartera.server.checks import Addresses, check_json
from mismartera.server.limits import Limits
from mismartera.server.rates import Rates
from mismartera.server.refusal import Refusal
from mismartera.server.service import Binding


def test_a01_without_the_token_every_read_is_401_without_detail(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    for headers in (
        {},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN.swapcase()}"},
    ):
        reply = stand.anonymous(**headers).get("/api/session")
        assert reply.status_code == 401
        assert reply.json()["error"]["code"] == "no_right"
        assert "AAA" not in reply.text


def test_a01_a_signed_in_browser_is_forgotten_after_its_time() -> None:
    seconds = [0.0]
    access = Access(Secret(TOKEN), Limits(page_hours=1), lambda: seconds[0])
    found = access.sign_in(token=TOKEN)
    assert found is not None
    seconds[0] = 3_599
    assert access.page(found[0]) == found[1]
    seconds[0] = 3_600
    assert access.page(found[0]) is None


def test_a01_a_code_works_once_and_the_cookie_is_out_of_a_scripts_reach(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    browser, code = stand.anonymous(origin=stand.origin), stand.desk.access.new_code().reveal()
    reply = browser.post("/api/login", json={"code": code})
    cookie = reply.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert browser.get("/api/session").status_code == 200
    assert stand.anonymous(origin=stand.origin).post("/api/login", json={"code": code}).status_code == 401
    assert browser.get("/api/login").json()["csrf"] == reply.json()["csrf"]
    browser.headers["x-mismartera-csrf"] = reply.json()["csrf"]
    assert browser.delete("/api/login").status_code == 204
    assert browser.get("/api/session").status_code == 401


def test_a01_tokens_are_compared_by_their_hashes_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("mismartera.server.access.hmac.compare_digest", compare)
    access = Access(Secret(TOKEN), Limits(), lambda: 0.0)
    assert access.is_token(TOKEN)
    assert not access.is_token("x")
    assert [(len(one), len(other)) for one, other in compared] == [(32, 32), (32, 32)]


def test_a01_guesses_become_429_and_the_token_goes_on_working(stands: MakeStand) -> None:
    stand = stands(config("AAA"), limits=Limits(refusals_per_minute=5))
    stranger = stand.anonymous(authorization="Bearer wrong")
    statuses = [stranger.get("/api/session").status_code for _ in range(8)]
    assert statuses == [401] * 5 + [429] * 3
    assert stand.get("/api/session")["mode"] == "backtest"


def test_a02_the_servers_names_are_those_of_the_loopback_and_those_that_were_given() -> None:
    addresses = Addresses(8787, ["desk.example"])
    for host in ("127.0.0.1:8787", "LOCALHOST:8787", "[::1]:8787", "desk.example", "desk.example:8787"):
        assert addresses.check([(b"host", host.encode())]) is False
    for host in ("evil.example:8787", "127.0.0.1:1", "127.0.0.1"):
        with pytest.raises(Refusal, match="host name"):
            addresses.check([(b"host", host.encode())])
    with pytest.raises(Refusal):
        addresses.check([(b"host", b"127.0.0.1:8787"), (b"host", b"evil.example")])


def test_a02_the_page_itself_is_not_served_under_a_foreign_name(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    assert stand.anonymous(host="evil.example").get("/").status_code == 403
    assert stand.anonymous(host="evil.example").get("/healthz").status_code == 403


def test_a03_a_cookie_alone_changes_nothing(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    page = stand.page()
    assert page.post("/api/session/step", json={}).status_code == 200
    for name in ("x-mismartera-csrf", "origin"):
        kept = page.headers.pop(name)
        assert page.post("/api/session/step", json={}).status_code == 403
        page.headers[name] = kept
    assert page.post("/api/session/step", content="{}", headers={"content-type": "text/plain"}).status_code == 415
    assert stand.get("/api/session")["now"] == "2024-07-02T14:01:00+00:00"


def test_a03_no_get_changes_anything(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    paths = [route for route, kinds in stand.get("/openapi.json")["paths"].items() if "get" in kinds]
    before = stand.get("/api/session")
    for path in paths:
        stand.client.get(path.format(symbol="AAA", interval="1m", number="x"))
    assert stand.get("/api/session") == before
    assert stand.audit.rows == []


def test_a05_what_is_not_finite_is_null() -> None:
    body = bytes(answer({"nan": math.nan, "inf": math.inf, "huge": 2**60, "tag": "<b>"}).body)
    assert json.loads(body) == {"nan": None, "inf": None, "huge": 2**60, "tag": "<b>"}
    assert b"<" not in body


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a": 1, "a": 2}', "one key twice"), (b"[" * 17 + b"]" * 17, "deeper than 16"), (b"\xff", "not UTF-8"),
        (b"{'a': 1}", "not JSON"), (b"NaN", "not a number"), (b"[" + b"9" * 5000 + b"]", "not JSON"),
    ],
)  # fmt: skip
def test_a06_bad_json_is_named(body: bytes, message: str) -> None:
    with pytest.raises(Refusal, match=message) as refused:
        check_json(body, 16)
    assert refused.value.status == 400


def test_a06_brackets_in_text_do_not_nest() -> None:
    check_json(json.dumps({"a": "[" * 100 + '\\"' + "{" * 100}).encode(), 16)
    with pytest.raises(Refusal):
        check_json(b'{"a": "\\"}', 16)


def test_a06_a_body_that_never_ends_is_not_waited_for(stands: MakeStand) -> None:
    stand = stands(config("AAA"), limits=Limits(body_seconds_max=0.2))
    head = (f"POST /api/session/step HTTP/1.1\r\nhost: {stand.host}\r\nauthorization: Bearer {TOKEN}\r\n"
            "content-type: application/json\r\ncontent-length: 10\r\n\r\n{")  # fmt: skip
    with socket.create_connection(("127.0.0.1", stand.server.port), timeout=15) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")


def test_a06_more_requests_than_allowed_are_429_and_say_when_to_come_back(stands: MakeStand) -> None:
    stand = stands(config("AAA"), limits=Limits(requests_burst=3, requests_per_second=0.001))
    replies = [stand.client.get("/api/session") for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert replies[-1].headers["retry-after"] == "2"


def test_a06_a_bucket_fills_again() -> None:
    seconds = [0.0]
    rates = Rates(2.0, 4.0, lambda: seconds[0])
    assert [rates.take("a") for _ in range(5)] == [True] * 4 + [False]
    assert rates.take("b")
    seconds[0] = 0.5
    assert [rates.take("a"), rates.take("a")] == [True, False]


def test_a09_what_a_strategy_says_is_data_and_never_a_page(stands: MakeStand) -> None:
    evil = '<img src=x onerror="alert(1)">'

    class Says(Strategy):
        def on_bar(self, bar: Bar) -> None:
            if bar.symbol == "AAA" and bar.timestamp.minute == 31:
                self.session.emit(evil, evil)
                raise ValueError(evil)

    stand = stands(config("AAA", on_error="isolate"), Says())
    reply = stand.client.get("/api/events")
    assert reply.headers["content-type"] == "application/json"
    assert "<" not in reply.text
    names = {event["event"]: event for event in reply.json()["events"]}
    assert names["signal"]["name"] == evil
    assert evil in names["strategy_error"]["error"]
    csp = stand.client.get("/").headers["content-security-policy"]
    assert "script-src 'self'" in csp and "unsafe" not in csp and "frame-ancestors 'none'" in csp


def test_a10_a_port_that_is_taken_is_named_with_what_to_do(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    with pytest.raises(UsageError, match=f"port {stand.server.port} of 127.0.0.1 is taken: .*--port 0"):
        stand.desk.server(Binding(port=stand.server.port)).start()
    with pytest.raises(UsageError, match="--port is a number"):
        stand.desk.server(Binding(port=70_000)).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "desk.example"])  # noqa: S104  # refused here
def test_a10_other_machines_need_a_token_that_was_given(host: str) -> None:
    with pytest.raises(UsageError, match="needs a token of yours, with --token-file"):
        Binding(host=host)
    assert Binding(host=host, has_given_token=True).host == host


def test_a10_an_address_that_is_not_ours_is_one_message(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    with pytest.raises(UsageError, match=r"--bind 192\.0\.2\.1: "):
        stand.desk.server(Binding(host="192.0.2.1", has_given_token=True)).start()


def test_a_token_file_must_be_its_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="mode 0600"):
        read_token(path)
    path.chmod(0o600)
    assert read_token(path) == TOKEN
    path.write_text("short")
    with pytest.raises(UsageError, match="at least 22 letters"):
        read_token(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_token(tmp_path / "none")


def test_a_servers_place_is_its_users_alone_and_goes_with_it(tmp_path: Path) -> None:
    place = Place(tmp_path / "servers", 8787)
    place.write("http://127.0.0.1:8787", TOKEN)
    assert place.path.stat().st_mode & 0o777 == 0o600
    assert place.path.parent.stat().st_mode & 0o777 == 0o700
    assert place.read() == ("http://127.0.0.1:8787", TOKEN)
    place.remove("another token, of a server that came later")
    assert place.path.exists()
    place.remove(TOKEN)
    assert place.read() is None


def test_canary_secrets_appear_nowhere(stands: MakeStand, caplog: pytest.LogCaptureFixture) -> None:
    vendor = "canary-vendor-key-7h3JkQ"
    lines: list[str] = []
    handler = logger.add(lines.append, level="TRACE")
    caplog.set_level(logging.DEBUG)
    try:

        class Leaks(Strategy):
            def on_bar(self, bar: Bar) -> None:
                raise ValueError(f"keys {vendor} {TOKEN}")

        stand = stands(config("AAA", on_error="isolate"), Leaks())
        stand.desk.access.keep_secret(Secret(vendor))
        code = stand.desk.access.new_code().reveal()
        seen = [stand.client.get(path) for path in (
            "/api/session", "/api/symbols", "/api/events", "/api/quality", "/metrics", "/openapi.json", "/",
            "/docs",
            f"/api/bars/{TOKEN[:30]}/1m", f"/api/commands/{TOKEN}", "/api/none",
        )]  # fmt: skip
        seen.append(stand.post("/api/symbols", {"symbols": [TOKEN]}))
        seen.append(stand.post("/api/login", {"code": code}))
        seen.append(stand.post("/api/login", {"token": TOKEN[:-1]}))
        with stand.stream(after=0) as stream:
            streamed = "".join(str(stream.recv(timeout=15)) for _ in range(4))
        text = "".join(f"{reply.headers}{reply.text}" for reply in seen) + streamed
        clients = ("httpx", "httpcore", "websockets.client")
        logged = [record.getMessage() for record in caplog.records if not record.name.startswith(clients)]
        text += "".join([*lines, *logged]) + repr(stand.desk.access.__dict__)
    finally:
        logger.remove(handler)
    assert "***" in text
    for secret in (vendor, TOKEN, code):
        assert secret not in text
    rows: Rows = stand.audit
    assert not any(vendor in part or TOKEN in part for row in rows.rows for part in row)


def test_no_thread_of_a_stopped_server_is_left(stands: MakeStand) -> None:
    stand = stands(config("AAA"))
    before = threading.active_count()
    stand.server.stop()
    stand.server.stop()
    names = [thread.name for thread in threading.enumerate()]
    assert "mismartera-server" not in names
    assert threading.active_count() < before
