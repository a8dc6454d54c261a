"""Look at all symbols at once: every minute, as columns, which of them moved most?

python docs/examples/scan_slices.py [STORE]     # STORE: a store with the sample data, default: sample
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from mismartera import DataManager, SessionConfig, Slice, Strategy, SystemManager

CONFIG = {
    "exchange_group": "US_EQUITY",
    "mode": "backtest",
    "backtest_config": {"start_date": "2024-07-01", "end_date": "2024-07-05"},
    "session_data_config": {
        "symbols": ["ALFA", "BRVO", "CHRL", "DLTA", "ECHO", "FXTR", "GOLF", "HOTL"],
        "streams": ["1m"],
    },
}


class Movers(Strategy):
    """Counts how often each symbol had the widest minute. ``on_slice`` makes no Bar unless it is asked for one."""

    def on_start(self) -> None:
        """Begin to count."""
        self.minutes = 0
        self.leads: Counter[str] = Counter()

    def on_slice(self, slice: Slice) -> None:
        """One row per symbol that has a bar in this minute, in rank order."""
        minute = slice.columns("1m")
        width = (minute.high - minute.low) / minute.open
        self.leads[minute.symbols[int(np.argmax(width))]] += 1
        self.minutes += 1


def main(store: str = "sample") -> None:
    """Print the symbols, those that moved most often first."""
    movers = Movers()
    system = SystemManager(SessionConfig.from_dict(CONFIG), data_manager=DataManager(store), strategies=[movers])
    system.run()
    for symbol, count in movers.leads.most_common():
        print(f"{symbol}  {count:5} of {movers.minutes} minutes")


if __name__ == "__main__":
    main(*sys.argv[1:])
