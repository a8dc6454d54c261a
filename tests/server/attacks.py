"""The attacks: requests that a foreign page, a foreign program or a careless one might send. None may succeed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

JSON = {"content-type": "application/json"}
READS = (
    "/api/session", "/api/symbols", "/api/states", "/api/events", "/api/bars/AAA/1m", "/api/quality", "/metrics",
    "/api/indicators?symbol=AAA", "/openapi.json", "/docs",
)  # fmt: skip
WRITES = (
    ("POST", "/api/symbols", '{"symbols": ["BBB"]}'), ("DELETE", "/api/symbols/AAA", ""),
    ("POST", "/api/session/resume", "{}"), ("POST", "/api/session/step", "{}"),
    ("POST", "/api/session/speed", '{"speed": 5}'),
)  # fmt: skip
NAMES = (
    "../../etc/passwd", "..", ".", "/etc/passwd", "A//B", "A/", "/A", "A/../B", "-A", "--help", "A\x00B", "\x00",
    "A\u202eB", "\u0410\u0410\u0410", "A" * 33, "A" * 10_000, "A B", "A;rm -rf", "$(id)", "`id`", "A|B", "A&B",
    "A'--", '"; DROP TABLE bars; --', "%2e%2e", "C:\\x", "A\\B", "<script>alert(1)</script>", "{{7*7}}", "${7*7}",
    "A\nB", "A\r\nX-Injected: 1", "\ufeffA", "", " ", "A\t", "*", "?", "#", "A:B", "os:system", "__import__('os')",
)  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """A request as it is sent. ``right``: "none", "token", "cookie" (without the page's header) or "page"."""

    name: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    right: str = "none"

    def __str__(self) -> str:
        return self.name


def all_attacks(token: str) -> list[Attack]:
    """All of them, each named."""
    return [
        *_without_right(token), *_foreign_host(), *_foreign_origin(), *_cross_site_forms(), *_get_with_effect(),
        *_names(), *_bodies(), *_paths(), *_headers(), *_logins(),
    ]  # fmt: skip


def _without_right(token: str) -> Iterator[Attack]:
    for path in READS:
        yield Attack(f"no token: {path}", "GET", path)
    for method, path, body in WRITES:
        yield Attack(f"no token: {method} {path}", method, path, JSON, body.encode())
    values = {
        "empty": "Bearer ", "no scheme": token, "basic": f"Basic {token}", "lower case": f"Bearer {token.lower()}",
        "upper case": f"Bearer {token.upper()}", "cut": f"Bearer {token[:-1]}", "longer": f"Bearer {token}x",
        "inner space": f"Bearer {token[:5]} {token[5:]}", "null": "Bearer null", "star": "Bearer *",
        "long": "Bearer " + "x" * 10_000, "twice": f"Bearer Bearer {token}",
    }  # fmt: skip
    for name, value in values.items():
        yield Attack(f"bad token: {name}", "GET", "/api/session", {"authorization": value})
    yield Attack("token in the query", "GET", f"/api/session?token={token}")
    yield Attack("token in a cookie", "GET", "/api/session", {"cookie": f"mismartera={token}"})
    yield Attack("a guessed cookie", "GET", "/api/session", {"cookie": "COOKIE=" + "x" * 43})


def _foreign_host() -> Iterator[Attack]:
    hosts = ("evil.example", "evil.example:PORT", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:PORT",
             "127.0.0.1.nip.io:PORT", "0.0.0.0:PORT", "[::]:PORT", "2130706433:PORT", "127.1:PORT",
             "127.0.0.1:PORT@evil.example", "localhost:PORT.", "user@localhost:PORT", "")  # fmt: skip
    for host in hosts:
        yield Attack(f"host {host or 'empty'}", "GET", "/api/session", {"host": host}, right="token")
        yield Attack(f"host {host or 'empty'}, page", "GET", "/", {"host": host})
    yield Attack(
        "host evil, write", "POST", "/api/session/resume", {"host": "evil.example"} | JSON, b"{}", "token"
    )
    yield Attack(
        "forwarded host", "GET", "/api/session", {"x-forwarded-host": "localhost", "host": "evil"}, right="token"
    )


def _foreign_origin() -> Iterator[Attack]:
    origins = ("http://evil.example", "https://127.0.0.1:PORT", "http://127.0.0.1", "http://127.0.0.1:1", "null",
               "http://localhost:PORT.evil.example", "http://evil.example:PORT", "file://", "http://127.0.0.1:PORT/",
               "", "*", "chrome-extension://abcdef")  # fmt: skip
    for origin in origins:
        for right in ("token", "cookie"):
            yield Attack(
                f"origin {origin or 'empty'}, {right}, read",
                "GET",
                "/api/session",
                {"origin": origin},
                right=right,
            )
        yield Attack(
            f"origin {origin or 'empty'}, write",
            "POST",
            "/api/session/resume",
            {"origin": origin} | JSON,
            b"{}",
            "page",
        )
    for site in ("cross-site", "same-site"):
        yield Attack(f"fetched {site}", "GET", "/api/session", {"sec-fetch-site": site}, right="cookie")
        yield Attack(
            f"fetched {site}, write", "POST", "/api/session/resume", {"sec-fetch-site": site} | JSON, b"{}", "page"
        )


def _cross_site_forms() -> Iterator[Attack]:
    kinds = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "",
             "text/json", "application/jsonp", "application/x-json", "text/plain; application/json")  # fmt: skip
    for kind in kinds:
        for right in ("token", "page"):
            yield Attack(
                f"form {kind or 'no kind'}, {right}",
                "POST",
                "/api/session/resume",
                {"content-type": kind},
                b"{}",
                right,
            )
    for method, path, body in WRITES:
        yield Attack(
            f"cookie alone: {method} {path}", method, path, JSON | {"origin": "ORIGIN"}, body.encode(), "cookie"
        )
        guessed = JSON | {"origin": "ORIGIN", "x-mismartera-csrf": "x" * 43}
        yield Attack(f"wrong csrf: {method} {path}", method, path, guessed, body.encode(), "cookie")


