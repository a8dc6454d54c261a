"""A bridge in a process of its own, on the clock of whoever started it: monotonic clocks are the machine's."""

from __future__ import annotations

import signal
import sys
import threading
from random import Random

from mismartera.feeds import Keys, Secret
from mismartera.feeds.alpaca import AlpacaFeed
from mismartera.feeds.nats import Bridge, BusAddress, Login
from mismartera.timing import RehearsalClock


def main(stream_url: str, data_url: str, nats_url: str, start_us: str, speed: str, begun: str) -> None:
    clock = RehearsalClock(int(start_us), float(speed))
    clock.begin(float(begun))
    keys = Keys(Secret("test-key"), Secret("test-secret"))
    bridge = Bridge(
        AlpacaFeed(stream_url, data_url, keys, clock, Random(1)), BusAddress(nats_url), Login(), clock, Random(3),
        warn=print,
    )  # fmt: skip
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    bridge.start()
    while not stopping.wait(0.05) and not bridge.wait(0.0):
        pass
    bridge.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
