"""Messages and answers come back from the journal as they were, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mismartera.bars import BarBlock
from mismartera.errors import (
    FeedRefusedError,
    FeedUnavailableError,
    JournalError,
    KeysRefusedError,
    MismarteraError,
)
from mismartera.feeds.port import (
    BackfillResult,
    BarsArrived,
    Connected,
    Disconnected,
    FeedFailed,
    FeedMessage,
    FeedWarning,
    Rejected,
    StatusChanged,
    Subscribed,
    SymbolRefused,
)
from mismartera.trace.messages import (
    decode_answer,
    decode_message,
    encode_answer,
    encode_message,
    kind_of,
)

names = st.text(min_size=1, max_size=8)
floats = st.floats(width=64, allow_nan=True)
plain = st.one_of(
    st.builds(StatusChanged, names, st.booleans(), names), st.just(Connected()),
    st.builds(Disconnected, names, st.booleans(), st.floats(0, 1e6)),
    st.builds(Subscribed, st.lists(names).map(tuple)), st.builds(SymbolRefused, names, names),
    st.builds(FeedFailed, names), st.builds(FeedWarning, names),
    st.builds(Rejected, names, st.integers(0, 10**6), names, st.lists(names).map(tuple)),
)  # fmt: skip


@st.composite
def bars(draw: st.DrawFn) -> BarsArrived:
    symbols = tuple(draw(st.lists(names, max_size=6)))
    prices = draw(arrays(np.float64, (5, len(symbols)), elements=floats))
    start = draw(arrays(np.int64, len(symbols), elements=st.integers(-(2**62), 2**62)))
    is_correction, arrived_us = draw(st.booleans()), draw(st.integers(0, 2**62))
    return BarsArrived("1m", symbols, start, prices, is_correction, arrived_us)


@given(plain)
def test_a_message_without_columns_comes_back_equal(message: FeedMessage) -> None:
    assert decode_message(kind_of(message), encode_message(message)) == message


@given(bars())
def test_bars_come_back_to_the_bit(message: BarsArrived) -> None:
    found = decode_message(kind_of(message), encode_message(message))
    assert isinstance(found, BarsArrived)
    assert (found.interval, found.symbols, found.corrections) == ("1m", message.symbols, message.corrections)
    assert found.arrived_us == message.arrived_us
    assert found.start_us.tolist() == message.start_us.tolist()
    for mine, other in zip(found.prices, message.prices, strict=True):
        assert mine.tobytes() == other.tobytes()
        assert not mine.flags.writeable


@given(st.lists(st.tuples(names, st.integers(0, 4)), max_size=5, unique_by=lambda pair: pair[0]), st.data())
def test_an_answer_comes_back_to_the_bit(sizes: list[tuple[str, int]], data: st.DataObject) -> None:
    offsets = np.concatenate(([0], np.cumsum([size for _, size in sizes], dtype=np.int64))).astype(np.int64)
    rows = int(offsets[-1])
    columns = [data.draw(arrays(np.float64, rows, elements=floats)) for _ in range(5)]
    start = data.draw(arrays(np.int64, rows, elements=st.integers(0, 2**62)))
    block = BarBlock(tuple(name for name, _ in sizes), offsets, start, *columns)
    answer = BackfillResult("1m", block, {"X": "no"}, (Rejected("rule", 2, "words", ("A", "")),), 3, 4)
    number, found = decode_answer(encode_answer(17, answer))
    assert number == 17
    assert isinstance(found, BackfillResult)
    assert (found.interval, dict(found.refused), found.rejected) == ("1m", {"X": "no"}, answer.rejected)
    assert (found.duplicates, found.conflicts, found.block.symbols) == (3, 4, block.symbols)
    assert found.block.offsets.tolist() == offsets.tolist()
    assert found.block.start.tolist() == start.tolist()
    for mine, other in zip(found.block.columns, block.columns, strict=True):
        assert mine.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    "error",
    [FeedRefusedError("no"), KeysRefusedError("keys"), FeedUnavailableError("later", 7.5), MismarteraError("x")],
    ids=lambda error: type(error).__name__,
)
def test_an_answer_that_was_an_error_is_that_error(error: MismarteraError) -> None:
    _, found = decode_answer(encode_answer(0, error))
    assert type(found) is type(error)
    assert str(found) == str(error)
    if isinstance(error, FeedUnavailableError):
        assert isinstance(found, FeedUnavailableError)
        assert found.retry_after_seconds == 7.5


def test_a_kind_of_another_version_is_named() -> None:
    with pytest.raises(JournalError, match="'Quoted'"):
        decode_message("Quoted", encode_message(Connected()))
