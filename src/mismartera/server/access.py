"""Access: who may do what. A token for scripts; for browsers a code that works once, and then a cookie.

What is kept of a code or a cookie is its hash. All comparisons take the same time whatever is compared.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from mismartera.feeds.secret import MASK, Secret
from mismartera.server.limits import Limits

_CODES_MAX = 16


class Who(Struct, frozen=True):
    """Whoever was let in. ``csrf``: what a page has to send with its writes; "" for the token's holder."""

    name: str
    csrf: str = ""

    @property
    def is_page(self) -> bool:
        """True for a browser that is known by its cookie."""
        return bool(self.csrf)


class Page(Struct, frozen=True):
    """A browser that is signed in."""

    who: Who
    ends_seconds: float


class Access:
    """The token, the codes that were not used yet, and the browsers that are signed in.

    ``monotonic`` gives wall seconds. Safe to use from any thread.
    """

    def __init__(self, token: Secret, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._token = token
        self._digest = _digest(token.reveal())
        self._limits = limits
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._codes: OrderedDict[bytes, None] = OrderedDict()
        self._pages: OrderedDict[bytes, Page] = OrderedDict()
        self._secrets = [token]

    def new_code(self) -> Secret:
        """A code that signs one browser in, once."""
        code = Secret(secrets.token_urlsafe(32))
        with self._lock:
            self._codes[_digest(code.reveal())] = None
            while len(self._codes) > _CODES_MAX:
                self._codes.popitem(last=False)
        return code

    def keep_secret(self, *found: Secret) -> None:
        """Let :meth:`scrub` mask these, too."""
        self._secrets += [secret for secret in found if secret]

    def scrub(self, text: str) -> str:
        """``text`` without our secrets: a second net, for what others have put into a message."""
        for secret in self._secrets:
            text = secret.scrub(text)
        return text

    def scrub_bytes(self, body: bytes) -> bytes:
        """The same for what is about to be sent."""
        for secret in self._secrets:
            body = body.replace(secret.reveal().encode(), MASK.encode())
        return body

    def is_token(self, token: str) -> bool:
        """True for the token itself, in its own case."""
        return hmac.compare_digest(_digest(token), self._digest)

    def sign_in(self, *, code: str | None = None, token: str | None = None) -> tuple[str, Who] | None:
        """A cookie's value and its page; None if neither code nor token is good. A code is dead after it."""
        if token is not None:
            if not self.is_token(token):
                return None
        elif code is None or not self._redeem(code):
            return None
        value = secrets.token_urlsafe(32)
        who = Who(f"page-{secrets.token_hex(3)}", secrets.token_urlsafe(32))
        with self._lock:
            self._pages[_digest(value)] = Page(who, self._monotonic() + self._limits.page_hours * 3600)
            while len(self._pages) > self._limits.pages_max:
                self._pages.popitem(last=False)
        return value, who

    def page(self, cookie: str) -> Who | None:
        """Whose cookie it is; None if it is nobody's, or has expired."""
        digest = _digest(cookie)
        with self._lock:
            found = self._pages.get(digest)
            if found is not None and found.ends_seconds <= self._monotonic():
                del self._pages[digest]
                return None
        return None if found is None else found.who

    def sign_out(self, cookie: str) -> None:
        """Forget a cookie."""
        with self._lock:
            self._pages.pop(_digest(cookie), None)

    def _redeem(self, code: str) -> bool:
        with self._lock:
            return self._codes.pop(_digest(code), self) is not self


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
