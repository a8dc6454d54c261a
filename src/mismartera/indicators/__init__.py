"""F1: indicators by TA-Lib's names, with all their parameters checked and their columns named."""

from mismartera.indicators.resolve import indicator_names, resolve_indicator
from mismartera.indicators.spec import INPUTS, IndicatorSpec

__all__ = ["INPUTS", "IndicatorSpec", "indicator_names", "resolve_indicator"]
