"""Login: what a NATS server knows us by, from the environment; never shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from mismartera.errors import ConfigError
from mismartera.feeds.secret import Secret, one_line

TOKEN: Final = "MISMARTERA_NATS_TOKEN"  # noqa: S105  # the variable's name
USER: Final = "MISMARTERA_NATS_USER"
PASSWORD: Final = "MISMARTERA_NATS_PASSWORD"  # noqa: S105  # the variable's name
CREDS: Final = "MISMARTERA_NATS_CREDS"


class Login(Struct, frozen=True):
    """A token, a user with a password, or a file of credentials; nothing for a server that asks for nothing."""

    token: Secret = field(default_factory=lambda: Secret(""))
    user: Secret = field(default_factory=lambda: Secret(""))
    password: Secret = field(default_factory=lambda: Secret(""))
    creds: Path | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Login:
        """What ``environ`` holds; ConfigError for more than one kind, half of one, or a file that is not there."""
        found = {name: environ.get(name, "") for name in (TOKEN, USER, PASSWORD, CREDS)}
        kinds = [name for name in (TOKEN, USER, CREDS) if found[name]]
        problems = []
        if len(kinds) > 1:
            problems.append(f"the environment has {' and '.join(kinds)}; allowed: one of them")
        if bool(found[USER]) != bool(found[PASSWORD]):
            problems.append(f"the environment has one of {USER} and {PASSWORD}; allowed: both, or none")
        problems += [
            f"the environment's {name} holds characters that cannot be sent; allowed: printable ones"
            for name in (TOKEN, USER, PASSWORD)
            if not found[name].isprintable()
        ]
        creds = Path(found[CREDS]) if found[CREDS] else None
        if creds is not None and not creds.is_file():
            problems.append(f"{CREDS}: there is no file {found[CREDS]}; allowed: a file of credentials (.creds)")
        if problems:
            raise ConfigError(problems, source="the bus")
        return cls(Secret(found[TOKEN]), Secret(found[USER]), Secret(found[PASSWORD]), creds)

    def options(self) -> dict[str, Any]:
        """For the client's ``connect``."""
        if self.token:
            return {"token": self.token.reveal()}
        if self.user:
            return {"user": self.user.reveal(), "password": self.password.reveal()}
        return {} if self.creds is None else {"user_credentials": str(self.creds)}

    def scrub(self, text: str) -> str:
        """A server's words without our secrets, as one short line."""
        for secret in (self.token, self.password, self.user):
            text = secret.scrub(text)
        return one_line(text)