def _get_with_effect() -> Iterator[Attack]:
    paths = ("/api/session/pause", "/api/session/resume", "/api/session/step", "/api/session/speed",
             "/api/symbols/BBB", "/api/session/resume?_method=POST")  # fmt: skip
    for path in paths:
        yield Attack(f"get {path}", "GET", path, right="page")
    for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "post"):
        yield Attack(f"method {method}", method, "/api/session/resume", JSON, b"{}", "token")
    yield Attack(
        "method override", "GET", "/api/session/resume", {"x-http-method-override": "POST"}, right="token"
    )


def _names() -> Iterator[Attack]:
    for number, name in enumerate(NAMES):
        body = json.dumps({"symbols": [name]}).encode()
        yield Attack(f"symbol {number} {name[:24]!a}", "POST", "/api/symbols", JSON, body, "token")
        yield Attack(
            f"bars of {number} {name[:24]!a}", "GET", f"/api/bars/{quote(name, safe='')}/1m", {}, b"", "token"
        )


def _bodies() -> Iterator[Attack]:
    bodies = {
        "50 MB": b'{"symbols": ["' + b"A" * 200_000 + b'"]}', "deep": b"[" * 5_000 + b"]" * 5_000,
        "deep objects": b'{"a":' * 100 + b"1" + b"}" * 100, "bad utf-8": b'{"symbols": ["\xff\xfe"]}',
        "utf-16": '{"symbols": ["BBB"]}'.encode("utf-16"), "NaN": b'{"speed": NaN}', "cut": b'{"symbols": ["BBB"',
        "same key twice": b'{"symbols": ["BBB"], "symbols": ["CCC"]}',
        "huge int": b'{"symbols": [' + b"9" * 5_000 + b"]}", "null": b"null", "number": b"1", "text": b'"BBB"',
        "code": b'{"symbols": ["BBB"], "strategy": "os:system"}',
        "empty": b"", "lone surrogate": b'{"symbols": ["\\ud800"]}', "pickle": b"\x80\x04K\x01.", "xml": b"<a/>",
        "comment": b'{"symbols": ["BBB"]} // x', "two values": b"{}{}",
        "prototype": b'{"__proto__": {"symbols": ["BBB"]}}',
    }  # fmt: skip
    for name, body in bodies.items():
        yield Attack(f"body {name}", "POST", "/api/symbols", JSON, body, "token")
    for value in (b"0", b"-1", b"1e400", b'"fast"', b"null", b"[1]", b"true", b"1000000000"):
        yield Attack(
            f"speed {value.decode()}", "POST", "/api/session/speed", JSON, b'{"speed": ' + value + b"}", "token"
        )


def _paths() -> Iterator[Attack]:
    paths = ("/static/../access.py", "/static/..%2faccess.py", "/static/%2e%2e/access.py", "/static//etc/passwd",
             "/static/..%5c..%5caccess.py", "/static/index.html%00.js", "/static/", "/../../etc/passwd",
             "//etc/passwd", "/api/../etc", "/api/commands/../../x", "/%2e%2e/%2e%2e/etc/passwd", "/.git/config",
             "/.env", "/redoc", "/api/bars/AAA/..%2f..%2fetc", "/api/bars/AAA/1m%00", "/server-status",
             "/api/commands/' OR 1=1")  # fmt: skip
    for path in paths:
        yield Attack(f"path {path}", "GET", path, right="token")
    for query in ("after=-1", "after=1e9", "after=99999999999999999999", "limit=0", "limit=999999999", "after=NaN",
                  "limit=x", "after=%00"):  # fmt: skip
        yield Attack(f"events?{query}", "GET", f"/api/events?{query}", right="token")


def _headers() -> Iterator[Attack]:
    yield Attack("two tokens", "GET", "/api/session", {"authorization": "Bearer x, Bearer y"})
    yield Attack(
        "a key with spaces", "POST", "/api/session/step", JSON | {"idempotency-key": "a b"}, b"{}", "token"
    )
    yield Attack(
        "a long key", "POST", "/api/session/step", JSON | {"idempotency-key": "k" * 5_000}, b"{}", "token"
    )
    yield Attack("accept of nothing we have", "GET", "/api/bars/AAA/1m", {"accept": "image/png"}, right="token")
    yield Attack("a header of 100 kB", "GET", "/api/session", {"x-long": "x" * 100_000}, right="token")
    yield Attack("a false length", "POST", "/api/symbols", JSON | {"content-length": "99999999"}, b"{}", "token")


def _logins() -> Iterator[Attack]:
    bodies = (b"{}", b'{"code": ""}', b'{"code": "x"}', b'{"token": "x"}', b'{"code": null, "token": null}',
              b'{"code": ["x"]}', b'{"token": true}', b'{"code": "USED"}')  # fmt: skip
    for body in bodies:
        yield Attack(f"login {body.decode()}", "POST", "/api/login", JSON, body)
    yield Attack("login by form", "POST", "/api/login", {"content-type": "text/plain"}, b'{"token": "x"}')
    yield Attack(
        "login from elsewhere",
        "POST",
        "/api/login",
        JSON | {"origin": "http://evil.example"},
        b'{"token": "TOKEN"}',
    )
    yield Attack("login by get", "GET", "/api/login?code=x")
