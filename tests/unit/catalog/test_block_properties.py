"""Blocks, other writes, compactions and reads in any order against a plain dictionary."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.catalog.helpers import MINUTE_US, OPEN_US, block, frame, held

from mismartera.bars import BarBlock
from mismartera.catalog import DataManager, append
from mismartera.catalog.flush import coalesced

SYMBOLS = ("AAPL", "BRK.B", "BTC/USD", "Z")
MINUTES = (*range(6), 629, 630, 1440)  # 630: the first minute of the next UTC day
PRICES = st.sampled_from([10.0, 11.0, 12.0])
KEYS = st.sets(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(MINUTES)), max_size=12)
STEPS = st.one_of(
    st.tuples(st.just("block"), KEYS, PRICES),
    st.tuples(st.just("minute"), st.sampled_from(MINUTES), PRICES),
    st.tuples(st.just("bars"), st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(MINUTES)), PRICES),
    st.tuples(st.sampled_from(["compact", "reopen"]), st.none(), PRICES),
)

Model = dict[tuple[str, int], float]


def block_of(keys: set[tuple[str, int]], price: float) -> BarBlock:
    names = sorted({symbol for symbol, _ in keys}, reverse=True)
    return block({name: sorted(minute for symbol, minute in keys if symbol == name) for name in names}, price)


def expected(model: Model, keys: set[tuple[str, int]], price: float) -> tuple[int, int, int]:
    known = [model[key] for key in keys if key in model]
    same = known.count(price)
    return len(keys) - len(known), same, len(known) - same


def read(store: DataManager, symbols: tuple[str, ...] = SYMBOLS) -> Model:
    return held(store.read_block("1m", OPEN_US, OPEN_US + 4000 * MINUTE_US, symbols))


def step(store: DataManager, model: Model, kind: str, what: Any, price: float) -> DataManager:
    if kind == "reopen":
        return DataManager(store.path)
    if kind == "compact":
        if store.exists():
            store.compact()
            parts = store._store.snapshot().partitions.values()
            assert all(len(files) == 1 for files in parts)
        return store
    keys = what if kind == "block" else {what} if kind == "bars" else {(name, what) for name in SYMBOLS}
    counts = expected(model, keys, price)
    if kind == "bars":
        report = store.write_bars(what[0], "1m", frame([what[1]], price))
    else:
        report = store.write_block("1m", block_of(keys, price))
    assert (report.accepted, report.duplicate, report.revised) == counts
    model.update(dict.fromkeys(keys, price))
    return store


@settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=12), st.sampled_from([(0, 2, 6), (4, 3, 12), (4096, 8, 262_144)]))
def test_any_sequence_of_writes_and_compactions_equals_a_dictionary(
    steps: list[Any], limits: tuple[int, int, int]
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in zip(("TINY_ROWS_MAX", "OPEN_FILES_MAX", "FULL_ROWS_MIN"), limits, strict=True):
            patch.setattr(append, name, value)
        store = DataManager(Path(folder) / "store")
        model: Model = {}
        for kind, what, price in steps:
            store = step(store, model, kind, what, price)
            if model:
                assert read(store) == model
                assert read(store, ("Z",)) == {key: price for key, price in model.items() if key[0] == "Z"}
                assert store._store.snapshot() == DataManager(store.path)._store.snapshot()
        total = sum(row.bars for row in store.listing()) if model else 0
        assert total == len(model)


@given(st.lists(st.tuples(KEYS, PRICES), min_size=1, max_size=5))
def test_coalesced_blocks_hold_the_last_of_each_key(parts: list[tuple[set[tuple[str, int]], float]]) -> None:
    model: Model = {}
    for keys, price in parts:
        model.update(dict.fromkeys(keys, price))
    blocks = [block_of(keys, price) for keys, price in parts]
    assert held(coalesced(blocks)) == model
    assert len(coalesced(blocks)) == len(model)
