"""The store against a plain dictionary, for any sequence of writes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.catalog.helpers import MINUTE_US, OPEN_US, bar

from mismartera.catalog import DataManager

SYMBOLS = ("AAPL", "BRK.B", "BTC/USD", "Z")
ROW = st.tuples(
    st.sampled_from(SYMBOLS),
    st.sampled_from([*range(4), 630, 1439, 1440, 3000]),  # 630: the first minute of the next UTC day
    st.sampled_from([10.0, 11.0, float("nan"), -1.0]),
)


def model_write(model: dict[tuple[str, int], float], rows: list[Any]) -> tuple[int, int, int, int]:
    accepted = duplicate = revised = rejected = 0
    before = dict(model)
    for symbol, minute, price in rows:
        key = (symbol, minute)
        if not price > 1:
            rejected += 1
            continue
        if key in before:
            duplicate += 1
        elif key not in model:
            accepted += 1
        elif model[key] == price:
            duplicate += 1
        else:
            revised += 1
        model[key] = price
    changed = sum(model[key] != price for key, price in before.items())
    return accepted, duplicate - changed, revised + changed, rejected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(ROW, max_size=12), min_size=1, max_size=4))
def test_any_sequence_of_writes_equals_a_dictionary(writes: list[list[Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = DataManager(Path(folder) / "store")
        model: dict[tuple[str, int], float] = {}
        for rows in writes:
            before = dict(model)
            # one item per run of a symbol keeps the order of the rows
            report = store.write_many((row[0], "1m", [bar(*row)]) for row in rows)
            expected = model_write(model, rows)
            assert (report.accepted, report.duplicate, report.revised, report.rejected) == expected
            assert report.rows == len(rows) == sum(expected)
            if before == model and store.exists():
                assert report.version == DataManager(store.path).version, "no change, no commit"
        if not model:
            return
        block = store.read_block("1m", OPEN_US, OPEN_US + 4000 * MINUTE_US, SYMBOLS)
        found = {
            (SYMBOLS[owner], int((start - OPEN_US) // MINUTE_US)): price
            for owner, start, price in zip(block.row_symbols(), block.start, block.open, strict=True)
        }
        assert found == model
        assert len(block) == len(model)
        ordered = [(owner, start) for owner, start in zip(block.row_symbols(), block.start, strict=True)]
        assert ordered == sorted(ordered)
