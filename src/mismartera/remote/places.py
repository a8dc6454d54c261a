"""Where a server on this machine leaves word of itself: one file a port, readable by its user alone."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from mismartera.errors import UsageError

DEFAULT_PORT = 8787
TOKEN_VARIABLE = "MISMARTERA_TOKEN"  # noqa: S105  # the name of a variable
TOKEN_LENGTH_MIN = 22
"""Letters of base64 that hold 128 bits."""


def servers_dir(environ: Mapping[str, str]) -> Path:
    """The user's own folder for it: below ``$XDG_RUNTIME_DIR``, else ``$XDG_CACHE_HOME``, else ``~/.cache``."""
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        if (root := Path(environ.get(name, ""))).is_absolute():
            return root / "mismartera" / "servers"
    return Path.home() / ".cache" / "mismartera" / "servers"


def write_private(path: Path, text: str) -> None:
    """Make ``path`` a file with mode 0600 that holds ``text``, in a folder of mode 0700; replaced at once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def read_private(path: Path) -> str:
    """What ``path`` holds; UsageError if others may read or write it, or if it cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
                mode = stat.S_IMODE(found.st_mode)
                raise UsageError(
                    f"{path} holds a token and must be yours alone (mode 0600): found mode {mode:04o}; "
                    f"chmod 600 {path}"
                )
            return file.read(10_000)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"the token file {path} cannot be read: {reason}") from error


def read_token(path: Path) -> str:
    """The token in the file at ``path``; UsageError if it is too short to be one."""
    token = read_private(path).strip()
    if len(token) < TOKEN_LENGTH_MIN or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"{path} does not hold a token: at least {TOKEN_LENGTH_MIN} letters on one line, "
            "for example of: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return token


class Place:
    """The file of a server on ``port``: written when it starts, removed when it stops."""

    def __init__(self, folder: Path, port: int) -> None:
        self.path = folder / f"{port}.json"

    def write(self, url: str, token: str) -> None:
        """Leave word of a server at ``url``."""
        write_private(self.path, json.dumps({"url": url, "token": token}))

    def remove(self, token: str) -> None:
        """Take it back, if it is still the one with ``token``."""
        found = self.read()
        if found is not None and found[1] == token:
            self.path.unlink(missing_ok=True)

    def read(self) -> tuple[str, str] | None:
        """URL and token; None if no server has left word here. UsageError if others may read the file."""
        if not self.path.exists():
            return None
        try:
            found = json.loads(read_private(self.path))
            return str(found["url"]), str(found["token"])
        except (ValueError, KeyError, TypeError):
            return None
