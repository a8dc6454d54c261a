"""``python -m benchmarks.frames``: what a frame of Alpaca's stream costs, from bytes to checked columns.

The open of 8,000 symbols comes as one frame; DESIGN.md allows 150 ms for it, with storing and processing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from mismartera.bars import parse_interval
from mismartera.bars.instants import SECOND_US, to_datetime
from mismartera.feeds.alpaca.decode import Codec
from mismartera.feeds.sift import sift

BARS = 8_000
ROUNDS = 20
_OPEN_US = 1_719_927_000 * SECOND_US


def main() -> None:
    """Print the median of some rounds for each encoding, with and without a bad message."""
    symbols = [f"S{k:05d}" for k in range(BARS)]
    good: list[dict[str, object]] = [
        {"T": "b", "S": symbol, "o": 10.25, "h": 11.0, "l": 10.0, "c": 10.5, "v": 1200, "n": 17, "vw": 10.4,
         "t": to_datetime(_OPEN_US)} for symbol in symbols
    ]  # fmt: skip
    bad = [*good, {"T": "b", "S": 5}]
    wanted = dict.fromkeys(symbols)
    encodings: dict[str, Callable[[object], bytes]] = {
        "msgpack": msgspec.msgpack.encode,
        "json": msgspec.json.encode,
    }
    for name, encode in encodings.items():
        for kind, messages in (("good", good), ("one bad message", bad)):
            data = encode(messages)
            times = sorted(_seconds(Codec(name), data, wanted) for _ in range(ROUNDS))
            print(
                f"{name:8} {kind:16} {len(data) / 1e6:.2f} MB: {times[ROUNDS // 2] * 1e3:.1f} ms for {BARS} bars"
            )


def _seconds(codec: Codec, data: bytes, wanted: dict[str, None]) -> float:
    start = time.perf_counter()
    frame = codec.decode(data)
    rows, _ = sift(frame.columns(frame.bars), parse_interval("1m"), _OPEN_US + 60 * SECOND_US, wanted)
    assert len(rows) == BARS, "every good bar passes"
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
