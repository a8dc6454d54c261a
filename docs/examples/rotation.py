"""A strategy that decides itself which symbols it wants: it replaces one that trades too little.

mismartera run docs/examples/rotation.json --data sample --events rotation.jsonl
"""

from __future__ import annotations

from typing import Any

from mismartera import Strategy


class Rotation(Strategy):
    """At each time of ``params.times``, the symbol with the least volume so far gives way to the next in line.

    ``params.reserve`` names those that wait. Adding and removing is allowed in every callback: the removed
    symbol is silent at once, the added one is heard as soon as it is caught up.
    """

    def __init__(self, **params: Any) -> None:
        """``times``: of the day, such as "10:00"; ``reserve``: symbols."""
        super().__init__(**params)
        self.waiting: list[str] = list(params["reserve"])

    def on_session_open(self) -> None:
        """Entries are kept like those of a configuration's schedule."""
        for time in self.params["times"]:
            self.session.at(f"{self.session.date}T{time}", self.rotate)

    def rotate(self) -> None:
        """Compare the volume with what is usual at this time of the day, and replace the quietest."""
        if not self.waiting or not self.session.symbols:
            return
        quietest = min(self.session.symbols, key=self.volume_ratio)
        self.session.emit(f"{quietest} gives way to {self.waiting[0]}", self.volume_ratio(quietest))
        self.session.remove_symbol(quietest)
        self.session.add_symbol(self.waiting.pop(0))

    def volume_ratio(self, symbol: str) -> float:
        """Volume of this session so far, in days of usual volume (the historical indicator); 0 if unknown."""
        bars = self.session.bars(symbol, "1m")
        usual = self.session.historical(symbol, "usual_day")
        if not bars or not isinstance(usual, float):
            return 0.0
        return float(bars.volume.sum()) / usual
