"""Where a frame's time goes: the steps of its way, timed by wrapping the functions that take them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import live_stage
from mismartera.feeds.alpaca.decode import Codec
from mismartera.live.intake import Intake
from mismartera.live.today import Today
from mismartera.session.arriving import ArrivingTape
from mismartera.session.increment import IncrementalProcessor
from mismartera.session.streamer import Streamer

_PLACES: tuple[tuple[str, Any, str], ...] = (
    ("decoded: bytes to messages", Codec, "decode"),
    ("decoded: messages to columns", Codec, "columns"),
    ("checked, message by message", live_stage, "sift"),
    ("taken by the ledger: order, marks, counts", Today, "take"),
    ("- of it processed: base and derived bars, indicators", IncrementalProcessor, "take"),
    ("the minute ended: is anybody missing?", Today, "end_windows"),
    ("put on the engine's tape", ArrivingTape, "add"),
    ("shown, and read by the strategy", Streamer, "show_until"),
    ("handed to the flusher", Intake, "_flush"),
)
STEPS = tuple(name for name, _, _ in _PLACES)


@contextmanager
def timed_steps() -> Iterator[dict[str, float]]:
    """CPU seconds of the step's own thread, while this is open; what waits for another thread is in none."""
    spent = dict.fromkeys(STEPS, 0.0)
    before = [(owner, name, getattr(owner, name)) for _, owner, name in _PLACES]
    for step, owner, name in _PLACES:
        setattr(owner, name, _timed(getattr(owner, name), step, spent))
    try:
        yield spent
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def _timed(function: Callable[..., Any], step: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        begun = time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            spent[step] += time.thread_time() - begun

    return timed
