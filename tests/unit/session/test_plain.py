"""What strategies say is put so that every log, journal, table and page can hold it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera.session.plain import plain_error, plain_name, plain_text, plain_value


class Side(str, Enum):  # noqa: UP042  # as users write it
    BUY = "buy"


class Size(IntEnum):
    LARGE = 3


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (1.5, 1.5), (math.nan, None), (-math.inf, None), (np.float64(1.5), 1.5), (np.float32("inf"), None),
        (np.int64(3), 3), (np.bool_(True), True), (True, True), (None, None), ("text", "text"),
        (Side.BUY, "buy"), (Size.LARGE, 3), (np.str_("text"), "text"), ("half \ud800", r"half \ud800"),
        (2**63 - 1, 2**63 - 1), (2**70, float(2**70)), (-(10**400), None),
    ],
)  # fmt: skip
def test_a_value_becomes_what_json_can_hold(value: Any, plain: object) -> None:
    found = plain_value(value)
    assert found == plain
    assert type(found) is type(plain)


@pytest.mark.parametrize("value", [object(), [1], {}, b"x", 1j, datetime(2024, 7, 2, tzinfo=UTC)])
def test_what_json_cannot_hold_is_refused_by_its_type(value: object) -> None:
    with pytest.raises(TypeError, match=f"or None, not {type(value).__name__}"):
        plain_value(value)
    with pytest.raises(TypeError, match=f"a signal's name is a text, not {type(value).__name__}"):
        plain_name(value)


@given(st.text(st.characters(), max_size=20) | st.floats() | st.integers())
def test_whatever_a_value_becomes_every_encoder_takes(value: str | float) -> None:
    plain = plain_value(value)
    assert json.loads(json.dumps(plain)) == msgspec.json.decode(msgspec.json.encode(plain)) == plain
    if isinstance(value, str) and plain == value:
        assert plain_name(value) == plain_text(value) == value


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def test_an_exception_says_what_it_can() -> None:
    assert plain_error(ValueError("bad \udce9")) == r"ValueError: bad \udce9"
    assert plain_error(UnspeakableError()) == "UnspeakableError"
