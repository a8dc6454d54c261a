"""Symbol names: one allow-list, and a reversible encoding for paths."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from mismartera.errors import SymbolError

SYMBOL_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*"
SYMBOL_LENGTH_MAX = 32
_SYMBOL = re.compile(SYMBOL_PATTERN)
_RESERVED = re.compile(r"(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")


def check_symbol(name: object) -> str:
    """``name`` itself if it is a symbol (case kept); SymbolError (a ValueError) otherwise."""
    if not isinstance(name, str):
        raise SymbolError(f"a symbol is a string, not {type(name).__name__}")
    if len(name) > SYMBOL_LENGTH_MAX or not _SYMBOL.fullmatch(name):
        shown = ascii(name if len(name) <= 40 else name[:40] + "...")
        raise SymbolError(
            f"{shown} is not a symbol: allowed are letters, digits, '.', '_' and '-', parts joined by '/', "
            f"each starting with a letter or digit, at most {SYMBOL_LENGTH_MAX} characters, "
            "for example 'AAPL', 'BRK.B', 'BTC/USD'"
        )
    return name


def encode_symbol(symbol: str) -> str:
    """A file or folder name for ``symbol``: percent-encoded, safe on every file system.

    Device names of Windows (``CON``, ``NUL`` ...) get their first letter encoded.
    """
    encoded = quote(check_symbol(symbol), safe="")
    if _RESERVED.fullmatch(encoded):
        return f"%{ord(encoded[0]):02X}{encoded[1:]}"
    return encoded


def decode_symbol(name: str) -> str:
    """The symbol whose :func:`encode_symbol` is ``name``."""
    return check_symbol(unquote(name))
