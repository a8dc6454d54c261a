"""What strategies say, so that every log, journal, table and page can hold it."""

from __future__ import annotations

import math

import numpy as np

from mismartera.session.ports import Field

_INT_MAX = 2**63 - 1


def plain_text(text: str) -> str:
    """``text`` in characters that have a place in UTF-8: half a surrogate pair is written as ``\\udc80``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return str.__str__(text)


def plain_value(value: object) -> Field:
    """``value`` as JSON can hold it; TypeError if it cannot.

    A number that is not finite is None; an integer of more than 64 bits is a float, or None beyond those.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, int) and abs(value) <= _INT_MAX:
        return int(value)
    if isinstance(value, (int, float)):
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None
    raise TypeError(f"a signal's value is a text, a number, a truth value or None, not {type(value).__name__}")


def plain_name(name: object) -> str:
    """A signal's name; TypeError if it is no text."""
    if not isinstance(name, str):
        raise TypeError(f"a signal's name is a text, not {type(name).__name__}")
    return plain_text(name)


def plain_error(error: BaseException) -> str:
    """What an exception says of itself, whose own text may fail too."""
    try:
        return plain_text(f"{type(error).__name__}: {error}")
    except Exception:  # noqa: BLE001  # a strategy's exception is the user's code: its name must do
        return plain_text(type(error).__name__)
