"""Run to 10:00, add a symbol from outside the engine, read it from the open on, and run to the end.

python docs/examples/add_symbol.py [STORE]      # STORE: a store with the sample data, default: sample
"""

from __future__ import annotations

import sys

from mismartera import Bar, DataManager, SessionConfig, Strategy, SystemManager

CONFIG = {
    "exchange_group": "US_EQUITY",
    "mode": "backtest",
    "backtest_config": {"start_date": "2024-07-02", "end_date": "2024-07-02"},
    "session_data_config": {
        "symbols": ["ALFA"],
        "streams": ["1m", "5m"],
        "indicators": [{"name": "SMA", "interval": "5m", "params": {"timeperiod": 5}}],
    },
}


class Listener(Strategy):
    """Remembers the bars that were delivered of one symbol."""

    symbols = ("BRVO",)
    intervals = ("1m",)

    def on_start(self) -> None:
        """Begin with none."""
        self.heard: list[Bar] = []

    def on_bar(self, bar: Bar) -> None:
        """Called for fresh bars only: for those that BRVO had before 10:00, nobody is notified."""
        self.heard.append(bar)


def main(store: str = "sample") -> None:
    """Print what can be read before, at and after the addition."""
    listener = Listener()
    config = SessionConfig.from_dict(CONFIG)
    system = SystemManager(config, data_manager=DataManager(store), strategies=[listener])
    system.run_until("10:00")  # starts the engine's thread, and pauses it there
    data = system.session_data
    print("before: ", system.coordinator.get_loaded_symbols(), data.get_bars("BRVO", "1m"))

    system.coordinator.add_symbol("BRVO")  # from any thread; returns at once
    system.coordinator.wait_loaded("BRVO", timeout=5)
    five = data.get_bars("BRVO", "5m")
    assert five is not None, "a loaded symbol can be read in an active session"
    print("at 10:00:", len(five), "five-minute bars, the first of", f"{five[0].timestamp:%H:%M}")
    print("SMA(5):  ", [round(value, 2) for value in five.indicator("SMA_5").tolist()])

    system.resume()
    system.wait()
    print(
        "heard:   ", len(listener.heard), "one-minute bars, the first of", f"{listener.heard[0].timestamp:%H:%M}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
