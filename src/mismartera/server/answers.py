"""Answers: JSON that browsers can parse, whatever is in it (a number that is not finite is null)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Response

from mismartera.server.models import Error

_encode = msgspec.json.Encoder().encode


def answer(found: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with ``found`` as JSON, in which no tag of HTML can stand."""
    return Response(
        _encode(found).replace(b"<", b"\\u003c"), status, dict(headers or {}), media_type="application/json"
    )


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the API's description: the errors that an operation may answer with, besides those of every one."""
    return {status: {"model": Error} for status in (400, 401, 403, 405, 422, 429, *statuses)}
