"""A trace gives back what was noted, in order, whatever the moments at which it was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mismartera.trace.items import Kind, TraceLog, TraceReader

items = st.lists(st.tuples(st.sampled_from(list(Kind)), st.integers(-1, 2**58)), max_size=40)


@given(items, st.sets(st.integers(0, 40)))
def test_what_was_noted_is_read_in_order(noted: list[tuple[Kind, int]], cuts: set[int]) -> None:
    log, payloads = TraceLog("engine"), []
    for number, (kind, value) in enumerate(noted):
        if number in cuts:
            payloads += [trace.payload for trace in log.pull()]
        if kind is Kind.CLOCK:
            log.clock(value)
        else:
            log.note(kind, value)
    payloads += [trace.payload for trace in log.pull()]
    assert log.pull() == []
    reader, found = TraceReader(payloads), list[tuple[int, int]]()
    while True:
        later = [(int(kind), value) for kind, value in noted[len(found) :] if kind is not Kind.COMMAND]
        assert reader.peek_after(Kind.COMMAND) == (later[0] if later else None), "asked first, at a cut too"
        if (item := reader.peek()) is None:
            break
        assert reader.peek_after(Kind.COMMAND) == (later[0] if later else None)
        found.append(item)
        reader.skip()
    assert found == [(int(kind), value) for kind, value in noted]
    assert reader.number == len(noted)
