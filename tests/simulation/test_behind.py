"""A stream that is always behind, though not by the threshold: its bars are delivered, not replaced by REST's."""

from __future__ import annotations

from tests.simulation.day import Day, minutes

from mismartera import Bar, Strategy

TRADED = ("2024-07-03T09:30-04:00", "2024-07-03T10:30-04:00")


class Told(Strategy):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.bars: list[tuple[str, str, str]] = []

    def on_bar(self, bar: Bar) -> None:
        self.bars.append((bar.symbol, bar.interval, f"{bar.end:%H:%M}"))


class LateDay(Day):
    """Every bar arrives 35 s after its end, when REST has had it for long."""

    def _send(self, start_us: int) -> None:
        self.world.after(35.0, lambda: super(LateDay, self)._send(start_us))


def test_bars_of_a_stream_that_is_behind_as_a_whole_are_delivered_in_order() -> None:
    told = Told()
    config = {"calendar": "XNYS", "session_data_config": {"symbols": ["A", "B"], "streams": ["1m", "5m"]}}
    traded = dict.fromkeys("AB", minutes(*TRADED))
    day = LateDay(config, "2024-07-03T09:29:00-04:00", "2024-07-03T09:50:00-04:00", traded, [told])
    day.coordinator.run()
    ends = [f"09:{minute}" for minute in range(31, 50)]
    assert [end for symbol, interval, end in told.bars if (symbol, interval) == ("A", "1m")] == ends
    revisions = [line for line in day.log.lines if line["event"] == "revision"]
    revised = {line["interval"] for line in revisions if line["time"][11:16] < "13:50"}
    assert revised == {"5m"}, "it ends without its last minute, which is late"
    assert not day.events("quiet", "gap")
    assert [name for _, name, _ in day.events("session_activated", "session_deactivated")] == [
        "session_activated", "session_deactivated",
    ]  # fmt: skip
