"""What can be read while the session, or a symbol, is deactivated."""

from __future__ import annotations

from typing import Any

from tests.conftest import MakeSystem
from tests.runs import Log, Recorder, config

from mismartera import SystemManager
from mismartera.bars.instants import to_us


class Prober(Recorder):
    """Tries every read when the session or a symbol is deactivated or activated."""

    def __init__(self, *symbols: str) -> None:
        super().__init__()
        self.probed = symbols
        self.answers: list[tuple[str, str, list[str]]] = []
        self.internal: list[int | None] = []
        self.system: SystemManager | None = None

    def on_session_active(self, active: bool, reason: str) -> None:
        self.probe(f"session {active} {reason}")

    def on_symbol_active(self, symbol: str, active: bool, reason: str) -> None:
        self.probe(f"{symbol} {active} {reason}")

    def probe(self, what: str) -> None:
        read = self.session
        for symbol in self.probed:
            answers: dict[str, Any] = {
                "bars": read.bars(symbol, "1m"), "indicator": read.indicator(symbol, "SMA_2"),
                "history": read.history(symbol, "1m"), "historical": read.historical(symbol, "volume"),
                "quality": read.quality(symbol),
            }  # fmt: skip
            self.answers.append((what, symbol, [name for name, answer in answers.items() if answer is not None]))
            assert self.system is not None
            view = self.system.session_data.get_bars(symbol, "1m", internal=True)
            self.internal.append(None if view is None else len(view))
        assert to_us(read.now) == self.system.get_time_manager().now_us() if self.system else False


ALL_READS = ["bars", "indicator", "history", "historical", "quality"]
PROBED: dict[str, Any] = {
    "dates": ("2024-07-03", "2024-07-03"),
    "historical": {
        "data": [{"trailing_days": 1, "intervals": ["1m"]}],
        "indicators": {
            "volume": {"type": "trailing_average", "period": "1d", "granularity": "daily", "field": "volume"}
        },
    },
    "indicators": [{"name": "SMA", "interval": "1m", "params": {"timeperiod": 2}}],
    "schedule": [("2024-07-03T12:00", "add", "CCC")],
}


def test_external_reads_are_none_while_the_session_is_deactivated_and_internal_ones_are_answered(
    make_system: MakeSystem,
) -> None:
    strategy = Prober("AAA")
    strategy.system = make_system(config("AAA", **PROBED), strategy)
    strategy.system.run()
    assert strategy.answers == [
        ("session True open", "AAA", ["bars", "history", "historical", "quality"]),  # no bar, so no indicator yet
        ("session False lag", "AAA", []),
        ("session True caught_up", "AAA", ALL_READS),
        ("session False close", "AAA", ALL_READS),
    ]
    assert strategy.internal == [0, 150, 150, 210]


def test_with_scope_symbol_only_the_lagging_symbol_is_withheld_and_the_session_stays_active(
    make_system: MakeSystem,
) -> None:
    strategy, log = Prober("AAA", "CCC"), Log()
    strategy.system = make_system(
        config("AAA", streaming={"catchup_scope": "symbol"}, **PROBED), strategy, log=log
    )
    strategy.system.run()
    assert log.since("12:00")[:4] == [
        "12:00 symbol_pending added CCC",
        "12:00 symbol_deactivated lag 8940 CCC",
        "12:00 symbol_activated caught_up 60 CCC",
        "12:00 symbol_loaded caught_up CCC",
    ]
    withheld = [(what, symbol, reads) for what, symbol, reads in strategy.answers if "CCC" in what]
    assert withheld[:2] == [("CCC False lag", "AAA", ALL_READS), ("CCC False lag", "CCC", [])]
    assert log.lines.count("13:00 session_deactivated close 0") == 1
    assert sum("session_activated" in line for line in log.lines) == 1
    assert strategy.ends("CCC")[0] == "11:59"
