"""The page's own files: read once, served from memory. What is not among them does not exist."""

from __future__ import annotations

import hashlib
from importlib import resources

from fastapi import APIRouter, Request, Response

from mismartera.server.refusal import Refusal

_KINDS = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}  # fmt: skip


def file_routes() -> APIRouter:
    """``/``, ``/docs`` and ``/static``."""
    routes = APIRouter(include_in_schema=False)
    files = _read()

    def reply(request: Request, name: str) -> Response:
        found = files.get(name)
        if found is None:
            raise Refusal(404, "no_file", "there is no such file")
        body, kind, tag = found
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers={**headers, "content-type": kind})

    @routes.get("/")
    async def page(request: Request) -> Response:
        return reply(request, "index.html")

    @routes.get("/docs")
    async def docs(request: Request) -> Response:
        return reply(request, "docs.html")

    @routes.get("/favicon.ico")
    async def icon(request: Request) -> Response:
        return reply(request, "icon.svg")

    @routes.get("/static/{name}")
    async def file(request: Request, name: str) -> Response:
        return reply(request, name)

    return routes


def _read() -> dict[str, tuple[bytes, str, str]]:
    found = {}
    for package in ("mismartera.server", "mismartera"):
        folder = resources.files(package) / ("static" if package == "mismartera.server" else "assets")
        for item in folder.iterdir() if folder.is_dir() else ():
            kind = _KINDS.get(item.name[item.name.rfind(".") :] if "." in item.name else ".txt")
            if item.is_file() and kind is not None:
                body = item.read_bytes()
                found[item.name] = (body, kind, f'"{hashlib.sha256(body).hexdigest()[:16]}"')
    return found
