"""Secrets: values that show themselves to nobody who does not ask by name."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MASK: Final = "***"


class Secret:
    """A value that masks itself wherever it is printed, logged, formatted or compared in an assertion.

    :meth:`reveal` is the only way to it. It cannot be pickled or copied into another process.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def scrub(self, text: str) -> str:
        """``text`` without the value, for what a vendor says."""
        return text.replace(self._value, MASK) if self._value else text

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __reduce__(self) -> str:
        raise TypeError("a Secret stays in its process")


class Keys(Struct, frozen=True):
    """What a vendor knows us by."""

    key_id: Secret
    secret_key: Secret

    def scrub(self, text: str, length_max: int = 200) -> str:
        """A vendor's words without our keys, as one short line."""
        return one_line(self.secret_key.scrub(self.key_id.scrub(text)), length_max)


def one_line(text: str, length_max: int = 200) -> str:
    """``text`` as one short line that can be printed anywhere."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= length_max else line[: length_max - 3] + "..."
