"""Refusal: what a client is told when it gets no answer: a code, a message, a request id, and never a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Refusal(Exception):  # noqa: N818  # the API's own word for it
    """An answer with an error ``status``. ``code`` is for programs, ``message`` for people; ``fields`` name what
    is wrong where.
    """

    def __init__(
        self, status: int, code: str, message: str, *, fields: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = list(fields)
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """The answer as JSON."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "request_id": request_id}
        return {"error": error | ({"fields": self.fields} if self.fields else {})}
