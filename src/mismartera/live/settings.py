"""IntakeSettings: what a configuration says of a live session."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from mismartera.bars import Interval
from mismartera.indicators import IndicatorSpec
from mismartera.live.flow import FlowSettings
from mismartera.live.questions import CheckSettings


class IntakeSettings(Struct, frozen=True):
    """What the configuration says of a live session. ``until_us``: the run's end, if it is known."""

    flow: FlowSettings
    checks: CheckSettings
    streams: tuple[Interval, ...]
    specs: Sequence[IndicatorSpec]
    complete_only: bool
    load_timeout_us: int
    until_us: int | None = None
