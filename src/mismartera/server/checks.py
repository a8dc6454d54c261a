"""What is looked at of every request before anything of ours runs: Host, Origin, Fetch metadata, the body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from mismartera.server.refusal import Refusal

Headers = Sequence[tuple[bytes, bytes]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


class Addresses:
    """The hosts that this server answers to, and the origins whose pages may ask. Nothing else is let in.

    ``names``: hosts besides those of the loopback, each with or without a port.
    """

    def __init__(self, port: int, names: Iterable[str] = ()) -> None:
        self.hosts = {f"{name}:{port}" for name in LOOPBACK_NAMES}
        if port == 80:
            self.hosts |= set(LOOPBACK_NAMES)
        self.origins = {f"http://{host}" for host in self.hosts}
        for name in map(str.lower, names):
            with_port = {name} if re.search(r":\d+$", name) else {name, f"{name}:{port}"}
            self.hosts |= with_port
            self.origins |= {f"{scheme}://{host}" for host in with_port for scheme in ("http", "https")}

    def check(self, headers: Headers, *, is_navigation: bool = False) -> bool:
        """Refusal for a Host or an Origin of somebody else's; True if an Origin was given.

        ``is_navigation``: the page's own files, which a link elsewhere may lead to.
        """
        hosts = every(headers, b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            raise Refusal(403, "foreign_host", "this server does not answer to that host name")
        origins = every(headers, b"origin")
        if origins and (len(origins) != 1 or origins[0].lower() not in self.origins):
            raise Refusal(403, "foreign_origin", "pages of that origin may not use this server")
        sites = every(headers, b"sec-fetch-site")
        if not is_navigation and any(site not in {"same-origin", "none"} for site in sites):
            raise Refusal(403, "foreign_origin", "pages of another origin may not use this server")
        return bool(origins)


def every(headers: Headers, name: bytes) -> list[str]:
    """All values of a header, as they came."""
    return [value.decode("latin-1") for key, value in headers if key == name]


def only(headers: Headers, name: bytes) -> str | None:
    """The value of a header that may be there once; Refusal if it is there more often."""
    found = every(headers, name)
    if len(found) > 1:
        raise Refusal(400, "bad_header", f"there is more than one {name.decode()} header")
    return found[0] if found else None


def cookie(headers: Headers, name: str) -> str | None:
    """The value of one of our cookies; None if it is not there exactly once."""
    pairs = [pair.strip().partition("=") for line in every(headers, b"cookie") for pair in line.split(";")]
    found = [value for key, _, value in pairs if key == name]
    return found[0] if len(found) == 1 else None


def require_json(headers: Headers) -> None:
    """Refusal unless the body is said to be JSON: forms and plain text come from pages of others."""
    kind = (only(headers, b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "not_json", "a command has the header Content-Type: application/json")


def check_json(body: bytes, depth_max: int) -> None:
    """Refusal for a body that is not strict JSON in UTF-8, repeats a key, or nests too deeply. Empty is fine."""
    if not body:
        return
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(400, "bad_json", "the body is not UTF-8") from error
    if _depth(text) > depth_max:
        raise Refusal(400, "bad_json", f"the body nests deeper than {depth_max} levels")
    try:
        json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except ValueError as error:
        raise Refusal(400, "bad_json", f"the body is not JSON: {_short(str(error))}") from error


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has one key twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."
